"""The monthly hardware check on a machine with hardware: each fault gives exactly its findings, and they go with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.lab import faults
from tests.lab.machines import Machine
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

MOVES = {"HW-241"}
"""Checks that may say something else every time: counters of the network."""

Found = set[tuple[str, str | None]]
Fault = Callable[[Machine], AbstractContextManager[Any]]


@pytest.fixture
def desk(tmp_path: Path, machine: Machine) -> Desk:
    return Desk(tmp_path / "desk", machine)


def monthly(desk: Desk) -> Ended:
    inventory = desk.inventory("vm1")
    return run_maintops(desk, "run", "monthly-hardware", "-i", inventory, "--format", "json")


def attention(ended: Ended) -> Found:
    """What needs attention, as (check, subject), but for what moves."""
    assert ended.code in (0, 2), ended.stderr
    cells = ended.server("vm1")["checks"]
    return {(one["id"], one["subject"]) for one in cells if one["outcome"] == "attention" and one["id"] not in MOVES}


def outcomes(ended: Ended) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in ended.server("vm1")["checks"]:
        found.setdefault(one["id"], set()).add(one["outcome"])
    return found


FAULTS: dict[str, tuple[Fault, Fault, Found, Found]] = {
    "disk_fails_smart": (
        lambda machine: nullcontext(),
        faults.disk_fails_smart,
        {("HW-100", "/dev/nvme0"), ("HW-110", "nvme0")},
        set(),
    ),
    "raid_degrades": (faults.a_raid, faults.raid_degrades, {("HW-130", "md0")}, set()),
    "port_loses_its_link": (faults.a_port, faults.port_loses_its_link, {("HW-243", faults.SECOND)}, set()),
    "bmc_reads_hot": (faults.a_cool_processor, faults.bmc_reads_hot, {("HW-200", "CPU Temp")}, set()),
    "bmc_logs_a_failure": (lambda machine: nullcontext(), faults.bmc_logs_a_failure, {("HW-210", None)}, set()),
}
"""Name -> what has to be there, the fault, what it makes the check say, and what is left when it is undone."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gives_its_findings_and_they_go_with_it(desk: Desk, machine: Machine, name: str) -> None:
    setting, fault, expected, left = FAULTS[name]
    with setting(machine):
        monthly(desk)
        before = attention(monthly(desk))
        with fault(machine):
            during = attention(monthly(desk))
        after = monthly(desk)
    assert during - before == expected
    assert attention(after) - before == left


def test_what_the_machine_has_is_measured_and_what_it_has_not_is_said(desk: Desk, machine: Machine) -> None:
    with faults.a_raid(machine):
        found = outcomes(monthly(desk))
    for check in ("HW-100", "HW-110", "HW-130", "HW-250", "HW-261"):
        assert found[check] <= {"ok", "attention"}, (check, found[check])
    for check in ("HW-140", "HW-160", "HW-170"):
        assert found[check] == {"not_measured"}, (check, found[check])
    assert found["HW-300"] == {"skipped"}
    assert "failed" not in set().union(*found.values()), found
