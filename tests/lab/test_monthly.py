"""The monthly hardware check on a machine with hardware: each fault gives exactly its findings, and they go with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
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


FAULTS: dict[str, tuple[Fault, Found]] = {
    "disk_fails_smart": (faults.disk_fails_smart, {("HW-100", "/dev/nvme0"), ("HW-110", "nvme0")}),
    "raid_degrades": (faults.raid_degrades, {("HW-130", "md0")}),
    "port_loses_its_link": (faults.port_loses_its_link, {("HW-243", faults.SECOND)}),
    "bmc_reads_hot": (faults.bmc_reads_hot, {("HW-200", "CPU Temp")}),
    "bmc_logs_a_failure": (faults.bmc_logs_a_failure, {("HW-210", None)}),
}
"""Name -> the fault, and what it makes the check say."""


@dataclass
class Room:
    """The machine with all that can fail, and what the last look at it said: a look takes long, and the one behind a
    fault is the one before the next."""

    desk: Desk
    last: Ended


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, machine: Machine) -> Iterator[Room]:
    with faults.a_raid(machine), faults.a_port(machine), faults.a_cool_processor(machine):
        desk = Desk(tmp_path_factory.mktemp("monthly") / "desk", machine)
        monthly(desk)
        yield Room(desk, monthly(desk))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_gives_its_findings_and_they_go_with_it(room: Room, machine: Machine, name: str) -> None:
    fault, expected = FAULTS[name]
    before = attention(room.last)
    try:
        with fault(machine):
            during = attention(monthly(room.desk))
    finally:
        room.last = monthly(room.desk)
    assert during - before == expected
    assert attention(room.last) - before == set()


def test_what_the_machine_has_is_measured_and_what_it_has_not_is_said(room: Room) -> None:
    found = outcomes(room.last)
    for check in ("HW-100", "HW-110", "HW-130", "HW-250", "HW-261"):
        assert found[check] <= {"ok", "attention"}, (check, found[check])
    for check in ("HW-140", "HW-160", "HW-170"):
        assert found[check] == {"not_measured"}, (check, found[check])
    assert found["HW-300"] == {"skipped"}
    assert "failed" not in set().union(*found.values()), found
