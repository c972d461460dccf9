"""Maintenance windows: when a server may be changed, by the clock on the wall of one zone.

Rules, holidays and freezes are written in local time, everything that is computed from them is in UTC. Days are found
on naive local dates and get the zone last, because a wall's clock skips times and repeats others:

- a start or an end that is skipped (02:30 in spring) is the first real moment after the gap;
- a start that comes twice is the second one, an end that comes twice the first. Which of both an author meant, nobody
  knows; so the shorter reading holds: a window is never longer than any reading of it promises. One that lies within
  the repeated hour altogether can vanish by that; better missed than open when somebody believes it closed;
- a freeze is read the other way round, for the same reason: it begins at the first and ends at the second.

Lengths are real: 22:00 to 04:00 is five hours in the night in which clocks are put forward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from maintops.domain import durations

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Weekdays as they are written; the index is Python's number of the day."""

ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
"""Which of a month's weekdays."""

HORIZON = timedelta(days=400)
"""How far a window is looked for, and how far to both sides one without an end is told."""

_DAY = timedelta(days=1)
_MIDNIGHT = time()


@dataclass(frozen=True, slots=True)
class MonthDay:
    """A day of every month: the `number`th weekday (1 to 4, -1: the last; `weekday` counts from Monday as 0), or
    without a weekday the day of that number (1 to 31, -1: the last). A month that has no such day is passed over."""

    number: int
    weekday: int | None = None


@dataclass(frozen=True, slots=True)
class WindowRule:
    """Opens at a local time of day until another; an end that is not after the begin is one of the next day, so that
    00:00 to 00:00 is a whole day. Exactly one of the others is given: the weekdays (Monday is 0), the day of the month,
    or the one day on which it opens."""

    begin: time
    end: time
    weekdays: tuple[int, ...] = ()
    monthly: MonthDay | None = None
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    """Nothing may be running from a naive local date and time up to another, which is not in it any more."""

    begin: datetime
    end: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Windows:
    """When servers may be changed. `zone` is an IANA name that this machine knows, `holidays` are the local dates on
    which no window begins; one that began the day before goes on."""

    zone: str
    rules: tuple[WindowRule, ...]
    holidays: tuple[date, ...] = ()
    freezes: tuple[Freeze, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening:
    """A time in which servers may be changed, in UTC: `start` is in it, `end` is not."""

    start: datetime
    end: datetime


def opening_at(windows: Windows, now: datetime) -> Opening | None:
    """The opening that holds a moment, whole, with what adjoins it and without what is frozen; None outside.

    An opening that goes on without an end is told as far as `HORIZON` to both sides. `now` is aware, or ValueError is
    raised.
    """
    moment, zone = _utc(now), ZoneInfo(windows.zone)
    today = moment.astimezone(zone).date()
    reach = 4
    while True:
        first, last = today - reach * _DAY, today + reach * _DAY
        found = next((one for one in _openings(windows, first, last) if one.start <= moment < one.end), None)
        if found is None or reach >= HORIZON.days or _is_whole(found, first, last, zone):
            return found
        reach = min(reach * 4, HORIZON.days)


def next_opening(windows: Windows, after: datetime, within: timedelta = HORIZON) -> Opening | None:
    """The first opening that starts at a moment or later, but not later than `within` after it; None where there is
    none. An opening that the moment is in the middle of is not a next one. Raises ValueError as `opening_at` does."""
    moment, zone = _utc(after), ZoneInfo(windows.zone)
    latest = moment + within
    day, end = moment.astimezone(zone).date(), latest.astimezone(zone).date()
    days = 8
    while day <= end:
        last = min(day + days * _DAY, end)
        # What was open before the day must be known, or its continuation would be taken for a start.
        for one in _openings(windows, day - 3 * _DAY, last):
            if moment <= one.start <= latest and one.start.astimezone(zone).date() >= day:
                return opening_at(windows, one.start)
        day, days = last + _DAY, days * 2
    return None


def never_opens(windows: Windows, now: datetime) -> bool:
    """Whether no moment from now on is inside, as far as `HORIZON`: the dates are past, or all of it is frozen."""
    return opening_at(windows, now) is None and next_opening(windows, now) is None


def fits(opening: Opening, now: datetime, seconds: float) -> bool:
    """Whether what takes some seconds can begin now and be done before the opening ends."""
    moment = _utc(now)
    return opening.start <= moment and moment + timedelta(seconds=seconds) <= opening.end


# --- days ------------------------------------------------------------------------------------------------------------


def _openings(windows: Windows, first: date, last: date) -> list[Opening]:
    """What begins on some local days, first and last included: merged, cut by freezes, sorted."""
    zone = ZoneInfo(windows.zone)
    holidays = frozenset(windows.holidays)
    spans = [
        _span(rule, day, zone) for rule in windows.rules for day in _days(rule, first, last) if day not in holidays
    ]
    merged = _merged(sorted((one for one in spans if one.start < one.end), key=_start))
    for freeze in windows.freezes:
        frozen = _moment(freeze.begin, zone, second=False), _moment(freeze.end, zone, second=True)
        merged = [piece for one in merged for piece in _without(one, *frozen)]
    return merged


def _days(rule: WindowRule, first: date, last: date) -> Sequence[date]:
    """The local dates on which a rule opens, holidays or not."""
    # Late: it takes longer to import than most commands have to think about windows.
    from dateutil import rrule  # type: ignore[import-untyped]  # it ships no types

    if rule.day is not None:
        return [rule.day] if first <= rule.day <= last else []
    bounds = {"dtstart": datetime.combine(first, _MIDNIGHT), "until": datetime.combine(last, _MIDNIGHT)}
    if rule.monthly is None:
        found = rrule.rrule(rrule.WEEKLY, byweekday=rule.weekdays, **bounds) if rule.weekdays else ()
    elif rule.monthly.weekday is None:
        found = rrule.rrule(rrule.MONTHLY, bymonthday=rule.monthly.number, **bounds)
    else:
        weekday = rrule.weekday(rule.monthly.weekday, rule.monthly.number)
        found = rrule.rrule(rrule.MONTHLY, byweekday=weekday, **bounds)
    return [one.date() for one in found]


def _span(rule: WindowRule, day: date, zone: ZoneInfo) -> Opening:
    """The opening that begins on a day; its end may lie before its start where clocks are changed."""
    ends = day if rule.end > rule.begin else day + _DAY
    start = _moment(datetime.combine(day, rule.begin), zone, second=True)
    return Opening(start, _moment(datetime.combine(ends, rule.end), zone, second=False))


def _merged(spans: Sequence[Opening]) -> list[Opening]:
    """Openings in the order of their starts, those that overlap or adjoin as one."""
    merged: list[Opening] = []
    for one in spans:
        if merged and one.start <= merged[-1].end:
            merged[-1] = Opening(merged[-1].start, max(merged[-1].end, one.end))
        else:
            merged.append(one)
    return merged


def _without(opening: Opening, begin: datetime, end: datetime) -> Iterator[Opening]:
    """What is left of an opening without the time from one moment up to another."""
    if begin >= end or end <= opening.start or opening.end <= begin:
        yield opening
        return
    if opening.start < begin:
        yield Opening(opening.start, begin)
    if end < opening.end:
        yield Opening(end, opening.end)


def _is_whole(opening: Opening, first: date, last: date, zone: ZoneInfo) -> bool:
    """Whether days beyond the first and the last cannot add to an opening: it lies well between them."""
    begins, ends = opening.start.astimezone(zone).date(), opening.end.astimezone(zone).date()
    return first + _DAY < begins and ends < last


# --- clocks ----------------------------------------------------------------------------------------------------------


def _moment(local: datetime, zone: ZoneInfo, *, second: bool) -> datetime:
    """The moment, in UTC, at which a zone's clocks show a naive local time: of two the first or the second; where they
    skip it, the moment after the gap."""
    by_old, by_new = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if by_old <= by_new:
        return by_new if second else by_old
    return _change(by_new, by_old, zone)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second at which clocks go by the new offset, which they do not yet before and do after."""
    old = before.astimezone(zone).utcoffset()
    low, high = 0, round((after - before).total_seconds())
    while high - low > 1:
        middle = (low + high) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return before + timedelta(seconds=high)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no zone: nobody can say when that is")
    return moment.astimezone(UTC)


def _start(opening: Opening) -> datetime:
    return opening.start


# --- words -----------------------------------------------------------------------------------------------------------


def words(windows: Windows) -> str:
    """The windows in one line for people, such as `sat, sun 22:00-04:00 (Europe/Berlin); frozen 2026-12-18 to
    2027-01-06 (year end)`. Reasons are a person's own text, their white space made one blank."""
    parts = [f"{' or '.join(map(_rule_words, windows.rules)) or 'never'} ({windows.zone})"]
    if windows.holidays:
        parts.append("none begins on " + ", ".join(map(str, sorted(windows.holidays))))
    return "; ".join([*parts, *map(_freeze_words, windows.freezes)])


def opening_words(opening: Opening, zone: str) -> str:
    """An opening for people, by the clock of a zone (an IANA name): `sat 2026-03-28 22:00 CET to sun 2026-03-29 04:00
    CEST (5 h 0 min)`."""
    start, end = (one.astimezone(ZoneInfo(zone)) for one in (opening.start, opening.end))
    length = durations.spoken((opening.end - opening.start).total_seconds())
    return f"{_clock_words(start)} to {_clock_words(end)} ({length})"


def _clock_words(local: datetime) -> str:
    # Not %a: its words depend on the locale.
    return f"{WEEKDAYS[local.weekday()]} {local:%Y-%m-%d %H:%M %Z}"


def _rule_words(rule: WindowRule) -> str:
    until = f"{rule.end:%H:%M}" if rule.end != _MIDNIGHT else "24:00"
    return f"{_day_words(rule)} {rule.begin:%H:%M}-{until}"


def _day_words(rule: WindowRule) -> str:
    if rule.day is not None:
        return str(rule.day)
    if rule.monthly is None:
        days = sorted(rule.weekdays)
        names = [WEEKDAYS[one] for one in days]
        in_a_row = len(days) > 2 and days[-1] - days[0] == len(days) - 1
        return f"{names[0]}-{names[-1]}" if in_a_row else ", ".join(names)
    number, weekday = rule.monthly.number, rule.monthly.weekday
    if weekday is not None:
        ordinal = next(word for word, one in ORDINALS.items() if one == number)
        return f"{ordinal} {WEEKDAYS[weekday]} of the month"
    return "last day of the month" if number == -1 else f"day {number} of the month"


def _freeze_words(freeze: Freeze) -> str:
    why = " ".join(freeze.why.split())
    whole = freeze.begin.time() == freeze.end.time() == _MIDNIGHT
    # Whole days are told as they are written: the last one is frozen too.
    begin, end = (
        (f"{freeze.begin:%Y-%m-%d}", f"{freeze.end - _DAY:%Y-%m-%d}")
        if whole
        else (f"{freeze.begin:%Y-%m-%d %H:%M}", f"{freeze.end:%Y-%m-%d %H:%M}")
    )
    return f"frozen {begin} to {end}" + (f" ({why})" if why else "")
