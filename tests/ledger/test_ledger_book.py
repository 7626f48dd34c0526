"""The book: what it holds after facts, that it books each once, and that it notices when a law is broken."""

import msgspec
import pytest

from domain.errors import InvariantBroken, LedgerUnbalanced
from domain.order import Side
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
    assert msgspec.structs.astuple(whole)[:7] == tuple(map(sum, zip(*parts, strict=True)))[:7]
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


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (break_a_balance, "all balances: sum is 0.00000001"),
        (break_cash, "cash less what the facts moved"),
        (break_cost, "position:BTC less its cost"),
        (break_lots, "position of BTC is 11 lots, its fills sum to 10"),
        (break_flat_cost, "cost of the flat position ETH"),
        (break_open_list, "position of BTC is 10 lots, the list of open ones disagrees"),
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


def test_book_comes_back_from_its_snapshot():
    _, book, marks = a_run()
    kept = msgspec.json.decode(msgspec.json.encode(book.snapshot()))
    restored = Book(INSTRUMENTS)
    restored.restore(kept)
    restored.verify(marks)
    assert book.digest() == restored.digest()
    assert book.totals(marks) == restored.totals(marks)
    assert book.book_fill(a_fill(3, trade_id=77)) == restored.book_fill(a_fill(3, trade_id=77))
    assert book.book_fill(a_fill(4, trade_id=34)) == restored.book_fill(a_fill(4, trade_id=34))
    assert book.digest() == restored.digest()


def test_snapshot_of_other_instruments_is_refused():
    with pytest.raises(InvariantBroken, match="snapshot of the book is of BTC, expected BTC, ETH"):
        Book(INSTRUMENTS).restore(Book({"BTC": BTC}).snapshot())
