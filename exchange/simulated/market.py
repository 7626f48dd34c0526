"""One market at the venue: its visible book, what we took from it, the accounts' resting orders, and its prices.

Why it exists: the outside market knows nothing of the accounts. What takers took is remembered per level until the
market says something new about that level, and the accounts' orders are kept beside the book, never in it. A market
may also have no outside at all: then the accounts' orders are the whole book.

Laws: orders are held best price first, then by time, whoever they belong to. Nothing here moves money.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import islice

from domain.instrument import MARK_AGE_NS_MAX, Instrument
from domain.units import format_scaled
from exchange.orderbook.book import UNSEEN, BookSide, VisibleBook
from exchange.simulated.queue import ahead_clamped, ahead_shared
from exchange.simulated.records import VenueOrder

FUNDING_RATES_KEPT = 10_000
TAKEN_KEPT = 200
"""Of how many levels out of sight what was taken of them is remembered: a market that wanders leaves them behind."""

SHORT_LINE = 16
"""Up to so many orders a line is walked from its end, which costs less than a search."""

Held = dict[int, list[int]]
"""Price to [lots, number of orders]."""


class Market:
    """State of one instrument at the venue."""

    __slots__ = (
        "book",
        "buys",
        "funding_rate",
        "funding_rates",
        "has_funding",
        "has_orders",
        "held",
        "instrument",
        "last_price",
        "leverages",
        "lower_bounds",
        "mark_price",
        "money_per_unit",
        "oracle_price",
        "outside_cash",
        "outside_lots",
        "premium",
        "previous_mark",
        "sells",
        "symbol",
        "taken",
        "ts_mark_ns",
        "whole",
    )

    def __init__(self, instrument: Instrument) -> None:
        """Start with an unseen book and no orders."""
        self.instrument = instrument
        self.symbol = instrument.symbol
        self.money_per_unit = instrument.money_per_unit
        self.whole = instrument.whole
        # The tier that begins at nothing is the instrument's own maximum; the venue lists it as a tier all the same.
        tiers = [tier for tier in instrument.margin_tiers if tier.lower_bound]
        self.lower_bounds = (0, *(int(tier.lower_bound) for tier in tiers))
        self.leverages = (instrument.leverage_max, *(tier.leverage_max for tier in tiers))
        self.book = VisibleBook()
        self.taken: dict[int, tuple[int, int]] = {}
        """Price to (lots shown when we took, lots we took)."""
        self.buys: list[VenueOrder] = []
        self.sells: list[VenueOrder] = []
        self.held: tuple[Held, Held] | None = None
        """What the accounts' orders show at each price, of sells, then of buys; kept from the first look on."""
        self.has_orders = False
        self.mark_price = self.oracle_price = 0
        self.funding_rate = 0
        self.has_funding = False
        self.ts_mark_ns = 0
        self.last_price = 0
        self.previous_mark = 0
        self.premium = 0
        """The hour's average premium so far, where the venue samples it. Units: 1e-10."""
        self.funding_rates: deque[tuple[int, int, int]] = deque(maxlen=FUNDING_RATES_KEPT)
        """(hour, rate in 1e-9, premium in 1e-10) of the hours settled, oldest first, where somebody listens."""
        self.outside_lots = self.outside_cash = 0
        """What the outside bought (> 0) and paid (< 0) in trades with accounts: every trade has two sides."""

    def age(self, ts_ns: int) -> None:
        """Forget a mark and oracle price of long ago."""
        if self.ts_mark_ns and ts_ns - self.ts_mark_ns > MARK_AGE_NS_MAX:
            self.mark_price = self.oracle_price = self.ts_mark_ns = 0

    def take_mark(self, mark_price: int, oracle_price: int) -> None:
        """Take a new mark and oracle price; the mark before is what deleveraging closes at."""
        self.previous_mark = self.mark_price
        self.mark_price, self.oracle_price = mark_price, oracle_price

    def resting(self, side: int) -> list[VenueOrder]:
        """Return the accounts' orders on one side, first in line first."""
        return self.buys if side > 0 else self.sells

    def insert(self, order: VenueOrder) -> None:
        """Put an order at the back of its price, behind everything the level shows."""
        own = self.book.bids if order.side > 0 else self.book.asks
        order.shown = self._left(own, order.price)
        order.ahead = order.shown
        order.traded = 0
        line = self.resting(order.side)
        place, side = len(line), order.side
        if place > SHORT_LINE:
            place = bisect_right(line, -order.price * side, key=lambda one: -one.price * side)
        while place and (order.price - line[place - 1].price) * side > 0:
            place -= 1
        line.insert(place, order)
        if self.held is not None:
            _show(self.held[side > 0], order)
        order.is_resting = True
        self.has_orders = True
        account = order.account
        account.count(order, order.leaves)
        if order.reduce_only:
            account.reducing.setdefault(order.symbol, []).append(order)

    def remove(self, order: VenueOrder) -> None:
        """Take an order out of line."""
        line, side = self.resting(order.side), order.side
        if len(line) <= SHORT_LINE:
            line.remove(order)
        else:
            del line[line.index(order, bisect_left(line, -order.price * side, key=lambda one: -one.price * side))]
        if self.held is not None:
            held = self.held[side > 0]
            level = held[order.price]
            level[0] -= order.leaves
            level[1] -= 1
            if not level[1]:
                del held[order.price]
        order.is_resting = False
        self.has_orders = bool(self.buys or self.sells)
        account = order.account
        account.count(order, -order.leaves)
        if order.reduce_only:
            account.reducing[order.symbol].remove(order)

    def shrink(self, order: VenueOrder, lots: int) -> None:
        """Take lots off what a resting order shows: it was filled by them, or gave them up. Units: lots > 0."""
        if self.held is not None:
            self.held[order.side > 0][order.price][0] -= lots

    def is_reached(self, bid: int, ask: int) -> bool:
        """Say whether a bid this high or an ask this low (0: none) is at or beyond our first order in line."""
        buys, sells = self.buys, self.sells
        return bool((ask and buys and buys[0].price >= ask) or (bid and sells and sells[0].price <= bid))

    def look(self, *, is_snapshot: bool, is_probabilistic: bool) -> None:
        """Bring the queues of our orders up to a new book.

        Best prices say nothing new about worse levels, and a queue that is gone stays gone: both are passed over.
        """
        for line, own in ((self.buys, self.book.bids), (self.sells, self.book.asks)):
            best = own.price
            for order in line:
                if not is_snapshot and best and (best - order.price) * own.sign > 0:
                    break
                if order.ahead == 0:
                    continue
                shown = own.lots_at(order.price)
                if shown == UNSEEN:
                    continue
                if is_probabilistic:
                    order.ahead = ahead_shared(order.ahead, order.shown, shown, order.traded)
                else:
                    order.ahead = ahead_clamped(order.ahead, shown)
                order.shown = shown
                order.traded = 0

    def forget_taken(self) -> None:
        """Forget what we took from levels the market has since spoken about, and of many unseen ones the oldest."""
        for price, (shown, _) in list(self.taken.items()):
            bids, asks = self.book.bids, self.book.asks
            side = bids if bids.price and price <= bids.price else asks
            now = side.lots_at(price)
            if now != shown and (now != UNSEEN or len(self.taken) > TAKEN_KEPT):
                del self.taken[price]

    def take(self, price: int, shown: int, lots: int) -> None:
        """Remember that a taker of ours took lots from the level that shows `shown`."""
        before = self.taken.get(price, (shown, 0))
        self.taken[price] = (shown, before[1] + lots)

    def available(self, side: BookSide) -> Iterator[tuple[int, int, int]]:
        """Yield (price, lots shown, lots left by our takers), best first, without empty levels."""
        taken = self.taken
        for price, shown in side.levels():
            left = shown - taken[price][1] if price in taken else shown
            if left > 0:
                yield price, shown, left

    def best(self, side: int) -> int:
        """Return the best price of the market's orders on a side, 0 when there is none."""
        shown = self.book.bids if side > 0 else self.book.asks
        if not self.taken:
            return shown.price
        for price, _, _ in self.available(shown):
            return price
        return 0

    def best_of_all(self, side: int) -> int:
        """Return the best price of a side, the accounts' orders included; 0 when there is none."""
        shown = self.best(side)
        line = self.resting(side)
        if not line:
            return shown
        own = line[0].price
        return own if not shown or (own - shown) * side > 0 else shown

    def levels(self, side: int, depth: int) -> list[tuple[int, int, int]]:
        """Return the best levels of a side as everybody sees them: (price, lots, orders), best first.

        What the outside shows at a price counts as one order.
        """
        sums: dict[int, tuple[int, int]] = {}
        for price, _, left in islice(self.available(self.book.bids if side > 0 else self.book.asks), depth):
            sums[price] = (left, 1)
        line, held = self.resting(side), self._held(side)
        place = prices = 0
        while place < len(line) and prices < depth:
            price = line[place].price
            own, number = held[price]
            lots, count = sums.get(price, (0, 0))
            sums[price] = (lots + own, count + number)
            place, prices = place + number, prices + 1
        best = sorted(sums, reverse=side > 0)[:depth]
        return [(price, *sums[price]) for price in best]

    def _held(self, side: int) -> Held:
        """Return what the accounts' orders of a side show at each price."""
        if self.held is None:
            self.held = ({}, {})
            for order in (*self.sells, *self.buys):
                _show(self.held[order.side > 0], order)
        return self.held[side > 0]

    def reference(self) -> int:
        """Return the price margin and price bands are measured at: the mark, else the mid; 0 while unknown."""
        return self.mark_price or self.book.mid_price

    def mid(self) -> int:
        """Return the middle of the best prices, the accounts' orders included; 0 while a side is empty."""
        bid, ask = self.best_of_all(1), self.best_of_all(-1)
        return (bid + ask) // 2 if bid and ask else 0

    def text(self, price: int) -> str:
        """Return a price as the venue writes it."""
        return format_scaled(price, self.instrument.price_decimals)

    def _left(self, side: BookSide, price: int) -> int:
        """Return what a level shows less what we took from it; UNSEEN when the book cannot tell."""
        shown = side.lots_at(price)
        return shown if shown == UNSEEN or price not in self.taken else max(shown - self.taken[price][1], 0)


def _show(held: Held, order: VenueOrder) -> None:
    """Add a resting order to what its price shows."""
    level = held.get(order.price)
    if level is None:
        held[order.price] = [order.leaves, 1]
    else:
        level[0] += order.leaves
        level[1] += 1
