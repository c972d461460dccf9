"""Power supplies, their redundancy, batteries and voltages, as the management controller sees them (Redfish).

Read are the newer PowerSubsystem and the older Power. A chassis that has both says the same twice: its supplies are
then those of the newer one.
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
    whole,
)
from maintops.probes.redfish_levels import OWED, SIDES, limit_facts

_NO_INPUT = {"normal": False, "inrange": False, "lossofinput": True, "outofrange": True}
_INPUT_LOST = ("powersupplymissingpower", "nopower", "inputlost", "lossofinput", "acfail")

FACTS = {
    **GENERAL,
    "model": Fact("str", "model of a supply"),
    "serial": Fact("str", "its serial number"),
    "firmware": Fact("str", "version of its firmware"),
    "capacity_watts": Fact("float", "what a supply, or the whole chassis, can give", "watts"),
    "output_watts": Fact("float", "what a supply gives", "watts"),
    "input_volts": Fact("float", "what a supply gets", "volts"),
    "input_lost": Fact("bool", "a supply gets no power, or the wrong one"),
    "consumed_watts": Fact("float", "what the chassis uses", "watts"),
    "redundancy_mode": Fact("str", "N+m, Failover, Sharing, NotRedundant, … of a set of supplies"),
    "redundancy_needed": Fact("int", "supplies that a set needs at least"),
    "redundancy_most": Fact("int", "supplies that a set can have"),
    "redundancy_members": Fact("int", "supplies that a set has"),
    "volts": Fact("float", "what a voltage reads", "volts"),
    "charge_percent": Fact("float", "how full a battery is", "percent"),
    "level": Fact("str", "ok, warning or critical: a voltage, by its thresholds and by the controller's judgement"),
    **{side: Fact("float", f"threshold of a voltage: {side.replace('_', ' ')}", "volts") for side in SIDES},
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """Supplies, sets of them, batteries, voltages and what the chassis uses."""
    newer = set()
    for path, one in document.of("PowerSupply"):
        newer.add(_chassis(path))
        yield Found(path, "supply", one, _supply(one, document.below(path, "Metrics")))
    for path, one in document.of("PowerSubsystem"):
        for place, part in inline(path, "PowerSupplyRedundancy", one):
            yield Found(place, "redundancy", part, _redundancy(part))
    for path, one in document.of("Battery"):
        yield Found(path, "battery", one, _identity(one) | {"charge_percent": number(one, "ChargePercent")})
    for path, one in document.of("Power"):
        yield from _older(path, one, with_supplies=_chassis(path) not in newer)


def _chassis(path: str) -> str:
    return "/".join(path.split("/")[:5])


def _older(path: str, one: Resource, *, with_supplies: bool) -> Iterator[Found]:
    if with_supplies:
        for place, part in inline(path, "PowerSupplies", one):
            yield Found(place, "supply", part, _supply(part, {}))
        for place, part in inline(path, "Redundancy", one):
            yield Found(place, "redundancy", part, _redundancy(part))
    for place, part in inline(path, "Voltages", one):
        volts = number(part, "ReadingVolts")
        yield Found(place, "voltage", part, {"volts": volts, **limit_facts(part, volts)}, OWED)
    for place, part in inline(path, "PowerControl", one):
        used, most = number(part, "PowerConsumedWatts"), number(part, "PowerCapacityWatts")
        facts = {"consumed_watts": used, "capacity_watts": most or None}
        yield Found(place, "consumption", part, facts, frozenset())


def _supply(one: Resource, metrics: Resource) -> dict[str, Any]:
    output = number(one, "PowerOutputWatts")
    output = output if output is not None else number(one, "LastPowerOutputWatts")
    volts = number(one, "LineInputVoltage")
    return {
        **_identity(one),
        "capacity_watts": number(one, "PowerCapacityWatts"),
        "output_watts": output if output is not None else number(metrics, "OutputPowerWatts"),
        "input_volts": volts if volts is not None else number(metrics, "InputVoltage"),
        "input_lost": _input_lost(one),
    }


def _input_lost(one: Resource) -> bool | None:
    said = (text(one, "LineInputStatus") or "").lower()
    maker = (text(one, "Oem", "Hpe", "PowerSupplyStatus", "State") or "").lower()
    return True if maker in _INPUT_LOST else _NO_INPUT.get(said)


def _redundancy(one: Resource) -> dict[str, Any]:
    members = one.get("RedundancySet", one.get("RedundancyGroup"))
    needed, most = whole(one, "MinNumNeeded"), whole(one, "MaxNumSupported")
    return {
        "redundancy_mode": text(one, "Mode") or text(one, "RedundancyType"),
        "redundancy_needed": needed if needed is not None else whole(one, "MinNeededInGroup"),
        "redundancy_most": most if most is not None else whole(one, "MaxSupportedInGroup"),
        "redundancy_members": len(members) if isinstance(members, list) else None,
    }


def _identity(one: Resource) -> dict[str, Any]:
    return {
        "model": text(one, "Model"),
        "serial": text(one, "SerialNumber"),
        "firmware": text(one, "FirmwareVersion"),
    }


PROBE = Probe(
    name="redfish-power",
    title="Power supplies and voltages, by the management controller (Redfish)",
    facts=FACTS,
    question=asking("power"),
    read=reader(find, FACTS, ("PowerSupply", "PowerSubsystem", "Battery", "Power"), "power supplies"),
    presence=Presence.LASTING,
    parameters={"ask": ASK, "kinds": KINDS},
    recording=recording,
    reach=Reach.REDFISH,
)
