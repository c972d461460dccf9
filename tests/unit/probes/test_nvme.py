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
from maintops.probes.nvme import PROBE, recording
from tests.contract.samples_storage import NVME, NVME_BITS, NVME_DRIVES, nvme_log, parted
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def read(answer: Answer) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    assert reading_complaints(PROBE, answer) == []
    return {one.subject: one for one in reading.subjects}


def recorded(text: str) -> Mapping[str | None, SubjectFacts]:
    return read(recording(text.encode()))


def log(**changed: Any) -> SubjectFacts:
    return read(Answer(parted(drives=NVME_DRIVES, log__nvme0=nvme_log(**changed), log__nvme10="")))["nvme0"]


def test_two_drives_in_the_order_of_their_numbers():
    found = read(Answer(NVME))
    assert list(found) == ["nvme0", "nvme10"]
    assert found["nvme0"] == SubjectFacts(
        "nvme0",
        {
            "model": "Example NVMe 960",
            "serial": "EX100",
            "firmware": "1.0B",
            "transport": "pcie",
            "state": "live",
            "critical_warning": 0,
            "critical_warnings": [],
            "temperature_celsius": 37,
            "available_spare_percent": 100,
            "available_spare_threshold_percent": 10,
            "percentage_used": 3,
            "media_errors": 0,
            "error_log_count": 62,
            "unsafe_shutdowns": 5,
            "power_cycles": 12,
            "power_on_hours": 4711,
            "warning_temperature_minutes": 0,
            "critical_temperature_minutes": 0,
            "written_bytes": 512_000_000,
        },
    )
    hot = found["nvme10"].facts
    assert hot["critical_warnings"] == ["spare below threshold", "reliability degraded"]
    assert (hot["temperature_celsius"], hot["available_spare_percent"], hot["media_errors"]) == (78, 7, 2)


@pytest.mark.parametrize(
    ("value", "bits"),
    [(4, 4), ("4", 4), ("0x4", 4), (4.0, 4), (NVME_BITS, 5), (-1, None), (1 << 20, None), (True, None), ([], None)],
)
def test_a_warning_in_every_version_s_type(value: Any, bits: int | None):
    assert log(critical_warning=value).facts.get("critical_warning") == bits


@pytest.mark.parametrize(
    ("value", "celsius"),
    [(273, 0), (310.0, 37), ("310", 37), ("37 °C (310 K)", 37), (0, None), (37, None), (9000, None), ("?", None)],
)
def test_a_temperature_is_in_kelvins_and_0_is_none(value: Any, celsius: int | None):
    assert log(temperature=value).facts.get("temperature_celsius") == celsius


@pytest.mark.parametrize("value", [2**70, -3, 1.5, None, "many", True, {"low": 1}, "1.5"])
def test_what_is_no_count_is_left_out(value: Any):
    assert "media_errors" not in log(media_errors=value).facts


def test_counts_with_separators_and_units():
    assert log(unsafe_shutdowns="1,234", percent_used="4%").facts["unsafe_shutdowns"] == 1234
    assert log(percent_used="4%").facts["percentage_used"] == 4


def test_a_bit_without_a_name_is_named_by_its_number():
    assert log(critical_warning=0xC0).facts["critical_warnings"] == ["bit 6", "bit 7"]


def test_a_drive_that_does_not_answer_keeps_what_the_kernel_knows():
    silent = read(Answer(parted(drives=NVME_DRIVES, log__nvme0=(1, ""), log__nvme10=(0, '{"error": "not live"}'))))
    assert silent["nvme0"].why_not == "nvme smart-log printed nothing (exit status 1)"
    assert silent["nvme0"].facts["serial"] == "EX100"
    assert silent["nvme10"].why_not == "not live"
    refused = read(Answer(parted(drives=NVME_DRIVES, log__nvme0=(13, "open: Permission denied"), log__nvme10="")))
    assert refused["nvme0"].why_not == "open: Permission denied"


def test_drives_stand_in_the_order_of_their_numbers():
    logs = {f"log__nvme{number}": nvme_log() for number in (10, 2, 0)}
    assert list(read(Answer(parted(drives=NVME_DRIVES, **logs)))) == ["nvme0", "nvme2", "nvme10"]


def test_no_drive_and_no_tool_are_not_measured():
    none = PROBE.read(Answer(parted(drives=(2, ""))), {})
    assert none == NotMeasured("no such hardware: this machine has no NVMe drive")
    assert PROBE.read(Answer(b"", b"nvme: not found\n", 127), {}) == NotMeasured("no such command: nvme")


@pytest.mark.parametrize("report", ["<html></html>", "{", "[]", '{"a": 1}', '{"critical_warning": NaN}'])
def test_what_is_no_log_is_unreadable(report: str):
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(parted(drives=NVME_DRIVES, log__nvme0=report)), {})


def test_a_tool_that_crashes_is_not_measured():
    assert read(Answer(parted(drives=NVME_DRIVES, log__nvme0=(139, ""), log__nvme10="")))["nvme0"].why_not


# --- recordings ------------------------------------------------------------------------------------------------------

TEXT = """\
Smart Log for NVME device:nvme0n1 namespace-id:ffffffff
critical_warning\t\t\t: 0x4
temperature\t\t\t\t: 34 °C (307 K)
available_spare\t\t\t\t: 100%
available_spare_threshold\t\t: 10%
percentage_used\t\t\t\t: 2%
Data Units Written\t\t\t: 1,928 (987.14 MB)
power_on_hours\t\t\t\t: 742
unsafe_shutdowns\t\t\t: 5
media_errors\t\t\t\t: 1,024
num_err_log_entries\t\t\t: 0
Critical Composite Temperature Time\t: 3
Smart Log for NVME device:nvme1n1 namespace-id:ffffffff
critical_warning                    : 0
temperature                         : 93 °F (307 K)
"""


def test_a_log_as_text():
    found = recorded(TEXT)
    assert found["nvme0"].facts == {
        "critical_warning": 4,
        "critical_warnings": ["reliability degraded"],
        "temperature_celsius": 34,
        "available_spare_percent": 100,
        "available_spare_threshold_percent": 10,
        "percentage_used": 2,
        "media_errors": 1024,
        "error_log_count": 0,
        "unsafe_shutdowns": 5,
        "power_on_hours": 742,
        "critical_temperature_minutes": 3,
        "written_bytes": 1928 * 512_000,
    }
    assert found["nvme1"].facts["temperature_celsius"] == 34


def test_a_log_as_json_does_not_say_whose_it_is():
    assert recorded(nvme_log())["nvme"].facts["power_on_hours"] == 4711


@pytest.mark.parametrize(
    "devices",
    [
        [{"NameSpace": 1, "DevicePath": "/dev/nvme3n1", "Firmware": "F1", "ModelNumber": "M", "SerialNumber": "S"}],
        [{"Subsystems": [{"Controllers": [{"Controller": "nvme3", "Firmware": "F1", "ModelNumber": "M"}]}]}],
        [{"Subsystem": "nvme-subsys3", "Controllers": [{"Controller": "nvme3", "Firmware": "F1"}]}],
    ],
)
def test_a_list_in_every_version_s_shape(devices: list[Any]):
    one = recorded(json.dumps({"Devices": devices}))["nvme3"]
    assert one.facts["firmware"] == "F1"
    assert one.why_not == "the list names it; its SMART log was not asked for"


def test_a_list_as_text():
    text = "Node          SN      Model        Namespace Usage                  Format       FW Rev\n"
    text += "/dev/nvme0n1  EX1     Example 1T   1         1.00  TB /   1.00  TB  512   B +  0 B   2B2QEXE7\n"
    assert recorded(text)["nvme0"].facts == {"firmware": "2B2QEXE7"}


def test_an_empty_list_is_no_hardware():
    assert isinstance(PROBE.read(recording(b'{"Devices": []}'), {}), NotMeasured)


@pytest.mark.parametrize("output", [b"", b"hello", b"<html>", b'{"a": 1}', b"[]", b"{", b"Smart Log"])
def test_a_recording_of_something_else_is_refused(output: bytes):
    with pytest.raises(UnreadableAnswer, match=r"nvme smart-log|JSON"):
        recording(output)


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    wholes = [TEXT.encode(), nvme_log().encode(), json.dumps({"Devices": [{"DevicePath": "/dev/nvme0n1"}]}).encode()]
    assert complaints(PROBE, data.draw(spoiled(wholes))) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_asks_each_controller(shell: list[str], tmp_path: Path):
    (tmp_path / "nvme0").mkdir()
    (tmp_path / "nvme0" / "state").write_text("live\n")
    tool(tmp_path, "nvme", f"[ \"$*\" = 'smart-log -o json /dev/nvme0' ] && cat <<'END'\n{nvme_log()}\nEND")
    answer = ask(PROBE, shell, tools=tmp_path, change=(("/sys/class/nvme", str(tmp_path)),))
    answer = Answer(answer.stdout.replace(str(tmp_path).encode(), b"/sys/class/nvme"))
    assert read(answer)["nvme0"].facts["state"] == "live"
