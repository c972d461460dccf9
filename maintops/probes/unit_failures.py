"""Units that failed lately, even where they run again by now: what systemd itself wrote into the journal.

Sentences: `UNIT: Failed with result 'RESULT'.` (systemd from 230 on), `Unit UNIT entered failed state.` (before).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Reading,
    Skipped,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, refusal, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import recording_of, silence

# The awk counts on the server, and says at the end how much it has seen: a unit that never failed is no line.
_QUESTION = """\
command -v journalctl >/dev/null 2>&1 || {{ echo 'journalctl: not found' >&2; exit 127; }}
journalctl -q --no-pager -o cat --since=-{hours}h _PID=1 | awk '
  / Failed with result / {{ unit = $1; sub(/:$/, "", unit); result = $NF; gsub(/[^a-z-]/, "", result)
    often[unit]++; last[unit] = result }}
  /^Unit .* entered failed state/ {{ often[$2]++; last[$2] = "failed" }}
  END {{ for (unit in often) print "unit", often[unit], last[unit], unit; print "lines", NR }}'
"""
_UNIT = re.compile(r"unit ([0-9]{1,9}) (\S+) (\S+)")
_LINES = re.compile(r"lines ([0-9]{1,12})")
_FAILED = re.compile(r"(?:.*: )?(\S+\.[a-z]+): Failed with result '?([a-z-]+)'?\.?")
_FAILED_BEFORE = re.compile(r"(?:.*: )?Unit (\S+) entered failed state\.?")
_MOST_HOURS = 24 * 366


def question(parameters: Mapping[str, Any]) -> str | Skipped:
    """What systemd said of failures in the last hours, counted."""
    hours = _hours(parameters)
    if hours is None:
        return Skipped(f"the parameter hours is not a whole number from 1 to {_MOST_HOURS}")
    return _QUESTION.format(hours=hours)


def _bare(text: str) -> Answer | None:
    """Lines of the journal (`journalctl`, `journalctl -u UNIT`), in any of its forms that has a line per message."""
    lines = text.split("\n")
    often: dict[str, tuple[int, str]] = {}
    for line in lines:
        match, before = _FAILED.search(line), _FAILED_BEFORE.search(line)
        if match is not None or before is not None:
            unit, result = (match[1], match[2]) if match is not None else (before[1] if before else "", "failed")
            often[unit] = (often.get(unit, (0, ""))[0] + 1, result)
    if not any("systemd" in line for line in lines) and not often:
        return None
    rows = [f"unit {count} {result} {unit}\n" for unit, (count, result) in often.items()]
    return Answer("".join([*rows, f"lines {len(lines)}\n"]).encode())


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per unit that failed; none at all is good."""
    if (why := silence(answer) or refusal(answer)) is not None:
        return why
    subjects: dict[str, SubjectFacts] = {}
    seen = None
    for line in text_of(answer).split("\n"):
        if (match := _UNIT.fullmatch(line)) is not None:
            facts = {"unit": match[3], "failures": int(match[1]), "result": match[2]}
            subjects[match[3]] = SubjectFacts(match[3], facts)
        elif (last := _LINES.fullmatch(line)) is not None:
            seen = int(last[1])
        elif line.strip():
            raise UnreadableAnswer(f"not a count of failures: {line[:80]!r}")
    if seen is None:
        raise UnreadableAnswer("the count of failures is not whole")
    if not seen:
        return NotMeasured("the journal holds nothing that systemd said: no right to read it, or it is not kept")
    return Measured(tuple(subjects.values()))


def _hours(parameters: Mapping[str, Any]) -> int | None:
    hours = integer(str(parameters.get("hours", 168)))
    return hours if hours is not None and 0 < hours <= _MOST_HOURS else None


PROBE = Probe(
    name="unit-failures",
    title="Units that failed lately",
    facts={
        "unit": Fact("str", "the name of the unit"),
        "failures": Fact("int", "how often it failed in the time looked at", "failures"),
        "result": Fact("str", "why, the last time, in systemd's word: exit-code, timeout, oom-kill, …"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    parameters={"hours": Parameter(168, f"how far to look back, in hours, at most {_MOST_HOURS}")},
    recording=recording_of("lines of a journal in which systemd speaks", _bare),
)
