"""Answers of servers that this machine is not like, made up: something to spoil for the probes that would have none."""

from __future__ import annotations

MDSTAT = b"""\
Personalities : [raid1] [raid6] [raid5] [raid4] [raid0]
md2 : active raid5 sdd1[3] sdc1[1] sdb1[0](F)
      1953260544 blocks super 1.2 level 5, 512k chunk, algorithm 2 [3/2] [_UU]
      [==>..................]  recovery = 12.6% (123121212/976630272) finish=77.0min speed=184600K/sec
      bitmap: 3/8 pages [12KB], 65536KB chunk

md1 : active (auto-read-only) raid1 sdb2[1] sda2[0]
      1048512 blocks [2/2] [UU]
      \tresync=PENDING

md5 : inactive sde1[0](S)
      976630464 blocks super 1.2

unused devices: <none>
"""

HWMON = b"""\
/sys/class/hwmon/hwmon0/name:coretemp
/sys/class/hwmon/hwmon0/temp1_input:45000
/sys/class/hwmon/hwmon0/temp1_label:Package id 0
/sys/class/hwmon/hwmon0/temp1_max:82000
/sys/class/hwmon/hwmon0/temp1_crit:100000
/sys/class/hwmon/hwmon0/temp1_crit_alarm:0
/sys/class/hwmon/hwmon0/device:/sys/devices/platform/coretemp.0
/sys/class/hwmon/hwmon1/name:nct6779
/sys/class/hwmon/hwmon1/temp1_input:-128000
/sys/class/hwmon/hwmon1/temp2_input:31500
/sys/class/hwmon/hwmon1/temp2_fault:0
/sys/class/hwmon/hwmon1/device:/sys/devices/platform/nct6775.656
"""

UNITS = b"""\
nightly-backup.service                  loaded    failed failed Nightly backup of /srv
\xe2\x97\x8f data.mount                            not-found failed failed data.mount
"""

DISKS = b"""\
=scan
 /dev/sda -d sat # /dev/sda [SAT], ATA device
 /dev/bus/0 -d megaraid,4 # /dev/bus/0 [megaraid_disk_04], SCSI device
 # /dev/nvme0 -d nvme # /dev/nvme0, NVMe device open failed: Permission denied
.0
=/dev/sda sat
 {"smartctl": {"exit_status": 64}, "device": {"name": "/dev/sda", "protocol": "ATA"}, "model_name": "Example 1000",
  "serial_number": "EX1", "smart_status": {"passed": true}, "temperature": {"current": 31},
  "power_on_time": {"hours": 4711}, "ata_smart_error_log": {"summary": {"count": 3}},
  "ata_smart_self_test_log": {"standard": {"table": [{"type": {"string": "Short offline"},
  "status": {"value": 0, "passed": true}}]}},
  "ata_smart_attributes": {"table": [
   {"id": 5, "name": "Reallocated_Sector_Ct", "when_failed": "", "raw": {"value": 8, "string": "8"}},
   {"id": 197, "name": "Current_Pending_Sector", "when_failed": "now", "raw": {"value": 1, "string": "1"}}]}}
.64
=/dev/bus/0 megaraid,4
 smartctl 6.6 2016-05-31 r4324 [x86_64-linux-4.15.0] (local build)
 Vendor:               EXAMPLE
 Product:              SAS600
 Serial number:        EX2
 SMART support is:     Enabled
 SMART Health Status: OK
 Current Drive Temperature:     29 C
 Drive Trip Temperature:        60 C
 Elements in grown defect list: 0
 number of hours powered up = 12.25
 read:          1        0         0         1          0         12.300           0
 write:         0        0         0         0          0          1.200           2
 No self-tests have been logged
.0
"""

KERNEL = b"""\
=log
 <3>[    1.000000] ERST: Failed to get Error Log Address Range.
 <3>[ 5000.250000] blk_update_request: I/O error, dev sdb, sector 2048
 <3>[ 5001.000000] Out of memory: Killed process 812 (java) total-vm:1kB
 .0
.0
=uptime
 6000.00 11000.00
.0
=vmstat
 oom_kill 1
.0
"""

SAMPLES: dict[str, list[bytes]] = {
    "mdraid": [MDSTAT],
    "temperatures": [HWMON],
    "failed-units": [UNITS],
    "smart": [DISKS],
    "kernel-log": [KERNEL],
}
