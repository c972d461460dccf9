"""The playbooks of the quarterly patch, run by the program ansible-playbook on one server of the lab.

patching = Patching(lab, lab.server("lab3"), tmp_path)
played = patching.update(update="security")
played.outcome, played.changes, played.said
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import packages
from tests.lab.containers import Container, Containers

HOUSE = Path(__file__).parents[2]
RELEASED = "/run/released"
CHANGED, UNCHANGED, REFUSED, FAILED = "changed", "ok", "refused", "failed"


@dataclass(frozen=True)
class Played:
    """What came of a playbook on one server: the last result of each task, by its name."""

    code: int
    text: str
    server: str = "lab3"

    @property
    def results(self) -> dict[str, tuple[str, dict[str, Any]]]:
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for block in re.split(r"^TASK \[", self.text, flags=re.MULTILINE)[1:]:
            said = rf"^(ok|changed|skipping|fatal): \[{self.server}\](?:: \S+)? => (.+)$"
            for told in re.finditer(said, block, re.MULTILINE):
                found[block.partition("]")[0]] = told[1], json.loads(told[2])
        return found

    @property
    def _last(self) -> tuple[str, dict[str, Any]]:
        assert self.results, self.text
        return [one for one in self.results.values() if one[0] != "skipping"][-1]

    @property
    def outcome(self) -> str:
        """What became of the server: changed, ok, refused (untouched) or failed."""
        status, result = self._last
        return {3: REFUSED, 2: FAILED}[result["rc"]] if status == "fatal" else status

    @property
    def changes(self) -> list[str]:
        """What it says that it changed."""
        return sorted(self._last[1]["stdout"].splitlines())

    @property
    def said(self) -> str:
        """What it says beside that: the reason first."""
        return str(self._last[1]["stderr"])


@dataclass(frozen=True)
class Patching:
    """One server of the lab, and the playbooks."""

    lab: Containers
    server: Container
    folder: Path

    def play(self, name: str, *words: str, **variables: Any) -> Played:
        """Runs a playbook on the server, with extra variables."""
        configuration = self.folder / "ansible.cfg"
        configuration.touch()
        done = subprocess.run(
            [
                *(str(Path(sys.executable).parent / "ansible-playbook"), "-v", "-l", self.server.name),
                *(
                    "-i",
                    str(self.lab.inventory),
                    "-e",
                    json.dumps(variables),
                    *words,
                    str(HOUSE / "playbooks" / f"{name}.yml"),
                ),
            ],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "LANG": "C.UTF-8",
                "ANSIBLE_CONFIG": str(configuration),
                "ANSIBLE_HOME": str(self.folder / "ansible"),
                "ANSIBLE_PIPELINING": "1",
                # a socket's path may have 107 characters, and a test's folder has nearly as many; and nobody listens
                "ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ControlPath=none -o KexAlgorithms=curve25519-sha256",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Played(done.returncode, done.stdout + done.stderr, self.server.name)

    def update(self, *words: str, **variables: Any) -> Played:
        """Runs the update, with variables that are named without their prefix."""
        return self.play("update", *words, **{f"maintops_{name}": value for name, value in variables.items()})

    def pinned(self, *pins: packages.Package, **variables: Any) -> Played:
        """An update to exactly these versions."""
        told = [{"name": pin.name, "version": pin.version, "arch": "all"} for pin in pins]
        return self.update(pinned={self.server.name: told, "lab9": []}, **variables)

    def back(self, *words: str, **before: str | None) -> Played:
        """Undoes an update; packages are named without their prefix."""
        versions = {f"maintops-lab-{name}": version for name, version in before.items()}
        return self.play("rollback_update", *words, maintops_before={self.server.name: versions})

    def version(self, name: str) -> str:
        """A package's version; nothing of one that is not well installed."""
        letters, version = packages.status(self.server, name)
        return version if letters in ("ii ", "hi ") else ""

    def versions(self, *names: str) -> list[str]:
        """The versions of some packages."""
        return [self.version(name) for name in names]


@contextmanager
def held(server: Container, path: str, seconds: int, program: str = "flock") -> Iterator[None]:
    """Somebody holds a lock for some seconds, and then writes RELEASED."""
    words = server._shell(f"{program} {path} sh -c 'echo it is held; sleep {seconds}; touch {RELEASED}'")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "it is held\n"
        yield


@contextmanager
def small(server: Container, point: str, size: str = "4m") -> Iterator[None]:
    """A place is a file system of its own, and a small one."""
    server.run(f"mount -t tmpfs -o size={size} tmpfs {point}")
    try:
        yield
    finally:
        server.run(f"umount {point}")


def fingerprint(server: Container) -> str:
    """All that an update may change, times included."""
    return server.run(
        "dpkg -l; apt-mark showauto; apt-mark showhold; ls -lA --time-style=full-iso /run /etc /var/lib/apt/lists "
        "/var/cache/apt /var/cache/apt/archives /var/lib/apt /var/lib/dpkg /usr/share | grep -v -e utmp -e sudo -e motd"
    )


@contextmanager
def without_apt(server: Container) -> Iterator[None]:
    """The server has no packages of Debian, as far as anybody can tell."""
    server.run("mv /var/lib/dpkg/status /var/lib/dpkg/status.away")
    try:
        yield
    finally:
        server.run("mv /var/lib/dpkg/status.away /var/lib/dpkg/status")
