"""The plan: what its hash binds, and that it comes back from its document as it was."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import Packages
from maintops.domain.identities import Identity
from maintops.domain.placements import Fleet, Group
from maintops.domain.plans import (
    FORMAT,
    ChangePlan,
    Expectation,
    Foreseen,
    PlannedChange,
    PlannedStep,
    Update,
    canonical,
    document,
    plan_hash,
    plan_of,
)
from maintops.domain.windows import Opening

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
WEB = PlannedChange(
    "web1",
    {"keep": ["nginx", 1, 1.5, None, True]},
    (Update("nginx", "1.0", "1.1", "amd64", True), Update("libnew", None, "2")),
    ("old-lib",),
    ("held-lib",),
    ("phased-lib",),
    AT,
    "maintops runs on it",
    "BMC",
    ("would not be changed now: no space",),
)
FLEET = Fleet(
    {"web": Group("web", frozenset({"web1", "web2"}), 1)},
    {"web1": "web", "web2": "web"},
    {"web1": ("db1",)},
    {"hv1": ("web1",)},
)
PLAN = ChangePlan(
    id="p1",
    checklist="patch",
    title="Patch",
    file="/srv/patch.yml",
    version="0" * 64,
    author=Identity("anna@ctl", "Anna"),
    created=AT,
    servers=(WEB, PlannedChange("db1")),
    waves=(("db1",), ("web1",)),
    steps=(PlannedStep("C-1", "Update", "playbook", "playbook", 60.0),),
    content={"update.yml": "1" * 64},
    inventory=("hosts.yml",),
    limit="web*",
    packages=Packages.PINNED,
    fleet=FLEET,
    window=Opening(AT, AT + timedelta(hours=4)),
    expectation=Expectation(60.0, 90.0, "5 earlier changes"),
    seconds=120.0,
    budget=2,
    canary_budget=1,
    approval="standard",
    risk="a service may stop",
    contingency="take it back",
    people=("database team",),
    foreseen=(Foreseen("C-1", "web1", ("install",), ("restart",), "no answer"),),
    notes=("mind the gap",),
    of="r0",
)
LEAST = ChangePlan("p2", "c", "C", "/c.yml", "v", Identity("a@b", "a"), AT, (PlannedChange("s"),), (("s",),))


@pytest.mark.parametrize("plan", [PLAN, LEAST])
def test_a_plan_comes_back_as_it_was(plan: ChangePlan) -> None:
    found = json.loads(json.dumps(document(plan)))
    assert found == document(plan)
    assert plan_of(found) == plan
    assert plan_of(json.loads(canonical(plan))) == plan


def test_the_sample_leaves_no_field_at_its_default() -> None:
    told = [one.name for one in fields(ChangePlan) if getattr(PLAN, one.name) == getattr(LEAST, one.name)]
    assert told == ["created"]


def test_the_canonical_text_is_sorted_tight_ascii() -> None:
    text = canonical(replace(PLAN, title="Pätch \ud800"))
    assert text.isascii()
    assert b": " not in text.replace(b"now: no space", b"")
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert plan_hash(PLAN) == hashlib.sha256(canonical(PLAN)).hexdigest()


def test_the_order_in_which_mappings_were_made_does_not_matter() -> None:
    one = replace(PLAN, content={"a": "1", "b": "2"})
    assert plan_hash(one) == plan_hash(replace(PLAN, content={"b": "2", "a": "1"}))


def _spots(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _spots(one, (*path, key))


def _put(found: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(found)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def _other(value: Any) -> list[Any]:
    match value:
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, -1]
        case str():
            return [value + "x", "", _later(value)]
        case list():
            return [value[1:], [*value, *value[:1]], value[::-1]] if value else [["x"]]
        case dict():
            return [dict(list(value.items())[1:])]
        case _:
            return ["x"]


def _later(value: str) -> str:
    try:
        return (datetime.fromisoformat(value) + timedelta(seconds=1)).isoformat()
    except ValueError:
        return value + "y"


SPOTS = [path for path in _spots(document(PLAN)) if path]


@pytest.mark.parametrize("path", SPOTS, ids=lambda path: ".".join(map(str, path)))
def test_any_change_of_any_spot_is_refused_or_has_another_hash(path: tuple[Any, ...]) -> None:
    whole = document(PLAN)
    value: Any = whole
    for key in path:
        value = value[key]
    for other in _other(value):
        if other == value:
            continue
        try:
            found = plan_of(_put(whole, path, other))
        except (ValueError, KeyError, TypeError):
            continue
        # members of a group are a set: one that is written twice is no other plan
        assert plan_hash(found) != plan_hash(PLAN) or found == PLAN
        assert (plan_hash(found) == plan_hash(PLAN)) is (found == PLAN)


@pytest.mark.parametrize(
    "changed",
    [
        replace(
            PLAN, servers=(replace(WEB, updates=(replace(WEB.updates[0], new="1.2"), WEB.updates[1])), PLAN.servers[1])
        ),
        replace(PLAN, servers=(replace(WEB, values={"keep": ["nginx", 1, 1.5, None, 1]}), PLAN.servers[1])),
        replace(PLAN, servers=PLAN.servers[::-1]),
        replace(PLAN, waves=(("web1",), ("db1",))),
        replace(PLAN, waves=(("db1", "web1"),)),
        replace(PLAN, window=None),
        replace(PLAN, fleet=replace(FLEET, groups={"web": Group("web", frozenset({"web1", "web2"}), 2)})),
        replace(PLAN, fleet=replace(FLEET, needs={})),
        replace(PLAN, fleet=replace(FLEET, guests={})),
        replace(PLAN, author=Identity("anna@ctl", "Ben")),
        replace(PLAN, packages=Packages.LATEST),
    ],
)
def test_what_an_approver_agreed_to_is_bound(changed: ChangePlan) -> None:
    assert plan_hash(changed) != plan_hash(PLAN)


@pytest.mark.parametrize("name", [one.name for one in fields(ChangePlan)])
def test_a_plan_without_one_of_its_fields_is_none_or_another(name: str) -> None:
    found = document(PLAN)
    del found[name]
    try:
        told = plan_hash(plan_of(found))
    except (ValueError, KeyError, TypeError):
        told = ""
    assert told != plan_hash(PLAN)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "maintops-plan/2"}, r"format is 'maintops-plan/2'; this maintops reads maintops-plan/1"),
        ({"extra": 1}, "unknown fields: extra"),
        ({"id": 5}, "its id is not"),
        ({"budget": "2"}, "its budget is not"),
        ({"budget": True}, "its budget is not"),
        ({"budget": 2.5}, "its budget is not"),
        ({"seconds": "120"}, "its seconds is not"),
        ({"created": "2026-03-01T09:00:00"}, "has no zone"),
        ({"created": "yesterday"}, "yesterday"),
        ({"packages": "some"}, "some"),
        ({"waves": [["db1"]]}, "waves are not of its servers"),
        ({"waves": [["db1"], ["web1"], ["web1"]]}, "waves are not of its servers"),
        ({"waves": [["db1"], ["web2"]]}, "waves are not of its servers"),
        ({"servers": []}, "waves are not of its servers"),
    ],
)
def test_what_is_no_plan_is_told(changes: Mapping[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        plan_of({**document(PLAN), **changes})


def test_the_format_is_in_the_document() -> None:
    assert document(LEAST)["format"] == FORMAT


TEXT = st.text(max_size=8)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
TIMES = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  Hypothesis wants bounds without a zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
CHANGES = st.builds(
    PlannedChange,
    TEXT,
    st.dictionaries(TEXT, JSON, max_size=3),
    st.lists(st.builds(Update, TEXT, st.none() | TEXT, TEXT, TEXT, st.booleans()), max_size=3).map(tuple),
    NAMES,
    NAMES,
    NAMES,
    st.none() | TIMES,
    TEXT,
    TEXT,
    NAMES,
)


@st.composite
def plans(draw: st.DrawFn) -> ChangePlan:
    servers = draw(st.lists(CHANGES, min_size=1, max_size=4, unique_by=lambda one: one.server))
    names = [one.server for one in servers]
    cut = draw(st.integers(0, len(names)))
    waves = tuple(tuple(wave) for wave in (names[:cut], names[cut:]) if wave)
    return replace(
        PLAN,
        title=draw(TEXT),
        servers=tuple(servers),
        waves=waves,
        created=draw(TIMES),
        content=draw(st.dictionaries(TEXT, TEXT, max_size=3)),
        fleet=Fleet(needs={names[0]: draw(NAMES)}, guests={names[0]: draw(NAMES)}),
        window=draw(st.none() | st.builds(Opening, TIMES, TIMES)),
        seconds=draw(st.floats(0, 1e9)),
        steps=tuple(draw(st.lists(st.builds(PlannedStep, TEXT, TEXT, TEXT, TEXT, st.floats(0, 1e6)), max_size=3))),
        notes=draw(NAMES),
    )


@given(plans())
def test_every_plan_comes_back_with_its_hash(plan: ChangePlan) -> None:
    found = plan_of(json.loads(canonical(plan)))
    assert found == plan
    assert canonical(found) == canonical(plan)


@given(plans(), plans())
def test_two_plans_share_a_hash_only_where_they_are_one(one: ChangePlan, other: ChangePlan) -> None:
    assert (plan_hash(one) == plan_hash(other)) is (canonical(one) == canonical(other))
    assert one == other or plan_hash(one) != plan_hash(other)
