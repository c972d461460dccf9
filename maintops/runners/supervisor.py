"""A small program that runs ansible-runner for maintops and outlives nobody.

Ansible's workers call setsid, and ssh's masters detach: killing Ansible leaves them behind. So everything runs under
this process, which adopts whatever loses its parent (a child subreaper) and ends it all when its job is done, when it
is told to, or when maintops is gone (its end of a pipe breaks). It is started as a script of its own, with an
environment that holds nothing but what Ansible needs, and imports nothing of maintops.

Standard input: one JSON object on one line, the job (see `Job` in ansible_process.py); then nothing, until it closes.
Standard output: JSON objects, one a line: {"event": NAME, …} as they come, {"text": …} for what went wrong here, and
{"end": EXIT STATUS} last, where Ansible came to its end. The private folder of the job lives in memory where that is
possible, is this user's alone, and is gone before this process is.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import shutil
import signal
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GRACE = 1.0
"""Seconds between asking what is left to end and killing it."""

PATIENCE = 8.0
"""Seconds after which what cannot be killed (another user's process, a hung file system) is left alone."""

PREFIX = "maintops-"
"""What private folders' names begin with. They are short: ssh's sockets in them may have 107 characters in all."""

_OWNER = "owner"
_YOUNG = 60.0
_DEATH_SIGNAL, _SUBREAPER = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, <linux/prctl.h>
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_LOOK = 0.5


def main() -> int:
    """Runs the job that standard input gives, and clears up after it."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return 1  # maintops ended before it had given the job
    _become_reaper()
    try:
        _carry_out(json.loads(line))
    except OSError as error:
        _complain(error)
        return 1
    return 0


def _carry_out(job: dict[str, Any]) -> None:
    folder = Path(job["folder"])
    remove_stale(folder.parent)
    _own(folder)
    try:
        _write_files(folder, job)
        _attend(_start(job))
    finally:
        _end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


# --- this process -----------------------------------------------------------------------------------------------------


def _become_reaper() -> None:
    _control(_SUBREAPER, 1)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold passwords
    for number in _SIGNALS:
        signal.signal(number, _leave)


def _control(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _attend(child: int) -> None:
    """Waits until the job is done or nobody wants it any more; buries what has died meanwhile."""
    while True:
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], _LOOK)
        if ready and not os.read(sys.stdin.fileno(), 4096):
            return
        if any(pid == child for pid in _buried()):
            return


def _buried() -> Iterator[int]:
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            yield pid


def _end_descendants() -> None:
    """Ends every process that descends from this one. What forks meanwhile is found the next time round: when its
    parent is gone it is this process's own child."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    began = time.monotonic()
    shared: set[Path] = set()
    while (now := time.monotonic()) < began + PATIENCE and (alive := descendants(os.getpid())):
        shared.update(*map(_shared_memory, alive))
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM if now < began + GRACE else signal.SIGKILL)
        time.sleep(0.05)
        list(_buried())
    for file in shared:
        file.unlink(missing_ok=True)


def _shared_memory(pid: int) -> Iterator[Path]:
    """The shared memory that a process of Python's has open: Ansible hands ssh a password in it, and a worker that is
    ended has no time to remove it."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            target = Path(entry.path).readlink()
            if target.match("/dev/shm/psm_*"):  # noqa: S108 - the name that multiprocessing gives
                yield target


def descendants(ancestor: int) -> list[int]:
    """The processes below another one that are still there, in no order; those that only wait to be buried too."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (parent := _stat(entry.name, 4)) is not None:
            children.setdefault(parent, []).append(int(entry.name))
    found = list(children.get(ancestor, []))
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def _stat(pid: int | str, number: int) -> int | None:
    """A numeric field of /proc/PID/stat, numbered as in proc(5); None where the process is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[number - 3])


# --- the private folder -----------------------------------------------------------------------------------------------


def remove_stale(place: Path) -> None:
    """Removes the private folders of supervisors that were killed before they could do it themselves."""
    with os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and _is_stale(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_stale(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is ours and its owner is gone; of processes that cannot be seen from here nothing is known."""
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:
        return False  # its owner has just removed it
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        return False
    try:
        namespace, pid, ticks = map(int, Path(entry.path, _OWNER).read_text("ascii").split())
    except FileNotFoundError:
        return found.st_mtime < time.time() - _YOUNG  # its owner had no time to write its name down, or has it still
    except (OSError, ValueError):
        return False
    return namespace == _namespace() and _stat(pid, 22) != ticks


def _own(folder: Path) -> None:
    """Writes this process's name down: its namespace of process numbers, its number, its start in clock ticks."""
    folder.mkdir(mode=0o700)
    mark = f"{_namespace()} {os.getpid()} {_stat(os.getpid(), 22)}"
    (folder / _OWNER).write_text(mark, "ascii")


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _write_files(folder: Path, job: dict[str, Any]) -> None:
    Path(job["cwd"]).mkdir()
    for name, text in job["files"].items():
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, target in job["links"].items():
        (folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / name).symlink_to(target)


# --- ansible-runner ---------------------------------------------------------------------------------------------------


def _start(job: dict[str, Any]) -> int:
    """Starts ansible-runner in a process of its own, which has the standard output to itself; returns its id."""
    if pid := os.fork():
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return pid
    status = 1
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        _control(_DEATH_SIGNAL, signal.SIGKILL)  # without its supervisor it must not go on
        _run(job)
        status = 0
    except Exception as error:  # whatever it is, there is nobody else who could hear of it
        _complain(error)
    finally:
        os._exit(status)


def _run(job: dict[str, Any]) -> None:
    import ansible_runner

    result = ansible_runner.run(
        private_data_dir=job["folder"],
        project_dir=job["cwd"],
        playbook=job["playbook"],
        inventory=job["inventory"],
        cmdline=job["arguments"],
        forks=job["forks"],
        envvars=job["environment"],
        ident="run",
        fact_cache_type="",  # facts stay in Ansible's memory
        quiet=True,
        suppress_env_files=True,
        cancel_callback=lambda: False,
        event_handler=_tell,
    )
    _say({"end": result.rc})


def _tell(event: dict[str, Any]) -> bool:
    """Hands on what maintops reads of an event. ansible-runner writes a file of its own for an event only where its
    handler says True."""
    data = event.get("event_data") or {}
    result = data.get("res")
    if isinstance(result, dict):
        result = {key: value for key, value in result.items() if key not in _DROPPED}
    told = {name: data[name] for name in _KEPT if data.get(name) is not None} | {"event": event["event"]}
    if result is None or "censored" in result:  # what Ansible printed is all there is to know
        told["stdout"] = event.get("stdout", "")
    _say(told if result is None else told | {"res": result})
    return False


_KEPT = ("host", "task", "task_uuid", "task_path", "task_action", "role", "play", "ignore_errors", "failures")
_DROPPED = frozenset({"invocation", "stdout_lines", "stderr_lines", "ansible_facts", "exception"})


def _complain(error: Exception) -> None:
    """Says what went wrong here, as Ansible says what goes wrong there."""
    _say({"text": f"[ERROR]: Ansible could not be run: {type(error).__name__}: {error}"})


def _say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
