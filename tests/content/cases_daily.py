"""The daily check's cases."""

from __future__ import annotations

from tests.content.cases import Case, Told, check, in_parts, parted, told

# --- system operation -------------------------------------------------------------------------------------------------

_DF = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"


def _file_system(used: int, available: int) -> Told:
    row = f"/dev/sda2         20511312 {used} {available}      71% /\n"
    return in_parts({"/dev/sda2 / ext4 rw,relatime": _DF + row})


def _inodes(used: int) -> Told:
    head = "Filesystem       Inodes   IUsed  IFree IUse% Mounted on\n"
    row = f"/dev/sdb1       1000000 {used:7} {1000000 - used:6}   50% /var/spool\n"
    return in_parts({"/dev/sdb1 /var/spool ext4 rw,relatime": head + row})


def _meminfo(available: int = 12_000_000, swap_free: int = 2_000_000) -> Told:
    return told(
        f"MemTotal:       16000000 kB\nMemFree:          400000 kB\nMemAvailable: {available:10} kB\n"
        f"SwapTotal:       2000000 kB\nSwapFree:     {swap_free:10} kB\nHardwareCorrupted:     0 kB\n"
    )


def _load(fifteen: str) -> Told:
    return told(f"/proc/loadavg:1.20 2.10 {fifteen} 3/412 90210\n/sys/devices/system/cpu/online:0-3\n")


def _boot(boot_id: str, init: int = 31, hours: int = 1000) -> Told:
    stat = f"1 (systemd) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 {init} 1 1 1"
    return told(
        f"/proc/uptime:{hours * 3600}.52 1000.00\n/proc/sys/kernel/random/boot_id:{boot_id}\n"
        f"/proc/sys/kernel/osrelease:6.1.0-18-amd64\n/proc/1/stat:{stat}\n/proc/stat:btime 1772000000\n"
    )


_ONE_BOOT, _NEXT_BOOT = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "11111111-2222-3333-4444-555555555555"


def _processes(before: str, after: str) -> Told:
    files = "/proc/417/status\n" if before else "\n"
    return in_parts({"found": files, **({"first": before, "second": after} if before else {})})


def _process(pid: int, state: str, name: str, switches: int = 7) -> str:
    fields = {"Name": name, "State": state, "PPid": "1"}
    fields |= {"voluntary_ctxt_switches": str(switches), "nonvoluntary_ctxt_switches": "2"}
    return "".join(f"/proc/{pid}/status:{key}:\t{value}\n" for key, value in fields.items())


_STUCK = _process(417, "D (disk sleep)", "nfsd")
_ZOMBIES = "".join(_process(pid, "Z (zombie)", "worker") for pid in range(500, 506))


def _kernel_log(*messages: str) -> Told:
    log = "".join(f"{message}\n" for message in messages) + ".0\n"
    return parted(log=log, uptime="500000.00 900000.00\n", vmstat="oom_kill 0\n")


def _chrony(offset: str = "0.000021", leap: str = "Normal", reach: tuple[int, int] = (377, 377)) -> Told:
    refid = "00000000,," if leap != "Normal" else "C0000201,192.0.2.1,"
    tracking = f"{refid}3,1772000000.1,{offset},0.00001,0.00002,1.5,0.0,0.1,0.01,0.001,64.0,{leap}\n"
    sources = "".join(
        f"^,{mark},192.0.2.{place},2,6,{one},12,0.1,0.1,0.1\n"
        for place, mark, one in zip((1, 2), "*+", reach, strict=True)
    )
    parts: dict[str, str | tuple[int, str]] = {"container": "none\n", "chrony": tracking, "chrony_sources": sources}
    missing = dict.fromkeys(("ntpd", "openntpd", "timesyncd", "adjtimex"), (127, ""))
    return in_parts({**parts, **missing, "timedatectl": "NTPSynchronized=yes\n"})


def _reboot(flag: int, packages: str = "", newest: str = "6.1.0-18-amd64") -> Told:
    return parted(
        kernel="6.1.0-18-amd64\n",
        container="none\n",
        debian="",
        flag=(flag, ""),
        packages=(0 if packages else 1, packages),
        images=f"6.1.0-18-amd64\n{newest}\n",
        modules="6.1.0-18-amd64\n",
        hint=(127, ""),
        zypper=(127, ""),
        needrestart=(127, ""),
        end="",
    )


def _backup(files: int, size: int, newest: int, last: int) -> Told:
    return in_parts({"now": "1772000000\n", "place /srv/backup": f"{files} {size} {newest} {last}\n"})


_FULL = _backup(14, 9_000_000_000, 1772000000 - 5 * 3600, 700_000_000)

SYSTEM: list[Case] = [
    check(
        "SY-010",
        fires=_file_system(19_000_000, 500_000),
        silent=_file_system(12_000_000, 7_000_000),
        says="/ is 97.4 % full",
        severity="critical",
    ),
    check(
        "SY-010",
        name="filling",
        fires=_file_system(17_500_000, 2_000_000),
        silent=_file_system(16_500_000, 3_000_000),
        says="/ is 89.7 % full",
    ),
    check(
        "SY-010",
        name="own-limits",
        fires=_file_system(12_000_000, 8_000_000),
        silent=_file_system(9_000_000, 11_000_000),
        says="/ is 60.0 % full",
        maintops_disk_warning_percent=50,
    ),
    check(
        "SY-020",
        fires=_inodes(970_000),
        silent=_inodes(120_000),
        says="/var/spool has used 97.0 % of its inodes",
        severity="critical",
    ),
    check(
        "SY-020",
        name="filling",
        fires=_inodes(860_000),
        silent=in_parts(
            {"/dev/sdc1 /srv btrfs rw": "Filesystem Inodes IUsed IFree IUse% Mounted on\n/d 0 0 0 - /srv\n"}
        ),
        says="has used 86.0 %",
    ),
    check("SY-030", fires=_meminfo(400_000), silent=_meminfo(), says="Only 2.5 % of the memory", severity="critical"),
    check("SY-030", name="low", fires=_meminfo(1_200_000), silent=_meminfo(1_700_000), says="Only 7.5 % of the memory"),
    check("SY-040", fires=_meminfo(swap_free=500_000), silent=_meminfo(), says="75.0 % of the swap is in use"),
    check(
        "SY-040",
        name="none",
        fires=_meminfo(swap_free=0),
        silent=told("MemTotal: 16000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"),
        says="100.0 % of the swap is in use",
    ),
    check("SY-050", fires=_load("8.44"), silent=_load("7.90"), says="Load over 15 minutes is 8.44 on 4 cores"),
    check(
        "SY-060",
        fires=(_boot(_ONE_BOOT), _boot(_NEXT_BOOT, hours=2)),
        silent=(_boot(_ONE_BOOT), _boot(_ONE_BOOT, hours=1240)),
        says="Rebooted since the last record: up since 2026-02-25T06:13:20+00:00",
    ),
    check(
        "SY-060",
        name="container",
        fires=(_boot(_ONE_BOOT, 4711), _boot(_ONE_BOOT, 981234)),
        silent=_boot(_ONE_BOOT, 4711),
        says="Restarted since the last record (its first process is a new one)",
    ),
    check(
        "SY-070",
        fires=told("nightly-backup.service loaded failed failed Nightly backup of /srv\n"),
        silent=told(""),
        says="nightly-backup.service has failed (Nightly backup of /srv)",
        severity="critical",
    ),
    check(
        "SY-080",
        fires=_processes(_STUCK, _STUCK),
        silent=_processes("", ""),
        says="1 processes are stuck in the kernel: nfsd (pid 417, child of 1)",
    ),
    check(
        "SY-080",
        name="zombies",
        fires=_processes(_ZOMBIES, _ZOMBIES),
        silent=_processes(_STUCK, _process(417, "D (disk sleep)", "nfsd", switches=9)),
        says="6 zombie processes: worker (pid 500, child of 1)",
    ),
    check(
        "SY-090",
        fires=told("/dev/sda2 / ext4 rw,relatime\n/dev/sdb1 /srv ext4 ro,relatime,errors=remount-ro\n"),
        silent=told("/dev/sda2 / ext4 rw,relatime,errors=remount-ro\n/dev/sdb1 /srv ext4 rw,relatime\n"),
        says="/srv (/dev/sdb1) is mounted read-only",
        severity="critical",
    ),
    check(
        "SY-090",
        name="expected",
        fires=told("/dev/sda2 / ext4 ro\n/dev/sdb1 /srv/archive ext4 ro\n"),
        silent=told("/dev/sda2 / ext4 rw\n/dev/sdb1 /srv/archive ext4 ro\n"),
        says="/ (/dev/sda2) is mounted read-only",
        severity="critical",
        maintops_expected_read_only=["/srv/archive"],
    ),
    check(
        "SY-100",
        fires=_kernel_log("<3>[499000.1] blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ)"),
        silent=_kernel_log("<3>[    1.0] blk_update_request: I/O error, dev sdb, sector 2048 op 0x0:(READ)"),
        says="1 I/O errors and 0 hardware errors: [499000.1] blk_update_request: I/O error, dev sdb",
        severity="critical",
    ),
    check(
        "SY-100",
        name="module",
        fires=_kernel_log("<0>[499000.1] mce: [Hardware Error]: CPU 0: Machine check: 0 Bank 7"),
        silent=_kernel_log(),
        says="0 I/O errors and 1 hardware errors",
        severity="critical",
    ),
    check(
        "SY-100",
        name="oom",
        fires=_kernel_log("<3>[499000.1] Out of memory: Killed process 4711 (java) total-vm:9000000kB"),
        silent=_kernel_log("<3>[499000.1] ERST: Failed to get Error Log Address Range."),
        says="The kernel ended 1 processes for want of memory",
        severity="critical",
    ),
    check(
        "SY-100",
        name="other",
        fires=_kernel_log("<3>[499000.1] r8169 0000:02:00.0 eth0: rtl_rxtx_empty_cond == 0 (loop: 42, delay: 100)."),
        silent=_kernel_log(),
        says="1 errors in the kernel log, the last: [499000.1] r8169",
    ),
    check("SY-110", fires=_chrony(leap="Not synchronised"), silent=_chrony(), says="The clock is not synchronised"),
    check("SY-110", name="offset", fires=_chrony("-12.5"), silent=_chrony("0.9"), says="The clock is 12.5 s off"),
    check("SY-110", name="source", fires=_chrony(reach=(0, 0)), silent=_chrony(reach=(0, 377)), says="No time source"),
    check(
        "SY-120",
        fires=_reboot(0, "linux-image-6.1.0-18-amd64\nlibc6\n"),
        silent=_reboot(1),
        says="A reboot is pending: linux-image-6.1.0-18-amd64, libc6",
        severity="info",
    ),
    check(
        "SY-120",
        name="kernel",
        fires=_reboot(1, newest="6.1.0-21-amd64"),
        silent=_reboot(1, newest="6.1.0-9-amd64"),
        says="A reboot is pending: kernel 6.1.0-21-amd64",
        severity="info",
    ),
    check(
        "SY-130",
        fires=in_parts({"now": "1772000000\n", "missing /srv/backup": ""}),
        silent=_FULL,
        says="There is no backup in /srv/backup",
        severity="critical",
        maintops_backup_paths=["/srv/backup"],
    ),
    check(
        "SY-130",
        name="old",
        fires=_backup(14, 9_000_000_000, 1772000000 - 50 * 3600, 700_000_000),
        silent=_FULL,
        says="The newest backup in /srv/backup is 50 hours old",
        severity="critical",
        maintops_backup_paths=["/srv/backup"],
    ),
    check(
        "SY-130",
        name="empty",
        fires=_backup(14, 9_000_000_000, 1772000000 - 5 * 3600, 0),
        silent=_FULL,
        says="The newest backup in /srv/backup is empty",
        severity="critical",
        maintops_backup_paths=["/srv/backup"],
    ),
]

# --- hardware state ---------------------------------------------------------------------------------------------------

_MD = "Personalities : [raid1]\n{}\nunused devices: <none>\n"
_WHOLE = _MD.format("md0 : active raid1 vdc[1] vdb[0]\n      65472 blocks super 1.2 [2/2] [UU]\n")

_ATA = """\
{"smartctl": {"exit_status": 0}, "device": {"name": "/dev/sda", "protocol": "ATA"}, "model_name": "Example 1000",
 "serial_number": "EX1", "smart_status": {"passed": %(passed)s}, "temperature": {"current": 31},
 "power_on_time": {"hours": 4711}, "ata_smart_error_log": {"summary": {"count": 0}},
 "ata_smart_self_test_log": {"standard": {"table": [{"type": {"string": "Short offline"}, "lifetime_hours": 4700,
  "status": {"value": %(test)d, "passed": %(tested)s}}], "count": 1}},
 "ata_smart_attributes": {"table": [
  {"id": 5, "name": "Reallocated_Sector_Ct", "when_failed": "%(failed)s", "raw": {"value": %(reallocated)d,
   "string": "%(reallocated)d"}},
  {"id": 187, "name": "Reported_Uncorrect", "when_failed": "", "raw": {"value": 0, "string": "0"}},
  {"id": 197, "name": "Current_Pending_Sector", "when_failed": "", "raw": {"value": %(pending)d,
   "string": "%(pending)d"}},
  {"id": 198, "name": "Offline_Uncorrectable", "when_failed": "", "raw": {"value": %(offline)d,
   "string": "%(offline)d"}}]}}
"""
_ATA_GOOD = {
    "passed": "true",
    "test": 0,
    "tested": "true",
    "failed": "",
    "reallocated": 0,
    "pending": 0,
    "offline": 0,
}

_NVME = """\
{"smartctl": {"exit_status": 0}, "device": {"name": "/dev/nvme0", "protocol": "NVMe"}, "model_name": "Example N2",
 "serial_number": "EX2", "smart_status": {"passed": true}, "power_on_time": {"hours": 900},
 "nvme_smart_health_information_log": {"critical_warning": %(warning)d, "temperature": 41, "available_spare": %(spare)d,
  "available_spare_threshold": 10, "percentage_used": %(used)d, "power_on_hours": 900, "media_errors": %(errors)d,
  "num_err_log_entries": 0}}
"""
_NVME_GOOD = {"warning": 0, "spare": 100, "used": 3, "errors": 0}


def _ata(**changed: object) -> Told:
    scan = "/dev/sda -d sat # /dev/sda [SAT], ATA device\n"
    return in_parts({"scan": scan, "/dev/sda sat": _ATA % (_ATA_GOOD | changed)})


def _nvme(**changed: object) -> Told:
    scan = "/dev/nvme0 -d nvme # /dev/nvme0, NVMe device\n"
    return in_parts({"scan": scan, "/dev/nvme0 nvme": _NVME % (_NVME_GOOD | changed)})


def _sensor(thousandths: int, critical: str = "temp1_crit:100000") -> Told:
    chip = "/sys/class/hwmon/hwmon0"
    return told(
        f"{chip}/name:coretemp\n{chip}/temp1_input:{thousandths}\n{chip}/temp1_label:Package id 0\n"
        f"{chip}/{critical}\n{chip}/device:/sys/devices/platform/coretemp.0\n"
    )


HARDWARE: list[Case] = [
    check(
        "HW-010",
        fires=_ata(passed="false"),
        silent=_ata(),
        says="Disk /dev/sda (Example 1000, EX1) fails its own health test",
        severity="critical",
    ),
    *(
        check("HW-010", name=name, fires=fires, silent=_ata(), says=f"Disk /dev/sda{says}", severity=severity)
        for name, fires, says, severity in [
            ("pending", _ata(pending=8), ": 8 sectors wait to be reallocated", "critical"),
            ("offline", _ata(offline=3), ": 3 sectors cannot be read", "critical"),
            ("self-test", _ata(test=112, tested="false"), " has failed its last self-test", "critical"),
            ("attribute", _ata(failed="now"), ": Reallocated_Sector_Ct below the maker's limit", "critical"),
            ("reallocated", _ata(reallocated=24), ": 24 reallocated sectors", "warning"),
        ]
    ),
    *(
        check("HW-010", name=name, fires=fires, silent=_nvme(), says=f"Disk /dev/nvme0{says}", severity=severity)
        for name, fires, says, severity in [
            ("critical-warning", _nvme(warning=4), " warns of itself (critical warning 4)", "critical"),
            ("spare", _nvme(spare=5), " has 5 % of its spare blocks left", "critical"),
            ("media", _nvme(errors=12), ": 12 media errors", "warning"),
            ("life", _nvme(used=97), " has used 97 % of its life", "warning"),
        ]
    ),
    check(
        "HW-020",
        fires=told(
            _MD.format("md0 : active raid1 vdc[1](F) vdb[0]\n      65472 blocks super 1.2 [2/1] [U_]\n"),
        ),
        silent=told(_WHOLE),
        says="md0 is degraded: 1 of 2 devices work",
        severity="critical",
    ),
    check(
        "HW-020",
        name="state",
        fires=told(_MD.format("md0 : broken raid0 vdc[1] vdb[0]\n      65472 blocks super 1.2 512k chunks\n")),
        silent=told(_MD.format("md0 : active raid0 vdc[1] vdb[0]\n      65472 blocks super 1.2 512k chunks\n")),
        says="md0 is broken",
        severity="critical",
    ),
    check(
        "HW-030",
        fires=_sensor(101_000),
        silent=_sensor(45_000),
        says="coretemp.0/Package id 0 is at 101.0 °C, its critical limit is 100.0 °C",
        severity="critical",
    ),
    check(
        "HW-030",
        name="warm",
        fires=_sensor(84_000, "temp1_crit_alarm:0"),
        silent=_sensor(79_000, "temp1_crit_alarm:0"),
        says="coretemp.0/Package id 0 is at 84.0 °C",
    ),
]

# --- network links ----------------------------------------------------------------------------------------------------

_LINK = {
    "flags": "0x1003",
    "type": "1",
    "uevent": "INTERFACE=eth0",
    "operstate": "up",
    "carrier": "1",
    "carrier_changes": "2",
    "speed": "10000",
    "duplex": "full",
    "mtu": "1500",
    "statistics/rx_errors": "4",
    "statistics/tx_errors": "0",
    "statistics/rx_dropped": "9",
    "statistics/tx_dropped": "0",
}


def _link(**changed: str) -> Told:
    values = _LINK | {name.replace("__", "/"): value for name, value in changed.items()}
    return told("".join(f"eth0/{name}:{value}\n" for name, value in values.items()) + "eth0/device:\n")


_NO_LINK = _link(carrier="0", operstate="down", speed="-1", duplex="unknown")


def _bond(first: str, second: str, mode: str = "fault-tolerance (active-backup)", extra: str = "") -> Told:
    text = (
        f"Ethernet Channel Bonding Driver: v6.1.0\n\nBonding Mode: {mode}\n{extra}MII Status: up\n\n"
        f"Slave Interface: eno1\nMII Status: {first}\nLink Failure Count: 1\nAggregator ID: 1\n\n"
        f"Slave Interface: eno2\nMII Status: {second}\nLink Failure Count: 0\nAggregator ID: 1\n"
    )
    return in_parts({"bonds": "bond0\n", "bond bond0": text})


def _lacp(partner: str) -> Told:
    aggregator = f"Active Aggregator Info:\n\tAggregator ID: 1\n\tPartner Mac Address: {partner}\n\n"
    text = (
        "Ethernet Channel Bonding Driver: v6.1.0\n\nBonding Mode: IEEE 802.3ad Dynamic link aggregation\n"
        f"MII Status: up\n\n802.3ad info\n{aggregator}"
        "Slave Interface: eno1\nMII Status: up\nLink Failure Count: 0\nAggregator ID: 1\n\n"
        "Slave Interface: eno2\nMII Status: up\nLink Failure Count: 0\nAggregator ID: 1\n"
    )
    return in_parts({"bonds": "bond0\n", "bond bond0": text})


def _routes(default: str) -> Told:
    return parted(
        ip4=default,
        ip6="",
        proc4="Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n",
        proc6=(1, ""),
        machine="x86_64\n",
        neighbours="192.0.2.1 dev eth0 lladdr 52:54:00:00:00:01 REACHABLE\n",
    )


def _names(*statuses: tuple[int, str]) -> Told:
    looked_up = {f"name {place}": one for place, one in enumerate(statuses)} or {"name own": (0, "192.0.2.7 web1\n")}
    return in_parts({"resolv": "nameserver 192.0.2.53\n", "upstream": (1, ""), "own": "web1\n", **looked_up})


NETWORK: list[Case] = [
    check("NW-010", fires=_NO_LINK, silent=_link(), says="eth0 is switched on and has no link"),
    check(
        "NW-010",
        name="lost",
        fires=(_link(), _NO_LINK),
        silent=(_link(), _link(operstate="unknown")),
        says="eth0 has lost its link",
        severity="critical",
    ),
    check(
        "NW-010",
        name="errors",
        fires=(_link(), _link(statistics__rx_errors="70")),
        silent=(_link(), _link(statistics__rx_dropped="70")),
        says="eth0 has new errors: 70 received, 0 sent",
    ),
    check("NW-010", name="duplex", fires=_link(duplex="half"), silent=_link(), says="eth0 runs at half duplex"),
    check(
        "NW-010",
        name="speed",
        fires=(_link(), _link(speed="100")),
        silent=(_link(speed="100"), _link()),
        says="eth0 fell from 10000 to 100 Mbit/s",
    ),
    check(
        "NW-020",
        fires=_bond("down", "up"),
        silent=_bond("up", "up"),
        says="bond0 has lost eno1",
        severity="critical",
    ),
    check(
        "NW-020",
        name="dead",
        fires=_bond("down", "down"),
        silent=_bond("up", "up", "load balancing (round-robin)"),
        says="bond0 has no working link",
        severity="critical",
    ),
    check(
        "NW-020",
        name="lacp",
        fires=_lacp("00:00:00:00:00:00"),
        silent=_lacp("52:54:00:00:00:09"),
        says="bond0 has no LACP partner",
    ),
    check(
        "NW-030",
        fires=_routes(""),
        silent=_routes("default via 192.0.2.1 dev eth0 proto static \n"),
        says="There is no default route",
    ),
    check(
        "NW-040",
        fires=_names((0, "192.0.2.8 db1\n"), (2, "")),
        silent=_names((0, "192.0.2.8 db1\n"), (0, "192.0.2.9 db2\n")),
        says="Names that do not resolve: db2",
        maintops_names_to_resolve=["db1", "db2"],
    ),
    check(
        "NW-040",
        name="own",
        fires=in_parts({"resolv": "", "upstream": (1, ""), "own": "web1\n", "name own": (2, "")}),
        silent=_names(),
        says="Names that do not resolve: web1",
    ),
]

# --- security protection ----------------------------------------------------------------------------------------------


def _listeners(*ports: int) -> Told:
    head = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
    rows = "".join(f"tcp   LISTEN 0      128    0.0.0.0:{port}     0.0.0.0:*\n" for port in ports)
    return parted(ss4=head + rows, ss6=head, range="32768\t60999\n")


def _updates(*names: str, hours: int = 5, security: str = "stable-security") -> Told:
    lines = "".join(f"{name}/{security} 1.1 amd64 [upgradable from: 1.0]\n" for name in names)
    return parted(
        now="1772000000\n",
        lists="yes\n",
        refreshed=f"{1772000000 - hours * 3600}\n",
        apt=f"Listing...\n{lines}",
        end="",
    )


def _apk(pending: str) -> Told:
    listed = f"Installed:                                Available:\n{pending}"
    return parted(now="1772000000\n", lists="yes\n", refreshed="1771990000\n", apk=listed, end="")


def _logins(count: int) -> Told:
    journal = f"{count} total -\n3 unknown -\n0 denied -\n{count} source 198.51.100.7\n{count - 3} account root\n"
    return parted(journal=journal)


def _certificate(ends: str) -> Told:
    text = (
        f"notBefore=Jan  1 00:00:00 2026 GMT\nnotAfter={ends}\nserial=04AB\n"
        "subject=CN=www.example.com\nissuer=CN=Example CA\n"
    )
    return in_parts({"now": "1772000000\n", "file /etc/ssl/www.pem": text})


def _accounts(passwd: str = "", empty: str = "", admins: str = "sudo:alice\n") -> Told:
    users = f"root:0:/bin/bash\ndaemon:1:/usr/sbin/nologin\nalice:1000:/bin/bash\n{passwd}"
    return parted(passwd=users, open="", shadow=empty, groups=admins)


def _firewall(rules: str, six: str = "") -> Told:
    return parted(
        uid="0\n",
        nft=rules,
        ip4=(127, "iptables-save: not found\n"),
        ip6=(127, "ip6tables-save: not found\n"),
        addresses=six or (1, ""),
    )


def _chain(family: str) -> str:
    return (
        f"table {family} filter {{\n\tchain input {{\n\t\ttype filter hook input priority 0; policy drop;\n\t}}\n}}\n"
    )


_ADDRESS6 = "20010db8000000000000000000000001 02 40 00 80     eth0\n"


def _sshd(**changed: str) -> Told:
    values = {
        "port": "22",
        "permitrootlogin": "without-password",
        "passwordauthentication": "yes",
        "kbdinteractiveauthentication": "no",
        "permitemptypasswords": "no",
        "pubkeyauthentication": "yes",
        "x11forwarding": "no",
        "maxauthtries": "6",
    } | changed
    return in_parts({"effective": "".join(f"{name} {value}\n" for name, value in values.items()), "end": ""})


_PATHS = ["/etc/ssl/www.pem"]

SECURITY: list[Case] = [
    check(
        "SC-010",
        fires=(_listeners(22, 443), _listeners(22, 443, 4444)),
        silent=(_listeners(22, 443), _listeners(22)),
        says="New listeners: tcp 0.0.0.0:4444",
    ),
    check(
        "SC-010",
        name="expected",
        fires=(_listeners(22), _listeners(22, 80, 9100)),
        silent=(_listeners(22), _listeners(22, 9100)),
        says="New listeners: tcp 0.0.0.0:80",
        maintops_expected_listeners=["tcp 0.0.0.0:9100"],
    ),
    check(
        "SC-020",
        fires=_updates("curl", "openssl"),
        silent=_updates("tzdata", security="stable"),
        says="2 security updates are pending",
    ),
    check(
        "SC-020",
        name="apk",
        fires=_apk("busybox-1.36.1-r2                       < 1.36.1-r5\n"),
        silent=_apk(""),
        says="1 updates are pending; apk does not say which are for security",
    ),
    check(
        "SC-020",
        name="lists",
        fires=_updates(hours=400),
        silent=_updates(hours=100),
        says="The package lists are 400 hours old",
    ),
    check("SC-030", fires=_logins(1200), silent=_logins(12), says="1200 failed logins in 24 hours"),
    check(
        "SC-040",
        fires=_certificate("Mar  1 00:00:00 2026 GMT"),
        silent=_certificate("Jun  1 00:00:00 2026 GMT"),
        says="/etc/ssl/www.pem expires on 2026-03-01T00:00:00+00:00",
        severity="critical",
        maintops_certificate_paths=_PATHS,
    ),
    check(
        "SC-040",
        name="soon",
        fires=_certificate("Mar 15 00:00:00 2026 GMT"),
        silent=_certificate("Mar 29 00:00:00 2026 GMT"),
        says="/etc/ssl/www.pem expires on 2026-03-15T00:00:00+00:00",
        maintops_certificate_paths=_PATHS,
    ),
    check(
        "SC-040",
        name="missing",
        fires=in_parts({"now": "1772000000\n", "missing /etc/ssl/www.pem": ""}),
        silent=_certificate("Jun  1 00:00:00 2026 GMT"),
        says="There is no certificate in /etc/ssl/www.pem",
        maintops_certificate_paths=_PATHS,
    ),
    check(
        "SC-050",
        fires=_accounts("toor:0:/bin/sh\n"),
        silent=_accounts(),
        says="Accounts with uid 0: root, toor",
        severity="critical",
    ),
    check(
        "SC-050",
        name="password",
        fires=_accounts("bob:1001:/bin/bash\n", empty="bob\n"),
        silent=_accounts("bob:1001:/bin/bash\n"),
        says="Accounts with an empty password: bob",
        severity="critical",
    ),
    check(
        "SC-050",
        name="administrators",
        fires=(_accounts(), _accounts(admins="sudo:alice,mallory\n")),
        silent=(_accounts(admins="sudo:alice,mallory\n"), _accounts()),
        says="New administrators: mallory",
    ),
    check("SC-060", fires=_firewall(""), silent=_firewall(_chain("ip")), says="No firewall rule is active"),
    check(
        "SC-060",
        name="ipv6",
        fires=_firewall(_chain("ip"), _ADDRESS6),
        silent=_firewall(_chain("inet"), _ADDRESS6),
        says="IPv6 is not filtered",
    ),
    check("SC-070", fires=_sshd(permitrootlogin="yes"), silent=_sshd(), says="sshd lets root in with a password"),
    check(
        "SC-070",
        name="passwords",
        fires=_sshd(permitemptypasswords="yes"),
        silent=_sshd(permitrootlogin="yes", passwordauthentication="no"),
        says="sshd lets accounts with empty passwords in",
        severity="critical",
    ),
]

CASES: list[Case] = [*SYSTEM, *HARDWARE, *NETWORK, *SECURITY]
