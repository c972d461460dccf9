"""Trends: a point a day, the slope through them, the day on which a limit is reached."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.trends import DAY, KEPT, MOST_POINTS, Points, days_until, extended, growth

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


def line(slope: float, days: int, start: float = 10.0, every: int = 1) -> Points:
    return tuple((day * DAY, start + slope * day) for day in range(0, days + 1, every))


def test_a_steady_growth_is_told_for_the_whole_period() -> None:
    assert growth(line(0.5, 30), 30) == pytest.approx(15)
    assert growth(line(0.5, 90), 30) == pytest.approx(15)
    assert growth(line(-2, 30, every=10), 30) == pytest.approx(-60)


def test_one_wild_reading_moves_it_little() -> None:
    points = list(line(0.5, 30))
    points[12] = (points[12][0], 99_000.0)
    assert growth(tuple(points), 30) == pytest.approx(15, rel=0.05)


def test_only_the_period_counts() -> None:
    flat_then_steep = (*line(0, 100), *((day * DAY, 10.0 + day - 100) for day in range(101, 131)))
    assert growth(flat_then_steep, 30) == pytest.approx(30)
    assert growth(flat_then_steep, 10) == pytest.approx(10)


@pytest.mark.parametrize("points", [(), line(1, 0), line(1, 1), line(1, 9), line(1, 20, every=20)])
def test_too_little_is_no_trend(points: Points) -> None:
    assert growth(points, 30) is None
    assert days_until(points, 1000, 30) is None


def test_the_day_on_which_it_is_full() -> None:
    assert days_until(line(1, 30), 100, 30) == pytest.approx(60)
    assert days_until(line(1, 30), 40, 30) == 0
    assert days_until(line(1, 30), 20, 30) == 0


@pytest.mark.parametrize("slope", [0, -1])
def test_what_does_not_grow_never_is(slope: float) -> None:
    assert days_until(line(slope, 30), 100, 30) is None


def test_the_last_point_of_a_day_counts_and_old_ones_go() -> None:
    points = extended(extended((), NOW, 1), NOW + timedelta(hours=3), 2)
    assert [value for _, value in points] == [2]
    points = extended(points, NOW + timedelta(days=1), 3)
    assert [value for _, value in points] == [2, 3]
    assert [value for _, value in extended(points, NOW + KEPT + timedelta(days=1, minutes=1), 4)] == [4]


def test_a_year_of_days_costs_no_more_than_some_points() -> None:
    assert growth(line(0.1, 365), 365) == pytest.approx(36.5)
    assert len(line(0.1, 365)) > MOST_POINTS


@given(st.lists(st.tuples(st.integers(-(10**9), 10**10), st.floats(-1e9, 1e9)), max_size=80), st.integers(1, 366))
def test_any_points_give_a_number_or_nothing(found: list[tuple[int, float]], days: int) -> None:
    points: Points = ()
    for at, value in found:
        points = extended(points, datetime.fromtimestamp(at, UTC), value)
        assert [one[0] for one in points] == sorted({one[0] for one in points})
        assert len({one[0] // DAY for one in points}) == len(points)
    assert isinstance(growth(points, days), float | None)
    left = days_until(points, 50.0, days)
    assert left is None or left >= 0
