"""A Doer of the tests' own: what becomes of every server is written down beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from maintops.domain.ports import Deed, Done, Failure, FailureKind, Previewed, Pulse, Stop
from maintops.domain.servers import Server

HANGS: Literal["hangs"] = "hangs"
"""The server's turn never ends by itself: it is cut off when `stop` gives a reason, or else at its timeout."""

Part = Failure | None | Literal["hangs"] | Callable[[Deed, Server], Failure | None]


class FakeDoer:
    """A Doer that contacts nobody. `script` says by server what becomes of it: None (as for servers that it does not
    name) is done, a Failure is that failure, HANGS see there; a function is called with deed and server and gives one
    of the first two, or raises, as if the process died there. `calls` are the deeds and servers asked for, in order,
    `begun` the names of the servers whose turn has come."""

    def __init__(self, script: Mapping[str, Part] | None = None) -> None:
        self.script: dict[str, Part] = dict(script or {})
        self.calls: list[tuple[Deed, tuple[str, ...]]] = []
        self.begun: list[str] = []

    def do(
        self, deed: Deed, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Done | Pulse]:
        """One server after the other, `forks` at a time begin together (see ports.Doer)."""
        self.calls.append((deed, tuple(server.name for server in servers)))
        waiting = list(servers)
        while waiting:
            if (reason := stop()) is not None:
                yield from (Done(server.name, Failure(FailureKind.STOPPED, reason)) for server in waiting)
                return
            together, waiting = waiting[: max(1, forks)], waiting[max(1, forks) :]
            self.begun += [server.name for server in together]
            yield Pulse({server.name: "" for server in together})
            for server in together:
                yield self._done(deed, server, timeout, stop)

    def _done(self, deed: Deed, server: Server, timeout: float, stop: Stop) -> Done:
        part = self.script.get(server.name)
        if callable(part):
            part = part(deed, server)
        if part == HANGS:
            reason = stop()
            late = Failure(FailureKind.OVERTIME, f"it did not end within {timeout:g} seconds", blind=True)
            part = late if reason is None else Failure(FailureKind.STOPPED, reason, blind=True)
        if part is None:
            return Done(server.name, tasks=(Previewed("scripted", "changed"),))
        return Done(server.name, part)
