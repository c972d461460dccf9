"""The kill switch, and the approval of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from maintops.domain.identities import Identity


@dataclass(frozen=True, slots=True)
class Hold:
    """While it lasts no wave and no step of any run begins. `until` None: until somebody lifts it. `place` says where
    it was read (a file, the database). Lifting is a hold of the same id with `lifted`."""

    id: str
    by: Identity
    why: str
    at: datetime
    until: datetime | None = None
    lifted: bool = False
    place: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it holds at a time."""
        return not self.lifted and (self.until is None or now < self.until)

    def words(self) -> str:
        """For people: who, since when, until when and why."""
        until = f" until {_clock(self.until)}" if self.until else ""
        return f"changes are held{until} by {self.by}, since {_clock(self.at)}: {self.why}"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"  # a file may tell it in another zone


@dataclass(frozen=True, slots=True)
class Approval:
    """Somebody has read a plan and agrees: `plan` is its hash (hex), `expires` when it no longer holds."""

    plan: str
    by: Identity
    at: datetime
    expires: datetime
    note: str = ""
