"""What a person carries out: which steps still wait, and how an answer becomes part of the record.

An answer is an event of the run's journal the moment that it is given. The service record gets it as a further part of
its own (RUN-0001.2, …): what was written before is never changed. Whoever goes on later goes on behind the last answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from maintops.domain.answers import Reading
from maintops.domain.checklists import Checklist, Step
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.ports import Memory, Store, Verdict
from maintops.domain.records import ServiceRecord, merged
from maintops.domain.runs import PlannedServer, Run, RunState
from maintops.domain.steps import StepAnswer, reading_of
from maintops.errors import UsageError
from maintops.workflow.judging import judge_server
from maintops.workflow.parts import keep_part
from maintops.workflow.planning import plan_step

BY_HAND = "by hand"
"""What stands for the engine in a part of a record that a person made."""

_WAITING = (Outcome.NOT_REACHED, Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that nobody has answered yet on one server."""

    server: str
    step: Step


def waiting(store: Store, run: Run, checklist: Checklist) -> list[Waiting]:
    """The steps of a run that wait for a person, server by server in planned order.

    Raises UsageError for a run that is still going on: its steps are nobody's yet.
    """
    if run.state is RunState.RUNNING:
        raise UsageError(f"the run {run.id} is still going on; its steps can be answered when it has ended")
    planned = set(run.planned.checks)
    steps = [step for step in checklist.steps if step.id in planned]
    answered = _answers(run)
    found = []
    for server, record in _records(store, run).items():
        open_ones = {cell.check for cell in record.cells if cell.outcome in _WAITING} - answered.get(server, {}).keys()
        found += [Waiting(server, step) for step in steps if step.id in open_ones]
    return found


def _answers(run: Run) -> Mapping[str, Mapping[str, StepAnswer]]:
    """Server -> step -> answer."""
    found: dict[str, dict[str, StepAnswer]] = {}
    for (server, step), answer in run.steps.items():
        found.setdefault(server, {})[step] = answer
    return found


def unasked(run: Run, answers: Sequence[StepAnswer], open_ones: Sequence[Waiting]) -> Sequence[StepAnswer]:
    """The answers, where each is to a step that still waits. Raises UsageError that names those which do not: an answer
    that was given is part of a record, and is not changed by another one."""
    asked = {(one.server, one.step.id) for one in open_ones}
    late = [f"{one.step} on {one.server}" for one in answers if (one.server, one.step) not in asked]
    if late:
        raise UsageError(
            f"answered already in {run.id}: {', '.join(late)}; take them out of the file (nothing was kept)"
        )
    return answers


def keep_answers(store: Store, run: Run, checklist: Checklist, now: datetime) -> list[ServiceRecord]:
    """Writes the answers that are in no record yet into a further part of their server's record; returns the parts.
    They are judged with the parameters that the run had."""
    steps = {step.id for step in checklist.steps}
    given = _answers(run)
    parts = []
    for server, record in _records(store, run).items():
        open_ones = {cell.check for cell in record.cells if cell.outcome in _WAITING} & steps
        answers = [one for step, one in given.get(server, {}).items() if step in open_ones]
        if answers:
            parts.append(_keep(store, run, record, checklist, answers, now))
    return parts


def _records(store: Store, run: Run) -> Mapping[str, ServiceRecord]:
    """Every planned server's record, its parts put together, in planned order."""
    found: dict[str, list[ServiceRecord]] = {one.server: [] for one in run.planned.servers}
    for record in store.records(run=run.id):
        found.setdefault(record.server, []).append(record)
    return {server: merged(parts) for server, parts in found.items() if parts}


def _keep(
    store: Store,
    run: Run,
    record: ServiceRecord,
    checklist: Checklist,
    answers: Sequence[StepAnswer],
    now: datetime,
) -> ServiceRecord:
    by_id = {one.step: one for one in answers}
    plans = [plan_step(step) for step in checklist.steps if step.id in by_id]
    readings: dict[str, Reading | Cell] = {one.check.id: reading_of(by_id[one.check.id]) for one in plans}
    planned = next(one for one in run.planned.servers if one.server == record.server)
    values = {**checklist.parameters, **planned.values}

    def judge(part: ServiceRecord, memory: Memory) -> Verdict:
        return judge_server(part, plans, readings, values, memory)

    return keep_part(store, _draft(run, planned, record, checklist, answers, now), judge, now, first=2).record


def _draft(
    run: Run,
    planned: PlannedServer,
    record: ServiceRecord,
    checklist: Checklist,
    answers: Sequence[StepAnswer],
    now: datetime,
) -> ServiceRecord:
    return ServiceRecord(
        id=planned.record,
        run=run.id,
        server=planned.server,
        checklist=record.checklist,
        version=checklist.version,
        title=record.title,
        service=record.service,
        engine=BY_HAND,
        started=min(now, *(one.at for one in answers)),
        ended=now,
        cells=(),
        engineer=", ".join(dict.fromkeys(one.by for one in answers)),
        customer=record.customer,
        site=record.site,
        item=record.item,
        notes=("the checklist has changed since the run began",) if checklist.version != record.version else (),
    )
