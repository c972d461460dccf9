"""From a listing to servers: their order, their groups, what their variables say."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from maintops.domain.servers import Criticality
from maintops.errors import UsageError
from maintops.files.hosts import group_names, host_names, read_servers

LISTING: dict[str, Any] = {
    "_meta": {"hostvars": {"web1": {"x": 1}}},
    "all": {"children": ["ungrouped", "physical", "web", "empty", "shared"]},
    "ungrouped": {"hosts": ["lone"]},
    "physical": {"children": ["db", "shared"], "hosts": ["iron"]},
    "db": {"hosts": ["db2", "db1"]},
    "web": {"hosts": ["web1", "db1"]},
    "shared": {"hosts": ["web1"]},
}


def servers(**variables: Any) -> list[Any]:
    return read_servers(LISTING | {"_meta": {"hostvars": {"web1": variables}}}, ["web1"])


def test_hosts_and_groups_keep_the_order_of_the_inventory() -> None:
    assert host_names(LISTING) == ["lone", "iron", "db2", "db1", "web1"]
    assert group_names(LISTING) == ["physical", "db", "shared", "web", "empty"]


def test_a_host_is_in_the_groups_around_its_groups_too() -> None:
    lone, db1, web1 = read_servers(LISTING, ["lone", "db1", "web1"])
    assert (lone.name, lone.groups) == ("lone", ())
    assert db1.groups == ("physical", "db", "web")
    assert web1.groups == ("physical", "shared", "web")


def test_groups_in_a_circle_do_not_hang() -> None:
    listing = {"_meta": {"hostvars": {}}, "all": {"children": ["a"]}, "a": {"children": ["all", "a"], "hosts": ["h"]}}
    assert host_names(listing) == ["h"]


def test_variables_of_the_service_become_fields() -> None:
    (server,) = servers(
        maintops_criticality="core",
        maintops_in_service="2024-03-01",
        maintops_customer="Example Ltd",
        maintops_site="Berlin",
        maintops_roles=["db", " primary "],
        other={"kept": True},
    )
    assert (server.criticality, server.in_service) == (Criticality.CORE, date(2024, 3, 1))
    assert (server.customer, server.site, server.roles) == ("Example Ltd", "Berlin", ("db", "primary"))
    assert server.variables["other"] == {"kept": True}
    assert servers(maintops_roles="db, primary,")[0].roles == ("db", "primary")


def test_a_server_that_nothing_is_said_about() -> None:
    (server,) = servers()
    assert (server.criticality, server.in_service, server.customer) == (Criticality.STANDARD, None, None)
    assert (server.site, server.roles, dict(server.variables)) == (None, (), {})


def test_what_ansible_must_not_render_is_text() -> None:
    hidden = {"__ansible_vault": "$ANSIBLE_VAULT;1.1;AES256\n61"}
    (server,) = servers(a={"__ansible_unsafe": "{{ x }}"}, b=[{"c": {"__ansible_unsafe": "y"}}], d=hidden)
    assert dict(server.variables) == {"a": "{{ x }}", "b": [{"c": "y"}], "d": hidden}


def test_every_mistake_of_every_server_is_told_and_no_value() -> None:
    secret = "hunter2"
    listing = LISTING | {
        "_meta": {
            "hostvars": {
                "web1": {"maintops_criticality": secret, "maintops_in_service": secret, "maintops_roles": {secret: 1}},
                "db1": {
                    "maintops_criticality": True,
                    "maintops_in_service": 2024,
                    "maintops_customer": "{{ hunter2 }}",
                    "maintops_site": 5,
                    "maintops_roles": [secret, "{{ x }}"],
                    "maintops_needed": secret,
                },
            }
        }
    }
    with pytest.raises(UsageError) as caught:
        read_servers(listing, ["lone", "db1", "web1"])
    template = "holds a template; write the value itself (maintops does not render the inventory's templates)"
    assert str(caught.value).splitlines() == [
        "server db1: the inventory variable maintops_criticality must be text, not true or false",
        "server db1: the inventory variable maintops_in_service must be text, not a whole number",
        f"server db1: the inventory variable maintops_customer {template}",
        "server db1: the inventory variable maintops_site must be text, not a whole number",
        "server db1: the inventory variable maintops_roles must be a list of words, or words with commas",
        "server db1: the inventory variable maintops_needed must be true or false (in an INI file: True or False)",
        "server web1: the inventory variable maintops_criticality must be core or standard",
        "server web1: the inventory variable maintops_in_service must be a date such as 2024-03-01",
        "server web1: the inventory variable maintops_roles must be a list of words, or words with commas",
    ]
    assert secret not in str(caught.value)
