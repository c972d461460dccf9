"""The columns beside the documents: nothing reads them back yet, searches and statistics will."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maintops.domain.findings import finding_id
from maintops.domain.followups import close
from maintops.domain.holds import Approval, Hold
from maintops.domain.identities import Identity
from maintops.domain.runs import RunEnded, RunState
from maintops.store import statements
from maintops.store.codec import microseconds
from maintops.store.sql import SqlStore
from tests.store_samples import NOW, bad, changing, keep, later, ok, plan, resumed

VAR = finding_id("web1", "FS-010", "/var")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    opened = SqlStore(f"sqlite:///{path}")
    opened.begin(plan())
    yield opened
    opened.close()


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_run_is_searched_by_its_state_and_times(path: Path, store: SqlStore) -> None:
    query = "SELECT id, checklist, state, started, ended FROM runs"
    assert rows(path, query) == [("r1", "daily-check", "running", microseconds(NOW), None)]
    store.append("r1", RunEnded(RunState.CANCELLED, "", later(hours=1)))
    end = microseconds(later(hours=1))
    assert rows(path, query) == [("r1", "daily-check", "cancelled", microseconds(NOW), end)]
    assert rows(path, "SELECT run, seq, kind, at FROM events ORDER BY seq") == [
        ("r1", 1, "planned", microseconds(NOW)),
        ("r1", 2, "ended", end),
    ]


def test_a_run_that_changes_servers_is_found_by_its_state_and_its_first_event(path: Path, store: SqlStore) -> None:
    store.begin(changing())
    query = "SELECT state, ended FROM runs WHERE id = 'c1'"
    store.append("c1", RunEnded(RunState.HELD, "", later(hours=1)))
    assert rows(path, query) == [("held", microseconds(later(hours=1)))]
    store.resume("c1", resumed(later(hours=2)))
    assert rows(path, query) == [("running", None)]
    kinds = "SELECT run, seq, kind FROM events ORDER BY run, seq"
    assert rows(path, kinds) == [
        ("c1", 1, "changing"),
        ("c1", 2, "ended"),
        ("c1", 3, "resumed"),
        ("r1", 1, "planned"),
    ]


def test_the_look_for_runs_that_change_servers_goes_by_indexes(store: SqlStore) -> None:
    """However many runs there have been: of those that are running only the first event is read."""
    with store._database.reading() as connection:
        wanted = str(statements.CHANGING.compile(connection, compile_kwargs={"literal_binds": True}))
        steps = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {wanted}")]
    assert sorted(steps) == [
        "SEARCH events USING PRIMARY KEY (run=? AND seq=?)",
        "SEARCH runs USING INDEX ix_runs_state (state=?)",
    ]


def test_runs_that_only_look_never_search_for_others(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "CHANGING", "nothing that can be executed")
    store.begin(plan("r2"))
    with pytest.raises(Exception, match="Not an executable object"):
        store.begin(changing())


def test_every_word_on_a_hold_and_every_approval_stays(path: Path, store: SqlStore) -> None:
    for lifted in (False, True):
        store.keep_hold(Hold("h1", Identity("a", "b"), "why", NOW, lifted=lifted))
    assert rows(path, "SELECT id, seq, lifted FROM holds ORDER BY seq") == [("h1", 1, 0), ("h1", 2, 1)]
    for plan_hash in ("p1", "p1", "p2"):
        store.keep_approval(Approval(plan_hash, Identity("a", "b"), NOW, later(days=7)))
    assert rows(path, "SELECT plan, seq FROM approvals ORDER BY plan, seq") == [("p1", 1), ("p1", 2), ("p2", 1)]


def test_a_record_is_searched_by_who_what_and_when(path: Path, store: SqlStore) -> None:
    keep(store, [ok(), bad()], customer="acme", site="paris")
    keep(store, [ok()], index=2, server="web2")
    query = "SELECT id, run, server, checklist, service, customer, site, outcome, severity FROM records ORDER BY id"
    first, second = ("r1-0001", "r1", "web1"), ("r1-0002", "r1", "web2")
    what = ("daily-check", "inspection")
    assert rows(path, query) == [
        (*first, *what, "acme", "paris", "attention", "warning"),
        (*second, *what, None, None, "ok", None),
    ]
    times = (microseconds(NOW), microseconds(later(seconds=2)))
    assert rows(path, "SELECT DISTINCT started, ended FROM records") == [times]


def test_a_finding_is_searched_by_its_state(path: Path, store: SqlStore) -> None:
    keep(store, [bad()])
    query = "SELECT id, server, check_id, state, severity FROM findings"
    assert rows(path, query) == [(VAR, "web1", "FS-010", "new", "warning")]
    keep(store, [ok("FS-010", "/var")], index=2)
    assert rows(path, query) == [(VAR, "web1", "FS-010", "gone", "warning")]


def test_a_followup_is_searched_by_its_state_and_findings(path: Path, store: SqlStore) -> None:
    keep(store, [bad(), bad("FS-010", "/opt")])
    (followup,) = store.followups()
    opt = finding_id("web1", "FS-010", "/opt")
    query = "SELECT server, state, opened FROM followups"
    links = "SELECT followup, finding FROM followup_findings ORDER BY finding"
    assert rows(path, query) == [("web1", "open", microseconds(NOW))]
    assert rows(path, links) == sorted([(followup.id, VAR), (followup.id, opt)])
    store.change_followup(followup.id, lambda one: close(replace(one, findings=(VAR, VAR)), "ana", None, NOW))
    assert rows(path, query) == [("web1", "closed", microseconds(NOW))]
    assert rows(path, links) == [(followup.id, VAR)]
