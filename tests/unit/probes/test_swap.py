from __future__ import annotations

import pytest
from hypothesis import given

from maintops.domain.answers import Answer, Measured, NotMeasured, SubjectFacts, UnreadableAnswer
from maintops.probes.swap import PROBE
from tests.unit.probes.recorded import OFTEN, all_of, assert_no_news, assert_reads, facts_of, read_recording, spoiled


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

SWAPS = """\
Filename                                Type            Size            Used            Priority
/dev/dm-1                               partition       1500000         400000          -2
/swap file                              file            500000          100000          -3
"""
SWAPON = """\
NAME      TYPE  SIZE USED PRIO
/swapfile file    2G 512M   -2
"""


@pytest.mark.parametrize("text", [FREE, FREE_H, SWAPON])
def test_tables_without_a_unit_give_a_share(text: str):
    assert facts_of(PROBE, text) == {"used_percent": 25.0}


def test_areas_of_swap_are_added_up():
    assert facts_of(PROBE, SWAPS) == {"total_bytes": 2_048_000_000, "used_bytes": 512_000_000, "used_percent": 25.0}


@pytest.mark.parametrize("text", [FREE_OLD, SWAPS.split("\n")[0] + "\n"])
def test_no_swap_in_a_recording(text: str):
    (server,) = all_of(PROBE, text).values()
    assert (server.facts, server.not_offered) == ({"total_bytes": 0, "used_bytes": 0}, {"used_percent"})


def test_a_table_without_the_row_is_not_measured():
    assert isinstance(read_recording(PROBE, FREE.partition("Swap")[0]), NotMeasured)


@OFTEN
@given(data=spoiled([FREE, FREE_H, FREE_OLD, SWAPS, SWAPON]))
def test_a_spoiled_recording_is_unreadable_at_worst(data: bytes) -> None:
    assert_reads(PROBE, data)


def test_a_recording_of_nothing_or_of_something_else_is_no_news() -> None:
    assert_no_news(PROBE)
