"""What a program costs: wall seconds, and CPU seconds of its whole process tree.

The program runs under a small process of its own that adopts whatever the program leaves behind (SSH masters that
outlive it count too), ends it, and asks the kernel what all of them used (getrusage(2), RUSAGE_CHILDREN).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Cost:
    """`cpu` and `wall` in seconds, `memory` the largest process's peak in bytes, `status` the exit status."""

    cpu: float
    wall: float
    memory: int
    status: int


def measure(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], output: Path) -> Cost:
    """Runs one program to its end; standard output and error go to `output`."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.measuring", str(output), *command],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return Cost(**json.loads(done.stdout))


def _main(output: str, command: Sequence[str]) -> None:
    import ctypes
    import resource
    import time

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    started = time.monotonic()
    with Path(output).open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=environment)
        status = process.wait()
    wall = time.monotonic() - started
    _end_orphans()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * 1024, status)
    print(json.dumps({name: getattr(cost, name) for name in Cost.__slots__}))


def _end_orphans() -> None:
    """Ends and waits for every process that the program left behind, until none is left."""
    import signal

    me = os.getpid()
    while True:
        for pid in _children(me):
            os.kill(pid, signal.SIGTERM)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(one) for one in text.split()]


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
