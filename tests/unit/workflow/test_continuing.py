"""Steps by hand: who waits for whom, and how an answer becomes part of the record."""

from dataclasses import replace

import pytest

from maintops.domain.checklists import Step, StepReading
from maintops.domain.followups import FollowUpState
from maintops.domain.outcomes import FailOn, Outcome, Severity
from maintops.domain.ports import Reply
from maintops.domain.records import merged
from maintops.domain.servers import Server
from maintops.domain.steps import StepAnswer
from maintops.errors import UsageError
from maintops.store.memory import MemoryStore
from maintops.workflow.continuing import keep_answers, unasked, waiting
from maintops.workflow.keeping import Crew
from maintops.workflow.planning import plan_run
from maintops.workflow.running import Orders, carry_out
from tests.unit.workflow.framing import stream
from tests.unit.workflow.samples import (
    OWNER,
    START,
    Canned,
    CannedPreviews,
    FollowUpTemplate,
    Rule,
    catalogue,
    checklist,
    delivery,
)
from tests.unit.workflow.test_planning import command

MISSING = Rule(
    "choice == 'missing'", Severity.WARNING, "a filter is missing ({{ note }})", FollowUpTemplate("Order a filter")
)
LOW = Rule("reading < parameters.least", Severity.CRITICAL, "only {{ reading }} W")
FELL = Rule("reading < previous.reading / 2", Severity.WARNING, "{{ reading }} W, it was {{ previous.reading }} W")
FILTERS = Step("OV-910", "Filters", "Clean them.", choices=("clean", "missing"), rules=(MISSING,), tags=("site",))
WATTS = Step("OV-920", "Power", "Read it.", reading=StepReading("W", 0, 3000), rules=(LOW, FELL))
LISTED = replace(checklist(command("A-100"), parameters={"least": 100}), steps=(FILTERS, WATTS), item="OV-1")


def answer(step="OV-910", server="web1", **more):
    return StepAnswer(server, step, "Erika", START, **more)


def begin(store, run="r1", answers=(), tags=()):
    """One run over two servers; its result."""
    runner = Canned([])
    servers = [Server("web1"), Server("web2", variables={"maintops_least": 20})]
    plan = plan_run(run, LISTED, tags, servers, catalogue(), (runner,), "auto")
    plan = replace(plan, answers={(one.server, one.step): one for one in answers})
    scripts = plan.servers[0].trip.scripts
    runner.items = [delivery(one.name, *[Reply(stream(script)) for script in scripts]) for one in servers]
    return carry_out(plan, Crew(store, {"ssh": runner}, CannedPreviews(), lambda: START, OWNER), Orders())


def cells(store, server="web1", run="r1"):
    parts = [one for one in store.records(run=run) if one.server == server]
    return {cell.check: cell for cell in merged(parts).cells}


@pytest.fixture
def store():
    return MemoryStore()


def go_on(store, *answers, run="r1"):
    for one in answers:
        store.append(run, one)
    return keep_answers(store, store.run(run), LISTED, START)


def test_without_an_answer_a_step_waits(store):
    result = begin(store)
    assert (result.waiting, result.codes[FailOn.NEVER]) == (4, 2)
    assert {id: cell.outcome for id, cell in cells(store).items()} == {
        "A-100": Outcome.OK,
        "OV-910": Outcome.NOT_REACHED,
        "OV-920": Outcome.NOT_REACHED,
    }
    assert "maintops run continue" in cells(store)["OV-910"].message
    asked = waiting(store, store.run("r1"), LISTED)
    assert [(one.server, one.step.id) for one in asked] == [
        ("web1", "OV-910"),
        ("web1", "OV-920"),
        ("web2", "OV-910"),
        ("web2", "OV-920"),
    ]


def test_answers_given_beforehand_are_part_of_the_record(store):
    result = begin(store, answers=[answer(choice="missing", note="third"), answer("OV-920", reading=412.0)])
    assert result.waiting == 2
    (record,) = [one for one in store.records(run="r1") if one.server == "web1"]
    assert [cell.outcome for cell in record.cells] == [Outcome.OK, Outcome.ATTENTION, Outcome.OK]
    assert record.cells[1].message == "a filter is missing (third)"
    assert record.item == "OV-1"
    assert [one.title for one in store.followups()] == ["Order a filter"]


def test_an_answer_becomes_a_further_part_and_nothing_before_is_changed(store):
    begin(store)
    before = store.record("r1-0001")
    (part,) = go_on(store, answer(choice="missing", note="third"))
    assert (part.id, part.engine, part.engineer, part.item) == ("r1-0001.2", "by hand", "Erika", "OV-1")
    assert [cell.check for cell in part.cells] == ["OV-910"]
    assert store.record("r1-0001") == before
    assert cells(store)["OV-910"].severity is Severity.WARNING
    assert cells(store)["A-100"].outcome is Outcome.OK
    assert [one.check for one in store.findings()] == ["OV-910"]
    left = waiting(store, store.run("r1"), LISTED)
    assert [(one.server, one.step.id) for one in left] == [("web1", "OV-920"), ("web2", "OV-910"), ("web2", "OV-920")]
    (part,) = go_on(store, answer("OV-920", reading=99.0))
    assert (part.id, part.cells[0].message) == ("r1-0001.3", "only 99 W")
    assert go_on(store) == []


def test_the_parameters_that_the_run_had_count(store):
    begin(store)
    (part,) = go_on(store, answer("OV-920", "web2", reading=50.0))
    assert part.cells[0].outcome is Outcome.OK


def test_an_answer_whose_session_died_before_its_record_is_not_asked_for_again(store):
    begin(store)
    store.append("r1", answer(choice="clean"))
    left = waiting(store, store.run("r1"), LISTED)
    assert (left[0].server, left[0].step.id) == ("web1", "OV-920")
    assert [one.id for one in go_on(store)] == ["r1-0001.2"]
    assert cells(store)["OV-910"].outcome is Outcome.OK


def test_a_skipped_step_is_skipped_with_its_reason(store):
    begin(store)
    go_on(store, answer(skipped="no ladder"))
    assert cells(store)["OV-910"].outcome is Outcome.SKIPPED
    assert "no ladder" in cells(store)["OV-910"].message


def test_steps_have_memory_like_checks(store):
    begin(store)
    go_on(store, answer(choice="missing"), answer("OV-920", reading=400.0))
    begin(store, "r2", answers=[answer(choice="clean"), answer("OV-920", reading=150.0)])
    assert cells(store, run="r2")["OV-920"].message == "150 W, it was 400 W"
    assert [(one.check, one.times) for one in store.findings()] == [("OV-920", 1)]
    assert [one.state for one in store.followups()] == [FollowUpState.PROPOSED]


def test_steps_are_selected_like_checks(store):
    assert begin(store, tags=["site"]).waiting == 2
    assert set(cells(store)) == {"OV-910"}


def test_the_steps_of_a_run_that_goes_on_are_nobodys_yet(store):
    begin(store)
    running = replace(store.run("r1"), state=type(store.run("r1").state).RUNNING)
    with pytest.raises(UsageError, match="still going on"):
        waiting(store, running, LISTED)


def test_two_who_answer_at_once_both_keep_their_part(store):
    begin(store)
    store.append("r1", answer(choice="clean"))
    stale = store.run("r1")
    keep_answers(store, stale, LISTED, START)
    store.append("r1", answer("OV-920", reading=500.0))
    both = replace(store.run("r1"), steps=store.run("r1").steps)
    assert [one.id for one in keep_answers(store, both, LISTED, START)] == ["r1-0001.3"]


def test_what_was_answered_is_not_answered_again(store):
    begin(store)
    go_on(store, answer(choice="clean"))
    run = store.run("r1")
    again = [answer(choice="missing"), answer("OV-920", reading=5.0)]
    with pytest.raises(UsageError, match=r"answered already in r1: OV-910 on web1; take them out"):
        unasked(run, again, waiting(store, run, LISTED))
    assert unasked(run, again[1:], waiting(store, run, LISTED)) == again[1:]


def test_a_part_of_a_checklist_that_has_changed_says_so(store):
    begin(store)
    store.append("r1", answer(choice="clean"))
    (part,) = keep_answers(store, store.run("r1"), replace(LISTED, version="v2"), START)
    assert (part.version, part.notes) == ("v2", ("the checklist has changed since the run began",))
