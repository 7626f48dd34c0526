"""Pushed market data: read, checked, told once.

Laws: nothing raises; a book or top older than what was told of its coin is left out; a trade is told once and only when
it happened on this connection: the first push after subscribing repeats old ones. While something of the account may be
missing (`hold`), no price to quote on is told: the newest of each kind waits for `release`. Of a coin that was barred no
price is told any more.
"""

from msgspec import structs

from domain.events import BookChanged, MarketDataRefused, TopOfBookChanged
from domain.reasons import Reason
from domain.units import NS_PER_MS
from exchange.hyperliquid.codec_market import book_changed, mark_changed, refused, top_changed, trade_printed
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.counters import Counters
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire_market import BestPrices, Book, PerpContextPushed, Trade

TRADES_KEPT = 4096
"""Newest trades remembered by coin; the venue repeats some tens."""


class MarketWatch:
    """The market channels."""

    def __init__(self, coins: dict[str, Numbers], reader: Reader, teller: Teller, counters: Counters) -> None:
        """Know no market yet."""
        self._coins, self._reader, self._teller, self._counters = coins, reader, teller, counters
        self._newest_ms: dict[str, int] = {}
        self._trades: dict[str, dict[tuple[int, int], None]] = {coin: {} for coin in coins}
        self._unbegun: set[str] = set()
        self._connected_ms = 0
        self._is_held = False
        self._held: dict[tuple[str, type], BookChanged | TopOfBookChanged] = {}
        self._barred: set[str] = set()
        self.oracles: dict[str, int] = {}
        """The last oracle price told by coin. Units: price units."""
        self.channels = {
            "l2Book": self._on_book,
            "bbo": self._on_top,
            "trades": self._on_trades,
            "activeAssetCtx": self._on_context,
        }

    def on_connected(self, now_ns: int) -> None:
        """Begin anew: the venue's clock may have been set back, and its first trades are old ones."""
        self._newest_ms.clear()
        self._unbegun = set(self._coins)
        self._connected_ms = now_ns // NS_PER_MS

    def block_ms(self) -> int:
        """Return the venue's time of the newest book on this connection; 0 before the first."""
        return max(self._newest_ms.values(), default=0)

    def hold(self) -> None:
        """Tell no prices from here on; forget those that wait."""
        self._is_held = True
        self._held.clear()

    def release(self, now_ns: int) -> None:
        """Tell prices again, the newest that came meanwhile first."""
        self._is_held = False
        waiting = sorted(self._held.values(), key=lambda one: one.ts_event_ns)
        self._held.clear()
        for event in waiting:
            self._quotable(structs.replace(event, ts_recv_ns=now_ns))

    def bar(self, coin: str) -> bool:
        """Tell no prices of a coin any more; say whether that is new."""
        is_new = coin not in self._barred
        self._barred.add(coin)
        return is_new

    def _quotable(self, event: BookChanged | TopOfBookChanged | MarketDataRefused) -> None:
        """Tell a price, or keep it while prices are held."""
        if isinstance(event, MarketDataRefused):
            self._counters.refused_data += 1
            self._teller.tell(event)
        elif self._is_held:
            self._held[event.symbol, type(event)] = event
        elif event.symbol not in self._barred:
            self._teller.tell(event)

    def _on_book(self, data: bytes, now_ns: int) -> None:
        book = self._reader.read(data, Book, is_hot=True)
        if book is None:
            self._unreadable("book", now_ns)
        elif self._is_newest(book.coin, book.time, now_ns):
            self._quotable(book_changed(book, self._coins, now_ns))

    def _on_top(self, data: bytes, now_ns: int) -> None:
        best = self._reader.read(data, BestPrices, is_hot=True)
        if best is None:
            self._unreadable("best prices", now_ns)
        elif self._is_newest(best.coin, best.time, now_ns):
            self._quotable(top_changed(best, self._coins, now_ns))

    def _on_trades(self, data: bytes, now_ns: int) -> None:
        trades = self._reader.read(data, tuple[Trade, ...], is_hot=True)
        if trades is None:
            self._unreadable("trades", now_ns)
            return
        for trade in sorted(trades, key=lambda one: one.time):
            if self._is_new_trade(trade):
                event = trade_printed(trade, self._coins, now_ns)
                if isinstance(event, MarketDataRefused):
                    self._counters.refused_data += 1
                self._teller.tell(event)
        self._unbegun -= {trade.coin for trade in trades}

    def _on_context(self, data: bytes, now_ns: int) -> None:
        pushed = self._reader.read(data, PerpContextPushed, is_hot=True)
        if pushed is None:
            self._unreadable("context", now_ns)
            return
        event = mark_changed(pushed, self._coins, now_ns)
        if isinstance(event, MarketDataRefused):
            self._counters.refused_data += 1
        else:
            self.oracles[event.symbol] = event.oracle_price
        self._teller.tell(event)

    def _is_newest(self, coin: str, time_ms: int, now_ns: int) -> bool:
        """Note the time of a book; say whether none told is younger. What is no coin of ours is refused later."""
        newest_ms = self._newest_ms.get(coin, 0)
        if time_ms >= newest_ms:
            # A time beyond belief must not shut the coin out.
            if coin in self._coins and time_ms * NS_PER_MS < 2 * now_ns:
                self._newest_ms[coin] = time_ms
            return True
        self._counters.refused_data += 1
        detail = f"{time_ms} ms after {newest_ms} ms"
        self._teller.tell(refused(coin, Reason.CLOCK_WENT_BACK, detail, now_ns))
        return False

    def _is_new_trade(self, trade: Trade) -> bool:
        seen = self._trades.get(trade.coin)
        if seen is None:
            return True
        key = (trade.time, trade.trade_id)
        if key in seen:
            self._counters.duplicates += 1
            return False
        seen[key] = None
        if len(seen) > TRADES_KEPT:
            del seen[next(iter(seen))]
        if trade.coin in self._unbegun and trade.time < self._connected_ms:
            self._counters.old_trades += 1
            return False
        return True

    def _unreadable(self, what: str, now_ns: int) -> None:
        """Tell that a message could not be read; the reader has counted it."""
        self._teller.tell(refused("", Reason.BOOK_INVALID_LEVEL, f"{what} that cannot be read", now_ns))
