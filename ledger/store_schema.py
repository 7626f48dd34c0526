"""The schema of an opened database: brought to the newest revision, or refused untouched when it is of a newer hat."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

from domain.errors import ConfigInvalid
from ledger.store_engine import KEY, writing

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x686174
"""Any number that means "hat" to everybody who migrates a ledger in PostgreSQL."""


def migration_settings() -> Config:
    """Return Alembic's settings; the schema's steps lie inside this package."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return settings


def migrate(engine: Engine, place: str, *, read_only: bool) -> None:
    """Bring a database to the newest schema, in one transaction.

    Raises: ConfigInvalid when it is of a newer hat, or older and read_only.
    """
    settings = migration_settings()
    script = ScriptDirectory.from_config(settings)
    head, known = script.get_current_head(), {revision.revision for revision in script.walk_revisions()}
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise ConfigInvalid(KEY, place, f"schema {head} or older; it has {current}, of a newer hat")
    if current == head:
        return
    if read_only:
        raise ConfigInvalid(KEY, place, f"schema {head}; it has {current}, run the bot once to migrate")
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            # Two processes that open an empty database at once take turns; the second finds the work done.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
