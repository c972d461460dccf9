"""The schema: `tables.py` and the migrations agree, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text, update

from maintops.errors import StoreError
from maintops.store import schemas, sql, tables
from maintops.store.connections import Database
from maintops.store.opening import open_store
from tests.store_samples import bad, keep, plan

SQLITE_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
POSTGRES_SCHEMA = """
    SELECT 'column', table_name, column_name, ordinal_position::text, data_type, is_nullable,
           character_maximum_length::text, collation_name, column_default
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef, '', '', '', '', '' FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', '', '', ''
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    ORDER BY 1, 2, 3
"""

Fresh = Callable[[], str]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Gives the URL of a new, empty database each time."""
    if request.param == "sqlite":
        numbers = iter(range(9))
        return lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.sqlite'}"
    server = request.getfixturevalue("postgres_server")
    return lambda: server.url(server.new_database())


@pytest.fixture
def opened() -> Iterator[Callable[[str], Database]]:
    databases: list[Database] = []

    def open_one(url: str) -> Database:
        databases.append(sql._open(url))
        return databases[-1]

    yield open_one
    for one in databases:
        one.close()


def schema(connection: Connection) -> list[tuple[Any, ...]]:
    query = SQLITE_SCHEMA if connection.dialect.name == "sqlite" else POSTGRES_SCHEMA
    return [tuple(" ".join(str(word).split()) for word in row) for row in connection.execute(text(query))]


def migrate(connection: Connection) -> None:
    config = schemas.alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def test_a_new_database_is_like_a_migrated_one(fresh: Fresh, opened: Callable[[str], Database]) -> None:
    made, migrated = opened(fresh()), opened(fresh())
    schemas.bring_up_to_date(made)
    with migrated.writing() as connection:
        migrate(connection)
    with made.reading() as first, migrated.reading() as second:
        assert schema(first) == schema(second)
        assert {name for row in schema(first) for name in row} > set(tables.metadata.tables)
        version = select(schemas._versions)
        assert first.execute(version).all() == second.execute(version).all() == [(schemas.HEAD,)]


def test_the_migrations_leave_nothing_to_generate(fresh: Fresh, opened: Callable[[str], Database]) -> None:
    database = opened(fresh())
    with database.writing() as connection:
        migrate(connection)
    with database.reading() as connection:
        options = {"version_table": schemas.VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(schemas.alembic_config()).get_heads() == [schemas.HEAD]


def test_an_older_database_is_migrated_when_it_is_opened(fresh: Fresh, opened: Callable[[str], Database]) -> None:
    url = fresh()
    with opened(url).writing() as connection:  # as before the first migration
        schemas._versions.create(connection)
    store = open_store(url)
    store.begin(plan())
    keep(store, [bad()])
    store.close()
    other = opened(fresh())
    schemas.bring_up_to_date(other)
    with opened(url).reading() as first, other.reading() as second:
        assert schema(first) == schema(second)


def test_a_migration_that_fails_changes_nothing(
    fresh: Fresh, opened: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = fresh()

    def fail(*_: object) -> None:
        raise ZeroDivisionError("power loss")

    monkeypatch.setattr(schemas, "insert", fail)
    with pytest.raises(ZeroDivisionError):
        open_store(url)
    monkeypatch.undo()
    with opened(url).reading() as connection:
        assert schema(connection) == []
    open_store(url).close()


def test_a_newer_database_is_refused(fresh: Fresh, opened: Callable[[str], Database]) -> None:
    url = fresh()
    open_store(url).close()
    with opened(url).writing() as connection:
        connection.execute(update(schemas._versions).values(version_num="0999"))
    with pytest.raises(StoreError, match=r"written by a newer maintops \(its schema is 0999, this one knows up to"):
        open_store(url)


@pytest.mark.parametrize("name", ["runs", "bookmarks"])
def test_tables_of_another_program_are_left_alone(fresh: Fresh, opened: Callable[[str], Database], name: str) -> None:
    """A PostgreSQL database may be shared where the names differ."""
    url = fresh()
    with opened(url).writing() as connection:
        connection.execute(text(f"CREATE TABLE {name} (mine integer)"))
        before = schema(connection)
    if name == "bookmarks" and url.startswith("postgresql"):
        open_store(url).close()
        return
    with pytest.raises(StoreError, match=rf"tables of another program \({name}\)"):
        open_store(url)
    with opened(url).reading() as connection:
        assert schema(connection) == before
