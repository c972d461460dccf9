"""Readings and a server's memory in, a verdict out: the record, and what it means. A pure function."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from maintops.domain.answers import Measured, NotMeasured, Reading, Skipped, SubjectFacts
from maintops.domain.findings import Finding, FindingState, finding_id, observe
from maintops.domain.followups import FollowUp, Wish, ask, propose
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Remembered, Subjects, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.trends import Points, extended
from maintops.domain.wording import some
from maintops.probes.contract import Presence
from maintops.rules.filters import is_number
from maintops.rules.judging import Judgement, Past, compile_rules, judge
from maintops.workflow.planning import CheckPlan
from maintops.workflow.reading import TASK_RULES

_LARGEST_POINT = 1e21


@dataclass(frozen=True, slots=True)
class Judged:
    """One check's part of a verdict: its cells, what to remember (None: nothing new), and the wishes by subject.
    `absent` are passing subjects that are no longer there, `missed` the lasting ones that it said are gone,
    `changes` those whose finding tells of a change."""

    cells: tuple[Cell, ...]
    remember: Subjects | None = None
    wishes: Mapping[str | None, Wish] = field(default_factory=dict)
    absent: tuple[str | None, ...] = ()
    missed: frozenset[str] = frozenset()
    changes: frozenset[str | None] = frozenset()


def judge_server(
    draft: ServiceRecord,
    checks: Sequence[CheckPlan],
    readings: Mapping[str, Reading | Cell],
    values: Mapping[str, Any],
    memory: Memory,
) -> Verdict:
    """The verdict over one server: `draft` is its record without cells. `values` are the checklist's parameters."""
    now = draft.ended
    judged: dict[str, Judged] = {}
    for one in checks:
        told = judged[one.follows].missed if one.follows in judged else frozenset()
        judged[one.check.id] = _judge_check(one, readings[one.check.id], values, memory, draft.id, now, told)
    record = replace(draft, cells=tuple(cell for one in judged.values() for cell in one.cells))
    findings = _observe(memory, record, judged, now)
    followups = _follow(memory, findings, judged, record, now)
    facts = {check: one.remember for check, one in judged.items() if one.remember is not None}
    return Verdict(record, facts, tuple(findings.values()), tuple(followups))


# --- one check -------------------------------------------------------------------------------------------------------


def _judge_check(
    plan: CheckPlan,
    reading: Reading | Cell,
    values: Mapping[str, Any],
    memory: Memory,
    record: str,
    now: datetime,
    told: frozenset[str],
) -> Judged:
    check = plan.check.id
    if isinstance(reading, Cell):
        return _judge_content(plan, reading, values, memory, record, now) if plan.probe is None else Judged((reading,))
    if isinstance(reading, NotMeasured):
        return Judged((Cell(check, None, Outcome.NOT_MEASURED, message=reading.why),))
    if isinstance(reading, Skipped):
        return Judged((Cell(check, None, Outcome.SKIPPED, message=reading.why),))
    if plan.probe is None:
        plan = replace(plan, rules=compile_rules(TASK_RULES))
    return _judge_measured(plan, reading, values, memory, record, now, told)


def _judge_measured(
    plan: CheckPlan,
    reading: Measured,
    values: Mapping[str, Any],
    memory: Memory,
    record: str,
    now: datetime,
    told: frozenset[str] = frozenset(),
) -> Judged:
    """`told` are the subjects that another check, which asks the same, said are gone."""
    cells: list[Cell] = []
    wishes: dict[str | None, Wish] = {}
    changes: set[str | None] = set()
    remember: dict[str | None, Remembered] = {}
    before = memory.facts.get(plan.check.id, {})
    for subject in reading.subjects:
        last = before.get(subject.subject)
        if subject.why_not is not None:
            cells.append(Cell(plan.check.id, subject.subject, Outcome.NOT_MEASURED, None, subject.why_not))
            if last is not None:
                remember[subject.subject] = last
            continue
        past = _past(plan, subject, last, memory, now)
        judgement = judge(plan.rules, subject, past, parameters=values)
        cells.append(_cell(plan.check.id, subject, judgement))
        if judgement.change:
            changes.add(subject.subject)
        if judgement.wish is not None:
            wishes[subject.subject] = replace(judgement.wish, action=plan.check.action)
        facts, blank = _measured(subject.facts), tuple(sorted(subject.not_offered))
        points = {**(last.points if last is not None else {}), **past.points}
        remember[subject.subject] = Remembered(facts, record, now, blank, points=points)
    named = {subject.subject for subject in reading.subjects}
    missed: set[str] = set()
    absent: tuple[str | None, ...] = ()
    if plan.probe is not None and plan.probe.presence is Presence.LASTING:
        for name, last in _missed(plan.check.id, named, memory):
            if name in told and not _is_alive(plan.check.id, name, memory.findings):
                remember[name] = last
                continue
            missed.add(name)
            cells.append(_vanished(plan.check.id, name, last, memory.findings))
            remember[name] = replace(last, vanished=True)
        absent = tuple(name for name in before if name not in named and name not in remember)
    else:
        mine = (one for one in memory.findings if one.check == plan.check.id)
        absent = tuple(one.subject for one in mine if one.subject not in named)
    if not cells:
        cells.append(Cell(plan.check.id, None, Outcome.OK))
    return Judged(tuple(cells), remember, wishes, absent, frozenset(missed), frozenset(changes))


def _is_alive(check: str, subject: str, findings: Iterable[Finding]) -> bool:
    """Whether there is a finding that its disappearance must not make smaller."""
    mine = (one for one in findings if (one.check, one.subject) == (check, subject))
    return any(one.state is not FindingState.GONE for one in mine)


def _missed(check: str, named: Collection[str | None], memory: Memory) -> Iterator[tuple[str, Remembered]]:
    """The subjects that should be there and are not, but for those whose absence was accepted with a baseline."""
    accepted = memory.baselines.get(check)
    for name, last in memory.facts.get(check, {}).items():
        gone_for_good = accepted is not None and accepted.at > last.at and name not in accepted.subjects
        if name is not None and name not in named and not gone_for_good:
            yield name, last


def _past(plan: CheckPlan, subject: SubjectFacts, last: Remembered | None, memory: Memory, now: datetime) -> Past:
    accepted = memory.baselines.get(plan.check.id)
    points: dict[str, Points] = {}
    for fact in plan.rules.trends:
        value = _point(subject.facts.get(fact))
        if value is not None:
            points[fact] = extended(last.points.get(fact, ()) if last is not None else (), now, value)
    return Past(
        previous=last.facts if last is not None else None,
        not_offered=last.not_offered if last is not None else (),
        baseline=accepted.subjects.get(subject.subject) if accepted is not None else None,
        points=points,
    )


def _point(value: Any) -> float | None:
    """A number that a trend can hold; no bytes of any server come near the bound."""
    return float(value) if is_number(value) and -_LARGEST_POINT < value < _LARGEST_POINT else None


def _cell(check: str, subject: SubjectFacts, judgement: Judgement) -> Cell:
    return Cell(
        check,
        subject.subject,
        judgement.outcome,
        judgement.severity,
        judgement.message,
        _measured(subject.facts),
        tuple(sorted(subject.not_offered)),
    )


def _measured(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _vanished(check: str, subject: str, last: Remembered, findings: Iterable[Finding]) -> Cell:
    """A disk that failed and then vanishes has not become better: the finding that it has keeps its severity."""
    alive = (one for one in findings if (one.check, one.subject) == (check, subject))
    known = [one.severity for one in alive if one.state is not FindingState.GONE]
    severity = max([Severity.WARNING, *known], key=lambda one: one.rank)
    message = f"{subject} was there on {last.at:%Y-%m-%d %H:%M} UTC and is not there now"
    return Cell(check, subject, Outcome.ATTENTION, severity, message, dict(last.facts), last.not_offered)


def _judge_content(
    plan: CheckPlan, cell: Cell, values: Mapping[str, Any], memory: Memory, record: str, now: datetime
) -> Judged:
    """A playbook check: a change that check mode would make is attention, unless rules of its own say otherwise."""
    if cell.outcome is not Outcome.OK:
        return Judged((cell,))
    reading = Measured((SubjectFacts(None, cell.facts),))
    if plan.check.rules:
        judged = _judge_measured(plan, reading, values, memory, record, now)
        return replace(judged, cells=tuple(replace(one, evidence=cell.evidence) for one in judged.cells))
    changed = cell.facts.get("changed", [])
    if changed:
        message = f"Ansible would change: {some(changed)}"
        cell = replace(cell, outcome=Outcome.ATTENTION, severity=Severity.WARNING, message=message)
    return Judged((cell,), {None: Remembered(cell.facts, record, now)})


# --- the server ------------------------------------------------------------------------------------------------------


def _observe(memory: Memory, record: ServiceRecord, judged: Mapping[str, Judged], now: datetime) -> dict[str, Finding]:
    """The findings that this record changes or sees again, by id."""
    known = {(one.check, one.subject): one for one in memory.findings}
    absent = [Cell(check, subject, Outcome.OK) for check, one in judged.items() for subject in one.absent]
    seen: dict[str, Finding] = {}
    for cell in (*record.cells, *absent):
        before = known.get((cell.check, cell.subject))
        after = observe(before, record.server, cell, record.id, now)
        if after is not None and after is not before:
            seen[after.id] = _told(after, cell.subject, judged[cell.check])
    return seen


def _told(finding: Finding, subject: str | None, judged: Judged) -> Finding:
    """A finding that is there says whether it tells of a change; one that is gone keeps what it said."""
    if finding.state is FindingState.GONE:
        return finding
    return replace(finding, change=subject in judged.changes)


def _follow(
    memory: Memory,
    findings: Mapping[str, Finding],
    judged: Mapping[str, Judged],
    record: ServiceRecord,
    now: datetime,
) -> list[FollowUp]:
    """The follow-ups that this record opens, joins, or proposes for closing (or takes back from it)."""
    live = {one.id: one for one in memory.followups}
    for check, one in judged.items():
        for subject, wish in one.wishes.items():
            finding = findings.get(finding_id(record.server, check, subject))
            if finding is None or finding.state is FindingState.GONE:
                continue
            asked = ask(tuple(live.values()), finding, wish, record.id, now)
            live[asked.id] = asked
    everything = {one.id: one for one in memory.findings} | dict(findings)
    proposed = (propose(one, tuple(everything.values()), record.id) for one in live.values())
    before = {one.id: one for one in memory.followups}
    return [one for one in proposed if before.get(one.id) != one]
