"""Opens a PostgreSQL database through psycopg. No message repeats a password."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from maintops.errors import StoreError, UsageError
from maintops.store import connections
from maintops.store.connections import Database, Manner, Trouble

CONNECT_SECONDS = 10
"""How long to wait for a server that does not answer."""


def open_postgres(url: str) -> Database:
    """Opens the database that `postgresql://user:password@host:port/database` names.

    Raises UsageError for a URL that cannot be read, StoreError where the database cannot be used.
    """
    address = parse(url)
    place = named(address)
    manner = Manner(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        _lock,
        _active,
        lambda error: explain(error, place),
    )
    try:
        return Database(_connect(address, place), manner)
    except DBAPIError as error:
        raise StoreError(_unconnected(error, address, place)) from None


# --- the address -----------------------------------------------------------------------------------------------------


def parse(url: str) -> URL:
    """The URL for psycopg. Raises UsageError, without repeating any of it, where it cannot be read."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise _unreadable() from None
    if "@" in (address.host or "") or "@" in (address.database or ""):
        raise _unreadable()
    return address.set(drivername="postgresql+psycopg")


def _unreadable() -> UsageError:
    return UsageError(
        "The database URL cannot be read. Write postgresql://user:password@host:port/database, with every special "
        "character of the password as %XX (@ is %40, : is %3A, / is %2F)."
    )


def named(address: URL) -> str:
    """How messages call the database: host, port and name, nothing else."""
    host = address.host or address.query.get("host") or "the local socket"
    return f"PostgreSQL at {host}{f':{address.port}' if address.port else ''}, database {address.database or 'default'}"


def _without_secrets(message: str, address: URL) -> str:
    secrets = [address.password, *(value for name, value in address.query.items() if "password" in name)]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            message = message.replace(secret, "***")
    return message


# --- the connection --------------------------------------------------------------------------------------------------


def _connect(address: URL, place: str) -> Connection:
    engine = create_engine(
        address, connect_args=_arguments(address), poolclass=StaticPool, isolation_level="AUTOCOMMIT"
    )
    event.listen(engine, "connect", _prepare)
    connection = engine.connect()
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        connection.close()
        engine.dispose()
        raise StoreError(f"{place} keeps its text in {encoding}. maintops needs one made with ENCODING 'UTF8'.")
    return connection


def _prepare(driver: psycopg.Connection[Any], _record: object) -> None:
    wait = f"{connections.LOCK_SECONDS * 1000:.0f}ms"
    driver.execute("SELECT set_config('lock_timeout', %s, false)", (wait,))
    # A commit is durable when it returns, even where the database's own setting promises less.
    driver.execute(
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
    driver.commit()


def _arguments(address: URL) -> dict[str, Any]:
    return {} if "connect_timeout" in address.query else {"connect_timeout": CONNECT_SECONDS}


def _lock(connection: Connection, server: str) -> None:
    digest = hashlib.sha256(b"maintops server\0" + server.encode("utf-8", "surrogatepass")).digest()
    key = int.from_bytes(digest[:8], signed=True)
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%(key)s)", {"key": key})


def _active(connection: Connection) -> bool:
    driver = connection.connection.driver_connection
    idle = psycopg.pq.TransactionStatus.IDLE
    return isinstance(driver, psycopg.Connection) and not driver.closed and driver.info.transaction_status != idle


# --- failures --------------------------------------------------------------------------------------------------------


def _unconnected(error: DBAPIError, address: URL, place: str) -> str:
    reason = " ".join(_without_secrets(str(error.orig), address).split())
    return f"{place} cannot be used: {reason}. Check that it runs, and the URL's host, port, user and password."


def explain(error: DBAPIError, place: str) -> Trouble:
    """What a failure means, by its SQLSTATE (PostgreSQL manual, appendix A)."""
    state = getattr(error.orig, "sqlstate", None) or ""
    primary = getattr(getattr(error.orig, "diag", None), "message_primary", None) or type(error.orig).__name__
    if error.connection_invalidated or state.startswith(("08", "57P")):
        return Trouble(
            f"The connection to {place} was lost. What was acknowledged before is there; check the database and try "
            "again.",
            fatal=True,
        )
    if state == "55P03":
        return Trouble(
            f"{place} is locked: another process has been writing for more than {connections.LOCK_SECONDS:g} seconds. "
            "See pg_stat_activity for which one, and try again."
        )
    if state == "53100":
        return Trouble(f"There is no space left for {place}. What it holds is whole; make space and try again.")
    if state in {"42501", "25006"}:
        return Trouble(f"{place} does not let this user write: {primary}. Grant what is missing, or use another user.")
    return Trouble(f"{place} refused: {primary} ({state or 'no code'}).")
