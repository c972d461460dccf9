"""Terminals, pipes and full disks: what the command line looks like to whoever reads it."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.checklists import alarmed, furnish
from tests.lab.fleet import Fleet
from tests.lab.running import PATIENCE, Desk, Running, run_maintops

pytestmark = [pytest.mark.fleet, pytest.mark.xdist_group("terminals")]

PROGRAM = Path(sys.executable).parent / "maintops"
COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-9][;0-9]*m")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, fleet: Fleet) -> Desk:
    """A desk with a database that holds one run."""
    desk = Desk(tmp_path_factory.mktemp("terminals") / "desk", fleet)
    furnish(desk)
    ended = run_maintops(desk, "run", "round", "-i", desk.inventory("s002", **alarmed(desk, "s001")))
    assert ended.code == 2, ended.stderr
    assert "\x1b" not in ended.stdout + ended.stderr, "no terminal, no escapes"
    assert "sda is 97 % full" in ended.stdout
    assert "[2/2]" in ended.stderr
    return desk


def _on_terminal(desk: Desk, *arguments: str, **variables: str) -> tuple[int, bytes]:
    """Runs `maintops` on a terminal of its own; its exit code and everything that it wrote there."""
    ours, theirs = pty.openpty()
    environment = {**desk.variables, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **variables}
    with subprocess.Popen(
        [PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=desk.here, env=environment
    ) as process:
        os.close(theirs)
        shown = _read_all(ours)
        os.close(ours)
        return process.wait(PATIENCE), shown


def _read_all(descriptor: int) -> bytes:
    shown, deadline = b"", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if not select.select([descriptor], [], [], 1)[0]:
            continue
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            return shown
        shown += piece
    raise AssertionError(f"maintops hangs: {shown!r}")


def test_a_terminal_shows_a_bar_with_counts_and_the_result_in_colour(stage: Desk) -> None:
    code, shown = _on_terminal(stage, "run", "round", "-i", stage.inventory("s002", **alarmed(stage, "s001")))
    assert code == 2, shown
    assert b"\x1b[?25l" in shown, "no bar hid the cursor"
    assert b"\x1b[?25h" in shown, "the cursor stays hidden"
    assert re.search(rb"round.*\d/2", shown)
    assert COLOUR.search(shown)
    assert b"sda is 97 % full" in shown


def test_no_color_is_obeyed(stage: Desk) -> None:
    code, shown = _on_terminal(
        stage, "run", "round", "-i", stage.inventory("s002", **alarmed(stage, "s001")), NO_COLOR="1"
    )
    assert code == 2, shown
    assert not COLOUR.search(shown)
    assert b"sda is 97 % full" in shown


@pytest.mark.parametrize("words", ["schema checklist", "runs", "runs --format json", "report --format html", "--help"])
def test_a_reader_that_goes_away_is_no_defect(stage: Desk, words: str) -> None:
    with subprocess.Popen(
        [PROGRAM, *words.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=stage.here,
        env=stage.variables,
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()  # what `| head` does, before the first word
        told = process.stderr.read()
    assert (process.returncode, told) == (0, b"")


def test_a_run_keeps_its_exit_code_when_nobody_reads_its_result(stage: Desk) -> None:
    arguments = ["run", "round", "-i", stage.inventory(**alarmed(stage, "s001")), "--format", "json"]
    with subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=stage.here, env=stage.variables
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read().decode()
    assert process.returncode == 2, told
    assert "Traceback" not in told


@pytest.mark.parametrize("words", ["schema checklist", "runs", "runs --format json"])
def test_standard_output_on_a_full_disk_is_one_sentence(stage: Desk, words: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [PROGRAM, *words.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            cwd=stage.here,
            env=stage.variables,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "maintops: cannot write: No space left on device; make room and try again\n"


def test_closed_streams_are_no_defect(stage: Desk) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "{PROGRAM}" runs >&-'],
        stderr=subprocess.PIPE,
        cwd=stage.here,
        env=stage.variables,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


# --- another terminal -------------------------------------------------------------------------------------------------

WAITING = """\
checklist: waiting
title: Waiting for a sign
service: inspection
cadence: {every: day}
checks:
  - id: WA-010
    title: The sign is given
    command: touch BOARD/begun-$$; until test -e BOARD/sign; do sleep 0.1; done
    timeout: 2m
"""


def test_a_run_is_watched_from_another_terminal_until_it_ends(desk: Desk, fleet: Fleet) -> None:
    board = fleet.folder / f"board-{time.monotonic_ns()}"
    board.mkdir()
    board.chmod(0o777)
    checklist = desk.checklist(WAITING.replace("BOARD", str(board)))
    running = Running(desk, "run", checklist, "-i", desk.inventory("s001"))
    try:
        _until(lambda: bool(list(board.glob("begun-*"))), running)
        (run,) = run_maintops(desk, "runs", "--format", "json").document
        assert (run["state"], run["servers"], run["done"]) == ("running", 1, 0)
        watching = Running(desk, "runs", "--watch")
        _until(lambda: "running, 0 of 1 servers" in _said(watching), running)
        assert not watching.is_over
    finally:
        (board / "sign").touch()
    assert running.wait().code == 0
    watched = watching.wait()
    assert (watched.code, watched.stdout) == (0, "")
    assert watched.stderr.splitlines()[-1].startswith(f"{run['run']} waiting: finished, 1 of 1 servers")
    again = run_maintops(desk, "runs", "--watch", run["run"][:12])
    assert (again.code, len(again.stderr.splitlines())) == (0, 1)


def _said(running: Running) -> str:
    return running._stderr.read_text()


def _until(condition: Callable[[], bool], running: Running) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert not running.is_over, f"it ended too soon: {running.wait()}"
        assert time.monotonic() < deadline
        time.sleep(0.05)
