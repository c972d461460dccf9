"""Asking servers in tests: scripts made by hand, and deliveries by server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from maintops.domain.ports import Delivery, Failure, Runner, Script, Trip
from maintops.domain.servers import Server

DIGEST = "5c71b7"


def now() -> datetime:
    """The clock of the tests' runners."""
    return datetime.now(UTC)


def script(text: str, *, become: bool = False, seconds: float = 20.0, limit: int = 1 << 20) -> Script:
    """A script of one's own; it prints its digest first, as every compiled one does."""
    return Script(f"echo '#{DIGEST}'\n{text}\n", DIGEST, become, (), seconds, limit)


def heard(answer: bytes) -> bytes:
    """The stream of a script whose text prints `answer`."""
    return b"#" + DIGEST.encode() + b"\n" + answer


def trips(servers: Mapping[str, Mapping[str, Any]], scripts: Sequence[Script]) -> list[Trip]:
    """The same scripts for every server, given by name and Ansible variables."""
    return [Trip(Server(name, variables=variables), tuple(scripts)) for name, variables in servers.items()]


def ask(
    runner: Runner, asked: Iterable[Trip], *, forks: int = 10, stop: Callable[[], str | None] = lambda: None
) -> dict[str, Delivery]:
    """Asks to the end; every server is delivered at most once."""
    found: dict[str, Delivery] = {}
    for arrival in runner.ask(list(asked), forks=forks, stop=stop):
        if isinstance(arrival, Delivery):
            assert arrival.server not in found, f"{arrival.server} was delivered twice"
            found[arrival.server] = arrival
    return found


def failure(delivery: Delivery, index: int = 0) -> Failure:
    """What went wrong with one script; fails where nothing did."""
    found = delivery.replies[index].failure
    assert found is not None, delivery
    return found
