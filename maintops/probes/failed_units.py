"""Units that systemd calls failed: `systemctl list-units` (systemctl(1))."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import no_tool, remark, text_of
from maintops.probes.contract import Fact, Presence, Probe

_KINDS = (
    *("service", "mount", "socket", "target", "device", "swap", "automount", "timer", "path", "slice", "scope"),
    "snapshot",  # systemd before 228
)
_BULLETS = "\u25cf\u00d7*\u25cbx"
"""What some versions print before a unit, in spite of --plain."""


def question(parameters: Mapping[str, Any]) -> str:
    """Failed units, one a line, nothing else."""
    return "systemctl --no-pager --no-legend --plain --full --all --failed list-units"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per failed unit; none at all is good."""
    if (why := no_tool(answer)) is not None:
        return why
    if answer.status != 0 and not answer.stdout.strip():
        return NotMeasured(f"systemd does not answer here: {remark(answer) or f'exit status {answer.status}'}")
    subjects = {}
    for line in text_of(answer).split("\n"):
        if line.strip():
            facts = _facts(line)
            subjects[facts["unit"]] = SubjectFacts(facts["unit"], facts)
    return Measured(tuple(subjects.values()))


def _facts(line: str) -> dict[str, str]:
    words = line.split(None, 1)
    if words[0] in _BULLETS and len(words) > 1:
        words = words[1].split(None, 1)
    columns = [words[0], *(words[1].split(None, 3) if len(words) > 1 else ())]
    if len(columns) < 4 or columns[0].rpartition(".")[2] not in _KINDS:
        raise UnreadableAnswer(f"this is not a line of systemctl list-units: {line[:80]!r}")
    names = ("unit", "load_state", "active_state", "sub_state", "description")
    return dict(zip(names, [*columns, ""][:5], strict=True))


PROBE = Probe(
    name="failed-units",
    title="Failed systemd units",
    facts={
        "unit": Fact("str", "the name of the unit"),
        "load_state": Fact("str", "whether systemd knows the unit's file: loaded, not-found, …"),
        "active_state": Fact("str", "failed, as systemd puts it"),
        "sub_state": Fact("str", "the same, in the words of this kind of unit"),
        "description": Fact("str", "what the unit says of itself"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
