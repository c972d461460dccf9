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
from maintops.probes.json_answers import load_json
from maintops.probes.recorded import RECORDED, in_parts, recording_of, silence

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
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if not {"ip4", "ip6", "proc4", "proc6", "machine"} <= found.keys():
        raise UnreadableAnswer("the answer about routes is not whole")
    four, six = _four(found), _six(found)
    if RECORDED in found:
        return Measured((SubjectFacts(None, _recorded_facts(found, four or [], six)),))
    if four is None:
        return NotMeasured("neither the command ip nor /proc/net/route can be read")
    facts = _facts(four, six)
    neighbours = found.get("neighbours")
    if neighbours is not None and neighbours.status == 0:
        lost = _lost(neighbours.text)
        facts["gateways_lost"] = [gateway for gateway in facts["gateways"] if gateway in lost]
    return Measured((SubjectFacts(None, facts),))


def _facts(four: list[_Hop], six: list[_Hop]) -> dict[str, Any]:
    hops = list(dict.fromkeys((*four, *six)))
    return {
        "default_route": bool(hops),
        "default_route_ipv4": bool(four),
        "default_route_ipv6": bool(six),
        "gateways": list(dict.fromkeys(hop.gateway for hop in hops if hop.gateway)),
        "interfaces": sorted({hop.interface for hop in hops if hop.interface}),
    }


def _recorded_facts(found: Mapping[str, Part], four: list[_Hop], six: list[_Hop]) -> dict[str, Any]:
    """Of one family alone where the recording is about one: whether the other has a route is not known."""
    facts = _facts(four, six)
    families = {"default_route_ipv4": found["ip4"], "default_route_ipv6": found["ip6"]}
    unknown = [name for name, part in families.items() if part.status != 0]
    if unknown and not facts["default_route"]:
        unknown += ["default_route", "gateways", "interfaces"]
    if not all(map(_ADDRESS.fullmatch, facts["gateways"])):  # `route` without -n shows names
        unknown.append("gateways")
    return {name: value for name, value in facts.items() if name not in unknown}


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


_ROUTE = re.compile(
    r"(?:(?:unreachable|blackhole|prohibit|throw|local|broadcast|multicast|anycast|unicast|nat) )?"
    r"(default|[0-9a-fA-F:.]+(?:/[0-9]{1,3})?)((?: .*)?) ?"
)
_ROUTE_WORD = re.compile(r" (?:via|dev|proto|scope|metric|src|nexthop|nhid) ?|^ *$")
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
_TABLE_HEAD = re.compile(r"Destination +Gateway +(?:Genmask|Netmask) +Flags .*\bIface\b.*")


def _recorded_ip(text: str) -> Answer | None:
    """`ip route`, `ip -6 route`: the hops of one route stand in indented lines below it."""
    lines: list[str] = []
    for line in text.split("\n"):
        if line[:1] in "\t " and line.strip() and lines:
            lines[-1] += f" \\ {line.strip()}"
        elif line.strip():
            lines.append(line.strip())
    found = [match for match in map(_ROUTE.fullmatch, lines) if match is not None and _ROUTE_WORD.search(match[2])]
    if not found or len(found) < len(lines):
        return None
    six = any(":" in match[1] or re.search(r" via [0-9a-f]*:", match[2]) for match in found)
    return _recorded(six=six, routes=lines)


def _recorded_json(text: str) -> Answer | None:
    """`ip -j route`."""
    if not text.lstrip().startswith("["):
        return None
    routes = load_json(text.encode())
    if not routes or not all(isinstance(one, dict) and isinstance(one.get("dst"), str) for one in routes):
        raise UnreadableAnswer("this JSON is not ip's list of routes")
    lines = [
        f"{one['dst']} {_hop_words(one)}"
        + "".join(f"\\ nexthop {_hop_words(hop)}" for hop in one.get("nexthops") or () if isinstance(hop, dict))
        for one in routes
        if one.get("type", "unicast") == "unicast"
    ]
    return _recorded(six=any(":" in line for line in lines), routes=lines)


def _hop_words(one: Mapping[str, Any]) -> str:
    words = [f"{word} {one[name]}" for word, name in (("via", "gateway"), ("dev", "dev")) if name in one]
    flags = one.get("flags") or ()
    return " ".join([*words, *(str(flag) for flag in flags if isinstance(flags, list)), "metric 0"])


def _recorded_table(text: str) -> Answer | None:
    """`route -n` and `netstat -rn`, of IPv4 alone."""
    lines = [line.strip() for line in text.split("\n")]
    begin = next((place for place, line in enumerate(lines) if _TABLE_HEAD.fullmatch(line)), None)
    if begin is None:
        return None
    column = lines[begin].split().index("Iface")
    routes = []
    for words in (line.split() for line in lines[begin + 1 :] if line):
        if len(words) <= column or not re.fullmatch(r"[A-Z!]+", words[3]):
            raise UnreadableAnswer(f"this is not a line of route: {' '.join(words)[:80]!r}")
        if words[0] in ("default", "0.0.0.0") and words[2] == "0.0.0.0" and "!" not in words[3]:  # noqa: S104  the word for any destination
            routes.append(f"default {f'via {words[1]} ' if 'G' in words[3] else ''}dev {words[column]}")
    return _recorded(six=False, routes=routes)


def _recorded(*, six: bool, routes: list[str]) -> Answer:
    shown: dict[bool, str | tuple[int, str]] = {True: "\n".join(routes), False: (127, "")}
    return in_parts({"ip4": shown[not six], "ip6": shown[six], "proc4": (2, ""), "proc6": (2, ""), "machine": ""})


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
    recording=recording_of(
        "output of ip route, route -n or netstat -rn", _recorded_ip, _recorded_json, _recorded_table
    ),
)
