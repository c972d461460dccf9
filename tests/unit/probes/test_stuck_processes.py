from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, UnreadableAnswer
from maintops.probes.stuck_processes import NAMED, PROBE
from tests.contract.asking import ask


def process(pid: int, name: str, state: str, switches: int = 5) -> str:
    fields = {
        "Name": name,
        "State": f"{state} (some words)",
        "PPid": "1",
        "voluntary_ctxt_switches": str(switches),
        "nonvoluntary_ctxt_switches": "0",
    }
    return "".join(f" /proc/{pid}/status:{field}:\t{value}\n" for field, value in fields.items())


def facts(first: str, second: str, found: str = "/proc/7/status") -> Mapping[str, Any]:
    text = f"=found\n {found}\n.0\n=first\n{first}.0\n=second\n{second}.2\n"
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    return reading.subjects[0].facts


def test_nobody_is_stuck():
    reading = PROBE.read(Answer(b"=found\n \n.0\n"), {})
    assert isinstance(reading, Measured)
    assert reading.subjects[0].facts == {
        "zombies": 0,
        "zombie_processes": [],
        "uninterruptible": 0,
        "uninterruptible_processes": [],
    }


def test_who_sat_in_one_wait_is_stuck():
    waiting = process(7, "nfsd reader", "D")
    assert facts(waiting, waiting)["uninterruptible_processes"] == ["nfsd reader (pid 7, child of 1)"]


@pytest.mark.parametrize(
    "second",
    [
        process(7, "reader", "D", switches=6),  # it waited, worked and waits again
        process(7, "reader", "S"),
        process(7, "another", "D"),  # the pid was given anew
        "",
    ],
)
def test_who_merely_reads_from_a_disk_is_not(second: str):
    assert facts(process(7, "reader", "D"), second)["uninterruptible"] == 0


def test_a_zombie_that_nobody_reaps_counts():
    found = facts(process(7, "worker", "Z") + process(8, "quick", "Z"), process(7, "worker", "Z"))
    assert (found["zombies"], found["zombie_processes"]) == (1, ["worker (pid 7, child of 1)"])


def test_the_list_is_short_and_the_count_is_not():
    many = "".join(process(pid, "x", "Z") for pid in range(1, 51))
    found = facts(many, many)
    assert (found["zombies"], len(found["zombie_processes"])) == (50, NAMED)


def test_a_user_who_sees_only_the_own_processes_measures_nothing():
    answer = Answer(b"", b"only the processes of this user can be seen\n", 126)
    assert PROBE.read(answer, {}) == NotMeasured("no right to ask this: only the processes of this user can be seen")


@pytest.mark.parametrize("text", ["=first\n.0\n", "=found\n /proc/7/status\n.0\n=first\n.0\n", "=found\n x\n.0\n"])
def test_half_an_answer_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(text.encode()), {})


def test_other_lines_are_unreadable():
    with pytest.raises(UnreadableAnswer, match="/proc/PID/status"):
        facts(" hello\n", " hello\n")


# A child that has ended and is not waited for; and a parent in vfork(), which the kernel keeps in uninterruptible sleep
# for as long as its child neither ends nor becomes another program.
ZOMBIE = "import subprocess, time; kept = subprocess.Popen(['true']); print(kept.pid, flush=True); time.sleep(60)"
VFORK = "import ctypes, os, time; print(os.getpid(), flush=True); ctypes.CDLL(None).vfork(); time.sleep(60)"


@contextmanager
def running(code: str, state: str) -> Iterator[int]:
    """A process that prints the id of one that will be in a state, which is waited for."""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stdout is not None
    try:
        pid = int(child.stdout.readline())
        while f"State:\t{state}" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.01)
        yield pid
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()


def here() -> Mapping[str, Any]:
    reading = PROBE.read(ask(PROBE.question({})), {})
    assert isinstance(reading, Measured)
    return reading.subjects[0].facts


def test_a_real_zombie_is_found():
    with running(ZOMBIE, "Z") as pid:
        assert [one for one in here()["zombie_processes"] if f"(pid {pid}," in one]


def test_a_process_that_really_waits_is_found():
    with running(VFORK, "D") as pid:
        assert [one for one in here()["uninterruptible_processes"] if f"(pid {pid}," in one]
