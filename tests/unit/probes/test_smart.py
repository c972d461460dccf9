from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.smart import PROBE
from maintops.probes.smart_report import EXIT_BITS
from tests.contract.asking import SHELLS, ask, tool
from tests.contract.samples import DISKS

ONLY_NVME = {
    "available_spare_percent",
    "available_spare_threshold_percent",
    "critical_warning",
    "critical_warnings",
    "unsafe_shutdowns",
}
ONLY_SCSI = {"non_medium_errors", "temperature_trip_celsius"}
BITS = dict.fromkeys(EXIT_BITS, False)
SAT = "/dev/sda -d sat # /dev/sda [SAT], ATA device"


def part(name: str, output: str, status: int = 0) -> str:
    lines = output.removesuffix("\n").split("\n") if output else []
    return f"={name}\n" + "".join(f" {line}\n" for line in lines) + f".{status}\n"


def answer(scan: str, **reports: tuple[str, int]) -> Answer:
    """The names of reports have _ for what stands between device and type."""
    text = part("scan", scan) + "".join(part(name, *report) for name, report in reports.items())
    return Answer(text.encode())


def subjects(found: Answer) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(found, {})
    assert isinstance(reading, Measured)
    assert reading_complaints(PROBE, found) == []
    return {one.subject: one for one in reading.subjects}


def disk(report: str | Mapping[str, Any], status: int = 0) -> SubjectFacts:
    text = report if isinstance(report, str) else json.dumps(report, indent=1)
    (one,) = subjects(answer(SAT, **{"/dev/sda sat": (text, status)})).values()
    return one


def ata(*rows: tuple[int, str, str], **more: Any) -> dict[str, Any]:
    table = [{"id": number, "name": name, "raw": {"value": int(raw), "string": raw}} for number, name, raw in rows]
    return {
        "smartctl": {"exit_status": 0},
        "device": {"protocol": "ATA"},
        "smart_status": {"passed": True},
        "ata_smart_attributes": {"table": table},
    } | more


def test_a_disk_by_json_one_behind_a_controller_by_text_and_one_that_is_closed():
    found = subjects(Answer(DISKS))
    assert list(found) == ["/dev/sda", "/dev/bus/0 megaraid,4", "/dev/nvme0"]
    assert found["/dev/sda"] == SubjectFacts(
        "/dev/sda",
        {
            "device": "/dev/sda",
            "model": "Example 1000",
            "serial": "EX1",
            "protocol": "ATA",
            "passed": True,
            "temperature_celsius": 31,
            "power_on_hours": 4711,
            "reallocated_sectors": 8,
            "pending_sectors": 1,
            "failing_attributes": ["Current_Pending_Sector"],
            "wear_unclear": False,
            "self_test_passed": True,
            "self_tests_logged": 1,
            "error_log_count": 3,
            "exit_status": 64,
        }
        | BITS
        | {"status_error_log": True},
        frozenset(
            {"offline_uncorrectable", "media_errors", "percentage_used", "crc_errors", "self_test_age_hours"}
            | ONLY_NVME
            | ONLY_SCSI
        ),
    )
    assert found["/dev/bus/0 megaraid,4"] == SubjectFacts(
        "/dev/bus/0 megaraid,4",
        {
            "device": "/dev/bus/0",
            "model": "EXAMPLE SAS600",
            "serial": "EX2",
            "protocol": "SCSI",
            "passed": True,
            "temperature_celsius": 29,
            "power_on_hours": 12,
            "reallocated_sectors": 0,
            "media_errors": 2,
            "temperature_trip_celsius": 60,
            "self_tests_logged": 0,
            "exit_status": 0,
        }
        | BITS,
        frozenset(
            {"offline_uncorrectable", "pending_sectors", "failing_attributes", "error_log_count", "percentage_used"}
            | {"wear_unclear"}
            | {"self_test_passed", "self_test_age_hours", "crc_errors", "non_medium_errors"}
            | ONLY_NVME
        ),
    )
    assert found["/dev/nvme0"].why_not == "NVMe device open failed: Permission denied"


def test_the_place_behind_a_controller_has_one_name():
    report = json.dumps(ata((5, "Reallocated_Sector_Ct", "0")))
    found = answer("/dev/bus/0 -d sat+megaraid,4 # x", **{"/dev/bus/0 sat+megaraid,4": (report, 0)})
    assert list(subjects(found)) == ["/dev/bus/0 megaraid,4"]


NVME = {
    "smartctl": {"exit_status": 8},
    "device": {"name": "/dev/nvme0", "protocol": "NVMe"},
    "model_name": "Example NVMe",
    "smart_status": {"passed": False, "nvme": {"value": 4}},
    "temperature": {"current": 41},
    "power_on_time": {"hours": 12},
    "nvme_smart_health_information_log": {
        "critical_warning": 4,
        "available_spare": 9,
        "available_spare_threshold": 10,
        "percentage_used": 104,
        "media_errors": 3,
        "num_err_log_entries": 17,
    },
}


def test_a_failing_nvme_disk():
    one = disk(NVME, 8)
    assert one.facts == {
        "device": "/dev/sda",
        "model": "Example NVMe",
        "protocol": "NVMe",
        "passed": False,
        "temperature_celsius": 41,
        "power_on_hours": 12,
        "percentage_used": 104,
        "available_spare_percent": 9,
        "available_spare_threshold_percent": 10,
        "critical_warning": 4,
        "critical_warnings": ["reliability degraded"],
        "media_errors": 3,
        "error_log_count": 17,
        "exit_status": 8,
    } | BITS | {"status_failing": True}
    assert {"reallocated_sectors", "pending_sectors", "offline_uncorrectable", "self_test_passed"} <= one.not_offered


def test_the_status_alone_can_say_that_a_disk_fails():
    report = {name: value for name, value in NVME.items() if name not in ("smart_status", "smartctl")}
    assert disk(report | {"smartctl": {}}, 8).facts["passed"] is False
    assert "passed" not in disk(report | {"smartctl": {}}, 0).facts


def test_a_scsi_disk_by_json():
    one = disk(
        {
            "smartctl": {"exit_status": 0},
            "device": {"protocol": "SCSI"},
            "scsi_model_name": "EXAMPLE SAS",
            "revision": "A1",
            "smart_status": {"passed": True},
            "scsi_grown_defect_list": 5,
            "scsi_percentage_used_endurance_indicator": 7,
            "scsi_error_counter_log": {
                "read": {"total_uncorrected_errors": 1},
                "write": {"total_uncorrected_errors": 2},
                "verify": {},
            },
            "scsi_self_test_0": {"code": {"string": "Background short"}, "result": {"value": 1}},
            "scsi_self_test_1": {"code": {"string": "Background long"}, "result": {"value": 7}},
        }
    )
    assert (one.facts["model"], one.facts["firmware"]) == ("EXAMPLE SAS", "A1")
    assert (one.facts["reallocated_sectors"], one.facts["media_errors"], one.facts["percentage_used"]) == (5, 3, 7)
    assert one.facts["self_test_passed"] is False
    assert {"pending_sectors", "error_log_count"} <= one.not_offered


# --- attributes ------------------------------------------------------------------------------------------------------


def test_a_raw_value_of_several_numbers_gives_its_first():
    report = ata(temperature={"current": 0})
    report["ata_smart_attributes"]["table"] = [
        {"id": 9, "name": "Power_On_Hours", "raw": {"value": 167031278144165, "string": "2725 (151 234 0)"}},
        {"id": 194, "name": "Temperature_Celsius", "raw": {"value": 77309411357, "string": "29 (0 18 0 0 0)"}},
    ]
    del report["temperature"]
    one = disk(report)
    assert (one.facts["power_on_hours"], one.facts["temperature_celsius"]) == (2725, 29)


@pytest.mark.parametrize(
    ("number", "name", "fact"),
    [
        (5, "Retired_Block_Count", "reallocated_sectors"),
        (5, "Reallocate_NAND_Blk_Cnt", "reallocated_sectors"),
        (197, "Total_Pending_Sectors", "pending_sectors"),
        (198, "Offline_Uncorrectable", "offline_uncorrectable"),
        (187, "Uncorrectable_Error_Cnt", "media_errors"),
        (187, "Reported_Uncorrect", "media_errors"),
    ],
)
def test_an_attribute_is_taken_where_its_name_says_so_too(number: int, name: str, fact: str):
    assert disk(ata((number, name, "3"))).facts[fact] == 3


@pytest.mark.parametrize(
    ("number", "name", "fact"),
    [
        (197, "Bogus_Current_Pend_Sect", "pending_sectors"),
        (198, "Unknown_Attribute", "offline_uncorrectable"),
        (196, "Reallocated_Event_Count", "reallocated_sectors"),
    ],
)
def test_an_attribute_of_another_meaning_is_not(number: int, name: str, fact: str):
    one = disk(ata((number, name, "3")))
    assert fact not in one.facts
    assert fact in one.not_offered


def test_without_a_table_the_counts_are_not_measured():
    report = ata()
    del report["ata_smart_attributes"]
    one = disk(report)
    assert not {"reallocated_sectors", "temperature_celsius"} & (set(one.facts) | one.not_offered)


def test_what_could_not_be_asked_is_not_measured_instead_of_not_offered():
    whole = disk(ata((5, "Reallocated_Sector_Ct", "0")))
    partly = disk(ata((5, "Reallocated_Sector_Ct", "0"), smartctl={"exit_status": 4}), 4)
    assert {"self_test_passed", "error_log_count", "temperature_celsius"} <= whole.not_offered
    assert not {"self_test_passed", "error_log_count", "temperature_celsius"} & partly.not_offered
    assert partly.facts["passed"] is True


def test_a_plain_raw_value_is_taken_as_it_is_and_a_text_is_none():
    report = ata()
    report["ata_smart_attributes"]["table"] = [
        {"id": 5, "name": "Reallocated_Sector_Ct", "raw": {"value": 10, "string": "10"}},
        {"id": 197, "name": "Current_Pending_Sector", "raw": {"value": 3}},
        {"id": 198, "name": "Offline_Uncorrectable", "raw": {"value": 9, "string": "unknown"}},
        {"id": 187, "name": "Reported_Uncorrect", "raw": {"value": True}},
    ]
    one = disk(report)
    assert (one.facts["reallocated_sectors"], one.facts["pending_sectors"]) == (10, 3)
    assert not {"offline_uncorrectable", "media_errors"} & (set(one.facts) | one.not_offered)


@pytest.mark.parametrize(("current", "trip", "celsius"), [(0, 0, None), (0, 60, 0), (31, 0, 31)])
def test_a_scsi_disk_at_0_degrees_that_trips_at_0_has_no_reading(current: int, trip: int, celsius: int | None):
    report = {"device": {"protocol": "SCSI"}, "smart_status": {"passed": True}}
    by_json = disk(report | {"temperature": {"current": current, "drive_trip": trip}})
    text = "Vendor: X\nProduct: Y\nSMART Health Status: OK\n"
    text += f"Current Drive Temperature:     {current} C\nDrive Trip Temperature:        {trip} C\n"
    assert by_json.facts.get("temperature_celsius") == disk(BANNER + text).facts.get("temperature_celsius") == celsius


def test_an_ata_disk_at_0_degrees_has_no_sensor():
    assert "temperature_celsius" not in disk(ata((194, "Temperature_Celsius", "0"))).facts


@pytest.mark.parametrize(("raw", "celsius"), [("33", 33), ("200", None), ("126", None), ("125", 125)])
def test_a_temperature_that_cannot_be_is_none(raw: str, celsius: int | None):
    assert disk(ata((190, "Airflow_Temperature_Cel", raw))).facts.get("temperature_celsius") == celsius


def test_an_ata_flash_disk_says_how_much_of_its_life_is_used():
    assert disk(ata(endurance_used={"current_percent": 12})).facts["percentage_used"] == 12


# --- self-tests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "passed"),
    [
        ([("Short offline", True), ("Extended offline", False)], False),
        ([("Extended offline", True), ("Short offline", False)], True),
        ([("Short offline", None), ("Short offline", True)], True),
        ([("Extended offline", None)], None),
        ([], None),
    ],
)
def test_a_failed_self_test_counts_until_an_extended_one_passes(
    log: list[tuple[str, bool | None]], passed: bool | None
):
    table = [
        {"type": {"string": kind}, "status": {"value": 1} | ({} if ok is None else {"passed": ok})} for kind, ok in log
    ]
    one = disk(ata(ata_smart_self_test_log={"standard": {"table": table}}))
    assert one.facts.get("self_test_passed") is passed
    assert ("self_test_passed" in one.not_offered) is (passed is None)


def test_an_nvme_disk_s_self_tests():
    for result, passed in ((0, True), (5, False), (6, False), (7, False), (4, None), (15, None)):
        rows = [{"self_test_code": {"string": "Short"}, "self_test_result": {"value": result}}]
        assert disk(NVME | {"nvme_self_test_log": {"table": rows}}).facts.get("self_test_passed") is passed


def test_a_scsi_disk_s_self_tests():
    for result, passed in ((0, True), (3, False), (4, False), (7, False), (1, None), (2, None), (15, None)):
        report = {"device": {"protocol": "SCSI"}, "smart_status": {"passed": True}}
        test = {"code": {"string": "Background short"}, "result": {"value": result}}
        assert disk(report | {"scsi_self_test_0": test}).facts.get("self_test_passed") is passed


# --- disks that cannot be measured -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (
            {"smartctl": {"exit_status": 2, "messages": [{"string": "Device is in STANDBY mode, exit(2)"}]}},
            "Device is in STANDBY mode, exit(2)",
        ),
        ({"smartctl": {"exit_status": 1}}, "smartctl could not ask it (exit status 1)"),
        (
            {"smartctl": {"exit_status": 0}, "smart_support": {"available": False}, "smart_status": {"passed": True}},
            "the device has no SMART",
        ),
        (
            {
                "smartctl": {"exit_status": 4},
                "device": {"protocol": "SCSI"},
                "temperature": {"current": 0, "drive_trip": 0},
            },
            "it gives no SMART data (a RAID volume, a USB bridge?)",
        ),
    ],
)
def test_the_reason_is_said(report: Mapping[str, Any], why: str):
    assert disk(report, 2).why_not == why


BANNER = "smartctl 6.6 2016-05-31 r4324 [x86_64-linux-4.15.0] (local build)\n"


def test_the_reason_is_said_by_text_too():
    asleep = disk(BANNER + "\nDevice is in STANDBY mode, exit(2)\n", 2)
    volume = disk(
        BANNER + "Vendor: X\nProduct: Y\nSMART support is:     Unavailable - device lacks SMART capability.\n", 4
    )
    assert (asleep.why_not, volume.why_not) == ("Device is in STANDBY mode, exit(2)", "the device has no SMART")


def test_no_disk_is_not_measured():
    assert PROBE.read(answer(""), {}) == NotMeasured("smartctl finds no disk that could tell")
    said = "# scan_smart_devices: glob(3) aborted matching pattern /dev/sd[a-z]"
    assert PROBE.read(answer(said), {}) == NotMeasured(f"smartctl finds no disk that could tell: {said[2:]}")


def test_no_smartctl_is_not_measured():
    assert PROBE.read(Answer(b"", b"smartctl: not found\n", 127), {}) == NotMeasured("no such command: smartctl")


@pytest.mark.parametrize("report", ["", "hello", "{}", '{"smartctl": {', "[1]", '{"smartctl": {"exit_status": NaN}}'])
def test_what_is_no_report_is_unreadable(report: str):
    with pytest.raises(UnreadableAnswer):
        disk(report)


def test_a_disk_without_its_report_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="no report of /dev/sda"):
        PROBE.read(answer(SAT), {})


# --- text ------------------------------------------------------------------------------------------------------------

TEXT = (
    BANNER
    + """
Device Model:     EXAMPLE 2000
Serial Number:    EX3
Firmware Version: 1.0
ATA Version is:   ATA8-ACS
SMART overall-health self-assessment test result: FAILED!
ID# ATTRIBUTE_NAME          FLAG     VALUE WORST THRESH TYPE      UPDATED  WHEN_FAILED RAW_VALUE
  5 Reallocated_Sector_Ct   0x0033   001   001   005    Pre-fail  Always   FAILING_NOW 1975
  9 Power_On_Hours          0x0032   091   091   000    Old_age   Always       -       45449h+00m+00.000s
194 Temperature_Celsius     0x0022   240   240   000    Old_age   Always       -       25 (Min/Max 19/39)
197 Current_Pending_Sector  0x0022   100   100   000    Old_age   Always       -       8

SMART Error Log Version: 1
ATA Error Count: 56 (device log contains only the most recent five errors)

Num  Test_Description    Status                  Remaining  LifeTime(hours)  LBA_of_first_error
# 1  Short offline       Aborted by host               90%     10           -
# 2  Extended offline    Completed: read failure       90%     9            123
"""
)


def test_a_failing_disk_by_text():
    one = disk(TEXT, 24)
    assert one.facts == {
        "device": "/dev/sda",
        "model": "EXAMPLE 2000",
        "serial": "EX3",
        "firmware": "1.0",
        "protocol": "ATA",
        "passed": False,
        "temperature_celsius": 25,
        "power_on_hours": 45449,
        "reallocated_sectors": 1975,
        "pending_sectors": 8,
        "failing_attributes": ["Reallocated_Sector_Ct"],
        "wear_unclear": False,
        "self_test_passed": False,
        "self_tests_logged": 2,
        "self_test_age_hours": 45440,
        "error_log_count": 56,
        "exit_status": 24,
    } | BITS | {"status_failing": True, "status_prefail_now": True}


@pytest.mark.parametrize("figure", ["11'044", "11,044", "11044", "11\N{RIGHT SINGLE QUOTATION MARK}044", "11.044"])
def test_numbers_are_grouped_as_a_locale_likes(figure: str):
    one = disk(BANNER + f"Model Number: X\nCritical Warning:  0x00\nPower On Hours:    {figure}\nPercentage Used: 3%\n")
    assert (one.facts["power_on_hours"], one.facts["percentage_used"]) == (11044, 3)
    assert one.facts["protocol"] == "NVMe"


# --- the question ----------------------------------------------------------------------------------------------------

SMARTCTL = r"""
case $1 in
  -V) echo "smartctl VERSION 2022-02-28 r5338 [x86_64-linux] (local build)" ;;
  --scan-open)
    echo "/dev/sda -d sat # /dev/sda [SAT], ATA device"
    echo "# /dev/sdb -d sat # /dev/sdb [SAT], ATA device open failed: Permission denied"
    echo "/dev/bus/0 -d megaraid,0 # /dev/bus/0 [megaraid_disk_00], SCSI device" ;;
  *) echo "$@"; exit 64 ;;
esac
"""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("version", "option"), [("7.3", "-j "), ("6.6", ""), ("10.0", "-j ")])
def test_the_question_asks_each_disk_in_its_own_way(shell: str, version: str, option: str, tmp_path: Path):
    tools = tool(tmp_path / "bin", "smartctl", SMARTCTL.replace("VERSION", version))
    lines = ask(PROBE.question({}), SHELLS[shell], tools=tools).stdout.decode().split("\n")
    asked = f" {option}-H -i -A -l error -l selftest -n standby -d"
    assert lines[5:-1] == [
        "=/dev/sda sat",
        f"{asked} sat /dev/sda",
        ".64",
        "=/dev/bus/0 megaraid,0",
        f"{asked} megaraid,0 /dev/bus/0",
        ".64",
    ]
