"""A run is a journal: its state is a fold over its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from maintops.domain.outcomes import Outcome
from maintops.domain.steps import StepAnswer


class RunState(StrEnum):
    """`finished`: every server had its turn or its deadline; `cancelled`: a person stopped it; `interrupted`: the
    process that carried it out died; `held`: a changing run that stopped itself with servers left, each named in its
    record. The diagram is in docs/states.md."""

    RUNNING = "running"
    FINISHED = "finished"
    HELD = "held"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that carries a run out. `machine` and `boot` tell whether it can still be alive here; `ticks` is the
    process's start time (clock ticks since boot, field 22 of /proc/PID/stat), which tells a reused pid apart."""

    host: str
    machine: str
    boot: str
    pid: int
    ticks: int


@dataclass(frozen=True, slots=True)
class PlannedServer:
    """One server of a run: `record` is the id its service record will have, `why` the reason for its engine, `values`
    the checklist's parameters that the inventory overrides for it: answers by hand are judged with them later."""

    server: str
    record: str
    engine: str
    why: str = ""
    customer: str | None = None
    site: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunPlanned:
    """The first event: everything that the run set out to do.

    `checks` are the ids of checks and steps planned for every server, `titles` their titles in the same order; `item`
    is the service item's code, `file` where the checklist was read from. A run that changes servers names its `plan`
    (the SHA-256 under which its text is kept as evidence), why it was an `emergency`, and the run that it undoes
    (`of`).
    """

    run: str
    checklist: str
    version: str
    title: str
    service: str
    checks: tuple[str, ...]
    servers: tuple[PlannedServer, ...]
    owner: Owner
    at: datetime
    engineer: str | None = None
    titles: tuple[str, ...] = ()
    item: str = ""
    file: str = ""
    plan: str = ""
    emergency: str = ""
    of: str = ""

    @property
    def changes(self) -> bool:
        """Whether this run changes servers: while it runs, no other run may change them."""
        return bool(self.plan)


@dataclass(frozen=True, slots=True)
class ServerAnswered:
    """A server's record is in the store."""

    server: str
    record: str
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class Progressed:
    """A sign of life: how many servers are done, and what is being asked where (server -> check id, or "")."""

    done: int
    planned: int
    in_flight: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The last event."""

    state: RunState
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StageBegan:
    """A changing run is about to do something on a server. Written before it is begun: a stage that began and did not
    end is mid-flight. `facts` is what must be known to find out later whether it was done."""

    server: str
    stage: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


class StageResult(StrEnum):
    """What became of a stage. `unknown`: it may have been done or not; `waiting`: for a person; `skipped`: there was
    nothing to do."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class StageEnded:
    """What became of a stage on a server; `message` is for people."""

    server: str
    stage: str
    result: StageResult
    message: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waved:
    """A wave (from 1) began, passed its gate, or was stopped: `state` is began, passed or stopped."""

    number: int
    state: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Owed:
    """From now on somebody owes a server something (`duty`: unsilence, undrain, delete-snapshot): written down before
    what makes it owed is begun. `command` pays it, on `on` (controller, server), within `timeout` seconds."""

    server: str
    duty: str
    command: str
    on: str
    timeout: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """A duty was paid; `by` whom and `message` how."""

    server: str
    duty: str
    by: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Remarked:
    """Something that belongs on record: a lock that was broken, an emergency, a clock that jumped."""

    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Resumed:
    """A run that had ended goes on, carried out by another process."""

    owner: Owner
    by: str
    at: datetime


ChangeEvent = StageBegan | StageEnded | Waved | Owed | Settled | Remarked
"""What only changing runs write."""

Event = RunPlanned | ServerAnswered | Progressed | RunEnded | StepAnswer | ChangeEvent | Resumed

AFTERWARDS = (StepAnswer, Owed, Settled, Remarked)
"""The events that a run takes also when it has ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its events tell it. `records` maps each server that answered to its record's id; `steps` maps server and
    step to what a person answered, before or after the run's end."""

    planned: RunPlanned
    state: RunState = RunState.RUNNING
    records: Mapping[str, str] = field(default_factory=dict)
    progress: Progressed | None = None
    last_sign: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    steps: Mapping[tuple[str, str], StepAnswer] = field(default_factory=dict)
    resumed: Resumed | None = None

    @property
    def owner(self) -> Owner:
        """The process that carries it out, or did last."""
        return self.resumed.owner if self.resumed is not None else self.planned.owner

    @property
    def id(self) -> str:
        """The run's id."""
        return self.planned.run

    @property
    def unanswered(self) -> tuple[PlannedServer, ...]:
        """The servers that have no record yet, in planned order."""
        return tuple(one for one in self.planned.servers if one.server not in self.records)


def fold(events: Iterable[Event]) -> Run:
    """The run that a journal tells of. Raises ValueError where the journal does not begin with RunPlanned.

    Of what follows a RunEnded only the answers of persons count, until somebody resumes the run.
    """
    journal = iter(events)
    first = next(journal, None)
    if not isinstance(first, RunPlanned):
        raise ValueError("a run's journal begins with RunPlanned")
    records: dict[str, str] = {}
    steps: dict[tuple[str, str], StepAnswer] = {}
    ended: RunEnded | None = None
    progress: Progressed | None = None
    resumed: Resumed | None = None
    last = first.at
    for event in journal:
        if isinstance(event, StepAnswer):
            steps[event.server, event.step] = event
        if isinstance(event, Resumed):
            ended, resumed, progress = None, event, None
        if ended is not None:
            continue
        last = event.at
        if isinstance(event, ServerAnswered):
            records.setdefault(event.server, event.record)
        elif isinstance(event, Progressed):
            progress = event
        elif isinstance(event, RunEnded):
            ended = event
    if ended is not None:
        return Run(first, ended.state, records, progress, last, ended.at, ended.reason, steps, resumed)
    return Run(first, RunState.RUNNING, records, progress, last, steps=steps, resumed=resumed)
