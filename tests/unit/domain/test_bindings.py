"""What an approval binds of a server's inventory variables."""

from __future__ import annotations

from typing import Any

import pytest

from maintops.domain.bindings import binding
from maintops.domain.servers import Server

VARIABLES: dict[str, Any] = {
    "ansible_host": "10.0.0.1",
    "ansible_password": "s3cret",
    "maintops_group": "web",
    "app": 1,
}


def bound(changes: dict[str, Any], name: str = "web1", salt: str = "p1") -> str:
    return binding(Server(name, variables={**VARIABLES, **changes}), salt)


@pytest.mark.parametrize("change", [{"ansible_host": "10.0.0.2"}, {"maintops_group": "db"}, {"ansible_port": 23}])
def test_another_way_to_it_or_another_word_to_maintops_is_another_binding(change: dict[str, Any]) -> None:
    assert bound(change) != bound({})


@pytest.mark.parametrize(
    "change", [{"ansible_password": "other"}, {"ansible_become_pass": "x"}, {"maintops_bmc_password": "x"}, {"app": 2}]
)
def test_secrets_and_variables_of_others_are_not_in_it(change: dict[str, Any]) -> None:
    assert bound(change) == bound({})


def test_it_is_one_plans_and_one_servers() -> None:
    assert len({bound({}), bound({}, salt="p2"), bound({}, name="web2")}) == 3


def test_the_order_of_variables_does_not_matter() -> None:
    turned = Server("web1", variables=dict(reversed(VARIABLES.items())))
    assert binding(turned, "p1") == bound({})
