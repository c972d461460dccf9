"""Runs, records, findings and follow-ups for the tests of reports: an ordinary fleet, and a hostile one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from maintops.domain.findings import Finding, FindingState, finding_id
from maintops.domain.followups import FollowUp, FollowUpState
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.records import ServiceRecord, record_id
from maintops.domain.runs import Owner, PlannedServer, Run, RunPlanned, RunState

BEGAN = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1)
RUN = "20260302-073000-k4t9"

TITLES = {
    "SY-010": "File systems have room",
    "SY-060": "No unit has failed",
    "SY-120": "Time is synchronised",
    "HW-010": "Every disk passes its own health test",
    "HW-020": "Temperatures are in range",
    "SE-030": "Pending security updates",
    "SE-060": "Backups are fresh",
    "SE-070": "Certificates are valid for long enough",
}

HOSTILE = (
    "\x1b[2J\x1b]8;;http://evil.example/\x07click\x1b]8;;\x07",
    "\x00\x01\x7f\x85\x9b31m",
    "\u202egnp.exe\u2066\u200f",
    "zero\u200bwidth\ufeff\u2028line\u2029paragraph",
    "lone \ud800 surrogate \udfff",
    "\ufffe\uffff\U0001fffe tag \U000e0041",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>\' style="display:none" {{ 7*7 }} {% raw %} {# no #}',
    "]]> <!-- --> <?xml?> &amp; &#x1b; </style></details></html>",
    "two\nlines\r\nand\ttabs",
    "x" * 3000,
    "维保服务检查" * 40,
    "[bold red]not markup[/] :warning: \\x1b",
    "",
)


def cell(check: str, outcome: Outcome = Outcome.OK, message: str = "", **more: Any) -> Cell:
    return Cell(check, more.pop("subject", None), outcome, more.pop("severity", None), message, **more)


def attention(check: str, severity: Severity, message: str, **more: Any) -> Cell:
    return cell(check, Outcome.ATTENTION, message, severity=severity, **more)


def record(server: str, cells: Sequence[Cell], *, index: int = 1, **more: Any) -> ServiceRecord:
    settings: dict[str, Any] = {
        "id": record_id(RUN, index),
        "run": RUN,
        "server": server,
        "checklist": "daily-check",
        "version": "9f2c41d7" * 8,
        "title": "Daily check",
        "service": "inspection",
        "engine": "ssh",
        "started": BEGAN + timedelta(seconds=1),
        "ended": BEGAN + timedelta(seconds=3.4),
        "cells": tuple(cells),
        "engineer": "Wang Li",
        "customer": "Harbour Logistics",
        "site": "Rotterdam 2",
        "machine": "5d1f0c2a",
    }
    return ServiceRecord(**{**settings, **more})


def run_of(
    records: Sequence[ServiceRecord],
    *,
    state: RunState = RunState.FINISHED,
    reason: str = "",
    unanswered: Sequence[str] = (),
    checks: Sequence[str] = tuple(TITLES),
    seconds: float = 12.5,
) -> Run:
    names = [(one.server, one.id, one.engine) for one in records]
    names += [(name, record_id(RUN, len(names) + 1 + index), "ssh") for index, name in enumerate(unanswered)]
    plan = RunPlanned(
        run=RUN,
        checklist="daily-check",
        version="9f2c41d7" * 8,
        title="Daily check",
        service="inspection",
        checks=tuple(checks),
        servers=tuple(PlannedServer(name, key, engine) for name, key, engine in names),
        owner=Owner("console", "m", "b", 4711, 99),
        at=BEGAN,
        engineer="Wang Li",
    )
    ended = None if state is RunState.RUNNING else BEGAN + timedelta(seconds=seconds)
    kept = {one.server: one.id for one in records}
    return Run(plan, state, kept, last_sign=ended or BEGAN, ended=ended, reason=reason)


DISK = {
    "device": "/dev/sdb",
    "model": "ST4000NM0035",
    "serial": "ZC1A2B3C",
    "passed": False,
    "reallocated_sectors": 1840,
}


def healthy(server: str, index: int) -> ServiceRecord:
    cells = [
        cell("SY-010", subject="/", facts={"used_percent": 41.2, "size": 107374182400, "type": "ext4"}),
        cell("SY-010", subject="/var", facts={"used_percent": 63.9, "size": 53687091200, "type": "xfs"}),
        cell("SY-060"),
        cell("SY-120", facts={"synchronised": True, "offset_ms": 0.41}),
        cell("HW-010", Outcome.NOT_MEASURED, "smartctl is not installed"),
        cell("HW-020", Outcome.NOT_MEASURED, "no sensor shows up"),
        cell(
            "SE-030",
            message="3 updates, none for security",
            severity=Severity.INFO,
            facts={"pending": 3, "security": 0},
        ),
        cell("SE-060", Outcome.SKIPPED, "no backup path is configured"),
        cell(
            "SE-070", subject="/etc/ssl/web.pem", facts={"days_left": 211, "names": ["web.example", "www.web.example"]}
        ),
    ]
    return record(server, cells, index=index)


def fleet() -> tuple[Run, list[ServiceRecord]]:
    """Six servers: two fine, one with findings of every kind, one unreachable, one that died in the middle, one in
    Chinese; the run is finished."""
    troubled = [
        attention(
            "SY-010",
            Severity.WARNING,
            "/var is 91.4 % full",
            subject="/var",
            facts={"used_percent": 91.4, "type": "xfs"},
        ),
        cell("SY-010", subject="/", facts={"used_percent": 41.2}),
        attention(
            "SY-060", Severity.WARNING, "nginx.service has failed", subject="nginx.service", facts={"since": None}
        ),
        cell(
            "SY-120",
            Outcome.FAILED,
            "the check took longer than its 20 s",
            evidence="chronyc: 506 Cannot talk to daemon",
        ),
        attention(
            "HW-010",
            Severity.CRITICAL,
            "Disk /dev/sdb (ST4000NM0035, ZC1A2B3C) fails its own health test",
            subject="/dev/sdb",
            facts=DISK,
            not_offered=("percentage_used",),
        ),
        cell("HW-010", Outcome.NOT_MEASURED, "behind a RAID controller", subject="/dev/sda"),
        cell("HW-020", subject="CPU", facts={"celsius": 54.0, "limit": 95.0}),
        attention(
            "SE-030",
            Severity.CRITICAL,
            "17 security updates are pending, the oldest for 44 days",
            facts={"security": 17},
        ),
        cell("SE-060", Outcome.SKIPPED, "no backup path is configured"),
        cell("SE-070", Outcome.WAIVED, "accepted by Chen Yu until 2026-06-30"),
    ]
    why = "connection refused: 192.0.2.14 port 22"
    dark = [cell(check, Outcome.UNREACHABLE, why) for check in TITLES]
    died = [
        cell("SY-010", subject="/", facts={"used_percent": 12.0}),
        *(cell(check, Outcome.UNKNOWN, "the connection died in the middle") for check in list(TITLES)[1:]),
    ]
    chinese = [cell(check) for check in list(TITLES)[:-1]]
    chinese.append(
        attention(
            "SE-070", Severity.WARNING, "证书将在 12 天后过期", subject="/etc/ssl/门户.pem", facts={"days_left": 12}
        )
    )
    records = [
        healthy("web1.rotterdam.example", 1),
        healthy("web2.rotterdam.example", 2),
        record("db1.rotterdam.example", troubled, index=3, notes=("host key learnt from the known_hosts file",)),
        record("cache1.rotterdam.example", dark, index=4, machine="", notes=(why,)),
        record("queue1.rotterdam.example", died, index=5, engine="ansible"),
        record("门户1.上海.example", chinese, index=6, site="上海"),
    ]
    return run_of(records), records


def finding(server: str, one: Cell, state: FindingState = FindingState.NEW, **more: Any) -> Finding:
    key = finding_id(server, one.check, one.subject)
    severity = one.severity or Severity.WARNING
    settings: dict[str, Any] = {
        "first_seen": BEGAN,
        "first_record": "r",
        "last_seen": BEGAN,
        "last_record": "r",
        **more,
    }
    return Finding(key, server, one.check, one.subject, state, severity, one.message, **settings)


def followup(title: str, *findings: Finding, state: FollowUpState = FollowUpState.OPEN, **more: Any) -> FollowUp:
    server = findings[0].server
    return FollowUp("u-k3m9x2a7qd", server, title, state, tuple(one.id for one in findings), BEGAN, "r", **more)


def memories(records: Sequence[ServiceRecord]) -> tuple[list[Finding], list[FollowUp]]:
    """Findings for every cell that needs attention, a follow-up for the first, and one finding that is gone."""
    found = [
        finding(
            one.server,
            cell,
            FindingState.KNOWN if cell.check == "SY-010" else FindingState.NEW,
            times=14 if cell.check == "SY-010" else 1,
            first_record="an earlier one" if cell.check == "SY-010" else one.id,
        )
        for one in records
        for cell in one.cells
        if cell.outcome is Outcome.ATTENTION
    ]
    gone = finding(
        records[0].server,
        cell("SY-060", message="cron.service has failed", subject="cron.service", severity=Severity.WARNING),
        FindingState.GONE,
        gone_at=BEGAN,
        gone_record=records[0].id,
    )
    first = [
        followup("Replace disk /dev/sdb", one, part="disk", skill="hardware") for one in found if one.check == "HW-010"
    ]
    proved = followup("Restart cron", gone, state=FollowUpState.PROPOSED, proof=records[0].id)
    return [*found, gone], [*first, proved]


def hostile(text: str) -> tuple[Run, list[ServiceRecord]]:
    """One server with a cell of every outcome, `text` wherever a server or a person can put text."""
    facts: Mapping[str, Any] = {text: text, "list": [text, {text: [text]}], "nan": float("nan"), "inf": float("inf")}
    cells = [
        Cell(f"X-{index}", text, outcome, severity, text, facts, (text,), text)
        for index, (outcome, severity) in enumerate((one, level) for one in Outcome for level in (None, *Severity))
    ]
    one = record(
        text, cells, title=text, engineer=text, customer=text, site=text, machine=text, notes=(text,), checklist=text
    )
    run = run_of([one], reason=text, state=RunState.CANCELLED, unanswered=["left-out"])
    planned = replace(run.planned, title=text, checklist=text, service=text, version=text, engineer=text)
    return replace(run, planned=planned), [one]


def large(servers: int, checks: int) -> tuple[Run, list[ServiceRecord]]:
    """A big fleet of plausible records: one finding in twenty cells."""
    records = []
    for index in range(1, servers + 1):
        cells = [
            attention(f"C-{number:03d}", Severity.WARNING, f"part {number} is worn", facts={"wear": 91})
            if (index * 31 + number * 17) % 20 == 0
            else cell(f"C-{number:03d}", facts={"used_percent": 41.2, "size": 107374182400, "type": "ext4", "ok": True})
            for number in range(checks)
        ]
        records.append(record(f"node{index:04d}.dc.example", cells, index=index))
    return run_of(records, checks=[f"C-{number:03d}" for number in range(checks)]), records
