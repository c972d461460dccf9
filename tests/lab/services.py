"""Programs that a test serves with on loopback: a private folder each, a free port, and an end with the test."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.lab.accounts import PREFIX, sweep
from tests.lab.sshd import FleetUnavailable, free_port, program

ADDRESS = "127.0.0.1"

LOG = "log"
"""The file in a program's folder that holds what it says."""

PATIENCE = 30.0
"""Seconds after which something that does not answer is given up."""


def somebody() -> pwd.struct_passwd | None:
    """Who is to run what needs no rights: nobody, where we are root; None is ourselves."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def private_folder(owner: pwd.struct_passwd | None) -> Path:
    """A new folder for one BMC, which its owner alone can look into."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    _give(folder, owner)
    return folder


def keep(file: Path, text: str, owner: pwd.struct_passwd | None) -> None:
    """Writes a file that its owner alone can read."""
    file.touch(mode=0o600)
    file.write_text(text)
    _give(file, owner)


def _give(path: Path, owner: pwd.struct_passwd | None) -> None:
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def own_environment(folder: Path) -> dict[str, str]:
    """Nobody's settings but ours; what is kept without asking is kept in the folder."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def serve(
    folder: Path,
    command: Callable[[int], list[str]],
    ready: Callable[[int], bool],
    user: pwd.struct_passwd | None,
) -> tuple[subprocess.Popen[bytes], int]:
    """Starts a program in its folder, on a port that is free, and waits until it is ready."""
    words, said = [""], ""
    for _ in range(5):  # somebody else may take the port in between
        port = free_port(ADDRESS)
        words = command(port)
        process = _start(folder, words, user)
        with contextlib.suppress(AssertionError), contextlib.ExitStack() as undo:
            undo.callback(end, process)
            wait_until(process, partial(ready, port))
            undo.pop_all()
            return process, port
        said = (folder / LOG).read_text(errors="replace")
        if "in use" not in said:
            break
    raise FleetUnavailable(f"{Path(words[0]).name} did not start: {said}")


def _start(folder: Path, command: list[str], user: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    # The children of a killed test run must not outlive it: the kernel ends them with the thread that started them.
    guard = [program("setpriv", "util-linux"), "--pdeathsig", "TERM"]
    with (folder / LOG).open("wb") as log:
        return subprocess.Popen(
            [*guard, *command],
            cwd=folder,
            env=own_environment(folder),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            user=user and user.pw_uid,
            group=user and user.pw_gid,
            extra_groups=None if user is None else [],
        )


def wait_until(process: subprocess.Popen[bytes], done: Callable[[], bool]) -> None:
    """Waits until something is done; AssertionError where the process ends before it, or it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert process.poll() is None, "it has ended"
        assert time.monotonic() < deadline, "it does not answer"
        time.sleep(0.005)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(BrokenPipeError):  # what it did not read any more
        process.stdin.close()  # type: ignore[union-attr]
