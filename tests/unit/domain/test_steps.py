"""What answers a step, and what rules see of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from maintops.domain.answers import Measured, Skipped
from maintops.domain.cadences import rhythm
from maintops.domain.checklists import Cadence, Step, StepReading
from maintops.domain.servers import Criticality, Server
from maintops.domain.steps import Evidence, StepAnswer, power_cycle, reading_of, unfit

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
FILTERS = Step("OV-910", "Filters", "Clean them.", choices=("clean", "missing"))
WATTS = Step("OV-920", "Power", "Read it.", reading=StepReading("W", 0, 3000), evidence="photo")


@pytest.mark.parametrize(
    ("step", "given", "problem"),
    [
        (FILTERS, {"choice": "clean"}, None),
        (FILTERS, {"skipped": "no ladder"}, None),
        (FILTERS, {"choice": "dirty"}, "must be clean or missing, not 'dirty'"),
        (FILTERS, {}, "needs choice (clean or missing), or skipped with a reason"),
        (FILTERS, {"reading": 5}, "needs choice"),
        (FILTERS, {"choice": "clean", "skipped": "x"}, "needs choice"),
        (FILTERS, {"skipped": "  "}, "is skipped without a reason"),
        (WATTS, {"reading": 412.5, "evidence": ["x.jpg"]}, None),
        (WATTS, {"skipped": "no meter"}, None),
        (WATTS, {"reading": 0, "evidence": ["x.jpg"]}, None),
        (WATTS, {"reading": 412.5}, "needs a photo as evidence"),
        (WATTS, {"reading": "412", "evidence": ["x"]}, "must be a number of W, not '412'"),
        (WATTS, {"reading": True, "evidence": ["x"]}, "must be a number of W, not 'True'"),
        (WATTS, {"reading": 3001, "evidence": ["x"]}, "is 3001 W, which cannot be: a number of W from 0 to 3000"),
        (WATTS, {"reading": float("nan"), "evidence": ["x"]}, "is nan W, which cannot be"),
    ],
)
def test_what_answers_a_step(step: Step, given: dict[str, Any], problem: str | None) -> None:
    found = unfit(step, given)
    assert found is None if problem is None else problem in str(found)


def test_rules_see_what_was_answered_by_whom_and_when() -> None:
    proof = (Evidence("x.jpg", "ab" * 32, 7),)
    found = reading_of(StepAnswer("web1", "OV-920", "Erika", AT, reading=50.0, note="warm", evidence=proof))
    assert isinstance(found, Measured)
    (subject,) = found.subjects
    assert subject.facts == {
        "by": "Erika",
        "at": "2026-03-01T09:00:00Z",
        "reading": 50,
        "note": "warm",
        "evidence": [{"name": "x.jpg", "sha256": "ab" * 32, "bytes": 7}],
    }
    assert isinstance(subject.facts["reading"], int)
    assert subject.not_offered == {"choice"}


def test_a_skipped_step_says_who_and_why() -> None:
    answer = StepAnswer("web1", "OV-910", "Erika", AT, skipped="no ladder")
    assert reading_of(answer) == Skipped("Erika (2026-03-01 09:00 UTC): no ladder")


@pytest.mark.parametrize(
    ("criticality", "in_service", "expected"),
    [
        (Criticality.CORE, None, "month"),
        (Criticality.STANDARD, None, "half-year"),
        (Criticality.CORE, date(2025, 3, 2), "quarter"),
        (Criticality.CORE, date(2025, 3, 1), "month"),
        (Criticality.STANDARD, date(2026, 2, 1), "quarter"),
        (Criticality.STANDARD, date(2027, 1, 1), "quarter"),
        (Criticality.STANDARD, date(2024, 2, 29), "half-year"),
    ],
)
def test_a_server_in_its_first_year_has_its_own_rhythm(
    criticality: Criticality, in_service: date | None, expected: str
) -> None:
    cadence = Cadence("month", "half-year", "quarter")
    server = Server("web1", criticality, in_service)
    assert rhythm(cadence, server, date(2026, 3, 1)) == expected
    assert rhythm(Cadence("month", "half-year"), server, date(2026, 3, 1)) in ("month", "half-year")


def test_a_cadence_is_told_in_words() -> None:
    assert str(Cadence("month", "month", "week")) == "every month, in a server's first year every week"


@pytest.mark.parametrize(
    ("address", "title", "how"),
    [
        ("", "web1 is power-cycled on site or through its console", "its power button"),
        ("10.0.0.9", "web1 is power-cycled through its management controller (10.0.0.9)", "at 10.0.0.9"),
    ],
)
def test_how_a_server_is_helped_that_does_not_come_back(address: str, title: str, how: str) -> None:
    step = power_cycle("web1", address)
    assert (step.id, step.title, how in step.manual) == ("CHG-204", title, True)
    for choice in ("power-cycled", "came back", "given up"):
        assert unfit(step, {"choice": choice}) is None
    assert unfit(step, {"choice": "done"}) == "must be power-cycled or came back or given up, not 'done'"
    assert unfit(step, {"skipped": "no key to the room"}) is None
