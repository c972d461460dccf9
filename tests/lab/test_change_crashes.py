"""Changes that are broken off: killed, cancelled, held, begun twice. Whoever goes on does what is left, and nothing
twice: counted on the servers themselves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maintops.domain.runs import Event, Resumed, RunPlanned, ServerAnswered, StageBegan, StageEnded, StageResult
from tests.lab import packages
from tests.lab.changing import (
    HEALTHY,
    SERVES,
    Change,
    Stock,
    counting_boots,
    messages,
    reboot,
    started,
    tasks,
    update,
    upgrades,
)
from tests.lab.containers import Containers
from tests.lab.packages import PLAIN, REBOOT
from tests.lab.running import PATIENCE, Running, begun

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]  # the first one may have to build the image

COUNT = "/var/lib/lab-counted"
LONG = f"echo first >>{COUNT}; sleep 2"
FIRST, SECOND = tasks("CL-500", LONG), tasks("CL-510", f"echo second >>{COUNT}")


@pytest.fixture(scope="module")
def lab() -> Iterator[Containers]:
    """Four servers, lab1 to lab4."""
    with started(4) as made:
        yield made


@pytest.fixture
def change(lab: Containers, tmp_path: Path) -> Iterator[Change]:
    """Two servers, on which whatever is done is counted."""
    made = Change(tmp_path / "desk", lab, lab.names[:2])
    made.on_each(f": >{COUNT}")
    yield made
    made.on_each(f"rm -f {COUNT}")


def counted(change: Change) -> dict[str, str]:
    """What was done on each server, in order."""
    return {name: " ".join(said.split()) for name, said in change.on_each(f"cat {COUNT}").items()}


def once(change: Change) -> dict[str, str]:
    return dict.fromkeys(change.names, "first second")


# --- kill -9 ----------------------------------------------------------------------------------------------------------

STAGES = ("before", "silence", "drain", "CL-500", "CL-500/after", "CL-510", "after", "undrain", "unsilence", "end")
LINGER = {"before": 0.3, "CL-500": 1.2, "CL-510": 2.0, "after": 0.3}
"""Seconds after a stage's beginning, where it lasts that long."""

Point = tuple[int, type[Event], float]
"""From which stage on, whether at its beginning or its end, and how many seconds later."""

LAST = len(STAGES) - 1


def points() -> Iterator[Point]:
    """Where a process is killed, one after the other."""
    for number, stage in enumerate(STAGES[:-1]):
        yield number, StageBegan, 0.0
        if stage in LINGER:
            yield number, StageBegan, LINGER[stage]
        yield number, StageEnded, 0.0
    yield LAST, ServerAnswered, 0.0
    yield LAST, StageEnded, 0.0


def reached(change: Change, starts: int, point: Point) -> bool:
    """Whether the process that began or resumed the run as the `starts`-th has got to a point, or beyond it."""
    events = change.events()
    begins = [index for index, one in enumerate(events) if isinstance(one, RunPlanned | Resumed)]
    if len(begins) < starts:
        return False
    number, kind, _ = point
    for one in events[begins[starts - 1] :]:
        if isinstance(one, ServerAnswered) and number == LAST:
            return True
        if isinstance(one, StageBegan | StageEnded):
            at = STAGES.index(one.stage)
            if at > number or (at == number and isinstance(one, kind)):
                return True
    return False


def kill_at(change: Change, start: Callable[[], Running], starts: int, point: Point) -> bool:
    """Kills a process at a point of the journal; False where it had ended before."""
    running = start()
    deadline = time.monotonic() + PATIENCE
    while not reached(change, starts, point):
        if running.is_over:
            assert running.wait().code in (0, 2), running.wait()
            return False
        assert time.monotonic() < deadline, f"it does not get to {point}"
        time.sleep(0.01)
    time.sleep(point[2])
    if running.is_over:
        return False
    running.kill()
    assert running.wait().code == -9
    return True


def test_killed_at_every_stage_every_server_is_patched_and_rebooted_once(lab: Containers, tmp_path: Path) -> None:
    change = Change(tmp_path / "desk", lab, lab.names)
    stock = Stock(list(change.servers.values()))
    version = stock.offer(packages.plain, packages.wants_reboot)
    silence = {"command": "true", "undo": f"echo $MAINTOPS_SERVER >>'{change.folder}/silenced'"}
    listed = change.checklist(
        *(update(), reboot()),
        checks=[HEALTHY, SERVES],
        waves=["100%"],
        failure_budget=3,
        expected=["package", "boot"],
        drain=change.drain,
        silence=silence,
    )
    plan = change.plan(listed)
    kills: list[str] = []
    with counting_boots(list(change.servers.values())) as boots:
        for number, point in enumerate(points(), start=1):
            start = change.start_again if number > 1 else lambda: change.start(plan)
            if not kill_at(change, start, number, point):
                break
            told = change.journal
            kills.append(" ".join(sorted({told.journey(name).mid or "-" for name in change.names})))
        assert len(kills) >= 20, kills
        change.go_on()  # where the last one died after its very last word, there is nothing left to do
        ended = change.maintops("report", "last", "--format", "json")
        assert (ended.code, ended.state) == (0, "finished"), (ended.stderr, kills)
        assert boots() == dict.fromkeys(change.names, 1)
    for name, server in change.servers.items():
        for package in (PLAIN, REBOOT):
            assert upgrades(server, package).count(version) == 1, (name, package)
            assert packages.status(server, package) == ("ii ", version)
        assert change.journey(name).is_over
        assert {cell["outcome"] for cell in ended.server(name)["checks"]} == {"ok"}, messages(ended, name)
        planned = next(one for one in change.events() if isinstance(one, RunPlanned)).checks
        assert [cell["id"] for cell in ended.server(name)["checks"]] == list(planned)
    assert (change.drained, change.debts()) == ([], [])
    stages = {stage for one in kills for stage in one.split()}
    assert stages >= {"before", "drain", "CL-500", "CL-510", "after", "-"}, kills


# --- two at once ------------------------------------------------------------------------------------------------------


def test_of_two_controllers_that_start_one_plan_one_runs(change: Change) -> None:
    plan = change.plan(change.checklist(FIRST, SECOND, waves=["100%"], failure_budget=1))
    both = [change.start(plan), change.start(plan)]
    ended = sorted((one.wait() for one in both), key=lambda one: one.code)
    assert ended[0].code == 0, ended[0].stderr
    assert ended[1].code in (64, 75), ended[1].stderr
    run = ended[0].document["run"]["id"]
    assert run in ended[1].stderr
    assert " carried out already, as the run " in ended[1].stderr
    assert " by ann " in ended[1].stderr or "(running)" in ended[1].stderr  # begun a moment before, or at the same one
    assert counted(change) == once(change)


def test_two_plans_over_one_server_do_not_run_together(change: Change) -> None:
    listed = change.checklist(FIRST, SECOND, waves=["100%"], failure_budget=1)
    change.plan(listed, name="a.plan")
    change.plan(listed, "--limit", "lab2", name="b.plan")
    running = change.start("a.plan")
    begun(running, change.has_begun("CL-500"))
    (run,) = [one.run for one in change.events() if isinstance(one, RunPlanned)]
    other = change.run("b.plan", "--by", "bob")
    assert other.code == 75, other.stderr
    assert f"lab2 is being changed by run {run} (lab-change, begun " in other.stderr
    assert " by ann on " in other.stderr
    again = change.maintops("run", "continue", run, "-i", change.inventory)
    assert again.code == 75, again.stderr
    assert f"The run {run} is running, carried out by process {running.pid} on " in again.stderr
    ended = running.wait()
    assert (ended.code, ended.state) == (0, "finished"), ended.stderr
    assert counted(change) == once(change)


# --- a person ends it -------------------------------------------------------------------------------------------------


def test_a_hold_stops_before_the_next_step_and_lifted_it_goes_on(change: Change) -> None:
    running = change.start(change.plan(change.checklist(FIRST, SECOND, drain=change.drain)))
    begun(running, change.has_begun("CL-500"))
    assert change.maintops("hold", "--why", "a disturbance elsewhere").code == 0
    ended = running.wait()
    assert (ended.code, ended.state) == (2, "held"), ended.stderr
    assert counted(change) == {"lab1": "first", "lab2": ""}
    assert change.journey("lab1").ended["CL-500"].result is StageResult.OK
    assert change.drained == ["lab1"]
    for name in change.names:
        assert "a disturbance elsewhere" in messages(ended, name)
    refused = change.go_on()
    assert refused.code == 75, refused.stderr
    assert "a disturbance elsewhere" in refused.stderr
    assert change.maintops("hold", "--lift").code == 0
    again = change.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert counted(change) == once(change)
    assert (change.drained, change.debts()) == ([], [])


def test_interrupted_once_the_step_is_finished_and_the_run_goes_on_later(change: Change) -> None:
    running = change.start(change.plan(change.checklist(FIRST, SECOND, drain=change.drain)))
    begun(running, change.has_begun("CL-500"))
    running.interrupt()
    ended = running.wait()
    assert (ended.code, ended.state) == (130, "cancelled"), ended.stderr
    assert counted(change) == {"lab1": "first", "lab2": ""}
    assert change.journey("lab1").ended["CL-500"].result is StageResult.OK
    assert change.untouched() == ["lab2"]
    assert (change.drained, change.debts()) == (["lab1"], [("lab1", "undrain")])
    again = change.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert counted(change) == once(change)
    assert (change.drained, change.debts()) == ([], [])


def test_interrupted_twice_it_ends_at_once_and_says_what_is_in_the_middle(change: Change) -> None:
    first = tasks("CL-500", f"echo first >>{COUNT}; sleep 30")
    first |= {"idempotent": False, "done": f"grep -q first {COUNT}"}
    listed = change.checklist(first, SECOND, drain=change.drain)
    running = change.start(change.plan(listed, "--limit", "lab1"))
    begun(running, lambda: change.servers["lab1"].run(f"cat {COUNT}") != "")
    began = time.monotonic()
    running.interrupt()
    begun(running, lambda: "again: stop at once" in running._said(running._stderr))
    running.interrupt()
    ended = running.wait()
    assert time.monotonic() - began < 25  # the step goes on for longer
    assert (ended.code, ended.state) == (130, "cancelled"), ended.stderr
    assert change.journey("lab1").ended["CL-500"].result is StageResult.UNKNOWN
    assert ended.cell("lab1", "CL-500")["outcome"] == "unknown"
    why = "the run was cancelled; lab1: the run was stopped at once in the middle of CL-500"
    assert ended.document["run"]["reason"] == why
    assert change.debts() == [("lab1", "undrain")]
    again = change.go_on()
    assert (again.code, again.state) == (0, "finished"), again.stderr
    assert counted(change)["lab1"] == "first second"
    assert (change.drained, change.debts()) == ([], [])
