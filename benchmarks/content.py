"""What the monthly hardware check costs the controller beside the daily check, both over SSH.

The servers are sshds of our own that answer each trip with a recorded stream: the answers of a server with much
hardware on which all is well, as the cases of tests/content have them. Connections, reading, judging, records and the
report are real; what the tools cost on the server is not in it.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders import BIN, environment
from benchmarks.measuring import Cost, measure
from maintops.domain.servers import Server
from maintops.runners.replay import ReplayRunner
from maintops.wiring import House
from maintops.workflow.planning import plan_run
from tests.content.cases import Told
from tests.content.rounds import stream
from tests.content.test_checks import CASES
from tests.lab.fleet import Fleet

DAILY, MONTHLY = "daily-check", "monthly-hardware"


def compare(folder: Path, count: int, rounds: int) -> float:
    """Controller CPU per server of the monthly check ÷ that of the daily check: medians of interleaved rounds."""
    costs: dict[str, list[Cost]] = {DAILY: [], MONTHLY: []}
    with Fleet(servers=0) as daily, Fleet(servers=0) as monthly:
        for fleet, name in ((daily, DAILY), (monthly, MONTHLY)):
            recorded, checks = _stream(name, folder)
            for number in range(count):
                fleet.answering(f"a{number:03}", recorded)
            outcomes = _run(fleet, name, folder, "--format", "json", "-o", str(folder / "result.json"))
            if outcomes.status not in (0, 2):
                sys.exit(f"{name} ended with {outcomes.status}:\n{(folder / 'output.txt').read_text()[-2000:]}")
            print(f"{name}: {checks} checks, {len(recorded)} bytes a server, {_told(folder / 'result.json')}")
        for _ in range(rounds):
            costs[DAILY].append(_run(daily, DAILY, folder))
            costs[MONTHLY].append(_run(monthly, MONTHLY, folder))
    cpu = {name: statistics.median(one.cpu for one in found) / count for name, found in costs.items()}
    print(f"\n{count} servers, median of {rounds} interleaved rounds: CPU s/server")
    for name, value in cpu.items():
        print(f"  {name:20}{value:.4f}")
    return cpu[MONTHLY] / cpu[DAILY]


def _stream(name: str, folder: Path) -> tuple[bytes, int]:
    """What a server without a finding writes, and how many of the checks its answers are for."""
    house = House(folder, environment={})
    runner = ReplayRunner({}, house.clock)
    plan = plan_run("bench", house.checklist(name), [], [Server("bench")], house.catalogue, (runner,), "replay")
    known: dict[str, Told] = {}
    for case in CASES:
        if isinstance(case.silent[-1], Told):
            known.setdefault(case.check, case.silent[-1])
    asking = plan.servers[0].asking
    (script,) = asking.scripts
    carried = {asking.answers[check]: answer for check, answer in known.items() if check in asking.answers}
    return stream(script, carried), len([one for one in plan.checks if one.check.id in known])


def _run(fleet: Fleet, name: str, folder: Path, *more: str) -> Cost:
    command = [str(BIN / "maintops"), "run", name, "-i", str(fleet.inventory), "-f", "50", "--fail-on", "never", *more]
    around = {
        **environment(folder),
        "MAINTOPS_DATABASE_URL": f"sqlite:///{folder}/{name}.sqlite",
        "MAINTOPS_KNOWN_HOSTS": str(fleet.known_hosts),
    }
    return measure(command, folder=folder, environment=around, output=folder / "output.txt")


def _told(result: Path) -> str:
    outcomes: Mapping[str, int] = json.loads(result.read_text())["totals"]["outcomes"]
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)
