"""The default route and its gateways, from `ip` (iproute2 or busybox) or else from /proc/net.

Formats: ip-route(8), ip-neighbour(8); /proc/net/route (fib_trie.c: addresses in the byte order of the machine) and
/proc/net/ipv6_route (ip6_fib.c: hexadecimal, network order).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
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
from maintops.probes.answering import named_parts
from maintops.probes.contract import Fact, Presence, Probe

_QUESTION = """\
part ip4 ip -4 -o route show default
part ip6 ip -6 -o route show default
part proc4 grep -E '^(Iface|[^[:space:]]+[[:space:]]+00000000)' /proc/net/route
part proc6 grep -E '^0{32} 00 ' /proc/net/ipv6_route
part machine uname -m
part neighbours ip neigh show
"""

_BIG_ENDIAN = frozenset({"s390", "s390x", "ppc", "ppc64", "mips", "mips64", "sparc", "sparc64", "parisc", "m68k"})
_GATEWAY = 0x2  # RTF_GATEWAY and RTF_REJECT of linux/route.h
_REJECT = 0x200
_HEX = re.compile(r"[0-9A-Fa-f]{1,32}")
_HEX4 = re.compile(r"[0-9A-Fa-f]{8}")
_HEX6 = re.compile(r"[0-9A-Fa-f]{32}")
_LOST = frozenset({"FAILED", "INCOMPLETE"})


@dataclass(frozen=True, slots=True)
class _Hop:
    """One way out. `gateway` is empty where the interface leads out directly."""

    gateway: str
    interface: str


def question(parameters: Mapping[str, Any]) -> str:
    """The default routes and the neighbour table; /proc/net where there is no ip."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    found = named_parts(answer)
    if not {"ip4", "ip6", "proc4", "proc6", "machine"} <= found.keys():
        raise UnreadableAnswer("the answer about routes is not whole")
    four, six = _four(found), _six(found)
    if four is None:
        return NotMeasured("neither the command ip nor /proc/net/route can be read")
    hops = list(dict.fromkeys((*four, *six)))
    facts: dict[str, Any] = {
        "default_route": bool(hops),
        "default_route_ipv4": bool(four),
        "default_route_ipv6": bool(six),
        "gateways": list(dict.fromkeys(hop.gateway for hop in hops if hop.gateway)),
        "interfaces": sorted({hop.interface for hop in hops if hop.interface}),
    }
    neighbours = found.get("neighbours")
    if neighbours is not None and neighbours.status == 0:
        lost = _lost(neighbours.text)
        facts["gateways_lost"] = [gateway for gateway in facts["gateways"] if gateway in lost]
    return Measured((SubjectFacts(None, facts),))


def _four(found: Mapping[str, Part]) -> list[_Hop] | None:
    if found["ip4"].status == 0:
        return _hops(found["ip4"].text)
    if found["proc4"].status != 0:  # its header line is always there: no match means no file
        return None
    return list(_proc4(found["proc4"].text, found["machine"].text.strip()))


def _six(found: Mapping[str, Part]) -> list[_Hop]:
    if found["ip6"].status == 0:
        return _hops(found["ip6"].text)
    return list(_proc6(found["proc6"].text))  # no file: a kernel without IPv6, and so without a route


def _hops(text: str) -> list[_Hop]:
    """What `ip -o route` shows: a line a route, several hops after backslashes. busybox does not filter."""
    hops = []
    for line in text.splitlines():
        first, *rest = line.split("\\")
        words = first.split()
        if not words:
            continue
        if len(words) < 2 and not rest:
            raise UnreadableAnswer(f"not a route: {line[:80]!r}")
        if words[0] not in ("default", "0.0.0.0/0", "::/0"):  # also: "unreachable default", "blackhole default"
            continue
        nexthops = [piece.split() for piece in rest if "nexthop" in piece.split()]
        hops += [_hop(one) for one in nexthops or [words] if not {"dead", "linkdown"} & set(one)]
    return hops


def _hop(words: list[str]) -> _Hop:
    gateway = _after(words, "via")
    if gateway in ("inet6", "inet"):  # an IPv4 route through an IPv6 neighbour: via inet6 ADDRESS
        gateway = _after(words, gateway)
    return _Hop(gateway, _after(words, "dev"))


def _after(words: list[str], word: str) -> str:
    place = words.index(word) + 1 if word in words else len(words)
    return words[place] if place < len(words) else ""


def _proc4(text: str, machine: str) -> Iterator[_Hop]:
    for line in text.splitlines():
        columns = line.split()
        if columns[:1] in ([], ["Iface"]):
            continue
        if len(columns) < 8 or not all(_HEX4.fullmatch(columns[place]) for place in (1, 2, 7)):
            raise UnreadableAnswer(f"not a line of /proc/net/route: {line[:80]!r}")
        flags = _number(columns[3])
        if columns[1] == columns[7] == "00000000" and not flags & _REJECT:
            raw = bytes.fromhex(columns[2])
            address = IPv4Address(int.from_bytes(raw, "big" if machine in _BIG_ENDIAN else "little"))
            yield _Hop(str(address) if flags & _GATEWAY else "", columns[0])


def _proc6(text: str) -> Iterator[_Hop]:
    for line in text.splitlines():
        columns = line.split()
        if not columns:
            continue
        if len(columns) < 10 or not all(_HEX6.fullmatch(columns[place]) for place in (0, 4)):
            raise UnreadableAnswer(f"not a line of /proc/net/ipv6_route: {line[:80]!r}")
        flags = _number(columns[8])
        if _number(columns[0]) == _number(columns[1]) == 0 and not flags & _REJECT and columns[9] != "lo":
            address = IPv6Address(int(columns[4], 16))
            yield _Hop(str(address) if flags & _GATEWAY else "", columns[9])


def _number(text: str) -> int:
    if _HEX.fullmatch(text) is None:
        raise UnreadableAnswer(f"not a hexadecimal number: {text[:40]!r}")
    return int(text, 16)


def _lost(text: str) -> set[str]:
    """Neighbours that do not answer: `ADDRESS dev NAME [lladdr MAC] STATE`."""
    return {words[0] for line in text.splitlines() if (words := line.split()) and _LOST & set(words[1:])}


PROBE = Probe(
    name="routes",
    title="Default route",
    facts={
        "default_route": Fact("bool", "a default route that can carry traffic is there, for IPv4 or IPv6"),
        "default_route_ipv4": Fact("bool", "one for IPv4 is there"),
        "default_route_ipv6": Fact("bool", "one for IPv6 is there"),
        "gateways": Fact("list", "addresses of the default gateways"),
        "interfaces": Fact("list", "interfaces that default routes use"),
        "gateways_lost": Fact("list", "gateways that did not answer when the kernel last looked for them"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
)
