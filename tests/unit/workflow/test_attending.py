"""A person at the terminal thinks: the run gives signs of life meanwhile, and whoever stops it is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from maintops.domain.changes import ChangePolicy
from maintops.domain.checklists import Step
from maintops.domain.runs import Progressed, RunEnded, RunState, StageResult
from maintops.domain.steps import StepAnswer
from maintops.errors import Locked
from maintops.workflow.attending import meanwhile
from maintops.workflow.recovering import SILENCE
from tests.unit.workflow.change_stage import HOLD, RUN, Stage, changing_checklist
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
