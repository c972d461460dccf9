from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.conformance import reading_complaints
from maintops.probes.hp_arrays import PROBE
from tests.contract.samples_storage import SSACLI
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def read(text: str) -> Mapping[str | None, SubjectFacts]:
    answer = Answer(text.encode())
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    assert reading_complaints(PROBE, answer) == []
    return {one.subject: one for one in reading.subjects}


def test_a_controller_in_all_detail():
    found = read(SSACLI)
    assert set(found) == {"slot 0", "slot 0 array A", "slot 0 logical 1", "slot 0 drive 1I:1:1", "slot 0 drive 1I:1:2"}
    assert found["slot 0"].facts == {
        "kind": "controller",
        "status": "ok",
        "model": "Smart Array P410i",
        "serial": "EX400",
        "firmware": "6.40",
        "temperature_celsius": 52,
        "cache_status": "ok",
        "battery_status": "ok",
    }
    assert found["slot 0 array A"].facts == {"kind": "array", "status": "ok"}
    assert found["slot 0 logical 1"].facts == {
        "kind": "logical",
        "status": "ok",
        "level": "1",
        "unrecoverable_media_errors": False,
    }
    assert found["slot 0 drive 1I:1:2"].facts == {
        "kind": "physical",
        "status": "ok",
        "model": "HP EXAMPLE300",
        "serial": "EX502",
        "temperature_celsius": 35,
        "drive_type": "data drive",
        "life_remaining_percent": 97.35,
    }
    assert "cache_status" in found["slot 0 drive 1I:1:1"].not_offered


@pytest.mark.parametrize(
    ("status", "word", "percent"),
    [
        ("Interim Recovery Mode", "interim recovery mode", None),
        ("Recovering, 12% complete", "recovering", 12),
        ("Failed", "failed", None),
        ("Ready for Rebuild", "ready for rebuild", None),
    ],
)
def test_a_volume_that_is_not_well(status: str, word: str, percent: int | None):
    text = SSACLI.replace("Status: OK\n         Unrecoverable Media Errors: None", f"Status: {status}")
    one = read(text)["slot 0 logical 1"]
    assert (one.facts["status"], one.facts.get("progress_percent")) == (word, percent)
    short = f"Smart Array P410 in Slot 1\n\n   array A\n\n      logicaldrive 1 (136.7 GB, RAID 5, {status})\n"
    one = read(short)["slot 1 logical 1"]
    assert (one.facts["status"], one.facts["level"], one.facts.get("progress_percent")) == (word, "5", percent)


def test_a_drive_that_expects_to_fail():
    text = SSACLI.replace(
        "Port: 1I\n         Status: OK\n         Drive Type: Data Drive\n         Serial Number: EX502",
        "Port: 1I\n         Status: Predictive Failure\n         Drive Type: Data Drive\n         Serial Number: EX502",
    ).replace(
        "1I:1:2 (port 1I:box 1:bay 2, SAS HDD, 300 GB, OK)",
        "1I:1:2 (port 1I:box 1:bay 2, SAS HDD, 300 GB, Predictive Failure)",
    )
    assert read(text)["slot 0 drive 1I:1:2"].facts["status"] == "predictive failure"
    assert read(text)["slot 0 drive 1I:1:1"].facts["status"] == "ok"


SHORT = """\
FIRMWARE UPGRADE REQUIRED: A firmware update is recommended for this controller
                           to prevent rare potential data write errors on a

Smart Array P410i in Slot 0 (Embedded)    (sn: 5001438012345678)

   array A (SAS, Unused Space: 0  MB)

      logicaldrive 1 (136.7 GB, RAID 1+0, OK)

      physicaldrive 1I:1:1 (port 1I:box 1:bay 1, SAS, 146 GB, Failed)
      physicaldrive 1I:1:2 (port 1I:box 1:bay 2, SAS, 146 GB, OK)
      physicaldrive 1I:1:3 (port 1I:box 1:bay 3, SAS, 146 GB, OK, active spare for 1I:1:1)

   unassigned

      physicaldrive 1I:1:4 (port 1I:box 1:bay 4, SAS, 146 GB, OK)

Smart Array P411 in Slot 3
   Controller Status: OK
   Cache Status: Not Configured

MSA1500 CS in MY STORAGE
   Controller Status: OK
   Battery/Capacitor Status: Failed (Replace Batteries)
MSA1500 CS in MY STORAGE
   Controller Status: Failed
"""


def test_short_reports():
    found = read(SHORT)
    assert found["slot 0"].facts["serial"] == "5001438012345678"
    assert "status" not in found["slot 0"].facts
    assert found["slot 0 array A"].why_not == "the short report says nothing of the array itself"
    statuses = {name: one.facts.get("status") for name, one in found.items() if name and " drive " in name}
    assert statuses == {
        "slot 0 drive 1I:1:1": "failed",
        "slot 0 drive 1I:1:2": "ok",
        "slot 0 drive 1I:1:3": "ok",
        "slot 0 drive 1I:1:4": "ok",
    }
    assert found["slot 3"].facts["cache_status"] == "not configured"
    assert found["MY STORAGE"].facts["battery_status"] == "failed (replace batteries)"
    assert found["MY STORAGE #2"].facts["status"] == "failed"


def test_a_list_of_statuses():
    text = "Smart Array P840 in Slot 1 (HBA Mode)\n\n   physicaldrive 2I:0:1 (port 2I:box 0:bay 1, 4 TB): Rebuilding\n"
    assert read(text)["slot 1 drive 2I:0:1"].facts["status"] == "rebuilding"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\nError: No controllers detected. Possible causes:\n", "no such hardware: the tool finds no controller"),
        ("Error: You need to have administrator rights.\n", "the tool says: You need to have administrator rights."),
    ],
)
def test_complaints_of_the_tool_are_not_measured(text: str, why: str):
    assert PROBE.read(Answer(text.encode(), b"", 1), {}) == NotMeasured(why)


def test_no_tool_and_no_words_are_not_measured():
    assert PROBE.read(Answer(b"", b"ssacli: not found\n", 127), {}) == NotMeasured("no such command: ssacli")
    assert isinstance(PROBE.read(Answer(b"", b"", 139), {}), NotMeasured)


@pytest.mark.parametrize("text", ["<html></html>", "hello", "{}", "   Status: OK\n", "x" * 5000])
def test_other_output_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer, match="names no controller"):
        PROBE.read(Answer(text.encode()), {})


def test_a_line_that_is_too_long_says_nothing():
    text = "Smart Array P1 in Slot 0\n   Controller Status: OK{}\n   Cache Status: OK\n"
    assert "status" in read(text.format(""))["slot 0"].facts
    assert "status" not in read(text.format(" " * 400))["slot 0"].facts


def test_many_controllers_in_one_place_have_names_of_their_own():
    assert len(read("Smart Array P1 in Slot 0\n" * 2000)) == 2000


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    assert complaints(PROBE, data.draw(spoiled([SSACLI.encode(), SHORT.encode()]))) == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["ssacli", "hpssacli", "hpacucli"])
def test_the_question_asks_whichever_tool_there_is(shell: list[str], name: str, tmp_path: Path):
    tool(tmp_path, name, f"[ \"$*\" = 'ctrl all show config detail' ] && cat <<'END'\n{SSACLI}\nEND")
    assert "slot 0" in {one.subject for one in PROBE.read(ask(PROBE, shell, tools=tmp_path), {}).subjects}  # type: ignore[union-attr]
