"""Cases of the monthly hardware check: what management controllers (BMCs) tell over the network."""

from __future__ import annotations

import json
from typing import Any

from tests.content.cases import Case, Told, check, in_parts, told

SYSTEM, BOX = "/redfish/v1/Systems/1", "/redfish/v1/Chassis/1"
OK = {"State": "Enabled", "Health": "OK"}
BAD = {"State": "Enabled", "Health": "Critical"}
SO_SO = {"State": "Enabled", "Health": "Warning"}
GONE = {"State": "Absent"}
AT: dict[str, Any] = {
    "maintops_bmc_address": "bmc.example",
    "maintops_bmc_user": "monitor",
    "maintops_bmc_password": "not-a-secret",
}
IPMI = AT | {"maintops_bmc_ipmi": True}


def tree(*resources: dict[str, Any]) -> Told:
    """What was gathered of a controller."""
    return told(json.dumps({one["@odata.id"]: one for one in resources}))


def one(path: str, kind: str, status: dict[str, Any] = OK, **attributes: Any) -> dict[str, Any]:
    return {"@odata.id": path, "@odata.type": f"#{kind}.v1_12_0.{kind}", "Status": status, **attributes}


def system(status: dict[str, Any] = OK, **attributes: Any) -> Told:
    whole = one(SYSTEM, "ComputerSystem", status, Name="System", Model="R640", PowerState="On", **attributes)
    seal = {"IntrusionSensor": attributes.get("Seal", "Normal")}
    manager = one("/redfish/v1/Managers/1", "Manager", FirmwareVersion="6.10")
    return tree(whole, one(BOX, "Chassis", Name="Chassis", PhysicalSecurity=seal), manager)


def drive(number: int, status: dict[str, Any] = OK, **attributes: Any) -> dict[str, Any]:
    path = f"{SYSTEM}/Storage/RAID.1/Drives/Disk.{number}"
    return one(path, "Drive", status, Name=f"Disk {number}", MediaType="SSD", **attributes)


def storage(*parts: dict[str, Any], **attributes: Any) -> Told:
    return tree(one(f"{SYSTEM}/Storage/RAID.1", "Storage", Name="PERC", **attributes), *parts)


def volume(status: dict[str, Any]) -> dict[str, Any]:
    return one(f"{SYSTEM}/Storage/RAID.1/Volumes/0", "Volume", status, Name="root", RAIDType="RAID1")


def module(slot: str, status: dict[str, Any] = OK) -> dict[str, Any]:
    return one(f"{SYSTEM}/Memory/{slot}", "Memory", status, Name=slot, CapacityMiB=32768)


def memory(*modules: dict[str, Any], gib: int = 64) -> Told:
    return tree(one(SYSTEM, "ComputerSystem", MemorySummary={"TotalSystemMemoryGiB": gib}), *modules)


def cpu(status: dict[str, Any] = OK, **attributes: Any) -> Told:
    return tree(one(f"{SYSTEM}/Processors/1", "Processor", status, Name="CPU 1", TotalCores=16, **attributes))


def older_power(*supplies: dict[str, Any], volts: float = 12.1) -> Told:
    limits = {"LowerThresholdCritical": 11.0, "UpperThresholdNonCritical": 12.6, "UpperThresholdCritical": 13.0}
    rail = {"MemberId": "0", "Name": "12V", "ReadingVolts": volts, "Status": OK, **limits}
    return tree(one(f"{BOX}/Power", "Power", PowerSupplies=list(supplies), Voltages=[rail]))


def supply(place: str, status: dict[str, Any] = OK, **attributes: Any) -> dict[str, Any]:
    return {"MemberId": place, "Name": f"PSU {place}", "Status": status, "PowerCapacityWatts": 750, **attributes}


def bay(status: dict[str, Any] = OK, **attributes: Any) -> Told:
    return tree(one(f"{BOX}/PowerSubsystem/PowerSupplies/Bay1", "PowerSupply", status, Name="Bay 1", **attributes))


def redundant(members: int, needed: int = 2) -> Told:
    """A set of supplies with so many members, of which so many make it redundant."""
    of = [{"@odata.id": f"{BOX}/Power#/PowerSupplies/{number}"} for number in range(members)]
    whole = {"MemberId": "0", "Name": "PSUs", "Mode": "N+m", "MinNumNeeded": needed, "RedundancySet": of, "Status": OK}
    return tree(one(f"{BOX}/Power", "Power", PowerSupplies=[supply("0")], Redundancy=[whole]))


def thermal(celsius: float, fan: dict[str, Any] = OK, rpm: float = 6000) -> Told:
    limits = {"UpperThresholdNonCritical": 42, "UpperThresholdCritical": 47}
    inlet = {"MemberId": "0", "Name": "Inlet Temp", "ReadingCelsius": celsius, "Status": OK, **limits}
    turning = {"MemberId": "0", "Name": "Fan 1", "Reading": rpm, "ReadingUnits": "RPM", "Status": fan}
    limit = {"LowerThresholdNonCritical": 900, "LowerThresholdCritical": 600}
    return tree(one(f"{BOX}/Thermal", "Thermal", Temperatures=[inlet], Fans=[turning | limit]))


def bios(version: str) -> Told:
    return tree(one("/redfish/v1/UpdateService/FirmwareInventory/BIOS", "SoftwareInventory", Version=version))


def sensors(celsius: int, status: str, supply: str = "Presence detected") -> Told:
    """`ipmitool -c -v sdr elist` of one reading and one power supply."""
    bad = "" if supply == "Presence detected" else f"                         [{supply}]\n"
    return in_parts(
        {
            "sdr elist": f"""\
Sensor ID              : CPU Temp (0x1)
 Entity ID             : 3.1 (Processor)
 Sensor Type (Threshold)  : Temperature (0x01)
 Sensor Reading        : {celsius} (+/- 0) degrees C
 Status                : {status}
 Upper non-critical    : 80.000
 Upper critical        : 90.000

Sensor ID              : PS1 Status (0x62)
 Entity ID             : 10.1 (Power Supply)
 Sensor Type (Discrete): Power Supply (0x08)
 States Asserted       : Power Supply
                         [Presence detected]
{bad}"""
        }
    )


def events(*lines: str, used: int = 3) -> Told:
    info = f"SEL Information\nVersion          : 1.5 (v1.5, v2 compliant)\nEntries          : {len(lines)}\n"
    return in_parts(
        {"sel info": f"{info}Percent Used     : {used}%\nOverflow         : false\n", "sel elist": "\n".join(lines)}
    )


CLEARED = "   1 | 01/12/2026 | 08:00:00 | Event Logging Disabled SEL | Log area reset/cleared | Asserted"
ECC = "   2 | 02/27/2026 | 03:12:44 | Memory DIMM A1 | Uncorrectable ECC | Asserted"

CASES: list[Case] = [
    check("HW-300", fires=system(BAD), silent=system(), says="Systems/1 is critical", severity="critical", **AT),
    check("HW-300", name="warning", fires=system(SO_SO), silent=system(), says="Systems/1 has a warning", **AT),
    check(
        "HW-300",
        name="part",
        fires=system({**OK, "HealthRollup": "Critical"}),
        silent=system({**OK, "HealthRollup": "OK"}),
        says="A part of Systems/1 is critical",
        severity="critical",
        **AT,
    ),
    check(
        "HW-300",
        name="opened",
        fires=system(Seal="HardwareIntrusion"),
        silent=system(Seal="Normal"),
        says="Chassis/1 was opened",
        **AT,
    ),
    check(
        "HW-310",
        fires=storage(drive(0), drive(1, FailurePredicted=True)),
        silent=storage(drive(0, FailurePredicted=False), drive(1, GONE)),
        says="Storage/RAID.1/Drives/Disk.1 (Disk 1) expects to fail",
        severity="critical",
        **AT,
    ),
    check(
        "HW-310",
        name="critical",
        fires=storage(drive(0, BAD)),
        silent=storage(drive(0)),
        says="Disk.0 (Disk 0) is critical",
        severity="critical",
        **AT,
    ),
    check(
        "HW-310",
        name="pulled",
        fires=(storage(drive(0)), storage(drive(0, GONE))),
        silent=(storage(drive(0, GONE)), storage(drive(0, GONE))),
        says="its place is empty",
        severity="critical",
        **AT,
    ),
    check(
        "HW-310",
        name="cache",
        fires=storage(CacheSummary={"Status": SO_SO}),
        silent=storage(CacheSummary={"Status": OK}),
        says="The cache of Storage/RAID.1 (PERC) is not well: Warning",
        **AT,
    ),
    check(
        "HW-311",
        fires=storage(drive(0, PredictedMediaLifeLeftPercent=4)),
        silent=storage(drive(0, PredictedMediaLifeLeftPercent=80), drive(1)),
        says="4 % of its life left",
        severity="critical",
        **AT,
    ),
    check(
        "HW-311",
        name="hot",
        fires=storage(drive(0, CurrentTemperatureCelsius=66)),
        silent=storage(drive(0, CurrentTemperatureCelsius=34)),
        says="has 66 °C",
        **AT,
    ),
    check(
        "HW-312",
        fires=storage(drive(0), volume(SO_SO)),
        silent=storage(drive(0, BAD), volume(OK)),
        says="The volume Storage/RAID.1/Volumes/0 (root) is degraded",
        severity="critical",
        **AT,
    ),
    check(
        "HW-320",
        fires=memory(module("A1"), module("A2", BAD)),
        silent=memory(module("A1"), module("A2", GONE)),
        says="Memory/A2 (A2) is critical",
        severity="critical",
        **AT,
    ),
    check(
        "HW-320",
        name="less",
        fires=(memory(module("A1")), memory(module("A1"), gib=32)),
        silent=(memory(module("A1")), memory(module("A1"))),
        says="The server has 32 GiB of memory; it had 64 GiB",
        severity="critical",
        **AT,
    ),
    check("HW-330", fires=cpu(BAD), silent=cpu(), says="Processors/1 (CPU 1) is critical", severity="critical", **AT),
    check("HW-330", name="slow", fires=cpu(Throttled=True), silent=cpu(Throttled=False), says="is throttled", **AT),
    check(
        "HW-340",
        fires=older_power(supply("0"), supply("1", BAD)),
        silent=older_power(supply("0"), supply("1", {"State": "Absent", "Health": "Critical"})),
        says="Power/PowerSupplies/1 (PSU 1) is critical",
        severity="critical",
        **AT,
    ),
    check(
        "HW-340",
        name="no-input",
        fires=bay(LineInputStatus="LossOfInput"),
        silent=bay(LineInputStatus="Normal"),
        says="gets no power",
        severity="critical",
        **AT,
    ),
    check(
        "HW-340",
        name="not-redundant",
        fires=redundant(1),
        silent=redundant(2),
        says="Power/Redundancy/0 (PSUs) is not redundant: 1 of 2",
        **AT,
    ),
    check("HW-340", name="no-members-listed", fires=redundant(1), silent=redundant(0), says="is not redundant", **AT),
    check(
        "HW-340",
        name="fewer-members",
        fires=(redundant(4), redundant(3)),
        silent=(redundant(4), redundant(4)),
        says="Power/Redundancy/0 (PSUs) shrank from 4 to 3",
        severity="critical",
        **AT,
    ),
    check(
        "HW-341",
        fires=older_power(volts=13.4),
        silent=older_power(volts=12.1),
        says="Power/Voltages/0 (12V) is critical",
        severity="critical",
        **AT,
    ),
    check(
        "HW-350",
        fires=thermal(48),
        silent=thermal(24),
        says="Thermal/Temperatures/Inlet Temp (Inlet Temp) is critically hot",
        severity="critical",
        **AT,
    ),
    check("HW-350", name="warm", fires=thermal(43), silent=thermal(41), says="hotter or colder", **AT),
    check(
        "HW-351",
        fires=thermal(24, rpm=300),
        silent=thermal(24, rpm=6000),
        says="Thermal/Fans/Fan 1 (Fan 1) is critical",
        severity="critical",
        **AT,
    ),
    check(
        "HW-360",
        fires=(bios("2.1"), bios("2.2")),
        silent=(bios("2.1"), bios("2.1")),
        says="BIOS is now 2.2; it was 2.1",
        severity="info",
        **AT,
    ),
    check(
        "HW-370",
        fires=sensors(93, "Upper Critical"),
        silent=sensors(45, "ok"),
        says="CPU Temp is past a critical limit",
        severity="critical",
        **IPMI,
    ),
    check(
        "HW-370",
        name="supply",
        fires=sensors(45, "ok", "Failure detected"),
        silent=sensors(45, "ok"),
        says="PS1 Status: Presence detected, Failure detected",
        severity="critical",
        **IPMI,
    ),
    check(
        "HW-380",
        fires=events(CLEARED, ECC),
        silent=events(CLEARED, ECC, ECC.replace("   2", "   3").replace("Asserted", "Deasserted")),
        says="Memory DIMM A1: Uncorrectable ECC",
        severity="critical",
        **IPMI,
    ),
    check(
        "HW-380",
        name="full",
        fires=events(CLEARED, used=95),
        silent=events(CLEARED, used=40),
        says="95 % of the event log are used",
        **IPMI,
    ),
]
