"""SSH connections, made with Fabric: through bastions, every hop's host key verified, every failure a sentence."""

from __future__ import annotations

import errno
import logging
import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection
from paramiko import AuthenticationException, Channel, SSHClient, Transport

from maintops.runners.addresses import Hop
from maintops.runners.flights import TICK, Flight
from maintops.runners.known_hosts import HostKey, KnownHosts, Standing, host_name
from maintops.runners.ssh_keys import Keyring, Unusable
from maintops.runners.ssh_sessions import WINDOW, readable

AUTH_TIMEOUT = 30.0
"""Seconds that a server may take over one login (a slow directory service)."""

KEEPALIVE = 15
"""Seconds of silence after which the kernel asks whether the other side still lives; four unanswered are its death."""

_BACKOFF = 0.3
_LOOK_UP = 0.5  # seconds after which paramiko's thread wakes up to see whether it is still wanted; we cut its socket
_RSA = ("rsa-sha2-512", "rsa-sha2-256")

_paramiko_log = logging.getLogger("paramiko")
_paramiko_log.addHandler(logging.NullHandler())
_paramiko_log.propagate = False  # every failure is data here; the library would print them as well
_paramiko_log.setLevel(logging.CRITICAL)


class NoWay(Exception):
    """There is no connection; the message is one sentence for people. `passing`: another try may help."""

    def __init__(self, why: str, *, passing: bool = False) -> None:
        super().__init__(why)
        self.passing = passing


class Cut(Exception):
    """The flight was cut while it waited."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all connections of a run share. `book` gives the known_hosts for a hop's files, read once."""

    book: Callable[[tuple[Path, ...]], KnownHosts]
    connect_timeout: float
    retries: int
    keyring: Keyring = field(default_factory=Keyring)
    # Built once: an empty one, that reads nobody's files. Fabric's own would read ~/.fabric.py for every server.
    config: Config = field(default_factory=lambda: Config(ssh_config=paramiko.SSHConfig(), lazy=True))


@contextmanager
def connected(hops: Sequence[Hop], means: Means, gates: Gates, flight: Flight) -> Iterator[Transport]:
    """A connection to the last hop, closed at once afterwards. Raises NoWay, or Cut where the flight was cut.

    Every server has a way of its own through its bastions, as with OpenSSH: paramiko can send on a channel that was
    just closed, for which sshd ends the whole connection, and no server may take others with it.
    """
    chain: list[Connection] = []
    try:
        for number, hop in enumerate(hops, 1):
            last = number == len(hops)
            with nullcontext() if last else gates.opened(tuple(hops[:number]), flight):
                chain.append(_try_hard(hop, chain[-1] if chain else None, means, flight))
        yield chain[-1].client.get_transport()
    finally:
        flight.hold(None)
        for connection in reversed(chain):
            _hang_up(connection)


class Gates:
    """What the servers behind the same bastions know of each other.

    Only so many log in to a bastion at once (its sshd begins to drop strangers at ten, MaxStartups), and a bastion that
    nobody got into is not tried again by every server in turn.
    """

    AT_ONCE = 8
    MEMORY = 30.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._doors: dict[tuple[Hop, ...], threading.Semaphore] = {}
        self._failed: dict[tuple[Hop, ...], tuple[float, str]] = {}

    @contextmanager
    def opened(self, hops: tuple[Hop, ...], flight: Flight) -> Iterator[None]:
        """Holds a place in front of a bastion. Raises NoWay where it has failed others a short while ago."""
        with self._lock:
            door = self._doors.setdefault(hops, threading.Semaphore(self.AT_ONCE))
        while not door.acquire(timeout=TICK):
            _check(flight)
        try:
            self._check_memory(hops)
            with self._remembering(hops):
                yield
        finally:
            door.release()

    def _check_memory(self, hops: tuple[Hop, ...]) -> None:
        at, why = self._failed.get(hops, (-math.inf, ""))
        if time.monotonic() < at + self.MEMORY:
            raise NoWay(why)

    @contextmanager
    def _remembering(self, hops: tuple[Hop, ...]) -> Iterator[None]:
        try:
            yield
        except NoWay as error:
            why = f"by way of its bastion: {error}"
            self._failed[hops] = (time.monotonic(), why)
            raise NoWay(why) from error


# --- one hop ----------------------------------------------------------------------------------------------------------


def _try_hard(hop: Hop, bastion: Connection | None, means: Means, flight: Flight) -> Connection:
    """Tries again what may pass (refused, reset, no answer), within the bound; never a login or a host key."""
    for attempt in range(means.retries + 1):
        try:
            return _open(hop, bastion, means, flight)
        except NoWay as error:
            if not error.passing or attempt == means.retries:
                raise
        flight.pause(_BACKOFF * 2**attempt)
        _check(flight)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _open(hop: Hop, bastion: Connection | None, means: Means, flight: Flight) -> Connection:
    connection = _connection(hop, means)
    way = _dial(hop, means, flight) if bastion is None else _tunnel(bastion, hop, means)
    flight.hold(lambda: _sever(way))
    dialled = time.monotonic()
    try:
        connection.connect_kwargs["sock"] = way
        connection.open()
    except Exception as error:
        _hang_up(connection)
        _sever(way)
        way.close()
        _check(flight)
        raise _explained(error, hop, means, time.monotonic() - dialled) from error
    return connection


def _tunnel(bastion: Connection, hop: Hop, means: Means) -> Channel:
    try:
        channel: Channel = bastion.client.get_transport().open_channel(
            "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=_patience(hop, means)
        )
    except (paramiko.SSHException, EOFError, OSError) as error:
        why = f"the bastion {bastion.host} does not connect to {hop.host} port {hop.port}: {readable(str(error))}"
        raise NoWay(why, passing=True) from error
    return channel


class _Connection(Connection):  # type: ignore[misc]  # Fabric ships no types
    """A connection that leaves the configuration alone which it shares with all others.

    Fabric writes what is no attribute of the class into its configuration, and rebuilds that while others read it.
    """

    inline_ssh_env = None

    def __setattr__(self, name: str, value: object) -> None:
        # Its own way asks `dir` for every attribute, twenty times a connection; all that is set here is one of ours.
        object.__setattr__(self, name, value)


def _connection(hop: Hop, means: Means) -> Connection:
    """A connection that is not open yet, and has no socket."""
    book, name = means.book(hop.known_hosts), host_name(hop.host, hop.port)
    seconds = _patience(hop, means)
    connection = _Connection(
        hop.host,
        user=hop.user,
        port=hop.port,
        config=means.config,
        connect_kwargs={
            "timeout": seconds,
            "banner_timeout": seconds,
            "auth_timeout": AUTH_TIMEOUT,
            "auth_strategy": _Login(hop, means.keyring),
            "transport_factory": _transports(book.types(name)),
        },
    )
    connection.client.set_missing_host_key_policy(_Verify(hop, book, name))
    return connection


def _transports(known: Sequence[str]) -> Callable[..., Transport]:
    """Transports that ask a server for a kind of key that is known of it, if any: it may have several."""
    wanted = [name for kind in known for name in (_RSA if kind == "ssh-rsa" else (kind,))]

    def make(sock: socket.socket, disabled_algorithms: dict[str, list[str]] | None = None) -> Transport:
        transport = Transport(sock, default_window_size=WINDOW, disabled_algorithms=disabled_algorithms)
        sock.settimeout(_LOOK_UP)
        options = transport.get_security_options()
        options.key_types = sorted(options.key_types, key=lambda name: name not in wanted)
        # paramiko compares a MAC byte by byte in Python: a fifth of a trip. AES-GCM needs none, and is no weaker.
        options.ciphers = sorted(options.ciphers, key=lambda name: "gcm" not in name)
        return transport

    return make


class _Verify(paramiko.MissingHostKeyPolicy):
    """Judges every host key: paramiko itself is given no known keys, so it asks about each one."""

    def __init__(self, hop: Hop, book: KnownHosts, name: str) -> None:
        self._hop, self._book, self._name = hop, book, name

    def missing_host_key(self, client: SSHClient, hostname: str, key: paramiko.PKey) -> None:
        shown = HostKey(key.get_name(), key.asbytes())
        standing = self._book.standing(self._name, shown)
        files = " and ".join(str(file) for file in self._book.sources)
        if standing is Standing.REVOKED:
            raise NoWay(f"the host key of {self._name} ({key.fingerprint}) is marked as revoked in {files}")
        if standing is Standing.KNOWN or self._hop.host_keys == "off":
            return
        if standing is Standing.CHANGED:
            raise NoWay(
                f"the host key of {self._name} is not the one in {files}: it now shows {shown.type} {key.fingerprint}; "
                f"if its administrator confirms the new one, remove the old one (ssh-keygen -R '{self._name}' -f FILE)"
            )
        if self._hop.host_keys == "strict":
            raise NoWay(
                f"the host key of {self._name} ({shown.type} {key.fingerprint}) is not in {files}: compare it with the "
                "server's own (ssh-keygen -lf on its host key file), then add it there"
            )
        self._accept(shown)

    def _accept(self, shown: HostKey) -> None:
        try:
            self._book.add(self._name, shown)
        except (OSError, IndexError) as error:
            raise NoWay(f"the new host key of {self._name} cannot be written down: {error}") from error


class _Login:
    """Logs in with the hop's keys, then with its password; says what was tried where nothing helped.

    To paramiko this is an AuthStrategy: `authenticate` is all that it asks of one.
    """

    def __init__(self, hop: Hop, keyring: Keyring) -> None:
        self._hop, self._keyring = hop, keyring

    def authenticate(self, transport: Transport) -> None:
        hop, tried, accepted = self._hop, 0, [""]
        try:
            with self._keyring.keys(hop) as keys:
                for key in keys:
                    tried, accepted = tried + 1, _let_in(transport, partial(transport.auth_publickey, hop.user, key))
                    if not accepted:
                        return
        except Unusable as error:
            if hop.password is None:
                raise NoWay(f"no login as {hop.user} on {hop.host}: {error}") from error
        if hop.password is not None:
            accepted = _let_in(transport, partial(transport.auth_password, hop.user, hop.password))
        if accepted:
            raise NoWay(self._why(tried, accepted))

    def _why(self, tried: int, accepted: Sequence[str]) -> str:
        hop = self._hop
        ways = [f"the key {' or '.join(str(file) for file in hop.keys)}"] if hop.keys else []
        ways += [f"{tried} keys of the agent and of ~/.ssh"] if hop.agent and hop.password is None else []
        ways += ["the password of the inventory"] if hop.password is not None else []
        offers = f"; it accepts: {readable(', '.join(accepted))}" if any(accepted) else ""
        return f"{hop.host} does not let {hop.user} in with {' or '.join(ways)}{offers}"


def _let_in(transport: Transport, login: Callable[[], Sequence[str]]) -> list[str]:
    """Tries one way to log in: returns nothing where it let us in, else what the server accepts ("" if unknown)."""
    try:
        return list(login())
    except paramiko.BadAuthenticationType as error:
        return list(error.allowed_types) or [""]
    except AuthenticationException:
        if not transport.is_active():
            raise
        return [""]


# --- sockets ----------------------------------------------------------------------------------------------------------


def _dial(hop: Hop, means: Means, flight: Flight) -> socket.socket:
    """A TCP connection. It looks up from waiting often enough to notice that the flight was cut."""
    try:
        places = socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        passing = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        raise NoWay(f"the name {hop.host} cannot be resolved: {readable(str(error))}", passing=passing) from error
    code = 0
    for family, kind, protocol, _, place in places:
        sock = socket.socket(family, kind, protocol)
        try:
            code = _reach(sock, place, _patience(hop, means), flight)
        except BaseException:
            sock.close()
            raise
        if code == 0:
            return _tuned(sock, hop)
        sock.close()
    raise _unreached(hop, code, _patience(hop, means))


def _reach(sock: socket.socket, place: Any, seconds: float, flight: Flight) -> int:
    """Connects; returns 0 or the error's number."""
    sock.setblocking(False)
    code = sock.connect_ex(place)
    if code != errno.EINPROGRESS:
        return code
    waiting, deadline = select.poll(), time.monotonic() + seconds
    waiting.register(sock, select.POLLOUT)
    while time.monotonic() < deadline:
        _check(flight)
        if waiting.poll(TICK * 1000):
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    return errno.ETIMEDOUT


def _tuned(sock: socket.socket, hop: Hop) -> socket.socket:
    """Has the kernel watch over the connection, without a thread of ours: a dead peer is noticed within minutes."""
    idle = hop.alive or KEEPALIVE
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, idle * 5 * 1000)
    return sock


def _unreached(hop: Hop, code: int, seconds: float) -> NoWay:
    if code == errno.ECONNREFUSED:
        return NoWay(f"{hop.host} refuses connections on port {hop.port}", passing=True)
    if code == errno.ETIMEDOUT:
        return NoWay(f"{hop.host} does not answer on port {hop.port} within {seconds:g} seconds", passing=True)
    return NoWay(f"{hop.host} cannot be reached on port {hop.port}: {os.strerror(code)}", passing=True)


def _explained(error: Exception, hop: Hop, means: Means, waited: float) -> NoWay:
    """A failed handshake or login, as a sentence."""
    if isinstance(error, NoWay):
        return error
    if isinstance(error, AuthenticationException):
        return NoWay(f"the login as {hop.user} on {hop.host} failed: {readable(str(error))}")
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return NoWay(f"{hop.host} and the ssh engine have no algorithm in common: {readable(str(error))}")
    if waited >= _patience(hop, means):
        why = f"{hop.host} accepts connections on port {hop.port} but does not answer within"
        return NoWay(f"{why} {_patience(hop, means):g} seconds")
    closed = isinstance(error, (EOFError, OSError)) or "SSH protocol banner" in str(error)
    if closed:
        return NoWay(f"{hop.host} closed the connection on port {hop.port} before the login", passing=True)
    what = readable(str(error)) or type(error).__name__
    return NoWay(f"the SSH handshake with {hop.host} port {hop.port} failed: {what}")


def _patience(hop: Hop, means: Means) -> float:
    return hop.connect_timeout or means.connect_timeout


def _check(flight: Flight) -> None:
    if flight.ended is not None:
        raise Cut


def _sever(way: socket.socket | Channel) -> None:
    """Ends a connection under whoever waits for it, at once."""
    with suppress(OSError, EOFError):
        if isinstance(way, socket.socket):
            way.shutdown(socket.SHUT_RDWR)
        else:
            way.close()


def _hang_up(connection: Connection) -> None:
    """Closes a connection. Its socket goes first: paramiko's thread would notice the end a tenth of a second later."""
    transport = connection.client.get_transport()
    if transport is not None:
        _sever(transport.sock)
    connection.client.close()
