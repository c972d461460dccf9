"""Virtual machines: QEMU in software emulation, with a kernel, disks and a BMC of their own.

    with Machine("vm1") as one:
        one.run("smartctl -H /dev/nvme0")
        one.monitor("qom-set", path="/machine/peripheral/nvme0", property="smart_critical_warning", value=4)

Hardware: a root disk (an overlay: what is written is lost with the machine), two disks of 64 MB for a RAID1, an NVMe
drive with SMART, a BMC behind /dev/ipmi0. Reached at 127.0.0.1 on a port of its own; it reaches nothing itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab.bmc import SENSORS, repository
from tests.lab.images import machine_image
from tests.lab.inside import Inside
from tests.lab.sshd import FleetUnavailable, alive, free_port, kill, make_key, program, since

ADDRESS = "127.0.0.1"
PATIENCE = 300.0
"""Seconds that a machine may take to boot: 32 on a quiet machine with two cores, without virtualisation."""


PREFIX = "maintops-vm-"
RUNNING = "running"
"""The file that says which process a machine is: its number, and when it began."""


def sweep() -> None:
    """Removes what machines of dead processes left behind; their QEMU ended with them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def end_kept(folder: Path) -> None:
    """Ends a machine that was kept, by the process that its folder names; it may have ended already."""
    with contextlib.suppress(FileNotFoundError):
        pid, began = (folder / RUNNING).read_text().split(" ")
        if began and since(int(pid)) == began:
            kill(int(pid), signal.SIGKILL)


class Machine(Inside):
    """One virtual machine. Raises FleetUnavailable where this machine cannot have one."""

    def __init__(self, name: str = "vm1", memory: int = 1024, *, kept: Path | None = None) -> None:
        """`kept` is the folder of a machine that is to outlive this process, until `end_kept` ends it."""
        self.name, self._memory, self._kept = name, memory, kept
        self._process: subprocess.Popen[bytes] | None = None
        self._monitor: socket.socket | None = None
        self.known_hosts = Path()

    # --- life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise FleetUnavailable("the image of a virtual machine needs root to be built: run the tests as root")
        for needed, package in (
            ("qemu-system-x86_64", "qemu-system-x86"),
            ("qemu-img", "qemu-utils"),
            ("mkfs.ext4", "e2fsprogs"),
            ("debootstrap", "debootstrap"),
        ):
            program(needed, package)
        self._image = machine_image()
        sweep()
        self.folder = self._kept or Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.key, self.known_hosts = self.folder / "key", self.folder / "known_hosts"
        try:
            self._make()
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._kept is None:
            self.stop()

    def _make(self) -> None:
        """Disks, and what the machine finds on a small one of its own: its host key and who may log in."""
        public, host = make_key(self.key), make_key(self.folder / "host_key")
        self.port = free_port(ADDRESS)
        self.known_hosts.write_text(f"[{ADDRESS}]:{self.port} {host}\n")
        overlay = ["-q", "-f", "qcow2", "-F", "raw", "-b", str(self._image.disk), str(self.folder / "root.qcow2")]
        subprocess.run([program("qemu-img", "qemu-utils"), "create", *overlay], check=True, capture_output=True)
        for disk in ("r1", "r2", "nvme"):
            with (self.folder / f"{disk}.img").open("wb") as file:
                file.truncate(64 * 1024 * 1024)
        seed = self.folder / "seed"
        seed.mkdir()
        shutil.copy(self.folder / "host_key", seed / "ssh_host_ed25519_key")
        (seed / "lab_keys").write_text(public + "\n")
        make = [program("mkfs.ext4", "e2fsprogs"), "-q", "-F", "-L", "labseed", "-d", str(seed)]
        subprocess.run([*make, str(self.folder / "seed.img"), "4M"], check=True, capture_output=True)

    def start(self) -> None:
        """Switches it on, and waits until somebody can log in."""
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=self._kept is not None,
            )
        (self.folder / RUNNING).write_text(f"{self._process.pid} {since(self._process.pid)}")
        self._wait()

    def _command(self) -> list[str]:
        drives = [f"file={self.folder / 'root.qcow2'},if=virtio,format=qcow2"]
        drives += [f"file={self.folder / f'{disk}.img'},if=virtio,format=raw" for disk in ("r1", "r2", "seed")]
        hardware = [word for drive in drives for word in ("-drive", drive)]
        forward = f"user,id=n0,restrict=on,hostfwd=tcp:{ADDRESS}:{self.port}-:22"
        # A machine that nobody kept ends with the process that started it, whatever becomes of that.
        guard = [program("setpriv", "util-linux"), "--pdeathsig", "KILL"] if self._kept is None else []
        return [
            *(*guard, program("qemu-system-x86_64", "qemu-system-x86")),
            *(
                "-accel",
                "tcg,thread=multi",
                "-smp",
                "2",
                "-machine",
                "q35",
                "-m",
                str(self._memory),
                "-display",
                "none",
            ),
            *("-serial", f"file:{self.folder / 'console'}", "-name", self.name),
            *("-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd)),
            *("-append", "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0"),
            *("-netdev", forward, "-device", "virtio-net-pci,netdev=n0,id=nic0"),
            *("-netdev", "user,id=n1,restrict=on", "-device", "virtio-net-pci,netdev=n1,id=nic1"),
            *hardware,
            *("-drive", f"file={self.folder / 'nvme.img'},if=none,id=nv,format=raw"),
            *("-device", "nvme,id=nvme0,serial=LAB1,drive=nv"),
            *("-device", f"ipmi-bmc-sim,id=bmc0,sdrfile={self._sensors()}", "-device", "isa-ipmi-kcs,bmc=bmc0"),
            *("-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"),
        ]

    def _sensors(self) -> Path:
        """The BMC's repository: one temperature with limits. It reads what `faults.bmc_reads` sets."""
        file = self.folder / "sdr"
        file.write_bytes(repository(SENSORS[0]))
        return file

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (said := self.try_to("systemctl is-system-running --wait")).stdout.strip() not in ("running", "degraded"):
            if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                console = (self.folder / "console").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{self.name} does not come up: {said.stdout}{said.stderr}\n{console}")
            time.sleep(0.5)

    def reboot(self) -> None:
        """Reboots it, as somebody who is logged in would, and waits until it is up again, with another boot id."""
        before = self.boot()
        self.try_to("systemctl reboot")
        deadline = time.monotonic() + PATIENCE
        while self.boot() in ("", before):
            assert time.monotonic() < deadline, f"{self.name} does not come back"
            time.sleep(0.5)
        self._wait()

    def boot(self) -> str:
        """The id of the boot that it runs; empty where nobody can log in."""
        return self.try_to("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def power_off(self) -> None:
        """Takes its power away."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Removes every trace of it."""
        self.power_off()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- asking -------------------------------------------------------------------------------------------------------

    def _shell(self, text: str) -> Sequence[str]:
        """Through ssh: status 255 where nobody can log in."""
        login = [program("ssh", "openssh-client"), "-F", "none", "-i", str(self.key), "-p", str(self.port)]
        # A machine that reboots may leave a connection behind that never ends: then it is given up after a minute.
        patience = ["ServerAliveInterval=20", "ServerAliveCountMax=3"]
        options = [f"UserKnownHostsFile={self.known_hosts}", "BatchMode=yes", "ConnectTimeout=5", *patience]
        words = [word for option in options for word in ("-o", option)]
        return [*login, *words, f"keeper@{ADDRESS}", f"sudo -n sh -c {shlex.quote(text)}"]

    def monitor(self, command: str, **arguments: Any) -> Any:
        """Runs a command of QEMU's machine protocol; returns its answer."""
        if self._monitor is None:
            self._monitor = socket.socket(socket.AF_UNIX)
            self._monitor.connect(str(self.folder / "qmp"))
            self._lines = self._monitor.makefile("rb")
            self._lines.readline()  # its greeting
            self._ask("qmp_capabilities", {})
        return self._ask(command, arguments)

    def _ask(self, command: str, arguments: dict[str, Any]) -> Any:
        assert self._monitor is not None
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while line := self._lines.readline():
            said = json.loads(line)
            if "error" in said:
                raise AssertionError(f"{command}: {said['error']['desc']}")
            if "return" in said:
                return said["return"]
        raise AssertionError(f"{self.name} is gone")

    def variables(self, name: str) -> dict[str, Any]:
        """Its Ansible variables (it is the only server here)."""
        assert name == self.name
        return {
            "ansible_host": ADDRESS,
            "ansible_port": self.port,
            "ansible_user": "keeper",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} -o StrictHostKeyChecking=yes",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
