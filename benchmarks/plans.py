"""What the plan of a large change takes beyond `ansible-inventory`: wall seconds, as a process beside a process.

The servers stand in groups, need each other, and have the records of an observing run that knows twenty pending
packages of each. Those records are made by a run over replayed servers: read, judged and kept as any others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.contenders import BIN, environment
from benchmarks.measuring import Cost, measure
from maintops.domain.outcomes import FailOn
from maintops.domain.ports import Trip
from maintops.files.owners import this_process
from maintops.runners.replay import ReplayRunner
from maintops.wiring import House
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import Plan, plan_run
from maintops.workflow.running import Orders, carry_out
from tests.content.cases import Told
from tests.content.rounds import stream
from tests.content.test_checks import CASES
from tests.unit.probes.asking import answer_of

CHECKLIST = "quarterly-patch"
PENDING = "PT-220"
PACKAGES = 20
SITE = 100
"""Servers of a site: ten databases in a redundancy group, and applications that need all of them."""

DATABASES = 10


def beyond(folder: Path, count: int, rounds: int) -> tuple[float, float]:
    """Seconds that a plan of so many servers takes beyond the listing of their inventory: the best of each, of
    interleaved rounds; without a limit, and with one (then Ansible is asked twice, at the same time)."""
    inventory = folder / "inventory.yml"
    inventory.write_text(json.dumps(_inventory(count)))
    _remember(folder, inventory)
    listing = [str(BIN / "ansible-inventory"), "-i", str(inventory), "--list"]
    plan = [str(BIN / "maintops"), "plan", CHECKLIST, "-i", str(inventory), "--from-records", "--by", "Erika", "-o"]
    commands = {
        "ansible-inventory": listing,
        "plan": [*plan, str(folder / "a.plan")],
        "with a limit": [*plan, str(folder / "b.plan"), "--limit", "all"],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            costs[name].append(_timed(command, folder))
    _check(folder / "a.plan", count)
    wall = {name: min(cost.wall for cost in found) for name, found in costs.items()}
    cpu = {name: min(cost.cpu for cost in found) for name, found in costs.items()}
    size = (folder / "a.plan").stat().st_size / 1e6
    print(f"\nplan of {count} servers, {PACKAGES} pending packages each ({size:.0f} MB), best of {rounds} rounds")
    print(f"{'':20}{'wall s':>10}{'CPU s':>10}{'peak MB':>10}")
    for name, found in costs.items():
        print(f"{name:20}{wall[name]:>10.1f}{cpu[name]:>10.1f}{max(one.memory for one in found) / 1e6:>10.0f}")
    return wall["plan"] - wall["ansible-inventory"], wall["with a limit"] - wall["ansible-inventory"]


def _timed(command: list[str], folder: Path) -> Cost:
    around = {**environment(folder), "MAINTOPS_DATABASE_URL": f"sqlite:///{folder}/plans.sqlite"}
    output = folder / "output.txt"
    cost = measure(command, folder=folder, environment=around, output=output)
    if cost.status != 0:
        sys.exit(f"{' '.join(command)} ended with {cost.status}:\n{output.read_text()[-2000:]}")
    return cost


def _check(path: Path, count: int) -> None:
    """Nobody's time counts for a plan that does not hold what it should."""
    plan = json.loads(path.read_text())["plan"]
    if {len(one["updates"]) for one in plan["servers"]} != {PACKAGES} or len(plan["servers"]) != count:
        sys.exit(f"{path}: not every server has its {PACKAGES} packages")


# --- the inventory ----------------------------------------------------------------------------------------------------


def _inventory(count: int) -> Mapping[str, Any]:
    children: dict[str, Any] = {}
    for number in range(0, count, SITE):
        names = [f"server{one:05}" for one in range(number, min(number + SITE, count))]
        site = f"site{number // SITE:03}"
        told = {"maintops_group": f"{site}-databases", "maintops_max_unavailable": "20%", "maintops_update": "all"}
        children[f"{site}_databases"] = {"hosts": {name: _host(name) for name in names[:DATABASES]}, "vars": told}
        needs = {"maintops_depends_on": [f"{site}_databases"], "maintops_group": f"{site}-applications"}
        needs |= {"maintops_max_unavailable": "25%"}
        children[f"{site}_applications"] = {"hosts": {name: _host(name) for name in names[DATABASES:]}, "vars": needs}
    return {"all": {"children": children, "vars": {"ansible_user": "keeper", "ansible_become": True}}}


def _host(name: str) -> Mapping[str, Any]:
    number = int(name.removeprefix("server"))
    return {
        "ansible_host": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}",
        "maintops_console": f"https://consoles.invalid/{name}",
        "maintops_customer": f"customer{number % 50}",
        "purpose": f"what {name} is for",
    }


# --- what is remembered -----------------------------------------------------------------------------------------------


def _remember(folder: Path, inventory: Path) -> None:
    """The records of an observing run."""
    flags = {"database_url": f"sqlite:///{folder}/plans.sqlite", "inventory": (str(inventory),)}
    house = House(folder, flags=flags, environment={})
    listed, servers, asked = house.checklist(CHECKLIST), house.servers(), ReplayRunner({}, house.clock)
    plan = plan_run(house.new_run_id(), listed, [], servers, house.catalogue, (asked,), "replay")
    # Ansible content in check mode belongs to no replay
    checks = tuple(one for one in plan.checks if one.probe is not None and one.step is None)
    plan = replace(plan, checks=checks)
    streams = _streams(plan)
    runner = ReplayRunner({one.server.name: streams(one.trip) for one in plan.servers}, house.clock)
    crew = Crew(house.store, {"replay": runner}, house.ansible, house.clock, this_process())
    result = carry_out(plan, crew, Orders())
    print(f"observed {len(servers)} servers: exit code {result.codes[FailOn.CRITICAL]}", file=sys.stderr, flush=True)
    house.close()


def _streams(plan: Plan) -> Any:
    known: dict[str, Told] = {PENDING: Told(_pending())}
    for case in CASES:
        if isinstance(case.silent[-1], Told):
            known.setdefault(case.check, case.silent[-1])
    asking = plan.servers[0].asking
    carried = {asking.answers[check]: answer for check, answer in known.items() if check in asking.answers}
    made: dict[str, bytes] = {}

    def streams(trip: Trip) -> tuple[bytes, ...]:
        for script in trip.scripts:
            made.setdefault(script.digest, stream(script, carried))
        return tuple(made[script.digest] for script in trip.scripts)

    return streams


def _pending() -> bytes:
    names = [f"library{number}" for number in range(PACKAGES)]
    lines = [f"Inst {name} [1:2.36-9+deb12u7] (1:2.36-9+deb12u8 Debian:12.9/stable [amd64])\n" for name in names]
    upgrade = f"Reading package lists...\n{PACKAGES} upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n"
    disk = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 500000 400000 100000 80% /\n"
    answer = answer_of(
        now="1772323200\n",
        refreshed="1772319600\n",
        lists="yes\n",
        holds=(1, ""),
        upgrade=upgrade + "".join(lines),
        disk=disk,
        end="",
    )
    return answer.stdout
