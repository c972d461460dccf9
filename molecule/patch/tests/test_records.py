"""What the patch leaves in the database: records of every server, and nothing that is owed."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml


def test_every_run_is_finished_and_only_the_first_one_rebooted() -> None:
    runs = _maintops("runs")
    assert {one["state"] for one in runs} == {"finished"}
    first = min(runs, key=lambda one: str(one["started"]))["run"]
    for run in runs:
        cells = {record["server"]: _cells(record["record"]) for record in _records(run["run"])}
        assert cells.keys() == _servers()
        for one in cells.values():
            assert one["PT-500"] == "ok"
            assert one["PT-510"] == ("ok" if run["run"] == first else "skipped")


def test_the_waves_followed_the_order_and_nobody_was_done_beside_another() -> None:
    first = min(_maintops("runs"), key=lambda one: str(one["started"]))
    spans = sorted((one["started"], one["ended"], one["server"]) for one in _records(first["run"]))
    assert spans[0][2] == "lab1"  # the others depend on it
    assert all(end <= begin for (_, end, _), (begin, _, _) in pairwise(spans))


def test_nothing_is_owed_and_every_proof_holds() -> None:
    assert _maintops("obligations") == []
    for record in _maintops("record", "list", "--limit", "1000"):
        assert record["severity"] in (None, "info"), record


def test_what_must_hold_was_verified_on_every_server() -> None:
    verified = {one["server"] for one in _maintops("record", "list", "--limit", "1000") if one["engine"] == "testinfra"}
    assert verified == _servers()


def _records(run: str) -> list[Any]:
    """The records of a run that tell of the change itself."""
    found = [one for one in _maintops("record", "list", "--limit", "1000") if one["run"] == run]
    return [one for one in found if one["engine"] == "change"]


def _cells(record: str) -> dict[str, str]:
    """The outcome of each check or step without subjects."""
    shown = _maintops("record", "show", record)
    return {one["id"]: one["outcome"] for one in shown["checks"]}


def _servers() -> set[str]:
    """The servers that the scenario created."""
    return {one["instance"] for one in yaml.safe_load(Path(os.environ["MOLECULE_INSTANCE_CONFIG"]).read_text())}


def _maintops(*words: str) -> Any:
    """What maintops prints, as JSON; MAINTOPS_DATABASE_URL says which database it opens."""
    program = Path(sys.executable).with_name("maintops")
    said = subprocess.run([program, *words, "--format", "json"], check=True, capture_output=True, text=True)
    return json.loads(said.stdout)
