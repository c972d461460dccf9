"""Starts Ansible under its supervisor (supervisor.py) and hears what it tells."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypedDict, cast

from maintops.errors import UsageError
from maintops.runners import supervisor

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "KRB5CCNAME")
"""The variables of maintops's own environment that Ansible gets to see."""

ROOM = 256 * 1024 * 1024
"""Bytes that must be free where a private folder is put: it holds one answer at a time, never all."""

PATIENCE = 12.0
"""Seconds that a supervisor has to clear up (it takes 8 for itself)."""

_PIPE = 1024 * 1024
_PLAIN = re.compile(r"[\w./-]+")

Told = Mapping[str, Any]
"""One line of the supervisor's: an event, a text of Ansible's, or the end."""


class Job(TypedDict):
    """What the supervisor is to run. `folder` is private to the job; `files` (name -> text) and `links` (name ->
    target) are put there. The rest are ansible-runner's: `arguments` are further ones of ansible-playbook, quoted as
    for a shell, `environment` is added to the supervisor's own."""

    folder: str
    files: dict[str, str]
    links: dict[str, str]
    cwd: str
    playbook: str
    inventory: list[str]
    arguments: str
    forks: int
    environment: dict[str, str]


class AnsibleProcess:
    """One run of ansible-playbook. `job` is given the private folder's path. Raises UsageError where there is no
    Ansible to run."""

    def __init__(self, job: Callable[[str], Job]) -> None:
        self._process = subprocess.Popen(
            # -P: the folder of a script is no place to import from. Ctrl-C is maintops's own business: a new session.
            [sys.executable, "-P", supervisor.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
            start_new_session=True,
        )
        self._orders, self._told = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._news = self._told.fileno()
        self._heard: list[bytes] = []
        with contextlib.suppress(OSError):  # less is allowed to this user: more switching, the same bytes
            fcntl.fcntl(self._news, fcntl.F_SETPIPE_SZ, _PIPE)
        self._give(job(_private_folder()))

    def _give(self, job: Job) -> None:
        with contextlib.suppress(BrokenPipeError):  # the supervisor has died: there will be no news
            self._orders.write(json.dumps(job).encode() + b"\n")
            self._orders.flush()

    def news(self, seconds: float) -> list[Told] | None:
        """What has been told since; waits up to `seconds` for it. None: there is nothing more to come."""
        ready, _, _ = select.select([self._news], [], [], seconds)
        if not ready:
            return []
        piece = os.read(self._news, _PIPE)
        if not piece:
            return None
        *whole, rest = piece.split(b"\n")
        return list(self._lines(whole, rest))

    def _lines(self, whole: list[bytes], rest: bytes) -> Iterator[Told]:
        for line in whole:
            yield json.loads(b"".join([*self._heard, line]))
            self._heard = []
        self._heard.append(rest)

    def close(self) -> None:
        """Ends whatever is still running, and waits until nothing is left of it."""
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._told.close()


def environment() -> dict[str, str]:
    """What Ansible sees of maintops's environment: no secret of a CI, no PYTHONPATH, no ANSIBLE_ variable."""
    program = shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) or shutil.which(
        "ansible-playbook"
    )
    if program is None:
        raise UsageError("the program ansible-playbook is not installed; pip install ansible-core")
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join([str(Path(program).absolute().parent), kept.get("PATH", os.defpath)])
    return kept | {"PATH": path, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _private_folder() -> str:
    return str(Path(_place(), supervisor.PREFIX + secrets.token_hex(4)))


def _place() -> str:
    """Where a private folder is put: in memory where there is room, so that no answer ever comes to rest on a disk."""
    memory = (f"/run/user/{os.getuid()}", "/dev/shm")  # noqa: S108 - in there only this user may look
    for place in (*memory, tempfile.gettempdir()):
        if _PLAIN.fullmatch(place) and os.access(place, os.W_OK | os.X_OK) and _free(place) >= ROOM:
            return place
    return tempfile.gettempdir()


def _free(place: str) -> int:
    free = os.statvfs(place)
    return free.f_bavail * free.f_frsize
