"""Recordings of temperatures: what `sensors` (lm-sensors) shows, as text, with -u or with -j, and lists of readings in
JSON as monitoring agents make them ({CHIP: [{label, current, high, critical}]}).

`sensors -j` writes JSON that is none: commas before a brace, NaN, several objects, the same name twice, remarks of its
standard error in between. Every form is turned into the files of hwmon, which are what the probe reads.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.recorded import as_it_is, recording_of, unsaid

_HWMON = re.compile(r"/sys/class/hwmon/hwmon[0-9]+/\w+:.*")
_NONE = re.compile(r"(?m)^No sensors found!")
_NOTHING = "no temperature sensor is named here"

_CHIP = re.compile(r"[\w.+-]+-(?:isa|pci|i2c|virtual|acpi|hid|spi|mdio|scsi|sdio)-[\w-]+")
_RAW = re.compile(r"\s+(temp[0-9]+)_(input|max|crit|fault):\s+(-?[0-9]+(?:\.[0-9]+)?)\s*")
_FILE = re.compile(r"(temp[0-9]+)_(input|max|crit|fault)")
_DEGREES = r"[+-]?[0-9]+(?:\.[0-9]+)?"
_SIGN = r"(?:\u00b0|\ufffd+|\?|\u00c2\u00b0)?"  # of degrees; in the C locale there is none
_READING = re.compile(rf"(\S[^:]*):\s+(?:({_DEGREES}) ?{_SIGN}([CF])\b|(N/A|FAULT)(?=\s|$))(.*)")
_LIMIT = re.compile(rf"\b(high|crit) *= *({_DEGREES}) ?{_SIGN}([CF])\b")
_FILES_OF_LIMITS = {"high": "max", "crit": "crit"}
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_LEADING_COMMA = re.compile(r"([{,]\s*),")
_MOST = 1e6
"""Degrees beyond which a figure is none."""

_Sensor = tuple[str, dict[str, float]]
"""Label ("" where it has none), and the files of the sensor in degrees Celsius."""


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON in which a name may stand twice."""


def _hwmon(text: str) -> Answer | None:
    lines = [line for line in text.split("\n") if line.strip()]
    return as_it_is("\n".join(lines) + "\n") if any(map(_HWMON.fullmatch, lines)) else None


def _json(text: str) -> Answer | None:
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if start < 0 or (text[:start].strip() and "\n" not in text[:start]):
        return None
    chips: list[tuple[str, list[_Sensor]]] = []
    for value in _values(text[start:]):
        if not isinstance(value, _Pairs):
            raise UnreadableAnswer("this JSON is no list of sensors by their chips")
        chips += [(name, list(_sensors(content))) for name, content in value]
    return _made(chips)


def _values(text: str) -> Iterator[Any]:
    """Every JSON value of a text; lines between them that are none are remarks."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs, parse_constant=lambda _: None)
    clean = _LEADING_COMMA.sub(r"\1", _TRAILING_COMMA.sub(r"\1", re.sub(r"ERROR: .*", "", text)))
    place = 0
    while (found := re.compile(r"[{\[]").search(clean, place)) is not None:
        try:
            value, place = decoder.raw_decode(clean, found.start())
        except (ValueError, RecursionError) as error:
            raise UnreadableAnswer(f"this is not JSON of sensors: {error}"[:300]) from error
        yield value


def _sensors(content: Any) -> Iterator[_Sensor]:
    """The temperatures of one chip, of `sensors -j` or of a list of readings."""
    if isinstance(content, _Pairs):
        for label, files in content:
            if isinstance(files, _Pairs):
                found = {match[2]: value for name, value in files if (match := _FILE.fullmatch(name)) is not None}
                if found:
                    yield label, _numbers(found)
    elif isinstance(content, list):
        for one in content:
            values = dict(one) if isinstance(one, _Pairs) else {}
            if "current" in values and {"high", "critical"} & values.keys():  # a fan's reading has neither
                files = {"input": values["current"], "max": values.get("high"), "crit": values.get("critical")}
                yield str(values.get("label") or ""), _numbers(files)


def _numbers(files: dict[str, Any]) -> dict[str, float]:
    usable = {name: value for name, value in files.items() if isinstance(value, int | float) and value is not True}
    return {name: float(value) for name, value in usable.items() if math.isfinite(value) and abs(value) < _MOST}


def _raw(text: str) -> Answer | None:
    """`sensors -u`: a chip, its adapter, and below each label its files, indented."""
    if not any(map(_RAW.fullmatch, text.split("\n"))):
        return None
    chips: list[tuple[str, list[_Sensor]]] = []
    for line in text.split("\n"):
        if _CHIP.fullmatch(line.strip()) and not line.startswith(" "):
            chips.append((line.strip(), []))
        elif line.endswith(":") and not line.startswith(" ") and chips:
            chips[-1][1].append((line[:-1], {}))
        elif (match := _RAW.fullmatch(line)) is not None and chips and chips[-1][1]:
            chips[-1][1][-1][1][match[2]] = float(match[3][:18])
    return _made([(chip, [one for one in sensors if one[1]]) for chip, sensors in chips])


def _text(text: str) -> Answer | None:
    """`sensors` as people see it. A limit may stand in a line of its own below."""
    chips: list[tuple[str, list[_Sensor]]] = []
    reading = False
    for line in text.split("\n"):
        if _CHIP.fullmatch(line.strip()):
            chips.append((line.strip(), []))
        elif (match := _READING.fullmatch(line.rstrip())) is not None and chips:
            files = {} if match[2] is None else {"input": _celsius(match[2], match[3])}
            files |= {"fault": 1.0} if match[4] == "FAULT" else {}
            reading = match[4] is None or "crit" in match[5] or "high" in match[5] or match[1].startswith("temp")
            if reading:
                chips[-1][1].append((match[1], files | _limits(match[5])))
        elif line[:1] == " " and reading and chips and chips[-1][1]:
            chips[-1][1][-1][1].update(_limits(line))
        else:
            reading = False
    if not chips:
        return unsaid(_NOTHING) if _NONE.search(text) else None
    return _made(chips)


def _limits(text: str) -> dict[str, float]:
    return {_FILES_OF_LIMITS[match[1]]: _celsius(match[2], match[3]) for match in _LIMIT.finditer(text)}


def _celsius(figure: str, unit: str) -> float:
    degrees = float(figure[:18])
    return (degrees - 32) / 1.8 if unit == "F" else degrees


def _made(chips: list[tuple[str, list[_Sensor]]]) -> Answer:
    """The files of hwmon that these sensors would have."""
    lines: list[str] = []
    for number, (chip, sensors) in enumerate(chips):
        folder = f"/sys/class/hwmon/hwmon{number}"
        lines.append(f"{folder}/name:{_line(chip) or 'unnamed'}")
        for place, (label, files) in enumerate(sensors, 1):
            if _line(label):
                lines.append(f"{folder}/temp{place}_label:{_line(label)}")
            lines.append(f"{folder}/temp{place}_input:{_thousandths(files.get('input'))}")
            lines += [
                f"{folder}/temp{place}_{name}:{_thousandths(files[name])}" for name in ("max", "crit") if name in files
            ]
            lines += [f"{folder}/temp{place}_fault:1"] if files.get("fault") else []
    if not any(sensors for _, sensors in chips):
        return unsaid(_NOTHING)
    return as_it_is("".join(f"{line}\n" for line in lines))


def _line(text: str) -> str:
    return " ".join(text.split())


def _thousandths(celsius: float | None) -> str:
    return "" if celsius is None else str(round(celsius * 1000))


RECORDING = recording_of("output of sensors, or the files of /sys/class/hwmon", _hwmon, _json, _raw, _text)
