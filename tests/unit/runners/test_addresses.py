from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maintops.domain.servers import Server
from maintops.runners.addresses import Address, Become, Hop, HostKeys, Surroundings, read_address
from maintops.runners.ssh_config import local_user, read_config
from maintops.runners.ssh_options import Unsupported


def address(
    tmp_path: Path, config: str = "", host_keys: HostKeys = "strict", known: Path | None = None, **variables: Any
) -> Address:
    (tmp_path / "config").write_text(config)
    around = Surroundings(read_config(tmp_path / "config", tmp_path / "none"), host_keys, known)
    return read_address(Server("web1", variables=variables), around)


def hops(tmp_path: Path, config: str = "", **variables: Any) -> list[str]:
    return [f"{hop.user}@{hop.host}:{hop.port}" for hop in address(tmp_path, config, **variables).hops]


ME = local_user()


def test_a_server_that_says_nothing_is_found_by_its_name(tmp_path: Path) -> None:
    found = address(tmp_path)
    home = Path.home() / ".ssh"
    books = (home / "known_hosts", home / "known_hosts2")
    general = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
    assert found == Address((Hop("web1", 22, ME, known_hosts=books + general),), Become())


def test_the_inventorys_variables(tmp_path: Path) -> None:
    found = address(
        tmp_path,
        ansible_host="10.0.0.1",
        ansible_port=2222,
        ansible_user="ops",
        ansible_ssh_private_key_file="~/keys/one",
        ansible_ssh_timeout=4,
        ansible_become_user="app",
        ansible_become_password=12345,
        ansible_become_exe="/usr/local/bin/sudo",
        ansible_become_flags="-H -S -n",
        ansible_ssh_common_args="-o UserKnownHostsFile='/a /b' -o GlobalKnownHostsFile=none -o ServerAliveInterval=7",
    )
    key = Path.home() / "keys" / "one"
    hop = Hop(
        "10.0.0.1", 2222, "ops", (key,), agent=False, known_hosts=(Path("/a"), Path("/b")), connect_timeout=4.0, alive=7
    )
    assert found == Address((hop,), Become("app", "12345", "/usr/local/bin/sudo"))


@pytest.mark.parametrize(
    ("variables", "reached"),
    [
        ({"ansible_host": "a", "ansible_ssh_host": "b"}, f"{ME}@b:22"),
        ({"ansible_host": "a", "ansible_ssh_host": ""}, f"{ME}@a:22"),
        ({"ansible_port": "2200", "ansible_ssh_port": None}, f"{ME}@web1:2200"),
        ({"ansible_user": "a", "ansible_ssh_user": "b"}, "b@web1:22"),
        ({"ansible_connection": "ssh"}, f"{ME}@web1:22"),
        ({"ansible_connection": "smart"}, f"{ME}@web1:22"),
        ({"ansible_connection": "ansible.builtin.paramiko_ssh"}, f"{ME}@web1:22"),
        ({"ansible_host": "fe80::1%eth0"}, f"{ME}@fe80::1%eth0:22"),
        ({"ansible_ssh_args": "-o Port=1", "ansible_port": 2, "ansible_ssh_common_args": "-p 3"}, f"{ME}@web1:1"),
        ({"ansible_port": 2, "ansible_ssh_common_args": "-p 3"}, f"{ME}@web1:2"),
        ({"ansible_ssh_common_args": "-p 3", "ansible_ssh_extra_args": "-p 4 -l x"}, "x@web1:3"),
    ],
)
def test_which_of_several_names_counts(tmp_path: Path, variables: dict[str, Any], reached: str) -> None:
    assert hops(tmp_path, **variables) == [reached]


def test_the_users_configuration_fills_what_the_inventory_leaves_open(tmp_path: Path) -> None:
    config = "Host web1\n HostName real\n Port 2222\n User conf\n IdentityFile ~/%h-key\n IdentitiesOnly yes"
    (hop,) = address(tmp_path, config, ansible_user="ops", ansible_ssh_private_key_file="/k").hops
    assert (hop.host, hop.port, hop.user) == ("real", 2222, "ops")
    assert hop.keys == (Path("/k"), Path.home() / "real-key")
    assert hop.agent is False


@pytest.mark.parametrize(
    ("config", "arguments", "way"),
    [
        ("", "-J gate", [f"{ME}@gate:22", "ops@web1:22"]),
        ("", "-o ProxyJump=a@gate:2200", ["a@gate:2200", "ops@web1:22"]),
        ("", "-J ssh://a@[::1]:2200", ["a@::1:2200", "ops@web1:22"]),
        ("", "-J a@one,b@two:22", ["a@one:22", "b@two:22", "ops@web1:22"]),
        ("Host gate\n HostName g.lan\n User jump\n Port 9", "-J gate", ["jump@g.lan:9", "ops@web1:22"]),
        ("Host *\n ProxyJump gate", "", [f"{ME}@gate:22", "ops@web1:22"]),
        (
            "Host web1\n ProxyJump gate\nHost gate\n ProxyJump outer",
            "",
            [f"{ME}@outer:22", f"{ME}@gate:22", "ops@web1:22"],
        ),
        ("Host two\n ProxyJump outer", "-J one,two", [f"{ME}@one:22", f"{ME}@two:22", "ops@web1:22"]),
        ("Host *\n ProxyJump gate", "-J none", ["ops@web1:22"]),
        ("", "-o 'ProxyCommand ssh -W %h:%p -p 9 -l x gate'", ["x@gate:9", "ops@web1:22"]),
        ("", "-o 'ProxyCommand ssh -W %h:%p y@gate'", ["y@gate:22", "ops@web1:22"]),
        ("Host web1\n ProxyCommand none", "", ["ops@web1:22"]),
    ],
)
def test_bastions(tmp_path: Path, config: str, arguments: str, way: list[str]) -> None:
    assert hops(tmp_path, config, ansible_user="ops", ansible_ssh_common_args=arguments) == way


def test_a_bastion_takes_its_servers_key_and_books_but_never_its_password(tmp_path: Path) -> None:
    gate, server = address(
        tmp_path,
        ansible_ssh_private_key_file="/key",
        ansible_password="secret",
        ansible_ssh_common_args="-J gate -o UserKnownHostsFile=/book -o StrictHostKeyChecking=yes",
        host_keys="off",
    ).hops
    assert (gate.keys, gate.password) == ((Path("/key"),), None)
    assert Path("/book") in gate.known_hosts
    assert gate.host_keys == "strict"
    assert server.password == "secret"


def test_a_bastions_own_key_is_the_one_that_is_used(tmp_path: Path) -> None:
    config = "Host gate\n IdentityFile /gate-key"
    gate, _ = address(tmp_path, config, ansible_ssh_private_key_file="/key", ansible_ssh_common_args="-J gate").hops
    assert gate.keys == (Path("/gate-key"),)


@pytest.mark.parametrize(
    ("ours", "asked", "result"),
    [
        ("strict", "no", "strict"),
        ("strict", "accept-new", "strict"),
        ("accept-new", "no", "accept-new"),
        ("accept-new", "yes", "strict"),
        ("accept-new", "ask", "strict"),
        ("off", "accept-new", "accept-new"),
        ("off", "no", "off"),
    ],
)
def test_the_stricter_policy_wins(tmp_path: Path, ours: HostKeys, asked: str, result: HostKeys) -> None:
    arguments = f"-o StrictHostKeyChecking={asked}"
    assert address(tmp_path, host_keys=ours, ansible_ssh_common_args=arguments).hops[0].host_keys == result


def test_the_known_hosts_file_that_was_set_is_the_only_one(tmp_path: Path) -> None:
    arguments = "-J gate -o UserKnownHostsFile=/dev/null"
    found = address(tmp_path, known=Path("/ours"), ansible_ssh_common_args=arguments)
    assert {hop.known_hosts for hop in found.hops} == {(Path("/ours"),)}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_connection": "local"}, "its connection is local, not ssh"),
        ({"ansible_connection": "community.docker.docker"}, "its connection is community.docker.docker, not ssh"),
        ({"ansible_shell_type": "powershell"}, "its shell is powershell"),
        ({"ansible_host": "{{ inventory_hostname }}.lan"}, "ansible_host is a template"),
        ({"ansible_port": "{% if x %}1{% endif %}"}, "ansible_port is a template"),
        ({"ansible_become_password": "{{ vault_password }}"}, "ansible_become_password is a template"),
        ({"ansible_become": "{{ root_wanted }}"}, "ansible_become is a template"),
        ({"ansible_ssh_common_args": "-J {{ gate }}"}, "ansible_ssh_common_args is a template"),
        ({"ansible_password": {"__ansible_vault": "$ANSIBLE_VAULT;1.1"}}, "ansible_password is encrypted with a vault"),
        ({"ansible_user": ["a"]}, "ansible_user is not plain text"),
        ({"ansible_ssh_common_args": "-4"}, "ansible_ssh_common_args has the argument -4"),
        ({"ansible_ssh_extra_args": "-o Ciphers=x"}, "ansible_ssh_extra_args sets ciphers"),
        ({"ansible_ssh_args": "-o GSSAPIAuthentication=yes"}, "ansible_ssh_args sets gssapiauthentication"),
        ({"ansible_ssh_common_args": "-o ProxyCommand='nc %h %p'"}, "a ProxyCommand other than"),
        ({"ansible_ssh_common_args": "-J a:b:c"}, "the bastion 'a:b:c' is not of the form"),
        ({"ansible_ssh_pkcs11_provider": "/lib/x"}, "PKCS#11"),
        ({"ansible_ssh_private_key": "-----BEGIN"}, "keys inside the inventory"),
        ({"ansible_ssh_executable": "/opt/ssh"}, "another ssh program"),
        ({"ansible_become_method": "su"}, "its become method is su"),
        ({"ansible_become_user": "x; reboot"}, "is not an account's name"),
        ({"ansible_become_user": "-i"}, "is not an account's name"),
        ({"ansible_become_exe": "doas"}, "its become program is doas"),
        ({"ansible_become_exe": "/x y/sudo"}, "its become program is"),
        ({"ansible_become_flags": "-E"}, "its become flags '-E' are not known"),
        ({"ansible_sudo_chdir": "/tmp"}, "ansible_sudo_chdir"),
        ({"ansible_port": "ssh"}, "the port 'ssh' is not a number"),
        ({"ansible_port": 70000}, "the port '70000' is not a number"),
        ({"ansible_host": "-oProxyCommand=x"}, "is not the name or address of a host"),
        ({"ansible_host": "a b"}, "is not the name or address of a host"),
        ({"ansible_ssh_timeout": "soon"}, "ansible_ssh_timeout 'soon' is not a number"),
    ],
)
def test_what_the_ssh_engine_leaves_to_ansible(tmp_path: Path, variables: dict[str, Any], says: str) -> None:
    with pytest.raises(Unsupported) as caught:
        address(tmp_path, **variables)
    assert says in str(caught.value)


def test_a_way_that_leads_back_to_itself_is_refused(tmp_path: Path) -> None:
    config = "Host a\n ProxyJump b\nHost b\n ProxyJump a"
    with pytest.raises(Unsupported, match="leads back to itself"):
        hops(tmp_path, config, ansible_ssh_common_args="-J a")


def test_text_that_the_inventory_marks_as_no_template_stands_as_it_is(tmp_path: Path) -> None:
    found = address(tmp_path, ansible_become_password={"__ansible_unsafe": "{{not a template}}"})
    assert found.become.password == "{{not a template}}"


def test_secrets_are_in_no_repr_and_in_no_refusal(tmp_path: Path) -> None:
    found = address(tmp_path, ansible_password="Canary-1", ansible_become_password="Canary-2")
    assert "Canary" not in repr(found)
    for name in ("ansible_password", "ansible_become_password"):
        with pytest.raises(Unsupported) as caught:
            address(tmp_path, **{name: "Canary {{ x }}"})
        assert "Canary" not in str(caught.value)


@pytest.mark.parametrize(("user", "same"), [("root", False), ("ops", True)])
def test_is_already(tmp_path: Path, user: str, same: bool) -> None:
    assert address(tmp_path, ansible_user="ops", ansible_become_user=user).is_already is same


@pytest.mark.parametrize(
    ("config", "variables", "agent"),
    [
        ("", {}, True),
        ("IdentityFile /k", {}, True),
        ("IdentityFile /k\nIdentitiesOnly yes", {}, False),
        ("", {"ansible_ssh_private_key_file": "/k"}, False),
        ("", {"ansible_ssh_common_args": "-i /k"}, False),
    ],
)
def test_the_agent_stands_in_only_for_keys_that_the_inventory_did_not_name(
    tmp_path: Path, config: str, variables: dict[str, Any], agent: bool
) -> None:
    assert address(tmp_path, config, **variables).hops[0].agent is agent
