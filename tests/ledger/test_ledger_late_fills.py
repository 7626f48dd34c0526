"""Fills that come late: booked as they arrive, corrected into the venue's order, or too late to be put in it."""

import random

import msgspec

from domain.order import FillCause, Side
from domain.transaction import CorrectionCause, FactKind
from ledger import fill_order
from ledger.book import Book
from tests.ledger.ledger_builders import INSTRUMENTS, LOT, PRICE, START_NS, a_book, a_fill, a_statement

MARKS = {"BTC": PRICE + 100, "ETH": 30_000}


def lines(transaction):
    return {posting.account: posting.amount for posting in transaction.postings}


def told_in_time():
    """Bought 10 at 90, bought 10 at 100, sold 10 at 120 (prices of 1,000): the cost is 95."""
    return (
        a_fill(10, price=90_000, trade_id=1, ts_ns=START_NS, start_position=0),
        a_fill(10, price=100_000, trade_id=2, ts_ns=START_NS + 1, start_position=10),
        a_fill(10, side=Side.SELL, price=120_000, trade_id=3, ts_ns=START_NS + 2, start_position=20, fee=7),
    )


def test_late_fill_is_booked_as_it_arrives_and_corrected_into_the_venues_order():
    first, second, third = told_in_time()
    book = a_book(cash=0)
    book.book_fill(second)
    assert 10 * 20_000 * 100 == book.book_fill(third).realized
    done = book.book_fill(first)
    assert ({"cash": -9 * 10**7, "position:BTC": 9 * 10**7}, 10, 0) == (
        lines(done.transaction), done.position_after, done.realized
    )  # fmt: skip
    (correction,) = done.corrections
    gain = 10 * 5_000 * 100
    assert {"position:BTC": gain, "realized:BTC": -gain} == lines(correction)
    assert (FactKind.CORRECTION, CorrectionCause.LATE_FILL, ()) == (correction.kind, correction.cause, correction.lots)
    assert (f"BTC/1/{START_NS}/order", f"BTC/1/{START_NS}") == (correction.fact_id, correction.evidence)
    assert (START_NS, "BTC", "") == (correction.ts_event_ns, correction.symbol, correction.client_order_id)
    assert (3, 4) == (done.transaction.sequence, correction.sequence)
    assert (10, 9 * 10**7 + gain) == (book.position_lots("BTC"), book.position_cost("BTC"))
    assert not done.is_unordered
    book.verify(MARKS)


def test_late_fill_that_changes_nothing_needs_no_correction():
    book = a_book()
    book.book_fill(a_fill(10, trade_id=2, ts_ns=START_NS + 1, start_position=10))
    done = book.book_fill(a_fill(10, trade_id=1))
    assert ((), False, 3) == (done.corrections, done.is_unordered, book.transaction_count)
    assert book.book_fill(a_fill(10, trade_id=3, ts_ns=START_NS + 2)).transaction.sequence == 4


def test_correction_of_a_liquidation_keeps_its_own_account():
    first, second, third = told_in_time()
    third = msgspec.structs.replace(third, cause=FillCause.LIQUIDATION, client_order_id="")
    book = a_book(cash=0)
    for fact in (second, third):
        book.book_fill(fact)
    (correction,) = book.book_fill(first).corrections
    gain = 10 * 5_000 * 100
    assert {"position:BTC": gain, "liquidation:BTC": -gain} == lines(correction)


def test_fill_older_than_what_is_kept_counts_before_all_that_is_kept(monkeypatch):
    """It is a sale out of 10 lots of the first price, not out of 30 of three prices; those kept stay in their order."""
    monkeypatch.setattr(fill_order, "FILLS_KEPT", 2)
    monkeypatch.setattr(fill_order, "FILLS_CUT", 1)
    book = a_book()
    for number in range(1, 4):
        book.book_fill(a_fill(10, price=PRICE + 30 * number, trade_id=number, ts_ns=START_NS + number))
    done = book.book_fill(a_fill(5, side=Side.SELL, price=PRICE + 10, trade_id=9, fee=3))
    assert (True, -5 * 50 * 100, 25) == (done.is_unordered, done.realized, done.position_after)
    (correction,) = done.corrections
    more = 5 * 30 * 100
    assert {"position:BTC": more, "realized:BTC": -more} == lines(correction)
    assert (CorrectionCause.LATE_FILL, f"BTC/9/{START_NS}/order") == (correction.cause, correction.fact_id)
    assert (25, 5 * (LOT + 3_000) + 10 * (LOT + 6_000) + 10 * (LOT + 9_000)) == (
        book.position_lots("BTC"), book.position_cost("BTC")
    )  # fmt: skip
    assert -5 * 20 * 100 == book.totals(MARKS).realized
    book.verify(MARKS)
    kept = book.book_fill(a_fill(25, side=Side.SELL, price=PRICE, trade_id=10, ts_ns=START_NS + 4))
    assert (False, ()) == (kept.is_unordered, kept.corrections)
    late = book.book_fill(a_fill(5, price=PRICE, trade_id=11, ts_ns=START_NS + 3))
    assert (False, 1) == (late.is_unordered, len(late.corrections))
    book.verify(MARKS)


def test_closing_of_the_venue_older_than_what_is_kept_realizes_on_its_own_account(monkeypatch):
    monkeypatch.setattr(fill_order, "FILLS_KEPT", 2)
    monkeypatch.setattr(fill_order, "FILLS_CUT", 1)
    book = a_book()
    for number in range(1, 4):
        book.book_fill(a_fill(10, price=PRICE + 30 * number, trade_id=number, ts_ns=START_NS + number))
    book.book_fill(a_fill(5, side=Side.SELL, price=PRICE + 10, trade_id=9, order=0, cause=FillCause.LIQUIDATION))
    totals = book.totals(MARKS)
    assert (-5 * 20 * 100, -5 * 20 * 100) == (totals.realized, totals.liquidation)
    book.verify(MARKS)


def test_fills_older_than_what_is_kept_change_the_money_alike_in_any_order_of_those_kept(monkeypatch):
    """However those kept arrive, one forgotten fill leaves the same book."""
    monkeypatch.setattr(fill_order, "FILLS_KEPT", 6)
    monkeypatch.setattr(fill_order, "FILLS_CUT", 2)
    facts = a_history_of_fills(9)
    digests = set()
    for seed in range(20):
        book = a_book()
        told = facts[1:8]
        random.Random(seed).shuffle(told)
        for fact in (*told, facts[8]):
            book.book_fill(fact)
        assert book.book_fill(facts[0]).is_unordered
        book.verify(MARKS)
        digests.add(book.digest())
    assert 1 == len(digests)


def a_history_of_fills(size):
    facts, lots = [], 0
    for number in range(size):
        side = Side.SELL if number % 3 else Side.BUY
        facts.append(
            a_fill(
                3 + number,
                side=side,
                price=PRICE + 17 * number,
                trade_id=number + 1,
                ts_ns=START_NS + number,
                start_position=lots,
            )
        )
        lots += side * (3 + number)
    return facts


def test_fill_older_than_what_is_kept_still_explains_a_booked_difference(monkeypatch):
    monkeypatch.setattr(fill_order, "FILLS_KEPT", 2)
    monkeypatch.setattr(fill_order, "FILLS_CUT", 1)
    book = a_book()
    book.book_discrepancy(a_statement(book.cash - 10 * LOT, ("BTC", 10, 10 * LOT), ts_ns=START_NS + 1))
    for number in range(2, 5):
        book.book_fill(a_fill(10, trade_id=number, ts_ns=START_NS + number))
    cash, cost = book.cash, book.position_cost("BTC")
    done = book.book_fill(a_fill(10, trade_id=1))
    assert (True, 50) == (done.is_unordered, done.position_after)
    assert (("BTC", -10),) == done.corrections[0].lots
    assert (cash, cost, 40, 0, {}) == (
        book.cash, book.position_cost("BTC"), book.position_lots("BTC"), book.unexplained, book.unexplained_lots
    )  # fmt: skip
    book.verify(MARKS)


def test_memory_of_fills_is_bounded():
    book = Book(INSTRUMENTS)
    for number in range(fill_order.FILLS_KEPT + 3 * fill_order.FILLS_CUT):
        book.book_fill(a_fill(1, trade_id=number + 1, ts_ns=START_NS + number, start_position=number))
    kept = len(book.snapshot()["holdings"]["BTC"]["order"][-1])
    assert fill_order.FILLS_KEPT <= kept < fill_order.FILLS_KEPT + fill_order.FILLS_CUT
    book.verify(MARKS)
