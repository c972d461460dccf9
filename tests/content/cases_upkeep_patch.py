"""Cases of the quarterly patch."""

from __future__ import annotations

from tests.content.cases import Case, Told, check, in_parts, told
from tests.content.cases_upkeep import NOW, QUIET, backup, inodes, memory, small
from tests.contract.samples_upkeep import APT_CHECK, APT_UPGRADE, DPKG_AUDIT, SYSTEMCTL_RUNNING

KERNEL = "Inst linux-image-6.1.0-30-amd64 (6.1.124-1 Debian-Security:12/stable-security [amd64])\n"


def mounted(options: str) -> Told:
    return told(f"/dev/vda1 /boot ext4 {options} 0 0\n/dev/vda2 / ext4 rw,relatime 0 0\n")


def packages(audit: str = "", check: str = APT_CHECK) -> Told:
    return in_parts(
        {
            "audit": (1 if audit else 0, audit),
            "check": (100 if "unmet" in check else 0, check),
            "end": "",
        }
    )


def updates(listed: str, age_hours: int = 2) -> Told:
    return in_parts(
        {
            "now": NOW,
            "lists": "yes\n",
            "refreshed": f"{int(NOW) - age_hours * 3600}\n",
            "apt": f"Listing...\n{listed}",
            "end": "",
        }
    )


def managers(programs: str = "", locks: str = "") -> Told:
    files = "131074 /var/lib/dpkg/lock-frontend\n131075 /var/lib/dpkg/lock\n"
    return in_parts({"first": "systemd\n", "programs": programs or (1, ""), "files": files, "locks": locks})


def upgrade(text: str, held: str = "") -> Told:
    return in_parts({"holds": held or (1, ""), "upgrade": text, "end": ""})


def pending(simulated: str = "", boot: str = "/", images: str = "") -> Told:
    """What an update would bring, by apt's simulation; `boot` is where the file system of /boot is mounted."""
    disk = f"Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 480000 440000 40000 92% {boot}\n"
    return in_parts(
        {
            "now": NOW,
            "refreshed": f"{int(NOW) - 3600}\n",
            "lists": "yes\n",
            "holds": (1, ""),
            "upgrade": f"{len(simulated.splitlines())} upgraded, 0 newly installed.\n{simulated}",
            "images": images,
            "disk": disk,
            "end": "",
        }
    )


def kernels(flag: int, *images: str, init: str = "") -> Told:
    return in_parts(
        {
            "kernel": "6.1.0-18-amd64\n",
            "container": "none\n",
            "debian": "",
            "flag": (flag, ""),
            "packages": "linux-image-6.1.0-21-amd64\n" if flag == 0 else (1, ""),
            "images": "".join(f"{image}\n" for image in images),
            "modules": "",
            "hint": (127, ""),
            "zypper": (127, ""),
            "needrestart": (127, ""),
            "init": init or (1, ""),
            "end": "",
        }
    )


def clock(offset: str, state: str = "Normal") -> Told:
    tracking = f"C0A80101,192.168.1.1,3,1772323000.0,{offset},0.00001,0.00002,-5.1,0.0,0.02,0.01,0.002,64.3,{state}\n"
    return in_parts(
        {
            "container": "none\n",
            "chrony": tracking,
            "chrony_sources": "^,*,192.168.1.1,2,6,377,33,0.00001,0.00001,0.001\n",
            "ntpd": (127, ""),
            "openntpd": (127, ""),
            "timedatectl": "NTPSynchronized=yes\n",
            "timesyncd": (1, ""),
            "adjtimex": (127, ""),
        }
    )


def array(blocks: str, working: str) -> Told:
    return told(
        f"Personalities : [raid1]\nmd0 : active raid1 vdc[1] vdb[0]\n      65472 blocks super 1.2 {blocks} {working}\n"
        "\nunused devices: <none>\n"
    )


def who(text: str) -> Told:
    return in_parts({"own": "4711 (sh) S 4700 4711 4700 34816 4711 4194304 0\n", "who": text})


SSH = "anna     pts/0        2026-03-01 09:12 (10.1.2.3)\n"
REPLACED = "7f01-7f02 r-xp 00026000 fd:00 131 /usr/lib/x86_64-linux-gnu/libc.so.6 (deleted)\n"
STALE = "/proc/812/comm:sshd\n/proc/812/cgroup:0::/system.slice/ssh.service\n"
CURL = "curl/stable 7.88.1-10+deb12u8 amd64 [upgradable from: 7.88.1-10+deb12u5]\n"
OPENSSL = "openssl/stable-security 3.0.15-1~deb12u1 amd64 [upgradable from: 3.0.11-1~deb12u2]\n"

CASES: list[Case] = [
    check(
        "PT-010",
        fires=small("root", 1_000_000),
        silent=small("root", 10_000_000),
        says="/ has 1.0 GB free; an update wants 3.0 GB",
        severity="critical",
    ),
    check(
        "PT-010",
        name="boot",
        fires=small("boot", 50_000),
        silent=small("boot", 400_000),
        says="/boot has 51.2 MB free; a new kernel wants 150.0 MB",
        severity="critical",
    ),
    check(
        "PT-010",
        name="var",
        fires=small("var", 1_000_000),
        silent=small("srv", 1_000),
        says="/var has 1.0 GB free",
        severity="critical",
    ),
    check(
        "PT-010",
        name="efi",
        fires=small("boot__efi", 5_000),
        silent=small("boot__efi", 400_000),
        says="/boot/efi has 5.1 MB free",
    ),
    check(
        "PT-020",
        fires=inodes("root", 990_000),
        silent=inodes("root", 400_000),
        says="/ has 10000 inodes free; an update wants 20000",
        severity="critical",
    ),
    check("PT-030", fires=memory(200), silent=memory(2_000), says="204.8 MB of memory are available"),
    check(
        "PT-040",
        fires=mounted("ro,relatime"),
        silent=mounted("rw,relatime"),
        says="/boot (/dev/vda1) is mounted read-only",
        severity="critical",
    ),
    check(
        "PT-050",
        fires=packages(DPKG_AUDIT),
        silent=packages(),
        says="2 packages are half installed: exim4-daemon-light, libc6:amd64",
        severity="critical",
    ),
    check(
        "PT-050",
        name="unmet",
        fires=packages(
            check="The following packages have unmet dependencies:\n"
            " nginx : Depends: libssl3 (>= 3.0.0) but it is not installed\nE: Unmet dependencies.\n"
        ),
        silent=in_parts({"rpm": "rpm-4.16.1.3-29.el9.x86_64\n", "dependencies": "", "twice": (1, ""), "end": ""}),
        says="1 dependencies are not met: nginx: Depends libssl3 (>= 3.0.0) but it is not installed",
        severity="critical",
    ),
    check(
        "PT-050",
        name="twice",
        fires=in_parts(
            {"rpm": "rpm-4.16.1.3-29.el9.x86_64\n", "dependencies": "", "twice": "bash.x86_64\n", "end": ""}
        ),
        silent=packages(),
        says="Packages are installed in two versions: bash.x86_64",
    ),
    check(
        "PT-050",
        name="damaged",
        fires=in_parts(
            {
                "rpm": (1, "error: cannot open Packages database in /var/lib/rpm\npackage rpm is not installed\n"),
                "dependencies": (1, ""),
                "twice": (1, ""),
                "end": "",
            }
        ),
        silent=packages(),
        says="The package database is damaged: error: cannot open Packages database",
        severity="critical",
    ),
    check(
        "PT-060",
        fires=managers("/proc/812/comm:apt-get\n", "1: POSIX  ADVISORY  WRITE 812 fd:00:131074 0 EOF\n"),
        silent=managers(),
        says="Somebody is at work on the packages: apt-get (812), /var/lib/dpkg/lock-frontend",
    ),
    check("PT-070", fires=updates(CURL, 400), silent=updates(CURL), says="The package lists are 400 hours old"),
    check(
        "PT-080",
        fires=updates(CURL + OPENSSL),
        silent=updates(""),
        says="2 packages have an update: openssl, curl",
        severity="info",
    ),
    check(
        "PT-080",
        name="many",
        fires=updates("".join(CURL.replace("curl", f"curl{number}") for number in range(117))),
        silent=updates(""),
        says="117 packages have an update: curl0, curl1, curl2, curl3, curl4, curl5, curl6, curl7, curl8, curl9 and"
        " 107 more",
        severity="info",
    ),
    check(
        "PT-090",
        fires=updates(CURL + OPENSSL),
        silent=updates(CURL),
        says="1 security updates are pending: openssl",
    ),
    check(
        "PT-100",
        fires=upgrade(QUIET, "nginx\t\t\t\thold\n"),
        silent=upgrade(QUIET),
        says="Packages are held: nginx",
    ),
    check(
        "PT-100",
        name="kept",
        fires=upgrade(APT_UPGRADE),
        silent=in_parts({"versionlock": (1, ""), "versionlock5": (1, ""), "excludes": (1, ""), "end": ""}),
        says="apt keeps packages back: linux-image-amd64",
    ),
    check(
        "PT-100",
        name="phased",
        fires=upgrade(
            "The following upgrades have been deferred due to phasing:\n  udev\n"
            "0 upgraded, 0 newly installed, 0 to remove and 1 not upgraded.\n"
        ),
        silent=upgrade(QUIET),
        says="Updates that come in phases, and are not here yet: udev",
        severity="info",
    ),
    check(
        "PT-100",
        name="many",
        fires=upgrade(QUIET, "".join(f"p{number}\t\t\t\thold\n" for number in range(60))),
        silent=upgrade(QUIET),
        says="Packages are held: p0, p1, p2, p3, p4, p5, p6, p7, p8, p9 and 50 more",
    ),
    check("PT-110", fires=upgrade(APT_UPGRADE), silent=upgrade(QUIET), says="A full upgrade would remove python2"),
    check(
        "PT-120",
        fires=backup(5_000_000, hours=50),
        silent=backup(5_000_000),
        says="The newest backup in /srv/backup is 50 hours old",
        severity="critical",
        maintops_backup_paths=["/srv/backup"],
    ),
    check(
        "PT-120",
        name="none",
        fires=in_parts({"now": NOW, "missing /srv/backup": ""}),
        silent=backup(5_000_000),
        says="There is no backup in /srv/backup",
        severity="critical",
        maintops_backup_paths=["/srv/backup"],
    ),
    check(
        "PT-120",
        name="empty",
        fires=backup(0),
        silent=backup(5_000_000),
        says="The newest backup in /srv/backup is empty",
        severity="critical",
        maintops_backup_paths=["/srv/backup"],
    ),
    check(
        "PT-130",
        fires=array("[2/1]", "[U_]"),
        silent=array("[2/2]", "[UU]"),
        says="md0 is degraded: 1 of 2 devices work",
        severity="critical",
    ),
    check(
        "PT-140",
        fires=kernels(0, "6.1.0-18-amd64"),
        silent=kernels(1, "6.1.0-18-amd64"),
        says="A reboot is pending already: linux-image-6.1.0-21-amd64",
    ),
    check(
        "PT-140",
        name="process-1",
        fires=kernels(1, "6.1.0-18-amd64", init=REPLACED),
        silent=kernels(1, "6.1.0-18-amd64"),
        says="A reboot is pending already: process 1 runs what was replaced: libc.so.6",
    ),
    check("PT-150", fires=clock("2.5"), silent=clock("-0.0005"), says="The clock is 2.5 s off"),
    check(
        "PT-150",
        name="lost",
        fires=clock("0.0", "Not synchronised"),
        silent=clock("0.0"),
        says="The clock is not synchronised",
    ),
    check(
        "PT-160",
        fires=who(SSH + "ben      pts/3        2026-03-01 10:01 (10.1.2.9)\n"),
        silent=who(SSH),
        says="Logged in: ben pts/3 from 10.1.2.9",
    ),
    check(
        "PT-170",
        fires=in_parts({"first": "systemd\n", "programs": "/proc/900/comm:borg\n"}),
        silent=in_parts({"first": "systemd\n", "programs": (1, "")}),
        says="A backup is running: borg (900)",
    ),
    check(
        "PT-180",
        fires=told("nginx.service loaded failed failed A high performance web server\n"),
        silent=told(""),
        says="nginx.service has failed (A high performance web server)",
        severity="critical",
    ),
    check(
        "PT-190",
        fires=(
            in_parts({"systemd": SYSTEMCTL_RUNNING, "end": ""}),
            in_parts({"systemd": SYSTEMCTL_RUNNING.replace("nginx.service", "other.service"), "end": ""}),
        ),
        silent=(
            in_parts({"systemd": SYSTEMCTL_RUNNING, "end": ""}),
            in_parts({"systemd": SYSTEMCTL_RUNNING.replace("user@1000", "user@0"), "end": ""}),
        ),
        says="Services that ran at the last record and do not now: nginx",
        severity="critical",
    ),
    check(
        "PT-200",
        fires=kernels(1, "6.1.0-18-amd64", "6.1.0-21-amd64"),
        silent=kernels(1, "6.1.0-17-amd64", "6.1.0-18-amd64"),
        says="Kernel 6.1.0-18-amd64 runs, 6.1.0-21-amd64 is installed",
    ),
    check(
        "PT-210",
        fires=in_parts({"uid": "0\n", "witness": "30\n", "stale": STALE}),
        silent=in_parts({"uid": "0\n", "witness": "30\n", "stale": (1, "")}),
        says="1 processes run what was replaced: sshd",
    ),
    check(
        "PT-220",
        fires=pending("Inst nginx [1.22.1-9] (1.22.1-9+deb12u1 Debian-Security:12/stable-security [amd64])\n"),
        silent=pending(),
        says="1 packages would be updated",
        severity="info",
    ),
    check(
        "PT-220",
        name="boot",
        fires=pending(
            KERNEL, "/boot", "8000000 /boot/vmlinuz-6.1.0-18-amd64\n42000000 /boot/initrd.img-6.1.0-18-amd64\n"
        ),
        silent=pending("", "/boot"),
        says="/boot has 41.0 MB free; the update wants 60.0 MB",
        severity="critical",
    ),
]
