"""How far servers have come: what a journal tells of each, in whatever order the servers take turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.journeys import BEFORE, END, LOST, PASSED, SOAKED, Book, Journey, journal, still_owed
from maintops.domain.runs import Event, Owed, Remarked, Settled, StageBegan, StageEnded, StageResult, Waved

AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def began(stage: str, server: str = "web1", **facts: Any) -> StageBegan:
    return StageBegan(server, stage, AT, facts)


def ended(stage: str, result: StageResult = StageResult.OK, server: str = "web1", message: str = "") -> StageEnded:
    return StageEnded(server, stage, result, message, AT)


def owed(duty: str = "undrain", server: str = "web1", at: datetime = AT) -> Owed:
    return Owed(server, duty, "true", "controller", 60, at)


def paid(duty: str = "undrain", server: str = "web1") -> Settled:
    return Settled(server, duty, "anna", "", AT)


def told(*events: Event) -> Journey:
    return journal(events).journey("web1")


def test_of_an_untouched_server_nothing_is_known() -> None:
    found = told(began(BEFORE, "web2"))
    assert found == Journey()
    assert (found.touched, found.is_over, found.lost, found.counts, found.failed) == (False, False, None, False, False)


def test_a_stage_that_began_is_mid_flight_until_it_ends() -> None:
    found = told(began("C-1", boot="aaaa"))
    assert (found.mid, found.touched, found.counts, found.passed("C-1")) == ("C-1", True, True, False)
    assert found.begun["C-1"] == {"boot": "aaaa"}
    over = told(began("C-1"), ended("C-1"))
    assert (over.mid, over.counts, over.passed("C-1")) == ("", False, True)


@pytest.mark.parametrize("result", StageResult)
def test_what_a_result_means(result: StageResult) -> None:
    found = told(began("C-1"), ended("C-1", result))
    assert found.passed("C-1") is (result in PASSED)
    assert found.counts is (result in LOST)
    assert found.failed is (result is StageResult.FAILED)
    assert (set(PASSED) | set(LOST) | {StageResult.WAITING}) == set(StageResult)


def test_what_begins_again_is_neither_passed_nor_failed_any_more() -> None:
    found = told(began("C-1"), ended("C-1", StageResult.FAILED), began("C-1"))
    assert (found.lost, found.mid, found.passed("C-1")) == (None, "C-1", False)
    again = told(began("C-1"), ended("C-1", StageResult.FAILED), began("C-1"), ended("C-1"))
    assert (again.counts, again.passed("C-1")) == (False, True)


def test_what_went_wrong_stays_wrong_while_other_stages_go_well() -> None:
    found = told(ended("C-1", StageResult.UNKNOWN, message="cut off"), began("C-2"), ended("C-2"))
    assert found.lost is not None
    assert found.lost.message == "cut off"
    assert (found.counts, found.failed) == (True, False)


def test_the_end_of_another_stage_does_not_end_the_one_that_is_going_on() -> None:
    assert told(began("C-1"), ended("C-0", StageResult.SKIPPED)).mid == "C-1"


def test_a_server_is_over_only_at_its_very_end() -> None:
    assert not told(began("C-1"), ended("C-1")).is_over
    assert told(ended(END)).is_over
    assert not told(ended(END, StageResult.FAILED)).is_over


def test_a_server_that_is_through_may_be_unwell_later_and_is_through_all_the_same() -> None:
    found = told(ended(END), began(SOAKED), ended(SOAKED, StageResult.FAILED, message="it died"))
    assert (found.is_over, found.counts, found.lost, found.unwell) == (True, True, found.ended[SOAKED], found.lost)
    again = told(ended(END), ended(SOAKED, StageResult.FAILED), began(SOAKED), ended(SOAKED))
    assert (again.is_over, again.counts, again.unwell) == (True, False, None)
    assert told(began("C-1"), ended("C-1", StageResult.FAILED)).unwell is None


@pytest.mark.parametrize(
    ("events", "acted"),
    [
        ([began(BEFORE), ended(BEFORE)], False),
        ([ended(BEFORE, StageResult.FAILED)], False),
        ([ended(BEFORE), owed(), began("drain")], True),
        ([ended(BEFORE), ended("C-1", StageResult.SKIPPED)], False),
        ([ended(BEFORE), ended("C-1", StageResult.FAILED)], False),  # its prechecks did not pass
        ([ended(BEFORE), ended("C-1", StageResult.WAITING)], True),
        ([ended(BEFORE), ended("C-1")], True),
    ],
)
def test_what_was_begun_or_asked_of_a_person_makes_the_first_look_one_of_before(
    events: list[Event], acted: bool
) -> None:
    assert told(*events).acted is acted


def test_what_was_never_begun_but_skipped_did_not_touch_it() -> None:
    found = told(ended("C-1", StageResult.SKIPPED))
    assert (found.touched, found.passed("C-1")) == (False, True)


def test_duties_are_owed_until_they_are_paid() -> None:
    found = told(owed(), owed("unsilence"), paid(), paid("delete-snapshot"))
    assert list(found.owed) == ["unsilence"]


def test_waves_and_remarks_belong_to_the_whole_run() -> None:
    waves = [Waved(1, "began", "", AT), Waved(1, "passed", "", AT), Waved(2, "stopped", "", AT)]
    found = journal([*waves, Remarked("first", AT), Remarked("second", AT)])
    assert (found.passed, found.remarks, found.servers) == ({1}, ("first", "second"), {})


def test_a_journey_is_not_changed_by_what_comes_later() -> None:
    book = Book([began("C-1")])
    early = book.journey("web1")
    book.take(ended("C-1"))
    assert (early.mid, early.ended) == ("C-1", {})
    assert (book.journey("web1").mid, book.journey("web2")) == ("", Journey())


STAGES = st.sampled_from([BEFORE, "C-1", "C-1/after", "C-2", END, SOAKED])
SERVERS = st.sampled_from(["web1", "web2", "web3"])
EVENTS = st.lists(
    st.one_of(
        st.builds(began, STAGES, SERVERS),
        st.builds(ended, STAGES, st.sampled_from(StageResult), SERVERS),
        st.builds(owed, st.sampled_from(["undrain", "unsilence"]), SERVERS),
        st.builds(paid, st.sampled_from(["undrain", "unsilence"]), SERVERS),
    ),
    max_size=30,
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_how_servers_interleave_does_not_matter(events: list[Any], chance: Any) -> None:
    queues = {name: [one for one in events if one.server == name] for name in ("web1", "web2", "web3")}
    alone = {name: journal(queue).journey(name) for name, queue in queues.items()}
    mixed = []
    left = {name: list(queue) for name, queue in queues.items() if queue}
    while left:
        name = chance.choice(sorted(left))
        mixed.append(left[name].pop(0))
        left = {one: queue for one, queue in left.items() if queue}
    found = journal(mixed)
    assert {name: found.journey(name) for name in alone} == alone
    assert set(found.servers) == {one.server for one in events}


@given(EVENTS, st.integers(0, 30))
def test_a_fold_can_be_gone_on_with_anywhere(events: list[Any], cut: int) -> None:
    book = Book(events[:cut])
    for event in events[cut:]:
        book.take(event)
    assert book.journal == journal(events)


@given(EVENTS)
def test_a_journey_never_contradicts_itself(events: list[Any]) -> None:
    for found in journal(events).servers.values():
        assert not found.mid or found.mid not in found.ended
        assert not found.mid or found.mid in found.begun
        assert not found.failed or found.counts


def test_what_runs_still_owe_is_told_oldest_first() -> None:
    late, early = owed(at=AT + timedelta(hours=1)), owed(server="web2")
    rows = [("r1", late), ("r2", early), ("r2", owed("unsilence")), ("r2", paid("unsilence")), ("r3", paid())]
    assert still_owed(rows) == [("r2", early), ("r1", late)]
