"""Which servers are changed together, and how many at a time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from maintops.domain.changes import Share
from maintops.domain.placements import Fleet, levels
from maintops.domain.servers import Criticality, Server

Waves = tuple[tuple[str, ...], ...]


def spread(servers: Sequence[Server], shares: Sequence[Share], fleet: Fleet, last: Collection[str] = ()) -> Waves:
    """The waves of a run, none of them empty. What a server needs stands before it; among equals, standard servers
    stand before core ones, and each group is spread evenly, so that a wave holds no more than its share of any. `last`
    are servers that the run itself needs: they are a last wave of their own."""
    every = _ordered(servers, fleet)
    ordered = [name for name in every if name not in last]
    waves, begun = [], 0
    for share in shares:
        reached = share.reach(len(ordered)) if ordered else 0
        if reached > begun:
            waves.append(tuple(ordered[begun:reached]))
            begun = reached
    if begun < len(ordered):
        waves.append(tuple(ordered[begun:]))
    alone = tuple(name for name in every if name in last)
    return (*waves, alone) if alone else tuple(waves)


def _ordered(servers: Sequence[Server], fleet: Fleet) -> list[str]:
    names = {server.name for server in servers}
    level = levels(names, fleet.needs)
    alike: dict[tuple[int, bool, str], list[tuple[int, str]]] = {}
    for index, server in enumerate(servers):
        core = server.criticality is Criticality.CORE
        key = level[server.name], core, fleet.group_of.get(server.name, "")
        alike.setdefault(key, []).append((index, server.name))
    places = [
        (depth, core, (2 * turn + 1) / (2 * len(members)), index, name)
        for (depth, core, _), members in alike.items()
        for turn, (index, name) in enumerate(members)
    ]
    return [name for *_, name in sorted(places)]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands. `finished` went well, `lost` did not (failed, held, waiting: what needs them has to wait),
    `down` are servers of the inventory that do not serve now, whether the run took them down or not."""

    finished: Collection[str] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    down: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """The servers whose turn it is, and why others of the wave can have no turn any more."""

    servers: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def pick(waiting: Sequence[str], most: int, run: Collection[str], fleet: Fleet, standing: Standing) -> Batch:
    """Whose turn it is among the servers of a wave that wait, at most `most` of them, while nobody is in flight.

    `run` are all servers of the run. A server's turn has come when all that it needs in the run is finished, and when
    no group misses more servers than it may, those counted that are down already and that run on it. Where nobody can
    have a turn, everybody who waits is refused, with the reason. Raises ValueError where `most` is less than one: then
    nobody would ever have a turn.
    """
    if most < 1:
        raise ValueError("at least one server must have a turn at a time")
    chosen: list[str] = []
    refused: dict[str, str] = {}
    later: dict[str, str] = {}
    missing = set(standing.down)
    for server in waiting:
        needs = [need for need in fleet.needs.get(server, ()) if need in run and need not in standing.finished]
        lost = next((need for need in needs if need in standing.lost or need in refused), None)
        if lost is not None:
            refused[server] = f"it needs {lost}: {standing.lost.get(lost) or refused[lost]}"
            continue
        if needs:
            later[server] = f"it needs {', '.join(needs)}, whose turn is later"
            continue
        taken = missing | fleet.taken_by(server)
        why = _excess(fleet, server, taken)
        if why is not None:
            later[server] = why
        elif len(chosen) < most:
            chosen.append(server)
            missing = taken
    if not chosen:
        refused |= later
    return Batch(tuple(chosen), refused)


def _excess(fleet: Fleet, server: str, missing: Collection[str]) -> str | None:
    """Why a server may not be missing beside some others. Groups that it has nothing to do with do not matter: what is
    down there is nothing that it could make worse."""
    own = {fleet.group_of[one] for one in fleet.taken_by(server) if one in fleet.group_of}
    return fleet.excess([one for one in missing if fleet.group_of.get(one) in own])
