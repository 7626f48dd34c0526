"""Notices become rows."""

import pytest

from domain.errors import InvariantBroken
from domain.identifiers import client_order_id
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import (
    AccountMarked,
    DiscrepancyClosed,
    DiscrepancyFound,
    FactNoted,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarketDataSkipped,
    MarkoutTaken,
    ModeChanged,
    TransactionPosted,
)
from domain.order import FillCause, Side
from domain.reasons import Reason
from domain.transaction import CorrectionCause, FactKind, Posting, Transaction
from domain.units import NS_PER_SECOND
from ledger import tables
from ledger.chain import COLUMNS
from ledger.rows import MARK_COLUMNS, NS_PER_MINUTE, rows_of, run_key, run_rows, storable
from tests.ledger.ledger_builders import (
    RUN,
    START_NS,
    a_book,
    a_fill,
    a_funding,
    a_record,
    a_run,
    a_statement,
    a_transfer,
    booked,
    created,
    flat,
    funded,
    marked,
    moved,
    usdc,
)

KEY = run_key(RUN)
ACCOUNT = "0xacc"


def rows_from(notices, first_place=1):
    return rows_of(KEY, ACCOUNT, notices, first_place)


def named(name, row):
    """A row as a dictionary; rows of chained tables have neither link nor hash yet."""
    return dict(zip([column for column in COLUMNS[name] if column not in {"link", "hash"}], row, strict=True))


def test_rows_of_a_run_are_its_own_and_its_instruments():
    own, instruments = run_rows(a_record(account="0xbeef"))
    run = dict(zip(COLUMNS["runs"], own, strict=True))
    assert (KEY, "0xbeef", "glft", "c0ffee", START_NS, None) == (
        run["run_id"], run["account"], run["strategy"], run["config_hash"], run["started_ns"], run["ended_ns"]
    )  # fmt: skip
    assert [(KEY, "BTC", 0, 1, 5), (KEY, "ETH", 1, 2, 4)] == instruments


def test_run_key_holds_64_unsigned_bits():
    assert "ffffffffffffffff" == run_key(2**64 - 1)
    assert client_order_id(RUN, 1).startswith(f"0x{KEY}")


def test_order_created_and_moved_in_one_batch_is_one_row():
    rows = rows_from((created(1), moved(1, State.IDLE, State.SIGNAL, Trigger.WANT, ts_ns=START_NS + 3, filled=2)))
    order = named("orders", *rows.orders.values())
    assert (2, 901, "none", 1_000_001) == (
        order["filled_lots"], order["venue_order_id"], order["reason"], order["decision_mid_x2"]
    )  # fmt: skip
    assert ("signal", START_NS, START_NS + 3) == (order["state"], order["created_ns"], order["updated_ns"])
    assert f"{RUN:016x}{1:016x}" == order["trace_id"]
    assert {} == rows.orders_changed


def test_order_of_an_earlier_batch_is_changed():
    rows = rows_from((moved(1, State.OPEN, State.CANCELED, Trigger.CONFIRM_CANCEL, reason=Reason.REPRICED),), 9)
    order = client_order_id(RUN, 1)
    assert {order: (500_000, 10, 0, "canceled", "repriced", 901, START_NS, KEY, order)} == rows.orders_changed
    transition = named("transitions", *rows.transitions)
    assert (9, "open", "canceled", 901) == (
        transition["notice"], transition["from_state"], transition["to_state"], transition["venue_order_id"]
    )  # fmt: skip


def test_fill_and_funding_carry_the_number_of_their_transaction():
    book = a_book()
    fact = a_fill(3, order=4, start_position=0, evidence="0xhash")
    rows = rows_from((*booked(book, fact, fill_mid_x2=9), *funded(book, a_funding(-9))))
    fill, funding = named("fills", *rows.fills), named("funding", *rows.funding)
    assert (2, 3) == (fill["sequence"], funding["sequence"])
    assert (START_NS, 0, 3, 9, "order") == (
        fill["ts_event_ns"], fill["start_position"], fill["position_after"], fill["fill_mid_x2"], fill["cause"]
    )  # fmt: skip
    booking = named("transactions", rows.bookings[0].own)
    assert f"{RUN:016x}{4:016x}" == fill["trace_id"] == booking["trace_id"]
    assert (ACCOUNT, "fill", "none", "0xhash") == (
        booking["account"], booking["kind"], booking["cause"], booking["evidence"]
    )  # fmt: skip
    assert [(rows.fills[0], None), (None, rows.funding[0])] == [(one.fill, one.funding) for one in rows.bookings]
    assert rows.postings == [(KEY, one.own[1], *line) for one in rows.bookings for line in one.postings]


@pytest.mark.parametrize("cause", [FillCause.LIQUIDATION, FillCause.DELEVERAGING])
def test_fill_the_venue_forced_keeps_its_cause(cause):
    rows = rows_from(booked(a_book(), a_fill(3, order=0, cause=cause)))
    fill = named("fills", *rows.fills)
    assert (cause.label, "", "") == (fill["cause"], fill["client_order_id"], fill["trace_id"])
    assert cause.label == named("transactions", rows.bookings[0].own)["kind"]


def test_correction_keeps_cause_evidence_and_the_lots_it_moves():
    correction = Transaction(
        sequence=7, kind=FactKind.CORRECTION, fact_id="statement/9", ts_event_ns=1, symbol="", client_order_id="",
        postings=(Posting("cash", 5), Posting("unexplained", -5)), lots=(("ETH", -2), ("BTC", 1)),
        cause=CorrectionCause.UNEXPLAINED, evidence="they say 5 more",
    )  # fmt: skip
    rows = rows_from((TransactionPosted(correction, ts_ns=3),))
    booking = named("transactions", rows.bookings[0].own)
    assert ("correction", "unexplained", "they say 5 more") == (booking["kind"], booking["cause"], booking["evidence"])
    assert [(KEY, 7, "BTC", 1), (KEY, 7, "ETH", -2)] == rows.adjustments
    assert (("BTC", 1), ("ETH", -2)) == rows.bookings[0].lots


def test_markout_names_the_transaction_of_its_fill():
    rows = rows_from((MarkoutTaken(2, client_order_id(RUN, 1), "BTC", NS_PER_SECOND, 1_000_003, ts_ns=START_NS),))
    assert [(KEY, 2, NS_PER_SECOND, 1_000_003, START_NS)] == rows.markouts


def test_fill_without_its_transaction_is_our_bug():
    _, fill = booked(a_book(), a_fill(3))
    with pytest.raises(InvariantBroken, match="right after its transaction, found none"):
        rows_from((fill,))


def test_fill_after_another_transaction_is_our_bug():
    book = a_book()
    _, fill = booked(book, a_fill(3))
    other = TransactionPosted(book.book_transfer(a_transfer(1)).transaction, ts_ns=START_NS)
    with pytest.raises(InvariantBroken, match="found transfer deposit-1"):
        rows_from((other, fill))


def test_one_mark_a_minute_is_kept_and_the_last_positions():
    book, minute = a_book(), START_NS - START_NS % NS_PER_MINUTE
    book.book_fill(a_fill(3))
    early = marked(book, {"BTC": 510_000}, ts_ns=minute)
    book.book_fill(a_fill(1, symbol="ETH", side=Side.SELL))
    late = marked(book, {"BTC": 520_000}, ts_ns=minute + 59 * NS_PER_SECOND)
    following = marked(book, {"BTC": 530_000}, ts_ns=minute + NS_PER_MINUTE)
    rows = rows_from((early, late, following))
    kept = [named("marks", row) for row in rows.marks.values()]
    assert [minute, minute + NS_PER_MINUTE] == [row["minute_ns"] for row in kept] == list(rows.marks)
    for notice, row in zip((late, following), kept, strict=True):
        assert {name: getattr(notice, name) for name in MARK_COLUMNS} == {name: row[name] for name in MARK_COLUMNS}
    assert [("BTC", 3), ("ETH", -1)] == [row[1:3] for row in rows.positions]
    assert set(MARK_COLUMNS) == {*AccountMarked.__struct_fields__} - {"positions", "liquidation"}


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
        (
            DiscrepancyFound(cash=-usdc(3), positions=(("BTC", 2), ("ETH", -7)), is_booked=False, ts_ns=1),
            "discrepancy_found", "none", "venue less book: cash -3, BTC +2 lots, ETH -7 lots",
        ),
        (
            DiscrepancyFound(cash=usdc(1), positions=(), is_booked=True, detail="twice", ts_ns=1),
            "discrepancy_booked", "none", "venue less book: cash 1, booked as unexplained: twice",
        ),
        (DiscrepancyClosed(Reason.NONE, "seen", ts_ns=1), "discrepancy_closed", "none", "seen"),
    ],
)  # fmt: skip
def test_incident_keeps_kind_reason_and_detail(notice, kind, reason, detail):
    row = named("incidents", *rows_from((notice,), 4).incidents)
    assert (4, kind, reason, detail) == (row["notice"], row["kind"], row["reason"], row["detail"])


def test_notice_of_no_interest_leaves_no_row():
    rows = rows_from((MarketDataSkipped("BTC", Reason.BOOK_CROSSED, ts_ns=1),))
    assert ({}, [], None) == (rows.orders, rows.incidents, rows.positions)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("plain", "plain"), ("a\x00b", "a?b"), ("grün\x00", "grün?"), ("half \ud800", "half ?"), ("日本", "日本")],
)
def test_text_no_database_could_hold_is_made_holdable(said, kept):
    assert kept == storable(said)
    detail = named("incidents", *rows_from((KillSwitchReset(said, ts_ns=1),)).incidents)["detail"]
    assert kept == detail == detail.encode().decode()


def test_every_row_fills_the_columns_of_its_table():
    book = a_book(cash=0)
    opening = TransactionPosted(book.book_opening(a_statement(usdc(5), ("BTC", 3, usdc(1)))), ts_ns=1)
    rows = rows_from(
        (
            *flat(a_run()[0]),
            FactNoted("0x1", Reason.LATE_FILL, ts_ns=1),
            MarkoutTaken(2, "", "BTC", 1, 5, ts_ns=1),
            opening,
        )
    )
    orders, marks, booked_rows = list(rows.orders.values()), list(rows.marks.values()), [b.own for b in rows.bookings]
    for name, made in (
        ("orders", orders), ("transitions", rows.transitions), ("transactions", booked_rows), ("marks", marks),
        ("postings", rows.postings), ("fills", rows.fills), ("funding", rows.funding), ("markouts", rows.markouts),
        ("adjustments", rows.adjustments), ("positions", rows.positions), ("incidents", rows.incidents),
    ):  # fmt: skip
        assert made, name
        columns = [column for column in tables.metadata.tables[name].c if column.name not in {"link", "hash"}]
        for row in made:
            assert [column.type.python_type for column in columns] == [type(value) for value in row], (name, row)
