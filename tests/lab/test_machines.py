"""The tier of virtual machines: hardware with faults, and the daily check that finds them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
