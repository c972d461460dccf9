"""Whoever goes on with a run that changes servers: nothing is done twice, wherever the one before was killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.checklists import Step
from maintops.domain.journeys import AFTER, BEFORE, SOAKED
from maintops.domain.placements import Fleet
from maintops.domain.runs import (
    Owed,
    Resumed,
    RunPlanned,
    RunState,
    ServerAnswered,
    Settled,
    StageBegan,
    StageEnded,
    StageResult,
)
from maintops.domain.steps import StepAnswer
from maintops.errors import Locked, StoreError
from tests.unit.workflow.change_stage import (
    REBOOT,
    RUN,
    SILENCE,
    UPDATE,
    Actor,
    Crashed,
    Stage,
    changing_checklist,
    grouped,
    hold_when,
    policy,
)
from tests.unit.workflow.samples import OWNER

HAND = Step("PT-600", "Cables", manual="Look.")

# --- going on ---------------------------------------------------------------------------------------------------------


def test_who_failed_is_tried_again_no_more_at_a_time_than_the_limits_allow() -> None:
    names = [f"web{number}" for number in range(1, 7)]
    stage = Stage(6, budget=5, fleet=grouped(2, web=names))
    for name in names[:4]:
        stage.actors[name].breaks = "the mirror is away"
    stage.plan = replace(stage.plan, fleet=Fleet())
    stage.run()
    assert len(stage.over()) == 2
    for actor in stage.actors.values():
        actor.breaks = ""
    stage.plan = replace(stage.plan, fleet=grouped(2, web=names))
    stage.doer.calls.clear()
    assert stage.go_on().run.state is RunState.FINISHED
    assert [len(names) for _, names in stage.doer.calls] == [2, 2]


def waiting_stage(servers: int, **more: Any) -> Stage:
    """Servers that wait for a person, drained, and are answered; none of them gets through its update."""
    stage = Stage(servers, listed=changing_checklist(HAND, UPDATE, policy=policy()), **more)
    stage.run()
    for name, actor in stage.actors.items():
        actor.breaks = "the mirror is away"
        stage.store.append(RUN, StepAnswer(name, HAND.id, "anna", stage.clock(), choice="done"))
    return stage


def lost(stage: Stage) -> list[str]:
    return [name for name in stage.actors if stage.journey(name).lost is not None]


@pytest.mark.parametrize(("budget", "failed"), [(0, 1), (2, 3)])
def test_of_those_who_waited_for_a_person_no_more_are_lost_than_the_budget_and_one(budget: int, failed: int) -> None:
    stage = waiting_stage(8, budget=budget)
    result = stage.go_on()
    assert result.run.state is RunState.HELD
    assert result.run.reason.startswith(f"held: the failure budget ({budget}) is used up: {failed} failed (web1")
    assert len(lost(stage)) == failed


def test_of_a_first_wave_that_waited_no_more_are_lost_than_its_own_budget_and_one() -> None:
    stage = waiting_stage(5, waves=[["web1", "web2", "web3", "web4"], ["web5"]], budget=3, canary_budget=0)
    assert "the failure budget (0) is used up: 1 failed (web1)" in stage.go_on().run.reason
    assert lost(stage) == ["web1"]


def test_who_is_lost_already_and_not_tried_again_is_a_part_of_the_budget() -> None:
    names = [f"web{number}" for number in range(1, 7)]
    stage = waiting_stage(6, budget=2)
    for name in names[1:]:
        stage.actors[name].breaks = ""
    stage.go_on()
    assert lost(stage) == ["web1"]
    assert [len(called) for _, called in stage.doer.calls] == [3, 2, 1]


def test_who_is_tried_again_is_no_part_of_the_budget_until_then() -> None:
    stage = waiting_stage(4, budget=3)
    stage.go_on()
    for actor in stage.actors.values():
        actor.breaks = ""
    stage.doer.calls.clear()
    assert stage.go_on(3).run.state is RunState.FINISHED
    assert [len(called) for _, called in stage.doer.calls] == [4]


def test_who_failed_before_is_tried_again_also_where_the_budget_is_used_up() -> None:
    stage = Stage(3, budget=2)
    for actor in stage.actors.values():
        actor.breaks = "the mirror is away"
    stage.run()
    stage.plan = replace(stage.plan, budget=0)
    stage.actors["web2"].breaks = stage.actors["web3"].breaks = ""
    result = stage.go_on()
    assert (stage.over(), lost(stage)) == (["web2", "web3"], ["web1"])
    assert result.run.reason == "held: the failure budget (0) is used up: 1 failed (web1)"


def test_whoever_was_in_flight_and_fails_now_uses_the_budget_up_before_others_are_tried() -> None:
    stage = Stage(3, waves=[["web1", "web2"], ["web3"]], budget=1, canary_budget=1, listed=changing_checklist(UPDATE))
    stage.actors["web1"].breaks = "the mirror is away"
    stopped_in(stage, "web2")
    stage.actors["web2"].breaks = "the mirror is away"
    stage.plan = replace(stage.plan, budget=0, canary_budget=0)
    stage.doer.calls.clear()
    stage.go_on()
    assert [names for _, names in stage.doer.calls] == [("web2",)]


def stopped_in(stage: Stage, name: str) -> None:
    """A process that dies while it changes a server."""

    def dies() -> None:
        raise Crashed

    stage.store.error = Crashed
    hold_when(stage, name, dies)
    with pytest.raises(Crashed):
        stage.run()
    stage.recover()
    stage.doer.script[name] = stage.act


def drained_when_updated(stage: Stage) -> list[tuple[str, bool]]:
    """The servers that are updated from now on, and whether they were out of service then."""
    seen: list[tuple[str, bool]] = []
    for name in stage.actors:
        hold_when(stage, name, lambda name=name: seen.append((name, stage.actors[name].drained)))
    return seen


def test_who_was_put_back_into_service_meanwhile_is_drained_again_before_it_is_changed() -> None:
    stage = Stage(2, waves=[["web1"], ["web2"]])
    stage.actors["web1"].breaks = "the mirror is away"
    stage.run()
    stage.actors["web1"].breaks, stage.actors["web1"].drained = "", False
    stage.store.append(RUN, Settled("web1", "undrain", "Otto", "maintops obligations", stage.clock()))
    seen = drained_when_updated(stage)
    assert stage.go_on().run.state is RunState.FINISHED
    assert seen == [("web1", True), ("web2", True)]
    assert [actor.drained for actor in stage.actors.values()] == [False, False]
    assert stage.store.owed() == []


def test_who_is_drained_still_is_not_drained_twice() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE))
    stage.actors["web1"].breaks = "the mirror is away"
    stage.run()
    stage.actors["web1"].breaks = ""
    stage.go_on()
    assert [text for text, _ in stage.commands.given] == ["drain", "is-drained", "undrain"]


def test_who_only_failed_the_first_look_has_an_ordinary_turn() -> None:
    stage = Stage(6, budget=5)
    for actor in stage.actors.values():
        actor.level = 95
    result = stage.run()
    assert (result.run.state, stage.over()) == (RunState.HELD, [])
    for actor in stage.actors.values():
        actor.level = 10
    stage.plan = replace(stage.plan, budget=1)
    stage.doer.calls.clear()
    assert stage.go_on().run.state is RunState.FINISHED
    assert [len(names) for _, names in stage.doer.calls] == [2, 2, 2]


def test_an_ordinary_turn_is_one_that_asks_who_is_down() -> None:
    stage = Stage({name: Actor(name) for name in ("web1", "web2", "out")}, waves=[["web1", "web2"]], budget=2)
    stage.plan = replace(stage.plan, fleet=grouped(1, web=["web1", "out"]))
    stage.actors["web1"].level = stage.actors["web2"].level = 95
    stage.run()
    stage.actors["web1"].level = stage.actors["web2"].level = 10
    stage.actors["out"].deaf = True
    assert stage.go_on().run.state is RunState.HELD
    assert stage.over() == ["web2"]
    assert stage.actors["web1"].patched == 0


def test_who_fails_the_first_look_again_counts_again() -> None:
    stage = Stage(4, budget=0)
    for actor in stage.actors.values():
        actor.level = 95
    assert "1 failed (web1)" in stage.run().run.reason
    assert "1 failed (web1)" in stage.go_on().run.reason
    assert not stage.journey("web2").touched
    stage.actors["web1"].level = 10
    assert "1 failed (web2)" in stage.go_on().run.reason
    assert stage.over() == ["web1"]


def test_whoever_watches_a_run_that_goes_on_learns_of_its_plan_and_of_who_is_through() -> None:
    stage = Stage(3, waves=[["web1"], ["web2"], ["web3"]])
    stage.actors["web2"].breaks = "no"
    stage.run()
    stage.actors["web2"].breaks = ""
    stage.seen.clear()
    stage.go_on()
    assert isinstance(stage.seen[0][0], RunPlanned)
    told = [(event.server, record is not None) for event, record in stage.seen if isinstance(event, ServerAnswered)]
    assert told == [("web1", False), ("web2", True), ("web3", True)]


def stopped_when(stage: Stage, stop: Callable[[], bool]) -> None:
    """A process that somebody stops with Ctrl-C at the first answer after which it is time to."""
    brakes, said = stage.brake(), stage.engine._said

    def saying(actor: Actor, check: str, text: str) -> Any:
        if stop():
            brakes.cancel()
        return said(actor, check, text)

    stage.engine._said = saying  # type: ignore[method-assign]  # Ctrl-C while it answers
    assert stage.run(brakes=brakes).run.state is RunState.CANCELLED
    stage.engine._said = said  # type: ignore[method-assign]  # as it was


def first_looks(stage: Stage) -> int:
    return len([one for one in stage.events if isinstance(one, StageEnded) and one.stage == BEFORE])


def test_a_first_look_of_an_earlier_process_is_done_again_where_nothing_else_was_begun() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE, policy=policy(drain=None)))
    stopped_when(stage, lambda: True)
    assert (stage.over(), first_looks(stage), stage.cell("web1", "HW-010")[0]) == ([], 1, "ok")
    stage.actors["web1"].level = 95
    stage.go_on()
    assert (first_looks(stage), stage.actors["web1"].patched) == (2, 0)
    assert stage.cell("web1", "HW-010") == ("attention", "sda is at 95")
    stage.actors["web1"].level, stage.actors["web1"].services = 10, ()  # nothing that this run could have done
    assert stage.go_on(3).run.state is RunState.FINISHED
    after = stage.journey("web1").ended[AFTER]
    assert (first_looks(stage), list(after.facts["worse"])) == (3, [])


@pytest.mark.parametrize("drained", [True, False])
def test_a_first_look_with_which_something_is_compared_stays_the_one(drained: bool) -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE, policy=policy() if drained else policy(drain=None)))
    web1 = stage.actors["web1"]
    if drained:
        stage.commands.refuses.add("is-drained")
    else:
        web1.breaks = "no space"
    stage.run()
    stage.commands.refuses.clear()
    web1.breaks, web1.services = "", ()
    assert stage.go_on().run.state is RunState.HELD
    assert first_looks(stage) == 1
    assert "the service app ran before and does not any more" in stage.cell("web1", "CHG-900")[1]


def test_a_first_look_is_not_done_again_where_a_person_was_asked_to_do_something() -> None:
    stage = Stage(1, listed=changing_checklist(HAND, UPDATE, policy=policy(drain=None)))
    stage.run()
    stage.actors["web1"].services = ()
    stage.store.append(RUN, StepAnswer("web1", HAND.id, "anna", stage.clock(), skipped="not today"))
    stage.go_on()
    assert first_looks(stage) == 1


def test_nor_where_a_person_has_answered_before_being_asked() -> None:
    stage = Stage(1, listed=changing_checklist(HAND, UPDATE, policy=policy(drain=None)))
    stopped_when(stage, lambda: True)
    stage.store.append(RUN, StepAnswer("web1", HAND.id, "anna", stage.clock(), skipped="not today"))
    assert stage.go_on().run.state is RunState.FINISHED
    assert first_looks(stage) == 1


def test_a_run_that_is_somebody_else_s_meanwhile_is_left_alone() -> None:
    stage = Stage(2, budget=1)
    other = replace(OWNER, pid=99)

    def taken_over() -> None:
        stage.recover()
        stage.store.resume(RUN, Resumed(other, "Otto", stage.clock()))

    hold_when(stage, "web1", taken_over)
    with pytest.raises(Locked, match="the run r1 is not this process's any more"):
        stage.run()
    assert (stage.state.state, stage.state.owner) == (RunState.RUNNING, other)
    after = stage.events[[isinstance(one, Resumed) for one in stage.events].index(True) + 1 :]
    assert after == []
    assert stage.actors["web1"].told_to_reboot == 0


def test_not_even_a_defect_ends_a_run_that_is_somebody_else_s() -> None:
    stage = Stage(1)
    other = replace(OWNER, pid=99)

    def taken_over() -> None:
        stage.recover()
        stage.store.resume(RUN, Resumed(other, "Otto", stage.clock()))
        raise ZeroDivisionError

    hold_when(stage, "web1", taken_over)
    with pytest.raises(ZeroDivisionError):
        stage.run()
    assert (stage.state.state, stage.state.owner) == (RunState.RUNNING, other)


def test_a_run_that_was_marked_as_dead_is_not_written_to_any_more() -> None:
    stage = Stage(1)
    hold_when(stage, "web1", stage.recover)
    with pytest.raises(Locked):
        stage.run()
    assert (stage.state.state, stage.state.reason) == (RunState.INTERRUPTED, "its process died")


def test_two_who_begin_the_same_plan_are_one_run() -> None:
    stage = Stage(1)
    stage.run()
    with pytest.raises(Locked, match=r"carried out already, as the run r1, .* by Erika \(process 1 on control\)"):
        stage.run(pid=7)
    assert stage.actors["web1"].patched == 1


def test_a_database_that_is_away_in_the_middle_says_how_to_go_on() -> None:
    stage = Stage(2)
    stage.store.error = lambda: StoreError("The disk is full.")
    stage.store.left = 8
    with pytest.raises(StoreError) as caught:
        stage.run()
    assert str(caught.value) == (
        "The disk is full. The run r1 was broken off; once the database can be used: maintops run continue r1"
    )
    stage.recover()
    assert stage.go_on().run.state is RunState.FINISHED
    assert [actor.patched for actor in stage.actors.values()] == [1, 1]


def test_a_defect_leaves_no_server_without_a_record() -> None:
    stage = Stage(3)

    def breaks() -> None:
        raise ZeroDivisionError

    hold_when(stage, "web1", breaks)
    with pytest.raises(ZeroDivisionError):
        stage.run()
    assert (stage.state.state, stage.state.reason) == (RunState.INTERRUPTED, "ZeroDivisionError")
    assert stage.cell("web1", "PT-500")[0] == "unknown"
    assert stage.cell("web2", "PT-500") == ("not_reached", "not touched: maintops died before its turn")


# --- killed at every moment -------------------------------------------------------------------------------------------

EVERYTHING = changing_checklist(UPDATE, REBOOT, policy=policy(silence=SILENCE))
NOT_TWICE = replace(UPDATE, idempotent=False, done="test -e /done")
ONCE = changing_checklist(NOT_TWICE, REBOOT, policy=policy(silence=SILENCE, soak=60.0))


def crash_stage(listed: Any = EVERYTHING) -> Stage:
    return Stage(2, waves=[["web1"], ["web2"]], budget=1, listed=listed, fleet=grouped(1, web=["web1", "web2"]))


def _moments(listed: Any = EVERYTHING) -> int:
    stage = crash_stage(listed)
    stage.run()
    return stage.store.writes


def crash(stage: Stage, at: int, behind: bool, pid: int) -> bool:
    """A process that dies at a write, or does not (False)."""
    stage.store.left, stage.store.behind = at, behind
    try:
        if pid == 1:
            stage.run()
        else:
            stage.go_on(pid)
    except Crashed:
        stage.recover()
        return True
    stage.store.revive()
    return False


def check_all_is_well(stage: Stage, updates: int | None) -> None:
    assert stage.state.state is RunState.FINISHED
    passed: Counter[tuple[str, str]] = Counter()
    acted: set[str] = set()
    for one in stage.events:
        if isinstance(one, StageBegan) and one.stage == BEFORE and one.server not in acted:
            passed.pop((one.server, BEFORE), None)  # an old look alone proves nothing
        elif isinstance(one, StageBegan):
            acted.add(one.server)
        if isinstance(one, StageEnded) and one.result is StageResult.OK:
            passed[one.server, one.stage] += 1
        if isinstance(one, StageBegan):
            assert not passed[one.server, one.stage], f"{one} passed already"
    assert set(passed.values()) == {1}
    for name, actor in stage.actors.items():
        assert passed[name, SOAKED] == (stage.listed.change.soak > 0)
        assert actor.told_to_reboot == 1, name
        assert not actor.drained
        if updates is not None:
            assert actor.patched == updates
        journey = stage.journey(name)
        assert (journey.is_over, journey.mid, dict(journey.owed)) == (True, "", {})
        record = stage.record(name)
        assert {one.check for one in record.cells} == set(stage.state.planned.checks)
        assert {one.outcome.value for one in record.cells} <= {"ok", "skipped", "not_measured"}
    owed = [one for one in stage.events if isinstance(one, Owed)]
    settled = [one for one in stage.events if isinstance(one, Settled)]
    assert len(owed) == len(settled) == 4
    assert stage.store.owed() == []


@pytest.mark.parametrize("behind", [False, True])
def test_killed_at_every_moment_everything_is_done_in_the_end_and_nothing_twice(behind: bool) -> None:
    moments = _moments(ONCE)
    assert moments > 45
    for at in range(moments):
        stage = crash_stage(ONCE)
        assert crash(stage, at, behind, 1), at
        for record in stage.store.records(run=RUN):
            assert {one.check for one in record.cells} == set(stage.state.planned.checks)
        if stage.state.state is not RunState.FINISHED:
            result = stage.go_on()
            assert result.run.state is RunState.FINISHED, (at, result.run.reason)
        check_all_is_well(stage, 1)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=2, max_size=5))
@settings(max_examples=25)
def test_killed_again_and_again_it_comes_to_an_end(kills: list[tuple[int, bool]]) -> None:
    stage = crash_stage(ONCE)
    pid = 1
    for at, behind in kills:
        if stage_is_over(stage):
            break
        crash(stage, at, behind, pid)
        pid += 1
    if not stage_is_over(stage):
        stage.go_on(pid)
    check_all_is_well(stage, 1)


def stage_is_over(stage: Stage) -> bool:
    return RUN in {run.id for run in stage.store.runs()} and stage.state.state is RunState.FINISHED


@given(st.integers(0, 40), st.booleans())
@settings(max_examples=15)
def test_a_step_that_may_be_repeated_is_repeated_only_where_nobody_knows(at: int, behind: bool) -> None:
    stage = crash_stage()
    crash(stage, at, behind, 1)
    if stage.state.state is not RunState.FINISHED:
        stage.go_on()
    check_all_is_well(stage, None)
    assert sum(actor.patched for actor in stage.actors.values()) in (2, 3)
