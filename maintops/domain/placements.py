"""Where a server stands: which others can stand in for it, what it needs, and what it carries.

The inventory says so: `maintops_group` (servers that stand in for each other), `maintops_max_unavailable` (how many of
them may be missing at a time: a number, or percent of the group), `maintops_depends_on` (servers, or groups of the
inventory, that are changed before it), `maintops_runs_on` (the hypervisor that it is a guest of).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maintops.domain.servers import Server
from maintops.domain.wording import some
from maintops.errors import UsageError

GROUP, MOST, NEEDS, CARRIER = (
    "maintops_group",
    "maintops_max_unavailable",
    "maintops_depends_on",
    "maintops_runs_on",
)
CONSOLE = "maintops_console"
"""The inventory variable with a command on the controller that exits 0 where a server's console answers."""

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Placement:
    """One server's. `most` is what it says of its group: a number, or text such as 25 %."""

    server: str
    group: str = ""
    most: int | str = 1
    needs: tuple[str, ...] = ()
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Servers that stand in for each other: all of the inventory's, and how many of them may be missing at a time."""

    name: str
    members: frozenset[str]
    allowed: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """The placements of all servers of an inventory. `needs` names servers only."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    group_of: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    guests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def taken_by(self, server: str) -> frozenset[str]:
        """Who is missing while a server is being changed: itself, and whoever runs on it."""
        found, waiting = set[str](), [server]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(self.guests.get(one, ()))
        return frozenset(found)

    def excess(self, missing: Collection[str]) -> str | None:
        """Why so many may not be missing at a time, naming the group; None where they may."""
        counts: dict[str, list[str]] = {}
        for server in missing:
            if server in self.group_of:
                counts.setdefault(self.group_of[server], []).append(server)
        for name, servers in sorted(counts.items()):
            if len(servers) > self.groups[name].allowed:
                return (
                    f"of the group {name} {self.groups[name].allowed} of {len(self.groups[name].members)} may be "
                    f"missing at a time: {some(sorted(servers), _SHOWN)}"
                )
        return None


def placement(server: Server) -> Placement:
    """What the inventory says of one server. Raises UsageError naming server and variable for what it cannot mean."""
    read = _Reader(server)
    return Placement(server.name, read.text(GROUP), read.most(), read.names(NEEDS), read.text(CARRIER))


def fleet(servers: Sequence[Server]) -> Fleet:
    """The fleet of an inventory. Raises UsageError for members of a group that contradict each other, for names that
    nobody bears, for a group that could never spare a server, or be taken down as a whole, and for circles."""
    places = [placement(server) for server in servers]
    known = {server.name for server in servers}
    inside: dict[str, list[str]] = {}
    for server in servers:
        for group in server.groups:
            inside.setdefault(group, []).append(server.name)
    needs: dict[str, tuple[str, ...]] = {}
    guests: dict[str, list[str]] = {}
    for one in places:
        resolved = [name for need in one.needs for name in _resolved(one.server, need, known, inside)]
        if one.carrier:
            if one.carrier not in known:
                raise UsageError(
                    f"server {one.server}: {CARRIER} names {one.carrier!r}, which the inventory has not: "
                    f"write it there, or take {CARRIER} away"
                )
            guests.setdefault(one.carrier, []).append(one.server)
            resolved.append(one.carrier)
        if resolved:
            needs[one.server] = tuple(dict.fromkeys(name for name in resolved if name != one.server))
    group_of = {one.server: one.group for one in places if one.group}
    needs = _through(needs, levels(known, needs))
    return Fleet(_groups(places), group_of, needs, {name: tuple(found) for name, found in guests.items()})


def levels(servers: Collection[str], needs: Mapping[str, Sequence[str]]) -> Mapping[str, int]:
    """How deep in the order each server stands: 0 for those that need none of the others. Raises UsageError that names
    the servers of a circle."""
    level: dict[str, int] = {}
    left = {name: [need for need in needs.get(name, ()) if need in servers] for name in servers}
    depth = 0
    while left:
        free = [name for name, wanted in left.items() if all(need in level for need in wanted)]
        if not free:
            raise UsageError(f"these servers wait for each other ({NEEDS}): {some(sorted(left), _SHOWN)}")
        level.update(dict.fromkeys(free, depth))
        for name in free:
            del left[name]
        depth += 1
    return level


def impossible(fleet: Fleet, servers: Iterable[str]) -> list[str]:
    """Why some servers can never be changed without taking more of a group than it may miss; a sentence for each."""
    told = []
    chosen = sorted(servers)
    taken = {server: fleet.taken_by(server) for server in chosen}
    missed = {one for names in taken.values() for one in names}
    for name in sorted({fleet.group_of[one] for one in missed if one in fleet.group_of}):
        group = fleet.groups[name]
        size = len(group.members)
        if group.allowed < 1:
            told.append(f"the group {name} may miss none of its {size} servers ({MOST}): none of it can be changed")
        elif group.allowed >= size:
            told.append(
                f"the group {name} has {size} {'server' if size == 1 else 'servers'} and may miss {group.allowed} "
                f"({MOST}): all of it could be missing at a time; give it more servers, or take them out of the group"
            )
    for server in chosen:
        why = fleet.excess(taken[server]) if len(taken[server]) > 1 else None
        if why is not None:
            told.append(f"{server} carries too many of a group: {why}")
    return told


def _through(needs: Mapping[str, tuple[str, ...]], level: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """What servers need, and what that needs: also where the one between them is not in a run, the order holds."""
    whole: dict[str, tuple[str, ...]] = {}
    for server in sorted(needs, key=lambda name: level[name]):
        direct = needs[server]
        whole[server] = tuple(dict.fromkeys([*direct, *(far for near in direct for far in whole.get(near, ()))]))
    return whole


def _resolved(server: str, need: str, known: Collection[str], inside: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if need in known:
        return (need,)
    if need in inside:
        return [name for name in inside[need] if name != server]
    raise UsageError(f"server {server}: {NEEDS} names {need!r}, which is neither a server nor a group of the inventory")


def _groups(places: Sequence[Placement]) -> Mapping[str, Group]:
    members: dict[str, list[Placement]] = {}
    for one in places:
        if one.group:
            members.setdefault(one.group, []).append(one)
    found = {}
    for name, ones in members.items():
        said = {one.most for one in ones}
        if len(said) > 1:
            told = ", ".join(sorted(map(str, said)))
            raise UsageError(f"the servers of the group {name} say different things in {MOST}: {told}")
        found[name] = Group(name, frozenset(one.server for one in ones), _allowed(ones[0].most, len(ones)))
    return found


def _allowed(most: int | str, size: int) -> int:
    match = _PERCENT.fullmatch(most) if isinstance(most, str) else None
    return int(size * float(match[1]) / 100 + 1e-9) if match else int(most)


class _Reader:
    """The variables of one server that speak of its place."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def _value(self, name: str) -> Any:
        value = self._server.variables.get(name)
        if any("{{" in one or "{%" in one for one in ([value] if isinstance(value, str) else _texts(value))):
            raise UsageError(f"server {self._server.name}: {name} holds a template; write the value itself")
        return value

    def text(self, name: str) -> str:
        value = self._value(name)
        if value is None:
            return ""
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"server {self._server.name}: {name} must be a name, not {str(value)[:80]!r}")
        return value.strip()

    def names(self, name: str) -> tuple[str, ...]:
        value = self._value(name)
        given = [one.strip() for one in value.split(",")] if isinstance(value, str) else value or []
        if not isinstance(given, list | tuple) or not all(isinstance(one, str) and one for one in given):
            raise UsageError(f"server {self._server.name}: {name} must be a list of names")
        return tuple(given)

    def most(self) -> int | str:
        value = self._value(MOST)
        if value is None:
            return 1
        text = str(value).strip()
        match = _PERCENT.fullmatch(text)
        if match and float(match[1]) <= 100:
            return f"{float(match[1]):g}%"  # 25 % and 25% are one value
        if isinstance(value, bool) or not text.isdecimal() or len(text) > 6:
            raise UsageError(
                f"server {self._server.name}: {MOST} must be a number or percent such as 25%, not {text[:80]!r}"
            )
        return int(text)


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []
