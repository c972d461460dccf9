"""Bonded network interfaces, from /proc/net/bonding.

Format: Documentation/networking/bonding.rst of the Linux kernel, and bond_procfs.c.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.answers import (
    Answer,
    Measured,
    NotMeasured,
    Part,
    Reading,
    SubjectFacts,
    UnreadableAnswer,
)
from maintops.probes.answering import integer, named_parts
from maintops.probes.contract import Fact, Presence, Probe

_NO_PARTNER = "00:00:00:00:00:00"
_LACP_FACTS = ("lacp_partner", "slaves_detached")

_QUESTION = """\
part bonds ls /proc/net/bonding
for file in /proc/net/bonding/*; do
  [ -f "$file" ] && part "bond ${file##*/}" cat "$file"
done
:
"""


@dataclass(slots=True)
class _Bond:
    """Settings of the bond itself, of its active aggregator, and of each slave, by their names in the file."""

    own: dict[str, str] = field(default_factory=dict)
    aggregator: dict[str, str] = field(default_factory=dict)
    slaves: dict[str, dict[str, str]] = field(default_factory=dict)


def question(parameters: Mapping[str, Any]) -> str:
    """The kernel's own page about each bond."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject per bond."""
    found = named_parts(answer)
    if "bonds" not in found:
        raise UnreadableAnswer("the answer holds no list of bonded interfaces")
    listing = found["bonds"]
    names = listing.text.split()
    if listing.status != 0 or not names:
        return NotMeasured("this server has no bonded interfaces")
    return Measured(tuple(_subject(name, found.get(f"bond {name}")) for name in dict.fromkeys(names)))


def _subject(name: str, part: Part | None) -> SubjectFacts:
    if part is None or part.status != 0:
        return SubjectFacts(name, why_not=f"/proc/net/bonding/{name} could not be read")
    bond = _bond(name, part.text)
    offered: dict[str, Any] = {
        "mode": bond.own["Bonding Mode"],
        "slaves": list(bond.slaves),
        "slaves_up": [slave for slave, settings in bond.slaves.items() if settings.get("MII Status") == "up"],
        "slaves_down": [slave for slave, settings in bond.slaves.items() if settings.get("MII Status") != "up"],
        "link_failures": _failures(name, bond),
    }
    if "MII Status" in bond.own:
        offered["mii_status"] = bond.own["MII Status"]
    missing = set()
    if "Currently Active Slave" in bond.own:
        active = bond.own["Currently Active Slave"]
        offered["active_slave"] = "" if active == "None" else active
    else:
        missing.add("active_slave")
    if "802.3ad" in offered["mode"]:
        offered.update(_lacp(bond))
    else:
        missing.update(_LACP_FACTS)
    return SubjectFacts(name, offered, frozenset(missing))


def _bond(name: str, text: str) -> _Bond:
    bond = _Bond()
    section = bond.own
    for line in text.splitlines():
        key, colon, value = (piece.strip() for piece in line.partition(":"))
        if key == "Slave Interface" and colon:
            section = bond.slaves.setdefault(value, {})
        elif key == "Active Aggregator Info":
            section = bond.aggregator
        elif key.startswith("details ") and key.endswith(" lacp pdu"):
            section = {}  # what follows speaks of single packets, under names that were used before
        elif colon:
            section.setdefault(key, value)
    if "Bonding Mode" not in bond.own:
        raise UnreadableAnswer(f"/proc/net/bonding/{name} says no bonding mode")
    return bond


def _failures(name: str, bond: _Bond) -> int:
    total = 0
    for slave, settings in bond.slaves.items():
        count = integer(settings.get("Link Failure Count", "0"))
        if count is None:
            raise UnreadableAnswer(f"{name}: the link failure count of {slave[:40]!r} is not a number")
        total += count
    return total


def _lacp(bond: _Bond) -> dict[str, Any]:
    """Facts of 802.3ad bonds. The kernel shows the aggregator to root alone: without it nothing is measured."""
    partner = bond.aggregator.get("Partner Mac Address")
    active = bond.aggregator.get("Aggregator ID")
    facts: dict[str, Any] = {}
    if partner is not None:
        facts["lacp_partner"] = partner != _NO_PARTNER
    if active is not None and all("Aggregator ID" in settings for settings in bond.slaves.values()):
        facts["slaves_detached"] = [
            slave for slave, settings in bond.slaves.items() if settings["Aggregator ID"] != active
        ]
    return facts


PROBE = Probe(
    name="bonding",
    title="Bonded network interfaces",
    facts={
        "mode": Fact("str", "how the bond shares its load, in the kernel's words"),
        "mii_status": Fact("str", "state of the bond as a whole: up or down"),
        "slaves": Fact("list", "names of its interfaces"),
        "slaves_up": Fact("list", "names of its interfaces that have a link"),
        "slaves_down": Fact("list", "names of its interfaces that have no link (or one that is just coming or going)"),
        "active_slave": Fact("str", "the interface that carries the traffic, empty for none; only in modes with one"),
        "link_failures": Fact("int", "how often its interfaces lost their link, all together"),
        "lacp_partner": Fact("bool", "the switch answers with LACP; only in mode 802.3ad, measured by root alone"),
        "slaves_detached": Fact("list", "interfaces outside of the active aggregator; only in mode 802.3ad"),
    },
    question=question,
    read=read,
    presence=Presence.LASTING,
)
