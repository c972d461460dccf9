"""Cases of the weekly check, and answers that the patch and the yearly optimisation have in common with it."""

from __future__ import annotations

import json

from tests.content.cases import Case, Told, check, in_parts, told

NOW = "1772323200\n"  # 2026-03-01
QUIET = "Reading package lists...\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"


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


CASES: list[Case] = [
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
