"""Bonded network interfaces, from /proc/net/bonding.

Format: Documentation/networking/bonding.rst of the Linux kernel, and bond_procfs.c.
"""

from __future__ import annotations

import re
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
from maintops.probes.recorded import in_parts, recording_of, silence

_NO_PARTNER = "00:00:00:00:00:00"
_STATES = ("up", "down", "going down", "going back", "unknown")  # bond_slave_link_status of bond_main.c
_LACP_FACTS = ("lacp_partner", "slaves_detached")

UNNAMED = "unnamed"
"""What a bond of a recording is called: the kernel's page does not say whose it is. More of them are numbered."""

_PAGE = re.compile(r"(?m)^Ethernet Channel Bonding Driver: ")
_TITLE = re.compile(r"==> (?:\S*/)?([^/\s]+) <==")  # head(1) and tail(1), for several files
_PREFIX = re.compile(r"(?m)^(?:/proc/net/bonding/)?([^/\s:]+):(?=Ethernet Channel Bonding Driver: )")  # grep(1)

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
    if (why := silence(answer)) is not None:
        return why
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
    states = {slave: settings.get("MII Status") for slave, settings in bond.slaves.items()}
    if (slave := next((one for one, state in states.items() if state not in _STATES), None)) is not None:
        raise UnreadableAnswer(f"/proc/net/bonding/{name} does not say whether {slave[:40]!r} has a link")
    offered: dict[str, Any] = {
        "mode": bond.own["Bonding Mode"],
        "slaves": list(bond.slaves),
        "slaves_up": [slave for slave, state in states.items() if state == "up"],
        "slaves_down": [slave for slave, state in states.items() if state != "up"],
        **_failures(name, bond),
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


def _failures(name: str, bond: _Bond) -> dict[str, int]:
    total = 0
    for slave, settings in bond.slaves.items():
        if "Link Failure Count" not in settings:
            return {}
        count = integer(settings["Link Failure Count"])
        if count is None:
            raise UnreadableAnswer(f"{name}: the link failure count of {slave[:40]!r} is not a number")
        total += count
    return {"link_failures": total}


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


def _pages(text: str) -> Answer | None:
    """One page of /proc/net/bonding, or several in a row, named where head, tail or grep named them."""
    starts = [match.start() for match in _PAGE.finditer(_PREFIX.sub(r"==> \1 <==\n", text))]
    whole = _PREFIX.sub(r"==> \1 <==\n", text)
    if not starts:
        return None
    parts: dict[str, str | tuple[int, str]] = {}
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(whole)], strict=True), 1):
        before = whole[:start].rstrip().rpartition("\n")[2]
        title = _TITLE.fullmatch(before.strip())
        name = title[1] if title else UNNAMED + (f"-{number}" if number > 1 else "")
        lines = [line for line in whole[start:end].split("\n") if _TITLE.fullmatch(line.strip()) is None]
        parts[f"bond {name}"] = "\n".join(line.removeprefix(f"/proc/net/bonding/{name}:") for line in lines)
    return in_parts({"bonds": "\n".join(name.removeprefix("bond ") for name in parts), **parts})


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
    recording=recording_of("a page of /proc/net/bonding", _pages),
)
