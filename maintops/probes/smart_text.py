"""smartctl's report of one disk as text: what versions before 7 print, and what later ones print without -j."""

from __future__ import annotations

import re
from collections.abc import Iterator

from maintops.domain.answers import UnreadableAnswer
from maintops.probes.answering import integer
from maintops.probes.smart_attributes import Attribute
from maintops.probes.smart_report import DISK_FAILING, NOTHING_MEASURED, Disk, SelfTest

BANNER = re.compile(r"^smartctl (?:pre-)?[0-9]+\.[0-9]+ ", re.MULTILINE)
"""The line with which every report begins, of any version."""

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9 /(),.#-]{1,60}?):[ \t]+(\S.*)$", re.MULTILINE)
# The long form has the columns FLAG VALUE WORST THRESH TYPE UPDATED WHEN_FAILED, the brief one FLAGS VALUE WORST THRESH
# FAIL, each between the name and the raw value.
_ATTRIBUTE = re.compile(
    r"^ *([0-9]{1,3}) (\S+) +"
    r"(?:0x[0-9a-f]{4}|[POSRCK-]{6}) +(\S+) +\S+ +\S+ +(?:(?:Pre-fail|Old_age) +(?:Always|Offline) +)?"
    r"(-|FAILING_NOW|In_the_past|NOW|Past|\?) +(\S.*)$",
    re.MULTILINE,
)
_TABLE = re.compile(r"^ID# ATTRIBUTE_NAME", re.MULTILINE)
_SEPARATED = re.compile(r"[0-9]+(?:['\u2019,.\u00a0\u202f ][0-9]{3})*")
_LOGGED = re.compile(r"^(?:ATA|Device) Error Count: ([0-9]{1,9})", re.MULTILINE)
_NO_ERRORS = re.compile(
    r"^SMART (?:Extended Comprehensive )?Error Log Version.*\n(?:.*\n)??No Errors Logged", re.MULTILINE
)
_GROWN = re.compile(r"^Elements in grown defect list: +([0-9]{1,12})", re.MULTILINE)
_COUNTER = re.compile(r"^(?:read|write|verify): .* ([0-9]{1,18}) *$", re.MULTILINE)
_SCSI_HOURS = re.compile(
    r"(?:Accumulated power on time, hours:minutes|number of hours powered up =) +([0-9]{1,9})[:.]", re.MULTILINE
)
_NO_TESTS = re.compile(r"^\[?No [Ss]elf-tests (?:have been logged|Logged)", re.MULTILINE)
_NVME_TESTS = re.compile(r"^Self-test Log \(NVMe Log 0x06.*\n((?:.+\n)*)", re.MULTILINE)
_NVME_TEST = re.compile(r"^ ?[0-9]{1,2} {1,4}([A-Z]\S.*)$", re.MULTILINE)
_TEST_HOURS = re.compile(r"(?:[0-9]%|  (?:-|[0-9]{1,3})) +([0-9]{1,9}) ")
_NVME_TEST_HOURS = re.compile(r"  ([0-9]{1,9}) ")
_SWITCHED_OFF = re.compile(r"^SMART support is: +Disabled", re.MULTILINE)
_WORN = re.compile(r"^ *(?:0x)?0?7 +0x008 +1 +([0-9]{1,3})~? ", re.MULTILINE)
"""Of the device statistics: page 7, the percentage used endurance indicator."""

_TEST = re.compile(r"^# ?[0-9]{1,2} {1,4}(\S.*)$", re.MULTILINE)
_FAILED_TEST = re.compile(r"Completed: |Fatal or unknown error|Failed in segment|Completed, segment failed")
_PASSED_TEST = re.compile(r"Completed without error|Completed(?= +(?:-|[0-9]))")
_CANNOT = re.compile(
    r"(?:open device: .* failed|Device open failed|Unable to detect device type|Device is in \w+ mode"
    r"|Permission denied|lacks SMART capability|Unknown USB bridge)",
)


def disk_from_text(text: str, status: int | None) -> Disk:
    """Reads one report. Raises UnreadableAnswer where it is not smartctl's."""
    if not BANNER.search(text):
        raise UnreadableAnswer("this is not a report of smartctl")
    fields = _fields(text)
    nvme = "Critical Warning" in fields
    scsi = "Transport protocol" in fields or ("Vendor" in fields and "Product" in fields)
    return Disk(
        protocol="NVMe" if nvme or "Model Number" in fields else "SCSI" if scsi else "ATA" if _is_ata(fields) else None,
        model=_model(fields),
        serial=fields.get("Serial Number") or fields.get("Serial number"),
        firmware=fields.get("Firmware Version") or fields.get("Revision"),
        passed=_passed(fields, status),
        temperature=_temperature(fields),
        hours=_hours(text, fields),
        attributes=tuple(_attributes(text)) if _TABLE.search(text) else None,
        tests=_self_tests(text),
        figures=_figures(text, fields, scsi),
        exit_status=status,
        why_not=_why_not(text, status),
    )


def _fields(text: str) -> dict[str, str]:
    """`Name: value` lines; the first of a name counts."""
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(text):
        fields.setdefault(name, value.strip())
    return fields


def _is_ata(fields: dict[str, str]) -> bool:
    return "Device Model" in fields or "ATA Version is" in fields


def _model(fields: dict[str, str]) -> str | None:
    vendor = " ".join(fields[name] for name in ("Vendor", "Product") if name in fields)
    return fields.get("Device Model") or fields.get("Model Number") or vendor or None


def _why_not(text: str, status: int | None) -> str | None:
    found = next((line.strip() for line in text.split("\n") if _CANNOT.search(line)), None)
    if status is not None and status & NOTHING_MEASURED:
        return (found or f"smartctl could not ask it (exit status {status})")[:300]
    if found and "lacks SMART capability" in found:
        return "the device has no SMART"
    return "SMART is switched off on this disk" if _SWITCHED_OFF.search(text) else None


def _passed(fields: dict[str, str], status: int | None) -> bool | None:
    verdict = fields.get("SMART overall-health self-assessment test result", "")
    if verdict.startswith(("PASSED", "FAILED")):
        return verdict.startswith("PASSED")
    if "SMART Health Status" in fields:
        return fields["SMART Health Status"] == "OK"
    return False if status is not None and status & DISK_FAILING else None


def _temperature(fields: dict[str, str]) -> int | None:
    """A volume of a controller says 0 degrees, and that it trips at 0: that is no reading."""
    for name in ("Temperature", "Current Drive Temperature", "Current Temperature"):
        current = _number(fields.get(name))
        if current is not None and not (current == 0 and _number(fields.get("Drive Trip Temperature")) == 0):
            return current
    return None


def _hours(text: str, fields: dict[str, str]) -> int | None:
    found = _SCSI_HOURS.search(text)
    return int(found[1]) if found else _number(fields.get("Power On Hours"))


def _attributes(text: str) -> Iterator[Attribute]:
    for number, name, value, failed, raw in _ATTRIBUTE.findall(text):
        leading = re.match(r"[0-9]{1,15}", raw)
        count = int(leading[0]) if leading else None
        yield Attribute(int(number), name, count, failed in ("NOW", "FAILING_NOW"), integer(value))


def _figures(text: str, fields: dict[str, str], scsi: bool) -> dict[str, int]:
    grown, counters = _GROWN.search(text), _COUNTER.findall(text) if scsi else []
    used = fields.get("Percentage Used") or fields.get("Percentage used endurance indicator")
    worn = _WORN.search(text)
    integrity = _number(fields.get("Media and Data Integrity Errors"))
    warning = re.match(r"0x([0-9a-f]{1,4})\b", fields.get("Critical Warning", ""))
    figures = {
        "reallocated_sectors": int(grown[1]) if grown else None,
        "media_errors": sum(map(int, counters)) if counters else integrity,
        "percentage_used": _number(used) if used else int(worn[1]) if worn else None,
        "available_spare_percent": _number(fields.get("Available Spare")),
        "available_spare_threshold_percent": _number(fields.get("Available Spare Threshold")),
        "critical_warning": int(warning[1], 16) if warning else None,
        "unsafe_shutdowns": _number(fields.get("Unsafe Shutdowns")),
        "non_medium_errors": _number(fields.get("Non-medium error count")),
        "temperature_trip_celsius": _number(fields.get("Drive Trip Temperature")) or None,
        "error_log_count": _logged(text, fields),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _logged(text: str, fields: dict[str, str]) -> int | None:
    found = _LOGGED.search(text)
    if found:
        return int(found[1])
    return 0 if _NO_ERRORS.search(text) else _number(fields.get("Error Information Log Entries"))


def _self_tests(text: str) -> tuple[SelfTest, ...] | None:
    """The log of self-tests, or None where it was not read."""
    nvme = _NVME_TESTS.search(text)
    lines = _NVME_TEST.findall(nvme[1]) if nvme else _TEST.findall(text)
    hours = _NVME_TEST_HOURS if nvme else _TEST_HOURS
    return tuple(_test(line, hours) for line in lines) if lines or nvme or _NO_TESTS.search(text) else None


def _test(line: str, hours_of: re.Pattern[str]) -> SelfTest:
    """`Short offline  Completed without error  00%  632  -`, `Background long  Completed  -  1234  - [-  -  -]`."""
    passed = False if _FAILED_TEST.search(line) else True if _PASSED_TEST.search(line) else None
    hours = hours_of.search(line)
    extended = line.startswith("Extended") or " long" in line[:30]
    return SelfTest(passed, extended, int(hours[1]) if hours else None)


def _number(text: str | None) -> int | None:
    """The number at the beginning, in the grouping of any locale: 16'355'803, 1,367,504."""
    found = _SEPARATED.match(text or "")
    return integer(re.sub(r"[^0-9]", "", found[0])) if found else None
