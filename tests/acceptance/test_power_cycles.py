"""A server that does not come back from its reboot, and the person who is asked to help it, by the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.persons import Person, closing_time
from tests.lab.running import PATIENCE, Desk

__all__ = ["closing_time"]

ROOT = Path(__file__).parents[2]
PROGRAM = ("/usr/bin/env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "tests.acceptance.actors")
CHECKLIST = """\
checklist: boots
title: Everything is rebooted
service: software-upgrade
cadence: {every: quarter}
change:
  waves: [1, 100%]
  packages: latest
  approval: standard
  expected: [kernel, boot]
  drain: {command: drain, undo: undrain, verify: is-drained}
  risk: {assessment: It stays away., contingency: It is power-cycled.}
checks:
- {id: HW-010, title: Disks, probe: disks, rules: [{when: level >= 90, severity: critical, finding: full}]}
steps:
- {id: BO-500, title: It is rebooted, reboot: always, timeout: 5m, irreversible: true}
"""


@dataclass(frozen=True)
class Rack:
    """Two actors, and a plan that reboots them one after the other; the second one comes back by itself."""

    desk: Desk

    def maintops(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.desk.here,
            env=self.desk.variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )

    def person(self, *words: str) -> Person:
        return Person(self.desk, *words, "--by", "erika", program=PROGRAM)

    def help(self) -> None:
        """Somebody presses the button."""
        (self.desk.here / "web1.up").touch()

    @property
    def actor(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((self.desk.here / "actors.json").read_text())["web1"]
        return found

    def cells(self, server: str = "web1") -> dict[str, tuple[str, str]]:
        """What the run says of each check on a server."""
        document = json.loads(self.maintops("report", "--format", "json").stdout)
        (found,) = [one for one in document["servers"] if one["server"] == server]
        return {one["id"]: (one["outcome"], one["message"]) for one in found["checks"]}

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.maintops("runs", "--format", "json").stdout)
        return found


@dataclass(frozen=True)
class _Nobody:
    """There is no server to be reached."""

    known_hosts: Path

    def variables(self, name: str) -> dict[str, Any]:
        return {}


@pytest.fixture
def rack(tmp_path: Path) -> Rack:
    desk = Desk(tmp_path / "desk", _Nobody(tmp_path / "known_hosts"))
    desk.checklist(CHECKLIST, "boots.yml")
    (desk.here / "web2.up").touch()
    made = Rack(desk)
    planned = made.maintops("plan", "./boots.yml", "--from-records", "--by", "ann", "-o", "a.plan")
    assert planned.returncode == 0, planned.stderr
    return made


def asked(person: Person) -> None:
    person.sees("CHG-204  web1 is power-cycled on site or through its console")
    person.sees("1  power-cycled")
    person.sees("  > ")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_person_at_the_terminal_helps_and_the_run_goes_on(rack: Rack) -> None:
    person = rack.person("run", "--plan", "a.plan")
    asked(person)
    (before,) = rack.runs()
    until(lambda: rack.runs()[0]["last_sign"] > before["last_sign"])  # it is alive while she thinks
    assert "\x1b[2K" not in person.sees_for(1.0), "something wipes away what she types"
    rack.help()
    person.types("1")
    person.answers("note (Enter for none): ", "it hung in GRUB")
    code, shown = person.leaves()
    assert code == 0, shown
    assert (rack.actor["told_to_reboot"], rack.actor["boots"]) == (1, 2)
    outcome, message = rack.cells()["CHG-204"]
    assert (outcome, message.startswith("erika ("), message.endswith("power-cycled (it hung in GRUB)")) == (
        "ok",
        True,
        True,
    )
    assert "CHG-204" not in rack.cells("web2")


def test_ctrl_c_while_a_person_is_asked_ends_the_run_and_not_later(rack: Rack) -> None:
    person = rack.person("run", "--plan", "a.plan")
    asked(person)
    person.presses(b"\x03")
    person.sees("nobody is asked any more: the run was cancelled")
    code, shown = person.leaves()
    assert (code, "Traceback" in shown) == (130, False)
    assert rack.cells()["BO-500"][0] == "unreachable"
    assert rack.cells("web2")["BO-500"][0] == "not_reached"
    (run,) = rack.runs()
    assert run["state"] == "cancelled"


def test_unattended_the_way_is_named_and_whoever_takes_it_is_asked_first(rack: Rack) -> None:
    ended = rack.maintops("run", "--plan", "a.plan", "--by", "ann")
    (run,) = rack.runs()
    assert (ended.returncode, run["state"]) == (6, "held"), ended.stderr
    way = f"answer CHG-204 then: maintops run continue {run['run']} --by ENGINEER at a terminal, or --answers FILE"
    assert way in ended.stderr
    (followup,) = json.loads(rack.maintops("followup", "list", "--format", "json").stdout)
    assert followup["title"].startswith("Bring web1 back: ")
    assert way in followup["title"]
    assert rack.cells()["CHG-204"][0] == "not_reached"
    assert "still owed: undrain of web1" in ended.stderr
    for format in ("html", "text"):
        assert "web1 is power-cycled on site" in rack.maintops("report", "--format", format).stdout
    person = rack.person("run", "continue")
    asked(person)
    rack.help()
    person.types("came back")
    person.answers("note (Enter for none): ", "")
    code, shown = person.leaves()
    assert code == 0, shown
    assert rack.cells()["CHG-204"][0] == "ok"
    assert rack.actor["told_to_reboot"] == 1
    assert not rack.actor["drained"]


def answers(rack: Rack, **said: str) -> Path:
    path = rack.desk.here / "answers.yml"
    path.write_text(
        json.dumps({"by": "Otto", "steps": {name: {"CHG-204": {"choice": one}} for name, one in said.items()}})
    )
    return path


def test_what_was_done_on_site_is_told_by_a_file(rack: Rack) -> None:
    rack.maintops("run", "--plan", "a.plan", "--by", "ann")
    wrong = rack.maintops("run", "continue", "--answers", str(answers(rack, web2="power-cycled")))
    assert (wrong.returncode, "CHG-204 is not asked of web2" in wrong.stderr) == (64, True), wrong.stderr
    given_up = rack.maintops("run", "continue", "--answers", str(answers(rack, web1="given up")))
    assert (given_up.returncode, "(Otto has given it up)" in given_up.stderr) == (6, True), given_up.stderr
    assert rack.cells()["CHG-204"][0] == "skipped"
    rack.help()
    ended = rack.maintops("run", "continue", "--answers", str(answers(rack, web1="power-cycled")))
    assert ended.returncode == 0, ended.stderr
    outcome, message = rack.cells()["CHG-204"]
    assert (outcome, message.startswith("Otto ("), message.endswith(": power-cycled")) == ("ok", True, True)
    assert (rack.actor["told_to_reboot"], rack.actor["drained"]) == (1, False)
