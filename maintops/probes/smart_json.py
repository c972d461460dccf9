"""smartctl's JSON report of one disk (smartctl -j, version 7 and later)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maintops.domain.answers import UnreadableAnswer
from maintops.probes.json_answers import load_json
from maintops.probes.smart_attributes import Attribute
from maintops.probes.smart_report import DISK_FAILING, NOTHING_MEASURED, Disk, SelfTest

_LEADING = re.compile(r"\s*([0-9]{1,15})")
_PLAIN = re.compile(r"[0-9]{1,15}")
_SCSI_TESTS = [f"scsi_self_test_{number}" for number in range(20)]
"""A SCSI disk's log of self-tests holds 20, the latest first."""


def disk_from_json(output: bytes, status: int | None) -> Disk:
    """Reads one report. Raises UnreadableAnswer where it is not smartctl's JSON."""
    return disk_from_report(load_json(output), status)


def disk_from_report(value: Any, status: int | None) -> Disk:
    """The same for JSON that was loaded already."""
    report = _object(value)
    if not {"smartctl", "device", "smart_status"} & report.keys():
        raise UnreadableAnswer("this JSON is not a report of smartctl")
    own = _object(report.get("smartctl"))
    ended = _whole(own.get("exit_status"))
    exit_status = ended if ended is not None else status
    protocol = _text(_object(report.get("device")).get("protocol"))
    return Disk(
        protocol=protocol,
        model=_text(report.get("model_name")) or _text(report.get("scsi_model_name")),
        serial=_text(report.get("serial_number")),
        firmware=_text(report.get("firmware_version")) or _text(report.get("scsi_revision") or report.get("revision")),
        passed=_passed(report, exit_status),
        temperature=_temperature(report),
        hours=_whole(_object(report.get("power_on_time")).get("hours")),
        attributes=_attributes(report),
        tests=_self_tests(report),
        figures=_figures(report),
        exit_status=exit_status,
        why_not=_why_not(own, report, exit_status),
    )


def _why_not(own: Mapping[str, Any], report: Mapping[str, Any], exit_status: int | None) -> str | None:
    said = [_text(_object(one).get("string")) for one in _array(own.get("messages"))]
    if exit_status is not None and exit_status & NOTHING_MEASURED:
        return next((one for one in said if one), f"smartctl could not ask it (exit status {exit_status})")[:300]
    if _object(report.get("smart_support")).get("available") is False:
        return "the device has no SMART"
    if _object(report.get("smart_support")).get("enabled") is False and "smart_status" not in report:
        return "SMART is switched off on this disk"
    return None


def _passed(report: Mapping[str, Any], exit_status: int | None) -> bool | None:
    passed = _object(report.get("smart_status")).get("passed")
    if isinstance(passed, bool):
        return passed
    return False if exit_status is not None and exit_status & DISK_FAILING else None


def _temperature(report: Mapping[str, Any]) -> int | None:
    """A volume of a controller says 0 degrees, and that it trips at 0: that is no reading."""
    said = _object(report.get("temperature"))
    current = _whole(said.get("current"))
    return None if current == 0 and _whole(said.get("drive_trip")) == 0 else current


def _attributes(report: Mapping[str, Any]) -> tuple[Attribute, ...] | None:
    table = _object(report.get("ata_smart_attributes")).get("table")
    return None if not isinstance(table, list) else tuple(_attribute(_object(row)) for row in table)


def _attribute(row: Mapping[str, Any]) -> Attribute:
    number, name = _whole(row.get("id")), _text(row.get("name"))
    if number is None or name is None:
        raise UnreadableAnswer("an attribute has no number or no name")
    return Attribute(
        number, name, _raw(_object(row.get("raw"))), row.get("when_failed") == "now", _whole(row.get("value"))
    )


def _raw(raw: Mapping[str, Any]) -> int | None:
    """The count in an attribute's six raw bytes. Some hold more than one number: then the string that smartctl makes of
    them begins with the count (`36 (Min/Max 0/48)`)."""
    value, string = _whole(raw.get("value")), raw.get("string")
    if not isinstance(string, str) or _PLAIN.fullmatch(string.strip()):
        return value
    leading = _LEADING.match(string)
    return int(leading[1]) if leading else None


def _figures(report: Mapping[str, Any]) -> dict[str, int]:
    log = _object(report.get("nvme_smart_health_information_log"))
    figures = {
        "reallocated_sectors": report.get("scsi_grown_defect_list"),
        "media_errors": log.get("media_errors", _uncorrected(report)),
        "percentage_used": log.get("percentage_used", _endurance(report)),
        "available_spare_percent": log.get("available_spare"),
        "available_spare_threshold_percent": log.get("available_spare_threshold"),
        "critical_warning": log.get("critical_warning"),
        "unsafe_shutdowns": log.get("unsafe_shutdowns"),
        "temperature_trip_celsius": _object(report.get("temperature")).get("drive_trip") or None,
        "error_log_count": log.get("num_err_log_entries", _logged(report)),
    }
    return {name: whole for name, figure in figures.items() if (whole := _whole(figure)) is not None}


def _uncorrected(report: Mapping[str, Any]) -> int | None:
    counters = _object(report.get("scsi_error_counter_log")).values()
    counts = [_whole(_object(one).get("total_uncorrected_errors")) for one in counters]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _endurance(report: Mapping[str, Any]) -> Any:
    ata = _object(report.get("endurance_used")).get("current_percent")
    if ata is None:
        ata = next(_statistics(report, 7, "Percentage Used Endurance Indicator"), None)
    return ata if ata is not None else report.get("scsi_percentage_used_endurance_indicator")


def _statistics(report: Mapping[str, Any], page: int, name: str) -> Iterator[Any]:
    """Values of an ATA disk's device statistics (smartctl -x or -l devstat)."""
    for one in _array(_object(report.get("ata_device_statistics")).get("pages")):
        for row in _array(_object(one).get("table")) if _object(one).get("number") == page else ():
            found = _object(row)
            if found.get("name") == name and _object(found.get("flags")).get("valid") is True:
                yield found.get("value")


def _logged(report: Mapping[str, Any]) -> Any:
    log = _object(report.get("ata_smart_error_log"))
    for kind in ("extended", "summary"):
        if (count := _object(log.get(kind)).get("count")) is not None:
            return count
    return None


def _self_tests(report: Mapping[str, Any]) -> tuple[SelfTest, ...] | None:
    """The log of self-tests, or None where there is none."""
    ata, nvme = _object(report.get("ata_smart_self_test_log")), report.get("nvme_self_test_log")
    scsi = [_object(report[name]) for name in _SCSI_TESTS if name in report]
    if ata:
        log = _object(ata.get("extended")) or _object(ata.get("standard"))
        return tuple(_ata_test(_object(row)) for row in _array(log.get("table")))
    if isinstance(nvme, dict):
        rows = [_object(row) for row in _array(nvme.get("table"))]
        return tuple(
            _test(row, "self_test_code", "self_test_result", (5, 6, 7), _whole(row.get("power_on_hours")))
            for row in rows
        )
    if scsi:
        return tuple(_test(row, "code", "result", (3, 4, 5, 6, 7), _powered(row)) for row in scsi)
    return None


def _ata_test(row: Mapping[str, Any]) -> SelfTest:
    passed = _object(row.get("status")).get("passed")
    return SelfTest(
        passed if isinstance(passed, bool) else None, _is_extended(row.get("type")), _whole(row.get("lifetime_hours"))
    )


def _test(row: Mapping[str, Any], code: str, result: str, failed: tuple[int, ...], hours: int | None) -> SelfTest:
    """0 is a pass to NVMe and SCSI alike; other results that are no failure are tests that came to no end."""
    value = _whole(_object(row.get(result)).get("value"))
    passed = True if value == 0 else False if value in failed else None
    return SelfTest(passed, _is_extended(row.get(code)), hours)


def _powered(row: Mapping[str, Any]) -> int | None:
    return _whole(_object(row.get("power_on_time")).get("hours"))


def _is_extended(kind: Any) -> bool:
    """`Extended offline` of ATA, `Extended` of NVMe, `Background long` of SCSI."""
    words = (_text(_object(kind).get("string")) or "").lower()
    return "extended" in words or "long" in words


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
