"""A plan's file: written whole, this user's alone, and refused where anybody changed it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.identities import Identity
from maintops.domain.plans import ChangePlan, PlannedChange, PlannedStep, Update, document, plan_hash
from maintops.errors import UsageError
from maintops.files import plans
from maintops.files.plans import parse_plan, plan_text, read_plan, write_plan

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
PLAN = ChangePlan(
    id="p1",
    checklist="patch",
    title="Pätch",
    file="/srv/patch.yml",
    version="v1",
    author=Identity("anna@ctl", "Anna"),
    created=AT,
    servers=(PlannedChange("web1", updates=(Update("nginx", "1.0", "1.1"),), asked=AT), PlannedChange("web2")),
    waves=(("web1",), ("web2",)),
    steps=(PlannedStep("C-1", "Update", "playbook"),),
)


def forged(**changes: Any) -> bytes:
    """The plan's file, some fields of the plan written over, its hash left as it is."""
    return json.dumps({"hash": plan_hash(PLAN), "plan": {**document(PLAN), **changes}}).encode()


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tonight.plan"
    write_plan(PLAN, path)
    assert read_plan(path) == PLAN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["tonight.plan"]  # noqa: PTH208  names are what is meant


def test_an_older_plan_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "tonight.plan"
    path.write_text("old")
    write_plan(PLAN, path)
    assert read_plan(path) == PLAN


def test_its_text_is_json_with_a_line_for_each_server() -> None:
    text = plan_text(PLAN)
    assert text.isascii()
    assert json.loads(text) == {"hash": plan_hash(PLAN), "plan": document(PLAN)}
    assert [line.strip()[:18] for line in text.splitlines() if "asked" in line] == [
        '{"server": "web1",',
        '{"server": "web2",',
    ]


@pytest.mark.parametrize("target", ["missing/x.plan", "folder"])
def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path, target: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match=r"cannot write the plan .*: "):
        write_plan(PLAN, tmp_path / target)
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_a_value_that_has_no_place_in_json_leaves_no_file(tmp_path: Path) -> None:
    odd = replace(PLAN, servers=(PlannedChange("web1", {"x": object()}), PlannedChange("web2")))
    with pytest.raises(TypeError):
        write_plan(odd, tmp_path / "x.plan")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        forged(budget=1000),
        forged(window=None, title="Another"),
        forged(waves=[["web1", "web2"]]),
        forged(author={"login": "ben@ctl", "name": "Ben"}),
        json.dumps({"hash": "0" * 64, "plan": document(PLAN)}).encode(),
        json.dumps({"hash": None, "plan": document(PLAN)}).encode(),
    ],
)
def test_a_forged_file_is_refused(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"^x.plan was changed after it was made: its hash does not fit"):
        parse_plan(text, "x.plan")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "Expecting value"),
        (b'{"\xff"}', "codec"),
        (b"[]", "list"),
        (b"{}", "it has no 'plan'"),
        (b'{"plan": "x", "hash": "y"}', "no attribute"),
        (json.dumps({"plan": document(PLAN)}).encode(), "it has no 'hash'"),
        (forged(servers=5), "not iterable"),
        (forged(servers=[{}]), "it has no 'removals'"),
        (forged(created="now"), "isoformat"),
        (forged(format="other/9"), "its format is 'other/9'"),
        (forged(waves=[["web1"]]), "waves are not of its servers"),
        (b"[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_plan_is_told_with_the_files_name(text: bytes, told: str) -> None:
    with pytest.raises(UsageError, match=r"^x.plan is no plan of maintops: .*; make one with maintops plan$") as caught:
        parse_plan(text, "x.plan")
    assert told in str(caught.value)


def test_values_nested_beyond_reason_are_no_plan() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    whole = document(PLAN)
    whole["servers"][0]["values"] = {"x": deep}
    text = json.dumps({"hash": "0", "plan": whole})
    for depth in (400, 900, 990):
        nested = text.replace("[" * 400 + "1" + "]" * 400, "[" * depth + "1" + "]" * depth)
        with pytest.raises(UsageError, match=r"^x.plan "):
            parse_plan(nested.encode(), "x.plan")


def test_a_file_that_is_not_there_or_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"cannot read the plan .*no\.plan: No such file"):
        read_plan(tmp_path / "no.plan")
    path = tmp_path / "x.plan"
    write_plan(PLAN, path)
    monkeypatch.setattr(plans, "LARGEST", 100)
    with pytest.raises(UsageError, match="too large to be a plan"):
        read_plan(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(document(PLAN))), JSON)
def test_no_value_of_any_field_gets_past_the_hash(name: str, value: Any) -> None:
    try:
        found = repr(parse_plan(forged(**{name: value}), "x.plan"))
    except UsageError as error:
        found = str(error)
    # an empty list may be written as another empty thing: what is used is what the hash is of
    assert found == repr(PLAN) or found.startswith("x.plan ")


@given(st.binary(max_size=200))
def test_no_bytes_at_all_are_worse_than_a_mistake(text: bytes) -> None:
    with pytest.raises(UsageError, match=r"^x.plan is no plan"):
        parse_plan(text, "x.plan")


@given(st.data())
def test_a_file_that_was_cut_is_no_plan(data: st.DataObject) -> None:
    text = plan_text(PLAN).encode()
    cut = data.draw(st.integers(0, len(text.rstrip()) - 1))
    with pytest.raises(UsageError, match=r"^x.plan is no plan"):
        parse_plan(text[:cut], "x.plan")
