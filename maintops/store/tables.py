"""The tables. What changes here needs a migration beside it; a test compares the two.

Made for many years: one row per record with all of its results in one document, never a row per result. Columns beside
a document repeat what is searched or sorted by. Times are microseconds since 1970; text columns hold the form of
`codec.column`.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)

WORD = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by code point in both databases, whatever the language of the database is."""

DEBTS = "kind IN ('owed', 'settled')"
"""The few events among all that say what is owed to servers: an index holds these alone."""

runs = Table(
    "runs",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("checklist", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger),
    Index("ix_runs_started", "started", "id"),
    Index("ix_runs_state", "state"),
)

events = Table(
    "events",
    metadata,
    Column("run", WORD, ForeignKey("runs.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", WORD, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_events_debts", "run", sqlite_where=text(DEBTS), postgresql_where=text(DEBTS)),
    sqlite_with_rowid=False,
)

records = Table(
    "records",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("run", WORD, ForeignKey("runs.id"), nullable=False),
    Column("server", WORD, nullable=False),
    Column("checklist", WORD, nullable=False),
    Column("service", WORD, nullable=False),
    Column("customer", WORD),
    Column("site", WORD),
    Column("outcome", WORD, nullable=False),
    Column("severity", WORD),
    Column("started", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_records_run", "run"),
    Index("ix_records_server", "server", "started", "id"),
    Index("ix_records_checklist", "checklist", "started", "id"),
    Index("ix_records_started", "started", "id"),
)

facts = Table(
    "facts",
    metadata,
    Column("server", WORD, primary_key=True),
    Column("check_id", WORD, primary_key=True),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)

findings = Table(
    "findings",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("server", WORD, nullable=False),
    Column("check_id", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("severity", WORD, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_findings_server", "server", "state"),
    Index("ix_findings_state", "state"),
    sqlite_with_rowid=False,
)

sightings = Table(
    "sightings",
    metadata,
    Column("finding", WORD, ForeignKey("findings.id"), primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("record", WORD, ForeignKey("records.id"), primary_key=True),
    Column("state", WORD, nullable=False),
    Column("severity", WORD, nullable=False),
    Column("message", Text, nullable=False),
    sqlite_with_rowid=False,
)

followups = Table(
    "followups",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("server", WORD, nullable=False),
    Column("state", WORD, nullable=False),
    Column("opened", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_followups_server", "server", "state"),
    Index("ix_followups_state", "state", "opened"),
    sqlite_with_rowid=False,
)

followup_findings = Table(
    "followup_findings",
    metadata,
    Column("followup", WORD, ForeignKey("followups.id"), primary_key=True),
    Column("finding", WORD, primary_key=True),
    Index("ix_followup_findings_finding", "finding"),
    sqlite_with_rowid=False,
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

baselines = Table(
    "baselines",
    metadata,
    Column("server", WORD, primary_key=True),
    Column("check_id", WORD, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)

approvals = Table(
    "approvals",
    metadata,
    Column("plan", WORD, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)

holds = Table(
    "holds",
    metadata,
    Column("id", WORD, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("lifted", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    sqlite_with_rowid=False,
)

answers = Table(
    "answers",
    metadata,
    Column("record", WORD, ForeignKey("records.id"), primary_key=True),
    Column("ended", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_answers_ended", "ended"),
    sqlite_with_rowid=False,
)
