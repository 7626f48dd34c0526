"""The workload's strategy: one bid and one ask a tick behind the best, skewed against the inventory.

    units = position / order size      skew = units / 3, truncated toward zero
    bid = min(best bid - 1 - skew, best ask - 1)      ask = max(best ask + 1 - skew, best bid + 1)

in ticks; no bid at +10 units, no ask at -10. `timer` decides every 100 ms of the clock, `event` at each message when
the mid moved by two ticks or 100 ms passed since the last decision. Orders in flight are left, orders at their price
are kept, others are replaced: that is the maker router's work, with the settings in `house.py`.

The engine asks a strategy at every message and at every pulse; between decisions the answer is None. With a pulse of
100 ms the timer decides exactly on it.
"""

from enum import StrEnum
from typing import Any

from domain.events import TradePrinted
from domain.order import Quote, WantedQuotes
from domain.units import NS_PER_MS
from engine.strategy import StrategyView

ORDER_LOTS = 100
UNITS_MAX = 10
UNITS_A_TICK = 3
INTERVAL_NS = 100 * NS_PER_MS
MOVE_TICKS = 2


class Form(StrEnum):
    """What wakes the decision."""

    TIMER = "timer"
    EVENT = "event"


def skew_ticks(position: int) -> int:
    """Return how many ticks both quotes move down for a position in lots."""
    ticks = abs(position) // (UNITS_A_TICK * ORDER_LOTS)
    return ticks if position >= 0 else -ticks


class WorkloadStrategy:
    """Shows the quotes above on one market whose price unit is its tick."""

    name = "workload"

    def __init__(self, form: Form) -> None:
        """Decide by the clock, or by the clock and the mid."""
        self._move_x2 = 2 * MOVE_TICKS if form is Form.EVENT else 0
        self._due_ns = 0
        self._decided_mid_x2 = 0

    def is_due(self, symbol: str, now_ns: int, mid_x2: int, position: int) -> bool:
        """Decide on the grid of 100 ms, or, in the event form, when the mid moved two ticks or 100 ms passed."""
        del symbol, position
        if now_ns >= self._due_ns:
            return True
        return bool(self._move_x2) and abs(mid_x2 - self._decided_mid_x2) >= self._move_x2

    def quotes(self, view: StrategyView) -> WantedQuotes | None:
        """Return the quotes when a decision is due, else None."""
        now_ns, market = view.now_ns, view.market
        mid_x2 = market.bid_price + market.ask_price
        if not self.is_due(market.symbol, now_ns, mid_x2, view.position):
            return None
        self._decided_mid_x2 = mid_x2
        self._due_ns = now_ns + INTERVAL_NS if self._move_x2 else now_ns - now_ns % INTERVAL_NS + INTERVAL_NS
        return wanted(market.symbol, market.bid_price, market.ask_price, view.position)

    def saw_trade(self, trade: TradePrinted) -> None:
        """Look at the book only."""

    def snapshot(self) -> dict[str, Any]:
        """Return when the next decision is due and the mid of the last one."""
        return {"due_ns": self._due_ns, "decided_mid_x2": self._decided_mid_x2}

    def restore(self, kept: dict[str, Any]) -> None:
        """Remember what a snapshot kept."""
        self._due_ns, self._decided_mid_x2 = kept["due_ns"], kept["decided_mid_x2"]


def wanted(symbol: str, best_bid: int, best_ask: int, position: int) -> WantedQuotes:
    """Return the quotes for a position. Units: prices in ticks, position in lots."""
    skew = skew_ticks(position)
    bids = asks = ()
    if position < UNITS_MAX * ORDER_LOTS:
        bids = (Quote(min(best_bid - 1 - skew, best_ask - 1), ORDER_LOTS),)
    if position > -UNITS_MAX * ORDER_LOTS:
        asks = (Quote(max(best_ask + 1 - skew, best_bid + 1), ORDER_LOTS),)
    return WantedQuotes(symbol, bids, asks)
