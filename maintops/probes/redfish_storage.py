"""Storage as the management controller sees it: controllers, drives and volumes (Redfish).

Read are Storage, StorageController, Drive and Volume of the standard, SimpleStorage, and the SmartStorage of HPE, which
older controllers have in their place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maintops.probes.contract import Fact, Presence, Probe, Reach
from maintops.probes.redfish import (
    ASK,
    GENERAL,
    KINDS,
    Document,
    Found,
    Resource,
    asking,
    health_of,
    inline,
    label_of,
    listed,
    number,
    reader,
    recording,
    text,
    truth,
    whole,
)

_MIB = 1024 * 1024

FACTS = {
    **GENERAL,
    "model": Fact("str", "model of a drive or controller"),
    "manufacturer": Fact("str", "who made it"),
    "serial": Fact("str", "its serial number"),
    "firmware": Fact("str", "version of its firmware"),
    "capacity_bytes": Fact("int", "size of a drive or volume", "bytes"),
    "media_type": Fact("str", "HDD, SSD, … of a drive"),
    "protocol": Fact("str", "SATA, SAS, NVMe, … of a drive"),
    "failure_predicted": Fact("bool", "the drive expects to fail"),
    "media_life_left_percent": Fact("float", "what a flash drive has left of its life", "percent"),
    "temperature_celsius": Fact("float", "temperature of a drive", "degrees Celsius"),
    "power_on_hours": Fact("int", "how long a drive has been powered", "hours"),
    "indicator": Fact("str", "what a drive's lamp says: OK, Fail, Rebuild, PredictiveFailureAnalysis, Hotspare, …"),
    "raid_type": Fact("str", "RAID0, RAID1, … of a volume"),
    "operation": Fact("str", "what is being done to a drive or volume: Rebuild, Initialize, CheckConsistency, …"),
    "operation_percent": Fact("int", "how much of it is done", "percent"),
    "cache_health": Fact("str", "OK, Warning or Critical: a controller's cache"),
    "battery": Fact("str", "what a controller says of its battery or capacitor, in its maker's words"),
    "members": Fact("int", "members of a collection; only of one that was asked for by itself"),
}


def find(document: Document) -> Iterator[Found]:
    """Controllers, drives and volumes."""
    for path, one in document.of("Storage", "StorageController"):
        yield Found(path, "controller", one, _controller(one))
        for place, part in inline(path, "StorageControllers", one):
            yield Found(place, "controller", part, _controller(part))
        for place, part in inline(path, "Drives", one):
            yield Found(place, "drive", part, _drive(part))
    for path, one in document.of("Drive"):
        yield Found(path, "drive", one, _drive(one))
    for path, one in document.of("Volume"):
        yield Found(path, "volume", one, _volume(one))
    for path, one in document.of("SimpleStorage"):
        yield Found(path, "controller", one, {})
        for place, part in inline(path, "Devices", one):
            yield Found(place, "drive", part, _drive(part))


def _controller(one: Resource) -> dict[str, Any]:
    battery = next((said for keys in _BATTERIES if (said := text(one, *keys))), None)
    return _identity(one) | {"cache_health": health_of(one, "CacheSummary"), "battery": battery}


_BATTERIES = (
    ("Oem", "Dell", "DellControllerBattery", "PrimaryStatus"),
    ("Oem", "Public", "CapacitanceStatus", "Health"),
    ("Oem", "Huawei", "CapacitanceStatus", "Health"),
    ("CacheModuleStatus", "Health"),
    ("BackupPowerSourceStatus",),
)
"""Where makers put it; a value that says nothing (NA) is one of their words too."""


def _drive(one: Resource) -> dict[str, Any]:
    media = text(one, "MediaType")
    mib = whole(one, "CapacityMiB")
    size = whole(one, "CapacityBytes")
    return {
        **_identity(one),
        **_operation(one),
        "capacity_bytes": size if size is not None else mib and mib * _MIB,
        "media_type": media,
        "protocol": text(one, "Protocol") or text(one, "InterfaceType"),
        "failure_predicted": truth(one, "FailurePredicted"),
        "media_life_left_percent": None if media == "HDD" else _life_left(one),
        "temperature_celsius": _celsius(one),
        "power_on_hours": next(
            (hours for keys in _HOURS if (hours := whole(one, *keys)) is not None),
            None,
        ),
        "indicator": text(one, "StatusIndicator"),
    }


_HOURS = (("PowerOnHours",), ("Oem", "Hpe", "PowerOnHours"), ("Oem", "Public", "HoursOfPoweredUp"))


def _life_left(one: Resource) -> float | None:
    """Some controllers write 255 or -1 for a drive that does not say."""
    left = number(one, "PredictedMediaLifeLeftPercent")
    if left is None and (used := number(one, "SSDEnduranceUtilizationPercentage")) is not None:
        left = 100 - used
    return left if left is not None and 0 <= left <= 100 else None


def _celsius(one: Resource) -> float | None:
    for keys in (("CurrentTemperatureCelsius",), ("Oem", "Hpe", "CurrentTemperatureCelsius"), _LENOVO):
        said = number(one, *keys)
        if said is not None and 0 < said < 150:
            return said
    return None


_LENOVO = ("Oem", "Lenovo", "Temperature")


def _volume(one: Resource) -> dict[str, Any]:
    mib = whole(one, "CapacityMiB")
    size = whole(one, "CapacityBytes")
    raid = text(one, "RAIDType") or text(one, "VolumeType") or text(one, "Raid")
    capacity = size if size is not None else mib and mib * _MIB
    return _identity(one) | _operation(one) | {"capacity_bytes": capacity, "raid_type": raid}


def _operation(one: Resource) -> dict[str, Any]:
    running = listed(one, "Operations")[:1]
    if not running:
        return {}
    name = text(running[0], "OperationName") or text(running[0], "Operation") or label_of(running[0])
    return {"operation": name, "operation_percent": whole(running[0], "PercentageComplete")}


def _identity(one: Resource) -> dict[str, Any]:
    return {
        "model": text(one, "Model"),
        "manufacturer": text(one, "Manufacturer"),
        "serial": text(one, "SerialNumber"),
        "firmware": text(one, "FirmwareVersion") or text(one, "Revision") or text(one, *_HPE_FIRMWARE),
    }


_HPE_FIRMWARE = ("FirmwareVersion", "Current", "VersionString")

PROBE = Probe(
    name="redfish-storage",
    title="Storage controllers, drives and volumes, by the management controller (Redfish)",
    facts=FACTS,
    question=asking("storage"),
    read=reader(find, FACTS, ("Storage", "StorageController", "Drive", "Volume", "SimpleStorage"), "storage"),
    presence=Presence.LASTING,
    parameters={"ask": ASK, "kinds": KINDS},
    recording=recording,
    reach=Reach.REDFISH,
)
