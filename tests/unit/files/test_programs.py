"""A program is read to its end, and never outlives the one who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maintops.errors import UsageError
from maintops.files.programs import Output, run_programs

SHELL = "/bin/sh"


def run(*commands: str, timeout: float = 30, limit: int = 1000) -> list[Output]:
    return run_programs(
        [[SHELL, "-c", command] for command in commands],
        environment={"PATH": os.environ["PATH"], "LC_ALL": "C", "ONLY": "this"},
        folder="/",
        timeout=timeout,
        limit=limit,
    )


def test_programs_run_side_by_side() -> None:
    started = "echo one >&2; echo out; exit 3"
    assert run(started, "kill -9 $$", "cat; pwd; env | grep -v -e PWD -e ^_ -e PATH -e SHLVL -e LC_ALL") == [
        Output(3, b"out\n", b"one\n"),
        Output(137, b"", b""),
        Output(0, b"/\nONLY=this\n", b""),
    ]


def test_a_program_that_is_not_there() -> None:
    (output,) = run_programs([["/nosuch/program"]], environment={"LC_ALL": "C"}, folder="/", timeout=30, limit=100)
    assert output == Output(127, b"", b"No such file or directory\n")


def test_what_a_program_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    (output,) = run(f"sleep 1000 & echo $! > {tmp_path}/pid; echo done")
    assert output.stdout == b"done\n"
    _gone(int((tmp_path / "pid").read_text()))


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"sh did not end within 0\.3 s"):
        run(f"echo $$ > {tmp_path}/pid; sleep 1000; true", "true", timeout=0.3)
    _gone(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("endless", ["yes", "yes >&2"])
def test_a_program_that_prints_too_much_is_ended(endless: str) -> None:
    with pytest.raises(UsageError, match="sh printed more than 1000 bytes"):
        run(f"{endless}; true")


def test_a_program_dies_with_us(tmp_path: Path) -> None:
    script = (
        "from maintops.files.programs import run_programs\n"
        f"run_programs([['{SHELL}', '-c', 'sleep 1000 & echo $! > {tmp_path}/pid; wait']],"
        f" environment={{'PATH': {os.environ['PATH']!r}}}, folder='/', timeout=600, limit=10)"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as ours:
        pid = int(_appeared(tmp_path / "pid"))
        ours.send_signal(signal.SIGKILL)
    _gone(pid)


def _appeared(path: Path) -> str:
    for _ in range(600):
        if path.exists() and path.read_text().endswith("\n"):
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")


def _gone(pid: int) -> None:
    """Waits until a process is dead: gone, or a zombie that its new parent has not buried yet."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state in "ZX":
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} still lives")
