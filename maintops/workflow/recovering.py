"""Runs whose process died: they are marked interrupted, and every cell that was not answered becomes `unknown`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.ports import Memory, Store, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import Owner, PlannedServer, Run, RunEnded, RunState

WHY = "maintops died before this server's answer was kept"


def recover(store: Store, dead: Callable[[Owner], bool], now: datetime) -> list[Run]:
    """Ends every run whose owner is dead; returns them. Safe to be done by two processes at once."""
    runs = [run for run in store.runs(unfinished=True) if dead(run.owner)]
    return [interrupt(store, run, now) for run in runs]


def interrupt(store: Store, run: Run, now: datetime, reason: str = "its process died") -> Run:
    """Ends one run: the servers without a record get one with every cell `unknown`."""
    for planned in run.unanswered:
        record = _unknown(run, planned, now)

        def judge(_: Memory, record: ServiceRecord = record) -> Verdict:
            return Verdict(record)

        store.commit(run.id, planned.record, planned.server, judge, b"", now)
    store.append(run.id, RunEnded(RunState.INTERRUPTED, reason, now))
    return store.run(run.id)


def _unknown(run: Run, planned: PlannedServer, now: datetime) -> ServiceRecord:
    told = run.planned
    cells = tuple(Cell(check, None, Outcome.UNKNOWN, message=WHY) for check in told.checks)
    return ServiceRecord(
        id=planned.record,
        run=run.id,
        server=planned.server,
        checklist=told.checklist,
        version=told.version,
        title=told.title,
        service=told.service,
        engine=planned.engine,
        started=told.at,
        ended=now,
        cells=cells,
        engineer=told.engineer,
        customer=planned.customer,
        site=planned.site,
        notes=(WHY,),
        item=told.item,
    )
