from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.findings import FindingState
from maintops.domain.followups import FollowUp
from maintops.domain.outcomes import Outcome, Severity
from maintops.domain.ports import Sighting
from maintops.domain.runs import Progressed, RunState
from maintops.reports.documents import (
    DEEPEST,
    finding_document,
    followup_document,
    record_document,
    record_summary,
    run_document,
    run_summary,
)
from tests.unit.reports import samples
from tests.unit.reports.samples import BEGAN, HOSTILE, cell, record, run_of

ANY_TEXT = st.text(st.characters(categories=None), max_size=40)


def strict(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def test_a_run_has_the_promised_shape() -> None:
    document = run_document(*samples.fleet())
    assert list(document) == ["version", "run", "servers", "totals"]
    assert document["version"] == 1
    assert document["run"] == {
        "id": samples.RUN,
        "checklist": "daily-check",
        "title": "Daily check",
        "version": "9f2c41d7" * 8,
        "service": "inspection",
        "item": None,
        "engineer": "Wang Li",
        "started": "2026-03-02T07:30:00.000Z",
        "ended": "2026-03-02T07:30:12.500Z",
        "state": "finished",
        "reason": None,
    }
    server = document["servers"][2]
    assert (server["server"], server["record"], server["outcome"], server["severity"]) == (
        "db1.rotterdam.example", f"{samples.RUN}-0003", "failed", "critical",
    )  # fmt: skip
    assert server["notes"] == ["host key learnt from the known_hosts file"]
    assert server["checks"][4] == {
        "id": "HW-010",
        "subject": "/dev/sdb",
        "outcome": "attention",
        "severity": "critical",
        "message": "Disk /dev/sdb (ST4000NM0035, ZC1A2B3C) fails its own health test",
        "facts": dict(samples.DISK),
        "not_offered": ["percentage_used"],
    }
    assert server["checks"][3]["evidence"] == "chronyc: 506 Cannot talk to daemon"
    assert "evidence" not in server["checks"][0]


def test_totals_count_every_cell() -> None:
    document = run_document(*samples.fleet())
    totals = document["totals"]
    assert totals["servers"] == 6
    assert totals["checks"] == sum(len(server["checks"]) for server in document["servers"]) == 52
    assert list(totals["outcomes"]) == [outcome.value for outcome in Outcome]
    assert sum(totals["outcomes"].values()) == 52
    assert totals["severities"] == {"info": 2, "warning": 3, "critical": 2}


def test_a_server_that_has_no_record_yet_is_in_the_document() -> None:
    kept = record("a", [cell("A-1")])
    run = run_of([kept], state=RunState.RUNNING, unanswered=["b"], checks=["A-1"])
    document = run_document(run, [kept])
    last = document["servers"][1]
    assert (last["server"], last["record"], last["outcome"], last["started"]) == ("b", None, "unknown", None)
    assert [one["id"] for one in last["checks"]] == ["A-1"]
    assert document["run"]["ended"] is None


def test_a_summary_counts_who_answered_and_says_where_a_running_run_is() -> None:
    kept = record("a", [cell("A-1")])
    run = run_of([kept], state=RunState.RUNNING, unanswered=["b", "c"])
    asked = replace(run, progress=Progressed(1, 3, {"b": "A-1", "c": ""}, BEGAN))
    summary = run_summary(asked)
    assert (summary["run"], summary["servers"], summary["done"]) == (samples.RUN, 3, 1)
    assert "id" not in summary
    assert summary["in_flight"] == {"b": "A-1", "c": ""}
    assert run_summary(replace(asked, state=RunState.INTERRUPTED))["in_flight"] == {}


def test_records_findings_and_follow_ups_are_whole() -> None:
    _, records = samples.fleet()
    findings, followups = samples.memories(records)
    document = record_document(records[2])
    assert {"record", "run", "checklist", "version", "title", "service", "engineer", "checks", "totals"} <= set(
        document
    )
    short = record_summary(records[2])
    assert short == {name: value for name, value in document.items() if name != "checks"}
    seen = Sighting("r-1", BEGAN, FindingState.NEW, Severity.WARNING, "worn")
    found = finding_document(findings[0], [seen])
    assert found["history"] == [
        {"record": "r-1", "at": "2026-03-02T07:30:00.000Z", "state": "new", "severity": "warning", "message": "worn"}
    ]
    assert found["finding"] == findings[0].id
    assert "history" not in finding_document(findings[0])
    assert finding_document(findings[0], [])["history"] == []
    shown = followup_document(followups[0])
    assert set(shown) == {one.name for one in fields(FollowUp)} - {"id"} | {"followup"}
    assert shown["followup"] == followups[0].id
    assert shown["findings"] == [*followups[0].findings]
    assert shown["opened"] == "2026-03-02T07:30:00.000Z"


def test_numbers_that_json_does_not_know_are_null() -> None:
    facts = {"a": float("nan"), "b": [float("-inf"), 1.5], "c": {"d": float("inf")}}
    document = record_document(record("a", [cell("A-1", facts=facts)]))
    assert document["checks"][0]["facts"] == {"a": None, "b": [None, 1.5], "c": {"d": None}}


def test_facts_nested_without_end_are_cut() -> None:
    deep: Any = "bottom"
    for _ in range(20_000):
        deep = [deep]
    text = strict(record_document(record("a", [cell("A-1", facts={"deep": deep})])))
    assert text.count("[") < DEEPEST + 10
    assert "bottom" not in text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_exact_and_can_be_encoded(text: str) -> None:
    document = run_document(*samples.hostile(text))
    written = strict(document)
    written.encode()
    assert json.loads(written) == document
    assert document["servers"][0]["checks"][0]["message"] == text.replace("\ud800", "\\ud800").replace(
        "\udfff", "\\udfff"
    )


@settings(deadline=None)
@given(ANY_TEXT)
def test_any_text_makes_a_document(text: str) -> None:
    document = run_document(*samples.hostile(text))
    written = strict(document)
    written.encode()
    assert json.loads(written) == document


def test_times_of_any_zone_are_written_in_utc() -> None:
    from datetime import timezone

    east = record("a", [cell("A-1")], started=BEGAN.astimezone(timezone(timedelta(hours=8))))
    assert record_document(east)["started"] == "2026-03-02T07:30:00.000Z"
