"""Cases of the monthly hardware check: what disks are joined to, by the kernel or by a controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.content.cases import Case, Told, check, in_parts, told
from tests.contract.samples_storage import (
    NO_DRIVES,
    SSACLI,
    ZPOOL_STATUS,
    group,
    lvm_report,
    raid,
    raid_drives,
    storcli,
    volume,
)

# --- software: md, ZFS, LVM ------------------------------------------------------------------------------------------


def md(first: str, second: str = "", *, mismatches: int = 0) -> Told:
    """An array of two lines, and what its latest check found."""
    details = f"      {second}\n" if second else ""
    text = f"Personalities : [raid1] [raid5]\nmd0 : {first}\n{details}\nunused devices: <none>\n"
    return told(f"{text}/sys/block/md0/md/mismatch_cnt:{mismatches}\n")


MIRROR = md("active raid1 vdc[1] vdb[0]", "65472 blocks super 1.2 [2/2] [UU]")
RAID5 = "active raid5 vdd[2] vdc[1] vdb[0]", "130944 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/3] [UUU]"


def zfs(status: str, capacity: int = 41) -> Told:
    """One pool, and the server's clock on 1 March 2026."""
    parts = {"list": f"tank\t5994\t4795\t1199\t21\t{capacity}\tONLINE\n", "status": status}
    return in_parts({**parts, "now": "2026-03-01 02:00:00"})


WELL = ZPOOL_STATUS[ZPOOL_STATUS.index("  pool: tank") :]


def lvm(*rows: dict[str, str], **changed: str) -> Told:
    """The group vg0, changed as told, and volumes in it."""
    return in_parts({"vgs": lvm_report("vg", group(**changed)), "lvs": lvm_report("lv", *rows)})


SOFTWARE = [
    check(
        "HW-130",
        fires=md("active raid1 vdc[1](F) vdb[0]", "65472 blocks super 1.2 [2/1] [U_]"),
        silent=MIRROR,
        says="md0 is degraded: 1 of 2 devices work",
        severity="critical",
    ),
    check(
        "HW-130",
        name="failed",
        fires=md("active raid1 vdd[2](F) vdc[1] vdb[0]", "65472 blocks super 1.2 [2/2] [UU]"),
        silent=MIRROR,
        says="md0 still holds 1 failed devices",
    ),
    check(
        "HW-130",
        name="broken",
        fires=md("broken raid0 vdc[1] vdb[0]", "130944 blocks super 1.2 512k chunks"),
        silent=md("active raid0 vdc[1] vdb[0]", "130944 blocks super 1.2 512k chunks"),
        says="md0 is broken",
        severity="critical",
    ),
    check("HW-131", fires=md(*RAID5, mismatches=128), silent=md(*RAID5), says="md0 (raid5) found 128 sectors"),
    check(
        "HW-131",
        name="mirror",
        fires=md("active raid1 vdc[1] vdb[0]", "65472 blocks super 1.2 [2/2] [UU]", mismatches=256),
        silent=MIRROR,
        says="md0 (raid1) found 256 sectors",
        severity="info",
    ),
    check(
        "HW-140",
        fires=zfs(WELL.replace("state: ONLINE", "state: DEGRADED").replace("sdd     ONLINE", "sdd     FAULTED")),
        silent=zfs(WELL),
        says="Pool tank is DEGRADED: sdd FAULTED",
        severity="critical",
    ),
    check(
        "HW-140",
        name="suspended",
        fires=zfs(WELL.replace("state: ONLINE", "state: SUSPENDED")),
        silent=zfs(WELL),
        says="Pool tank is suspended",
        severity="critical",
    ),
    check(
        "HW-141",
        fires=zfs(WELL.replace("sdd     ONLINE       0     0     0", "sdd     ONLINE       0     0 1.88K")),
        silent=zfs(WELL),
        says="1925 blocks did not match their checksums",
    ),
    check(
        "HW-141",
        name="lost",
        fires=zfs(WELL.replace("No known data errors", "4 data errors, use '-v' for a list")),
        silent=zfs(WELL),
        says="Pool tank has lost 4 files or objects",
        severity="critical",
    ),
    check(
        "HW-141",
        name="disk",
        fires=zfs(WELL.replace("sdd     ONLINE       0     0     0", "sdd     ONLINE       3   137     0")),
        silent=zfs(WELL),
        says="3 read and 137 write errors",
    ),
    check(
        "HW-142",
        fires=zfs(WELL.replace("Sun Feb 15", "Sun Jan 11")),
        silent=zfs(WELL),
        says="pool tank ended 49 days ago",
    ),
    check(
        "HW-142",
        name="never",
        fires=zfs(
            WELL.replace("scrub repaired 0B in 11:16:03 with 0 errors on Sun Feb 15 11:40:04 2026", "none requested")
        ),
        silent=zfs(WELL.replace("scrub repaired 0B", "scrub in progress since")),
        says="Pool tank was never scrubbed",
    ),
    check(
        "HW-142",
        name="unrepaired",
        fires=zfs(WELL.replace("with 0 errors", "with 2 errors")),
        silent=zfs(WELL),
        says="could not repair 2 errors",
        severity="critical",
    ),
    check("HW-143", fires=zfs(WELL, 83), silent=zfs(WELL), says="Pool tank is 83 % full"),
    check("HW-143", name="full", fires=zfs(WELL, 97), silent=zfs(WELL), says="97 % full", severity="critical"),
    check(
        "HW-150",
        fires=lvm(volume("root", "-wi-ao----"), vg_attr="wz-pn-", vg_missing_pv_count="1"),
        silent=lvm(volume("root", "-wi-ao----")),
        says="Volume group vg0 misses 1 of its devices",
        severity="critical",
    ),
    check(
        "HW-150",
        name="raid",
        fires=lvm(volume("r1", "rwi-aor-m-", copy_percent="100.00", lv_health_status="mismatches exist")),
        silent=lvm(volume("r1", "rwi-aor---", copy_percent="100.00")),
        says="Volume vg0/r1 (raid): mismatches exist",
    ),
    check(
        "HW-150",
        name="volume",
        fires=lvm(volume("r1", "rwi-aor-p-", copy_percent="100.00")),
        silent=lvm(volume("off", "-wi-------")),
        says="Volume vg0/r1 (raid) is partial",
        severity="critical",
    ),
    check(
        "HW-151",
        fires=lvm(volume("pool", "twi-aotz--", data_percent="84.20", metadata_percent="12.00")),
        silent=lvm(
            volume("pool", "twi-aotz--", data_percent="64.20", metadata_percent="12.00"),
            volume("thin", "Vwi-aotz--", data_percent="99.90"),
        ),
        says="Pool vg0/pool is 84.2 % full",
    ),
    check(
        "HW-151",
        name="metadata",
        fires=lvm(volume("pool", "twi-aotz--", data_percent="20.00", metadata_percent="96.00")),
        silent=lvm(volume("off", "twi---tz--")),
        says="metadata of pool vg0/pool are 96.0 % full",
        severity="critical",
    ),
    check(
        "HW-151",
        name="snapshot",
        fires=lvm(volume("snap", "swi-a-s---", data_percent="91.00")),
        silent=lvm(volume("snap", "swi-a-s---", data_percent="1.00")),
        says="Snapshot vg0/snap is 91.0 % full",
    ),
    check(
        "HW-151",
        name="lost",
        fires=lvm(volume("snap", "swi-I-s---", data_percent="100.00")),
        silent=lvm(),
        says="Snapshot vg0/snap is lost",
        severity="critical",
    ),
]

# --- RAID controllers ------------------------------------------------------------------------------------------------


def controller(*, drives: Mapping[str, Any] | None = None, **changed: Any) -> Told:
    """A controller with a mirror of two drives, changed as told."""
    details = storcli(raid_drives(**(drives or {})))
    return in_parts({"controllers": storcli(raid(**changed)), "drives": details, "direct": NO_DRIVES})


def volumes(state: str) -> dict[str, Any]:
    return {"VD LIST": [{"DG/VD": "0/0", "TYPE": "RAID1", "State": state, "Consist": "Yes", "Name": ""}]}


def drives_of(state: str, group: Any = 0) -> dict[str, Any]:
    rows = [{"EID:Slt": f"252:{slot}", "State": one, "DG": group} for slot, one in enumerate(("Onln", state))]
    return {"PD LIST": rows}


BATTERY = {"BBU_Info": [{"Model": "BBU", "State": "Dgd (Needs Attention)", "Temp": "34C"}]}

RAID = [
    check(
        "HW-160",
        fires=controller(Status={"Controller Status": "Needs Attention", "Memory Uncorrectable Errors": 0}),
        silent=controller(),
        says="RAID controller c0 is not optimal: needs attention",
        severity="critical",
    ),
    check(
        "HW-160",
        name="battery",
        fires=controller(**BATTERY),
        silent=controller(),
        says="The battery c0/bbu of the RAID controller is degraded (needs attention)",
    ),
    check(
        "HW-160",
        name="foreign",
        fires=controller(**drives_of("UGood", "F")),
        silent=controller(),
        says="2 drives at c0 carry volumes of another controller",
    ),
    check(
        "HW-161",
        fires=controller(**volumes("Dgrd")),
        silent=controller(),
        says="Volume c0/v0 (RAID1) is degraded",
        severity="critical",
    ),
    check(
        "HW-161",
        name="drive",
        fires=controller(**drives_of("Failed")),
        silent=controller(),
        says="Drive c0/e252/s1 is failed",
        severity="critical",
    ),
    check(
        "HW-161",
        name="predicted",
        fires=controller(drives={"Predictive Failure Count": 1}),
        silent=controller(),
        says="Drive c0/e252/s0 expects to fail",
        severity="critical",
    ),
    check(
        "HW-161",
        name="growing",
        fires=(controller(drives={"Media Error Count": 1}), controller(drives={"Media Error Count": 9})),
        silent=(controller(), controller()),
        says="new media errors: 9, before 1",
        severity="critical",
    ),
    check(
        "HW-161",
        name="rebuild",
        fires=controller(**drives_of("Rbld")),
        silent=controller(),
        says="Drive c0/e252/s1 is being rebuilt",
    ),
    check(
        "HW-161",
        name="cable",
        fires=(controller(), controller(drives={"Other Error Count": 5})),
        silent=(controller(drives={"Other Error Count": 5}), controller(drives={"Other Error Count": 5})),
        says="Drive c0/e252/s0 has new errors that are not its surface's: 5",
    ),
    check(
        "HW-170",
        fires=told(SSACLI.replace("Capacitor Status: OK", "Capacitor Status: Failed (Replace Batteries)")),
        silent=told(SSACLI),
        says="The battery of RAID controller slot 0: failed (replace batteries)",
    ),
    check(
        "HW-170",
        name="controller",
        fires=told(SSACLI.replace("Controller Status: OK", "Controller Status: Failed")),
        silent=told(SSACLI),
        says="RAID controller slot 0 is not well: failed",
        severity="critical",
    ),
    check(
        "HW-170",
        name="cache",
        fires=told(SSACLI.replace("Cache Status: OK", "Cache Status: Temporarily Disabled")),
        silent=told(SSACLI),
        says="The cache of RAID controller slot 0: temporarily disabled",
    ),
    check(
        "HW-171",
        fires=told(
            SSACLI.replace("Tolerance: 1\n         Status: OK", "Tolerance: 1\n         Status: Interim Recovery Mode")
        ),
        silent=told(SSACLI),
        says="Volume slot 0 logical 1: interim recovery mode",
        severity="critical",
    ),
    check(
        "HW-171",
        name="drive",
        fires=told(SSACLI.replace("bay 2, SAS HDD, 300 GB, OK", "bay 2, SAS HDD, 300 GB, Predictive Failure")),
        silent=told(SSACLI),
        says="Drive slot 0 drive 1I:1:2: predictive failure",
        severity="critical",
    ),
    check(
        "HW-171",
        name="media",
        fires=told(SSACLI.replace("Media Errors: None", "Media Errors: Detected (see the log)")),
        silent=told(SSACLI),
        says="Parts of volume slot 0 logical 1 could not be read",
    ),
    check(
        "HW-171",
        name="worn",
        fires=told(SSACLI.replace("97.35%", "12.00%")),
        silent=told(SSACLI),
        says="slot 0 drive 1I:1:2 has 12.0 % of its life left",
    ),
]

CASES: list[Case] = [*SOFTWARE, *RAID]
