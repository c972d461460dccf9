"""Values as rows of tables: the columns that are searched, and the document beside them."""

from __future__ import annotations

from typing import Any

from maintops.domain.findings import Finding
from maintops.domain.followups import FollowUp
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import RunPlanned, RunState
from maintops.store.codec import column, microseconds
from maintops.store.verdicts import Texts


def run_row(planned: RunPlanned) -> dict[str, Any]:
    """A row of `runs` that has just begun."""
    return {
        "id": column(planned.run),
        "checklist": column(planned.checklist),
        "state": RunState.RUNNING.value,
        "started": microseconds(planned.at),
    }


def record_row(record: ServiceRecord, document: str) -> dict[str, Any]:
    """A row of `records`."""
    return {
        "id": column(record.id),
        "run": column(record.run),
        "server": column(record.server),
        "checklist": column(record.checklist),
        "service": column(record.service),
        "customer": None if record.customer is None else column(record.customer),
        "site": None if record.site is None else column(record.site),
        "outcome": record.outcome.value,
        "severity": None if record.severity is None else record.severity.value,
        "started": microseconds(record.started),
        "ended": microseconds(record.ended),
        "document": document,
    }


def finding_row(finding: Finding, document: str) -> dict[str, Any]:
    """A row of `findings`."""
    return {
        "id": column(finding.id),
        "server": column(finding.server),
        "check_id": column(finding.check),
        "state": finding.state.value,
        "severity": finding.severity.value,
        "document": document,
    }


def followup_row(followup: FollowUp, document: str) -> dict[str, Any]:
    """A row of `followups`."""
    return {
        "id": column(followup.id),
        "server": column(followup.server),
        "state": followup.state.value,
        "opened": microseconds(followup.opened),
        "document": document,
    }


def sighting_rows(kept: Texts, record: str, at: int) -> list[dict[str, Any]]:
    """The rows of `sightings` of a verdict; `record` is its column, `at` in microseconds."""
    return [
        {
            "finding": column(finding.id),
            "at": at,
            "record": record,
            "state": finding.state.value,
            "severity": finding.severity.value,
            "message": column(finding.message),
        }
        for finding, _ in kept.findings
    ]
