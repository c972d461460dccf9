"""Brings a database's schema up to date, at the price of one query where it is already.

A new database gets its tables from `tables` at once; an older one is taken through the migrations. A test proves that
both give the same schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, insert, inspect, select

from maintops.errors import StoreError
from maintops.store.connections import Database
from maintops.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest migration. Revisions are numbers of four digits, counted up."""

VERSION_TABLE = "maintops_version"
"""Where Alembic keeps the revision: not under Alembic's own name, which another program in the database may use."""

_versions = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def bring_up_to_date(database: Database) -> None:
    """Makes or migrates the tables. Raises StoreError for a database of a newer maintops, or of something else."""
    if _current(database):
        return
    with database.writing() as connection:
        database.lock("")  # another process may be about to do the same
        _migrate(connection)


def _current(database: Database) -> bool:
    with database.reading() as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return False
        return connection.execute(select(_versions)).scalar() == HEAD


def _migrate(connection: Connection) -> None:
    present = inspect(connection).get_table_names()
    if VERSION_TABLE not in present:
        _create(connection, present)
        return
    version = connection.execute(select(_versions)).scalar() or ""
    if version > HEAD:
        raise StoreError(
            f"The database was written by a newer maintops (its schema is {version}, this one knows up to {HEAD}). "
            "Install that version, or name another database."
        )
    if version < HEAD:
        _upgrade(connection)


def _create(connection: Connection, present: list[str]) -> None:
    # A PostgreSQL database may be shared; a file with tables is some program's own.
    taken = present if connection.dialect.name == "sqlite" else sorted(set(present) & set(metadata.tables))
    if taken:
        raise StoreError(
            f"The database holds tables of another program ({', '.join(taken)}). Give maintops a database of its own."
        )
    metadata.create_all(connection, checkfirst=False)
    _versions.create(connection)
    connection.execute(insert(_versions).values(version_num=HEAD))


def _upgrade(connection: Connection) -> None:
    from alembic import command

    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def alembic_config() -> Config:
    """Alembic's configuration; `attributes["connection"]` is what the migrations run on."""
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config
