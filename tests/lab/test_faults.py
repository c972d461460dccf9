"""Every fault, seen from inside the server; and the daily check, which finds it, names it exactly, and sees it gone."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.lab import faults, packages
from tests.lab.containers import Container, Containers
from tests.lab.running import Desk, Ended, run_maintops

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

SHARED = {"SY-030", "SY-040", "SY-050", "SY-100"}
"""Checks of what containers share with the machine: load, memory and the kernel's log move as they like."""


@pytest.fixture
def desk(tmp_path: Path, containers: Containers) -> Desk:
    return Desk(tmp_path / "desk", containers)


def daily(desk: Desk, lab: Containers, *more: str) -> Ended:
    """A daily check of lab1 and lab2."""
    words = ("run", "daily-check", "-i", str(lab.inventory), "-l", "lab1,lab2", "--format", "json")
    return run_maintops(desk, *words, *more)


def attention(ended: Ended, server: str) -> set[tuple[str, str | None]]:
    """What needs attention or is worth a remark there, as (check, subject), but for what is shared with the machine."""
    cells = ended.server(server)["checks"]
    return {(one["id"], one["subject"]) for one in cells if one["severity"] and one["id"] not in SHARED}


def gone(desk: Desk) -> set[tuple[str, str, str | None]]:
    """The findings that are gone, as (server, check, subject)."""
    told = run_maintops(desk, "finding", "list", "--gone", "--format", "json").document
    every = told["findings"] if isinstance(told, dict) else told
    return {(one["server"], one["check"], one["subject"]) for one in every if one["state"] == "gone"}


Fault = Callable[[Container], AbstractContextManager[Any]]


def as_it_is(server: Container) -> AbstractContextManager[None]:
    """Nothing has to be there for a fault."""
    return nullcontext()


def no_room(point: str) -> str:
    """sh that succeeds where a file system has less than 64 KiB left."""
    return f"test $(df --output=avail -k {shlex.quote(point)} | tail -n 1) -lt 64"


FOUND: dict[str, tuple[Fault, Fault, str, set[tuple[str, str | None]]]] = {
    "service_fails": (
        as_it_is,
        faults.service_fails,
        "systemctl is-failed lab-victim.service",
        {("SY-070", faults.VICTIM)},
    ),
    "disk_full": (
        lambda server: faults.a_disk(server, faults.FULL),
        faults.disk_full,
        no_room(faults.FULL),
        {("SY-010", faults.FULL)},
    ),
    "read_only_root": (as_it_is, faults.read_only_root, "! touch /root/x", {("SY-090", "/")}),
    "link_down": (
        faults.a_link,
        faults.link_down,
        f'test "$(cat /sys/class/net/{faults.SECOND}/carrier)" = 0',
        {("NW-010", faults.SECOND)},
    ),
    "hostile_facts": (
        lambda server: faults.a_disk(server, faults.HOSTILE),
        faults.hostile_facts,
        no_room(faults.HOSTILE),
        {("SY-010", faults.HOSTILE)},
    ),
    "security_update_waits": (
        packages.lab_packages,
        faults.security_update_waits,
        f"apt-get -s upgrade | grep -q '^Inst {packages.PLAIN} '",
        {("SC-020", None)},
    ),
    "reboot_waits": (
        packages.lab_packages,
        faults.reboot_waits,
        f"grep -qx {packages.REBOOT} /run/reboot-required.pkgs",
        {("SY-120", None)},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_daily_check_finds_it_and_sees_it_gone(desk: Desk, containers: Containers, name: str) -> None:
    setting, fault, inside, expected = FOUND[name]
    one = containers.server("lab1")
    with setting(one):
        before = daily(desk, containers)
        assert before.code in (0, 2), before.stderr
        assert one.try_to(inside).status != 0, "the fault is there before it was made"
        with fault(one):
            one.run(inside)
            during = daily(desk, containers)
        assert one.try_to(inside).status != 0, "the fault is there after it was undone"
        after = daily(desk, containers)
    assert attention(during, "lab1") - attention(before, "lab1") == expected
    assert attention(before, "lab1") == attention(after, "lab1")
    assert attention(before, "lab2") == attention(during, "lab2") == attention(after, "lab2")
    assert gone(desk) >= {("lab1", check, subject) for check, subject in expected}
    for server in ("lab1", "lab2"):
        assert {cell["outcome"] for cell in during.server(server)["checks"]} <= {
            "ok", "attention", "not_measured", "skipped",
        }  # fmt: skip
    assert containers.server("lab1").try_to("ls /canary /root/canary /tmp/canary").status != 0


def test_a_package_that_breaks_is_half_configured_and_its_version_from_before_is_not(
    desk: Desk, containers: Containers
) -> None:
    one = containers.server("lab1")
    with packages.lab_packages(one):
        before = daily(desk, containers)
        with faults.package_breaks(one) as name:
            assert "Status: install ok half-configured\n" in one.run(f"dpkg -s {name}")
            assert name in one.run("dpkg --audit")
            during = daily(desk, containers)
        assert packages.status(one, name) == ("ii ", "1.0")
        assert one.run("dpkg --audit") == ""
    assert attention(during, "lab1") == attention(before, "lab1")  # no check of the daily check asks for this


def test_a_host_key_that_changes_is_refused(desk: Desk, containers: Containers) -> None:
    with faults.host_key_changes(containers.server("lab1")):
        during = daily(desk, containers)
    assert during.code in (4, 6)
    assert set(during.outcomes_of("lab1")) - {"skipped"} == {"unreachable"}
    assert "unreachable" not in during.outcomes_of("lab2")
    assert "unreachable" not in daily(desk, containers).outcomes_of("lab1")


def test_a_wrong_sudo_password_is_tried_once(desk: Desk, containers: Containers) -> None:
    one = containers.server("lab1")
    with faults.sudo_password_wrong(one):
        during = daily(desk, containers)
        assert one.try_to("su keeper -c 'sudo -n true'").status != 0
    assert set(during.outcomes_of("lab1")) - {"skipped"} == {"unreachable"}
    assert "Wrong-Canary-32" not in during.stdout + during.stderr
    assert "unreachable" not in daily(desk, containers).outcomes_of("lab1")


def test_a_server_that_never_returns_is_unreachable_and_the_other_is_not(desk: Desk, containers: Containers) -> None:
    one = containers.server("lab1")
    before = one.started()
    with faults.server_never_returns(one):
        assert one.started() > before
        during = daily(desk, containers)
    assert set(during.outcomes_of("lab1")) - {"skipped"} == {"unreachable"}
    assert "unreachable" not in during.outcomes_of("lab2")
    assert "unreachable" not in daily(desk, containers).outcomes_of("lab1")


def test_power_that_is_lost_is_a_boot_that_nobody_asked_for(containers: Containers) -> None:
    one = containers.server("lab2")
    one.run("echo unsaved >/run/unsaved")
    faults.power_loss(one)
    assert one.try_to("cat /run/unsaved").status != 0


def test_lost_packets_slow_a_run_and_lose_nothing(desk: Desk, containers: Containers) -> None:
    one = containers.server("lab1")
    with faults.packet_loss(one, 10):
        during = daily(desk, containers)
        assert " packets 0 " not in one.run("nft list table inet loss")
    assert "unreachable" not in during.outcomes_of("lab1")
    assert len(during.server("lab1")["checks"]) >= 27


@pytest.mark.parametrize(("fault", "word"), [(faults.hangs, "no answer within"), (faults.floods_output, "truncated")])
def test_a_tool_that_misbehaves_fails_its_checks_alone(
    desk: Desk, containers: Containers, fault: Fault, word: str
) -> None:
    one = containers.server("lab1")
    with fault(one):
        assert one.try_to("timeout 1 systemctl is-system-running | head -c 100000 | wc -c").stdout.strip() in (
            "0",
            "100000",
        )
        during = daily(desk, containers, "-t", "SY-010,SY-070,SY-090")
    cells = during.cells("lab1")
    assert [cell["outcome"] for cell in cells["SY-070"]] == ["failed"]
    assert word in cells["SY-070"][0]["message"]
    assert {cell["outcome"] for check in ("SY-010", "SY-090") for cell in cells[check]} == {"ok"}
    assert during.code == 2
