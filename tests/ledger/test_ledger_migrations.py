"""The schema that the migrations build is the schema that the code declares, and SQL itself refuses what is not lawful."""

import sqlite3

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from domain.errors import ConfigInvalid, DataInvalid
from domain.identifiers import client_order_id
from domain.lifecycle import State
from ledger import queries, tables
from ledger.chain import (
    CHAINED,
    CONTENT_COLUMNS,
    INSTRUMENT_COLUMNS,
    POSITIONS,
    RUN_COLUMNS,
    empty_heads,
    ended_hash,
    genesis_hash,
    next_hash,
    positions_head,
    row_bytes,
    seal_of,
    transaction_content,
)
from ledger.rows import NS_PER_MINUTE
from ledger.store import LedgerStore
from ledger.store_engine import open_engine, parsed, writing
from ledger.store_schema import migration_settings
from tests.ledger.ledger_builders import RUN, START_NS, a_record, a_run, created, flat


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


RUN_KEY = f"{RUN:016x}"
MARK = {
    **dict.fromkeys(("drawdown", "drawdown_max", "exposure", "margin_used", "margin_ratio", "value_at_risk"), 0),
    **dict.fromkeys(("slippage", "position_count", "open_orders"), 1),
    "unrealized": 0,
    "funding": 0,
    "fees": 0,
    "rebates": 0,
}


def order_row(order, state, filled):
    name = client_order_id(RUN, order)
    return {
        "run_id": RUN_KEY, "client_order_id": name, "trace_id": name[2:], "symbol": "BTC", "side": "buy", "price": 10,
        "lots": 5, "filled_lots": filled, "time_in_force": "GTC", "post_only": True, "reduce_only": False,
        "decision_mid_x2": 21, "state": state, "reason": "none", "venue_order_id": 70 + order, "created_ns": START_NS,
        "updated_ns": START_NS + order,
    }  # fmt: skip


def move_row(notice, order, state):
    return {
        "run_id": RUN_KEY, "notice": notice, "client_order_id": client_order_id(RUN, order), "ts_ns": START_NS + notice,
        "from_state": "idle", "to_state": state, "trigger": "want", "reason": "none", "time_in_state_ns": 0,
        "price": 10, "lots": 5, "filled_lots": 0, "detail": "",
    }  # fmt: skip


def fact_row(sequence, kind, order=0):
    name = client_order_id(RUN, order) if order else ""
    return {
        "run_id": RUN_KEY, "sequence": sequence, "kind": kind, "fact_id": f"fact-{sequence}", "ts_event_ns": START_NS,
        "ts_ns": START_NS + 1, "symbol": "BTC", "client_order_id": name, "trace_id": name[2:],
    }  # fmt: skip


def fill_row(sequence, side, lots, after, order=0):
    name = client_order_id(RUN, order) if order else ""
    return {
        "run_id": RUN_KEY, "sequence": sequence, "client_order_id": name, "trace_id": name[2:], "venue_order_id": 71,
        "trade_id": sequence, "symbol": "BTC", "side": side, "price": 10, "lots": lots, "liquidity": "maker",
        "notional": 10 * lots, "fee": 0, "realized": 0, "slippage": 0, "position_after": after, "decision_mid_x2": 21,
        "arrival_mid_x2": 0, "is_liquidation": not order, "ts_event_ns": START_NS, "ts_ns": START_NS + 1,
    }  # fmt: skip


def posting_rows(sequence, *lines):
    return [
        {"run_id": RUN_KEY, "sequence": sequence, "line": line, "account": account, "amount": amount}
        for line, (account, amount) in enumerate(lines, 1)
    ]


OLD_ROWS = {
    "runs": [
        {
            "run_id": RUN_KEY, "command": "run", "strategy": "glft", "seed": 7, "config_hash": "c0ffee",
            "code_revision": "0001", "started_ns": START_NS, "ended_ns": START_NS + 99,
        }
    ],
    "instruments": [
        {"run_id": RUN_KEY, "symbol": "ETH", "asset_id": 1, "price_decimals": 2, "size_decimals": 4},
        {"run_id": RUN_KEY, "symbol": "BTC", "asset_id": 0, "price_decimals": 1, "size_decimals": 5},
    ],
    "cursors": [{"run_id": RUN_KEY, "notices": 9}],
    "orders": [order_row(2, "open", 0), order_row(1, "filled", 5)],
    "transitions": [move_row(3, 1, "open"), move_row(4, 2, "open"), move_row(6, 1, "filled")],
    "transactions": [
        fact_row(1, "transfer"), fact_row(2, "fill", order=1), fact_row(3, "liquidation"), fact_row(4, "funding")
    ],
    "postings": [
        *posting_rows(1, ("cash", 1000), ("position:BTC", 30), ("transfers", -1030)),
        *posting_rows(2, ("cash", -50), ("position:BTC", 50)),
        *posting_rows(3, ("cash", 80), ("position:BTC", -80)),
        *posting_rows(4, ("cash", -2), ("funding:BTC", 2)),
    ],
    "fills": [fill_row(2, "buy", 5, 8, order=1), fill_row(3, "sell", 8, 0)],
    "funding": [
        {
            "run_id": RUN_KEY, "symbol": "BTC", "hour_ns": START_NS, "sequence": 4, "position": 8, "rate": 1,
            "oracle_price": 10, "amount": -2, "ts_ns": START_NS,
        }
    ],
    "marks": [
        {
            "run_id": RUN_KEY, "minute_ns": minute, "ts_ns": minute, "equity": 1028, "cash": 1028, "realized": 0,
            "net": -2, **MARK,
        }
        for minute in (START_NS, START_NS + NS_PER_MINUTE)
    ],
    "positions": [{"run_id": RUN_KEY, "symbol": "BTC", "lots": 0, "cost": 0, "unrealized": 0, "ts_ns": START_NS}],
    "incidents": [
        {
            "run_id": RUN_KEY, "notice": 9, "ts_ns": START_NS, "kind": "mode", "reason": "none", "client_order_id": "",
            "detail": "starting to trading",
        }
    ],
}  # fmt: skip
"""A run as the first schema held it: it opened with 3 BTC lots, bought 5, was liquidated and paid funding."""


def migrated_to(url, revision):
    """Bring a database to a revision, up or down."""
    engine, settings = open_engine(parsed(url), read_only=False), migration_settings()
    with writing(engine) as connection:
        settings.attributes["connection"] = connection
        (command.downgrade if revision in {"base", "0001"} and tables_in(connection) else command.upgrade)(
            settings, revision
        )
    return engine


def tables_in(connection):
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def old_ledger(url, rows):
    """Make a ledger of the first schema that holds rows."""
    engine = migrated_to(url, "0001")
    with writing(engine) as connection:
        for name, some in rows.items():
            table = Table(name, MetaData(), autoload_with=connection)
            connection.execute(insert(table), some)
    engine.dispose()


def held(connection, name):
    """All rows of a table, by primary key, as dictionaries."""
    table = tables.metadata.tables[name]
    return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]


def hashes_fit(connection):
    """Hash everything again from what is stored; say whether heads and seal are those stored."""
    (run,) = held(connection, "runs")
    genesis = genesis_hash(
        [run[name] for name in RUN_COLUMNS], [row.values() for row in held(connection, "instruments")]
    )
    heads = empty_heads(genesis)
    if run["ended_ns"] is not None:
        heads["runs"] = (2, ended_hash(genesis, run["ended_ns"]))
    for name in set(CHAINED) - {"transactions"}:
        head = genesis
        rows = sorted(held(connection, name), key=lambda row: row["link"])
        for link, row in enumerate(rows, 1):
            head = next_hash(head, row_bytes([row[column] for column in CONTENT_COLUMNS[name]]))
            assert (link, head) == (row["link"], row["hash"]), (name, row)
        heads[name] = (len(rows), head)
    head, booked = genesis, held(connection, "transactions")
    fills = {row["sequence"]: list(row.values()) for row in held(connection, "fills")}
    funding = {row["sequence"]: list(row.values()) for row in held(connection, "funding")}
    for row in booked:
        sequence, stored = row["sequence"], row.pop("hash")
        content = transaction_content(
            list(row.values()),
            [[p["line"], p["account"], p["amount"]] for p in held(connection, "postings") if p["sequence"] == sequence],
            fills.get(sequence), funding.get(sequence),
            [[a["symbol"], a["lots"]] for a in held(connection, "adjustments") if a["sequence"] == sequence],
        )  # fmt: skip
        head = next_hash(head, content)
        assert head == stored, row
    heads["transactions"] = (len(booked), head)
    heads[POSITIONS] = positions_head(genesis, [list(row.values()) for row in held(connection, "positions")])
    assert heads == {row["name"]: (row["links"], row["head"]) for row in held(connection, "chains")}
    (cursor,) = held(connection, "cursors")
    return seal_of(cursor["notices"], heads) == cursor["seal"]


def test_ledger_of_the_first_schema_is_carried_over_with_hashes(ledger_url):
    old_ledger(ledger_url, OLD_ROWS)
    store = LedgerStore(ledger_url)
    with store.reading() as connection:
        assert set(tables.metadata.tables) == tables_in(connection)
        (run,) = held(connection, "runs")
        assert (RUN_KEY, START_NS + 99) == (run["account"], run["ended_ns"])
        assert [("order", 3, 8), ("liquidation", 8, 0)] == [
            (row["cause"], row["start_position"], row["position_after"]) for row in held(connection, "fills")
        ]
        assert [(1, "BTC", 3)] == [(a["sequence"], a["symbol"], a["lots"]) for a in held(connection, "adjustments")]
        assert {1030} == {row["transfers"] for row in held(connection, "marks")}
        assert [71, 72, 71] == [row["venue_order_id"] for row in held(connection, "transitions")]
        assert hashes_fit(connection)
    store.close()


def test_run_taken_back_to_the_first_schema_and_carried_over_again_has_the_same_seal(ledger_url):
    """An old ledger of a whole run verifies after the migration as if it had been written today."""
    notices = flat(a_run()[0])
    store = LedgerStore(ledger_url)
    store.begin_run(a_record())
    store.write(notices, len(notices))
    store.end_run(START_NS + 9)
    with store.reading() as connection:
        written = {name: held(connection, name) for name in tables.metadata.tables}
    store.close()
    migrated_to(ledger_url, "0001").dispose()
    store = LedgerStore(ledger_url)
    with store.reading() as connection:
        carried = {name: held(connection, name) for name in tables.metadata.tables}
    problems = store.problems()
    store.close()
    for name, rows in written.items():
        assert rows == carried[name], name
    assert [] == problems


def test_carried_over_ledger_goes_back_to_the_very_rows_it_had(ledger_url):
    old_ledger(ledger_url, OLD_ROWS)
    LedgerStore(ledger_url).close()
    engine = migrated_to(ledger_url, "0001")
    with engine.connect() as connection:
        for name, rows in OLD_ROWS.items():
            table = Table(name, MetaData(), autoload_with=connection)
            found = connection.execute(select(table).order_by(*table.primary_key)).mappings().all()
            expected = [tuple(one) for one in rows]
            assert sorted(map(repr, ([row[c] for c in rows[0]] for row in found))) == sorted(
                repr(list(one.values())) for one in rows
            ), (name, expected)
    engine.dispose()


def test_run_carried_over_goes_on(ledger_url):
    old_ledger(ledger_url, OLD_ROWS | {"runs": [OLD_ROWS["runs"][0] | {"ended_ns": None}]})
    store = LedgerStore(ledger_url)
    assert 9 == store.begin_run(a_record())
    store.write((created(3),), 10)
    with store.reading() as connection:
        assert hashes_fit(connection)
        assert [1, 2, 3] == [row["link"] for row in held(connection, "orders")]
    store.close()


def test_empty_ledger_of_the_first_schema_is_carried_over(ledger_url):
    old_ledger(ledger_url, {})
    store = LedgerStore(ledger_url)
    assert [] == store.run_ids()
    store.close()


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


def test_migrations_build_the_same_in_postgresql(url, postgres_url):
    LedgerStore(url).close()
    LedgerStore(postgres_url).close()
    here, there = create_engine(url), open_engine(parsed(postgres_url), read_only=True)
    with there.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), tables.metadata)
    assert set(checks_of(here)) == set(checks_of(there))
    for name, table in tables.metadata.tables.items():
        assert list(table.c.keys()) == [column["name"] for column in inspect(there).get_columns(name)]
        assert list(table.c.keys()) == [column["name"] for column in inspect(here).get_columns(name)]
    here.dispose()
    there.dispose()


def test_questions_for_the_genesis_ask_for_its_columns_in_order():
    assert f"SELECT {', '.join(RUN_COLUMNS)} FROM runs" in queries.RUN_ROW
    assert f"SELECT {', '.join(INSTRUMENT_COLUMNS)} FROM instruments" in queries.INSTRUMENT_ROWS


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
    with pytest.raises(ConfigInvalid, match="schema 0002 or older; it has 9999, of a newer hat"):
        LedgerStore(url)


def test_half_made_schema_is_made_whole_or_not_at_all(url, tmp_path):
    """A table in the way stops the migration before it begins; nothing of it stays."""
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("CREATE TABLE postings (mine INTEGER)")
    connection.close()
    with pytest.raises(ConfigInvalid, match="it holds tables that are not hat's: postings"):
        LedgerStore(url)
    engine = create_engine(url)
    assert ["postings"] == inspect(engine).get_table_names()
    engine.dispose()


def test_transaction_before_the_first_is_not_dropped_in_silence(ledger_url):
    forged = {**OLD_ROWS, "transactions": [fact_row(0, "transfer") | {"fact_id": "forged"}, *OLD_ROWS["transactions"]]}
    old_ledger(ledger_url, forged)
    with pytest.raises(DataInvalid, match=f"run {RUN_KEY}: holds a transaction 0, expected 1 and later ones"):
        LedgerStore(ledger_url)
    # It broke in the middle: the old ledger is as it was.
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        assert ["0001"] == list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
        kept = connection.execute(text("SELECT count(*) FROM transactions")).scalar_one()
    assert len(forged["transactions"]) == kept
    assert "chains" not in inspect(engine).get_table_names()
    engine.dispose()
