from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maintops.domain.outcomes import Outcome
from maintops.domain.runs import (
    AFTERWARDS,
    Owed,
    Owner,
    PlannedServer,
    Progressed,
    Remarked,
    Resumed,
    RunEnded,
    RunPlanned,
    RunState,
    ServerAnswered,
    Settled,
    StageBegan,
    fold,
)
from maintops.domain.steps import StepAnswer

AT = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = [f"s{number}" for number in range(5)]
PLANNED = RunPlanned(
    "r1", "daily-check", "v", "Daily", "inspection", ("DC-010",),
    tuple(PlannedServer(name, f"r1-{name}", "ssh") for name in NAMES), Owner("h", "m", "b", 1, 2), AT,
)  # fmt: skip


def answered(name: str) -> ServerAnswered:
    return ServerAnswered(name, f"r1-{name}", Outcome.OK, AT + timedelta(minutes=1))


def test_a_run_that_has_just_begun_is_running_with_everyone_unanswered():
    run = fold([PLANNED])
    assert (run.state, run.id, [one.server for one in run.unanswered]) == (RunState.RUNNING, "r1", NAMES)


def test_it_ends_once():
    later = RunEnded(RunState.CANCELLED, "again", AT + timedelta(hours=1))
    run = fold([PLANNED, RunEnded(RunState.INTERRUPTED, "died", AT), later, answered("s0")])
    assert (run.state, run.reason, run.ended, dict(run.records)) == (RunState.INTERRUPTED, "died", AT, {})


def test_a_sign_of_life_is_remembered():
    sign = Progressed(1, 5, {"s1": "DC-010"}, AT + timedelta(minutes=9))
    run = fold([PLANNED, answered("s0"), sign])
    assert run.progress == sign
    assert run.last_sign == sign.at


def test_a_journal_begins_with_the_plan():
    with pytest.raises(ValueError, match="RunPlanned"):
        fold([answered("s0")])
    with pytest.raises(ValueError, match="RunPlanned"):
        fold([])


@given(st.lists(st.sampled_from(NAMES)), st.integers(0, 20))
def test_a_journal_cut_anywhere_tells_who_answered_before_the_cut(names, cut):
    events = [PLANNED, *map(answered, names), RunEnded(RunState.FINISHED, "", AT)][: cut + 1]
    run = fold(events)
    seen = {event.server for event in events if isinstance(event, ServerAnswered)}
    assert set(run.records) == seen
    assert {one.server for one in run.unanswered} == set(NAMES) - seen
    assert (run.state is RunState.FINISHED) == (len(events) == len(names) + 2)


# --- runs that go on --------------------------------------------------------------------------------------------------


def resumed(by="bob", pid=77, minutes=5):
    return Resumed(Owner("h2", "m2", "b2", pid, 3), by, AT + timedelta(minutes=minutes))


def test_only_a_run_with_a_plan_changes_servers():
    assert not PLANNED.changes
    assert replace(PLANNED, plan="ab" * 32).changes


def test_a_resumed_run_is_running_and_belongs_to_whoever_resumed_it():
    died = RunEnded(RunState.INTERRUPTED, "died", AT + timedelta(minutes=2))
    run = fold([PLANNED, answered("s0"), died, resumed()])
    assert (run.state, run.ended, run.reason) == (RunState.RUNNING, None, "")
    assert (run.owner, run.resumed, run.last_sign) == (resumed().owner, resumed(), resumed().at)
    assert run.planned.owner != run.owner
    assert set(run.records) == {"s0"}


def test_until_it_is_resumed_a_run_is_its_beginners():
    assert fold([PLANNED]).owner == PLANNED.owner
    assert fold([PLANNED, RunEnded(RunState.HELD, "budget", AT)]).owner == PLANNED.owner


def test_a_further_part_of_a_record_does_not_replace_the_first():
    part = ServerAnswered("s0", "r1-s0.2", Outcome.OK, AT)
    run = fold([PLANNED, answered("s0"), RunEnded(RunState.HELD, "", AT), resumed(), part, answered("s1")])
    assert run.records == {"s0": "r1-s0", "s1": "r1-s1"}


def test_what_is_taken_after_the_end_is_no_sign_of_life():
    debt = Owed("s0", "undrain", "true", "controller", 9.0, AT + timedelta(hours=1))
    paid = Settled("s0", "undrain", "bob", "paid", AT + timedelta(hours=2))
    run = fold([PLANNED, RunEnded(RunState.HELD, "budget", AT), debt, paid, Remarked("x", AT + timedelta(hours=3))])
    assert (run.state, run.reason, run.last_sign) == (RunState.HELD, "budget", AT)


class Journals(RuleBasedStateMachine):
    """Against a model: who has the run, whether it has ended, what counted while it had not."""

    def __init__(self):
        super().__init__()
        self.events = [PLANNED]
        self.owner, self.end, self.records, self.steps = PLANNED.owner, None, {}, {}
        self.minute = 0

    def write(self, kind, *fields, **more):
        self.minute += 1
        self.events.append(kind(*fields, at=AT + timedelta(minutes=self.minute), **more))
        return self.events[-1]

    @rule(name=st.sampled_from(NAMES), part=st.integers(1, 3))
    def answers(self, name, part):
        event = self.write(ServerAnswered, name, f"{name}.{part}", Outcome.OK)
        if self.end is None:
            self.records.setdefault(name, event.record)

    @rule(name=st.sampled_from(NAMES), by=st.sampled_from("ab"))
    def person_answers(self, name, by):
        self.steps[name, "PT-1"] = self.write(StepAnswer, name, "PT-1", by, choice="done")

    @rule(name=st.sampled_from(NAMES))
    def begins_a_stage(self, name):
        self.write(StageBegan, name, "PT-500")

    @rule(state=st.sampled_from([state for state in RunState if state is not RunState.RUNNING]))
    def ends(self, state):
        event = self.write(RunEnded, state, f"why {self.minute}")
        self.end = self.end or event

    @precondition(lambda self: self.end is not None)
    @rule(pid=st.integers(1, 9))
    def resumes(self, pid):
        self.owner, self.end = self.write(Resumed, Owner("h", "m", "b", pid, 1), "bob").owner, None

    @invariant()
    def is_what_the_model_says(self):
        run = fold(self.events)
        assert run.owner == self.owner
        assert (run.records, run.steps) == (self.records, self.steps)
        if self.end is None:
            assert (run.state, run.ended, run.reason) == (RunState.RUNNING, None, "")
            assert run.last_sign == self.events[-1].at
        else:
            assert (run.state, run.ended, run.reason) == (self.end.state, self.end.at, self.end.reason)
            assert run.last_sign == self.end.at


TestJournals = Journals.TestCase


def test_what_is_taken_afterwards_ends_and_begins_nothing():
    assert not {RunEnded, Resumed, StageBegan, ServerAnswered, Progressed} & set(AFTERWARDS)
