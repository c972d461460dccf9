"""Recordings of listening ports: tables of `ss`, `netstat` and `lsof -i` as a person called them, made into what the
probe's own `ss -4` and `ss -6` would print. Whatever is no listening TCP socket and no unconnected UDP socket is left
out. Which UDP ports the kernel gives to clients is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from maintops.domain.answers import Answer, UnreadableAnswer
from maintops.probes.recorded import in_parts, recording_of, unsaid

_PORT = r"\S*:(?:[0-9]{1,5}|\*|[a-z][\w+-]*)"
_SS = re.compile(rf"(?:(tcp|udp)\s+)?(LISTEN|UNCONN)\s+[0-9]+\s+[0-9]+\s+({_PORT})\s+({_PORT})(?:\s+(\S.*))?\s*")
_SS_OTHER = re.compile(
    r"(?:[a-z_0-9?]+\s+)?(?:LISTEN|UNCONN|ESTAB|SYN-\S+|FIN-\S+|TIME-WAIT|CLOSE\S*|LAST-ACK|CLOSING)\s+[0-9]+\s+[0-9]+\s.*"
)
_SS_HEAD = re.compile(r"(?:Netid\s+)?State\s+Recv-Q\s+Send-Q\s+Local Address:.*")
_NETSTAT = re.compile(
    rf"(tcp|udp)([46]?)\s+[0-9]+\s+[0-9]+\s+({_PORT})\s+({_PORT})(?:\s+(LISTEN)(?=\s|$))?(?:\s+[0-9]+\s+[0-9]+(?=\s))?"
    r"(?:\s+([0-9]+)/(\S+).*|\s+-.*)?\s*"
)
_NETSTAT_OTHER = re.compile(r"(?:tcp|udp|raw|sctp|icmp)\S*\s+[0-9]+\s+[0-9]+\s.*")
_NETSTAT_HEAD = re.compile(r"Proto\s+Recv-Q\s+Send-Q\s+Local Address\s.*")
_LSOF_HEAD = re.compile(r"COMMAND\s+PID\s+(?:TID\s+(?:TASKCMD\s+)?)?USER\s+FD\s+TYPE\s+DEVICE\s+.*NAME\s*")
_LSOF = re.compile(r"(\S+)\s+([0-9]+)\s.*\s(IPv4|IPv6)\s.*\s(TCP|UDP)\s+(\S+:(?:[0-9]+|\*|[a-z]\S*))(?: \((\w+)\))?\s*")

_Socket = tuple[str, str, str]
"""Protocol, local address with port, and the processes as ss writes them."""


def _ss(text: str) -> Answer | None:
    lines = [line.strip() for line in text.split("\n") if line.strip() and line[0] != "\t"]  # of -i and -o
    found = [match for match in map(_SS.fullmatch, lines) if match is not None]
    heads = [line for line in lines if _SS_HEAD.fullmatch(line)]
    if not found and not heads:
        return None
    _only_known(lines, heads, _SS_OTHER)
    six = _six(match[3] for match in found) or _six(match[4] for match in found)
    four: list[_Socket] = []
    rest: list[_Socket] = []
    for match in found:
        protocol = match[1] or ("tcp" if match[2] == "LISTEN" else "udp")
        address = match[3].rpartition(":")[0].partition("%")[0]
        is_six = ":" in address or (address == "*" and six)
        (rest if is_six else four).append((protocol, match[3], match[5] or ""))
    return _made(four, rest, len(lines) - len(heads))


def _six(addresses: Iterable[str]) -> bool:
    """Whether this ss writes addresses in brackets: then its `*` is both families, kept as IPv6. The older one writes
    `*` for IPv4 and `::` for the other."""
    return any("[" in one or one.startswith("0.0.0.0:") for one in addresses)


def _netstat(text: str) -> Answer | None:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    heads = [line for line in lines if _NETSTAT_HEAD.fullmatch(line) or line.startswith("Active Internet connections")]
    found = [match for match in map(_NETSTAT.fullmatch, lines) if match is not None]
    if not heads and not found:
        return None
    unix = next((place for place, line in enumerate(lines) if line.startswith("Active UNIX domain")), len(lines))
    _only_known(lines[:unix], heads, _NETSTAT_OTHER)
    four: list[_Socket] = []
    rest: list[_Socket] = []
    for match in found:
        if match[5] == "LISTEN" if match[1] == "tcp" else match[4].endswith(":*"):
            users = f'users:(("{match[7].rstrip(":")}",pid={match[6]},fd=0))' if match[6] else ""
            is_six = match[2] == "6" or ":" in match[3].rpartition(":")[0]
            (rest if is_six else four).append((match[1], match[3], users))
    return _made(four, rest, len(lines) - len(heads))


def _lsof(text: str) -> Answer | None:
    """`lsof -i -P -n`."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if not lines or _LSOF_HEAD.fullmatch(lines[0]) is None:
        return None
    four: list[_Socket] = []
    rest: list[_Socket] = []
    for match in (one for one in map(_LSOF.fullmatch, lines[1:]) if one is not None):
        if (match[6] == "LISTEN" if match[4] == "TCP" else "->" not in match[5]) and not match[5].endswith(":*"):
            row = (match[4].lower(), match[5], f'users:(("{match[1][:64]}",pid={match[2]},fd=0))')
            (rest if match[3] == "IPv6" else four).append(row)
    return _made(four, rest, len(lines) - 1)


def _only_known(lines: list[str], heads: list[str], other: re.Pattern[str]) -> None:
    strange = [line for line in lines if other.fullmatch(line) is None and line not in heads]
    if strange:  # a listener that is left out would be one that is gone
        raise UnreadableAnswer(f"this is no line of a table of sockets: {strange[0][:80]!r}")


def _made(four: list[_Socket], six: list[_Socket], others: int) -> Answer:
    if others and not (four or six):
        return unsaid("this lists connections and no socket that listens: the option -l shows those")
    for _, local, _ in (*four, *six):
        if not local.rpartition(":")[2].isdigit():
            raise UnreadableAnswer(f"{local[:80]!r} has a name in place of a port: the option -n gives numbers")
    return in_parts({"ss4": _table(four), "ss6": _table(six), "range": (1, "")})


def _table(rows: list[_Socket]) -> str:
    return "\n".join(f"{protocol} LISTEN 0 0 {local} *:* {users}" for protocol, local, users in rows)


RECORDING = recording_of("a table of ss, netstat or lsof -i", _ss, _netstat, _lsof)
