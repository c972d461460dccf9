"""The ansible engine on real servers: what contract tests leave open, and what only Ansible does to you."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.ports import Delivery, Failure, FailureKind, Reply, Script, Trip
from maintops.domain.servers import Server
from maintops.runners import ansible_plays
from maintops.runners.addresses import HostKeys
from maintops.runners.ansible import AnsibleRunner
from tests.lab.asking import GREETED, HELLO, ROOT, ask, failure, heard, now, script
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.sshd import make_key, program

pytestmark = pytest.mark.fleet

UNKNOWN = "its host key is not known; verify it and add it to known_hosts"
CHANGED = "its host key has changed, and is refused; if that is right, remove the old one from known_hosts"


def runner(
    sources: Sequence[str], known_hosts: Path | None, host_keys: HostKeys = "strict", **more: Any
) -> AnsibleRunner:
    """The ansible engine, in a hurry."""
    return AnsibleRunner(sources, known_hosts=known_hosts, host_keys=host_keys, clock=now, connect_timeout=5, **more)


def delivered(
    fleet: Fleet,
    names: Sequence[str],
    *scripts: Script,
    host_keys: HostKeys = "strict",
    known_hosts: Path | None = None,
    stop: Callable[[], str | None] = lambda: None,
    **more: Any,
) -> dict[str, Delivery]:
    """The deliveries of some servers of the fleet; they are asked HELLO unless other scripts are given."""
    by = runner([str(fleet.inventory)], known_hosts or fleet.known_hosts, host_keys, **more)
    trips = [Trip(Server(name, variables=fleet.variables(name)), scripts or (HELLO,)) for name in names]
    found = ask(by, trips, stop=stop)
    assert set(found) == set(names)
    return found


def greeted(found: dict[str, Delivery]) -> list[str]:
    """The servers that answered HELLO."""
    return [name for name, one in found.items() if one.replies[0].stream == GREETED and not one.replies[0].failure]


def at_hand(tmp_path: Path, hosts: dict[str, Any], **variables: Any) -> str:
    """An inventory of this machine under some names, by the local connection; returns its path."""
    file = tmp_path / "inventory.yml"
    own = {name: {"ansible_connection": "local", **one} for name, one in hosts.items()}
    file.write_text(json.dumps({"all": {"hosts": own, "vars": variables}}))
    return str(file)


# --- host keys --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doubtful(fleet: Fleet) -> dict[str, str]:
    """Servers with host keys that strict checking refuses, and what it says."""
    weak = {
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        "ansible_ssh_extra_args": "-o StrictHostKeyChecking=no",
        "ansible_ssh_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        "ansible_host_key_checking": False,
        "ansible_ssh_host_key_checking": False,
    }
    fleet.unknown("ans-unknown")
    fleet.changed("ans-changed")
    other = make_key(fleet.folder / "ans-weakened-key")
    for number, (name, value) in enumerate(weak.items()):
        server = fleet.add(f"ans-weakened-{number}", **{name: value})
        fleet._entries[server.name] = f"[{server.address}]:{server.port} {other}\n"
    fleet._write()
    return {"ans-unknown": UNKNOWN, "ans-changed": CHANGED} | {f"ans-weakened-{n}": CHANGED for n in range(len(weak))}


def test_strict_refuses_unknown_and_changed_keys_whatever_the_inventory_says(
    fleet: Fleet, doubtful: dict[str, str]
) -> None:
    found = delivered(fleet, [*doubtful, "s001"])
    assert greeted(found) == ["s001"]
    assert {name: failure(found[name]) for name in doubtful} == {
        name: Failure(FailureKind.UNREACHABLE, why) for name, why in doubtful.items()
    }


def test_accept_new_writes_an_unknown_key_down_and_refuses_a_changed_one(
    fleet: Fleet, doubtful: dict[str, str], tmp_path: Path
) -> None:
    book = Path(shutil.copy(fleet.known_hosts, tmp_path / "known hosts"))
    found = delivered(fleet, ["ans-unknown", "ans-changed"], host_keys="accept-new", known_hosts=book)
    assert greeted(found) == ["ans-unknown"]
    assert failure(found["ans-changed"]).why == CHANGED
    assert len(book.read_text().splitlines()) == len(fleet.known_hosts.read_text().splitlines()) + 1
    assert greeted(delivered(fleet, ["ans-unknown"], known_hosts=book)) == ["ans-unknown"]


def test_off_asks_no_questions_and_writes_nothing_down(fleet: Fleet, doubtful: dict[str, str]) -> None:
    before = fleet.known_hosts.read_text()
    found = delivered(fleet, ["ans-unknown", "ans-changed"], host_keys="off")
    assert sorted(greeted(found)) == ["ans-changed", "ans-unknown"]
    assert fleet.known_hosts.read_text() == before


@pytest.fixture
def agent(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An agent that holds the fleet's key, as a person has it who goes through a bastion."""
    started = subprocess.run(
        [program("ssh-agent", "openssh-client"), "-s", "-a", str(tmp_path / "agent")],
        capture_output=True,
        text=True,
        check=True,
    )
    pid = re.search(r"SSH_AGENT_PID=(\d+)", started.stdout)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    subprocess.run([program("ssh-add", "openssh-client"), "-q", str(fleet.key)], check=True, capture_output=True)
    yield
    assert pid
    os.kill(int(pid[1]), 15)


def test_a_bastions_key_is_verified_by_the_same_rules(fleet: Fleet, agent: None) -> None:
    fleet.special("ans-gate")
    fleet.through("ans-beyond", "ans-gate")
    fleet.special("ans-false-gate")
    fleet.through("ans-beyond-false", "ans-false-gate")
    entry = fleet._entries.pop("ans-false-gate")
    fleet._write()
    found = delivered(fleet, ["ans-beyond", "ans-beyond-false"])
    assert greeted(found) == ["ans-beyond"]
    assert failure(found["ans-beyond-false"]) == Failure(FailureKind.UNREACHABLE, UNKNOWN)
    assert f"Accepted publickey for {fleet.user}" in fleet.sshd("ans-gate").log
    fleet._entries["ans-false-gate"] = entry


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
    folder = fleet.folder / "ans-dying"
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


# --- what must not happen ---------------------------------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder full of what Ansible and Python like to take from there; whatever is run leaves a mark in it."""
    folder = tmp_path / "planted"
    folder.mkdir()
    kinds = ("action", "become", "cache", "callback", "connection", "filter", "lookup", "shell", "strategy", "vars")
    folders = [f"{kind}_plugins" for kind in kinds] + ["library", "module_utils", "plugins"]
    for place in folders:
        (folder / place).mkdir()
        for name in ("raw", "ssh", "local", "sudo", "sh", "default", "awx_display", "linear", "memory", "any"):
            (folder / place / f"{name}.py").write_text(f"open('{folder}/RAN-{place}-{name}', 'w')")
    for name in ("sitecustomize", "ansible_runner", "ansible", "pexpect", "yaml", "json"):
        (folder / f"{name}.py").write_text(f"open('{folder}/RAN-{name}', 'w')")
    for name in ("ssh", "ansible-playbook", "sh"):
        (folder / name).write_text(f"#!/bin/sh\n: >{folder}/RAN-{name}\n")
        (folder / name).chmod(0o755)
    (folder / "ansible.cfg").write_text("[defaults]\nremote_user = planted\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "planted")
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(folder / "connection_plugins"))
    return folder


def test_nothing_is_taken_from_where_the_user_stands(fleet: Fleet, planted: Path, tmp_path: Path) -> None:
    assert greeted(delivered(fleet, ["s001"])) == ["s001"]
    trips = [Trip(Server("here"), (HELLO, ROOT))]
    found = ask(runner([at_hand(tmp_path, {"here": {}})], None), trips)
    assert found["here"].replies[0].stream == GREETED
    assert list(planted.glob("RAN-*")) == []


def test_what_servers_say_is_never_a_template(fleet: Fleet, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = f"{{{{ lookup('pipe', 'touch {mark}') }}}} {{% for x in y %}} ${{#x}} $(touch {mark}) `touch {mark}`"
    (fleet.folder / "template").write_text(text)
    found = delivered(fleet, ["s001"], script(f"cat {fleet.folder}/template"), HELLO)["s001"]
    assert found.replies[0].stream == heard(text.encode())
    assert not mark.exists()


CANARIES = ("Canary-ci-token", "Canary-become-password", "Canary-inventory-token")


def test_secrets_are_in_no_file_no_argument_and_no_sentence(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_TOKEN", CANARIES[0])
    account = need(fleet.account, "password")
    secrets = {"ansible_become_password": CANARIES[1], "cloud": {"api_token": CANARIES[2]}}
    fleet.add("ans-secret", ansible_user=account.name, **secrets)
    seen = _Watch()
    found = delivered(fleet, ["ans-secret"], script("sleep 0.5"), ROOT, stop=seen.look)
    assert seen.files > 5
    assert seen.arguments > 5
    assert seen.found == set()
    assert (
        failure(found["ans-secret"], 1).why == "become refused: the password that the inventory gives is not accepted"
    )


class _Watch:
    """Looks at everything that could give a secret away, again and again while a run is on."""

    def __init__(self) -> None:
        self.files = self.arguments = 0
        self.found: set[str] = set()

    def look(self) -> None:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            for place in (Path(f"/run/user/{os.getuid()}"), Path("/dev/shm"), Path("/tmp")):
                for folder in place.glob("maintops-????????"):
                    self.files += sum(self._holds(file) for file in folder.rglob("*") if file.is_file())
            for process in Path("/proc").glob("[0-9]*"):
                self.arguments += self._holds(process / "cmdline")
            time.sleep(0.02)

    def _holds(self, file: Path) -> bool:
        try:
            content = file.read_bytes()
        except OSError:
            return False
        self.found |= {f"{file}: {canary}" for canary in CANARIES if canary.encode() in content}
        return True


def test_nothing_is_left_running(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    home = f"/nonexistent/maintops-{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("HOME", home)
    ours: set[bytes] = set()

    def look() -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"HOME={home}".encode() in (process / "environ").read_bytes():
                    ours.add((process / "comm").read_bytes().strip())

    found = delivered(fleet, ["s001", "s002"], script("sleep 1"), script("sleep 1"), stop=look)
    assert [reply.failure for one in found.values() for reply in one.replies] == [None] * 4
    assert {b"ssh", b"ansible-playboo"} <= ours
    ours.clear()
    look()
    assert ours == set()


def test_a_private_folder_is_nobody_elses_and_goes(fleet: Fleet, tmp_path: Path) -> None:
    modes: dict[Path, str] = {}

    def look() -> None:
        for place in (Path(f"/run/user/{os.getuid()}"), Path("/dev/shm"), Path("/tmp")):
            for folder in place.glob("maintops-????????"):
                owner = folder / "owner"
                if owner.exists() and str(os.getpid()) == _grandparent(owner):
                    modes[folder] = oct(folder.stat().st_mode & 0o777)

    delivered(fleet, ["s001"], script("sleep 1"), stop=look)
    assert list(modes.values()) == ["0o700"]
    assert not any(folder.exists() for folder in modes)


def _grandparent(owner: Path) -> str:
    pid = owner.read_text().split()[1]
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
