"""Hooks around a change: what is owed stands in the journal before it is, and is paid once the server is well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.changes import ChangePolicy, Hook
from maintops.domain.runs import Owed, RunState, Settled, StageBegan, StageEnded, StageResult
from maintops.workflow.hooking import clipped, how, last_words
from tests.unit.workflow.change_stage import DRAIN, RUN, SILENCE, UPDATE, Stage, changing_checklist

SNAPSHOT = Hook("snapshot", undo="delete-snapshot")


def stage_of(servers: int = 2, **hooks: Any) -> Stage:
    policy = ChangePolicy(expected=("package:*",), **hooks)
    return Stage(servers, listed=changing_checklist(UPDATE, policy=policy), budget=servers)


def test_hooks_are_begun_in_order_and_taken_back_the_other_way_round() -> None:
    stage = stage_of(1, silence=SILENCE, drain=DRAIN, snapshot=SNAPSHOT)
    assert stage.run().run.state is RunState.FINISHED
    given = [text for text, _ in stage.commands.given]
    assert given == ["silence", "drain", "is-drained", "snapshot", "delete-snapshot", "undrain", "unsilence"]
    assert stage.commands.given[0][1] == {
        "MAINTOPS_SERVER": "web1",
        "MAINTOPS_RUN": RUN,
        "MAINTOPS_DUTY": "silence",
    }


def test_a_duty_is_written_down_before_what_makes_it_owed() -> None:
    stage = stage_of(1, drain=DRAIN)
    owed_then: list[int] = []
    command = stage.commands.command

    def heard(text: str, *more: Any) -> Any:
        if text == "drain":
            owed_then.append(len(stage.store.owed()))
        return command(text, *more)

    stage.commands.command = heard  # type: ignore[method-assign]  # it only listens
    stage.run()
    assert owed_then == [1]
    assert stage.store.owed() == []


def test_paid_and_over_are_written_at_once() -> None:
    stage = stage_of(1, drain=DRAIN)
    kept: list[tuple[type, ...]] = []
    append = stage.store._write

    def counting(do: Any) -> Any:
        before = len(stage.events)
        found = append(do)
        kept.append(tuple(type(one) for one in stage.events[before:]))
        return found

    stage.store._write = counting  # type: ignore[method-assign]  # it only counts
    stage.run()
    assert (Settled, StageEnded) in kept


OWED = (
    "undrain is owed (maintops obligations); find out why on web1, then go on: maintops run continue r1, or leave it "
    "as it is and pay what is owed: maintops obligations --settle -l web1"
)


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ("drain web1", "drain: exit status 1: it says no"),
        ("is-drained web1", "drain: it did not take effect, says `is-drained`: exit status 1: it says no"),
    ],
)
def test_a_server_that_is_not_drained_is_not_changed_and_owes_what_was_begun(refused: str, told: str) -> None:
    stage = stage_of(2, drain=DRAIN)
    stage.commands.refuses.add(refused)
    stage.run()
    assert [stage.actors[name].patched for name in ("web1", "web2")] == [0, 1]
    assert stage.cell("web1", "CHG-120") == ("failed", f"{told}; {OWED}")
    assert [one.server for _, one in stage.store.owed()] == ["web1"]
    assert "still owed: undrain (maintops obligations)" in stage.record("web1").notes


def test_a_hook_that_owes_nothing_sends_nobody_to_pay() -> None:
    stage = stage_of(2, silence=Hook("silence"))
    stage.commands.refuses.add("silence web1")
    stage.run()
    told = "silence: exit status 1: it says no; find out why on web1, then go on: maintops run continue r1"
    assert stage.cell("web1", "CHG-110") == ("failed", told)


@pytest.mark.parametrize(
    ("status", "printed", "told"),
    [
        (3, " no\n", "exit status 3: no"),
        (3, " \n", "exit status 3, and it printed nothing"),
        (None, "", "it did not end in time, and it printed nothing"),
    ],
)
def test_how_a_command_ended_is_told_also_where_it_printed_nothing(status: int | None, printed: str, told: str) -> None:
    assert how(status, printed) == told


def test_what_is_too_long_is_cut_between_words() -> None:
    assert last_words("web1 is being changed by run r9", 24) == "… changed by run r9"
    assert last_words("web1 is being changed by run r9", 31) == "web1 is being changed by run r9"
    assert last_words("x" * 40, 10) == f"… {'x' * 8}"
    assert clipped("curl  -sf\nhttps://balancer/drain?server=$MAINTOPS_SERVER", 20) == "curl -sf …"


@given(st.text("ab \n", max_size=80), st.integers(3, 40))
def test_whatever_is_cut_is_the_text_s_end_in_whole_words(text: str, most: int) -> None:
    told = last_words(text, most)
    assert len(told) <= most
    end = told.removeprefix("… ")
    assert text.strip().endswith(end)
    words = text.split()
    if told != text.strip() and any(len(one) <= most - 2 for one in words[-1:]):
        assert end.split() == words[len(words) - len(end.split()) :]


def test_what_cannot_be_paid_stays_owed_and_is_paid_by_whoever_goes_on() -> None:
    stage = stage_of(2, drain=DRAIN)
    stage.commands.refuses.add("undrain web2")
    result = stage.run()
    assert result.run.state is RunState.HELD
    assert stage.over() == ["web1"]
    outcome, why = stage.cell("web2", "CHG-800")
    assert outcome == "failed"
    assert why == ("undrain is still owed: exit status 1: it says no (pay it: maintops obligations --settle)")
    stage.commands.refuses.clear()
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.actors["web2"].patched == 1
    assert stage.store.owed() == []


def test_a_debt_that_somebody_paid_meanwhile_is_not_paid_again() -> None:
    stage = stage_of(1, drain=DRAIN)
    stage.commands.refuses.add("undrain web1")
    stage.run()
    stage.store.append(RUN, Settled("web1", "undrain", "Otto", "by hand", stage.clock()))
    stage.commands.given.clear()
    assert stage.go_on().run.state is RunState.FINISHED
    assert stage.commands.given == []
    assert stage.journey("web1").ended["undrain"].result is StageResult.SKIPPED


def test_what_is_owed_already_is_not_owed_twice() -> None:
    stage = stage_of(1, drain=DRAIN)
    stage.commands.refuses.add("drain")
    stage.run()
    stage.commands.refuses.clear()
    assert stage.go_on().run.state is RunState.FINISHED
    assert len([one for one in stage.events if isinstance(one, Owed)]) == 1


def test_a_hook_on_the_server_is_told_for_whom_and_all_are_asked_at_once() -> None:
    stage = stage_of(3, drain=replace(DRAIN, on="server", verify=""))
    rounds: list[list[str]] = []
    ask = stage.engine.ask

    def asking(trips: Any, **more: Any) -> Any:
        rounds.append([trip.server.name for trip in trips if "CHG-100" in trip.scripts[0].checks])
        return ask(trips, **more)

    stage.engine.ask = asking  # type: ignore[method-assign]  # it only listens
    assert stage.run().run.state is RunState.FINISHED
    assert [one for one in rounds if one] == [["web1", "web2", "web3"]] * 2
    mine = [
        text
        for (name, checks), text in zip(stage.engine.asked, stage.engine.texts, strict=True)
        if name == "web2" and "CHG-100" in checks
    ]
    assert "MAINTOPS_SERVER=web2" in mine[0]
    assert "MAINTOPS_DUTY=undrain" in mine[1]
    assert not stage.actors["web2"].drained


def test_a_hook_on_a_server_that_does_not_answer_fails() -> None:
    stage = stage_of(2, drain=replace(DRAIN, on="server", verify=""))
    said = stage.engine._said

    def deaf(actor: Any, check: str, text: str) -> Any:
        return (
            replace(said(actor, check, text), status=7)
            if (check, actor.name) == ("CHG-100", "web1")
            else said(actor, check, text)
        )

    stage.engine._said = deaf  # type: ignore[method-assign]  # its hook fails
    stage.run()
    assert stage.cell("web1", "CHG-120") == ("failed", f"drain: exit status 7, and it printed nothing; {OWED}")
    assert stage.over() == ["web2"]


def test_a_server_that_was_never_drained_owes_nothing() -> None:
    stage = stage_of(2, drain=DRAIN)
    stage.actors["web1"].level = 95
    stage.run()
    assert not [
        one for one in stage.events if isinstance(one, StageBegan) and (one.server, one.stage) == ("web1", "drain")
    ]
    assert stage.store.owed() == []
