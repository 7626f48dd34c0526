"""Books rebuilt from a snapshot and the changes after it.

Why it exists: most venues send changes, and a book with one change missing is a wrong book that looks right. So the
numbers of the changes are checked, and a gap ends the book until the next snapshot: the feed is lost, and says so.

Laws: a change is applied once, in sequence, or not at all; what comes out is the best levels, never more than asked.
Source: the rule for joining snapshot and changes is Binance's ("How to manage a local order book correctly", futures
and spot), read 2026-11-20; venues without such numbers pass the number before as `previous_id`.
"""

from bisect import bisect_left, insort

from domain.events import BookChanged, FeedLost, FeedRestored, Level, MarketEvent, TopOfBookChanged
from domain.units import Lots, Price

LEVELS_SHOWN = 20
"""As many as Hyperliquid shows, so that every recording looks alike to the bot."""
WAITING_MAX = 100_000


class DepthSide:
    """One side of a book: sizes by price, and prices in order. sign is +1 for bids, -1 for asks."""

    __slots__ = ("_lots", "_prices", "_sign")

    def __init__(self, sign: int) -> None:
        """Start empty."""
        self._sign = sign
        self._lots: dict[int, int] = {}
        self._prices: list[int] = []
        """Negated for bids, so that the best price always comes first."""

    def set(self, price: int, lots: int) -> None:
        """Set the size at a price; 0 removes the level."""
        key = -price if self._sign > 0 else price
        if lots:
            if key not in self._lots:
                insort(self._prices, key)
            self._lots[key] = lots
        elif self._lots.pop(key, None) is not None:
            del self._prices[bisect_left(self._prices, key)]

    def replace(self, levels: tuple[Level, ...]) -> None:
        """Forget everything and take these levels."""
        self._lots = {(-price if self._sign > 0 else price): lots for price, lots in levels if lots}
        self._prices = sorted(self._lots)

    def best(self, count: int) -> tuple[Level, ...]:
        """Return the best levels."""
        lots = self._lots
        return tuple([(abs(key), lots[key]) for key in self._prices[:count]])


class Change(tuple[int, int, int | None, tuple[Level, ...], tuple[Level, ...]]):
    """One change: first and last number, the last number of the change before (or None), bids, asks."""

    __slots__ = ()


class DepthFeed:
    """Turns the snapshots, changes and best prices of one market into events, in the order of arrival."""

    def __init__(self, symbol: str) -> None:
        """Wait for a snapshot."""
        self.symbol = symbol
        self.events: list[MarketEvent] = []
        self.changes = 0
        self.unjoined = 0
        self.gaps = 0
        self.is_joined = False
        self.has_snapshot = False
        self._is_lost = False
        self._is_fresh = False
        self._last_id = 0
        self._bids = DepthSide(1)
        self._asks = DepthSide(-1)
        self._waiting: list[Change] = []
        self._shown: tuple[tuple[Level, ...], tuple[Level, ...]] = ((), ())

    def snapshot(
        self, last_id: int, bids: tuple[Level, ...], asks: tuple[Level, ...], ts_event_ns: int, ts_recv_ns: int
    ) -> None:
        """Take a full book, then the changes that arrived before it and belong after it."""
        self._bids.replace(bids)
        self._asks.replace(asks)
        self._last_id = last_id
        self.is_joined = self.has_snapshot = self._is_fresh = True
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not self._apply(change):
                break
        self._show(ts_event_ns, ts_recv_ns)

    def change(
        self,
        numbers: tuple[int, int, int | None],
        bids: tuple[Level, ...],
        asks: tuple[Level, ...],
        ts_event_ns: int,
        ts_recv_ns: int,
    ) -> None:
        """Take one change. numbers: first, last, and the last of the change before (None: first must follow)."""
        self.changes += 1
        change = Change((*numbers, bids, asks))
        if not self.is_joined:
            self.unjoined += 1
            if len(self._waiting) < WAITING_MAX:
                self._waiting.append(change)
            return
        if self._apply(change):
            self._show(ts_event_ns, ts_recv_ns)
            return
        self.gaps += 1
        self._waiting.append(change)
        self._is_lost = True
        self.events.append(
            FeedLost(
                symbol=self.symbol,
                detail=f"depth changes between {self._last_id} and {numbers[0]} are missing",
                ts_event_ns=ts_event_ns,
                ts_recv_ns=ts_recv_ns,
            )
        )

    def top(self, bid: Level, ask: Level, ts_event_ns: int, ts_recv_ns: int) -> None:
        """Take best prices; after a gap they are all that is known of the book."""
        if self._is_lost:
            self._restore(ts_event_ns, ts_recv_ns)
            self._emit_book(((bid,), (ask,)), ts_event_ns, ts_recv_ns)
        self.events.append(
            TopOfBookChanged(
                symbol=self.symbol,
                bid_price=Price(bid[0]),
                bid_lots=Lots(bid[1]),
                ask_price=Price(ask[0]),
                ask_lots=Lots(ask[1]),
                ts_event_ns=ts_event_ns,
                ts_recv_ns=ts_recv_ns,
            )
        )

    def notes(self) -> list[str]:
        """Return what there is to say about how the book was rebuilt."""
        notes = []
        if self.changes and not self.has_snapshot:
            notes.append(
                f"{self.symbol}: no depth snapshot, so {self.changes} depth changes cannot be joined to a book."
            )
        elif self.unjoined:
            notes.append(f"{self.symbol}: {self.unjoined} depth changes came while there was no book to join them to.")
        if self.gaps:
            notes.append(f"{self.symbol}: depth changes are missing at {self.gaps} places; the book is lost there.")
        return notes

    def _apply(self, change: Change) -> bool:
        """Apply one change in sequence; return False on a gap, which ends the book."""
        first_id, last_id, previous_id, bids, asks = change
        if last_id <= self._last_id:
            return True
        before = first_id - 1 if previous_id is None else previous_id
        if before != self._last_id and not (self._is_fresh and before < self._last_id):
            self.is_joined = False
            return False
        for price, lots in bids:
            self._bids.set(price, lots)
        for price, lots in asks:
            self._asks.set(price, lots)
        self._last_id = last_id
        self._is_fresh = False
        return True

    def _show(self, ts_event_ns: int, ts_recv_ns: int) -> None:
        """Emit the best levels when they changed."""
        shown = (self._bids.best(LEVELS_SHOWN), self._asks.best(LEVELS_SHOWN))
        if self._is_lost:
            self._restore(ts_event_ns, ts_recv_ns)
        elif shown == self._shown:
            return
        self._emit_book(shown, ts_event_ns, ts_recv_ns)

    def _restore(self, ts_event_ns: int, ts_recv_ns: int) -> None:
        """Say that prices are known again."""
        self._is_lost = False
        self.events.append(FeedRestored(symbol=self.symbol, ts_event_ns=ts_event_ns, ts_recv_ns=ts_recv_ns))

    def _emit_book(self, shown: tuple[tuple[Level, ...], tuple[Level, ...]], ts_event_ns: int, ts_recv_ns: int) -> None:
        """Emit a book and remember it."""
        self._shown = shown
        self.events.append(
            BookChanged(
                symbol=self.symbol, bids=shown[0], asks=shown[1], ts_event_ns=ts_event_ns, ts_recv_ns=ts_recv_ns
            )
        )
