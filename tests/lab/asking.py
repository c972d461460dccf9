"""Asking servers in tests: scripts made by hand, and deliveries by server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from maintops.domain.ports import Delivery, Failure, FailureKind, Runner, Script, Trip
from maintops.domain.servers import Server
from maintops.runners.addresses import HostKeys
from maintops.runners.ssh import SshRunner
from tests.lab.fleet import Fleet

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


# --- with the ssh engine ----------------------------------------------------------------------------------------------

HELLO = script("echo hello")
GREETED = heard(b"hello\n")
ROOT = script("id -un", become=True)


def ssh_runner(known_hosts: Path | None = None, host_keys: HostKeys = "strict", timeout: float = 10.0) -> SshRunner:
    """The ssh engine, with one retry."""
    return SshRunner(known_hosts, host_keys, now, connect_timeout=timeout, retries=1)


def delivered(fleet: Fleet, name: str, *scripts: Script, by: SshRunner | None = None) -> Delivery:
    """One server's delivery; it is asked HELLO unless other scripts are given."""
    return ask(by or ssh_runner(), trips({name: fleet.variables(name)}, scripts or (HELLO,)))[name]


def refused(fleet: Fleet, name: str, *scripts: Script, by: SshRunner | None = None) -> Failure:
    """Why a server could not be asked at all."""
    delivery = delivered(fleet, name, *scripts, by=by)
    assert failure(delivery).kind is FailureKind.UNREACHABLE
    assert delivery.replies[0].stream == b""
    return failure(delivery)
