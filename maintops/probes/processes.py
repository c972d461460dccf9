"""Which of some programs run: their names in /proc/PID/comm (proc_pid_comm(5): at most 15 characters).

A mount of /proc with hidepid shows others' processes to root alone: process 1 is the witness that all can be seen.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

from maintops.domain.answers import NotMeasured, Part
from maintops.probes.answering import integer

LONGEST_NAME = 15
"""Characters of a program's name that the kernel keeps."""

_RUNNING = re.compile(r"/proc/([0-9]{1,10})/comm:(.{1,64})")
_HIDDEN = "the processes of others cannot be seen: /proc is mounted with hidepid, or not at all"


def running_programs(names: Iterable[str]) -> str:
    """sh that prints the parts `first` (the name of process 1) and `programs` (what runs of these programs)."""
    wanted = " ".join(f"-e {shlex.quote(name[:LONGEST_NAME])}" for name in names)
    return f"""first() {{ read -r name </proc/1/comm && printf '%s\\n' "$name"; }}
part first first 2>/dev/null
part programs grep -sHxF {wanted} /proc/[0-9]*/comm
"""


def programs_of(found: Mapping[str, Part]) -> dict[int, str] | NotMeasured:
    """Process number -> name, as those parts say. grep's status tells nothing: processes end while it looks."""
    first, programs = found.get("first"), found.get("programs")
    if first is None or programs is None or first.status != 0 or not first.text.strip() or programs.status == 127:
        return NotMeasured(_HIDDEN)
    running: dict[int, str] = {}
    for line in programs.text.split("\n"):
        match = _RUNNING.fullmatch(line)
        number = integer(match[1]) if match else None
        if match is not None and number is not None:
            running[number] = match[2]
    return running


def told(running: Mapping[int, str]) -> list[str]:
    """`rsync (812)`, by process number."""
    return [f"{name} ({number})" for number, name in sorted(running.items())]
