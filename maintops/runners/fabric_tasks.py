"""Functions of a team's own that change servers over Fabric: `function(connection, parameters)`.

Importing this module imports Fabric, which is slow: only those who have such a step to do should.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.machinery
import importlib.util
import inspect
import json
import math
import queue
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import invoke
import paramiko
from fabric import Config, Connection

from maintops.domain.ports import Deed, Done, Failure, FailureKind, Previewed, Pulse, Stop, Trip
from maintops.domain.servers import Server
from maintops.errors import UsageError
from maintops.runners.addresses import Become, Hop
from maintops.runners.ansible_answers import hide, readable
from maintops.runners.ansible_plays import secret_values
from maintops.runners.flights import PATIENCE, TICK, Flight
from maintops.runners.ssh import SshRunner
from maintops.runners.ssh_connections import Cut, Gates, Means, NoWay, connected
from maintops.runners.ssh_options import Unsupported

_MOMENT = 0.5

Function = Callable[[Connection, dict[str, Any]], Any]


class FabricTasks(SshRunner):
    """A Doer whose deeds are functions `/absolute/file.py:name`, called for every server in a thread of its own.

    Connections are those of the ssh engine (see SshRunner): its known_hosts, its bastions, its logins; a server that it
    refuses is UNREACHABLE here. A function gets an open fabric.Connection, which prints nothing, reads no terminal and
    no configuration file, and knows the inventory's sudo password for `connection.sudo`; and a dict of its own with the
    deed's variables and, over those, the server's own. It returns None, a text for people, or a mapping with `message`
    (text) and `changed` (False where nothing was); any exception is the server's failure. Functions run in several
    threads at once. Fabric's `run` keeps all that a command prints and slows down with it: send floods to a file.
    """

    name = "fabric"

    def check(self, deed: Deed) -> None:
        """Raises UsageError, naming the file and line, where the deed's function cannot be loaded or called; contacts
        no server. The file's own top level is run."""
        self._function(deed)

    def do(
        self, deed: Deed, servers: Sequence[Server], *, forks: int, timeout: float, stop: Stop
    ) -> Iterator[Done | Pulse]:
        """Calls the function for every server (see ports.Doer); a server's `timeout` holds its connection too.

        Where time is up, or `stop` gives a reason, the connection is closed under the function. One that does not end
        even then is left to itself, and its server's failure says so.
        """
        if not servers:
            return
        try:
            function = self._function(deed)
        except UsageError as error:
            yield from (Done(server.name, Failure(FailureKind.UNUSABLE, str(error))) for server in servers)
            return
        means, gates = Means(self._book, self._connect_timeout, self._retries), Gates()

        def perform(attempt: _Attempt) -> Done:
            return self._perform(attempt, deed, function, means, gates)

        gang = _Gang([_Attempt(server, deed, Flight(Trip(server, ()), self._clock())) for server in servers], perform)
        try:
            yield from gang.watch(forks, timeout, stop, self._pulse_every)
        finally:
            gang.dismiss()

    def _perform(self, attempt: _Attempt, deed: Deed, function: Function, means: Means, gates: Gates) -> Done:
        try:
            address = self._address(attempt.server)
            with connected(address.hops, means, gates, attempt.flight) as transport:
                attempt.begun = True
                connection = _Lent(address.hops[-1], address.become, transport)
                return _call(function, connection, attempt, {**deed.variables, **deed.own.get(attempt.name, {})})
        except (NoWay, Unsupported) as error:
            return attempt.failed(FailureKind.UNREACHABLE, str(error))
        except Cut:
            return attempt.cut()
        except Exception as error:  # whatever it is, every server has its end and the others go on
            why = f"maintops itself went wrong: {type(error).__name__}: {attempt.hidden(str(error))}"
            return attempt.failed(FailureKind.BROKEN, why, blind=attempt.begun)

    # --- the function -------------------------------------------------------------------------------------------------

    def _function(self, deed: Deed) -> Function:
        path, name = split_reference(deed.fabric or "")
        function = getattr(_module(path), name, None)
        if function is None:
            raise UsageError(f"{path}: there is no function {name}")
        if not callable(function):
            raise UsageError(f"{path}: {name} is a {type(function).__name__}, not a function")
        try:
            inspect.signature(function).bind(None, {})
        except TypeError as error:
            line = function.__code__.co_firstlineno if inspect.isfunction(function) else 1
            raise UsageError(
                f"{path}:{line}: {name} is called as {name}(connection, parameters), and that does not fit: {error}"
            ) from error
        except ValueError:
            pass  # something made in C that does not tell its parameters
        return cast(Function, function)


def split_reference(reference: str) -> tuple[Path, str]:
    """The file and the function of `/absolute/file.py:function`; raises UsageError where it is something else."""
    path, _, name = reference.rpartition(":")
    if not Path(path).is_absolute() or not name.isidentifier():
        raise UsageError(f"fabric: {reference} is not /absolute/file.py:function")
    return Path(path), name


# --- loading ----------------------------------------------------------------------------------------------------------

_loaded: dict[Path, ModuleType] = {}
_loading = threading.Lock()


class _Loader(importlib.machinery.SourceFileLoader):
    """Reads the source and nothing else: what is compiled beside it may be an older one's, and nothing is put there."""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)


def _module(path: Path) -> ModuleType:
    """The module in a file, loaded once in the life of this process, by no name that anything else could import."""
    with _loading:
        if path not in _loaded:
            _loaded[path] = _load(path)
        return _loaded[path]


def _load(path: Path) -> ModuleType:
    name = f"_maintops_fabric_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    loader = _Loader(name, str(path))
    module = ModuleType(name)
    module.__file__, module.__loader__ = str(path), loader
    module.__spec__ = importlib.util.spec_from_file_location(name, path, loader=loader)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError(_unloadable(path, error)) from error
    return module


def _unloadable(path: Path, error: BaseException) -> str:
    if isinstance(error, OSError) and _line(path, error) is None:
        return f"{path}: cannot be read: {error.strerror}"
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}:{error.lineno}:{error.offset}: {error.msg}"
    line = _line(path, error)
    return f"{path}:{line or 1}: cannot be loaded: {type(error).__name__}: {readable(str(error))}"


def _line(path: Path, error: BaseException) -> int | None:
    """The last line of a file that an exception came through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None


# --- a connection on loan ---------------------------------------------------------------------------------------------


class _Client(paramiko.SSHClient):
    """A client of a connection that stands. It knows no host keys and would refuse to make another one."""

    def __init__(self, transport: paramiko.Transport) -> None:
        super().__init__()
        self._transport = transport


class _Lent(Connection):  # type: ignore[misc]  # Fabric ships no types
    """A Fabric connection over a transport of the ssh engine: it cannot be opened again (Fabric would take any host
    key), and closing it is left to the engine, so that `with connection:` does no harm."""

    def __init__(self, hop: Hop, become: Become, transport: paramiko.Transport) -> None:
        settings = {
            "run": {"hide": True, "in_stream": False},
            "sudo": {"password": become.password, "user": None if become.user == "root" else become.user},
        }
        config = Config(overrides=settings, ssh_config=paramiko.SSHConfig(), lazy=True)
        super().__init__(hop.host, user=hop.user, port=hop.port, config=config)
        self.client, self.transport = _Client(transport), transport

    def open(self) -> None:
        if not self.is_connected:
            raise ConnectionError("the connection is gone")

    def close(self) -> None:
        """Leaves it open."""


# --- one server -------------------------------------------------------------------------------------------------------


class _Attempt:
    """One server: what its thread and the watch share."""

    def __init__(self, server: Server, deed: Deed, flight: Flight) -> None:
        self.server, self.flight, self.name = server, flight, server.name
        self.path, self.function = split_reference(deed.fabric or "")
        self.begun = False
        self.deadline = self.given_up = math.inf
        self._secrets = secret_values(server) + secret_values(
            Server("", variables={"all": deed.variables, "own": deed.own.get(server.name, {})})
        )

    def hidden(self, text: str) -> str:
        """A text without the server's secrets and the parameters', fit for one line of a screen."""
        return readable(hide(text, self._secrets))

    def failed(self, kind: FailureKind, why: str, *, blind: bool = False) -> Done:
        """The server's end in failure."""
        return Done(self.name, Failure(kind, hide(why, self._secrets), blind))

    def cut(self) -> Done:
        """The server's end where it was cut off."""
        failure = self.flight.ended or Failure(FailureKind.BROKEN, "the connection ended")
        return Done(self.name, replace(failure, blind=self.begun))

    def left(self) -> Done:
        """The server's end where its thread did not end when it was cut off."""
        done = self.cut()
        if done.failure is None or not self.begun:
            return done
        more = f"; its connection was closed, but {self.function} goes on here and cannot be ended"
        return Done(self.name, replace(done.failure, why=done.failure.why + more))


def _call(function: Function, connection: _Lent, attempt: _Attempt, parameters: Mapping[str, Any]) -> Done:
    try:
        answer = function(connection, copy.deepcopy(dict(parameters)))
    except BaseException as error:  # sys.exit in a function is its failure too, and no end of a thread
        if attempt.flight.ended is not None:
            return attempt.cut()
        why = _explained(error, attempt)
        if _is_gone(connection, error):
            return attempt.failed(FailureKind.UNREACHABLE, f"the connection ended in the middle: {why}", blind=True)
        return attempt.failed(FailureKind.UNUSABLE, why)
    if attempt.flight.ended is not None:  # it may have taken the end of its connection for an end of its work
        return attempt.cut()
    return Done(attempt.name, tasks=(_told(answer, attempt),))


def _is_gone(connection: _Lent, error: BaseException) -> bool:
    """Whether the connection is no more. Its channels are told of the end a moment before itself."""
    status = getattr(getattr(error, "result", None), "exited", None)
    if status == -1 or isinstance(error, EOFError | OSError | paramiko.SSHException):
        connection.transport.join(_MOMENT)
    return not connection.is_connected


def _explained(error: BaseException, attempt: _Attempt) -> str:
    place = f"{attempt.path}:{_line(attempt.path, error) or 1}: {attempt.function}"
    return f"{place}: {type(error).__name__}: {attempt.hidden(_said(error))}"


def _said(error: BaseException) -> str:
    result = getattr(error, "result", None)
    if not isinstance(error, invoke.exceptions.Failure) or result is None:
        return str(error)
    lines = [line for text in (result.stderr, result.stdout) for line in text.splitlines()[-1:]]
    if isinstance(error, invoke.exceptions.CommandTimedOut):
        return f"{result.command}: did not end within {error.timeout} seconds"
    # Without a status it was a signal, or the connection ended; of that its own sentence tells.
    status = f"exit status {result.exited}" if result.exited >= 0 else "it was ended"
    return ": ".join([str(result.command), status, *lines[:1]])


def _told(answer: Any, attempt: _Attempt) -> Previewed:
    """What a function says of its work. Without a word it is taken to have changed something."""
    if isinstance(answer, Mapping):
        status = "ok" if answer.get("changed") is False else "changed"
        message = answer["message"] if "message" in answer else json.dumps(dict(answer), default=str)
        return Previewed(attempt.function, status, message=attempt.hidden(str(message)))
    message = "" if answer is None else str(answer)
    return Previewed(attempt.function, "changed", message=attempt.hidden(message))


# --- many servers -----------------------------------------------------------------------------------------------------


class _Gang:
    """A thread for every server, so many at a time, and the watch that is kept over them."""

    def __init__(self, attempts: Sequence[_Attempt], perform: Callable[[_Attempt], Done]) -> None:
        self._waiting, self._perform = deque(attempts), perform
        self._running: dict[str, tuple[_Attempt, threading.Thread]] = {}
        self._arrivals: queue.SimpleQueue[tuple[_Attempt, Done]] = queue.SimpleQueue()

    def watch(self, forks: int, timeout: float, stop: Stop, pulse_every: float) -> Iterator[Done | Pulse]:
        """Sees every server to its end; yields what came of each, and pulses."""
        pulsed = time.monotonic()
        while self._waiting or self._running:
            if (reason := stop()) is not None:
                yield from self._hold(Failure(FailureKind.STOPPED, reason))
            while self._waiting and len(self._running) < max(1, forks):
                self._start(self._waiting.popleft(), timeout)
            yield from self._arrived()
            now = time.monotonic()
            yield from self._late(now, timeout)
            if now >= pulsed + pulse_every:
                pulsed = now
                yield Pulse({name: attempt.function for name, (attempt, _) in self._running.items()})

    def dismiss(self) -> None:
        """Ends whatever is still going on; what it would have brought is dropped."""
        for attempt, _ in self._running.values():
            attempt.flight.end(Failure(FailureKind.STOPPED, "nobody waits for it any more"))
        deadline = time.monotonic() + PATIENCE
        for thread in [thread for _, thread in self._running.values() if thread.ident is not None]:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start(self, attempt: _Attempt, timeout: float) -> None:
        attempt.deadline = time.monotonic() + timeout
        thread = threading.Thread(target=self._work, args=(attempt,), name=f"deed-{attempt.name}", daemon=True)
        self._running[attempt.name] = (attempt, thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._arrivals.put((attempt, attempt.failed(FailureKind.BROKEN, f"it could not be begun: {error}")))

    def _work(self, attempt: _Attempt) -> None:
        self._arrivals.put((attempt, self._perform(attempt)))

    def _arrived(self) -> Iterator[Done]:
        """What has come since; waits a little for the first. What an abandoned thread brings nobody waits for."""
        wait = TICK
        while True:
            try:
                attempt, done = self._arrivals.get(timeout=wait)
            except queue.Empty:
                return
            wait = 0.001
            if attempt.name in self._running:
                del self._running[attempt.name]
                yield done

    def _hold(self, failure: Failure) -> Iterator[Done]:
        """Ends what is running and gives up what has not begun."""
        while self._waiting:
            yield Done(self._waiting.popleft().name, failure)
        self._end([attempt for attempt, _ in self._running.values()], failure)

    def _end(self, attempts: Sequence[_Attempt], failure: Failure) -> None:
        for attempt in attempts:
            if attempt.given_up == math.inf:
                attempt.given_up = time.monotonic() + PATIENCE
                attempt.flight.end(failure)

    def _late(self, now: float, timeout: float) -> Iterator[Done]:
        """Ends those whose time is up, and leaves those alone that do not end."""
        every = [attempt for attempt, _ in self._running.values()]
        overtime = Failure(FailureKind.OVERTIME, f"it did not end within {timeout:g} seconds")
        self._end([attempt for attempt in every if now > attempt.deadline], overtime)
        for attempt in every:
            if now > attempt.given_up:
                del self._running[attempt.name]
                yield attempt.left()
