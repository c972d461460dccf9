"""One server's delivery becomes its record: read, judged, committed; then, and only then, told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from maintops.domain.answers import Reading
from maintops.domain.outcomes import Cell, FailOn, Outcome, exit_code
from maintops.domain.ports import (
    Clock,
    Contact,
    Delivery,
    Memory,
    Observer,
    Preview,
    Previewer,
    Pulse,
    Runner,
    Store,
    Told,
    Verdict,
    tell,
)
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Owner, Progressed, ServerAnswered
from maintops.domain.steps import reading_of
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import Plan, ServerPlan
from maintops.workflow.reading import ServerReading, inquired, read_delivery, read_preview, unasked
from maintops.workflow.sameness import Machines

SIGN_OF_LIFE = timedelta(seconds=30)
"""A run records where it is at least this often while a runner is at work (the promise is every 10 minutes)."""


WAITS = "it waits for a person: maintops run continue"
"""Why a step has no outcome yet."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Who and what carries a run out. `contact` asks management controllers."""

    store: Store
    runners: Mapping[str, Runner]
    previewer: Previewer
    clock: Clock
    owner: Owner
    observers: Sequence[Observer] = ()
    contact: Contact | None = None


Previews = Mapping[str, Mapping[str, Preview]]
"""Check id -> server -> what check mode said."""


class Keeper:
    """Keeps each server's record, and counts: `codes` holds the exit code for each way to count findings."""

    def __init__(self, plan: Plan, crew: Crew, engineer: str | None) -> None:
        self._plan, self._crew, self._engineer = plan, crew, engineer
        self._done, self._signed = 0, crew.clock()
        self._machines = Machines()
        self._steps = [one for one in plan.checks if one.step is not None]
        self._checks = {one.check.id: one for one in plan.checks}
        self.codes: dict[FailOn, int] = dict.fromkeys(FailOn, 0)

    def sign(self, pulse: Pulse) -> None:
        """Records where the run is, if it has been silent for a while."""
        now = self._crew.clock()
        if now - self._signed < SIGN_OF_LIFE:
            return
        self._signed = now
        event = Progressed(self._done, len(self._plan.servers), dict(pulse.in_flight), now)
        self._crew.store.append(self._plan.run, event)
        tell(self._crew.observers, event)

    def keep(
        self,
        planned: ServerPlan,
        delivery: Delivery | None,
        previews: Previews,
        stopped: str | None = None,
        told: Mapping[str, Told] = MappingProxyType({}),
    ) -> None:
        """Keeps one server's record. `delivery` is None where its runner brought nothing; `stopped` says why. `told` is
        what its management controller said, by check."""
        if delivery is None and planned.asking.scripts:
            read = unasked(planned, stopped)
        else:
            read = read_delivery(planned, self._plan.checks, delivery)
        readings: dict[str, Reading | Cell] = dict(read.readings)
        for check, servers in previews.items():
            split = not self._checks[check].check.rules
            readings[check] = read_preview(check, servers.get(planned.server.name), stopped, split=split)
        for one in planned.asking.inquiries:
            readings[one.check] = inquired(planned, told.get(one.check), stopped, self._checks[one.check])
        for plan in self._steps:
            readings[plan.check.id] = self._step(planned, plan.check.id)
        draft = self._draft(planned, delivery, read)

        def judge(memory: Memory) -> Verdict:
            return judge_server(draft, self._plan.checks, readings, planned.asking.values, memory)

        stream = b"".join(reply.stream for reply in delivery.replies) if delivery else b""
        now = self._crew.clock()
        verdict = self._crew.store.commit(self._plan.run, draft.id, planned.server.name, judge, stream, now)
        # None: somebody else has kept this record (who took this run for dead); what is kept is what counts
        self._count(verdict.record if verdict is not None else self._crew.store.record(draft.id))

    def _step(self, planned: ServerPlan, step: str) -> Reading | Cell:
        answer = self._plan.answers.get((planned.server.name, step))
        return reading_of(answer) if answer is not None else Cell(step, None, Outcome.NOT_REACHED, message=WAITS)

    def _draft(self, planned: ServerPlan, delivery: Delivery | None, read: ServerReading) -> ServiceRecord:
        now = self._crew.clock()
        listed, server = self._plan.checklist, planned.server
        machine, same = self._machines.seen(server.name, read.header.machine if read.header else "")
        return ServiceRecord(
            id=planned.record,
            run=self._plan.run,
            server=server.name,
            checklist=listed.name,
            version=listed.version,
            title=listed.title,
            service=listed.service,
            engine=planned.engine,
            started=delivery.started if delivery else now,
            ended=delivery.ended if delivery else now,
            cells=(),
            engineer=self._engineer,
            customer=server.customer,
            site=server.site,
            machine=machine,
            notes=(*read.notes, *same),
            item=listed.item,
        )

    def _count(self, record: ServiceRecord) -> None:
        self._done += 1
        self._signed = self._crew.clock()
        for fail_on in FailOn:
            self.codes[fail_on] |= exit_code(record.cells, fail_on)
        event = ServerAnswered(record.server, record.id, record.outcome, self._signed)
        tell(self._crew.observers, event, record)
