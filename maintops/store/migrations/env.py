"""Run by Alembic: takes the connection, in its transaction, that `maintops.store.schemas` hands over."""

from alembic import context

from maintops.store.schemas import VERSION_TABLE
from maintops.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
