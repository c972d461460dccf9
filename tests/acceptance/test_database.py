"""Databases that cannot be used, and two that can, through the command line: one clear sentence, nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.acceptance.checklists import CHECKS, alarmed, furnish
from tests.lab.fixtures import absent
from tests.lab.fleet import Fleet
from tests.lab.running import Desk, Ended, Running, run_maintops
from tests.postgres import PostgresServer

pytestmark = pytest.mark.fleet

PROGRAM = Path(sys.executable).parent / "maintops"


def _assert_one_sentence(ended: Ended, *words: str, code: int = 1) -> None:
    assert ended.code == code, (ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    (told,) = [line for line in ended.stderr.splitlines() if line.startswith("maintops: ")]
    for word in words:
        assert word in told, told


def _run(desk: Desk) -> Ended:
    return run_maintops(desk, "run", "round", "-i", desk.inventory("s001"), "--format", "json")


def _kept(desk: Desk) -> list[str]:
    """The records that the database holds."""
    listed = run_maintops(desk, "record", "list", "--format", "json")
    assert listed.code == 0, listed.stderr
    return [str(one["record"]) for one in listed.document]


@pytest.fixture
def seat(desk: Desk) -> Desk:
    furnish(desk)
    return desk


# --- databases that cannot be used ------------------------------------------------------------------------------------


def test_a_folder_is_no_database(seat: Desk) -> None:
    seat.database.mkdir()
    _assert_one_sentence(_run(seat), str(seat.database))
    assert list(seat.database.iterdir()) == []


def test_a_file_of_another_kind_is_left_as_it_is(seat: Desk) -> None:
    seat.database.write_text("a letter, not a database\n" * 200)
    _assert_one_sentence(_run(seat), str(seat.database), "no SQLite database")
    assert seat.database.read_text() == "a letter, not a database\n" * 200


def test_a_folder_that_cannot_be_made_is_named(seat: Desk) -> None:
    (seat.home / "file").touch()
    seat.environment = {"MAINTOPS_DATABASE_URL": f"sqlite:///{seat.home}/file/below/maintops.sqlite"}
    _assert_one_sentence(_run(seat), f"{seat.home}/file")


def test_a_form_of_url_that_nobody_knows_is_not_repeated(seat: Desk) -> None:
    seat.environment = {"MAINTOPS_DATABASE_URL": "mysql://erika:Pw-Canary-2@db/records"}
    ended = _run(seat)
    _assert_one_sentence(ended, "database URL", "postgresql://", code=64)
    assert "Canary" not in ended.stderr


def test_a_database_that_another_process_holds_is_waited_for_and_then_named(seat: Desk) -> None:
    assert _run(seat).code == 0
    before = _kept(seat)
    with closing(sqlite3.connect(seat.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        _assert_one_sentence(_run(seat), str(seat.database), "locked", "fuser")
        assert _kept(seat) == before, "reading needs no lock"
        other.execute("ROLLBACK")
    assert _run(seat).code == 0
    assert len(_kept(seat)) == 2


def test_no_right_to_write_is_one_sentence(seat: Desk) -> None:
    assert _run(seat).code == 0
    before = _kept(seat)
    place = seat.database.parent
    for file in place.glob("maintops.sqlite*"):
        file.chmod(0o400)
    place.chmod(0o500)
    try:
        _assert_one_sentence(_unprivileged(seat, "run", "round", "-i", seat.inventory("s001")), str(seat.database))
    finally:
        place.chmod(0o700)
        for file in place.glob("maintops.sqlite*"):
            file.chmod(0o600)
    assert _kept(seat) == before


def _unprivileged(desk: Desk, *arguments: str) -> Ended:
    """Runs maintops without root's right to write everywhere."""
    drop: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv") or absent("setpriv is not installed (util-linux)")
        drop = [setpriv, "--inh-caps=-all", "--bounding-set=-all"]
        if subprocess.run([*drop, "true"], capture_output=True, check=False).returncode:
            absent("root may not give up its rights here")
    done = subprocess.run(
        [*drop, PROGRAM, *arguments], env=desk.variables, cwd=desk.here, capture_output=True, text=True, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    if os.geteuid() != 0:
        absent("a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount") or "/bin/mount"
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        absent(f"no small disk here: {done.stderr.strip()}")
    yield folder
    subprocess.run([shutil.which("umount") or "/bin/umount", folder], check=True)


def test_a_full_disk_is_one_sentence_and_costs_no_record(seat: Desk, small_disk: Path) -> None:
    seat.environment = {"MAINTOPS_DATABASE_URL": f"sqlite:///{small_disk}/maintops.sqlite"}
    assert _run(seat).code == 0
    before = _kept(seat)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(b"x" * 4096):
            pass
    assert os.statvfs(small_disk).f_bavail == 0
    _assert_one_sentence(_run(seat), f"{small_disk}/maintops.sqlite", "space")
    filler.unlink()
    assert _kept(seat) == before
    assert _run(seat).code == 0
    assert len(_kept(seat)) == 2


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_a_wrong_password_is_one_sentence_without_it(
    seat: Desk, postgres_url: str, postgres_server: PostgresServer
) -> None:
    seat.environment = {"MAINTOPS_DATABASE_URL": postgres_url.replace(postgres_server.password, "Pw-Canary-3")}
    for ended in (_run(seat), run_maintops(seat, "runs")):
        _assert_one_sentence(ended, "password", "127.0.0.1", str(postgres_server.port))
        assert "Canary" not in ended.stderr + ended.stdout


def test_an_unreachable_postgresql_is_one_sentence(seat: Desk) -> None:
    seat.environment = {"MAINTOPS_DATABASE_URL": "postgresql://erika:Pw-Canary-4@127.0.0.1:1/records"}
    ended = _run(seat)
    _assert_one_sentence(ended, "127.0.0.1", "records")
    assert "Canary" not in ended.stderr


# --- both databases ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, seat: Desk) -> Desk:
    if request.param == "postgresql":
        seat.environment = {"MAINTOPS_DATABASE_URL": request.getfixturevalue("postgres_url")}
    return seat


def test_findings_and_follow_ups_live_in_either_database(either: Desk) -> None:
    bad, good = either.inventory("s002", **alarmed(either, "s001")), either.inventory("s001", "s002")
    states = []
    for inventory, code in ((bad, 2), (bad, 2), (good, 0), (bad, 2)):
        ended = run_maintops(either, "run", "round", "-i", inventory, "--by", "erika", "--format", "json")
        assert ended.code == code, ended.stderr
        listed = run_maintops(either, "finding", "list", "--gone", "--format", "json").document
        followups = run_maintops(either, "followup", "list", "--format", "json").document
        states.append(({one["check"]: one["state"] for one in listed}, [one["state"] for one in followups]))
    assert [found for found, _ in states] == [
        {"AC-020": "new", "AC-030": "new"},
        {"AC-020": "known", "AC-030": "known"},
        {"AC-020": "gone", "AC-030": "gone"},
        {"AC-020": "back", "AC-030": "back"},
    ]
    assert [asked for _, asked in states] == [["open"], ["open"], ["proposed"], ["open"]]
    assert len(_kept(either)) == 8


def test_two_runs_at_once_share_either_database(either: Desk, fleet: Fleet) -> None:
    inventory = either.inventory("s003", **alarmed(either, "s001", "s002"))
    at_once = [Running(either, "run", "round", "-i", inventory, "--format", "json") for _ in range(2)]
    ended = [one.wait() for one in at_once]
    assert [one.code for one in ended] == [2, 2], [one.stderr for one in ended]
    assert len({one.document["run"]["id"] for one in ended}) == 2
    for one in ended:
        assert one.state == "finished"
        assert set(one.cells("s003")) == set(CHECKS)
    assert len(_kept(either)) == 6
    findings = run_maintops(either, "finding", "list", "--format", "json").document
    assert sorted((one["server"], one["check"]) for one in findings) == [
        (server, check) for server in ("s001", "s002") for check in ("AC-020", "AC-030")
    ]
    assert len(run_maintops(either, "followup", "list", "--format", "json").document) == 2
