"""Rows no chain leads to: before the first link, beside the last mark, under a name nobody chains. All are named."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ledger import chain, tables
from ledger.audit import audit
from ledger.audit_chains import chain_heads
from ledger.store import LedgerStore
from tests.ledger.audit_ground import KEY, harmed, opened, rechained, rows_of, sentences, write_story

NUMBERED = [
    (name, column)
    for name, table in tables.metadata.tables.items()
    for column in ("sequence", "link", "notice")
    if column in table.c
]
"""Every column that counts something from 1 on."""
LIKE = "run_id, {place}, account, 'transfer', 'forged {place}', ts_event_ns, ts_ns, '', '', '', 'none', '', hash"


def add_row_at(connection, name, column, place):
    """Repeat a row of a table with another number in one column; keys that must not repeat are made new."""
    table = tables.metadata.tables[name]
    new = {"client_order_id": f"0x{place & 0xFFFF:032x}", "fact_id": "forged", "hour_ns": 7, "minute_ns": 7}
    keys = {key.name for key in table.primary_key} | ({"fact_id"} & set(table.c.keys()))
    row = dict(rows_of(connection, name)[0])
    row |= {key: value for key, value in new.items() if key in keys} | {column: place}
    if column == "link" and "notice" in keys:
        row["notice"] = 10**6
    if column == "link" and name == "markouts":
        row["horizon_ns"] += 1
    connection.execute(table.insert().values(row))


def invent_profit(connection, place, amount=777):
    """Book a gain in a balanced transaction of that number."""
    connection.execute(
        text(f"INSERT INTO transactions SELECT {LIKE.format(place=place)} FROM transactions WHERE sequence = 1")
    )
    for line, account, moved in ((1, "cash", amount), (2, "realized:BTC", -amount)):
        connection.execute(
            tables.postings.insert().values(run_id=KEY, sequence=place, line=line, account=account, amount=moved)
        )


@pytest.mark.parametrize("place", [-1, 0, -(2**63)])
@pytest.mark.parametrize(("name", "column"), NUMBERED)
def test_row_before_the_first_is_named_in_every_table(connection, name, column, place):
    add_row_at(connection, name, column, place)
    problems = audit(connection)
    named = [one for one in problems if one.table == name and (column == "link" or str(place) in one.subject.split())]
    if name == "funding":  # its key is its hour
        named = [
            one
            for one in problems
            if (one.table, one.subject) in {(name, str(place)), (name, "BTC 7"), (name, "ETH 7")}
        ]
    assert named, sentences(problems)


@pytest.mark.parametrize("place", [-5, -1, 0])
def test_invented_profit_before_the_first_transaction_is_named(connection, place):
    invent_profit(connection, place)
    found = sentences(audit(connection))
    assert f"run {KEY}: transactions {place}: its link {place} is not the next one after 0" in found
    assert any(f"run {KEY}: marks " in one and "what was booked until then" in one for one in found)
    assert not any("transactions 1: was changed" in one for one in found)


def test_invented_profit_is_named_however_many_rows_lie_before_the_first(connection):
    for place in range(-2100, 1):
        invent_profit(connection, place)
    assert any("transactions -2100: its link" in one for one in sentences(audit(connection)))


def test_invented_profit_under_a_forged_chain_is_named(connection):
    invent_profit(connection, 0)
    rechained(connection)
    assert any("transactions 0: its link 0 is not the next" in one for one in sentences(audit(connection)))


@pytest.mark.parametrize("name", ["transitions", "incidents"])
def test_notice_before_the_first_is_named_under_a_forged_chain(connection, name):
    connection.execute(text(f"UPDATE {name} SET notice = 0 WHERE link = 1"))
    rechained(connection)
    assert f"run {KEY}: {name} 0: lies before the first notice of its run" in sentences(audit(connection))


def test_numbers_of_another_type_end_the_reading_nowhere(connection):
    connection.execute(
        text(
            "INSERT INTO transactions SELECT run_id, 'x' || sequence, account, 'transfer', 'forged' || sequence, ts_event_ns,"
            " ts_ns, '', '', '', 'none', '', hash FROM transactions"
        )
    )
    connection.execute(text("UPDATE postings SET sequence = 'x' || sequence WHERE sequence > 3"))
    found = sentences(audit(connection))
    assert any("transactions 0: sequence holds 'x1', no int" in one for one in found)


def test_row_before_the_first_is_refused_or_named_on_postgresql(postgres_url):
    write_story(postgres_url)
    engine = opened(postgres_url)
    with engine.connect() as connection:
        transaction = connection.begin()
        for table, column in (("transactions", "sequence"), ("orders", "link"), ("incidents", "notice")):
            point = connection.begin_nested()
            with pytest.raises(DBAPIError, match="violates check constraint"):
                add_row_at(connection, table, column, 0)
            point.rollback()
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for name, column in NUMBERED:
            checks = [f"ck_{name}_{column}"] if column != "sequence" or name == "transactions" else []
            point = connection.begin_nested()
            for check in checks:
                connection.execute(text(f"ALTER TABLE {name} DROP CONSTRAINT {check}"))
            add_row_at(connection, name, column, 0)
            assert any(one.table == name for one in audit(connection)), (name, column)
            point.rollback()
        transaction.rollback()
    engine.dispose()


def test_sql_refuses_rows_before_the_first(engine):
    with harmed(engine) as connection:
        connection.execute(text("PRAGMA ignore_check_constraints = OFF"))
        for name, column in NUMBERED:
            if column == "sequence" and name != "transactions":
                continue  # the foreign key refuses it
            with pytest.raises(DBAPIError, match="CHECK constraint failed"):
                add_row_at(connection, name, column, 0)
        connection.execute(text("PRAGMA ignore_check_constraints = ON"))


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE positions SET unrealized = unrealized + (CASE symbol WHEN 'BTC' THEN 5 ELSE -5 END)",
        "UPDATE positions SET unrealized = unrealized + 5 WHERE symbol = 'BTC'",
        "INSERT INTO positions SELECT run_id, 'ETC', 0, 0, 0, ts_ns FROM positions WHERE symbol = 'BTC'",
        "DELETE FROM positions WHERE symbol = 'BTC'",
        "DELETE FROM positions",
    ],
)
def test_positions_that_are_not_those_of_the_youngest_mark_are_named(connection, harm):
    connection.execute(text(harm))
    found = sentences(audit(connection))
    assert f"run {KEY}: positions: these are not the rows that were written: they do not fit their hash" in found


@pytest.mark.parametrize(
    ("symbol", "lots", "said"),
    [("ETC", 0, "holds 0 lots: no position"), ("BTC", 0, "holds 0 lots: no position"), ("ETC", 4, "no instrument")],
)
def test_position_that_is_none_is_named_under_a_forged_chain(connection, symbol, lots, said):
    (ts_ns,) = connection.execute(text("SELECT MAX(ts_ns) FROM marks")).one()
    own = tables.positions
    connection.execute(own.delete().where(own.c.symbol == symbol))
    row = {"run_id": KEY, "symbol": symbol, "lots": lots, "cost": 0, "unrealized": 0, "ts_ns": ts_ns}
    connection.execute(own.insert().values(row))
    rechained(connection)
    assert any(f"positions {symbol}: " in one and said in one for one in sentences(audit(connection)))


def test_positions_have_a_head_of_their_own_on_either_database(ledger_url):
    write_story(ledger_url)
    store = LedgerStore(ledger_url)
    with store.reading() as connection:
        rows = [tuple(row.values()) for row in rows_of(connection, "positions")]
        genesis = chain.genesis_hash(
            tuple(connection.execute(text(f"SELECT {', '.join(chain.RUN_COLUMNS)} FROM runs")).one()),
            [tuple(row.values()) for row in rows_of(connection, "instruments")],
        )
        assert len(rows) > 1
        assert chain.positions_head(genesis, rows) == chain_heads(connection, KEY)[chain.POSITIONS]
    store.close()


def test_name_that_no_chain_has_is_named(connection):
    connection.execute(text("INSERT INTO chains SELECT run_id, 'bribes', 1, head FROM chains WHERE name = 'runs'"))
    assert f"run {KEY}: chains bribes: nothing is chained under this name" in sentences(audit(connection))
