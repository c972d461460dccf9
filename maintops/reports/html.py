"""A run as one HTML file that stands alone: for a browser, for A4 paper, for a mail.

The file asks for nothing (no script, no font, no address; its Content-Security-Policy allows only its own style sheet,
by hash), so nothing that a server wrote can act in it. Text is shown as in `visible`, then escaped by Jinja2.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from maintops.domain.findings import Finding, FindingState, finding_id
from maintops.domain.followups import FollowUp, FollowUpState
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Run
from maintops.reports.escaping import clipped, visible
from maintops.reports.results import (
    VERDICTS,
    Gap,
    Group,
    Row,
    attention,
    complete,
    gaps,
    headline,
    reasons,
    remarks,
    tally,
)
from maintops.reports.wording import duration, fact, listed, moment, plural, verdict, word

MANY_CELLS = 6_000
"""A report of more cells than this leaves out the facts of cells that are ok, and says so."""

OPEN_SERVERS = 3
"""A report of at most so many servers shows their details opened."""

PAPER_SERVERS = 20
"""A report of at most so many servers is printed with all details; a larger one with those that are open."""

_ALWAYS = frozenset({"critical", "failed", "warning", "ok"})
_TROUBLE = frozenset(VERDICTS) - {"ok", "skipped", "waived", "not measured"}
_FACTS, _PLACES, _CHECKS = 40, 60, 30
_NAME, _VALUE, _MESSAGE, _EVIDENCE = 200, 300, 2_000, 20_000

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CellView:
    """A cell as it is shown; `more` is how many facts are left out."""

    verdict: str
    check: str
    title: str
    subject: str
    message: str
    facts: tuple[Pair, ...]
    more: int
    not_offered: str
    evidence: str


@dataclass(frozen=True, slots=True)
class FindingView:
    """A cell that someone must look at: where it is, how long it has been known, what is being done about it."""

    anchor: str
    server: str
    cell: CellView
    state: str
    memory: str
    followups: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class GapView:
    """What a server did not answer."""

    anchor: str
    server: str
    verdict: str
    why: str
    checks: str


@dataclass(frozen=True, slots=True)
class GroupView:
    """Checks (id and title) with one reason, and where it holds."""

    checks: tuple[Pair, ...]
    why: str
    places: str


@dataclass(frozen=True, slots=True)
class ServerView:
    """A server's record as it is shown; `calm` says that there is nothing to look at."""

    anchor: str
    name: str
    counts: tuple[tuple[str, int], ...]
    took: str
    calm: bool
    about: tuple[Pair, ...]
    notes: tuple[str, ...]
    cells: tuple[CellView, ...]


def html_report(
    run: Run,
    records: Sequence[ServiceRecord],
    *,
    titles: Mapping[str, str],
    findings: Sequence[Finding],
    followups: Sequence[FollowUp],
    now: datetime,
) -> str:
    """The report. `titles` maps check ids to titles; `findings` are those of the run's servers (gone ones too),
    `followups` theirs; `now` is when the report was made. It encodes to UTF-8."""
    view = _View(complete(run, records), titles, {one.id: one for one in findings}, followups)
    environment = _environment()
    style = environment.get_template("run.css").render()
    return environment.get_template("run.html.j2").render(
        style=Markup(style),  # noqa: S704  (our own file, and no value is rendered into it)
        digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        title=_line(run.planned.title, _NAME),
        about=_about(run),
        state=run.state.value,
        reason=_line(run.reason, _MESSAGE),
        now=moment(now),
        **view.parts(),
    ).lstrip()


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("maintops.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    """The last word on every value of the template: a text that a view forgot to make visible is made so here."""
    return visible(value, newlines=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _line(text: str, length: int) -> str:
    return visible(clipped(text, length))


def _about(run: Run) -> tuple[Pair, ...]:
    plan = run.planned
    took = "" if run.ended is None else duration((run.ended - plan.at).total_seconds())
    known = {
        "Checklist": plan.checklist,
        "Service": plan.service,
        "Engineer": plan.engineer or "",
        "Began": moment(plan.at),
        "Ended": "" if run.ended is None else moment(run.ended),
        "Took": took,
        "State": run.state.value,
        "Run": run.id,
        "Version of the checklist": plan.version[:16],
    }
    return tuple((name, _line(value, _NAME)) for name, value in known.items() if value)


@dataclass(frozen=True, slots=True)
class _View:
    """What the views of one report share."""

    records: Sequence[ServiceRecord]
    titles: Mapping[str, str]
    findings: Mapping[str, Finding]
    followups: Sequence[FollowUp]

    def parts(self) -> dict[str, Any]:
        """The values of the template that come from the records."""
        counts = tally(cell for record in self.records for cell in record.cells)
        brief = sum(counts.values()) > MANY_CELLS
        anchors = {record.server: f"s{index}" for index, record in enumerate(self.records, 1)}
        wanted = self._wanted()
        return {
            "headline": headline(self.records),
            "tiles": [(name, counts.get(name, 0)) for name in VERDICTS if name in counts or name in _ALWAYS],
            "planned": len(self.records),
            "results": sum(counts.values()),
            "findings": [self._finding(row, anchors, wanted) for row in attention(self.records)],
            "gaps": [self._gap(gap, anchors) for gap in gaps(self.records)],
            "remarks": [self._finding(row, anchors, wanted) for row in remarks(self.records)],
            "reasons": [(word(one), self._reasons(one)) for one in _REASONED],
            "gone": list(self._gone(wanted)),
            "servers": [self._server(record, anchors[record.server], brief) for record in self.records],
            "open": len(self.records) <= OPEN_SERVERS,
            "expand": len(self.records) <= PAPER_SERVERS,
            "brief": brief,
        }

    def _wanted(self) -> dict[str, list[FollowUp]]:
        """The follow-ups that are not closed, by the findings that they stand for."""
        wanted: dict[str, list[FollowUp]] = {}
        for one in self.followups:
            if one.state is not FollowUpState.CLOSED:
                for key in one.findings:
                    wanted.setdefault(key, []).append(one)
        return wanted

    def _finding(self, row: Row, anchors: Mapping[str, str], wanted: Mapping[str, list[FollowUp]]) -> FindingView:
        server, cell = row.record.server, row.cell
        key = finding_id(server, cell.check, cell.subject)
        known = self.findings.get(key) if cell.outcome is Outcome.ATTENTION else None
        return FindingView(
            anchor=anchors[server],
            server=_line(server, _NAME),
            cell=self._cell(cell, brief=False),
            state=known.state.value if known else "",
            memory=_memory(known) if known else "",
            followups=tuple(_followups(wanted.get(key, ()))),
        )

    def _gone(self, wanted: Mapping[str, list[FollowUp]]) -> Iterator[FindingView]:
        anchors = {record.id: f"s{index}" for index, record in enumerate(self.records, 1) if record.id}
        for one in self.findings.values():
            if one.state is FindingState.GONE and one.gone_record in anchors:
                cell = Cell(one.check, one.subject, Outcome.OK, one.severity, one.message)
                yield FindingView(
                    anchor=anchors[one.gone_record],
                    server=_line(one.server, _NAME),
                    cell=self._cell(cell, brief=False),
                    state=one.state.value,
                    memory=f"was {one.severity.value}, first seen {moment(one.first_seen)}",
                    followups=tuple(_followups(wanted.get(one.id, ()))),
                )

    def _gap(self, gap: Gap, anchors: Mapping[str, str]) -> GapView:
        some = f"{plural(len(gap.checks), 'check')}: {listed(gap.checks, _CHECKS)}"
        return GapView(
            anchor=anchors[gap.record.server],
            server=_line(gap.record.server, _NAME),
            verdict=word(gap.outcome),
            why=_line(gap.why, _MESSAGE) or "no reason given",
            checks="every check" if gap.whole else _line(some, _MESSAGE),
        )

    def _reasons(self, outcome: Outcome) -> list[GroupView]:
        return [self._group(group) for group in reasons(self.records, outcome)]

    def _group(self, group: Group) -> GroupView:
        return GroupView(
            checks=tuple((_line(one, _NAME), _line(self.titles.get(one, ""), _NAME)) for one in group.checks),
            why=_line(group.why, _MESSAGE) or "no reason given",
            places=_line(listed((_line(one, _NAME) for one in group.places), _PLACES), _EVIDENCE),
        )

    def _server(self, record: ServiceRecord, anchor: str, brief: bool) -> ServerView:
        counts = tally(record.cells)
        took = duration((record.ended - record.started).total_seconds()) if record.id else ""
        return ServerView(
            anchor=anchor,
            name=_line(record.server, _NAME),
            counts=tuple(counts.items()),
            took=took,
            calm=_TROUBLE.isdisjoint(counts),
            about=tuple(_about_record(record)),
            notes=tuple(_line(note, _MESSAGE) for note in record.notes),
            cells=tuple(self._cell(cell, brief) for cell in record.cells),
        )

    def _cell(self, cell: Cell, brief: bool) -> CellView:
        facts = {} if brief and cell.outcome is Outcome.OK else cell.facts
        shown = list(facts.items())[:_FACTS]
        remark = cell.outcome is Outcome.OK and cell.severity is Severity.INFO
        return CellView(
            verdict="info" if remark else verdict(cell),
            check=_line(cell.check, _NAME),
            title=_line(self.titles.get(cell.check, ""), _NAME),
            subject=_line(cell.subject or "", _NAME),
            message=_line(cell.message, _MESSAGE),
            facts=tuple((_line(str(name), _NAME), _line(fact(value), _VALUE)) for name, value in shown),
            more=len(facts) - len(shown),
            not_offered=_line(listed(cell.not_offered, _FACTS), _MESSAGE),
            evidence=visible(clipped(cell.evidence, _EVIDENCE), newlines=True),
        )


_REASONED = (Outcome.NOT_MEASURED, Outcome.SKIPPED, Outcome.WAIVED)


def _memory(finding: Finding) -> str:
    if finding.times <= 1:
        return "first seen in this record"
    return f"first seen {moment(finding.first_seen)}, in {plural(finding.times, 'record')} since"


def _followups(wanted: Iterable[FollowUp]) -> Iterator[Pair]:
    for one in wanted:
        proposed = " (may be closed)" if one.state is FollowUpState.PROPOSED else ""
        yield _line(one.id, _NAME), _line(one.title, _VALUE) + proposed


def _about_record(record: ServiceRecord) -> Iterator[Pair]:
    known = {
        "Record": record.id or "none yet",
        "Customer": record.customer,
        "Site": record.site,
        "Engine": record.engine,
        "Asked": f"{moment(record.started)} to {moment(record.ended)}" if record.id else "",
        "Machine": record.machine[:16],
    }
    return ((name, _line(value, _NAME)) for name, value in known.items() if value)
