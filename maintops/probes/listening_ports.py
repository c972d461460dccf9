"""Ports on which programs wait for others, from `ss` (iproute2) or else from /proc/net.

Formats: ss(8); /proc/net/tcp and its kin (Documentation/networking/proc_net_tcp.rst of the Linux kernel: addresses in
words of four bytes, each in the byte order of the machine).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address
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
from maintops.probes.contract import Fact, Parameter, Presence, Probe
from maintops.probes.recorded import RECORDED, recording_in, silence

# Without -H, which older versions do not know. IPv4 and IPv6 apart: "*" stands for either, by version.
_QUESTION = """\
if command -v ss >/dev/null 2>&1; then
  part ss4 ss -4 -lntup
  part ss6 ss -6 -lntup
else
  address='[0-9A-F]+:[0-9A-F]+'
  part machine uname -m
  for table in tcp tcp6; do part $table grep -E "^ *[0-9]+: $address $address 0A" /proc/net/$table; done
  for table in udp udp6; do part $table grep -E "^ *[0-9]+: $address $address 07" /proc/net/$table; done
fi
part range cat /proc/sys/net/ipv4/ip_local_port_range
"""

_BIG_ENDIAN = frozenset({"s390", "s390x", "ppc", "ppc64", "mips", "mips64", "sparc", "sparc64", "parisc", "m68k"})
_ANY = {4: "0.0.0.0", 6: "::"}  # noqa: S104  the words for it, nothing listens here
_PROCESS = re.compile(r'\("([^"]{1,64})",(?:pid=)?[0-9]+,')
_PORT = re.compile(r"[0-9]{1,5}")
_ENTRY = re.compile(r" *[0-9]+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) ")
_RANGE = re.compile(r"\s*([0-9]{1,5})\s+([0-9]{1,5})\s*")
_NO_MATCH, _NO_FILE = 1, 2  # grep(1)


@dataclass(frozen=True, slots=True, order=True)
class _Socket:
    protocol: str
    port: int
    address: str

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.protocol} {shown}:{self.port}"

    @property
    def public(self) -> bool:
        """Others can reach it: it is not bound to loopback."""
        bare = ip_address(self.address.removeprefix("::ffff:") if "." in self.address else self.address)
        return not bare.is_loopback


def question(parameters: Mapping[str, Any]) -> str:
    """The listening sockets; with their programs where that may be seen."""
    return _QUESTION


def read(answer: Answer, parameters: Mapping[str, Any]) -> Reading:
    """One subject: the server."""
    if (why := silence(answer)) is not None:
        return why
    found = named_parts(answer)
    if "range" not in found:
        raise UnreadableAnswer("the list of listening ports is not whole")
    names = ("ss4", "ss6") if "ss4" in found else ("tcp", "tcp6", "udp", "udp6")
    asked = [found.get(name) for name in names]
    if names[0] == "ss4" and any(part is None or part.status != 0 for part in asked):
        return NotMeasured("the command ss could not list the listening ports")
    if names[0] == "tcp" and found.get("tcp", Part(None, b"")).status not in (0, _NO_MATCH):
        return NotMeasured("neither the command ss nor /proc/net/tcp can be read")
    sockets = _by_ss(found) if names[0] == "ss4" else dict.fromkeys(_by_proc(found), frozenset[str]())
    facts = _facts(sockets, _range(found["range"]), _patterns(parameters))
    if RECORDED in found:
        del facts["passing_udp"]
    return Measured((SubjectFacts(None, facts),))


def _patterns(parameters: Mapping[str, Any]) -> list[str]:
    ignored = parameters.get("ignore") or []
    texts = [ignored] if isinstance(ignored, str) else [str(pattern) for pattern in ignored]
    return [text.replace("[", "[[]") for text in texts]  # brackets stand for themselves: they enclose addresses


def _facts(sockets: Mapping[_Socket, frozenset[str]], passing: range, ignored: list[str]) -> dict[str, Any]:
    """The facts. A UDP port that the kernel gave out is mostly a client's that waits for its answers: listed apart."""
    seen = sorted(one for one in sockets if not any(fnmatchcase(str(one), pattern) for pattern in ignored))
    clients = [one for one in seen if one.protocol == "udp" and one.port in passing]
    servers = [one for one in seen if one not in set(clients)]
    facts: dict[str, Any] = {
        "ports": [str(one) for one in servers],
        "public_ports": [str(one) for one in servers if one.public],
        "count": len(servers),
        "passing_udp": [str(one) for one in clients],
    }
    if any(sockets.values()):  # root alone sees whose they are
        facts["processes"] = {str(one): sorted(sockets[one]) for one in servers if sockets[one]}
    return facts


def _range(part: Part) -> range:
    match = _RANGE.fullmatch(part.text)
    return range(int(match[1]), int(match[2]) + 1) if part.status == 0 and match else range(0)


def _by_ss(found: Mapping[str, Part]) -> dict[_Socket, frozenset[str]]:
    sockets: dict[_Socket, frozenset[str]] = {}
    for family in (4, 6):
        for line in found[f"ss{family}"].text.splitlines():
            columns = line.split(None, 6)
            if not columns or columns[0] == "Netid":
                continue
            if len(columns) < 6 or columns[0] not in ("tcp", "udp"):
                raise UnreadableAnswer(f"not a line of ss: {line[:80]!r}")
            socket = _socket(columns[0], columns[4], family)
            names = frozenset(_PROCESS.findall(columns[6])) if len(columns) > 6 else frozenset()
            sockets[socket] = sockets.get(socket, frozenset()) | names
    return sockets


def _socket(protocol: str, local: str, family: int) -> _Socket:
    """An address, perhaps its interface, a port: `127.0.0.53%lo:53`, `[fe80::1]%eth0:546`, `*:22`, `:::22`."""
    address, _, port = local.rpartition(":")
    bare = address.partition("%")[0].strip("[]")
    if _PORT.fullmatch(port) is None:
        raise UnreadableAnswer(f"not an address and a port: {local[:80]!r}")
    return _Socket(protocol, int(port), _ANY[family] if bare == "*" else _address(bare))


def _address(text: str) -> str:
    """One spelling per address. An IPv4 address within IPv6 keeps its dots."""
    try:
        address = ip_address(text)
    except ValueError:
        raise UnreadableAnswer(f"not an address: {text[:80]!r}") from None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return f"::ffff:{mapped}" if mapped is not None else str(address)


def _by_proc(found: Mapping[str, Part]) -> Iterator[_Socket]:
    machine = found.get("machine", Part(None, b"")).text.strip()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        part = found.get(table, Part(None, b""))
        if part.status not in (0, _NO_MATCH, _NO_FILE):
            raise UnreadableAnswer(f"/proc/net/{table} could not be read")
        for line in part.text.splitlines():
            match = _ENTRY.match(line)
            if match is None and line.strip():
                raise UnreadableAnswer(f"not a line of /proc/net/{table}: {line[:80]!r}")
            if match is not None:
                yield _Socket(table[:3], int(match[2], 16), _address(str(_from_words(match[1], machine))))


def _from_words(text: str, machine: str) -> IPv4Address | IPv6Address:
    raw = bytes.fromhex(text)
    if machine not in _BIG_ENDIAN:
        raw = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    return IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)


PROBE = Probe(
    name="listening-ports",
    title="Listening ports",
    facts={
        "ports": Fact("list", "TCP and UDP ports that programs wait on, such as 'tcp 0.0.0.0:22', without passing_udp"),
        "public_ports": Fact("list", "those of them that are not bound to loopback"),
        "count": Fact("int", "how many there are"),
        "passing_udp": Fact("list", "UDP ports out of the range for clients: they come and go"),
        "processes": Fact("dict", "port to the names of the programs that wait on it; root alone sees them"),
    },
    question=question,
    read=read,
    presence=Presence.PASSING,
    recording=recording_in("maintops.probes.listening_ports_recorded"),
    parameters={"ignore": Parameter([], "ports to leave out, such as 'udp *:5353'; * and ? stand for any characters")},
)
