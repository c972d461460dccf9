"""One open connection to a database: its transactions, and what its failures mean to people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from maintops.errors import StoreError

LOCK_SECONDS = 30.0
"""How long a transaction waits for another process's."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong and what to do, in words for people. After a `fatal` one nothing more is tried: what a database
    holds after a failed write, or whether a lost one came about, cannot be known from here."""

    message: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Manner:
    """How one kind of database is spoken to. `lock` holds a server's memory against other runs until the transaction
    ends; `active` says whether the driver's connection is in a transaction."""

    reading: str
    writing: str
    lock: Callable[[Connection, str], None]
    active: Callable[[Connection], bool]
    explain: Callable[[DBAPIError], Trouble]


class Database:
    """A connection in AUTOCOMMIT mode whose transactions are begun and ended here. It belongs to one thread."""

    def __init__(self, connection: Connection, manner: Manner) -> None:
        self._connection = connection
        self._manner = manner
        self._failed: str | None = None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._connection.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with self._transaction(self._manner.reading) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block has ended, and undone when the block raises."""
        with self._transaction(self._manner.writing) as connection:
            yield connection

    def lock(self, server: str) -> None:
        """Holds a server's memory against other processes until the transaction ends."""
        self._manner.lock(self._connection, server)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
        self._connection.engine.dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        if self._failed is not None:
            raise StoreError(self._failed)
        try:
            self._connection.exec_driver_sql(begin)
            yield self._connection
            self._connection.exec_driver_sql("COMMIT")
        except DBAPIError as error:
            self._undo()
            raise self._error(error) from None
        except BaseException:
            self._undo()
            raise

    def _error(self, error: DBAPIError) -> StoreError:
        trouble = self._manner.explain(error)
        if trouble.fatal:
            self._failed = trouble.message
        return StoreError(trouble.message)

    def _undo(self) -> None:
        # A connection that is lost has taken its transaction with it; what went wrong first is what is reported.
        with suppress(DBAPIError, InvalidRequestError):
            if self._manner.active(self._connection):
                self._connection.exec_driver_sql("ROLLBACK")
        if self._connection.invalidated:  # SQLAlchemy drops a connection whose work Ctrl-C cut short; it makes another
            self._connection.rollback()
