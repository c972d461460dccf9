"""How far each server of a changing run has come: a fold over the run's journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maintops.domain.runs import Event, Owed, Remarked, Settled, StageBegan, StageEnded, StageResult, Waved

BEFORE, AFTER, END = "before", "after", "end"
"""The stages that every server has beside its steps: what it was like before and after, and the end of all work."""

SOAKED = "soaked"
"""The look at a server that is through, after its wave was left alone for a while: none of the stages that lead to its
end, and nothing is undone by it."""

DUTIES = {"silence": "unsilence", "drain": "undrain", "snapshot": "delete-snapshot"}
"""What each hook makes owed."""

HOOKS = {"silence": "CHG-110", "drain": "CHG-120", "snapshot": "CHG-130"}
"""The ids under which hooks stand in a record."""

PASSED = (StageResult.OK, StageResult.SKIPPED)
LOST = (StageResult.FAILED, StageResult.UNREACHABLE, StageResult.UNKNOWN)
"""What counts against the failure budget."""


@dataclass(frozen=True, slots=True)
class Journey:
    """One server's. `ended` maps each stage to how it ended last, `begun` to what was written down when it began last,
    `since` to when that was; `mid` is the stage that began and did not end."""

    ended: Mapping[str, StageEnded] = field(default_factory=dict)
    begun: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mid: str = ""
    owed: Mapping[str, Owed] = field(default_factory=dict)
    since: Mapping[str, datetime] = field(default_factory=dict)

    def passed(self, stage: str) -> bool:
        """Whether a stage is behind it."""
        return stage in self.ended and self.ended[stage].result in PASSED

    @property
    def touched(self) -> bool:
        """Whether anything was begun on it at all."""
        return bool(self.begun)

    @property
    def acted(self) -> bool:
        """Whether more than the first look was begun on it, or a person was asked to do something: what it was like
        before that cannot be seen again."""
        by_hand = (stage for stage, one in self.ended.items() if one.result in (StageResult.OK, StageResult.WAITING))
        return any(stage != BEFORE for stage in (*self.begun, *by_hand))

    @property
    def is_over(self) -> bool:
        """Whether all is done, its duties paid."""
        return self.passed(END)

    @property
    def unwell(self) -> StageEnded | None:
        """What was wrong with it after the soak, where it was through and something was."""
        soaked = self.ended.get(SOAKED)
        return soaked if soaked is not None and soaked.result in LOST else None

    @property
    def lost(self) -> StageEnded | None:
        """The stage that went wrong, where one did and it was not made good since."""
        return next((one for one in self.ended.values() if one.result in LOST), None)

    @property
    def failed(self) -> bool:
        """Whether it went wrong in a way that is known: nothing more is done on it."""
        return self.lost is not None and self.lost.result is StageResult.FAILED

    @property
    def counts(self) -> bool:
        """Whether it counts against the failure budget."""
        return self.lost is not None or bool(self.mid)


@dataclass(frozen=True, slots=True)
class Journal:
    """What a changing run's events tell. `passed` are the numbers of waves behind their gate; `remarks` in order."""

    servers: Mapping[str, Journey] = field(default_factory=dict)
    passed: frozenset[int] = frozenset()
    remarks: tuple[str, ...] = ()

    def journey(self, server: str) -> Journey:
        """A server's; that of an untouched one where nothing is known."""
        return self.servers.get(server, Journey())


def still_owed(events: Iterable[tuple[str, Owed | Settled]]) -> list[tuple[str, Owed]]:
    """Of runs and what happened to their duties, in the order of each journal: what is owed still, the oldest first."""
    owed: dict[tuple[str, str, str], Owed] = {}
    for run, event in events:
        key = (run, event.server, event.duty)
        if isinstance(event, Owed):
            owed[key] = event
        else:
            owed.pop(key, None)
    return sorted(((run, one) for (run, _, _), one in owed.items()), key=lambda row: (row[1].at, row[0]))


class Book:
    """The fold, event by event."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._drafts: dict[str, _Draft] = {}
        self._passed: set[int] = set()
        self._remarks: list[str] = []
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Goes on with one event."""
        if isinstance(event, StageBegan | StageEnded | Owed | Settled):
            self._drafts.setdefault(event.server, _Draft()).take(event)
        elif isinstance(event, Waved) and event.state == "passed":
            self._passed.add(event.number)
        elif isinstance(event, Remarked):
            self._remarks.append(event.message)

    def journey(self, server: str) -> Journey:
        """A server's as it is now."""
        return self._drafts[server].journey() if server in self._drafts else Journey()

    @property
    def journal(self) -> Journal:
        """All of it as it is now."""
        servers = {name: one.journey() for name, one in self._drafts.items()}
        return Journal(servers, frozenset(self._passed), tuple(self._remarks))


def journal(events: Iterable[Event]) -> Journal:
    """What a run's events tell."""
    return Book(events).journal


@dataclass(slots=True)
class _Draft:
    ended: dict[str, StageEnded] = field(default_factory=dict)
    begun: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    mid: str = ""
    owed: dict[str, Owed] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)

    def take(self, event: StageBegan | StageEnded | Owed | Settled) -> None:
        match event:
            case StageBegan():
                self.begun[event.stage] = event.facts
                self.since[event.stage] = event.at
                self.ended.pop(event.stage, None)
                self.mid = event.stage
            case StageEnded():
                self.ended[event.stage] = event
                self.mid = "" if self.mid == event.stage else self.mid
            case Owed():
                self.owed[event.duty] = event
            case Settled():
                self.owed.pop(event.duty, None)

    def journey(self) -> Journey:
        return Journey(dict(self.ended), dict(self.begun), self.mid, dict(self.owed), dict(self.since))
