"""The process that carries a run out, told from any other, on this machine (Linux: /proc)."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

from maintops.domain.runs import Owner

_PROC = Path("/proc")


def this_process() -> Owner:
    """This process, as the owner of a run."""
    pid = os.getpid()
    return Owner(socket.gethostname(), _machine(), _boot(), pid, _ticks(pid) or 0)


def dead(owner: Owner) -> bool:
    """Whether an owner is proven dead. A process of another machine cannot be: it counts as alive."""
    if owner.machine != _machine():
        return False
    if owner.boot != _boot():
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is there, and somebody else's
    ticks = _ticks(owner.pid)
    return ticks is not None and ticks != owner.ticks


def _machine() -> str:
    # the host name as well: containers made from one image may share the id. Hashed, as the id is not to be shown.
    name = f"{_text(Path('/etc/machine-id'))} {socket.gethostname()} {_namespace()}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _namespace() -> str:
    # a pid means nothing in another pid namespace (a container that shares host name and database)
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _boot() -> str:
    return _text(_PROC / "sys/kernel/random/boot_id")


def _ticks(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot: field 22 of /proc/PID/stat (proc(5)). None: it may not be
    read (/proc can be mounted so that others' processes are hidden). A zombie does nothing any more: 0."""
    stat = _text(_PROC / str(pid) / "stat")
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    return 0 if fields[0] in ("Z", "X") else int(fields[19])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
