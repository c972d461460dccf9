"""Waves, and whose turn it is: nobody twice, nobody forgotten, nobody too early, and no group in want."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import DEFAULT_WAVES, Share
from maintops.domain.placements import Fleet, Group, fleet
from maintops.domain.servers import Criticality, Server
from maintops.domain.waves import Batch, Standing, pick, spread


def server(name: str, core: bool = False, **variables: Any) -> Server:
    criticality = Criticality.CORE if core else Criticality.STANDARD
    return Server(name, criticality, variables={f"maintops_{key}": value for key, value in variables.items()})


def plain(count: int, prefix: str = "s", **variables: Any) -> list[Server]:
    return [server(f"{prefix}{number:03}", **variables) for number in range(count)]


# --- the waves of a run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1]), (2, [1, 1]), (5, [1, 2, 2]), (10, [1, 4, 5]), (40, [1, 3, 16, 20]), (5000, [1, 499, 2000, 2500])],
)
def test_the_usual_waves_reach_one_a_tenth_half_and_all(count: int, sizes: list[int]) -> None:
    found = spread(plain(count), DEFAULT_WAVES, Fleet())
    assert [len(wave) for wave in found] == sizes


def test_shares_that_do_not_reach_all_are_followed_by_the_rest() -> None:
    assert [len(wave) for wave in spread(plain(10), [Share(count=3), Share(count=2)], Fleet())] == [3, 7]


def test_standard_servers_stand_before_core_ones() -> None:
    found = spread([server("core", core=True), server("web")], [Share(count=1)], Fleet())
    assert found == (("web",), ("core",))


def test_what_is_needed_stands_first_even_where_it_is_core() -> None:
    servers = [server("app", depends_on="db"), server("db", core=True)]
    assert spread(servers, [Share(count=1)], fleet(servers)) == (("db",), ("app",))


def test_a_small_group_is_not_spent_on_an_early_wave() -> None:
    servers = [*plain(3, "web", group="web"), *plain(97)]
    waves = spread(servers, DEFAULT_WAVES, fleet(servers))
    assert [sum(name.startswith("web") for name in wave) for wave in waves] == [0, 0, 2, 1]


def test_groups_of_one_size_take_turns() -> None:
    servers = [*plain(2, "a", group="a"), *plain(2, "b", group="b")]
    assert spread(servers, [Share(count=4)], fleet(servers)) == (("a000", "b000", "a001", "b001"),)


def test_who_is_last_has_a_wave_of_its_own_in_order() -> None:
    servers = [server("vm", runs_on="hv"), server("hv"), *plain(3)]
    found = spread(servers, [Share(percent=100)], fleet(servers), {"hv": "", "vm": ""})
    assert found == (("s000", "s001", "s002"), ("hv", "vm"))


def test_only_those_who_are_last_are_one_wave() -> None:
    assert spread(plain(1), DEFAULT_WAVES, Fleet(), ["s000"]) == (("s000",),)


@dataclass(frozen=True)
class World:
    """Servers, where they stand, and who is needed by maintops itself."""

    servers: tuple[Server, ...]
    fleet: Fleet
    last: frozenset[str]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = [f"s{number}" for number in range(draw(st.integers(1, 14)))]
    members: dict[str, list[str]] = {}
    group_of, needs, guests = {}, {}, dict[str, tuple[str, ...]]()
    for index, name in enumerate(names):
        belongs = draw(st.sampled_from(["", "", "a", "b"]))
        if belongs:
            members.setdefault(belongs, []).append(name)
            group_of[name] = belongs
        wanted = draw(st.sets(st.sampled_from(names[:index]), max_size=2)) if index else set()
        if wanted:
            needs[name] = tuple(sorted(wanted))
            if draw(st.booleans()):
                carrier = needs[name][0]
                guests[carrier] = (*guests.get(carrier, ()), name)
    groups = {
        name: Group(name, frozenset(some), draw(st.integers(0, max(len(some) - 1, 0))))
        for name, some in members.items()
    }
    order = draw(st.permutations(names))
    cores = draw(st.sets(st.sampled_from(names)))
    servers = tuple(server(name, core=name in cores) for name in order)
    last = draw(st.frozensets(st.sampled_from(names), max_size=2))
    return World(servers, Fleet(groups, group_of, needs, guests), last)


SHARES = st.lists(
    st.one_of(
        st.builds(lambda count: Share(count=count), st.integers(1, 20)),
        st.builds(lambda percent: Share(percent=percent), st.floats(0.1, 100)),
    ),
    max_size=5,
)


@given(worlds(), SHARES)
def test_every_server_has_one_wave_and_none_is_empty(world: World, shares: list[Share]) -> None:
    waves = spread(world.servers, shares, world.fleet, world.last)
    assert Counter(name for wave in waves for name in wave) == Counter(one.name for one in world.servers)
    assert all(waves)


@given(worlds(), SHARES)
def test_no_wave_reaches_further_than_the_shares_allow(world: World, shares: list[Share]) -> None:
    waves = list(spread(world.servers, shares, world.fleet, world.last))
    if world.last:
        assert set(waves.pop()) == world.last
    count = len(world.servers) - len(world.last)
    wanted = [share.reach(count) for share in shares] if count else []
    wanted.append(count)
    # a share that reaches no further than one before it has no wave of its own
    further = [reach for index, reach in enumerate(wanted) if reach > max(wanted[:index], default=0)]
    assert list(accumulate(map(len, waves))) == further


@given(worlds(), SHARES)
def test_what_a_server_needs_is_never_in_a_later_wave(world: World, shares: list[Share]) -> None:
    order = [name for wave in spread(world.servers, shares, world.fleet, world.last) for name in wave]
    for name, needs in world.fleet.needs.items():
        for need in needs:
            if need not in world.last or name in world.last:
                assert order.index(need) < order.index(name)


# --- whose turn it is -------------------------------------------------------------------------------------------------

WEB = [server(f"web{number}", group="web", max_unavailable=2) for number in range(1, 6)]
ALL = [one.name for one in WEB]


def turn(servers: Sequence[Server], most: int = 10, standing: Standing | None = None) -> Batch:
    names = [one.name for one in servers]
    waiting = [name for name in names if name not in (standing.finished if standing else ())]
    return pick(waiting, most, names, fleet(servers), standing or Standing())


def test_no_more_have_a_turn_than_may_be_in_flight() -> None:
    assert turn(plain(5), 2) == Batch(("s000", "s001"))


def test_a_group_misses_no_more_than_it_may() -> None:
    assert turn(WEB).servers == ("web1", "web2")


def test_who_is_down_already_counts() -> None:
    assert turn(WEB, standing=Standing(down=["web5"])).servers == ("web1", "web5")
    assert turn(WEB, 1, Standing(down=["web4"])).servers == ("web1",)


def test_a_server_that_is_down_may_be_changed_itself() -> None:
    standing = Standing(down=["web4", "web5"])
    found = turn(WEB, standing=standing)
    assert found.servers == ("web4", "web5")
    assert found.refused == {}


def test_where_too_many_are_down_everybody_else_is_refused_by_name() -> None:
    found = pick(["web1"], 3, ALL, fleet(WEB), Standing(down=["web4", "web5"]))
    assert found == Batch((), {"web1": "of the group web 2 of 5 may be missing at a time: web1, web4, web5"})


def test_a_group_that_is_down_keeps_nobody_else_from_a_turn() -> None:
    servers = [*WEB, server("db1")]
    found = pick(["db1"], 3, [one.name for one in servers], fleet(servers), Standing(down=["web3", "web4", "web5"]))
    assert found == Batch(("db1",))


def test_guests_are_missing_while_their_hypervisor_is_changed() -> None:
    servers = [
        server("hv1"),
        server("hv2"),
        server("web1", group="web", runs_on="hv1"),
        server("web2", group="web", runs_on="hv2"),
        server("web3", group="web"),
    ]
    found = pick(["hv1", "hv2", "web3"], 5, ["hv1", "hv2", "web3"], fleet(servers), Standing())
    assert found.servers == ("hv1",)


def test_who_needs_somebody_waits_for_the_end_of_it() -> None:
    servers = [server("db"), server("app", depends_on="db")]
    assert turn(servers) == Batch(("db",))
    assert turn(servers, standing=Standing(finished=["db"])) == Batch(("app",))


def test_a_server_outside_of_the_run_is_not_waited_for() -> None:
    servers = [server("db"), server("app", depends_on="db")]
    assert pick(["app"], 1, ["app"], fleet(servers), Standing()) == Batch(("app",))


def test_who_needs_a_lost_server_is_refused_with_what_happened_to_it_and_so_on_up_the_line() -> None:
    servers = [server("db"), server("app", depends_on="db"), server("web", depends_on="app"), server("other")]
    found = pick(
        ["app", "web", "other"], 1, ["db", "app", "web", "other"], fleet(servers), Standing(lost={"db": "no space"})
    )
    assert found.servers == ("other",)
    assert found.refused == {
        "app": "it needs db: no space",
        "web": "it needs app: it needs db: no space",
    }


def test_who_needs_somebody_of_a_later_wave_is_told_so() -> None:
    servers = [server("db"), server("app", depends_on="db")]
    assert pick(["app"], 1, ["db", "app"], fleet(servers), Standing()) == Batch(
        (), {"app": "it needs db, whose turn is later"}
    )


@pytest.mark.parametrize("most", [0, -1])
def test_nobody_at_a_time_would_never_end(most: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        pick(["a"], most, ["a"], Fleet(), Standing())


def _counts(world: World, missing: set[str]) -> Mapping[str, int]:
    return Counter(world.fleet.group_of[one] for one in missing if one in world.fleet.group_of)


@given(worlds(), st.integers(1, 5), st.data())
def test_repeated_picking_ends_and_never_hurts_a_group(world: World, most: int, data: st.DataObject) -> None:
    run = [one.name for one in world.servers]
    down = data.draw(st.sets(st.sampled_from(run)), "down")
    finished: set[str] = set()
    lost: dict[str, str] = {}
    waiting = list(run)
    for _ in range(2 * len(run) + 1):
        if not waiting:
            break
        standing = Standing(finished, lost, down)
        batch = pick(waiting, most, run, world.fleet, standing)
        assert len(batch.servers) <= most
        assert batch.servers or set(batch.refused) == set(waiting)
        assert not set(batch.servers) & set(batch.refused)
        assert {*batch.servers, *batch.refused} <= set(waiting)
        assert all(batch.refused.values())
        taken = {one for name in batch.servers for one in world.fleet.taken_by(name)}
        for name, count in _counts(world, down | taken).items():
            own = any(world.fleet.group_of.get(one) == name for one in taken)
            assert not own or count <= world.fleet.groups[name].allowed
        for name in batch.servers:
            assert all(need in finished for need in world.fleet.needs.get(name, ()))
        for name in batch.servers:
            if data.draw(st.booleans(), name):
                finished.add(name)
                down.discard(name)
            else:
                lost[name] = "it broke"
                down.add(name)
        lost |= batch.refused
        waiting = [name for name in waiting if name not in batch.servers and name not in batch.refused]
    assert waiting == []
    assert finished | set(lost) == set(run)
