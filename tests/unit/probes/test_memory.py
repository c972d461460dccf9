from __future__ import annotations

import pytest

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.memory import PROBE


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
