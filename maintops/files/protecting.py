"""The servers that maintops itself needs while it works: the controller, its database, its bastions, those of which the
inventory says so, and what they run on.

Bastions are known from the inventory's SSH arguments; those that only an SSH client's configuration names are not, for
that is another one for whoever approves a plan. The variable NEEDED is for them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qs

from maintops.domain.placements import placement
from maintops.domain.servers import Server

NEEDED = "maintops_needed"
"""The inventory variable that is true for a server that maintops needs, and cannot know of by itself."""

_JUMPS = re.compile(r"(?:-J\s*|(?i:ProxyJump)[=\s]+)['\"]?([^\s'\"]+)")
_PROXY_COMMAND = re.compile(r"(?i)ProxyCommand")
_PROXY_PORT = re.compile(r"-p\s*(\d{1,5})")
_WORD = re.compile(r"[^\s'\"=,]+")
_HOST_PORT = re.compile(r"\[([^\]]+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?")
_ARGUMENTS = ("ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args")
_SSH = 22


@dataclass(frozen=True, slots=True)
class _Needed:
    """What maintops needs: this machine's own names, where its database is, and through whom servers are reached."""

    here: Collection[str]
    databases: Collection[str]
    jumps: Collection[tuple[str, int]]


def protected(servers: Sequence[Server], everyone: Sequence[Server], database_url: str) -> Mapping[str, str]:
    """Which of some servers maintops needs, and for what. Names of servers are not looked up: what an address's name
    stands for is not asked of anybody. Raises UsageError as maintops.domain.placements does."""
    every = {server.name: server for server in (*everyone, *servers)}
    jumps = {jump for server in every.values() for jump in _jumps(server)}
    needed = _Needed(_own_names(), _database_hosts(database_url), jumps)
    found = {name: why for name, server in every.items() if (why := _why(server, needed))}
    carriers = {name: placement(server).carrier for name, server in every.items()}
    for name in list(found):
        guest, carrier = name, carriers[name]
        while carrier in every and carrier not in found:
            found[carrier] = f"it carries {guest}, which maintops needs"
            guest, carrier = carrier, carriers[carrier]
    return {server.name: found[server.name] for server in servers if server.name in found}


def _why(server: Server, needed: _Needed) -> str:
    names = {server.name.casefold(), _address(server).casefold()}
    if _is_here(server, names, needed.here):
        return "maintops runs on it"
    if names & set(needed.databases):
        return "the database of maintops is on it"
    # on loopback every machine has the same address: the port tells them apart
    through = {host for host, port in needed.jumps if not _is_loopback(host) or port == _port(server)}
    if names & through:
        return "other servers are reached through it"
    return "the inventory says that maintops needs it" if server.variables.get(NEEDED) is True else ""


def _address(server: Server) -> str:
    return str(server.variables.get("ansible_host") or server.name)


def _host_port(text: str) -> tuple[str, int]:
    """A host as it is written in URLs and for SSH: `user@name:port`, `ssh://user@name`, `[address]:port`."""
    rest = text.partition("://")[2] or text
    rest = rest.rpartition("@")[2].rstrip("/")
    match = _HOST_PORT.fullmatch(rest)
    if match is None:
        return rest.casefold(), _SSH  # an IPv6 address as it is
    return (match[1] or match[3]).casefold(), int(match[2] or match[4] or _SSH)


def _database_hosts(url: str) -> set[str]:
    """Where PostgreSQL is, by its URL. One on loopback is this very machine, which is known by itself."""
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("postgres"):
        return set()
    rest, _, query = rest.partition("?")
    written = [rest.rpartition("@")[2].partition("/")[0], *parse_qs(query).get("host", [])]
    hosts = {_host_port(one)[0] for text in written for one in text.split(",") if one}
    return {host for host in hosts if not _is_loopback(host)}


def _jumps(server: Server) -> set[tuple[str, int]]:
    texts = " ".join(str(server.variables.get(name, "")) for name in _ARGUMENTS)
    found = {_host_port(hop) for hops in _JUMPS.findall(texts) for hop in hops.split(",") if hop}
    command = _PROXY_COMMAND.search(texts)
    if command is not None:
        # whose word it is nobody knows: each could be the bastion
        rest = texts[command.end() :]
        port = _PROXY_PORT.search(rest)
        found |= {(_host_port(word)[0], int(port[1]) if port else _SSH) for word in _WORD.findall(rest)}
    return found


def _own_names() -> set[str]:
    names = {socket.gethostname().casefold(), socket.getfqdn().casefold()}
    return {name for one in names for name in (one, one.partition(".")[0]) if name and not _is_loopback(name)}


def _is_here(server: Server, names: Collection[str], own: Collection[str]) -> bool:
    if server.variables.get("ansible_connection") in ("local", "ansible.builtin.local"):
        return True
    if set(names) & set(own):
        return True
    address = _address(server)
    if _is_loopback(address):
        return _port(server) == _SSH  # any other port may lead into a virtual machine
    try:
        return _is_ours(address, ip_address(address).version)
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.partition(".")[0].casefold() == "localhost"


def _port(server: Server) -> int:
    said = str(server.variables.get("ansible_port", _SSH))
    return int(said) if said.isdecimal() and len(said) < 6 else 0


def _is_ours(address: str, version: int) -> bool:
    """Whether an address is one of this machine's: only those can be bound."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:  # nor can any where this machine speaks no IPv6
        return False
    return True
