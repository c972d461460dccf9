"""From a database URL to the store behind it."""

from __future__ import annotations

from maintops.domain.ports import Store
from maintops.errors import UsageError

MEMORY = "memory:"
"""The URL of a store that is forgotten when the process ends."""


def open_store(url: str) -> Store:
    """Opens the store that a URL names, brings its schema up to date, and makes the database where it is missing.

    `sqlite:///relative/path`, `sqlite:////absolute/path`, `postgresql://user:password@host:port/database` or
    `memory:`. Raises UsageError for any other form, StoreError where the database cannot be used.
    """
    if url == MEMORY:
        from maintops.store.memory import MemoryStore

        return MemoryStore()
    if url.startswith(("sqlite:", "postgresql:", "postgresql+psycopg:")):
        # SQLAlchemy takes longer to import than the rest of maintops together.
        from maintops.store.sql import SqlStore

        return SqlStore(url)
    # The text is not repeated: it may hold a password.
    raise UsageError(
        "The database URL is of no form that maintops knows. Write sqlite:///relative/path, sqlite:////absolute/path "
        "or postgresql://user:password@host:port/database."
    )
