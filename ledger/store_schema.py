"""The schema of an opened database: brought to the newest revision, or refused untouched when it is of a newer hat."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from domain.errors import ConfigInvalid
from ledger import tables
from ledger.store_engine import KEY, writing

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x686174
"""Any number that means "hat" to everybody who migrates a ledger in PostgreSQL."""
VERSION_TABLE = "alembic_version"
FOREIGN_NAMES_MAX = 5


def migration_settings() -> Config:
    """Return Alembic's settings; the schema's steps lie inside this package."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return settings


def migrate(engine: Engine, place: str, *, read_only: bool) -> None:
    """Bring a database to the newest schema, in one transaction.

    Raises: ConfigInvalid when it is of a newer hat, or older and read_only; when it is a SQLite file of something else,
    or, with read_only, any database that holds no ledger.
    """
    settings = migration_settings()
    script = ScriptDirectory.from_config(settings)
    head, known = script.get_current_head(), {revision.revision for revision in script.walk_revisions()}
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        found = set(inspect(connection).get_table_names()) if current != head else set()
    if current != head and (current is None or not found & set(tables.metadata.tables)):
        _refuse_others(place, found, is_sqlite=engine.dialect.name == "sqlite", read_only=read_only)
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


def _refuse_others(place: str, found: set[str], *, is_sqlite: bool, read_only: bool) -> None:
    """Refuse a database that is no ledger: one of something else, and, to be read, one without anything.

    In PostgreSQL a ledger may lie beside other tables, unless they have the names of its own.
    """
    foreign = sorted(found - {VERSION_TABLE})
    if foreign and (is_sqlite or read_only or found & set(tables.metadata.tables)):
        more = f" and {len(foreign) - FOREIGN_NAMES_MAX} more" if len(foreign) > FOREIGN_NAMES_MAX else ""
        names = ", ".join(foreign[:FOREIGN_NAMES_MAX])
        raise ConfigInvalid(KEY, place, f"a ledger; it holds tables that are not hat's: {names}{more}")
    if read_only:
        raise ConfigInvalid(KEY, place, "an existing ledger; this database is empty")
