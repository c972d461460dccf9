"""Where a changing run takes place: what is written before anything is done, and what follows from the journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maintops.domain.checklists import Step
from maintops.domain.journeys import BEFORE, END, journal
from maintops.domain.ports import Pulse
from maintops.domain.runs import Event, Progressed, RunEnded, RunState, StageBegan, StageEnded, StageResult, Waved
from maintops.domain.windows import Opening
from maintops.errors import Locked
from maintops.workflow.changing import planned_event
from maintops.workflow.sites import Outlook, Site
from tests.unit.workflow.change_stage import DRAIN, REBOOT, RUN, SILENCE, UPDATE, Stage, changing_checklist
from tests.unit.workflow.samples import START

NAMES = ("web1", "web2")
STAGES = (BEFORE, "PT-500", END)
EVENTS = st.lists(
    st.builds(StageBegan, st.sampled_from(NAMES), st.sampled_from(STAGES), st.just(START))
    | st.builds(
        StageEnded,
        st.sampled_from(NAMES),
        st.sampled_from(STAGES),
        st.sampled_from(StageResult),
        st.just(""),
        st.just(START),
    ),
    max_size=30,
)


def site_of(stage: Stage, kind: type[Site] = Site, events: list[Event] | None = None) -> Site:
    return kind(stage._under({}), stage._staff(1, ()), stage.brake(), events or ())


def begun(stage: Stage) -> Site:
    stage.store.begin(planned_event(stage._under({}), stage._staff(1, ())))
    return site_of(stage)


@given(EVENTS)
def test_what_the_site_counts_is_what_the_journal_tells(events: list[Event]) -> None:
    site = site_of(Stage(2), events=events)
    told = journal(events)
    for name in NAMES:
        journey = told.journey(name)
        assert site.journey(name) == journey
        assert (name in site.lost) == journey.counts
        assert journey.is_over <= (name in site.finished)
        assert (name in site.taken) == bool(set(journey.begun) - {BEFORE})


def test_the_stages_are_looks_hooks_steps_and_duties_in_order() -> None:
    hand = Step("PT-600", "Cables", manual="Look.")
    listed = changing_checklist(UPDATE, hand, REBOOT)
    listed = replace(listed, change=replace(listed.change, silence=SILENCE, drain=DRAIN))
    stages = [(one.name, one.kind) for one in Stage(1, listed=listed)._under({}).stages]
    assert stages == [
        ("before", "before"),
        ("silence", "hook"),
        ("drain", "hook"),
        ("PT-500", "act"),
        ("PT-600", "manual"),
        ("PT-510", "reboot"),
        ("after", "after"),
        ("undrain", "duty"),
        ("unsilence", "duty"),
    ]


def test_what_is_written_is_durable_before_it_is_told() -> None:
    stage = Stage(1)
    site = begun(stage)
    kept: list[int] = []

    class Reader:
        def told(self, event: Any, record: Any) -> None:
            kept.append(stage.events.count(event))

    site = Site(stage._under({}), stage._staff(1, (Reader(),)), stage.brake(), stage.events)
    site.write(Waved(1, "began", "", START), Waved(1, "passed", "", START))
    assert kept == [1, 1]
    assert site.passed == {1}


def test_what_cannot_be_written_is_neither_told_nor_believed() -> None:
    stage = Stage(1)
    site = begun(stage)
    stage.store.append(RUN, RunEnded(RunState.CANCELLED, "", START))
    stage.seen.clear()
    with pytest.raises(Locked, match="somebody has ended it, or goes on with it"):
        site.write(Waved(1, "passed", "", START))
    assert (stage.seen, site.passed) == ([], set())


def test_a_sign_of_life_comes_after_half_a_minute_of_silence_whoever_sets_the_clock() -> None:
    stage = Stage(2)
    site = begun(stage)
    for seconds in (29, 1, 1, -3600):
        stage.clock.now += timedelta(seconds=seconds)
        site.sign(Pulse({"web1": "PT-500"}))
    signs = [one for one in stage.events if isinstance(one, Progressed)]
    assert [(one.done, one.planned, dict(one.in_flight)) for one in signs] == [(0, 2, {"web1": "PT-500"})] * 2


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(0, 5000), st.booleans()), max_size=10))
def test_whoever_sets_the_clock_back_and_whenever_the_latest_time_goes_on(
    passed: list[tuple[float, float, bool]],
) -> None:
    stage = Stage(1)
    site = site_of(stage)
    for seconds, back, looked_at in passed:
        stage.clock.sleep(seconds)
        stage.clock.now -= timedelta(seconds=back)
        if looked_at:
            site.now()
    assert abs(site.latest - START - timedelta(seconds=stage.clock.slept)) < timedelta(milliseconds=1)


def test_a_clock_that_is_set_right_again_is_right() -> None:
    stage = Stage(1)
    site = site_of(stage)
    stage.clock.now -= timedelta(hours=1)
    stage.clock.sleep(60)
    assert site.latest == stage.clock() + timedelta(hours=1)
    stage.clock.now += timedelta(hours=1)
    assert site.latest == stage.clock() == START + timedelta(seconds=60)


def test_a_clock_that_trembles_does_not_run_ahead() -> None:
    stage = Stage(1)
    site = site_of(stage)
    for shift in (-0.4, 0.4) * 500:
        stage.clock.now += timedelta(seconds=shift)
        site.now()
    assert site.latest == START


NIGHT = Opening(START - timedelta(hours=1), START + timedelta(hours=1))


@pytest.mark.parametrize(
    ("window", "hours", "emergency", "open_"),
    [
        (None, [1000], "", True),
        (NIGHT, [], "", True),
        (NIGHT, [1], "", True),
        (NIGHT, [1.1], "", False),
        (NIGHT, [-1.1], "", False),
        (NIGHT, [1.1, -1], "", False),  # somebody has set the clock back into the window
        (NIGHT, [-0.5, 0.5], "", True),
        (NIGHT, [1.1], "late, agreed to by Otto", True),
    ],
)
def test_a_window_is_open_by_the_clock_and_by_what_it_would_say(
    window: Opening | None, hours: list[float], emergency: str, open_: bool
) -> None:
    stage = Stage(1, window=window, emergency=emergency)
    site = site_of(stage)
    for one in hours:
        stage.clock.now += timedelta(hours=one)
        site.now()
    assert site.is_open() is open_


def test_who_rests_rests_that_long_and_no_longer_than_somebody_says_stop() -> None:
    stage = Stage(1)
    site = begun(stage)
    site.rest(12.0, {})
    assert stage.clock.slept == 12.0
    stage.brakes.cancel()
    site.rest(12.0, {})
    assert stage.clock.slept == 12.0


def test_what_was_cut_off_is_not_known_to_have_failed() -> None:
    stage = Stage(1)
    site = begun(stage)
    work = site.work("web1")
    stage.brakes.cancel()
    stage.brakes.cancel()
    site.ended(work, BEFORE, StageResult.FAILED, "no answer")
    assert site.journey("web1").ended[BEFORE].result is StageResult.UNKNOWN
    assert work.out == "the run was stopped at once: no answer"


def test_a_site_without_a_run_writes_nothing() -> None:
    stage = Stage(1)
    site = site_of(stage, Outlook)
    stage.clock.now += timedelta(hours=1)
    site.sign(Pulse({}))
    with pytest.raises(ValueError, match="without a journal"):
        site.write(Waved(1, "began", "", START))
    assert stage.store.runs() == []


def test_five_thousand_servers_are_counted_event_by_event() -> None:
    stage = Stage(3)
    site = begun(stage)
    same = site.journey("web1")
    assert site.journey("web1") is same  # nothing is copied for who only asks
    site.write(StageBegan("web2", BEFORE, START))
    assert site.journey("web1") is same
