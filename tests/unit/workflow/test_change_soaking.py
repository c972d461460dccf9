"""After its soak every wave is looked at once more: what died meanwhile counts and is on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from maintops.domain.journeys import AFTER, END, SOAKED, journal
from maintops.domain.outcomes import FailOn, Severity
from maintops.domain.placements import Fleet
from maintops.domain.runs import Resumed, RunEnded, RunState, ServerAnswered, StageBegan, StageEnded, StageResult
from maintops.errors import Locked
from maintops.workflow.changing import whole_records
from maintops.workflow.undoing import undoing
from tests.unit.workflow.change_stage import (
    HOLD,
    RUN,
    UPDATE,
    Crashed,
    Stage,
    changing_checklist,
    grouped,
    hold_when,
    policy,
    waves,
)
from tests.unit.workflow.samples import OWNER

SOAK = 600.0
DIED = "not expected: the service app ran before and does not any more"
GONE = (
    f"after the soak: {DIED}; it stays in service, and is not drained again: "
    "repair it, or take it back (maintops rollback r1)"
)
"""What is told of a server whose service died while it soaked."""

HELD = f"held: the failure budget (0) is used up: 1 failed (web1: {GONE})"


def soaking(servers: int = 2, *, dies: str = "web1", more: Any = None, **rest: Any) -> Stage:
    """Servers in waves of one; the service of `dies` dies a minute after its update."""
    turns = [[f"web{number}"] for number in range(1, servers + 1)]
    listed = changing_checklist(UPDATE, policy=policy(soak=SOAK, **(more or {})))
    stage = Stage(servers, **{"waves": turns, "listed": listed, **rest})
    if dies:
        stage.actors[dies].lasts = 60.0
    return stage


def looks(stage: Stage, name: str = "web1") -> list[str]:
    """How the looks after the soak ended, in order."""
    ended = [one for one in stage.events if isinstance(one, StageEnded) and (one.server, one.stage) == (name, SOAKED)]
    return [one.result.value for one in ended]


def parts(stage: Stage, name: str = "web1") -> list[str]:
    return [one.id for one in stage.store.records(run=RUN) if one.server == name]


def mend(stage: Stage, name: str = "web1") -> None:
    stage.actors[name].lasts = 10_000_000.0


# --- what the look finds ----------------------------------------------------------------------------------------------


def test_a_service_that_dies_after_its_restart_holds_the_run_and_is_on_record() -> None:
    stage = soaking(3)
    result = stage.run()
    assert (result.run.state, result.run.reason) == (RunState.HELD, HELD)
    assert result.codes[FailOn.NEVER] == 2
    assert (stage.journey("web1").is_over, stage.actors["web1"].drained, stage.journey("web1").counts) == (
        True,
        False,
        True,
    )
    assert waves(stage) == [(1, "began"), (1, "stopped")]
    for name in ("web2", "web3"):
        assert stage.actors[name].patched == 0
        assert stage.cell(name, "PT-500") == ("not_reached", HELD)
    assert parts(stage) == [f"{RUN}-0001", f"{RUN}-0001.2"]
    first, second = [one for one in stage.store.records(run=RUN) if one.server == "web1"]
    assert (first.severity, second.severity, second.notes) == (None, Severity.CRITICAL, (GONE,))
    assert stage.cell("web1", "CHG-900") == (
        "attention",
        "not expected: the service app ran before and does not any more",
    )
    assert stage.cell("web1", "PT-500")[0] == "ok"
    titles = [one.title for one in stage.store.followups()]
    assert titles == [f"Repair: {DIED}"]


def test_where_all_is_well_nothing_is_added_to_any_record() -> None:
    stage = soaking(3, dies="", waves=[["web1"], ["web2", "web3"]], budget=1)
    result = stage.run()
    assert (result.run.state, set(result.codes.values())) == (RunState.FINISHED, {0})
    assert [looks(stage, name) for name in stage.actors] == [["ok"]] * 3
    assert {stage.journey(name).ended[SOAKED].message for name in stage.actors} == {""}
    assert [parts(stage, name) for name in stage.actors] == [[f"{RUN}-000{number}"] for number in (1, 2, 3)]
    assert waves(stage) == [(1, "began"), (1, "passed"), (2, "began"), (2, "passed")]
    assert len([one for one, _ in stage.seen if isinstance(one, ServerAnswered)]) == 3


def test_a_whole_wave_is_looked_at_at_a_time_when_its_soak_is_over() -> None:
    stage = soaking(2, dies="", waves=[["web1", "web2"]], budget=0)
    stage.run()
    done = [one.at for one in stage.events if isinstance(one, StageEnded) and one.stage == END]
    told = [one for one in stage.events if isinstance(one, StageBegan | StageEnded) and one.stage == SOAKED]
    assert [(type(one), one.server) for one in told] == [
        (StageBegan, "web1"),
        (StageBegan, "web2"),
        (StageEnded, "web1"),
        (StageEnded, "web2"),
    ]
    assert told[0].at == max(done) + timedelta(seconds=SOAK)


def test_without_a_soak_the_look_of_just_now_is_not_repeated() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE))
    stage.actors["web1"].lasts = 60.0
    assert stage.run().run.state is RunState.FINISHED
    assert looks(stage) == []


def test_a_server_that_does_not_answer_any_more_counts_too() -> None:
    stage = soaking(dies="")
    sleep = stage.clock.sleep

    def falls_silent(seconds: float) -> None:
        sleep(seconds)
        stage.actors["web1"].deaf = stage.journey("web1").is_over

    stage.clock.sleep = falls_silent  # type: ignore[method-assign]  # it goes down while it soaks
    result = stage.run()
    assert looks(stage) == ["unreachable"]
    assert result.run.reason.startswith(
        "held: the failure budget (0) is used up: 1 failed (web1: after the soak: no conn"
    )
    assert result.codes[FailOn.NEVER] == 6
    assert [stage.cell("web1", id)[0] for id in ("HW-010", "PT-500", "CHG-900")] == ["unreachable", "ok", "unreachable"]


def fills_up(stage: Stage, level: int) -> None:
    """The disk of web1 is fuller from the end of its change on."""
    sleep = stage.clock.sleep

    def slept(seconds: float) -> None:
        sleep(seconds)
        if stage.journey("web1").is_over:
            stage.actors["web1"].level = level

    stage.clock.sleep = slept  # type: ignore[method-assign]  # it fills up while it soaks


def test_a_postcheck_that_does_not_pass_any_more_counts() -> None:
    stage = soaking(dies="")
    fills_up(stage, 95)
    assert "web1: after the soak: HW-010: sda is at 95; it stays in service" in stage.run().run.reason
    assert stage.cell("web1", "HW-010") == ("attention", "sda is at 95")


def test_findings_that_are_only_worse_are_the_gate_s_and_on_record() -> None:
    stage = soaking(dies="")
    stage.listed = changing_checklist(replace(UPDATE, postcheck=()), policy=policy(soak=SOAK))
    fills_up(stage, 85)
    why = "held: the gate after wave 1 found worse than before: web1: HW-010: sda is at 85"
    assert stage.run().run.reason == why
    assert (looks(stage), stage.cell("web1", "HW-010")) == (["ok"], ("attention", "sda is at 85"))
    assert stage.go_on().run.state is RunState.FINISHED  # who goes on has seen it
    assert looks(stage) == ["ok"]


def test_what_was_worse_right_after_the_change_is_said_at_once_and_gone_if_it_is_gone() -> None:
    stage = soaking(dies="")
    stage.listed = changing_checklist(replace(UPDATE, postcheck=()), policy=policy(soak=SOAK))
    hold_when(stage, "web1", lambda: setattr(stage.actors["web1"], "level", 85))
    assert "found worse than before" in stage.run().run.reason
    assert looks(stage) == []
    stage.actors["web1"].level = 10
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.cell("web1", "HW-010")[0] == "ok"


@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_only_worse_in_the_last_wave_is_on_record_and_holds_nobody(at_once: bool) -> None:
    stage = soaking(1, dies="")
    stage.listed = changing_checklist(replace(UPDATE, postcheck=()), policy=policy(soak=SOAK))
    if at_once:
        hold_when(stage, "web1", lambda: setattr(stage.actors["web1"], "level", 85))
    else:
        fills_up(stage, 85)
    assert stage.run().run.state is RunState.FINISHED
    assert stage.cell("web1", "HW-010") == ("attention", "sda is at 85")
    assert len(parts(stage)) == (1 if at_once else 2)


# --- the limits -------------------------------------------------------------------------------------------------------


def test_within_the_budget_the_run_goes_on_past_it_and_does_not_call_itself_finished() -> None:
    stage = soaking(3, dies="web2", budget=1)
    result = stage.run()
    assert [actor.patched for actor in stage.actors.values()] == [1, 1, 1]
    assert (result.run.state, result.run.reason) == (RunState.HELD, f"web2: {GONE}")
    mend(stage, "web2")
    assert stage.go_on().run.state is RunState.FINISHED


def test_a_canary_that_died_speaks_for_nothing_whatever_the_budget() -> None:
    stage = soaking(2, canary_budget=1, budget=1)
    why = "held: nobody is well after the soak of wave 1: nothing speaks for going on"
    assert stage.run().run.reason == why
    assert stage.actors["web2"].patched == 0
    assert stage.go_on().run.reason == why
    mend(stage)
    assert stage.go_on(3).run.state is RunState.FINISHED


def test_the_last_wave_has_no_gate_but_is_looked_at() -> None:
    stage = soaking(2, dies="web2")
    result = stage.run()
    assert result.run.state is RunState.HELD
    assert result.run.reason == HELD.replace("web1", "web2")
    assert waves(stage)[-1] == (2, "stopped")
    assert stage.go_on().run.reason == HELD.replace("web1", "web2")
    mend(stage, "web2")
    assert stage.go_on(3).run.state is RunState.FINISHED
    assert stage.cell("web2", "CHG-900")[0] == "not_measured"  # its mounts and ports; nothing else


def test_what_needs_a_server_that_died_has_no_turn() -> None:
    stage = soaking(3, waves=[["web1", "web2"], ["web3"]], budget=1, canary_budget=1)
    stage.plan = replace(stage.plan, fleet=Fleet(needs={"web3": ("web1",)}))
    stage.run()
    assert stage.cell("web3", "PT-500") == ("not_reached", f"it needs web1: {GONE}")


def test_a_server_that_died_is_missing_in_its_group() -> None:
    stage = soaking(3, waves=[["web1", "web2"], ["web3"]], budget=1, canary_budget=1)
    stage.plan = replace(stage.plan, fleet=grouped(1, web=["web1", "web3"]))
    stage.run()
    assert stage.over() == ["web1", "web2"]
    assert stage.cell("web3", "PT-500")[1] == (
        "of the group web 1 of 2 may be missing at a time: web1, web3; "
        "web1 was not well after the soak: see that it is well, then: maintops run continue r1"
    )


def test_who_is_through_is_looked_at_also_where_somebody_else_uses_the_budget_up() -> None:
    stage = soaking(4, dies="web1", waves=[["web1", "web2", "web3"], ["web4"]])
    stage.actors["web2"].breaks = "no space"
    result = stage.run()
    assert result.run.reason == "held: the failure budget (0) is used up: 1 failed (web2)"
    assert [looks(stage, name) for name in stage.actors] == [["failed"], [], [], []]
    assert stage.actors["web3"].patched == 0
    assert parts(stage) == [f"{RUN}-0001", f"{RUN}-0001.2"]


def test_nobody_waits_for_a_soak_where_the_run_was_cancelled_and_the_budget_is_used_up() -> None:
    stage = soaking(3, dies="", waves=[["web1", "web2", "web3"]])
    stage.actors["web2"].breaks = "no space"
    brakes = stage.brake()
    hold_when(stage, "web2", brakes.cancel)
    assert stage.run(brakes=brakes).run.state is RunState.CANCELLED
    assert (looks(stage), stage.clock.slept) == ([], 60.0)


def cancelled_in_the_look(stage: Stage, server: str) -> None:
    """Ctrl-C while a server is looked at after its soak."""
    brakes, said = stage.brake(), stage.engine._said

    def saying(actor: Any, check: str, text: str) -> Any:
        if actor.name == server and check == "CHG-900" and stage.journey(server).is_over:
            brakes.cancel()
        return said(actor, check, text)

    stage.engine._said = saying  # type: ignore[method-assign]  # it presses Ctrl-C
    assert stage.run(brakes=brakes).run.state is RunState.CANCELLED
    stage.engine._said = said  # type: ignore[method-assign]  # as it was


def seen(stage: Stage) -> list[str]:
    return [name for name in stage.actors if looks(stage, name)]


def test_whoever_stops_the_look_does_not_wait_for_a_whole_wave() -> None:
    names = [f"web{number}" for number in range(1, 10)]
    stage = soaking(9, dies="", waves=[names], budget=8, forks=1)
    cancelled_in_the_look(stage, "web1")
    assert seen(stage) == names[:4]
    assert waves(stage) == [(1, "began"), (1, "stopped")]
    assert stage.go_on().run.state is RunState.FINISHED
    assert [looks(stage, name) for name in names] == [["ok"]] * 9


def test_nor_does_who_stops_it_when_it_is_done_again() -> None:
    names = [f"web{number}" for number in range(1, 7)]
    stage = soaking(6, dies="", waves=[names], budget=5, forks=1)
    for actor in stage.actors.values():
        actor.lasts = 60.0
    stage.run()
    assert [looks(stage, name) for name in names] == [["failed"]] * 6
    brakes, said = stage.brake(), stage.engine._said
    stage.engine._said = lambda *what: (brakes.cancel(), said(*what))[1]  # type: ignore[func-returns-value, method-assign]  # Ctrl-C at once
    assert stage.go_on(brakes=brakes).run.state is RunState.CANCELLED
    assert [len(looks(stage, name)) for name in names] == [2, 2, 2, 2, 1, 1]
    assert waves(stage) == [(1, "began"), (1, "stopped")]  # those of the first process


# --- going on ---------------------------------------------------------------------------------------------------------


def test_who_goes_on_looks_first_and_is_held_with_the_same_words_until_it_is_good() -> None:
    stage = soaking()
    stage.run()
    slept = stage.clock.slept
    for pid in (2, 3):
        assert stage.go_on(pid).run.reason == HELD
    assert (looks(stage), stage.clock.slept) == (["failed"] * 3, slept)
    mend(stage)
    assert stage.go_on(4).run.state is RunState.FINISHED
    assert looks(stage) == ["failed", "failed", "failed", "ok"]
    assert stage.cell("web1", "CHG-900")[0] == "not_measured"
    assert [one for one in stage.store.findings() if one.check == "CHG-900" and one.server == "web1"] == []
    assert [actor.patched for actor in stage.actors.values()] == [1, 1]


def test_the_hold_switch_is_read_before_the_look_is_done_again() -> None:
    stage = soaking()
    stage.run()
    stage.hold = HOLD
    assert stage.go_on().run.reason.startswith("held: changes are held by Ops")
    assert looks(stage) == ["failed"]


def test_who_is_through_only_later_is_looked_at_too_in_a_wave_that_is_passed() -> None:
    stage = soaking(3, dies="", waves=[["web1", "web2"], ["web3"]], budget=1, canary_budget=1)
    stage.actors["web2"].breaks = "no space"
    assert stage.run().run.state is RunState.HELD
    assert [looks(stage, name) for name in ("web1", "web2", "web3")] == [["ok"], [], ["ok"]]
    stage.actors["web2"].breaks, stage.actors["web2"].lasts = "", 60.0
    result = stage.go_on()
    assert (looks(stage, "web2"), result.run.state) == (["failed"], RunState.HELD)
    assert [looks(stage, name) for name in ("web1", "web3")] == [["ok"], ["ok"]]


def stop_while_it_soaks(stage: Stage, last: str, stop: Any) -> None:
    sleep = stage.clock.sleep

    def impatient(seconds: float) -> None:
        sleep(seconds)
        if stage.journey(last).is_over:
            stage.clock.sleep = sleep  # type: ignore[method-assign]  # once
            stop()

    stage.clock.sleep = impatient  # type: ignore[method-assign]  # somebody stops it in the last soak


def test_ctrl_c_in_the_last_soak_leaves_the_look_to_whoever_goes_on() -> None:
    stage = soaking(1, waves=[["web1"]])
    brakes = stage.brake()
    stop_while_it_soaks(stage, "web1", brakes.cancel)
    result = stage.run(brakes=brakes)
    assert (result.run.state, result.run.reason) == (RunState.CANCELLED, "the run was cancelled")
    assert set(result.codes.values()) == {2}
    before = stage.clock()
    assert stage.go_on().run.reason == HELD
    began = [one.at for one in stage.events if isinstance(one, StageBegan) and one.stage == SOAKED]
    assert began == [before + timedelta(seconds=SOAK - 5)]


def test_a_hold_in_the_last_soak_is_no_success() -> None:
    stage = soaking(1, dies="", waves=[["web1"]])

    def hold() -> None:
        stage.hold = HOLD

    stop_while_it_soaks(stage, "web1", hold)
    result = stage.run()
    assert (result.run.state, set(result.codes.values())) == (RunState.HELD, {2})
    assert looks(stage) == []
    stage.hold = None
    assert stage.go_on().run.state is RunState.FINISHED
    assert looks(stage) == ["ok"]


def test_a_look_that_is_cut_off_has_found_nothing() -> None:
    stage = soaking(1, waves=[["web1"]])
    brakes = stage.brake()
    said = stage.engine._said

    def twice(actor: Any, check: str, text: str) -> Any:
        if check == "CHG-900" and stage.journey("web1").is_over:
            brakes.cancel()
            brakes.cancel()
        return said(actor, check, text)

    stage.engine._said = twice  # type: ignore[method-assign]  # Ctrl-C twice during the look
    result = stage.run(brakes=brakes)
    assert (result.run.state, looks(stage), parts(stage)) == (RunState.CANCELLED, ["unknown"], [f"{RUN}-0001"])
    assert result.run.reason.endswith("in the middle of the look after the soak")
    stage.engine._said = said  # type: ignore[method-assign]  # as it was
    assert stage.go_on().run.reason == HELD


def test_whoever_has_lost_the_run_keeps_nothing_of_what_it_saw() -> None:
    stage = soaking(1, waves=[["web1"]])
    said = stage.engine._said

    def loses(actor: Any, check: str, text: str) -> Any:
        if check == "CHG-900" and stage.journey("web1").is_over:
            stage.engine._said = said  # type: ignore[method-assign]  # once
            stage.store.append(RUN, RunEnded(RunState.INTERRUPTED, "declared dead", stage.clock()))
            stage.store.resume(RUN, Resumed(replace(OWNER, pid=77), "Otto", stage.clock()))
        return said(actor, check, text)

    stage.engine._said = loses  # type: ignore[method-assign]  # somebody else goes on with it during the look
    with pytest.raises(Locked, match="not this process's any more"):
        stage.run()
    assert (looks(stage), parts(stage)) == ([], [f"{RUN}-0001"])
    assert stage.store.findings() == []


# --- killed at every moment -------------------------------------------------------------------------------------------


def _moments() -> int:
    stage = soaking()
    stage.run()
    return stage.store.writes


@pytest.mark.parametrize("behind", [False, True])
def test_killed_at_every_moment_what_died_is_found_and_told(behind: bool) -> None:
    for at in range(_moments()):
        stage = soaking()
        stage.store.left, stage.store.behind = at, behind
        with pytest.raises(Crashed):
            stage.run()
        stage.recover()
        if stage.state.state is not RunState.HELD:
            assert stage.go_on().run.reason == HELD, at
        assert stage.cell("web1", "CHG-900")[0] == "attention", at
        assert [one.check for one in stage.store.findings()] == ["CHG-900"], at
        assert stage.actors["web2"].patched == 0


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("lasts", [60.0, 10_000_000.0])
def test_killed_while_it_looks_again_whoever_goes_on_looks_again(lasts: float, behind: bool) -> None:
    stage = soaking()
    stage.run()
    stage.actors["web1"].lasts = lasts
    for left in range(3):
        stage.store.left, stage.store.behind = left, behind
        with pytest.raises(Crashed):
            stage.go_on(3 + left)
        stage.recover()
        assert stage.actors["web2"].patched == 0
    mend(stage)
    assert stage.go_on(9).run.state is RunState.FINISHED
    assert [actor.patched for actor in stage.actors.values()] == [1, 1]
    cells = [cell for one in whole_records(stage.store, stage.state) for cell in one.cells]
    assert {one.outcome.value for one in cells} == {"ok", "not_measured"}
    assert not [one for one in stage.store.findings() if one.check == "CHG-900"]


# --- what it does not change ------------------------------------------------------------------------------------------


def test_how_long_a_server_takes_does_not_contain_the_soak() -> None:
    stage = soaking(1, waves=[["web1"]])
    stage.run()
    [first, _] = stage.store.records(run=RUN)  # only a first part tells how long it takes
    assert (first.ended - first.started).total_seconds() == stage.actors["web1"].seconds


def test_what_died_can_be_taken_back() -> None:
    stage = soaking()
    stage.run()
    step = replace(UPDATE, rollback=UPDATE.act)
    assert stage.journey("web1").ended[SOAKED].result is StageResult.FAILED
    assert stage.journey("web1").passed(AFTER)
    found = undoing(replace(stage.listed, changes=(step,), order=(step.id,)), journal(stage.events), ["web1"])
    assert dict(found.steps) == {"web1": frozenset({step.id})}
