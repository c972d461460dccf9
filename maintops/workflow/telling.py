"""What became of a stage, as a check's reading: so that a failed step is a finding with memory and a follow-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maintops.domain.answers import Measured, Reading, Skipped, SubjectFacts
from maintops.domain.checklists import Check, FollowUpTemplate, Rule
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.runs import StageEnded, StageResult
from maintops.probes.steps import STEP
from maintops.rules.judging import compile_rules
from maintops.workflow.planning import CheckPlan

DEBTS = "CHG-800"
"""The id under which it stands whether everything that was owed was paid."""

TITLES = {
    "silence": "The monitoring is silent about it",
    "drain": "It serves nobody while it is changed",
    "snapshot": "There is a snapshot of before",
    DEBTS: "What was owed to it is paid",
}

_RULES = (
    Rule(
        'result == "gone"',
        Severity.CRITICAL,
        "{{ told }}",
        FollowUpTemplate("Bring {{ server }} back: {{ told }}", skill="hardware", knowledge="no-reboot"),
    ),
    Rule(
        'result == "by-hand"',
        Severity.WARNING,
        "{{ told }}",
        FollowUpTemplate("Reboot {{ server }} by hand", skill="system", knowledge="patching"),
    ),
    Rule(
        'result in ["failed", "unknown", "unreachable"]',
        Severity.CRITICAL,
        "{{ told }}",
        FollowUpTemplate("Repair {{ server }}: {{ step }} went wrong", skill="system", knowledge="patching"),
    ),
)
_COMPILED = compile_rules(_RULES)

_OUTCOMES = {
    StageResult.FAILED: Outcome.FAILED,
    StageResult.UNKNOWN: Outcome.UNKNOWN,
    StageResult.UNREACHABLE: Outcome.UNREACHABLE,
}


def stage_plan(id: str, title: str, action: str = "") -> CheckPlan:
    """A stage, ready to be judged like a check."""
    return CheckPlan(Check(id, title, action=action, rules=_RULES), STEP, _COMPILED)


@dataclass(frozen=True, slots=True)
class Told:
    """A stage's reading, and the outcome that its cell has where it went wrong."""

    reading: Reading | Cell
    outcome: Outcome | None = None


def told(id: str, title: str, server: str, ended: StageEnded | None, otherwise: Cell) -> Told:
    """What became of a stage; `otherwise` where it did not come to an end."""
    if ended is None or ended.result is StageResult.WAITING:
        return Told(otherwise if ended is None else replace(otherwise, message=ended.message))
    if ended.result is StageResult.SKIPPED:
        return Told(Skipped(ended.message or "there was nothing to do"))
    result = str(ended.facts.get("told", ended.result.value))
    facts: dict[str, Any] = {"result": result, "told": ended.message, "server": server, "step": f"{id} ({title})"}
    facts |= {name: value for name, value in ended.facts.items() if name in _SHOWN}
    return Told(Measured((SubjectFacts(None, facts),)), _OUTCOMES.get(ended.result))


_SHOWN = ("tasks", "kernel_before", "kernel", "reasons", "seconds", "printed")


def with_outcomes(cells: Iterable[Cell], outcomes: Mapping[str, Outcome]) -> tuple[Cell, ...]:
    """Cells of stages that went wrong: a finding like any other, whose outcome says in which way."""
    return tuple(replace(one, outcome=outcomes[one.check]) if one.check in outcomes else one for one in cells)
