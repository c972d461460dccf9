"""Made-up answers of servers for the probes of the weekly check, the patch and the yearly optimisation."""

from __future__ import annotations

from collections.abc import Mapping

DPKG_AUDIT = """\
The following packages are only half configured, probably due to problems
configuring them the first time.  The configuration should be retried using
dpkg --configure <package> or the configure menu option in dselect:
 exim4-daemon-light   lightweight Exim MTA (v4) daemon
 libc6:amd64          GNU C Library: Shared libraries
"""

APT_CHECK = "Reading package lists...\nBuilding dependency tree...\nReading state information...\n"

APT_UPGRADE = """\
Reading package lists...
Calculating upgrade...
The following packages will be REMOVED:
  python2
The following upgrades have been deferred due to phasing:
  systemd udev
The following packages have been kept back:
  linux-image-amd64
0 upgraded, 0 newly installed, 1 to remove and 3 not upgraded.
Remv python2 [2.7.18-3]
"""

APT_AUTOREMOVE = """\
Reading package lists...
The following packages will be REMOVED:
  libold1 linux-image-6.1.0-18-amd64
0 upgraded, 0 newly installed, 2 to remove and 4 not upgraded.
Remv libold1 [1.2-3]
Remv linux-image-6.1.0-18-amd64 [6.1.76-1]
"""

SYSTEMCTL_RUNNING = """\
cron.service          loaded active running Regular background program processing daemon
nginx.service         loaded active running A high performance web server and a reverse proxy server
user@1000.service     loaded active running User Manager for UID 1000
"""

LASTLOG = """\
Username         Port     From                                       Latest
root             pts/0    10.1.2.3                                  Sun Feb 22 10:15:00 +0100 2026
backup                                                              **Never logged in**
anna             pts/1    2001:db8:0:1::7                           Fri Feb 27 08:00:00 +0000 2026
ben                                                                 **Never logged in**
"""


def _parts(parts: Mapping[str, str | tuple[int, str]]) -> bytes:
    lines: list[str] = []
    for name, one in parts.items():
        status, text = (0, one) if isinstance(one, str) else one
        lines += [f"={name}", *(f" {line}" for line in text.splitlines()), f".{status}"]
    return "".join(f"{line}\n" for line in lines).encode()


_CPU = "/sys/devices/system/cpu"

SAMPLES: dict[str, list[bytes]] = {
    "package-database": [
        _parts({"audit": (1, DPKG_AUDIT), "check": APT_CHECK, "end": ""}),
        _parts(
            {
                "rpm": "rpm-4.16.1.3-29.el9.x86_64\n",
                "dependencies": (1, "Unsatisfied dependencies for a-1-1.x86_64:\n\tb is needed by (installed) a-1-1\n"),
                "twice": "bash.x86_64\n",
                "end": "",
            }
        ),
        _parts({"apk": (1, "ERROR: unable to select packages:\n  x (no such package):\n"), "end": ""}),
    ],
    "package-locks": [
        _parts(
            {
                "first": "systemd\n",
                "programs": "/proc/812/comm:apt-get\n",
                "files": "131074 /var/lib/dpkg/lock\n",
                "locks": "1: POSIX  ADVISORY  WRITE 812 fd:00:131074 0 EOF\n",
            }
        )
    ],
    "running-backups": [_parts({"first": "systemd\n", "programs": "/proc/900/comm:borg\n"})],
    "held-packages": [
        _parts({"holds": "nginx\t\thold\n", "upgrade": APT_UPGRADE, "end": ""}),
        _parts({"versionlock": "kernel-0:5.14.0-427.el9.*\n", "excludes": "exclude=php*\n", "end": ""}),
    ],
    "logins": [
        _parts({"own": "7 (sh) S 1 7 7 34816 7 0\n", "who": "anna pts/1 2026-03-01 09:12 (10.1.2.3)\n"}),
        _parts({"own": "7 (sh) S 1 7 7 0 7 0\n", "sessions": "  1 0 root seat0 734 user tty1 no -\n"}),
    ],
    "services": [_parts({"systemd": SYSTEMCTL_RUNNING, "end": ""}), _parts({"openrc": " sshd [  started  ]\n"})],
    "stale-services": [
        _parts(
            {
                "uid": "0\n",
                "witness": "33\n",
                "stale": "/proc/812/comm:sshd\n/proc/812/cgroup:0::/system.slice/ssh.service\n",
            }
        )
    ],
    "unit-failures": [b"unit 4 exit-code backup.service\nlines 4711\n"],
    "sysctl": [
        (
            b"/sys/kernel/mm/transparent_hugepage/enabled:always [madvise] never\n/proc/sys/vm/swappiness:60\n"
            b"/proc/sys/net/ipv4/tcp_rmem:4096\t131072\t6291456\n"
        )
    ],
    "io-schedulers": [
        (
            b"/sys/block/sda/queue/scheduler:none [mq-deadline] kyber bfq\n/sys/block/sda/queue/rotational:1\n"
            b"/sys/block/sda/queue/nr_requests:256\n/sys/block/sda/device/model:EXAMPLE 4000\n"
        )
    ],
    "tuned": [
        _parts(
            {
                "active": "Current active profile: virtual-guest\n",
                "recommend": "virtual-guest\n",
                "verify": (1, "Verification failed, current system settings differ from the preset profile.\n"),
            }
        )
    ],
    "limits": [
        _parts(
            {
                "uid": "0\n",
                "kernel": "/proc/sys/fs/file-nr:1200\t0\t9223372036854775807\n/proc/loadavg:0.1 0.1 0.1 1/99 4\n",
                "systemd": "DefaultLimitNOFILE=524288\nDefaultTasksMax=infinity\n",
                "pam": "* soft nofile 65536\n",
                "used": "near 812 900 1024 nginx\nprocesses 211  \n",
            }
        )
    ],
    "log-sizes": [
        _parts(
            {
                "sizes": "3984588\t/var/log/journal\n4200000\t/var/log\n",
                "disk": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 9 4 5 45% /var\n",
                "largest": "90000\t/var/log/syslog\n",
                "settings": "SystemMaxUse=1G\n",
            }
        )
    ],
    "log-rotation": [
        _parts(
            {
                "now": "1772323200\n",
                "states": "1772240400 /var/lib/logrotate/status\n",
                "jobs": "/etc/cron.daily/logrotate\n",
                "timer": (1, "disabled\n"),
            }
        )
    ],
    "orphaned-packages": [
        _parts({"apt": APT_AUTOREMOVE, "kilobytes": "ii  100 libold1\nrc  5 gone\n", "end": ""}),
        _parts({"dnf": "libold-1.2-3.el9.x86_64\n", "bytes": "1000 libold\n", "end": ""}),
        _parts({"zypper": "S | Name | Arch\n--+------+-----\ni | libold | x86_64\n", "end": ""}),
    ],
    "old-kernels": [
        _parts(
            {
                "kernel": "6.1.0-18-amd64\n",
                "files": "8000000 /boot/vmlinuz-6.1.0-18-amd64\n9 /boot/initrd.img-6.1.0-18-amd64\n",
                "modules": "400000\t/lib/modules/6.1.0-18-amd64/\n",
                "disk": "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 9 4 5 45% /boot\n",
            }
        )
    ],
    "unused-users": [
        _parts(
            {
                "now": "1772323200\n",
                "passwd": "root:0:/bin/bash\nbackup:34:/bin/sh\nanna:1000:/bin/bash\nben:1001:/bin/sh\n",
                "passwords": "anna 20400\nben 19000\n",
                "logins": LASTLOG,
            }
        )
    ],
    "cpu-governors": [
        f"{_CPU}/online:0\n{_CPU}/intel_pstate/no_turbo:1\n{_CPU}/cpu0/cpufreq/scaling_governor:powersave\n"
        f"{_CPU}/cpu0/cpufreq/scaling_driver:intel_pstate\n{_CPU}/cpu0/cpufreq/cpuinfo_max_freq:3000000\n".encode()
    ],
    "numa": [
        _parts(
            {
                "nodes": "/sys/devices/system/node/node0/numastat:numa_hit 9\n"
                "/sys/devices/system/node/node1/numastat:numa_miss 1\n"
                "/sys/devices/system/cpu/online:0-3,8\n/proc/sys/kernel/numa_balancing:1\n",
                "first": "systemd\n",
                "programs": "/proc/700/comm:irqbalance\n",
            }
        )
    ],
    "time-zone": [
        _parts(
            {
                "link": "/usr/share/zoneinfo/Europe/Berlin\n",
                "offset": "+0100\n",
                "zone": "Europe/Berlin\n",
                "locale": "LANG=C.UTF-8\n",
                "clock": "0.0 1 0.0\n1\nLOCAL\n",
            }
        )
    ],
}
