"""The Contact: management controllers asked over the network, many at once, each by one thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from maintops.domain.bmcs import Bmc
from maintops.domain.ports import Clock, Failure, FailureKind, Inquiry, Pulse, Stop, Told, Trip
from maintops.errors import UsageError
from maintops.runners.flights import PULSE_EVERY, TICK, Crew, Flight

Inquired = Callable[[Bmc, Sequence[Inquiry], Flight, Clock], Iterator[Told]]


class BmcContact:
    """A Contact for both ways to a controller: Redfish first, then IPMI, in one thread."""

    def __init__(self, clock: Clock, *, pulse_every: float = PULSE_EVERY) -> None:
        self._clock, self._pulse_every = clock, pulse_every
        self._turns: dict[tuple[str, int | None, int], threading.Lock] = {}

    def inquire(self, inquiries: Sequence[Inquiry], *, forks: int, stop: Stop) -> Iterator[Told | Pulse]:
        """Asks every controller in a thread of a pool (see ports.Contact)."""
        asked: dict[str, list[Inquiry]] = {}
        for one in inquiries:
            asked.setdefault(one.server.name, []).append(one)
        if not asked:
            return
        told: dict[str, list[Told]] = {name: [] for name in asked}
        trips = [Trip(mine[0].server, ()) for mine in asked.values()]
        carry = partial(self._carry, asked, told)
        crew = Crew(trips, carry, self._clock, forks=forks, pulse_every=self._pulse_every)
        try:
            for news in crew.watch(stop):
                if isinstance(news, Pulse):
                    yield news
                    continue
                mine = told[news.server][:]
                yield from mine
                # A thread that did not come down in time has not told of everything, nor in the order of the checks.
                done = {one.check for one in mine}
                left = Failure(FailureKind.STOPPED, stop() or "its management controller was given up")
                for one in asked[news.server]:
                    if one.check not in done:
                        yield Told(news.server, one.check, None, left, news.started, news.ended)
        finally:
            crew.dismiss()

    def _carry(self, asked: dict[str, list[Inquiry]], told: dict[str, list[Told]], flight: Flight) -> None:
        server = flight.trip.server
        mine = asked[server.name]
        try:
            bmc = Bmc.of(server)
        except UsageError as error:
            failure = Failure(FailureKind.UNREACHABLE, str(error))
            now = self._clock()
            told[server.name] += [Told(server.name, one.check, None, failure, now, now) for one in mine]
            return
        with self._turn(bmc, flight):
            for reach, way in _WAYS.items():
                these = [one for one in mine if one.reach == reach]
                if these:
                    told[server.name].extend(self._asked(reach, way, bmc, these, flight))

    def _asked(
        self, reach: str, way: Callable[[], Inquired], bmc: Bmc, inquiries: Sequence[Inquiry], flight: Flight
    ) -> Iterator[Told]:
        """What one way brings; whatever a controller answers, it costs its own inquiries alone."""
        done: set[str] = set()
        try:
            for told in way()(bmc, inquiries, flight, self._clock):
                done.add(told.check)
                yield replace(told, failure=told.failure and _placed(told.failure, reach, bmc))
        except Exception as error:  # libraries of others read what a stranger sends
            # Its type alone: its text may repeat what was sent, the password too.
            why = f"its answer could not be used: {type(error).__name__}"
            failure, now = flight.ended or _placed(Failure(FailureKind.BROKEN, why), reach, bmc), self._clock()
            for one in inquiries:
                if one.check not in done:
                    yield Told(one.server.name, one.check, None, failure, flight.started, now)

    @contextmanager
    def _turn(self, bmc: Bmc, flight: Flight) -> Iterator[None]:
        """Two servers may have one controller (nodes of a chassis): it is asked for one after the other. A flight that
        is cut waits no longer: nothing is asked in it any more."""
        turn = self._turns.setdefault((bmc.host, bmc.port, bmc.ipmi_port), threading.Lock())
        mine = turn.acquire(timeout=TICK)
        while not mine and flight.ended is None:
            mine = turn.acquire(timeout=TICK)
        try:
            yield
        finally:
            if mine:
                turn.release()


def _redfish() -> Inquired:
    from maintops.runners.redfish import inquired  # sushy is slow to import

    return inquired


def _ipmi() -> Inquired:
    from maintops.runners.ipmi_lan import inquired

    return inquired


def _placed(failure: Failure, reach: str, bmc: Bmc) -> Failure:
    """A failure that says whose it is: a reader does not take the server for dead. What ended the run, and what is
    wrong with a question, is not the controller's."""
    if failure.kind in (FailureKind.STOPPED, FailureKind.UNUSABLE):
        return failure
    host = f"[{bmc.host}]" if ":" in bmc.host else bmc.host
    port = bmc.ipmi_port if reach == "ipmi" else bmc.port or (443 if bmc.scheme == "https" else 80)
    return replace(failure, why=f"its management controller ({host}:{port}): {failure.why}")


_WAYS: dict[str, Callable[[], Inquired]] = {"redfish": _redfish, "ipmi": _ipmi}
"""Reach (maintops.probes.contract.Reach) -> who asks."""
