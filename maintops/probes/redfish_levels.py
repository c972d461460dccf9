"""Readings against their thresholds, as Redfish gives both: in a Sensor, and in the older Thermal and Power."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maintops.probes.redfish import Resource, health_of, number

SIDES = ("lower_fatal", "lower_critical", "lower_caution", "upper_caution", "upper_critical", "upper_fatal")
"""Facts of thresholds, in rising order of what they stand for."""

_NEW = {
    "lower_fatal": "LowerFatal",
    "lower_critical": "LowerCritical",
    "lower_caution": "LowerCaution",
    "upper_caution": "UpperCaution",
    "upper_critical": "UpperCritical",
    "upper_fatal": "UpperFatal",
}
_OLD = {
    "lower_fatal": "LowerThresholdFatal",
    "lower_critical": "LowerThresholdCritical",
    "lower_caution": "LowerThresholdNonCritical",
    "upper_caution": "UpperThresholdNonCritical",
    "upper_critical": "UpperThresholdCritical",
    "upper_fatal": "UpperThresholdFatal",
}
OWED = frozenset({"level"})
"""What a sensor in use must have: a level. Its health alone need not be told."""

_RANK = {"ok": 0, "warning": 1, "critical": 2}


def thresholds(resource: Resource) -> dict[str, float]:
    """The thresholds that a sensor has, by the names of their facts.

    Controllers write 0 for one that is not set: an upper one of 0 or less is none, nor is a lower one of 0 (nothing
    that is counted, blown or heated is below it). Where a lower one is not below an upper one, none is believed.
    """
    found = {}
    for fact in SIDES:
        value = number(resource, "Thresholds", _NEW[fact], "Reading")
        value = value if value is not None else number(resource, _OLD[fact])
        if value is not None and (value > 0 or (fact.startswith("lower") and value < 0)):
            found[fact] = value
    lower = [value for fact, value in found.items() if fact.startswith("lower")]
    upper = [value for fact, value in found.items() if fact.startswith("upper")]
    return {} if lower and upper and max(lower) >= min(upper) else found


def level(reading: float | None, limits: Mapping[str, float], resource: Resource) -> str | None:
    """ok, warning or critical: the worse of the controller's judgement and of the thresholds; None: nobody can say."""
    health = health_of(resource)
    known = [] if health is None else [health.lower()]
    if reading is not None and limits:
        known.append(_passed(reading, limits))
    return max(known, key=_RANK.__getitem__, default=None)


def _passed(reading: float, limits: Mapping[str, float]) -> str:
    worst = "ok"
    for fact, limit in limits.items():
        beyond = reading <= limit if fact.startswith("lower") else reading >= limit
        if beyond:
            verdict = "warning" if fact.endswith("caution") else "critical"
            worst = max(worst, verdict, key=_RANK.__getitem__)
    return worst


def limit_facts(resource: Resource, reading: float | None) -> dict[str, Any]:
    """The facts that thresholds give: each of them, and the level."""
    limits = thresholds(resource)
    return {**limits, "level": level(reading, limits, resource)}
