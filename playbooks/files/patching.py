"""What an update has to do on a server whatever its package manager: wait, look for room, run programs, answer.

This text and the one of a package manager (apt.py, dnf.py) are carried to the server as one program, by the tasks in
../tasks. It needs Python 3.8 or newer and nothing else, and reads one request (JSON) from its standard input.

Standard output says what was changed, a line each, and is empty where nothing was. Standard error begins with the
reason where it fails; remarks and the last words of the package manager follow. The exit status is 0, or 3 where it was
refused before anything was installed or removed, or 2 where the server was changed and is not as it should be, or 1
where this program broke and nobody knows.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REFUSED, FAILED, BROKEN = 3, 2, 1
MOST_NAMES = 8
LAST_LINES = 30
LONGEST_OUTPUT = 16 * 1024 * 1024
GLANCE = 0.5
MARGIN = 32 * 1024 * 1024
"""Bytes that an update leaves free beyond what it is known to need: databases, logs, what scripts of packages write."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,200}(?::[a-z0-9-]{1,30})?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~^_-]{0,200}")
_LOCK = re.compile(r"[0-9]+: (?:POSIX|FLOCK|OFDLCK) .* (-?[0-9]+) [0-9a-f]+:[0-9a-f]+:([0-9]+) ")  # proc_locks(5)


class Refused(Exception):
    """Why nothing is changed."""


class Failed(Exception):
    """Why the server is not as it should be; it was changed."""


class Change(NamedTuple):
    """One package: `old` is None where it is not there yet, `new` is None where it goes; `origin`: where it is from."""

    name: str
    arch: str
    old: str | None
    new: str | None
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.name} {self.old or '(new)'} -> {self.new or '(removed)'}"


class Said(NamedTuple):
    """A program's exit status, and all that it printed."""

    status: int
    text: str

    @property
    def end(self) -> str:
        """Its last words."""
        return "\n".join(self.text.splitlines()[-LAST_LINES:])


class Room(NamedTuple):
    """Bytes that are wanted at a path, and what for."""

    path: str
    wanted: int
    what: str


# --- programs ---------------------------------------------------------------------------------------------------------


def run(words: Sequence[str], environment: Mapping[str, str]) -> Said:
    """Runs a program that is asked nothing. Its output goes by a file: a pipe would stay open for as long as a daemon
    that a package has started holds it."""
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": _PATH, "LC_ALL": "C", "LANGUAGE": "C", "PAGER": "cat", **environment},
            check=False,
        )
        output.seek(0)
        return Said(done.returncode, output.read(LONGEST_OUTPUT).decode("utf-8", "replace"))


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def some(names: Iterable[object]) -> str:
    """The first of some names, and how many more there are."""
    found = [str(name) for name in names]
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return ", ".join(found[:MOST_NAMES]) + more


_remarks: list[str] = []


def remark(text: str) -> None:
    """Tells people something beside what was changed, at the end: where it fails, the reason comes first."""
    _remarks.append(text)


# --- what is asked ----------------------------------------------------------------------------------------------------


def checked_name(name: object) -> str:
    """A package's name, with or without its architecture. Raises Refused where a package manager could read more into
    it: an option, a pattern, a removal."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith("-"):
        raise Refused(f"not the name of a package: {str(name)[:80]!r}")
    return name


def checked_version(version: object) -> str:
    """A package's version. Raises Refused where it cannot be one."""
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise Refused(f"not the version of a package: {str(version)[:80]!r}")
    return version


def checked(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request with names and versions that can be trusted to be such. Raises Refused."""
    if request["update"] not in ("all", "security", "list"):
        raise Refused(f"maintops_update is all, security or list, not {str(request['update'])[:40]!r}")
    if request["conffiles"] not in ("keep", "new"):
        raise Refused(f"maintops_conffiles is keep or new, not {str(request['conffiles'])[:40]!r}")
    pinned, before = request["pinned"], request["before"]
    if before is None and request["verb"].endswith("rollback"):
        raise Refused("nobody says which versions this server had before (maintops_before)")
    return {
        **request,
        "packages": [checked_name(name) for name in request["packages"]],
        "allow_removals": {checked_name(name) for name in request["allow_removals"]},
        "pinned": None if pinned is None else [_pin(one) for one in pinned],
        "before": None
        if before is None
        else {checked_name(name): version and checked_version(version) for name, version in before.items()},
    }


def _pin(one: Mapping[str, Any]) -> Change:
    return Change(checked_name(one["name"]), str(one.get("arch") or ""), None, checked_version(one["version"]))


# --- others at work ---------------------------------------------------------------------------------------------------


def wait_for(locks: Sequence[str], pid_files: Sequence[str], seconds: float) -> None:
    """Waits until nobody holds one of these locks. Raises Refused, with the holder's name, after so many seconds."""
    deadline = time.monotonic() + seconds
    while (held := _held(locks) or _running(pid_files)) is not None:
        if time.monotonic() >= deadline:
            path, holder = held
            raise Refused(
                f"the packages are in use: {holder} has held {path} for the {seconds:g} seconds that were waited; "
                "let it end, then try again (never delete a lock)"
            )
        time.sleep(GLANCE)


def _held(locks: Sequence[str]) -> tuple[str, str] | None:
    inodes = {str(Path(path).stat().st_ino): path for path in locks if Path(path).exists()}
    for line in Path("/proc/locks").read_text().splitlines():
        match = _LOCK.match(line)
        if match and match[2] in inodes:
            path = inodes[match[2]]
            return path, _holder(int(match[1]), path)
    return None


def _running(pid_files: Sequence[str]) -> tuple[str, str] | None:
    for path in pid_files:
        try:
            pid = int(Path(path).read_text())
        except (OSError, ValueError):
            continue
        if Path(f"/proc/{pid}").exists():
            return path, _called(pid)
    return None


def _holder(pid: int, path: str) -> str:
    """Who holds a lock: the process that took it, or one that has its file open, where that one has ended."""
    if Path(f"/proc/{pid}").exists():
        return _called(pid)
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == path:  # noqa: PTH115  Path.readlink is newer than 3.8
                return _called(int(link.parts[2]))
        except OSError:  # it has ended meanwhile
            continue
    return "a process that this one may not see"


def _called(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        name = "a process"
    return f"{name} (process {pid})"


# --- room -------------------------------------------------------------------------------------------------------------


def need_room(wanted: Iterable[Room]) -> None:
    """Raises Refused where a file system has too little room; what lies on one file system adds up."""
    by_device: dict[int, list[Room]] = {}
    for room in wanted:
        path = Path(room.path)
        if path.exists():
            by_device.setdefault(path.stat().st_dev, []).append(room)
    for rooms in by_device.values():
        total, free = sum(room.wanted for room in rooms), shutil.disk_usage(rooms[0].path).free
        if free < total:
            what = " and ".join(dict.fromkeys(room.what for room in rooms))
            raise Refused(f"{rooms[0].path} has {_mb(free)} free; {what} want {_mb(total)}: make room there first")


def kernel_room(kernels: Sequence[str], spare: int, boot: str = "/boot", root: str = "/") -> list[Room]:
    """The room that new kernels want in /boot, where that is a file system of its own: each as much as the largest that
    is there, with its initial image, and `spare` bytes beyond."""
    if not kernels or not Path(boot).exists() or Path(boot).stat().st_dev == Path(root).stat().st_dev:
        return []
    each = 0
    for pattern in ("vmlinuz-*", "init*", "System.map-*", "config-*"):
        each += max((file.stat().st_size for file in Path(boot).glob(pattern) if file.is_file()), default=0)
    return [Room(boot, len(kernels) * each + spare, f"new kernels ({some(kernels)})")]


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


# --- the way through --------------------------------------------------------------------------------------------------


def answer(verbs: Mapping[str, Callable[[Mapping[str, Any]], None]]) -> int:
    """Does what the request on standard input asks for; returns the exit status."""
    status, why = _outcome(verbs)
    reason, _, end = why.partition("\n")
    sys.stderr.writelines(f"{text}\n" for text in (reason, *_remarks, end.rstrip("\n")) if text)
    return status


def _outcome(verbs: Mapping[str, Callable[[Mapping[str, Any]], None]]) -> tuple[int, str]:
    """The exit status, and the reason where it fails, with the last words of the package manager below."""
    try:
        _must_be_root()
        request = json.load(sys.stdin)
        verbs[request["verb"]](checked(request))
    except Refused as refused:
        return REFUSED, f"refused, nothing was installed or removed: {refused}"
    except Failed as failed:
        return FAILED, str(failed)
    except Exception as error:  # the first line is what people are shown
        why = f"the playbook's program broke ({error!r}); look what is installed\n{traceback.format_exc()}"
        return BROKEN, why
    return 0, ""


def _must_be_root() -> None:
    if os.geteuid() != 0:
        raise Refused("only root may change packages: set ansible_become in the inventory, or become: true")
