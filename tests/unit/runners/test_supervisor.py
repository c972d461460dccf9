"""The supervisor: whatever descends from it ends with it, and private folders of the dead are swept up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from maintops.runners import supervisor

# A process that is hard to end: it ignores SIGTERM, leaves its session, and has a child that does the same and loses
# its parent.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(2):
    if os.fork():
        if len(sys.argv) > 1:
            os._exit(0)
    else:
        os.setsid()
open(f"{os.environ['BOARD']}/{os.getpid()}", "w")
time.sleep(60)
"""

# A worker that hands a password over in shared memory, as Ansible does.
SHARING = """
import os, time
from multiprocessing import resource_tracker, shared_memory
resource_tracker.register = lambda *_: None
memory = shared_memory.SharedMemory(create=True, size=100)
memory.buf[:6] = b"SECRET"
open(f"{os.environ['BOARD']}/{os.getpid()}", "w").write(memory.name)
time.sleep(60)
"""

# Stands for ansible-runner: starts stubborn processes, tells something, and ends or not.
RUNNER = """
import os, subprocess, sys, time
def run(**given):
    given["event_handler"]({"event": "said", "event_data": {"host": "x", "res": {"a": 1, "invocation": "i"}}})
    program = os.environ["STUBBORN"]
    subprocess.Popen([sys.executable, "-c", program])
    subprocess.Popen([sys.executable, "-c", program, "orphan"])
    while len(os.listdir(os.environ["BOARD"])) < 3:
        time.sleep(0.01)
    time.sleep(float(given["forks"]))
    class Result: rc = 7
    return Result
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    (tmp_path / "board").mkdir()
    (tmp_path / "ansible_runner.py").write_text(RUNNER)
    return tmp_path / "board"


def start(board: Path, stubborn: str = STUBBORN) -> subprocess.Popen[bytes]:
    environment = {
        "BOARD": str(board),
        "STUBBORN": stubborn,
        "PYTHONPATH": str(board.parent),
        "PATH": os.environ["PATH"],
    }
    command = [sys.executable, "-P", supervisor.__file__]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def job(folder: Path, seconds: float) -> bytes:
    told: dict[str, Any] = {
        "folder": str(folder),
        "files": {"a": "text", "deep/b": "more"},
        "links": {"deep/link": "/etc/hostname"},
        "cwd": f"{folder}/here",
        "playbook": "p",
        "inventory": [],
        "arguments": "",
        "forks": seconds,
        "environment": {},
    }
    return json.dumps(told).encode() + b"\n"


def give(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin
    process.stdin.write(line)
    process.stdin.flush()


def wait_for(count: int, board: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while len(list(board.iterdir())) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(one.name) for one in board.iterdir()]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_job_is_told_of_and_leaves_nothing(board: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maintops-1"
    process = start(board)
    give(process, job(folder, 0))
    assert process.stdout
    told = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert told == [{"event": "said", "host": "x", "res": {"a": 1}}, {"end": 7}]
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert len(list(board.iterdir())) >= 3
    assert alive(wait_for(3, board)) == []
    assert not folder.exists()


def test_when_nobody_listens_any_more_everything_ends(board: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maintops-2"
    process = start(board)
    give(process, job(folder, 60))
    pids = wait_for(3, board)
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert (folder / "deep" / "b").read_text() == "more"
    assert (folder / "deep" / "link").readlink() == Path("/etc/hostname")
    assert len(alive(pids)) == len(pids)
    process.communicate(timeout=10)  # closes its standard input
    assert alive(pids) == []
    assert not folder.exists()


def test_a_password_in_shared_memory_goes_with_its_process(board: Path, tmp_path: Path) -> None:
    process = start(board, SHARING)
    give(process, job(tmp_path / "maintops-7", 60))
    pids = wait_for(2, board)
    memories = [Path("/dev/shm", (board / str(pid)).read_text()) for pid in pids]
    assert [memory.read_bytes()[:6] for memory in memories] == [b"SECRET"] * 2
    process.communicate(timeout=10)
    assert alive(pids) == []
    assert not any(memory.exists() for memory in memories)


def test_it_can_be_asked_to_end(board: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maintops-3"
    process = start(board)
    give(process, job(folder, 60))
    pids = wait_for(3, board)
    process.terminate()
    process.wait(10)
    assert alive(pids) == []
    assert not folder.exists()
    process.communicate()


def test_half_a_job_is_none(tmp_path: Path, board: Path) -> None:
    process = start(board)
    assert process.communicate(job(tmp_path / "maintops-4", 0)[:-5])[0] == b""
    assert process.returncode == 1
    assert not (tmp_path / "maintops-4").exists()


def test_a_folder_that_is_there_already_is_not_taken(tmp_path: Path, board: Path) -> None:
    folder = tmp_path / "maintops-5"
    folder.mkdir()
    (folder / "mine").touch()
    process = start(board)
    told = process.communicate(job(folder, 0), timeout=20)[0]
    assert json.loads(told)["text"].startswith("[ERROR]: Ansible could not be run: FileExistsError: ")
    assert process.returncode == 1
    assert (folder / "mine").exists()
    assert list(board.iterdir()) == []


def test_what_goes_wrong_is_told(tmp_path: Path, board: Path) -> None:
    (tmp_path / "ansible_runner.py").write_text("raise OSError('no space left')")
    process = start(board)
    give(process, job(tmp_path / "maintops-6", 0))
    assert process.stdout
    told = process.stdout.read()  # standard input stays open: whoever closes it wants no more
    process.communicate(timeout=20)
    assert json.loads(told) == {"text": "[ERROR]: Ansible could not be run: OSError: no space left"}


def owned(folder: Path, mark: str | None, age: float = 0) -> Path:
    folder.mkdir()
    if mark is not None:
        (folder / "owner").write_text(mark)
    os.utime(folder, (time.time() - age, time.time() - age))
    return folder


def test_only_folders_whose_owner_is_certainly_gone_are_swept_up(tmp_path: Path) -> None:
    space = Path("/proc/self/ns/pid").stat().st_ino
    ticks = supervisor._stat(os.getpid(), 22)
    gone = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    stale = [
        owned(tmp_path / "maintops-dead", f"{space} {gone} 5"),
        owned(tmp_path / "maintops-reused", f"{space} {os.getpid()} {ticks - 1 if ticks else 0}"),
        owned(tmp_path / "maintops-nameless", None, age=3600),
    ]
    kept = [
        owned(tmp_path / "maintops-alive", f"{space} {os.getpid()} {ticks}"),
        owned(tmp_path / "maintops-elsewhere", f"{space + 1} {gone} 5"),
        owned(tmp_path / "maintops-young", None),
        owned(tmp_path / "maintops-odd", "not a mark", age=3600),
        owned(tmp_path / "other", f"{space} {gone} 5"),
    ]
    (tmp_path / "maintops-link").symlink_to(kept[-1])
    supervisor.remove_stale(tmp_path)
    assert [folder.exists() for folder in stale] == [False] * 3
    assert [folder.exists() for folder in kept] == [True] * 5
    assert (tmp_path / "maintops-link").is_symlink()
