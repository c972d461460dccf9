"""Plans, runs, going on, taking back and debts by the command line, on actors in place of servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import maintops.changes.desks
from maintops.changes import Changes
from maintops.cli.main import execute
from maintops.domain.journeys import Journal, journal
from maintops.domain.plans import document, plan_hash, plan_of
from maintops.domain.ports import Deed
from maintops.domain.runs import Owed, Run, RunState
from maintops.domain.servers import Server
from maintops.errors import NotNow, StoreError
from maintops.store.opening import open_store
from maintops.wiring import House
from tests.unit.workflow.change_stage import CATALOGUE, Actor, Stage
from tests.unit.workflow.samples import OWNER, CannedPreviews

CHECKLIST = """\
checklist: fix
title: The fix
service: software-upgrade
cadence: {every: quarter}
change:
  waves: [1, 100%]
  packages: latest
  approval: standard
  expected: ["package:*"]
  drain: {command: drain, undo: undrain, verify: is-drained}
  risk: {assessment: It breaks., contingency: It is mended.}
checks:
- {id: HW-010, title: Disks, probe: disks, rules: [{when: level >= 90, severity: critical, finding: full}]}
steps:
- id: FX-500
  title: It is fixed
  tasks: [{name: Fix it, ansible.builtin.raw: "true"}]
  rollback: {tasks: [{name: Unfix it, ansible.builtin.raw: "true"}]}
  precheck: [HW-010]
"""


@dataclass
class Bench:
    """A house whose servers are actors."""

    folder: Path
    stage: Stage
    printed: Callable[[], Any]

    def maintops(self, *words: str) -> tuple[int, str]:
        """A command's exit code, and what it said to a person."""
        self.printed()
        code = execute(words)
        return code, self.printed().err

    def plan(self) -> str:
        code, told = self.maintops("plan", "./fix.yml", "--from-records", "--by", "ann", "-o", "a.plan")
        assert code == 0, told
        return "a.plan"

    def run(self, *words: str) -> tuple[int, str]:
        return self.maintops("run", *words, "--by", "ann")

    @property
    def runs(self) -> list[Run]:
        """The oldest first."""
        store = open_store(f"sqlite:///{self.folder / 'records.sqlite'}")
        return list(reversed(store.runs()))

    def journal(self, run: Run) -> Journal:
        return journal(open_store(f"sqlite:///{self.folder / 'records.sqlite'}").events(run.id))

    def owed(self) -> list[tuple[str, Owed]]:
        return open_store(f"sqlite:///{self.folder / 'records.sqlite'}").owed()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    stage = Stage({name: Actor(name) for name in ("web1", "web2")})
    servers = [Server(name) for name in stage.actors]

    def act(deed: Deed, server: Server) -> Any:
        actor = stage.actors[server.name]
        if deed.tasks[0]["name"] == "Unfix it" and not actor.breaks:
            actor.patched -= 1
            return None
        return stage.act(deed, server)

    stage.doer.script.update(dict.fromkeys(stage.actors, act))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MAINTOPS_DATABASE_URL", f"sqlite:///{tmp_path / 'records.sqlite'}")
    (tmp_path / "fix.yml").write_text(CHECKLIST)
    defaults = House.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "clock", stage.clock)
    doer = SimpleNamespace(do=stage.doer.do, check=lambda deed: None)
    parts = {"catalogue": CATALOGUE, "runners": {"ssh": stage.engine}, "doer": doer, "contact": None}
    for name, value in parts.items():
        monkeypatch.setattr(House, name, value)
    monkeypatch.setattr(House, "ansible", CannedPreviews())
    monkeypatch.setattr(House, "servers", lambda self, *given: servers)
    monkeypatch.setattr(House, "engines", lambda self, asked: [("ssh", "") for _ in asked])

    def chosen(self: House, limit: str | None, hosts: str) -> tuple[list[Server], list[Server]]:
        return [one for one in servers if limit in (None, one.name)], servers

    monkeypatch.setattr(House, "servers_and_everyone", chosen)
    monkeypatch.setattr("maintops.runners.commands.ControllerCommands", lambda: stage.commands)
    monkeypatch.setattr(maintops.changes.desks, "time", SimpleNamespace(sleep=stage.clock.sleep))
    return Bench(tmp_path, stage, capsys.readouterr)


def later(bench: Bench) -> None:
    """Ids of plans hold the second in which they were made."""
    bench.stage.clock.sleep(60)


def test_a_plan_is_carried_out(bench: Bench) -> None:
    code, told = bench.run("--plan", bench.plan())
    assert (code, [actor.patched for actor in bench.stage.actors.values()]) == (0, [1, 1])
    assert "[2/2] web2" in told
    assert bench.runs[0].state is RunState.FINISHED
    code, told = bench.run("continue")
    assert (code, "is finished: there is nothing left to do" in told) == (64, True)
    code, told = bench.run("--plan", "a.plan")
    assert (code, "(finished); make a new plan (maintops plan fix)" in told) == (64, True)


def test_a_server_that_fails_stays_drained_and_who_goes_on_is_told_the_way(bench: Bench) -> None:
    bench.stage.actors["web1"].breaks = "no space"
    code, told = bench.run("--plan", bench.plan())
    (run,) = bench.runs
    assert (code, run.state) == (2, RunState.HELD)
    assert "still owed: undrain of web1 (maintops obligations)" in told
    assert f"go on with it: maintops run continue {run.id}" in told
    code, told = bench.run("--plan", "a.plan")
    assert (code, f"(held); go on with it (maintops run continue {run.id}), or make a new plan" in told) == (64, True)
    bench.stage.actors["web1"].breaks = ""
    code, told = bench.run("continue")
    assert (code, bench.runs[0].state) == (0, RunState.FINISHED)
    assert "[2/2] web2" in told
    assert bench.owed() == []


def test_an_approval_that_is_too_old_lets_nobody_go_on_but_in_an_emergency(bench: Bench) -> None:
    bench.stage.actors["web1"].breaks = "no space"
    bench.run("--plan", bench.plan())
    bench.stage.actors["web1"].breaks = ""
    bench.stage.clock.sleep(30 * 86_400)
    code, told = bench.run("continue")
    assert (code, "is too old: it held until" in told) == (64, True)
    code, told = bench.run("continue", "--emergency", "a hole")
    assert (code, "EMERGENCY: a hole" in told) == (0, True)
    assert bench.journal(bench.runs[0]).remarks[-1] == "EMERGENCY, by ann: a hole"


@pytest.mark.parametrize("where", ["drain", "console"])
def test_a_script_that_was_edited_voids_the_plan_and_the_way_to_a_new_one_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    script = bench.folder / "balancer.sh"
    script.write_text("out")
    if where == "drain":
        (bench.folder / "fix.yml").write_text(CHECKLIST.replace("command: drain,", "command: sh balancer.sh,"))
    else:
        servers = [Server(name, variables={"maintops_console": "sh balancer.sh"}) for name in bench.stage.actors]
        monkeypatch.setattr(House, "servers_and_everyone", lambda *given: (servers, servers))
    plan = bench.plan()
    script.write_text("out of everything")
    code, told = bench.run("--plan", plan)
    assert code == 64
    assert "is stale; changed since: the file balancer.sh; make a new plan (maintops plan fix) and have it app" in told
    assert bench.runs == []


def test_a_run_whose_plan_the_database_does_not_keep_as_it_was_is_not_gone_on_with(bench: Bench) -> None:
    bench.run("--plan", bench.plan())
    store = SimpleNamespace(evidence=lambda digest: b"{}")
    with pytest.raises(StoreError, match=r"the database was changed by somebody else; make a new plan \(maintops plan"):
        Changes(SimpleNamespace(store=store))._kept_plan(bench.runs[0])  # type: ignore[arg-type]  # of a house only this


def test_who_approved_it_is_on_record_once_and_in_every_servers_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINTOPS_APPROVER", "other-name")
    (bench.folder / "fix.yml").write_text(CHECKLIST.replace("  approval: standard\n", ""))
    plan = bench.plan()
    assert bench.maintops("approve", plan, "--by", "ben")[0] == 0
    bench.stage.actors["web1"].breaks = "no space"
    assert bench.run("--plan", plan)[0] == 2
    bench.stage.actors["web1"].breaks = ""
    assert bench.run("continue")[0] == 0
    (run,) = bench.runs
    store = open_store(f"sqlite:///{bench.folder / 'records.sqlite'}")
    (approval,) = store.approvals(run.planned.plan)
    told = f"plan p{run.id[1:]} approved by ben ({approval.by.login}, as claimed) at {approval.at:%Y-%m-%d %H:%M} UTC"
    assert bench.journal(run).remarks == (told,)
    noted = {(one.server, told in one.notes) for one in store.records(run=run.id)}
    assert noted == {("web1", True), ("web2", True)}


# --- what the database knows, and what the clock says ----------------------------------------------------------------


def forge(bench: Bench, plan: str, **changes: Any) -> None:
    """Changes a plan in its file, and computes its hash anew."""
    kept = json.loads((bench.folder / plan).read_text())["plan"]
    made = plan_of({**kept, **changes})
    (bench.folder / plan).write_text(json.dumps({"hash": plan_hash(made), "plan": document(made)}))


@pytest.mark.parametrize("more", [(), ("--emergency", "a hole")])
def test_a_plan_that_was_changed_with_its_hash_is_not_run_whoever_need_not_approve_it(
    bench: Bench, more: tuple[str, ...]
) -> None:
    plan = bench.plan()
    forge(bench, plan, title="Another one")
    code, told = bench.run("--plan", plan, *more)
    assert code == 64
    assert "this database does not know the plan p" in told
    assert "make a new plan (maintops plan fix) with this one, or have it approved here: maintops approve" in told
    assert bench.runs == []


def test_a_plan_of_another_database_is_run_where_somebody_approves_it_here(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "fix.yml").write_text(CHECKLIST.replace("  approval: standard\n", ""))
    plan = bench.plan()
    monkeypatch.setenv("MAINTOPS_DATABASE_URL", f"sqlite:///{bench.folder / 'other.sqlite'}")
    code, told = bench.run("--plan", plan, "--emergency", "a hole")
    assert (code, "or made with another database" in told) == (64, True)
    monkeypatch.setenv("MAINTOPS_APPROVER", "other-name")
    assert bench.maintops("approve", plan, "--by", "ben")[0] == 0
    code, told = bench.run("--plan", plan)
    assert (code, [actor.patched for actor in bench.stage.actors.values()]) == (0, [1, 1]), told


def windowed(bench: Bench, more: str = "") -> datetime:
    """The plan is for today's hours; returns when they are over."""
    day = bench.stage.clock()
    rule = f"{{zone: UTC, open: [{{date: {day:%Y-%m-%d}, from: 00:00, to: 24:00}}]}}"
    text = CHECKLIST.replace("  packages", f"  windows: {rule}\n{more}  packages")
    (bench.folder / "fix.yml").write_text(text)
    return day.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def test_where_only_the_look_after_the_soak_is_left_neither_window_nor_approval_counts(bench: Bench) -> None:
    windowed(bench, "  soak: 10m\n")
    bench.stage.actors["web2"].lasts = 60.0
    code, told = bench.run("--plan", bench.plan())
    (run,) = bench.runs
    assert (code, run.state, "after the soak" in run.reason) == (2, RunState.HELD, True), told
    bench.stage.clock.sleep(30 * 86_400)
    code, told = bench.run("continue")
    assert (code, f"go on with it: maintops run continue {run.id}" in told) == (2, True), told
    bench.stage.actors["web2"].lasts = 1e9
    assert bench.maintops("hold", "--why", "a fire")[0] == 0
    assert bench.run("continue")[0] == 75
    assert bench.maintops("hold", "--lift")[0] == 0
    code, told = bench.run("continue")
    assert (code, bench.runs[0].state) == (0, RunState.FINISHED), told
    (approved,) = bench.journal(run).remarks
    assert approved == f"plan p{run.id[1:]}: a standard change, approved beforehand"
    records = open_store(f"sqlite:///{bench.folder / 'records.sqlite'}").records(run=run.id)
    assert [one.id for one in records if approved not in one.notes] == []  # the last look is part of what was approved
    assert [actor.patched for actor in bench.stage.actors.values()] == [1, 1]


SKIPPED = (
    "is refused now: the window ",
    " has passed, or is too short for another server; it is skipped (late: skip): ",
    "make a new plan (maintops plan fix) (in an emergency: --emergency REASON)",
)
ASKED = ("go on with it: maintops run continue r", " (at a terminal: its window has passed; late: ask)")


@pytest.mark.parametrize(("more", "words"), [("", SKIPPED), ("  late: ask\n", ASKED)], ids=["skip", "ask"])
def test_whoever_is_late_is_told_what_helps(bench: Bench, more: str, words: Sequence[str]) -> None:
    end = windowed(bench, more)
    plan = bench.plan()
    bench.stage.clock.now = end - timedelta(minutes=31)
    bench.stage.actors["web1"].seconds = 3600.0
    code, told = bench.run("--plan", plan)
    (run,) = bench.runs
    assert (code, run.state, "is closed, or too short" in run.reason) == (2, RunState.HELD, True), told
    last = told.strip().splitlines()[-1]
    assert [word for word in (run.id, *words) if word not in last] == [], last
    code, told = bench.run("continue")
    assert (code, "--emergency REASON" in told) == (75, not more), told
    code, told = bench.run("continue", "--emergency", "half of them are done")
    assert (code, bench.runs[0].state) == (0, RunState.FINISHED), told


# --- taking back ------------------------------------------------------------------------------------------------------


def test_a_run_is_taken_back_once_and_what_it_owed_is_paid(bench: Bench) -> None:
    bench.stage.commands.refuses.add("undrain web2")
    bench.run("--plan", bench.plan())
    bench.stage.commands.refuses.clear()
    assert [one.server for _, one in bench.owed()] == ["web2"]
    later(bench)
    bench.stage.commands.given.clear()
    first = bench.runs[0]
    code, told = bench.maintops("rollback", first.id, "--yes", "--by", "ann")
    assert code == 0, told
    assert [actor.patched for actor in bench.stage.actors.values()] == [0, 0]
    assert bench.owed() == []
    undrained = [given["MAINTOPS_RUN"] for text, given in bench.stage.commands.given if text == "undrain"]
    assert first.id in undrained  # by its own command, with its own id
    later(bench)
    code, told = bench.maintops("rollback", first.id, "--yes", "--by", "ann")
    assert code == 64
    assert f"on web1 it was taken back already, by the run {bench.runs[1].id}" in told
    code, told = bench.maintops("rollback", bench.runs[1].id, "--yes", "--by", "ann")
    assert (code, f"took back the run {first.id}; it is not taken back itself" in told) == (64, True)


def test_what_was_taken_back_is_not_gone_on_with(bench: Bench) -> None:
    bench.stage.actors["web2"].breaks = "no"
    bench.run("--plan", bench.plan())
    later(bench)
    bench.stage.actors["web2"].breaks = ""
    first = bench.runs[0]
    assert bench.maintops("rollback", first.id, "-l", "web1", "--yes", "--by", "ann")[0] == 0
    code, told = bench.run("continue", first.id)
    assert code == 64
    assert f"was taken back by the run {bench.runs[1].id}: going on would call done what is undone" in told


def test_who_was_never_touched_is_not_taken_back(bench: Bench) -> None:
    bench.stage.actors["web1"].breaks = "no"
    bench.run("--plan", bench.plan())
    bench.stage.actors["web1"].breaks = ""
    later(bench)
    code, told = bench.maintops("rollback", "last", "--yes", "--by", "ann")
    assert (code, bench.stage.actors["web2"].patched) == (0, 0), told
    assert "not undone: on web2 nothing was done that can be undone" in told
    assert bench.stage.actors["web1"].patched == -1


def test_a_server_that_does_not_answer_is_not_taken_back_and_what_to_do_is_told(bench: Bench) -> None:
    bench.run("--plan", bench.plan())
    later(bench)
    bench.stage.actors["web2"].deaf = True
    run = bench.runs[0].id
    code, told = bench.maintops("rollback", run, "--yes", "--by", "ann")
    assert (code, [actor.patched for actor in bench.stage.actors.values()]) == (0, [0, 1]), told
    assert f"web2 does not say what it is like now: see that it answers, then maintops rollback {run} --limit" in told


def test_of_whom_nobody_knows_what_it_was_like_is_taken_back_by_hand(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run("--plan", bench.plan())
    later(bench)
    monkeypatch.setattr("maintops.workflow.undoing.look_kept", lambda *given: "")
    code, told = bench.maintops("rollback", "last", "--yes", "--by", "ann")
    assert (code, [actor.patched for actor in bench.stage.actors.values()]) == (64, [1, 1])
    assert "what web1 was like before is not known: take it back by hand" in told


def test_what_is_still_going_on_is_not_taken_back(bench: Bench) -> None:
    bench.run("--plan", bench.plan())
    going = replace(bench.runs[0], state=RunState.RUNNING)
    with pytest.raises(NotNow, match=r"still going on: stop it \(Ctrl-C\), or wait for its end"):
        Changes(SimpleNamespace()).propose_rollback(going, None)  # type: ignore[arg-type]  # no house is asked


def test_nothing_is_taken_back_unasked(bench: Bench) -> None:
    bench.run("--plan", bench.plan())
    later(bench)
    code, told = bench.maintops("rollback", "last", "--by", "ann")
    assert (code, "nothing was done; --yes goes on without asking" in told) == (64, True)
    assert bench.stage.actors["web1"].patched == 1


# --- debts ------------------------------------------------------------------------------------------------------------


def test_a_debt_is_paid_by_its_command_and_stays_where_that_fails(bench: Bench) -> None:
    bench.stage.commands.refuses.add("undrain web1")
    bench.run("--plan", bench.plan())
    code, told = bench.maintops("obligations")
    assert (code, "give it up: maintops obligations --settle -l SERVER" in told) == (2, True)
    code, told = bench.maintops("obligations", "--settle", "--by", "ann")
    assert (code, "not paid: exit status 1: it says no" in told) == (2, True)
    bench.stage.commands.refuses.clear()
    code, told = bench.maintops("obligations", "--settle", "--by", "ann")
    assert (code, "web1: undrain" in told, "paid" in told) == (0, True, True)
    assert (bench.owed(), bench.stage.actors["web1"].drained) == ([], False)


def test_a_server_that_another_run_is_changing_is_not_put_back_into_service(bench: Bench) -> None:
    bench.stage.commands.refuses.add("undrain web1")
    bench.run("--plan", bench.plan())
    bench.stage.commands.refuses.clear()
    store = open_store(f"sqlite:///{bench.folder / 'records.sqlite'}")
    alive = replace(OWNER, host="elsewhere", machine="another")  # nobody here can tell whether it is dead
    store.begin(replace(bench.runs[0].planned, run="r9", owner=alive))
    code, told = bench.maintops("obligations", "--settle", "--by", "ann")
    assert (code, "not paid: the run r9 is changing web1 now" in told) == (2, True)
    assert bench.stage.actors["web1"].drained


@pytest.mark.parametrize("way", ["settled", "emergency"])
def test_another_plan_does_not_begin_on_a_server_in_the_middle_of_a_run(bench: Bench, way: str) -> None:
    bench.stage.actors["web1"].breaks = "no space"
    bench.run("--plan", bench.plan())
    bench.stage.actors["web1"].breaks = ""
    first = bench.runs[0].id
    later(bench)
    words = (
        f"web1 is still in the middle of the run {first} (undrain owed): go on with that one first "
        f"(maintops run continue {first}), or give it up (maintops obligations --settle -l web1)"
    )
    assert json.loads((bench.folder / bench.plan()).read_text())["plan"]["notes"][0] == f"{words}."
    code, told = bench.run("--plan", "a.plan")
    assert (code, words in told, len(bench.runs)) == (75, True, 1), told
    assert [actor.patched for actor in bench.stage.actors.values()] == [0, 0]
    more = ("--emergency", "a hole") if way == "emergency" else ()
    if way == "settled":
        assert bench.maintops("obligations", "--settle", "-l", "web1", "--by", "ann")[0] == 0
    code, told = bench.run("--plan", "a.plan", *more)
    assert (code, [actor.patched for actor in bench.stage.actors.values()]) == (0, [1, 1]), told


def test_a_plan_of_other_servers_than_those_in_the_middle_of_a_run_begins(bench: Bench) -> None:
    bench.stage.actors["web1"].breaks = "no space"
    bench.run("--plan", bench.plan())
    later(bench)
    bench.maintops("plan", "./fix.yml", "--from-records", "--by", "ann", "-l", "web2", "-o", "b.plan")
    notes = json.loads((bench.folder / "b.plan").read_text())["plan"]["notes"]
    assert [one for one in notes if "in the middle" in one] == []
    code, told = bench.run("--plan", "b.plan")
    assert (code, bench.stage.actors["web2"].patched) == (0, 1), told


def test_a_run_that_is_going_on_is_waited_for_and_its_locks_keep_others_off(bench: Bench) -> None:
    bench.run("--plan", bench.plan())
    later(bench)
    store = open_store(f"sqlite:///{bench.folder / 'records.sqlite'}")
    alive = replace(OWNER, host="elsewhere", machine="another")  # nobody here can tell whether it is dead
    store.begin(replace(bench.runs[0].planned, run="r9", owner=alive))
    store.append("r9", Owed("web1", "undrain", "undrain", "controller", 9.0, bench.stage.clock()))
    notes = json.loads((bench.folder / bench.plan()).read_text())["plan"]["notes"]
    told = "web1 is still in the middle of the run r9 (undrain owed), which is going on: wait for its end"
    assert notes[0] == f"{told} (maintops runs r9 --watch)."
    code, told = bench.run("--plan", "a.plan")
    assert (code, "r9" in told, "in the middle" in told) == (75, True, False), told


# --- answers ----------------------------------------------------------------------------------------------------------

BY_HAND = (
    CHECKLIST
    + """\
- id: FX-600
  title: The cables are counted
  manual: Count them.
  reading: {unit: cables}
  rules: [{when: reading > 5, severity: critical, finding: too many}]
"""
)


def answers(bench: Bench, **readings: float) -> Path:
    steps: Mapping[str, Any] = {name: {"FX-600": {"reading": reading}} for name, reading in readings.items()}
    path = bench.folder / "answers.yml"
    path.write_text(f"by: Otto\nsteps: {steps}\n".replace("'", '"'))
    return path


def test_answers_are_kept_whole_and_a_bad_one_may_be_given_again(bench: Bench) -> None:
    (bench.folder / "fix.yml").write_text(
        BY_HAND.replace("waves: [1, 100%]", "waves: [100%]").replace("  packages", "  failure_budget: 1\n  packages")
    )
    code, told = bench.run("--plan", bench.plan())
    assert (code, bench.runs[0].state) == (2, RunState.HELD), told
    code, told = bench.run("continue", "--answers", str(answers(bench, web1=9, web2=1)))
    assert (code, bench.runs[0].state) == (2, RunState.HELD), told
    code, told = bench.run("continue", "--answers", str(answers(bench, web1=2, web2=1)))
    assert (code, "FX-600 on web2 is answered already; leave it out of" in told) == (64, True)
    later(bench)
    code, told = bench.run("continue", "--answers", str(answers(bench, web1=2)))
    assert (code, bench.runs[0].state) == (0, RunState.FINISHED), told
    assert [actor.patched for actor in bench.stage.actors.values()] == [1, 1]
