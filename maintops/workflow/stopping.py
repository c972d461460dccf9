"""What ends a run before every server had its turn: a person, or a deadline."""

from __future__ import annotations

from datetime import UTC, datetime

from maintops.domain.ports import Clock


def _utc() -> datetime:
    return datetime.now(UTC)


class Stopping:
    """Asked by the runners (see `Stop` in domain/ports.py); told by the person at the terminal or the clock."""

    def __init__(self, deadline: datetime | None = None, clock: Clock = _utc) -> None:
        self._deadline, self._clock = deadline, clock
        self.cancelled = False

    def cancel(self) -> None:
        """A person wants the run to end. Safe in a signal handler."""
        self.cancelled = True

    def reason(self) -> str | None:
        """Why the run must end now, or None."""
        if self.cancelled:
            return "the run was cancelled"
        if self._deadline is not None and self._clock() >= self._deadline:
            return f"the run's deadline ({self._deadline:%Y-%m-%d %H:%M:%S} UTC) has passed"
        return None
