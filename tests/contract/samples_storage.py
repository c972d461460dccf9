"""Answers of servers with storage of every kind, made up: few test machines have such tools and drives."""

from __future__ import annotations

import json
from typing import Any


def parted(**parts: str | tuple[int, str]) -> bytes:
    """An answer in parts as the script prints them: a text stands for status 0, two underscores for a space."""
    lines: list[str] = []
    for name, one in parts.items():
        status, text = (0, one) if isinstance(one, str) else one
        lines += [f"={name.replace('__', ' ')}", *(f" {line}" for line in text.splitlines()), f".{status}"]
    return "".join(f"{line}\n" for line in lines).encode()


# --- nvme ------------------------------------------------------------------------------------------------------------

NVME_DRIVES = """\
/sys/class/nvme/nvme0/model:Example NVMe 960
/sys/class/nvme/nvme0/serial:EX100
/sys/class/nvme/nvme0/firmware_rev:1.0B
/sys/class/nvme/nvme0/state:live
/sys/class/nvme/nvme0/transport:pcie
/sys/class/nvme/nvme10/model:Example NVMe 960
/sys/class/nvme/nvme10/state:live
"""


def nvme_log(**changed: Any) -> str:
    """A SMART log as nvme-cli 1 prints it."""
    log = {
        "critical_warning": 0,
        "temperature": 310,
        "avail_spare": 100,
        "spare_thresh": 10,
        "percent_used": 3,
        "data_units_written": 1000,
        "power_cycles": 12,
        "power_on_hours": 4711,
        "unsafe_shutdowns": 5,
        "media_errors": 0,
        "num_err_log_entries": 62,
        "warning_temp_time": 0,
        "critical_comp_time": 0,
        "temperature_sensor_1": 310,
    }
    return json.dumps(log | changed, indent=2)


NVME_BITS = {"value": 5, "available_spare": 1, "temp_threshold": 0, "reliability_degraded": 1, "ro": 0}
"""A critical warning as nvme-cli 2.11 prints it."""

NVME = parted(
    drives=NVME_DRIVES,
    log__nvme0=nvme_log(),
    log__nvme10=nvme_log(critical_warning=NVME_BITS, temperature="351", avail_spare="7", media_errors=2.0),
)

# --- zfs -------------------------------------------------------------------------------------------------------------

ZPOOL_LIST = (
    "tank\t5994\t4795\t1199\t21\t80\tONLINE\nrpool\t1000\t100\t900\t5%\t10%\tDEGRADED\nlost\t-\t-\t-\t-\t-\tUNAVAIL\n"
)

ZPOOL_STATUS = """\
  pool: lost
 state: UNAVAIL
status: One or more devices could not be opened.  There are insufficient
\treplicas for the pool to continue functioning.
action: Attach the missing device and online it using 'zpool online'.
config:

\tNAME        STATE     READ WRITE CKSUM
\tlost        UNAVAIL      0     0     0  insufficient replicas
\t  sdx       UNAVAIL      0     0     0

  pool: rpool
 state: DEGRADED
status: One or more devices has experienced an unrecoverable error.
action: Replace the device.
  scan: resilver in progress since Sun Mar  1 01:00:00 2026
\t82.4G / 100G scanned at 1.2G/s, 47.0G / 100G issued at 600M/s
\t46.9G resilvered, 47.04% done, 00:01:31 to go
config:

\tNAME                     STATE     READ WRITE CKSUM
\trpool                    DEGRADED     0     0     0
\t  mirror-0               DEGRADED     0     0     0
\t    sda2                 ONLINE       0     0     0
\t    replacing-1          DEGRADED     0     0     0
\t      1168750847000      FAULTED      3   137     0  was /dev/sdb2/old
\t      sdb2               ONLINE       0     0 1.88K  (resilvering)

errors: Permanent errors have been detected in the following files:

        /rpool/data/a
        rpool/vm:<0x1>

  pool: tank
 state: ONLINE
  scan: scrub repaired 0B in 11:16:03 with 0 errors on Sun Feb 15 11:40:04 2026
config:

\tNAME        STATE     READ WRITE CKSUM
\ttank        ONLINE       0     0     0
\t  raidz2-0  ONLINE       0     0     0
\t    sdc     ONLINE       0     0     0
\t    sdd     ONLINE       0     0     0
\tspares
\t  sde       AVAIL

errors: No known data errors
"""

ZFS = parted(list=ZPOOL_LIST, status=ZPOOL_STATUS, now="2026-03-01 02:00:00")

# --- lvm -------------------------------------------------------------------------------------------------------------


def lvm_report(kind: str, *rows: dict[str, str]) -> str:
    """One of LVM's JSON reports."""
    return json.dumps({"report": [{kind: list(rows)}]}, indent=2)


def group(name: str = "vg0", **changed: str) -> dict[str, str]:
    """A row of vgs."""
    row = {"vg_attr": "wz--n-", "vg_size": "1000", "vg_free": "250", "vg_missing_pv_count": "0"}
    return {"vg_name": name} | row | changed


def volume(name: str, attributes: str, **changed: str) -> dict[str, str]:
    """A row of lvs in the group vg0."""
    row = {"lv_size": "100", "data_percent": "", "metadata_percent": "", "copy_percent": "", "lv_health_status": ""}
    return {"vg_name": "vg0", "lv_name": name, "lv_attr": attributes, "raid_mismatch_count": ""} | row | changed


LVM = parted(
    vgs=lvm_report("vg", group(), group("vg1", vg_attr="wz-pn-", vg_missing_pv_count="1")),
    lvs=lvm_report(
        "lv",
        volume("root", "-wi-ao----"),
        volume("pool", "twi-aotz--", data_percent="78.89", metadata_percent="19.25"),
        volume("thin1", "Vwi-aotz--", data_percent="99.00"),
        volume("snap", "swi-a-s---", data_percent="97.10"),
        volume("r1", "rwi-aor-p-", copy_percent="100.00", lv_health_status="partial", raid_mismatch_count="128"),
        volume("off", "twi---tz--"),
    ),
)

# --- megaraid --------------------------------------------------------------------------------------------------------


def storcli(*data: dict[str, Any] | str) -> str:
    """What storcli prints with J: the data of each controller, or why there are none."""
    return json.dumps({"Controllers": [_controller(number, one) for number, one in enumerate(data)]}, indent=1)


def _controller(number: int, data: dict[str, Any] | str) -> dict[str, Any]:
    status: dict[str, Any] = {"CLI Version": "007.2807.0000.0000 Dec 22, 2023", "Controller": number}
    if isinstance(data, str):
        return {"Command Status": status | {"Status": "Failure", "Description": data}}
    return {"Command Status": status | {"Status": "Success", "Description": "None"}, "Response Data": data}


def raid(**changed: Any) -> dict[str, Any]:
    """The data of one controller: a mirror of two drives and a battery."""
    drive = {"State": "Onln", "DG": 0, "Size": "1.090 TB", "Intf": "SAS", "Med": "HDD", "Model": "EXAMPLE12 "}
    return {
        "Basics": {"Controller": 0, "Model": "Example RAID 9361", "Serial Number": "EX200"},
        "Version": {"Firmware Version": "4.680.00"},
        "Status": {"Controller Status": "Optimal", "Memory Correctable Errors": 0, "Memory Uncorrectable Errors": 0},
        "HwCfg": {"ROC temperature(Degree Celsius)": 58, "BBU": "Present"},
        "VD LIST": [{"DG/VD": "0/0", "TYPE": "RAID1", "State": "Optl", "Consist": "Yes", "Name": "system"}],
        "PD LIST": [{"EID:Slt": "252:0", "DID": 8} | drive, {"EID:Slt": "252:1", "DID": 9} | drive],
        "BBU_Info": [{"Model": "BBU", "State": "Optimal", "RetentionTime": "48 hours +", "Temp": "34C"}],
    } | changed


def raid_drives(**first: Any) -> dict[str, Any]:
    """Details of the two drives; `first` changes the state of the first one."""
    data: dict[str, Any] = {}
    for slot in (0, 1):
        path = f"Drive /c0/e252/s{slot}"
        state = {
            "Media Error Count": 0,
            "Other Error Count": 0,
            "Drive Temperature": " 31C (87.80 F)",
            "Predictive Failure Count": 0,
            "S.M.A.R.T alert flagged by drive": "No",
        }
        data[path] = [{"EID:Slt": f"252:{slot}", "State": "Onln", "DG": 0}]
        data[f"{path} - Detailed Information"] = {
            f"{path} State": state | (first if slot == 0 else {}),
            f"{path} Device attributes": {
                "SN": f"  EX30{slot}",
                "Model Number": "EXAMPLE12",
                "Firmware Revision": "A1",
            },
        }
    return data


NO_DRIVES = (255, storcli("No drive found!"))

MEGARAID = parted(
    controllers=storcli(
        raid(
            **{
                "VD LIST": [{"DG/VD": "0/0", "TYPE": "RAID1", "State": "Dgrd", "Consist": "No", "Name": ""}],
                "PD LIST": [
                    {"EID:Slt": "252:0", "State": "Onln", "DG": 0, "Model": "EXAMPLE12"},
                    {"EID:Slt": "252:1", "State": "Rbld", "DG": 0, "Model": "EXAMPLE12"},
                    {"EID:Slt": " :2", "State": "UBad", "DG": "F", "Model": "EXAMPLE12"},
                ],
            }
        )
    ),
    drives=storcli(raid_drives(**{"Media Error Count": 4, "S.M.A.R.T alert flagged by drive": "Yes"})),
    direct=NO_DRIVES,
)

STORCLI_TEXT = b"""\
Generating detailed summary of the adapter, it may take a while to complete.

CLI Version = 007.2408.0000.0000 Nov 15, 2022
Operating system = Linux 5.14.0
Controller = 0
Status = Success
Description = None

Product Name = Example RAID
FW Version = 4.300.00-8352
Virtual Drives = 1

VD LIST :
=======

--------------------------------------------------------------
DG/VD TYPE  State Access Consist Cache Cac sCC      Size Name
--------------------------------------------------------------
0/0   RAID5 Pdgd  RW     Yes     RWBD  -   ON   1.090 TB my data
--------------------------------------------------------------

Physical Drives = 3

PD LIST :
=======

---------------------------------------------------------------------------------
EID:Slt DID State DG       Size Intf Med SED PI SeSz Model                Sp Type
---------------------------------------------------------------------------------
32:0      0 Onln   0 558.375 GB SAS  HDD N   N  512B EXAMPLE600           U  -
32:1      1 Offln  0 558.375 GB SAS  HDD N   N  512B EXAMPLE 600 X        D  -
 :3       3 UGood  F 558.375 GB SAS  HDD N   N  512B EXAMPLE600           U  -
---------------------------------------------------------------------------------

BBU_Info :
========

----------------------------------------------------------------------------------
Model State                 RetentionTime Temp Mode MfgDate Next Learn
----------------------------------------------------------------------------------
BBU   Dgd (Needs Attention) 0 hour(s)     36C  -    0/00/00 2026/04/18  18:32:56
----------------------------------------------------------------------------------
"""

# --- hp-arrays -------------------------------------------------------------------------------------------------------

SSACLI = """\

Smart Array P410i in Slot 0 (Embedded)
   Bus Interface: PCI
   Slot: 0
   Serial Number: EX400
   Controller Status: OK
   Firmware Version: 6.40
   Cache Status: OK
   Battery/Capacitor Count: 1
   Battery/Capacitor Status: OK
   Controller Temperature (C): 52
   Sensor ID: 0
      Location: Inlet Ambient
      Current Value (C): 45

   Internal Drive Cage at Port 1I, Box 1, OK

      Power Supply Status: Not Redundant
      Drive Bays: 4

   Physical Drives
      physicaldrive 1I:1:1 (port 1I:box 1:bay 1, SAS HDD, 300 GB, OK)
      physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SAS HDD, 300 GB, OK)

   Port Name: 1I
         Port ID: 0

   Array: A
      Interface Type: SAS
      Status: OK

      Logical Drive: 1
         Size: 279.37 GB
         Fault Tolerance: 1
         Status: OK
         Unrecoverable Media Errors: None
         Mirror Group 1:
            physicaldrive 1I:1:1 (port 1I:box 1:bay 1, SAS HDD, 300 GB, OK)
         Mirror Group 2:
            physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SAS HDD, 300 GB, OK)
         Drive Type: Data

      physicaldrive 1I:1:1
         Port: 1I
         Status: OK
         Drive Type: Data Drive
         Firmware Revision: HPD5
         Serial Number: EX501
         Model: HP      EXAMPLE300
         Current Temperature (C): 34

      physicaldrive 1I:1:2
         Port: 1I
         Status: OK
         Drive Type: Data Drive
         Serial Number: EX502
         Model: HP      EXAMPLE300
         Usage remaining: 97.35%
         Current Temperature (C): 35

   SEP (Vendor ID EXAMPLE, Model  SRC 8x6G) 250
      Device Number: 250
      Firmware Version: RevC
"""

SAMPLES: dict[str, list[bytes]] = {
    "nvme": [NVME],
    "zfs-pools": [ZFS],
    "lvm": [LVM],
    "megaraid": [MEGARAID, STORCLI_TEXT],
    "hp-arrays": [SSACLI.encode()],
}
