from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.memory import PROBE
from tests.unit.probes.recorded import OFTEN, assert_no_news, assert_reads, facts_of, read_recording, spoiled


def read(text: str) -> SubjectFacts:
    reading = PROBE.read(Answer(text.encode()), {})
    assert isinstance(reading, Measured)
    (one,) = reading.subjects
    return one


def test_what_is_available_is_measured():
    one = read("MemTotal:        4000 kB\nMemFree:   100 kB\nMemAvailable:   1000 kB\nHardwareCorrupted:   4 kB\n")
    assert one == SubjectFacts(
        None,
        {
            "total_bytes": 4_096_000,
            "available_bytes": 1_024_000,
            "available_percent": 25.0,
            "corrupted_bytes": 4096,
        },
    )


def test_an_old_kernel_does_not_say_what_is_available():
    one = read("MemTotal: 4000 kB\nMemFree: 100 kB\nBuffers: 50 kB\nCached: 100 kB\n")
    assert set(one.facts) == {"total_bytes"}
    assert one.not_offered == {"corrupted_bytes"}


@pytest.mark.parametrize("text", ["hello\n", "MemTotal: 0 kB\n", "MemTotal: -5 kB\n", f"MemTotal: {'9' * 5000} kB\n"])
def test_other_text_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer, match="MemTotal"):
        read(text)


def test_no_proc_is_not_measured():
    reading = PROBE.read(Answer(b"", b"cat: /proc/meminfo: No such file or directory\n", 1), {})
    assert reading == NotMeasured(
        "the command printed nothing (exit status 1): cat: /proc/meminfo: No such file or directory"
    )


# --- recordings -------------------------------------------------------------------------------------------------------
FREE = """\
               total        used        free      shared  buff/cache   available
Mem:        16000000     5000000     1000000      100000    10000000     4000000
Swap:        2000000      500000     1500000
"""
FREE_H = """\
              total        used        free      shared  buff/cache   available
Mem:           15Gi       4.8Gi       1.0Gi        98Mi       9.5Gi       3.8Gi
Swap:         2.0Gi       512Mi       1.5Gi
"""
FREE_OLD = """\
             total       used       free     shared    buffers     cached
Mem:       8059416    7928264     131152          0     158968    4989372
-/+ buffers/cache:    2779924    5279492
Swap:            0          0          0
"""


@pytest.mark.parametrize(
    ("text", "percent"), [(FREE, 25.0), (FREE_H, 25.0), ("  total used free available\nMem: 1.0Ti 0 0 512Gi\n", 50.0)]
)
def test_free_gives_shares_and_no_sizes(text: str, percent: float):
    assert facts_of(PROBE, text) == {"available_percent": percent}


def test_an_old_free_does_not_say_what_is_available():
    assert isinstance(read_recording(PROBE, FREE_OLD), NotMeasured)


def test_a_recording_of_meminfo_is_read_as_it_is():
    facts = facts_of(PROBE, "MemTotal:       16000 kB\nMemAvailable:    4000 kB\n")
    assert (facts["total_bytes"], facts["available_percent"]) == (16_384_000, 25.0)


@OFTEN
@given(data=spoiled([FREE, FREE_H, FREE_OLD, "MemTotal: 16000 kB\nMemAvailable: 4000 kB\n"]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
