"""Recordings of firewalls: `nft list ruleset`, iptables-save, `iptables -S` and -L, `ufw status`, `firewall-cmd
--list-all`, made into the parts of an answer. Each shows one side only: what it cannot show is not measured.
"""

from __future__ import annotations

import re

from maintops.domain.answers import Answer
from maintops.probes.firewall import FIREWALLD, UFW
from maintops.probes.recorded import Form, in_parts, recording_of, unsaid

_NFT = re.compile(r"(?m)^table (?:ip|ip6|inet|arp|bridge|netdev) \S+ \{")
_SAVED = re.compile(r"(?m)^\*filter\s*$")
_TABLE = re.compile(r"(?m)^\*[a-z]+\s*$")
_SPEC = re.compile(r"(?m)^-P [A-Z]+ (?:ACCEPT|DROP|REJECT)\b")
_LISTED = re.compile(r"Chain (\S+) \((?:policy (\w+)\b.*|[0-9]+ references)\)\s*")
_LISTED_HEAD = re.compile(r"\s*(num\s+)?(pkts\s+bytes\s+)?target\s+prot\s.*")
_SIX = re.compile(
    r"(?m)ip6tables|icmp6|ipv6-icmp|icmpv6|^-A .*(?:\s|,)[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}/[0-9]+|\s::/0\s"
)
_UFW = re.compile(r"(?m)^Status: (active|inactive)\s*$")
_ZONE = re.compile(r"(?m)^(\S+)(?: \(([^)]*\bactive\b[^)]*)\))?\s*\n\s+target: (\S+)\s*$")


def _nft(text: str) -> Answer | None:
    """The ruleset, its tabs as they were or turned into spaces; a set that goes on in further lines is one rule."""
    if not _NFT.search(text):
        return None
    lines: list[str] = []
    depth = 0
    for line in text.split("\n"):
        body = line.strip()
        if depth > 2 and lines:  # within the braces of a rule
            lines[-1] += f" {body}"
        elif body and (not body.startswith(("#", "comment ")) or "legacy tables present" in body):
            closing = 1 if body.startswith("}") else 0
            lines.append("\t" * max(depth - closing, 0) + body)
        depth += body.count("{") - body.count("}")
    return in_parts({"nft": "\n".join(lines), **_nothing("ip4", "ip6")})


def _saved(text: str) -> Answer | None:
    if not _TABLE.search(text):
        return None
    if not _SAVED.search(text):
        return unsaid("these are rules of iptables, but not its table filter")
    return _iptables(text)


def _spec(text: str) -> Answer | None:
    """`iptables -S`."""
    if not _SPEC.search(text):
        return None
    lines = ["*filter"]
    for line in text.split("\n"):
        words = line.split()
        if words[:1] == ["-P"] and len(words) >= 3:
            lines.append(f":{words[1]} {words[2]} [0:0]")
        elif words[:1] == ["-N"] and len(words) == 2:
            lines.append(f":{words[1]} - [0:0]")
        elif words:
            lines.append(line.strip())
    return _iptables("\n".join(lines), six=_SIX.search(text) is not None)


def _listed(text: str) -> Answer | None:
    """`iptables -L`, with or without -n, -v and --line-numbers."""
    chain, place = "", 0
    lines = ["*filter"]
    for line in text.split("\n"):
        words = line.split()
        if (match := _LISTED.fullmatch(line)) is not None:
            chain = match[1]
            lines.append(f":{chain} {match[2] or '-'} [0:0]")
        elif (head := _LISTED_HEAD.fullmatch(line)) is not None:
            place = (1 if head[1] else 0) + (2 if head[2] else 0)
        elif words and chain:
            lines.append(f"-A {chain} -j {words[place] if len(words) > place else 'nothing'}")
        elif words and not line.startswith("#"):
            return None
    if len(lines) == 1:
        return None
    if {":PREROUTING", ":POSTROUTING"} & {line.split()[0] for line in lines}:
        return unsaid("these are rules of iptables, but not its table filter")
    return _iptables("\n".join(lines), six=_SIX.search(text) is not None)


def _iptables(rules: str, *, six: bool | None = None) -> Answer:
    if _SIX.search(rules) is not None if six is None else six:
        return unsaid("these are rules for IPv6 alone, and whether there is an address to protect is not known")
    return in_parts({"ip4": rules, **_nothing("nft", "ip6")})


def _nothing(*names: str) -> dict[str, tuple[int, str]]:
    return dict.fromkeys(names, (127, ""))


def _ufw(text: str) -> Answer | None:
    status = _UFW.search(text)
    if status is None:
        return None
    if status[1] == "inactive":
        return unsaid("ufw is not active; whether there are other rules it does not say")
    return in_parts({UFW: text})


def _firewalld(text: str) -> Answer | None:
    """`firewall-cmd --list-all` or --list-all-zones: zones that are active and refuse what no rule lets in."""
    zones = [match.groups() for match in _ZONE.finditer(text)]
    active = [target for _, state, target in zones if state]
    if not zones:
        return None
    if not active:
        return unsaid("no zone of firewalld is active here; whether there are other rules it does not say")
    return in_parts({FIREWALLD: " ".join(active)})


_FORMS: tuple[Form, ...] = (_nft, _saved, _spec, _listed, _ufw, _firewalld)

RECORDING = recording_of("output of nft list ruleset, iptables, ufw status or firewall-cmd --list-all", *_FORMS)
