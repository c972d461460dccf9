"""What a server's management controller thinks of the whole: systems, chassis and managers (Redfish)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maintops.probes.contract import Fact, Presence, Probe, Reach
from maintops.probes.redfish import (
    ASK,
    GENERAL,
    Document,
    Found,
    Resource,
    asking,
    health_of,
    kind_of,
    look,
    number,
    reader,
    recording,
    state_of,
    text,
    whole,
)

_KINDS = {"ComputerSystem": "system", "Chassis": "chassis", "Manager": "manager"}
_DEEPEST = 5
_MOST_PARTS = 30
_CLOSED = {"normal": False, "hardwareintrusion": True, "tamperingdetected": True}

FACTS = {
    **GENERAL,
    "health_rollup": Fact("str", "OK, Warning or Critical: the worst of it and its parts"),
    "not_ok": Fact("list", "parts of its own that are not OK, as PART: HEALTH; and what it says is the matter"),
    "model": Fact("str", "model of the server, chassis or controller"),
    "manufacturer": Fact("str", "who made it"),
    "serial": Fact("str", "its serial number"),
    "power_state": Fact("str", "On, Off, PoweringOn, …"),
    "firmware": Fact("str", "version of a system's BIOS or a manager's firmware"),
    "memory_gib": Fact("float", "memory of a system", "GiB"),
    "processors": Fact("int", "processors of a system"),
    "intrusion": Fact("bool", "the chassis was opened"),
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """Systems, chassis and managers."""
    for path, one in document.of(*_KINDS):
        kind = _KINDS[kind_of(path, one)]
        yield Found(path, kind, one, _facts(kind, one))


def _facts(kind: str, one: Resource) -> dict[str, Any]:
    rollup = next((said for name in ("HealthRollup", "HealthRollUp") if (said := _said(one, name))), None)
    seal = (text(one, "PhysicalSecurity", "IntrusionSensor") or "").lower()
    return {
        "health_rollup": rollup,
        "not_ok": [*_conditions(one), *_parts(one, "", _DEEPEST)][:_MOST_PARTS],
        "model": text(one, "Model"),
        "manufacturer": text(one, "Manufacturer"),
        "serial": text(one, "SerialNumber"),
        "power_state": text(one, "PowerState"),
        "firmware": text(one, "FirmwareVersion" if kind == "manager" else "BiosVersion"),
        "memory_gib": number(one, "MemorySummary", "TotalSystemMemoryGiB") or None,  # 0: it does not know
        "processors": whole(one, "ProcessorSummary", "Count") or None,
        "intrusion": _CLOSED.get(seal),
    }


def _said(one: Resource, name: str) -> str | None:
    return health_of({"Status": {"Health": look(one, "Status", name)}})


def _conditions(one: Resource) -> Iterator[str]:
    said = look(one, "Status", "Conditions")
    for condition in said if isinstance(said, list) else []:
        message = text(condition, "Message") or text(condition, "MessageId")
        if message and text(condition, "Severity") != "OK":
            yield message[:300]


def _parts(value: Any, name: str, levels: int) -> Iterator[str]:
    """Parts that a resource sums up, with a Status of their own; those of makers too."""
    if not isinstance(value, dict) or levels == 0:
        return
    if name:
        health = health_of(value)
        if health not in (None, "OK") and (state_of(value) or "").lower() not in ("absent", "disabled"):
            yield f"{name}: {health}"
    for key, inner in value.items():
        if key not in ("Status", "Links"):
            yield from _parts(inner, key, levels - 1)


PROBE = Probe(
    name="redfish-health",
    title="What the management controller thinks of the whole server (Redfish)",
    facts=FACTS,
    question=asking("systems", "chassis", "managers"),
    read=reader(find, FACTS, tuple(_KINDS), "system, chassis or manager"),
    presence=Presence.LASTING,
    parameters={"ask": ASK},
    recording=recording,
    reach=Reach.REDFISH,
)
