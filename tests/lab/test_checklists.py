"""Every shipped checklist runs on a real server: each check has an outcome, and none of them breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.containers import Containers
from tests.lab.running import Desk, run_maintops

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

SHIPPED = sorted(path.stem for path in (Path(__file__).parents[2] / "checklists").glob("*.yml"))


@pytest.fixture
def desk(tmp_path: Path, containers: Containers) -> Desk:
    return Desk(tmp_path / "desk", containers)


@pytest.mark.parametrize("checklist", SHIPPED)
def test_it_runs_twice_and_no_check_breaks(desk: Desk, containers: Containers, checklist: str) -> None:
    name = containers.names[0]
    inventory = desk.inventory(name)
    for _ in range(2):
        ended = run_maintops(desk, "run", checklist, "-i", inventory, "--format", "json")
        assert ended.code in (0, 2), ended.stderr
        cells = ended.server(name)["checks"]
        broken = [
            (one["id"], one["message"]) for one in cells if one["outcome"] in ("failed", "unknown", "unreachable")
        ]
        assert broken == []
    shown = run_maintops(desk, "checklist", "show", checklist, "--format", "json").document
    planned = {one["id"] for one in (*shown["checks"], *shown["steps"])}
    assert {one["id"] for one in cells} == planned
    steps = {one["id"] for one in shown["steps"]}
    assert {one["outcome"] for one in cells if one["id"] in steps} <= {"not_reached"}
