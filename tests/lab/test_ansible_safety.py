"""The ansible engine: host keys are verified whatever an inventory says, and nothing gets in, out or left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maintops.domain.ports import Failure, FailureKind, Trip
from maintops.domain.servers import Server
from tests.lab.ansible_asking import at_hand, delivered, greeted, runner
from tests.lab.asking import GREETED, HELLO, ROOT, ask, failure, heard, script
from tests.lab.fixtures import need
from tests.lab.fleet import Fleet
from tests.lab.sshd import make_key, program

pytestmark = pytest.mark.fleet

UNKNOWN = "its host key is not known; verify it and add it to known_hosts"
CHANGED = "its host key has changed, and is refused; if that is right, remove the old one from known_hosts"


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
    # the fleet's own arguments ask for strict checking, which no policy weakens: these two leave it to the policy
    for server in (fleet.unknown("ans-unknown"), fleet.changed("ans-changed")):
        fleet._servers[server.name] = replace(server, variables={"ansible_ssh_common_args": "-o ConnectTimeout=10"})
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
