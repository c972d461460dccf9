"""Temperatures, fans and other sensors of the management controller, with their thresholds (Redfish).

Read are Sensor and Fan of the newer ThermalSubsystem, and the older Thermal. The controller's judgement and the
thresholds are both heard: some call a reading OK that is past every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maintops.probes.contract import Fact, Presence, Probe, Reach
from maintops.probes.redfish import (
    ASK,
    GENERAL,
    KINDS,
    Document,
    Found,
    Resource,
    asking,
    inline,
    number,
    reader,
    recording,
    text,
)
from maintops.probes.redfish_levels import OWED, SIDES, limit_facts

_HOTTEST, _COLDEST = 250.0, -60.0
_KINDS = {
    "temperature": "temperature",
    "rotational": "fan",
    "voltage": "voltage",
    "current": "current",
    "power": "power",
    "humidity": "humidity",
    "frequency": "frequency",
    "energykwh": "energy",
    "energyjoules": "energy",
}
_UNITS = {"cel": "temperature", "c": "temperature", "rpm": "fan", "{rev}/min": "fan", "v": "voltage", "a": "current"}
_UNITS |= {"w": "power", "kw.h": "energy", "kwh": "energy", "j": "energy", "hz": "frequency"}
_VOLTS, _WATTS = ("ReadingVolts", "V"), ("PowerConsumedWatts", "W")
_SPEEDS = ("rpm", "{rev}/min")
_PERCENT = ("percent", "%")

FACTS = {
    **GENERAL,
    "level": Fact("str", "ok, warning or critical, by its thresholds and by the controller's judgement"),
    "reading": Fact("float", "what it reads", "that of `unit`"),
    "unit": Fact("str", "Cel, RPM, %, V, W, …"),
    "celsius": Fact("float", "a temperature", "degrees Celsius"),
    "rpm": Fact("float", "speed of a fan", "revolutions per minute"),
    "percent": Fact("float", "speed of a fan, of its fastest", "percent"),
    "context": Fact("str", "where it measures: CPU, Intake, Exhaust, PowerSupply, …"),
    **{side: Fact("float", f"threshold: {side.replace('_', ' ')}", "that of `unit`") for side in SIDES},
    "redundancy_mode": Fact("str", "N+m, Failover, Sharing, NotRedundant, … of a set of fans"),
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """Sensors, fans, and sets of fans."""
    for path, one in document.of("Thermal"):
        yield from _older(path, one)
    for path, one in document.of("Sensor"):
        yield _sensor(path, one)
    for path, one in document.of("Fan"):
        yield Found(path, "fan", one, _fan(one), OWED)
    for path, one in document.of("ThermalSubsystem"):
        for place, part in inline(path, "FanRedundancy", one):
            yield Found(place, "redundancy", part, {"redundancy_mode": text(part, "RedundancyType")})
    for path, one in document.of("Power") if document.bare else ():  # a person asked; else redfish-power reads it
        yield from _of_power(path, one)


def _of_power(path: str, one: Resource) -> Iterator[Found]:
    for folder, kind, key, unit in (("Voltages", "voltage", *_VOLTS), ("PowerControl", "power", *_WATTS)):
        for place, part in inline(path, folder, one):
            reading = number(part, key)
            facts = {"reading": reading, "unit": unit, "context": text(part, "PhysicalContext")}
            yield Found(place, kind, part, facts | limit_facts(part, reading), OWED)


def _older(path: str, one: Resource) -> Iterator[Found]:
    for place, part in _by_name(path, "Temperatures", one):
        said = number(part, "ReadingCelsius")
        celsius = said if _is_there(part) and said is not None and _COLDEST < said < _HOTTEST else None
        facts = {"celsius": celsius, "reading": celsius, "unit": "Cel", "context": text(part, "PhysicalContext")}
        yield Found(place, "temperature", part, facts | limit_facts(part, celsius), OWED)
    for place, part in _by_name(path, "Fans", one):
        speed = number(part, "Reading") if _is_there(part) else None
        speed = speed if speed is not None else number(part, "CurrentReading")
        unit = text(part, "ReadingUnits") or text(part, "Units") or ""
        facts = {"context": text(part, "PhysicalContext"), **_speed(speed, unit)}
        yield Found(place, "fan", part, facts | limit_facts(part, speed), OWED)
    for place, part in inline(path, "Redundancy", one):
        yield Found(place, "redundancy", part, {"redundancy_mode": text(part, "Mode")})


def _by_name(path: str, folder: str, one: Resource) -> Iterator[tuple[str, Resource]]:
    """Sensors by their names, which say more than their places and stay when another one is added."""
    parts = list(inline(path, folder, one))
    names = [text(part, "Name") or text(part, "FanName") or "" for _, part in parts]
    for (place, part), name in zip(parts, names, strict=True):
        clear = name and names.count(name) == 1 and "/" not in name
        yield f"{path.rstrip('/')}/{folder}/{name}" if clear else place, part


def _is_there(one: Resource) -> bool:
    return (text(one, "Status", "State") or "Enabled") not in ("Absent", "Disabled")


def _sensor(path: str, one: Resource) -> Found:
    unit = text(one, "ReadingUnits") or text(one, "ReadingType") or ""
    kind = _KINDS.get((text(one, "ReadingType") or "").lower()) or _UNITS.get(unit.lower(), "other")
    context = text(one, "PhysicalContext")
    if kind == "other" and unit.lower() in _PERCENT and (context == "Fan" or "fan" in str(one.get("Name")).lower()):
        kind = "fan"
    reading = number(one, "Reading") if _is_there(one) else None
    facts: dict[str, Any] = {"reading": reading, "unit": text(one, "ReadingUnits"), "context": context}
    if kind == "temperature" and unit.lower() in ("cel", "c", "temperature"):
        facts["celsius"] = reading
    if kind == "fan":
        facts |= _speed(reading, unit)
    return Found(path, kind, one, facts | limit_facts(one, reading), OWED)


def _speed(reading: float | None, unit: str) -> dict[str, Any]:
    known = {"reading": reading, "unit": unit or None}
    if unit.lower() in _SPEEDS:
        return known | {"rpm": reading}
    return known | ({"percent": reading} if unit.lower() in _PERCENT else {})


def _fan(one: Resource) -> dict[str, Any]:
    percent, rpm = number(one, "SpeedPercent"), number(one, "SpeedPercent", "SpeedRPM")
    facts = {"percent": percent, "rpm": rpm, "reading": percent, "unit": "%", "context": text(one, "PhysicalContext")}
    return facts | limit_facts(one, None)


PROBE = Probe(
    name="redfish-thermal",
    title="Temperatures, fans and other sensors, by the management controller (Redfish)",
    facts=FACTS,
    question=asking("thermal"),
    read=reader(find, FACTS, ("Thermal", "Sensor", "Fan", "ThermalSubsystem"), "temperatures or fans"),
    presence=Presence.LASTING,
    parameters={"ask": ASK, "kinds": KINDS},
    recording=recording,
    reach=Reach.REDFISH,
)
