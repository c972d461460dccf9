"""Cases of the yearly optimisation."""

from __future__ import annotations

from dataclasses import replace

from tests.content import cases_upkeep_patch
from tests.content.cases import Case, Told, check, in_parts, told
from tests.content.cases_upkeep import NOW, QUIET, df, disks, logs, memory
from tests.contract.samples_upkeep import APT_AUTOREMOVE, LASTLOG


def as_before_patches(id: str, patch: str, says: str) -> Case:
    """The case of the quarterly patch whose check asks the same."""
    same = next(one for one in cases_upkeep_patch.CASES if one.check == patch)
    return replace(same, check=id, says=says, name="")


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


def accounts(shell: str = "/usr/sbin/nologin", passwords: str = "anna 20400\nben 19000\n") -> Told:
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

CASES: list[Case] = [
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
        "OP-130",
        name="none",
        fires=in_parts({"unrotated": "apt\ndpkg\n" + "".join(f"x{number}\n" for number in range(10))}),
        silent=rotation(10),
        says="Logs are not rotated: there is no logrotate, but /etc/logrotate.d has apt, dpkg, x0, x1, x2, x3, x4, x5,"
        " x6, x7 and 2 more",
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
        silent=accounts(passwords="anna 20400\nben 20400\n"),
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
        fires=(disks(srv=400), disks(srv=701)),
        silent=(disks(srv=400), disks(srv=699)),
        says="/srv (102.4 GB) is 70.1 % full, 30.1 points more than in the last record",
    ),
    check(
        "OP-190",
        fires=(memory(12_000), memory(8_000)),
        silent=(memory(12_000), memory(11_900)),
        says="points less than in the last record",
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
    as_before_patches("OP-230", "PT-050", "2 packages are half installed: exim4-daemon-light, libc6:amd64"),
    as_before_patches("OP-240", "PT-060", "Somebody is at work on the packages: apt-get (812)"),
    as_before_patches("OP-250", "PT-180", "nginx.service has failed (A high performance web server)"),
]
