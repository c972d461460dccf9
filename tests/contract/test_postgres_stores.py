"""What is PostgreSQL's alone: passwords, connections, locks."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator

import psycopg
import pytest

from maintops.domain.ports import Memory, Store, Verdict
from maintops.errors import MaintopsError, StoreError, UsageError
from maintops.store import connections, postgres
from maintops.store.opening import open_store
from maintops.store.sql import SqlStore
from tests.postgres import PostgresServer, absent
from tests.store_samples import NOW, bad, judging, keep, ok, plan

SECRET = "s3cret-Word"

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(postgres_url: str) -> Iterator[SqlStore]:
    opened = SqlStore(postgres_url)
    yield opened
    opened.close()


def said(url: str, kind: type[MaintopsError] = StoreError, secret: str = SECRET) -> str:
    """The message of the refusal, after a look for the secret in all that would be printed."""
    with pytest.raises(kind) as raised:
        open_store(url)
    shown = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert secret not in shown
    assert "sqlalchemy.exc" not in shown  # its errors repeat statements and values
    return str(raised.value)


# --- addresses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rest",
    [
        "db.example.org:port/maintops",
        "db:1:2/maintops",
        "x@db/maintops",
        "x@db@y/maintops",
        "db/x@y",
    ],
)
def test_an_address_that_cannot_be_read_is_not_repeated(rest: str) -> None:
    message = said(f"postgresql://maintops:{SECRET}@{rest}", UsageError)
    assert message.startswith("The database URL cannot be read. Write postgresql://user:password@host:port/database")


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_an_address_is_spoken_with_by_psycopg(scheme: str) -> None:
    address = postgres.parse(f"{scheme}://maintops:{SECRET}@db/main?sslmode=require&password={SECRET}")
    assert address.drivername == "postgresql+psycopg"
    assert address.query["sslmode"] == "require"
    assert postgres.named(address) == "PostgreSQL at db, database main"


def test_a_server_that_is_not_there_is_said() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        message = said(f"postgresql://maintops:{SECRET}@127.0.0.1:{port}/main")
    assert message.startswith(f"PostgreSQL at 127.0.0.1:{port}, database main cannot be used: ")
    assert "refused" in message
    assert message.endswith("Check that it runs, and the URL's host, port, user and password.")


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "CONNECT_SECONDS", 2)  # the least that libpq takes
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = said(f"postgresql://maintops:{SECRET}@127.0.0.1:{silent.getsockname()[1]}/main")
    assert "timeout" in message


def test_a_wrong_password_is_said_and_not_shown(postgres_server: PostgresServer) -> None:
    for url in (
        f"postgresql://maintops:{SECRET}@127.0.0.1:{postgres_server.port}/postgres",
        f"postgresql://maintops@127.0.0.1:{postgres_server.port}/postgres?password={SECRET}",
    ):
        assert "password authentication failed" in said(url)


def test_a_password_that_the_database_repeats_is_left_out(postgres_server: PostgresServer) -> None:
    secret = postgres_server.password
    message = said(f"{postgres_server.url('postgres')}?options=-c%20{secret}%3D1", secret=secret)
    assert 'parameter "***"' in message


def test_a_database_that_is_not_there_is_said(postgres_server: PostgresServer) -> None:
    assert 'database "nosuch" does not exist' in said(postgres_server.url("nosuch"))


def test_a_store_shows_no_password(store: SqlStore, postgres_server: PostgresServer) -> None:
    shown = repr(store) + str(store) + repr(store._database) + repr(vars(store)) + repr(vars(store._database))
    assert postgres_server.password not in shown
    with pytest.raises(StoreError) as raised, store._database.writing() as connection:
        connection.exec_driver_sql("SELECT nonsense FROM nowhere")
    assert str(raised.value).startswith("PostgreSQL at 127.0.0.1:")
    assert postgres_server.password not in "".join(traceback.format_exception(raised.value))


def test_a_database_of_another_encoding_is_refused(postgres_server: PostgresServer) -> None:
    name = postgres_server.new_database("ENCODING 'LATIN1' TEMPLATE template0")
    assert "keeps its text in LATIN1. maintops needs one made with ENCODING 'UTF8'" in said(postgres_server.url(name))


def test_a_user_without_rights_is_told(postgres_server: PostgresServer) -> None:
    name = postgres_server.new_database()
    with postgres_server.connect(name) as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute(f"CREATE ROLE guest LOGIN PASSWORD '{SECRET}'")
    message = said(f"postgresql://guest:{SECRET}@127.0.0.1:{postgres_server.port}/{name}")
    assert "does not let this user write: permission denied for schema public" in message


# --- promises --------------------------------------------------------------------------------------------------------


def test_commits_are_durable_even_where_the_database_is_set_to_less(postgres_server: PostgresServer) -> None:
    name = postgres_server.new_database()
    with postgres_server.connect() as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = SqlStore(postgres_server.url(name))
    with store._database.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    store.close()


def test_the_schema_is_made_by_one_process_at_a_time(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.2)
    first = postgres.open_postgres(postgres_url)
    with first.writing():
        first.lock("")
        with pytest.raises(StoreError, match="is locked"):
            open_store(postgres_url)
    open_store(postgres_url).close()
    first.close()


def test_a_servers_memory_is_locked_while_it_is_judged(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.2)
    first, second = open_store(postgres_url), open_store(postgres_url)
    first.begin(plan("r1"))
    first.begin(plan("r2"))

    def judge(memory: Memory) -> Verdict:
        keep(second, [ok()], run="r2", index=2, server="web2")  # another server's memory is free
        with pytest.raises(StoreError, match=r"is locked: another process .* 0.2 seconds"):
            keep(second, [bad()], run="r2", index=1, server="web1")
        return judging("r1", "r1-0001", "web1", [bad()])(memory)

    first.commit("r1", "r1-0001", "web1", judge, b"", NOW)
    keep(second, [bad()], run="r2")
    assert [one.times for one in second.findings()] == [2]
    first.close()
    second.close()


def test_a_followup_is_locked_while_its_server_is_judged(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_SECONDS", 0.2)
    first, second = open_store(postgres_url), open_store(postgres_url)
    first.begin(plan())
    keep(first, [bad()])
    (followup,) = first.followups()

    def judge(memory: Memory) -> Verdict:
        with pytest.raises(StoreError, match="is locked"):
            second.change_followup(followup.id, lambda one: one)
        return judging("r1", "r1-0003", "web1", [bad()])(memory)

    first.commit("r1", "r1-0003", "web1", judge, b"", NOW)
    second.change_followup(followup.id, lambda one: one)
    first.close()
    second.close()


def test_after_a_lost_connection_nothing_more_is_tried(store: Store, postgres_server: PostgresServer) -> None:
    store.begin(plan())
    keep(store, [bad()])
    end_connections(postgres_server, store)
    for action in (lambda: keep(store, [bad()], index=2, server="web2"), lambda: store.runs()):
        with pytest.raises(StoreError, match=r"The connection to PostgreSQL at 127.0.0.1:\d+, database \w+ was lost"):
            action()


def test_a_connection_that_is_lost_in_a_transaction_keeps_nothing_of_it(
    postgres_url: str, store: Store, postgres_server: PostgresServer
) -> None:
    store.begin(plan())

    def judge(memory: Memory) -> Verdict:
        end_connections(postgres_server, store)
        return judging("r1", "r1-0001", "web1", [bad()])(memory)

    with pytest.raises(StoreError, match="was lost"):
        store.commit("r1", "r1-0001", "web1", judge, b"", NOW)
    other = open_store(postgres_url)
    assert list(other.records()) == []
    keep(other, [bad()])
    other.close()


def end_connections(server: PostgresServer, store: Store) -> None:
    assert isinstance(store, SqlStore)
    driver = store._database._connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    with server.connect() as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", (driver.info.backend_pid,))


# --- the tests' own server -------------------------------------------------------------------------------------------


def test_without_postgresql_tests_are_skipped_and_in_ci_they_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = "apt-get install postgresql"
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=reason):
        absent(reason)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match=reason):
        absent(reason)
