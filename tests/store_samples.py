"""Small made-up runs and records for the tests of stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from maintops.domain.findings import Finding, observe
from maintops.domain.followups import FollowUp, Wish, ask, propose
from maintops.domain.outcomes import Cell, Outcome, Severity
from maintops.domain.ports import Memory, Remembered, Store, Subjects, Verdict
from maintops.domain.records import ServiceRecord, record_id
from maintops.domain.runs import Owner, PlannedServer, Resumed, RunPlanned

NOW = datetime(2026, 3, 1, 6, 30, 0, 123456, tzinfo=UTC)
OWNER = Owner("ops1", "m" * 32, "b" * 36, 4711, 99)
CHECKS = ("FS-010", "MEM-010", "SYS-010")


def later(**length: float) -> datetime:
    return NOW + timedelta(**length)


def plan(run: str = "r1", servers: Sequence[str] = ("web1", "web2"), at: datetime = NOW, **more: Any) -> RunPlanned:
    planned = tuple(
        PlannedServer(server, record_id(run, index), "ssh", "plain SSH", "acme", "paris")
        for index, server in enumerate(servers, 1)
    )
    words = {"checklist": "daily-check", "version": "v" * 64, "title": "Daily check", "service": "inspection"}
    return RunPlanned(run, **(words | {"checks": CHECKS} | more), servers=planned, owner=OWNER, at=at)


def changing(run: str = "c1", servers: Sequence[str] = ("web1", "web2"), at: datetime = NOW, **more: Any) -> RunPlanned:
    """A run that changes servers."""
    words = {"checklist": "quarterly-patch", "title": "Quarterly patch", "plan": "ab" * 32, "engineer": "alice"}
    return plan(run, servers, at, **(words | more))


def resumed(at: datetime = NOW, by: str = "bob", host: str = "ops2", pid: int = 5) -> Resumed:
    return Resumed(Owner(host, "n" * 32, "c" * 36, pid, 7), by, at)


def ok(check: str = "FS-010", subject: str | None = "/", **facts: Any) -> Cell:
    return Cell(check, subject, Outcome.OK, facts=facts or {"used_percent": 41.5})


def bad(
    check: str = "FS-010",
    subject: str | None = "/var",
    severity: Severity = Severity.WARNING,
    message: str = "/var is 93 % full",
    **facts: Any,
) -> Cell:
    return Cell(check, subject, Outcome.ATTENTION, severity, message, facts or {"used_percent": 93})


def record(run: str, id: str, server: str, cells: Sequence[Cell], at: datetime = NOW, **more: Any) -> ServiceRecord:
    words = {"checklist": "daily-check", "version": "v" * 64, "title": "Daily check", "service": "inspection"}
    times = {"started": at, "ended": at + timedelta(seconds=2)}
    return ServiceRecord(id, run, server, **(words | {"engine": "ssh"} | times | more), cells=tuple(cells))


def facts_of(cells: Sequence[Cell], id: str, at: datetime) -> Mapping[str, Subjects]:
    found: dict[str, dict[str | None, Remembered]] = {}
    for cell in cells:
        found.setdefault(cell.check, {})[cell.subject] = Remembered(cell.facts, id, at, cell.not_offered)
    return found


def findings_of(memory: Memory, server: str, cells: Sequence[Cell], id: str, at: datetime) -> tuple[Finding, ...]:
    known = {(one.check, one.subject): one for one in memory.findings}
    seen = ((known.get((cell.check, cell.subject)), cell) for cell in cells)
    judged = [(before, observe(before, server, cell, id, at)) for before, cell in seen]
    return tuple(after for before, after in judged if after is not None and after != before)


def followups_of(memory: Memory, findings: Sequence[Finding], id: str, at: datetime) -> tuple[FollowUp, ...]:
    live = {one.id: one for one in memory.followups}
    for finding in findings:
        if finding.gone_at is None:
            asked = ask(tuple(live.values()), finding, Wish(f"Look at {finding.check}", "linux"), id, at)
            live[asked.id] = asked
    every = {one.id: one for one in (*memory.findings, *findings)}
    proposed = (propose(one, tuple(every.values()), id) for one in live.values())
    before = {one.id: one for one in memory.followups}
    return tuple(one for one in proposed if before.get(one.id) != one)


def judging(
    run: str, id: str, server: str, cells: Sequence[Cell], at: datetime = NOW, **more: Any
) -> Callable[[Memory], Verdict]:
    """A judge as the workflow's: it observes every cell, and asks for a follow-up per finding."""

    def judge(memory: Memory) -> Verdict:
        findings = findings_of(memory, server, cells, id, at)
        followups = followups_of(memory, findings, id, at)
        return Verdict(record(run, id, server, cells, at, **more), facts_of(cells, id, at), findings, followups)

    return judge


def keep(
    store: Store,
    cells: Sequence[Cell],
    *,
    run: str = "r1",
    index: int = 1,
    server: str = "web1",
    at: datetime = NOW,
    answer: bytes = b"",
    **more: Any,
) -> Verdict:
    """Commits one record and gives its verdict."""
    id = record_id(run, index)
    verdict = store.commit(run, id, server, judging(run, id, server, cells, at, **more), answer, at)
    assert verdict is not None
    return verdict
