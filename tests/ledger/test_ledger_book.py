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


def lines(transaction):
    return {posting.account: posting.amount for posting in transaction.postings}


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
    book.book_fill(a_fill(10, side=Side.SELL, ts_ns=START_NS + 1))
    book.verify(MARKS)
    assert ({}, usdc(100) + 10 * LOT) == (book.open_positions(), book.equity({}))


def test_flat_position_of_the_opening_costs_nothing_whatever_it_says():
    book = Book(INSTRUMENTS)
    opening = book.book_opening(a_statement(usdc(100), ("BTC", 0, 77), ("ETH", 2, 900)))
    assert {"cash": usdc(100), "position:ETH": 900, "transfers": -usdc(100) - 900} == lines(opening)
    assert (("ETH", 2),) == opening.lots
    book.verify(MARKS)
    assert ({"ETH": 2}, 0) == (book.open_positions(), book.balances["position:BTC"])


HELD_BY_OPENING = (
    lambda book, ts_ns: book.book_fill(a_fill(4, side=Side.SELL, fee=300, ts_ns=ts_ns)),
    lambda book, ts_ns: book.book_funding(a_funding(7, ts_ns=ts_ns)),
    lambda book, ts_ns: book.book_transfer(a_transfer(usdc(5), ts_ns=ts_ns)),
)


@pytest.mark.parametrize("act", HELD_BY_OPENING)
@pytest.mark.parametrize("ts_ns", [START_NS - 1, START_NS])
def test_fact_the_opening_held_already_moves_nothing_however_often_it_is_told(act, ts_ns):
    book = Book(INSTRUMENTS)
    book.book_opening(a_statement(usdc(100), ("BTC", 10, 10 * LOT)))
    restored = Book(INSTRUMENTS)
    restored.restore(msgspec.json.decode(msgspec.json.encode(book.snapshot())))
    before, digest = book.snapshot(), book.digest()
    for held in (book, restored):
        assert held.is_held_by_opening(ts_ns)
        assert act(held, ts_ns) is act(held, ts_ns) is None
        held.verify(MARKS)
        assert (before, digest) == (held.snapshot(), held.digest())


@pytest.mark.parametrize("act", HELD_BY_OPENING)
def test_fact_after_the_opening_or_without_one_is_booked(act):
    opened, unopened = Book(INSTRUMENTS), a_book()
    opened.book_opening(a_statement(usdc(100), ("BTC", 10, 10 * LOT)))
    assert not opened.is_held_by_opening(START_NS + 1)
    assert not unopened.is_held_by_opening(0)
    assert act(opened, START_NS + 1) is not None
    assert act(unopened, 1) is not None


def test_other_statement_of_the_openings_own_time_proves_nothing():
    book = Book(INSTRUMENTS)
    book.book_opening(a_statement(usdc(100)))
    assert book.book_discrepancy(a_statement(usdc(90))) is None
    assert book.book_discrepancy(a_statement(usdc(90), ts_ns=START_NS + 1)) is not None


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
