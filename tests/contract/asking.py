"""Asks a probe's question of this very machine, as the one-trip script asks it of a server."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from maintops.domain.answers import Answer

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SHELLS = {"dash": ("dash",), "bash": ("bash",), "busybox": ("busybox", "sh")}

# The function that the script offers to a question, in the grammar of maintops.domain.answers.parts; sed by its full
# name, because some tests take every tool away.
_SED = shutil.which("sed", path=PATH)
_PART = rf"""
part() {{
  part_name=$1
  shift
  printf '=%s\n' "$part_name"
  part_status=$({{ {{ "$@" 4>&- 5>&-; echo "$?" >&4; }} | {_SED} -e 's/^/ /' -e '$a\' >&5; }} 4>&1)
  printf '.%s\n' "$part_status"
}}
exec 5>&1
"""


def ask(text: str, shell: tuple[str, ...] = ("sh",), tools: Path | None = None, **options: Any) -> Answer:
    """The answer to a question. `tools` is a folder of programs that come before the machine's own."""
    done = subprocess.run(
        [*shell, "-c", _PART + text],
        env={"PATH": f"{tools}:{PATH}" if tools else PATH, "LC_ALL": "C", "PAGER": "cat", "HOME": "/"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
        **options,
    )
    return Answer(done.stdout, done.stderr[:4096], done.returncode)


def tool(folder: Path, name: str, script: str) -> Path:
    """Puts a program of a test's own into a folder; returns the folder."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder
