"""How values are written for people: times, durations, counts, facts. Every function gives plain, unescaped text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from maintops.domain.durations import spoken
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.reports.escaping import MARK

_DEPTH = 4
_ITEMS = 20


def iso(at: datetime) -> str:
    """A time as ISO 8601 in UTC with milliseconds and `Z`: for programs."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(at: datetime) -> str:
    """A time as `2026-03-01 07:30:05 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(at: datetime) -> str:
    """A time's day in UTC as `2026-03-01`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def duration(seconds: float) -> str:
    """Seconds as people say them; never below zero (clocks step)."""
    return spoken(max(seconds, 0.0))


def plural(count: int, noun: str, many: str | None = None) -> str:
    """`1 server`, `1,200 servers`; `many` where the plural is not made with an s."""
    return f"{count:,} {noun if count == 1 else many or noun + 's'}"


def word(outcome: Outcome) -> str:
    """An outcome as people read it: `not measured`."""
    return outcome.value.replace("_", " ")


def verdict(cell: Cell) -> str:
    """A cell's outcome in one word: `critical` or `warning` where it needs attention for that, else the outcome."""
    if cell.outcome is Outcome.ATTENTION and cell.severity in (Severity.CRITICAL, Severity.WARNING):
        return cell.severity.value
    return word(cell.outcome)


def place(server: str, subject: str | None) -> str:
    """`web1`, or `web1 [sda]` where the check has subjects."""
    return server if subject is None else f"{server} [{subject}]"


def listed(names: Iterable[str], most: int) -> str:
    """Names with commas between them, the first `most` of them and how many more there are."""
    names = list(names)
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def fact(value: Any, depth: int = 0) -> str:
    """A fact's value on one line. Long lists and deep nesting are cut, with `…`; None reads `not measured`."""
    if isinstance(value, Mapping):
        return _cut((f"{key}={fact(item, depth + 1)}" for key, item in value.items()), len(value), depth)
    if isinstance(value, (list, tuple)):
        return _cut((fact(item, depth + 1) for item in value), len(value), depth)
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(round(value, 3) if isinstance(value, float) else value)


def _cut(items: Iterable[str], count: int, depth: int) -> str:
    if count and depth >= _DEPTH:
        return MARK
    shown = ", ".join([*islice(items, _ITEMS), *([f"{MARK} {count - _ITEMS:,} more"] if count > _ITEMS else [])])
    return f"({shown})" if depth or not count else shown
