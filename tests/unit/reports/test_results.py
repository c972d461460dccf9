from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from maintops.domain.outcomes import Outcome, Severity
from maintops.domain.runs import RunState
from maintops.reports.results import VERDICTS, attention, complete, gaps, headline, reasons, remarks, tally
from maintops.reports.wording import duration, fact, iso, listed, moment, plural, verdict
from tests.unit.reports import samples
from tests.unit.reports.samples import cell, record, run_of


@pytest.mark.parametrize(
    ("state", "reason", "outcome", "why"),
    [
        (RunState.RUNNING, "", Outcome.UNKNOWN, "no answer yet"),
        (RunState.INTERRUPTED, "", Outcome.UNKNOWN, "interrupted"),
        (RunState.CANCELLED, "Ctrl-C", Outcome.NOT_REACHED, "Ctrl-C"),
        (RunState.FINISHED, "", Outcome.NOT_REACHED, "before this server's turn"),
    ],
)
def test_a_server_without_a_record_has_a_cell_for_every_planned_check(
    state: RunState, reason: str, outcome: Outcome, why: str
) -> None:
    kept = record("b", [cell("A-1")], index=1)
    run = run_of([kept], state=state, reason=reason, unanswered=["a"], checks=["A-1", "A-2"])
    whole = complete(run, [kept])
    assert whole[0] is kept
    assert (whole[1].server, whole[1].id, whole[1].engine) == ("a", "", "ssh")
    assert [(one.check, one.outcome) for one in whole[1].cells] == [("A-1", outcome), ("A-2", outcome)]
    assert all(why in one.message for one in whole[1].cells)


def test_records_come_in_planned_order() -> None:
    run, records = samples.fleet()
    assert complete(run, records[::-1]) == tuple(records)


def test_what_needs_attention_comes_worst_first_and_then_in_order() -> None:
    _, records = samples.fleet()
    found = [(row.record.server[:3], row.cell.check, verdict(row.cell)) for row in attention(records)]
    assert found == [
        ("db1", "HW-010", "critical"),
        ("db1", "SE-030", "critical"),
        ("db1", "SY-120", "failed"),
        ("db1", "SY-010", "warning"),
        ("db1", "SY-060", "warning"),
        ("门户1", "SE-070", "warning"),
    ]
    assert [row.cell.check for row in remarks(records)] == ["SE-030", "SE-030"]


def test_reasons_are_grouped_by_what_is_the_same() -> None:
    tool, right = "no tool", "no right"
    records = [
        record("a", [cell(one, Outcome.NOT_MEASURED, tool) for one in ("A-1", "A-2")]),
        record("b", [cell("A-1", Outcome.NOT_MEASURED, tool), cell("A-2", Outcome.NOT_MEASURED, tool)], index=2),
        record("c", [cell("A-1", Outcome.NOT_MEASURED, right, subject="sda"), cell("A-2")], index=3),
    ]
    assert [(group.checks, group.why, group.places) for group in reasons(records, Outcome.NOT_MEASURED)] == [
        (("A-1", "A-2"), tool, ("a", "b")),
        (("A-1",), right, ("c [sda]",)),
    ]


def test_gaps_tell_a_silent_server_from_one_that_answered_in_part() -> None:
    _, records = samples.fleet()
    dark, died = gaps(records)
    assert (dark.record.server, dark.outcome, dark.whole) == ("cache1.rotterdam.example", Outcome.UNREACHABLE, True)
    assert (died.outcome, died.whole, len(died.checks)) == (Outcome.UNKNOWN, False, 7)


def test_two_reasons_on_a_silent_server_are_not_each_for_every_check() -> None:
    died = record("a", [cell("A-1", Outcome.UNKNOWN, message="cut"), cell("A-2", Outcome.NOT_REACHED, message="late")])
    assert [(gap.checks, gap.whole, gap.alone) for gap in gaps([died])] == [
        (("A-1",), True, False),
        (("A-2",), True, False),
    ]
    dark = record("b", [cell("A-1", Outcome.UNREACHABLE, message="x"), cell("A-2", Outcome.UNREACHABLE, message="x")])
    assert [(gap.whole, gap.alone) for gap in gaps([dark])] == [(True, True)]


def test_the_headline_counts_servers_and_findings() -> None:
    _, records = samples.fleet()
    assert headline(records) == (
        "2 of 6 servers need attention: 2 critical findings, 1 failed check, 3 warnings. 1 server was unreachable. "
        "1 server answered only in part. 5 results could not be measured."
    )
    assert headline([record("a", [cell("A-1")])]) == "1 server planned, nothing found that needs attention."
    dark = record("b", [cell("A-1", Outcome.UNREACHABLE), cell("A-2", Outcome.SKIPPED)])
    assert headline([dark]) == "1 server planned, and not one answer. 1 server was unreachable."
    assert headline([record("a", [cell("A-1")]), dark]) == (
        "2 servers planned, nothing found that needs attention where there was an answer. 1 server was unreachable."
    )
    bad = samples.attention("A-1", Severity.WARNING, "x")
    assert headline([record("a", [bad])]) == "The server needs attention: 1 warning."


def test_every_verdict_that_a_cell_can_have_is_counted() -> None:
    cells = [cell("A-1", one, severity=level) for one in Outcome for level in (None, *Severity)]
    assert sum(tally(cells).values()) == len(cells)
    assert set(tally(cells)) == set(VERDICTS)


def test_words() -> None:
    at = datetime(2026, 3, 1, 9, 30, 5, 120999, timezone(timedelta(hours=2)))
    assert iso(at) == "2026-03-01T07:30:05.120Z"
    assert moment(at) == "2026-03-01 07:30:05 UTC"
    assert iso(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01T00:00:00.000Z"
    assert [duration(one) for one in (-5, 0.42, 18, 200, 7500)] == [
        "0.0 s", "0.4 s", "18 s", "3 min 20 s", "2 h 5 min",
    ]  # fmt: skip
    assert (plural(1, "server"), plural(1200, "server")) == ("1 server", "1,200 servers")
    assert (listed("abc", 3), listed("abcde", 3)) == ("a, b, c", "a, b, c and 2 more")


def test_facts_are_readable_and_bounded() -> None:
    values: list[object] = [None, True, 0.1 + 0.2, 7, "x", [], {}]
    assert [fact(value) for value in values] == [
        "not measured",
        "true",
        "0.3",
        "7",
        "x",
        "()",
        "()",
    ]
    assert fact({"a": [1, 2], "b": {"c": None}}) == "a=(1, 2), b=(c=not measured)"
    assert fact(list(range(25))).endswith("19, … 5 more")
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert fact(deep) == "((((…))))"[1:-1]
