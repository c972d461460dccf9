"""The event log of a BMC, as ipmitool prints it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.ipmi_events import MOST_EVENTS, PROBE, recording
from tests.contract.samples_chassis import IPMI_EVENTS
from tests.unit.probes.asking import SHELLS, answer_of, ask, only, tool
from tests.unit.probes.asking import recording as recorded
from tests.unit.probes.spoiling import complaints, spoiled, spoiling

INFO = """\
SEL Information
Version          : 1.5 (v1.5, v2 compliant)
Entries          : 2
Free Space       : 8160 bytes
Percent Used     : 16%
Last Add Time    : 09/11/2025 06:57:38 PM EDT
Last Del Time    : Not Available
Overflow         : true
Supported Cmds   : 'Partial Add' 'Reserve' 'Get Alloc Info'
# of Alloc Units : 510
"""
LOST = "   7 | 09/08/2021 | 06:34:16 | Power Supply #0x3b | Power Supply AC lost | Asserted\n"
ENDED = "   8 | 09/08/2021 | 06:36:00 | Power Supply #0x3b | Power Supply AC lost | Deasserted\n"


def listed(text: str) -> SubjectFacts:
    return only(PROBE, recording(text.encode()))


# --- recordings ------------------------------------------------------------------------------------------------------


def test_a_recording_of_power_events() -> None:
    facts = listed(recorded("ipmitool-sel", "acpi-soft-off")).facts
    assert facts["entries"] == 256
    assert facts["highest_record"] == 0x153
    assert len(facts["critical_events"]) == 6
    assert facts["critical_events"][0] == "131 2020-10-19 14:45:09 Power Supply Power Supply 2: Failure detected"
    assert [one for one in facts["open_events"] if "Redundancy" in one] == []
    assert facts["latest"] == "153 2020-11-04 16:06:05 OEM record dc: 000137"


def test_a_recording_of_an_open_chassis() -> None:
    facts = listed(recorded("ipmitool-sel", "chassis-intrusion")).facts
    assert facts["entries"] == 23
    assert facts["critical_events"] == [
        "9 2019-08-17 02:31:44 Power Supply PS1 Status: Failure detected",
        "b 2019-08-17 02:33:24 Power Supply PS1 Status: Failure detected",
    ]
    assert facts["open_events"] == [], "both failures ended"
    assert len(facts["warning_events"]) == 4
    assert facts["warning_events"][0].endswith("Physical Security Chassis Intru: General Chassis intrusion")


def test_a_recording_of_an_empty_log() -> None:
    subject = listed(recorded("ipmitool-sel", "empty-sel"))
    assert subject.facts == {
        "entries": 0,
        "highest_record": 0,
        "critical_events": [],
        "warning_events": [],
        "open_events": [],
    }
    assert {"latest", "cleared"} <= subject.not_offered


def test_a_recording_of_a_cleared_log() -> None:
    facts = listed(recorded("ipmitool-sel", "sel-log-cleared")).facts
    assert facts["cleared"] == "2025-11-21 10:30:00"


# --- what it says ----------------------------------------------------------------------------------------------------


def test_the_whole_answer() -> None:
    facts = only(PROBE, Answer(IPMI_EVENTS)).facts
    assert (facts["used_percent"], facts["overflow"], facts["entries"]) == (93, False, 7)
    assert facts["critical_events"] == [
        "1a 2025-08-17 22:08:02 EST Fan FAN1: Lower Critical going low",
        "1d at an unknown time Linux kernel panic: Fatal excep",
        "1e 2025-11-05 16:04:40 Memory #0x02: Uncorrectable ECC (UnCorrectable ECC, DIMMD7)",
    ]
    assert len(facts["open_events"]) == 2, "the fan turned again"


def test_how_full_it_is() -> None:
    facts = listed(INFO).facts
    assert facts == {"entries": 2, "used_percent": 16, "overflow": True}


def test_a_log_that_does_not_say_how_full_it_is() -> None:
    subject = listed(INFO.replace("16%", "unknown"))
    assert "used_percent" in subject.not_offered


def test_only_how_full_it_is() -> None:
    facts = only(PROBE, Answer(IPMI_EVENTS), {"entries": False}).facts
    assert facts.keys() == {"entries", "used_percent", "overflow"}


@pytest.mark.parametrize(
    ("date", "time", "told"),
    [
        ("08/17/2025", "02:31:44", "2025-08-17 02:31:44"),
        ("08/17/25", "23:09:44 CET", "2025-08-17 23:09:44 CET"),
        ("08/17/2025", "10:08:02 PM EST", "2025-08-17 22:08:02 EST"),
        ("08/17/2025", "12:08:02 AM EST", "2025-08-17 00:08:02 EST"),
        ("08/17/2025", "12:08:02 PM", "2025-08-17 12:08:02"),
        ("2025-08-17", "02:31:44 +02:00", "2025-08-17 02:31:44 +02:00"),
        ("17/08/2025", "02:31:44", "2025-08-17 02:31:44"),
    ],
)
def test_times_in_many_forms(date: str, time: str, told: str) -> None:
    facts = listed(f"   1 | {date} | {time} | Memory #0x02 | Uncorrectable ECC | Asserted\n").facts
    assert facts["critical_events"] == [f"1 {told} Memory #0x02: Uncorrectable ECC"]


def test_a_time_before_the_clock_was_set() -> None:
    facts = listed("  56 |  Pre-Init  |0000000085| Fan FAN1 | Lower Critical going low | Asserted\n").facts
    assert facts["latest"] == "56 before the clock was set Fan FAN1: Lower Critical going low"


def test_commas_in_place_of_bars() -> None:
    facts = listed("1ce,07/15/2026,21:02:53 CEST,Battery CMOS Battery,Failed,Asserted\n").facts
    assert facts["critical_events"] == ["1ce 2026-07-15 21:02:53 CEST Battery CMOS Battery: Failed"]


def test_the_long_form() -> None:
    block = (
        "SEL Record ID          : 0a1f\n Record Type           : 02\n Timestamp             : 08/17/2025 02:31:44\n"
        " Sensor Type           : Power Supply\n Sensor Number         : 3b\n Event Type            : Sensor-specific\n"
        " Event Direction       : Assertion Event\n Description           : Power Supply AC lost\n\n"
    )
    facts = listed(block + block.replace("Assertion", "Deassertion")).facts
    assert facts["critical_events"] == ["a1f 2025-08-17 02:31:44 Power Supply #0x3b: Power Supply AC lost"]
    assert facts["open_events"] == []
    assert facts["highest_record"] == 0xA1F


def test_what_ends_an_event() -> None:
    assert len(listed(LOST).facts["open_events"]) == 1
    assert listed(LOST + ENDED).facts["open_events"] == []
    assert len(listed(LOST + ENDED + LOST).facts["open_events"]) == 1
    lost = "   9 | 09/08/2021 | 06:34:16 | Power Supply #0x3e | Redundancy Lost | Asserted\n"
    again = "   a | 09/08/2021 | 06:36:00 | Power Supply #0x3e | Fully Redundant | Asserted\n"
    assert len(listed(lost).facts["open_events"]) == 1
    assert listed(lost + again).facts["open_events"] == []
    assert len(listed(LOST + again).facts["open_events"]) == 1, "of another sensor"


def test_a_part_that_was_pulled_is_a_warning() -> None:
    facts = listed("   1 | 09/07/2021 | 12:12:35 | Drive Slot / Bay #0x42 | Drive Present | Deasserted\n").facts
    assert facts["warning_events"] == ["1 2021-09-07 12:12:35 Drive Slot / Bay #0x42: Drive Present (ended)"]


def test_no_more_than_the_latest() -> None:
    lines = "".join(
        f"{number:4x} | 09/08/2021 | 06:34:16 | Memory | Uncorrectable ECC | Asserted\n" for number in range(1, 200)
    )
    facts = listed(lines).facts
    assert facts["entries"] == 199
    assert len(facts["critical_events"]) == MOST_EVENTS
    assert facts["critical_events"][-1].startswith("c7 ")


# --- no answer -------------------------------------------------------------------------------------------------------


def test_an_empty_log_prints_nothing() -> None:
    empty = INFO.replace("Entries          : 2", "Entries          : 0")
    facts = only(PROBE, answer_of(info=empty, list="")).facts
    assert facts["critical_events"] == []
    assert facts["entries"] == 0


def test_a_list_that_did_not_come_is_not_an_empty_one() -> None:
    for answer in (answer_of(info=INFO, list=""), answer_of(info=INFO, list=(1, ""))):
        assert "critical_events" not in only(PROBE, answer).facts


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", b"ipmitool: not found\n", 127),
        Answer(b"", b"Could not open device at /dev/ipmi0: No such file\n", 1),
    ],
)
def test_no_bmc_is_not_measured(answer: Answer) -> None:
    assert isinstance(PROBE.read(answer, {}), NotMeasured)


@pytest.mark.parametrize(
    "answer",
    [
        answer_of(info=INFO, list="<html>\n<body>No</body>\n</html>\n"),
        Answer(b"", b"", 139),
        Answer(b"<html></html>\n"),
        Answer(IPMI_EVENTS, truncated=True),
        Answer(IPMI_EVENTS[:-5]),
    ],
)
def test_what_is_no_log_is_unreadable(answer: Answer) -> None:
    with pytest.raises(UnreadableAnswer):
        PROBE.read(answer, {})


@pytest.mark.parametrize("output", [b"", b"<html>No</html>\n", b"Temp | 40 | ok\n"])
def test_a_recording_of_something_else_is_refused(output: bytes) -> None:
    with pytest.raises(UnreadableAnswer, match="neither `ipmitool sel info` nor"):
        recording(output)


@spoiling
@given(spoiled([INFO.encode(), (LOST + ENDED).encode(), INFO.encode() + LOST.encode(), IPMI_EVENTS]))
def test_what_is_spoilt_is_unreadable_at_worst(output: bytes) -> None:
    assert complaints(PROBE, output) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_question_in_every_shell(shell: list[str], tmp_path: Path) -> None:
    tool(tmp_path, "ipmitool", f"case $2 in info) cat <<'X'\n{INFO}X\n;; elist) cat <<'X'\n{LOST}X\n;; esac")
    facts = only(PROBE, ask(PROBE, shell, tools=tmp_path)).facts
    assert (facts["used_percent"], len(facts["open_events"])) == (16, 1)


def test_a_bmc_that_does_not_answer(tmp_path: Path) -> None:
    tool(tmp_path, "ipmitool", "echo 'Could not open device at /dev/ipmi0' >&2; exit 1")
    answer = ask(PROBE, ["dash"], tools=tmp_path)
    assert (answer.stdout, answer.status) == (b"", 1)
    assert isinstance(PROBE.read(answer, {}), NotMeasured)
