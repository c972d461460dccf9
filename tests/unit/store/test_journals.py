"""Every event comes back from its text as it was."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.outcomes import Outcome
from maintops.domain.runs import (
    Event,
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
    StageEnded,
    StageResult,
    Waved,
)
from maintops.domain.steps import Evidence, StepAnswer
from maintops.store.codec import microseconds
from maintops.store.journals import Kind, event_text, event_value
from tests.store_samples import NOW, changing, plan
from tests.unit.store.test_codec import ANY_JSON, ANY_TEXT, TIMES

FACTS = st.dictionaries(ANY_TEXT, ANY_JSON, max_size=3)
OWNERS = st.builds(Owner, ANY_TEXT, ANY_TEXT, ANY_TEXT, st.integers(0, 2**22), st.integers(0, 2**62))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MAYBE = st.none() | ANY_TEXT
TEXTS = st.lists(ANY_TEXT, max_size=3).map(tuple)
SERVERS = st.builds(PlannedServer, ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, MAYBE, MAYBE, FACTS)
EVENTS: dict[type, st.SearchStrategy[Any]] = {
    RunPlanned: st.builds(
        RunPlanned,
        *[ANY_TEXT] * 5,
        TEXTS,
        st.lists(SERVERS, max_size=2).map(tuple),
        OWNERS,
        TIMES,
        engineer=MAYBE,
        titles=TEXTS,
        item=ANY_TEXT,
        file=ANY_TEXT,
        plan=ANY_TEXT,
        emergency=ANY_TEXT,
        of=ANY_TEXT,
    ),
    ServerAnswered: st.builds(ServerAnswered, ANY_TEXT, ANY_TEXT, st.sampled_from(Outcome), TIMES),
    Progressed: st.builds(
        Progressed, st.integers(0, 9), st.integers(0, 9), st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=2), TIMES
    ),
    RunEnded: st.builds(RunEnded, st.sampled_from(RunState), ANY_TEXT, TIMES),
    StepAnswer: st.builds(
        StepAnswer,
        *[ANY_TEXT] * 3,
        TIMES,
        MAYBE,
        st.none() | NUMBERS,
        MAYBE,
        ANY_TEXT,
        st.lists(st.builds(Evidence, ANY_TEXT, ANY_TEXT, st.integers(0, 99)), max_size=2).map(tuple),
    ),
    StageBegan: st.builds(StageBegan, ANY_TEXT, ANY_TEXT, TIMES, FACTS),
    StageEnded: st.builds(StageEnded, ANY_TEXT, ANY_TEXT, st.sampled_from(StageResult), ANY_TEXT, TIMES, FACTS),
    Waved: st.builds(Waved, st.integers(1, 99), ANY_TEXT, ANY_TEXT, TIMES),
    Owed: st.builds(Owed, *[ANY_TEXT] * 4, NUMBERS, TIMES),
    Settled: st.builds(Settled, *[ANY_TEXT] * 4, TIMES),
    Remarked: st.builds(Remarked, ANY_TEXT, TIMES),
    Resumed: st.builds(Resumed, OWNERS, ANY_TEXT, TIMES),
}


def test_every_event_there_is_is_tried() -> None:
    assert set(EVENTS) == set(get_args(Event))


@given(st.one_of(*EVENTS.values()))
def test_an_event_comes_back_as_it_was(event: Any) -> None:
    kind, document = event_text(event)
    assert event_value(kind.value, document, microseconds(event.at)) == event
    assert document.isascii()


def test_the_plan_of_a_run_that_changes_servers_can_be_told_by_its_kind() -> None:
    kind, document = event_text(changing())
    assert (kind, json.loads(document)["plan"]) == (Kind.CHANGING, "ab" * 32)
    kind, document = event_text(plan())
    assert kind is Kind.PLANNED
    assert not {"plan", "emergency", "of"} & json.loads(document).keys()


def test_a_journal_that_was_written_before_changes_were_known_is_read() -> None:
    document = (
        '{"run":"r1","checklist":"daily-check","version":"v","title":"Daily check","service":"inspection",'
        '"checks":["A-1"],"servers":[["web1","r1-0001","ssh"]],"owner":["h","m","b",1,2]}'
    )
    event = event_value("planned", document, microseconds(NOW))
    assert isinstance(event, RunPlanned)
    assert (event.plan, event.emergency, event.of, event.changes) == ("", "", "", False)
    assert event.servers == (PlannedServer("web1", "r1-0001", "ssh"),)


def test_a_stage_without_facts_is_small() -> None:
    assert event_text(StageBegan("web1", "PT-500", NOW))[1] == '["web1","PT-500"]'
    assert event_text(StageEnded("web1", "PT-500", StageResult.OK, "", NOW))[1] == '["web1","PT-500","ok",""]'


def test_facts_of_a_stage_are_kept_as_those_of_a_cell_are() -> None:
    assert json.loads(event_text(StageBegan("web1", "x", NOW, {"a": float("nan"), "b": (1, 2)}))[1])[2] == {
        "a": None,
        "b": [1, 2],
    }
    with pytest.raises(TypeError, match="'boot' is a bytes"):
        event_text(StageBegan("web1", "x", NOW, {"boot": b""}))
