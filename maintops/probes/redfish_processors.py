"""Processors and accelerators as the management controller sees them (Redfish), and a system's sum of them."""

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
    reader,
    recording,
    text,
    truth,
    whole,
)

FACTS = {
    **GENERAL,
    "model": Fact("str", "its model"),
    "manufacturer": Fact("str", "who made it"),
    "serial": Fact("str", "its serial number"),
    "type": Fact("str", "CPU, GPU, FPGA, …"),
    "socket": Fact("str", "the socket it is in"),
    "cores": Fact("int", "its cores"),
    "threads": Fact("int", "its threads"),
    "max_speed_mhz": Fact("int", "the fastest it can run", "MHz"),
    "throttled": Fact("bool", "it runs slower than it could: heat, power"),
    "count": Fact("int", "processors of the whole system"),
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """Processors, and the summary of each system."""
    for path, one in document.of("Processor"):
        yield Found(path, "processor", one, _processor(one))
    for path, one in document.of("ComputerSystem"):
        summary = one.get("ProcessorSummary")
        if isinstance(summary, dict) and summary:
            facts = {
                "count": whole(summary, "Count"),
                "model": text(summary, "Model"),
                "cores": whole(summary, "CoreCount"),
                "threads": whole(summary, "LogicalProcessorCount"),
            }
            yield Found(path, "system", {"Name": text(one, "Name"), **summary}, facts, frozenset())


def _processor(one: Resource) -> dict[str, Any]:
    return {
        "model": text(one, "Model"),
        "manufacturer": text(one, "Manufacturer"),
        "serial": text(one, "SerialNumber"),
        "type": text(one, "ProcessorType"),
        "socket": text(one, "Socket"),
        "cores": whole(one, "TotalCores"),
        "threads": whole(one, "TotalThreads"),
        "max_speed_mhz": whole(one, "MaxSpeedMHz"),
        "throttled": truth(one, "Throttled"),
    }


PROBE = Probe(
    name="redfish-processors",
    title="Processors, by the management controller (Redfish)",
    facts=FACTS,
    question=asking("processors"),
    read=reader(find, FACTS, ("Processor",), "processors"),
    presence=Presence.LASTING,
    parameters={"ask": ASK},
    recording=recording,
    reach=Reach.REDFISH,
)
