"""Programs that are started to read something, and that never outlive us.

Each runs under a keeper of its own: a few lines of Python that hold the reading end of a pipe from us. When the pipe
closes, because we are done with it or because we died (`kill -9` included), the keeper kills the program and whatever
it started in its process group. A parent-death signal would reach the program alone, and depends on threads.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from maintops.errors import UsageError

_KEEPER = """\
import os, select, signal, sys
woken, wake = os.pipe()
os.set_blocking(wake, False)
signal.set_wakeup_fd(wake)
signal.signal(signal.SIGCHLD, lambda *_: None)
child = os.fork()
if child == 0:
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(sys.argv[1], sys.argv[1:])
    except OSError as error:
        os.write(2, (error.strerror + chr(10)).encode())
    os._exit(127)
try:
    os.setpgid(child, child)
except OSError:
    pass  # it has done so itself and is on its way
ended, status = 0, 0
while not ended:
    if 0 in select.select([0, woken], [], [])[0]:
        os.killpg(child, signal.SIGKILL)
        ended, status = os.waitpid(child, 0)
    else:
        os.read(woken, 64)
        ended, status = os.waitpid(child, os.WNOHANG)
try:
    os.killpg(child, signal.SIGKILL)
except ProcessLookupError:
    pass
code = os.waitstatus_to_exitcode(status)
os._exit(code if code >= 0 else 128 - code)
"""
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Output:
    """What a program printed, and its exit status (128 + n for a signal n; 127 where it could not be started)."""

    status: int
    stdout: bytes
    stderr: bytes


@dataclass(slots=True)
class _Running:
    process: subprocess.Popen[bytes]
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)


def run_programs(
    commands: Sequence[Sequence[str]],
    *,
    environment: Mapping[str, str],
    folder: str,
    timeout: float,
    limit: int,
) -> list[Output]:
    """Runs programs (absolute paths with arguments) side by side and waits for all of them.

    They get nothing but `environment` (which must set LC_ALL, or Python adds a locale of its own), `folder` as their
    current folder, and an empty standard input. Raises UsageError when they take longer than `timeout` seconds or one
    prints more than `limit` bytes.
    """
    running: list[_Running] = []
    try:
        running.extend(_Running(_start(command, environment, folder)) for command in commands)
        _listen(running, time.monotonic() + timeout, limit)
        return [Output(one.process.wait(), bytes(one.stdout), bytes(one.stderr)) for one in running]
    except _Overtime:
        raise UsageError(f"{Path(commands[0][0]).name} did not end within {timeout:g} s") from None
    except _Overflow:
        raise UsageError(f"{Path(commands[0][0]).name} printed more than {limit} bytes") from None
    finally:
        for one in running:
            _end(one.process)


class _Overtime(Exception):
    pass


class _Overflow(Exception):
    pass


def _start(command: Sequence[str], environment: Mapping[str, str], folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _KEEPER, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,  # a Ctrl-C in the terminal is ours to answer
    )


def _listen(running: Sequence[_Running], deadline: float, limit: int) -> None:
    with selectors.DefaultSelector() as selector:
        for one in running:
            selector.register(_pipe(one.process.stdout), selectors.EVENT_READ, one.stdout)
            selector.register(_pipe(one.process.stderr), selectors.EVENT_READ, one.stderr)
        while selector.get_map():
            for key, _ in selector.select(_left(deadline)):
                chunk = os.read(key.fd, _CHUNK)
                key.data.extend(chunk)
                if len(key.data) > limit:
                    raise _Overflow
                if not chunk:
                    selector.unregister(key.fileobj)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _Overtime
    return left


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "every stream of a program is a pipe"  # noqa: S101
    return pipe


def _end(process: subprocess.Popen[bytes]) -> None:
    """Closes the pipe, which ends what still runs, and waits for the keeper."""
    _pipe(process.stdin).close()
    process.wait()
    _pipe(process.stdout).close()
    _pipe(process.stderr).close()
