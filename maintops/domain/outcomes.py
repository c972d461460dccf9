"""What became of one check on one server, and what that means for the exit code.

The table of cause, outcome and exit bit stands in docs/states.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad a finding is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for critical."""
        return _SEVERITY_RANKS[self]


class Outcome(StrEnum):
    """What became of one check or step on one server; in order from best to worst."""

    SKIPPED = "skipped"
    OK = "ok"
    WAIVED = "waived"
    NOT_MEASURED = "not_measured"
    NOT_REACHED = "not_reached"
    ATTENTION = "attention"
    FAILED = "failed"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"

    @property
    def rank(self) -> int:
        """Position in the order from best (0) to worst."""
        return _OUTCOME_RANKS[self]


_SEVERITY_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
_OUTCOME_RANKS = {outcome: rank for rank, outcome in enumerate(Outcome)}


class FailOn(StrEnum):
    """From which severity on a finding makes the exit code say so."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    NEVER = "never"


BIT_FINDINGS = 2
BIT_UNREACHABLE = 4

_BITS = {
    Outcome.FAILED: BIT_FINDINGS,
    Outcome.NOT_REACHED: BIT_FINDINGS,
    Outcome.UNREACHABLE: BIT_UNREACHABLE,
    Outcome.UNKNOWN: BIT_UNREACHABLE,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """The outcome of one check for one subject of one server.

    `subject` is None where the check speaks of the server as a whole. `facts` holds what was measured (JSON values);
    a fact that is missing was not measured, one named in `not_offered` does not exist for this kind of subject.
    `message` is text for people: the finding, or the reason for any outcome but `ok`. `evidence` is longer text
    (a diff, an excerpt), empty where there is none.
    """

    check: str
    subject: str | None
    outcome: Outcome
    severity: Severity | None = None
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    not_offered: tuple[str, ...] = ()
    evidence: str = ""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of some outcomes; `skipped` when there are none."""
    return max(outcomes, key=lambda outcome: outcome.rank, default=Outcome.SKIPPED)


def exit_code(cells: Iterable[Cell], fail_on: FailOn) -> int:
    """0, 2, 4 or 6: bit 2 for findings at `fail_on` or checks that failed or were not reached, bit 4 for servers
    that were not reached or whose state is unknown."""
    code = 0
    for cell in cells:
        code |= _BITS.get(cell.outcome, 0)
        if _fails(cell.severity, fail_on):
            code |= BIT_FINDINGS
    return code


def _fails(severity: Severity | None, fail_on: FailOn) -> bool:
    if severity is None or fail_on is FailOn.NEVER:
        return False
    return severity.rank >= Severity(fail_on.value).rank
