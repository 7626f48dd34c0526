"""The book: what it holds after facts, that it books each once, and that it notices when a law is broken."""

import msgspec
import pytest

from domain.errors import InvariantBroken, LedgerUnbalanced
from domain.order import FillCause, Side
from domain.transaction import CorrectionCause, FactKind
from ledger import fill_order
from ledger.book import Book
from tests.ledger.ledger_builders import (
    BTC,
    INSTRUMENTS,
    LOT,
    PRICE,
    START_NS,
    a_book,
    a_fill,
    a_funding,
    a_run,
    a_statement,
    a_transfer,
    usdc,
)

MARKS = {"BTC": PRICE + 100, "ETH": 30_000}


def test_empty_book_is_sound():
    book = Book(INSTRUMENTS)
    book.verify({})
    assert (0, 0, {}, 0) == (book.cash, book.equity(MARKS), book.open_positions(), book.transaction_count)


def test_book_shows_position_cost_and_cash_after_a_fill():
    book = a_book()
    book.book_fill(a_fill(10, side=Side.SELL, fee=300))
    assert {"BTC": -10} == book.open_positions()
    assert (-10, -10 * LOT) == (book.position_lots("BTC"), book.position_cost("BTC"))
    assert (0, 0) == (book.position_lots("ETH"), book.position_cost("ETH"))
    assert usdc(10_000) + 10 * LOT - 300 == book.cash


def test_equity_is_cash_plus_positions_at_mark():
    book = a_book()
    book.book_fill(a_fill(10))
    assert usdc(10_000) + 10 * 100 * BTC.money_per_unit == book.equity(MARKS)
    assert book.totals(MARKS).equity == book.equity(MARKS)


@pytest.mark.parametrize("marks", [{}, {"BTC": 0}])
def test_position_counts_at_cost_when_its_mark_is_unknown(marks):
    book = a_book()
    book.book_fill(a_fill(10))
    book.verify(marks)
    assert (usdc(10_000), 0) == (book.equity(marks), book.totals(marks).unrealized)


def test_flat_position_is_not_open_any_more():
    book = a_book()
    book.book_fill(a_fill(10))
    book.book_fill(a_fill(10, side=Side.SELL, trade_id=2))
    book.verify(MARKS)
    assert ({}, 0, 0) == (book.open_positions(), book.position_cost("BTC"), book.balances["position:BTC"])


def test_totals_name_every_cause():
    book = a_book()
    book.book_fill(a_fill(10, fee=300))
    book.book_fill(a_fill(4, side=Side.SELL, price=PRICE + 50, trade_id=2, fee=-100))
    book.book_fill(a_fill(5, symbol="ETH", price=29_000, trade_id=3, fee=20))
    book.book_funding(a_funding(-7))
    book.add_slippage("BTC", 11)
    book.add_slippage("BTC", -4)
    totals = book.totals(MARKS)
    assert 4 * 50 * 100 == totals.realized
    assert 6 * 100 * 100 + 5 * 1000 * 100 == totals.unrealized
    assert (-7, 320, 100, 7) == (totals.funding, totals.fees, totals.rebates, totals.slippage)
    assert totals.realized + totals.unrealized - 7 - 320 + 100 == totals.net
    assert usdc(10_000) + totals.net == totals.equity
    book.verify(MARKS)


def test_totals_of_the_instruments_sum_to_the_totals():
    book = a_run()[1]
    parts = [msgspec.structs.astuple(book.totals_of(symbol, MARKS)) for symbol in INSTRUMENTS]
    whole = book.totals(MARKS)
    assert msgspec.structs.astuple(whole)[:8] == tuple(map(sum, zip(*parts, strict=True)))[:8]
    assert whole.net == sum(part[-1] for part in parts)


def test_fact_told_twice_is_booked_once():
    book = a_book()
    assert book.book_fill(a_fill(10)) is not None
    assert book.book_funding(a_funding(5)) is not None
    assert book.book_transfer(a_transfer(5)) is not None
    before = book.digest()
    assert book.book_fill(a_fill(10)) is None
    assert book.book_funding(a_funding(5)) is None
    assert book.book_transfer(a_transfer(5)) is None
    assert before == book.digest()


def test_trade_id_may_come_again_for_another_instrument_or_time():
    book = a_book()
    for fact in (a_fill(1), a_fill(1, symbol="ETH"), a_fill(1, ts_ns=START_NS + 1)):
        assert book.book_fill(fact) is not None


def test_book_opens_with_the_statement_of_the_venue():
    book = Book(INSTRUMENTS)
    book.book_opening(a_statement(usdc(100), ("BTC", 10, 10 * LOT), ("ETH", 0, 0)))
    book.verify(MARKS)
    assert ({"BTC": 10}, usdc(100)) == (book.open_positions(), book.cash)
    assert 10 * 100 * 100 == book.totals(MARKS).net
    book.book_fill(a_fill(10, side=Side.SELL))
    book.verify(MARKS)
    assert usdc(100) + 10 * LOT == book.equity({})


def test_book_that_holds_something_is_not_opened_again():
    assert a_book().book_opening(a_statement(usdc(100))) is None


@pytest.mark.parametrize(
    "act",
    [
        lambda book: book.book_fill(a_fill(symbol="DOGE")),
        lambda book: book.book_funding(a_funding(1, symbol="DOGE")),
        lambda book: book.book_opening(a_statement(1, ("BTC", 1, 1), ("DOGE", 1, 1))),
        lambda book: book.add_slippage("DOGE", 1),
        lambda book: book.totals_of("DOGE", {}),
    ],
)
def test_unknown_instrument_is_refused_and_nothing_moves(act):
    book = Book(INSTRUMENTS)
    before = book.snapshot()
    with pytest.raises(InvariantBroken, match="the book holds no instrument 'DOGE', only BTC, ETH"):
        act(book)
    assert before == book.snapshot()


def break_a_balance(book):
    book._balances["fees:BTC"] += 1


def break_cash(book):
    book._balances["cash"] += 1
    book._balances["unexplained"] -= 1


def break_cost(book):
    book._holdings["BTC"].cost += 1


def break_lots(book):
    book._holdings["BTC"].lots += 1


def break_flat_cost(book):
    book._holdings["ETH"].cost = book._balances["position:ETH"] = 1
    book._balances["fees:BTC"] -= 1


def break_open_list(book):
    del book._open["BTC"]


def break_fill_order(book):
    book._holdings["BTC"].order.restart(10, 10 * LOT - 1)


def break_brought_lots(book):
    book._holdings["BTC"].lots_brought += 2


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (break_a_balance, "all balances: sum is 0.00000001"),
        (break_cash, "cash less what the facts moved"),
        (break_cost, "position:BTC less its cost"),
        (break_lots, "position of BTC is 11 lots, its fills sum to 10"),
        (break_flat_cost, "cost of the flat position ETH"),
        (break_brought_lots, "position of BTC is 10 lots, its fills sum to 10 and 2 came without a fill, after"),
        (break_open_list, "position of BTC is 10 lots, the list of open ones disagrees"),
        (
            break_fill_order,
            "position of BTC is 10 lots at 5, its fills in the venue's order end in 10 lots at 4.99999999",
        ),
    ],
)
def test_verify_names_the_law_that_is_broken(broken, said):
    book = a_book()
    book.book_fill(a_fill(10))
    broken(book)
    with pytest.raises(LedgerUnbalanced, match=said):
        book.verify(MARKS)


def test_verify_looks_at_what_the_marks_move_even_when_nothing_was_booked():
    book = a_book()
    book.book_fill(a_fill(10))
    book.verify(MARKS)
    break_lots(book)
    book.verify({})
    break_cost(book)
    with pytest.raises(LedgerUnbalanced, match="equity less transfers and net profit"):
        book.verify(MARKS)


# Late fills.


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


def test_fill_older_than_what_is_kept_counts_where_it_arrives(monkeypatch):
    monkeypatch.setattr(fill_order, "FILLS_KEPT", 2)
    monkeypatch.setattr(fill_order, "FILLS_CUT", 1)
    book = a_book()
    for number in range(1, 4):
        book.book_fill(a_fill(10, trade_id=number, ts_ns=START_NS + number))
    before = book.digest()
    done = book.book_fill(a_fill(5, side=Side.SELL, price=PRICE + 10, trade_id=9))
    assert (True, (), 5 * 10 * 100, 25) == (done.is_unordered, done.corrections, done.realized, done.position_after)
    assert before != book.digest()
    book.verify(MARKS)
    assert book.book_fill(a_fill(5, trade_id=10, ts_ns=START_NS + 3)).is_unordered
    assert not book.book_fill(a_fill(5, trade_id=11, ts_ns=START_NS + 4)).is_unordered
    book.verify(MARKS)


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


def test_book_of_no_instruments_knows_its_newest_fact():
    book = Book({})
    book.book_transfer(a_transfer(5))
    assert START_NS == book.latest_ns


# Memory.


def test_book_comes_back_from_its_snapshot():
    _, book, marks = a_run()
    kept = msgspec.json.decode(msgspec.json.encode(book.snapshot()))
    restored = Book(INSTRUMENTS)
    restored.restore(kept)
    restored.verify(marks)
    assert book.digest() == restored.digest()
    assert book.snapshot() == restored.snapshot()
    assert book.totals(marks) == restored.totals(marks)
    assert book.book_fill(a_fill(3, trade_id=77)) == restored.book_fill(a_fill(3, trade_id=77))
    assert book.book_fill(a_fill(4, trade_id=34)) == restored.book_fill(a_fill(4, trade_id=34))
    late = a_fill(5, trade_id=35, ts_ns=START_NS + 100)
    assert book.book_fill(late) == restored.book_fill(late)
    disturbed = a_statement(book.cash + 5, *(("ETH", 3, 7),), ts_ns=book.latest_ns + 1)
    assert book.book_discrepancy(disturbed) == restored.book_discrepancy(disturbed)
    explaining = a_fill(5, trade_id=36, ts_ns=START_NS + 100)
    assert book.book_fill(explaining) == restored.book_fill(explaining)
    assert book.snapshot() == restored.snapshot()
    assert book.digest() == restored.digest()


def test_snapshot_of_other_instruments_is_refused():
    with pytest.raises(InvariantBroken, match="snapshot of the book is of BTC, expected BTC, ETH"):
        Book(INSTRUMENTS).restore(Book({"BTC": BTC}).snapshot())
