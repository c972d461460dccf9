"""The store on SQLite and PostgreSQL, through SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Select, Table, delete, insert, select, tuple_, update
from sqlalchemy.sql import Executable

from maintops.domain.baselines import Baseline
from maintops.domain.findings import Finding, FindingState
from maintops.domain.followups import FollowUp, FollowUpState
from maintops.domain.holds import Approval, Hold
from maintops.domain.journeys import still_owed
from maintops.domain.outcomes import Severity
from maintops.domain.ports import Memory, Sighting, Subjects, Verdict
from maintops.domain.records import ServiceRecord
from maintops.domain.runs import (
    AFTERWARDS,
    ChangeEvent,
    Event,
    Owed,
    Owner,
    Progressed,
    Resumed,
    Run,
    RunEnded,
    RunPlanned,
    RunState,
    ServerAnswered,
    Settled,
    fold,
)
from maintops.domain.steps import StepAnswer
from maintops.errors import StoreError
from maintops.store import codec, memories, statements
from maintops.store.codec import column, microseconds
from maintops.store.connections import Database
from maintops.store.journals import event_text, event_value
from maintops.store.locks import holder, still_running, taken
from maintops.store.orders import newest, planned_order, recency, urgency
from maintops.store.prefixes import LAST, SHOWN, chosen, unknown
from maintops.store.rows import finding_row, followup_row, record_row, run_row, sighting_rows
from maintops.store.schemas import bring_up_to_date
from maintops.store.tables import (
    answers,
    baselines,
    events,
    evidence,
    facts,
    findings,
    followups,
    records,
    runs,
    sightings,
)
from maintops.store.verdicts import Texts, texts

CHUNK = 200
"""Records that are read at a time."""

CHANGES = "\0changes"
"""What is locked, in a server's place, while a run that changes servers begins: it must see all that have begun."""

_NOT_GONE = [state.value for state in FindingState if state is not FindingState.GONE]
_NOT_CLOSED = [state.value for state in FollowUpState if state is not FollowUpState.CLOSED]


class SqlStore:
    """The Store protocol on one connection, which belongs to one thread."""

    def __init__(self, url: str) -> None:
        """Opens `sqlite:///…` or `postgresql://…` and brings its schema up to date; errors as in `open_store`."""
        self._database = _open(url)
        try:
            bring_up_to_date(self._database)
        except BaseException:
            self._database.close()
            raise
        self._upsert_facts = statements.upsert(self._database.dialect, facts)
        self._upsert_findings = statements.upsert(self._database.dialect, findings)
        self._upsert_followups = statements.upsert(self._database.dialect, followups)

    # --- writing -----------------------------------------------------------------------------------------------------

    def begin(self, planned: RunPlanned) -> None:
        """See Store."""
        run = column(planned.run)
        with self._database.writing() as connection:
            if planned.changes:
                self._database.lock(CHANGES)
            if connection.execute(statements.RUN_HELD, {"run": run}).first() is not None:
                raise StoreError(f"The run {planned.run} is written down already.")
            if planned.changes:
                _refuse_taken(connection, planned)
            connection.execute(insert(runs), run_row(planned))
            _write_event(connection, run, planned)

    def resume(self, run: str, resumed: Resumed) -> None:
        """See Store."""
        id = column(run)
        with self._database.writing() as connection:
            self._database.lock(CHANGES)
            if not _has_ended(connection, run):
                raise still_running(fold(_events(connection, id)))
            planned = _plan(connection, id)
            if planned is not None and planned.changes:
                _refuse_taken(connection, planned)
            _set_state(connection, id, RunState.RUNNING, None)
            _write_event(connection, id, resumed)

    def append(
        self, run: str, *events: Progressed | RunEnded | StepAnswer | ChangeEvent, owner: Owner | None = None
    ) -> bool:
        """See Store."""
        id = column(run)
        with self._database.writing() as connection:
            ended = _has_ended(connection, run)
            if owner is not None and (ended or owner != _owner(connection, id)):
                return False
            for event in events:
                if ended and not isinstance(event, AFTERWARDS):
                    continue
                _write_event(connection, id, event)
                if isinstance(event, RunEnded):
                    ended = True
                    _set_state(connection, id, event.state, event.at)
        return True

    def commit(
        self, run: str, record: str, server: str, judge: Callable[[Memory], Verdict], answer: bytes, at: datetime
    ) -> Verdict | None:
        """See Store."""
        body = codec.packed(answer)
        with self._database.writing() as connection:
            self._database.lock(server)
            if _is_kept(connection, run, record):
                return None
            verdict = judge(memories.memory(connection, server))
            kept = texts(verdict, run, record, server)
            ended = _has_ended(connection, run)
            connection.execute(statements.INSERT_RECORD, record_row(verdict.record, kept.record))
            self._write_memory(connection, column(server), kept)
            _many(connection, statements.INSERT_SIGHTINGS, sighting_rows(kept, column(record), microseconds(at)))
            if body is not None:
                end = microseconds(verdict.record.ended)
                connection.execute(statements.INSERT_ANSWER, {"record": column(record), "ended": end, "body": body})
            if not ended:
                _write_event(connection, column(run), ServerAnswered(server, record, verdict.record.outcome, at))
        return verdict

    def _write_memory(self, connection: Connection, server: str, kept: Texts) -> None:
        known = [{"server": server, "check_id": column(check), "document": text} for check, text in kept.facts.items()]
        _many(connection, self._upsert_facts, known)
        _many(connection, self._upsert_findings, [finding_row(one, text) for one, text in kept.findings])
        self._write_followups(connection, kept.followups)

    def _write_followups(self, connection: Connection, kept: Sequence[tuple[FollowUp, str]]) -> None:
        _many(connection, self._upsert_followups, [followup_row(one, text) for one, text in kept])
        _many(connection, statements.DELETE_LINKS, [{"of": column(one.id)} for one, _ in kept])
        links = [{"followup": column(one.id), "finding": column(id)} for one, _ in kept for id in set(one.findings)]
        _many(connection, statements.INSERT_LINKS, links)

    def keep_evidence(self, body: bytes) -> str:
        """See Store."""
        digest = sha256(body).hexdigest()
        with self._database.writing() as connection:
            self._database.lock(digest)
            if connection.execute(select(evidence.c.id).where(evidence.c.id == digest)).first() is None:
                connection.execute(insert(evidence), {"id": digest, "body": body})
        return digest

    def evidence(self, prefix: str) -> bytes:
        """See Store."""
        with self._database.reading() as connection:
            digest = _choose(connection, "evidence", evidence, prefix)
            return bytes(connection.execute(select(evidence.c.body).where(evidence.c.id == digest)).scalar_one())

    def accept(self, baselines: Sequence[Baseline]) -> None:
        """See Store."""
        with self._database.writing() as connection:
            for server in sorted({one.server for one in baselines}):
                self._database.lock(server)
            for one in baselines:
                row = {"server": column(one.server), "check_id": column(one.check)}
                connection.execute(statements.NEXT_BASELINE, row | {"document": codec.baseline_text(one)})

    def keep_approval(self, approval: Approval) -> None:
        """See Store."""
        plan = column(approval.plan)
        with self._database.writing() as connection:
            self._database.lock(f"approval {plan}")  # they are numbered one after the other
            row = {"plan": plan, "document": codec.approval_text(approval)}
            connection.execute(statements.NEXT_APPROVAL, row)

    def keep_hold(self, hold: Hold) -> None:
        """See Store."""
        id = column(hold.id)
        with self._database.writing() as connection:
            self._database.lock(f"hold {id}")
            row = {"id": id, "lifted": hold.lifted, "document": codec.hold_text(hold)}
            connection.execute(statements.NEXT_HOLD, row)

    def prune_answers(self, before: datetime) -> int:
        """See Store."""
        with self._database.writing() as connection:
            return connection.execute(delete(answers).where(answers.c.ended < microseconds(before))).rowcount

    def change_followup(self, id: str, change: Callable[[FollowUp], FollowUp]) -> FollowUp:
        """See Store."""
        mine = followups.c.id == column(id)
        with self._database.writing() as connection:
            server = connection.execute(select(followups.c.server).where(mine)).scalar()
            if server is None:
                raise unknown("follow-up", id)
            self._database.lock(codec.text(server))
            before = connection.execute(select(followups.c.document).where(mine)).scalar_one()
            changed = change(codec.followup_value(before))
            self._write_followups(connection, [(changed, codec.followup_text(changed))])
        return changed

    # --- reading -----------------------------------------------------------------------------------------------------

    def memory(self, server: str) -> Memory:
        """See Store."""
        with self._database.reading() as connection:
            return memories.memory(connection, server)

    def facts(self, servers: Iterable[str], checks: Collection[str]) -> Mapping[str, Mapping[str, Subjects]]:
        """See Store."""
        with self._database.reading() as connection:
            return memories.facts(connection, servers, checks)

    def answer(self, record: str) -> bytes | None:
        """See Store."""
        with self._database.reading() as connection:
            if connection.execute(statements.RECORD_EXISTS, {"record": column(record)}).first() is None:
                raise unknown("record", record)
            body = connection.execute(select(answers.c.body).where(answers.c.record == column(record))).scalar()
        return None if body is None else codec.unpacked(body)

    def runs(self, limit: int | None = None, *, unfinished: bool = False) -> list[Run]:
        """See Store."""
        newest = select(runs.c.id).order_by(runs.c.started.desc(), runs.c.id.desc()).limit(limit)
        if unfinished:
            newest = newest.where(runs.c.state == RunState.RUNNING.value)
        with self._database.reading() as connection:
            return [fold(_events(connection, id)) for id in connection.execute(newest).scalars().all()]

    def run(self, prefix: str) -> Run:
        """See Store."""
        if prefix == LAST and (newest := self.runs(1)):
            return newest[0]
        with self._database.reading() as connection:
            return fold(_events(connection, _choose(connection, "run", runs, prefix)))

    def events(self, run: str) -> list[Event]:
        """See Store."""
        with self._database.reading() as connection:
            journal = _events(connection, column(run))
        if not journal:
            raise unknown("run", run)
        return journal

    def records(
        self,
        *,
        run: str | None = None,
        server: str | None = None,
        checklist: str | None = None,
        limit: int | None = None,
    ) -> Iterator[ServiceRecord]:
        """See Store."""
        wanted = select(records.c.id, records.c.started)
        for place, value in ((records.c.run, run), (records.c.server, server), (records.c.checklist, checklist)):
            if value is not None:
                wanted = wanted.where(place == column(value))
        if run is None:
            return self._newest_records(wanted, limit)
        return self._planned_records(run, wanted, limit)

    def _newest_records(self, wanted: Select[Any], limit: int | None) -> Iterator[ServiceRecord]:
        order = tuple_(records.c.started, records.c.id)
        page = wanted.add_columns(records.c.document).order_by(records.c.started.desc(), records.c.id.desc())
        left = limit
        after: tuple[int, str] | None = None
        while left is None or left > 0:
            size = CHUNK if left is None else min(CHUNK, left)
            with self._database.reading() as connection:
                here = page if after is None else page.where(order < after)
                rows = connection.execute(here.limit(size)).all()
            yield from (codec.record_value(row.document) for row in rows)
            if len(rows) < size:
                return
            after = (rows[-1].started, rows[-1].id)
            left = None if left is None else left - size

    def _planned_records(self, run: str, wanted: Select[Any], limit: int | None) -> Iterator[ServiceRecord]:
        with self._database.reading() as connection:
            found = [codec.text(row.id) for row in connection.execute(wanted)]
            planned = _plan(connection, column(run))
        if planned is None:
            return
        ids = sorted(found, key=planned_order(planned))[:limit]
        for start in range(0, len(ids), CHUNK):
            yield from self._records_by_id(ids[start : start + CHUNK])

    def _records_by_id(self, ids: Sequence[str]) -> Iterator[ServiceRecord]:
        columns = [column(id) for id in ids]
        with self._database.reading() as connection:
            rows = connection.execute(select(records.c.id, records.c.document).where(records.c.id.in_(columns))).all()
        documents = {row.id: row.document for row in rows}
        return (codec.record_value(documents[id]) for id in columns)

    def record(self, prefix: str) -> ServiceRecord:
        """See Store."""
        return codec.record_value(self._document("record", records, prefix))

    def findings(self, *, server: str | None = None, gone: bool = False) -> list[Finding]:
        """See Store."""
        wanted = select(findings.c.document)
        if server is not None:
            wanted = wanted.where(findings.c.server == column(server))
        if not gone:
            wanted = wanted.where(findings.c.state.in_(_NOT_GONE))
        with self._database.reading() as connection:
            documents = connection.execute(wanted).scalars().all()
        return sorted(map(codec.finding_value, documents), key=urgency)

    def finding(self, prefix: str) -> Finding:
        """See Store."""
        return codec.finding_value(self._document("finding", findings, prefix))

    def history(self, finding: str) -> list[Sighting]:
        """See Store."""
        mine = sightings.c.finding == column(finding)
        with self._database.reading() as connection:
            rows = connection.execute(select(sightings).where(mine).order_by(sightings.c.at, sightings.c.record)).all()
        if not rows:
            raise unknown("finding", finding)
        return [
            Sighting(
                codec.text(row.record),
                codec.moment(row.at),
                FindingState(row.state),
                Severity(row.severity),
                codec.text(row.message),
            )
            for row in rows
        ]

    def followups(self, *, server: str | None = None, closed: bool = False) -> list[FollowUp]:
        """See Store."""
        wanted = select(followups.c.document).order_by(followups.c.opened, followups.c.id)
        if server is not None:
            wanted = wanted.where(followups.c.server == column(server))
        if not closed:
            wanted = wanted.where(followups.c.state.in_(_NOT_CLOSED))
        with self._database.reading() as connection:
            return [codec.followup_value(document) for document in connection.execute(wanted).scalars()]

    def baselines(self, *, server: str | None = None, replaced: bool = False) -> list[Baseline]:
        """See Store."""
        wanted = select(baselines.c.document).order_by(baselines.c.server, baselines.c.check_id, baselines.c.seq.desc())
        if server is not None:
            wanted = wanted.where(baselines.c.server == column(server))
        with self._database.reading() as connection:
            found = [codec.baseline_value(document) for document in connection.execute(wanted).scalars()]
        return found if replaced else newest(found)

    def followup(self, prefix: str) -> FollowUp:
        """See Store."""
        return codec.followup_value(self._document("follow-up", followups, prefix))

    def approvals(self, plan: str) -> list[Approval]:
        """See Store."""
        with self._database.reading() as connection:
            documents = connection.execute(statements.APPROVALS_OF, {"plan": column(plan)}).scalars().all()
        return [codec.approval_value(document) for document in documents]

    def owed(self) -> list[tuple[str, Owed]]:
        """See Store."""
        with self._database.reading() as connection:
            rows = connection.execute(statements.DEBTS).all()
        events = ((codec.text(run), event_value(kind, document, at)) for run, kind, at, document in rows)
        return still_owed((run, event) for run, event in events if isinstance(event, Owed | Settled))

    def holds(self) -> list[Hold]:
        """See Store."""
        with self._database.reading() as connection:
            documents = connection.execute(statements.HOLDS).scalars().all()
        return sorted(map(codec.hold_value, documents), key=recency)

    def close(self) -> None:
        """See Store."""
        self._database.close()

    def _document(self, noun: str, table: Table, prefix: str) -> str:
        with self._database.reading() as connection:
            id = _choose(connection, noun, table, prefix)
            return str(connection.execute(select(table.c.document).where(table.c.id == id)).scalar_one())


def _open(url: str) -> Database:
    if url.startswith("sqlite:"):
        from maintops.store.sqlite import open_sqlite

        return open_sqlite(url)
    from maintops.store.postgres import open_postgres

    return open_postgres(url)


# --- writing rows -----------------------------------------------------------------------------------------------------


def _many(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(statement, rows)


def _choose(connection: Connection, noun: str, table: Table, prefix: str) -> str:
    start = column(prefix)
    # PostgreSQL's grammar has no place for a collation in BETWEEN.
    fitting = select(table.c.id).where(table.c.id >= start, table.c.id <= start + "\U0010ffff")
    ids = connection.execute(fitting.order_by(table.c.id).limit(SHOWN + 1)).scalars().all()
    return column(chosen(noun, prefix, [codec.text(id) for id in ids]))


# --- reading in a transaction ----------------------------------------------------------------------------------------


def _events(connection: Connection, run: str) -> list[Event]:
    found = connection.execute(statements.JOURNAL.order_by(events.c.seq), {"run": run})
    return [event_value(kind, document, at) for kind, document, at in found]


def _plan(connection: Connection, run: str) -> RunPlanned | None:
    first = connection.execute(statements.JOURNAL.where(events.c.seq == 1), {"run": run}).first()
    return None if first is None else fold([event_value(*first)]).planned


def _owner(connection: Connection, run: str) -> Owner | None:
    last = connection.execute(statements.OWNERS, {"run": run}).first()
    event = None if last is None else event_value(*last)
    return event.owner if isinstance(event, RunPlanned | Resumed) else None


def _refuse_taken(connection: Connection, planned: RunPlanned) -> None:
    """Refuses servers that another run is changing. Holds only while CHANGES is locked."""
    running = (fold([event_value(*row)]).planned for row in connection.execute(statements.CHANGING).all())
    found = holder(planned, running)
    if found is not None:
        raise taken(planned, fold(_events(connection, column(found.run))))


def _is_kept(connection: Connection, run: str, record: str) -> bool:
    row = connection.execute(statements.RUN_AND_RECORD, {"run": column(run), "record": column(record)}).first()
    if row is None:
        raise unknown("run", run)
    return row[1] is not None


def _has_ended(connection: Connection, run: str) -> bool:
    row = connection.execute(statements.RUN_HELD, {"run": column(run)}).first()
    if row is None:
        raise unknown("run", run)
    return bool(row.state != RunState.RUNNING.value)


# --- writing in a transaction ----------------------------------------------------------------------------------------


def _write_event(connection: Connection, run: str, event: Event) -> None:
    kind, document = event_text(event)
    row = {"run": run, "kind": kind.value, "at": microseconds(event.at), "document": document}
    connection.execute(statements.NEXT_EVENT, row)


def _set_state(connection: Connection, run: str, state: RunState, ended: datetime | None) -> None:
    end = {"state": state.value, "ended": None if ended is None else microseconds(ended)}
    connection.execute(update(runs).where(runs.c.id == run).values(end))
