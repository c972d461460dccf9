"""Where a changing run takes place: its servers, what is done on them, and the journal that is written before anything
is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from maintops.domain.answers import Reading
from maintops.domain.changes import ChangePolicy, ChangeStep, Hook
from maintops.domain.checklists import Check, Checklist, Step
from maintops.domain.journeys import AFTER, BEFORE, DUTIES, PASSED, Book, Journey
from maintops.domain.outcomes import Cell
from maintops.domain.plans import ChangePlan, PlannedChange
from maintops.domain.ports import Commander, Doer, Pulse, tell
from maintops.domain.runs import Event, Owed, Progressed, Settled, StageBegan, StageEnded, StageResult, Waved
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.domain.windows import fits
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

_UNTOUCHED = Journey()
_SCRIPTS = 64


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
    for a step (None: nobody is there); `elapsed` counts seconds from no matter when, and nobody can set it."""

    crew: Crew
    doer: Doer
    commander: Commander
    sleep: Callable[[float], None]
    ask: Callable[[str, Step], StepAnswer | None] | None = None
    elapsed: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Undertaking:
    """What is to be carried out: a plan, with the checklist and the servers that it was made of. `engines` says for
    each server of the inventory which engine asks it; `everyone` are all servers of the inventory by name. What takes
    a run back knows the package versions of `before` (None: not installed), and the steps that have nothing to undo
    (`skipped`). `approved` says who approved the plan, or that it need not be (empty: nobody)."""

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
    approved: str = ""
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
    """An undertaking under way. Whatever is done on a server is written into the run's journal before it is begun.

    `finished` are the servers that are through, `taken` those on which more than the first look was begun, `lost` those
    that count against the failure budget; `looked` had their first look by this process. `passed` are the waves behind
    their gate, `stops` why waves were stopped.
    """

    def __init__(self, under: Undertaking, staff: ChangeCrew, brakes: Brakes, events: Iterable[Event]) -> None:
        self.under, self.staff, self.brakes = under, staff, brakes
        self.crew = staff.crew
        self.answers: dict[tuple[str, str], StepAnswer] = {}
        self.checks = tuple(plan_check(one, under.catalogue) for one in _observing(under.checklist))
        self.finished: dict[str, datetime] = {}
        self.taken: set[str] = set()
        self.lost: dict[str, None] = {}
        self.looked: set[str] = set()
        self.passed: set[int] = set()
        self.stops: set[str] = set()
        self._book = Book()
        self._journeys: dict[str, Journey] = {}
        self._planned = {one.server: one for one in under.plan.servers}
        self._compiled: dict[tuple[tuple[str, str | None], ...], dict[str, Asking]] = {}
        self._signed = self.crew.clock()
        self._elapsed = staff.elapsed()
        self._origin = self._signed - timedelta(seconds=self._elapsed)
        for event in events:
            self._take(event)
        self.looked.clear()
        self._done = len(self.finished)

    def work(self, name: str) -> Work:
        """A server's part, fresh in this process."""
        under = self.under
        planned = self._planned.get(name) or PlannedChange(name)
        return Work(under.everyone[name], planned, under.records.get(name, ""), under.engines[name], self.now())

    # --- time and signs of life --------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Now, in UTC."""
        now, self._elapsed = self.crew.clock(), self.staff.elapsed()
        # what the clock would have shown at second 0 of those that nobody can set, by the latest that it ever showed
        self._origin = max(self._origin, now - timedelta(seconds=self._elapsed))
        return now

    @property
    def latest(self) -> datetime:
        """What the clock would say now, had nobody set it back since the run was begun or gone on with."""
        self.now()
        return self._origin + timedelta(seconds=self._elapsed)

    def is_open(self) -> bool:
        """Whether the plan's window is open, by what the clock says and by what it would say had nobody set it back;
        always without a window, and in an emergency."""
        window = self.under.plan.window
        if window is None or self.under.emergency:
            return True
        return fits(window, self.now(), 0.0) and fits(window, self.latest, 0.0)

    def sign(self, pulse: Pulse) -> None:
        """Records where the run is, if it has been silent for a while."""
        if abs(self.now() - self._signed) >= SIGN_OF_LIFE:
            self.write(Progressed(self._done, len(self.under.plan.servers), dict(pulse.in_flight), self.now()))

    def rest(self, seconds: float, doing: Mapping[str, str]) -> None:
        """Waits, with signs of life, until the time is over or nothing more may be begun. The time is counted by what
        was waited: somebody may set the clock."""
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
        """Writes events down, durably; then, and only then, tells of them. Raises Locked where the run is not carried
        out by this process any more."""
        if not events:
            return
        self.claim(*events)
        self._signed = self.now()
        for event in events:
            self._take(event)
            tell(self.crew.observers, event)

    def claim(self, *events: Any) -> None:
        """Raises Locked, and keeps nothing, where the run is not carried out by this process any more."""
        if not self.crew.store.append(self.under.run, *events, owner=self.crew.owner):
            raise Locked(
                f"the run {self.under.run} is not this process's any more: somebody has ended it, or goes on with it; "
                f"nothing more is begun here (maintops runs --watch {self.under.run})"
            )

    def _take(self, event: Event) -> None:
        self._book.take(event)
        match event:
            case StepAnswer():
                self.answers[event.server, event.step] = event
            case Waved(state="passed"):
                self.passed.add(event.number)
            case Waved(state="stopped"):
                self.stops.add(event.message)
            case StageBegan() | StageEnded() | Owed() | Settled():
                self._move(event)

    def _move(self, event: StageBegan | StageEnded | Owed | Settled) -> None:
        name = event.server
        journey = self._journeys[name] = self._book.journey(name)
        if journey.is_over:
            self.finished.setdefault(name, event.at)
        if isinstance(event, StageBegan) and event.stage != BEFORE:
            self.taken.add(name)
        if isinstance(event, StageEnded) and event.stage == BEFORE:
            self.looked.add(name)
        if journey.counts:
            self.lost[name] = None
        else:
            self.lost.pop(name, None)

    def journey(self, work: Work | str) -> Journey:
        """How far a server has come."""
        return self._journeys.get(work if isinstance(work, str) else work.name, _UNTOUCHED)

    def began(self, stage: str, works: Sequence[Work], facts: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """A stage is about to begin on some servers; `facts` by server."""
        given, now = facts or {}, self.now()
        self.write(*(StageBegan(one.name, stage, now, given.get(one.name, {})) for one in works))

    def ended(
        self, work: Work, stage: str, result: StageResult, message: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        """A stage ended on a server. After one that did not pass nothing more is done on it."""
        why = self.brakes.reason()
        if why is not None and result is StageResult.FAILED:  # what was cut off is not known to have failed
            result, message = StageResult.UNKNOWN, f"{why}: {message}" if message else why
        self.write(StageEnded(work.name, stage, result, message, self.now(), facts or {}))
        if result not in PASSED:
            work.out = message or result.value

    # --- asking servers ----------------------------------------------------------------------------------------------

    def observe(self, works: Sequence[Work], checks: Sequence[CheckPlan]) -> Mapping[str, ServerReading]:
        """Asks some servers some checks."""
        return self.observe_servers([(one.server, one.engine, one.record) for one in works], checks)

    def observe_each(self, works: Sequence[Work], plans: Mapping[str, CheckPlan]) -> Mapping[str, ServerReading]:
        """Asks each server a check of its own, all of one id and one parser."""
        listed = self.under.checklist
        servers = tuple(
            ServerPlan(one.server, one.record, one.engine, "", asking_of(listed, [plans[one.name]], one.server, {}))
            for one in works
        )
        plan = Plan(self.under.run, listed, tuple(plans.values())[:1], servers)
        return observe(plan, self.crew, self.under.forks, self.brakes.reason, self.sign)

    def observe_servers(
        self, servers: Sequence[tuple[Server, str, str]], checks: Sequence[CheckPlan]
    ) -> Mapping[str, ServerReading]:
        """Asks some servers (with engine and record) some checks."""
        if len(self._compiled) > _SCRIPTS:  # those of reboots are of one batch only
            self._compiled.clear()
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


class Outlook(Site):
    """A place to ask servers from that has no run: nothing is written."""

    def sign(self, pulse: Pulse) -> None:
        """Nobody waits for a sign of life."""

    def claim(self, *events: Any) -> None:
        """Raises ValueError: there is no journal."""
        raise ValueError("nothing is done on a server without a journal")


def _observing(listed: Checklist) -> list[Check]:
    """The checks that ask servers; Ansible content in check mode belongs to runs that only look."""
    return [one for one in listed.checks if one.playbook is None and one.role is None]
