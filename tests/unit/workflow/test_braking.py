"""What keeps a changing run from going on: a person, a deadline, a hold; asked anew every time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from maintops.domain.holds import Hold
from maintops.domain.identities import Identity
from maintops.workflow.braking import Brakes

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOLD = Hold("h1", Identity("anna@ctl", "Anna"), "the storage is being moved", AT)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


def test_where_nothing_speaks_against_it_a_run_goes_on() -> None:
    brakes = Brakes(lambda now: None, Watch())
    assert (brakes.before_next(), brakes.reason(), brakes.cancelled) == (None, None, False)


def test_asked_once_what_was_begun_is_finished() -> None:
    brakes = Brakes(lambda now: None, Watch())
    brakes.cancel()
    assert (brakes.before_next(), brakes.reason(), brakes.cancelled) == ("the run was cancelled", None, True)


def test_asked_twice_what_is_in_flight_is_cut_off() -> None:
    brakes = Brakes(lambda now: None, Watch())
    brakes.cancel()
    brakes.cancel()
    assert brakes.reason() == "the run was stopped at once"
    assert brakes.before_next() is not None


def test_a_hold_is_asked_for_at_the_time_of_asking_and_cuts_nothing_off() -> None:
    asked: list[datetime] = []
    held: list[Hold] = []

    def holds(now: datetime) -> Hold | None:
        asked.append(now)
        return held[0] if held else None

    clock = Watch()
    brakes = Brakes(holds, clock)
    assert brakes.before_next() is None
    clock.now += timedelta(minutes=5)
    held.append(HOLD)
    assert brakes.before_next() == HOLD.words()
    assert (brakes.reason(), brakes.cancelled) == (None, False)
    held.clear()
    assert brakes.before_next() is None
    assert asked == [AT, AT + timedelta(minutes=5), AT + timedelta(minutes=5)]


def test_a_deadline_stops_at_its_very_time() -> None:
    clock = Watch()
    brakes = Brakes(lambda now: None, clock, AT + timedelta(hours=1))
    clock.now = AT + timedelta(minutes=59)
    assert brakes.before_next() is None
    clock.now = AT + timedelta(hours=1)
    assert brakes.before_next() == "the run's deadline (2026-03-01 10:00 UTC) has passed"
    assert brakes.reason() is None


def test_whoever_cancels_is_told_first() -> None:
    brakes = Brakes(lambda now: HOLD, Watch(), AT)
    brakes.cancel()
    assert brakes.before_next() == "the run was cancelled"
