"""Opens an SQLite file: private, in WAL mode, on a disk of this machine."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError

from maintops.errors import StoreError, UsageError
from maintops.store import connections
from maintops.store.connections import Database, Manner, Trouble

PREFIX = "sqlite:///"

NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fuse.ceph",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
    }
)
"""File systems (proc_pid_mountinfo(5), field 9) on which SQLite's locks or its shared memory cannot be relied on."""

_MOUNTS = Path("/proc/self/mountinfo")


def open_sqlite(url: str) -> Database:
    """Opens the file that `sqlite:///PATH` names; a missing one is made (0600), and so are its folders (0700).

    Raises UsageError for a URL without a path, StoreError where the file cannot be used.
    """
    path = _path(url)
    _refuse_network(path)
    _make(path)
    manner = Manner("BEGIN", "BEGIN IMMEDIATE", _no_lock, _active, lambda error: explain(error, path))
    try:
        return Database(_connect(path), manner)
    except DBAPIError as error:
        raise StoreError(explain(error, path).message) from None


def _path(url: str) -> Path:
    path = url.removeprefix(PREFIX)
    if path in {url, "", ":memory:"}:
        raise UsageError(
            f"The database URL {url!r} names no file. Write sqlite:///relative/path or sqlite:////absolute/path, "
            "or memory: for a store that is forgotten at the end."
        )
    if "\0" in path:
        raise UsageError(f"The database URL {url!r} holds a NUL, which no path can.")
    return Path(path)


# --- the file --------------------------------------------------------------------------------------------------------


def _make(path: Path) -> None:
    try:
        with suppress(FileExistsError):  # what is there is looked at below
            _make_folder(path.parent)
            _make_file(path)
    except OSError as error:
        raise StoreError(
            f"The database {path} cannot be made: {error.strerror}. Choose a place that this user may write to, "
            "with space left."
        ) from None
    _refuse_non_file(path)


def _make_folder(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def _make_file(path: Path) -> None:
    # SQLite would make the file readable for everyone that the umask allows, and gives its WAL the same mode. An
    # existing file is never opened here: closing it again would drop the locks that SQLite holds in this process.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _refuse_non_file(path: Path) -> None:
    if path.is_dir():
        raise StoreError(f"The database {path} is a folder. Name a file in it.")
    if path.is_symlink() and not path.exists():
        raise StoreError(f"The database {path} is a link to nowhere. Remove the link or make its target.")
    if not path.is_file():
        raise StoreError(f"The database {path} is no regular file. Name another one.")


def _refuse_network(path: Path) -> None:
    try:
        mounts = _MOUNTS.read_text("utf-8", "surrogateescape")
    except FileNotFoundError:  # not Linux: nothing to look at
        return
    kind = file_system(path.resolve(), mounts)
    if kind in NETWORK:
        raise StoreError(
            f"The database {path} would lie on a network file system ({kind}), where SQLite can lose what it wrote. "
            "Choose a place on a disk of this machine, or use PostgreSQL (postgresql://…)."
        )


_OCTAL = re.compile(r"\\([0-7]{3})")


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that an absolute path lies on; empty where `mounts` does not say.

    `mounts` is in the format of /proc/PID/mountinfo (proc_pid_mountinfo(5)): the mount point is the fifth field, the
    type the first after a lone `-`. Of several mounts on one place the last hides the others.
    """
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, types = before.split(" "), after.split(" ")
        if len(fields) > 4 and len(types) > 1:
            place = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), fields[4]))
            if path.is_relative_to(place) and len(place.parts) >= best:
                best, kind = len(place.parts), types[0]
    return kind


# --- the connection --------------------------------------------------------------------------------------------------


def _connect(path: Path) -> Connection:
    engine = create_engine("sqlite://", creator=lambda: _open(path), poolclass=StaticPool, isolation_level="AUTOCOMMIT")
    return engine.connect()


def _open(path: Path) -> sqlite3.Connection:
    driver = sqlite3.connect(path, timeout=connections.LOCK_SECONDS, isolation_level=None)
    try:
        _prepare(driver, path)
    except BaseException:
        driver.close()
        raise
    return driver


def _prepare(driver: sqlite3.Connection, path: Path) -> None:
    mode = _wal(driver)
    if mode != "wal":
        raise StoreError(f"The database {path} cannot have a WAL (it stays in mode {mode}). Choose another disk.")
    # NORMAL would lose the last commits when the power fails.
    driver.execute("PRAGMA synchronous=FULL")
    driver.execute("PRAGMA foreign_keys=ON")


def _wal(driver: sqlite3.Connection) -> str:
    # Of several processes that do this to a new file at once, SQLite turns all but one away without waiting.
    deadline = time.monotonic() + connections.LOCK_SECONDS
    while True:
        try:
            return str(driver.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _no_lock(_connection: Connection, _server: str) -> None:
    """BEGIN IMMEDIATE has locked the whole file."""


def _active(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    return isinstance(driver, sqlite3.Connection) and driver.in_transaction


# --- failures --------------------------------------------------------------------------------------------------------


def explain(error: DBAPIError, path: Path) -> Trouble:
    """What a failure means, by SQLite's primary result code (sqlite.org/rescode.html)."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    match None if code is None else code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Trouble(
                f"The database {path} is locked: another process has been writing for more than "
                f"{connections.LOCK_SECONDS:g} seconds. See which one has it open (fuser {path}) and try again."
            )
        case sqlite3.SQLITE_FULL:
            return Trouble(
                f"There is no space left for the database {path}. What it holds is whole; make space and try again."
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_AUTH:
            return Trouble(
                f"The database {path} cannot be opened for writing ({error.orig}). Check who owns it and its folder, "
                "and their permissions."
            )
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return Trouble(
                f"The database {path} is damaged or no SQLite database ({error.orig}). Restore it from a backup, or "
                "move it away to begin with an empty one.",
                fatal=True,
            )
        case sqlite3.SQLITE_IOERR:
            name = getattr(error.orig, "sqlite_errorname", "")
            return Trouble(
                f"The database {path} could not be read or written ({error.orig}, {name}). Nothing more is tried: "
                "check the disk and its space, then look at the database with: PRAGMA integrity_check.",
                fatal=True,
            )
    return Trouble(f"The database {path} refused: {error.orig}.")
