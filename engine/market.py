"""What the engine knows of each market: best prices, visible book, mark, oracle, funding rate, freshness.

Laws: a crossed, locked or non-positive book never becomes our view; the view before it stays and simply gets old.
"""

from domain.events import BookChanged, Level, MarkChanged, TopOfBookChanged
from domain.instrument import MARK_AGE_NS_MAX, Instrument
from domain.reasons import Reason
from domain.units import Lots, Price, Rate
from domain.views import MarketView


class Market:
    """One market as last seen."""

    __slots__ = (
        "_view",
        "ask_lots",
        "ask_price",
        "asks",
        "bid_lots",
        "bid_price",
        "bids",
        "funding_rate",
        "instrument",
        "is_fed",
        "mark_price",
        "mid_x2",
        "oracle_price",
        "ts_mark_ns",
        "ts_ns",
    )

    def __init__(self, instrument: Instrument) -> None:
        """Know nothing yet."""
        self.instrument = instrument
        self.bid_price = self.bid_lots = self.ask_price = self.ask_lots = 0
        self.bids: tuple[Level, ...] = ()
        self.asks: tuple[Level, ...] = ()
        self.mark_price = self.oracle_price = 0
        self.funding_rate = 0
        self.mid_x2 = 0
        self.ts_ns = self.ts_mark_ns = 0
        self.is_fed = False
        self._view: MarketView | None = None

    @property
    def reference_price(self) -> int:
        """Mark price, or the mid (rounded up) while the venue has not told a mark; 0 when both are unknown. Units: price units."""
        return self.mark_price or (self.mid_x2 + 1) // 2

    def take_top(self, fact: TopOfBookChanged, now_ns: int) -> Reason:
        """Take best prices; return why not when they cannot be used."""
        bid, ask = fact.bid_price, fact.ask_price
        if bid <= 0 or ask <= 0 or fact.bid_lots <= 0 or fact.ask_lots <= 0:
            return Reason.BOOK_EMPTY
        if bid >= ask:
            return Reason.BOOK_CROSSED
        self.bid_price, self.bid_lots, self.ask_price, self.ask_lots = bid, fact.bid_lots, ask, fact.ask_lots
        self.mid_x2 = bid + ask
        self._seen(now_ns)
        return Reason.NONE

    def take_book(self, fact: BookChanged, now_ns: int) -> Reason:
        """Take a full visible book; return why not when it cannot be used."""
        if not fact.bids or not fact.asks:
            return Reason.BOOK_EMPTY
        bid, bid_lots = fact.bids[0]
        ask, ask_lots = fact.asks[0]
        if bid <= 0 or bid_lots <= 0 or ask_lots <= 0:
            return Reason.BOOK_INVALID_LEVEL
        if bid >= ask:
            return Reason.BOOK_CROSSED
        self.bid_price, self.bid_lots, self.ask_price, self.ask_lots = bid, bid_lots, ask, ask_lots
        self.bids, self.asks = fact.bids, fact.asks
        self.mid_x2 = bid + ask
        self._seen(now_ns)
        return Reason.NONE

    def _seen(self, now_ns: int) -> None:
        """Note that prices are fresh, and forget a mark of long ago: the mid stands in for it."""
        self.ts_ns = now_ns
        self.is_fed = True
        self._view = None
        if self.ts_mark_ns and now_ns - self.ts_mark_ns > MARK_AGE_NS_MAX:
            self.mark_price = self.oracle_price = self.ts_mark_ns = 0

    def take_mark(self, fact: MarkChanged, now_ns: int) -> None:
        """Take mark price, oracle price and funding rate."""
        self.ts_mark_ns = now_ns
        self.mark_price, self.oracle_price, self.funding_rate = fact.mark_price, fact.oracle_price, fact.funding_rate
        self._view = None

    def is_stale(self, now_ns: int, age_ns_max: int) -> bool:
        """Say whether prices are unknown, cut off or older than allowed."""
        return not self.is_fed or now_ns - self.ts_ns > age_ns_max

    def view(self) -> MarketView:
        """Return the snapshot that risk, router and strategy read; built once per change."""
        view = self._view
        if view is None:
            view = MarketView(
                self.instrument.symbol,
                Price(self.bid_price),
                Lots(self.bid_lots),
                Price(self.ask_price),
                Lots(self.ask_lots),
                Price(self.mark_price),
                Price(self.oracle_price),
                Rate(self.funding_rate),
                self.ts_ns,
            )
            self._view = view
        return view

    def snapshot(self) -> tuple[object, ...]:
        """Return everything known, encodable."""
        return (
            *(self.bid_price, self.bid_lots, self.ask_price, self.ask_lots, self.bids, self.asks),
            *(self.mark_price, self.oracle_price, self.funding_rate, self.ts_ns, self.ts_mark_ns, self.is_fed),
        )

    def restore(
        self, kept: MarketView, bids: tuple[Level, ...], asks: tuple[Level, ...], ts_mark_ns: int, *, is_fed: bool
    ) -> None:
        """Replace everything by what a snapshot kept."""
        self.bid_price, self.bid_lots = kept.bid_price, kept.bid_lots
        self.ask_price, self.ask_lots = kept.ask_price, kept.ask_lots
        self.mark_price, self.oracle_price, self.funding_rate = kept.mark_price, kept.oracle_price, kept.funding_rate
        self.mid_x2, self.ts_ns = kept.mid_x2, kept.ts_ns
        self.bids, self.asks, self.ts_mark_ns, self.is_fed = bids, asks, ts_mark_ns, is_fed
        self._view = None
