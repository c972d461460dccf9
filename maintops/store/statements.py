"""The statements of the store that are said again and again.

Built once: SQLAlchemy finds the SQL of a statement that it has seen before by its structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Insert, Table, bindparam, delete, false, func, insert, select, text
from sqlalchemy.sql import Executable

from maintops.domain.followups import FollowUpState
from maintops.domain.runs import RunState
from maintops.store.journals import Kind
from maintops.store.tables import DEBTS as DEBTS_ALONE
from maintops.store.tables import (
    answers,
    approvals,
    baselines,
    events,
    facts,
    findings,
    followup_findings,
    followups,
    holds,
    records,
    runs,
    sightings,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


def numbered(table: Table) -> Insert:
    """Inserts a row into a table whose key ends with `seq`: one more than the last of those that share the rest."""
    seq = table.c.seq
    rest = [one for one in table.primary_key if one is not seq]
    same = [one == bindparam(one.name) for one in rest]
    last = select(func.max(seq)).where(*same).scalar_subquery()
    values = [bindparam(one.name, type_=one.type) for one in table.columns if one is not seq]
    return insert(table).from_select(
        [*(one.name for one in table.columns if one is not seq), "seq"], select(*values, func.coalesce(last, 0) + 1)
    )


RECORD_EXISTS = select(records.c.id).where(records.c.id == bindparam("record"))
RUN_AND_RECORD = select(runs.c.id, RECORD_EXISTS.scalar_subquery()).where(runs.c.id == bindparam("run"))
FACTS_OF = select(facts.c.check_id, facts.c.document).where(facts.c.server == bindparam("server"))
FACTS_OF_MANY = select(facts.c.server, facts.c.check_id, facts.c.document).where(
    facts.c.server.in_(bindparam("servers", expanding=True)), facts.c.check_id.in_(bindparam("checks", expanding=True))
)
FINDINGS_OF = select(findings.c.document).where(findings.c.server == bindparam("server")).order_by(findings.c.id)
FOLLOWUPS_OF = (
    select(followups.c.document)
    .where(followups.c.server == bindparam("server"), followups.c.state != FollowUpState.CLOSED.value)
    .order_by(followups.c.opened, followups.c.id)
)
_later = baselines.alias()
BASELINES_OF = select(baselines.c.document).where(
    baselines.c.server == bindparam("server"),
    baselines.c.seq
    == select(func.max(_later.c.seq))
    .where(_later.c.server == baselines.c.server, _later.c.check_id == baselines.c.check_id)
    .correlate(baselines)
    .scalar_subquery(),
)
NEXT_BASELINE = numbered(baselines)
NEXT_APPROVAL = numbered(approvals)
NEXT_HOLD = numbered(holds)
# Held until the end of the transaction: events are numbered one after the other.
RUN_HELD = select(runs.c.state).where(runs.c.id == bindparam("run")).with_for_update()
NEXT_EVENT = numbered(events)
JOURNAL = select(events.c.kind, events.c.document, events.c.at).where(events.c.run == bindparam("run"))
OWNERS = (
    select(events.c.kind, events.c.document, events.c.at)
    .where(events.c.run == bindparam("run"), events.c.kind.in_([Kind.PLANNED, Kind.CHANGING, Kind.RESUMED]))
    .order_by(events.c.seq.desc())
    .limit(1)
)
# Runs that are going on are few, and an index finds them; of each only the first event is looked at.
CHANGING = (
    select(events.c.kind, events.c.document, events.c.at)
    .join(runs, runs.c.id == events.c.run)
    .where(runs.c.state == RunState.RUNNING.value, events.c.seq == 1, events.c.kind == Kind.CHANGING.value)
)
DEBTS = (
    select(events.c.run, events.c.kind, events.c.at, events.c.document)
    .where(text(DEBTS_ALONE))  # as the index says it: parameters would hide it from SQLite
    .order_by(events.c.run, events.c.seq)
)
APPROVALS_OF = (
    select(approvals.c.document).where(approvals.c.plan == bindparam("plan")).order_by(approvals.c.seq.desc())
)
_newer = holds.alias()
HOLDS = select(holds.c.document).where(
    holds.c.lifted == false(),
    ~select(_newer.c.seq).where(_newer.c.id == holds.c.id, _newer.c.seq > holds.c.seq).correlate(holds).exists(),
)
INSERT_RECORD = insert(records)
INSERT_SIGHTINGS = insert(sightings)
INSERT_ANSWER = insert(answers)
DELETE_LINKS = delete(followup_findings).where(followup_findings.c.followup == bindparam("of"))
INSERT_LINKS = insert(followup_findings)


def upsert(dialect: str, table: Table) -> Executable:
    """Inserts rows; of a row whose key is there already, replaces the rest."""
    statement = _insert_for(dialect)(table)
    keys = [one.name for one in table.primary_key]
    rest = {one.name: statement.excluded[one.name] for one in table.columns if one.name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)


def _insert_for(dialect: str) -> Callable[[Table], postgresql.Insert | sqlite.Insert]:
    # Each of the two packages brings all of its drivers along: only the one in use is imported.
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as for_postgresql

        return for_postgresql
    from sqlalchemy.dialects.sqlite import insert as for_sqlite

    return for_sqlite
