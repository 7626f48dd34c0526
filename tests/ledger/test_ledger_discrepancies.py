"""Money and lots that the venue has and no fact explains: booked apart, and given back to their cause when it is told.

The law: whatever facts are missing when a statement is booked, once all of them are told (late, in any order, twice),
nothing is unexplained and the book is the one that was never disturbed. 2,000 histories here, 100,000 nightly.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvariantBroken
from domain.order import FillCause, Side
from domain.transaction import CorrectionCause, FactKind
from ledger.book import Book
from tests.ledger.ledger_builders import (
    CASH,
    INSTRUMENTS,
    LOT,
    PRICE,
    START_NS,
    a_book,
    a_fill,
    a_funding,
    a_history,
    a_statement,
    a_transfer,
    tell,
    usdc,
)

MARKS = {"BTC": PRICE, "ETH": 30_000}
NIGHTLY_CHUNKS, NIGHTLY_CHUNK = 20, 5_000


def lines(transaction):
    return {posting.account: posting.amount for posting in transaction.postings}


def the_venue_says(book, ts_ns):
    """The statement of a venue that holds what this book holds."""
    positions = tuple((symbol, lots, book.position_cost(symbol)) for symbol, lots in book.open_positions().items())
    return a_statement(book.cash, *positions, ts_ns=ts_ns)


# What a difference is.


def test_statement_that_agrees_is_no_difference():
    book = a_book()
    book.book_fill(a_fill(10))
    statement = a_statement(CASH - 10 * LOT, ("BTC", 10, 10 * LOT + 7), ("ETH", 0, 5), ts_ns=START_NS + 1)
    assert (0, ()) == book.difference(statement)
    assert book.book_discrepancy(statement) is None
    assert (10 * LOT, 0, {}) == (book.position_cost("BTC"), book.unexplained, book.unexplained_lots)


def test_difference_is_what_the_venue_holds_beyond_the_book():
    book = a_book()
    book.book_fill(a_fill(10))
    book.book_fill(a_fill(4, symbol="ETH", price=1, trade_id=2))
    statement = a_statement(book.cash - 7, ("BTC", 3, 3 * LOT), ("SOL", -2, -5))
    before = book.snapshot()
    assert (-7, (("BTC", -7), ("ETH", -4), ("SOL", -2))) == book.difference(statement)
    assert before == book.snapshot()


def test_discrepancy_books_what_the_venue_says_against_the_unexplained():
    book = a_book()
    book.book_fill(a_fill(10))
    posted = book.book_discrepancy(a_statement(CASH - 10 * LOT + 7, ("ETH", -2, -900), ts_ns=START_NS + 5))
    assert {
        "cash": 7, "position:BTC": -10 * LOT, "position:ETH": -900, "unexplained": -7 + 10 * LOT + 900
    } == lines(posted)  # fmt: skip
    assert (("BTC", -10), ("ETH", -2)) == posted.lots
    assert (FactKind.CORRECTION, CorrectionCause.UNEXPLAINED) == (posted.kind, posted.cause)
    assert f"statement/{START_NS + 5}" == posted.fact_id
    assert "statement of the venue, less the book: cash 0.00000007, BTC -10 lots, ETH -2 lots" == posted.evidence
    assert {"ETH": -2} == book.open_positions()
    assert (CASH - 10 * LOT + 7, -900, {"BTC": -10, "ETH": -2}) == (
        book.cash, book.position_cost("ETH"), book.unexplained_lots
    )  # fmt: skip
    assert 7 - 10 * LOT - 900 == book.unexplained
    book.verify(MARKS)


def test_statement_of_an_unknown_instrument_is_not_booked():
    book = a_book()
    before = book.snapshot()
    with pytest.raises(InvariantBroken, match="the book holds no instrument 'SOL'"):
        book.book_discrepancy(a_statement(CASH, ("SOL", 1, 1), ts_ns=START_NS + 1))
    assert before == book.snapshot()


@pytest.mark.parametrize("ts_ns", [START_NS - 1, START_NS + 4, START_NS + 5])
def test_statement_older_than_what_is_booked_proves_nothing(ts_ns):
    book = a_book()
    book.book_fill(a_fill(10))
    assert book.book_discrepancy(a_statement(1, ts_ns=START_NS + 5)) is not None
    before = book.snapshot()
    assert book.book_discrepancy(a_statement(2, ts_ns=ts_ns)) is None
    assert before == book.snapshot()


def test_statement_from_before_a_booked_fill_proves_nothing():
    book = a_book()
    book.book_fill(a_fill(10, ts_ns=START_NS + 5))
    assert book.book_discrepancy(a_statement(2, ts_ns=START_NS + 4)) is None
    assert book.book_discrepancy(a_statement(2, ts_ns=START_NS + 5)) is not None


def test_newest_fact_is_known_by_its_time():
    book = Book(INSTRUMENTS)
    assert 0 == book.latest_ns
    for fact, latest_ns in (
        (a_fill(1, ts_ns=START_NS + 3), START_NS + 3),
        (a_fill(1, ts_ns=START_NS + 1, trade_id=2), START_NS + 3),
        (a_transfer(1, ts_ns=START_NS + 2), START_NS + 3),
        (a_funding(1, ts_ns=START_NS + 9), START_NS + 9),
    ):
        tell(book, fact)
        assert latest_ns == book.latest_ns


# What explains it.


def test_late_fill_moves_money_from_the_unexplained_to_its_cause():
    """We hold 10 and miss that they were sold at a gain: the gain is unexplained until the sale is told."""
    book = a_book()
    book.book_fill(a_fill(10))
    gain, fee = 10 * 1_000 * 100, 300
    book.book_discrepancy(a_statement(CASH + gain - fee, ts_ns=START_NS + 5))
    assert (gain - fee, 0) == (book.unexplained, book.totals(MARKS).realized)
    done = book.book_fill(a_fill(10, side=Side.SELL, price=PRICE + 1_000, fee=fee, trade_id=2, ts_ns=START_NS + 4))
    assert (-10, 1) == (done.position_after, len(done.corrections))
    correction = done.corrections[0]
    paid = 10 * LOT + gain
    assert {
        "cash": fee - paid, "position:BTC": paid, "realized:BTC": -gain, "unexplained": gain - fee
    } == lines(correction)  # fmt: skip
    assert (("BTC", 10),) == correction.lots
    assert CorrectionCause.EXPLAINED is correction.cause
    assert f"fill/BTC/2/{START_NS + 4}/explained" == correction.fact_id
    assert f"BTC/2/{START_NS + 4}" == correction.evidence
    assert (0, {}, {}) == (book.unexplained, book.unexplained_lots, book.open_positions())
    assert (gain, fee, CASH + gain - fee) == (book.totals({}).realized, book.totals({}).fees, book.cash)
    book.verify(MARKS)


@pytest.mark.parametrize(
    ("fact", "account"), [(a_funding(700), "funding:BTC"), (a_transfer(700, transfer_id="late"), "transfers")]
)
def test_late_settlement_or_transfer_explains_its_cash(fact, account):
    book = a_book()
    book.book_discrepancy(a_statement(CASH + 700, ts_ns=START_NS + 5))
    done = book.book_funding(fact) if account.startswith("funding") else book.book_transfer(fact)
    (correction,) = done.corrections
    assert {"cash": -700, "unexplained": 700} == lines(correction)
    assert f"{done.transaction.kind.label}/{done.transaction.fact_id}/explained" == correction.fact_id
    assert (0, CASH + 700) == (book.unexplained, book.cash)
    assert -700 == lines(done.transaction)[account]
    book.verify(MARKS)


def test_settlement_of_nothing_needs_no_explanation():
    book = a_book()
    book.book_discrepancy(a_statement(CASH + 700, ts_ns=START_NS + 5))
    assert () == book.book_funding(a_funding(0)).corrections


def test_fact_after_the_statement_explains_nothing():
    book = a_book()
    book.book_discrepancy(a_statement(CASH + 700, ts_ns=START_NS + 5))
    assert () == book.book_transfer(a_transfer(700, transfer_id="new", ts_ns=START_NS + 6)).corrections
    assert () == book.book_fill(a_fill(10, ts_ns=START_NS + 6)).corrections
    assert (700, CASH + 1400 - 10 * LOT) == (book.unexplained, book.cash)


def test_part_of_a_difference_stays_unexplained_at_the_statements_cost():
    book = a_book()
    book.book_discrepancy(a_statement(CASH - 30 * LOT, ("BTC", 30, 31 * LOT), ts_ns=START_NS + 5))
    book.book_fill(a_fill(10, ts_ns=START_NS + 1))
    assert ({"BTC": 20}, 31 * LOT, LOT) == (book.unexplained_lots, book.position_cost("BTC"), book.unexplained)
    book.book_fill(a_fill(20, ts_ns=START_NS + 2, trade_id=2))
    assert ({}, 30 * LOT, 0) == (book.unexplained_lots, book.position_cost("BTC"), book.unexplained)
    book.verify(MARKS)


def test_what_a_liquidation_realized_stands_apart_when_it_is_explained():
    book = a_book()
    book.book_fill(a_fill(10))
    loss = 10 * 1_000 * 100
    book.book_discrepancy(a_statement(CASH - loss, ts_ns=START_NS + 5))
    book.book_fill(
        a_fill(
            10,
            side=Side.SELL,
            price=PRICE - 1_000,
            order=0,
            cause=FillCause.LIQUIDATION,
            trade_id=2,
            ts_ns=START_NS + 4,
        )
    )
    totals = book.totals(MARKS)
    assert (-loss, -loss, 0) == (totals.realized, totals.liquidation, book.unexplained)
    assert 0 == book.balances["realized:BTC"]


# The law.


def assert_told_late_is_as_if_told_in_time(dice):
    """Two statements are booked over missing facts, at entry costs rounded as a venue does; then all facts are told."""
    positions = dict.fromkeys(INSTRUMENTS, 0)
    truth, book = Book(INSTRUMENTS), Book(INSTRUMENTS)
    missing, first, now_ns = [], 0, START_NS
    for _ in range(dice.randint(1, 3)):
        size = dice.randint(1, 6)
        facts = a_history(dice, size, since_ns=now_ns, first=first, positions=positions)
        first += size
        for fact in facts:
            tell(truth, fact)
        kept = set(dice.sample(range(size), dice.randint(0, size)))
        told = [fact for number, fact in enumerate(facts) if number not in kept]
        missing += [fact for number, fact in enumerate(facts) if number in kept]
        late = [missing.pop(dice.randrange(len(missing))) for _ in range(dice.randint(0, len(missing)))]
        now_ns = max(fact.ts_event_ns for fact in facts) + dice.randint(0, 1)
        for fact in dice.sample([*told, *late], len(told) + len(late)):
            assert_posted_fits(book, fact)
        positions_told = tuple(
            (symbol, lots, truth.position_cost(symbol) // 1_000 * 1_000) for symbol, lots in positions.items()
        )
        statement = a_statement(truth.cash, *positions_told, ts_ns=now_ns)
        is_agreed = (truth.cash, truth.open_positions()) == (book.cash, book.open_positions())
        assert is_agreed == ((0, ()) == book.difference(statement))
        assert is_agreed == (book.book_discrepancy(statement) is None)
        assert (truth.cash, truth.open_positions()) == (book.cash, book.open_positions())
        assert (0, ()) == book.difference(statement)
        book.verify(MARKS)
        now_ns += 1
    restored = Book(INSTRUMENTS)
    restored.restore(book.snapshot())
    for fact in dice.sample([*missing, *missing], 2 * len(missing)):
        assert_posted_fits(restored, fact)
    assert (0, {}) == (restored.unexplained, restored.unexplained_lots)
    assert truth.digest() == restored.digest()
    assert truth.totals(MARKS) == restored.totals(MARKS)


def assert_posted_fits(book, fact):
    """Tell a fact; what it posted must move cash and lots by what the book says they moved."""
    lots, cash = book.open_positions(), book.cash
    posted = tell(book, fact)
    for transaction in posted:
        assert 0 == sum(posting.amount for posting in transaction.postings)
        cash += lines(transaction).get("cash", 0)
        moves = [*transaction.lots]
        if transaction is posted[0] and hasattr(fact, "fee"):
            moves.append((fact.symbol, fact.side * fact.lots))
        for symbol, change in moves:
            lots[symbol] = lots.get(symbol, 0) + change
    assert (cash, {symbol: size for symbol, size in lots.items() if size}) == (book.cash, book.open_positions())
    book.verify(MARKS)
    assert 0 == sum(book.balances.values())
    totals = book.totals(MARKS)
    assert totals.net == totals.realized + totals.unrealized + totals.funding - totals.fees + totals.rebates
    assert totals.equity == book.transfers + book.unexplained + totals.net


@settings(max_examples=2_000, deadline=None)
@given(st.integers(0, 2**32))
def test_facts_told_after_the_statement_leave_the_book_that_was_never_disturbed(seed):
    assert_told_late_is_as_if_told_in_time(random.Random(seed))


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(NIGHTLY_CHUNKS))
def test_a_hundred_thousand_disturbed_histories_are_explained_in_the_end(chunk):
    count = 0
    for number in range(chunk * NIGHTLY_CHUNK, (chunk + 1) * NIGHTLY_CHUNK):
        assert_told_late_is_as_if_told_in_time(random.Random(number))
        count += 1
    print(f"{count} histories from seed {chunk * NIGHTLY_CHUNK} on")
    assert NIGHTLY_CHUNK == count


def test_deposit_of_the_statement_stays_known_by_its_money():
    """A difference that nobody ever explains stays on its own account, and equity holds it."""
    book = a_book()
    book.book_discrepancy(a_statement(CASH + usdc(5), ts_ns=START_NS + 5))
    assert (usdc(5), CASH, CASH + usdc(5)) == (book.unexplained, book.transfers, book.equity(MARKS))
    assert 0 == book.totals(MARKS).net
