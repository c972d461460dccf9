from __future__ import annotations

import pytest

from maintops.domain.answers import Answer, Measured, SubjectFacts, UnreadableAnswer
from maintops.probes.swap import PROBE


def read(text: str) -> SubjectFacts:
    reading = PROBE.read(Answer(("MemTotal: 4000 kB\n" + text).encode()), {})
    assert isinstance(reading, Measured)
    (one,) = reading.subjects
    return one


def test_used_swap_is_measured():
    one = read("SwapTotal:  2000 kB\nSwapFree:  1500 kB\n")
    assert one == SubjectFacts(None, {"total_bytes": 2_048_000, "used_bytes": 512_000, "used_percent": 25.0})


def test_no_swap_has_no_percentage():
    one = read("SwapTotal:  0 kB\nSwapFree:  0 kB\n")
    assert one == SubjectFacts(None, {"total_bytes": 0, "used_bytes": 0}, frozenset({"used_percent"}))


@pytest.mark.parametrize("text", ["", "SwapTotal: 5 kB\n", "SwapTotal: 5 kB\nSwapFree: 6 kB\n"])
def test_nonsense_is_unreadable(text: str):
    with pytest.raises(UnreadableAnswer, match="nothing sensible about swap"):
        read(text)
