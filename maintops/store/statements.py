"""The statements of the store that are said again and again.

Built once: SQLAlchemy finds the SQL of a statement that it has seen before by its structure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import Table, bindparam, delete, func, insert, select
from sqlalchemy.sql import Executable

from maintops.domain.followups import FollowUpState
from maintops.store.tables import (
    answers,
    baselines,
    events,
    facts,
    findings,
    followup_findings,
    followups,
    records,
    runs,
    sightings,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

RECORD_EXISTS = select(records.c.id).where(records.c.id == bindparam("record"))
RUN_AND_RECORD = select(runs.c.id, RECORD_EXISTS.scalar_subquery()).where(runs.c.id == bindparam("run"))
FACTS_OF = select(facts.c.check_id, facts.c.document).where(facts.c.server == bindparam("server"))
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
NEXT_BASELINE = insert(baselines).from_select(
    ["server", "check_id", "seq", "document"],
    select(
        bindparam("server", type_=baselines.c.server.type),
        bindparam("check_id", type_=baselines.c.check_id.type),
        func.coalesce(
            select(func.max(baselines.c.seq))
            .where(baselines.c.server == bindparam("server"), baselines.c.check_id == bindparam("check_id"))
            .scalar_subquery(),
            0,
        )
        + 1,
        bindparam("document", type_=baselines.c.document.type),
    ),
)
# Held until the end of the transaction: events are numbered one after the other.
RUN_HELD = select(runs.c.ended).where(runs.c.id == bindparam("run")).with_for_update()
NEXT_EVENT = insert(events).from_select(
    ["run", "seq", "kind", "at", "document"],
    select(
        bindparam("run", type_=events.c.run.type),
        func.coalesce(select(func.max(events.c.seq)).where(events.c.run == bindparam("run")).scalar_subquery(), 0) + 1,
        bindparam("kind", type_=events.c.kind.type),
        bindparam("at", type_=events.c.at.type),
        bindparam("document", type_=events.c.document.type),
    ),
)
JOURNAL = select(events.c.kind, events.c.document, events.c.at).where(events.c.run == bindparam("run"))
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
