"""A run that changes servers: what stops it, what bounds it, and what whoever goes on finds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.changes import ChangePolicy
from maintops.domain.holds import Hold
from maintops.domain.identities import Identity
from maintops.domain.journeys import BEFORE, END
from maintops.domain.outcomes import FailOn
from maintops.domain.placements import Fleet
from maintops.domain.runs import (
    Owed,
    Remarked,
    Resumed,
    RunPlanned,
    RunState,
    ServerAnswered,
    Settled,
    StageBegan,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.windows import Opening
from maintops.errors import Locked, StoreError
from maintops.workflow.braking import Brakes
from tests.unit.workflow.change_stage import (
    DRAIN,
    REBOOT,
    RUN,
    SILENCE,
    UPDATE,
    Actor,
    Crashed,
    Stage,
    changing_checklist,
    grouped,
)
from tests.unit.workflow.samples import OWNER, START

HOLD = Hold("h1", Identity("ops@ctl", "Ops"), "an incident", START)
EXPECTED = ("package:*", "kernel", "boot")


def policy(**more: Any) -> ChangePolicy:
    return ChangePolicy(expected=EXPECTED, **{"drain": DRAIN, **more})


def in_flight(stage: Stage) -> int:
    """The most servers that were in the middle of their change at a time."""
    most, now = 0, set[str]()
    for one in stage.events:
        if isinstance(one, StageBegan):
            now.add(one.server)
        elif isinstance(one, ServerAnswered):
            now.discard(one.server)
        most = max(most, len(now))
    return most


def waves(stage: Stage) -> list[tuple[int, str]]:
    return [(one.number, one.state) for one in stage.events if isinstance(one, Waved)]


# --- well -------------------------------------------------------------------------------------------------------------


def test_every_server_is_changed_wave_by_wave_and_proven() -> None:
    stage = Stage(4, waves=[["web1"], ["web2", "web3", "web4"]], budget=4)
    result = stage.run()
    assert (result.run.state, result.run.reason, result.waiting) == (RunState.FINISHED, "", 0)
    assert set(result.codes.values()) == {0}
    assert waves(stage) == [(1, "began"), (1, "passed"), (2, "began"), (2, "passed")]
    for name, actor in stage.actors.items():
        assert (actor.patched, actor.told_to_reboot, actor.drained) == (1, 1, False)
        assert stage.journey(name).is_over
        assert stage.cell(name, "PT-510") == ("ok", "")
    assert stage.store.owed() == []


@pytest.mark.parametrize(("budget", "forks", "most"), [(0, 20, 1), (2, 20, 3), (9, 20, 6), (9, 2, 2)])
def test_no_more_are_in_flight_than_may_fail_and_one(budget: int, forks: int, most: int) -> None:
    stage = Stage(6, budget=budget, forks=forks)
    assert stage.run().run.state is RunState.FINISHED
    assert in_flight(stage) == most


def test_a_group_misses_no_more_than_it_may() -> None:
    stage = Stage(6, budget=6, fleet=grouped(2, web=["web1", "web2", "web3", "web4", "web5", "web6"]))
    assert stage.run().run.state is RunState.FINISHED
    assert in_flight(stage) == 2


def test_who_is_down_counts_as_missing_also_where_the_run_has_nothing_to_do_with_it() -> None:
    stage = Stage(
        {name: Actor(name) for name in ("web1", "web2", "out")},
        waves=[["web1", "web2"]],
        budget=2,
        fleet=grouped(1, web=["web1", "out"]),
    )
    stage.actors["out"].deaf = True
    result = stage.run()
    assert stage.over() == ["web2"]
    assert result.run.state is RunState.HELD
    assert "of the group web 1 of 2 may be missing at a time: out, web1" in stage.cell("web1", "PT-500")[1]
    assert stage.actors["web1"].patched == 0


def test_who_goes_down_in_the_middle_of_a_long_wave_counts_too() -> None:
    stage = Stage({name: Actor(name, seconds=400) for name in ("web1", "web2")}, budget=0)
    stage.plan = replace(stage.plan, fleet=grouped(1, web=["web1", "web2", "out"]))
    stage.actors["out"] = Actor("out")
    dies = stage.act

    def act(deed: Any, server: Any) -> Any:
        stage.actors["out"].deaf = True
        return dies(deed, server)

    stage.doer.script["web1"] = act
    assert stage.run().run.state is RunState.HELD
    assert stage.over() == ["web1"]
    assert stage.actors["web2"].patched == 0


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_a_canary_that_breaks_keeps_everybody_else_untouched_and_each_is_named() -> None:
    stage = Stage(5, waves=[["web1"], ["web2", "web3", "web4", "web5"]], budget=2)
    stage.actors["web1"].breaks = "post-install failed"
    result = stage.run()
    assert result.run.state is RunState.HELD
    assert result.codes[FailOn.NEVER] == 2
    assert stage.cell("web1", "PT-500") == ("failed", "post-install failed")
    assert [stage.actors[f"web{number}"].patched for number in range(2, 6)] == [0] * 4
    for number in range(2, 6):
        outcome, why = stage.cell(f"web{number}", "PT-500")
        assert outcome == "not_reached"
        assert why == "held: the failure budget (0) is used up: 1 failed (web1)"
    assert stage.actors["web1"].drained
    assert [owed.server for _, owed in stage.store.owed()] == ["web1"]


def test_within_its_budget_a_run_goes_on_past_bad_servers() -> None:
    stage = Stage(6, waves=[["web1"], [f"web{number}" for number in range(2, 7)]], budget=2)
    stage.actors["web3"].breaks = stage.actors["web5"].breaks = "no"
    result = stage.run()
    assert result.run.state is RunState.HELD
    assert stage.over() == ["web1", "web2", "web4", "web6"]
    assert result.run.reason == "2 servers are not finished"


def test_the_budget_of_the_canary_is_the_first_wave_s_alone() -> None:
    stage = Stage(4, waves=[["web1", "web2"], ["web3", "web4"]], budget=1, canary_budget=0)
    stage.actors["web3"].breaks = "no"
    stage.run()
    assert stage.over() == ["web1", "web2", "web4"]
    stage = Stage(4, waves=[["web1", "web2"], ["web3", "web4"]], budget=0, canary_budget=1)
    stage.actors["web1"].breaks = "no"
    stage.run()
    assert stage.over() == ["web2"]


def test_a_server_that_does_not_come_back_stops_the_wave_and_stays_drained() -> None:
    stage = Stage(4, waves=[["web1", "web2", "web3", "web4"]], budget=3)
    stage.plan = replace(stage.plan, waves=(("web1",), ("web2", "web3", "web4")), canary_budget=1)
    stage.actors["web1"].returns = False
    result = stage.run()
    assert result.run.state is RunState.HELD
    assert "web1 did not come back within 10 min" in result.run.reason
    assert stage.actors["web1"].drained
    assert stage.cell("web1", "PT-510")[0] == "unreachable"
    titles = [one.title for one in stage.store.followups()]
    assert [one for one in titles if one.startswith("Bring web1 back")]
    assert [stage.actors[name].patched for name in ("web2", "web3", "web4")] == [0, 0, 0]


def test_what_needs_a_server_that_failed_has_no_turn() -> None:
    fleet = Fleet(needs={"web2": ("web1",)})
    stage = Stage(3, budget=3, fleet=fleet)
    stage.actors["web1"].breaks = "no"
    stage.run()
    assert stage.over() == ["web3"]
    assert stage.cell("web2", "PT-500") == ("not_reached", "it needs web1: no")


def test_a_first_look_that_fails_takes_nobody_out_of_its_group() -> None:
    stage = Stage(3, budget=3, fleet=grouped(1, web=["web1", "web2", "web3"]))
    stage.actors["web1"].level = 95
    stage.run()
    assert stage.over() == ["web2", "web3"]
    assert not stage.actors["web1"].drained


# --- the gate ---------------------------------------------------------------------------------------------------------


def test_the_gate_s_command_stops_the_run_and_is_asked_again() -> None:
    stage = Stage(2, waves=[["web1"], ["web2"]], listed=changing_checklist(policy=policy(gate="ask")))
    stage.commands.refuses.add("ask")
    result = stage.run()
    assert result.run.reason == "held: the gate after wave 1 says no (exit status 1): it says no"
    assert stage.over() == ["web1"]
    given = [environment for text, environment in stage.commands.given if text == "ask"]
    assert given == [{"MAINTOPS_RUN": RUN, "MAINTOPS_WAVE": "1", "MAINTOPS_SERVERS": "web1"}]
    stage.commands.refuses.clear()
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.over() == ["web1", "web2"]
    assert given[0] in [environment for text, environment in stage.commands.given if text == "ask"][1:]


def worse_stage() -> Stage:
    stage = Stage(2, waves=[["web1"], ["web2"]], listed=changing_checklist(replace(UPDATE, postcheck=())))
    act = stage.act

    def fills_up(deed: Any, server: Any) -> Any:
        stage.actors[server.name].level = 85
        return act(deed, server)

    stage.doer.script["web1"] = fills_up
    return stage


def test_findings_that_are_worse_than_before_stop_the_run_once() -> None:
    stage = worse_stage()
    result = stage.run()
    why = "held: the gate after wave 1 found worse than before: web1: HW-010: sda is at 85"
    assert result.run.reason == why
    assert stage.actors["web2"].patched == 0
    assert stage.go_on().run.state is RunState.FINISHED  # who goes on has seen it


def test_who_was_killed_before_the_gate_does_not_pass_it_unseen() -> None:
    stage = worse_stage()
    stage.run()
    whole = next(
        number for number, one in enumerate(stage.events, 1) if isinstance(one, StageEnded) and one.stage == END
    )
    stage = worse_stage()
    stage.store.error = Crashed
    stage.store.left, stage.store.behind = _writes_until(whole), True
    with pytest.raises(Crashed):
        stage.run()
    assert stage.over() == ["web1"]
    stage.recover()
    assert "found worse than before" in stage.go_on().run.reason
    assert stage.actors["web2"].patched == 0


def _writes_until(event: int) -> int:
    """How many writes there are before the one that writes some event (from 1; RunPlanned is none)."""
    stage = worse_stage()
    seen: list[int] = []
    append = stage.store._write

    def counting(do: Any) -> Any:
        found = append(do)
        seen.append(len(stage.events))
        return found

    stage.store._write = counting  # type: ignore[method-assign]  # it only counts
    stage.run()
    return next(number for number, length in enumerate(seen) if length >= event)


def test_the_soak_time_is_waited_before_the_gate_is_asked() -> None:
    stage = Stage(2, waves=[["web1"], ["web2"]], listed=changing_checklist(policy=policy(gate="ask", soak=600.0)))
    asked: list[datetime] = []
    command = stage.commands.command

    def heard(text: str, *more: Any) -> Any:
        if text == "ask":
            asked.append(stage.clock())
        return command(text, *more)

    stage.commands.command = heard  # type: ignore[method-assign]  # it only listens
    stage.run()
    done = next(one.at for one in stage.events if isinstance(one, StageEnded) and one.stage == END)
    assert asked == [done + timedelta(seconds=600)]


def test_a_soak_time_that_was_cut_off_is_waited_to_its_end() -> None:
    stage = Stage(2, waves=[["web1"], ["web2"]], listed=changing_checklist(policy=policy(soak=600.0)))
    brakes = stage.brake()
    stage.clock.jumps = {}
    sleep = stage.clock.sleep

    def impatient(seconds: float) -> None:
        sleep(seconds)
        if any(isinstance(one, StageEnded) and one.stage == END for one in stage.events):
            brakes.cancel()

    stage.clock.sleep = impatient  # type: ignore[method-assign]  # somebody presses Ctrl-C while it soaks
    result = stage.run(brakes=brakes)
    assert (result.run.state, stage.over(), result.codes[FailOn.NEVER]) == (RunState.CANCELLED, ["web1"], 2)
    assert waves(stage) == [(1, "began"), (1, "stopped")]
    stage.clock.sleep = sleep  # type: ignore[method-assign]  # and now nobody does
    before = stage.clock()
    assert stage.go_on().run.state is RunState.FINISHED
    second = next(one for one in stage.events if isinstance(one, StageBegan) and one.server == "web2")
    assert second.at - before == timedelta(seconds=595)


def test_a_wave_in_which_nobody_was_changed_has_nothing_to_soak() -> None:
    listed = changing_checklist(policy=policy(soak=600.0))
    stage = Stage(3, waves=[["web1"], ["web2"], ["web3"]], budget=1, listed=listed)
    stage.actors["web2"].level = 95
    assert stage.run().run.state is RunState.HELD
    assert stage.over() == ["web1", "web3"]


def test_a_canary_that_had_no_turn_speaks_for_nothing() -> None:
    stage = Stage(3, waves=[["web1"], ["web2"]], budget=2, fleet=grouped(1, web=["web1", "web3"]))
    stage.actors["web3"].deaf = True
    result = stage.run()
    assert result.run.reason == "held: nobody was changed in wave 1 or before it: nothing speaks for going on"
    assert stage.actors["web2"].patched == 0


# --- who says stop ----------------------------------------------------------------------------------------------------


def hold_when(stage: Stage, name: str, then: Any) -> None:
    """Something happens while a server is being changed."""
    act = stage.act

    def acting(deed: Any, server: Any) -> Any:
        then()
        return act(deed, server)

    stage.doer.script[name] = acting


def test_a_hold_that_is_lifted_at_once_does_not_let_the_next_wave_pass_a_half_done_one() -> None:
    stage = Stage(2, waves=[["web1"], ["web2"]])
    asked: list[int] = []
    brakes = Brakes(lambda now: HOLD if asked.append(1) or len(asked) == 6 else None, stage.clock)  # type: ignore[func-returns-value]  # it counts
    result = stage.run(brakes=brakes)
    assert result.run.state is RunState.HELD
    assert result.run.reason.startswith("held: changes are held by Ops")
    assert stage.actors["web2"].patched == 0
    assert stage.go_on().run.state is RunState.FINISHED
    assert [actor.patched for actor in stage.actors.values()] == [1, 1]
    assert [actor.told_to_reboot for actor in stage.actors.values()] == [1, 1]


def test_ctrl_c_lets_the_step_be_finished_and_begins_nothing_more() -> None:
    stage = Stage(3, budget=2, waves=[["web1", "web2"], ["web3"]], canary_budget=1)
    brakes = stage.brake()
    hold_when(stage, "web1", brakes.cancel)
    result = stage.run(brakes=brakes)
    assert result.run.state is RunState.CANCELLED
    assert [stage.actors[name].patched for name in ("web1", "web2", "web3")] == [1, 1, 0]
    assert not [one for one in stage.events if isinstance(one, StageBegan) and one.stage == "PT-510"]
    assert stage.cell("web1", "PT-510") == ("not_reached", "stopped before PT-510: the run was cancelled")
    assert stage.go_on().run.state is RunState.FINISHED
    assert [actor.patched for actor in stage.actors.values()] == [1, 1, 1]


def test_ctrl_c_in_the_very_last_step_leaves_nothing_to_be_cancelled() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE, policy=ChangePolicy(expected=EXPECTED)))
    brakes = stage.brake()
    command = stage.engine._said

    def said(actor: Any, check: str, text: str) -> Any:
        if check == "CHG-900" and actor.patched:
            brakes.cancel()
        return command(actor, check, text)

    stage.engine._said = said  # type: ignore[method-assign]  # it presses Ctrl-C at the last look
    assert stage.run(brakes=brakes).run.state is RunState.FINISHED


def test_ctrl_c_twice_says_what_is_in_the_middle_and_calls_nothing_failed() -> None:
    stage = Stage(2, budget=1)
    brakes = stage.brake()

    def twice() -> None:
        brakes.cancel()
        brakes.cancel()

    hold_when(stage, "web1", twice)
    stage.doer.script["web2"] = "hangs"
    result = stage.run(brakes=brakes)
    assert result.run.state is RunState.CANCELLED
    assert "web2: the run was stopped at once in the middle of PT-500" in result.run.reason
    assert stage.cell("web2", "PT-500")[0] == "unknown"
    assert not [one for one in stage.events if isinstance(one, StageEnded) and one.result is StageResult.FAILED]


def test_the_deadline_ends_it_like_a_hold() -> None:
    stage = Stage(3)
    result = stage.run(brakes=stage.brake(START + timedelta(seconds=40)))
    assert result.run.state is RunState.HELD
    assert "the run's deadline (2026-03-01 07:30 UTC) has passed" in result.run.reason
    assert stage.over() == []
    assert stage.actors["web1"].patched == 1
    assert stage.go_on(brakes=stage.brake()).run.state is RunState.FINISHED


# --- windows and clocks -----------------------------------------------------------------------------------------------

OPEN = Opening(START, START + timedelta(minutes=10))


def began_at(stage: Stage) -> list[datetime]:
    return [one.at for one in stage.events if isinstance(one, StageBegan) and one.stage == BEFORE]


def test_nobody_is_begun_whose_time_does_not_suffice() -> None:
    stage = Stage({f"web{n}": Actor(f"web{n}", seconds=120) for n in range(1, 9)}, window=OPEN, p95=180.0)
    result = stage.run()
    assert result.run.state is RunState.HELD
    assert "is closed, or too short for another server" in result.run.reason
    assert max(began_at(stage)) + timedelta(seconds=180) <= OPEN.end
    assert 1 < len(stage.over()) < 8


@given(
    at=st.integers(1, 590), by=st.sampled_from([-3600, 3600, -60, 60, -86_400, 86_400]), seconds=st.integers(30, 200)
)
@settings(max_examples=25)
def test_whoever_sets_the_clock_nothing_is_done_twice_or_outside_of_the_window(at: int, by: int, seconds: int) -> None:
    window = Opening(START - timedelta(hours=2), OPEN.end)
    stage = Stage({f"web{n}": Actor(f"web{n}", seconds=seconds) for n in range(1, 9)}, window=window, p95=180.0)
    stage.clock.jumps = {START + timedelta(seconds=at): timedelta(seconds=by)}
    really: list[float] = []
    for name in stage.actors:
        hold_when(stage, name, lambda: really.append(stage.clock.slept))
    result = stage.run()
    assert {actor.patched for actor in stage.actors.values()} <= {0, 1}
    assert {actor.told_to_reboot for actor in stage.actors.values()} <= {0, 1}
    unseen = seconds + 3  # how long nobody looks at the clock
    assert max(really, default=0) + 180 <= 600 + unseen  # by the only clock that nobody sets
    assert all(window.start <= one and one + timedelta(seconds=180) <= OPEN.end for one in began_at(stage))
    assert result.run.state in (RunState.FINISHED, RunState.HELD)
    for name in stage.actors:
        assert stage.record(name).cells
        assert not stage.journey(name).mid


def test_a_window_over_the_hour_that_comes_twice_is_as_long_as_it_is() -> None:
    autumn = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, and an hour later 02:30 again
    stage = Stage(
        {f"web{n}": Actor(f"web{n}", seconds=900) for n in range(1, 9)},
        window=Opening(autumn, autumn + timedelta(hours=1)),
        p95=900.0,
    )
    stage.clock.now = autumn
    stage.run()
    assert [actor.patched for actor in stage.actors.values()] == [1, 1, 1, 0, 0, 0, 0, 0]


def test_in_an_emergency_the_window_does_not_count_and_it_is_on_record() -> None:
    stage = Stage(2, window=Opening(START - timedelta(hours=2), START - timedelta(hours=1)))
    assert stage.run(emergency="a hole in TLS").run.state is RunState.FINISHED
    remarks = [one.message for one in stage.events if isinstance(one, Remarked)]
    assert remarks == ["EMERGENCY, by Erika: a hole in TLS"]
    assert isinstance(stage.events[0], RunPlanned)
    assert stage.events[0].emergency == "a hole in TLS"


def test_an_emergency_does_not_beat_a_hold() -> None:
    stage = Stage(1)
    stage.hold = HOLD
    assert stage.run(emergency="a hole in TLS").run.state is RunState.HELD
    assert stage.actors["web1"].patched == 0


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
ONCE = changing_checklist(NOT_TWICE, REBOOT, policy=policy(silence=SILENCE))


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
    for one in stage.events:
        if isinstance(one, StageEnded) and one.result is StageResult.OK:
            passed[one.server, one.stage] += 1
        if isinstance(one, StageBegan):
            assert not passed[one.server, one.stage], f"{one} passed already"
    assert set(passed.values()) == {1}
    for name, actor in stage.actors.items():
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
    assert moments > 40
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
