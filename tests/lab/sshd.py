"""One sshd of a test's own, and the keys, ports and processes that go with it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


class FleetUnavailable(Exception):
    """The machine lacks what this part of the fleet needs; the message says what, and how to get it."""


class Sshd:
    """One sshd process in the foreground, with a host key, a port and a log of its own."""

    def __init__(self, folder: Path, listen: str, authorized: Path, extra: str = "") -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.log_file, self.host_key = folder / "sshd.log", make_key(folder / "host_key")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's privilege separation wants it to exist
        for _ in range(5):  # the first value of a setting counts: `extra` goes before the common ones
            self.port = free_port(listen)
            self._process = self._start(folder, extra + _sshd_config(self.port, listen, folder, authorized))
            if self._answers(listen):
                return
            self.stop()
            if "Address already in use" not in self.log:  # somebody else may have taken the port in between
                break
        raise FleetUnavailable(f"sshd did not start: {self.log}")

    @property
    def log(self) -> str:
        """What it has logged so far (LogLevel VERBOSE)."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def sessions(self) -> list[int]:
        """The processes that serve its connections, and everything that they started."""
        return descendants(self._process.pid)

    def cut(self) -> None:
        """Ends every connection at once, as a crash of the server would; new ones are still served."""
        for pid in self.sessions():
            kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ends it and everything that it started."""
        family = self.sessions()
        self._process.terminate()
        for pid in family:
            kill(pid, signal.SIGKILL)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self, folder: Path, config: str) -> subprocess.Popen[bytes]:
        file = folder / "sshd_config"
        file.write_text(config)
        # The children of a killed test run must not outlive it: the kernel ends sshd with the thread that started it.
        guarded = [program("setpriv", "util-linux"), "--pdeathsig", "TERM", program("sshd", "openssh-server")]
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [*guarded, "-D", "-e", "-f", str(file)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _answers(self, address: str) -> bool:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((address, self.port), 1) as probe:
                if probe.recv(4) == b"SSH-":
                    return True
            time.sleep(0.005)
        return False


def make_key(file: Path, kind: str = "ed25519", passphrase: str = "") -> str:
    """Makes a key pair beside `file`; returns the public key as `TYPE BASE64`."""
    command = [program("ssh-keygen", "openssh-client"), "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(file)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return Path(f"{file}.pub").read_text().strip()


def program(name: str, package: str) -> str:
    """Where a program is; raises FleetUnavailable, naming the Debian package that has it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise FleetUnavailable(f"{name} is missing: apt install {package}")
    return found


def free_port(address: str) -> int:
    """A port that nobody listens on."""
    with socket.create_server((address, 0)) as probe:
        return int(probe.getsockname()[1])


def _sshd_config(port: int, listen: str, folder: Path, authorized: Path) -> str:
    lines = [
        f"Port {port}",
        f"ListenAddress {listen}",
        f"HostKey {folder / 'host_key'}",
        f"AuthorizedKeysFile {authorized}",
        "AllowUsers *@127.*",  # the wildcard address is for 127.0.x.y alone
        "PidFile none",
        "UsePAM no",
        "UseDNS no",
        "StrictModes no",
        "PrintMotd no",
        "MaxStartups 1000:30:2000",
        "MaxSessions 100",
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "Subsystem sftp internal-sftp",
        "LogLevel VERBOSE",
    ]
    if _openssh() >= (9, 8):
        lines.append("PerSourcePenalties no")  # every client comes from the same address here
    return "\n".join(lines) + "\n"


def _openssh() -> tuple[int, int]:
    said = subprocess.run([program("ssh", "openssh-client"), "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def descendants(pid: int) -> list[int]:
    """The processes that a process started, and those that they did."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def kill(pid: int, number: int) -> None:
    """Sends a signal to a process that may have ended already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()


def since(pid: int) -> str:
    """When a process began, in the kernel's words; "" where there is none. A number alone may be somebody else's."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
