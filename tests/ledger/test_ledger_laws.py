"""Laws of the book over made-up histories, each checked after every fact: 2,500 here, 100,000 more in the nightly size.

A history is told in any order, some of it twice: what is booked must be what bare addition says, and the digest must
be that of the same facts told in any other order.
"""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order import FillCause, Liquidity, Side
from domain.transaction import CorrectionCause, FactKind
from ledger.book import Book
from tests.ledger.ledger_builders import INSTRUMENTS, START_NS, a_fill, a_funding, a_history, a_transfer, tell

SYMBOLS = tuple(INSTRUMENTS)
PRICES = st.integers(1, 10**7)
MARKS = st.fixed_dictionaries({symbol: st.integers(0, 10**7) for symbol in SYMBOLS})
NIGHTLY_CHUNKS, NIGHTLY_CHUNK = 20, 5_000

fills = st.builds(
    a_fill,
    st.integers(1, 10**6),
    side=st.sampled_from(Side),
    price=PRICES,
    symbol=st.sampled_from(SYMBOLS),
    trade_id=st.integers(1, 12),
    fee=st.integers(-(10**9), 10**9),
    ts_ns=st.integers(START_NS, START_NS + 2),
    liquidity=st.sampled_from(Liquidity),
    cause=st.sampled_from(FillCause),
    start_position=st.integers(-2, 2),
)
fundings = st.builds(a_funding, st.integers(-(10**10), 10**10), hour=st.integers(0, 3), symbol=st.sampled_from(SYMBOLS))
transfers = st.builds(a_transfer, st.integers(-(10**12), 10**12), transfer_id=st.sampled_from("abcd"))
histories = st.lists(st.one_of(fills, fills, fills, fundings, transfers), max_size=14)
dices = st.randoms(use_true_random=False)


def worth_of(facts, marks):
    """Cash, positions and equity by bare addition, knowing nothing of accounts or cost."""
    cash, lots = 0, dict.fromkeys(SYMBOLS, 0)
    for fact in facts:
        if hasattr(fact, "fee"):
            lots[fact.symbol] += fact.side * fact.lots
            cash -= fact.side * fact.lots * fact.price * INSTRUMENTS[fact.symbol].money_per_unit + fact.fee
        else:
            cash += fact.amount
    held = sum(size * marks[symbol] * INSTRUMENTS[symbol].money_per_unit for symbol, size in lots.items())
    return cash, {symbol: size for symbol, size in lots.items() if size}, cash + held


def assert_totals(book, marks):
    """Net is the sum of its causes, equity what came from outside and net, all balances sum to zero: to the last unit."""
    book.verify(marks)
    assert 0 == sum(book.balances.values())
    totals = book.totals(marks)
    assert totals.net == totals.realized + totals.unrealized + totals.funding - totals.fees + totals.rebates
    assert totals.equity == book.equity(marks) == book.transfers + book.unexplained + totals.net
    assert totals.fees >= 0
    assert totals.rebates >= 0
    assert totals.liquidation == -sum(book.balances[f"liquidation:{symbol}"] for symbol in SYMBOLS)


def assert_books_agree_with_bare_addition(history, marks):
    """Tell a history as it comes; after each fact everything must fit, and what was posted must be what is held."""
    book, taken, held = Book(INSTRUMENTS), [], {}
    for fact in history:
        before = book.transaction_count
        posted = tell(book, fact)
        for transaction in posted:
            assert 0 == sum(posting.amount for posting in transaction.postings)
            assert () == transaction.lots
            for posting in transaction.postings:
                held[posting.account] = held.get(posting.account, 0) + posting.amount
        assert list(range(before + 1, book.transaction_count + 1)) == [it.sequence for it in posted]
        if posted:
            taken.append(fact)
            assert CorrectionCause.NONE is posted[0].cause
            assert all((FactKind.CORRECTION, CorrectionCause.LATE_FILL) == (it.kind, it.cause) for it in posted[1:])
        assert_totals(book, marks)
        cash, lots, equity = worth_of(taken, marks)
        assert (cash, lots) == (book.cash, book.open_positions())
        if all(marks[symbol] for symbol in lots):
            assert equity == book.equity(marks)
    assert {account: it for account, it in book.balances.items() if it} == {key: it for key, it in held.items() if it}
    return book


def assert_any_order_gives_the_same_digest(history, dice, marks):
    """Tell a history in two orders, the second with repetitions."""
    ids = set()
    unique = [fact for fact in history if (key := identity(fact)) not in ids and not ids.add(key)]
    again = [*unique, *dice.sample(unique, dice.randint(0, len(unique)))]
    dice.shuffle(again)
    first = assert_books_agree_with_bare_addition(unique, marks)
    second = assert_books_agree_with_bare_addition(again, marks)
    assert first.digest() == second.digest()
    assert first.balances == second.balances
    assert first.totals(marks) == second.totals(marks)


def identity(fact):
    match type(fact).__name__:
        case "OrderFilled":
            return fact.symbol, fact.trade_id, fact.ts_event_ns
        case "FundingPaid":
            return fact.symbol, fact.hour_ns
        case _:
            return fact.transfer_id


@settings(max_examples=2_500, deadline=None)
@given(histories, MARKS)
def test_book_agrees_with_bare_addition_after_every_fact(history, marks):
    assert_books_agree_with_bare_addition(history, marks)


@settings(max_examples=1_000, deadline=None)
@given(histories, dices, MARKS)
def test_digest_does_not_depend_on_the_order_of_the_facts(history, dice, marks):
    """Not even when the venue's start positions are nonsense: the canonical order is a function of the set of fills."""
    assert_any_order_gives_the_same_digest(history, dice, marks)


@settings(max_examples=1_000, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 14), MARKS)
def test_digest_does_not_depend_on_the_order_of_the_facts_of_a_true_history(seed, size, marks):
    dice = random.Random(seed)
    assert_any_order_gives_the_same_digest(a_history(dice, size), dice, marks)


@settings(max_examples=300, deadline=None)
@given(histories)
def test_every_repetition_is_ignored(history):
    once, twice = Book(INSTRUMENTS), Book(INSTRUMENTS)
    for fact in history:
        tell(once, fact)
        tell(twice, fact)
        assert () == tell(twice, fact)
    for fact in history:
        assert () == tell(twice, fact)
    assert once.digest() == twice.digest()


@settings(max_examples=300, deadline=None)
@given(histories, histories, MARKS)
def test_restored_book_goes_on_as_if_nothing_had_happened(before, after, marks):
    whole = Book(INSTRUMENTS)
    for fact in before:
        tell(whole, fact)
    restored = Book(INSTRUMENTS)
    restored.restore(whole.snapshot())
    for fact in after:
        assert tell(whole, fact) == tell(restored, fact)
        restored.verify(marks)
    assert whole.digest() == restored.digest()
    assert whole.snapshot() == restored.snapshot()


@pytest.mark.nightly
@pytest.mark.parametrize("chunk", range(NIGHTLY_CHUNKS))
def test_a_hundred_thousand_histories_obey_the_laws_in_any_order(chunk):
    """Each chunk begins at another seed; one that fails is found again by its number."""
    count = 0
    for number in range(chunk * NIGHTLY_CHUNK, (chunk + 1) * NIGHTLY_CHUNK):
        dice = random.Random(number)
        history = a_history(dice, dice.randint(1, 14))
        marks = {symbol: dice.randrange(10**7) for symbol in SYMBOLS}
        assert_any_order_gives_the_same_digest(history, dice, marks)
        count += 1
    print(f"{count} histories from seed {chunk * NIGHTLY_CHUNK} on")
    assert NIGHTLY_CHUNK == count
