"""Who has which servers: of the runs that change servers, no two may have one in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from maintops.domain.runs import Run, RunPlanned
from maintops.errors import Locked

NAMED = 2
"""How many of the servers a refusal names; it counts the others."""


def holder(planned: RunPlanned, running: Iterable[RunPlanned]) -> RunPlanned | None:
    """Of the runs that are changing servers now, the oldest that has one which this run wants too."""
    having = [other for other in running if _shared(planned, other)]
    return min(having, key=lambda one: (one.at, one.run), default=None)


def _shared(planned: RunPlanned, other: RunPlanned) -> Sequence[str]:
    """In planned order."""
    theirs = {one.server for one in other.servers}
    return [one.server for one in planned.servers if one.server in theirs]


def taken(planned: RunPlanned, run: Run) -> Locked:
    """The refusal of the servers that a run has: which, what it is, since when, by whom and where."""
    servers = _shared(planned, run.planned)
    more = len(servers) - NAMED
    named = ", ".join(servers[:NAMED]) + (f" (and {more} more)" if more > 0 else "")
    verb = "is" if len(servers) == 1 else "are"
    return Locked(
        f"{named} {verb} being changed by run {run.id} ({run.planned.checklist}, {_since(run)}); wait for its end, or "
        f"follow it: maintops runs {run.id} --watch; "
        f"where its machine is gone: maintops runs {run.id} --end --why REASON"
    )


def still_running(run: Run) -> Locked:
    """The refusal to resume a run that has not ended."""
    return Locked(
        f"The run {run.id} is running, carried out by process {run.owner.pid} on {run.owner.host} ({_since(run)}); "
        f"wait for its end, or follow it: maintops runs {run.id} --watch; "
        f"where its machine is gone: maintops runs {run.id} --end --why REASON"
    )


def _since(run: Run) -> str:
    begun = _words("begun", run.planned.at, run.planned.engineer, run.planned.owner.host)
    if run.resumed is None:
        return begun
    return f"{begun}; {_words('resumed', run.resumed.at, run.resumed.by, run.resumed.owner.host)}"


def _words(what: str, at: datetime, by: str | None, host: str) -> str:
    return f"{what} {at:%Y-%m-%d %H:%M} UTC{f' by {by}' if by else ''} on {host}"
