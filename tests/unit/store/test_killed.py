"""SIGKILL at any moment: what was acknowledged is there, and nothing is there by half."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

from maintops.domain.ports import Store
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import RunState, ServerAnswered
from maintops.store.opening import open_store

ROOT = Path(__file__).parents[3]


def test_nothing_acknowledged_is_lost_and_nothing_is_kept_by_half(tmp_path: Path) -> None:
    path = tmp_path / "m.sqlite"
    words = [sys.executable, "-m", "tests.committing", "killed", f"sqlite:///{path}", "20260301", "10"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    acknowledged: dict[str, list[str]] = json.loads(done.stdout)
    assert len(acknowledged) == 10
    assert all(acknowledged.values())
    store = open_store(f"sqlite:///{path}")
    for run, records in acknowledged.items():
        kept = list(store.records(run=run))
        assert {one.id for one in kept} >= set(records)
        assert len(kept) <= len(records) + 1
        assert store.run(run).state is RunState.RUNNING
        answered = [event.record for event in store.events(run) if isinstance(event, ServerAnswered)]
        assert answered == sorted(one.id for one in kept)
        for record in kept:
            _assert_whole(store, record)
    store.close()
    _assert_nothing_else(path, len([record for records in acknowledged.values() for record in records]))


def _assert_whole(store: Store, record: ServiceRecord) -> None:
    memory = store.memory(record.server)
    assert {one.record for subjects in memory.facts.values() for one in subjects.values()} == {record.id}
    assert len(memory.facts["SYS-010"]) == 40
    assert {one.check for one in memory.findings} == {"FS-010", "MEM-010"}
    assert len(memory.followups) == 2
    assert all(len(store.history(one.id)) == 1 for one in memory.findings)
    assert len(store.answer(record.id) or b"") == 20_000


def _assert_nothing_else(path: Path, acknowledged: int) -> None:
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  names of our own
            for table in ("records", "answers", "sightings", "findings", "facts")
        ]
    connection.close()
    records = counts[0]
    assert counts == [records, records, 2 * records, 2 * records, 3 * records]
    assert records >= acknowledged
