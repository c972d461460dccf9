"""The ssh engine: scripts carried over plain SSH connections, one trip per server."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maintops.domain.ports import Clock, Delivery, Failure, FailureKind, Pulse, Stop, Trip
from maintops.domain.servers import Server
from maintops.runners.addresses import Address, HostKeys, Surroundings, read_address
from maintops.runners.flights import PULSE_EVERY, Crew, Flight
from maintops.runners.known_hosts import KnownHosts, host_name
from maintops.runners.ssh_config import read_config
from maintops.runners.ssh_keys import hardware_key
from maintops.runners.ssh_options import Unsupported

if TYPE_CHECKING:
    from maintops.runners.ssh_connections import Gates, Means

FORKS = 50
"""Servers asked at once where nobody says otherwise."""


class SshRunner:
    """A Runner over Fabric's connections.

    `known_hosts` is the one file to verify host keys with (None: the files that OpenSSH would use), `host_keys` what
    becomes of unknown keys. `connect_timeout` (seconds) bounds each stage of a connection: TCP, then the handshake.
    `retries` is how often a connection that was refused, reset or not answered is tried again.
    """

    name = "ssh"

    def __init__(
        self,
        known_hosts: Path | None,
        host_keys: HostKeys,
        clock: Clock,
        connect_timeout: float = 10.0,
        retries: int = 2,
        *,
        pulse_every: float = PULSE_EVERY,
    ) -> None:
        self._known_hosts, self._host_keys, self._clock = known_hosts, host_keys, clock
        self._connect_timeout, self._retries, self._pulse_every = connect_timeout, retries, pulse_every
        self._books: dict[tuple[Path, ...], KnownHosts] = {}
        self._found: dict[str, tuple[Server, Address]] = {}
        self._reading = threading.Lock()

    def refusal(self, server: Server) -> str | None:
        """Why Ansible has to ask this server; nothing is contacted to find out."""
        try:
            self._address(server)
        except Unsupported as error:
            return str(error)
        return None

    def ask(self, trips: Sequence[Trip], *, forks: int, stop: Stop) -> Iterator[Delivery | Pulse]:
        """Asks every server in a thread of a pool (see ports.Runner)."""
        if not trips:
            return
        from maintops.runners.ssh_connections import Gates, Means  # Fabric is slow to import

        means = Means(self._book, self._connect_timeout, self._retries)
        gates = Gates()
        crew = Crew(
            trips,
            lambda flight: self._carry(flight, means, gates),
            self._clock,
            forks=forks,
            pulse_every=self._pulse_every,
        )
        try:
            yield from crew.watch(stop)
        finally:
            crew.dismiss()

    def _carry(self, flight: Flight, means: Means, gates: Gates) -> Failure | None:
        from maintops.runners.ssh_connections import Cut, NoWay, connected
        from maintops.runners.ssh_sessions import carry

        try:
            address = self._address(flight.trip.server)
            with connected(address.hops, means, gates, flight) as transport:
                for script in flight.trip.scripts:
                    become = address.become if script.become and not address.is_already else None
                    carry(transport, script, become, flight)
                    if flight.ended is not None or not transport.is_active():
                        break
        except (NoWay, Unsupported) as error:
            return Failure(FailureKind.UNREACHABLE, str(error))
        except Cut:
            return flight.ended
        return None

    def _address(self, server: Server) -> Address:
        """A server's address; read once, as it is asked for when engines are chosen and again when it is the server's
        turn."""
        whose, address = self._found.get(server.name, (None, None))
        if whose is not server or address is None:
            address = self._read(server)
            self._found[server.name] = (server, address)
        return address

    def _read(self, server: Server) -> Address:
        address = read_address(server, self._around)
        for hop in address.hops:
            if (key := hardware_key(hop)) is not None:
                raise Unsupported(f"its key {key} is a hardware (FIDO) key, which the ssh engine does not offer")
            book = self._book(hop.known_hosts)
            if hop.host_keys != "off" and book.only_by_authority(host_name(hop.host, hop.port)):
                raise Unsupported(f"only a certificate authority in known_hosts vouches for {hop.host}")
        return address

    @cached_property
    def _around(self) -> Surroundings:
        return Surroundings(read_config(), self._host_keys, self._known_hosts)

    def _book(self, files: tuple[Path, ...]) -> KnownHosts:
        with self._reading:
            if files not in self._books:
                try:
                    self._books[files] = KnownHosts(files)
                except OSError as error:
                    raise Unsupported(f"{error.filename} cannot be read: {error.strerror}") from error
            return self._books[files]
