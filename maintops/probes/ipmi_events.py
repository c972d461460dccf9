"""The event log of the management controller (BMC): how full it is, and what in it is bad.

Formats: `ipmitool sel info`, and `sel list` or `sel elist` of ipmitool 1.8 (ipmi_sel.c), with or without -c and -v.
Times are the BMC's own, whose clock may be wrong; an event from before it was set has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from maintops.domain.answers import Answer, Measured, Part, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, named_parts, present
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.ipmi_words import Severity, says_present, severity_of
from maintops.probes.ipmitool import unasked

MOST_EVENTS = 50
"""Of each kind the latest so many are facts."""

_QUESTION = """command -v ipmitool >/dev/null 2>&1 || { echo 'ipmitool: not found' >&2; exit 127; }
info=$(ipmitool sel info) || { status=$?; [ -n "$info" ] || exit $status; }
part info printf '%s\\n' "$info"
part list ipmitool sel elist
"""
_ID = re.compile(r"[0-9a-fA-F]{1,4}")
_DATE = re.compile(r"([0-9]{1,4})[/-]([0-9]{1,2})[/-]([0-9]{1,4})")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?: ([AP])M)?(?: ([A-Z]{2,5}|[+-][0-9:]+))?", re.I)
_FIELD = re.compile(r"([A-Za-z#][A-Za-z .#]{1,40}?) *: ?(.*)")
_ENDINGS = ("fully redundant", "transition to ok", "presence detected")
_CLEARED = "log area reset/cleared"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry: `record` is its number, `asserted` None where it does not say (a maker's own record)."""

    record: int
    when: str
    sensor: str
    words: str
    asserted: bool | None

    @property
    def severity(self) -> Severity:
        """How bad it is: an event that ended a state is good news, unless the state was that a part is there."""
        if self.asserted is False:
            gone = says_present(self.words)
            return "warning" if gone else "ok"
        return severity_of(self.words)

    def told(self) -> str:
        """The entry in one line, the same in every record."""
        what = ": ".join(one for one in (self.sensor, self.words) if one)
        return f"{self.record:x} {self.when} {what}{' (ended)' if self.asserted is False else ''}"[:300]


def question(parameters: Mapping[str, Any]) -> str:
    """How full the log is, and everything in it with the names of the sensors."""
    return _QUESTION


def recording(output: bytes) -> Answer:
    """What a person saw who called `ipmitool sel info`, `sel list` or both."""
    text = output.decode("utf-8", "replace")
    if not _info(text) and not _events(text) and "sel has no entries" not in text.lower():
        raise UnreadableAnswer("this is neither `ipmitool sel info` nor `ipmitool sel list`")
    body = b"".join(b" " + line + b"\n" for line in output.split(b"\n"))
    info = b"=info\n" + body + b".0\n" if _info(text) else b""
    listed = _events(text) or "sel has no entries" in text.lower()
    return Answer(info + (b"=list\n" + body + b".0\n" if listed else b""))


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := unasked(answer)) is not None:
        return why
    parts = named_parts(answer)
    facts: dict[str, Any] = {}
    not_offered: set[str] = set()
    if (part := parts.get("info")) is not None:
        facts, not_offered = _fullness(_info(part.text))
    if (part := parts.get("list")) is not None and parameters.get("entries", True):
        listed = _listed(part, facts.get("entries"))
        facts |= listed
        not_offered |= {"latest", "cleared"} - facts.keys() if listed else set()
    if not facts:
        raise UnreadableAnswer("the answer holds nothing about the event log")
    return Measured((SubjectFacts(None, facts, frozenset(not_offered)),))


def _info(text: str) -> dict[str, str]:
    if "SEL Information" not in text:
        return {}
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if "|" not in line and (match := _FIELD.fullmatch(line.strip())) is not None:
            found.setdefault(match[1].strip(), match[2].strip())
    return found


def _fullness(info: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    used = integer(info.get("Percent Used", "").rstrip("%"))
    overflow = {"true": True, "false": False}.get(info.get("Overflow", ""))
    facts = present(entries=integer(info.get("Entries")), used_percent=used, overflow=overflow)
    unknown = info.get("Percent Used") == "unknown"  # logs of 64 KiB and more
    return facts, {"used_percent"} if unknown else set()


def _listed(part: Part, entries: int | None) -> dict[str, Any]:
    """Of an empty log ipmitool prints nothing, and says so where errors go."""
    text = part.text
    events = _events(text)
    if not events and "sel has no entries" not in text.lower():
        if part.status or (not text.strip() and entries):
            return {}
        if text.strip():
            raise UnreadableAnswer("this is not a list of events by ipmitool")
    critical = [one for one in events if one.severity == "critical"]
    warning = [one for one in events if one.severity == "warning"]
    facts = {
        "entries": len(events),
        "highest_record": max((one.record for one in events), default=0),
        "latest": events[-1].told() if events else None,
        "critical_events": [one.told() for one in critical[-MOST_EVENTS:]],
        "warning_events": [one.told() for one in warning[-MOST_EVENTS:]],
        "open_events": [one.told() for one in _open(events)[-MOST_EVENTS:]],
        "cleared": next((one.when for one in reversed(events) if one.words.lower() == _CLEARED), None),
    }
    return present(**facts)


def _open(events: list[Event]) -> list[Event]:
    """Critical events that nothing later has ended: the state itself, or one that says that all is well again."""
    running: dict[str, dict[str, tuple[int, Event]]] = {}
    for place, one in enumerate(events):
        words = one.words.lower()
        if one.asserted is False:
            running.get(one.sensor, {}).pop(words, None)
        elif words.startswith(_ENDINGS):
            running.pop(one.sensor, None)
        elif one.severity == "critical":
            running.setdefault(one.sensor, {})[words] = (place, one)
    alive = sorted((pair for states in running.values() for pair in states.values()), key=lambda pair: pair[0])
    return [one for _, one in alive]


# --- the list --------------------------------------------------------------------------------------------------------


def _events(text: str) -> list[Event]:
    lines = text.split("\n")
    if any(line.startswith("SEL Record ID") for line in lines):
        return _blocks(lines)
    rows = [row for line in lines if (row := _row(line)) is not None]
    day_first = any((date := _DATE.search(" ".join(row))) and len(date[1]) < 3 and int(date[1]) > 12 for row in rows)
    return [_event(row, day_first) for row in rows]


def _row(line: str) -> list[str] | None:
    """The fields of an entry: its number, date and time, and what happened. Commas separate them with -c."""
    fields = [one.strip() for one in line.split("|" if "|" in line else ",")]
    if len(fields) < 2 or not _ID.fullmatch(fields[0]) or line[:1] == "=":
        return None
    if "|" not in line and not (len(fields) >= 4 and (_DATE.fullmatch(fields[1]) or fields[1] in ("", "Pre-Init"))):
        return None
    return fields


def _event(row: list[str], day_first: bool) -> Event:
    record, rest = int(row[0], 16), row[1:]
    when = ""
    if rest and rest[0] == "Pre-Init":
        when, rest = "before the clock was set", rest[2:]
    elif len(rest) > 1 and _DATE.fullmatch(rest[0]):
        when, rest = _when(rest[0], rest[1], day_first), rest[2:]
    rest = [one for one in rest if one] if not when else rest
    direction = next((one for one in rest if one in ("Asserted", "Deasserted")), None)
    sensor = rest[0] if rest else ""
    words = ", ".join(rest[1 : rest.index(direction)] if direction else rest[1:2])
    if direction is None and not sensor.startswith("OEM record"):
        sensor, words = "", ", ".join(rest)
    words = re.sub(r" \(\)$", "", words)
    asserted = None if direction is None else direction == "Asserted"
    return Event(record, when or "at an unknown time", sensor, words, asserted)


def _when(date: str, time: str, day_first: bool) -> str:
    """ISO-like where that is certain enough: ipmitool writes the month first, but in some languages the day."""
    found, clock = _DATE.fullmatch(date), _TIME.fullmatch(time)
    if found is None or clock is None:
        return f"{date} {time}"
    if len(found[1]) == 4:
        year, month, day = found[1], found[2], found[3]
    else:
        first, second, year = found[1], found[2], found[3]
        month, day = (second, first) if day_first else (first, second)
        year = year if len(year) == 4 else f"20{year:>02}"
    hour = int(clock[1])
    if clock[4]:
        hour = hour % 12 + (12 if clock[4].upper() == "P" else 0)
    zone = f" {clock[5]}" if clock[5] else ""
    return f"{year}-{month:>02}-{day:>02} {hour:02}:{clock[2]}:{clock[3]}{zone}"


def _blocks(lines: list[str]) -> list[Event]:
    """`-v sel list` and `sel get`: blocks of `Name : value`."""
    blocks: list[dict[str, str]] = []
    for line in lines:
        match = _FIELD.fullmatch(line.strip())
        if match is not None and match[1].strip() == "SEL Record ID":
            blocks.append({})
        if match is not None and blocks:
            blocks[-1].setdefault(match[1].strip(), match[2].strip())
    return [_block(one) for one in blocks if _ID.fullmatch(one["SEL Record ID"])]


def _block(block: Mapping[str, str]) -> Event:
    date, _, time = block.get("Timestamp", "").partition(" ")
    number = block.get("Sensor Number", "")
    sensor = " ".join(one for one in (block.get("Sensor Type", ""), f"#0x{number}" if number else "") if one)
    direction = block.get("Event Direction", "")
    asserted = None if not direction else direction.startswith("Assert")
    when = _when(date, time, False) if time else "at an unknown time"
    words = re.sub(r" \(\)$", "", block.get("Description", "").strip())
    return Event(int(block["SEL Record ID"], 16), when, sensor, words, asserted)


PROBE = Probe(
    name="ipmi-events",
    title="Event log of the management controller (BMC)",
    facts={
        "entries": Fact("int", "entries in the log"),
        "used_percent": Fact("int", "how full the log is; not offered by a log that does not say", "percent"),
        "overflow": Fact("bool", "an event was lost because the log was full"),
        "highest_record": Fact("int", "the highest number of an entry; 0 where there is none"),
        "latest": Fact("str", "the last entry: its number, its time by the BMC's clock, and what happened"),
        "critical_events": Fact("list", f"the latest {MOST_EVENTS} critical entries, in the same words"),
        "warning_events": Fact("list", f"the latest {MOST_EVENTS} entries that are warnings"),
        "open_events": Fact("list", "critical entries that no later entry has ended"),
        "cleared": Fact("str", "when the log was last cleared, where it says so"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"entries": Parameter(True, "the entries as well; false: only how full the log is")},
    recording=recording,
)
