"""Recorded answers in place of servers: for demonstrations, for tests, for reading old answers with a better reader."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from maintops.domain.ports import Clock, Delivery, Failure, FailureKind, Pulse, Reply, Script, Stop, Trip
from maintops.domain.servers import Server
from maintops.runners.flights import PULSE_EVERY

_NOTHING = Failure(FailureKind.UNREACHABLE, "there is no recorded answer of this server")


class ReplayRunner:
    """A Runner that answers with recorded streams.

    `streams` gives a server's streams, one per script of its trip and in their order; or it is a folder that holds them
    as `SERVER/1.stream`, `SERVER/2.stream`, … (SERVER: the name, percent-encoded).
    """

    name = "replay"

    def __init__(
        self, streams: Mapping[str, Sequence[bytes]] | Path, clock: Clock, *, pulse_every: float = PULSE_EVERY
    ) -> None:
        self._streams, self._clock, self._pulse_every = streams, clock, pulse_every

    def refusal(self, server: Server) -> str | None:
        """A recording can stand in for any server."""
        return None

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        """Delivers the recordings one after the other; a server without one is unreachable."""
        pulse_due = time.monotonic() + self._pulse_every
        for trip in trips:
            if stop() is not None:
                return
            if time.monotonic() >= pulse_due:
                pulse_due = time.monotonic() + self._pulse_every
                yield Pulse({trip.server.name: ""})
            yield self._delivery(trip)

    def _delivery(self, trip: Trip) -> Delivery:
        started = self._clock()
        recorded = self._recorded(trip.server.name, len(trip.scripts))
        replies = [_reply(script, stream) for script, stream in zip(trip.scripts, recorded, strict=False)]
        replies += [Reply(b"", _NOTHING)] * (len(trip.scripts) - len(replies))
        return Delivery(trip.server.name, tuple(replies), started, self._clock())

    def _recorded(self, server: str, count: int) -> Sequence[bytes]:
        if isinstance(self._streams, Mapping):
            return self._streams.get(server, ())
        folder = self._streams / quote(server, safe="")
        files = [folder / f"{number}.stream" for number in range(1, count + 1)]
        if server.strip(".") == "":  # `.` and `..` are names that quoting leaves as they are
            return ()
        return [file.read_bytes() for file in files if file.is_file()]


def _reply(script: Script, stream: bytes) -> Reply:
    if len(stream) > script.limit:
        return Reply(stream[: script.limit], Failure(FailureKind.OVERFLOW, "the answer is longer than it can be"))
    return Reply(stream)
