from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from maintops.domain.ports import Delivery, Failure, FailureKind, Pulse, Reply, Script, Trip
from maintops.domain.servers import Server
from maintops.runners import flights
from maintops.runners.flights import Crew, Flight

SCRIPT = Script("true", "d1", False, ("A-1",), 1.0, 100)
GONE = Failure(FailureKind.UNREACHABLE, "gone")


def now() -> datetime:
    return datetime.now(UTC)


def trips(count: int, scripts: int = 1) -> list[Trip]:
    return [Trip(Server(f"s{number}"), (SCRIPT,) * scripts) for number in range(count)]


def crew(
    asked: list[Trip], carry: Callable[[Flight], Failure | None], forks: int = 3, pulse_every: float = 60.0
) -> Crew:
    return Crew(asked, carry, now, forks=forks, pulse_every=pulse_every)


def never() -> None:
    return None


def well(flight: Flight) -> None:
    for script in flight.trip.scripts:
        flight.begin(script, 10.0)
        flight.heard += flight.trip.server.name.encode()
        flight.land(None)


def deliveries(arrivals: Iterator[Delivery | Pulse]) -> dict[str, Delivery]:
    return {one.server: one for one in arrivals if isinstance(one, Delivery)}


def test_every_trip_is_delivered() -> None:
    found = deliveries(crew(trips(20, 2), well).watch(never))
    assert {name: one.replies for name, one in found.items()} == {
        f"s{number}": (Reply(f"s{number}".encode()),) * 2 for number in range(20)
    }


def test_scripts_without_a_reply_fail_for_the_reason_that_is_given() -> None:
    def carry(flight: Flight) -> Failure:
        flight.begin(SCRIPT, 10.0)
        flight.land(None)
        return GONE

    (one,) = deliveries(crew(trips(1, 3), carry).watch(never)).values()
    assert one.replies == (Reply(b""), Reply(b"", GONE), Reply(b"", GONE))


def test_a_defect_is_raised_where_it_is_seen() -> None:
    def carry(flight: Flight) -> None:
        raise ZeroDivisionError

    broken = crew(trips(3), carry)
    with pytest.raises(ZeroDivisionError):
        list(broken.watch(never))
    broken.dismiss()


def test_never_more_than_forks_are_under_way() -> None:
    under_way: set[str] = set()
    most: list[int] = []

    def carry(flight: Flight) -> None:
        under_way.add(flight.trip.server.name)
        most.append(len(under_way))
        time.sleep(0.01)
        under_way.discard(flight.trip.server.name)
        well(flight)

    assert len(deliveries(crew(trips(30), carry, forks=4).watch(never))) == 30
    assert max(most) <= 4


def test_answers_do_not_pile_up_before_a_slow_reader() -> None:
    carried: list[str] = []

    def carry(flight: Flight) -> None:
        carried.append(flight.trip.server.name)
        well(flight)

    slow = crew(trips(50), carry, forks=2)
    arrivals = slow.watch(never)
    next(arrivals)
    time.sleep(0.2)
    # One was taken; two wait in the queue, two in the hands of their threads.
    assert len(carried) <= 6
    assert len(list(arrivals)) == 49


class Held:
    """A carry that waits until its flight is cut; what it waits for can be cut, like a socket."""

    def __init__(self, seconds: float = 60.0) -> None:
        self.begun = threading.Semaphore(0)
        self._seconds = seconds

    def __call__(self, flight: Flight) -> Failure | None:
        cut = threading.Event()
        flight.hold(cut.set)
        flight.begin(SCRIPT, self._seconds)
        flight.heard += b"so far"
        self.begun.release()
        assert cut.wait(30), "nobody cut this flight"
        flight.land(GONE)
        return None


def test_stop_cuts_what_is_under_way_and_begins_nothing_more() -> None:
    held = Held()

    def stop() -> str | None:
        return "enough" if held.begun.acquire(timeout=5) and held.begun.acquire(timeout=5) else None

    found = deliveries(crew(trips(6, 2), held, forks=2).watch(stop))
    assert len(found) == 2
    enough = Failure(FailureKind.STOPPED, "enough")
    assert all(one.replies == (Reply(b"so far", enough), Reply(b"", enough)) for one in found.values())


def test_what_is_overdue_is_cut() -> None:
    (one,) = deliveries(crew(trips(1), Held(0.01)).watch(never)).values()
    assert one.replies[0].stream == b"so far"
    assert one.replies[0].failure is not None
    assert one.replies[0].failure.kind is FailureKind.OVERTIME


def test_a_thread_that_does_not_come_down_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "PATIENCE", 0.1)
    release = threading.Event()

    def carry(flight: Flight) -> None:
        release.wait(30)  # a name server that does not answer: nothing here can be cut

    stuck = crew(trips(3), carry, forks=1)
    found = deliveries(stuck.watch(lambda: "enough"))
    assert {name: one.replies for name, one in found.items()} == {
        "s0": (Reply(b"", Failure(FailureKind.STOPPED, "enough")),)
    }
    release.set()
    stuck.dismiss()


def test_pulses_say_who_is_being_asked_and_what() -> None:
    held = Held()
    arrivals = crew(trips(1), held, pulse_every=0.0).watch(never)
    pulse = next(one for one in arrivals if isinstance(one, Pulse) and held.begun.acquire(blocking=False))
    if not pulse.in_flight:  # it was on its way while the server was taken up
        pulse = next(one for one in arrivals if isinstance(one, Pulse))
    assert pulse.in_flight == {"s0": ""}
    arrivals.close()  # type: ignore[attr-defined]


def test_dismissing_ends_the_threads() -> None:
    held, before = Held(), threading.active_count()
    some = crew(trips(4), held, forks=2, pulse_every=0.0)
    arrivals = some.watch(never)
    next(arrivals)
    some.dismiss()
    assert threading.active_count() == before


def test_a_flight_that_was_cut_cuts_what_it_comes_to_hold_later() -> None:
    flight, cut = Flight(trips(1)[0], now()), threading.Event()
    flight.end(Failure(FailureKind.STOPPED, "enough"))
    flight.end(Failure(FailureKind.OVERTIME, "later"))
    flight.hold(cut.set)
    assert cut.is_set()
    assert flight.ended == Failure(FailureKind.STOPPED, "enough")


def test_an_answer_that_was_whole_before_the_cut_stays_whole() -> None:
    flight = Flight(trips(1)[0], now())
    flight.begin(SCRIPT, 10.0)
    flight.heard += b"all of it"
    flight.end(Failure(FailureKind.STOPPED, "enough"))
    flight.land(None)
    assert flight.delivery(now()).replies == (Reply(b"all of it"),)
