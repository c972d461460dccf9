"""A server's part of a change becomes its record: no cell is ever left out, whatever became of the server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maintops.domain.changes import ChangePolicy
from maintops.domain.checklists import Step
from maintops.domain.ports import Failure, FailureKind
from maintops.domain.runs import RunState, StageEnded
from tests.unit.workflow.change_stage import DRAIN, REBOOT, RUN, UPDATE, Stage, changing_checklist

HAND = Step("PT-600", "Cables", manual="Look.")
LISTED = changing_checklist(UPDATE, HAND, REBOOT, policy=ChangePolicy(drain=DRAIN, expected=("package:*",)))
IDS = ["HW-010", "CHG-120", "PT-500", "PT-600", "PT-510", "CHG-900", "CHG-800"]


def outcomes(stage: Stage, name: str = "web1") -> dict[str, str]:
    return {id: stage.cell(name, id)[0] for id in IDS}


def unreachable_after(stage: Stage) -> None:
    act = stage.act

    def acting(deed: Any, server: Any) -> Any:
        stage.actors[server.name].deaf = True
        return act(deed, server)

    stage.doer.script["web1"] = acting


def prepare(stage: Stage, what: str) -> None:
    actor = stage.actors["web1"]
    match what:
        case "deaf":
            actor.deaf = True
        case "first look":
            actor.level = 95
        case "hook":
            stage.commands.refuses.add("drain web1")
        case "step":
            actor.breaks = "no space"
        case "cut":
            stage.doer.script["web1"] = Failure(FailureKind.BROKEN, "the connection died")
        case "silent":
            unreachable_after(stage)


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("deaf", "unreachable not_reached not_reached not_reached not_reached not_reached not_reached"),
        ("first look", "attention not_reached not_reached not_reached not_reached not_reached not_reached"),
        ("hook", "ok failed not_reached not_reached not_reached not_reached not_reached"),
        ("step", "ok ok failed not_reached not_reached not_reached not_reached"),
        ("cut", "ok ok unknown not_reached not_reached not_reached not_reached"),
        ("silent", "ok ok failed not_reached not_reached not_reached not_reached"),
        ("waits", "ok ok ok not_reached not_reached not_reached not_reached"),
    ],
)
def test_every_planned_cell_is_there_and_says_what_became_of_it(what: str, expected: str) -> None:
    stage = Stage(1, listed=LISTED)
    prepare(stage, what)
    stage.run()
    assert outcomes(stage) == dict(zip(IDS, expected.split(), strict=True))
    assert list(stage.state.planned.checks) == IDS
    blank = [one for one in stage.record("web1").cells if one.outcome.value != "ok" and not one.message]
    assert blank == []


def test_a_server_that_is_silent_at_the_last_look_is_not_told_of_as_it_was_before() -> None:
    listed = changing_checklist(replace(UPDATE, postcheck=()), policy=ChangePolicy(expected=("package:*",)))
    stage = Stage(1, listed=listed)
    unreachable_after(stage)
    stage.run()
    assert [stage.cell("web1", id)[0] for id in ("HW-010", "PT-500", "CHG-900")] == ["unreachable", "ok", "unreachable"]


def test_an_unexpected_difference_is_a_finding_with_a_follow_up() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE, policy=ChangePolicy()))
    act = stage.act

    def stops(deed: Any, server: Any) -> Any:
        stage.actors[server.name].services = ()
        return act(deed, server)

    stage.doer.script["web1"] = stops
    result = stage.run()
    assert result.run.state is RunState.HELD
    outcome, why = stage.cell("web1", "CHG-900")
    assert (outcome, "app" in why) == ("attention", True)
    assert [one.title for one in stage.store.followups() if one.title.startswith("Repair: ")]


def test_who_goes_on_writes_a_further_part_and_what_was_written_stays() -> None:
    stage = Stage(1, listed=changing_checklist(UPDATE))
    stage.actors["web1"].breaks = "no space"
    stage.run()
    first = stage.store.record(f"{RUN}-0001")
    stage.actors["web1"].breaks = ""
    assert stage.go_on().run.state is RunState.FINISHED
    parts = list(stage.store.records(run=RUN))
    assert [one.id for one in parts] == [f"{RUN}-0001", f"{RUN}-0001.2"]
    assert parts[0] == first
    assert stage.cell("web1", "PT-500") == ("ok", "")
    assert [one for one in stage.store.findings() if one.check == "PT-500"] == []


def test_one_that_had_no_turn_is_named_once_and_keeps_its_record() -> None:
    stage = Stage(2, waves=[["web1"], ["web2"]])
    stage.actors["web1"].breaks = "no space"
    stage.run()
    stage.go_on()
    assert [one.id for one in stage.store.records(run=RUN)].count(f"{RUN}-0002") == 1
    assert len([one for one in stage.store.records(run=RUN) if one.server == "web2"]) == 1


def test_what_has_nothing_to_undo_is_skipped_also_by_whoever_goes_on() -> None:
    stage = Stage(2, budget=1, waves=[["web1"], ["web2"]])
    stage.actors["web1"].breaks = "no"
    skipped = {"web2": frozenset({"PT-500"})}
    stage.store.error = KeyboardInterrupt
    stage.store.left = 0  # killed before anything was written but the plan
    with pytest.raises(KeyboardInterrupt):
        stage.run(skipped=skipped)
    stage.recover()
    stage.actors["web1"].breaks = ""
    assert stage.go_on(skipped=skipped).run.state is RunState.FINISHED
    assert [actor.patched for actor in stage.actors.values()] == [1, 0]
    ended = [one for one in stage.events if isinstance(one, StageEnded) and one.stage == "PT-500"]
    assert [(one.server, one.result.value) for one in ended] == [("web2", "skipped"), ("web1", "ok")]
