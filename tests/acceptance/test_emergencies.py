"""What must work when other things do not: the kill switch without a database, and a run whose machine is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from maintops.domain.runs import Owner, PlannedServer, RunPlanned
from maintops.store.opening import open_store

Call = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = Path(sys.executable).parent / "maintops"


@pytest.fixture
def call(tmp_path: Path) -> Call:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MAINTOPS_BY": "ann"}

    def maintops(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *words],
            cwd=tmp_path,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    return maintops


NOWHERE = {"MAINTOPS_DATABASE_URL": "postgresql://x:y@127.0.0.1:1/none"}


def test_the_kill_switch_works_without_a_database(call: Call) -> None:
    held = call("hold", "--why", "a fire", **NOWHERE)
    assert held.returncode == 0, held.stderr
    assert "only on this machine" in held.stderr
    assert "a fire" in call("hold", **NOWHERE).stderr
    assert call("hold", **NOWHERE).returncode == 75
    lifted = call("hold", "--lift", **NOWHERE)
    assert lifted.returncode == 1
    assert "lifted: changes are held" in lifted.stderr
    assert "what the database holds is not lifted" in lifted.stderr
    unknown = call("hold", **NOWHERE)
    assert unknown.returncode == 1
    assert "does not hold changes; what the database says is not known" in unknown.stderr


def _begin(folder: Path, ago: timedelta) -> str:
    """A changing run that a process of another machine began some time ago."""
    store = open_store(f"sqlite:///{folder / 'd.sqlite'}")
    try:
        store.begin(
            RunPlanned(
                run="r20260301-000000-aaaa",
                checklist="quarterly-patch",
                version="v",
                title="Patch",
                service="software-upgrade",
                checks=("PT-500",),
                servers=(PlannedServer("web1", "r20260301-000000-aaaa-0001", "change"),),
                owner=Owner("gone", "another-machine", "boot", 4711, 1),
                at=datetime.now(UTC) - ago,
                engineer="ben",
                plan="0" * 64,
            )
        )
    finally:
        store.close()
    return "r20260301-000000-aaaa"


def test_a_run_whose_machine_is_gone_is_ended_by_a_person_and_on_record(call: Call, tmp_path: Path) -> None:
    run = _begin(tmp_path, timedelta(hours=1))
    here = {"MAINTOPS_DATABASE_URL": f"sqlite:///{tmp_path / 'd.sqlite'}"}
    assert call("runs", run, "--end", **here).returncode == 64
    ended = call("runs", run, "--end", "--why", "its power supply burnt", **here)
    assert ended.returncode == 0, ended.stderr
    assert "interrupted" in ended.stderr
    assert "declared dead by ann" in ended.stderr
    assert "its power supply burnt" in ended.stderr
    again = call("runs", run, "--end", "--why", "x", **here)
    assert again.returncode == 64
    assert "has ended already" in again.stderr


def test_a_run_that_gave_a_sign_of_life_is_not_dead(call: Call, tmp_path: Path) -> None:
    run = _begin(tmp_path, timedelta(seconds=30))
    here = {"MAINTOPS_DATABASE_URL": f"sqlite:///{tmp_path / 'd.sqlite'}"}
    told = call("runs", run, "--end", "--why", "I think so", **here)
    assert told.returncode == 75
    assert "gave a sign of life" in told.stderr
