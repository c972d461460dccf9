"""The tier of virtual machines: hardware with faults, and the daily and the monthly check that find them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import faults, packages
from tests.lab.machines import Machine
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

MOVES = {"SY-050", "SY-100", "NW-010"}
"""Checks that may say something else every time: load, the kernel's log, counters of the network."""


@pytest.fixture
def desk(tmp_path: Path, machine: Machine) -> Desk:
    return Desk(tmp_path / "desk", machine)


def daily(desk: Desk, *more: str) -> Ended:
    """A daily check of the machine."""
    inventory = desk.inventory("vm1")
    return run_maintops(desk, "run", "daily-check", "-i", inventory, "--format", "json", *more)


def attention(ended: Ended) -> set[tuple[str, str | None]]:
    """What needs attention or is worth a remark, as (check, subject), but for what moves."""
    cells = ended.server("vm1")["checks"]
    return {(one["id"], one["subject"]) for one in cells if one["severity"] and one["id"] not in MOVES}


def test_it_has_hardware_of_its_own(machine: Machine) -> None:
    assert machine.run("cat /proc/sys/kernel/random/boot_id") != Path("/proc/sys/kernel/random/boot_id").read_text()
    assert "PASSED" in machine.run("smartctl -H /dev/nvme0")
    assert "Device ID" in machine.run("ipmitool mc info")
    assert machine.run("systemctl is-system-running").strip() == "running"


Fault = Callable[[Machine], AbstractContextManager[Any]]

FOUND: dict[str, tuple[Fault, Fault, str, set[tuple[str, str | None]]]] = {
    "disk_fails_smart": (
        lambda machine: nullcontext(),
        faults.disk_fails_smart,
        "! smartctl -H /dev/nvme0",
        {("HW-010", "/dev/nvme0")},
    ),
    "raid_degrades": (
        faults.a_raid,
        faults.raid_degrades,
        "grep -q '[[]2/1[]]' /proc/mdstat",
        {("HW-020", "md0")},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_daily_check_finds_it_and_sees_it_gone(desk: Desk, machine: Machine, name: str) -> None:
    setting, fault, inside, expected = FOUND[name]
    with setting(machine):
        before = daily(desk)
        assert before.code in (0, 2), before.stderr
        assert machine.try_to(inside).status != 0, "the fault is there before it was made"
        with fault(machine):
            machine.run(inside)
            during = daily(desk)
        after = daily(desk)
    assert attention(during) - attention(before) == expected
    assert attention(after) == attention(before)
    told = run_maintops(desk, "finding", "list", "--gone", "--format", "json").document
    every = told["findings"] if isinstance(told, dict) else told
    assert expected <= {(one["check"], one["subject"]) for one in every if one["state"] == "gone"}


NEWEST = "ls /boot | sed -n s/^vmlinuz-//p | sort -V | tail -n 1"


def test_a_reboot_into_an_old_kernel_is_found_and_gone(desk: Desk, machine: Machine) -> None:
    kernel, boot = machine.run("uname -r").strip(), machine.boot()
    with packages.a_repository(machine):
        before = daily(desk)
        assert machine.run(NEWEST).strip() == kernel
        with faults.reboot_into_old_kernel(machine) as newer:
            assert machine.boot() != boot
            assert (machine.run("uname -r").strip(), machine.run(NEWEST).strip()) == (kernel, newer)
            during = daily(desk)
        assert machine.run(NEWEST).strip() == kernel
        after = daily(desk)
    assert attention(during) - attention(before) == {("SY-120", None), ("SY-060", None)}
    assert during.cell("vm1", "SY-120")["message"] == f"A reboot is pending: kernel {newer}"
    assert attention(after) == attention(before)


def test_a_clock_that_steps_is_no_reason_to_believe_in_a_reboot(desk: Desk, machine: Machine) -> None:
    daily(desk, "-t", "SY-060")
    with faults.clock_steps(machine):
        during = daily(desk, "-t", "SY-060")
    assert [cell["outcome"] for cell in during.cells("vm1")["SY-060"]] == ["ok"]


def test_power_that_is_lost_is_a_reboot_that_nobody_asked_for(desk: Desk, machine: Machine) -> None:
    daily(desk, "-t", "SY-060")
    boot = machine.run("cat /proc/sys/kernel/random/boot_id")
    machine.power_off()
    dark = daily(desk, "-t", "SY-060")
    machine.start()
    assert dark.code == 4
    assert dark.outcomes_of("vm1") == ["unreachable"]
    assert machine.run("cat /proc/sys/kernel/random/boot_id") != boot
    after = daily(desk, "-t", "SY-060")
    assert [cell["outcome"] for cell in after.cells("vm1")["SY-060"]] == ["attention"]


def test_a_server_that_stands_still_is_unreachable_and_hangs_nobody(desk: Desk, machine: Machine) -> None:
    with faults.stands_still(machine):
        during = daily(desk, "-t", "SY-060")
    assert during.code == 4
    assert during.outcomes_of("vm1") == ["unreachable"]
    assert daily(desk, "-t", "SY-060").code == 0


# --- the monthly check ------------------------------------------------------------------------------------------------


def monthly(desk: Desk) -> Ended:
    inventory = desk.inventory("vm1")
    return run_maintops(desk, "run", "monthly-hardware", "-i", inventory, "--format", "json")


def needing_attention(ended: Ended) -> set[tuple[str, str | None]]:
    """What of a monthly check needs attention, as (check, subject), but for the counters of the network."""
    assert ended.code in (0, 2), ended.stderr
    cells = [one for one in ended.server("vm1")["checks"] if one["outcome"] == "attention"]
    return {(one["id"], one["subject"]) for one in cells if one["id"] != "HW-241"}


def outcomes(ended: Ended) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in ended.server("vm1")["checks"]:
        found.setdefault(one["id"], set()).add(one["outcome"])
    return found


FAULTS: dict[str, tuple[Fault, set[tuple[str, str | None]]]] = {
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
    before = needing_attention(room.last)
    try:
        with fault(machine):
            during = needing_attention(monthly(room.desk))
    finally:
        room.last = monthly(room.desk)
    assert during - before == expected
    assert needing_attention(room.last) - before == set()


def test_what_the_machine_has_is_measured_and_what_it_has_not_is_said(room: Room) -> None:
    found = outcomes(room.last)
    for check in ("HW-100", "HW-110", "HW-130", "HW-250", "HW-261"):
        assert found[check] <= {"ok", "attention"}, (check, found[check])
    for check in ("HW-140", "HW-160", "HW-170"):
        assert found[check] == {"not_measured"}, (check, found[check])
    assert found["HW-300"] == {"skipped"}
    assert "failed" not in set().union(*found.values()), found
