"""Commands on the controller itself: hooks that drain, silence, take snapshots, ask a monitoring.

Each runs in a session of its own, so that Ctrl-C at maintops is none of its business. Where maintops itself is killed,
a command goes on alone until it ends: what it was begun for is still wanted.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, cast

from maintops.domain.ports import Commanded, Stop
from maintops.runners.supervisor import descendants

LONGEST = 4000
"""Characters that are kept of what a command prints: the last ones."""

GRACE = 1.0
"""Seconds between asking a command to end and killing it."""

_TICK = 0.1
_KEPT = 4 * LONGEST  # bytes: a character takes up to four
_PIPE = 64 * 1024
_NOT_STARTED = 126  # what shells give for a program that cannot be run


class ControllerCommands:
    """A Commander by /bin/sh. Commands see PATH, HOME and LANG of maintops's environment, and what they are given."""

    def command(self, text: str, environment: Mapping[str, str], timeout: float, stop: Stop) -> Commanded:
        """Runs one command (see ports.Commander). It is over when its shell is: what it leaves in the background is
        not waited for, even where that holds its output open. A signal is told as shells do: 128 and its number."""
        try:
            process = subprocess.Popen(
                ["/bin/sh", "-c", text],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_surroundings() | dict(environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Commanded(_NOT_STARTED, f"the command cannot be started: {error}")
        with _Hearing(process) as hearing:
            why = hearing.wait(time.monotonic() + timeout, timeout, stop)
            if why:
                _kill(process)
            hearing.rest()
            process.wait()
        if why:
            return Commanded(None, _end(f"{hearing.text}\n[{why}]".lstrip("\n")))
        status = process.returncode
        return Commanded(status if status >= 0 else 128 - status, _end(hearing.text))


def _surroundings() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {"PATH": os.defpath} | kept | {"LANG": "C.UTF-8"}


def _end(text: str) -> str:
    return text[-LONGEST:]


class _Hearing:
    """Hears what a command prints, and when it ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process, self._said = process, cast(IO[bytes], process.stdout)
        self._heard = b""
        self._ended = os.pidfd_open(process.pid)
        os.set_blocking(self._said.fileno(), False)

    def __enter__(self) -> _Hearing:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._ended)
        self._said.close()

    @property
    def text(self) -> str:
        """The end of what was printed, without what would play tricks on a screen."""
        text = self._heard.decode("utf-8", "replace")
        return "".join(sign if sign.isprintable() or sign in "\n\t" else " " for sign in text).strip("\n")

    def wait(self, deadline: float, timeout: float, stop: Stop) -> str:
        """Waits for the command's end; returns why it is to be ended before, or ""."""
        watched = [self._ended, self._said.fileno()]
        while True:
            ready, _, _ = select.select(watched, [], [], _TICK)
            if self._said.fileno() in ready and self._take() == b"":
                watched = [self._ended]
            if self._ended in ready:
                return ""
            if (reason := stop()) is not None:
                return f"cut off: {reason}"
            if time.monotonic() > deadline:
                return f"it did not end within {timeout:g} seconds"

    def rest(self) -> None:
        """Takes what is in the pipe; not what somebody still pours into it."""
        for _ in range(2):
            if not self._take():
                return

    def _take(self) -> bytes | None:
        """The next bytes; b"" at the end, None where there are none yet."""
        try:
            piece = os.read(self._said.fileno(), _PIPE)
        except BlockingIOError:
            return None
        self._heard = (self._heard + piece)[-_KEPT:]
        return piece


# --- ending -----------------------------------------------------------------------------------------------------------


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a command and all that it started, also what went into a session of its own."""
    with contextlib.ExitStack() as held:
        family = dict(_held(descendants(process.pid), held))
        _send(process, family.values(), signal.SIGTERM)
        _await(family.values(), process)
        family |= dict(_held(set(descendants(process.pid)) - family.keys(), held))
        _send(process, family.values(), signal.SIGKILL)
        _await(family.values(), process)


def _held(pids: Iterable[int], held: contextlib.ExitStack) -> Iterator[tuple[int, int]]:
    """Descriptors of processes: a number alone may be somebody else's by the time that it is used."""
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            held.callback(os.close, descriptor)
            yield pid, descriptor


def _send(process: subprocess.Popen[bytes], family: Iterable[int], number: signal.Signals) -> None:
    # The shell is not buried yet, so its number, which is that of its group, is still its own.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    for descriptor in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(descriptor, number)


def _await(family: Iterable[int], process: subprocess.Popen[bytes]) -> None:
    """Waits until all have ended, for GRACE at most. The shell is looked at without burying it."""
    waiting, deadline = list(family), time.monotonic() + GRACE
    while time.monotonic() < deadline:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if ended and len(select.select(waiting, [], [], 0)[0]) == len(waiting):
            return
        time.sleep(0.01)
