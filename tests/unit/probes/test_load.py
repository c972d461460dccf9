from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.load import PROBE
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, spoiled


def read(loadavg: str, online: str | None) -> SubjectFacts:
    text = f"/proc/loadavg:{loadavg}\n" + (f"/sys/devices/system/cpu/online:{online}\n" if online is not None else "")
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    (one,) = reading.subjects
    return one


def test_load_is_divided_by_the_cores():
    one = read("0.50 1.25 6.00 2/345 6789", "0-2,5")
    assert one == SubjectFacts(
        None, {"load1": 0.5, "load5": 1.25, "load15": 6.0, "cores": 4, "load_per_core": 1.5}, frozenset()
    )


def test_without_the_number_of_cores_there_is_no_load_per_core():
    assert set(read("0.50 1.25 6.00 2/345 6789", None).facts) == {"load1", "load5", "load15"}


@pytest.mark.parametrize("online", ["", "x", "3-1", "0-", "0,,1"])
def test_a_broken_list_of_processors_is_unreadable(online: str):
    with pytest.raises(UnreadableAnswer, match="list of processors"):
        read("0.50 1.25 6.00 2/345 6789", online)


@pytest.mark.parametrize("loadavg", ["0.50 1.25", "a b c", "nan 1 2", "1e999 1 2"])
def test_other_averages_are_unreadable(loadavg: str):
    with pytest.raises(UnreadableAnswer, match="not /proc/loadavg"):
        read(loadavg, "0")


def test_an_answer_without_averages_is_unreadable():
    with pytest.raises(UnreadableAnswer, match="does not hold /proc/loadavg"):
        PROBE.read(Answer(b"/sys/devices/system/cpu/online:0-1\n"), {})


def test_nothing_is_not_measured():
    assert isinstance(PROBE.read(Answer(b"", b"", 2), {}), NotMeasured)


# --- recordings -------------------------------------------------------------------------------------------------------
SENTENCE = " 21:28:01 up 12 days,  3:04,  2 users,  load average: 0.10, 0.20, 6.00\n"


@pytest.mark.parametrize(
    "text",
    [
        "0.10 0.20 6.00 1/389 12345\n",
        SENTENCE,
        SENTENCE.replace("average: 0.10, 0.20, 6.00", "average: 0,10, 0,20, 6,00"),
        "top - 21:28:01 up 3 min,  1 user,  load average: 0.10, 0.20, 6.00\nTasks: 100 total\n",
        "10:09  up 3 mins, 3 users, load averages: 0.10 0.20 6.00\n",
    ],
)
def test_bare_averages_do_not_tell_the_cores(text: str):
    assert facts_of(PROBE, text) == {"load1": 0.1, "load5": 0.2, "load15": 6.0}


def test_a_recording_of_the_files_is_read_as_it_is():
    text = "/proc/loadavg:0.10 0.20 6.00 1/389 12345\n/sys/devices/system/cpu/online:0-3\n"
    assert facts_of(PROBE, text)["load_per_core"] == 1.5


@OFTEN
@given(data=spoiled([SENTENCE, "0.10 0.20 6.00 1/389 12345\n"]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
