"""What lies in the database beside our tables, or is missing from them: triggers, views, tables, columns, constraints."""

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from ledger import tables
from ledger.audit import audit
from ledger.store_schema import migration_settings
from tests.ledger.audit_ground import harmed, opened, sentences, write_story


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('audit') / 'ledger.db'}"
    write_story(url, is_ended=False)
    engine = opened(url)
    yield engine
    engine.dispose()


def test_revision_of_the_tables_is_the_head_of_the_migrations():
    assert tables.REVISION == ScriptDirectory.from_config(migration_settings()).get_current_head()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON postings BEGIN UPDATE postings SET amount = 1; END",
         "schema postings: trigger t is none of ours"),
        ("CREATE VIEW v AS SELECT * FROM fills", "schema v: view v is none of ours"),
        ("CREATE TABLE bribes (amount INTEGER)", "schema bribes: table bribes is none of ours"),
        ("ALTER TABLE fills ADD COLUMN bribe INTEGER", "schema fills: has column bribe, which is none of ours"),
        ("UPDATE alembic_version SET version_num = 'zzz'", "schema alembic_version: says zzz, the tables are of 0002"),
        ("INSERT INTO alembic_version VALUES ('0001')",
         "schema alembic_version: says 0001 and 0002, the tables are of 0002"),
        ("DROP TABLE alembic_version", "schema alembic_version: says nothing, the tables are of 0002"),
    ],
)  # fmt: skip
def test_schema_that_is_not_ours_is_named(connection, harm, said):
    connection.execute(text(harm))
    assert said in sentences(audit(connection))
    assert said in sentences(audit(connection, run="any"))


def test_statistics_and_indexes_of_a_database_are_no_harm(connection):
    connection.execute(text("ANALYZE"))
    connection.execute(text("CREATE INDEX ours ON fills (trade_id)"))
    assert [] == sentences(audit(connection))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("CREATE TRIGGER t BEFORE UPDATE ON postings FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
         "schema postings: trigger t is none of ours"),
        ("CREATE RULE r AS ON INSERT TO fills DO INSTEAD NOTHING", "schema fills: rule r is none of ours"),
        ("ALTER TABLE fills DISABLE TRIGGER ALL", "schema fills: its foreign keys are switched off"),
        ("ALTER TABLE fills ENABLE ROW LEVEL SECURITY", "schema fills: row security may hide rows of it"),
        ("UPDATE alembic_version SET version_num = 'zzz'", "schema alembic_version: says zzz, the tables are of 0002"),
        ("ALTER TABLE marks ADD COLUMN bribe INTEGER", "schema marks: has column bribe, which is none of ours"),
    ],
)  # fmt: skip
def test_schema_that_is_not_ours_is_named_on_postgresql(postgres_url, harm, said):
    write_story(postgres_url)
    engine = opened(postgres_url)
    with harmed(engine) as connection:
        connection.execute(text("CREATE TABLE of_somebody_else (a INTEGER)"))
        assert [] == sentences(audit(connection))
        connection.execute(text(harm))
        assert said in sentences(audit(connection))
    engine.dispose()
