"""One run of ansible-playbook that carries trips: its events are folded into deliveries. No I/O but the clock's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from maintops.domain.ports import Clock, Delivery, Failure, FailureKind, Reply, Trip
from maintops.runners.ansible_answers import complaint, is_passing, read_reply
from maintops.runners.ansible_plays import NTH

_RESULTS = frozenset({"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"})
_ITEMS = frozenset({"runner_item_on_ok", "runner_item_on_failed"})
_NOT_ASKED = Failure(FailureKind.BROKEN, "the connection ended before this was asked")


@dataclass(slots=True)
class _Flight:
    """A server being asked: since when, and the replies so far by the number of their script."""

    started: datetime
    replies: dict[int, Reply] = field(default_factory=dict)


class Round:
    """The trips of one run of ansible-playbook, and what has become of them. `stopped`: why maintops ended it."""

    def __init__(self, trips: Sequence[Trip], clock: Clock) -> None:
        self._clock = clock
        self._waiting = {trip.server.name: trip for trip in trips}
        self._trips = dict(self._waiting)
        self._flights: dict[str, _Flight] = {}
        self._texts: list[str] = []
        self._ended = False
        self.stopped: str | None = None

    @property
    def in_flight(self) -> dict[str, str]:
        """The servers being asked; which check is being answered there nobody knows before the answer is here."""
        return dict.fromkeys(self._flights, "")

    @property
    def asking(self) -> list[Trip]:
        """The trips of the servers being asked."""
        return [self._trips[server] for server in self._flights]

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for: every server has its delivery, or Ansible has come to its end."""
        return self._ended or not (self._waiting or self._flights)

    @property
    def has_begun(self) -> bool:
        """Whether any server had its turn."""
        return len(self._waiting) < len(self._trips)

    @property
    def waiting(self) -> list[Trip]:
        """The trips whose turn has not come."""
        return list(self._waiting.values())

    def hear(self, told: Mapping[str, Any]) -> Delivery | None:
        """Takes in one thing that the supervisor told; returns the delivery that it makes whole."""
        if "end" in told:
            self._ended = True
        texts = (str(told.get(name, "")).strip() for name in ("text", "stdout"))
        self._texts += [text.removeprefix("[WARNING]: ") for text in texts if text]
        event, server = told.get("event"), told.get("host")
        if server in self._waiting and event == "runner_on_start":
            self._waiting.pop(server)
            self._flights[server] = _Flight(self._clock())
        elif server in self._flights and event in _ITEMS:
            self._take_item(server, told.get("res") or {})
        elif server in self._flights and event in _RESULTS:
            return self._land(server, told.get("res") or {})
        return None

    def _take_item(self, server: str, result: Mapping[str, Any]) -> None:
        number = result.get(NTH)
        scripts = self._trips[server].scripts
        if isinstance(number, int) and number < len(scripts):
            self._flights[server].replies[number] = self._read(server, number, result)

    def _land(self, server: str, result: Mapping[str, Any]) -> Delivery:
        flight = self._flights[server]
        items = result.get("results")
        if isinstance(items, list):
            for item in items:  # the events of the items say the same: one that was lost is made up for
                if isinstance(item, Mapping) and item.get(NTH) not in flight.replies:
                    self._take_item(server, item)
        elif not flight.replies:
            flight.replies = {n: self._read(server, n, result) for n in range(len(self._trips[server].scripts))}
        return self.deliver(server, _NOT_ASKED)

    def _read(self, server: str, number: int, result: Mapping[str, Any]) -> Reply:
        trip = self._trips[server]
        return read_reply(result, trip.scripts[number], trip.server)

    # --- the end ------------------------------------------------------------------------------------------------------

    def deliver(self, server: str, missing: Failure) -> Delivery:
        """Ends a server's flight; the replies that it has no answer for have failed as `missing` says."""
        flight = self._flights.pop(server)
        count = len(self._trips[server].scripts)
        replies = tuple(flight.replies.get(number, Reply(b"", missing)) for number in range(count))
        return Delivery(server, replies, flight.started, self._clock())

    def deliver_flights(self, missing: Failure) -> list[Delivery]:
        """Ends every flight."""
        return [self.deliver(server, missing) for server in list(self._flights)]

    def deliver_waiting(self) -> list[Delivery]:
        """Gives up the servers whose turn has not come: Ansible will not ask them."""
        now = self._clock()
        trips, self._waiting = self.waiting, {}
        return [
            Delivery(trip.server.name, (Reply(b"", self._why(trip.server.name)),) * len(trip.scripts), now, now)
            for trip in trips
        ]

    def _why(self, server: str) -> Failure:
        """Why Ansible did not ask, in its own words as far as it had any."""
        if f"Could not match supplied host pattern, ignoring: {server}" in self._texts:
            return Failure(FailureKind.UNREACHABLE, "the inventory does not have this server any more")
        why = complaint(self._texts) or "Ansible ended without asking it, and gave no reason"
        return Failure(FailureKind.UNREACHABLE, why)


class Errand:
    """One call of a runner: which trips go into which round, and which deliveries are worth another try first (each
    server at most `retries` times)."""

    def __init__(self, trips: Sequence[Trip], clock: Clock, retries: int) -> None:
        self._trips, self._clock, self._retries = trips, clock, retries
        self._tries: Counter[str] = Counter()
        self._held: dict[str, Delivery] = {}

    @property
    def held(self) -> list[Delivery]:
        """The deliveries that wait for another try."""
        return list(self._held.values())

    def rounds(self) -> Iterator[Round]:
        """One round for all; others for those whose turn did not come in it, and for further tries."""
        waiting = list(self._trips)
        while waiting:
            yield (round_ := Round(waiting, self._clock))
            waiting = round_.waiting or [trip for trip in self._trips if trip.server.name in self._held]

    def sift(self, delivery: Delivery) -> Delivery | None:
        """The delivery; None where it is held back because asking again may help."""
        server = delivery.server
        if self._tries[server] < self._retries and _is_worth_another(delivery):
            self._tries[server] += 1
            self._held[server] = delivery
            return None
        self._held.pop(server, None)
        return delivery


def _is_worth_another(delivery: Delivery) -> bool:
    """Whether a script was not asked for a passing reason. Where all of several were not, it was tried twice already;
    where a connection broke in the middle, what came of it counts."""
    failures = [reply.failure for reply in delivery.replies]
    if any(failure is not None and failure.kind is FailureKind.BROKEN for failure in failures):
        return False
    passing = [failure is not None and is_passing(failure) for failure in failures]
    return any(passing) and not (all(passing) and len(passing) > 1)
