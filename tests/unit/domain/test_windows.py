"""Maintenance windows: real lengths, clocks that skip and repeat, and an oracle that looks at every minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.windows import (
    HORIZON,
    Freeze,
    MonthDay,
    Opening,
    WindowRule,
    Windows,
    fits,
    never_opens,
    next_opening,
    opening_at,
    opening_words,
    words,
)
from tests.examples import examples

BERLIN = "Europe/Berlin"
SAT, SUN = 5, 6
EVERY_DAY = tuple(range(7))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opening(start: str, end: str) -> Opening:
    return Opening(utc(start), utc(end))


def clock(text: str) -> time:
    return time.fromisoformat(text)


def once(day: str, begin: str, end: str) -> WindowRule:
    return WindowRule(clock(begin), clock(end), day=date.fromisoformat(day))


def weekly(begin: str, end: str, *weekdays: int) -> WindowRule:
    return WindowRule(clock(begin), clock(end), weekdays=weekdays)


def monthly(number: int, weekday: int | None = None, begin: str = "20:00", end: str = "22:00") -> WindowRule:
    return WindowRule(clock(begin), clock(end), monthly=MonthDay(number, weekday))


def frozen(begin: str, end: str, why: str = "") -> Freeze:
    return Freeze(datetime.fromisoformat(begin), datetime.fromisoformat(end), why)


def windows(
    *rules: WindowRule, zone: str = BERLIN, holidays: tuple[str, ...] = (), freeze: Freeze | None = None
) -> Windows:
    return Windows(zone, rules, tuple(map(date.fromisoformat, holidays)), (freeze,) if freeze else ())


def all_openings(what: Windows, start: datetime, end: datetime) -> Iterator[Opening]:
    """The opening that holds the start, and those that start before the end."""
    found = opening_at(what, start) or next_opening(what, start)
    while found is not None and found.start < end:
        yield found
        found = next_opening(what, found.end)


# --- examples --------------------------------------------------------------------------------------------------------


def test_a_window_holds_its_start_and_not_its_end() -> None:
    what = windows(weekly("22:00", "04:00", SAT))
    whole = opening("2026-06-06 20:00", "2026-06-07 02:00")
    assert opening_at(what, whole.start - timedelta(microseconds=1)) is None
    assert opening_at(what, whole.start) == whole
    assert opening_at(what, whole.end - timedelta(microseconds=1)) == whole
    assert opening_at(what, whole.end) is None


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (monthly(2, SAT), ["2026-01-10", "2026-02-14", "2026-03-14"]),
        (monthly(1, SUN), ["2026-01-04", "2026-02-01", "2026-03-01"]),
        (monthly(4, 0), ["2026-01-26", "2026-02-23", "2026-03-23"]),
        (monthly(-1, 4), ["2026-01-30", "2026-02-27", "2026-03-27"]),
        (monthly(15), ["2026-01-15", "2026-02-15", "2026-03-15"]),
        (monthly(-1), ["2026-01-31", "2026-02-28", "2026-03-31"]),
        (monthly(30), ["2026-01-30", "2026-03-30", "2026-04-30"]),
        (once("2026-02-03", "20:00", "22:00"), ["2026-02-03"]),
        (weekly("20:00", "22:00", 1, 3), ["2026-01-01", "2026-01-06", "2026-01-08"]),
    ],
)
def test_the_days_of_a_rule(rule: WindowRule, days: list[str]) -> None:
    found = all_openings(windows(rule, zone="UTC"), utc("2026-01-01"), utc("2027-06-01"))
    assert [f"{one.start:%Y-%m-%d}" for one, _ in zip(found, range(3), strict=False)] == days


def test_what_overlaps_or_adjoins_is_one_opening() -> None:
    day = "2026-06-06"
    what = windows(once(day, "08:00", "10:00"), once(day, "10:00", "12:00"), once(day, "11:00", "11:30"), zone="UTC")
    assert opening_at(what, utc("2026-06-06 09:00")) == opening("2026-06-06 08:00", "2026-06-06 12:00")


def test_no_window_begins_on_a_holiday_but_one_that_began_goes_on() -> None:
    what = windows(weekly("22:00", "04:00", 4, SAT), zone="UTC", holidays=("2026-12-26",))  # a Saturday
    found = all_openings(what, utc("2026-12-25"), utc("2027-01-02"))
    assert list(found) == [
        opening("2026-12-25 22:00", "2026-12-26 04:00"),
        opening("2027-01-01 22:00", "2027-01-02 04:00"),
    ]


def test_a_freeze_cuts_an_opening_in_two() -> None:
    freeze = frozen("2026-06-06 10:00", "2026-06-06 11:00")
    what = windows(once("2026-06-06", "08:00", "12:00"), zone="UTC", freeze=freeze)
    before, after = opening("2026-06-06 08:00", "2026-06-06 10:00"), opening("2026-06-06 11:00", "2026-06-06 12:00")
    assert opening_at(what, utc("2026-06-06 09:59")) == before
    assert opening_at(what, utc("2026-06-06 10:00")) is None
    assert next_opening(what, utc("2026-06-06 09:00")) == after
    assert opening_at(what, utc("2026-06-06 11:00")) == after


def test_what_is_frozen_at_its_begin_opens_when_the_freeze_ends() -> None:
    what = windows(weekly("22:00", "04:00", SAT), freeze=frozen("2026-06-01", "2026-06-07"))
    assert next_opening(what, utc("2026-06-01")) == opening("2026-06-06 22:00", "2026-06-07 02:00")


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("22:00", "04:00", ("2026-03-28 21:00", "2026-03-29 02:00")),  # five hours
        ("22:00", "02:30", ("2026-03-28 21:00", "2026-03-29 01:00")),  # ends where the gap does
    ],
)
def test_the_night_in_which_clocks_go_forward(begin: str, end: str, expected: tuple[str, str]) -> None:
    assert next_opening(windows(once("2026-03-28", begin, end)), utc("2026-03-28")) == opening(*expected)


def test_a_start_that_is_skipped_is_the_first_moment_after_the_gap() -> None:
    what = windows(once("2026-03-29", "02:30", "04:00"))
    assert next_opening(what, utc("2026-03-28")) == opening("2026-03-29 01:00", "2026-03-29 02:00")
    assert never_opens(windows(once("2026-03-29", "02:15", "02:45")), utc("2026-03-28"))


@pytest.mark.parametrize(
    ("day", "begin", "end", "expected"),
    [
        ("2026-10-24", "22:00", "04:00", ("2026-10-24 20:00", "2026-10-25 03:00")),  # seven hours
        ("2026-10-24", "22:00", "02:30", ("2026-10-24 20:00", "2026-10-25 00:30")),  # the first of two ends
        ("2026-10-25", "02:30", "04:00", ("2026-10-25 01:30", "2026-10-25 03:00")),  # the second of two starts
        ("2026-10-25", "02:00", "03:00", ("2026-10-25 01:00", "2026-10-25 02:00")),
        ("2026-10-25", "01:00", "02:00", ("2026-10-24 23:00", "2026-10-25 00:00")),
    ],
)
def test_the_night_in_which_clocks_go_back(day: str, begin: str, end: str, expected: tuple[str, str]) -> None:
    assert next_opening(windows(once(day, begin, end)), utc("2026-10-24")) == opening(*expected)


def test_a_window_within_the_repeated_hour_vanishes_rather_than_being_guessed() -> None:
    what = windows(weekly("02:15", "02:45", SUN))
    assert never_opens(windows(once("2026-10-25", "02:15", "02:45")), utc("2026-10-24"))
    assert next_opening(what, utc("2026-10-24")) == opening("2026-11-01 01:15", "2026-11-01 01:45")


def test_a_freeze_lasts_from_the_first_to_the_second_of_repeated_times() -> None:
    rule = weekly("00:00", "00:00", *EVERY_DAY)
    to_second = windows(rule, freeze=frozen("2026-10-24 12:00", "2026-10-25 02:30"))
    assert opening_at(to_second, utc("2026-10-25 01:29")) is None
    assert opening_at(to_second, utc("2026-10-25 01:30")) is not None
    from_first = windows(rule, freeze=frozen("2026-10-25 02:30", "2026-10-26"))
    assert opening_at(from_first, utc("2026-10-25 00:29")) is not None
    assert opening_at(from_first, utc("2026-10-25 00:30")) is None


def test_a_day_without_its_midnight_begins_after_the_gap() -> None:
    what = windows(once("2026-04-24", "00:00", "06:00"), zone="Africa/Cairo")  # clocks go from 00:00 to 01:00
    assert next_opening(what, utc("2026-04-20")) == opening("2026-04-23 22:00", "2026-04-24 03:00")


def test_an_opening_without_an_end_is_told_as_far_as_the_horizon() -> None:
    what, now = windows(weekly("00:00", "00:00", *EVERY_DAY), zone="UTC"), utc("2026-06-06 12:00")
    found = opening_at(what, now)
    assert found is not None
    assert found.start == utc("2026-06-06") - HORIZON
    assert found.end == utc("2026-06-06") + HORIZON + DAY
    assert next_opening(what, now) is None
    assert not never_opens(what, now)


def test_a_long_opening_is_whole_wherever_it_is_asked_for() -> None:
    what = windows(weekly("00:00", "00:00", *EVERY_DAY), zone="UTC", holidays=("2026-03-01", "2026-09-01"))
    whole = opening("2026-03-02", "2026-09-01")
    asked = ["2026-03-02", "2026-03-05", "2026-06-06 12:00", "2026-08-28", "2026-08-31 23:59"]
    assert [opening_at(what, utc(one)) for one in asked] == [whole] * len(asked)
    assert next_opening(what, utc("2026-02-28 10:00")) == whole


def test_the_next_opening_is_looked_for_no_further_than_asked() -> None:
    what = windows(once("2026-06-06", "12:00", "13:00"), zone="UTC")
    start = utc("2026-06-06 12:00")
    assert next_opening(what, start - 10 * DAY, 10 * DAY) == next_opening(what, start) == Opening(start, start + HOUR)
    assert next_opening(what, start - 10 * DAY, 10 * DAY - MINUTE) is None
    assert next_opening(what, start + MINUTE) is None
    assert next_opening(what, start - HORIZON - MINUTE) is None
    assert next_opening(what, start - HORIZON) is not None


def test_windows_that_never_open() -> None:
    rule, now = weekly("22:00", "04:00", SAT), utc("2026-06-01")
    assert not never_opens(windows(rule), now)
    assert never_opens(windows(rule, freeze=frozen("2026-01-01", "2029-01-01")), now)
    assert never_opens(windows(once("2026-05-01", "20:00", "22:00")), now)
    assert never_opens(windows(once("2026-06-02", "20:00", "22:00"), holidays=("2026-06-02",)), now)
    assert not never_opens(windows(once("2026-06-01", "00:00", "12:00")), now)  # open this very moment
    assert never_opens(windows(), now)


def test_what_fits_is_done_when_the_opening_ends() -> None:
    one = opening("2026-06-06 20:00", "2026-06-06 22:00")
    assert fits(one, one.start, 7200)
    assert not fits(one, one.start, 7200.5)
    assert not fits(one, one.start - MINUTE, 60)
    assert fits(one, one.end, 0)
    # The same zone on both sides: Python would compare the clocks on the wall.
    assert not fits(
        opening("2026-10-25 00:00", "2026-10-25 01:00"),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo(BERLIN)),
        60,
    )


def test_a_moment_in_another_zone_is_the_same_moment() -> None:
    what, now = windows(weekly("22:00", "04:00", SAT)), utc("2026-10-24 23:30")
    assert opening_at(what, now.astimezone(ZoneInfo("America/New_York"))) == opening_at(what, now)
    assert next_opening(what, now.astimezone(ZoneInfo(BERLIN))) == next_opening(what, now)


@pytest.mark.parametrize("asked", [opening_at, next_opening, never_opens])
def test_a_moment_without_a_zone_is_refused(asked: object) -> None:
    what, naive = windows(weekly("22:00", "04:00", SAT)), utc("2026-06-06").replace(tzinfo=None)
    assert callable(asked)
    with pytest.raises(ValueError, match="has no zone"):
        asked(what, naive)
    with pytest.raises(ValueError, match="has no zone"):
        fits(opening("2026-06-06", "2026-06-07"), naive, 1)


# --- words -----------------------------------------------------------------------------------------------------------


def test_windows_in_one_line() -> None:
    what = windows(
        weekly("22:00", "04:00", SAT, SUN),
        monthly(2, SAT, "20:00", "00:00"),
        monthly(15),
        monthly(-1),
        monthly(-1, 4),
        weekly("01:00", "02:00", 0, 1, 2, 3, 4),
        weekly("01:00", "02:00", 4, 0, 2),
        once("2026-12-05", "20:00", "23:00"),
        holidays=("2026-12-26", "2026-12-25"),
        freeze=frozen("2026-12-18", "2027-01-07", "year\n end"),
    )
    assert words(what) == (
        "sat, sun 22:00-04:00 or second sat of the month 20:00-24:00 or day 15 of the month 20:00-22:00 or "
        "last day of the month 20:00-22:00 or last fri of the month 20:00-22:00 or mon-fri 01:00-02:00 or "
        "mon, wed, fri 01:00-02:00 or 2026-12-05 20:00-23:00 (Europe/Berlin); "
        "none begins on 2026-12-25, 2026-12-26; frozen 2026-12-18 to 2027-01-06 (year end)"
    )


def test_a_freeze_with_times_is_told_with_them() -> None:
    what = windows(weekly("22:00", "04:00", SAT), zone="UTC", freeze=frozen("2026-12-18 18:00", "2027-01-07"))
    assert words(what) == "sat 22:00-04:00 (UTC); frozen 2026-12-18 18:00 to 2027-01-07 00:00"


def test_an_opening_is_told_by_the_clock_of_a_zone() -> None:
    told = opening_words(opening("2026-03-28 21:00", "2026-03-29 02:00"), BERLIN)
    assert told == "sat 2026-03-28 22:00 CET to sun 2026-03-29 04:00 CEST (5 h 0 min)"


# --- an oracle that looks at every minute ----------------------------------------------------------------------------

REACH = 5 * 24 * 60
LOOKED_AT = range(REACH - 48 * 60, REACH + 48 * 60)
CHANGES = {
    BERLIN: ("2026-03-29 01:00", "2026-10-25 01:00"),
    "America/New_York": ("2026-03-08 07:00", "2026-11-01 06:00"),
    "Australia/Lord_Howe": ("2026-04-04 15:00", "2026-10-03 15:30"),
    "Africa/Cairo": ("2026-04-23 22:00", "2026-10-29 21:00"),
    "Asia/Shanghai": ("2026-06-06 00:00",),
}
PLACES = [(zone, change) for zone, changes in CHANGES.items() for change in changes]


@dataclass(frozen=True, repr=False)
class Wall:
    """What a zone's clock shows at every minute of some days around a change, as minutes from the first of them.

    `later` is the least that it shows at any later minute, `so_far` the most that it showed up to each."""

    begin: datetime
    base: datetime
    shown: list[int]
    later: list[int]
    so_far: list[int]

    def __repr__(self) -> str:
        return f"what is shown from {self.base} on"

    def number(self, local: datetime) -> int:
        return (local - self.base) // MINUTE

    def open_in(self, start: datetime, end: datetime) -> set[int]:
        """The minutes of a window: the clock shows the start or more and will never show it again, and never yet
        showed the end."""
        first, last = self.number(start), self.number(end)
        return {at for at in LOOKED_AT if self.shown[at] >= first and self.later[at] > first and self.so_far[at] < last}

    def frozen_in(self, start: datetime, end: datetime) -> set[int]:
        """The minutes of a freeze: the clock has shown the start, and shows less than the end or will show it."""
        first, last = self.number(start), self.number(end)
        return {
            at for at in LOOKED_AT if self.so_far[at] >= first and (self.shown[at] < last or self.later[at] <= last)
        }


@cache
def wall(zone: str, change: str) -> Wall:
    begin = utc(change) - REACH * MINUTE
    local = [(begin + at * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in range(2 * REACH)]
    shown = [(one - local[0]) // MINUTE for one in local]
    least = list(accumulate(reversed(shown), min))[::-1]
    return Wall(begin, local[0], shown, [*least[1:], 10**9], list(accumulate(shown, max)))


def begins_on(rule: WindowRule, day: date) -> bool:
    if rule.day is not None:
        return rule.day == day
    if rule.monthly is None:
        return day.weekday() in rule.weekdays
    number, weekday = rule.monthly.number, rule.monthly.weekday
    if weekday is None:
        return day.day == number or (number == -1 and (day + DAY).day == 1)
    which = -1 if number == -1 and (day + 7 * DAY).month != day.month else (day.day - 1) // 7 + 1
    return day.weekday() == weekday and which == number


def inside(what: Windows, seen: Wall) -> set[int]:
    """The minutes that are inside, one by one."""
    found: set[int] = set()
    for offset in range(1, 10):
        day = seen.base.date() + offset * DAY
        for rule in what.rules:
            if begins_on(rule, day) and day not in what.holidays:
                ends = day if rule.end > rule.begin else day + DAY
                found |= seen.open_in(datetime.combine(day, rule.begin), datetime.combine(ends, rule.end))
    for freeze in what.freezes:
        found -= seen.frozen_in(freeze.begin, freeze.end)
    return found


def stretches(minutes: set[int]) -> list[tuple[int, int]]:
    """Minutes as stretches without a gap: the first and the one after the last."""
    starts = sorted(at for at in minutes if at - 1 not in minutes)
    return list(zip(starts, sorted(at + 1 for at in minutes if at + 1 not in minutes), strict=True))


quarters = st.builds(lambda hour, quarter: time(hour, 15 * quarter), st.integers(0, 23), st.integers(0, 3))
near_change = st.builds(lambda hour, quarter: time(hour, 15 * quarter), st.integers(0, 3), st.integers(0, 3))
clocks = quarters | near_change
weekday_sets = st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days)))
month_days = st.builds(MonthDay, st.sampled_from([1, 2, 3, 4, -1]), st.integers(0, 6)) | st.builds(
    MonthDay, st.integers(1, 31) | st.just(-1)
)


def days_near(change: str) -> st.SearchStrategy[date]:
    return st.integers(-3, 3).map(lambda offset: utc(change).date() + offset * DAY)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Windows, Wall]:
    zone, change = draw(st.sampled_from(PLACES))
    days = days_near(change)
    rule = st.one_of(
        st.builds(WindowRule, clocks, clocks, weekdays=weekday_sets),
        st.builds(WindowRule, clocks, clocks, monthly=month_days),
        st.builds(WindowRule, clocks, clocks, day=days),
    )
    moments = st.builds(datetime.combine, days, clocks)
    freeze = st.lists(moments, min_size=2, max_size=2, unique=True).map(lambda two: Freeze(min(two), max(two)))
    rules = draw(st.lists(rule, min_size=1, max_size=3))
    holidays, freezes = draw(st.lists(days, max_size=2)), draw(st.lists(freeze, max_size=2))
    return Windows(zone, tuple(rules), tuple(holidays), tuple(freezes)), wall(zone, change)


@settings(max_examples=examples(150), deadline=None)
@given(situations())
def test_openings_are_what_every_single_minute_says(situation: tuple[Windows, Wall]) -> None:
    what, seen = situation
    first, last = LOOKED_AT.start, LOOKED_AT.stop
    begin, end = (seen.begin + at * MINUTE for at in (first, last))
    found = list(all_openings(what, begin, end))
    told = [((one.start - seen.begin) // MINUTE, (one.end - seen.begin) // MINUTE) for one in found]
    assert [(max(one, first), min(other, last)) for one, other in told] == stretches(inside(what, seen))
    assert all(one.start < one.end for one in found)
    assert all(one.end < other.start for one, other in pairwise(found))


@settings(max_examples=examples(60), deadline=None)
@given(situations(), st.lists(st.sampled_from(LOOKED_AT), min_size=1, max_size=8))
def test_a_moment_is_inside_when_its_minute_says_so(situation: tuple[Windows, Wall], minutes: list[int]) -> None:
    what, seen = situation
    expected = inside(what, seen)
    for at in minutes:
        moment = seen.begin + at * MINUTE
        found = opening_at(what, moment)
        assert (found is not None) == (at in expected)
        if found is not None:
            assert found.start <= moment < found.end
        if found is not None and found.end - found.start < HORIZON:  # one without an end is told around the moment
            assert opening_at(what, found.start) == opening_at(what, found.end - MINUTE) == found


@settings(max_examples=examples(100), deadline=None)
@given(situations(), st.sampled_from(LOOKED_AT[60:]))
def test_a_clock_put_back_an_hour_opens_nothing_but_the_calendar(situation: tuple[Windows, Wall], at: int) -> None:
    what, seen = situation
    now = seen.begin + at * MINUTE
    earlier = opening_at(what, now - HOUR)
    assert (earlier is not None) == (at - 60 in inside(what, seen))
    if earlier is not None and opening_at(what, now) is None:
        # What was open then is over now: nothing that begins at the earlier time may last until now, or begin now.
        assert earlier.end <= now
        assert not fits(earlier, now - HOUR, 3601)
        assert not fits(earlier, now, 1)


@settings(max_examples=examples(60), deadline=None)
@given(situations(), st.integers(-300 * 24 * 60, 300 * 24 * 60), st.integers(0, 10**6))
def test_the_next_opening_is_not_before_and_the_first(
    situation: tuple[Windows, Wall], offset: int, chance: int
) -> None:
    what, seen = situation
    after = seen.begin + offset * MINUTE
    found = next_opening(what, after)
    if found is None:
        assert next_opening(what, after + 3 * DAY, HORIZON - 3 * DAY) is None
        return
    assert after <= found.start <= after + HORIZON
    assert opening_at(what, found.start) == found
    between = after + timedelta(minutes=chance % max((found.start - after) // MINUTE, 1))
    held = opening_at(what, between)
    assert between == found.start or held is None or held.start < after
    # From any moment until then it is the next one too.
    assert next_opening(what, between) == found


@given(situations())
@settings(max_examples=examples(30), deadline=None)
def test_the_order_of_rules_and_freezes_means_nothing(situation: tuple[Windows, Wall]) -> None:
    what, seen = situation
    turned = replace(what, rules=what.rules[::-1], freezes=what.freezes[::-1], holidays=what.holidays[::-1])
    begin = seen.begin + LOOKED_AT.start * MINUTE
    assert next_opening(turned, begin) == next_opening(what, begin)
    assert opening_at(turned, seen.begin + REACH * MINUTE) == opening_at(what, seen.begin + REACH * MINUTE)
