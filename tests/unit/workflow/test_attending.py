"""A person at the terminal thinks: the run gives signs of life meanwhile, and whoever stops it is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from maintops.domain.changes import ChangePolicy, ChangeStep
from maintops.domain.checklists import Step
from maintops.domain.ports import Failure, FailureKind
from maintops.domain.runs import Progressed, RunEnded, RunState, StageBegan, StageResult
from maintops.domain.steps import StepAnswer
from maintops.domain.windows import Opening
from maintops.errors import Locked
from maintops.workflow.attending import meanwhile
from maintops.workflow.recovering import SILENCE
from tests.unit.workflow.change_stage import HOLD, REBOOT, RUN, UPDATE, Stage, changing_checklist
from tests.unit.workflow.change_stage import policy as drain_policy
from tests.unit.workflow.samples import OWNER, START

HAND = Step("PT-600", "Cables", manual="Look at the cables.")


def stage_of(servers: int = 1) -> Stage:
    policy = ChangePolicy(expected=("kernel", "boot"))
    return Stage(servers, listed=changing_checklist(HAND, policy=policy), budget=servers)


def thinks(
    stage: Stage, seconds: float, then: Callable[[float], None] = lambda at: None
) -> Callable[[str, Step], StepAnswer | None]:
    """Somebody who thinks for so long, and is looked after twice a second; `then` is told how long it has been."""

    def ask(server: str, step: Step) -> StepAnswer | None:
        thought = 0.0
        while thought < seconds:
            stage.clock.sleep(0.5)
            thought += 0.5
            then(thought)
            why = meanwhile()
            if why is not None:
                stage.stopped = (thought, why)  # type: ignore[attr-defined]  # for the test alone
                return None
        return StepAnswer(server, step.id, "Otto", stage.clock(), choice="done")

    stage.ask = ask
    return ask


def test_while_a_person_thinks_the_run_gives_signs_of_life() -> None:
    stage = stage_of()
    thinks(stage, 3600)
    assert stage.run().run.state is RunState.FINISHED
    times = [one.at for one in stage.events]
    assert max(after - before for before, after in pairwise(times)) < SILENCE
    signs = [one for one in stage.events if isinstance(one, Progressed)]
    assert 115 <= len(signs) <= 121
    assert {tuple(one.in_flight.items()) for one in signs} == {(("web1", "PT-600"),)}


@pytest.mark.parametrize("hours", [-1, 1])
def test_whoever_sets_the_clock_meanwhile_silences_nobody(hours: int) -> None:
    stage = stage_of()
    stage.clock.jumps = {START + timedelta(seconds=40): timedelta(hours=hours)}
    thinks(stage, 300)
    stage.run()
    assert 9 <= len([one for one in stage.events if isinstance(one, Progressed)]) <= 12


def test_a_cancelled_run_asks_nobody_any_more() -> None:
    stage = stage_of(2)
    brakes = stage.brake()
    thinks(stage, 3600, lambda at: brakes.cancel() if at == 101.5 else None)
    assert stage.run(brakes=brakes).run.state is RunState.CANCELLED
    assert stage.stopped == (101.5, "the run was cancelled")  # type: ignore[attr-defined]  # what it was told
    assert stage.journey("web1").ended["PT-600"].result is StageResult.WAITING
    assert "PT-600" not in stage.journey("web2").ended


def test_a_hold_and_a_deadline_end_the_asking_within_seconds() -> None:
    stage = stage_of()

    def held(at: float) -> None:
        stage.hold = HOLD if at >= 100 else None

    thinks(stage, 3600, held)
    assert stage.run().run.state is RunState.HELD
    assert stage.stopped[0] <= 105  # type: ignore[attr-defined]  # what it was told
    stage = stage_of()
    thinks(stage, 3600)
    assert stage.run(brakes=stage.brake(START + timedelta(seconds=100))).run.state is RunState.HELD
    assert stage.stopped[0] <= 105  # type: ignore[attr-defined]  # what it was told


def test_whose_run_was_ended_by_somebody_else_is_told_so_and_writes_nothing() -> None:
    stage = stage_of()

    def ends(at: float) -> None:
        if at == 50:
            stage.store.append(RUN, RunEnded(RunState.INTERRUPTED, "declared dead", stage.clock()))

    thinks(stage, 3600, ends)
    with pytest.raises(Locked, match="is not this process's any more"):
        stage.run()
    assert not [one for one in stage.events if isinstance(one, StepAnswer)]
    assert stage.clock.now < START + timedelta(seconds=90)
    assert stage.state.owner == replace(OWNER, pid=1)


# --- a window that closes meanwhile -----------------------------------------------------------------------------------

SHUT = "a person was asked, and the window is closed by now"
OPEN = Opening(START - timedelta(hours=2), START + timedelta(minutes=30))


def windowed(*steps: Step | ChangeStep, servers: int = 1, **more: Any) -> Stage:
    """Servers with a drain, and half an hour in which to change them."""
    listed = changing_checklist(*steps, policy=drain_policy())
    return Stage(servers, listed=listed, **{"window": OPEN, "budget": servers, **more})


def began(stage: Stage, name: str = "web1") -> list[str]:
    return [one.stage for one in stage.events if isinstance(one, StageBegan) and one.server == name]


@pytest.mark.parametrize("last", [UPDATE, REBOOT])
def test_no_step_is_begun_outside_the_window_because_a_person_took_hours(last: ChangeStep) -> None:
    stage = windowed(HAND, last)
    thinks(stage, 3600)
    result = stage.run()
    assert (result.run.state, result.run.reason) == (RunState.HELD, f"held: {SHUT}")
    assert began(stage) == ["before", "drain"]
    assert stage.cell("web1", "PT-600")[0] == "ok"
    assert stage.cell("web1", last.id) == ("not_reached", f"stopped before {last.id}: {SHUT}")
    stage.plan = replace(stage.plan, window=replace(OPEN, end=OPEN.end + timedelta(days=1)))
    assert stage.go_on().run.state is RunState.FINISHED
    assert last.id in began(stage)


def test_within_the_window_and_in_an_emergency_a_person_may_think() -> None:
    stage = windowed(HAND, UPDATE)
    thinks(stage, 600)
    assert stage.run().run.state is RunState.FINISHED
    stage = windowed(HAND, UPDATE)
    thinks(stage, 3600)
    assert stage.run(emergency="a hole in TLS").run.state is RunState.FINISHED


def test_a_clock_that_was_set_back_meanwhile_opens_no_window_again() -> None:
    stage = windowed(HAND, UPDATE)
    stage.clock.jumps = {START + timedelta(minutes=50): timedelta(hours=-1)}
    thinks(stage, 3600)
    assert stage.run().run.reason == f"held: {SHUT}"
    assert stage.actors["web1"].patched == 0


def test_where_nobody_was_asked_whoever_was_begun_is_finished() -> None:
    stage = windowed(UPDATE, REBOOT)
    stage.actors["web1"].seconds = 3600
    thinks(stage, 1)  # somebody is there
    assert stage.run().run.state is RunState.FINISHED
    assert stage.actors["web1"].told_to_reboot == 1


def test_an_earlier_batch_s_asking_keeps_nobody_from_being_finished() -> None:
    stage = windowed(UPDATE, REBOOT, HAND, servers=2, budget=0)
    thinks(stage, 1)
    stage.actors["web2"].seconds = 3600
    assert stage.run().run.state is RunState.FINISHED
    assert stage.actors["web2"].told_to_reboot == 1


def test_who_has_all_steps_behind_it_is_put_back_into_service_outside_the_window() -> None:
    stage = windowed(UPDATE, HAND)
    thinks(stage, 3600)
    assert stage.run().run.state is RunState.FINISHED
    assert not stage.actors["web1"].drained


def test_nobody_else_is_asked_once_the_window_is_closed() -> None:
    stage = windowed(HAND, servers=2)
    thinks(stage, 3600)
    result = stage.run()
    assert (result.run.state, result.run.reason) == (RunState.HELD, f"held: {SHUT}")
    assert [one.server for one in stage.events if isinstance(one, StepAnswer)] == ["web1"]
    assert stage.over() == ["web1"]
    assert stage.cell("web2", "PT-600") == ("not_reached", f"stopped before PT-600: {SHUT}")


def test_a_step_whose_outcome_a_person_had_to_look_for_is_not_begun_again_outside_the_window() -> None:
    once = replace(UPDATE, idempotent=False)
    stage = windowed(once)
    stage.doer.script["web1"] = Failure(FailureKind.BROKEN, "the connection died")
    stage.run()
    stage.doer.script["web1"] = stage.act

    def ask(server: str, step: Step) -> StepAnswer:
        stage.clock.sleep(3600)
        return StepAnswer(server, step.id, "Otto", stage.clock(), choice="not-done")

    stage.ask = ask
    stage.plan = replace(stage.plan, budget=1)
    assert stage.go_on().run.reason == f"held: {SHUT}"
    assert (stage.actors["web1"].patched, began(stage).count("PT-500")) == (0, 1)


def test_where_no_run_waits_there_is_nothing_to_do() -> None:
    assert meanwhile() is None
    stage = stage_of()
    thinks(stage, 1)
    stage.run()
    assert meanwhile() is None
    stage = stage_of()

    def breaks(server: str, step: Step) -> StepAnswer | None:
        raise KeyboardInterrupt

    stage.ask = breaks
    with pytest.raises(KeyboardInterrupt):
        stage.run()
    assert meanwhile() is None, "it still gives signs of life of a run that is over"
