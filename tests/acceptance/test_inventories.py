"""Servers from real inventories, through the real ansible-inventory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maintops.domain.servers import Criticality
from maintops.errors import NothingSelected, UsageError
from maintops.files.inventories import ask

CONSTRUCTED = """\
all:
  children:
    physical:
      vars: {maintops_site: Berlin}
      children:
        web:
          hosts:
            web2.example.org: {maintops_criticality: core}
            web1.example.org: {maintops_in_service: 2024-03-01}
        db:
          hosts:
            db1.example.org:
              ansible_host: "{{ inventory_hostname }}.internal"
              ansible_password: hunter2
              note: !unsafe "{{ kept }}"
  hosts:
    lone: {}
"""
BROKEN = "all:\n  vars: {ansible_password: hunter2}\n  hosts: [web1\n"
ENCRYPTED = "$ANSIBLE_VAULT;1.1;AES256\n6162\n6364\n"
SCRIPT = """\
#!/bin/sh
echo "hunter2 is my password" >&2
exit 3
"""


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    folder = tmp_path / "inventories"
    folder.mkdir()
    (folder / "servers.yml").write_text(CONSTRUCTED)
    (folder / "more.ini").write_text("[backup]\nbackup[01:02] maintops_roles=backup,tape\n\n[empty]\n")
    return folder


def test_servers_come_with_what_the_inventory_says_in_its_order(inventory: Path) -> None:
    servers = ask([str(inventory), "extra1,extra2"]).matching()
    ansible = str(Path(sys.executable).parent / "ansible")
    listed = subprocess.run(
        [ansible, "all", "--list-hosts", "-i", str(inventory), "-i", "extra1,extra2"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [server.name for server in servers]
    assert sorted(names) == sorted(line.strip() for line in listed.splitlines()[1:])
    grouped = ["web2.example.org", "web1.example.org", "db1.example.org"]
    assert [name for name in names if "." in name] == grouped
    assert [name for name in names if "." not in name] == ["extra1", "extra2", "lone", "backup01", "backup02"]
    by_name = {server.name: server for server in servers}
    web1, web2, db1 = (by_name[f"{name}.example.org"] for name in ("web1", "web2", "db1"))
    assert (web2.criticality, web2.site, web2.groups) == (Criticality.CORE, "Berlin", ("physical", "web"))
    assert str(web1.in_service) == "2024-03-01"
    assert by_name["backup02"].roles == ("backup", "tape")
    assert by_name["extra1"].groups == by_name["lone"].groups == ()
    assert db1.variables["ansible_host"] == "{{ inventory_hostname }}.internal"
    assert db1.variables["note"] == "{{ kept }}"
    assert "hunter2" not in repr(db1)


def test_a_checklists_hosts_and_a_users_limit_both_hold(inventory: Path) -> None:
    servers = ask([str(inventory)], limit="db:backup:web1*").matching("web:db")
    assert [server.name for server in servers] == ["web1.example.org", "db1.example.org"]


def test_a_misspelt_limit_and_an_empty_selection(inventory: Path) -> None:
    with pytest.raises(UsageError, match=r"'wbe'; did you mean \"web\"\?"):
        ask([str(inventory)], limit="db:wbe").matching()
    with pytest.raises(NothingSelected, match="no server matches the limit 'empty'; the inventory has 6 servers"):
        ask([str(inventory)], limit="empty").matching()


def test_an_ansible_cfg_where_one_stands_is_not_obeyed(inventory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inventory.parent / "ansible.cfg").write_text("[inventory]\nenable_plugins = nosuch\n")
    monkeypatch.chdir(inventory.parent)
    assert len(ask(["inventories"], limit="web").matching()) == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("broken.yml", BROKEN, r"broken\.yml cannot be read: .*broken\.yml:4:1: While parsing a flow sequence"),
        ("secret.yml", ENCRYPTED, "it holds something encrypted; set vault_password_file"),
        ("failing.sh", SCRIPT, r"failing\.sh cannot be read: the script ended with exit code 3"),
    ],
)
def test_an_inventory_that_cannot_be_read_is_no_half_inventory(
    inventory: Path, name: str, content: str, says: str
) -> None:
    (inventory / name).write_text(content)
    (inventory / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    with pytest.raises(UsageError, match=says) as caught:
        ask([str(inventory)]).matching()
    assert "hunter2" not in str(caught.value)
