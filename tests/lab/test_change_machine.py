"""A real kernel update on a virtual machine: installed by the update that ships, booted by a reboot, and proven.

The newer kernel is Debian's own, out of the archive's updates for security. It is repacked: with the modules that the
machine has a use for, and with an initial image that was made on this machine's processor; emulated ones would take
minutes for both. The machine boots as one with a boot loader does: the newest kernel that lies on its disk.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
import tarfile
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.lab.changing import HOUSE, Change
from tests.lab.fixtures import need
from tests.lab.images import _alone, cache, machine_image
from tests.lab.machines import Machine
from tests.lab.packages import PLACE, SOURCE, _hash
from tests.lab.sshd import FleetUnavailable, program

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1800)]  # the first one may have to build the image

META = "linux-image-amd64"
MODULES = (
    *("crypto", "lib", "arch/x86/crypto", "fs/ext4", "fs/jbd2", "fs/autofs", "fs/configfs", "drivers/virtio"),
    *("drivers/char", "drivers/md", "drivers/nvme", "drivers/block", "drivers/net/virtio_net.ko", "drivers/acpi"),
    *("drivers/net/net_failover.ko", "net/core", "net/netfilter", "net/ipv4", "net/ipv6", "drivers/i2c"),
    *("block", "fs/binfmt_misc.ko", "fs/efivarfs", "fs/fuse", "fs/nls", "drivers/rtc"),
)
"""Where the modules lie that the machine has a use for."""

# An initial image that holds no more than what the root file system of the machine needs.
_INITRD = r"""
mount -o loop "$1" "$2"
trap 'umount "$2"' EXIT
dpkg-deb -x "$3" "$2"/root/new  # not over the root: its /lib is a link
cp -a "$2"/root/new/boot/. "$2"/boot
cp -a "$2"/root/new/lib/modules/. "$2"/lib/modules
printf 'MODULES=list\nCOMPRESS=gzip\n' >"$2"/etc/initramfs-tools/conf.d/lab
printf 'virtio_pci\nvirtio_blk\next4\n' >"$2"/etc/initramfs-tools/modules
PATH=/usr/sbin:/usr/bin:/sbin:/bin
chroot "$2" depmod "$4"
chroot "$2" mkinitramfs -o /boot/initrd.img-"$4" "$4"
for one in boot/vmlinuz-"$4" boot/initrd.img-"$4" lib/modules/"$4"; do
  mkdir -p "$5/${one%/*}"
  cp -a "$2/$one" "$5/${one%/*}"
done
"""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel as packages: `release` is what `uname -r` will say, `folder` holds the packages."""

    release: str
    version: str
    folder: Path


def newer_kernel() -> Kernel:
    """A kernel newer than the one of the machine's image, made where it is not there yet. Raises FleetUnavailable where
    this machine's package sources have none."""
    told = _said("apt-cache", "show", META)
    found = re.search(r"^Version: (\S+)$.*?^Depends: linux-image-(\S+-amd64)", told, re.MULTILINE | re.DOTALL)
    if found is None:
        raise FleetUnavailable("the package sources of this machine have no kernel")
    version, release = found.groups()
    has = _said("debugfs", "-R", "ls /boot", str(machine_image().disk))
    if f"vmlinuz-{release}" in has or "bookworm" not in _said("apt-cache", "policy", META):
        raise FleetUnavailable(f"the package sources of this machine have no newer kernel than {release}")
    recipe = hashlib.sha256("\n".join((*MODULES, _INITRD)).encode()).hexdigest()[:12]
    made = Kernel(release, version, cache() / f"kernel-{release}-{version}-{recipe}")
    with _alone("kernel"):
        if not made.folder.is_dir():
            _repack(made)
    return made


def _repack(kernel: Kernel) -> None:
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as name:
        place = Path(name)
        package = f"linux-image-{kernel.release}"
        words = ["-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run([program("apt-get", "apt"), *words], cwd=place, check=True, capture_output=True)
        (deb,) = place.glob("*.deb")
        disk, mount, root = place / "disk.img", place / "mount", place / "root"
        subprocess.run([program("cp", "coreutils"), "--sparse=always", machine_image().disk, disk], check=True)
        for one in (mount, root):
            one.mkdir()
        words = [_INITRD, "sh", str(disk), str(mount), str(deb), kernel.release, str(root)]
        subprocess.run(
            [program("unshare", "util-linux"), "--mount", "sh", "-euc", *words], check=True, capture_output=True
        )
        _prune(root / "lib" / "modules" / kernel.release)
        made = place / "made"
        made.mkdir()
        _pack(root, package, kernel.version, "", made)
        (place / "empty").mkdir()
        _pack(place / "empty", META, kernel.version, f"Depends: {package} (= {kernel.version})\n", made)
        made.rename(kernel.folder)


def _prune(modules: Path) -> None:
    wanted = {str(modules / "kernel" / one) for one in MODULES}
    for file in modules.rglob("*.ko"):
        if not any(str(file) == one or str(file).startswith(f"{one}/") for one in wanted):
            file.unlink()
    (modules / "build").unlink(missing_ok=True)
    (modules / "source").unlink(missing_ok=True)


def _pack(root: Path, name: str, version: str, more: str, folder: Path) -> None:
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nSection: kernel\nPriority: optional\n"
        f"Maintainer: Lab <lab@example.invalid>\nDescription: a kernel of the lab\n{more}"
    )
    words = ["--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(folder / f"{name}_{version}_amd64.deb")]
    subprocess.run([program("dpkg-deb", "dpkg"), *words], check=True, capture_output=True)


def _said(name: str, *words: str) -> str:
    return subprocess.run([program(name, name), *words], check=True, capture_output=True, text=True).stdout


def publish(machine: Machine, kernel: Kernel) -> None:
    """The packages of a kernel are the machine's only package source."""
    debs = sorted(kernel.folder.glob("*.deb"))
    index = ""
    for deb in debs:
        content = deb.read_bytes()
        control = _said("dpkg-deb", "-f", str(deb))
        index += f"{control}Filename: ./{deb.name}\nSize: {len(content)}\nSHA256: {_hash(content)}\n\n"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for deb in debs:
            archive.add(deb, arcname=deb.name)
        indexes = {"Packages": index.encode(), "Packages.gz": gzip.compress(index.encode(), mtime=0)}
        hashes = "".join(f" {_hash(content)} {len(content)} {name}\n" for name, content in indexes.items())
        for name, content in {**indexes, "Release": f"Suite: lab\nSHA256:\n{hashes}".encode()}.items():
            told = tarfile.TarInfo(name)
            told.size = len(content)
            archive.addfile(told, io.BytesIO(content))
    words = machine._shell(f"mkdir -p {PLACE} && tar -xf - -C {PLACE} && chmod -R a+rX {PLACE}")
    subprocess.run(words, input=packed.getvalue(), check=True, capture_output=True)
    machine.run(f"echo 'deb [trusted=yes] file:{PLACE} ./' >{SOURCE}; apt-get -q update")


class Loader(Machine):
    """A machine that boots the newest kernel of its own disk, each time."""

    _over = False

    @property
    def _root(self) -> Path:
        return self.folder / "root.img"

    def _make(self) -> None:
        super()._make()
        subprocess.run([program("cp", "coreutils"), "--sparse=always", self._image.disk, self._root], check=True)

    def start(self) -> None:
        """Switches it on; from now on whoever reboots it reboots into what lies on its disk."""
        super().start()
        threading.Thread(target=self._go_on, daemon=True).start()

    def stop(self) -> None:
        self._over = True
        super().stop()

    def _go_on(self) -> None:
        while not self._over and self._process is not None and self._process.wait() == 0 and not self._over:
            with (self.folder / "qemu.log").open("ab") as log:
                self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _command(self) -> list[str]:
        listed = _said("debugfs", "-R", "ls /boot", str(self._root))
        found = re.findall(r"vmlinuz-(\S+)", listed)
        newest = max(found, key=lambda release: [int(part) for part in re.findall(r"\d+", release)])
        for name in ("vmlinuz", "initrd.img"):
            _said("debugfs", "-R", f"dump /boot/{name}-{newest} {self.folder / name}", str(self._root))
        self._image = replace(self._image, kernel=self.folder / "vmlinuz", initrd=self.folder / "initrd.img")
        words = [
            word.replace("root.qcow2,if=virtio,format=qcow2", "root.img,if=virtio,format=raw")
            for word in super()._command()
        ]
        return [*words, "-no-reboot"]


def checklist(change: Change) -> str:
    """The quarterly patch as it ships, but for what the machine cannot have, a clock that somebody keeps, and for a
    soak of minutes in which nothing happens."""
    text = (HOUSE / "checklists" / "quarterly-patch.yml").read_text()
    for shipped, here in (("PT-150, ", ""), ("soak: 5m", "soak: 5s")):
        assert shipped in text
        text = text.replace(shipped, here)
    return change.desk.checklist(text)


PATIENCE = 900.0
"""Seconds that a run with a reboot may take here: about 100 where the machine is quiet."""


def test_a_newer_kernel_is_installed_booted_and_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.lab.running.PATIENCE", PATIENCE)
    kernel = need(newer_kernel)
    machine = Loader()
    need(machine.__enter__)
    try:
        room = {"maintops_root_free_bytes": 200_000_000, "maintops_free_memory_bytes": 1_000_000}
        change = Change(tmp_path / "desk", machine, ["vm1"], {"vm1": room})
        publish(machine, kernel)
        before, boot = machine.run("uname -r").strip(), machine.boot()
        assert before != kernel.release
        plan = change.plan(checklist(change))
        assert change.maintops("approve", plan, "-i", change.inventory, "--by", "bob").code == 0
        ended = change.run(plan)
        assert (ended.code, ended.state) == (0, "finished"), ended.stderr + ended.stdout
        assert machine.run("uname -r").strip() == kernel.release
        assert machine.boot() not in ("", boot)
        cell = ended.cell("vm1", "PT-510")
        assert (cell["outcome"], cell["facts"]["kernel_before"], cell["facts"]["kernel"]) == (
            "ok",
            before,
            kernel.release,
        )
        assert ended.cell("vm1", "CHG-900")["outcome"] == "ok"
        assert f"vmlinuz-{kernel.release}" in machine.run("ls /boot")
    finally:
        machine.stop()
