"""Changing real servers: what breaks stops what would break next, and everybody who was not touched is told why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from maintops.domain.journeys import BEFORE, END
from maintops.domain.runs import StageBegan, StageEnded, StageResult
from tests.lab import packages
from tests.lab.changing import (
    HEALTHY,
    PENDING,
    SERVES,
    Change,
    Stock,
    messages,
    on_each,
    reboot,
    tasks,
    update,
)
from tests.lab.containers import Containers
from tests.lab.faults import deaf_after_its_reboot, nobody_can_log_in
from tests.lab.fixtures import need
from tests.lab.packages import BROKEN, PLAIN, SERVICE
from tests.lab.patching import fingerprint
from tests.lab.running import Ended, begun

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

CHECKS = [HEALTHY, PENDING, SERVES]


@pytest.fixture(scope="module")
def lab() -> Iterator[Containers]:
    """Ten servers, lab1 to lab10."""
    made = Containers(count=10)
    need(made.__enter__)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def stock(lab: Containers) -> Stock:
    """Their packages."""
    return Stock(list(lab.servers.values()))


def versions(change: Change, package: str) -> dict[str, tuple[str, str]]:
    """State and version of a package, by server."""
    return on_each(list(change.servers.values()), lambda one: packages.status(one, package))


def in_flight(change: Change) -> list[frozenset[str]]:
    """Who was between its first stage and its end, or was given up in between, after every event of the journal."""
    out: set[str] = set()
    found = []
    for event in change.events():
        if isinstance(event, StageBegan):
            out.add(event.server)
        elif isinstance(event, StageEnded) and event.stage == END:
            out.discard(event.server)
        found.append(frozenset(out))
    return found


def outcomes(ended: Ended, check: str) -> dict[str, str]:
    """Server -> outcome of one cell."""
    return {one["server"]: ended.cell(one["server"], check)["outcome"] for one in ended.document["servers"]}


# --- what breaks ------------------------------------------------------------------------------------------------------


def test_a_canary_that_breaks_holds_the_other_nine_untouched(lab: Containers, stock: Stock, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names)
    stock.offer(packages.plain, packages.breaks)
    listed = change.checklist(update(), checks=CHECKS, drain=change.drain, packages="pinned")
    plan = change.plan(listed)
    others = [one for name, one in change.servers.items() if name != "lab1"]
    before = on_each(others, fingerprint)
    ended = change.run(plan)
    assert ended.code == 2, ended.stderr
    assert ended.state == "held"
    assert on_each(others, fingerprint) == before
    assert change.untouched() == [one.name for one in others]
    assert outcomes(ended, "CL-500") == {"lab1": "failed"} | {one.name: "not_reached" for one in others}
    assert BROKEN in messages(ended, "lab1")
    for one in others:
        assert set(ended.outcomes_of(one.name)) == {"not_reached"}, one.name
        assert {cell["message"] for cell in ended.server(one.name)["checks"]} == {
            "held: 1 of 0 servers that may fail have failed (lab1)"
        }
    assert ended.document["run"]["reason"] == "held: 1 of 0 servers that may fail have failed (lab1)"
    assert (change.drained, change.debts()) == (["lab1"], [("lab1", "undrain")])
    follow_ups = [one for one in change.table("followup", "list") if one["server"] == "lab1"]
    assert any("went wrong" in one["title"] for one in follow_ups), follow_ups
    stock.mend("lab1")


def test_within_the_budget_two_that_break_keep_nobody_else(lab: Containers, stock: Stock, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names)
    version = stock.offer(packages.plain)
    stock.number -= 1
    assert stock.offer(packages.plain, packages.breaks, to=("lab4", "lab6")) == version
    budget = {"canary": 0, "run": 2}
    ended = change.run(change.plan(change.checklist(update(), checks=CHECKS, failure_budget=budget)))
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    expected = dict.fromkeys(lab.names, "ok") | {"lab4": "failed", "lab6": "failed"}
    assert outcomes(ended, "CL-500") == expected
    found = versions(change, PLAIN)
    assert {name: found[name] for name in lab.names if expected[name] == "ok"} == {
        name: ("ii ", version) for name in lab.names if expected[name] == "ok"
    }
    # never more at a time than may fail still, and one
    failed: set[str] = set()
    out: set[str] = set()
    for event in change.events():
        if isinstance(event, StageBegan) and event.stage == BEFORE:
            assert len(out | {event.server}) <= (1 if len(out) == 0 and event.server == "lab1" else 3 - len(failed))
            out.add(event.server)
        elif isinstance(event, StageEnded) and event.stage == END:
            out.discard(event.server)
        elif isinstance(event, StageEnded) and event.result is StageResult.FAILED:
            failed.add(event.server)
            out.discard(event.server)
    stock.mend("lab4", "lab6")


def test_a_server_that_never_returns_stops_its_wave_and_stays_drained(lab: Containers, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names[:5])
    budget = {"canary": 0, "run": 2}
    step = reboot(when="always", timeout=20)
    plan = change.plan(change.checklist(step, failure_budget=budget, drain=change.drain))
    with deaf_after_its_reboot(lab.server("lab2")):
        ended = change.run(plan)
        assert outcomes(ended, "CL-510") == {
            "lab1": "ok",
            "lab2": "unreachable",
            "lab3": "ok",
            "lab4": "ok",
            "lab5": "not_reached",
        }
        assert (ended.code, ended.state) == (6, "held"), ended.stderr
        why = "lab2 did not come back within 0 min after its reboot"
        assert why in ended.document["run"]["reason"]
        assert why in messages(ended, "lab5")
        assert (change.untouched(), change.drained, change.debts()) == (["lab5"], ["lab2"], [("lab2", "undrain")])
        (follow_up,) = change.table("followup", "list")
        assert (follow_up["server"], follow_up["severity"]) == ("lab2", "critical")
        assert follow_up["title"].startswith("Bring lab2 back: ")
    again = change.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert (change.drained, change.debts()) == ([], [])


def test_a_service_that_dies_fails_the_server_and_is_taken_back(
    lab: Containers, stock: Stock, tmp_path: Path
) -> None:
    names = lab.names[:2]
    change = Change(tmp_path / "desk", lab, names)
    old = stock.mend(*names)
    new = stock.offer(packages.plain, packages.dies, beside=[packages.plain(old), packages.service(old)])
    listed = change.checklist(update(), checks=CHECKS, drain=change.drain, expected=["package"])
    ended = change.run(change.plan(listed))
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    assert versions(change, SERVICE) == {"lab1": ("ii ", new), "lab2": ("ii ", old)}
    assert f"the service {SERVICE} " in messages(ended, "lab1")
    assert change.drained == ["lab1"]
    back = change.maintops("rollback", "last", "--yes", "-i", change.inventory)
    assert back.code == 0, back.stderr + back.stdout
    assert versions(change, SERVICE)["lab1"] == versions(change, PLAIN)["lab1"] == ("ii ", old)
    assert lab.server("lab1").run(f"systemctl is-active {SERVICE}").strip() == "active"
    assert (change.drained, change.debts()) == ([], [])
    stock.mend(*names)
