"""The store: batches whole, once and in order; sentences instead of tracebacks; the statement read back."""

import sqlite3

import pytest
from sqlalchemy import text

from domain.errors import ConfigInvalid, DataInvalid, InvariantBroken, LedgerUnbalanced
from domain.lifecycle import State, Trigger
from domain.notices import TransactionPosted
from domain.order import FillCause, Side
from domain.transaction import FactKind, Posting, Transaction
from ledger.store import LedgerStore, StoreUnavailable
from tests.ledger.ledger_builders import (
    RUN,
    START_NS,
    a_book,
    a_fill,
    a_record,
    a_run,
    booked,
    created,
    flat,
    moved,
    usdc,
    write_all,
)

FULL = 2
"""What SQLite answers when every commit waits for the disk."""


def content(path):
    """Every row of every table, sorted."""
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}
    connection.close()
    return found


def test_stored_run_reads_back_as_the_book_has_it(store):
    outcomes, book, marks = a_run()
    write_all(store, outcomes)
    store.end_run(START_NS + 5)
    statement, totals = store.statement(), book.totals(marks)
    assert totals == statement.pnl
    assert (book.cash, usdc(10_000)) == (statement.cash, statement.transfers)
    assert {"BTC": book.totals_of("BTC", marks), "ETH": book.totals_of("ETH", marks)} == {
        part.symbol: part.pnl for part in statement.instruments
    }
    assert {part.symbol: part.lots for part in statement.instruments if part.lots} == book.open_positions()
    assert (60, 80, 80) == (statement.orders, statement.fills, statement.maker_fills)
    assert {"canceled": 20, "filled": 40} == statement.orders_by_state
    assert statement.volume == statement.maker_volume > 0
    assert ("run", "glft", 7, "c0ffee", "0001", START_NS, START_NS + 5) == (
        statement.command, statement.strategy, statement.seed, statement.config_hash, statement.code_revision,
        statement.started_ns, statement.ended_ns,
    )  # fmt: skip
    assert [] == store.problems()


def test_how_notices_are_cut_into_batches_changes_nothing(opened, tmp_path):
    outcomes = a_run()[0]
    contents = []
    for size in (1, 7, 1000):
        store = opened(tmp_path / f"{size}.db")
        store.begin_run(a_record())
        write_all(store, outcomes, size)
        contents.append(content(tmp_path / f"{size}.db"))
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]["postings"]) > 100


def test_batch_written_again_changes_nothing(store, path):
    outcomes = a_run()[0]
    first, rest = flat(outcomes[:50]), flat(outcomes[50:])
    assert len(first) == store.write(first, len(first))
    before = content(path)
    assert 0 == store.write(first, len(first))
    assert before == content(path)
    both = [*first, *rest]
    assert len(rest) == store.write(both, len(both))
    assert len(both) == store.cursor()
    assert [] == store.problems()


def test_gap_before_a_batch_is_our_bug(store):
    with pytest.raises(InvariantBroken, match=r"notices 1 to 4 of run 000000000000f00d were never stored"):
        store.write((created(1),), 5)


def test_nothing_of_a_batch_stays_when_one_row_is_refused(store, path):
    before = content(path)
    orphan = moved(2, State.OPEN, State.FILLED, Trigger.FILL_COMPLETE)
    with pytest.raises(InvariantBroken, match="refused rows"):
        store.write((created(1), orphan), 2)
    assert before == content(path)
    assert 0 == store.cursor()


def test_unbalanced_postings_are_never_committed(store, path):
    crooked = Transaction(
        sequence=1, kind=FactKind.TRANSFER, fact_id="x", ts_event_ns=1, symbol="", client_order_id="",
        postings=(Posting("cash", usdc(2)), Posting("transfers", -usdc(1))),
    )  # fmt: skip
    before = content(path)
    with pytest.raises(LedgerUnbalanced, match="stored postings of transaction 1 sum to 1 "):
        store.write((TransactionPosted(crooked, ts_ns=1),), 1)
    assert before == content(path)


def test_store_without_a_begun_run_is_our_bug(opened, path):
    with pytest.raises(InvariantBroken, match="no run was begun"):
        opened(path).write((created(1),), 1)


def test_run_goes_on_where_it_was_left(opened, store, path):
    outcomes = a_run()[0]
    cursor = write_all(store, outcomes[:40])
    store.close()
    again = opened(path)
    assert cursor == again.begin_run(a_record())
    write_all(again, outcomes)
    assert [] == again.problems()
    assert [f"{RUN:016x}"] == again.run_ids()


def test_run_of_other_settings_under_the_same_id_is_refused(store):
    with pytest.raises(ConfigInvalid, match="holds this run with config c0ffee, code 0001"):
        store.begin_run(a_record(config_hash="beef"))


def test_newest_run_is_the_one_shown(store):
    write_all(store, a_run()[0])
    store.begin_run(a_record(run_id=RUN + 1, started_ns=START_NS + 1))
    write_all(store, a_run(orders=5, run=RUN + 1)[0])
    assert [f"{RUN:016x}", f"{RUN + 1:016x}"] == store.run_ids()
    assert 5 == store.statement().orders
    assert 60 == store.statement(f"{RUN:016x}").orders
    assert store.statement("unheard of") is None


def test_run_without_anything_has_an_empty_statement(store):
    statement = store.statement()
    assert (0, 0, 0, 0, None) == (
        statement.orders, statement.fills, statement.cash, statement.pnl.net, statement.ended_ns
    )  # fmt: skip


def test_run_id_of_64_bits_is_stored(opened, path):
    store = opened(path)
    store.begin_run(a_record(run_id=2**64 - 1))
    assert ["f" * 16] == store.run_ids()


def test_fill_of_no_order_is_stored(store):
    book = a_book(cash=0)
    store.write(booked(book, a_fill(5, order=0, cause=FillCause.LIQUIDATION, side=Side.SELL)), 2)
    assert (1, -5) == (store.statement().fills, book.position_lots("BTC"))
    assert [] == store.problems()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (
            "UPDATE postings SET amount = amount + 1 WHERE sequence = 5 AND line = 1",
            "transactions 5: its postings sum to 0.00000001 (expected 0)",
        ),
        (
            "DELETE FROM fills WHERE sequence = 5",
            "transactions 5: fill ETH/26/1699999920000000000 stands without its fill",
        ),
        ("DELETE FROM funding", "stands without its settlement"),
        ("DELETE FROM transactions WHERE sequence = 1", "transactions 2: rows are missing before it"),
        ("UPDATE orders SET filled_lots = 9 WHERE filled_lots = 10", "filled_lots is 9, its last move 14 says 10"),
        ("UPDATE fills SET position_after = 99999 WHERE sequence = 5", "fills 5: position_after is 99999, expected 10"),
        ("UPDATE orders SET state = 'open' WHERE state = 'canceled'", "state is open, its last move 36 says canceled"),
        ("UPDATE cursors SET notices = 3", "lies beyond the cursor of its run"),
        ("DELETE FROM orders WHERE filled_lots = 0", "row without its orders"),
    ],
)
def test_problems_names_harm_done_to_the_rows(store, harm, said):
    write_all(store, a_run()[0])
    with sqlite3.connect(store.place) as connection:
        connection.execute(harm)
    connection.close()
    assert any(said in problem for problem in store.problems()), store.problems()


@pytest.mark.parametrize("column", ["state = 'lost'", "side = 'up'", "lots = 0"])
def test_sql_refuses_orders_that_cannot_be(store, column):
    store.write((created(1),), 1)
    with sqlite3.connect(store.place) as connection, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        connection.execute(f"UPDATE orders SET {column}")
    connection.close()


def test_file_is_in_write_ahead_mode_with_foreign_keys(store):
    with store._engine.connect() as connection:
        assert "wal" == connection.execute(text("PRAGMA journal_mode")).scalar_one()
        assert 1 == connection.execute(text("PRAGMA foreign_keys")).scalar_one()
        assert FULL == connection.execute(text("PRAGMA synchronous")).scalar_one()


def test_reader_sees_whole_batches_while_the_run_goes_on(opened, store, path):
    outcomes = a_run()[0]
    write_all(store, outcomes[:30])
    reader = opened(path, read_only=True)
    seen = reader.statement().orders
    cursor = store.cursor()
    batch = flat(outcomes[30:])
    store.write(batch, cursor + len(batch))
    assert 60 == reader.statement().orders > seen > 0


def test_reader_cannot_write(opened, store, path):
    reader = opened(path, read_only=True)
    with pytest.raises(ConfigInvalid, match="a place that can be written"):
        reader.begin_run(a_record(run_id=3))


def test_reader_makes_no_new_ledger(opened, path):
    with pytest.raises(ConfigInvalid, match="an existing ledger; there is none yet"):
        opened(path, read_only=True)
    assert not path.exists()


def test_reader_does_not_migrate(opened, tmp_path):
    (tmp_path / "empty.db").touch()
    with pytest.raises(ConfigInvalid, match="an existing ledger; this database is empty"):
        opened(tmp_path / "empty.db", read_only=True)


def test_damaged_file_is_one_sentence(opened, tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"this is no database, it is a letter to a friend" * 100)
    with pytest.raises(DataInvalid, match="is damaged or no ledger") as refused:
        opened(tmp_path / "ledger.db")
    assert "\n" not in str(refused.value)


def test_file_cut_short_is_one_sentence(store, path, opened):
    write_all(store, a_run()[0])
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataInvalid, match="is damaged or no ledger"):
        opened(path).statement()


def test_folder_that_cannot_be_made_is_one_sentence(opened, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigInvalid, match=r"ledger\.url .* a folder that can be made"):
        opened(tmp_path / "file" / "ledger.db")


def test_place_that_cannot_be_written_is_one_sentence(opened, tmp_path):
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(ConfigInvalid, match=r"ledger\.url = '.*/ledger\.db': expected a file; this is a folder"):
        opened(tmp_path / "ledger.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "a database URL such as"),
        ("oracool://host/name", "a database whose dialect is known"),
        ("postgresql+psycopg2://joe:secret@host/name", "a database whose driver is installed"),
    ],
)
def test_url_that_leads_nowhere_is_one_sentence_without_its_password(url, said):
    with pytest.raises(ConfigInvalid, match=said) as refused:
        LedgerStore(url)
    assert "secret" not in str(refused.value)


def test_locked_database_is_unavailable_and_takes_the_same_batch_later(opened, store, path, monkeypatch):
    monkeypatch.setattr("ledger.store_engine.BUSY_TIMEOUT_MS", 1)
    patient = opened(path)
    patient.begin_run(a_record())
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="database is locked"):
        patient.write((created(1),), 1)
    locker.execute("ROLLBACK")
    locker.close()
    assert 1 == patient.write((created(1),), 1)


def test_ledger_in_memory_works(opened):
    store = LedgerStore("sqlite://")
    store.begin_run(a_record())
    write_all(store, a_run()[0])
    assert (None, True) == (store.file, store.is_sqlite)
    assert (":memory:", 60, []) == (store.place, store.statement().orders, store.problems())
    store.close()
