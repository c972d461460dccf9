"""What the HTML report shows, worked out before any template sees it: short, visible texts in the order of the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
from maintops.reports.wording import day, duration, fact, listed, moment, plural, verdict, word

MANY_CELLS = 6_000
"""A report of more cells than this leaves out the facts of cells that are ok, and says so."""

OPEN_SERVERS = 3
"""A report of at most so many servers shows their details opened."""

PAPER_SERVERS = 20
"""A report of at most so many servers is printed with all details; a larger one with those that are open."""

_ALWAYS = frozenset({"critical", "failed", "warning", "ok"})
_REASONED = (Outcome.NOT_MEASURED, Outcome.SKIPPED, Outcome.WAIVED)
_TROUBLE = frozenset(VERDICTS) - {"ok", "skipped", "waived", "not measured"}
_FACTS, _PLACES, _CHECKS = 40, 60, 30
_NAME, _VALUE, _MESSAGE, _LONG = 200, 300, 1_000, 20_000

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


@dataclass(frozen=True, slots=True)
class _Context:
    """What the views of one page share: titles by check, anchors by server, findings by id and, by the id of a
    finding, the follow-ups that are not closed. `brief` leaves the facts of cells that are ok out."""

    titles: Mapping[str, str]
    anchors: Mapping[str, str]
    findings: Mapping[str, Finding]
    wanted: Mapping[str, Sequence[FollowUp]]
    brief: bool


def page(
    run: Run,
    records: Sequence[ServiceRecord],
    *,
    titles: Mapping[str, str],
    findings: Sequence[Finding],
    followups: Sequence[FollowUp],
    now: datetime,
    journal: Sequence[str] = (),
) -> dict[str, Any]:
    """The values of the template `run.html.j2`, by name."""
    whole = complete(run, records)
    counts = tally(cell for record in whole for cell in record.cells)
    anchors = {record.server: f"s{index}" for index, record in enumerate(whole, 1)}
    known = {one.id: one for one in findings}
    context = _Context(titles, anchors, known, _wanted(followups), brief=sum(counts.values()) > MANY_CELLS)
    return {
        "title": _line(run.planned.title, _NAME),
        "about": _about_run(run, journal),
        "state": run.state.value,
        "reason": _line(run.reason.removeprefix(f"{run.state.value}: "), _MESSAGE),
        "now": moment(now),
        "planned": len(whole),
        "results": sum(counts.values()),
        "tiles": [(name, counts.get(name, 0)) for name in VERDICTS if name in counts or name in _ALWAYS],
        "open": len(whole) <= OPEN_SERVERS,
        "expand": len(whole) <= PAPER_SERVERS,
        "brief": context.brief,
        **_sections(whole, context),
    }


def _sections(records: Sequence[ServiceRecord], context: _Context) -> dict[str, Any]:
    return {
        "headline": headline(records),
        "findings": [_finding(row, context) for row in attention(records)],
        "gaps": [_gap(gap, context) for gap in gaps(records)],
        "gone": list(_gone(records, context)),
        "remarks": [_finding(row, context) for row in remarks(records)],
        "reasons": [_reasons(records, outcome, context) for outcome in _REASONED],
        "servers": [_server(record, context) for record in records],
    }


def _line(text: str, length: int) -> str:
    return visible(clipped(text, length))


def _wanted(followups: Iterable[FollowUp]) -> dict[str, list[FollowUp]]:
    wanted: dict[str, list[FollowUp]] = {}
    for one in followups:
        if one.state is not FollowUpState.CLOSED:
            for key in one.findings:
                wanted.setdefault(key, []).append(one)
    return wanted


def _about_run(run: Run, journal: Sequence[str]) -> list[Pair]:
    plan = run.planned
    known = _pairs(
        {
            "Checklist": plan.checklist,
            "Service": f"{plan.service} ({plan.item})" if plan.item else plan.service,
            "Engineer": plan.engineer,
            "Began": moment(plan.at),
            "Ended": moment(run.ended) if run.ended else None,
            "Took": duration((run.ended - plan.at).total_seconds()) if run.ended else None,
            "State": run.state.value,
            "Run": run.id,
            "Version of the checklist": plan.version[:16],
            "Plan": plan.plan[:16],
            "Takes back": plan.of,
        }
    )
    emergency = [("EMERGENCY", _line(plan.emergency, _MESSAGE))] if plan.emergency else []
    return [*emergency, *known, *(("On record", _line(told, _MESSAGE)) for told in journal)]


def _pairs(known: Mapping[str, str | None]) -> list[Pair]:
    return [(name, _line(value, _NAME)) for name, value in known.items() if value]


def _finding(row: Row, context: _Context) -> FindingView:
    server, cell = row.record.server, row.cell
    key = finding_id(server, cell.check, cell.subject)
    known = context.findings.get(key) if cell.severity is not None else None
    return FindingView(
        anchor=context.anchors[server],
        server=_line(server, _NAME),
        cell=_cell(cell, context),
        state=known.state.value if known else "",
        memory=_memory(known, row.record.id) if known else "",
        followups=_followups(key, context),
    )


def _memory(finding: Finding, record: str) -> str:
    if finding.first_record == record:
        return "first seen in this record"
    gone = f", gone since {day(finding.gone_at)}" if finding.gone_at else ""
    return f"first seen {day(finding.first_seen)}, {plural(finding.times, 'record')}{gone}"


def _gone(records: Sequence[ServiceRecord], context: _Context) -> Iterator[FindingView]:
    """What this run's records have proved gone."""
    kept = {record.id for record in records if record.id}
    for one in context.findings.values():
        if one.state is FindingState.GONE and one.gone_record in kept and one.server in context.anchors:
            cell = Cell(one.check, one.subject, Outcome.OK, None, one.message)
            memory = f"was {one.severity.value}, first seen {day(one.first_seen)}"
            anchor, shown = context.anchors[one.server], _cell(cell, context)
            yield FindingView(anchor, _line(one.server, _NAME), shown, "gone", memory, _followups(one.id, context))


def _followups(finding: str, context: _Context) -> tuple[Pair, ...]:
    return tuple((_line(one.id, _NAME), _asked(one)) for one in context.wanted.get(finding, ()))


def _asked(followup: FollowUp) -> str:
    """What is to be done; how, as the check says it, follows while it is to be done."""
    title = _line(followup.title, _VALUE)
    if _proposed(followup):
        return f"{title} (may be closed)"
    return f"{title}: {_line(followup.action, _MESSAGE)}" if followup.action else title


def _proposed(followup: FollowUp) -> bool:
    return followup.state is FollowUpState.PROPOSED


def _gap(gap: Gap, context: _Context) -> GapView:
    some = f"{plural(len(gap.checks), 'check')}: {listed(gap.checks, _CHECKS)}"
    return GapView(
        anchor=context.anchors[gap.record.server],
        server=_line(gap.record.server, _NAME),
        verdict=word(gap.outcome),
        why=_line(gap.why, _MESSAGE) or "no reason given",
        checks="every check" if gap.alone else _line(some, _LONG),
    )


def _reasons(records: Sequence[ServiceRecord], outcome: Outcome, context: _Context) -> tuple[str, int, list[GroupView]]:
    count = sum(record.counts[outcome] for record in records)
    return word(outcome), count, [_group(group, context) for group in reasons(records, outcome)]


def _group(group: Group, context: _Context) -> GroupView:
    places = [_line(one, _NAME) for one in group.places]
    return GroupView(
        checks=tuple((_line(one, _NAME), _title(one, context)) for one in group.checks),
        why=_line(group.why, _MESSAGE) or "no reason given",
        places=listed(places, _PLACES),
    )


def _title(check: str, context: _Context) -> str:
    return _line(context.titles.get(check, ""), _NAME)


def _server(record: ServiceRecord, context: _Context) -> ServerView:
    counts = tally(record.cells)
    return ServerView(
        anchor=context.anchors[record.server],
        name=_line(record.server, _NAME),
        counts=tuple(counts.items()),
        took=duration((record.ended - record.started).total_seconds()) if record.id else "",
        calm=_TROUBLE.isdisjoint(counts),
        about=tuple(_about_record(record)),
        notes=tuple(_line(note, _MESSAGE) for note in record.notes),
        cells=tuple(_cell(cell, context) for cell in record.cells),
    )


def _about_record(record: ServiceRecord) -> list[Pair]:
    asked = f"{moment(record.started)} to {moment(record.ended)}" if record.id else None
    return _pairs(
        {
            "Record": record.id or "none",
            "Customer": record.customer,
            "Site": record.site,
            "Engine": record.engine,
            "Asked": asked,
            "Machine": record.machine[:16],
        }
    )


def _cell(cell: Cell, context: _Context) -> CellView:
    facts = {} if context.brief and cell.outcome is Outcome.OK else cell.facts
    shown = list(facts.items())[:_FACTS]
    remark = cell.outcome is Outcome.OK and cell.severity is Severity.INFO
    return CellView(
        verdict="info" if remark else verdict(cell),
        check=_line(cell.check, _NAME),
        title=_title(cell.check, context),
        subject=_line(cell.subject or "", _NAME),
        message=_line(cell.message, _MESSAGE),
        facts=tuple((_line(str(name), _NAME), _line(fact(value), _VALUE)) for name, value in shown),
        more=len(facts) - len(shown),
        not_offered=_line(listed(cell.not_offered, _FACTS), _MESSAGE),
        evidence=visible(clipped(cell.evidence, _LONG), newlines=True),
    )
