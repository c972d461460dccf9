"""RAID controllers by HP and HPE (Smart Array): ssacli, or hpssacli and hpacucli, as the same tool was called before.

One text gives controllers, their arrays, logical and physical drives. Words are those of the tool, in small letters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import integer, present, refusal, text_of
from maintops.probes.contract import Fact, Presence, Probe

_QUESTION = """for tool in ssacli hpssacli hpacucli; do
  command -v "$tool" >/dev/null 2>&1 && exec "$tool" ctrl all show config detail
done
echo 'ssacli: not found' >&2
exit 127
"""
_CONTROLLER = re.compile(
    r"^(\S[^:]{0,80}?) in (Slot \S+|[^:()]{1,60}?)(?: *\((?!sn)[^()]*\))*(?: +\(sn: *([^\s)]*)\))? *$"
)
_MODEL = re.compile(r"Array|HBA|RAID|MSA|Controller|Modular")
"""What a controller has in its name, where its place is not a slot but a chassis with a name of its own."""

_LONGEST = 300
"""Characters of a line that says something; one that is longer is none of the tool's."""

_ARRAY = re.compile(r"^ +array:? (\S+)(?: \((.*)\))? *$", re.IGNORECASE)
_LOGICAL = re.compile(r"^ +logical ?drive:? ([0-9]{1,4})(?: *\((.*)\)(?::? *(\S.*))?)? *$", re.IGNORECASE)
_PHYSICAL = re.compile(r"^ +physicaldrive (\S+)(?: *\((.*)\)(?::? *(\S.*))?)? *$", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"^ +(?:unassigned|physical drives|(?:enclosure )?sep\b|expander \d|port name|.* at port |mirror group|parity group"
    r"|sensor id|disk partition)",
    re.IGNORECASE,
)
_PROPERTY = re.compile(r"^ +([A-Za-z][^:]{0,60}?) *: +(\S.*?) *$")
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.[0-9]+)?% complete")
_NONE = re.compile(r"no controllers? (?:were )?(?:detected|found)", re.IGNORECASE)
_ERROR = re.compile(r"^ *Error: *(\S.*)$", re.MULTILINE)

_OF_CONTROLLERS = frozenset({"cache_status", "battery_status"})
_OF_LOGICAL = frozenset({"level", "progress_percent", "unrecoverable_media_errors"})
_OF_PHYSICAL = frozenset({"drive_type"})
_ALL = _OF_CONTROLLERS | _OF_LOGICAL | _OF_PHYSICAL
_SOMETIMES = frozenset(
    {
        "cache_status",
        "battery_status",
        "level",
        "progress_percent",
        "unrecoverable_media_errors",
        "drive_type",
        "temperature_celsius",
        "model",
        "serial",
        "firmware",
        "life_remaining_percent",
    }
)
"""What some have and others do not, and what only the detailed report says."""


@dataclass(slots=True)
class _Part:
    """A controller, an array or a drive: its properties as they are printed, the first of a name."""

    kind: str
    said: dict[str, str] = field(default_factory=dict)


def question(parameters: Mapping[str, Any]) -> str:
    """The detailed report about all controllers."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per controller (slot 0), array (slot 0 array A), logical drive (slot 0 logical 1) and physical drive
    (slot 0 drive 1I:1:1)."""
    if (why := refusal(answer)) is not None:
        return why
    text = text_of(answer)
    if _NONE.search(text):
        return NotMeasured("no such hardware: the tool finds no controller")
    parts = _parts(text)
    if not parts:
        if (said := _ERROR.search(text)) is not None:
            return NotMeasured(f"the tool says: {said[1].strip()[:300]}")
        raise UnreadableAnswer("this is no report of ssacli, hpssacli or hpacucli: it names no controller")
    return Measured(tuple(_subject(name, part) for name, part in parts.items()))


def _parts(text: str) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    controller, current = "", _Part("")
    seen: Counter[str] = Counter()
    for line in text.replace("\r\n", "\n").replace("\t", "    ").split("\n"):
        if len(line) > _LONGEST:
            continue
        if (head := _head(line)) is not None:
            place = _place(head)
            seen[place] += 1  # two controllers in one chassis have one place
            controller = place if seen[place] == 1 else f"{place} #{seen[place]}"
            current = found[controller] = _Part("controller", _given(model=head[1], serial=head[3]))
        elif not controller:
            continue
        elif (opened := _opened(controller, line, found)) is not None:
            current = opened
        elif _ELSEWHERE.match(line) and not _is_status(line):
            current = current if _within(line) else _Part("")
        elif (said := _PROPERTY.match(line)) is not None:
            current.said.setdefault(said[1].strip().lower(), said[2])
    return found


def _head(line: str) -> re.Match[str] | None:
    head = _CONTROLLER.match(line)
    return head if head and (head[2].startswith("Slot ") or _MODEL.search(head[1])) else None


def _given(**said: str | None) -> dict[str, str]:
    return {name: value for name, value in said.items() if value}


def _place(head: re.Match[str]) -> str:
    place = head[2].strip()
    return place.lower() if place.startswith("Slot") else place


def _within(line: str) -> bool:
    """Groups of drives stand in the middle of a logical drive's own lines, and sensors in a controller's."""
    return re.match(r" +(?:mirror group|parity group|sensor id|disk partition)", line, re.IGNORECASE) is not None


def _is_status(line: str) -> bool:
    return re.match(r" +\w[\w /]* status: ", line, re.IGNORECASE) is not None


def _opened(controller: str, line: str, found: dict[str, _Part]) -> _Part | None:
    """What a line begins to speak of; None where what was spoken of goes on. A drive that has all its words in one
    line, in parentheses, may stand in the middle of a volume's own lines."""
    for kind, pattern, name in (
        ("array", _ARRAY, "array"),
        ("logical", _LOGICAL, "logical"),
        ("physical", _PHYSICAL, "drive"),
    ):
        if (head := pattern.match(line)) is not None:
            part = found.setdefault(f"{controller} {name} {head[1].rstrip(':')}", _Part(kind))
            if kind == "array" or not head[2]:
                return part
            for key, value in _short(head).items():
                part.said.setdefault(key, value)
            return None
    return None


def _short(head: re.Match[str]) -> dict[str, str]:
    """`(136.7 GB, RAID 5, Interim Recovery Mode)`, `(port 1I:box 1:bay 1, SAS HDD, 146 GB, OK)`, `(…): OK`."""
    words = [word.strip() for word in head[2].split(",")]
    level = next((word for word in words if word.upper().startswith("RAID")), None)
    after = next((index for index, word in enumerate(words) if re.fullmatch(r"[0-9.]+ *[KMGTP]i?B", word)), None)
    if level is not None:
        after = words.index(level)
    status = head[3] or (", ".join(words[after + 1 :]) if after is not None else "")
    status = re.sub(r",? *(?:active )?spare\b.*$", "", status)
    return _given(status=status, **{"fault tolerance": level.upper().removeprefix("RAID").strip() if level else None})


# --- facts -----------------------------------------------------------------------------------------------------------


def _subject(name: str, part: _Part) -> SubjectFacts:
    said = part.said
    status = said.get("controller status") if part.kind == "controller" else said.get("status")
    words, percent = (status or "").lower(), _PERCENT.search(status or "")
    facts = present(
        kind=part.kind,
        status=re.sub(r",? *[0-9.]+% complete.*", "", words).strip() or None,
        model=" ".join(said["model"].split()) if "model" in said else None,
        serial=said.get("serial number") or said.get("serial"),
        firmware=said.get("firmware version") or said.get("firmware revision"),
        temperature_celsius=_degrees(said.get("controller temperature (c)") or said.get("current temperature (c)")),
        cache_status=said.get("cache status", "").lower() or None,
        battery_status=said.get("battery/capacitor status", "").lower() or None,
        level=said.get("fault tolerance") if part.kind == "logical" else None,
        progress_percent=int(percent[1]) if percent and part.kind == "logical" else None,
        unrecoverable_media_errors=_media(said.get("unrecoverable media errors")),
        drive_type=said.get("drive type", "").lower() or None if part.kind == "physical" else None,
        life_remaining_percent=_life(said),
    )
    if part.kind == "array" and "status" not in facts:
        return SubjectFacts(name, facts, why_not="the short report says nothing of the array itself")
    own = {"controller": _OF_CONTROLLERS, "logical": _OF_LOGICAL, "physical": _OF_PHYSICAL}.get(part.kind, frozenset())
    absent = (_ALL - own) | _SOMETIMES
    return SubjectFacts(name, facts, frozenset(absent - set(facts)))


def _degrees(text: str | None) -> int | None:
    degrees = integer(text)
    return degrees if degrees is not None and 0 < degrees < 126 else None


def _media(text: str | None) -> bool | None:
    """`None`, or `Detected` and a hint of what to do."""
    return None if text is None else not text.lower().startswith("none")


def _life(said: Mapping[str, str]) -> float | None:
    """`Usage remaining: 97.35%`, of flash disks."""
    found = re.match(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%", said.get("usage remaining", ""))
    return float(found[1]) if found else None


PROBE = Probe(
    name="hp-arrays",
    title="RAID controllers by HP and HPE (Smart Array)",
    facts={
        "kind": Fact("str", "controller, array, logical (a volume) or physical (a drive)"),
        "status": Fact("str", "ok, failed, predictive failure, interim recovery mode, recovering, rebuilding, …"),
        "model": Fact("str", "its model"),
        "serial": Fact("str", "its serial number"),
        "firmware": Fact("str", "version of its firmware"),
        "temperature_celsius": Fact("int", "its temperature", "degrees Celsius"),
        "cache_status": Fact("str", "state of a controller's cache: ok, not configured, temporarily disabled, …"),
        "battery_status": Fact("str", "state of the cache's battery or capacitor: ok, recharging, failed (…)"),
        "level": Fact("str", "RAID level of a volume: 0, 1, 1+0, 5, 6, …"),
        "progress_percent": Fact("int", "how far a volume's rebuild is", "percent"),
        "unrecoverable_media_errors": Fact("bool", "whether parts of a volume could not be read while it was scanned"),
        "drive_type": Fact("str", "data drive, spare drive, unassigned drive"),
        "life_remaining_percent": Fact("float", "how much of a flash disk's life is left", "percent"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
)
