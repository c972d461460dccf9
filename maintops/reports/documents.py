"""JSON documents: runs, records, findings and follow-ups for programs.

Every document is made of dict, list, str, int, float, bool and None. Times are ISO 8601 in UTC
(`2026-03-01T07:30:05.120Z`). Texts are exact, except that a lone surrogate, which no UTF-8 reader can hold, becomes its
escape (`\\ud800`). A number that JSON does not know (NaN, infinity) becomes null: nobody measured it.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

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


def run_document(run: Run, records: Sequence[ServiceRecord]) -> Document:
    """The whole result of a run: `version`, `run`, `servers` (one per planned server, in planned order) and `totals`.

    A server that has no record yet has `record`, `started` and `ended` null and a cell per planned check.
    """
    whole = complete(run, records)
    document = {
        "version": VERSION,
        "run": _run(run),
        "servers": [_server(record) for record in whole],
        "totals": _totals(whole),
    }
    return _plain_dict(document)


def run_summary(run: Run) -> Document:
    """One run for a list: its facts, how many servers were planned and have answered, and where it is (`in_flight`:
    server -> check id or "") while it is running."""
    planned = len(run.planned.servers)
    progress = run.progress if run.state is RunState.RUNNING else None
    return _plain_dict(
        {
            **_run(run),
            "servers": {"planned": planned, "answered": planned - len(run.unanswered)},
            "last_sign": run.last_sign,
            "in_flight": progress.in_flight if progress else {},
        }
    )


def record_document(record: ServiceRecord) -> Document:
    """One service record: what it is of, and its cells under `checks`. `version` is the checklist's."""
    head = {"record": record.id, "run": record.run, "checklist": record.checklist, "title": record.title}
    return _plain_dict(
        {
            **head,
            "version": record.version,
            "service": record.service,
            "engineer": record.engineer,
            **_server(record),
            "totals": _totals([record]),
        }
    )


def finding_document(finding: Finding, history: Sequence[Sighting] = ()) -> Document:
    """One finding, with its life (oldest first) under `history` where that is given."""
    document = {name: getattr(finding, name) for name in Finding.__slots__}
    if history:
        document["history"] = [{name: getattr(one, name) for name in Sighting.__slots__} for one in history]
    return _plain_dict(document)


def followup_document(followup: FollowUp) -> Document:
    """One follow-up."""
    return _plain_dict({name: getattr(followup, name) for name in FollowUp.__slots__})


def json_text(document: Document | Sequence[Document]) -> str:
    """A document as text: indented, and printable ASCII only, so that no terminal can be made to act on it."""
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _run(run: Run) -> Document:
    plan = run.planned
    return {
        "id": run.id,
        "checklist": plan.checklist,
        "title": plan.title,
        "version": plan.version,
        "service": plan.service,
        "engineer": plan.engineer,
        "started": plan.at,
        "ended": run.ended,
        "state": run.state,
        "reason": run.reason or None,
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
