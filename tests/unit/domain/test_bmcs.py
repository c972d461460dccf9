"""Where a server's management controller is, and how to log in."""

from __future__ import annotations

from typing import Any

import pytest

from maintops.domain.bmcs import Bmc, bmc_refusal
from maintops.domain.servers import Server

SECRET = "correct-horse"
LOGIN = {"user": "keeper", "password": SECRET}


def server(**said: Any) -> Server:
    return Server("web1", variables={f"maintops_bmc_{name}": value for name, value in said.items()})


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("bmc1", "https://bmc1"),
        ("bmc1.example:8443", "https://bmc1.example:8443"),
        ("10.0.0.5", "https://10.0.0.5"),
        ("https://bmc1.example/", "https://bmc1.example"),
        ("https://bmc1.example/redfish/v1/", "https://bmc1.example"),
        ("2001:db8::5", "https://[2001:db8::5]"),
        ("[2001:db8::5]:8443", "https://[2001:db8::5]:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_an_address_is_a_host_or_an_url(address: str, url: str) -> None:
    assert Bmc.of(server(address=address, **LOGIN)).url == url


def test_what_is_not_said_has_its_default() -> None:
    bmc = Bmc.of(server(address="bmc1"))
    assert (bmc.user, bmc.password, bmc.verify, bmc.ipmi_port, bmc.interface) == ("", "", True, 623, "lanplus")
    assert bmc.cipher is None


def test_everything_can_be_said() -> None:
    said = server(
        address="bmc1",
        user="keeper",
        password=123456,
        verify="/etc/ca.pem",
        ipmi_port="6230",
        interface="lan",
        cipher=17,
    )
    bmc = Bmc.of(said)
    assert (bmc.password, bmc.verify, bmc.ipmi_port, bmc.interface) == ("123456", "/etc/ca.pem", 6230, "lan")
    assert bmc.cipher == 17


@pytest.mark.parametrize(
    ("said", "verify"), [(False, False), ("false", False), ("no", False), (True, True), ("yes", True)]
)
def test_only_a_no_turns_verification_off(said: Any, verify: bool) -> None:
    assert Bmc.of(server(address="bmc1", verify=said)).verify is verify


def test_nobody_is_let_in_over_a_plain_line_but_those_without_a_password() -> None:
    assert Bmc.of(server(address="http://bmc1.example")).url == "http://bmc1.example"
    assert "only over https" in str(bmc_refusal(server(address="http://bmc1.example", **LOGIN)))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "names no management controller"),
        ({"address": ""}, "maintops_bmc_address is not a host"),
        ({"address": "-x"}, "maintops_bmc_address is not a host"),
        ({"address": "a b"}, "maintops_bmc_address is not a host"),
        ({"address": "bmc1:0"}, "maintops_bmc_address is not a host"),
        ({"address": "bmc1:99999"}, "maintops_bmc_address is not a host"),
        ({"address": "https://"}, "maintops_bmc_address is not a host"),
        ({"address": "bmc1\n-H"}, "holds a control character"),
        ({"address": "ftp://bmc1"}, "neither https:// nor http://"),
        ({"address": "bmc1/cgi"}, "has a path"),
        ({"address": f"https://keeper:{SECRET}@bmc1"}, "holds a login"),
        ({"address": ["bmc1"]}, "must be text"),
        ({"address": "{{ bmc }}"}, "holds a template"),
        ({"address": "bmc1", "user": "keeper", "password": "{{ vaulted }}"}, "maintops_bmc_password holds a template"),
        ({"address": "bmc1", "user": "keeper", "password": {"__ansible_vault": "$ANSIBLE"}}, "is encrypted"),
        ({"address": "bmc1", "user": "keeper", "password": f"{SECRET}\n"}, "holds a control character"),
        ({"address": "bmc1", "user": "keeper", "password": [SECRET]}, "must be text"),
        ({"address": "bmc1", "user": "keeper"}, "maintops_bmc_password is missing"),
        ({"address": "bmc1", "password": SECRET}, "maintops_bmc_user is missing"),
        ({"address": "bmc1", "verify": 0}, "maintops_bmc_verify must be"),
        ({"address": "bmc1", "verify": ""}, "maintops_bmc_verify must be"),
        ({"address": "bmc1", "ipmi_port": 0}, "maintops_bmc_ipmi_port must be"),
        ({"address": "bmc1", "ipmi_port": "623; ls"}, "maintops_bmc_ipmi_port must be"),
        ({"address": "bmc1", "interface": "open"}, "must be one of lanplus, lan"),
        ({"address": "bmc1", "cipher": 99}, "maintops_bmc_cipher must be"),
    ],
)
def test_what_cannot_be_used_is_named_and_no_secret_with_it(said: dict[str, Any], why: str) -> None:
    refusal = bmc_refusal(server(**said))
    assert refusal is not None
    assert why in refusal
    assert SECRET not in refusal


def test_a_good_one_is_not_refused_and_does_not_show_its_password() -> None:
    good = server(address="bmc1", **LOGIN)
    assert bmc_refusal(good) is None
    assert SECRET not in repr(Bmc.of(good)) + str(Bmc.of(good))
