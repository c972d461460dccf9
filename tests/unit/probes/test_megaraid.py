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
from maintops.probes.megaraid import PROBE, recording
from tests.contract.samples_storage import MEGARAID, NO_DRIVES, STORCLI_TEXT, parted, raid, raid_drives, storcli
from tests.unit.probes.asking import SHELLS, ask, tool
from tests.unit.probes.spoiling import complaints, spoiled, spoiling


def read(answer: Answer) -> Mapping[str | None, SubjectFacts]:
    reading = PROBE.read(answer, {})
    assert isinstance(reading, Measured), reading
    assert reading_complaints(PROBE, answer) == []
    return {one.subject: one for one in reading.subjects}


def recorded(output: bytes | str) -> Mapping[str | None, SubjectFacts]:
    return read(recording(output.encode() if isinstance(output, str) else output))


def test_a_controller_with_all_that_hangs_on_it():
    answer = Answer(parted(controllers=storcli(raid()), drives=storcli(raid_drives()), direct=NO_DRIVES))
    found = read(answer)
    assert list(found) == ["c0", "c0/bbu", "c0/v0", "c0/e252/s0", "c0/e252/s1"]
    assert found["c0"].facts == {
        "kind": "controller",
        "model": "Example RAID 9361",
        "serial": "EX200",
        "firmware": "4.680.00",
        "state": "optimal",
        "memory_correctable_errors": 0,
        "memory_uncorrectable_errors": 0,
        "temperature_celsius": 58,
        "foreign_drives": 0,
    }
    assert found["c0/bbu"].facts == {"kind": "battery", "model": "BBU", "state": "optimal", "temperature_celsius": 34}
    assert found["c0/v0"].facts == {
        "kind": "virtual",
        "state": "optimal",
        "level": "RAID1",
        "name": "system",
        "consistent": True,
    }
    assert found["c0/e252/s0"].facts == {
        "kind": "drive",
        "state": "online",
        "model": "EXAMPLE12",
        "foreign": False,
        "media_errors": 0,
        "other_errors": 0,
        "predictive_failures": 0,
        "smart_alert": False,
        "temperature_celsius": 31,
        "serial": "EX300",
        "firmware": "A1",
    }
    assert {"media_errors", "memory_correctable_errors"} <= found["c0/v0"].not_offered
    assert "level" in found["c0"].not_offered


def test_a_degraded_one():
    found = read(Answer(MEGARAID))
    assert found["c0/v0"].facts["state"] == "degraded"
    assert found["c0/v0"].facts["consistent"] is False
    assert (found["c0/e252/s0"].facts["media_errors"], found["c0/e252/s0"].facts["smart_alert"]) == (4, True)
    assert found["c0/e252/s1"].facts["state"] == "rebuilding"
    assert (found["c0/s2"].facts["state"], found["c0/s2"].facts["foreign"]) == ("unconfigured bad", True)
    assert found["c0"].facts["foreign_drives"] == 1


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("Optl", "optimal"),
        ("Pdgd", "partially degraded"),
        ("OfLn", "offline"),
        ("Failed", "failed"),
        ("Needs Attention", "needs attention"),
        ("Dgd (Needs Attention)", "degraded (needs attention)"),
        ("Something", "something"),
        ("-", None),
        ("", None),
    ],
)
def test_states_are_spelled_out(said: str, state: str | None):
    found = recorded(storcli(raid(**{"VD LIST": [{"DG/VD": "0/0", "State": said}]})))
    assert found["c0/v0"].facts.get("state") == state


def test_counts_that_are_not_said_are_left_out():
    text = storcli(raid_drives(**{"Media Error Count": "N/A", "Drive Temperature": " N/A"}))
    first = recorded(text)["c0/e252/s0"]
    assert "media_errors" not in set(first.facts) | first.not_offered
    assert "temperature_celsius" in first.not_offered


def test_a_newer_tool_says_how_a_drive_is_in_another_column():
    rows = [{"EID:Slt": "268:1", "State": "Conf", "Status": "Online", "DG": 0}]
    assert recorded(storcli({"PD LIST": rows, **raid()} | {"PD LIST": rows}))["c0/e268/s1"].facts["state"] == "online"


def test_properties_of_a_cache_vault_and_whether_it_must_be_replaced():
    data = {
        "Cachevault_Info": [{"Property": "State", "Value": "Failed"}, {"Property": "Temperature", "Value": "41 C"}],
        "Firmware_Status": [{"Property": "Replacement required", "Value": "Yes"}],
    }
    assert recorded(storcli(data))["c0/cv"].facts == {
        "kind": "battery",
        "state": "failed",
        "temperature_celsius": 41,
        "replacement_needed": True,
    }


def test_a_rebuild():
    data = {"x": [{"Drive-ID": "/c0/e252/s1", "Progress%": 37, "Status": "In progress"}]}
    assert recorded(storcli(data))["c0/e252/s1"].facts["rebuild_percent"] == 37


def test_an_overview_of_all_controllers():
    overview = {"System Overview": [{"Ctl": 0, "Model": "A", "Hlth": "Opt"}, {"Ctl": 1, "Model": "B", "Hlth": "NdAtn"}]}
    found = recorded(
        json.dumps({"Controllers": [{"Command Status": {"Status": "Success"}, "Response Data": overview}]})
    )
    assert (found["c0"].facts["state"], found["c1"].facts["state"]) == ("optimal", "needs attention")


def test_text_for_people():
    found = recorded(STORCLI_TEXT)
    assert (found["c0"].facts["model"], found["c0"].facts["firmware"]) == ("Example RAID", "4.300.00-8352")
    assert (found["c0/v0"].facts["state"], found["c0/v0"].facts["name"]) == ("partially degraded", "my data")
    assert (found["c0/e32/s1"].facts["state"], found["c0/e32/s1"].facts["model"]) == ("offline", "EXAMPLE 600 X")
    assert found["c0/s3"].facts["foreign"] is True
    assert found["c0/bbu"].facts["state"] == "degraded (needs attention)"


def test_details_of_a_drive_as_text():
    text = "CLI Version = 007\nController = 0\nStatus = Success\nDescription = None\n\n\n"
    text += "Drive /c0/e4/s11 State :\n======================\nMedia Error Count = 7077\nOther Error Count = 0\n"
    text += "Drive Temperature =  37C (98.60 F)\nPredictive Failure Count = 2\nS.M.A.R.T alert flagged by drive = Yes\n"
    assert recorded(text)["c0/e4/s11"].facts == {
        "kind": "drive",
        "media_errors": 7077,
        "other_errors": 0,
        "predictive_failures": 2,
        "smart_alert": True,
        "temperature_celsius": 37,
    }


def test_two_controllers_as_text():
    text = STORCLI_TEXT.decode()
    assert {"c0/v0", "c1/v0"} <= set(recorded(text + text.replace("Controller = 0", "Controller = 1")))


def test_a_failed_drive_in_the_list_does_not_hide_the_others():
    failed = json.loads(storcli(raid_drives()))
    failed["Controllers"][0]["Command Status"]["Status"] = "Failure"
    found = read(Answer(parted(controllers=storcli(raid()), drives=(46, json.dumps(failed)), direct=NO_DRIVES)))
    assert found["c0/e252/s0"].facts["media_errors"] == 0


@pytest.mark.parametrize(
    "output",
    [
        storcli("No Controller found"),
        storcli("Controller 0 not found"),
        "CLI Version = 007\nController = 0\nStatus = Failure\nDescription = Controller 0 not found\n",
    ],
)
def test_no_controller_is_no_such_hardware(output: str):
    reading = PROBE.read(Answer(parted(controllers=(255, output), drives=NO_DRIVES, direct=NO_DRIVES)), {})
    assert isinstance(reading, NotMeasured)
    assert reading.why.startswith("no such hardware")
    assert "found" in reading.why


def test_no_tool_is_not_measured():
    assert PROBE.read(Answer(b"", b"storcli: not found\n", 127), {}) == NotMeasured("no such command: storcli")


@pytest.mark.parametrize("text", ["", "<html></html>", "hello", "{", '{"Controllers": 1}', '{"Controllers": [1]}'])
def test_other_output_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer):
        PROBE.read(Answer(parted(controllers=(139, text))), {})
    with pytest.raises(UnreadableAnswer):
        recording(text.encode())


@spoiling
@given(data=st.data())
def test_spoiled_recordings_are_unreadable_at_worst(data: st.DataObject):
    wholes = [STORCLI_TEXT, storcli(raid()).encode(), storcli(raid_drives()).encode()]
    assert complaints(PROBE, data.draw(spoiled(wholes))) == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["storcli", "perccli64"])
def test_the_question_asks_whichever_tool_there_is_and_writes_no_log(shell: list[str], name: str, tmp_path: Path):
    outputs: dict[str, Any] = {"/call": raid(), "/call/eall/sall": raid_drives(), "/call/sall": "No drive found!"}
    cases = "".join(
        f"'{what} show all J nolog') cat <<'END'\n{storcli(data)}\nEND\n;;\n" for what, data in outputs.items()
    )
    tool(tmp_path, name, f'case "$*" in {cases} esac')
    assert "media_errors" in read(ask(PROBE, shell, tools=tmp_path))["c0/e252/s1"].facts
