"""JSON documents: runs, records, findings and follow-ups for programs.

Every document is made of dict, list, str, int, float, bool and None. Times are ISO 8601 in UTC
(`2026-03-01T07:30:05.120Z`). Texts are exact, except that a lone surrogate, which no UTF-8 reader can hold, becomes its
escape (`\\ud800`). A number that JSON does not know (NaN, infinity) becomes null: nobody measured it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from maintops.domain.baselines import Baseline
from maintops.domain.findings import Finding
from maintops.domain.followups import FollowUp
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Sighting
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Run, RunState
from maintops.reports.escaping import MARK, encodable
from maintops.reports.results import complete
from maintops.reports.wording import iso

Document = dict[str, Any]

VERSION = 1
"""The version of the run document's format."""

DEEPEST = 64
"""Levels of nesting of a fact that a document holds; what lies deeper is `…` (a server chooses how deep it answers)."""


def run_document(run: Run, records: Sequence[ServiceRecord], remarks: Sequence[str] = ()) -> Document:
    """The whole result of a run: `version`, `run`, `servers` (one per planned server, in planned order) and `totals`.
    Of a run that changes servers `run` has `plan` (its hash), `emergency`, `undoes` (each null where there is none) and
    the `remarks` of its journal too.

    A server that has no record yet has `record`, `started` and `ended` null and a cell per planned check.
    """
    whole = complete(run, records)
    document = {
        "version": VERSION,
        "run": {**_run(run), **({"remarks": remarks} if run.planned.changes else {})},
        "servers": [_server(record) for record in whole],
        "totals": _totals(whole),
    }
    return _plain_dict(document)


def run_summary(run: Run) -> Document:
    """One run for a list: its facts under the names of the run document (its id under `run`), how many `servers` were
    planned and are `done`, its last sign of life and, while it is running, where it is (`in_flight`: server -> check
    id or "")."""
    progress = run.progress if run.state is RunState.RUNNING else None
    head = _run(run)
    return _plain_dict(
        {
            "run": head.pop("id"),
            **head,
            "servers": len(run.planned.servers),
            "done": len(run.records),
            "last_sign": run.last_sign,
            "in_flight": progress.in_flight if progress else {},
        }
    )


def record_document(record: ServiceRecord) -> Document:
    """One service record: what it is of, its cells under `checks`, and their totals. `version` is the checklist's."""
    return _plain_dict({**_record(record), **_server(record), "totals": _totals([record])})


def record_summary(record: ServiceRecord) -> Document:
    """One service record for a list: as `record_document`, without its cells."""
    document = record_document(record)
    del document["checks"]
    return document


def finding_document(finding: Finding, history: Sequence[Sighting] | None = None) -> Document:
    """One finding (its id under `finding`), with its life (oldest first) under `history` where that is given."""
    document = {"finding": finding.id, **_fields(finding)}
    if history is not None:
        document["history"] = [{name: getattr(one, name) for name in Sighting.__slots__} for one in history]
    return _plain_dict(document)


def followup_document(followup: FollowUp) -> Document:
    """One follow-up (its id under `followup`)."""
    return _plain_dict({"followup": followup.id, **_fields(followup)})


def baseline_document(baseline: Baseline) -> Document:
    """One accepted baseline; `subjects` is a list of objects with `subject` (null: the server) and `facts`."""
    subjects = [{"subject": name, "facts": facts} for name, facts in baseline.subjects.items()]
    named = ("server", "check", "record", "at", "by", "why")
    return _plain_dict({**{name: getattr(baseline, name) for name in named}, "subjects": subjects})


def _fields(value: Finding | FollowUp) -> Document:
    return {name: getattr(value, name) for name in value.__slots__ if name != "id"}


def _record(record: ServiceRecord) -> Document:
    return {
        "record": record.id,
        "run": record.run,
        "checklist": record.checklist,
        "title": record.title,
        "version": record.version,
        "service": record.service,
        "item": record.item or None,
        "engineer": record.engineer,
    }


def _run(run: Run) -> Document:
    plan = run.planned
    return {
        "id": run.id,
        "checklist": plan.checklist,
        "title": plan.title,
        "version": plan.version,
        "service": plan.service,
        "item": plan.item or None,
        "engineer": plan.engineer,
        "started": plan.at,
        "ended": run.ended,
        "state": run.state,
        "reason": run.reason or None,
        **({"plan": plan.plan, "emergency": plan.emergency or None, "undoes": plan.of or None} if plan.changes else {}),
    }


def _server(record: ServiceRecord) -> Document:
    return {
        "server": record.server,
        "record": record.id or None,
        "outcome": record.outcome,
        "severity": record.severity,
        "engine": record.engine,
        "started": record.started if record.id else None,
        "ended": record.ended if record.id else None,
        "customer": record.customer,
        "site": record.site,
        "machine": record.machine or None,
        "notes": record.notes,
        "checks": [_cell(cell) for cell in record.cells],
    }


def _cell(cell: Cell) -> Document:
    document: Document = {
        "id": cell.check,
        "subject": cell.subject,
        "outcome": cell.outcome,
        "severity": cell.severity,
        "message": cell.message,
        "facts": cell.facts,
    }
    if cell.not_offered:
        document["not_offered"] = cell.not_offered
    if cell.evidence:
        document["evidence"] = cell.evidence
    return document


def _totals(records: Sequence[ServiceRecord]) -> Document:
    outcomes = Counter(cell.outcome for record in records for cell in record.cells)
    severities = Counter(cell.severity for record in records for cell in record.cells)
    return {
        "servers": len(records),
        "checks": outcomes.total(),
        "outcomes": {outcome.value: outcomes[outcome] for outcome in Outcome},
        "severities": {severity.value: severities[severity] for severity in Severity},
    }


def _plain_dict(value: Mapping[Any, Any], depth: int = 0) -> Document:
    return {encodable(str(key)): _plain(item, depth + 1) for key, item in value.items()}


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return encodable(str(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, (Mapping, list, tuple)):
        if depth > DEEPEST:
            return MARK
        return _plain_dict(value, depth) if isinstance(value, Mapping) else [_plain(item, depth + 1) for item in value]
    return value
