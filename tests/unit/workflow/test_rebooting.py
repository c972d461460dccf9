"""Reboots: only where needed, never twice, and proven."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from maintops.domain.changes import ChangePolicy, Reboot
from maintops.domain.checklists import Step
from maintops.domain.placements import CONSOLE
from maintops.domain.ports import Commanded
from maintops.domain.runs import RunState, StageResult
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.domain.windows import Opening
from maintops.workflow.attending import attended
from maintops.workflow.changing import planned_event
from maintops.workflow.rebooting import reboot
from maintops.workflow.rescuing import GONE
from maintops.workflow.sites import Site
from tests.unit.script.framing import Told
from tests.unit.workflow.change_stage import REBOOT, Actor, Crashed, Stage, changing_checklist
from tests.unit.workflow.samples import START

POLICY = ChangePolicy(expected=("kernel", "boot"))


def stage_of(servers: int = 1, when: Reboot = Reboot.IF_NEEDED, policy: ChangePolicy = POLICY) -> Stage:
    return Stage(servers, listed=changing_checklist(replace(REBOOT, reboot=when), policy=policy), budget=servers)


def ended(stage: Stage, name: str = "web1") -> tuple[StageResult, str]:
    one = stage.journey(name).ended["PT-510"]
    return one.result, one.message


def answers(stage: Stage, **more: Any) -> None:
    """The servers answer some checks in another way."""
    said = stage.engine._said

    def saying(actor: Actor, check: str, text: str) -> Told:
        other = more.get(check.replace("-", "_"))
        return said(actor, check, text) if other is None else other(actor, said(actor, check, text))

    stage.engine._said = saying  # type: ignore[method-assign]  # servers of another kind


def old(told: Told) -> Told:
    """The answer of a server that has been up for more than a day."""
    return replace(told, stdout=told.stdout.replace(b'"uptime": ', b'"uptime": 9999'))


@pytest.mark.parametrize(
    ("when", "wants", "result", "times"),
    [
        (Reboot.IF_NEEDED, True, "ok", 1),
        (Reboot.IF_NEEDED, False, "skipped", 0),
        (Reboot.ALWAYS, False, "ok", 1),
        (Reboot.NEVER, True, "skipped", 0),
    ],
)
def test_a_server_is_rebooted_where_it_is_to_be(when: Reboot, wants: bool, result: str, times: int) -> None:
    stage = stage_of(when=when)
    stage.actors["web1"].wants_reboot = wants
    assert stage.run().run.state is RunState.FINISHED
    assert (ended(stage)[0].value, stage.actors["web1"].told_to_reboot) == (result, times)


def test_where_nobody_knows_whether_it_is_needed_nothing_is_rebooted() -> None:
    stage = stage_of()
    answers(stage, CHG_202=lambda actor, told: replace(told, stdout=b"{}"))
    stage.run()
    assert ended(stage) == (StageResult.UNKNOWN, "whether a reboot is needed is not known: it does not say")
    assert stage.actors["web1"].told_to_reboot == 0


def test_what_maintops_itself_needs_is_left_to_a_person() -> None:
    stage = stage_of()
    stage.plan = replace(
        stage.plan, servers=(replace(stage.plan.servers[0], protected="the database of maintops is on it"),)
    )
    assert stage.run().run.state is RunState.FINISHED
    assert stage.actors["web1"].told_to_reboot == 0
    told = "web1 needs a reboot, which a person does after the run: the database of maintops is on it"
    assert stage.cell("web1", "PT-510") == ("attention", told)


def consoles(stage: Stage, variables: Mapping[str, Any]) -> None:
    under = stage._under

    def with_consoles(more: Mapping[str, Any]) -> Any:
        found = under(more)
        return replace(found, everyone={name: Server(name, variables=variables) for name in stage.actors})

    stage._under = with_consoles  # type: ignore[method-assign]  # an inventory that says more


def test_nothing_is_rebooted_whose_console_does_not_answer() -> None:
    stage = stage_of()
    consoles(stage, {CONSOLE: "ask-console"})
    stage.commands.refuses.add("ask-console")
    stage.run()
    why = (
        f"not rebooted: its console does not answer ({CONSOLE}: exit status 1): nobody could help it if it did not "
        f"come back; try {CONSOLE} of web1 by hand, mend it, then: maintops run continue r1"
    )
    assert ended(stage) == (StageResult.FAILED, why)
    assert stage.actors["web1"].told_to_reboot == 0
    stage.commands.refuses.clear()
    assert stage.go_on().run.state is RunState.FINISHED


@pytest.mark.parametrize(
    ("status", "told"), [(2, f"({CONSOLE}: exit status 2)"), (None, f"({CONSOLE}: it did not end in time)")]
)
def test_a_console_that_does_not_answer_is_told_without_what_opens_it(status: int | None, told: str) -> None:
    stage = stage_of()
    line = "ask-console --password 'geheim"
    consoles(stage, {CONSOLE: line})
    said = Commanded(status, f'sh: 1: Syntax error: "{line}": Unterminated quoted string')
    stage.commands.command = lambda *given: said  # type: ignore[method-assign]  # a shell repeats the whole line
    stage.run()
    assert told in ended(stage)[1]
    assert "geheim" not in str(stage.events)
    assert "geheim" not in str(stage.record("web1"))


def test_where_a_console_is_required_none_is_a_reason_too() -> None:
    stage = stage_of(policy=replace(POLICY, console_required=True))
    stage.run()
    assert ended(stage)[1].startswith("not rebooted: neither a console (maintops_console) nor")


def test_a_server_that_never_returns_is_gone() -> None:
    stage = stage_of(2)
    stage.actors["web1"].returns = False
    result = stage.run()
    why = (
        "web1 did not come back within 10 min after its reboot: look at its console, then power-cycle it on site or "
        "through its console; it stays drained; answer CHG-204 then: maintops run continue r1 --by ENGINEER at a "
        "terminal, or --answers FILE"
    )
    assert ended(stage) == (StageResult.UNREACHABLE, why)
    assert (result.run.state, result.run.reason) == (RunState.HELD, f"held: {why}")
    assert stage.over() == ["web2"]  # it was in flight already
    assert 590 <= stage.clock.slept <= 640


def test_a_server_that_came_back_later_is_taken_as_rebooted_and_not_rebooted_again() -> None:
    stage = stage_of()
    stage.actors["web1"].returns = False
    stage.run()
    stage.actors["web1"].returns = True
    assert stage.go_on().run.state is RunState.FINISHED
    assert (stage.actors["web1"].told_to_reboot, stage.actors["web1"].boots) == (1, 2)


def test_what_was_told_is_told_again_where_it_was_lost_and_never_acts_on_another_boot() -> None:
    stage = stage_of()
    lost: list[int] = []
    said = stage.engine._said

    def loses(actor: Actor, check: str, text: str) -> Told:
        if check == "CHG-203" and not lost:
            lost.append(1)
            return Told(b"")
        return said(actor, check, text)

    stage.engine._said = loses  # type: ignore[method-assign]  # the first command is lost
    assert stage.run().run.state is RunState.FINISHED
    assert stage.actors["web1"].told_to_reboot == 1
    assert stage.clock.slept >= 60


@pytest.mark.parametrize(("hours", "boots"), [(1.0, 1), (4.0, 2)])
def test_whoever_still_runs_the_old_boot_when_the_window_has_closed_is_not_rebooted(hours: float, boots: int) -> None:
    stage = stage_of()
    stage.plan = replace(stage.plan, window=Opening(START, START + timedelta(hours=hours)))
    said = stage.engine._said

    def cut_off(actor: Actor, check: str, text: str) -> Told:
        if check == "CHG-203" and not stage.ask_times:  # type: ignore[attr-defined]  # below
            actor.deaf = True  # a network that is down: the command does not arrive
            return Told(b"")
        return said(actor, check, text)

    def comes_back(server: str, step: Step) -> StepAnswer:
        stage.ask_times += 1  # type: ignore[attr-defined]  # below
        stage.clock.sleep(3 * 3600)
        stage.actors[server].deaf = False
        return StepAnswer(server, step.id, "Otto", stage.clock(), choice="came back")

    stage.ask_times = 0  # type: ignore[attr-defined]  # counted for the test alone
    stage.ask, stage.engine._said = comes_back, cut_off  # type: ignore[method-assign]  # nobody hears it
    stage.run()
    actor = stage.actors["web1"]
    assert (actor.boots, actor.told_to_reboot) == (boots, boots - 1)
    result, why = ended(stage)
    if boots == 1:
        assert (result, "and is not told again outside the window" in why) == (StageResult.FAILED, True)
    else:
        assert result is StageResult.OK


@pytest.mark.parametrize(("hours", "told"), [(1.0, 0), (4.0, 1)])
def test_who_waits_beside_one_that_is_asked_about_is_not_rebooted_once_the_window_has_closed(
    hours: float, told: int
) -> None:
    stage = stage_of(2, when=Reboot.ALWAYS)
    stage.plan = replace(stage.plan, window=Opening(START, START + timedelta(hours=hours)))
    site = Site(stage._under({}), stage._staff(1, ()), stage.brake(), ())
    stage.store.begin(planned_event(stage._under({}), stage._staff(1, ())))
    place = next(one for one in site.under.stages if one.name == "PT-510")
    lost, fresh = site.work("web1"), site.work("web2")
    boot = {"boot": stage.actors["web1"].identity, "kernel": "6.1", "uptime": 1, "at": START.isoformat()}
    site.began(place.name, [lost], {"web1": boot})
    site.ended(lost, place.name, StageResult.UNREACHABLE, "gone", {"told": GONE})
    lost = site.work("web1")
    stage.actors["web1"].deaf = True

    def thinks(server: str, step: Step) -> StepAnswer:
        stage.clock.sleep(3 * 3600)
        stage.actors[server].deaf = False
        stage.actors[server].boots = 2  # somebody has power-cycled it
        stage.actors[server].booted = stage.clock.slept
        return StepAnswer(server, step.id, "Otto", stage.clock(), choice="power-cycled")

    stage.ask = thinks
    site.staff = attended(stage._staff(1, ()))
    reboot(site, place, [lost, fresh])
    assert site.journey("web1").ended[place.name].result is StageResult.OK
    assert (stage.actors["web1"].told_to_reboot, stage.actors["web2"].told_to_reboot) == (0, told)
    why = "" if told else "stopped before PT-510: a person was asked, and the window is closed by now"
    assert fresh.out == why


def test_a_server_that_does_not_go_down_has_failed() -> None:
    stage = stage_of()
    answers(stage, CHG_203=lambda actor, told: told)
    said = stage.engine._said
    stage.engine._said = lambda actor, check, text: (  # type: ignore[method-assign]  # nothing comes of it
        Told(b"") if check == "CHG-203" else said(actor, check, text)
    )
    stage.run()
    result, why = ended(stage)
    assert result is StageResult.FAILED
    assert why.startswith("web1 did not reboot within 10 min: it still runs what it ran before")


def test_a_server_that_goes_down_again_and_again_is_not_back() -> None:
    stage = stage_of()
    count: list[int] = []

    def looping(actor: Actor, told: Told) -> Told:
        if actor.boots < 2:
            return told
        count.append(1)
        identity = f"{actor.name}-boot{len(count)}x/{len(count)}".encode()
        return replace(told, stdout=told.stdout.replace(actor.identity.encode(), identity))

    answers(stage, CHG_201=looping)
    stage.run()
    result, why = ended(stage)
    assert result is StageResult.FAILED
    assert why.startswith("web1 was not back for good within 10 min")
    assert stage.clock.slept < 900


def test_another_boot_id_with_an_old_uptime_proves_nothing() -> None:
    stage = stage_of()
    answers(
        stage, CHG_201=lambda actor, told: replace(told, stdout=told.stdout.replace(b'"uptime": ', b'"uptime": 9999'))
    )
    stage.run()
    assert ended(stage)[0] is StageResult.FAILED


def test_a_container_s_boot_is_known_by_its_first_process() -> None:
    stage = stage_of()

    def container(actor: Actor, told: Told) -> Told:
        identity = f"machine/{actor.boots}".encode()
        return old(replace(told, stdout=told.stdout.replace(actor.identity.encode(), identity)))

    answers(stage, CHG_201=container)
    said = stage.engine._said

    def told_so(actor: Actor, check: str, text: str) -> Told:
        return said(actor, check, text.replace(f" machine/{actor.boots} ", f" {actor.identity} "))

    stage.engine._said = told_so  # type: ignore[method-assign]  # it knows itself by that identity
    assert stage.run().run.state is RunState.FINISHED


def test_the_wrong_kernel_fails() -> None:
    stage = stage_of()
    answers(stage, CHG_202=lambda actor, told: replace(told, stdout=told.stdout[:-1] + b', "newest_kernel": "6.2"}'))
    stage.run()
    assert ended(stage) == (StageResult.FAILED, "it came back with the kernel 6.1; 6.2 is installed")


@pytest.mark.parametrize("hours", [-1, 1])
def test_whoever_sets_the_clock_in_the_middle_it_is_waited_as_long(hours: int) -> None:
    stage = stage_of()
    stage.clock.jumps = {START + timedelta(seconds=6): timedelta(hours=hours)}
    assert stage.run().run.state is RunState.FINISHED
    assert ended(stage) == (StageResult.OK, "rebooted, with the kernel 6.1")
    stage = stage_of()
    stage.actors["web1"].returns = False
    stage.clock.jumps = {START + timedelta(seconds=6): timedelta(hours=hours)}
    stage.run()
    assert 400 <= stage.clock.slept <= 640


def test_stopped_at_once_it_is_not_known_whether_it_rebooted() -> None:
    stage = stage_of()
    brakes = stage.brake()
    sleep = stage.clock.sleep

    def twice(seconds: float) -> None:
        brakes.cancel()
        brakes.cancel()
        sleep(seconds)

    stage.clock.sleep = twice  # type: ignore[method-assign]  # Ctrl-C twice while it is away
    result = stage.run(brakes=brakes)
    assert result.run.state is RunState.CANCELLED
    assert ended(stage)[0] is StageResult.UNKNOWN
    stage.clock.sleep = sleep  # type: ignore[method-assign]  # and nobody does now
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.actors["web1"].told_to_reboot == 1


def test_killed_right_after_the_command_it_is_not_given_to_another_boot() -> None:
    stage = stage_of()
    stage.store.error = Crashed

    def dies(seconds: float) -> None:
        stage.clock.now += timedelta(seconds=seconds)
        stage.clock.slept += seconds
        raise Crashed

    sleep = stage.clock.sleep
    stage.clock.sleep = dies  # type: ignore[method-assign]  # killed while it is away
    with pytest.raises(Crashed):
        stage.run()
    stage.recover()
    stage.clock.sleep = sleep  # type: ignore[method-assign]  # and lives
    stage.clock.sleep(3600)
    assert stage.go_on().run.state is RunState.FINISHED
    assert (stage.actors["web1"].told_to_reboot, stage.actors["web1"].boots) == (1, 2)
