"""The kill switch as a file: whatever stands in it, it holds."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maintops.domain.holds import Hold
from maintops.domain.identities import Identity
from maintops.errors import UsageError
from maintops.files.holding import LARGEST, read_hold, remove_hold, write_hold

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOLD = Hold("h1", Identity("anna@ctl", "Änna"), "the storage is being moved", AT)


@pytest.mark.parametrize("until", [None, AT + timedelta(hours=2)])
def test_a_hold_is_read_as_it_was_written(tmp_path: Path, until: datetime | None) -> None:
    path = tmp_path / "deep" / "hold"
    write_hold(Hold("h1", HOLD.by, HOLD.why, AT, until), path)
    assert read_hold(path) == Hold("h1", HOLD.by, HOLD.why, AT, until, place=str(path))
    assert [one.name for one in path.parent.iterdir()] == ["hold"]


def test_without_a_file_nothing_is_held(tmp_path: Path) -> None:
    assert read_hold(tmp_path / "hold") is None


def test_a_file_made_in_a_hurry_holds_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "hold"
    path.touch()
    os.utime(path, (AT.timestamp(), AT.timestamp()))
    found = read_hold(path)
    assert found is not None
    assert found.holds(AT + timedelta(days=10_000))
    assert found.words() == (
        "changes are held by somebody (?, as claimed), since 2026-03-01 09:00 UTC: no reason is given"
    )


def body(**changes: Any) -> str:
    whole = {"id": "h1", "login": "anna@ctl", "name": "Anna", "why": "w", "at": AT.isoformat(), "until": None}
    return json.dumps({**whole, **changes})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("moving the storage\n", "moving the storage"),
        ("{", "{"),
        ("[]", "[]"),
        ("5", "5"),
        ("\udcff", "\ufffd"),
        (body(at="yesterday"), '{"id": "h1"'),
        (body(at=5), '{"id": "h1"'),
        (body(until=5), '{"id": "h1"'),
        (body(until="soon"), '{"id": "h1"'),
        (body(at="2026-03-01T09:00:00"), "a time in it has no zone"),
        (body(until="2026-03-01T09:00:00"), "a time in it has no zone"),
        ("[" * 50_000, "[["),
        ("x" * (LARGEST + 10), "xxx"),
    ],
)
def test_a_garbled_file_holds_without_an_end(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "hold"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    found = read_hold(path)
    assert found is not None
    assert found.until is None
    assert found.holds(AT + timedelta(days=10_000))
    assert found.why.startswith(why)
    assert len(found.why) <= 200


def test_a_time_of_another_zone_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "hold"
    path.write_text(body(until="2026-03-01T12:00:00+02:00"))
    found = read_hold(path)
    assert found is not None
    assert found.holds(datetime(2026, 3, 1, 9, 59, tzinfo=UTC))
    assert not found.holds(datetime(2026, 3, 1, 10, 1, tzinfo=UTC))


def test_texts_from_a_file_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "hold"
    path.write_text(body(id="i" * 5000, login="l" * 5000, name="n" * 5000, why="w" * 5000))
    found = read_hold(path)
    assert found is not None
    assert (len(found.id), len(found.by.login), len(found.by.name), len(found.why)) == (80, 200, 200, 1000)


def test_what_cannot_be_read_holds(tmp_path: Path) -> None:
    (tmp_path / "hold").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "hold", tmp_path / "file" / "hold"):
        found = read_hold(path)
        assert found is not None
        assert found.holds(AT + timedelta(days=10_000))
        assert found.why.startswith("the file cannot be read (")


def test_a_file_of_a_time_that_no_clock_shows_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "hold"
    path.touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", lambda number: SimpleNamespace(st_mtime=1e12))  # the year 33658
        found = read_hold(path)
    assert found is not None
    assert found.holds(datetime.now(UTC))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example writes the file anew
@given(st.binary(max_size=100))
def test_no_content_lets_a_run_pass(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hold"
    path.write_bytes(content)
    found = read_hold(path)
    assert found is not None
    assert found.holds(AT)


@pytest.mark.parametrize("target", ["file/hold", "folder"])
def test_where_it_cannot_be_written_one_is_told_what_to_do(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    with pytest.raises(UsageError, match="touch it yourself: while it is there nothing is changed"):
        write_hold(HOLD, tmp_path / target)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "folder"]


def test_lifting_takes_the_file_away_once(tmp_path: Path) -> None:
    path = tmp_path / "hold"
    write_hold(HOLD, path)
    assert remove_hold(path) is True
    assert read_hold(path) is None
    assert remove_hold(path) is False


def test_what_cannot_be_lifted_is_told(tmp_path: Path) -> None:
    (tmp_path / "hold").mkdir()
    with pytest.raises(UsageError, match=r"cannot remove .*hold: "):
        remove_hold(tmp_path / "hold")
