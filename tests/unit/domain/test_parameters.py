"""A parameter is the checklist's default, or what the inventory says for a server when it fits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from maintops.domain.checklists import Cadence, Check, Checklist
from maintops.domain.parameters import checklist_parameters, probe_parameters, source, unfit
from maintops.domain.servers import Server
from maintops.errors import UsageError

DEFAULTS = {"percent": 80, "share": 0.5, "paths": ["/a"], "mail": "x", "strict": True, "map": {"a": 1}}


def parameters(**variables: Any) -> Mapping[str, Any]:
    checklist = Checklist("c", "C", "inspection", Cadence("day", "day"), "all", (), parameters=DEFAULTS)
    return checklist_parameters(checklist, Server("web1", variables=variables))


def test_the_defaults_hold_where_the_inventory_says_nothing() -> None:
    assert parameters(maintops_other=5, percent=90, maintops_criticality="core") == DEFAULTS


def test_the_inventory_overrides_for_one_server() -> None:
    changed = parameters(maintops_percent=90, maintops_share=1, maintops_paths=[], maintops_strict=False)
    assert changed == DEFAULTS | {"percent": 90, "share": 1, "paths": [], "strict": False}
    assert DEFAULTS["percent"] == 80


def test_every_unfit_variable_is_named_and_no_value_is_shown() -> None:
    with pytest.raises(UsageError) as caught:
        parameters(
            maintops_percent="hunter2",
            maintops_share=True,
            maintops_paths="/a,/b",
            maintops_mail=None,
            maintops_strict="true",
            maintops_map=[["{{ hunter2 }}"]],
        )
    start = "server web1: the inventory variable maintops_"
    assert str(caught.value).splitlines() == [
        f"{start}percent must be a whole number, not text",
        f"{start}share must be a number, not true or false",
        f"{start}paths must be a list, not text",
        f"{start}mail must be text, not nothing",
        f"{start}strict must be true or false, not text",
        f"{start}map holds a template; write the value itself (maintops does not render the inventory's templates)",
    ]


@pytest.mark.parametrize("value", ["{{ x }}", "a{% if b %}", ["a", "{{ x }}"], {"a": {"b": ["{{"]}}, {"{{ x }}": 1}])
def test_a_template_is_never_a_value(value: Any) -> None:
    assert "holds a template" in str(unfit(value, value))


def test_a_value_that_is_still_encrypted_is_never_a_value() -> None:
    assert "is encrypted" in str(unfit({"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n61"}, {}))


@pytest.mark.parametrize(
    ("value", "default"), [(1, 2), (1, 2.0), (1.5, 2.0), ("a", ""), ([1], []), ((1,), []), ({}, {})]
)
def test_a_value_of_the_same_type_fits(value: Any, default: Any) -> None:
    assert unfit(value, default) is None


@pytest.mark.parametrize(("value", "default"), [(1.5, 2), (True, 2), (1, True), ("1", 1), ({}, []), (None, "")])
def test_a_value_of_another_type_does_not(value: Any, default: Any) -> None:
    assert unfit(value, default) is not None


def test_a_check_hands_values_and_references_to_its_probe() -> None:
    check = Check("A-001", "T", parameters={"paths": {"from": "places"}, "most": 5, "map": {"from": "x", "b": 1}})
    handed = probe_parameters(check, {"places": ["/a"], "unused": 1})
    assert handed == {"paths": ["/a"], "most": 5, "map": {"from": "x", "b": 1}}
    assert source({"from": "places"}) == "places"
    assert source("places") == source(["from"]) == ""
