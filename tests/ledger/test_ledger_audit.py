"""Harm done to the rows behind the store's back, one value or one row at a time: all of it is found and named."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text, type_coerce
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType

from domain.units import MONEY_UNIT
from ledger import tables
from ledger.audit import audit
from ledger.audit_findings import FINDINGS_MAX
from ledger.store import LedgerStore
from tests.ledger.audit_ground import KEY, at, opened, rows_of, sentences, sequence_of, write_story
from tests.ledger.ledger_builders import a_record

PARTS = {"postings", "fills", "funding", "adjustments"}
TABLES = tuple(tables.metadata.tables)
COLUMNS = [(name, column.name) for name, table in tables.metadata.tables.items() for column in table.c]


def other_value(value):
    """Another value of the same type that the column would take."""
    if isinstance(value, bool):
        return not value
    if value is None or isinstance(value, int):
        return (value or 0) + 1_000_003
    return value[:-1] + ("y" if value.endswith("x") else "x")


def is_named(problems, name, row):
    """Say whether a problem names the row: itself, its transaction or, for rows of the run, the run or its seal."""
    own = [str(row[column.name]) for column in tables.metadata.tables[name].primary_key if column.name != "run_id"]
    for problem in problems:
        if name in PARTS and problem.table == "transactions" and problem.subject == str(row["sequence"]):
            return True
        if name in {"runs", "instruments"} and problem.table == "runs":
            return True
        if name in {"cursors", "positions"} and (name, "") == (problem.table, problem.subject):
            return True
        if name == "cursors" and problem.table == "cursors":
            return True
        if name == "chains" and row["name"] in {problem.table, problem.subject}:
            return True
        if problem.table == name and problem.subject == " ".join(own):
            return True
    return False


def test_sound_ledger_has_no_problem_and_progress_ends_at_all_rows(connection):
    seen = []
    assert [] == sentences(audit(connection, progress=lambda done, total: seen.append((done, total))))
    assert seen[-1][0] <= seen[-1][1]
    assert [] == audit(connection, run=KEY)
    assert [] == audit(connection, run="unheard of")


def test_running_ledger_of_either_database_is_sound(ledger_url):
    write_story(ledger_url, is_ended=False)
    engine = opened(ledger_url)
    with engine.connect() as connection:
        assert [] == sentences(audit(connection))
    engine.dispose()


def test_empty_run_is_sound(ledger_url):
    store = LedgerStore(ledger_url)
    store.begin_run(a_record())
    with store.reading() as connection:
        assert [] == audit(connection)
    store.close()


@pytest.mark.parametrize(("name", "column"), COLUMNS, ids=[f"{name}.{column}" for name, column in COLUMNS])
def test_any_value_changed_is_found_and_its_row_named(connection, name, column):
    table = tables.metadata.tables[name]
    rows = rows_of(connection, name)
    assert rows, f"the story holds no {name}"
    row = rows[len(rows) // 2]
    value = other_value(row[column])
    connection.execute(table.update().where(*at(table, row)).values({column: value}))
    problems = audit(connection)
    changed = {**row, column: value}
    if (name, column) == ("runs", "run_id"):
        assert any(problem.problem == "row without its runs" for problem in problems)
    elif column == "run_id":
        assert any(problem.table == name for problem in problems), sentences(problems)
    else:
        assert is_named(problems, name, row) or is_named(problems, name, changed), sentences(problems)


@pytest.mark.parametrize("name", TABLES)
def test_any_row_deleted_is_found(connection, name):
    table = tables.metadata.tables[name]
    rows = rows_of(connection, name)
    dice = random.Random(name)
    for row in [rows[0], *dice.sample(rows, min(len(rows), 4)), rows[-1]]:
        point = connection.begin_nested()
        connection.execute(table.delete().where(*at(table, row)))
        problems = audit(connection)
        tables_named = {problem.table for problem in problems}
        expected = {name, "transactions"} if name in PARTS else {name, "runs"} if name == "instruments" else {name}
        if name == "runs":
            assert any(problem.problem == "row without its runs" for problem in problems)
        else:
            assert tables_named & expected, sentences(problems)
        point.rollback()


@pytest.mark.parametrize("name", ["transitions", "marks", "orders", "markouts", "incidents"])
def test_missing_links_are_named_with_their_bounds(connection, name):
    (links,) = connection.execute(text(f"SELECT MAX(link) FROM {name}")).one()
    gone = f"DELETE FROM {name} WHERE link IN"
    if links > 3:
        point = connection.begin_nested()
        connection.execute(text(f"{gone} (2, 3)"))
        assert any("links 2 to 3" in problem.sentence for problem in audit(connection) if problem.table == name)
        point.rollback()
    connection.execute(text(f"{gone} ({links})"))
    found = [problem.sentence for problem in audit(connection)]
    assert f"run {KEY}: {name}: rows are missing at the end: links {links} to {links}" in found


@pytest.mark.parametrize("name", ["transitions", "marks", "orders", "incidents", "transactions"])
def test_changed_row_or_hash_in_the_middle_is_one_problem_of_its_chain(connection, name):
    place = "sequence" if name == "transactions" else "link"
    column = {"orders": "decision_mid_x2", "incidents": "detail", "marks": "exposure", "transitions": "detail"}.get(
        name
    )
    for touched in ("hash", column or "evidence"):
        point = connection.begin_nested()
        value = "'changed'" if touched in {"hash", "detail", "evidence"} else "12345"
        connection.execute(text(f"UPDATE {name} SET {touched} = {value} WHERE {place} = 4"))
        (problem,) = audit(connection)
        assert (name, "was changed: its content does not fit its hash") == (problem.table, problem.problem)
        point.rollback()


def test_swapped_rows_are_found(connection):
    connection.execute(text("UPDATE transitions SET detail = 'x' || notice"))
    connection.execute(text("UPDATE transitions SET link = CASE link WHEN 5 THEN 6 WHEN 6 THEN 5 ELSE link END"))
    assert {"transitions"} == {problem.table for problem in audit(connection)}


def test_added_row_is_found(connection):
    table = tables.metadata.tables["incidents"]
    row = dict(rows_of(connection, "incidents")[-1])
    row |= {"link": row["link"] + 1, "notice": row["notice"] + 1}
    connection.execute(table.insert().values(row))
    found = sentences(audit(connection))
    assert any("counts" in sentence and "chains incidents" in sentence for sentence in found)


def test_link_that_stands_twice_is_named(connection):
    connection.execute(text("UPDATE incidents SET link = 2 WHERE link = 3"))
    assert any("its link 2 is not the next one after 2" in sentence for sentence in sentences(audit(connection)))


def test_row_of_no_notice_yet_lies_beyond_the_cursor(connection):
    connection.execute(text("UPDATE cursors SET notices = notices - 2"))
    found = sentences(audit(connection))
    assert any("lies beyond the cursor of its run" in sentence for sentence in found)
    assert any("the seal does not fit" in sentence for sentence in found)


def test_first_harm_is_told_once_and_not_again_by_every_later_row(connection):
    at = sequence_of(connection, "fill")[3]
    connection.execute(text("UPDATE fills SET realized = realized + 7 WHERE sequence = :at"), {"at": at})
    assert {("fills", str(at)), ("transactions", str(at))} == {
        (problem.table, problem.subject) for problem in audit(connection)
    }


def test_ruined_ledger_is_a_page_and_not_a_book(connection):
    connection.execute(text("UPDATE transitions SET detail = 'gone'"))
    problems = [problem for problem in audit(connection) if problem.table == "transitions"]
    assert FINDINGS_MAX + 1 == len(problems)
    assert "more problems like these" in problems[-1].problem


def test_values_of_another_type_are_named_and_reckoned_as_nothing(connection):
    connection.execute(text("UPDATE fills SET price = 'much' WHERE sequence = 2"))
    connection.execute(text("UPDATE orders SET post_only = 2 WHERE link = 1"))
    connection.execute(text("UPDATE transactions SET ts_event_ns = 'never' WHERE sequence = 3"))
    connection.execute(text("UPDATE instruments SET symbol = X'0102' WHERE symbol = 'ETH'"))
    connection.execute(text("UPDATE instruments SET size_decimals = 'few'"))
    connection.execute(text("UPDATE chains SET links = 'many' WHERE name = 'orders'"))
    found = sentences(audit(connection))
    assert any("fills 2: price holds 'much', no int" in sentence for sentence in found)
    assert any("post_only holds 2, no bool" in sentence for sentence in found)


def test_text_that_is_no_text_is_named(connection):
    connection.execute(text("UPDATE incidents SET detail = CAST(X'ff' AS TEXT) WHERE link = 2"))
    (notice,) = connection.execute(text("SELECT notice FROM incidents WHERE link = 2")).one()
    assert f"run {KEY}: incidents {notice}: detail holds b'\\xff', no str" in sentences(audit(connection))


def test_rows_without_their_run_are_named_with_the_run_they_claim(connection):
    connection.execute(text("DELETE FROM runs"))
    problems = audit(connection)
    assert (KEY, "row without its runs") in {(problem.run, problem.problem) for problem in problems}


PLACES = st.tuples(st.sampled_from(COLUMNS), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 6))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACES)
def test_any_bit_flipped_in_any_value_is_found(connection, place):
    (name, column), row_at, byte_at, bit = place
    table = tables.metadata.tables[name]
    rows = rows_of(connection, name)
    row = rows[row_at % len(rows)]
    value = row[column]
    if isinstance(value, int):
        flipped = int(value) ^ (1 << (byte_at * 7 + bit) % 60)
    else:
        letters = bytearray((value or "x").encode())
        letters[byte_at % len(letters)] ^= 1 << bit
        flipped = letters.decode() if value else "x"
    point = connection.begin_nested()
    try:
        harmed = {column: type_coerce(flipped, NullType())}  # as the database takes it, a boolean of 3 too
        connection.execute(table.update().where(*at(table, row)).values(harmed))
        assert audit(connection), (name, column, value, flipped)
    except DBAPIError:
        pass  # the database itself refused the double key
    finally:
        point.rollback()


def test_any_value_changed_on_postgresql_is_found_or_refused(postgres_url):
    write_story(postgres_url)
    engine = opened(postgres_url)
    found = refused = 0
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for name, column in COLUMNS[::3]:
            table = tables.metadata.tables[name]
            rows = rows_of(connection, name)
            row = rows[len(rows) // 2]
            point = connection.begin_nested()
            try:
                changed = table.update().where(*at(table, row)).values({column: other_value(row[column])})
                connection.execute(changed)
            except DBAPIError:
                refused += 1
            else:
                assert audit(connection), (name, column)
                found += 1
            point.rollback()
        transaction.rollback()
    engine.dispose()
    assert len(COLUMNS[::3]) == found + refused
    assert refused < 6


def test_amounts_are_told_in_money(connection):
    connection.execute(text(f"UPDATE postings SET amount = amount + {MONEY_UNIT} WHERE sequence = 1 AND line = 1"))
    assert any("its postings sum to 1 (expected 0)" in sentence for sentence in sentences(audit(connection)))
