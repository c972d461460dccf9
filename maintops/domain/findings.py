"""A finding: what a measurement means, with memory by (server, check, subject)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from maintops.domain.outcomes import Cell, Outcome, Severity


class FindingState(StrEnum):
    """How a finding stands against what was known before; the diagram is in docs/states.md."""

    NEW = "new"
    KNOWN = "known"
    WORSE = "worse"
    BETTER = "better"
    BACK = "back"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, from the first time it was seen on. Its id follows from server, check and subject.

    `first_*` is when (UTC) and in which record it was seen first, `last_*` latest; `gone_*` is set while it is
    gone. `times` counts the records it was seen in. `change`: it told of a change against the record before;
    that nothing changes any more proves nothing.
    """

    id: str
    server: str
    check: str
    subject: str | None
    state: FindingState
    severity: Severity
    message: str
    first_seen: datetime
    first_record: str
    last_seen: datetime
    last_record: str
    times: int = 1
    gone_at: datetime | None = None
    gone_record: str | None = None
    change: bool = False


def finding_id(server: str, check: str, subject: str | None) -> str:
    """The finding's name for life: `f-` and 12 letters and digits (60 bits of a SHA-256)."""
    key = "\0".join((server, check, "" if subject is None else "=" + subject))
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
    return "f-" + base64.b32encode(digest)[:12].decode().lower()


def observe(before: Finding | None, server: str, cell: Cell, record: str, now: datetime) -> Finding | None:
    """The finding after a cell was measured; `before` is the same key's finding, if there ever was one.

    Returns None where there is nothing to say: no finding before and none now. A cell that was not measured
    (whatever the reason) changes nothing: `before` is returned as it is.
    """
    if cell.severity is not None and cell.outcome in (Outcome.ATTENTION, Outcome.OK):  # ok: only an info rule matched
        return _seen(before, server, cell, cell.severity, record, now)
    if cell.outcome is Outcome.OK and before is not None and before.state is not FindingState.GONE:
        return replace(before, state=FindingState.GONE, gone_at=now, gone_record=record)
    return before


def _seen(before: Finding | None, server: str, cell: Cell, severity: Severity, record: str, now: datetime) -> Finding:
    if before is None:
        key = finding_id(server, cell.check, cell.subject)
        return Finding(
            key, server, cell.check, cell.subject, FindingState.NEW, severity, cell.message, now, record, now, record
        )
    return replace(
        before,
        state=_state(before, severity),
        severity=severity,
        message=cell.message,
        last_seen=now,
        last_record=record,
        times=before.times + 1,
        gone_at=None,
        gone_record=None,
    )


def _state(before: Finding, severity: Severity) -> FindingState:
    if before.state is FindingState.GONE:
        return FindingState.BACK
    if severity.rank == before.severity.rank:
        return FindingState.KNOWN
    return FindingState.WORSE if severity.rank > before.severity.rank else FindingState.BETTER
