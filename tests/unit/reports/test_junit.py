from __future__ import annotations

from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.outcomes import BIT_FINDINGS, FailOn, Outcome, Severity, exit_code
from maintops.reports.junit import junit_report
from tests.unit.reports import samples
from tests.unit.reports.samples import HOSTILE, TITLES, cell, record, run_of

ANY_TEXT = st.text(st.characters(categories=None), max_size=40)


def parsed(text: str) -> Element:
    return fromstring(text.encode())  # noqa: S314  (our own output)


def fleet(fail_on: FailOn = FailOn.CRITICAL) -> Element:
    run, records = samples.fleet()
    return parsed(junit_report(run, records, titles=TITLES, fail_on=fail_on))


def test_a_suite_per_server_and_a_case_per_cell() -> None:
    root = fleet()
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == [one.server for one in samples.fleet()[1]]
    suite = root[2]
    assert (suite.get("timestamp"), suite.get("time")) == ("2026-03-02T07:30:01.000Z", "2.400")
    cases = suite.findall("testcase")
    assert (cases[4].get("classname"), cases[4].get("name")) == (
        "daily-check.db1.rotterdam.example",
        "HW-010 [/dev/sdb] Every disk passes its own health test",
    )
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["record"] == f"{samples.RUN}-0003"
    assert properties["engineer"] == "Wang Li"


@pytest.mark.parametrize("fail_on", list(FailOn))
def test_the_attributes_are_the_sums(fail_on: FailOn) -> None:
    root = fleet(fail_on)
    for one in (root, *root):
        assert one.get("tests") == str(len(list(one.iter("testcase"))))
        for count, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
            assert one.get(count) == str(len(list(one.iter(tag))))
    assert root.get("time") == f"{2.4 * 6:.3f}"


@pytest.mark.parametrize("fail_on", list(FailOn))
def test_a_case_fails_exactly_where_the_exit_code_says_so(fail_on: FailOn) -> None:
    cells = [
        cell(f"A-{index}", outcome, "why", severity=severity)
        for index, (outcome, severity) in enumerate(
            [(Outcome.OK, None), (Outcome.OK, Severity.INFO), *((Outcome.ATTENTION, one) for one in Severity)]
        )
    ]
    one = record("a", cells)
    cases = list(parsed(junit_report(run_of([one]), [one], fail_on=fail_on)).iter("testcase"))
    failed = [case.find("failure") is not None for case in cases]
    assert failed == [exit_code([cell], fail_on) == BIT_FINDINGS for cell in cells]
    types = [failure.get("type") for case in cases for failure in case.iter("failure")]
    assert types == [one.severity for one, has in zip(cells, failed, strict=True) if has]
    silent = [case for case, has in zip(cases, failed, strict=True) if not has]
    assert all("why" in (case.findtext("system-out") or "") for case in silent)


@pytest.mark.parametrize(
    ("outcome", "tag"),
    [
        (Outcome.FAILED, "error"),
        (Outcome.UNREACHABLE, "error"),
        (Outcome.UNKNOWN, "error"),
        (Outcome.NOT_REACHED, "error"),
        (Outcome.SKIPPED, "skipped"),
        (Outcome.NOT_MEASURED, "skipped"),
        (Outcome.WAIVED, "skipped"),
    ],
)
def test_other_outcomes_are_errors_or_skipped_with_their_reason(outcome: Outcome, tag: str) -> None:
    one = record("a", [cell("A-1", outcome, "for a reason", evidence="line 1\nline 2", facts={"n": 1})])
    case = parsed(junit_report(run_of([one]), [one])).find(".//testcase")
    assert case is not None
    assert [child.tag for child in case] == [tag]
    assert (case[0].get("type"), case[0].get("message")) == (outcome.value, "for a reason")
    assert case[0].text == ("n: 1\nline 1\nline 2" if tag == "error" else None)


def test_a_server_without_a_record_is_an_error() -> None:
    kept = record("a", [cell("A-1")])
    run = run_of([kept], unanswered=["b"], checks=["A-1", "A-2"])
    suite = parsed(junit_report(run, [kept]))[1]
    assert (suite.get("name"), suite.get("errors"), suite.get("time")) == ("b", "2", "0.000")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_gives_well_formed_xml(text: str) -> None:
    run, records = samples.hostile(text)
    root = parsed(junit_report(run, records, titles={"X-1": text}))
    assert len(list(root.iter("testcase"))) == len(records[0].cells) + len(TITLES)


@settings(deadline=None)
@given(ANY_TEXT)
def test_any_text_gives_well_formed_xml(text: str) -> None:
    run, records = samples.hostile(text)
    root = parsed(junit_report(run, records, titles={"X-1": text}, fail_on=FailOn.INFO))
    tags = {one.tag for one in root.iter()}
    assert tags <= {
        "testsuites", "testsuite", "testcase", "properties", "property", "failure", "error", "skipped", "system-out",
    }  # fmt: skip
