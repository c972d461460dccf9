"""Where a changing run takes place: its servers, what is done on them, and the journal that is written before anything
is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maintops.domain.answers import Reading
from maintops.domain.changes import ChangePolicy, ChangeStep, Hook
from maintops.domain.checklists import Check, Checklist, Step
from maintops.domain.journeys import AFTER, BEFORE, DUTIES, Book, Journey
from maintops.domain.outcomes import Cell
from maintops.domain.plans import ChangePlan, PlannedChange
from maintops.domain.ports import Commander, Doer, Pulse, tell
from maintops.domain.runs import Event, Progressed, StageBegan, StageEnded, StageResult
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.errors import Locked
from maintops.probes.catalogue import Catalogue
from maintops.workflow.braking import Brakes
from maintops.workflow.keeping import SIGN_OF_LIFE, Crew
from maintops.workflow.observing import observe
from maintops.workflow.planning import Asking, CheckPlan, Plan, ServerPlan, asking_of, plan_check
from maintops.workflow.reading import ServerReading

ENGINE = "change"
"""What stands for the engine in a record of a run that changes servers."""

UNDOING = "rollback"
"""The same for a run that takes another one back."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One thing that is done on every server of a batch before the next one is."""

    name: str
    kind: str
    step: ChangeStep | Step | None = None
    hook: Hook | None = None


@dataclass(slots=True)
class Work:
    """One server's part of a run, while this process is at it. `out`: why nothing more is done on it now. `cells` are
    what its checks said last; `outs` says so in short for people."""

    server: Server
    planned: PlannedChange
    record: str
    engine: str
    began: datetime
    out: str = ""
    readings: dict[str, Reading | Cell] = field(default_factory=dict)
    machine: str = ""
    worse: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The server's name."""
        return self.server.name


@dataclass(frozen=True, slots=True)
class ChangeCrew:
    """Who and what carries a changing run out. `sleep` waits for so many seconds; `ask` asks the person at the terminal
    for a step (None: nobody is there)."""

    crew: Crew
    doer: Doer
    commander: Commander
    sleep: Callable[[float], None]
    ask: Callable[[str, Step], StepAnswer | None] | None = None


@dataclass(frozen=True, slots=True)
class Undertaking:
    """What is to be carried out: a plan, with the checklist and the servers that it was made of. `engines` says for
    each server of the inventory which engine asks it; `everyone` are all servers of the inventory by name. What takes
    a run back knows the package versions of `before` (None: not installed), and the steps that have nothing to undo
    (`skipped`)."""

    run: str
    plan: ChangePlan
    checklist: Checklist
    catalogue: Catalogue
    everyone: Mapping[str, Server]
    engines: Mapping[str, str]
    records: Mapping[str, str]
    forks: int = 20
    engineer: str | None = None
    emergency: str = ""
    before: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    skipped: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def policy(self) -> ChangePolicy:
        """How the checklist's steps are carried out."""
        return self.checklist.change

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is done on each server, in order."""
        hooks = self.policy.hooks
        return (
            Stage(BEFORE, "before"),
            *(Stage(name, "hook", hook=hook) for name, hook in hooks),
            *(Stage(one.id, _kind(one), step=one) for one in self.checklist.sequence),
            Stage(AFTER, "after"),
            *(Stage(DUTIES[name], "duty", hook=hook) for name, hook in reversed(hooks)),
        )


def _kind(step: ChangeStep | Step) -> str:
    if isinstance(step, Step):
        return "manual"
    return "act" if step.act is not None else "reboot"


class Site:
    """An undertaking under way. Whatever is done on a server is written into the run's journal before it is begun."""

    def __init__(self, under: Undertaking, staff: ChangeCrew, brakes: Brakes, events: Iterable[Event]) -> None:
        self.under, self.staff, self.brakes = under, staff, brakes
        self.crew = staff.crew
        self.answers: dict[tuple[str, str], StepAnswer] = {}
        self.checks = tuple(plan_check(one, under.catalogue) for one in _observing(under.checklist))
        self._book = Book()
        self._compiled: dict[tuple[tuple[str, str | None], ...], dict[str, Asking]] = {}
        self._signed = self.now()
        self._done = 0
        for event in events:
            self._take(event)

    # --- time and signs of life --------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Now, in UTC."""
        return self.crew.clock()

    def sign(self, pulse: Pulse) -> None:
        """Records where the run is, if it has been silent for a while."""
        if self.now() - self._signed >= SIGN_OF_LIFE:
            self.write(Progressed(self._done, len(self.under.plan.names), dict(pulse.in_flight), self.now()))

    def rest(self, seconds: float, doing: Mapping[str, str]) -> None:
        """Waits, with signs of life, until the time is over or nothing more may be begun."""
        left = seconds
        while left > 0 and self.brakes.before_next() is None:
            self.staff.sleep(min(left, 5.0))
            left -= 5.0
            self.sign(Pulse(doing))

    def count(self) -> None:
        """One more server has had its turn."""
        self._done += 1

    # --- the journal -------------------------------------------------------------------------------------------------

    def write(self, *events: Any) -> None:
        """Writes events down, durably; then, and only then, tells of them."""
        if not events:
            return
        if not self.crew.store.append(self.under.run, *events, owner=self.crew.owner):
            raise Locked(f"the run {self.under.run} is somebody else's now: nothing more is begun here")
        self._signed = self.now()
        for event in events:
            self._take(event)
            tell(self.crew.observers, event)

    def _take(self, event: Event) -> None:
        self._book.take(event)
        if isinstance(event, StepAnswer):
            self.answers[event.server, event.step] = event

    def journey(self, work: Work | str) -> Journey:
        """How far a server has come."""
        return self._book.journey(work if isinstance(work, str) else work.name)

    @property
    def passed(self) -> frozenset[int]:
        """The waves that are behind their gate."""
        return self._book.journal.passed

    def began(self, stage: str, works: Sequence[Work], facts: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """A stage is about to begin on some servers; `facts` by server."""
        given, now = facts or {}, self.now()
        self.write(*(StageBegan(one.name, stage, now, given.get(one.name, {})) for one in works))

    def ended(
        self, work: Work, stage: str, result: StageResult, message: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        """A stage ended on a server. After one that did not pass nothing more is done on it."""
        self.write(StageEnded(work.name, stage, result, message, self.now(), facts or {}))
        if result not in (StageResult.OK, StageResult.SKIPPED):
            work.out = message or result.value

    # --- asking servers ----------------------------------------------------------------------------------------------

    def observe(self, works: Sequence[Work], checks: Sequence[CheckPlan]) -> Mapping[str, ServerReading]:
        """Asks some servers some checks."""
        return self.observe_servers([(one.server, one.engine, one.record) for one in works], checks)

    def observe_servers(
        self, servers: Sequence[tuple[Server, str, str]], checks: Sequence[CheckPlan]
    ) -> Mapping[str, ServerReading]:
        """Asks some servers (with engine and record) some checks."""
        shared = self._compiled.setdefault(tuple((one.check.id, one.check.command) for one in checks), {})
        listed = self.under.checklist
        plans = tuple(
            ServerPlan(server, record, engine, "", asking_of(listed, checks, server, shared))
            for server, engine, record in servers
        )
        plan = Plan(self.under.run, listed, tuple(checks), plans)
        return observe(plan, self.crew, self.under.forks, self.brakes.reason, self.sign)

    def command_plan(self, id: str, command: str, parser: str = "text", timeout: float = 60.0) -> CheckPlan:
        """A command on servers as a check; its facts are the parser's (maintops.probes.commands)."""
        check = Check(id, id, command=command, parser=parser, timeout=timeout)
        return plan_check(check, self.under.catalogue)


def _observing(listed: Checklist) -> list[Check]:
    """The checks that ask servers; Ansible content in check mode belongs to runs that only look."""
    return [one for one in listed.checks if one.playbook is None and one.role is None]
