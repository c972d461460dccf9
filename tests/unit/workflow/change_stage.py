"""A stage on which changes are carried out without any server: a clock that only sleeping moves, servers that answer,
reboot and are drained as they are told, and a store that can die at any moment.

stage = Stage({"web1": Actor("web1"), "web2": Actor("web2", breaks="no space left")}, waves=(("web1",), ("web2",)))
result = stage.run()
stage.journey("web2").lost
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from maintops.domain.answers import Answer, Measured, Reading, SubjectFacts
from maintops.domain.changes import Action, ChangePolicy, ChangeStep, Hook, Reboot
from maintops.domain.checklists import Checklist, Step
from maintops.domain.holds import Hold
from maintops.domain.identities import Identity
from maintops.domain.journeys import Journey, journal
from maintops.domain.placements import Fleet, Group
from maintops.domain.plans import ChangePlan, Expectation, PlannedChange
from maintops.domain.ports import (
    Commanded,
    Deed,
    Delivery,
    Failure,
    FailureKind,
    Memory,
    Observer,
    Pulse,
    Reply,
    Stop,
    Trip,
    Verdict,
)
from maintops.domain.proofs import PROOF
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Event, Owner, Run, Waved
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.domain.windows import Opening
from maintops.probes.catalogue import Catalogue
from maintops.probes.commands import parser_named
from maintops.probes.contract import Presence, Probe
from maintops.store.memory import MemoryStore
from maintops.workflow.braking import Brakes
from maintops.workflow.changing import carry_out_change, resume_change, whole_records
from maintops.workflow.keeping import Crew
from maintops.workflow.recovering import recover
from maintops.workflow.running import RunResult
from maintops.workflow.sites import ChangeCrew, Undertaking
from tests.doers import FakeDoer
from tests.unit.script.framing import Told, framed
from tests.unit.workflow.samples import OWNER, RULES, START, CannedPreviews, checklist, probe

RUN = "r1"
DOWN = timedelta(seconds=20)
"""How long a server is away when it reboots."""

UPDATE = ChangeStep(
    "PT-500", "Update", act=Action(tasks=({"raw": "true"},)), precheck=("HW-010",), postcheck=("HW-010",)
)
REBOOT = ChangeStep("PT-510", "Reboot", reboot=Reboot.IF_NEEDED, timeout=600)
DRAIN = Hook("drain", undo="undrain", verify="is-drained")
SILENCE = Hook("silence", undo="unsilence")
HOLD = Hold("h1", Identity("ops@ctl", "Ops"), "an incident", START)
EXPECTED = ("package:*", "kernel", "boot")


class Crashed(BaseException):
    """The process is gone: nothing after it is done, and nothing is written."""


# --- time -------------------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """Stands still but for those who sleep. `jumps`: when it shows so much, somebody sets it (once) by so much."""

    now: datetime = START
    jumps: dict[datetime, timedelta] = field(default_factory=dict)
    slept: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += timedelta(seconds=seconds)
        for at in [at for at in self.jumps if self.now >= at]:
            self.now += self.jumps.pop(at)


# --- servers ----------------------------------------------------------------------------------------------------------


@dataclass
class Actor:
    """A server. `patched` counts how often it was updated, `boots` how often it has booted; its services run
    for `lasts` seconds after an update."""

    name: str
    breaks: str = ""
    level: int = 10
    wants_reboot: bool = True
    returns: bool = True
    deaf: bool = False
    patched: int = 0
    boots: int = 1
    told_to_reboot: int = 0
    booted: float = 0.0
    seconds: float = 30.0
    drained: bool = False
    done: bool = False
    services: tuple[str, ...] = ("app",)
    lasts: float = math.inf
    updated: float = 0.0

    def running(self, now: float) -> tuple[str, ...]:
        """Its services, when so many seconds have been slept."""
        return self.services if not self.patched or now < self.updated + self.lasts else ()

    @property
    def identity(self) -> str:
        return f"{self.name}-boot{self.boots}/{self.boots}"


@dataclass
class Engine:
    """Carries scripts to the actors. Time goes by only while somebody sleeps."""

    actors: Mapping[str, Actor]
    clock: Clock
    name: str = "ssh"
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def refusal(self, server: Server) -> str | None:
        return None

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        for trip in trips:
            if stop() is not None:
                return
            actor = self.actors[trip.server.name]
            replies = tuple(self._reply(actor, script) for script in trip.scripts)
            yield Delivery(trip.server.name, replies, self.clock(), self.clock())

    def _reply(self, actor: Actor, script: Any) -> Reply:
        self.asked.append((actor.name, script.checks))
        self.texts.append(script.text)
        if actor.deaf or (actor.boots > 1 and (not actor.returns or self.clock.slept < actor.booted)):
            return Reply(b"", Failure(FailureKind.UNREACHABLE, "no connection"))
        said = [self._said(actor, check, script.text) for check in script.checks]
        limit = max([1000, *(len(one.stdout) + 1 for one in said)])
        return Reply(framed(script, [replace(one, limit=limit) for one in said]))

    def _said(self, actor: Actor, check: str, text: str) -> Told:
        match check:
            case "HW-010":
                return Told(json.dumps({"sda": {"level": actor.level}}).encode())
            case "CHG-201":
                up = int(self.clock.slept - actor.booted) if actor.boots > 1 else 90_000
                return Told(json.dumps({"boot": actor.identity, "uptime": up, "kernel": "6.1"}).encode())
            case "CHG-202":
                return Told(json.dumps({"required": actor.wants_reboot, "reasons": ["libc"]}).encode())
            case "CHG-203":
                if f" {actor.identity} " in text:
                    actor.told_to_reboot += 1
                    actor.boots, actor.wants_reboot = actor.boots + 1, False
                    actor.booted = self.clock.slept + DOWN.total_seconds()
                return Told(b"rebooting\n")
            case "CHG-101":
                return Told(b"", status=0 if actor.done else 1)
            case "CHG-100":
                actor.drained = "undrain" not in text
                return Told(b"")
        assert check == PROOF, check
        state = {
            "packages": {"app": f"{actor.patched + 1}.0"},
            "services": dict.fromkeys(actor.running(self.clock.slept), "running"),
            "kernel": "6.1",
        }
        return Told(json.dumps(state).encode())


@dataclass
class Commands:
    """Commands on the controller: hooks of the actors, and a gate that says what it is told to."""

    actors: Mapping[str, Actor]
    refuses: set[str] = field(default_factory=set)
    given: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def command(self, text: str, environment: Mapping[str, str], timeout: float, stop: Stop) -> Commanded:
        self.given.append((text, environment))
        if text in self.refuses or f"{text} {environment.get('MAINTOPS_SERVER')}" in self.refuses:
            return Commanded(1, "it says no")
        if text in ("drain", "undrain"):
            self.actors[environment["MAINTOPS_SERVER"]].drained = text == "drain"
        if text == "is-drained" and not self.actors[environment["MAINTOPS_SERVER"]].drained:
            return Commanded(1, "it still serves")
        return Commanded(0, "")


def _read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    return Measured((SubjectFacts(None, json.loads(answer.stdout)),))


def _probe(name: str) -> Probe:
    return Probe(name, name, {}, lambda parameters: f"echo {name}", _read, Presence.PASSING)


CATALOGUE = Catalogue(
    {"disks": probe(), "server-state": _probe("server-state"), "reboot-required": _probe("reboot-required")},
    {name: parser_named(name) for name in ("text", "json")},
)


# --- a store that can die ---------------------------------------------------------------------------------------------


class FragileStore(MemoryStore):
    """Dies at a write: before it, or right behind it. What is dead writes nothing until somebody else `revives` it."""

    def __init__(self) -> None:
        super().__init__()
        self.left: int | None = None
        self.behind = False
        self.error: Callable[[], BaseException] = Crashed
        self.writes = 0
        self._dead = False

    def revive(self) -> None:
        self.left, self._dead = None, False

    def _write(self, do: Callable[[], Any]) -> Any:
        if self._dead:
            raise self.error()
        self.writes += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self._dead = True
                if self.behind:
                    do()
                raise self.error()
        return do()

    def append(self, run: str, *events: Any, owner: Owner | None = None) -> bool:
        answer: bool = self._write(lambda: MemoryStore.append(self, run, *events, owner=owner))
        return answer

    def commit(
        self, run: str, record: str, server: str, judge: Callable[[Memory], Verdict], answer: bytes, at: datetime
    ) -> Verdict | None:
        kept: Verdict | None = self._write(lambda: MemoryStore.commit(self, run, record, server, judge, answer, at))
        return kept


# --- the stage --------------------------------------------------------------------------------------------------------


def changing_checklist(*sequence: ChangeStep | Step, policy: ChangePolicy | None = None) -> Checklist:
    """A checklist with one check and these steps."""
    chosen = sequence or (UPDATE, REBOOT)
    return replace(
        checklist(replace(checklist().checks[0], rules=RULES)),
        changes=tuple(one for one in chosen if isinstance(one, ChangeStep)),
        steps=tuple(one for one in chosen if isinstance(one, Step)),
        change=policy or ChangePolicy(drain=DRAIN, expected=("package:*", "kernel", "boot")),
        order=tuple(one.id for one in chosen),
    )


def policy(**more: Any) -> ChangePolicy:
    """How a change is carried out; with a drain, unless it is said otherwise."""
    return ChangePolicy(expected=EXPECTED, **{"drain": DRAIN, **more})


def grouped(allowed: int = 1, **groups: Sequence[str]) -> Fleet:
    """Groups that may miss so many of their servers."""
    made = {name: Group(name, frozenset(members), allowed) for name, members in groups.items()}
    return Fleet(made, {one: name for name, members in groups.items() for one in members})


class Stage:
    """A change that is carried out on actors, by one process after the other."""

    def __init__(
        self,
        actors: Mapping[str, Actor] | int,
        *,
        waves: Sequence[Sequence[str]] | None = None,
        listed: Checklist | None = None,
        budget: int = 0,
        canary_budget: int = 0,
        fleet: Fleet | None = None,
        window: Opening | None = None,
        forks: int = 20,
        p95: float = 0.0,
        **more: Any,
    ) -> None:
        if isinstance(actors, int):
            actors = {f"web{number}": Actor(f"web{number}") for number in range(1, actors + 1)}
        self.actors = dict(actors)
        self.listed = listed or changing_checklist()
        self.clock = Clock()
        self.store = FragileStore()
        self.engine = Engine(self.actors, self.clock)
        self.doer = FakeDoer(dict.fromkeys(self.actors, self.act))
        self.commands = Commands(self.actors)
        self.hold: Hold | None = None
        self.ask: Callable[[str, Step], StepAnswer | None] | None = None
        names = tuple(name for name in self.actors)
        turns = tuple(map(tuple, waves)) if waves is not None else (names,)
        planned = {name for wave in turns for name in wave}
        self.plan = ChangePlan(
            "p1",
            "sample",
            "Sample",
            "/srv/sample.yml",
            "v1",
            Identity("ann@ctl", "Ann"),
            START,
            tuple(PlannedChange(name) for name in names if name in planned),
            turns,
            fleet=fleet or Fleet(),
            window=window,
            budget=budget,
            canary_budget=canary_budget,
            expectation=Expectation(p95, p95, "estimates"),
        )
        self.forks = forks
        self.more = more
        self.brakes: Brakes
        self.seen: list[tuple[Event, ServiceRecord | None]] = []

    # --- what servers do ---------------------------------------------------------------------------------------------

    def act(self, deed: Deed, server: Server) -> Failure | None:
        """What a step does on a server."""
        actor = self.actors[server.name]
        self.clock.sleep(actor.seconds)
        if actor.breaks:
            return Failure(FailureKind.UNUSABLE, actor.breaks)
        actor.patched, actor.done, actor.updated = actor.patched + 1, True, self.clock.slept
        return None

    # --- processes ---------------------------------------------------------------------------------------------------

    def _staff(self, pid: int, observers: Sequence[Observer]) -> ChangeCrew:
        owner = replace(OWNER, pid=pid)
        crew = Crew(self.store, {"ssh": self.engine}, CannedPreviews(), self.clock, owner, (self, *observers))
        return ChangeCrew(crew, self.doer, self.commands, self.clock.sleep, self.ask, lambda: self.clock.slept)

    def told(self, event: Event, record: ServiceRecord | None) -> None:
        """Observes."""
        self.seen.append((event, record))

    def _under(self, more: Mapping[str, Any]) -> Undertaking:
        return Undertaking(
            RUN,
            self.plan,
            self.listed,
            CATALOGUE,
            {name: Server(name) for name in self.actors},
            dict.fromkeys(self.actors, "ssh"),
            {name: f"{RUN}-{index:04}" for index, name in enumerate(self.plan.names, 1)},
            forks=self.forks,
            engineer="Erika",
            **{**self.more, **more},
        )

    def brake(self, deadline: datetime | None = None) -> Brakes:
        self.brakes = Brakes(lambda now: self.hold, self.clock, deadline)
        return self.brakes

    def run(
        self, pid: int = 1, brakes: Brakes | None = None, observers: Sequence[Observer] = (), **more: Any
    ) -> RunResult:
        """A process carries the plan out."""
        return carry_out_change(self._under(more), self._staff(pid, observers), brakes or self.brake())

    def recover(self) -> None:
        """Somebody finds that the process is dead."""
        self.store.revive()
        recover(self.store, lambda owner: True, self.clock())

    def go_on(
        self, pid: int = 2, brakes: Brakes | None = None, observers: Sequence[Observer] = (), **more: Any
    ) -> RunResult:
        """Another process goes on with the run."""
        under, staff = self._under(more), self._staff(pid, observers)
        return resume_change(under, staff, brakes or self.brake(), self.store.run(RUN))

    # --- what came of it ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> Run:
        return self.store.run(RUN)

    @property
    def events(self) -> list[Event]:
        return self.store.events(RUN)

    def journey(self, name: str) -> Journey:
        return journal(self.events).journey(name)

    def over(self) -> list[str]:
        """The servers that are through."""
        return [name for name in self.plan.names if self.journey(name).is_over]

    def record(self, name: str) -> ServiceRecord:
        return next(one for one in whole_records(self.store, self.state) if one.server == name)

    def cell(self, name: str, check: str) -> tuple[str, str]:
        """Outcome and message of a server's cell; of several the worst."""
        cells = [one for one in self.record(name).cells if one.check == check]
        worst = max(cells, key=lambda one: one.outcome.rank)
        return worst.outcome.value, worst.message


def waves(stage: Stage) -> list[tuple[int, str]]:
    """What became of the waves, in order."""
    return [(one.number, one.state) for one in stage.events if isinstance(one, Waved)]


def hold_when(stage: Stage, name: str, then: Any) -> None:
    """Something happens while a server is being changed."""
    act = stage.act

    def acting(deed: Any, server: Any) -> Any:
        then()
        return act(deed, server)

    stage.doer.script[name] = acting
