"""Threads that ask many servers at once, and the watch that is kept over them.

A flight is one server being asked. Its thread does the asking and may block; the watching thread, which is the
caller's, reads the clock, asks whether the run must stop, and cuts the flights that are to end, by closing what they
wait for.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from maintops.domain.ports import Clock, Delivery, Failure, FailureKind, Pulse, Reply, Script, Stop, Trip

TICK = 0.25
"""Seconds between two looks at the clock and at `stop`."""

PULSE_EVERY = 15.0
"""Seconds between two pulses."""

PATIENCE = 5.0
"""Seconds that a flight has to come down once it was cut; after them it is delivered without its thread."""


class Flight:
    """One server being asked: what its thread and the watch share."""

    def __init__(self, trip: Trip, started: datetime) -> None:
        self.trip, self.started = trip, started
        self.replies: list[Reply] = []
        self.heard = bytearray()
        self.script: Script | None = None
        self._deadline: float | None = None
        self._cut: Callable[[], None] | None = None
        self._ended: Failure | None = None
        self._waking = threading.Event()
        self._lock = threading.Lock()

    @property
    def ended(self) -> Failure | None:
        """Why the flight was cut; None while it was not."""
        return self._ended

    def hold(self, cut: Callable[[], None] | None) -> None:
        """Says how to cut what the thread waits for next; None: nothing needs cutting."""
        with self._lock:
            self._cut = cut
            ended = self._ended is not None
        if ended and cut is not None:
            cut()

    def begin(self, script: Script, seconds: float) -> None:
        """A script is on its way; it is cut off `seconds` from now."""
        self.script, self.heard = script, bytearray()
        self._deadline = time.monotonic() + seconds

    def land(self, failure: Failure | None) -> None:
        """A script has its reply: what was heard, and what went wrong; where the flight was cut, that is why."""
        self.replies.append(Reply(bytes(self.heard), failure and (self._ended or failure)))
        self.script, self.heard, self._deadline = None, bytearray(), None

    def end(self, failure: Failure) -> None:
        """Cuts the flight; the first reason counts."""
        with self._lock:
            self._ended = self._ended or failure
            cut = self._cut
        self._waking.set()
        if cut is not None:
            cut()

    def pause(self, seconds: float) -> None:
        """Waits; not for long once the flight is cut."""
        self._waking.wait(seconds)

    def overdue(self, now: float) -> bool:
        """Whether the running script has had its time."""
        return self._deadline is not None and now > self._deadline

    def current(self) -> str:
        """The check that is being answered, or ""."""
        from maintops.script.reading import current  # only runs that last long enough for a pulse need it

        script = self.script
        return (current(bytes(self.heard), script) or "") if script else ""

    def delivery(self, now: datetime, missing: Failure | None = None) -> Delivery:
        """What came of it: a reply per script, those that were never begun failed as `missing` says."""
        replies = list(self.replies)
        if len(replies) < len(self.trip.scripts):
            failure = (
                self._ended or missing or Failure(FailureKind.BROKEN, "the connection ended before this was asked")
            )
            replies += [Reply(b"", failure)] * (len(self.trip.scripts) - len(replies))
        return Delivery(self.trip.server.name, tuple(replies), self.started, now)


Carry = Callable[[Flight], Failure | None]
"""Asks one server: lands a reply per script on its flight, or returns why those that are missing could not be asked."""


class Crew:
    """Carries trips in at most `forks` threads and yields deliveries and pulses (see `ports.Runner.ask`)."""

    def __init__(self, trips: Sequence[Trip], carry: Carry, clock: Clock, *, forks: int, pulse_every: float) -> None:
        count = max(1, min(forks, len(trips)))
        self._waiting, self._taking = iter(trips), threading.Lock()
        self._carry, self._clock, self._pulse_every = carry, clock, pulse_every
        self._flights: dict[str, Flight] = {}
        # A reader that is slower than the servers makes the threads wait: answers do not pile up. None: a thread ended.
        self._arrivals: queue.Queue[Delivery | Exception | None] = queue.Queue(count)
        self._reason: str | None = None
        self._dismissed = threading.Event()
        self._threads = [threading.Thread(target=self._work, name=f"trip-{n}", daemon=True) for n in range(count)]

    def watch(self, stop: Stop) -> Iterator[Delivery | Pulse]:
        """Runs the crew to its end, or to the reason that `stop` gives."""
        for thread in self._threads:
            thread.start()
        pulse_due, given_up = time.monotonic() + self._pulse_every, math.inf
        for arrival in self._arriving():
            if arrival is not None:
                yield arrival
            now = time.monotonic()
            self._end_overdue(now)
            if given_up == math.inf and (reason := stop()) is not None:
                given_up = now + PATIENCE
                self._end_all(reason)
            if now > given_up:
                yield from self._left_behind()
                return
            if now >= pulse_due:
                pulse_due = now + self._pulse_every
                yield Pulse({name: flight.current() for name, flight in list(self._flights.items())})

    def dismiss(self) -> None:
        """Ends whatever is still going on; what it would have brought is dropped."""
        self._dismissed.set()
        self._end_all("nobody waits for the answer any more")
        deadline = time.monotonic() + PATIENCE
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    # --- the watch ----------------------------------------------------------------------------------------------------

    def _arriving(self) -> Iterator[Delivery | None]:
        """Deliveries as they arrive, None where none came for a while; ends with the last thread."""
        working = len(self._threads)
        while working:
            try:
                arrival = self._arrivals.get(timeout=TICK)
            except queue.Empty:
                yield None
                continue
            if isinstance(arrival, Exception):
                raise arrival
            if arrival is None:
                working -= 1
            else:
                self._flights.pop(arrival.server)
                yield arrival

    def _end_all(self, reason: str) -> None:
        self._reason = reason
        for flight in list(self._flights.values()):
            flight.end(Failure(FailureKind.STOPPED, reason))

    def _end_overdue(self, now: float) -> None:
        for flight in list(self._flights.values()):
            if flight.overdue(now):
                flight.end(Failure(FailureKind.OVERTIME, "the script did not end within its own time"))

    def _left_behind(self) -> Iterator[Delivery]:
        """The flights whose threads do not come down: something that cannot be cut holds them (a name server)."""
        for flight in list(self._flights.values()):
            yield flight.delivery(self._clock())

    # --- the threads --------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (flight := self._take()) is not None:
                missing = self._carry(flight)
                self._bring(flight.delivery(self._clock(), missing))
        except Exception as error:  # a defect of ours: raised where it is seen, in the caller's thread
            self._bring(error)
        self._bring(None)

    def _take(self) -> Flight | None:
        with self._taking:
            trip = None if self._reason is not None else next(self._waiting, None)
            if trip is None:
                return None
            flight = self._flights[trip.server.name] = Flight(trip, self._clock())
        if self._reason is not None:  # it began while the others were being ended
            flight.end(Failure(FailureKind.STOPPED, self._reason))
        return flight

    def _bring(self, arrival: Delivery | Exception | None) -> None:
        while not self._dismissed.is_set():
            try:
                self._arrivals.put(arrival, timeout=TICK)
            except queue.Full:
                continue
            return
