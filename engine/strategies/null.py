"""The strategy that wants nothing: to watch a market, to measure the engine, and to copy from."""

from typing import Any

from domain.events import TradePrinted
from domain.order import WantedQuotes
from engine.strategy import StrategyView


class NullStrategy:
    """Never wants a quote."""

    name = "null"

    def is_due(self, symbol: str, now_ns: int, mid_x2: int, position: int) -> bool:
        """Never look."""
        del symbol, now_ns, mid_x2, position
        return False

    def quotes(self, view: StrategyView) -> WantedQuotes | None:
        """Want nothing, change nothing."""
        del view
        return None

    def saw_trade(self, trade: TradePrinted) -> None:
        """Forget it."""
        del trade

    def snapshot(self) -> dict[str, Any]:
        """Return nothing: nothing is remembered."""
        return {}

    def restore(self, kept: dict[str, Any]) -> None:
        """Remember nothing."""
        del kept
