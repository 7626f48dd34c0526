"""Notices become rows."""

import pytest

from domain.errors import InvariantBroken
from domain.identifiers import client_order_id
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import (
    FactNoted,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarketDataSkipped,
    ModeChanged,
    TransactionPosted,
)
from domain.order import Side
from domain.reasons import Reason
from domain.units import NS_PER_SECOND
from ledger import tables
from ledger.rows import MARK_COLUMNS, rows_of, run_key
from tests.ledger.ledger_builders import (
    RUN,
    START_NS,
    a_book,
    a_fill,
    a_funding,
    a_run,
    a_transfer,
    booked,
    created,
    flat,
    funded,
    marked,
    moved,
)

KEY = run_key(RUN)


def test_run_key_holds_64_unsigned_bits():
    assert "ffffffffffffffff" == run_key(2**64 - 1)
    assert client_order_id(RUN, 1).startswith(f"0x{KEY}")


def test_order_created_and_moved_in_one_batch_is_one_row():
    rows = rows_of(KEY, (created(1), moved(1, State.IDLE, State.SIGNAL, Trigger.WANT, ts_ns=START_NS + 3)), 1)
    (order,) = rows.orders.values()
    assert ("signal", START_NS, START_NS + 3) == (order["state"], order["created_ns"], order["updated_ns"])
    assert f"{RUN:016x}{1:016x}" == order["trace_id"]
    assert {} == rows.orders_changed


def test_order_of_an_earlier_batch_is_changed():
    rows = rows_of(KEY, (moved(1, State.OPEN, State.CANCELED, Trigger.CONFIRM_CANCEL, reason=Reason.REPRICED),), 9)
    (change,) = rows.orders_changed.values()
    assert ("canceled", "repriced", client_order_id(RUN, 1)) == (
        change["state"], change["reason"], change["of_order"]
    )  # fmt: skip
    assert [9] == [row["notice"] for row in rows.transitions]


def test_fill_and_funding_carry_the_number_of_their_transaction():
    book = a_book()
    rows = rows_of(KEY, (*booked(book, a_fill(3, order=4)), *funded(book, a_funding(-9))), 1)
    assert [2] == [row["sequence"] for row in rows.fills]
    assert [3] == [row["sequence"] for row in rows.funding]
    assert START_NS == rows.fills[0]["ts_event_ns"]
    assert f"{RUN:016x}{4:016x}" == rows.fills[0]["trace_id"] == rows.transactions[0]["trace_id"]


def test_fill_without_its_transaction_is_our_bug():
    _, fill = booked(a_book(), a_fill(3))
    with pytest.raises(InvariantBroken, match="right after its transaction, found none"):
        rows_of(KEY, (fill,), 1)


def test_fill_after_another_transaction_is_our_bug():
    book = a_book()
    _, fill = booked(book, a_fill(3))
    other = TransactionPosted(book.book_transfer(a_transfer(1)), ts_ns=START_NS)
    with pytest.raises(InvariantBroken, match="found transfer deposit-1"):
        rows_of(KEY, (other, fill), 1)


def test_one_mark_a_minute_is_kept_and_the_last_positions():
    book, minute = a_book(), START_NS - START_NS % (60 * NS_PER_SECOND)
    book.book_fill(a_fill(3))
    early = marked(book, {"BTC": 510_000}, ts_ns=minute)
    book.book_fill(a_fill(1, symbol="ETH", side=Side.SELL))
    late = marked(book, {"BTC": 520_000}, ts_ns=minute + 59 * NS_PER_SECOND)
    following = marked(book, {"BTC": 530_000}, ts_ns=minute + 60 * NS_PER_SECOND)
    rows = rows_of(KEY, (early, late, following), 1)
    assert [late.equity, following.equity] == [row["equity"] for row in rows.marks.values()]
    assert [("BTC", 3), ("ETH", -1)] == [(row["symbol"], row["lots"]) for row in rows.positions]
    assert set(tables.marks.c.keys()) == {"run_id", "minute_ns", *MARK_COLUMNS}


@pytest.mark.parametrize(
    ("notice", "kind", "reason", "detail"),
    [
        (ModeChanged(Mode.STARTING, Mode.TRADING, Reason.NONE, ts_ns=1), "mode", "none", "starting to trading"),
        (
            ModeChanged(Mode.TRADING, Mode.HALTED, Reason.HALTED_BY_DRAWDOWN, "6 %", ts_ns=1),
            "mode", "halted_by_drawdown", "trading to halted: 6 %",
        ),
        (
            KillSwitchEngaged(Reason.HALTED_BY_OPERATOR, "lunch", ts_ns=1),
            "kill_switch_engaged", "halted_by_operator", "lunch",
        ),
        (KillSwitchReset("back", ts_ns=1), "kill_switch_reset", "none", "back"),
        (LimitWarned(Reason.DRAWDOWN, 2, 3, ts_ns=1), "limit_warned", "drawdown", "limit 2, observed 3"),
        (FactNoted("0x1", Reason.LATE_FILL, "canceled", ts_ns=1), "fact_noted", "late_fill", "canceled"),
    ],
)  # fmt: skip
def test_incident_keeps_kind_reason_and_detail(notice, kind, reason, detail):
    (row,) = rows_of(KEY, (notice,), 4).incidents
    assert (4, kind, reason, detail) == (row["notice"], row["kind"], row["reason"], row["detail"])


def test_notice_of_no_interest_leaves_no_row():
    rows = rows_of(KEY, (MarketDataSkipped("BTC", Reason.BOOK_CROSSED, ts_ns=1),), 1)
    assert ({}, [], None) == (rows.orders, rows.incidents, rows.positions)


def test_every_row_names_every_column_of_its_table():
    rows = rows_of(KEY, (*flat(a_run()[0]), FactNoted("0x1", Reason.LATE_FILL, ts_ns=1)), 1)
    for name in ("transitions", "transactions", "postings", "fills", "funding", "positions", "incidents"):
        made = getattr(rows, name)
        assert made, name
        assert {frozenset(tables.metadata.tables[name].c.keys())} == {frozenset(row) for row in made}
    assert set(tables.orders.c.keys()) == {*next(iter(rows.orders.values()))}
