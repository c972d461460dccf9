"""Ansible content whose tasks carry ids: each id is a subject of its own."""

from __future__ import annotations

import pytest

from maintops.domain.answers import Measured, Reading, SubjectFacts
from maintops.domain.checklists import Check
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Failure, FailureKind, Memory, Preview, Previewed
from maintops.rules.judging import compile_rules
from maintops.workflow.judging import judge_server
from maintops.workflow.planning import CheckPlan
from maintops.workflow.reading import TASK_RULES, read_preview
from tests.unit.workflow.samples import draft

CANNOT = "not previewable: it runs a command"


def task(name: str, status: str = "ok", diff: str = "", message: str = "") -> Previewed:
    return Previewed(name, status, diff, message)


def split(*tasks: Previewed) -> Reading | Cell:
    return read_preview("RO-010", Preview("web1", tasks), None, split=True)


def subjects(*tasks: Previewed) -> dict[str | None, SubjectFacts]:
    reading = split(*tasks)
    assert isinstance(reading, Measured)
    return {one.subject: one for one in reading.subjects}


def test_each_id_is_a_subject() -> None:
    found = subjects(
        task("10-010: Kernel | Ask"),
        task("10-010: Kernel | Report", "changed", "one\n"),
        task("role : 10-020: Room"),
        task("Gather facts"),
    )
    assert found["10-010"].facts == {"task": "Kernel | Report", "changed": True, "diff": "one\n"}
    assert found["10-020"] == SubjectFacts("10-020", {"task": "Room", "changed": False}, frozenset({"diff"}))
    assert list(found) == ["10-010", "10-020"]


def test_tasks_without_an_id_hide_nothing() -> None:
    found = subjects(task("10-010: Kernel"), task("Install sshd_config", "changed", "+x\n"), task("Other", "changed"))
    assert found["other tasks"].facts == {"task": "Install sshd_config, Other", "changed": True, "diff": "+x\n"}
    unclear = subjects(task("10-010: Kernel"), task("Ask", message=CANNOT))
    assert unclear["other tasks"].why_not == "check mode cannot tell: Ask"
    assert not isinstance(split(task("Install sshd_config", "changed")), Measured)


@pytest.mark.parametrize(
    ("name", "id", "title"),
    [
        ("10-010: Kernel", "10-010", "Kernel"),
        ("10-010 Kernel", "10-010", "Kernel"),
        ("  10-010:Kernel ", "10-010", "Kernel"),
        ("maintenance_10_linux : 10-010: Two\nlines", "10-010", "Two\nlines"),
        ("adfinis.maintenance.maintenance_10_linux : 10-010: Kernel", "10-010", "Kernel"),
        ("10-010", "10-010", ""),
    ],
)
def test_where_an_id_may_stand(name: str, id: str, title: str) -> None:
    (one,) = subjects(task(name)).values()
    assert (one.subject, one.facts["task"]) == (id, title)


@pytest.mark.parametrize(
    "name", ["Kernel 10-010", "10-0100: Kernel", "1-010: Kernel", "110-010: Kernel", "two words : 10-010"]
)
def test_what_is_no_id(name: str) -> None:
    cell = split(task(name, "changed"))
    assert isinstance(cell, Cell)
    assert cell.facts["changed"] == [name]


def test_a_skipped_task_says_nothing() -> None:
    assert list(subjects(task("10-010: Kernel", "skipped"), task("10-020: Room"))) == ["10-020"]
    assert isinstance(split(task("10-010: Kernel", "skipped")), Cell)


def test_what_check_mode_cannot_tell_is_not_measured_unless_something_else_was_found() -> None:
    blind = task("10-010: Kernel | Ask", "skipped", message=CANNOT)  # as Ansible tells it
    (one,) = subjects(blind, task("10-010: Kernel | Report")).values()
    assert one.why_not == "Kernel | Ask: check mode cannot tell"
    (one,) = subjects(blind, task("10-010: Kernel | Report", "changed")).values()
    assert (one.why_not, one.facts["changed"]) == (None, True)


def test_diffs_are_put_together_and_cut() -> None:
    (one,) = subjects(*[task("10-010: Kernel", "changed", 3000 * letter) for letter in "ab"]).values()
    assert one.facts["diff"] == 3000 * "a" + 1000 * "b"


def test_where_a_task_failed_nothing_reads_as_gone() -> None:
    cell = split(task("10-010: Kernel", "changed"), task("10-020: Room", "failed", message="no df"))
    assert isinstance(cell, Cell)
    assert (cell.outcome, cell.message) == (Outcome.FAILED, "10-020: Room: no df")


def test_a_preview_that_failed_is_no_reading() -> None:
    failure = Failure(FailureKind.UNREACHABLE, "nobody is there")
    cell = read_preview("RO-010", Preview("web1", (), failure), None, split=True)
    assert cell == Cell("RO-010", None, Outcome.UNREACHABLE, message="nobody is there")
    stopped = read_preview("RO-010", None, "it was stopped", split=True)
    assert stopped == Cell("RO-010", None, Outcome.NOT_REACHED, message="it was stopped")
    nothing = split()
    assert isinstance(nothing, Cell)
    assert nothing.outcome is Outcome.SKIPPED


def test_without_split_it_is_one_cell() -> None:
    cell = read_preview("RO-010", Preview("web1", (task("10-010: Kernel", "changed"),)), None)
    assert isinstance(cell, Cell)
    assert cell.facts["changed"] == ["10-010: Kernel"]


def test_changed_is_a_warning_that_is_gone_when_it_is_mended() -> None:
    plan = CheckPlan(Check("RO-010", "Role", role="upkeep"), None, compile_rules(TASK_RULES))
    memory = Memory()
    seen = []
    for day, status in enumerate(("ok", "changed", "ok"), 1):
        reading = split(task("10-010: Kernel", status), task("10-020: Room"))
        verdict = judge_server(draft(day), [plan], {"RO-010": reading}, {}, memory)
        seen.append({cell.subject: (cell.outcome, cell.severity, cell.message) for cell in verdict.record.cells})
        assert [one.state for one in verdict.findings] == ([] if day == 1 else ["new"] if day == 2 else ["gone"])
        memory = Memory(verdict.facts, tuple(verdict.findings))
    well = (Outcome.OK, None, "")
    warned = (Outcome.ATTENTION, Severity.WARNING, "10-010 Kernel: Ansible would change something")
    assert seen == [
        {"10-010": well, "10-020": well},
        {"10-010": warned, "10-020": well},
        {"10-010": well, "10-020": well},
    ]
