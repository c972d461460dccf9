"""What the daily check leaves in the database: a record of every server of the scenario."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml


def test_every_server_has_a_record_and_was_reached_each_time() -> None:
    records = _maintops("record", "list", "--limit", "1000")
    assert {one["server"] for one in records} == _servers()
    outcomes = [one["totals"]["outcomes"] for one in records]
    assert [one for one in outcomes if one["unreachable"] or one["unknown"] or not one["ok"]] == []


def _servers() -> set[str]:
    """The servers that the scenario created."""
    return {one["instance"] for one in yaml.safe_load(Path(os.environ["MOLECULE_INSTANCE_CONFIG"]).read_text())}


def _maintops(*words: str) -> Any:
    """What maintops prints, as JSON; MAINTOPS_DATABASE_URL says which database it opens."""
    program = Path(sys.executable).with_name("maintops")
    said = subprocess.run([program, *words, "--format", "json"], check=True, capture_output=True, text=True)
    return json.loads(said.stdout)
