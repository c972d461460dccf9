"""Answers of management controllers, made up: documents of Redfish resources, and what ipmitool prints of one."""

from __future__ import annotations

import json
from typing import Any

OK = {"State": "Enabled", "Health": "OK"}
SYSTEM, BOX = "/redfish/v1/Systems/1", "/redfish/v1/Chassis/1"


def document(*resources: dict[str, Any]) -> bytes:
    """What is gathered of a tree: path -> resource."""
    return json.dumps({one["@odata.id"]: one for one in resources}).encode()


def resource(path: str, kind: str, **attributes: Any) -> dict[str, Any]:
    """One resource; it is well where nothing else is said."""
    return {"@odata.id": path, "@odata.type": f"#{kind}.v1_9_0.{kind}", "Status": OK, **attributes}


HEALTH = document(
    resource(
        SYSTEM,
        "ComputerSystem",
        Name="System",
        Model="Example 1U",
        SerialNumber="EX-1",
        PowerState="On",
        BiosVersion="1.2",
        Status={"State": "Enabled", "Health": "OK", "HealthRollup": "Warning"},
        MemorySummary={"TotalSystemMemoryGiB": 64, "Status": {"Health": "Warning"}},
        ProcessorSummary={"Count": 2, "Status": OK},
    ),
    resource(BOX, "Chassis", Name="Box", PhysicalSecurity={"IntrusionSensor": "Normal"}),
    resource("/redfish/v1/Managers/1", "Manager", FirmwareVersion="7.0", Status={"State": "Enabled", "Health": None}),
)
STORAGE = document(
    resource(
        f"{SYSTEM}/Storage/RAID1",
        "Storage",
        Name="Controller",
        StorageControllers=[{"MemberId": "0", "Model": "R1", "FirmwareVersion": "9", "Status": OK}],
        Drives=[{"@odata.id": f"{SYSTEM}/Storage/RAID1/Drives/0"}],
    ),
    resource(
        f"{SYSTEM}/Storage/RAID1/Drives/0",
        "Drive",
        Name="Disk 0",
        Model="D1",
        MediaType="SSD",
        CapacityBytes=480_000_000_000,
        FailurePredicted=False,
        PredictedMediaLifeLeftPercent=88,
        PhysicalLocation={"PartLocation": {"ServiceLabel": "Bay 1"}},
    ),
    {"@odata.id": f"{SYSTEM}/Storage/RAID1/Drives/1", "error": {"code": "HTTP 500"}},
    resource(f"{SYSTEM}/Storage/RAID1/Volumes/0", "Volume", Name="V", RAIDType="RAID1", CapacityBytes=480_000_000_000),
)
MEMORY = document(
    resource(f"{SYSTEM}/Memory/A1", "Memory", Name="A1", CapacityMiB=32768, MemoryDeviceType="DDR5"),
    resource(f"{SYSTEM}/Memory/A2", "Memory", Name="A2", Status={"State": "Absent"}),
)
PROCESSORS = document(
    resource(f"{SYSTEM}/Processors/1", "Processor", Name="CPU 1", ProcessorType="CPU", TotalCores=16, Throttled=False),
)
POWER = document(
    resource(
        f"{BOX}/Power",
        "Power",
        PowerSupplies=[
            {"MemberId": "0", "Name": "PSU 1", "PowerCapacityWatts": 800, "LineInputVoltage": 230, "Status": OK},
            {"MemberId": "1", "Name": "PSU 2", "Status": {"State": "Absent", "Health": "Critical"}},
        ],
        Redundancy=[{"MemberId": "0", "Name": "PSUs", "Mode": "N+m", "MinNumNeeded": 1, "RedundancySet": [{}, {}]}],
        Voltages=[{"MemberId": "0", "Name": "12V", "ReadingVolts": 12.1, "UpperThresholdCritical": 13, "Status": OK}],
        PowerControl={"PowerConsumedWatts": 211},
    ),
)
THERMAL = document(
    resource(
        f"{BOX}/Thermal",
        "Thermal",
        Temperatures=[
            {"MemberId": "0", "Name": "Inlet", "ReadingCelsius": 22, "UpperThresholdCritical": 45, "Status": OK},
            {"MemberId": "1", "Name": "CPU 2", "ReadingCelsius": None, "Status": {"State": "Absent"}},
        ],
        Fans=[{"MemberId": "0", "FanName": "Fan 1", "Reading": 4200, "ReadingUnits": "RPM", "Status": OK}],
    ),
    resource(f"{BOX}/Sensors/T9", "Sensor", Name="T9", Reading=31.5, ReadingUnits="Cel", ReadingType="Temperature"),
)
FIRMWARE = document(
    resource("/redfish/v1/UpdateService/FirmwareInventory/BIOS", "SoftwareInventory", Name="BIOS", Version="1.2"),
    resource("/redfish/v1/UpdateService/FirmwareInventory/Installed-1-2.0__NIC.1", "SoftwareInventory", Version="2.0"),
)
SENSORS = b"""\
=sdr elist
 Sensor ID              : CPU Temp (0x1)
  Entity ID             : 3.1 (Processor)
  Sensor Type (Threshold)  : Temperature (0x01)
  Sensor Reading        : 45 (+/- 0) degrees C
  Status                : ok
  Upper critical        : 90.000
 CPU Temp,45,degrees C,ok
.0
"""
EVENTS = b"""\
=sel info
 SEL Information
 Version          : 1.5 (v1.5, v2 compliant)
 Entries          : 2
 Percent Used     : 1%
 Overflow         : false
.0
=sel elist
    1 | 03/01/2026 | 10:00:00 | Event Logging Disabled | Log area reset/cleared | Asserted
    2 | 03/02/2026 | 11:00:00 | Memory #0x53 | Uncorrectable ECC | Asserted
.0
"""

SAMPLES: dict[str, list[bytes]] = {
    "redfish-health": [HEALTH],
    "redfish-storage": [STORAGE],
    "redfish-memory": [MEMORY],
    "redfish-processors": [PROCESSORS],
    "redfish-power": [POWER],
    "redfish-thermal": [THERMAL],
    "redfish-firmware": [FIRMWARE],
    "bmc-sensors": [SENSORS],
    "bmc-events": [EVENTS],
}
