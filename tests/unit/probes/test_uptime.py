from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, SubjectFacts, UnreadableAnswer
from maintops.probes.uptime import PROBE
from tests.contract.asking import ask
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, read_recording, spoiled

STAT = "1 (sys) (temd) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 100 200"
WHOLE = f"""/proc/uptime:86400.25 170000.00
/proc/sys/kernel/random/boot_id:11111111-2222-3333-4444-555555555555
/proc/sys/kernel/osrelease:6.1.0-18-amd64
/proc/1/stat:{STAT}
/proc/stat:btime 1700000000
"""


def read(text: str) -> SubjectFacts:
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    (one,) = reading.subjects
    return one


def test_everything_is_measured():
    assert read(WHOLE).facts == {
        "uptime_seconds": 86400,
        "boot_id": "11111111-2222-3333-4444-555555555555",
        "booted_at": "2023-11-14T22:13:20+00:00",
        "kernel": "6.1.0-18-amd64",
        "init_started": 4711,
    }


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("11111111-2222", "nonsense", "boot_id"),
        ("btime 1700000000", "btime 99999999999999", "booted_at"),
        ("btime", "ctime", "booted_at"),
        (STAT, "1 (systemd) S 0", "init_started"),
        ("6.1.0-18-amd64", "", "kernel"),
    ],
)
def test_what_is_not_there_is_left_out(old: str, new: str, fact: str):
    whole = read(WHOLE).facts
    assert read(WHOLE.replace(old, new)).facts == {name: value for name, value in whole.items() if name != fact}


def test_a_machine_may_just_have_been_booted():
    assert read(WHOLE.replace("86400.25", "0.00")).facts["uptime_seconds"] == 0


@pytest.mark.parametrize("fields", range(25))
def test_a_short_line_of_process_1_gives_nothing(fields: int):
    line = "1 (systemd) " + " ".join(str(number) for number in range(3, 3 + fields))
    assert read(WHOLE.replace(STAT, line)).facts.get("init_started") == (22 if fields >= 20 else None)


@pytest.mark.parametrize("uptime", ["-5 0", "soon", ""])
def test_no_uptime_is_unreadable(uptime: str):
    with pytest.raises(UnreadableAnswer, match="/proc/uptime"):
        read(WHOLE.replace("86400.25 170000.00", uptime))


def test_a_line_of_another_kind_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="PATH:TEXT"):
        read(WHOLE + "hello\n")


def test_this_machine_says_the_same_twice():
    first, second = (read(ask(PROBE.question({})).stdout.decode()).facts for _ in range(2))
    assert first["boot_id"] == second["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert first["kernel"] == os.uname().release
    assert first["init_started"] == second["init_started"]


# --- recordings -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("36029.13 60471.11\n", 36_029),
        (" 21:28:01 up 12 days,  3:04,  2 users,  load average: 0.10, 0.20, 0.30\n", 1_047_840),
        (" 21:28:01 up 1 day, 2 users, load average: 0.10, 0.20, 0.30\n", 86_400),
        (" 21:28:01 up 3 min,  load average: 0,10, 0,20, 0,30\n", 180),
        (" 21:28:01 up 10:00,  load average: 0.10, 0.20, 0.30\n", 36_000),
        ("up 2 weeks, 1 day, 3 hours, 4 minutes\n", 1_307_040),
    ],
)
def test_bare_output_tells_the_time_alone(text: str, seconds: int):
    assert facts_of(PROBE, text) == {"uptime_seconds": seconds}


def test_a_month_is_no_number_of_seconds():
    with pytest.raises(UnreadableAnswer, match="this is not /proc/uptime"):
        read_recording(PROBE, "up 2 months, 1 day\n")


@OFTEN
@given(
    data=spoiled(
        [
            "36029.13 60471.11\n",
            " 21:28:01 up 12 days,  3:04,  2 users,  load average: 0.10, 0.20, 0.30\n",
            "up 2 weeks\n",
        ]
    )
)
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
