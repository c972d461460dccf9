"""Where servers stand: groups that can spare somebody, order without circles, guests that go down with their host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.placements import Fleet, Group, Placement, fleet, impossible, levels, placement
from maintops.domain.servers import Server
from maintops.errors import UsageError


def server(name: str, groups: tuple[str, ...] = (), **variables: Any) -> Server:
    return Server(name, groups=groups, variables={f"maintops_{key}": value for key, value in variables.items()})


def group(name: str, size: int, most: int | str | None = None) -> list[Server]:
    said = {} if most is None else {"max_unavailable": most}
    return [server(f"{name}{number}", group=name, **said) for number in range(1, size + 1)]


# --- one server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, Placement("web1")),
        ({"group": " web "}, Placement("web1", "web")),
        ({"max_unavailable": 0}, Placement("web1", most=0)),
        ({"max_unavailable": "2"}, Placement("web1", most=2)),
        ({"max_unavailable": "25 %"}, Placement("web1", most="25%")),
        ({"max_unavailable": "12.50%"}, Placement("web1", most="12.5%")),
        ({"depends_on": "db1, cache"}, Placement("web1", needs=("db1", "cache"))),
        ({"depends_on": ["db1"]}, Placement("web1", needs=("db1",))),
        ({"depends_on": []}, Placement("web1")),
        ({"runs_on": "hv1"}, Placement("web1", carrier="hv1")),
    ],
)
def test_the_inventory_says_where_a_server_stands(variables: Mapping[str, Any], found: Placement) -> None:
    assert placement(server("web1", **variables)) == found


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"group": 5}, "maintops_group must be a name, not '5'"),
        ({"group": " "}, "maintops_group must be a name"),
        ({"group": "{{ role }}"}, "maintops_group holds a template"),
        ({"max_unavailable": "{{ most }}"}, "maintops_max_unavailable holds a template"),
        ({"depends_on": ["{% if a %}db1{% endif %}"]}, "maintops_depends_on holds a template"),
        ({"depends_on": "db1,,db2"}, "maintops_depends_on must be a list of names"),
        ({"depends_on": [5]}, "maintops_depends_on must be a list of names"),
        ({"depends_on": {"db1": 1}}, "maintops_depends_on must be a list of names"),
        ({"max_unavailable": True}, "must be a number or percent"),
        ({"max_unavailable": -1}, "must be a number or percent"),
        ({"max_unavailable": 1.5}, "must be a number or percent"),
        ({"max_unavailable": "101%"}, "must be a number or percent"),
        ({"max_unavailable": "½"}, "must be a number or percent"),
        ({"max_unavailable": "²"}, "must be a number or percent"),
        ({"max_unavailable": "some"}, "must be a number or percent"),
        ({"max_unavailable": 10**7}, "must be a number or percent"),
        ({"runs_on": ["hv1"]}, "maintops_runs_on must be a name"),
    ],
)
def test_what_it_cannot_mean_is_told_with_server_and_variable(variables: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=r"^server web1: ") as caught:
        placement(server("web1", **variables))
    assert told in str(caught.value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"\d{1,7}(\.\d)? ?%?", fullmatch=True),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["group", "max_unavailable", "depends_on", "runs_on"]), VALUES))
def test_no_value_of_a_variable_is_worse_than_a_mistake(variables: dict[str, Any]) -> None:
    try:
        told = repr(placement(server("web1", **variables)))
    except UsageError as error:
        told = str(error)
    assert "web1" in told


# --- groups -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "most", "allowed"),
    [
        (4, None, 1),
        (4, 2, 2),
        (4, "25%", 1),
        (3, "25 %", 0),
        (375, "18.4%", 69),
        (7, "29%", 2),
        (100, "29%", 29),
        (3, "100%", 3),
        (3, 0, 0),
    ],
)
def test_percent_are_of_all_the_group_rounded_down(size: int, most: int | str | None, allowed: int) -> None:
    found = fleet(group("web", size, most))
    assert found.groups["web"] == Group("web", frozenset(one.name for one in group("web", size)), allowed)


def test_members_that_say_different_things_are_refused() -> None:
    with pytest.raises(UsageError, match=r"group web say different things in maintops_max_unavailable: 1, 2"):
        fleet([server("web1", group="web"), server("web2", group="web", max_unavailable=2)])


def test_two_ways_to_write_the_same_percent_are_no_difference() -> None:
    two = [server("web1", group="web", max_unavailable="50 %"), server("web2", group="web", max_unavailable="50.0%")]
    assert fleet(two).groups["web"].allowed == 1


@pytest.mark.parametrize(
    ("size", "most", "told"),
    [
        (1, 1, ["the group web has 1 server and may miss 1 (maintops_max_unavailable)"]),
        (1, None, ["the group web has 1 server and may miss 1"]),
        (2, 2, ["the group web has 2 servers and may miss 2"]),
        (2, 5, ["the group web has 2 servers and may miss 5"]),
        (3, "25%", ["the group web may miss none of its 3 servers"]),
        (2, 1, []),
        (3, "34%", []),
    ],
)
def test_a_group_that_can_spare_nobody_or_everybody_is_impossible(
    size: int, most: int | str | None, told: list[str]
) -> None:
    found = impossible(fleet(group("web", size, most)), ["web1"])
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True))


def test_a_group_that_no_server_of_the_run_touches_does_not_matter() -> None:
    assert impossible(fleet([*group("web", 1), server("db1")]), ["db1"]) == []


def test_too_many_missing_are_told_by_name_and_never_by_the_thousand() -> None:
    found = fleet(group("web", 40, 2))
    few, many = ["web1", "web2", "web3"], [f"web{number}" for number in range(1, 41)]
    assert found.excess(few[:2]) is None
    assert found.excess(few) == "of the group web 2 of 40 may be missing at a time: web1, web2, web3"
    assert (found.excess(many) or "").endswith("and 30 more")


# --- who needs whom ---------------------------------------------------------------------------------------------------


def test_a_group_of_the_inventory_stands_for_its_servers() -> None:
    servers = [server("db1", ("db",)), server("db2", ("db",)), server("app1", ("app",), depends_on=["db", "db1"])]
    assert fleet(servers).needs == {"app1": ("db1", "db2")}


def test_a_server_of_the_group_that_it_needs_does_not_wait_for_itself() -> None:
    servers = [server("db1", ("db",)), server("db2", ("db",), depends_on="db")]
    assert fleet(servers).needs == {"db2": ("db1",)}


def test_what_a_server_needs_through_another_it_needs_as_well() -> None:
    found = fleet([server("a", depends_on="b"), server("b", depends_on="c"), server("c")])
    assert found.needs == {"a": ("b", "c"), "b": ("c",)}


def test_a_guest_needs_its_hypervisor_which_takes_it_along() -> None:
    found = fleet([server("hv1"), server("vm1", runs_on="hv1"), server("inner", runs_on="vm1")])
    assert found.needs == {"vm1": ("hv1",), "inner": ("vm1", "hv1")}
    assert found.taken_by("hv1") == {"hv1", "vm1", "inner"}
    assert found.taken_by("inner") == {"inner"}


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"depends_on": "bd1"}, "server web1: maintops_depends_on names 'bd1', which is neither a server nor a group"),
        ({"runs_on": "hv9"}, "server web1: maintops_runs_on names 'hv9', which the inventory has not"),
    ],
)
def test_names_that_nobody_bears_are_refused(variables: Mapping[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        fleet([server("web1", **variables), server("db1")])
    assert str(caught.value).startswith(told)


def test_a_hypervisor_with_two_guests_of_one_group_is_impossible() -> None:
    guests = [server(f"web{number}", group="web", runs_on="hv1") for number in (1, 2)]
    found = fleet([server("hv1"), *guests, server("web3", group="web")])
    assert impossible(found, ["hv1"]) == [
        "hv1 carries too many of a group: of the group web 1 of 3 may be missing at a time: web1, web2"
    ]
    assert impossible(found, ["web1", "web2"]) == []


def test_a_hypervisor_must_not_take_all_of_a_group_down_that_allows_it() -> None:
    guests = [server(f"web{number}", group="web", max_unavailable=2, runs_on="hv1") for number in (1, 2)]
    (told,) = impossible(fleet([server("hv1"), *guests]), ["hv1"])
    assert told.startswith("the group web has 2 servers and may miss 2")


def test_circles_are_told_with_those_who_wait() -> None:
    with pytest.raises(UsageError, match=r"wait for each other \(maintops_depends_on\): a, b$"):
        fleet([server("a", depends_on="b"), server("b", depends_on="a"), server("c")])


def test_a_circle_through_a_hypervisor_is_one() -> None:
    with pytest.raises(UsageError, match="wait for each other"):
        fleet([server("hv1", depends_on="db1"), server("db1", runs_on="hv1")])


NAMES = "abcdefgh"
NEEDS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3))


@given(NEEDS, st.sets(st.sampled_from(NAMES)))
def test_levels_stand_in_order_or_name_a_circle(needs: dict[str, list[str]], servers: set[str]) -> None:
    inside = {name: [need for need in needs.get(name, []) if need in servers] for name in servers}
    try:
        found = levels(servers, needs)
    except UsageError as error:
        named = set(str(error).rpartition(": ")[2].split(", "))
        assert all(set(inside[name]) & named for name in named)  # everybody named waits for somebody named
    else:
        assert set(found) == servers
        assert all(found[need] < found[name] for name in servers for need in inside[name])
        assert all(found[name] == max((found[need] + 1 for need in inside[name]), default=0) for name in servers)


@given(NEEDS)
def test_a_circle_is_always_found(needs: dict[str, list[str]]) -> None:
    given_needs = {**needs, "a": ["b"], "b": ["c"], "c": ["a"]}
    with pytest.raises(UsageError, match="wait for each other"):
        levels(NAMES, given_needs)


def test_an_empty_fleet_misses_nobody() -> None:
    assert (Fleet().excess(["web1"]), Fleet().taken_by("web1"), impossible(Fleet(), ["web1"])) == (None, {"web1"}, [])
