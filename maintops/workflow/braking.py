"""What keeps a changing run from going on: a person, a hold, a deadline. Asked before every wave and every step."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from maintops.domain.holds import Hold
from maintops.domain.ports import Clock

Holds = Callable[[datetime], Hold | None]
"""The hold that is in force at a time, wherever it was written down; None where there is none."""


class Brakes:
    """`cancel` once: what was begun is finished, then nothing more is begun. Twice: what is in flight is cut
    off. A hold works like the first, and so does the deadline."""

    def __init__(self, holds: Holds, clock: Clock, deadline: datetime | None = None) -> None:
        self._holds, self._clock, self._deadline = holds, clock, deadline
        self.asked = 0

    def cancel(self) -> None:
        """A person wants the run to end. Safe in a signal handler."""
        self.asked += 1

    @property
    def cancelled(self) -> bool:
        """Whether a person asked for the end."""
        return self.asked > 0

    def reason(self) -> str | None:
        """Why what is in flight must be cut off now (maintops.domain.ports.Stop), or None."""
        return "the run was stopped at once" if self.asked > 1 else None

    def before_next(self) -> str | None:
        """Why nothing more may be begun, or None."""
        if self.asked:
            return "the run was cancelled"
        now = self._clock()
        if self._deadline is not None and now >= self._deadline:
            return f"the run's deadline ({self._deadline:%Y-%m-%d %H:%M} UTC) has passed"
        hold = self._holds(now)
        return hold.words() if hold is not None else None
