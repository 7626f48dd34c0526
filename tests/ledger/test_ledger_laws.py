"""Laws of the book over made-up histories: 2,500 of them, each checked after every fact."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order import Liquidity, Side
from ledger.book import Book
from tests.ledger.ledger_builders import INSTRUMENTS, START_NS, a_fill, a_funding, a_transfer

SYMBOLS = tuple(INSTRUMENTS)
PRICES = st.integers(1, 10**7)
MARKS = st.fixed_dictionaries({symbol: st.integers(0, 10**7) for symbol in SYMBOLS})

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
    is_liquidation=st.booleans(),
)
fundings = st.builds(a_funding, st.integers(-(10**10), 10**10), hour=st.integers(0, 3), symbol=st.sampled_from(SYMBOLS))
transfers = st.builds(a_transfer, st.integers(-(10**12), 10**12), transfer_id=st.sampled_from("abcd"))
histories = st.lists(st.one_of(fills, fills, fills, fundings, transfers), max_size=14)


def tell(book, fact):
    """Book a fact; return its transaction, or None for a repetition."""
    match type(fact).__name__:
        case "OrderFilled":
            done = book.book_fill(fact)
            return None if done is None else done.transaction
        case "FundingPaid":
            return book.book_funding(fact)
        case _:
            return book.book_transfer(fact)


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


@settings(max_examples=2_500, deadline=None)
@given(histories, MARKS)
def test_book_agrees_with_bare_addition_after_every_fact(history, marks):
    book = Book(INSTRUMENTS)
    taken = []
    for fact in history:
        transaction = tell(book, fact)
        if transaction is not None:
            taken.append(fact)
            assert 0 == sum(posting.amount for posting in transaction.postings)
            assert len(taken) == transaction.sequence
        book.verify(marks)
        assert 0 == sum(book.balances.values())
        cash, lots, equity = worth_of(taken, marks)
        assert (cash, lots) == (book.cash, book.open_positions())
        if all(marks[symbol] for symbol in lots):
            assert equity == book.equity(marks)
        totals = book.totals(marks)
        assert totals.net == totals.realized + totals.unrealized + totals.funding - totals.fees + totals.rebates
        assert totals.fees >= 0
        assert totals.rebates >= 0
        assert totals.equity == book.equity(marks)


@settings(max_examples=300, deadline=None)
@given(histories)
def test_every_repetition_is_ignored(history):
    once, twice = Book(INSTRUMENTS), Book(INSTRUMENTS)
    for fact in history:
        tell(once, fact)
        tell(twice, fact)
        assert tell(twice, fact) is None
    for fact in history:
        assert tell(twice, fact) is None
    assert once.digest() == twice.digest()


@settings(max_examples=300, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_the_order_of_independent_facts(history, dice):
    """Facts of different instruments are independent; so are funding and transfers from all else."""
    ids = set()
    unique = [fact for fact in history if (key := identity(fact)) not in ids and not ids.add(key)]
    lanes = {}
    for place, fact in enumerate(unique):
        lanes.setdefault(fact.symbol if hasattr(fact, "fee") else place, []).append(fact)
    shuffled = []
    while lanes:
        lane = dice.choice(sorted(lanes, key=str))
        shuffled.append(lanes[lane].pop(0))
        if not lanes[lane]:
            del lanes[lane]
    first, second = Book(INSTRUMENTS), Book(INSTRUMENTS)
    for fact in unique:
        tell(first, fact)
    for fact in shuffled:
        tell(second, fact)
    assert first.digest() == second.digest()


def identity(fact):
    match type(fact).__name__:
        case "OrderFilled":
            return fact.symbol, fact.trade_id, fact.ts_event_ns
        case "FundingPaid":
            return fact.symbol, fact.hour_ns
        case _:
            return fact.transfer_id


@settings(max_examples=200, deadline=None)
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
