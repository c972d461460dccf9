"""The ansible engine on real servers: what contract tests leave open, and what only Ansible does to you."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maintops.domain.ports import Failure, FailureKind, Reply, Trip
from maintops.domain.servers import Server
from maintops.runners import ansible_plays
from tests.lab.ansible_asking import at_hand, delivered, greeted, runner
from tests.lab.asking import GREETED, HELLO, ROOT, ask, failure, heard, script
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, run_maintops

pytestmark = pytest.mark.fleet


# --- become -----------------------------------------------------------------------------------------------------------


def test_become_refused_is_said_in_words_after_one_attempt(fleet: Fleet) -> None:
    account, plain = need(fleet.account, "password"), need(fleet.account, "none")
    more = {"ansible_ssh_retries": 3, "ansible_user": account.name}
    fleet.add("ans-wrong", ansible_become_password="not-the-Pass-word", **more)
    fleet.add("ans-none", **more)
    fleet.add("ans-no-rule", ansible_user=plain.name, ansible_become_password=account.password)
    before = fleet.sudo_log.read_text() if fleet.sudo_log.exists() else ""
    found = delivered(fleet, ["ans-wrong", "ans-none", "ans-no-rule"], ROOT)
    assert {name: failure(one).why for name, one in found.items()} == {
        "ans-wrong": "become refused: the password that the inventory gives is not accepted",
        "ans-none": "become refused: a password is asked for and the inventory gives none (ansible_become_password)",
        "ans-no-rule": "become refused: the password that the inventory gives is not accepted",
    }
    assert {failure(one).kind for one in found.values()} == {FailureKind.UNREACHABLE}
    logged = " ".join(fleet.sudo_log.read_text().removeprefix(before).split())
    assert logged.count("incorrect password attempt") == 1
    assert "1 incorrect password attempt" in logged


def test_the_inventory_does_not_decide_who_a_script_runs_as(fleet: Fleet) -> None:
    account = need(fleet.account, "nopasswd")
    fleet.add("ans-become", ansible_user=account.name, ansible_become=True)
    fleet.add("ans-no-become", ansible_user=account.name, ansible_become=False)
    names = ["ans-become", "ans-no-become"]
    whoami = script("id -un")
    for scripts in ([whoami], [ROOT], [whoami, ROOT], [ROOT, whoami]):
        said = [b"root\n" if one.become else f"{account.name}\n".encode() for one in scripts]
        for one in delivered(fleet, names, *scripts).values():
            assert [reply.stream for reply in one.replies] == list(map(heard, said))


BECOMING = """\
checklist: becoming
title: Becoming
service: inspection
cadence: {every: day}
checks:
  - {id: B-010, title: As the inventory says, command: id -un}
  - {id: B-020, title: Never, command: id -un, become: false}
"""


def test_a_become_that_is_a_template_is_rendered_by_ansible(fleet: Fleet, tmp_path: Path) -> None:
    account = need(fleet.account, "nopasswd")
    template = {"ansible_user": account.name, "ansible_become": "{{ as_root | default(false) }}"}
    fleet.add("ans-yes", as_root=True, **template)
    fleet.add("ans-no", **template)
    fleet.add("ans-plain", ansible_user=account.name, ansible_become=True)
    desk = Desk(tmp_path, fleet)
    inventory = desk.inventory("ans-yes", "ans-no", "ans-plain")
    ended = run_maintops(desk, "run", desk.checklist(BECOMING), "-i", inventory, "--format", "json")
    told = {
        one["server"]: (one["engine"], *(cell["facts"]["text"].strip() for cell in one["checks"]))
        for one in ended.document["servers"]
    }
    assert told == {
        "ans-yes": ("ansible", "root", account.name),
        "ans-no": ("ansible", account.name, account.name),
        "ans-plain": ("ssh", "root", account.name),
    }


def test_a_refused_become_does_not_take_the_plain_script_with_it(fleet: Fleet) -> None:
    plain = need(fleet.account, "none")
    fleet.add("ans-half", ansible_user=plain.name)
    found = delivered(fleet, ["ans-half"], ROOT, HELLO)["ans-half"]
    assert failure(found).why.startswith("become refused: ")
    assert found.replies[1].stream == GREETED
    assert found.replies[1].failure is None


# --- servers as they are ----------------------------------------------------------------------------------------------


def test_no_connection(fleet: Fleet) -> None:
    refused, _, wrong = fleet.refused("ans-refused"), fleet.silent("ans-silent"), fleet.special("ans-wrong-user")
    fleet._servers["ans-wrong-user"].variables["ansible_user"] = "nobody-of-that-name"  # type: ignore[index]
    fleet._write()
    found = delivered(fleet, ["ans-refused", "ans-silent", "ans-wrong-user", "s001"])
    assert greeted(found) == ["s001"]
    whys = {name: failure(one).why for name, one in found.items() if name != "s001"}
    assert whys == {
        "ans-refused": f"ssh: connect to host {refused.address} port {refused.port}: Connection refused",
        "ans-silent": "Connection timed out during banner exchange",
        "ans-wrong-user": f"nobody-of-that-name@{wrong.address}: Permission denied (publickey,password).",
    }
    assert fleet.sshd("ans-wrong-user").log.count("Connection from") == 1 + 1, "a refused login is not tried again"


def test_a_login_password_is_tried_once(fleet: Fleet) -> None:
    account = need(fleet.account, "password")
    server = fleet.special("ans-password")
    common = {"ansible_host": server.address, "ansible_port": server.port, "ansible_user": account.name}
    for name, password in (("ans-password-good", account.password), ("ans-password-bad", "not-the-Pass-word")):
        more = {"ansible_password": password, "ansible_ssh_private_key_file": "/dev/null"}
        fleet.add(name, **common, **more)
    found = delivered(fleet, ["ans-password-good", "ans-password-bad"])
    assert greeted(found) == ["ans-password-good"]
    assert "Permission denied" in failure(found["ans-password-bad"]).why
    assert fleet.sshd("ans-password").log.count("Failed password") == 1


def test_a_passing_refusal_is_tried_again_within_the_bound(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.special("ans-busy")
    tries = tmp_path / "tries"
    # The first connection is closed before the login, as a busy sshd does; a proxy stands for the network here.
    proxy = tmp_path / "proxy"
    proxy.write_text(
        f"#!/bin/sh\necho x >>{tries}\n[ $(wc -l <{tries}) -gt 1 ] || exit 1\nexec socket $1 $2\n".replace(
            "exec socket $1 $2", f"exec {shutil.which('python3')} -c '{_RELAY}' $1 $2"
        )
    )
    proxy.chmod(0o755)
    server.variables["ansible_ssh_common_args"] = f"-o ProxyCommand='{proxy} %h %p'"  # type: ignore[index]
    fleet._write()
    found = delivered(fleet, ["ans-busy"], retries=0)
    assert "Connection closed by remote host" in failure(found["ans-busy"]).why
    tries.unlink()
    assert greeted(delivered(fleet, ["ans-busy"], retries=1)) == ["ans-busy"]
    assert tries.read_text() == "x\nx\n"


_RELAY = (
    "import socket,sys,threading,os\n"
    "s=socket.create_connection((sys.argv[1],int(sys.argv[2])))\n"
    "def up():\n"
    " while (b:=os.read(0,65536)): s.sendall(b)\n"
    " s.shutdown(1)\n"
    "threading.Thread(target=up,daemon=True).start()\n"
    "while (b:=s.recv(65536)): os.write(1,b)"
)


def test_a_connection_that_dies_in_the_middle_is_broken_and_not_begun_again(fleet: Fleet) -> None:
    fleet.special("ans-dying")
    folder = fleet.sshd("ans-dying").folder
    folder.chmod(0o777)
    mark, count = folder / "begun", folder / "count"
    slow = script(f"echo x >>{count}; sleep 0.5; : >{mark}; sleep 60")

    def stop() -> None:
        if mark.exists():
            mark.unlink()
            fleet.sshd("ans-dying").cut()

    found = failure(delivered(fleet, ["ans-dying"], slow, stop=stop)["ans-dying"])
    assert found.kind is FailureKind.BROKEN
    assert "closed by remote host" in found.why
    assert count.read_text() == "x\n"


def test_a_script_that_is_killed_on_the_server_is_broken_with_what_came(fleet: Fleet) -> None:
    found = delivered(fleet, ["s001"], script("echo first; kill -9 $$"), HELLO)["s001"]
    assert found.replies[0].stream == heard(b"first\n")
    assert failure(found).kind is FailureKind.BROKEN
    assert (found.replies[1].stream, found.replies[1].failure) == (GREETED, None)


def test_a_script_or_a_server_that_never_ends_is_cut_off(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ansible_plays, "SLACK", 0.0)
    fleet.flooding("ans-flood")
    found = delivered(fleet, ["s001", "ans-flood"], script("sleep 60", seconds=1.0))
    assert {failure(one).kind for one in found.values()} == {FailureKind.OVERTIME}


def test_a_long_answer_comes_whole(fleet: Fleet) -> None:
    long = script("head -c 3000000 /dev/zero | tr '\\0' x", limit=4_000_000)
    assert delivered(fleet, ["s001"], long)["s001"].replies == (Reply(heard(b"x" * 3_000_000)),)


def test_a_server_with_next_to_nothing_in_it(fleet: Fleet) -> None:
    need(fleet.bare, "ans-bare")
    every = "".join(f"\\{number:03o}" for number in range(256))
    long = script(f"printf '{every}'; printf 'no end\\\\'")
    found = delivered(fleet, ["ans-bare"], long, HELLO)["ans-bare"]
    assert [reply.failure for reply in found.replies] == [None, None]
    assert found.replies[0].stream == heard(bytes(range(256)) + b"no end\\")
    assert found.replies[1].stream == GREETED


def test_a_server_that_does_something_else(fleet: Fleet) -> None:
    fleet.answering("ans-other", b"\x1b]0;evil\x07This is a switch. {{ 7*7 }}\n")
    found = failure(delivered(fleet, ["ans-other"])["ans-other"])
    assert found == Failure(
        FailureKind.UNREACHABLE, "the server does not run the script: ]0;evil This is a switch. {{ 7*7 }}"
    )


def test_a_script_that_is_too_long_is_not_sent(fleet: Fleet) -> None:
    found = delivered(fleet, ["s001"], script(":" * 130_000))
    assert failure(found["s001"]).kind is FailureKind.UNREACHABLE
    assert "too long for one command" in failure(found["s001"]).why
    almost = script("#" * 120_000 + "\necho hello")
    assert greeted(delivered(fleet, ["s001"], almost)) == ["s001"]


def test_a_long_script_fits_with_become_too(fleet: Fleet) -> None:
    account = need(fleet.account, "password")
    fleet.add("ans-long", ansible_user=account.name, ansible_become_password=account.password)
    almost = script("#" * 120_000 + "\necho hello", become=True)
    assert greeted(delivered(fleet, ["ans-long"], almost)) == ["ans-long"]


# --- inventories ------------------------------------------------------------------------------------------------------


def test_names_templates_and_relative_keys_mean_what_they_mean_to_ansible(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(fleet.key, tmp_path / "my key")
    monkeypatch.chdir(tmp_path)
    first = fleet.server("s001")
    hosts = {
        "~odd": {},
        "!web&": {},
        "group": {},
        "{{x}}": {},
        "other": {"ansible_host": "127.0.9.9"},  # a group of the name `group` holds it: it must not be asked
    }
    common = {
        "place": first.address,
        "ansible_host": "{{ place }}",
        "ansible_port": first.port,
        "ansible_user": fleet.user,
        "ansible_ssh_private_key_file": "my key",
    }
    groups = {"group": {"hosts": {"other": {}}}, "all": {"hosts": hosts, "vars": common}}
    Path("inventory.yml").write_text(json.dumps(groups))
    names = [name for name in hosts if name != "other"]
    trips = [Trip(Server(name, variables=common), (HELLO,)) for name in names]
    found = ask(runner(["inventory.yml"], fleet.known_hosts), trips)
    assert {name: one.replies[0].failure for name, one in found.items()} == dict.fromkeys(names)


def test_ansible_says_why_it_cannot_even_begin(fleet: Fleet, tmp_path: Path) -> None:
    trips = [Trip(Server("s001"), (HELLO, HELLO)), Trip(Server("gone"), (HELLO,))]
    found = ask(runner([str(fleet.inventory)], fleet.known_hosts), trips)
    assert failure(found["gone"]) == Failure(
        FailureKind.UNREACHABLE, "the inventory does not have this server any more"
    )
    assert found["s001"].replies[1].stream == GREETED
    broken = tmp_path / "broken.yml"
    broken.write_text("all:\n  hosts:\n    x: {ansible_password: CANARY, a: b\n")
    for one in ask(runner([str(broken)], fleet.known_hosts), trips).values():
        assert failure(one).kind is FailureKind.UNREACHABLE
        assert str(broken) in failure(one).why
        assert "CANARY" not in failure(one).why


def test_one_server_with_nonsense_in_its_variables_holds_nobody_up(tmp_path: Path) -> None:
    hosts = {
        "good": {},
        "undefined": {"ansible_connection": "{{ nowhere_to_be_found }}"},
        "strange": {"ansible_connection": "no-such-plugin"},
    }
    trips = [Trip(Server(name), (HELLO,)) for name in hosts]
    found = ask(runner([at_hand(tmp_path, hosts)], None), trips)
    assert greeted(found) == ["good"]
    assert "nowhere_to_be_found" in failure(found["undefined"]).why
    assert "no-such-plugin" in failure(found["strange"]).why


def test_a_vault_is_opened_with_its_password_file(tmp_path: Path) -> None:
    password = tmp_path / "vault password"
    password.write_text("open sesame\n")
    vault = [Path(sys.executable).with_name("ansible-vault"), "encrypt_string", "--vault-password-file", password]
    said = subprocess.run([*vault, "--name", "ansible_connection", "local"], capture_output=True, text=True, check=True)
    inventory = tmp_path / "vaulted.yml"
    inventory.write_text(
        "all:\n  hosts:\n    here:\n" + "".join(f"      {line}\n" for line in said.stdout.splitlines())
    )
    trips = [Trip(Server("here"), (HELLO,))]
    assert greeted(ask(runner([str(inventory)], None, vault_password_file=password), trips)) == ["here"]
    assert failure(ask(runner([str(inventory)], None), trips)["here"]).kind is FailureKind.UNREACHABLE
