"""A run that changes servers: wave by wave, within its limits, as long as nothing goes wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from maintops.domain.journeys import END
from maintops.domain.outcomes import FailOn
from maintops.domain.placements import Fleet
from maintops.domain.plans import PlannedChange
from maintops.domain.runs import (
    RunState,
    ServerAnswered,
    StageBegan,
    StageEnded,
)
from maintops.workflow.changing import carry_out_change
from maintops.workflow.running import RunResult
from tests.unit.workflow.change_stage import (
    RUN,
    UPDATE,
    Actor,
    Crashed,
    Stage,
    changing_checklist,
    grouped,
    policy,
    waves,
)


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
    assert stage.cell("web1", "PT-500")[1] == (
        "of the group web 1 of 2 may be missing at a time: out, web1; "
        "out does not answer (no connection): see that it is well, then: maintops run continue r1"
    )
    assert stage.actors["web1"].patched == 0


def test_a_group_that_misses_too_many_names_those_that_it_misses_and_what_to_do() -> None:
    silent = [f"out{number}" for number in range(1, 7)]
    names = ["web1", "web2", *silent]
    stage = Stage({name: Actor(name) for name in names}, waves=[["web1"], ["web2"]], budget=1, canary_budget=1)
    stage.plan = replace(stage.plan, waves=(("web1", "web3"), ("web2",)), fleet=grouped(1, web=["web1", "web2"]))
    stage.actors["web3"] = Actor("web3")
    stage.actors["web1"].breaks = "no"
    stage.run()
    assert stage.cell("web2", "PT-500")[1] == (
        "of the group web 1 of 2 may be missing at a time: web1, web2; "
        "web1 is not finished: see that it is well, then: maintops run continue r1"
    )
    stage = Stage({name: Actor(name, deaf=name in silent) for name in names}, waves=[["web1", "web2"]])
    stage.plan = replace(stage.plan, fleet=grouped(5, web=names))
    stage.run()
    told = stage.cell("web1", "PT-500")[1]
    assert told.startswith("of the group web 5 of 8 may be missing at a time: out1, out2, out3,")
    assert told.endswith(
        "out5 does not answer (no connection) and 1 more: see that they are well, then: maintops run continue r1"
    )


def test_who_was_down_and_is_changed_to_the_end_is_missing_no_more() -> None:
    stage = Stage(2, fleet=grouped(1, web=["web1", "web2"]))
    reply = stage.engine._reply

    def asleep(actor: Actor, script: Any) -> Any:
        actor.deaf = actor.name == "web1" and not stage.events[1:-1]  # for the very first question
        return reply(actor, script)

    stage.engine._reply = asleep  # type: ignore[method-assign]  # web1 wakes up meanwhile
    assert stage.run().run.state is RunState.FINISHED
    assert [actor.patched for actor in stage.actors.values()] == [1, 1]


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


def left_drained(group: dict[str, Any] | None = None) -> Stage:
    """A run that has left web2 drained; `group` may miss one of its servers."""
    stage = Stage(3, waves=[["web2"]], listed=changing_checklist(UPDATE), fleet=grouped(1, **(group or PAIR)))
    stage.actors["web2"].breaks = "no space"
    stage.run()
    assert stage.actors["web2"].drained
    return stage


PAIR: dict[str, Any] = {"web": ["web1", "web2"]}


def another_run(stage: Stage, *turns: str, of: str = "") -> RunResult:
    """Another plan is carried out, one server after the other."""
    planned = tuple(PlannedChange(name) for name in turns)
    stage.plan = replace(stage.plan, id="p2", servers=planned, waves=(turns,), of=of)
    records = {name: f"r2-{number:04}" for number, name in enumerate(turns, 1)}
    under = replace(stage._under({}), run="r2", records=records)
    return carry_out_change(under, stage._staff(3, ()), stage.brake())


def test_whom_another_run_has_left_drained_is_missing_though_it_answers() -> None:
    stage = left_drained()
    result = another_run(stage, "web1")
    assert (result.run.state, stage.actors["web1"].patched) == (RunState.HELD, 0)
    (record,) = stage.store.records(run="r2")
    told = next(one.message for one in record.cells if one.check == "PT-500")
    assert told == (
        "of the group web 1 of 2 may be missing at a time: web1, web2; web2 is still drained by the run r1 "
        "(maintops obligations): see that it is well, then: maintops run continue r2"
    )


def test_who_is_drained_in_another_group_is_in_nobody_s_way() -> None:
    stage = left_drained({"web": ["web1", "web3"], "db": ["web2"]})
    assert another_run(stage, "web1").run.state is RunState.FINISHED


def test_whom_another_run_has_left_drained_is_changed_first_and_in_service_then() -> None:
    stage = left_drained()
    stage.actors["web2"].breaks = ""
    stage.actors["web1"].seconds = stage.actors["web2"].seconds = 400  # long enough to be asked again
    assert another_run(stage, "web1", "web2").run.state is RunState.FINISHED
    assert [names for _, names in stage.doer.calls[1:]] == [("web2",), ("web1",)]


def test_what_the_run_owes_that_is_taken_back_is_in_nobody_s_way() -> None:
    stage = left_drained()
    assert another_run(stage, "web1", of=RUN).run.state is RunState.FINISHED


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
    assert result.run.reason == "held: the gate after wave 1 says no: exit status 1: it says no"
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
