"""Temperatures, fans, voltages and more as lm-sensors knows them: with the labels and limits of its configuration.

The question is `sensors -u`: every version has it, and it cannot be spoilt like the JSON of `sensors -j`, which is
broken wherever a reading fails. What is read: `sensors -u`, `sensors -j` (whole or broken), plain `sensors`, and JSON
of the shape chip -> list of {label, current, high, critical}. Names: Documentation/hwmon/sysfs-interface.rst of Linux.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import no_tool, present, refusal, remark, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.temperatures import COLDEST, HOTTEST

_QUESTION = """command -v sensors >/dev/null 2>&1 || { echo 'sensors: not found' >&2; exit 127; }
sensors -u
"""
_KINDS = {
    "temp": ("temperature", "celsius"),
    "fan": ("fan", "rpm"),
    "in": ("voltage", "volts"),
    "curr": ("current", "amps"),
    "power": ("power", "watts"),
    "humidity": ("humidity", "percent"),
    "intrusion": ("intrusion", ""),
}
_FILE = re.compile(r"(temp|fan|in|curr|power|humidity|intrusion)([0-9]{1,3})_([a-z_]+)")
_TOKEN = re.compile(
    r'"((?:[^"\\\n]|\\.){0,200})"\s*:\s*(?:(\{)|([+-]?(?:[0-9][0-9.eE+-]*|nan\w*|inf\w*)|null)|("(?:[^"\\\n]|\\.)*"))'
    r"|([{}])",
    re.IGNORECASE,
)
_RAW = re.compile(r"\s+([a-z]+[0-9]+_[a-z_]+): +(\S+)\s*")
_PLAIN = re.compile(r"([^:]{1,60}): +(\S.*)")
_READING = re.compile(r"([+-]?[0-9]+(?:\.[0-9]+)?) ?(.{0,3}?C|F|RPM|m?V|m?A|[um]?W|kW|%RH)(?=$|[\s(])")
_LIMIT = re.compile(r"(min|max|low|high|crit low|crit|lcrit|emerg|cap) *= *([+-]?[0-9]+(?:\.[0-9]+)?) ?(.{0,3}?C|\w+)")
_UNITS = {"RPM": "fan", "V": "in", "mV": "in", "A": "curr", "mA": "curr", "W": "power", "%RH": "humidity"}
_UNITS |= {"mW": "power", "uW": "power", "kW": "power"}
_SCALES = {"m": 1e-3, "u": 1e-6, "k": 1e3}
_WORDS = {"low": "min", "high": "max", "emerg": "emergency", "crit low": "lcrit"}
_MEASURES = ("celsius", "rpm", "volts", "amps", "watts", "percent")
_OPTIONAL = frozenset({*_MEASURES, "low", "high", "critical", "alarm", "intrusion"})

_Files = dict[str, float | None]
_Chips = dict[str, dict[str, _Files]]


def question(parameters: Mapping[str, Any]) -> str:
    """Every reading and limit of every chip, raw."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per sensor, named CHIP/LABEL."""
    if answer.status is not None and answer.status >= 128:
        raise UnreadableAnswer(f"sensors ended by a signal (exit status {answer.status})")
    if "No sensors found" in remark(answer) or answer.stdout.lstrip().startswith(b"No sensors found"):
        return NotMeasured("lm-sensors finds no sensor: no hardware that its drivers know")
    if (why := no_tool(answer) or refusal(answer)) is not None:
        return why
    chips = _chips(text_of(answer))
    wanted = parameters.get("kinds") or [kind for kind, _ in _KINDS.values()]
    subjects = {
        one.subject: one
        for chip, labels in chips.items()
        for one in _of_chip(chip, labels)
        if one.facts["kind"] in wanted
    }
    if not subjects:
        return NotMeasured("no chip that lm-sensors knows has such a sensor")
    return Measured(tuple(subjects.values()))


def _chips(text: str) -> _Chips:
    """Chip -> label -> the kernel's names of its files -> values; None where a value could not be read."""
    start = text.lstrip()
    if start.startswith("{") or '"Adapter"' in text:
        listed = _from_lists(text)
        return listed if listed is not None else _from_json(text)
    chips = _from_text(text)
    if not chips:
        raise UnreadableAnswer(f"this is not a report of sensors: {start[:80]!r}")
    return chips


def _from_json(text: str) -> _Chips:
    """`sensors -j`, read piece by piece: it may lack or double commas, hold `nan` and text of errors, or be several
    documents in a row. What is not whole at its end is refused."""
    chips: _Chips = {}
    path: list[str] = []
    seen = False
    for token in _TOKEN.finditer(text):
        name, opens, number, _string, brace = token.groups()
        if opens or brace == "{":
            path.append(name or "")
            seen = True
            if len(path) == 2:
                chips.setdefault(path[1], {})
        elif brace == "}":
            if not path:
                raise UnreadableAnswer("the JSON of sensors has a brace too many")
            path.pop()
        elif number is not None and len(path) == 3:
            chips.setdefault(path[1], {}).setdefault(path[2], {})[name] = _finite(number)
    if path or not seen:
        raise UnreadableAnswer("the JSON of sensors ends in the middle")
    if re.sub(r"[\s{},]", "", text) and not chips:
        raise UnreadableAnswer("this JSON is no report of sensors")
    return chips


def _finite(number: str) -> float | None:
    try:
        value = float(number)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _from_lists(text: str) -> _Chips | None:
    """chip -> list of {label, current, high, critical}; what has neither of the limits' names is a fan."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not any(isinstance(one, list) for one in document.values()):
        return None
    chips: _Chips = {}
    for chip, entries in document.items():
        for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
            if not isinstance(entry, dict) or "current" not in entry:
                raise UnreadableAnswer(f"chip {str(chip)[:40]!r}: an entry is no sensor")
            prefix = "temp" if {"high", "critical"} & entry.keys() else "fan"
            values = {"input": entry["current"], "max": entry.get("high"), "crit": entry.get("critical")}
            files = {f"{prefix}{number}_{kind}": _number(value) for kind, value in values.items()}
            labels = chips.setdefault(str(chip), {})
            label = str(entry.get("label") or "") or f"{prefix}{number}"
            labels.setdefault(label, {}).update(files)
    return chips


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9
    return float(value) if usable else None


def _from_text(text: str) -> _Chips:
    """`sensors -u` and plain `sensors`: a chip's name, its adapter, its sensors; an empty line ends it."""
    chips: _Chips = {}
    chip = label = ""
    for line in text.split("\n"):
        if not line.strip():
            chip = label = ""
        elif line.startswith("Adapter:"):
            continue
        elif chip:
            label = _sensor_line(chips[chip], label, line)
        elif re.fullmatch(r"[^\s:{}<>]+", line.strip()):
            chip = line.strip()
            chips.setdefault(chip, {})
        elif not _stray(line):
            raise UnreadableAnswer(f"this is not a report of sensors: {line[:80]!r}")
    return chips


def _sensor_line(labels: dict[str, _Files], label: str, line: str) -> str:
    """One line within a chip; gives the label of the sensor that it is about."""
    if (raw := _RAW.fullmatch(line)) is not None and label:
        labels.setdefault(label, {})[raw[1]] = _finite(raw[2])
    elif line[:1].strip() and line.rstrip().endswith(":"):
        label = line.rstrip()[:-1]
        labels.setdefault(label, {})
    elif (plain := _PLAIN.fullmatch(line)) is not None and line[:1].strip():
        label = plain[1].strip()
        labels.setdefault(label, {}).update(_plain(label, plain[2], len(labels)))
    elif label and line.lstrip().startswith("("):
        _limits(labels[label], line)
    return label


def _stray(line: str) -> bool:
    return line.startswith(("ERROR", "Can't", "sensors", "Try ", "Warning", "WARNING"))


def _plain(label: str, said: str, number: int) -> _Files:
    """One line of plain `sensors`: the reading, its limits in parentheses, and ALARM where one was passed."""
    if label.startswith("intrusion"):
        return {f"intrusion{number}_alarm": {"ALARM": 1.0, "OK": 0.0}.get(said.split()[0])}
    found = _READING.match(said)
    if found is None:
        return {f"{_guess(label)}{number}_input": None} if said.startswith(("N/A", "FAULT")) else {}
    prefix = "temp" if found[2][-1] in "CF" else _UNITS.get(found[2], "in")
    scale = _SCALES.get(found[2][0], 1.0) if len(found[2]) == 2 and prefix != "temp" else 1.0
    value = float(found[1])
    if found[2].endswith("F") and prefix == "temp":
        return {f"temp{number}_input": round((value - 32) / 1.8, 1)}
    files: _Files = {f"{prefix}{number}_input": round(value * scale, 6)}
    _limits(files, said)
    if "ALARM" in said:
        files[f"{prefix}{number}_alarm"] = 1.0
    return files


def _guess(label: str) -> str:
    return "fan" if "fan" in label.lower() else "in" if label.lower().startswith(("in", "+", "v")) else "temp"


def _limits(files: _Files, said: str) -> None:
    prefix = next(iter(files), "temp1_").partition("_")[0]
    for kind, value, unit in _LIMIT.findall(said):
        scale = _SCALES.get(unit[0], 1.0) if unit in _UNITS and len(unit) == 2 and unit != "RH" else 1.0
        files.setdefault(f"{prefix}_{_WORDS.get(kind, kind)}", round(float(value) * scale, 6))


# --- one sensor ------------------------------------------------------------------------------------------------------


def _of_chip(chip: str, labels: Mapping[str, _Files]) -> Iterator[SubjectFacts]:
    for label, files in labels.items():
        sensors: dict[str, tuple[str, _Files]] = {}
        for file, value in files.items():
            if (found := _FILE.fullmatch(file)) is not None:
                sensors.setdefault(found[1] + found[2], (found[1], {}))[1][found[3]] = value
        for name, (prefix, own) in sensors.items():
            unique = label if len(sensors) == 1 else f"{label} ({name})"
            yield _subject(f"{chip}/{unique}", chip, label, prefix, own)


def _subject(subject: str, chip: str, label: str, prefix: str, files: _Files) -> SubjectFacts:
    kind, measure = _KINDS[prefix]
    facts: dict[str, Any] = {"kind": kind, "chip": chip, "label": label}
    if kind == "intrusion":
        alarm = files.get("alarm")
        if alarm is None:
            return SubjectFacts(subject, facts, why_not="the sensor gives no reading")
        return SubjectFacts(subject, facts | {"intrusion": alarm != 0}, _OPTIONAL - {"intrusion"})
    value = files["input"] if files.get("input") is not None else files.get("average")
    if files.get("fault"):
        return SubjectFacts(subject, facts, why_not="the sensor says that it is faulty")
    if value is None:
        return SubjectFacts(subject, facts, why_not="the sensor gives no reading")
    if kind == "temperature" and not COLDEST < value < HOTTEST:
        return SubjectFacts(subject, facts, why_not=f"the sensor reads {value} °C: nothing is connected to it")
    low, high, critical = _range(kind, files)
    facts |= present(low=low, high=high, critical=critical, alarm=_alarm(files, low, high, critical))
    facts[measure] = value
    return SubjectFacts(subject, facts, _OPTIONAL - facts.keys())


def _range(kind: str, files: _Files) -> tuple[float | None, float | None, float | None]:
    """The limits that somebody has set: chips come up with 0, with what no sensor can read, or with the lower one
    above the upper one."""
    low, high, critical = files.get("min"), files.get("max"), files.get("crit")
    if kind == "temperature":
        high = high if high is not None and 0 < high < 2 * HOTTEST else None
        critical = critical if critical is not None and 0 < critical < 2 * HOTTEST else None
        low = low if low is not None and low >= COLDEST else None
    elif kind == "fan":
        low, high = low or None, high or None
    if low is not None and high is not None and low >= high:
        return None, None, critical
    return low, (high if kind == "temperature" or high else None), critical or None


def _alarm(files: _Files, *limits: float | None) -> bool | None:
    """Whether the chip itself says that a limit was passed; nothing where no limit was set."""
    said = [value for name, value in files.items() if name.endswith("alarm") and value is not None]
    if not said or all(limit is None for limit in limits):
        return None
    return any(said)


PROBE = Probe(
    name="lm-sensors",
    title="Sensors of the main board (lm-sensors)",
    facts={
        "kind": Fact("str", "temperature, fan, voltage, current, power, humidity or intrusion"),
        "chip": Fact("str", "the chip that measures, in lm-sensors' words"),
        "label": Fact("str", "what the sensor is called"),
        "celsius": Fact("float", "what a temperature sensor reads", "degrees Celsius"),
        "rpm": Fact("float", "what a fan reads", "revolutions per minute"),
        "volts": Fact("float", "what a voltage reads", "volts"),
        "amps": Fact("float", "what a current reads", "amperes"),
        "watts": Fact("float", "what a power reads", "watts"),
        "percent": Fact("float", "what a humidity reads", "percent"),
        "low": Fact("float", "its lower limit, where one was set", "that of the reading"),
        "high": Fact("float", "its upper limit, where one was set", "that of the reading"),
        "critical": Fact("float", "its critical limit, where one was set", "that of the reading"),
        "alarm": Fact("bool", "the chip says that a limit was passed; not offered where none was set"),
        "intrusion": Fact("bool", "the chassis is or was open"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={
        "kinds": Parameter([], f"only these kinds ({', '.join(one for one, _ in _KINDS.values())}); empty: all of them")
    },
)
