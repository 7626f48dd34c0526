"""One market at the venue: its visible book, what we took from it, our resting orders, and its prices.

Why it exists: the recorded market knows nothing of us. What our takers took is remembered per level until the market
says something new about that level, and our own orders are kept beside the book, never in it.

Laws: own orders are held best price first, then by time; `open_buys` and `open_sells` are the sums of what rests and
is not reduce-only. Nothing here moves money.
"""

from collections.abc import Iterator

from domain.instrument import MARK_AGE_NS_MAX, Instrument
from domain.units import format_scaled
from exchange.orderbook.book import UNSEEN, BookSide, VisibleBook
from exchange.simulated.accounts import VenueOrder
from exchange.simulated.queue import ahead_clamped, ahead_shared


class Market:
    """State of one instrument at the venue."""

    __slots__ = (
        "book",
        "buys",
        "funding_rate",
        "has_funding",
        "has_orders",
        "instrument",
        "leverages",
        "lower_bounds",
        "mark_price",
        "money_per_unit",
        "open_buys",
        "open_sells",
        "oracle_price",
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
        self.lower_bounds = (0, *(int(tier.lower_bound) for tier in instrument.margin_tiers))
        self.leverages = (instrument.leverage_max, *(tier.leverage_max for tier in instrument.margin_tiers))
        self.book = VisibleBook()
        self.taken: dict[int, tuple[int, int]] = {}
        """Price to (lots shown when we took, lots we took)."""
        self.buys: list[VenueOrder] = []
        self.sells: list[VenueOrder] = []
        self.open_buys = self.open_sells = 0
        self.has_orders = False
        self.mark_price = self.oracle_price = 0
        self.funding_rate = 0
        self.has_funding = False
        self.ts_mark_ns = 0

    def age(self, ts_ns: int) -> None:
        """Forget a mark and oracle price of long ago."""
        if self.ts_mark_ns and ts_ns - self.ts_mark_ns > MARK_AGE_NS_MAX:
            self.mark_price = self.oracle_price = self.ts_mark_ns = 0

    def resting(self, side: int) -> list[VenueOrder]:
        """Return our orders on one side, first in line first."""
        return self.buys if side > 0 else self.sells

    def insert(self, order: VenueOrder) -> None:
        """Put an order at the back of its price, behind everything the level shows."""
        own = self.book.bids if order.side > 0 else self.book.asks
        order.shown = self._left(own, order.price)
        order.ahead = order.shown
        order.traded = 0
        line = self.resting(order.side)
        place = len(line)
        while place and (order.price - line[place - 1].price) * order.side > 0:
            place -= 1
        line.insert(place, order)
        self.has_orders = True
        self.count(order, order.leaves)

    def remove(self, order: VenueOrder) -> None:
        """Take an order out of line."""
        self.resting(order.side).remove(order)
        self.has_orders = bool(self.buys or self.sells)
        self.count(order, -order.leaves)

    def count(self, order: VenueOrder, lots: int) -> None:
        """Add lots to what orders of this side could still open; reduce-only orders open nothing."""
        if order.reduce_only:
            return
        if order.side > 0:
            self.open_buys += lots
        else:
            self.open_sells += lots

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
        """Forget what we took from levels the market has since spoken about."""
        for price, (shown, _) in list(self.taken.items()):
            bids, asks = self.book.bids, self.book.asks
            side = bids if bids.price and price <= bids.price else asks
            now = side.lots_at(price)
            if now not in {shown, UNSEEN}:
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

    def best_with_own(self, side: int) -> int:
        """Return the best price of a side, our own orders included; 0 when there is none."""
        shown = self.best(side)
        line = self.resting(side)
        if not line:
            return shown
        own = line[0].price
        return own if not shown or (own - shown) * side > 0 else shown

    def reference(self) -> int:
        """Return the price margin and price bands are measured at: the mark, else the mid; 0 while unknown."""
        return self.mark_price or self.book.mid_price

    def text(self, price: int) -> str:
        """Return a price as the venue writes it."""
        return format_scaled(price, self.instrument.price_decimals)

    def _left(self, side: BookSide, price: int) -> int:
        """Return what a level shows less what we took from it; UNSEEN when the book cannot tell."""
        shown = side.lots_at(price)
        return shown if shown == UNSEEN or price not in self.taken else max(shown - self.taken[price][1], 0)
