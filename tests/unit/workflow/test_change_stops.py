"""What stops a run that changes servers: a person, a hold, a deadline, a window; and clocks that somebody sets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.changes import ChangePolicy
from maintops.domain.journeys import BEFORE
from maintops.domain.runs import (
    Remarked,
    RunPlanned,
    RunState,
    StageBegan,
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.windows import Opening
from maintops.workflow.braking import Brakes
from tests.unit.workflow.change_stage import (
    EXPECTED,
    HOLD,
    UPDATE,
    Actor,
    Stage,
    changing_checklist,
    hold_when,
)
from tests.unit.workflow.samples import START

# --- who says stop ----------------------------------------------------------------------------------------------------


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
    stopped = [one.message for one in stage.events if isinstance(one, Waved) and one.state == "stopped"]
    assert stopped == ["held: the run was stopped at once"]  # and not that the budget was used up
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
    assert max(really, default=0) + 180 <= 600 + 3  # by the only clock that nobody sets, and with the look before
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
