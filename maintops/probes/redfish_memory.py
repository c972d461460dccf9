"""Memory modules as the management controller sees them (Redfish), and a system's sum of them."""

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
    number,
    reader,
    recording,
    text,
    whole,
)

FACTS = {
    **GENERAL,
    "capacity_mib": Fact("int", "size of a module", "MiB"),
    "type": Fact("str", "DDR4, DDR5, …"),
    "speed_mhz": Fact("int", "the speed it runs at", "MHz"),
    "manufacturer": Fact("str", "who made it"),
    "part_number": Fact("str", "its maker's number for its kind"),
    "serial": Fact("str", "its serial number"),
    "maker_status": Fact("str", "what HPE says of a module: GoodInUse, NotPresent, Degraded, MapOutError, …"),
    "total_gib": Fact("float", "memory of the whole system", "GiB"),
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """Modules, and the summary of each system."""
    for path, one in document.of("Memory"):
        yield Found(path, "module", one, _module(one))
    for path, one in document.of("ComputerSystem"):
        summary = one.get("MemorySummary")
        if isinstance(summary, dict) and summary:
            total = number(summary, "TotalSystemMemoryGiB") or None  # 0 while the server is off
            yield Found(path, "system", {"Name": text(one, "Name"), **summary}, {"total_gib": total}, frozenset())


def _module(one: Resource) -> dict[str, Any]:
    size, speed = whole(one, "CapacityMiB"), whole(one, "OperatingSpeedMhz")
    return {
        "capacity_mib": size or whole(one, "SizeMB") or None,  # 0: the controller does not know
        "type": text(one, "MemoryDeviceType") or text(one, "DIMMType"),
        "speed_mhz": speed or whole(one, "MaximumFrequencyMHz") or None,
        "manufacturer": text(one, "Manufacturer"),
        "part_number": text(one, "PartNumber"),
        "serial": text(one, "SerialNumber"),
        "maker_status": text(one, "Oem", "Hpe", "DIMMStatus") or text(one, "DIMMStatus"),
    }


PROBE = Probe(
    name="redfish-memory",
    title="Memory modules, by the management controller (Redfish)",
    facts=FACTS,
    question=asking("memory"),
    read=reader(find, FACTS, ("Memory",), "memory"),
    presence=Presence.LASTING,
    parameters={"ask": ASK},
    recording=recording,
    reach=Reach.REDFISH,
)
