"""A made-up run of several days with everything a ledger may hold: flips, fundings, late and forced fills, corrections."""

import random

from domain.lifecycle import State, Trigger
from domain.notices import FactNoted, MarkoutTaken, TransactionPosted
from domain.order import FillCause, Liquidity, Side
from domain.reasons import Reason
from domain.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from ledger.book import Book
from ledger.execution import HORIZONS_NS
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import (
    CASH,
    INSTRUMENTS,
    OPENING_MOVES,
    PRICE,
    RUN,
    a_fill,
    a_funding,
    a_record,
    a_statement,
    a_transfer,
    booked,
    created,
    funded,
    marked,
    moved,
    usdc,
)
from tests.ledger.ledger_builders import START_NS as BUILDERS_NS

DAY_NS = BUILDERS_NS // NS_PER_DAY * NS_PER_DAY
"""2023-11-14, a Tuesday."""
FIRST, LATE = 10_000, 3_000
"""Lots of an order that fill as they should, and an hour late."""


class Days:
    """Trades at random for some days and keeps the outcomes (tuples of notices) and the book."""

    def __init__(
        self,
        *,
        seed=1,
        run=RUN,
        days=3,
        start_ns=DAY_NS + 5 * NS_PER_HOUR + 13 * NS_PER_SECOND,
        cash=CASH,
        positions=(),
    ):
        self.dice = random.Random(seed)
        self.run, self.now_ns, self.end_ns = run, start_ns, start_ns + days * NS_PER_DAY
        self.book, self.outcomes, self.marks = Book(INSTRUMENTS), [], {}
        self.orders = self.trades = 0
        opening = self.book.book_opening(a_statement(cash, *positions, ts_ns=start_ns))
        self.outcomes.append((TransactionPosted(opening, ts_ns=start_ns),))
        self.start_ns = start_ns

    def trade(self):
        """Fill the days."""
        while self.now_ns < self.end_ns:
            hour_before = self.now_ns // NS_PER_HOUR
            self.now_ns += self.dice.randrange(4, 40) * 60 * NS_PER_SECOND + 7
            for hour in range(hour_before + 1, self.now_ns // NS_PER_HOUR + 1):
                self._fund(hour * NS_PER_HOUR)
            self._order()
        return self

    def transfer(self, amount, ts_ns, name):
        fact = a_transfer(amount, transfer_id=name, ts_ns=ts_ns)
        self.outcomes.append((TransactionPosted(self.book.book_transfer(fact).transaction, ts_ns=ts_ns), self._mark()))

    def discrepancy(self, cash):
        """Let the venue say twice that there is more or less cash than we know of."""
        held = tuple(
            (symbol, lots, self.book.position_cost(symbol)) for symbol, lots in self.book.open_positions().items()
        )
        self.now_ns += NS_PER_SECOND
        found = self.book.book_discrepancy(a_statement(self.book.cash + cash, *held, ts_ns=self.now_ns))
        self.outcomes.append((TransactionPosted(found, ts_ns=self.now_ns), self._mark()))

    def stored(self, store):
        """Store all of it; returns the store."""
        store.begin_run(a_record(run_id=self.run, started_ns=self.start_ns))
        notices = [notice for outcome in self.outcomes for notice in outcome]
        store.write(notices, len(notices))
        store.end_run(self.now_ns)
        return store

    def _mark(self):
        return marked(self.book, self.marks, ts_ns=self.now_ns)

    def _fund(self, hour_ns):
        for symbol in sorted(self.book.open_positions()):
            hour = (hour_ns - BUILDERS_NS) // NS_PER_HOUR
            fact = a_funding(self.dice.randrange(-90_000_000, 90_000_000), hour=hour, symbol=symbol)
            fact = type(fact)(
                fact.symbol, hour_ns, self.book.position_lots(symbol), fact.rate, fact.oracle_price, fact.amount,
                ts_event_ns=hour_ns + NS_PER_MS, ts_recv_ns=hour_ns + 2 * NS_PER_MS,
            )  # fmt: skip
            self.outcomes.append(funded(self.book, fact))

    def _order(self):
        dice = self.dice
        self.orders += 1
        symbol, side = dice.choice(("BTC", "ETH")), dice.choice((Side.BUY, Side.SELL))
        price = PRICE + dice.randrange(-500, 500)
        lots = FIRST + (LATE if self.orders % 13 == 0 else 0)
        shape = {"price": price, "symbol": symbol, "ts_ns": self.now_ns, "run": self.run, "lots": lots}
        self.outcomes.append(
            (created(self.orders, side=side, **shape), *(moved(self.orders, *move, **shape) for move in OPENING_MOVES))
        )
        is_done = lots == FIRST
        after = (State.FILLED, Trigger.FILL_COMPLETE) if is_done else (State.PARTIALLY_FILLED, Trigger.FILL_PARTIAL)
        self._fill(symbol, side, price, FIRST, order=self.orders)
        self.outcomes.append((moved(self.orders, State.OPEN, *after, filled=FIRST, **shape),))
        if self.orders % 11 == 0:
            self._fill(symbol, side.opposite, price, 7_000, order=0, cause=dice.choice(list(FillCause)[1:]))
        if not is_done:
            self._fill(symbol, side, price + 90, LATE, order=self.orders, late_ns=NS_PER_HOUR)
            last = (State.PARTIALLY_FILLED, State.FILLED, Trigger.FILL_COMPLETE)
            self.outcomes.append((moved(self.orders, *last, filled=lots, **shape),))
        if self.orders % 17 == 0:
            noted = FactNoted("", Reason.DUPLICATE_FILL, "trade <b>7</b>", ts_ns=self.now_ns)
            self.outcomes.append((noted,))

    def _fill(self, symbol, side, price, lots, *, order, cause=FillCause.ORDER, late_ns=0):
        dice = self.dice
        self.trades += 1
        fact = a_fill(
            lots, side=side, price=price, symbol=symbol, trade_id=self.trades, fee=dice.choice((-15_000_000, 75_000_000, 0)),
            ts_ns=self.now_ns - late_ns, order=order, cause=cause, start_position=self.book.position_lots(symbol),
            liquidity=dice.choice(list(Liquidity)),
        )  # fmt: skip
        fact = _received(fact, self.now_ns)
        posted, filled, *rest = booked(self.book, fact)
        mid_x2 = 2 * price + dice.randrange(-40, 40) if cause is FillCause.ORDER else 0
        slippage = side * (2 * price - mid_x2) * lots * INSTRUMENTS[symbol].money_per_unit // 2 if mid_x2 else 0
        self.book.add_slippage(symbol, slippage)
        if mid_x2:
            mids = {"decision_mid_x2": mid_x2, "arrival_mid_x2": mid_x2 + 2, "fill_mid_x2": mid_x2 + 3}
            filled = _with(filled, slippage=slippage, **mids)
        self.marks[symbol] = price + dice.randrange(-20, 20)
        self.outcomes.append((posted, filled, *rest, self._mark()))
        for horizon_ns in HORIZONS_NS[: dice.randrange(4)]:
            self.outcomes.append(
                (
                    MarkoutTaken(
                        posted.transaction.sequence, fact.client_order_id, symbol, horizon_ns,
                        2 * price + dice.randrange(-90, 90), ts_ns=self.now_ns + horizon_ns,
                    ),
                )
            )  # fmt: skip


def _received(fact, ts_ns):
    return _with(fact, ts_recv_ns=ts_ns)


def _with(struct, **changes):
    return type(struct)(**{**{name: getattr(struct, name) for name in struct.__struct_fields__}, **changes})


def three_days(url):
    """Store a run of three days with a deposit and unexplained money."""
    days = Days().trade()
    days.transfer(usdc(500), days.now_ns, "gift")
    days.discrepancy(-usdc(2))
    return days, days.stored(LedgerStore(url))
