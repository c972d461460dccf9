"""Cases of the monthly hardware check: single disks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.content.cases import Case, Told, check, in_parts
from tests.contract.samples_storage import (
    nvme_log,
)

# --- disks: smart ----------------------------------------------------------------------------------------------------

_COUNTS = {"Reallocated_Sector_Ct": 5, "Current_Pending_Sector": 197, "Offline_Uncorrectable": 198}
_COUNTS |= {"Reported_Uncorrect": 187, "UDMA_CRC_Error_Count": 199, "Percent_Lifetime_Remain": 202}
_COUNTS |= {"Wear_Leveling_Count": 177}


def disk(*, passed: bool = True, celsius: int = 34, tested: int | None = 17300, life: int = 97, **counts: int) -> Told:
    """A SATA disk of 17500 hours as smartctl 7 reports it; `counts` are raw values of its attributes."""
    raw = {"Reallocated_Sector_Ct": 0, "Current_Pending_Sector": 0, "Offline_Uncorrectable": 0, "Reported_Uncorrect": 0}
    raw |= {"UDMA_CRC_Error_Count": 0} | counts
    raw |= {} if "Wear_Leveling_Count" in counts else {"Percent_Lifetime_Remain": 0}
    rows = [
        {"id": _COUNTS[name], "name": name, "value": life, "when_failed": "", "raw": {"value": one, "string": str(one)}}
        for name, one in raw.items()
    ]
    test = {"type": {"string": "Extended offline"}, "status": {"value": 0, "passed": True}, "lifetime_hours": tested}
    report = {
        "smartctl": {"version": [7, 3], "exit_status": 0 if passed else 8},
        "device": {"name": "/dev/sda", "type": "sat", "protocol": "ATA"},
        "model_name": "Example SSD 960",
        "serial_number": "EX1",
        "smart_status": {"passed": passed},
        "temperature": {"current": celsius},
        "power_on_time": {"hours": 17500},
        "ata_smart_attributes": {"table": rows},
        "ata_smart_error_log": {"summary": {"count": 0}},
        "ata_smart_self_test_log": {"standard": {"table": [test] if tested is not None else []}},
    }
    return smart("/dev/sda -d sat # /dev/sda [SAT], ATA device", "/dev/sda sat", report)


def sas_disk(celsius: int = 34) -> Told:
    """A SAS disk behind a controller as smartctl 6 reports it."""
    text = f"""smartctl 6.6 2016-05-31 r4324 [x86_64-linux-4.15.0] (local build)
Vendor:               EXAMPLE
Product:              SAS600
Transport protocol:   SAS (SPL-3)
SMART Health Status: OK
Current Drive Temperature:     {celsius} C
Drive Trip Temperature:        65 C
Elements in grown defect list: 0
"""
    return smart("/dev/bus/0 -d megaraid,4 # x, SCSI device", "/dev/bus/0 megaraid,4", text)


def nvme_disk(*, warning: int = 0, spare: int = 100, celsius: int = 40, errors: int = 0) -> Told:
    """An NVMe disk as smartctl 7 reports it."""
    report = {
        "smartctl": {"version": [7, 3], "exit_status": 8 if warning else 0},
        "device": {"name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe"},
        "smart_status": {"passed": not warning, "nvme": {"value": warning}},
        "temperature": {"current": celsius},
        "nvme_smart_health_information_log": {
            "critical_warning": warning,
            "available_spare": spare,
            "available_spare_threshold": 10,
            "percentage_used": 3,
            "media_errors": errors,
            "num_err_log_entries": 62,
            "unsafe_shutdowns": 5,
        },
    }
    return smart("/dev/nvme0 -d nvme # /dev/nvme0, NVMe device", "/dev/nvme0 nvme", report)


def smart(scan: str, name: str, report: Mapping[str, Any] | str) -> Told:
    """The list of one disk and its report."""
    text = report if isinstance(report, str) else json.dumps(report, indent=1)
    return in_parts({"scan": scan, name: text})


DISKS = [
    check(
        "HW-100",
        fires=disk(passed=False),
        silent=disk(),
        says="/dev/sda fails its own health test",
        severity="critical",
    ),
    check(
        "HW-100",
        name="nvme",
        fires=nvme_disk(warning=5),
        silent=nvme_disk(),
        says="/dev/nvme0 fails its own health test",
        severity="critical",
    ),
    check(
        "HW-101",
        fires=disk(Current_Pending_Sector=8),
        silent=disk(),
        says="8 sectors cannot be read",
        severity="critical",
    ),
    check(
        "HW-101",
        name="growing",
        fires=(disk(Reported_Uncorrect=2), disk(Reported_Uncorrect=5)),
        silent=(disk(), disk()),
        says="new uncorrected errors: 5, before 2",
        severity="critical",
    ),
    check("HW-101", name="nvme", fires=nvme_disk(errors=7), silent=nvme_disk(), says="7 uncorrected errors"),
    check(
        "HW-102",
        fires=(disk(Reallocated_Sector_Ct=8), disk(Reallocated_Sector_Ct=16)),
        silent=(disk(Reallocated_Sector_Ct=8), disk(Reallocated_Sector_Ct=8)),
        says="/dev/sda: 16 bad sectors, were 8",
    ),
    check(
        "HW-102",
        name="many",
        fires=(disk(Reallocated_Sector_Ct=60), disk(Reallocated_Sector_Ct=387)),
        silent=(nvme_disk(), nvme_disk()),
        says="387 bad sectors, were 60",
        severity="critical",
    ),
    check("HW-102", name="first", fires=disk(Reallocated_Sector_Ct=50), silent=sas_disk(), says="replaced 50 sectors"),
    check("HW-103", fires=disk(life=17), silent=disk(), says="/dev/sda has used 83 % of its life"),
    check(
        "HW-103",
        name="unclear",
        fires=disk(Wear_Leveling_Count=313),
        silent=sas_disk(),
        says="counts its wear in a way that is not known here",
        severity="info",
    ),
    check(
        "HW-103",
        name="spare",
        fires=nvme_disk(spare=9),
        silent=nvme_disk(),
        says="has 9 % of its spare blocks left",
        severity="critical",
    ),
    check(
        "HW-104",
        fires=(disk(UDMA_CRC_Error_Count=2), disk(UDMA_CRC_Error_Count=40)),
        silent=(disk(UDMA_CRC_Error_Count=40), disk(UDMA_CRC_Error_Count=40)),
        says="new transfer errors: 40, before 2",
    ),
    check("HW-105", fires=disk(celsius=58), silent=disk(), says="/dev/sda is at 58 °C"),
    check("HW-105", name="nvme", fires=nvme_disk(celsius=76), silent=nvme_disk(celsius=70), says="is at 76 °C"),
    check(
        "HW-105",
        name="sas",
        fires=sas_disk(66),
        silent=sas_disk(),
        says="is at 66 °C, its limit 65 °C",
        severity="critical",
    ),
    check("HW-106", fires=disk(tested=16000), silent=disk(), says="latest test 62 days of use ago"),
    check(
        "HW-106",
        name="never",
        fires=disk(tested=None),
        silent=nvme_disk(),
        says="/dev/sda has no self-test in its log",
        severity="info",
    ),
]

# --- disks: nvme -----------------------------------------------------------------------------------------------------


def drive(state: str = "live", **log: Any) -> Told:
    """One drive as the kernel and nvme-cli tell of it."""
    path = "/sys/class/nvme/nvme0"
    files = f"{path}/model:Example NVMe 960\n{path}/serial:EX100\n{path}/state:{state}\n{path}/transport:pcie\n"
    return in_parts({"drives": files, "log nvme0": nvme_log(**log)})


NVME = [
    check(
        "HW-110",
        fires=drive(critical_warning={"value": 8, "ro": 1}),
        silent=drive(),
        says="nvme0 warns of itself: read-only",
        severity="critical",
    ),
    check("HW-110", name="dead", fires=drive("dead"), silent=drive(), says="nvme0 is dead", severity="critical"),
    check(
        "HW-110",
        name="spare",
        fires=drive(avail_spare="9"),
        silent=drive(avail_spare="10"),
        says="nvme0 has 9 % of its spare blocks left",
        severity="critical",
    ),
    check("HW-111", fires=drive(media_errors=3), silent=drive(), says="nvme0: 3 uncorrected errors"),
    check(
        "HW-111",
        name="growing",
        fires=(drive(media_errors=3), drive(media_errors=4)),
        silent=(drive(), drive()),
        says="new uncorrected errors: 4, before 3",
        severity="critical",
    ),
    check("HW-111", name="worn", fires=drive(percent_used=80), silent=drive(), says="has used 80 % of its life"),
    check(
        "HW-112",
        fires=(drive(unsafe_shutdowns=5), drive(unsafe_shutdowns=8)),
        silent=(drive(), drive()),
        says="nvme0 lost its power unwarned 3 times",
    ),
    check("HW-112", name="warm", fires=drive(temperature=349), silent=drive(), says="nvme0 is at 76 °C"),
    check(
        "HW-112",
        name="hot",
        fires=(drive(), drive(critical_comp_time=7)),
        silent=(drive(critical_comp_time=7), drive(critical_comp_time=7)),
        says="nvme0 was so hot that it had to slow down",
        severity="critical",
    ),
]

CASES: list[Case] = [*DISKS, *NVME]
