"""What a person answered to a step that is done by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from maintops.domain.answers import Measured, Reading, Skipped, SubjectFacts
from maintops.domain.changes import ChangeStep
from maintops.domain.checklists import Step

DONE = "done"
"""The only choice of a step that asks for nothing else."""


WAS_DONE, NOT_DONE = "done", "not-done"
"""What a person can say of a step by machine that was begun and of which nobody knows whether it was done."""


def whether_done(step: ChangeStep) -> Step:
    """The question to a person whether a step was done."""
    how = f"Look at the server: was it done? {WAS_DONE}, or {NOT_DONE} (then it is done again)."
    return Step(step.id, step.title, how, choices=(WAS_DONE, NOT_DONE))


POWER_CYCLE = "CHG-204"
"""The id of the step by hand that is offered for a server that does not come back from its reboot."""

POWER_CYCLED, CAME_BACK, GIVEN_UP = "power-cycled", "came back", "given up"
"""What a person can say of a server that does not come back. After the first two it is waited for once more."""


def power_cycle(server: str = "the server", address: str = "") -> Step:
    """The step by hand for a server that does not come back; `address` is that of its management controller (empty:
    none is known)."""
    way = f"through its management controller ({address})" if address else "on site or through its console"
    how = (
        f"chassis power cycle (ipmitool) or ComputerSystem.Reset (Redfish) at {address}"
        if address
        else "its power button, its power strip, or whatever its console can do"
    )
    return Step(
        POWER_CYCLE,
        f"{server} is power-cycled {way}",
        f"Look at its console first: a server that checks its disks, or waits for a key, is not to be cut off. Where "
        f"it hangs: {how}. After {POWER_CYCLED} or {CAME_BACK} it is waited for once more.",
        why="It did not come back from its reboot.",
        choices=(POWER_CYCLED, CAME_BACK, GIVEN_UP),
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """A file that proves a step: its name, the SHA-256 of its bytes (hex) and how many they are."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class StepAnswer:
    """What one person says of one step on one server, and when (UTC). Exactly one of `choice`, `reading` (in the
    step's unit) and `skipped` (why it was not done) is set."""

    server: str
    step: str
    by: str
    at: datetime
    choice: str | None = None
    reading: float | None = None
    skipped: str | None = None
    note: str = ""
    evidence: tuple[Evidence, ...] = ()


def reading_of(answer: StepAnswer) -> Reading:
    """What rules judge: `choice` or `reading`, `note`, and who, when and what proves it."""
    if answer.skipped is not None:
        return Skipped(f"{answer.by} ({answer.at:%Y-%m-%d %H:%M} UTC): {answer.skipped}")
    facts = answer_facts(answer)
    missing = frozenset({"choice", "reading", "note", "evidence"} - facts.keys())
    return Measured((SubjectFacts(None, facts, missing),))


def answer_facts(answer: StepAnswer) -> dict[str, Any]:
    """What a person said, as facts (maintops.probes.steps): `by`, `at`, and what else there is."""
    facts: dict[str, Any] = {"by": answer.by, "at": f"{answer.at:%Y-%m-%dT%H:%M:%SZ}"}
    if answer.choice is not None:
        facts["choice"] = answer.choice
    if answer.reading is not None:
        facts["reading"] = _plain(answer.reading)
    if answer.note:
        facts["note"] = answer.note
    if answer.evidence:
        facts["evidence"] = [{"name": one.name, "sha256": one.digest, "bytes": one.size} for one in answer.evidence]
    return facts


def _plain(number: float) -> int | float:
    """50.0 is shown as 50."""
    return int(number) if number.is_integer() else number


def unfit(step: Step, given: Mapping[str, Any]) -> str | None:
    """Why `choice`, `reading`, `skipped` and `evidence` (a list of anything) do not answer a step, as a sentence's end;
    None where they do."""
    named = [name for name in ("choice", "reading", "skipped") if given.get(name) is not None]
    wanted = "reading" if step.reading is not None else "choice"
    if len(named) != 1 or named[0] not in (wanted, "skipped"):
        return f"needs {wanted} ({wanted_words(step)}), or skipped with a reason"
    if named[0] == "skipped":
        return None if str(given["skipped"]).strip() else "is skipped without a reason"
    value = given[wanted]
    if wanted == "choice" and value not in step.choices:
        return f"must be {wanted_words(step)}, not {str(value)[:80]!r}"
    if wanted == "reading" and step.reading is not None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number of {step.reading.unit}, not {str(value)[:80]!r}"
        if not step.reading.least <= value <= step.reading.most:
            return f"is {value:g} {step.reading.unit}, which cannot be: {wanted_words(step)}"
    if step.evidence in ("photo", "file") and not given.get("evidence"):
        return f"needs a {step.evidence} as evidence"
    return None


def wanted_words(step: Step) -> str:
    """What a step asks for, in words: the choices, or the unit and what is possible."""
    if step.reading is None:
        return " or ".join(step.choices)
    return f"a number of {step.reading.unit} from {step.reading.least:g} to {step.reading.most:g}"
