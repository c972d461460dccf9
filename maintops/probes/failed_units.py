"""Units that systemd calls failed: `systemctl list-units` (systemctl(1))."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import no_tool, remark, text_of
from maintops.probes.contract import Fact, Presence, Probe
from maintops.probes.json_answers import load_json
from maintops.probes.recorded import as_it_is, recording_of, silence

_KINDS = (
    *("service", "mount", "socket", "target", "device", "swap", "automount", "timer", "path", "slice", "scope"),
    "snapshot",  # systemd before 228
)
_BULLETS = "\u25cf\u00d7*\u25cbx"
"""What some versions print before a unit, in spite of --plain."""

_HEAD = re.compile(r"\s*UNIT\s+LOAD\s+ACTIVE\s+SUB\s+(?:JOB\s+)?DESCRIPTION\s*")
_FOOT = re.compile(r"(?m)^\s*[0-9]+ loaded units listed\.")
_ROW = re.compile(rf"\s*(?:[^\s.]{{1,3}} +)?(\S+\.(?:{'|'.join(_KINDS)})\s+[a-z-]+\s+([a-z-]+)\s+[a-z-]+(?:\s.*)?)")


def question(parameters: Mapping[str, Any]) -> str:
    """Failed units, one a line, nothing else."""
    return "systemctl --no-pager --no-legend --plain --full --all --failed list-units"


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per failed unit; none at all is good."""
    if (why := silence(answer) or no_tool(answer)) is not None:
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


def _recorded_table(text: str) -> Answer | None:
    """`systemctl --failed` or `systemctl list-units`, with or without the legend; of the latter what has failed."""
    lines = text.split("\n")
    rows = [match.groups() for match in map(_ROW.fullmatch, lines) if match is not None]
    if not rows and not _FOOT.search(text):
        return None
    begin = next((place for place, line in enumerate(lines) if _HEAD.fullmatch(line)), -1) + 1
    table = lines[begin : next((place for place in range(begin, len(lines)) if not lines[place].strip()), len(lines))]
    if any(_ROW.fullmatch(line) is None and not _FOOT.match(line) for line in table):
        raise UnreadableAnswer("a line between these units is not one of systemctl list-units")
    return as_it_is("".join(f"{row.rstrip()}\n" for row, active in rows if active == "failed"))


def _recorded_json(text: str) -> Answer | None:
    """`systemctl list-units --failed -o json`."""
    if not text.lstrip().startswith("["):
        return None
    names = ("unit", "load", "active", "sub", "description")
    units = load_json(text.encode())
    if not all(isinstance(one, dict) and all(isinstance(one.get(name), str) for name in names) for one in units):
        raise UnreadableAnswer("this JSON is not systemctl's list of units")
    rows = [" ".join(" ".join(one[name].split()) for name in names) for one in units if one["active"] == "failed"]
    return as_it_is("".join(f"{row}\n" for row in rows))


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
    recording=recording_of("output of systemctl --failed", _recorded_table, _recorded_json),
)
