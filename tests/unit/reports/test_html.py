from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maintops.domain.findings import FindingState
from maintops.domain.followups import FollowUpState
from maintops.domain.outcomes import Outcome, Severity
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Run, RunState
from maintops.reports import views
from maintops.reports.html import html_report
from tests.unit.reports import samples
from tests.unit.reports.samples import BEGAN, HOSTILE, NOW, TITLES, cell, record, run_of

ANY_TEXT = st.text(st.characters(categories=None), min_size=1, max_size=40)
VOID = {"meta", "col", "input"}


class Page(HTMLParser):
    """The page's elements as (tag, names of attributes), its attributes' values, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.values: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        for name, value in attrs:
            self.values.setdefault(name, []).append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment that is not ours: {data}")

    def handle_data(self, data: str) -> None:
        self.text += data


def report(run: Run, records: Sequence[ServiceRecord], **more: object) -> str:
    settings: dict[str, object] = {"titles": TITLES, "findings": (), "followups": (), "now": NOW, **more}
    return html_report(run, records, **settings)  # type: ignore[arg-type]


def fleet() -> str:
    run, records = samples.fleet()
    findings, followups = samples.memories(records)
    return report(run, records, findings=findings, followups=followups)


def hostile(text: str) -> str:
    run, records = samples.hostile(text)
    findings = [samples.finding(records[0].server, one) for one in records[0].cells if one.outcome is Outcome.ATTENTION]
    gone = samples.finding(
        records[0].server,
        cell("X-99", message=text, subject=text),
        FindingState.GONE,
        gone_at=BEGAN,
        gone_record=records[0].id,
    )
    followups = [replace(samples.followup(text, *findings, gone), id=text)]
    titles = {one.check: text for one in records[0].cells}
    return report(run, records, titles=titles, findings=[*findings, gone], followups=followups)


@cache
def ordinary() -> list[tuple[str, tuple[str, ...]]]:
    """The elements of the page that has an ordinary text everywhere."""
    return Page(hostile("x")).elements


def sections(html: str) -> dict[str, str]:
    """The page's parts by their headings."""
    return {re.sub("<.*?>", "", part.split("</h2>")[0]).strip(): part for part in html.split("<h2>")[1:]}


def test_it_is_one_page_that_asks_for_nothing() -> None:
    html = fleet()
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.open == []
    style = html.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.values["content"][0]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert {"src", "style", "onclick"}.isdisjoint(page.values)
    assert {"script", "link", "img", "iframe"}.isdisjoint(tag for tag, _ in page.elements)
    assert not re.search(r"https?:|url\(|@import", style)


def test_every_link_has_its_target_and_ids_are_unique() -> None:
    values = Page(fleet()).values
    assert len(values["id"]) == len(set(values["id"]))
    assert values["href"]
    assert {one.removeprefix("#") for one in values["href"]} <= set(values["id"])


def test_tables_have_headings_and_headings_have_an_order() -> None:
    page = Page(fleet())
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == 1
    assert tags.count("h3") == 6
    assert set(page.values["scope"]) == {"col", "row"}
    assert ("html", ("lang",)) in page.elements


def test_the_sections_come_in_the_order_of_need() -> None:
    assert list(sections(fleet())) == [
        "Needs attention 6",
        "No answer 2",
        "No longer found 1",
        "Remarks 2",
        "Not measured 5",
        "Skipped 3",
        "Waived 1",
        "Servers 6",
    ]


def test_what_needs_attention_names_server_check_message_memory_and_follow_up() -> None:
    rows = sections(fleet())["Needs attention 6"].split("<tr>")[2:]
    assert [re.search(r'badge (\w+)"', row)[1] for row in rows] == [  # type: ignore[index]
        "critical", "critical", "failed", "warning", "warning", "warning",
    ]  # fmt: skip
    for expected in (
        "db1.rotterdam.example", "HW-010", "Every disk passes its own health test", "/dev/sdb",
        "fails its own health test", "<b>new</b>, first seen in this record", "Replace disk /dev/sdb",
    ):  # fmt: skip
        assert expected in rows[0]
    assert "<b>known</b>, first seen 2026-03-02, 14 records" in rows[3]
    assert "Replace disk" not in rows[1]


def test_a_finding_that_is_gone_comes_with_the_follow_up_that_may_be_closed() -> None:
    gone = sections(fleet())["No longer found 1"]
    assert "cron.service has failed" in gone
    assert "Restart cron (may be closed)" in gone


def test_a_finding_is_new_here_only_in_the_record_that_saw_it_first() -> None:
    bad = samples.attention("A-1", Severity.WARNING, "worn")
    one = record("web1", [bad])
    seen = samples.finding("web1", bad, first_record="an earlier one", gone_at=BEGAN)
    html = report(run_of([one]), [one], findings=[seen])
    assert "first seen 2026-03-02, 1 record, gone since 2026-03-02" in html
    assert "first seen in this record" not in html


def test_a_closed_follow_up_and_a_finding_gone_in_another_run_are_left_out() -> None:
    run, records = samples.fleet()
    findings, followups = samples.memories(records)
    closed = [replace(one, state=FollowUpState.CLOSED) for one in followups]
    elsewhere = [replace(one, gone_record="another") if one.gone_record else one for one in findings]
    html = report(run, records, findings=elsewhere, followups=closed)
    assert "Replace disk" not in html
    assert "No longer found" not in html


def test_a_server_shows_every_cell_its_facts_notes_and_record() -> None:
    server = fleet().split("<h3>db1.rotterdam.example</h3>")[1].split("</details>")[0]
    assert server.count('<th scope="row">') == 10
    for expected in (
        f"{samples.RUN}-0003", "Harbour Logistics", "Rotterdam 2", "ssh", "host key learnt from the known_hosts file",
        "<dt>used_percent</dt> <dd>91.4</dd>", "<dt>since</dt> <dd>not measured</dd>",
        "Not offered here: percentage_used",
        "<pre>chronyc: 506 Cannot talk to daemon</pre>", "accepted by Chen Yu until 2026-06-30",
    ):  # fmt: skip
        assert expected in server


def test_the_summary_speaks_and_counts() -> None:
    html = fleet()
    text = " ".join(Page(html).text.split())
    assert "2 of 6 servers need attention: 2 critical findings" in text
    assert "6 servers 52 results 8 unreachable 7 unknown 2 critical 1 failed 3 warning" in text
    assert "Report made 2026-03-02 08:30:00 UTC" in text
    assert "Wang Li" in text
    assert 'role="note"' not in html


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.INTERRUPTED, RunState.RUNNING])
def test_a_run_that_is_not_finished_says_so_first(state: RunState) -> None:
    one = record("web1", [cell("A-1")])
    page = Page(report(run_of([one], state=state, unanswered=["web2"], checks=["A-1"]), [one]))
    text = " ".join(page.text.split())
    assert f"This run is {state.value}. Not every server has its result." in text
    assert "web2" in text
    assert "Record none" in text


def test_why_a_run_was_held_is_one_sentence_before_the_next() -> None:
    one = record("web1", [cell("A-1")])
    held = replace(run_of([one], state=RunState.HELD, unanswered=["web2"], checks=["A-1"]), reason="held: it is late")
    text = " ".join(Page(report(held, [one])).text.split())
    assert "This run is held: it is late. Not every server has its result." in text


def test_a_calm_run_says_that_nothing_was_found() -> None:
    one = record("web1", [cell("A-1")])
    html = report(run_of([one]), [one])
    assert list(sections(html)) == ["Needs attention 0", "Servers 1"]
    assert "Nothing was found that needs attention." in html


def test_small_reports_are_open_and_only_calm_servers_can_be_hidden() -> None:
    one = record("web1", [cell("A-1"), cell("A-2", Outcome.SKIPPED), cell("A-3", Outcome.NOT_MEASURED)])
    assert '<details class="server calm" open>' in report(run_of([one]), [one])
    html = fleet()
    assert " open>" not in html
    assert html.count('class="server calm"') == 2
    assert html.count('class="server"') == 4


def test_a_large_report_leaves_out_the_facts_of_what_is_ok_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    run, records = samples.large(4, 20)
    assert "<dt>used_percent</dt>" in report(run, records)
    monkeypatch.setattr(views, "MANY_CELLS", 79)
    html = report(run, records)
    assert "<dt>used_percent</dt>" not in html
    assert "<dt>wear</dt>" in html
    assert "the facts of results that are ok are left out" in html
    assert html.count('<th scope="row">') == 80 + 4  # every cell, and the findings


def test_more_facts_than_a_reader_wants_are_counted() -> None:
    facts = {f"fact_{index}": index for index in range(50)}
    one = record("web1", [cell("A-1", facts=facts)])
    html = report(run_of([one]), [one])
    assert html.count("<dt>fact_") == 40
    assert "10 more facts are in the record." in html


@pytest.mark.parametrize("text", [one for one in HOSTILE if one])
def test_hostile_text_adds_no_element_and_no_attribute(text: str) -> None:
    assert Page(hostile(text)).elements == ordinary()


def test_hostile_text_is_shown_as_it_is() -> None:
    text = '"><script>{{ 7*7 }}</script>'
    page = Page(hostile(text))
    assert text in page.text
    assert "49" not in page.text


@settings(deadline=None, max_examples=25)
@given(ANY_TEXT)
def test_any_text_adds_no_element_and_no_attribute(text: str) -> None:
    html = hostile(text)
    assert Page(html).elements == ordinary()
    assert not [
        one for one in html if one != "\n" and (one < " " or "\x7f" <= one <= "\x9f" or "\u202a" <= one <= "\u202e")
    ]
    html.encode()


def test_severities_that_need_no_attention_are_remarks() -> None:
    one = record("web1", [cell("A-1", severity=Severity.INFO, message="for your information")])
    known = samples.finding("web1", one.cells[0], FindingState.KNOWN, times=3)
    remark = sections(report(run_of([one]), [one], findings=[known]))["Remarks 1"]
    assert "for your information" in remark
    assert "<b>known</b>, first seen 2026-03-02, 3 records" in remark
