"""One script on one server, over a connection that stands: how it is sent, and how its answer is heard."""

from __future__ import annotations

import time
from functools import reduce
from typing import TYPE_CHECKING

from maintops.domain.ports import Failure, FailureKind, Script
from maintops.runners.addresses import Become
from maintops.runners.flights import TICK, Flight

if TYPE_CHECKING:
    from paramiko import Channel, Transport

SLACK = 15.0
"""Seconds that a script may take beyond its own: login files of a shell, sudo, a slow line."""

WINDOW = 256 * 1024
"""Bytes that a server may send before they are read: what a flood can cost beside the script's own limit."""

LINGER = 5.0
"""Seconds without a byte, after a script has ended, for which its output is still waited for.

sshd tells of the end before it hands on the last bytes, and may be slow; what a script left behind may hold its output
open for ever.
"""

LONGEST = 128 * 1024 - 1
"""Bytes of one argument of a program (Linux, MAX_ARG_STRLEN)."""

OPENING = 30.0
_READ = 64 * 1024
_EXCERPT = 4096

# A POSIX shell, csh and fish all leave alone what stands between single quotes, but for these. Backslashes come first.
_ESCAPES = (("\\", "\\0134"), ("\n", "\\n"), ("'", "\\0047"), ("!", "\\0041"))
_UNPACK = 'exec </dev/null; eval "set --; $(printf %b "$1")"'


def command_line(script: Script, become: Become | None) -> str:
    """The command that runs a script, for a login shell of any kind (sh, csh, fish).

    The text travels as one argument, in which `printf %b` finds again what some shell would not leave alone. Standard
    input is for sudo's password and nothing else: the script itself reads /dev/null, so a password that sudo does not
    ask for is never read as a command.
    """
    packed = reduce(lambda text, escape: text.replace(*escape), _ESCAPES, script.text)
    shell = f"/bin/sh -c '{_UNPACK}' sh '{packed}'"
    if become is None:
        return f"exec {shell}"
    # -k: a remembered login counts for nothing, so that the password on standard input is always the one that is read;
    # it ends there, so a wrong one is not tried again.
    ask = "-k -S -p ''" if become.password else "-n"
    return f"exec env LC_ALL=C {become.program} {ask} -H -u '{become.user}' -- {shell}"


def carry(transport: Transport, script: Script, become: Become | None, flight: Flight) -> None:
    """Runs a script and lands its reply on the flight. Raises nothing that a server can cause."""
    command = command_line(script, become)
    if len(command) > LONGEST:
        why = f"its script is too long for one command ({len(command)} bytes of {LONGEST}): split the checklist"
        flight.begin(script, 0.0)
        flight.land(Failure(FailureKind.UNREACHABLE, why))
        return
    flight.begin(script, script.seconds + SLACK + OPENING)
    try:
        failure = _converse(transport, command, script, become, flight)
    except Exception as error:  # whatever a hostile server makes of the protocol is its failure, not ours
        failure = _broken(transport, flight, error)
    flight.land(failure)


def _converse(
    transport: Transport, command: str, script: Script, become: Become | None, flight: Flight
) -> Failure | None:
    channel = transport.open_session(window_size=WINDOW, timeout=OPENING)
    try:
        channel.settimeout(TICK)
        channel.exec_command(command)
        if become is not None and become.password:
            channel.sendall(become.password.splitlines()[0].encode("utf-8", "surrogateescape") + b"\n")
        channel.shutdown_write()
        return _Hearing(channel, script, flight).listen(become)
    finally:
        channel.close()


def _broken(transport: Transport, flight: Flight, error: Exception) -> Failure:
    if transport.is_active() and not flight.heard:
        return Failure(FailureKind.UNREACHABLE, f"the server does not run the script: {readable(str(error))}")
    return Failure(FailureKind.BROKEN, "the connection ended in the middle of the script")


class _Hearing:
    """Hears one answer to its end: counts its bytes, keeps an excerpt of what comes on standard error."""

    def __init__(self, channel: Channel, script: Script, flight: Flight) -> None:
        self._channel, self._flight, self._script = channel, flight, script
        self._deadline = time.monotonic() + self._script.seconds + SLACK
        self._errors, self._error_bytes = bytearray(), 0
        self._quiet_since: float | None = None

    def listen(self, become: Become | None) -> Failure | None:
        while True:
            piece = self._piece()
            self._drain()
            if piece:
                self._flight.heard += piece
            if failure := self._trouble():
                return failure
            if piece == b"" or self._lingered(piece):
                return self._verdict(become)

    def _piece(self) -> bytes | None:
        """The next bytes; b"" at the end, None where none came for a while."""
        try:
            return self._channel.recv(_READ)
        except TimeoutError:
            return None

    def _lingered(self, piece: bytes | None) -> bool:
        """Whether the script has ended and nothing came for LINGER seconds since."""
        if piece or not self._channel.exit_status_ready():
            self._quiet_since = None
            return False
        self._quiet_since = self._quiet_since or time.monotonic()
        return time.monotonic() > self._quiet_since + LINGER

    def _drain(self) -> None:
        while self._channel.recv_stderr_ready():
            piece = self._channel.recv_stderr(_READ)
            self._error_bytes += len(piece)
            self._errors += piece[: _EXCERPT - len(self._errors)]

    def _trouble(self) -> Failure | None:
        if self._flight.ended is not None:
            return self._flight.ended
        limit = self._script.limit
        if len(self._flight.heard) > limit or self._error_bytes > limit:
            del self._flight.heard[limit:]
            return Failure(FailureKind.OVERFLOW, f"the answer is longer than the {limit} bytes that it can have")
        if time.monotonic() > self._deadline:
            seconds = self._script.seconds + SLACK
            return Failure(FailureKind.OVERTIME, f"the script did not end within {seconds:.0f} seconds")
        return None

    def _verdict(self, become: Become | None) -> Failure | None:
        self._channel.status_event.wait(LINGER)
        self._drain()
        status = self._channel.exit_status
        if status < 0:
            return self._lost()
        if status == 0 or self._script.digest.encode() in self._flight.heard:
            return None
        said = self._errors.decode("utf-8", "replace") or self._flight.heard[-_EXCERPT:].decode("utf-8", "replace")
        if become is not None:
            return Failure(FailureKind.UNREACHABLE, f"become refused: {refusal(become, said, status)}")
        return Failure(FailureKind.UNREACHABLE, f"the server does not run the script: {_last_line(said, status)}")

    def _lost(self) -> Failure:
        if self._channel.get_transport().is_active():
            return Failure(FailureKind.BROKEN, "the script was ended on the server before it was through")
        return Failure(FailureKind.BROKEN, "the connection ended in the middle of the script")


# --- sentences --------------------------------------------------------------------------------------------------------

# What sudo says (LC_ALL=C) and what it means for the person who reads the result.
_COMPLAINTS = (
    ("incorrect password", "sudo does not accept the password that the inventory gives"),
    ("no password was provided", "sudo does not accept the password that the inventory gives"),
    ("password is required", "sudo asks for a password and the inventory gives none (ansible_become_password)"),
    ("not in the sudoers", "the login user may not use sudo there"),
    ("may not run sudo", "the login user may not use sudo there"),
    ("is not allowed to", "the login user may not run this as {user} there"),
    ("must have a tty", "sudo there wants a terminal (requiretty in sudoers)"),
    ("unknown user", "there is no user {user}"),
    ("sudo: not found", "there is no sudo"),
    ("'sudo': No such file", "there is no sudo"),
)


def refusal(become: Become, said: str, status: int) -> str:
    """What sudo meant, from what it said on standard error and its exit status."""
    for sign, meaning in _COMPLAINTS:
        if sign in said:
            return meaning.format(user=become.user)
    last = _last_line(said, status)
    return last.replace(become.password, "***") if become.password else last


def _last_line(said: str, status: int) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return readable(lines[-1]) if lines else f"exit status {status}, without a word"


def readable(text: str) -> str:
    """What a stranger said, fit for one sentence on any screen: printable, on one line, at most 200 characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:200]
