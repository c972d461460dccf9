"""A checklist of steps by hand, a desk that has it, and answers to its steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.lab.running import Cells, Desk, Ended, run_maintops

OVERHAUL = """\
checklist: overhaul
title: The yearly overhaul
service: inspection
cadence: {every: year}
parameters: {least: 100}
checks:
  - {id: OV-010, title: Somebody is at home, command: echo home}
steps:
  - id: OV-910
    title: The filters are clean
    why: Dust is warm.
    manual: Clean the filters.
    choice: [clean, one missing]
    rules:
      - when: choice == 'one missing'
        severity: critical
        finding: "a filter is missing: {{ note }}"
        follow_up: {title: Order a filter}
  - id: OV-920
    title: The power supply carries the load
    manual: Read the meter.
    reading: {unit: W, least: 0, most: 3000}
    rules: [{when: reading < parameters.least, severity: warning, finding: "only {{ reading }} W"}]
  - {id: OV-930, title: The rack is tidy, manual: Tidy it., evidence: photo}
  - {id: OV-940, title: The owner knows, manual: Tell the owner.}
"""
STEPS = ["OV-910", "OV-920", "OV-930", "OV-940"]
PHOTO = b"\xff\xd8 a tidy rack \x00"
DIGEST = hashlib.sha256(PHOTO).hexdigest()
ANSWERS: dict[str, Any] = {
    "OV-910": {"choice": "one missing", "note": "third slot"},
    "OV-920": {"reading": 412},
    "OV-930": {"choice": "done", "evidence": ["rack.jpg"]},
    "OV-940": {"skipped": "he is ill"},
}


@pytest.fixture
def stage(desk: Desk) -> Desk:
    """A desk with the checklist and a photo."""
    (desk.here / "checklists").mkdir()
    (desk.here / "checklists/overhaul.yml").write_text(OVERHAUL)
    (desk.here / "rack.jpg").write_bytes(PHOTO)
    return desk


def begin(desk: Desk, *servers: str) -> Ended:
    """A run whose steps wait."""
    return run_maintops(desk, "run", "overhaul", "-i", desk.inventory(*servers or ("s001",)), "--format", "json")


def write_answers(desk: Desk, steps: Mapping[str, Any], **more: Any) -> str:
    """A file of answers. JSON is YAML."""
    (desk.here / "answers.yml").write_text(json.dumps({**more, "steps": steps}))
    return "answers.yml"


def report(desk: Desk) -> Ended:
    return run_maintops(desk, "report", "--format", "json")


def listed(desk: Desk, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run_maintops(desk, *words, "list", "--format", "json").document
    return found


def outcomes(cells: Cells) -> dict[str, str]:
    return {check: cell["outcome"] for check, (cell,) in cells.items()}
