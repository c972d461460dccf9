"""Asks a probe's question on this very machine, as the one-trip script would, under the shells that servers have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, SubjectFacts
from maintops.probes.contract import Probe

DATA = Path(__file__).parents[4] / "shared" / "data"
"""Recordings of other people's servers, beside this repository; tests that read them skip where they are absent."""

_PART = """\
part() {
  printf '=%s\\n' "$1"; shift
  _output=$("$@"); _status=$?
  printf '%s\\n' "$_output" | sed 's/^/ /'
  printf '.%s\\n' "$_status"
}
"""

SHELLS = [
    pytest.param([name, *rest], id=name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"no {name} here"))
    for name, *rest in (["dash"], ["busybox", "sh"], ["bash", "--posix"])
]


def recording(folder: str, name: str) -> str:
    """One recording as text; skips the test where there are none."""
    path = DATA / folder / name
    if not path.exists():
        pytest.skip(f"no recordings at {DATA}")
    return path.read_text(encoding="utf-8")


def recordings(folder: str) -> list[str]:
    """Names of the recordings in a folder; one that does not exist where there are none, so that its test skips."""
    path = DATA / folder
    return sorted(one.name for one in path.iterdir()) if path.exists() else ["absent"]


def answer_of(**parts: str | tuple[int, str]) -> Answer:
    """An answer in parts: a text stands for status 0. Underscores at the end of a name are dropped, two in its middle
    are a space."""
    return Answer(b"".join(part_of(name.rstrip("_").replace("__", " "), value) for name, value in parts.items()))


def part_of(name: str, value: str | tuple[int, str]) -> bytes:
    """One part as the script's function prints it."""
    status, text = (0, value) if isinstance(value, str) else value
    lines = text.removesuffix("\n").split("\n")
    return "".join([f"={name}\n", *(f" {line}\n" for line in lines), f".{status}\n"]).encode()


def only(probe: Probe, answer: Answer, parameters: Mapping[str, Any] | None = None) -> SubjectFacts:
    """The only subject that a probe reads out of an answer; every fact it gives is declared."""
    reading = probe.read(answer, parameters or {})
    assert isinstance(reading, Measured), reading
    (subject,) = reading.subjects
    assert subject.facts.keys() | subject.not_offered <= probe.facts.keys()
    assert not subject.facts.keys() & subject.not_offered
    return subject


def ask(
    probe: Probe,
    shell: list[str],
    parameters: Mapping[str, Any] | None = None,
    *,
    tools: Path | None = None,
    change: tuple[tuple[str, str], ...] = (),
    user: str | None = None,
) -> Answer:
    """Runs the question for real. `tools` is a folder of programs that come before the machine's; `change` replaces
    texts of the question (a path by one of the test's own); `user` asks as somebody else."""
    text = probe.question(parameters or {})
    assert isinstance(text, str), text
    assert text.isascii() or parameters
    for old, new in change:
        assert old in text
        text = text.replace(old, new)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    done = subprocess.run(
        [*shell, "-c", _PART + text],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": f"{tools}:{path}" if tools else path, "LC_ALL": "C", "PAGER": "cat", "HOME": "/"},
        cwd="/",
        **({"user": user, "group": "nogroup", "extra_groups": []} if user and os.geteuid() == 0 else {}),
    )
    return Answer(done.stdout, done.stderr, done.returncode)


def tool(folder: Path, name: str, text: str) -> None:
    """Puts a program of sh into a folder of tools."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
