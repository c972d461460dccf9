"""What a fleet makes on the machine itself, as root: logins, sudo rules, roots with next to nothing in them.

Everything bears the maker's process id in its name, so that what a killed process left behind can be told and swept up.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab.sshd import alive, kill, program

Sudo = Literal["none", "nopasswd", "password"]

SUDOERS = Path("/etc/sudoers.d")
ROOTS = Path("/run")
PREFIX = "maintops-fleet-"


@dataclass(frozen=True, slots=True)
class Account:
    """A login of the fleet's own. `password` is the one that its sudo (and a password login) asks for."""

    name: str
    home: Path
    password: str | None = None


def make_account(account: Account, sudo: Sudo, log: Path) -> None:
    """Makes a login with a home of its own and the right to sudo that is asked for; sudo writes to `log`."""
    # A locked password ("!") refuses key logins too; "*" is no password at all.
    command = [program("useradd", "passwd"), "--shell", "/bin/sh", "--no-create-home", "--no-log-init"]
    subprocess.run(
        [*command, "--home-dir", str(account.home), "--password", "*", account.name], check=True, capture_output=True
    )
    account.home.mkdir(mode=0o755)
    shutil.chown(account.home, account.name)
    if account.password:
        line = f"{account.name}:{account.password}\n"
        subprocess.run([program("chpasswd", "passwd")], input=line, text=True, check=True, capture_output=True)
    if sudo != "none":
        program("sudo", "sudo")
        _write_sudoers(account.name, "NOPASSWD: " if sudo == "nopasswd" else "", log)


def _write_sudoers(name: str, tag: str, log: Path) -> None:
    file = SUDOERS / f"{PREFIX}{name}"
    draft = file.with_name(f"{file.name}.new")  # sudo passes over names with a dot
    draft.write_text(f"Defaults:{name} !syslog, logfile={log}\n{name} ALL=(ALL) {tag}ALL\n")
    draft.chmod(0o440)
    draft.rename(file)


def remove_account(name: str) -> None:
    """Removes a login of the fleet's own, its sudo rules and its processes."""
    (SUDOERS / f"{PREFIX}{name}").unlink(missing_ok=True)
    for pid in _of_user(name):
        kill(pid, signal.SIGKILL)
    subprocess.run([program("userdel", "passwd"), name], check=False, capture_output=True)


def _of_user(name: str) -> Iterator[int]:
    """The processes of one of the fleet's own accounts: no one else's can be among them."""
    passwd = Path("/etc/passwd").read_text()
    found = re.search(rf"^{re.escape(name)}:[^:]*:(\d+):", passwd, re.MULTILINE)
    for entry in Path("/proc").iterdir() if found else ():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and found and entry.stat().st_uid == int(found[1]):
                yield int(entry.name)


def sweep() -> None:
    """Removes what fleets of dead processes left behind: accounts, sudo rules, folders."""
    if os.geteuid() == 0:
        for name, pid in re.findall(r"^(mt(\d+)x\d+):", Path("/etc/passwd").read_text(), re.MULTILINE):
            if not alive(int(pid)):
                remove_account(name)
    for folder in itertools.chain(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"), ROOTS.glob(f"{PREFIX}*")):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def make_root(root: Path, programs: tuple[str, ...]) -> None:
    """Makes a root directory that holds these programs with their libraries; the first one is its /bin/sh."""
    for folder in ("bin", "dev", "etc", "tmp", "home"):
        (root / folder).mkdir(parents=True)
    root.chmod(0o755)
    (root / "tmp").chmod(0o1777)
    for name in programs:
        source = Path(program(name, "dash coreutils sed procps"))
        shutil.copy(source.resolve(), root / "bin" / name)
        for library in _libraries(source):
            target = root / library.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library.resolve(), target)
    (root / "bin" / "sh").symlink_to(programs[0])
    os.mknod(root / "dev" / "null", 0o20666, os.makedev(1, 3))
    (root / "dev" / "null").chmod(0o666)


def _libraries(binary: Path) -> list[Path]:
    said = subprocess.run([program("ldd", "libc-bin"), str(binary)], capture_output=True, text=True, check=False)
    return [Path(found) for found in re.findall(r"(/\S+)(?= \(0x)", said.stdout)]
