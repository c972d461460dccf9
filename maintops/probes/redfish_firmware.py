"""Firmware of a server's parts, as the management controller lists it (Redfish)."""

from __future__ import annotations

from collections.abc import Iterator

from maintops.probes.contract import Fact, Presence, Probe, Reach
from maintops.probes.redfish import ASK, GENERAL, Document, Found, asking, reader, recording, text, truth

FACTS = {
    **GENERAL,
    "version": Fact("str", "the version that is installed"),
    "manufacturer": Fact("str", "who made it"),
    "released": Fact("str", "when the version was released, as its maker writes it"),
    "updateable": Fact("bool", "whether the controller can update it"),
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """The inventory of firmware; not every part of it has a health."""
    for path, one in document.of("SoftwareInventory"):
        facts = {
            "version": text(one, "Version") or text(one, "VersionString"),
            "manufacturer": text(one, "Manufacturer"),
            "released": text(one, "ReleaseDate"),
            "updateable": truth(one, "Updateable"),
        }
        yield Found(_lasting(path), "firmware", one, facts, frozenset())


def _lasting(path: str) -> str:
    """Dell writes versions into paths (`Installed-159-2.19.1__BIOS.Setup.1-1`): what stays is the part."""
    folder, _, name = path.rstrip("/").rpartition("/")
    return f"{folder}/{name.partition('__')[2] or name}"


PROBE = Probe(
    name="redfish-firmware",
    title="Versions of firmware, by the management controller (Redfish)",
    facts=FACTS,
    question=asking("firmware"),
    read=reader(find, FACTS, ("SoftwareInventory",), "firmware"),
    presence=Presence.PASSING,
    parameters={"ask": ASK},
    recording=recording,
    reach=Reach.REDFISH,
)
