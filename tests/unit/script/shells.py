"""Real shells on this machine, with the tools that a test wants them to find."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from maintops.domain.answers import Answer, Question
from maintops.domain.ports import Script
from maintops.script.compiling import compile_script
from maintops.script.reading import Heard, hear

PATH_LINE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}\n"
"""The line of the script that a test replaces to hide tools from it."""

SHELLS: Mapping[str, tuple[str, Sequence[str]]] = {
    "dash": ("dash", ["sh"]),
    "bash": ("bash", ["bash"]),
    "bash as sh": ("bash", ["sh"]),
    "busybox": ("busybox", ["busybox", "sh"]),
}
"""Name -> (program, the words that it is called by)."""

PRESENT = [name for name, (program, _) in SHELLS.items() if shutil.which(program)]


CLOCK_LINE = "sleep 1 &\n"
"""The line that a test replaces to make the script's clock run faster."""


@dataclass(frozen=True)
class Place:
    """A shell, the folders that it finds tools in (none: those of the machine), and how long a tick of its clock is."""

    shell: str
    tools: tuple[Path, ...] = ()
    tick: float = 1

    def command(self, script: Script) -> list[str]:
        assert CLOCK_LINE in script.text
        text = script.text.replace(CLOCK_LINE, f"sleep {self.tick} &\n")
        if self.tools:
            assert PATH_LINE in text
            text = text.replace(PATH_LINE, f"PATH={':'.join(map(str, self.tools))}\n")
        return [*SHELLS[self.shell][1], "-c", text]

    @property
    def program(self) -> str:
        found = shutil.which(SHELLS[self.shell][0])
        assert found is not None
        return found

    def start(
        self, script: Script, *, environment: Mapping[str, str] | None = None, deaf: bool = False
    ) -> subprocess.Popen[bytes]:
        """Starts a script; `deaf`: with SIGPIPE ignored, as Python itself has it and as systemd starts units."""
        return subprocess.Popen(
            self.command(script),
            executable=self.program,
            env=environment,
            restore_signals=not deaf,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def stream(self, script: Script, *, environment: Mapping[str, str] | None = None, deaf: bool = False) -> bytes:
        with self.start(script, environment=environment, deaf=deaf) as process:
            return process.communicate(timeout=60)[0]

    def hear(self, script: Script, *, environment: Mapping[str, str] | None = None, deaf: bool = False) -> Heard:
        return hear(self.stream(script, environment=environment, deaf=deaf), script)


def ask(*texts: str, timeout: float = 20.0, limit: int = 1024 * 1024, become: bool = False) -> Script:
    """A script of these questions; their checks are A, B, C and so on."""
    return compile_script(
        [Question(chr(ord("A") + number), text, timeout, limit) for number, text in enumerate(texts)], become=become
    )


def answers(
    place: Place, *texts: str, environment: Mapping[str, str] | None = None, limit: int = 2**20
) -> list[Answer]:
    """What these questions are answered in a place, the script having come to its end."""
    script = ask(*texts, limit=limit)
    heard = place.hear(script, environment=environment)
    assert heard.complete
    return [heard.answers[check] for check in script.checks]


NEEDED = (
    *("cat", "cut", "dd", "env", "grep", "head", "id", "ionice", "mktemp", "printf", "renice", "sed", "seq", "setsid"),
    *("sleep", "tail", "timeout", "touch", "tr", "yes"),
)
"""What the script and these tests look for on a server."""


def tool_folder(folder: Path, without: Sequence[str] = ()) -> Path:
    """A folder with the tools that are needed, but for some, and without `sh`."""
    folder.mkdir()
    for tool in set(NEEDED) - set(without):
        if place := shutil.which(tool):
            (folder / tool).symlink_to(place)
    return folder


def shell_folder(folder: Path, shell: str) -> Path:
    """A folder with nothing but a `sh`."""
    folder.mkdir()
    (folder / "sh").symlink_to(Place(shell).program)
    return folder


def busybox_folder(folder: Path) -> Path:
    """A folder with the tools of busybox and nothing else."""
    folder.mkdir()
    busybox = Place("busybox").program
    for applet in subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True).stdout.split():
        (folder / applet).symlink_to(busybox)
    return folder


class Mark:
    """An environment by which every process that descends from a script can be told, wherever it went."""

    def __init__(self) -> None:
        self._word = secrets.token_hex(16)
        self.environment = {**os.environ, "SCRIPT_UNDER_TEST": self._word}

    def running(self) -> list[str]:
        """The command lines of the processes that carry it."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._word.encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        return [line for line in found if line]

    def asking(self) -> bool:
        """Whether one of them is, or descends from, a question."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (process / "environ").read_bytes()
                if self._word.encode() in environment and b"MAINTOPS_ASK=" in environment:
                    return True
        return False

    def gone(self, seconds: float) -> bool:
        """Whether no process is left, now or after so many seconds at most."""
        until = time.monotonic() + seconds
        while (left := self.running()) and time.monotonic() < until:
            time.sleep(0.05)
        return not left
