"""maintops as a library: light to import, typed, and able to do what the command line does."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import maintops
from tests.acceptance.checklists import CHECKS, alarmed, furnish
from tests.lab.running import Desk

HEAVY = ("sqlalchemy", "alembic", "psycopg", "fabric", "paramiko", "jinja2", "jsonschema", "ansible_runner", "ansible")
SCRIPT = """\
from datetime import datetime

import maintops
from maintops import FailOn, House, MaintopsError, Measured, NotMeasured, Parser, Probe, ServiceRecord, SubjectFacts


def worst(folder: str) -> dict[str, str]:
    house: House = maintops.here(by="erika")
    result = house.run("daily-check", limit="web", tags=["system"])
    records: list[ServiceRecord] = list(house.store.records(run=result.run.id))
    code: int = result.codes[FailOn.CRITICAL]
    started: datetime = records[code].started
    return {record.server: f"{record.outcome} {len(record.cells)} {started}" for record in records}


def read(answer: maintops.Answer) -> Measured | NotMeasured:
    if answer.status:
        return NotMeasured("no such thing")
    return Measured((SubjectFacts(None, {"size": len(answer.stdout)}),))


SIZE = Parser("size", read)
NAMES: tuple[str, ...] = tuple(one.name for one in House("/srv", flags={"forks": 3}).servers())
try:
    House("/srv")
except MaintopsError as error:
    code: int = error.exit_code
"""


def _loaded_by(code: str) -> set[str]:
    """The modules that are loaded when a new Python has run some code."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(json.loads(told.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import maintops",
        "from maintops.cli.main import execute; assert execute(['--help']) == 0",
        "from maintops.cli.main import execute; assert execute(['--version']) == 0",
        "from maintops.cli.main import execute; assert execute(['run', '--help']) == 0",
    ],
)
def test_little_is_loaded_before_it_is_needed(code: str) -> None:
    loaded = _loaded_by(code)
    assert "maintops" in loaded
    assert not loaded & set(HEAVY)


def test_importing_maintops_loads_nothing_of_it() -> None:
    assert {name for name in _loaded_by("import maintops") if name.startswith("maintops")} == {"maintops"}


def test_every_name_of_the_api_exists_and_is_documented() -> None:
    assert set(maintops.__all__) <= set(dir(maintops))
    for name in maintops.__all__:
        assert getattr(maintops, name).__doc__, name
    with pytest.raises(AttributeError, match="nosuch"):
        _ = maintops.nosuch


def test_a_users_script_passes_a_strict_type_checker(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    done = _mypy(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "script.py").write_text(SCRIPT.replace("started: datetime", "started: int"))
    assert _mypy(tmp_path).returncode == 1, "the API is not typed"


def _mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder / "cache", "script.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.fleet
def test_a_house_runs_a_checklist_and_remembers(desk: Desk) -> None:
    furnish(desk)
    now = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    flags = {"inventory": [desk.inventory("s002", **alarmed(desk, "s001"))], "by": "erika"}
    house = maintops.House(desk.here, flags=flags, environment=desk.variables, clock=lambda: now)
    result = house.run("round", limit="s001")
    try:
        (record,) = house.store.records(run=result.run.id)
        assert (record.server, record.engineer, str(record.outcome)) == ("s001", "erika", "attention")
        assert {cell.check for cell in record.cells} == set(CHECKS)
        assert result.codes[maintops.FailOn.CRITICAL] == 2
        assert result.run.id.startswith("r20310506-070809-")
        (followup,) = house.store.followups()
        assert house.close_followup(followup.id, "it was moved").closed_by == "erika"
        assert [one.id for one in house.runs()] == [result.run.id]
        with pytest.raises(maintops.UsageError, match="nosuch"):
            house.run("round", limit="nosuch")
        with pytest.raises(maintops.UsageError, match="raund"):
            house.run("raund")
    finally:
        house.close()
