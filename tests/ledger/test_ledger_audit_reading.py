"""Values no column of ours can hold: bytes, text that is no text, numbers out of all bounds. Each is named, none raises."""

import pytest
from sqlalchemy import text

from ledger import tables
from ledger.audit import audit, run_ids
from tests.ledger.audit_ground import KEY, harmed, opened, sentences, write_story

COLUMNS = [(name, column.name) for name, table in tables.metadata.tables.items() for column in table.c]
TOLD_BY = {
    **dict.fromkeys(("postings", "fills", "funding", "adjustments"), "transactions"),
    "instruments": "runs",
    "chains": "cursors",
}
"""Tables whose rows are also proven by another one's."""
STRANGE = ("CAST(X'ff' AS TEXT)", "X'00ff'", "'much'", "1.5", "9223372036854775807", "-9223372036854775807", "9e999")


def is_named(name, problems):
    tables_named = {problem.table for problem in problems}
    orphans = name == "runs" and any("row without its runs" in problem.problem for problem in problems)
    return bool(tables_named & {name, TOLD_BY.get(name, name)}) or orphans


@pytest.mark.parametrize(("name", "column"), COLUMNS, ids=[f"{name}.{column}" for name, column in COLUMNS])
def test_strange_value_is_named_and_never_raises(connection, name, column):
    for value in STRANGE:
        point = connection.begin_nested()
        row = f"(SELECT rowid FROM {name} LIMIT 1)"
        connection.execute(text(f"UPDATE {name} SET {column} = {value} WHERE rowid = {row}"))
        problems = audit(connection)
        assert is_named(name, problems), (value, sentences(problems))
        if value in STRANGE[:2] and column != "run_id":
            assert any(one.table == name and f"{column} holds b'" in one.problem for one in problems), (
                value,
                sentences(problems),
            )
        point.rollback()


@pytest.mark.parametrize("value", STRANGE[:4])
def test_strange_value_in_every_row_of_a_column_is_named_and_never_raises(connection, value):
    for name, column in COLUMNS:
        if tables.metadata.tables[name].c[column].primary_key:
            continue
        point = connection.begin_nested()
        if (name, column) not in {("funding", "sequence"), ("transactions", "fact_id")}:
            connection.execute(text(f"UPDATE {name} SET {column} = {value}"))
            assert is_named(name, audit(connection)), (name, column)
        point.rollback()


@pytest.mark.parametrize("value", ["9223372036854775807", "-9223372036854775807"])
def test_numbers_that_overflow_when_summed_are_named(connection, value):
    for name, column in (("fills", "lots"), ("postings", "amount"), ("markouts", "ts_ns"), ("fills", "ts_ns")):
        point = connection.begin_nested()
        connection.execute(text(f"UPDATE {name} SET {column} = {value}"))
        assert any(one.table == name for one in audit(connection)), (name, column)
        point.rollback()


def test_numbers_that_overflow_when_summed_are_named_on_postgresql(postgres_url):
    write_story(postgres_url)
    engine = opened(postgres_url)
    for name, column in (("fills", "lots"), ("postings", "amount"), ("markouts", "ts_ns"), ("fills", "ts_ns")):
        with harmed(engine) as connection:
            connection.execute(text(f"UPDATE {name} SET {column} = 9223372036854775807"))
            assert any(one.table == name for one in audit(connection)), (name, column)
    engine.dispose()


def test_run_whose_key_is_no_text_is_named_and_is_no_run(connection):
    for value in ("CAST(run_id AS BLOB)", "CAST(X'ff' AS TEXT)"):
        point = connection.begin_nested()
        connection.execute(text(f"UPDATE runs SET run_id = {value}"))
        assert [] == run_ids(connection)
        problems = audit(connection)
        assert any("runs" == one.table and "run_id holds b'" in one.problem for one in problems)
        assert (KEY, "row without its runs") in {(one.run, one.problem) for one in problems}
        point.rollback()


def test_text_is_read_as_text_again_after_an_audit(connection):
    connection.execute(text("UPDATE orders SET reason = CAST(X'ff' AS TEXT) WHERE link = 1"))
    assert any("reason holds b'\\xff', no str" in one for one in sentences(audit(connection)))
    assert "none" == connection.execute(text("SELECT reason FROM orders WHERE link = 2")).scalar_one()
    assert str is connection.connection.driver_connection.text_factory
