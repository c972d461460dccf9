"""What has been accepted as right, and files that prove what was done."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

WORD = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the tables of baselines and of evidence."""
    op.create_table(
        "evidence",
        sa.Column("id", WORD, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "baselines",
        sa.Column("server", WORD, primary_key=True),
        sa.Column("check_id", WORD, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("document", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
