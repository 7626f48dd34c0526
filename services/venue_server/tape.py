"""What was traded lately, coin by coin: the last trades, candles, one day's volume.

Law: fed once per trade, in the order of trades; nothing here changes the venue.
"""

from collections import deque

import msgspec

from domain.units import NS_PER_MS
from exchange.hyperliquid.wire_market import Candle, Trade
from exchange.simulated.market import Market
from services.venue_server.candles import Bar, Candles, close_of
from services.venue_server.encoding import price_text, side_text, size_text

TRADES_KEPT = 100
"""How many trades of a coin are told to whoever comes late. Ours: the venue does not say."""

OUTSIDE = "0x" + "0" * 40
"""Whoever trades in the outside market has no name."""


class Print(msgspec.Struct, frozen=True, gc=False):
    """One trade; side is the aggressor's, an address is empty for the outside market."""

    price: int
    lots: int
    side: int
    ts_ns: int
    trade_id: int
    hash: str
    buyer: str
    seller: str


class Tape:
    """The trades of all coins."""

    def __init__(self) -> None:
        """Start with nothing traded."""
        self._recent: dict[str, deque[Print]] = {}
        self._candles: dict[str, Candles] = {}

    def take(self, market: Market, traded: Print) -> None:
        """Add a trade."""
        recent = self._recent.get(market.symbol)
        if recent is None:
            recent = self._recent[market.symbol] = deque(maxlen=TRADES_KEPT)
        recent.append(traded)
        self.candles(market.symbol).take(
            traded.ts_ns // NS_PER_MS,
            traded.price,
            traded.lots,
            traded.price * traded.lots * market.money_per_unit,
        )

    def recent(self, symbol: str) -> list[Print]:
        """Return the last trades of a coin, oldest first."""
        return list(self._recent.get(symbol, ()))

    def candles(self, symbol: str) -> Candles:
        """Return the candles of a coin."""
        candles = self._candles.get(symbol)
        if candles is None:
            candles = self._candles[symbol] = Candles()
        return candles


def trade(market: Market, traded: Print) -> Trade:
    """Return a trade as everybody sees it."""
    instrument = market.instrument
    return Trade(
        coin=market.symbol,
        side=side_text(traded.side),
        price=price_text(instrument, traded.price),
        size=size_text(instrument, traded.lots),
        time=traded.ts_ns // NS_PER_MS,
        hash=traded.hash,
        trade_id=traded.trade_id,
        users=(traded.buyer or OUTSIDE, traded.seller or OUTSIDE),
    )


def candle(market: Market, interval: str, bar: Bar) -> Candle:
    """Return a candle as everybody sees it."""
    instrument = market.instrument
    return Candle(
        open_ms=bar.open_ms,
        close_ms=close_of(interval, bar.open_ms),
        coin=market.symbol,
        interval=interval,
        open=price_text(instrument, bar.open),
        close=price_text(instrument, bar.close),
        high=price_text(instrument, bar.high),
        low=price_text(instrument, bar.low),
        volume=size_text(instrument, bar.lots),
        count=bar.count,
    )
