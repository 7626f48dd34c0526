"""The protocol of a strategy: look at a market, say what you want to show. One file, one class, five methods.

A strategy never places an order: it wants quotes, and the maker router finds the fewest actions that show them, after
the risk manager and the pre-check agreed. It reads no clock (time is in the view) and draws no random numbers, so the
same market gives the same quotes, live and in a backtest. Floats are welcome here, nowhere else.

To write your own: copy `engine/strategies/null.py`, give it a name, and register it in `engine/strategies/__init__.py`.
"""

from typing import Any, Protocol

import msgspec

from domain.events import Level, TradePrinted
from domain.instrument import Instrument
from domain.order import WantedQuotes
from domain.units import Lots, Money
from domain.views import MarketView


class StrategyView(msgspec.Struct, frozen=True, gc=False):
    """All that a strategy may look at. Units: position in signed lots; equity in Money, at the last pulse (0 before
    the first); now_ns is the engine's time.

    bids and asks are the visible book, shape (price, lots), best first; they may be older than market's best prices.
    """

    instrument: Instrument
    market: MarketView
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    position: Lots
    equity: Money
    now_ns: int


class Strategy(Protocol):
    """Decides what to show on each instrument."""

    name: str

    def is_due(self, symbol: str, now_ns: int, mid_x2: int, position: int) -> bool:
        """Say whether to look at a market now: a cheap question, asked at every change of its best prices.

        Units: mid_x2 is best bid plus best ask in price units, position in signed lots. False keeps what is shown.
        """

    def quotes(self, view: StrategyView) -> WantedQuotes | None:
        """Return what to show now; None keeps what is shown. Called when due, after fills and at every pulse."""

    def saw_trade(self, trade: TradePrinted) -> None:
        """Take note of a trade of the market."""

    def snapshot(self) -> dict[str, Any]:
        """Return everything remembered, as plain data."""

    def restore(self, kept: dict[str, Any]) -> None:
        """Remember what a snapshot kept."""
