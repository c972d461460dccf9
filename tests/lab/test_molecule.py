"""The Molecule scenarios: they pass and leave nothing, and they fail where they should."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import containers as tier
from tests.lab.fixtures import absent
from tests.lab.scenario import down, labs

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first lab may have to build the image

HOUSE = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

CHANGES = """\
checklist: daily-check
title: A check that changes what it looks at
service: inspection
cadence: {every: day}
checks:
  - {id: XX-010, title: It writes, command: date +%s%N >/etc/looked-at, parse: text, become: true}
"""

Part = tuple[str, str]


@dataclass(frozen=True)
class Molecule:
    """A scenario, with an ephemeral directory of its own."""

    folder: Path
    scenario: str = "default"

    def begin(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """Starts a command of Molecule's; `more` is added to its environment. What it says is in `said`."""
        environment = {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_HOME": str(self.folder.parent / "ansible"),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(self.folder),
            "NO_COLOR": "1",
            "COLUMNS": "200",
            **more,
        }
        with self._log.open("w") as log:
            command = [BIN / "molecule", *words, "-s", self.scenario]
            return subprocess.Popen(
                command, cwd=HOUSE, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def run(self, *words: str, **more: str) -> int:
        """Runs a command of Molecule's; returns its exit status. The test is skipped where there can be no lab."""
        status = self.begin(*words, **more).wait()
        self.refuse()
        return status

    def refuse(self) -> None:
        """Skips the test where Molecule was told that this machine cannot have a lab."""
        if why := re.search(r'"stderr": "no lab: ([^"]*)"', self.said):
            absent(why[1])

    @property
    def said(self) -> str:
        """What the last command printed."""
        return self._log.read_text()

    def within(self, server: str, command: str) -> None:
        """Runs a command of sh inside a server, as root."""
        (lab,) = labs(self.folder)
        tier._said(tier._podman("exec", f"{lab}-{server}", "sh", "-c", command))

    @property
    def instances(self) -> Path:
        """The file that is there once the servers are up."""
        return self.folder / "instance_config.yml"

    @property
    def _log(self) -> Path:
        return self.folder.parent / "said"


@pytest.fixture(scope="module")
def molecule(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Molecule]:
    """The default scenario. Its lab goes with the module, whatever became of it."""
    with _removed(Molecule(tmp_path_factory.mktemp("molecule") / "ephemeral")) as one:
        yield one


@pytest.fixture(scope="module")
def patch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Molecule]:
    """The scenario that patches. Its lab goes with the module, whatever became of it."""
    with _removed(Molecule(tmp_path_factory.mktemp("patch") / "ephemeral", "patch")) as one:
        yield one


@contextmanager
def _removed(one: Molecule) -> Iterator[Molecule]:
    try:
        yield one
    finally:
        down(one.folder)


@pytest.fixture
def created(molecule: Molecule) -> Molecule:
    """The default scenario with its servers up."""
    assert labs(molecule.folder) or molecule.run("create") == 0, molecule.said
    return molecule


def test_the_scenario_passes_and_its_lab_is_gone(molecule: Molecule) -> None:
    _passes_and_leaves_nothing(molecule, servers=2)


def test_the_scenario_that_patches_passes_notices_another_hand_and_leaves_nothing(patch: Molecule) -> None:
    assert patch.run("test", "--destroy", "never") == 0, patch.said
    assert len(re.findall(r"^changed: \[lab[1-4]\]$", _converged(patch.said), re.MULTILINE)) == 4
    patch.within("lab3", "systemctl stop maintops-lab-service; date >>/var/lib/boots")
    assert patch.run("verify") != 0
    assert _failed(patch.said) == [
        "test_it_was_rebooted_exactly_once[ansible://lab3]",
        "test_its_service_runs_and_sshd_does[ansible://lab3]",
    ]
    (lab,) = labs(patch.folder)
    made = _parts(lab)
    assert patch.run("destroy") == 0, patch.said
    _is_gone(patch, made, servers=4)


def _converged(said: str) -> str:
    """What the first converge said of its last task."""
    return said.partition("TASK [Compare the fingerprint]")[2].partition("PLAY RECAP")[0]


def _passes_and_leaves_nothing(molecule: Molecule, servers: int) -> None:
    running, made = molecule.begin("test"), set[Part]()
    while running.poll() is None:
        if not made and molecule.instances.exists():
            (lab,) = labs(molecule.folder)
            made = _parts(lab)
        time.sleep(0.1)
    molecule.refuse()
    assert running.returncode == 0, molecule.said
    _is_gone(molecule, made, servers)


def _is_gone(molecule: Molecule, made: set[Part], servers: int) -> None:
    assert sorted(kind for kind, _ in made) == ["container"] * servers + ["link"] * (servers + 1)
    assert made & _parts() == set()
    assert labs(molecule.folder) == []


def _parts(lab: str = r"mt\d+") -> set[Part]:
    """What a lab is made of, by numbers that are given once: another lab may bear its name by now. A network namespace
    lives as long as the link into it does."""
    links = [("link", one["ifname"], str(one["ifindex"])) for one in json.loads(tier._ip("-json", "link"))]
    listed = [line.split() for line in tier._lines(tier._podman("ps", "--all", "--format", "{{.Names}} {{.ID}}"))]
    parts = links + [("container", name, number) for name, number in listed]
    return {(kind, number) for kind, name, number in parts if re.fullmatch(rf"{lab}(v\d+|-lab\d+)?", name)}


def test_what_is_left_on_a_server_and_a_record_that_is_missing_are_noticed(created: Molecule) -> None:
    created.within("lab1", "touch /tmp/left-behind; MAINTOPS_ASK=1 sleep 300 >/dev/null 2>&1 & echo $! >/run/asking")
    try:
        assert created.run("verify") != 0
    finally:
        created.within("lab1", "rm /tmp/left-behind; kill $(cat /run/asking)")
    assert _failed(created.said) == [
        "test_every_server_has_a_record_and_was_reached_each_time",
        "test_no_file_lies_about[ansible://lab1]",
        "test_no_question_is_still_running[ansible://lab1]",
    ]


def _failed(said: str) -> list[str]:
    """The tests that failed, by pytest's summary."""
    return sorted(re.findall(r"^FAILED \S+::(\S+)", said, re.MULTILINE))


def test_a_check_that_changes_servers_is_noticed(created: Molecule, tmp_path: Path) -> None:
    (tmp_path / "daily-check.yml").write_text(CHANGES)
    assert created.run("converge", MAINTOPS_CHECKLISTS=str(tmp_path)) == 0, created.said
    assert created.run("idempotence", MAINTOPS_CHECKLISTS=str(tmp_path)) != 0
    assert "Idempotence test failed" in created.said
    assert len(re.findall(r"^changed: \[lab[12]\]", created.said, re.MULTILINE)) == 2


def test_a_server_that_cannot_be_reached_is_noticed(created: Molecule) -> None:
    created.within("lab2", "systemctl stop ssh")
    try:
        assert created.run("converge") != 0
    finally:
        created.within("lab2", "systemctl start ssh")
    assert re.search(r"lab2 .*unreachable=1", created.said), created.said
    assert re.search(r"rc\W+4\b", created.said), created.said
