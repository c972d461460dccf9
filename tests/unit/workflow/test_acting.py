"""Steps that act, and steps by hand, on servers where they were begun before or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from maintops.domain.changes import Action, ChangePolicy, Packages
from maintops.domain.checklists import FollowUpTemplate, Rule, Step, StepReading
from maintops.domain.outcomes import Severity
from maintops.domain.plans import Update
from maintops.domain.ports import Done, Failure, FailureKind, Pulse
from maintops.domain.runs import Progressed, RunState, StageBegan, StageEnded, StageResult
from maintops.domain.steps import StepAnswer
from maintops.errors import StoreError
from tests.unit.workflow.change_stage import DRAIN, UPDATE, Actor, Crashed, Stage, changing_checklist
from tests.unit.workflow.samples import START

POLICY = ChangePolicy(expected=("package:*", "kernel", "boot"))
SECOND = replace(UPDATE, id="PT-520", title="Second", precheck=("HW-010",), postcheck=())


def stage_of(*steps: Any, servers: int = 1, **more: Any) -> Stage:
    return Stage(servers, listed=changing_checklist(*steps, policy=POLICY), budget=servers, **more)


def fails(kind: FailureKind, *, blind: bool = False) -> Failure:
    return Failure(kind, "it says why", blind)


@pytest.mark.parametrize(
    ("failure", "result", "outcome"),
    [
        (fails(FailureKind.UNUSABLE), StageResult.FAILED, "failed"),
        (fails(FailureKind.OVERFLOW), StageResult.FAILED, "failed"),
        (fails(FailureKind.UNREACHABLE), StageResult.UNREACHABLE, "unreachable"),
        (fails(FailureKind.UNREACHABLE, blind=True), StageResult.UNKNOWN, "unknown"),
        (fails(FailureKind.BROKEN), StageResult.UNKNOWN, "unknown"),
        (fails(FailureKind.OVERTIME), StageResult.UNKNOWN, "unknown"),
        (fails(FailureKind.STOPPED), StageResult.UNKNOWN, "unknown"),
    ],
)
def test_what_became_of_a_deed_is_told_as_it_is_known(failure: Failure, result: StageResult, outcome: str) -> None:
    stage = stage_of(UPDATE)
    stage.doer.script["web1"] = failure
    stage.run()
    assert stage.journey("web1").ended["PT-500"].result is result
    assert stage.cell("web1", "PT-500") == (outcome, "it says why")
    assert stage.state.state is RunState.HELD


class Silent:
    """A doer that says nothing of a server."""

    def do(self, deed: Any, servers: Any, **more: Any) -> Iterator[Done | Pulse]:
        yield from [Done(one.name) for one in servers[1:]]


def test_a_server_of_which_nothing_is_said_is_unknown() -> None:
    stage = stage_of(UPDATE, servers=2)
    stage.doer = Silent()  # type: ignore[assignment]  # it has no script
    stage.run()
    assert stage.journey("web1").ended["PT-500"].result is StageResult.UNKNOWN
    assert stage.over() == ["web2"]


class Endless:
    """A doer that notices when nobody listens any more."""

    def __init__(self) -> None:
        self.closed = False

    def do(self, deed: Any, servers: Any, **more: Any) -> Iterator[Done | Pulse]:
        try:
            for one in servers:
                yield Pulse({one.name: ""})
                yield Done(one.name)
        finally:
            self.closed = True


@pytest.mark.parametrize("error", [StoreError, Crashed])
def test_nothing_goes_on_on_the_servers_when_what_comes_cannot_be_written_down(error: type[BaseException]) -> None:
    stage = stage_of(UPDATE, servers=2)
    stage.doer = doer = Endless()  # type: ignore[assignment]  # it has no script
    stage.store.error = error
    stage.store.left = 5  # in the middle of the step
    with pytest.raises(error) as caught:
        stage.run()
    assert doer.closed
    assert caught.tb  # it was not forgotten, and closed by that


def test_a_pulse_is_a_sign_of_life_after_a_while() -> None:
    stage = stage_of(UPDATE)

    def slow(deed: Any, servers: Any, **more: Any) -> Iterator[Done | Pulse]:
        stage.clock.sleep(60)
        yield Pulse({"web1": ""})
        stage.clock.now -= timedelta(hours=1)  # somebody sets the clock
        yield Pulse({"web1": ""})
        yield Done("web1")

    stage.doer.do = slow  # type: ignore[method-assign]  # it takes its time
    stage.run()
    signs = [dict(one.in_flight) for one in stage.events if isinstance(one, Progressed)]
    assert signs == [{"web1": "PT-500"}] * 2


# --- what is handed over ----------------------------------------------------------------------------------------------


def test_parameters_of_the_checklist_are_filled_in_for_each_server() -> None:
    action = Action(role="patch", parameters={"level": {"from": "level"}, "fixed": 1}, become=True, timeout=5)
    stage = stage_of(replace(UPDATE, act=action), servers=2)
    stage.listed = replace(stage.listed, parameters={"level": "low"})
    first, second = stage.plan.servers
    stage.plan = replace(stage.plan, servers=(replace(first, values={"level": "high"}), second))
    stage.run()
    ((deed, names),) = stage.doer.calls
    assert (deed.role, deed.folder, deed.become, names) == ("patch", "/srv", True, ("web1", "web2"))
    assert deed.own == {"web1": {"level": "high", "fixed": 1}, "web2": {"level": "low", "fixed": 1}}
    assert deed.variables == {"maintops_run": "r1"}


def test_pinned_versions_and_those_of_before_are_handed_over() -> None:
    stage = stage_of(UPDATE)
    update = Update("libc6:i386", "1", "2.i386", "i386")
    stage.plan = replace(
        stage.plan, packages=Packages.PINNED, servers=(replace(stage.plan.servers[0], updates=(update,)),)
    )
    stage.run()
    assert stage.doer.calls[0][0].variables["maintops_pinned"] == {
        "web1": [{"name": "libc6", "version": "2", "arch": "i386"}]
    }
    stage = stage_of(UPDATE)
    stage.run(before={"web1": {"app": "1.0", "new": None}})
    assert stage.doer.calls[0][0].variables["maintops_before"] == {"web1": {"app": "1.0", "new": None}}


# --- once only --------------------------------------------------------------------------------------------------------

ONCE = replace(UPDATE, idempotent=False)


def broken_off(step: Any, failure: Failure | None) -> Stage:
    """A stage whose first process ended in the step: by a failure, or killed where there is none."""
    stage = stage_of(step)
    if failure is not None:
        stage.doer.script["web1"] = failure
        stage.run()
    else:
        act = stage.act

        def dies(deed: Any, server: Any) -> Any:
            act(deed, server)
            raise Crashed

        stage.doer.script["web1"] = dies
        stage.store.error = Crashed
        with pytest.raises(Crashed):
            stage.run()
    stage.doer.script["web1"] = stage.act
    return stage


def test_a_step_that_may_not_be_repeated_is_looked_for_first() -> None:
    stage = broken_off(replace(ONCE, done="test -e /done"), None)
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.actors["web1"].patched == 1
    assert stage.journey("web1").ended["PT-500"].message == "found done"


def test_without_a_way_to_know_it_is_left_to_a_person() -> None:
    stage = broken_off(ONCE, None)
    result = stage.go_on()
    assert (result.run.state, stage.actors["web1"].patched) == (RunState.HELD, 1)
    outcome, why = stage.cell("web1", "PT-500")
    assert outcome == "unknown"
    assert "may not be repeated" in why
    assert "look at web1, then answer done or not-done" in why


@pytest.mark.parametrize(("choice", "patched"), [("done", 1), ("not-done", 2)])
def test_whoever_has_looked_is_believed(choice: str, patched: int) -> None:
    stage = broken_off(ONCE, None)
    stage.recover()
    stage.clock.sleep(60)
    stage.store.append(stage.state.id, StepAnswer("web1", "PT-500", "ann", stage.clock(), choice=choice))
    result = stage.go_on()
    assert (result.run.state, stage.actors["web1"].patched) == (RunState.FINISHED, patched)


def test_an_answer_about_an_earlier_attempt_counts_no_more() -> None:
    stage = broken_off(ONCE, None)
    stage.recover()
    long_ago = StepAnswer("web1", "PT-500", "ann", stage.clock() - timedelta(days=1), choice="not-done")
    stage.store.append(stage.state.id, long_ago)
    assert stage.go_on().run.state is RunState.HELD
    assert stage.actors["web1"].patched == 1


def test_a_done_that_says_neither_leaves_it_unknown() -> None:
    stage = broken_off(replace(ONCE, done="exit 3"), None)
    said = stage.engine._said

    def confused(actor: Actor, check: str, text: str) -> Any:
        told = said(actor, check, text)
        return replace(told, status=3) if check == "CHG-101" else told

    stage.engine._said = confused  # type: ignore[method-assign]  # the command ends in another way
    stage.go_on()
    assert stage.cell("web1", "PT-500") == ("unknown", "whether PT-500 was done cannot be found out: exit status 3")
    assert stage.actors["web1"].patched == 1


def test_where_nothing_can_have_been_begun_it_is_simply_begun() -> None:
    stage = broken_off(ONCE, fails(FailureKind.UNREACHABLE))
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.actors["web1"].patched == 1


# --- prechecks and postchecks -----------------------------------------------------------------------------------------


def fill_up(stage: Stage, level: int = 95) -> None:
    act = stage.act

    def acting(deed: Any, server: Any) -> Any:
        stage.actors[server.name].level = level
        return act(deed, server)

    stage.doer.script["web1"] = acting


def test_a_later_step_s_precheck_is_asked_right_before_it() -> None:
    stage = stage_of(replace(UPDATE, postcheck=()), SECOND)
    fill_up(stage)
    stage.run()
    outcome, why = stage.cell("web1", "PT-520")
    assert (outcome, why.startswith("PT-520 was not begun: HW-010: sda is at 95")) == ("failed", True)
    assert len(stage.doer.calls) == 1


def test_a_postcheck_in_the_middle_fails_the_step_it_belongs_to() -> None:
    stage = stage_of(UPDATE, SECOND)
    fill_up(stage)
    stage.run()
    outcome, why = stage.cell("web1", "PT-500")
    assert outcome == "failed"
    assert why.startswith("after PT-500: HW-010: sda is at 95")
    assert len(stage.doer.calls) == 1


def test_a_step_that_was_begun_is_not_kept_from_its_end_by_its_own_traces() -> None:
    stage = broken_off(SECOND, None)
    stage.actors["web1"].level = 95  # what half of it left behind
    stage.listed = changing_checklist(replace(SECOND, precheck=("HW-010",)), policy=POLICY)
    stage.go_on()
    assert stage.actors["web1"].patched == 2


def test_the_first_step_s_precheck_is_asked_again_when_its_look_is_an_earlier_process_s() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE, policy=replace(POLICY, drain=DRAIN)))
    brakes = stage.brake()
    command = stage.commands.command

    def stops(text: str, *more: Any) -> Any:
        brakes.cancel()
        return command(text, *more)

    stage.commands.command = stops  # type: ignore[method-assign]  # Ctrl-C while it is drained
    stage.run(brakes=brakes)
    assert stage.journey("web1").passed("drain")
    stage.commands.command = command  # type: ignore[method-assign]  # as it was
    stage.actors["web1"].level = 95
    stage.go_on()
    assert stage.actors["web1"].patched == 0
    assert stage.cell("web1", "PT-500")[1].startswith("PT-500 was not begun: HW-010: sda is at 95")


# --- by hand ----------------------------------------------------------------------------------------------------------

HAND = Step(
    "PT-600",
    "Cables",
    manual="Look at the cables.",
    rules=(Rule("reading > 5", Severity.CRITICAL, "{{ reading }} cables hang loose", FollowUpTemplate("Mend", "hw")),),
    reading=StepReading("cables"),
    precheck=("HW-010",),
)


def answer(at: datetime = START, **more: Any) -> StepAnswer:
    return StepAnswer("web1", "PT-600", by="Otto", at=at, **more)


def test_a_step_by_hand_waits_for_a_person_and_names_the_way() -> None:
    stage = stage_of(UPDATE, HAND)
    result = stage.run()
    assert (result.run.state, result.waiting) == (RunState.HELD, 1)
    assert stage.cell("web1", "PT-600") == (
        "not_reached",
        "PT-600 waits for a person: maintops run continue r1 --by ENGINEER",
    )
    stage.store.append("r1", answer(reading=1.0))
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.cell("web1", "PT-600")[0] == "ok"
    assert stage.actors["web1"].patched == 1


def test_who_still_waits_is_not_touched_again() -> None:
    stage = stage_of(UPDATE, HAND)
    stage.run()
    before = len(stage.engine.asked)
    assert stage.go_on().run.state is RunState.HELD
    assert len(stage.engine.asked) == before


def test_a_wave_that_waits_for_a_person_lets_none_pass() -> None:
    stage = stage_of(UPDATE, HAND, servers=2, waves=[["web1"], ["web2"]])
    result = stage.run()
    assert result.run.reason == "held: of wave 1 web1 must be finished first, which wait for a person"
    assert stage.actors["web2"].patched == 0


def test_an_answer_that_fails_the_step_is_asked_for_again() -> None:
    stage = stage_of(HAND)
    asked: list[float] = []
    readings = iter([9.0, 0.0])

    def ask(server: str, step: Step) -> StepAnswer:
        asked.append(next(readings))
        return answer(stage.clock(), reading=asked[-1])

    stage.ask = ask
    stage.run()
    assert stage.journey("web1").ended["PT-600"].result is StageResult.FAILED
    assert stage.cell("web1", "PT-600") == ("attention", "9 cables hang loose")
    stage.clock.sleep(60)
    assert stage.go_on().run.state is RunState.FINISHED
    assert asked == [9.0, 0.0]


def test_a_step_that_is_skipped_by_hand_is_skipped() -> None:
    stage = stage_of(HAND)
    stage.ask = lambda server, step: answer(skipped="no cables here")
    assert stage.run().run.state is RunState.FINISHED
    assert stage.cell("web1", "PT-600")[0] == "skipped"


def test_nobody_is_asked_any_more_once_the_run_was_cancelled() -> None:
    stage = Stage(2, listed=changing_checklist(HAND, policy=POLICY), budget=1)
    brakes = stage.brake()
    asked: list[str] = []

    def ask(server: str, step: Step) -> StepAnswer | None:
        asked.append(server)
        brakes.cancel()
        return None

    stage.ask = ask
    assert stage.run(brakes=brakes).run.state is RunState.CANCELLED
    assert asked == ["web1"]
    ended = [one for one in stage.events if isinstance(one, StageEnded) and one.stage == "PT-600"]
    assert [(one.server, one.result) for one in ended] == [("web1", StageResult.WAITING)]
    assert not [one for one in stage.events if isinstance(one, StageBegan) and one.stage == "PT-600"]


def test_a_step_by_hand_has_prechecks_too() -> None:
    stage = stage_of(replace(UPDATE, postcheck=()), HAND)
    stage.ask = lambda server, step: answer(reading=0.0)
    fill_up(stage)
    stage.run()
    assert stage.cell("web1", "PT-600")[0] == "failed"
    assert stage.cell("web1", "PT-600")[1].startswith("PT-600 was not begun: HW-010: sda is at 95")
    assert not [one for one in stage.events if isinstance(one, StepAnswer)]
