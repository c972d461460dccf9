"""What follows from a disk's report besides its own verdict: wear, cables, bits, the age of self-tests."""

from __future__ import annotations

import pytest

from maintops.domain.answers import SubjectFacts
from maintops.probes.smart_report import EXIT_BITS
from tests.unit.probes.test_smart import BANNER, NVME, ata, disk


@pytest.mark.parametrize(
    ("number", "name", "value", "raw", "model", "used"),
    [
        (202, "Percent_Lifetime_Remain", 93, "7", "CT500", 7),
        (202, "Perc_Rated_Life_Used", 94, "6", "MTFD", 6),
        (202, "Data_Address_Mark_Errs", 93, "0", "ST32", None),
        (169, "Remaining_Lifetime_Perc", 100, "96", "TS32", 4),
        (245, "Percent_Life_Remaining", 100, "88", "SSDSC", 12),
        (245, "Timed_Workld_Media_Wear", 100, "65535", "SAMSUNG", None),
        (231, "SSD_Life_Left", 98, "98", "KINGSTON SA400", 2),
        (231, "SSD_Life_Left", 100, "74", "KINGSTON SKC400", None),
        (233, "Media_Wearout_Indicator", 88, "0", "INTEL SSD", 12),
        (233, "Media_Wearout_Indicator", 2, "99", "SK hynix", None),
        (177, "Wear_Leveling_Count", 81, "278", "Samsung SSD 860", 19),
        (177, "Wear_Leveling_Count", 81, "278", "Somebody's SSD", None),
    ],
)
def test_wear_is_taken_where_name_and_maker_leave_no_doubt(
    number: int, name: str, value: int, raw: str, model: str, used: int | None
):
    report = ata((number, name, raw), model_name=model)
    report["ata_smart_attributes"]["table"][0]["value"] = value
    one = disk(report)
    assert one.facts.get("percentage_used") == used
    assert ("percentage_used" in one.not_offered) is (used is None)
    plain = ("Data_Address_Mark_Errs", "Timed_Workld_Media_Wear")
    assert one.facts["wear_unclear"] is (used is None and name not in plain)


def test_what_the_disk_itself_calculates_goes_before_what_its_attributes_say():
    flags = {"valid": True}
    row = {"name": "Percentage Used Endurance Indicator", "value": 41, "flags": flags}
    pages = {"pages": [{"number": 7, "table": [row]}]}
    attribute = (202, "Percent_Lifetime_Remain", "7")
    assert disk(ata(attribute, ata_device_statistics=pages)).facts["percentage_used"] == 41
    flags["valid"] = False
    assert "percentage_used" not in disk(ata(attribute, ata_device_statistics=pages)).facts


def test_errors_of_the_cable_are_counted_apart():
    one = disk(ata((199, "UDMA_CRC_Error_Count", "7")))
    assert one.facts["crc_errors"] == 7
    assert "media_errors" not in one.facts


def test_bits_of_the_exit_status():
    one = disk(ata(smartctl={"exit_status": 0b1110_0100}), 0b1110_0100)
    bits = {name for name in EXIT_BITS if one.facts[name]}
    assert bits == {"status_incomplete", "status_prefail_past", "status_error_log", "status_self_test_log"}


def test_an_nvme_disk_warns_in_words_and_counts_lost_power():
    log = NVME["nvme_smart_health_information_log"] | {"critical_warning": 9, "unsafe_shutdowns": 43}
    one = disk(NVME | {"nvme_smart_health_information_log": log})
    assert one.facts["critical_warnings"] == ["spare below threshold", "read-only"]
    assert one.facts["unsafe_shutdowns"] == 43
    assert {"crc_errors", "temperature_trip_celsius"} <= one.not_offered


def test_a_disk_whose_smart_is_switched_off():
    by_json = disk({"smartctl": {"exit_status": 4}, "smart_support": {"available": True, "enabled": False}}, 4)
    by_text = disk(BANNER + "Device Model: X\nSMART support is: Available - x\nSMART support is: Disabled\n", 4)
    assert by_json.why_not == by_text.why_not == "SMART is switched off on this disk"


def with_tests(hours: int, *lifetimes: int | None) -> SubjectFacts:
    table = [
        {"type": {"string": "Short offline"}, "status": {"value": 0, "passed": True}, "lifetime_hours": one}
        if one is not None
        else {"type": {"string": "Short offline"}, "status": {"value": 24, "string": "Aborted"}, "lifetime_hours": 9}
        for one in lifetimes
    ]
    return disk(ata(ata_smart_self_test_log={"standard": {"table": table}}, power_on_time={"hours": hours}))


@pytest.mark.parametrize(
    ("hours", "lifetimes", "age"),
    [(100, (90, 10), 10), (65592, (42, 65000), 14), (100, (None, 60), 40), (100, (None,), None), (100, (), None)],
)
def test_how_long_ago_a_self_test_came_to_its_end(hours: int, lifetimes: tuple[int | None, ...], age: int | None):
    one = with_tests(hours, *lifetimes)
    assert one.facts.get("self_test_age_hours") == age
    assert one.facts["self_tests_logged"] == len(lifetimes)
    assert ("self_test_age_hours" in one.not_offered) is (age is None)


def test_self_tests_of_scsi_and_nvme_by_json():
    row = {"code": {"string": "Background short"}, "result": {"value": 0}, "power_on_time": {"hours": 900}}
    scsi = {"device": {"protocol": "SCSI"}, "smart_status": {"passed": True}, "power_on_time": {"hours": 1000}}
    assert disk(scsi | {"scsi_self_test_0": row}).facts["self_test_age_hours"] == 100
    rows = [{"self_test_code": {"string": "Short"}, "self_test_result": {"value": 0}, "power_on_hours": 2}]
    assert disk(NVME | {"nvme_self_test_log": {"table": rows}}).facts["self_test_age_hours"] == 10


def test_self_tests_of_scsi_and_nvme_by_text():
    sas = "Vendor: X\nProduct: Y\nSMART Health Status: OK\nnumber of hours powered up = 1000.5\n"
    lines = "# 1  Background long   Failed in segment -->       3     900             0x12 [0x3 0x11 0x0]\n"
    lines += "# 2  Background short  Completed                   -     800                 - [-   -    -]\n"
    one = disk(BANNER + sas + lines)
    assert (one.facts["self_test_passed"], one.facts["self_test_age_hours"]) == (False, 100)
    assert disk(BANNER + sas + lines.split("\n")[1] + "\n").facts["self_test_age_hours"] == 200
    log = "Model Number: X\nCritical Warning: 0x00\nPower On Hours: 1,000\n\nSelf-test Log (NVMe Log 0x06)\n"
    log += "Self-test status: No self-test in progress\nNum  Test_Description  Status  Power_on_Hours\n"
    test = " 0   Extended          Completed without error                 744            -     -   -    -\n"
    assert disk(BANNER + log + test).facts["self_test_age_hours"] == 256
    assert disk(BANNER + log + "No Self-tests Logged\n").facts["self_tests_logged"] == 0
