"""Stages as readings: a step that went wrong is a finding, with a follow-up and the outcome of how it went wrong."""

from __future__ import annotations

from typing import Any

import pytest

from maintops.domain.answers import Measured, Skipped
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Verdict
from maintops.domain.runs import StageEnded, StageResult
from maintops.workflow.judging import judge_server
from maintops.workflow.telling import stage_plan, told, with_outcomes
from tests.unit.workflow.samples import START, draft

OTHERWISE = Cell("C-1", None, Outcome.NOT_REACHED, message="its turn did not come")


def ended(result: StageResult, message: str = "", **facts: Any) -> StageEnded:
    return StageEnded("web1", "C-1", result, message, START, facts)


def judged(stage: StageEnded | None) -> tuple[Cell, Verdict]:
    plan = stage_plan("C-1", "Update", "look at the log")
    one = told("C-1", "Update", "web1", stage, OTHERWISE)
    verdict = judge_server(draft(), [plan], {"C-1": one.reading}, {}, Memory())
    outcomes = {"C-1": one.outcome} if one.outcome is not None else {}
    (cell,) = with_outcomes(verdict.record.cells, outcomes)
    return cell, verdict


def test_a_stage_that_did_not_end_says_why() -> None:
    cell, verdict = judged(None)
    assert cell == OTHERWISE
    assert verdict.findings == ()


def test_a_stage_that_waits_says_for_whom() -> None:
    cell, _ = judged(ended(StageResult.WAITING, "it waits for Anna"))
    assert (cell.outcome, cell.message) == (Outcome.NOT_REACHED, "it waits for Anna")


def test_a_stage_with_nothing_to_do_is_skipped() -> None:
    assert told("C-1", "Update", "web1", ended(StageResult.SKIPPED), OTHERWISE).reading == Skipped(
        "there was nothing to do"
    )
    cell, verdict = judged(ended(StageResult.SKIPPED, "no reboot is needed"))
    assert (cell.outcome, cell.message, verdict.findings) == (Outcome.SKIPPED, "no reboot is needed", ())


def test_a_stage_that_went_well_keeps_what_it_did() -> None:
    one = told("C-1", "Update", "web1", ended(StageResult.OK, tasks=["install"], evidence="aa"), OTHERWISE)
    assert isinstance(one.reading, Measured)
    assert one.reading.subjects[0].facts == {
        "result": "ok",
        "told": "",
        "server": "web1",
        "step": "C-1 (Update)",
        "tasks": ["install"],
    }
    cell, verdict = judged(ended(StageResult.OK))
    assert (cell.outcome, cell.severity, verdict.findings) == (Outcome.OK, None, ())


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (StageResult.FAILED, Outcome.FAILED),
        (StageResult.UNKNOWN, Outcome.UNKNOWN),
        (StageResult.UNREACHABLE, Outcome.UNREACHABLE),
    ],
)
def test_a_stage_that_went_wrong_is_a_critical_finding_of_that_outcome(result: StageResult, outcome: Outcome) -> None:
    cell, verdict = judged(ended(result, "dpkg was interrupted"))
    assert (cell.outcome, cell.severity, cell.message) == (outcome, Severity.CRITICAL, "dpkg was interrupted")
    (followup,) = verdict.followups
    assert followup.title == "Repair web1: C-1 (Update) went wrong"


def test_a_server_that_never_returned_is_a_follow_up_for_the_hardware() -> None:
    cell, verdict = judged(ended(StageResult.FAILED, "web1 is not back after 15 min", told="gone"))
    assert (cell.outcome, cell.severity) == (Outcome.FAILED, Severity.CRITICAL)
    (followup,) = verdict.followups
    assert (followup.title, followup.skill) == ("Bring web1 back: web1 is not back after 15 min", "hardware")


def test_a_reboot_that_is_left_to_a_person_is_a_warning_of_a_step_that_went_well() -> None:
    cell, verdict = judged(ended(StageResult.OK, "maintops runs on it", told="by-hand"))
    assert (cell.outcome, cell.severity) == (Outcome.ATTENTION, Severity.WARNING)
    assert verdict.followups[0].title == "Reboot web1 by hand"


def test_what_a_server_printed_is_text_and_no_template() -> None:
    cell, verdict = judged(ended(StageResult.FAILED, "{{ 7 * 7 }} {% for x in y %}"))
    assert cell.message == "{{ 7 * 7 }} {% for x in y %}"
    assert verdict.followups[0].title == "Repair web1: C-1 (Update) went wrong"


def test_outcomes_change_only_the_cells_that_they_name() -> None:
    other = Cell("C-2", None, Outcome.OK)
    assert with_outcomes([OTHERWISE, other], {"C-2": Outcome.UNKNOWN}) == (
        OTHERWISE,
        Cell("C-2", None, Outcome.UNKNOWN),
    )
