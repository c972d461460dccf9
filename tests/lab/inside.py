"""Commands inside a server of the lab, past everything that is under test."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST = 300.0
"""Seconds that a command may take: what hangs shall say its name."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    stdout: str
    stderr: str


class Inside:
    """A server that runs commands of sh as root: `_shell` gives the program that does it."""

    name: str

    def _shell(self, text: str) -> Sequence[str]:
        raise AssertionError(f"{type(self).__name__} does not say how commands are run")

    def try_to(self, command: str) -> Said:
        """Runs a command of sh inside, as root, whatever becomes of it."""
        try:
            done = subprocess.run(
                self._shell(command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name}: {command!r} does not end") from None
        return Said(done.returncode, done.stdout, done.stderr)

    def run(self, command: str) -> str:
        """Runs a command of sh inside, as root; returns what it prints. Raises AssertionError where it fails."""
        said = self.try_to(command)
        assert said.status == 0, f"{self.name}: {command!r} ended with {said.status}: {said.stderr or said.stdout}"
        return said.stdout
