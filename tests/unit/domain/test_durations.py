from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.durations import seconds, spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), (" 1 h 5 s ", 3605)],
)
def test_durations_as_people_write_them(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-5", "12:30", "5x", "5 5", "m5", "1h30", "nan", "inf", "1e3"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@given(st.text(max_size=20))
def test_any_text_gives_a_positive_number_or_is_refused(text):
    with suppress(ValueError):
        assert seconds(text) > 0


@pytest.mark.parametrize(
    ("length", "expected"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (12, "12 s"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_lengths_for_people(length, expected):
    assert spoken(length) == expected
