"""How a number changes from record to record: a point a day, the slope through them, and when a limit is reached.

The slope is that of Theil and Sen: the median of the slopes between all pairs of points. One day on which a disk was
cleaned, or one wild reading, moves it little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median

Points = tuple[tuple[int, float], ...]
"""Seconds since 1970 (UTC) and the number at that time, oldest first; at most one a day."""

Trend = Mapping[str | None, Mapping[str, Points]]
"""Subject -> fact -> points."""

KEPT = timedelta(days=400)
"""How long a point is kept: a year, and some room to compare it with the one before."""

LEAST_POINTS = 3
"""Fewer records than this, the present one among them, are no trend."""

LEAST_SHARE = 1 / 3
"""The part of the period that the records must span."""

MOST_POINTS = 60
"""Points that a slope is computed from: of more, evenly spread ones are taken (pairs grow with the square)."""

DAY = 86_400


def extended(points: Points, now: datetime, value: float) -> Points:
    """The points with the present one; it takes the place of an earlier one of the same day."""
    stamp = int(now.astimezone(UTC).timestamp())
    first = stamp - int(KEPT.total_seconds())
    kept = [one for one in points if first <= one[0] < stamp and one[0] // DAY != stamp // DAY]
    return (*kept, (stamp, value))


def growth(points: Points, days: float) -> float | None:
    """The change of the number in so many days, by the slope of those that lie behind the last point.

    None where there is no trend to speak of: fewer than LEAST_POINTS in that time, or spread over less than a third
    of it.
    """
    slope = _slope(points, days)
    return None if slope is None else slope * days


def days_until(points: Points, limit: float, days: float) -> float | None:
    """Days from the last point until the number reaches a limit, at the slope of so many days; 0 where it is there.

    None where there is no trend, and where it does not lead there. Which side of the limit is the far one follows from
    where the number is: below the limit it has to grow, and at or above it is there.
    """
    slope = _slope(points, days)
    if slope is None:
        return None
    left = limit - points[-1][1]
    if left <= 0:
        return 0.0
    return left / slope if slope > 0 else None


def _slope(points: Points, days: float) -> float | None:
    """Change per day."""
    if not points:
        return None
    last = points[-1][0]
    recent = _spread([one for one in points if one[0] >= last - days * DAY])
    if len(recent) < LEAST_POINTS or last - recent[0][0] < days * DAY * LEAST_SHARE:
        return None
    pairs = (
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(recent)
        for later in recent[index + 1 :]
    )
    return median(pairs) * DAY


def _spread(points: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    if len(points) <= MOST_POINTS:
        return points
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(index * step)] for index in range(MOST_POINTS)]
