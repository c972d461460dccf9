"""Cases of the weekly check, the quarterly patch and the yearly optimisation."""

from __future__ import annotations

import json

from tests.content.cases import Case, Told, check, in_parts, told
from tests.contract.samples_upkeep import (
    APT_AUTOREMOVE,
    APT_CHECK,
    APT_UPGRADE,
    DPKG_AUDIT,
    LASTLOG,
    SYSTEMCTL_RUNNING,
)

NOW = "1772323200\n"  # 2026-03-01


def disks(**used: int) -> Told:
    """`df -P -k` of some mount points of 100 GB, each so many thousandths full; two underscores stand for a slash."""
    return in_parts({f"/dev/{name} {point(name)} ext4 rw,relatime": df(name, used[name] * 100_000) for name in used})


def point(name: str) -> str:
    return "/" + name.replace("__", "/").removeprefix("root")


def df(name: str, used: int, size: int = 100_000_000) -> str:
    return (
        "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
        f"/dev/{name} {size} {used} {size - used} {100 * used // size}% {point(name)}\n"
    )


def small(name: str, free: int) -> Told:
    """A file system of which so many KiB are free."""
    return in_parts({f"/dev/{name} {point(name)} ext4 rw,relatime": df(name, 500_000, 500_000 + free)})


def inodes(name: str, used: int, total: int = 1_000_000) -> Told:
    text = (
        "Filesystem      Inodes  IUsed   IFree IUse% Mounted on\n"
        f"/dev/{name} {total} {used} {total - used} {100 * used // total}% {point(name)}\n"
    )
    return in_parts({f"/dev/{name} {point(name)} ext4 rw,relatime": text})


def memory(available: int, swapped: int = 0) -> Told:
    """/proc/meminfo of a server with 16 GB and 4 GB of swap: MB available, MB swapped out."""
    return told(
        f"MemTotal:       16000000 kB\nMemFree:          400000 kB\nMemAvailable:   {available * 1000} kB\n"
        f"HardwareCorrupted:     0 kB\nSwapTotal:       4000000 kB\nSwapFree:        {4_000_000 - swapped * 1000} kB\n"
    )


def load(average: float) -> Told:
    return told(f"/proc/loadavg:0.10 0.20 {average:.2f} 2/811 4711\n/sys/devices/system/cpu/online:0-3\n")


def logs(total: int, journal: int = 100_000, largest: str = "", settings: str = "") -> Told:
    """KiB below /var/log, on a file system of 20 GB."""
    return in_parts(
        {
            "sizes": f"{journal}\t/var/log/journal\n{total - journal}\t/var/log/nginx\n{total}\t/var/log\n",
            "disk": df("var", 9_000_000, 20_000_000),
            "largest": largest,
            "settings": settings or (1, ""),
        }
    )


def nvme(used: int) -> Told:
    document = {
        "smartctl": {"version": [7, 3], "exit_status": 0},
        "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
        "model_name": "Example 960",
        "serial_number": "EX7",
        "smart_status": {"passed": True},
        "nvme_smart_health_information_log": {
            "critical_warning": 0,
            "temperature": 38,
            "available_spare": 100,
            "available_spare_threshold": 10,
            "percentage_used": used,
            "power_on_hours": 20000,
            "media_errors": 0,
            "num_err_log_entries": 0,
        },
    }
    return in_parts({"scan": "/dev/nvme0 -d nvme # /dev/nvme0, NVMe device\n", "/dev/nvme0 nvme": json.dumps(document)})


def sensor(celsius: int) -> Told:
    chip = "/sys/class/hwmon/hwmon0"
    return told(f"{chip}/name:coretemp\n{chip}/temp1_input:{celsius}000\n{chip}/temp1_label:Package id 0\n")


def backup(size: int, hours: int = 3) -> Told:
    newest = int(NOW) - hours * 3600
    return in_parts({"now": NOW, "place /srv/backup": f"7 {7 * size} {newest} {size}\n"})


WEEKLY: list[Case] = [
    check(
        "TR-010",
        fires=(disks(root=700), disks(root=800), disks(root=900), disks(root=960)),
        silent=(disks(root=700), disks(root=702), disks(root=701), disks(root=703)),
        says="/ is 96.0 % full and will be full in 4 days",
        severity="critical",
    ),
    check(
        "TR-010",
        name="weeks",
        fires=(disks(srv=500), disks(srv=600), disks(srv=700), disks(srv=800)),
        silent=(disks(srv=900), disks(srv=600), disks(srv=500), disks(srv=400)),
        says="/srv is 80.0 % full and will be full in 20 days",
    ),
    check(
        "TR-020",
        fires=tuple(inodes("srv", 100_000 * step) for step in (5, 6, 7, 8)),
        silent=tuple(inodes("srv", 500_000) for _ in range(4)),
        says="/srv has used 80.0 % of its inodes, and will have used all in 20 days",
    ),
    check(
        "TR-020",
        name="days",
        fires=tuple(inodes("srv", 100_000 * step) for step in (3, 5, 7, 9)),
        silent=inodes("srv", 900_000),
        says="will have used all in 5 days",
        severity="critical",
    ),
    check(
        "TR-030",
        fires=tuple(memory(megabytes) for megabytes in (10_000, 8_000, 6_000, 4_000)),
        silent=tuple(memory(megabytes) for megabytes in (15_000, 13_000, 11_000, 9_000)),
        says="25.0 % of the memory is available, 37.5 points less than 30 days ago",
    ),
    check(
        "TR-040",
        fires=tuple(memory(8_000, swapped) for swapped in (0, 400, 800, 1_200)),
        silent=tuple(memory(8_000, swapped) for swapped in (1_200, 1_200, 1_200, 1_240)),
        says="30.0 % of the swap is in use, 30.0 points more than 30 days ago",
    ),
    check(
        "TR-050",
        fires=tuple(load(average) for average in (1.0, 2.0, 3.0, 4.0)),
        silent=tuple(load(average) for average in (0.1, 0.8, 1.5, 2.6)),
        says="Load per core is 1.0, 0.75 more than 30 days ago",
    ),
    check(
        "TR-060",
        fires=tuple(logs(kilobytes) for kilobytes in (1_000_000, 2_000_000, 3_000_000, 4_000_000)),
        silent=tuple(logs(kilobytes) for kilobytes in (4_000_000, 4_100_000, 4_000_000, 4_100_000)),
        says="/var/log takes 4.1 GB, 3.1 GB more than 30 days ago",
    ),
    check(
        "TR-070",
        fires=tuple(nvme(used) for used in (60, 65, 70, 75)),
        silent=tuple(nvme(used) for used in (20, 20, 20, 21)),
        says="Disk /dev/nvme0 has used 75 % of its life and will have used all in 50 days",
    ),
    check(
        "TR-080",
        fires=tuple(sensor(celsius) for celsius in (48, 52, 56, 60)),
        silent=tuple(sensor(celsius) for celsius in (48, 60, 47, 49)),
        says="is at 60.0 °C, 12.0 degrees more than 30 days ago",
    ),
    check(
        "TR-090",
        fires=told("unit 4 exit-code backup.service\nlines 4711\n"),
        silent=told("unit 1 exit-code apt-daily.service\nlines 4711\n"),
        says="backup.service failed 4 times in 168 hours (exit-code)",
    ),
    check(
        "TR-090",
        name="memory",
        fires=told("unit 1 oom-kill mariadb.service\nlines 4711\n"),
        silent=told("lines 4711\n"),
        says="mariadb.service was ended for want of memory (1 times)",
    ),
    check(
        "TR-100",
        fires=(backup(9_000_000_000), backup(2_000_000_000)),
        silent=(backup(9_000_000_000), backup(8_500_000_000)),
        says="The newest backup in /srv/backup has 2.0 GB; at the last record the newest had 9.0 GB",
        maintops_backup_paths=["/srv/backup"],
    ),
]


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


def kernels(flag: int, *images: str) -> Told:
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
STALE = "/proc/812/comm:sshd\n/proc/812/cgroup:0::/system.slice/ssh.service\n"
QUIET = "Reading package lists...\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
CURL = "curl/stable 7.88.1-10+deb12u8 amd64 [upgradable from: 7.88.1-10+deb12u5]\n"
OPENSSL = "openssl/stable-security 3.0.15-1~deb12u1 amd64 [upgradable from: 3.0.11-1~deb12u2]\n"

PATCH: list[Case] = [
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
]


def settings(swappiness: int = 10, huge: str = "always [madvise] never") -> Told:
    folder = "/sys/kernel/mm/transparent_hugepage"
    return told(
        f"{folder}/enabled:{huge}\n{folder}/defrag:always defer [madvise] never\n/proc/sys/kernel/ostype:Linux\n"
        f"/proc/sys/vm/swappiness:{swappiness}\n/proc/sys/net/core/somaxconn:4096\n"
    )


def disk(name: str, scheduler: str, rotational: int, vendor: str = "ATA") -> Told:
    folder = f"/sys/block/{name}"
    return told(
        f"{folder}/queue/scheduler:{scheduler}\n{folder}/queue/rotational:{rotational}\n"
        f"{folder}/queue/nr_requests:256\n{folder}/queue/read_ahead_kb:128\n{folder}/device/vendor:{vendor}\n"
    )


def profile(active: str, recommended: str, verdict: str = "succeeded") -> Told:
    return in_parts(
        {
            "active": active,
            "recommend": f"{recommended}\n",
            "verify": f"Verification {verdict}, current system settings match the preset profile.\n",
        }
    )


def processors(governor: str, *more: str, driver: str = "intel_pstate", highest: int = 3_000_000) -> Told:
    cpu = "/sys/devices/system/cpu"
    lines = [f"{cpu}/online:0-1"]
    for number in range(2):
        one = f"{cpu}/cpu{number}/cpufreq"
        lines += [f"{one}/scaling_governor:{governor}", f"{one}/scaling_driver:{driver}"]
        lines += [f"{one}/cpuinfo_max_freq:3000000", f"{one}/scaling_max_freq:{highest}"]
    return told("".join(f"{line}\n" for line in [*lines, *(f"{cpu}/{one}" for one in more)]))


def nodes(misses: int, balanced: bool = True) -> Told:
    folder = "/sys/devices/system/node"
    counts = "".join(
        f"{folder}/node{node}/numastat:numa_hit 9000\n{folder}/node{node}/numastat:numa_miss {misses}\n"
        for node in range(2)
    )
    text = f"{counts}/sys/devices/system/cpu/online:0-31\n/proc/sys/kernel/numa_balancing:1\n"
    running = "/proc/700/comm:irqbalance\n" if balanced else (1, "")
    return in_parts({"nodes": text, "first": "systemd\n", "programs": running})


def limited(files: int = 12_000, tasks: int = 400, hard: int = 524_288, near: str = "", unit: int = 4915) -> Told:
    return in_parts(
        {
            "uid": "0\n",
            "kernel": f"/proc/sys/fs/file-nr:{files}\t0\t100000\n/proc/sys/kernel/pid_max:32768\n"
            f"/proc/sys/kernel/threads-max:120000\n/proc/loadavg:0.1 0.1 0.1 1/{tasks} 4711\n",
            "systemd": f"DefaultLimitNOFILE={hard}\nDefaultLimitNOFILESoft=1024\nDefaultTasksMax={unit}\n",
            "pam": "* soft core 0\n",
            "used": f"{near}processes 211  \n",
        }
    )


def rotation(hours: int, timer: str = "enabled") -> Told:
    return in_parts(
        {
            "now": NOW,
            "states": f"{int(NOW) - hours * 3600} /var/lib/logrotate/status\n",
            "jobs": "",
            "timer": (0 if timer == "enabled" else 1, f"{timer}\n"),
        }
    )


def orphans(text: str, sizes: str = "ii  900 bash\n") -> Told:
    return in_parts({"apt": text, "kilobytes": sizes, "end": ""})


def installed(*builds: int) -> Told:
    files = "".join(
        f"8000000 /boot/vmlinuz-6.1.0-{one}-amd64\n40000000 /boot/initrd.img-6.1.0-{one}-amd64\n" for one in builds
    )
    modules = "".join(f"400000\t/lib/modules/6.1.0-{one}-amd64/\n" for one in builds)
    parts = {"kernel": "6.1.0-25-amd64\n", "files": files, "modules": modules, "disk": df("boot", 300_000, 500_000)}
    return in_parts(parts)


def accounts(shell: str = "/usr/sbin/nologin", passwords: str = "anna open 20400\nben open 19000\n") -> Told:
    passwd = f"root:0:/bin/bash\nbackup:34:{shell}\nanna:1000:/bin/bash\nben:1001:/bin/bash\nnobody:65534:/bin/sh\n"
    return in_parts({"now": NOW, "passwd": passwd, "passwords": passwords, "logins": LASTLOG})


def zone(name: str, clock: str = "UTC") -> Told:
    return in_parts(
        {
            "link": f"/usr/share/zoneinfo/{name}\n",
            "offset": "+0100\n",
            "zone": f"{name}\n",
            "locale": "LANG=C.UTF-8\n",
            "clock": f"0.0 1700000000 0.0\n1700000000\n{clock}\n",
        }
    )


MANY = "".join(f"Remv libold{number} [1.{number}]\n" for number in range(7))
SUMMARY = "0 upgraded, 0 newly installed, 7 to remove and 0 not upgraded.\n"
LARGE = "90000\t/var/log/nginx/access.log\n60000\t/var/log/syslog.1\n30000\t/var/log/mail.log\n"

YEARLY: list[Case] = [
    check(
        "OP-020",
        fires=settings(60),
        silent=settings(),
        says="vm.swappiness is 60; on a server 30 or less keeps programs in memory",
        severity="info",
    ),
    check(
        "OP-030",
        fires=settings(huge="[always] madvise never"),
        silent=settings(),
        says="Transparent huge pages are set to always (defragmentation: madvise)",
        severity="info",
    ),
    check(
        "OP-040",
        fires=disk("nvme0n1", "none [mq-deadline] kyber", 0),
        silent=disk("nvme0n1", "[none] mq-deadline kyber", 0),
        says="/dev/nvme0n1 (NVMe) uses mq-deadline; none lets 256 requests go at once",
    ),
    check(
        "OP-040",
        name="virtual",
        fires=disk("vda", "none mq-deadline [bfq]", 1, vendor="0x1af4"),
        silent=disk("vda", "none [mq-deadline] bfq", 1, vendor="0x1af4"),
        says="/dev/vda (virtual) uses bfq; mq-deadline or none is faster",
    ),
    check(
        "OP-040",
        name="hdd",
        fires=disk("sda", "[none] mq-deadline bfq", 1),
        silent=disk("sda", "none mq-deadline [bfq]", 1),
        says="/dev/sda (turning disk) uses none",
    ),
    check(
        "OP-050",
        fires=profile("Current active profile: throughput-performance\n", "virtual-guest"),
        silent=profile("Current active profile: virtual-guest\n", "virtual-guest"),
        says="TuneD's profile is throughput-performance; it recommends virtual-guest",
    ),
    check(
        "OP-050",
        name="off",
        fires=profile(
            "Cannot talk to TuneD daemon via DBus. Is TuneD daemon running?\nNo current active profile.\n", "balanced"
        ),
        silent=profile("Current active profile: balanced\n", "balanced"),
        says="TuneD is installed and does not run; it would choose balanced",
    ),
    check(
        "OP-050",
        name="verify",
        fires=profile("Current active profile: balanced\n", "balanced", verdict="failed"),
        silent=profile("Current active profile: balanced\n", "balanced"),
        says="The settings are not those of TuneD's profile balanced",
    ),
    check(
        "OP-060",
        fires=processors("powersave", driver="acpi-cpufreq"),
        silent=processors("powersave"),
        says="2 processors stay at their lowest clock: powersave with acpi-cpufreq",
    ),
    check(
        "OP-060",
        name="bound",
        fires=processors("performance", highest=1_500_000),
        silent=processors("performance"),
        says="2 of 2 processors may not reach their highest clock",
    ),
    check(
        "OP-060",
        name="turbo",
        fires=processors("performance", "intel_pstate/no_turbo:1"),
        silent=processors("performance", "intel_pstate/no_turbo:0"),
        says="Clocks above the nominal one are switched off on 2 processors",
    ),
    check(
        "OP-060",
        name="preference",
        fires=processors("powersave", "cpu0/cpufreq/energy_performance_preference:power"),
        silent=processors("powersave", "cpu0/cpufreq/energy_performance_preference:balance_performance"),
        says="The 2 processors are told to prefer saving power (power)",
    ),
    check(
        "OP-060",
        name="mixed",
        fires=processors("performance", "cpu2/cpufreq/scaling_governor:ondemand", driver="acpi-cpufreq"),
        silent=processors("performance", driver="acpi-cpufreq"),
        says="The 3 processors do not agree on a governor: ondemand, performance",
    ),
    check("OP-070", fires=nodes(0, balanced=False), silent=nodes(0), says="irqbalance does not run, on 32 processors"),
    check("OP-080", fires=nodes(1000), silent=nodes(10), says="10.0 % of the memory came from another of the 2 nodes"),
    check(
        "OP-090",
        fires=limited(files=90_000),
        silent=limited(),
        says="90000 files are open, 90.0 % of fs.file-max (100000)",
    ),
    check(
        "OP-090",
        name="tasks",
        fires=limited(tasks=30_000),
        silent=limited(),
        says="30000 processes and threads, 91.6 % of what may be (32768)",
    ),
    check(
        "OP-090",
        name="near",
        fires=limited(near="near 812 900 1024 nginx\n"),
        silent=limited(),
        says="Processes near their own limit of open files: nginx (812): 900 of 1024",
    ),
    check(
        "OP-100",
        fires=limited(hard=4096),
        silent=limited(),
        says="A unit may open 4096 files at most; DefaultLimitNOFILE=65536 gives it 61440 more",
    ),
    check(
        "OP-100",
        name="tasks",
        fires=limited(unit=512),
        silent=limited(),
        says="A unit may have 512 tasks; DefaultTasksMax=2000 gives it 1488 more",
    ),
    check(
        "OP-110",
        fires=logs(4_200_000, journal=3_800_000),
        silent=logs(4_200_000, journal=900_000),
        says="The journal takes 3.9 GB of 20.5 GB; SystemMaxUse=1024M frees 2.8 GB",
    ),
    check(
        "OP-120",
        fires=logs(9_000_000),
        silent=logs(1_000_000),
        says="/var/log takes 9.2 GB, 45.0 % of its file system: /var/log/nginx: 9.1 GB",
    ),
    check(
        "OP-120",
        name="large",
        fires=logs(1_000_000, largest=LARGE),
        silent=logs(1_000_000, largest=LARGE.partition("\n")[0]),
        says="3 large log files: /var/log/nginx/access.log: 92.2 MB",
    ),
    check("OP-130", fires=rotation(400), silent=rotation(10), says="logrotate last finished 400 hours ago"),
    check(
        "OP-130",
        name="idle",
        fires=rotation(10, timer="disabled"),
        silent=rotation(10),
        says="Nothing starts logrotate",
    ),
    check(
        "OP-140",
        fires=orphans(APT_AUTOREMOVE, "ii  407392 linux-image-6.1.0-18-amd64\nii  100 libold1\n"),
        silent=orphans(QUIET),
        says="2 packages are needed by nothing; removing them frees 417.3 MB",
    ),
    check(
        "OP-140",
        name="many",
        fires=orphans(MANY + SUMMARY),
        silent=orphans(QUIET),
        says="7 packages are needed by nothing: libold0, libold1",
    ),
    check(
        "OP-140",
        name="leftovers",
        fires=orphans(QUIET, "".join(f"rc  1 gone{number}\n" for number in range(60))),
        silent=orphans(QUIET, "rc  1 gone\n"),
        says="The configuration of 60 removed packages is still there",
        severity="info",
    ),
    check(
        "OP-150",
        fires=installed(9, 18, 21, 25),
        silent=installed(21, 25),
        says="2 of 4 kernels are not needed; removing them frees 915.2 MB: 6.1.0-9-amd64, 6.1.0-18-amd64",
    ),
    check(
        "OP-160",
        fires=accounts(),
        silent=accounts(passwords="anna open 20400\nben open 20400\n"),
        says="1 of 2 accounts were not used in 365 days: ben (never)",
    ),
    check(
        "OP-170",
        fires=accounts("/bin/bash"),
        silent=accounts(),
        says="1 accounts of programs have a shell: backup",
    ),
    check(
        "OP-180",
        fires=tuple(disks(srv=400 + 20 * step) for step in range(14)),
        silent=tuple(disks(srv=400) for _ in range(14)),
        says="/srv (102.4 GB) is 66.0 % full and grew by 73.0 points in a year's time: full in 170 days",
    ),
    check(
        "OP-190",
        fires=tuple(memory(12_000 - 200 * step) for step in range(14)),
        silent=tuple(memory(12_000) for _ in range(14)),
        says="58.8 % of 16.4 GB are available, 45.6 points less in a year's time",
    ),
    check(
        "OP-200",
        fires=zone("Europe/Berlin"),
        silent=zone("Etc/UTC"),
        says="The time zone is Europe/Berlin (+0100), not Etc/UTC",
        maintops_time_zone="Etc/UTC",
    ),
    check(
        "OP-200",
        name="clock",
        fires=zone("Europe/Berlin", "LOCAL"),
        silent=zone("Europe/Berlin"),
        says="The hardware clock runs in local time (Europe/Berlin, +0100)",
    ),
]

CASES: list[Case] = [*WEEKLY, *PATCH, *YEARLY]
