from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.outcomes import Outcome
from maintops.domain.runs import (
    Owner,
    PlannedServer,
    Progressed,
    RunEnded,
    RunPlanned,
    RunState,
    ServerAnswered,
    fold,
)

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
