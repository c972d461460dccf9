"""A PostgreSQL of the tests' own: Debian's programs, a temporary folder, an unprivileged user, loopback only.

Every test process (each worker of pytest-xdist too) starts one when its first test asks for it, on a port that is
free, and ends it with the session. `postgres_url` gives a test a database that nobody has used.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

DEBIAN = Path("/usr/lib/postgresql")
INSTALL = "apt-get install postgresql"
ROLE = "maintops"
START_SECONDS = 60

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=on", "autovacuum=off", "max_connections=40")


@dataclass(frozen=True)
class PostgresServer:
    """A running server. `password` is of the role `maintops`; the socket's folder asks for none."""

    folder: Path
    port: int
    password: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        """The URL of a database over loopback, with its password."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """A connection of one's own, in autocommit mode."""
        return psycopg.connect(
            host=str(self.folder), port=self.port, user=ROLE, dbname=database, autocommit=True, connect_timeout=5
        )

    def new_database(self, settings: str = "") -> str:
        """Makes a database and gives its name. `settings` are further words of CREATE DATABASE."""
        name = f"test_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} {settings}")
        return name


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    programs = _programs()
    if programs is None:
        absent(f"PostgreSQL's programs (initdb, postgres) are not installed; {INSTALL} brings them")
    folder = Path(tempfile.mkdtemp(prefix="maintops-pg-"))
    try:
        yield from _serve(programs, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.url(postgres_server.new_database())


def absent(reason: str) -> NoReturn:
    """Skips the test, with its reason; where everything must run, fails it."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _programs() -> Path | None:
    """The folder that holds initdb and postgres: the newest of Debian's, or one in PATH."""
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda one: _number(one.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return None if initdb is None else Path(initdb).resolve().parent


def _number(version: str) -> float:
    with suppress(ValueError):
        return float(version)
    return 0.0


def _user() -> str | None:
    """PostgreSQL refuses to run as root: who it runs as then."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _serve(programs: Path, folder: Path) -> Iterator[PostgresServer]:
    user = _user()
    if user is not None:
        shutil.chown(folder, user)
    server = PostgresServer(folder, _free_port(), secrets.token_hex(12))
    _initialise(programs, server, user)
    with (folder / "log").open("wb") as log:
        process = _start(programs, server, user, log.fileno())
        try:
            _wait(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # its immediate shutdown: nothing is to be saved
            process.wait(START_SECONDS)


def _initialise(programs: Path, server: PostgresServer, user: str | None) -> None:
    secret = server.folder / "secret"
    secret.touch(mode=0o600)
    if user is not None:
        shutil.chown(secret, user)
    secret.write_text(server.password)
    done = subprocess.run(
        [
            *(programs / "initdb", "-D", server.folder / "data", "-U", ROLE, "--pwfile", secret),
            *("-A", "scram-sha-256", "--auth-local=trust", "-E", "UTF8", "--locale=C", "--no-sync"),
        ],
        user=user,
        cwd=server.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _start(programs: Path, server: PostgresServer, user: str | None, log: int) -> subprocess.Popen[bytes]:
    settings = (*_FAST, "listen_addresses=127.0.0.1", f"port={server.port}", f"unix_socket_directories={server.folder}")
    return subprocess.Popen(
        [programs / "postgres", "-D", server.folder / "data", *(word for one in settings for word in ("-c", one))],
        user=user,
        cwd=server.folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=_end_with_parent,
    )


def _end_with_parent() -> None:
    # A test process that is killed takes its server with it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _wait(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        log = (server.folder / "log").read_text(errors="replace")
        assert process.poll() is None, f"PostgreSQL ended: {log}"
        assert time.monotonic() < deadline, f"PostgreSQL does not answer: {log}"
        try:
            server.connect().close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
