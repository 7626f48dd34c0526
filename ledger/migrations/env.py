"""What Alembic runs: the store hands over an open connection, and the revisions run in its transaction.

For a developer who writes the next revision: `ledger.store_schema.migration_settings(url)` gives Alembic's Config; the
batch mode is there because SQLite cannot alter a constraint in place.
"""

from alembic import context

from ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
