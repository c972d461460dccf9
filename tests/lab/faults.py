"""Faults as calls, each undone at its end:

    with service_fails(lab.server("lab1")):
        ...  # the daily check finds lab-victim.service

Every fault has a test that shows it from inside the server (tests/lab/test_faults.py). How to add one: docs/lab.md.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.lab import packages
from tests.lab.bmc import SENSORS
from tests.lab.containers import Container
from tests.lab.machines import Machine
from tests.lab.sshd import make_key, program

VICTIM = "lab-victim.service"
FULL, SECOND = "/srv/full", "eth1"
HOSTILE = "/srv/{{ 7*7 }}$(touch canary)`touch canary`<b>"


@contextmanager
def service_fails(server: Container) -> Iterator[str]:
    """A unit that has failed; its name."""
    server.write(f"/etc/systemd/system/{VICTIM}", "[Service]\nExecStart=/bin/false\n")
    server.run("systemctl daemon-reload")
    server.try_to(f"systemctl start {VICTIM}; sleep 0.2")
    try:
        yield VICTIM
    finally:
        server.run(f"rm /etc/systemd/system/{VICTIM}; systemctl reset-failed {VICTIM}; systemctl daemon-reload")


@contextmanager
def a_disk(server: Container, point: str, *, read_only: bool = False) -> Iterator[str]:
    """A small disk of its own (a loop device with ext4), mounted; its mount point."""
    image = server.folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(8 * 1024 * 1024)
    subprocess.run([program("mkfs.ext4", "e2fsprogs"), "-q", "-F", "-m", "0", str(image)], check=True)
    device = _host("losetup", "--find", "--show", str(image)).strip()
    try:
        number = device.removeprefix("/dev/loop")
        server.run(f"mkdir -p {shlex.quote(point)}")
        server.from_outside("mknod", device, "b", "7", number)
        server.from_outside("mount", "-t", "ext4", "-o", "ro" if read_only else "rw", device, point)
        try:
            yield point
        finally:
            server.from_outside("umount", point)
            server.run(f"rm -f {device}; rmdir {shlex.quote(point)}")
    finally:
        _host("losetup", "--detach", device)
        image.unlink()


@contextmanager
def disk_full(server: Container, point: str = FULL) -> Iterator[str]:
    """A file system without room (a disk of its own has to be mounted there); its mount point."""
    fill = shlex.quote(f"{point}/fill")
    server.try_to(f"dd if=/dev/zero of={fill} bs=64k")
    try:
        yield point
    finally:
        server.run(f"rm {fill}")


@contextmanager
def read_only_root(server: Container) -> Iterator[str]:
    """A root file system that the kernel lets nobody write to; its mount point."""
    server.from_outside("mount", "-o", "remount,ro", "/")
    try:
        yield "/"
    finally:
        server.from_outside("mount", "-o", "remount,rw", "/")


@contextmanager
def a_link(server: Container) -> Iterator[str]:
    """A second interface, with a cable to nowhere; its name."""
    server.network("link", "add", SECOND, "type", "veth", "peer", "name", f"{SECOND}far")
    for end in (SECOND, f"{SECOND}far"):
        server.network("link", "set", end, "up")
    try:
        yield SECOND
    finally:
        server.network("link", "delete", SECOND)


@contextmanager
def link_down(server: Container) -> Iterator[str]:
    """The cable of the second interface is pulled (there has to be one); its name."""
    server.network("link", "set", f"{SECOND}far", "down")
    try:
        yield SECOND
    finally:
        server.network("link", "set", f"{SECOND}far", "up")


@contextmanager
def packet_loss(server: Container, percent: int = 30) -> Iterator[None]:
    """Packets that arrive are lost at random."""
    server.run(
        "nft add table inet loss && nft add chain inet loss in '{ type filter hook prerouting priority -300; }' && "
        f"nft add rule inet loss in numgen random mod 100 '<' {percent} counter drop"
    )
    try:
        yield
    finally:
        server.run("nft delete table inet loss")


@contextmanager
def server_never_returns(server: Container) -> Iterator[None]:
    """A reboot after which nobody can reach it: its link stays down."""
    outside = server.link
    _host("ip", "link", "set", outside, "down")
    try:
        server.reboot()
        yield
    finally:
        _host("ip", "link", "set", outside, "up")
        server.wait()


@contextmanager
def deaf_after_its_reboot(server: Container) -> Iterator[None]:
    """It serves until somebody reboots it; then nobody can log in any more. Undone: it answers again."""
    server.run("systemctl disable --quiet ssh")
    try:
        yield
    finally:
        server.run("systemctl enable --quiet --now ssh")
        server.wait()


@contextmanager
def nobody_can_log_in(server: Container) -> Iterator[None]:
    """Its sshd is down."""
    server.run("systemctl stop ssh")
    try:
        yield
    finally:
        server.run("systemctl start ssh")
        server.wait()


def power_loss(server: Container) -> None:
    """Its power goes away, without a warning, and comes back; it boots."""
    server.cut_power()


@contextmanager
def host_key_changes(server: Container) -> Iterator[None]:
    """It shows another host key than the one that is known."""
    place = "/etc/ssh/ssh_host_ed25519_key"
    other = server.folder / "other_key"
    make_key(other)
    server.run(f"cp -p {place} {place}.lab")
    server.write(place, other.read_text())
    server.run("systemctl restart ssh")
    try:
        yield
    finally:
        server.run(f"mv {place}.lab {place}; systemctl restart ssh")
        for file in (other, Path(f"{other}.pub")):
            file.unlink()


@contextmanager
def sudo_password_wrong(server: Container) -> Iterator[None]:
    """sudo asks for a password, and the inventory has a wrong one."""
    server.run("echo keeper:Right-Canary-31 | chpasswd; sed -i s/NOPASSWD:// /etc/sudoers.d/keeper")
    server.variables["ansible_become_password"] = "Wrong-Canary-32"
    server.lab.write()
    try:
        yield
    finally:
        del server.variables["ansible_become_password"]
        server.lab.write()
        server.run("echo 'keeper:*' | chpasswd -e; sed -i 's/ALL=(ALL) */&NOPASSWD: /' /etc/sudoers.d/keeper")


@contextmanager
def instead_of(server: Container, tool: str, text: str) -> Iterator[None]:
    """A tool that does something else: a script of this text stands before it in the PATH."""
    place = f"/usr/local/sbin/{tool}"
    server.write(place, f"#!/bin/sh\n{text}\n")
    server.run(f"chmod 755 {place}")
    try:
        yield
    finally:
        server.run(f"rm {place}")


@contextmanager
def hangs(server: Container, tool: str = "systemctl") -> Iterator[None]:
    """A tool that never ends."""
    with instead_of(server, tool, "exec sleep 3600"):
        yield


@contextmanager
def floods_output(server: Container, tool: str = "systemctl") -> Iterator[None]:
    """A tool that never stops talking."""
    with instead_of(server, tool, "exec yes 'a flood of output that says nothing at all'"):
        yield


def hostile_facts(server: Container) -> AbstractContextManager[str]:
    """A file system without room at a place whose name is a template, a command and a tag (a disk of its own has to be
    mounted there); the name."""
    return disk_full(server, HOSTILE)


# --- of packages: lab_packages have to be there -----------------------------------------------------------------------


@contextmanager
def security_update_waits(server: Container) -> Iterator[str]:
    """A newer version for security is offered, and nobody has installed it; the package."""
    packages.publish(server, security=[packages.plain("2.0")])
    try:
        yield packages.PLAIN
    finally:
        packages.publish(server, *packages.FIRST)


@contextmanager
def reboot_waits(server: Container) -> Iterator[str]:
    """A package was upgraded that asks for a reboot, and nobody has rebooted; the package. Undone without one."""
    try:
        with _upgraded(server, packages.wants_reboot("2.0"), back_to=packages.wants_reboot("1.0")):
            yield packages.REBOOT
    finally:  # last: going back is another version too, and asks again
        server.run("rm -f /run/reboot-required /run/reboot-required.pkgs")


@contextmanager
def package_breaks(server: Container) -> Iterator[str]:
    """A package whose upgrade stopped half-way: its new version cannot be set up; the package."""
    with _upgraded(server, packages.breaks("2.0"), back_to=packages.sound("1.0")):
        yield packages.BROKEN


@contextmanager
def _upgraded(server: Container, package: packages.Package, *, back_to: packages.Package) -> Iterator[None]:
    """An upgrade to this package was tried, whatever came of it; undone: the version from before is set up."""
    packages.publish(server, package)
    packages.upgrade(server)
    try:
        yield
    finally:
        packages.publish(server, *packages.FIRST)
        packages.install(server, back_to)


# --- of virtual machines ----------------------------------------------------------------------------------------------


@contextmanager
def disk_fails_smart(machine: Machine) -> Iterator[str]:
    """The NVMe drive says of itself that it is not reliable any more; its device."""
    drive = {"path": "/machine/peripheral/nvme0", "property": "smart_critical_warning"}
    machine.monitor("qom-set", **drive, value=4)
    try:
        yield "/dev/nvme0"
    finally:
        machine.monitor("qom-set", **drive, value=0)


@contextmanager
def a_raid(machine: Machine) -> Iterator[str]:
    """A RAID1 of the two small disks, in sync; its name."""
    make = "mdadm --create /dev/md0 --run --level=1 --raid-devices=2 --metadata=1.2 /dev/vdb /dev/vdc"
    machine.run(f"{make} && mdadm --wait /dev/md0; true")
    try:
        yield "md0"
    finally:
        machine.run("mdadm --stop /dev/md0 && mdadm --zero-superblock /dev/vdb /dev/vdc")


@contextmanager
def raid_degrades(machine: Machine) -> Iterator[str]:
    """One disk of the RAID has failed (there has to be one); the RAID's name. Undone: it is in sync again."""
    machine.run("mdadm /dev/md0 --fail /dev/vdc")
    try:
        yield "md0"
    finally:
        machine.run("mdadm /dev/md0 --remove /dev/vdc && mdadm /dev/md0 --add /dev/vdc && mdadm --wait /dev/md0; true")


@contextmanager
def a_port(machine: Machine) -> Iterator[str]:
    """A second network port that is switched on and has a link; its name."""
    machine.run(f"ip link set {SECOND} up && sleep 1 && grep -qx 1 /sys/class/net/{SECOND}/carrier")
    try:
        yield SECOND
    finally:
        machine.run(f"ip link set {SECOND} down")


@contextmanager
def port_loses_its_link(machine: Machine) -> Iterator[str]:
    """The cable of the second port is pulled (the port has to be on); the port's name."""
    machine.monitor("set_link", name="nic1", up=False)
    try:
        yield SECOND
    finally:
        machine.monitor("set_link", name="nic1", up=True)
        machine.run(f"for _ in 1 2 3 4 5; do grep -qx 1 /sys/class/net/{SECOND}/carrier && break; sleep 1; done")


def bmc_reads(machine: Machine, value: int) -> None:
    """The temperature of the machine's BMC reads so many degrees from now on."""
    machine.run(f"ipmitool raw 0x04 0x30 {SENSORS[0].number} 0x11 {value} 0 0 0 0")


@contextmanager
def a_cool_processor(machine: Machine) -> Iterator[str]:
    """The BMC's sensor reads what is usual; its name."""
    bmc_reads(machine, int(SENSORS[0].reads))
    yield SENSORS[0].name


@contextmanager
def bmc_reads_hot(machine: Machine) -> Iterator[str]:
    """The BMC's sensor reads more than its critical limit; its name."""
    bmc_reads(machine, int(SENSORS[0].upper[1]) + 2)
    try:
        yield SENSORS[0].name
    finally:
        bmc_reads(machine, int(SENSORS[0].reads))


FAILED_SUPPLY = "0x04 0x08 0x50 0x6f 0x01 0xff 0xff # power supply: failure detected"
GOOD_SUPPLY = "0x04 0x08 0x50 0xef 0x01 0xff 0xff # the same, deasserted"
"""Events as `ipmitool sel add` takes them: version, sensor type, sensor, event type and direction, three data bytes."""


@contextmanager
def bmc_logs_a_failure(machine: Machine) -> Iterator[str]:
    """The BMC's event log says that a power supply has failed; what it calls it. Undone: the log says that it works
    again, which takes nothing out of the log."""
    _log(machine, FAILED_SUPPLY)
    try:
        yield "Power Supply"
    finally:
        _log(machine, GOOD_SUPPLY)


def _log(machine: Machine, event: str) -> None:
    machine.run(f"echo {shlex.quote(event)} >/root/event && ipmitool sel add /root/event && rm /root/event")


@contextmanager
def clock_steps(machine: Machine, seconds: int = 7200) -> Iterator[None]:
    """The clock is wrong from one moment to the next."""
    machine.run(f"systemctl stop systemd-timesyncd; date -s @$(($(date +%s) + {seconds})) >/dev/null")
    try:
        yield
    finally:
        machine.run(f"date -s @$(($(date +%s) - {seconds})) >/dev/null; systemctl start systemd-timesyncd")


@contextmanager
def reboot_into_old_kernel(machine: Machine) -> Iterator[str]:
    """A newer kernel was installed, and the reboot came up with the old one: QEMU hands the machine the same one every
    time. The newer one (a_repository has to be there). Undone: no installed kernel is newer than the one that runs."""
    packages.publish(machine, packages.newer_kernel())
    packages.install(machine, packages.newer_kernel())
    try:
        machine.reboot()
        yield packages.NEWER_KERNEL
    finally:
        machine.run(f"dpkg --purge {packages.KERNEL}")


@contextmanager
def stands_still(machine: Machine) -> Iterator[None]:
    """A server that answers nobody and never will: its processors are stopped."""
    machine.monitor("stop")
    try:
        yield
    finally:
        machine.monitor("cont")


def _host(name: str, *words: str) -> str:
    done = subprocess.run([program(name, "util-linux"), *words], check=True, capture_output=True, text=True)
    return done.stdout
