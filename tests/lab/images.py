"""Images of lab servers: built once with debootstrap, from where this machine takes its own packages, and kept in a
cache outside the repository (`LAB_CACHE`, else `~/.cache/maintops-lab`)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.sshd import FleetUnavailable, program

SOURCES = Path("/etc/apt")
SUITE = "bookworm"

PACKAGES = (
    *("openssh-server", "python3-minimal", "python3-apt", "sudo", "systemd", "systemd-sysv", "dbus", "iproute2"),
    *("procps", "cron", "ca-certificates", "nftables"),
)
"""What a container has beside Debian's minimum."""

MACHINE_PACKAGES = (
    *(
        "openssh-server",
        "python3-minimal",
        "python3-apt",
        "sudo",
        "systemd",
        "systemd-sysv",
        "systemd-timesyncd",
        "dbus",
    ),
    *(
        "iproute2",
        "procps",
        "cron",
        "ca-certificates",
        "nftables",
        "kmod",
        "udev",
        "mdadm",
        "smartmontools",
        "ipmitool",
    ),
    *("nvme-cli", "lm-sensors", "ethtool", "dmidecode", "initramfs-tools", "linux-image-amd64"),
)
"""What a virtual machine has: hardware to look at, and a kernel of its own."""

MACHINE_SIZE = "3G"

RPM_PACKAGES = ("dnf", "dnf-plugins-core", "rpm", "createrepo-c")
"""What a container has beside that where rpm and dnf keep its packages; rpm builds them too."""

# What would be the same in every server of an image: its host keys and its machine id. And no unit may wait for what a
# container does not have.
_FINISH = """
rm -f "$1"/etc/ssh/ssh_host_*_key*
: >"$1"/etc/machine-id
rm -f "$1"/var/lib/dbus/machine-id "$1"/etc/resolv.conf
rm -rf "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
useradd --root "$1" --create-home --shell /bin/sh --password '*' keeper
echo 'keeper ALL=(ALL) NOPASSWD: ALL' >"$1"/etc/sudoers.d/keeper
chmod 440 "$1"/etc/sudoers.d/keeper
cat >"$1"/etc/nftables.conf <<END
table inet lab {
  chain input {
    type filter hook input priority filter; policy accept;
    ct state invalid drop
  }
}
END
systemctl --root="$1" enable --quiet nftables
systemctl --root="$1" mask --quiet getty@tty1.service console-getty.service apt-daily.timer apt-daily-upgrade.timer
rm -f "$1"/etc/apt/sources.list
"""


# Debian's dnf and rpm, set up as those of the RHEL family are: one database of rpm's for everybody, the best version
# or none, every repository is needed. Of Debian's own package manager nothing is left, so that nobody finds it. $1 is
# where packages come from, $2 the suite; the names of the packages follow.
_RPM = """
echo "deb $1 $2 main" >/etc/apt/sources.list
shift 2
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -qy --no-install-recommends install "$@"
cd /usr/lib/python3/dist-packages/dnf-plugins
find . -name '*.py' ! -name needs_restarting.py ! -name versionlock.py -delete
mkdir -p /etc/rpm /etc/yum.repos.d
echo '%_dbpath /var/lib/rpm' >/etc/rpm/macros
cat >/etc/dnf/dnf.conf <<END
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
END
ln -sf dnf /usr/bin/yum
rm -rf /etc/apt /var/cache/apt /var/lib/apt /var/lib/dpkg /usr/bin/apt* /usr/bin/dpkg* /root/.rpmdb
"""


# A virtual machine also needs a network, a console and the modules of its hardware.
_MACHINE = """
cat >"$1"/etc/systemd/network/lab.network <<END
[Match]
Name=eth0
[Network]
DHCP=ipv4
END
systemctl --root="$1" enable --quiet systemd-networkd
printf 'ipmi_si\\nipmi_devintf\\nraid1\\n' >"$1"/etc/modules-load.d/lab.conf
mkdir "$1"/etc/lab
echo vm1 >"$1"/etc/hostname
printf '127.0.0.1 localhost\\n127.0.1.1 vm1\\n' >"$1"/etc/hosts
printf '/dev/vda / ext4 defaults 0 1\\nLABEL=labseed /etc/lab ext4 ro 0 0\\n' >"$1"/etc/fstab
cat >"$1"/etc/ssh/sshd_config.d/lab.conf <<END
HostKey /etc/lab/ssh_host_ed25519_key
AuthorizedKeysFile /etc/lab/lab_keys
END
cp "$1"/boot/vmlinuz-* "$2"/vmlinuz
cp "$1"/boot/initrd.img-* "$2"/initrd.img
chmod 644 "$2"/vmlinuz "$2"/initrd.img
truncate -s "$3" "$2"/disk.img
mkfs.ext4 -q -F -d "$1" "$2"/disk.img
"""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where packages come from, and the keyring that signs for them ("" where apt names none)."""

    address: str
    keyring: str


def cache() -> Path:
    """The folder of images, made when it is first asked for."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("LAB_CACHE") or Path(home) / "maintops-lab")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def origin(sources: Path = SOURCES, suite: str = SUITE) -> Origin:
    """Where this machine takes a suite from. Raises FleetUnavailable where its sources do not hold it."""
    for file in sorted(sources.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^(\w[\w-]*):\s*(.*?)\s*$", stanza, re.MULTILINE))
            if suite in fields.get("Suites", "").split() and "deb" in fields.get("Types", "").split():
                return Origin(fields["URIs"].split()[0], fields.get("Signed-By", ""))
    for file in (sources / "sources.list", *sorted(sources.glob("sources.list.d/*.list"))):
        for line in file.read_text().splitlines() if file.is_file() else ():
            if found := re.match(rf"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+{suite}\s", line):
                signed = re.search(r"signed-by=(\S+)", found[1] or "")
                return Origin(found[2], signed[1] if signed else "")
    raise FleetUnavailable(f"the package sources of this machine do not hold {suite}")


@dataclass(frozen=True, slots=True)
class MachineImage:
    """What a virtual machine boots: a root file system that is never written to, a kernel and its first RAM disk."""

    disk: Path
    kernel: Path
    initrd: Path


def container_image() -> str:
    """The image of the booted containers, built where it is not there yet (minutes); returns its name."""
    recipe = hashlib.sha256("\n".join((SUITE, *PACKAGES, _FINISH)).encode()).hexdigest()[:12]
    name = f"localhost/maintops-lab:{recipe}"
    podman = program("podman", "podman")
    with _alone("container"):
        if subprocess.run([podman, "image", "exists", name], check=False).returncode != 0:
            archive = cache() / f"container-{recipe}.tar"
            if not archive.exists():
                _build(archive)
            _quietly([podman, "import", "--quiet", str(archive), name])
    return name


def rpm_image() -> str:
    """The image of the booted containers with dnf and rpm instead of apt and dpkg: a layer on the other one, made where
    it is not there yet (a quarter of a minute); returns its name."""
    base = container_image()
    recipe = hashlib.sha256("\n".join((base, *RPM_PACKAGES, _RPM)).encode()).hexdigest()[:12]
    name = f"localhost/maintops-lab-rpm:{recipe}"
    podman = [program("podman", "podman"), "--runtime", "runc", "--cgroup-manager=cgroupfs"]
    with _alone("rpm"):
        if subprocess.run([*podman, "image", "exists", name], check=False).returncode != 0:
            making = f"maintops-lab-rpm-{os.getpid()}"
            # the limits: see the containers themselves; the network: this machine's own, as debootstrap has it
            bounds = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000", "--network=host")
            inside = ("sh", "-euc", _RPM, "sh", origin().address, SUITE, *RPM_PACKAGES)
            try:
                _quietly([*podman, "run", *bounds, "--name", making, base, *inside])
                _quietly([*podman, "commit", "--quiet", making, name])
            finally:
                subprocess.run([*podman, "rm", "--force", making], check=False, capture_output=True)
    return name


def machine_image() -> MachineImage:
    """The image of the virtual machines, built where it is not there yet (minutes)."""
    recipe = hashlib.sha256("\n".join((SUITE, *MACHINE_PACKAGES, MACHINE_SIZE, _FINISH, _MACHINE)).encode())
    folder = cache() / f"machine-{recipe.hexdigest()[:12]}"
    with _alone("machine"):
        if not folder.is_dir():
            with _root(MACHINE_PACKAGES) as root:
                made = root.parent / "made"
                made.mkdir()
                _quietly(["sh", "-euc", _MACHINE, "sh", str(root), str(made), MACHINE_SIZE])
                made.rename(folder)
    return MachineImage(folder / "disk.img", folder / "vmlinuz", folder / "initrd.img")


def _build(archive: Path) -> None:
    with _root(PACKAGES) as root:
        whole = root.parent / "whole.tar"
        _quietly(["tar", "-C", str(root), "--one-file-system", "-cf", str(whole), "."])
        whole.rename(archive)


@contextmanager
def _root(packages: tuple[str, ...]) -> Iterator[Path]:
    """A root file system with these packages, finished, in a folder of its own inside the cache."""
    place = origin()
    keyring = [f"--keyring={place.keyring}"] if place.keyring else []
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as folder:
        root = Path(folder, "root")
        wanted = ["--variant=minbase", f"--include={','.join(packages)}", *keyring]
        _quietly([program("debootstrap", "debootstrap"), *wanted, SUITE, str(root), place.address])
        _quietly(["sh", "-euc", _FINISH, "sh", str(root)])
        yield root


@contextmanager
def _alone(what: str) -> Iterator[None]:
    """Two labs that start at once build an image once."""
    with (cache() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _quietly(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FleetUnavailable(
            f"{shutil.which(command[0]) or command[0]} failed: {(done.stderr or done.stdout)[-2000:]}"
        )
