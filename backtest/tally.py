"""The tally of a run: what was ordered, filled, canceled, refused, earned; one object for paper and backtest.

It reads notices and commands like every other watcher and never trades.
"""

from typing import Any

import msgspec

from backtest.metrics import Performance, performance
from backtest.order_list import OrderList
from domain.events import Event
from domain.lifecycle import State
from domain.notices import AccountMarked, FillBooked, MarketDataSkipped, OrderTransitioned
from domain.order import Liquidity, Side
from domain.units import NS_PER_SECOND, Money, format_money
from engine.machine import Outcome
from engine.state import EngineState

SHARE_DIGITS = 6


class Tally:
    """Counts one run."""

    def __init__(self) -> None:
        """Start at zero."""
        self.events = 0
        self.orders = self.filled = self.canceled = self.rejected = self.denied = 0
        self.fills = self.maker_fills = self.buys = 0
        self.volume = self.maker_volume = 0
        self.touched: set[str] = set()
        self.skipped: dict[str, int] = {}
        self.equity_curve: list[tuple[int, Money]] = []
        self.order_list = OrderList()
        self.last_marked: AccountMarked | None = None

    def take(self, event: Event, outcome: Outcome) -> None:
        """Count one step."""
        del event
        self.events += 1
        for command in outcome.commands:
            self.order_list.take(command)
        for notice in outcome.notices:
            kind = type(notice)
            if kind is OrderTransitioned:
                self._moved(notice)  # type: ignore[arg-type]
            elif kind is FillBooked:
                self._filled(notice)  # type: ignore[arg-type]
            elif kind is AccountMarked:
                self.last_marked = notice  # type: ignore[assignment]
                self.equity_curve.append((notice.ts_ns, notice.equity))  # type: ignore[union-attr]
            elif kind is MarketDataSkipped:
                label = notice.reason.label  # type: ignore[union-attr]
                self.skipped[label] = self.skipped.get(label, 0) + 1

    def _moved(self, notice: OrderTransitioned) -> None:
        if notice.to_state is notice.from_state:
            return
        if notice.to_state is State.SUBMITTED:
            self.orders += 1
        elif notice.to_state is State.FILLED:
            self.filled += 1
        elif notice.to_state is State.CANCELED:
            self.canceled += 1
        elif notice.to_state is State.REJECTED:
            self.rejected += 1
        elif notice.to_state is State.DENIED:
            self.denied += 1

    def _filled(self, notice: FillBooked) -> None:
        self.fills += 1
        self.buys += notice.side is Side.BUY
        self.touched.add(notice.client_order_id)
        size = abs(notice.notional)
        self.volume += size
        if notice.liquidity is Liquidity.MAKER:
            self.maker_fills += 1
            self.maker_volume += size

    @property
    def maker_ratio(self) -> float | None:
        """Share of the traded notional that made liquidity; None without fills."""
        return round(self.maker_volume / self.volume, SHARE_DIGITS) if self.volume else None

    @property
    def fill_rate(self) -> float | None:
        """Share of the orders sent that were filled at least in part; None without orders."""
        return round(len(self.touched) / self.orders, SHARE_DIGITS) if self.orders else None

    def performance(self, interval_ns: int = 60 * NS_PER_SECOND) -> Performance:
        """Return Sharpe, Sortino and drawdown of the equity curve."""
        return performance(self.equity_curve, interval_ns)

    def summary(self, state: EngineState, seconds: float, ledger: str, log: str) -> dict[str, Any]:
        """Return the object that `--json` prints. Money as decimal text, shares as numbers, null when undefined."""
        totals = state.book.totals(state.marks)
        return {
            "orders": self.orders,
            "fills": self.fills,
            "buys": self.buys,
            "sells": self.fills - self.buys,
            "canceled": self.canceled,
            "rejected": self.rejected,
            "denied": self.denied,
            "maker_ratio": self.maker_ratio,
            "fill_rate": self.fill_rate,
            "volume": format_money(Money(self.volume)),
            "pnl": {
                "realized": format_money(totals.realized),
                "unrealized": format_money(totals.unrealized),
                "funding": format_money(totals.funding),
                "fees": format_money(totals.fees),
                "rebates": format_money(totals.rebates),
                "slippage": format_money(totals.slippage),
                "liquidation": format_money(totals.liquidation),
                "net": format_money(totals.net),
            },
            "equity": format_money(totals.equity),
            "performance": msgspec.to_builtins(self.performance()),
            "order_list_hash": self.order_list.hexdigest(),
            "events": self.events,
            "skipped": dict(sorted(self.skipped.items())),
            "mode": state.mode.label,
            "seconds": round(seconds, 3),
            "ledger": ledger,
            "log": log,
        }
