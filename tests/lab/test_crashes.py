"""`kill -9` of maintops, at every commit point in turn and at random moments: nothing acknowledged is lost, nothing is
silent, nothing goes on."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.running import Desk, Running, begun, run_maintops

pytestmark = pytest.mark.fleet

NAMES = ("s001", "s002", "s003")
PAUSE = "3.0417"
"""Seconds that the second check sleeps: a number that tells its process apart from any other's."""

CHECK_TIMEOUT = 6
ENGINES = ("ssh", "ansible")


@pytest.fixture
def marks() -> Iterator[Path]:
    """A folder in which the servers leave marks: everybody may write there."""
    folder = Path(tempfile.mkdtemp(prefix="maintops-marks-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def checklist(marks: Path, pause: str = PAUSE) -> str:
    """Counts its own execution per server, sleeps, answers."""
    commands = [
        f"set -- $SSH_CONNECTION; echo asked >> {marks}/count-$3",
        f"set -- $SSH_CONNECTION; touch {marks}/begun-$3; exec sleep {pause}",
        "echo done",
    ]
    checks = [
        {"id": f"CR-{number}00", "title": "Crash", "command": command, "parse": "text", "timeout": CHECK_TIMEOUT}
        for number, command in enumerate(commands, start=1)
    ]
    return json.dumps(
        {"checklist": "crash", "title": "Crash", "service": "inspection", "cadence": {"every": "day"}, "checks": checks}
    )


CHECKS = {"CR-100", "CR-200", "CR-300"}


def command(desk: Desk, marks: Path, engine: str, pause: str = PAUSE) -> list[str]:
    path = desk.checklist(checklist(marks, pause))
    return ["run", path, "-i", desk.inventory(*NAMES), "--engine", engine, "-f", "2"]


def acknowledged(stderr: str) -> set[str]:
    """The servers of which a person was told that they are done."""
    return set(re.findall(r"^\[\d+/\d+\] (s\d+): ", stderr, re.MULTILINE))


def verify_what_is_left(desk: Desk, marks: Path, told: set[str]) -> str:
    """What the next start shows of a run that was killed; returns its state."""
    listed = run_maintops(desk, "runs", "--format", "json")
    assert listed.code == 0, listed.stderr
    if not listed.document:
        assert not told, "a server was shown of a run that nobody kept"
        assert not list(marks.glob("count-*")), "servers were asked for a run that nobody kept"
        return "never begun"
    (run,) = listed.document
    assert run["state"] in ("interrupted", "finished")
    report = run_maintops(desk, "report", "last", "--format", "json").document
    cells = {one["server"]: {cell["id"]: cell["outcome"] for cell in one["checks"]} for one in report["servers"]}
    assert set(cells) == set(NAMES)
    for name, outcomes in cells.items():
        assert set(outcomes) == CHECKS, f"{name} has cells without an outcome"
        assert set(outcomes.values()) in ({"ok"}, {"unknown"}), f"{name}: {outcomes}"
        if name in told:
            assert set(outcomes.values()) == {"ok"}, f"{name} was acknowledged and is lost"
        if run["state"] == "finished":
            assert set(outcomes.values()) == {"ok"}
    for count in marks.glob("count-*"):
        assert count.read_text() == "asked\n", "a run asked a server twice"
    return str(run["state"])


# --- processes --------------------------------------------------------------------------------------------------------


def stat(pid: int) -> tuple[int, int] | None:
    """A live process's parent and start time; None where there is none (a zombie is none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else (int(fields[1]), int(fields[19]))


class Family:
    """Remembers everything that ever descended from a process, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        self.members: dict[int, int] = {}
        self._known, self._stop = {pid}, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            for pid in [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]:
                found = stat(pid)
                if found and (found[0] in self._known or pid in self._known):
                    self._known.add(pid)
                    self.members.setdefault(pid, found[1])

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def left(self) -> list[int]:
        """Members that are still alive."""
        return [pid for pid, born in self.members.items() if (found := stat(pid)) and found[1] == born]


def sleeping() -> list[str]:
    """The second check's processes, on whatever server."""
    return [
        file.parent.name
        for file in Path("/proc").glob("[0-9]*/cmdline")
        if PAUSE.encode() in _read(file).split(b"\0") and b"sleep" in _read(file)
    ]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def wait_until(gone, seconds: float) -> None:  # type: ignore[no-untyped-def]
    """Waits until a list is empty, at most so long."""
    deadline = time.monotonic() + seconds
    while gone() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone() == []


# --- tests ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_ten_seconds_after_a_kill_nothing_of_ours_runs_here_and_the_script_ends_there(fleet, tmp_path, marks, engine):
    desk = Desk(tmp_path / "desk", fleet)
    running = Running(desk, *command(desk, marks, engine, PAUSE))
    family = Family(running.pid)
    begun(running, (marks / f"begun-{fleet.server('s001').address}").exists)
    assert sleeping(), "the second check is not running: nothing would be shown"
    os.kill(running.pid, signal.SIGKILL)
    ended = running.wait()
    family.stop()
    assert ended.code == -signal.SIGKILL
    assert len(family.members) > 1 or engine == "ssh"
    wait_until(family.left, 10)
    wait_until(sleeping, CHECK_TIMEOUT)
    assert verify_what_is_left(desk, marks, acknowledged(ended.stderr)) == "interrupted"
    asked = len(list(marks.glob("count-*")))
    time.sleep(1)
    assert len(list(marks.glob("count-*"))) == asked, "somebody still asks servers"


@pytest.mark.parametrize(("engine", "seed"), [*(("ssh", seed) for seed in range(8)), ("ansible", 1), ("ansible", 2)])
def test_killed_at_a_random_moment(fleet, tmp_path, marks, engine, seed):
    desk = Desk(tmp_path / "desk", fleet)
    running = Running(desk, *command(desk, marks, engine, "0.4"))
    time.sleep(random.Random(seed).uniform(0.2, 4.0))
    os.kill(running.pid, signal.SIGKILL)
    ended = running.wait()
    verify_what_is_left(desk, marks, acknowledged(ended.stderr))


KILLER = """
import os, signal, sys
from maintops.store.sql import SqlStore

calls, point, when = 0, int(sys.argv[1]), sys.argv[2]

def cut(name):
    real = getattr(SqlStore, name)
    def write(*args, **kwargs):
        global calls
        calls += 1
        mine = calls == point
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = real(*args, **kwargs)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(SqlStore, name, write)

for name in ("begin", "commit", "append"):
    cut(name)
from maintops.cli.main import execute
sys.exit(execute(sys.argv[3:]))
"""

WRITES = 1 + len(NAMES) + 1
"""A run's writes: it is begun, one record a server, it is ended."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", range(1, WRITES + 2))
def test_cut_at_every_commit_point(fleet, tmp_path, marks, point, when):
    desk = Desk(tmp_path / "desk", fleet)
    arguments = command(desk, marks, "ssh", "0.1")
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(point), when, *arguments],
        cwd=desk.here,
        env=desk.variables,
        capture_output=True,
        text=True,
        check=False,
    )
    told = acknowledged(done.stderr)
    state = verify_what_is_left(desk, marks, told)
    if point > WRITES:
        assert (done.returncode, state) == (0, "finished"), "there are more writes than this test cuts at"
        return
    assert done.returncode == -signal.SIGKILL
    # what is kept when it dies: a write counts from its end on, and is told to nobody before that
    kept = point if when == "after" else point - 1
    assert state == ("never begun" if kept == 0 else "finished" if kept == WRITES else "interrupted")
    assert len(told) == max(0, min(point - 2, len(NAMES)))
