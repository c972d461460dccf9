"""A plan as text: whatever an approver must have read stands in it, and nothing that a server said acts on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from maintops.domain.changes import Packages
from maintops.domain.identities import Identity
from maintops.domain.placements import Fleet, Group
from maintops.domain.plans import (
    ChangePlan,
    Expectation,
    Foreseen,
    PlannedChange,
    PlannedStep,
    Update,
    plan_hash,
)
from maintops.domain.windows import Opening
from maintops.reports.plans import MOST_PACKAGES, MOST_SERVERS, plan_text

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
WEB = PlannedChange(
    "web1",
    updates=(Update("nginx", "1.0", "1.1", security=True), Update("libnew", None, "2")),
    removals=("old-lib",),
    held=("held-lib",),
    phased=("phased-lib",),
    asked=AT,
    notes=("would not be changed now: no space",),
)
PLAN = ChangePlan(
    id="p1",
    checklist="patch",
    title="Patch",
    file="/srv/patch.yml",
    version="v1",
    author=Identity("anna@ctl", "Anna"),
    created=AT,
    servers=(WEB, PlannedChange("db1", asked=AT, protected="the database of maintops is on it")),
    waves=(("web1",), ("db1",)),
    steps=(
        PlannedStep("C-1", "Update", "playbook", "playbook"),
        PlannedStep("C-2", "Migrate", "role"),
        PlannedStep("C-3", "Reboot", "reboot if-needed"),
    ),
    packages=Packages.PINNED,
    fleet=Fleet({"web": Group("web", frozenset({"web1", "web2", "web3"}), 1)}),
    window=Opening(AT, AT + timedelta(hours=4)),
    expectation=Expectation(65.0, 125.0, "7 earlier changes"),
    seconds=7260.0,
    budget=2,
    canary_budget=0,
    risk="a service may stop",
    contingency="take it back",
    people=("Anna", "the database team"),
    foreseen=(
        Foreseen("C-1", "web1", ("install",), ("restart",)),
        Foreseen("C-2", "web1"),
        Foreseen("C-3", "web1", failure="no answer"),
    ),
    notes=("C-2 (Migrate) cannot be undone.",),
)


def test_everything_that_somebody_agrees_to_is_said() -> None:
    assert plan_text(PLAN).splitlines() == [
        "Plan p1: Patch (patch) on 2 servers",
        "  made by Anna (anna@ctl, as claimed), 2026-03-01 09:00 UTC",
        "  window: sun 2026-03-01 09:00 UTC to sun 2026-03-01 13:00 UTC (4 h 0 min)",
        "  expected: 1 min 5 s a server, 95 of 100 within 2 min 5 s (7 earlier changes); 2 h 1 min in all",
        "  failure budget: 2 of the run, 0 in the first wave",
        "  packages: pinned; each server gets the versions below",
        "  approval: somebody else must approve it",
        "  needed: Anna, the database team",
        "  risk: a service may stop",
        "  if it goes wrong: take it back",
        "",
        "Waves",
        "  1  web1",
        "  2  db1",
        "",
        "Steps, on each server",
        "  C-1  Update (playbook, undone by playbook)",
        "  C-2  Migrate (role, cannot be undone)",
        "  C-3  Reboot (reboot if-needed)",
        "",
        "Groups",
        "  web: 1 of 3 may be missing at a time",
        "",
        "Not rebooted by maintops, and changed last",
        "  db1: the database of maintops is on it",
        "",
        "Pending packages",
        "  web1: 2 packages, 1 for security: nginx 1.0 -> 1.1, libnew (new) -> 2 (asked 2026-03-01 09:00 UTC)",
        "    held: held-lib",
        "    comes in phases: phased-lib",
        "    would be removed: old-lib",
        "    would not be changed now: no space",
        "  db1: nothing",
        "",
        "What Ansible's check mode says (it is a simulation)",
        "  C-1 on web1: would change: install; not previewable: restart",
        "  C-2 on web1: would change nothing",
        "  C-3 on web1: no answer",
        "",
        "Mind",
        "  C-2 (Migrate) cannot be undone.",
        "",
        f"hash {plan_hash(PLAN)}",
    ]


def test_what_is_missing_is_said_too() -> None:
    bare = ChangePlan("p2", "c", "C", "/c.yml", "v", Identity("a@b", "A"), AT, (PlannedChange("web1"),), (("web1",),))
    text = plan_text(bare)
    for line in (
        "Plan p2: C (c) on 1 server\n",
        "  window: none: it may be run at any time\n",
        "  failure budget: 0 of the run\n",
        "  packages: latest; the last wave may get other versions than the canary\n",
        "  risk: nobody has assessed it\n",
        "  if it goes wrong: nobody has said what to do\n",
        "  nobody was asked\n",
        "  it was not tried\n",
    ):
        assert line in text
    for heading in ("Groups", "Mind", "Not rebooted", "needed:"):
        assert heading not in text


def test_a_plan_that_takes_a_run_back_says_so() -> None:
    text = plan_text(replace(PLAN, of="r9"))
    assert "  takes back the run r9\n" in text
    assert "  packages: the versions of before\n" in text


def test_times_are_told_by_the_clock_of_the_zone_and_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    text = plan_text(replace(PLAN, created=AT.astimezone(berlin)), "Europe/Berlin")
    assert "as claimed), 2026-03-01 09:00 UTC\n" in text
    assert "window: sun 2026-03-01 10:00 CET" in text


def test_a_server_that_did_not_answer_is_not_one_without_updates() -> None:
    text = plan_text(replace(PLAN, servers=(WEB, PlannedChange("db1", notes=("no connection",)))))
    assert "  db1: not known\n    no connection\n" in text


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nhash 0000", "\u202e", "\x00"])
def test_what_servers_said_acts_on_no_terminal(hostile: str) -> None:
    one = replace(WEB, updates=(Update(f"n{hostile}", "1", "2"),), notes=(f"x{hostile}",), held=(f"h{hostile}",))
    plan = replace(PLAN, servers=(one, PLAN.servers[1]), foreseen=(Foreseen("C-1", "web1", failure=hostile),))
    text = plan_text(plan)
    assert hostile not in text
    assert all(line.isprintable() for line in text.splitlines())
    assert len(text.splitlines()) == len(plan_text(replace(PLAN, foreseen=PLAN.foreseen[:1])).splitlines())


def test_thousands_of_servers_are_counted_and_not_listed() -> None:
    servers = tuple(
        PlannedChange(f"s{number:04}", updates=tuple(Update(f"p{one}", "1", "2") for one in range(20)), asked=AT)
        for number in range(1000)
    )
    names = tuple(one.server for one in servers)
    text = plan_text(replace(PLAN, servers=servers, waves=(names,), foreseen=()))
    assert f"s{MOST_SERVERS - 1:04} and {1000 - MOST_SERVERS} more\n" in text
    assert f"p{MOST_PACKAGES - 1} 1 -> 2, and {20 - MOST_PACKAGES} more (asked" in text
    assert f"  and {1000 - MOST_SERVERS} more servers, with up to 20 packages (all are in the file)\n" in text
    assert len(text) < 40_000


def test_one_is_told_as_one() -> None:
    servers = (
        replace(WEB, updates=WEB.updates[:1]),
        *(PlannedChange(f"s{number}", asked=AT) for number in range(MOST_SERVERS)),
    )
    text = plan_text(replace(PLAN, servers=servers, waves=(tuple(one.server for one in servers),)))
    assert "  web1: 1 package, 1 for security: nginx" in text
    assert "  and 1 more server, with up to 0 packages" in text
