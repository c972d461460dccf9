"""Servers that do not come back from their reboot are offered to a person, who may let them be waited for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from maintops.domain.changes import ChangePolicy, Reboot
from maintops.domain.checklists import Step
from maintops.domain.outcomes import Severity
from maintops.domain.plans import PlannedChange
from maintops.domain.runs import RunState, StageBegan, StageResult
from maintops.domain.servers import Server
from maintops.domain.steps import POWER_CYCLE, StepAnswer
from maintops.workflow.rescuing import rescue
from maintops.workflow.sites import Work
from tests.unit.workflow.change_stage import REBOOT, RUN, Crashed, Stage, changing_checklist
from tests.unit.workflow.samples import START

POLICY = ChangePolicy(expected=("kernel", "boot"))
ROUND = REBOOT.timeout


def stage_of(servers: int = 1, gone: Sequence[str] = ("web1",)) -> Stage:
    listed = changing_checklist(replace(REBOOT, reboot=Reboot.ALWAYS), policy=POLICY)
    stage = Stage(servers, listed=listed, budget=servers)
    for name in gone:
        stage.actors[name].returns = False
    return stage


def said(stage: Stage, server: str = "web1", **more: Any) -> StepAnswer:
    return StepAnswer(server, POWER_CYCLE, "Otto", stage.clock(), **more)


class Person:
    """Somebody at the terminal, who says one thing after the other, then goes. Whoever is power-cycled comes back."""

    def __init__(self, stage: Stage, *words: str | None, helps: bool = True) -> None:
        self.asked: list[tuple[str, Step]] = []
        self._stage, self._words, self._helps = stage, list(words), helps
        stage.ask = self

    def __call__(self, server: str, step: Step) -> StepAnswer | None:
        self.asked.append((server, step))
        self._stage.clock.sleep(3600)  # and thinks about it
        word = self._words.pop(0) if self._words else None
        if word is None:
            return None
        self._stage.actors[server].returns = self._helps and word in step.choices[:2]
        if word not in step.choices:
            return said(self._stage, server, skipped=word)
        return said(self._stage, server, choice=word)


def reboot_of(stage: Stage, name: str = "web1") -> tuple[StageResult, str]:
    one = stage.journey(name).ended["PT-510"]
    return one.result, one.message


def whole(stage: Stage, *offered: str) -> None:
    """Every planned check has one cell on every server, and the step has one where it was offered."""
    for name in stage.plan.names:
        ids = [one.check for one in stage.record(name).cells if one.check != POWER_CYCLE]
        assert sorted({*ids}) == sorted(stage.state.planned.checks)
        assert [one.check for one in stage.record(name).cells].count(POWER_CYCLE) == (name in offered)


@pytest.mark.parametrize("word", ["power-cycled", "came back"])
def test_who_was_helped_is_waited_for_once_more_and_the_change_goes_on(word: str) -> None:
    stage = stage_of()
    person = Person(stage, word)
    assert stage.run().run.state is RunState.FINISHED
    assert (len(person.asked), stage.actors["web1"].told_to_reboot, stage.actors["web1"].boots) == (1, 1, 2)
    assert reboot_of(stage) == (StageResult.OK, "rebooted, with the kernel 6.1")
    assert [one.choice for one in stage.events if isinstance(one, StepAnswer)] == [word]
    at = stage.state.steps["web1", POWER_CYCLE].at
    assert stage.cell("web1", POWER_CYCLE) == ("ok", f"Otto ({at:%Y-%m-%d %H:%M} UTC): {word}")
    (cell,) = [one for one in stage.record("web1").cells if one.check == POWER_CYCLE]
    assert (cell.facts["by"], cell.facts["choice"]) == ("Otto", word)
    whole(stage, "web1")
    assert stage.store.followups() == []


def test_what_is_asked_says_where_the_server_can_be_helped_and_no_secret() -> None:
    variables = {"maintops_bmc_address": "10.0.0.9", "maintops_bmc_password": "geheim"}
    step = rescue(Work(Server("web1", variables=variables), PlannedChange("web1"), "r1-0001", "ssh", START))
    assert step.title == "web1 is power-cycled through its management controller (10.0.0.9)"
    assert step.manual.startswith("Look at its console first")
    assert "ipmitool" in step.manual
    assert "at 10.0.0.9" in step.manual
    assert "geheim" not in str(step)
    stage = stage_of()
    person = Person(stage)
    stage.run()
    assert person.asked[0][1].title == "web1 is power-cycled on site or through its console"


def test_each_answer_is_good_for_one_more_wait() -> None:
    stage = stage_of()
    person = Person(stage, "power-cycled", "power-cycled", helps=False)
    result = stage.run()
    assert len(person.asked) == 3
    assert 3 * ROUND <= stage.clock.slept - 3 * 3600 <= 3 * ROUND + 40
    assert (result.run.state, reboot_of(stage)[0]) == (RunState.HELD, StageResult.UNREACHABLE)
    assert stage.actors["web1"].told_to_reboot == 1
    whole(stage, "web1")


@pytest.mark.parametrize(
    ("words", "told", "outcome", "message"),
    [
        (("given up",), " (Otto has given it up)", "skipped", "given up"),
        (("no key",), " (Otto has given it up: no key)", "skipped", "no key"),
        ((None,), "", "not_reached", "it waits for a person: maintops run continue r1 --by ENGINEER"),
        ((), "", "not_reached", "it waits for a person: maintops run continue r1 --by ENGINEER"),
    ],
    ids=["given up", "skipped", "goes on another time", "nobody is there"],
)
def test_who_is_not_helped_is_gone_and_the_follow_up_names_the_way(
    words: tuple[str | None, ...], told: str, outcome: str, message: str
) -> None:
    stage = stage_of(2)
    if words:
        Person(stage, *words)
    result = stage.run()
    got, why = reboot_of(stage)
    assert got is StageResult.UNREACHABLE
    assert why == (
        f"web1 did not come back within 10 min after its reboot{told}: look at its console, then power-cycle it on "
        "site or through its console; it stays drained; answer CHG-204 then: maintops run continue r1 --by ENGINEER "
        "at a terminal, or --answers FILE"
    )
    assert (result.run.state, result.run.reason, stage.over()) == (RunState.HELD, f"held: {why}", ["web2"])
    assert stage.clock.slept - 3600 * len(words) <= ROUND + 40, "nobody waited once more"
    (followup,) = stage.store.followups()
    assert "maintops run continue r1 --by ENGINEER" in followup.title
    (finding,) = [one for one in stage.store.findings() if one.check == "PT-510"]
    assert (finding.severity, finding.message) == (Severity.CRITICAL, why)
    shown = stage.cell("web1", POWER_CYCLE)
    assert (shown[0], shown[1].endswith(message)) == (outcome, True), shown
    whole(stage, "web1")


def test_one_of_several_is_helped() -> None:
    stage = stage_of(3, gone=("web1", "web2"))
    person = Person(stage, "given up", "power-cycled")
    stage.run()
    assert [name for name, _ in person.asked] == ["web1", "web2"]
    assert stage.over() == ["web2", "web3"]
    whole(stage, "web1", "web2")


def test_once_the_run_is_cancelled_nobody_is_asked() -> None:
    stage = stage_of(2, gone=("web1", "web2"))
    brakes = stage.brake()
    asked: list[str] = []

    def leaves(server: str, step: Step) -> None:
        asked.append(server)
        brakes.cancel()

    stage.ask = leaves
    assert stage.run(brakes=brakes).run.state is RunState.CANCELLED
    assert asked == ["web1"]
    assert {reboot_of(stage, name)[0] for name in ("web1", "web2")} == {StageResult.UNREACHABLE}


# --- going on ---------------------------------------------------------------------------------------------------------


def test_whoever_goes_on_is_asked_first_of_all_where_it_is_still_silent() -> None:
    stage = stage_of()
    stage.run()
    slept = stage.clock.slept
    person = Person(stage, "power-cycled")
    assert stage.go_on().run.state is RunState.FINISHED
    assert (len(person.asked), stage.actors["web1"].told_to_reboot) == (1, 1)
    assert stage.clock.slept - slept < 3600 + 60, "it was waited before anybody was asked"
    assert stage.cell("web1", POWER_CYCLE)[0] == "ok"
    whole(stage, "web1")


@pytest.mark.parametrize("word", [None, "given up"])
def test_whoever_goes_on_and_does_not_help_waits_for_nothing(word: str | None) -> None:
    stage = stage_of()
    stage.run()
    slept = stage.clock.slept
    Person(stage, word)
    assert stage.go_on().run.state is RunState.HELD
    assert stage.clock.slept - slept == 3600
    assert reboot_of(stage)[0] is StageResult.UNREACHABLE
    whole(stage, "web1")


def test_nobody_is_asked_of_a_server_that_came_back_meanwhile() -> None:
    stage = stage_of()
    stage.run()
    stage.actors["web1"].returns = True
    person = Person(stage)
    assert stage.go_on().run.state is RunState.FINISHED
    assert person.asked == []
    told = "nobody said anything; it was waited for once more"
    assert stage.cell("web1", POWER_CYCLE) == ("skipped", told)
    whole(stage, "web1")


def test_with_nobody_there_it_is_waited_for_once_more() -> None:
    stage = stage_of()
    stage.run()
    slept = stage.clock.slept
    assert stage.go_on().run.state is RunState.HELD
    assert ROUND <= stage.clock.slept - slept <= ROUND + 40
    assert stage.cell("web1", POWER_CYCLE)[0] == "not_reached"


def test_what_was_answered_before_the_last_wait_is_no_good_news_any_more() -> None:
    stage = stage_of()
    Person(stage, "power-cycled", helps=False)
    stage.run()
    told = "it waits for a person: maintops run continue r1 --by ENGINEER"
    outcome, message = stage.cell("web1", POWER_CYCLE)
    assert (outcome, message.endswith(told)) == ("not_reached", True), message
    stage.clock.sleep(60)
    stage.store.append(RUN, said(stage, choice="came back"))
    stage.actors["web1"].returns = True
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.cell("web1", POWER_CYCLE)[0] == "ok"


def test_an_answer_that_was_given_since_counts() -> None:
    stage = stage_of()
    stage.run()
    stage.clock.sleep(60)
    stage.store.append(RUN, said(stage, choice="power-cycled", note="it hung in GRUB"))
    stage.actors["web1"].returns = True
    assert stage.go_on().run.state is RunState.FINISHED
    outcome, message = stage.cell("web1", POWER_CYCLE)
    assert (outcome, message.endswith("power-cycled (it hung in GRUB)")) == ("ok", True)


def test_whoever_gives_it_up_in_a_file_lets_nobody_wait_nor_ask() -> None:
    stage = stage_of()
    stage.run()
    stage.clock.sleep(60)
    stage.store.append(RUN, said(stage, choice="given up"))
    person, slept = Person(stage), stage.clock.slept
    assert stage.go_on().run.state is RunState.HELD
    assert (person.asked, stage.clock.slept) == ([], slept)
    assert "(Otto has given it up)" in reboot_of(stage)[1]
    assert stage.cell("web1", POWER_CYCLE)[0] == "skipped"


def test_an_answer_about_an_earlier_wait_counts_no_more() -> None:
    stage = stage_of()
    Person(stage, "given up")
    stage.run()
    person = Person(stage, "power-cycled")
    assert stage.go_on().run.state is RunState.FINISHED
    assert len(person.asked) == 1


def crashes(then: Callable[[Stage], None]) -> None:
    """Dies before and behind every write of a run in which somebody helps, and goes on with it."""
    for behind in (False, True):
        number, dies = 0, True
        while dies:
            stage = stage_of()
            stage.store.error, stage.store.left, stage.store.behind = Crashed, number, behind
            Person(stage, "power-cycled", "power-cycled", "power-cycled")
            try:
                stage.run()
                dies = False
            except Crashed:
                stage.recover()
                assert stage.go_on().run.state is RunState.FINISHED
            then(stage)
            number += 1
        assert number > 8


def test_whenever_it_is_killed_the_server_boots_once_and_nothing_is_left_out() -> None:
    def check(stage: Stage) -> None:
        assert (stage.actors["web1"].told_to_reboot, stage.actors["web1"].boots) == (1, 2)
        whole(stage, *({"web1"} & {name for name, _ in stage.state.steps}))
        begun = [one for one in stage.events if isinstance(one, StageBegan) and one.stage == "PT-510"]
        assert len({one.facts["boot"] for one in begun}) == 1

    crashes(check)
