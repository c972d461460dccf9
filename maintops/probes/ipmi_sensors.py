"""What the server's management controller (BMC) measures: temperatures, fans, voltages, power supplies, drives, …

One call of ipmitool gives everything: `-c -v sdr elist` prints thresholds, verdicts and states in words while it walks
through the sensors once. Any other form of ipmitool's lists of sensors is read as well (maintops.probes.ipmitool).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maintops.domain.answers import Answer, Measured, NotMeasured, Reading, SubjectFacts, UnreadableAnswer
from maintops.probes.answering import present, text_of
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.ipmi_words import (
    BATTERY,
    CHASSIS,
    DRIVE,
    MEMORY,
    POWER_SUPPLY,
    PROCESSOR,
    REDUNDANCY,
    Severity,
    redundancy_of,
    says_failed,
    says_input_lost,
    says_present,
    severity_of,
    states_of,
    worst_of,
)
from maintops.probes.ipmitool import THRESHOLDS, Sensor, interrupted, sensors, unasked

_QUESTION = """command -v ipmitool >/dev/null 2>&1 || { echo 'ipmitool: not found' >&2; exit 127; }
ipmitool -c -v sdr elist
"""
KINDS = (
    *("temperature", "fan", "voltage", "current", "power", "power_supply", "drive", "memory", "processor", "battery"),
    *("intrusion", "network", "other"),
)
"""What a sensor can be about."""

_TYPES = {
    "temperature": "temperature",
    "voltage": "voltage",
    "current": "current",
    "fan": "fan",
    "cooling device": "fan",
    "physical security": "intrusion",
    "processor": "processor",
    "power supply": "power_supply",
    "power unit": "power_supply",
    "memory": "memory",
    "drive slot / bay": "drive",
    "battery": "battery",
    "lan": "network",
}
_UNITS = {
    "degrees c": "temperature",
    "degrees f": "temperature",
    "degrees k": "temperature",
    "rpm": "fan",
    "cfm": "fan",
    "volts": "voltage",
    "amps": "current",
    "watts": "power",
}
_MEASURES = {"degrees c": "celsius", "rpm": "rpm", "volts": "volts", "amps": "amps", "watts": "watts"}
_ENTITIES = {"10": "power_supply", "19": "power_supply", "29": "fan", "30": "fan", "4": "drive", "26": "drive"}
_ENTITIES |= {"8": "memory", "32": "memory", "40": "battery"}
_NAMES = (
    ("intrusion", re.compile(r"intru|chassis open|physical sc", re.I)),
    ("fan", re.compile(r"(?:\b|_)fan(?:s|[a-z])?(?:\b|[0-9_])", re.I)),
    ("temperature", re.compile(r"temp|therm", re.I)),
    (
        "power_supply",
        re.compile(r"\b(?:PSU?|P/S)[ _-]?\d|power suppl|\b(?:PS|PSU|power|pwr).*redund", re.I),
    ),
    ("memory", re.compile(r"\bmem(?:ory)?[ _]|dimm|\bECC\b", re.I)),
    ("drive", re.compile(r"\bDr_Stat|\bdrive|\bHDD|\bSSD|\bdisk|\bNVMe", re.I)),
    ("battery", re.compile(r"batt|megacell", re.I)),
    ("processor", re.compile(r"\bCPU|\bproc", re.I)),
    ("network", re.compile(r"\bLOM_|\bNIC|\bLAN\b", re.I)),
)
# Of a discrete sensor `ipmitool sensor` gives bits alone. Only names that can mean but one type of IPMI are decoded.
_DECODED = (
    (re.compile(r"(?:power supplies|fans|.*redund\w*)", re.I), REDUNDANCY),
    (re.compile(r"(?:PSU?|P/S|power supply)[ _-]?[0-9a-z]{0,2}(?:[ _-]?(?:status|state|stat))?", re.I), POWER_SUPPLY),
    (re.compile(r"(?:chassis[ _-]?)?intru\w*", re.I), CHASSIS),
    (re.compile(r"Dr_Stat\w*|(?:drive|HDD|SSD|disk)[ _-]?[0-9]{1,3}(?:[ _-]?(?:status|state|stat))?", re.I), DRIVE),
    (re.compile(r"mem(?:ory)?[ _]stat\w*", re.I), MEMORY),
    (re.compile(r"CPU[0-9]{0,2}[ _]stat\w*", re.I), PROCESSOR),
    (re.compile(r"megacell status|(?:\w+ )?battery(?: status)?", re.I), BATTERY),
)
_LEVELS: dict[str, Severity] = {
    "ok": "ok",
    "non_critical": "warning",
    "critical": "critical",
    "non_recoverable": "critical",
}
_OF_READINGS = frozenset({"status", "reading", "unit", *THRESHOLDS, *_MEASURES.values()})
_OF_STATES = frozenset({"states", "state_hex", "redundancy", "present", "failed", "input_lost", "intrusion"})


def question(parameters: Mapping[str, Any]) -> str:
    """Every sensor. What kinds are looked at is the reader's business: the BMC is asked for all of them anyway."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per sensor, by its name; of two with one name each also has its number."""
    if (why := unasked(answer)) is not None:
        return why
    found = sensors(text_of(answer))
    if interrupted(answer):
        raise UnreadableAnswer("ipmitool lost the BMC in the middle of its list: what is missing is not gone")
    wanted = _wanted(parameters)
    subjects = []
    for name, sensor in _named(found):
        kind = kind_of(sensor)
        if not wanted or kind in wanted:
            subjects.append(subject_of(name, kind, sensor))
    if not subjects:
        return NotMeasured(f"the BMC has no sensor of the kind {' or '.join(sorted(wanted))}")
    return Measured(tuple(subjects))


def _wanted(parameters: Mapping[str, Any]) -> set[str]:
    kinds = parameters.get("kinds") or []
    return {kinds} if isinstance(kinds, str) else {str(kind) for kind in kinds}


def _named(found: list[Sensor]) -> list[tuple[str, Sensor]]:
    """Of several with one name each is told apart by its number, else by the part it sits in, else by its turn."""
    alike: dict[str, list[Sensor]] = {}
    for one in found:
        alike.setdefault(one.name, []).append(one)
    named: dict[str, Sensor] = {}
    for name, sensors_of_it in alike.items():
        for mark, sensor in zip(_marks(sensors_of_it), sensors_of_it, strict=True):
            unique = name + mark
            while unique in named:
                unique += "'"
            named[unique] = sensor
    return list(named.items())


def _marks(alike: list[Sensor]) -> list[str]:
    if len(alike) == 1:
        return [""]
    numbers = [f" (0x{one.number:02x})" for one in alike if one.number is not None]
    entities = [f" ({one.entity})" for one in alike if one.entity]
    turns = [f" ({turn})" for turn in range(1, len(alike) + 1)]
    return next((marks for marks in (numbers, entities) if len(set(marks)) == len(alike)), turns)


def kind_of(sensor: Sensor) -> str:
    """What a sensor is about: by its type, else its unit, else the part it sits in, else its name. A power supply
    whose states come with a reading is no mere reading."""
    if (kind := _TYPES.get(sensor.type.lower())) is not None:
        return kind
    measured = _UNITS.get(sensor.unit.lower())
    if measured is not None and sensor.states is None:
        return measured
    if (kind := _ENTITIES.get(sensor.entity.partition(".")[0].strip())) is not None and sensor.states is not None:
        return kind
    named = next((kind for kind, pattern in _NAMES if pattern.search(sensor.name)), None)
    return named or measured or "other"


def subject_of(name: str, kind: str, sensor: Sensor) -> SubjectFacts:
    """The facts of one sensor: those of a reading with thresholds, or those of states."""
    if sensor.why_not is not None:
        return SubjectFacts(name, {"kind": kind}, why_not=sensor.why_not)
    if sensor.states is not None or sensor.bits is not None:
        return _discrete(name, kind, sensor)
    if sensor.reading is None and sensor.status is None:  # sdr list tells nothing of a discrete sensor
        return SubjectFacts(name, {"kind": kind}, why_not="this list does not say which states are asserted")
    facts = present(kind=kind, status=sensor.status, reading=sensor.reading, unit=sensor.unit or None)
    facts |= sensor.thresholds
    if sensor.status is not None:
        facts["severity"] = _LEVELS[sensor.status]
    if (measure := _MEASURES.get(sensor.unit.lower())) is not None and sensor.reading is not None:
        facts[measure] = sensor.reading
    absent = {*THRESHOLDS, *_MEASURES.values(), "unit"} - facts.keys()
    if sensor.reading is None:
        absent -= set(_MEASURES.values())
    return SubjectFacts(name, facts, frozenset(absent | _OF_STATES))


def _discrete(name: str, kind: str, sensor: Sensor) -> SubjectFacts:
    states = sensor.states
    if states is None and sensor.bits is not None and (table := _table(sensor.name)) is not None:
        states = states_of(sensor.bits, table)
    facts = present(kind=kind, states=states)
    if sensor.bits is not None:
        facts["state_hex"] = f"0x{sensor.bits:04x}"
    if sensor.reading is not None:
        facts |= present(reading=sensor.reading, unit=sensor.unit or None)
        if (measure := _MEASURES.get(sensor.unit.lower())) is not None:
            facts[measure] = sensor.reading
    offered = {"states", "severity"} | _about(kind, states)
    if states is not None:
        facts["severity"] = worst_of([severity_of(one) for one in states])
        facts |= {key: value for key, value in _meaning(states).items() if key in offered}
    return SubjectFacts(name, facts, (_OF_READINGS | _OF_STATES) - facts.keys() - offered)


def _table(name: str) -> tuple[str, ...] | None:
    return next((table for pattern, table in _DECODED if pattern.fullmatch(name)), None)


def _about(kind: str, states: list[str] | None) -> set[str]:
    """Which facts the states of a sensor can give."""
    if kind == "intrusion":
        return {"intrusion"}
    if states is not None and redundancy_of(states) is not None:
        return {"redundancy"}
    found = {"failed", "present"} if kind in ("power_supply", "drive") else set()
    return found | ({"input_lost"} if kind == "power_supply" else set())


def _meaning(states: list[str]) -> dict[str, Any]:
    return {
        "redundancy": redundancy_of(states),
        "present": any(says_present(one) for one in states),
        "failed": any(says_failed(one) for one in states),
        "input_lost": any(says_input_lost(one) for one in states),
        "intrusion": any("intrusion" in one.lower() for one in states),
    }


PROBE = Probe(
    name="ipmi-sensors",
    title="Sensors of the management controller (BMC)",
    facts={
        "kind": Fact("str", f"what it is about: {', '.join(KINDS)}"),
        "severity": Fact("str", "ok, warning or critical: the BMC's verdict over a reading, or its worst state"),
        "status": Fact("str", "ok, non_critical, critical or non_recoverable; only of readings"),
        "reading": Fact("float", "what it reads, in the unit that `unit` names"),
        "unit": Fact("str", "the unit of the reading and of the thresholds, in ipmitool's words"),
        "celsius": Fact("float", "the reading of a temperature", "degrees Celsius"),
        "rpm": Fact("float", "the reading of a fan", "revolutions per minute"),
        "volts": Fact("float", "the reading of a voltage", "volts"),
        "amps": Fact("float", "the reading of a current", "amperes"),
        "watts": Fact("float", "the reading of a power", "watts"),
        "lower_non_recoverable": Fact("float", "below this the hardware may be damaged", "that of the reading"),
        "lower_critical": Fact("float", "below this the BMC calls it critical", "that of the reading"),
        "lower_non_critical": Fact("float", "below this the BMC warns", "that of the reading"),
        "upper_non_critical": Fact("float", "above this the BMC warns", "that of the reading"),
        "upper_critical": Fact("float", "above this the BMC calls it critical", "that of the reading"),
        "upper_non_recoverable": Fact("float", "above this the hardware may be damaged", "that of the reading"),
        "states": Fact("list", "the asserted states of a sensor without thresholds, in words"),
        "state_hex": Fact("str", "its states as bits, the lowest bit the first state (`ipmitool sensor` alone)"),
        "redundancy": Fact("str", "full, degraded or lost; only of sensors that watch over it"),
        "present": Fact("bool", "the power supply or drive is said to be there"),
        "failed": Fact("bool", "the power supply or drive is said to have failed"),
        "input_lost": Fact("bool", "the power supply gets no power, or the wrong one"),
        "intrusion": Fact("bool", "the chassis is or was open"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
    parameters={"kinds": Parameter([], f"only sensors of these kinds ({', '.join(KINDS)}); empty: all of them")},
)
