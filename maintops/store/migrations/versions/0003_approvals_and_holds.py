"""Who approved which plan, and the holds on all changes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


_DEBTS = "kind IN ('owed', 'settled')"


def upgrade() -> None:
    """Makes the tables of approvals and of holds, and the index of what is owed to servers."""
    op.create_index(
        "ix_events_debts", "events", ["run"], sqlite_where=sa.text(_DEBTS), postgresql_where=sa.text(_DEBTS)
    )
    op.create_table(
        "approvals",
        sa.Column("plan", WORD, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "holds",
        sa.Column("id", WORD, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("lifted", sa.Boolean, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
