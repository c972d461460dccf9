"""Runs testinfra's test files against servers: pytest in a process of its own, ssh with a configuration of our own.

Every server is reached with OpenSSH's own client through an ssh_config that is made for this one verification: the
inventory's address, port, user, keys and bastions, host keys verified, nobody ever asked for anything. It lies in a
private folder that is gone afterwards, with the connections that were kept open in it. pytest sees neither the current
folder nor the environment of maintops: only what lies beside the test files counts. What became of each test comes
through an inherited pipe, as JSON lines of the plug-in (maintops/pytest_plugin.py).
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from maintops.domain.ports import Clock, Delivery, Failure, FailureKind, Reply
from maintops.domain.servers import Server
from maintops.errors import ConfigurationError, MaintopsError, Mistake, UsageError
from maintops.runners.addresses import Address, Hop, HostKeys, Surroundings, read_address
from maintops.runners.ssh_config import read_config
from maintops.runners.ssh_options import Unsupported

KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "KRB5CCNAME")
"""The variables of maintops's own environment that tests get to see."""

SILENCE = 600.0
"""Seconds after which a test that says nothing is ended."""

LONGEST_LINE = 64 * 1024
"""Bytes that the plug-in may say of one test."""

_TICK, _GRACE = 0.5, 5.0
_PASSED, _USAGE, _FOUND_NOTHING = 0, 4, 5  # exit statuses of pytest
_LONGEST_SOCKET = 85  # 107 bytes are a socket's longest name, and ssh puts 17 behind it until it is ready
_LONGEST_TAIL = 3000
_NOBODY = "ssh://nobody"  # where there is no server at all, tests are read and not run
_STRICTNESS: Mapping[HostKeys, str] = {"strict": "yes", "accept-new": "accept-new", "off": "no"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_UNQUOTABLE = re.compile('["\\\\$\x00-\x1f\x7f\ud800-\udfff]')

Target = tuple[Server, bool | str]
"""A server, and whether its tests run as another user there (a template stays one)."""


# --- the way to the servers -------------------------------------------------------------------------------------------


class Ways:
    """The ssh_config of some servers in a private folder, while it is entered; `refusal` needs no folder.

    `known_hosts` is the one file to verify host keys with (None: OpenSSH's own places), `connect_timeout` in seconds.
    """

    def __init__(self, known_hosts: Path | None, host_keys: HostKeys, connect_timeout: float = 10.0) -> None:
        self._known_hosts, self._host_keys, self._timeout = known_hosts, host_keys, connect_timeout
        self._sockets: list[Path] = []

    def refusal(self, server: Server, become: bool | str) -> str | None:
        """Why the tests cannot reach this server, in words for people; None where they can."""
        try:
            self._address(server, become)
        except Unsupported as error:
            return str(error)
        return None

    def __enter__(self) -> Ways:
        """Makes the folder; this user's alone."""
        self.folder = Path(tempfile.mkdtemp(prefix="mtv-"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Ends the connections that ssh kept open, and removes the folder."""
        for socket in self._sockets:
            if socket.exists():
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    subprocess.run(
                        ["ssh", "-F", os.devnull, "-o", f"ControlPath={socket}", "-O", "exit", "any"],  # noqa: S607  the same program that testinfra calls by this name
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        timeout=_GRACE,
                        check=False,
                    )
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def config(self) -> Path:
        """The ssh_config."""
        return self.folder / "ssh_config"

    def lay(self, targets: Sequence[Target]) -> list[str]:
        """Writes the ssh_config for these servers; returns testinfra's name for each of them, in their order. Raises
        ValueError for a server that `refusal` would have refused."""
        blocks, hosts = [], []
        for number, (server, become) in enumerate(targets):
            try:
                address = self._address(server, become)
            except Unsupported as error:
                raise ValueError(f"{server.name}: {error}") from error
            blocks += self._blocks(server.name, address, self.folder / f"c{number}")
            hosts.append(self._spec(server.name, address, become=bool(become)))
        handle = os.open(self.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write("\n".join(blocks) + "\n")
        return hosts

    @cached_property
    def _around(self) -> Surroundings:
        return Surroundings(read_config(), self._host_keys, self._known_hosts)

    def _address(self, server: Server, become: bool | str) -> Address:
        if not _NAME.fullmatch(server.name):
            raise Unsupported(f"the name {server.name!r} cannot be given to the ssh program")
        if isinstance(become, str):
            raise Unsupported("ansible_become is a template, which only Ansible can render")
        address = read_address(server, self._around)
        for hop in address.hops:
            _check_hop(hop)
        if become and not address.is_already:
            if address.become.password is not None:
                raise Unsupported("its sudo wants a password, which tests cannot give")
            if address.become.program != "sudo":
                raise Unsupported(f"its become program is {address.become.program}, not the sudo of its PATH")
        return address

    def _spec(self, name: str, address: Address, *, become: bool) -> str:
        seconds = math.ceil(address.hops[-1].connect_timeout or self._timeout)
        spec = f"ssh://{quote(name, safe='')}?timeout={max(seconds, 1)}"
        if not become or address.is_already:
            return spec
        user = "" if address.become.user == "root" else f"&sudo_user={quote(address.become.user, safe='')}"
        return f"{spec}&sudo=true{user}"

    def _blocks(self, name: str, address: Address, socket: Path) -> list[str]:
        """One Host block per hop. A bastion's name has a plus, which no server's has."""
        lines: list[str] = []
        before = ""
        for place, hop in enumerate(address.hops):
            is_target = place == len(address.hops) - 1
            alias = name if is_target else f"{name}+{place}"
            lines += [f"Host {alias}", *(f"  {option}" for option in self._options(hop))]
            lines.append(f"  ProxyJump {before or 'none'}")
            if is_target and len(os.fsencode(socket)) <= _LONGEST_SOCKET:
                lines.append(f"  ControlPath {_quoted(socket)}")
                self._sockets.append(socket)
            before = alias
        return lines

    def _options(self, hop: Hop) -> Iterator[str]:
        yield f"HostName {_escaped(hop.host)}"
        yield f"Port {hop.port}"
        yield f"User {_quoted(hop.user, tokens=False)}"
        yield from (f"IdentityFile {_quoted(key)}" for key in hop.keys)
        yield f"IdentitiesOnly {'no' if hop.agent else 'yes'}"
        files = " ".join(_quoted(file) for file in hop.known_hosts)
        yield f"UserKnownHostsFile {files or os.devnull}"
        yield f"GlobalKnownHostsFile {os.devnull}"
        yield f"StrictHostKeyChecking {_STRICTNESS[hop.host_keys]}"
        yield f"ConnectTimeout {math.ceil(hop.connect_timeout or self._timeout)}"
        yield f"ServerAliveInterval {hop.alive or 15}"
        yield from _ALWAYS


_ALWAYS = (
    "BatchMode yes",
    "PreferredAuthentications publickey",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "CheckHostIP no",
    "UpdateHostKeys no",
    "ForwardAgent no",
    "ClearAllForwardings yes",
    "EscapeChar none",
    "LogLevel ERROR",
)


def _check_hop(hop: Hop) -> None:
    """Raises Unsupported for a hop that the ssh program cannot take by itself."""
    if hop.password is not None and not hop.keys:
        raise Unsupported(f"the login on {hop.host} wants a password, which tests cannot give")
    for text in (*map(str, (*hop.keys, *hop.known_hosts)), hop.user, hop.host):
        if _UNQUOTABLE.search(text) or text.startswith("-"):
            raise Unsupported(f"{text!r} cannot be written into an ssh_config")


def _quoted(text: Path | str, *, tokens: bool = True) -> str:
    """An argument of ssh_config(5); `tokens`: the option knows `%` tokens, of which none is meant."""
    return f'"{_escaped(str(text)) if tokens else text}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


# --- one pytest -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Heard:
    """What the plug-in told of one round. `results` holds, per server, a line per test that was planned: None until it
    is known what became of it. The server "" stands for tests that are for no server in particular."""

    results: dict[str, dict[str, dict[str, Any] | None]] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    running: tuple[str, str] | None = None
    files: set[str] = field(default_factory=set)
    silence: float | None = None
    ended: bool = False

    def take(self, line: Mapping[str, Any]) -> None:
        """One line. Raises KeyError, TypeError or ValueError for one that is not the plug-in's."""
        kind, server, test = line["told"], str(line.get("server") or ""), str(line.get("test", ""))
        if kind == "planned":
            self.results.setdefault(server, {})[test] = None
            self.files.add(str(line["file"]))
        elif kind == "begun":
            self.running = (server, test)
        elif kind == "result":
            self.running = None
            told = {name: line[name] for name in ("result", "message", "detail", "place", "seconds") if name in line}
            self.results.setdefault(server, {})[test] = {"test": test, **told}
        elif kind == "unreachable":
            self.unreachable[server] = str(line["message"])
        elif kind == "mistake":
            place = int(line["line"]), int(line["column"])
            self.mistakes.append(Mistake(str(line["file"]), *place, str(line["message"])))
        elif kind == "end":
            self.ended = True

    def settle(self) -> None:
        """Gives every test that was planned and of which nothing was heard its reason."""
        for server, tests in self.results.items():
            for test, result in tests.items():
                if result is None:
                    tests[test] = {"test": test, **self._missing((server, test) == self.running)}

    def _missing(self, was_running: bool) -> dict[str, str]:
        if was_running and self.silence is not None:
            return {"result": "error", "message": f"it did not end within {self.silence:g} seconds, and was ended"}
        if was_running:
            return {"result": "lost", "message": "pytest died in the middle of this test"}
        return {"result": "not_reached", "message": "the tests ended before this one's turn"}


class TestinfraVerifier:
    """Runs test files against servers with testinfra.

    `journal` is handed to the plug-in as it is, for the fixtures that tell of the run (see maintops/pytest_plugin.py).
    `silence` is how many seconds a test may take without a word.
    """

    __test__ = False  # to pytest a class of this name would be tests
    name = "testinfra"

    def __init__(self, ways: Ways, clock: Clock, journal: Mapping[str, Any], silence: float = SILENCE) -> None:
        self._ways, self._clock, self._journal, self._silence = ways, clock, journal, silence

    def refusal(self, server: Server, become: bool | str) -> str | None:
        """Why this server's tests cannot be run, in words for people; None where they can."""
        return self._ways.refusal(server, become)

    def verify(self, files: Sequence[Path], targets: Sequence[Target], *, forks: int) -> Iterator[Delivery]:
        """Runs the tests in `files` (absolute) against every server; yields one delivery each, whose one reply is a
        stream of JSON lines: test, result (passed, failed, error, skipped, lost, not_reached), message, detail, place,
        seconds. A server that cannot be logged in to has a failure instead.

        Raises ConfigurationError for test files that cannot be read (then nothing was contacted), UsageError for one
        without a test, or where pytest, testinfra or ssh are missing.
        """
        _check_programs()
        started = self._clock()
        names = [server.name for server, _ in targets]
        rounds = [(folder, [one for one in files if one.parent == folder]) for folder in _folders(files)]
        with self._ways as ways:
            orders = {
                "journal": self._journal,
                "servers": names,
                "hosts": ways.lay(targets) or [_NOBODY],
                "config": str(ways.config),
                "forks": forks,
            }
            if len(rounds) > 1 or not targets:  # a mistake in the last file must be told before the first one connects
                for folder, inside in rounds:
                    self._round(folder, inside, orders, "--collect-only")
            heard = [self._round(folder, inside, orders) for folder, inside in rounds] if targets else []
        ended = self._clock()
        for name in names:
            why = next((one.unreachable[name] for one in heard if name in one.unreachable), None)
            failure = Failure(FailureKind.UNREACHABLE, why) if why is not None else None
            stream = b"" if failure else b"".join(_lines(one, name) for one in heard)
            yield Delivery(name, (Reply(stream, failure),), started, ended)

    def _round(self, folder: Path, files: Sequence[Path], orders: Mapping[str, Any], *more: str) -> _Heard:
        """One pytest for the files of one folder: so nothing above any of them is anybody's conftest.py."""
        here = Path(tempfile.mkdtemp(prefix="pytest-", dir=self._ways.folder))
        (here / "tmp").mkdir()
        (here / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (here / "orders.json").write_text(json.dumps(orders), encoding="utf-8")
        heard = _Heard()
        read, write = os.pipe()
        with os.fdopen(read, "rb", buffering=0) as told, (here / "output").open("wb") as output:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "pytest", *_arguments(here, folder, write), *more, *map(str, files)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=here,
                    env=environment(here / "tmp"),
                    pass_fds=(write,),
                    start_new_session=True,  # Ctrl-C is maintops's own business
                )
            finally:
                os.close(write)
            try:
                self._listen(told.fileno(), process, heard)
            finally:
                _end(process, patient=heard.ended)
        if heard.mistakes:
            raise ConfigurationError(list(dict.fromkeys(heard.mistakes)))
        _check_result(heard, files, process.returncode, here / "output")
        if not more:
            heard.settle()
        return heard

    def _listen(self, told: int, process: subprocess.Popen[bytes], heard: _Heard) -> None:
        rest, last = b"", time.monotonic()
        while time.monotonic() - last < self._silence:
            ready, _, _ = select.select([told], [], [], _TICK)
            if not ready:
                if process.poll() is not None:
                    return
                continue
            piece = os.read(told, LONGEST_LINE)
            if not piece:
                return
            last = time.monotonic()
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                with contextlib.suppress(KeyError, TypeError, ValueError):  # a test may write there what it likes
                    heard.take(json.loads(line))
            if len(rest) > 4 * LONGEST_LINE:
                rest = b""
        heard.silence = self._silence


def _check_result(heard: _Heard, files: Sequence[Path], status: int, output: Path) -> None:
    """Raises what a person must hear where pytest ran nothing, or not everything that it was to run."""
    if not heard.results and status not in (_PASSED, _FOUND_NOTHING):
        tail = output.read_bytes()[-_LONGEST_TAIL:].decode("utf-8", "replace").strip()
        kind = UsageError if status == _USAGE else MaintopsError
        raise kind(f"pytest cannot run {', '.join(map(str, files))}:\n{tail}")
    empty = [str(one) for one in files if str(one) not in heard.files]
    if empty:
        raise UsageError(f"there is no test in {', '.join(empty)}: functions whose names begin with test_ are tests")


def _folders(files: Sequence[Path]) -> list[Path]:
    return list(dict.fromkeys(one.parent for one in files))


def _lines(heard: _Heard, server: str) -> bytes:
    """The results of one server, and those of tests that are for all of them."""
    found = {**heard.results.get("", {}), **heard.results.get(server, {})}
    return b"".join(json.dumps(one).encode() + b"\n" for one in found.values())


def _arguments(here: Path, folder: Path, pipe: int) -> list[str]:
    return [
        *("-c", str(here / "pytest.ini"), "--rootdir", str(folder), "--confcutdir", str(folder)),
        *("-p", "no:cacheprovider", "-p", "testinfra.plugin", "-p", "maintops.pytest_plugin"),
        *("-q", "--tb=short", "--color=no", "--maintops-orders", f"{pipe}:{here / 'orders.json'}"),
    ]


def environment(temporary: Path) -> dict[str, str]:
    """What tests see of maintops's environment: no secret of a CI, no PYTHONPATH, no stranger's plug-in of pytest."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        "PATH": os.defpath,
        **kept,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(temporary),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _check_programs() -> None:
    missing = [name for name in ("pytest", "testinfra") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{' and '.join(missing)} are not installed; pip install 'maintops[verify]'")
    if shutil.which("ssh") is None:
        raise UsageError("the program ssh is not installed; tests reach servers with it")


def _end(process: subprocess.Popen[bytes], *, patient: bool) -> None:
    """Waits for pytest's end (`patient`: it has said that it comes), or brings it about; and that of whatever it left
    behind in its session."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE if patient else _TICK)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
