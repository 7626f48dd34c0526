"""The schema that the migrations build is the schema that the code declares, and SQL itself refuses what is not lawful."""

import sqlite3

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from domain.errors import ConfigInvalid, DataInvalid
from domain.lifecycle import State
from ledger import tables
from ledger.store import LedgerStore, migration_settings


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def checks_of(engine):
    inspector = inspect(engine)
    return {
        (table, check["name"]): check["sqltext"]
        for table in inspector.get_table_names()
        for check in inspector.get_check_constraints(table)
    }


def test_migrations_build_what_the_tables_declare(url):
    LedgerStore(url).close()
    migrated, declared = create_engine(url), create_engine("sqlite://")
    tables.metadata.create_all(declared)
    with migrated.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), tables.metadata)
    assert checks_of(declared) == checks_of(migrated)
    assert checks_of(declared)
    migrated.dispose()
    declared.dispose()


def test_order_states_in_sql_are_those_of_the_lifecycle(url):
    LedgerStore(url).close()
    engine = create_engine(url)
    assert (
        f"state IN ({', '.join(repr(state.label) for state in State)})"
        == checks_of(engine)["orders", "ck_orders_state"]
    )
    engine.dispose()


def test_migrations_go_back_to_nothing(url):
    LedgerStore(url).close()
    engine, settings = create_engine(url), migration_settings()
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.downgrade(settings, "base")
    assert ["alembic_version"] == inspect(engine).get_table_names()
    engine.dispose()


def test_every_table_can_be_made_in_postgresql():
    for table in tables.metadata.sorted_tables:
        made = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert "BIGINT" in made or table.name == "instruments"
        assert "AUTOINCREMENT" not in made
        assert "SERIAL" not in made


def test_newer_schema_is_refused_and_left_alone(url):
    LedgerStore(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(ConfigInvalid, match="schema 0001 or older; it has 9999, of a newer hat"):
        LedgerStore(url)


def test_half_made_schema_is_made_whole_or_not_at_all(url, tmp_path):
    """A table in the way stops the migration; nothing of it stays, and the version does not move."""
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("CREATE TABLE postings (mine INTEGER)")
    connection.close()
    with pytest.raises(DataInvalid, match="does not have the ledger's tables"):
        LedgerStore(url)
    engine = create_engine(url)
    assert ["postings"] == [name for name in inspect(engine).get_table_names() if name != "alembic_version"]
    engine.dispose()
