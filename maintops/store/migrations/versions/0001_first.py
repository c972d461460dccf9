"""The first schema.

There is no way back: records are kept for years, and a downgrade would drop them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes every table."""
    op.create_table(
        "runs",
        sa.Column("id", WORD, primary_key=True),
        sa.Column("checklist", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
    )
    op.create_index("ix_runs_started", "runs", ["started", "id"])
    op.create_index("ix_runs_state", "runs", ["state"])
    op.create_table(
        "events",
        sa.Column("run", WORD, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    _create_records()
    _create_findings()
    _create_followups()


def _create_records() -> None:
    op.create_table(
        "records",
        sa.Column("id", WORD, primary_key=True),
        sa.Column("run", WORD, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("server", WORD, nullable=False),
        sa.Column("checklist", WORD, nullable=False),
        sa.Column("service", WORD, nullable=False),
        sa.Column("customer", WORD),
        sa.Column("site", WORD),
        sa.Column("outcome", WORD, nullable=False),
        sa.Column("severity", WORD),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
    )
    op.create_index("ix_records_run", "records", ["run"])
    op.create_index("ix_records_server", "records", ["server", "started", "id"])
    op.create_index("ix_records_checklist", "records", ["checklist", "started", "id"])
    op.create_index("ix_records_started", "records", ["started", "id"])
    op.create_table(
        "answers",
        sa.Column("record", WORD, sa.ForeignKey("records.id"), primary_key=True),
        sa.Column("ended", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_answers_ended", "answers", ["ended"])


def _create_findings() -> None:
    op.create_table(
        "facts",
        sa.Column("server", WORD, primary_key=True),
        sa.Column("check_id", WORD, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "findings",
        sa.Column("id", WORD, primary_key=True),
        sa.Column("server", WORD, nullable=False),
        sa.Column("check_id", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("severity", WORD, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_findings_server", "findings", ["server", "state"])
    op.create_index("ix_findings_state", "findings", ["state"])
    op.create_table(
        "sightings",
        sa.Column("finding", WORD, sa.ForeignKey("findings.id"), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("record", WORD, sa.ForeignKey("records.id"), primary_key=True),
        sa.Column("state", WORD, nullable=False),
        sa.Column("severity", WORD, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )


def _create_followups() -> None:
    op.create_table(
        "followups",
        sa.Column("id", WORD, primary_key=True),
        sa.Column("server", WORD, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("opened", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_followups_server", "followups", ["server", "state"])
    op.create_index("ix_followups_state", "followups", ["state", "opened"])
    op.create_table(
        "followup_findings",
        sa.Column("followup", WORD, sa.ForeignKey("followups.id"), primary_key=True),
        sa.Column("finding", WORD, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_followup_findings_finding", "followup_findings", ["finding"])
