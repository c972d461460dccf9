"""Runs whose process died: they are marked interrupted, and every planned cell gets an outcome.

Of a run that only looks, whatever was not answered is `unknown`. Of a run that changes servers the journal tells more:
whom it had not touched, which stages were over, and which one was mid-flight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from maintops.domain.journeys import HOOKS, Journal, Journey, journal
from maintops.domain.outcomes import Cell, Outcome
from maintops.domain.ports import Memory, Store, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import (
    Event,
    Owner,
    PlannedServer,
    Remarked,
    Resumed,
    Run,
    RunEnded,
    RunState,
    ServerAnswered,
    StageBegan,
    StageEnded,
    StageResult,
    fold,
)
from maintops.domain.stages import stage_words
from maintops.workflow.parts import keep_part

DIED = "its process died"
WHY = "maintops died before this server's answer was kept"
SILENCE = timedelta(minutes=5)
"""Without a sign of life for so long, a run may be declared dead by a person: one at work gives ten in that time."""

UNTOUCHED = "not touched: maintops died before its turn"

_OUTCOMES = {
    StageResult.OK: Outcome.OK,
    StageResult.SKIPPED: Outcome.SKIPPED,
    StageResult.FAILED: Outcome.FAILED,
    StageResult.UNREACHABLE: Outcome.UNREACHABLE,
    StageResult.UNKNOWN: Outcome.UNKNOWN,
    StageResult.WAITING: Outcome.NOT_REACHED,
}


def recover(store: Store, dead: Callable[[Owner], bool], now: datetime) -> list[Run]:
    """Ends every run whose owner is dead; returns them. Safe to be done by two processes at once."""
    runs = [run for run in store.runs(unfinished=True) if dead(run.owner)]
    return [interrupt(store, run, now) for run in runs]


def interrupt(store: Store, run: Run, now: datetime, reason: str = DIED) -> Run:
    """Ends one run: the servers without a record get one. Where a run that changes servers was resumed, those that it
    touched since get a further part of theirs."""
    if run.planned.changes:
        return _interrupt_changing(store, run, now, reason)
    for planned in run.unanswered:
        cells = tuple(Cell(check, None, Outcome.UNKNOWN, message=WHY) for check in run.planned.checks)
        store.commit(run.id, planned.record, planned.server, _as_is(_draft(run, planned, cells, WHY, now)), b"", now)
    store.append(run.id, RunEnded(RunState.INTERRUPTED, reason, now))
    return store.run(run.id)


def _as_is(record: ServiceRecord) -> Callable[[Memory], Verdict]:
    return lambda _: Verdict(record)


def _draft(run: Run, planned: PlannedServer, cells: tuple[Cell, ...], why: str, now: datetime) -> ServiceRecord:
    told = run.planned
    return ServiceRecord(
        id=planned.record,
        run=run.id,
        server=planned.server,
        checklist=told.checklist,
        version=told.version,
        title=told.title,
        service=told.service,
        engine=planned.engine,
        started=told.at if run.resumed is None else run.resumed.at,
        ended=now,
        cells=cells,
        engineer=told.engineer,
        customer=planned.customer,
        site=planned.site,
        notes=(why,),
        item=told.item,
    )


# --- runs that change servers ----------------------------------------------------------------------------------------


def stage_cells(
    checks: Iterable[str], journey: Journey, why: str, others: Outcome = Outcome.UNKNOWN
) -> tuple[Cell, ...]:
    """One cell per planned id: of a stage that has ended what became of it, and `why` of all others."""
    stages = {id: stage for stage, id in HOOKS.items()}
    return tuple(_cell(check, journey.ended.get(stages.get(check, check)), why, others) for check in checks)


def _cell(check: str, ended: StageEnded | None, why: str, others: Outcome) -> Cell:
    if ended is None:
        return Cell(check, None, others, message=why)
    return Cell(check, None, _OUTCOMES[ended.result], message=ended.message)


@dataclass(frozen=True, slots=True)
class _Since:
    """Since a run was begun, or resumed last: whose record was kept, and on whom a stage began or ended."""

    answered: frozenset[str]
    touched: frozenset[str]


def _since(events: Iterable[Event]) -> _Since:
    answered: set[str] = set()
    touched: set[str] = set()
    for event in events:
        if isinstance(event, Resumed):
            answered, touched = set(), set()
        elif isinstance(event, ServerAnswered):
            answered.add(event.server)
        elif isinstance(event, StageBegan | StageEnded):
            touched.add(event.server)
    return _Since(frozenset(answered), frozenset(touched))


def _interrupt_changing(store: Store, run: Run, now: datetime, reason: str) -> Run:
    events = store.events(run.id)
    told, since = journal(events), _since(events)
    for planned in run.planned.servers:
        has_record = planned.server in run.records and planned.server not in since.touched
        if planned.server not in since.answered and not has_record:
            _keep_broken_off(store, run, _broken_off(run, planned, told, now), now)
    # in this order: who sees the run ended finds every record and the reason
    told_why = Remarked(_remark(run, reason), now)
    store.append(run.id, told_why, RunEnded(RunState.INTERRUPTED, reason, now), owner=run.owner)
    return store.run(run.id)


def _is_still(run: Run, current: Run) -> bool:
    """Whether nobody has ended a run meanwhile, or even gone on with it."""
    return current.state is RunState.RUNNING and current.owner == run.owner


def _keep_broken_off(store: Store, run: Run, draft: ServiceRecord, now: datetime) -> None:
    def kept_by_another() -> bool:
        events = store.events(run.id)
        return not _is_still(run, fold(events)) or draft.server in _since(events).answered

    def judge(part: ServiceRecord, _: Memory) -> Verdict:
        return Verdict(part)

    first = 2 if draft.server in run.records else 1
    keep_part(store, draft, judge, now, first=first, given_up=kept_by_another)


def _broken_off(run: Run, planned: PlannedServer, told: Journal, now: datetime) -> ServiceRecord:
    journey = told.journey(planned.server)
    if not journey.touched:
        cells = stage_cells(run.planned.checks, journey, UNTOUCHED, Outcome.NOT_REACHED)
        return _draft(run, planned, cells, UNTOUCHED, now)
    if journey.mid:
        stage = stage_words(journey.mid)
        why = f"maintops died in the middle of {stage}; maintops run continue {run.id} finds out"
    else:
        why = f"maintops died before it was done; maintops run continue {run.id} goes on"
    return _draft(run, planned, stage_cells(run.planned.checks, journey, why), why, now)


def _remark(run: Run, reason: str) -> str:
    process = f"the process {run.owner.pid} on {run.owner.host}"
    if reason == DIED:
        return f"{process} died; its servers are free again"
    return f"{process} broke off ({reason}); its servers are free again"
