"""The servers that maintops itself needs: they are known by what the inventory says, and never looked up."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import pytest

from maintops.domain.parameters import PREFIX, RESERVED
from maintops.domain.servers import Server
from maintops.files.protecting import NEEDED, protected

HERE, DATABASE, BASTION, SAID = (
    "maintops runs on it",
    "the database of maintops is on it",
    "other servers are reached through it",
    "the inventory says that maintops needs it",
)


@pytest.fixture(autouse=True)
def own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Ctl1")
    monkeypatch.setattr(socket, "getfqdn", lambda: "ctl1.ops.example.org")


def server(name: str, **variables: Any) -> Server:
    return Server(name, variables=variables)


def told(servers: Sequence[Server], url: str = "") -> dict[str, str]:
    return dict(protected(servers, servers, url))


WEB = server("web1", ansible_host="192.0.2.1")


# --- the controller ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [
        server("x", ansible_connection="local"),
        server("x", ansible_connection="ansible.builtin.local"),
        server("x", ansible_host="127.0.0.1"),
        server("x", ansible_host="127.9.9.9", ansible_port="22"),
        server("x", ansible_host="::1"),
        server("localhost"),
        server("ctl1", ansible_host="192.0.2.7"),
        server("CTL1.ops.example.org"),
        server("x", ansible_host="ctl1.ops.example.org"),
        server("x", ansible_host="ctl1"),
    ],
)
def test_maintops_knows_the_machine_that_it_runs_on(one: Server) -> None:
    assert told([one, WEB]) == {one.name: HERE}


@pytest.mark.parametrize(
    "one",
    [
        server("x", ansible_host="127.0.0.1", ansible_port=2222),
        server("localhost", ansible_port=2222),
        server("x", ansible_host="127.0.0.1", ansible_port="²"),
        server("x", ansible_host="192.0.2.9"),
        server("x", ansible_host="2001:db8::9"),
        server("x", ansible_host="{{ address }}"),
        server("ctl10"),
        server("ctl1.another.example.org"),
    ],
)
def test_another_machine_is_none_of_its_own(one: Server) -> None:
    assert told([one, WEB]) == {}


# --- the database -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db1/maintops",
        "postgresql+psycopg://user:p@ss@DB1:5432/maintops",
        "postgresql://user@192.0.2.5:5432/maintops",
        "postgresql:///maintops?host=db1",
        "postgresql://user@/maintops?host=db9:5432,db1:5433&sslmode=require",
    ],
)
def test_the_server_of_the_database_is_known(url: str) -> None:
    assert told([server("db1", ansible_host="192.0.2.5"), WEB], url) == {"db1": DATABASE}


def test_a_database_by_its_ipv6_address_is_known() -> None:
    assert told([server("db1", ansible_host="2001:db8::5")], "postgresql://u@[2001:db8::5]:5432/m") == {"db1": DATABASE}


@pytest.mark.parametrize("url", ["", "sqlite:////srv/db1", "postgresql:///m", "postgresql:///m?host=/run/postgresql"])
def test_a_database_that_is_no_server_of_the_network_is_none(url: str) -> None:
    assert told([server("db1"), WEB], url) == {}


@pytest.mark.parametrize("host", ["127.0.0.1:5432", "localhost", "[::1]"])
def test_a_database_on_loopback_is_not_every_machine_behind_loopback(host: str) -> None:
    vm = server("vm", ansible_host="127.0.0.1", ansible_port=2201)
    assert told([vm, server("localhost", ansible_port=2202)], f"postgresql://u@{host}/m") == {}


# --- bastions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        "-J bastion",
        "-Jbastion",
        "-J ops@bastion:2222",
        "-J 'ops@bastion:2222'",
        '-J "bastion"',
        "-J ssh://ops@bastion:2222",
        "-J ssh://bastion",
        "-J first,ops@bastion",
        "-J 192.0.2.8",
        "-J ops@[192.0.2.8]:22",
        "-o ProxyJump=bastion",
        "-o ProxyJump=ops@bastion:2222 -o User=x",
        "-o 'ProxyJump ops@bastion'",
        "-o 'ProxyJump = BASTION'",
        '-o ProxyJump="ops@bastion"',
        "-o proxyjump=bastion",
        "-o ProxyCommand='ssh -W %h:%p ops@bastion'",
        '-o ProxyCommand="ssh -q -p 2222 bastion nc %h %p"',
        '-o proxycommand="ssh -W %h:%p -i key 192.0.2.8"',
    ],
)
@pytest.mark.parametrize("variable", ["ansible_ssh_common_args", "ansible_ssh_extra_args", "ansible_ssh_args"])
def test_a_bastion_is_known_by_the_arguments_of_others(variable: str, arguments: str) -> None:
    bastion = server("bastion", ansible_host="192.0.2.8")
    assert told([bastion, server("web1", ansible_host="192.0.2.1", **{variable: arguments})]) == {"bastion": BASTION}


def test_a_bastion_by_its_ipv6_address_is_known() -> None:
    bastion = server("b", ansible_host="2001:db8::8")
    for hop in ("ops@[2001:db8::8]:22", "[2001:db8::8]", "2001:db8::8"):
        assert told([bastion, server("w", ansible_ssh_common_args=f"-J {hop}")]) == {"b": BASTION}


def test_of_machines_on_loopback_the_port_tells_which_is_the_bastion() -> None:
    machines = [server(f"vm{port}", ansible_host="127.0.0.1", ansible_port=port) for port in (2201, 2202)]
    inner = server("inner", ansible_host="10.99.0.2", ansible_ssh_common_args="-J ops@127.0.0.1:2202")
    assert told([*machines, inner]) == {"vm2202": BASTION}
    command = server("inner", ansible_ssh_common_args="-o ProxyCommand='ssh -p 2201 -W %h:%p ops@127.0.0.1'")
    assert told([*machines, command]) == {"vm2201": BASTION}


def test_a_bastion_of_servers_outside_of_the_run_is_known_too() -> None:
    bastion = server("bastion")
    everyone = [bastion, server("web9", ansible_ssh_common_args="-J bastion")]
    assert protected([bastion], everyone, "") == {"bastion": BASTION}


@pytest.mark.parametrize("arguments", ["-o User=bastion", "-i bastion", "-o ProxyJump=none", "", 5])
def test_other_arguments_make_no_bastion(arguments: Any) -> None:
    assert told([server("bastion"), server("web1", ansible_ssh_common_args=arguments)]) == {}


# --- what the inventory says ------------------------------------------------------------------------------------------


def test_a_server_of_which_the_inventory_says_so_is_needed_and_what_carries_it() -> None:
    jump = server("jump1", maintops_needed=True, maintops_runs_on="hv1")
    assert told([jump, server("hv1"), WEB]) == {"jump1": SAID, "hv1": "it carries jump1, which maintops needs"}


def test_what_is_known_of_a_server_is_more_than_what_the_inventory_says() -> None:
    assert told([server("db1", maintops_needed=True)], "postgresql://db1/m") == {"db1": DATABASE}


def test_no_parameter_of_a_checklist_can_have_its_name() -> None:
    assert NEEDED.removeprefix(PREFIX) in RESERVED


@pytest.mark.parametrize("said", [False, None, "", "{{ x }}"])
def test_the_inventory_may_say_that_a_server_is_not_needed(said: Any) -> None:
    assert told([server("web2", maintops_needed=said)]) == {}
    assert told([server("db1", maintops_needed=said)], "postgresql://db1/m") == {"db1": DATABASE}


# --- what they run on -------------------------------------------------------------------------------------------------


def test_what_carries_a_needed_server_is_needed() -> None:
    servers = [
        server("rack"),
        server("hv1", maintops_runs_on="rack"),
        server("db1", maintops_runs_on="hv1"),
        server("web1", maintops_runs_on="hv2"),
        server("hv2"),
    ]
    assert told(servers, "postgresql://db1/m") == {
        "db1": DATABASE,
        "hv1": "it carries db1, which maintops needs",
        "rack": "it carries hv1, which maintops needs",
    }
    assert set(protected(servers[:2], servers, "postgresql://db1/m")) == {"rack", "hv1"}


def test_servers_that_carry_each_other_do_not_go_round_for_ever() -> None:
    servers = [server("db1", maintops_runs_on="hv1"), server("hv1", maintops_runs_on="db1")]
    assert set(told(servers, "postgresql://db1/m")) == {"db1", "hv1"}
