"""Somebody at a terminal of their own, who sees what `maintops` shows and types.

    person = Person(desk, "run", "continue", "--by", "erika")
    person.answers("  > ", "done")
    code, shown = person.leaves()

A module that has persons imports the fixture `closing_time` too: it ends whomever a failed test left behind.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from tests.lab.running import PATIENCE, Desk

PROGRAM = Path(sys.executable).parent / "maintops"


class Person:
    """Somebody at a terminal: `sees` waits for words behind those seen last, `types` a line."""

    seated: ClassVar[list[Person]] = []

    def __init__(self, desk: Desk, *arguments: str, program: Sequence[str | Path] = (PROGRAM,)) -> None:
        self._terminal, theirs = pty.openpty()
        self._shown, self._seen = b"", 0
        environment = {**desk.variables, "TERM": "xterm", "COLUMNS": "200", "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            ["/usr/bin/setsid", "--ctty", *program, *arguments],  # the terminal is its own, so that Ctrl-C reaches it
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=desk.here,
            env=environment,
        )
        os.close(theirs)
        self.seated.append(self)

    def sees(self, words: str) -> str:
        """What was shown before the words and since the last that were seen."""
        deadline = time.monotonic() + PATIENCE
        while (at := self._shown.find(words.encode(), self._seen)) < 0:
            assert time.monotonic() < deadline, f"no {words!r}: {self._shown!r}"
            assert self._read(), f"it ended without {words!r}: {self._shown!r}"
        before = self._shown[self._seen : at].decode()
        self._seen = at + len(words.encode())
        return before

    def sees_for(self, seconds: float) -> str:
        """What is shown in so many seconds behind the words that were seen last."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            assert self._read(), f"it ended: {self._shown!r}"
        return self._shown[self._seen :].decode()

    def types(self, line: str) -> None:
        os.write(self._terminal, f"{line}\n".encode())

    def answers(self, prompt: str, line: str) -> None:
        """Waits for a prompt and types behind it."""
        self.sees(prompt)
        self.types(line)

    def presses(self, key: bytes) -> None:
        os.write(self._terminal, key)

    def kill(self) -> None:
        self._process.kill()

    def leaves(self) -> tuple[int, str]:
        """Waits for the end: the exit code, and everything that was shown since the words that were seen last."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"it hangs: {self._shown!r}"
        self.seated.remove(self)
        os.close(self._terminal)
        return self._process.wait(PATIENCE), self._shown[self._seen :].decode()

    def is_thrown_out(self) -> None:
        """Ends somebody whom a failed test left behind."""
        self.kill()
        self.leaves()

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 1)[0]:
            return True
        try:
            self._shown += os.read(self._terminal, 65536)
        except OSError:  # Linux: the other side of the terminal is closed
            return False
        return True


@pytest.fixture(autouse=True)
def closing_time() -> Iterator[None]:
    yield
    for person in [*Person.seated]:
        person.is_thrown_out()
