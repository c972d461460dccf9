"""Bare output of smartctl, as a person recorded it: reports and scans of many versions and disks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.smart import PROBE
from tests.contract.samples import DISKS
from tests.unit.probes.spoiling import complaints, recorded_bytes, spoiled, spoiling
from tests.unit.probes.test_smart import BANNER, NVME, TEXT, answer, ata, disk, subjects

RECORDED = Path(__file__).parents[3].parent / "shared" / "data"


# --- recordings ------------------------------------------------------------------------------------------------------


def recorded(folder: str) -> list[Path]:
    return sorted(path for path in (RECORDED / folder).glob("*") if "scan" not in path.name and path.name != "LICENSE")


@pytest.mark.parametrize("path", recorded("smartctl-json") + recorded("smartctl-text"), ids=lambda path: path.name)
def test_a_recorded_report_is_measured_or_says_why_not(path: Path):
    report = path.read_text()
    one = disk(report, json.loads(report).get("smartctl", {}).get("exit_status", 0) if report[0] == "{" else 0)
    assert one.why_not or one.facts.keys() & {"passed", "reallocated_sectors"}
    if "failed" in path.name and "health" in path.name:
        assert one.facts["passed"] is False


def test_the_recordings_are_there():
    if not RECORDED.is_dir():
        pytest.skip(f"the recordings are not there: {RECORDED}")
    assert len(recorded("smartctl-json")) > 15
    assert len(recorded("smartctl-text")) > 25


@pytest.mark.parametrize(
    ("scan", "measured", "closed"),
    [("two-devices-scan", 2, 0), ("two-devices-one-inaccessible-scan", 1, 1), ("all-devices-inaccessible-scan", 0, 2)],
)
def test_a_recorded_scan_names_every_disk(scan: str, measured: int, closed: int):
    path = RECORDED / "smartctl-text" / scan
    if not path.is_file():
        pytest.skip(f"the recordings are not there: {path}")
    report = (BANNER + "Model Number: X\nCritical Warning: 0x00\n", 0)
    found = subjects(answer(path.read_text(), **{"/dev/sda sat": report, "/dev/nvme0 nvme": report}))
    assert len([one for one in found.values() if one.why_not is None]) == measured
    assert len([one for one in found.values() if (one.why_not or "").endswith("Permission denied")]) == closed
    assert len(found) == measured + closed


# --- recordings: bare output of smartctl -----------------------------------------------------------------------------


def read_recording(output: bytes) -> Mapping[str | None, SubjectFacts]:
    assert PROBE.recording is not None
    found = PROBE.recording(output)
    assert reading_complaints(PROBE, found) == []
    reading = PROBE.read(found, {})
    assert isinstance(reading, Measured), reading
    return {one.subject: one for one in reading.subjects}


def test_a_recorded_json_names_its_disk():
    by_json = ata(
        (5, "Reallocated_Sector_Ct", "8"), device={"name": "/dev/sda", "type": "sat+megaraid,3", "protocol": "ATA"}
    )
    assert read_recording(json.dumps(by_json).encode())["/dev/sda megaraid,3"].facts["reallocated_sectors"] == 8


def test_a_recorded_json_of_a_disk_that_could_not_be_opened_names_it_by_the_command_line():
    report = {"smartctl": {"argv": ["smartctl", "-j", "/dev/sdx"], "exit_status": 2}}
    assert (
        read_recording(json.dumps(report).encode())["/dev/sdx"].why_not == "smartctl could not ask it (exit status 2)"
    )


def test_recorded_texts_go_by_their_serial_numbers():
    found = read_recording(TEXT.replace("EX3", "EX9").replace("\n", "\r\n").encode() + TEXT.encode() + TEXT.encode())
    assert list(found) == ["EX9", "EX3", "EX3 (3)"]
    assert found["EX9"].facts["reallocated_sectors"] == 1975
    assert not {"exit_status", "device", "status_failing"} & set(found["EX9"].facts)


def test_a_recorded_scan_measures_nothing():
    text = read_recording(b"/dev/sda -d scsi # /dev/sda, SCSI device\n")
    by_json = read_recording(
        b'{"devices": [{"name": "/dev/sda", "type": "scsi"}, {"name": "/dev/sdb", "open_error": "no"}]}'
    )
    assert text["/dev/sda"].why_not == by_json["/dev/sda"].why_not == "the scan lists it; it was not asked"
    assert by_json["/dev/sdb"].why_not == "no"
    assert isinstance(PROBE.read(Answer(b'{"devices": []}'), {}), NotMeasured)


@pytest.mark.parametrize("output", [b"", b"hello", b"<html>", b'{"a": 1}', b"[1]", b"{", b"\xff", DISKS])
def test_a_recording_of_something_else_is_refused(output: bytes):
    assert PROBE.recording is not None
    with pytest.raises(UnreadableAnswer):
        PROBE.recording(output)


RECORDINGS = [path for folder in ("smartctl-json", "smartctl-text") for path in sorted((RECORDED / folder).glob("*"))]


@pytest.mark.parametrize("path", [one for one in RECORDINGS if one.name != "LICENSE"], ids=lambda path: path.name)
def test_every_recording_is_read(path: Path):
    if path.name == "scan-failed-scan":
        assert PROBE.recording is not None
        assert isinstance(PROBE.read(PROBE.recording(path.read_bytes()), {}), NotMeasured)
        return
    found = read_recording(path.read_bytes())
    assert all(one.why_not or one.facts for one in found.values())


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("smartctl-json/smart-fail2.json", {"passed": False, "self_test_passed": False, "self_test_age_hours": 14}),
        ("smartctl-json/smart-ata-full.json", {"percentage_used": 19, "crc_errors": 0, "self_test_age_hours": 134}),
        ("smartctl-json/smart-megaraid1.json", {"reallocated_sectors": 387, "status_incomplete": True}),
        ("smartctl-json/smart-scsi.json", {"reallocated_sectors": 56, "temperature_trip_celsius": 68}),
        ("smartctl-json/smart-nvme-failed.json", {"media_errors": 7, "unsafe_shutdowns": 10, "critical_warnings": []}),
        ("smartctl-text/smartctl-v6-text-empty-output-v1", {"non_medium_errors": 54, "self_tests_logged": 0}),
        ("smartctl-text/smartctl-v6-text-sandisk-ssda240g", {"percentage_used": 41}),
        ("smartctl-text/smartctl-v6-text-sk-hynix-sc311-512gb", {"percentage_used": 0, "self_test_age_hours": 6}),
        ("smartctl-text/smartctl-v6-text-st32000542as-health-failed", {"passed": False, "crc_errors": 4}),
        ("smartctl-text/smartctl-v6-text-nvme-2b2qexe7", {"media_errors": 71, "unsafe_shutdowns": 7}),
    ],
)
def test_what_recordings_say(name: str, facts: Mapping[str, Any]):
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"the recordings are not there: {path}")
    (one,) = read_recording(path.read_bytes()).values()
    assert {fact: one.facts.get(fact) for fact in facts} == facts


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    own = [TEXT.encode(), json.dumps(NVME).encode(), b"/dev/sda -d sat # /dev/sda [SAT], ATA device\n"]
    others = [*recorded_bytes("smartctl-json", ".json"), *recorded_bytes("smartctl-text", "v1")]
    assert complaints(PROBE, data.draw(spoiled(own + others))) == []


def test_a_tool_that_crashes_or_prints_a_web_page_gives_no_value():
    assert isinstance(PROBE.read(Answer(b"", b"", 139), {}), NotMeasured)
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(b"<html><body>502</body></html>"), {})
    with pytest.raises(UnreadableAnswer):
        disk("<html><body>502</body></html>", 139)
