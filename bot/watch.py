"""What the bot can say about itself at any moment: health and figures, kept by the loop, read by other threads.

The loop's thread replaces one frozen `Figures` at every pulse; readers take the reference. Nobody waits for anybody.
"""

from typing import Any

import msgspec

from bot.clock import monotonic_ns
from bot.projection import BACKLOG_MAX, Projection
from domain.lifecycle import IN_FLIGHT, State
from domain.notices import AccountMarked
from domain.units import RATE_UNIT, Money, format_money, format_scaled
from engine.machine import Engine, Outcome
from exchange.port import ExchangePort
from monitoring.health import Health, HealthInputs, assess
from monitoring.observe import Observer

UNEXPLAINED = "the venue's statement and the book differ, no new risk"
OVERDUE = "no statement of the venue could be compared with the book for too long, no new risk: waiting for one"


class Figures(msgspec.Struct, frozen=True):
    """The bot at its last pulse."""

    marked: AccountMarked | None
    market_seen_ns: dict[str, int]
    quotes: dict[str, tuple[int, int]]
    orders_unknown: int
    answer_age_ns: int
    stepped_ns: int
    residual: Money = Money(0)


class Watch:
    """Keeps the figures of the last pulse."""

    def __init__(self, engine: Engine, exchange: ExchangePort, observer: Observer, projection: Projection) -> None:
        """Know whom to ask."""
        self._engine = engine
        self._exchange = exchange
        self._observer = observer
        self._projection = projection
        self._stepped_ns = monotonic_ns()
        self._figures = Figures(None, {}, {}, 0, 0, self._stepped_ns)

    def take(self, outcome: Outcome, ended_ns: int) -> None:
        """Take one step; called on the loop's thread."""
        self._stepped_ns = ended_ns
        for notice in outcome.notices:
            if type(notice) is AccountMarked:
                self._figures = self._taken(notice, ended_ns)

    def _taken(self, marked: AccountMarked, ended_ns: int) -> Figures:
        state = self._engine.state
        unknown, oldest_ns = 0, state.now_ns
        for order in state.orders.every_live():
            unknown += order.state is State.UNKNOWN
            if order.state in IN_FLIGHT:
                oldest_ns = min(oldest_ns, order.ts_asked_ns)
        residual = self._residual()
        self._observer.measurements.set_residual(residual)
        return Figures(
            marked,
            {symbol: market.ts_ns for symbol, market in state.markets.items()},
            {symbol: (market.bid_price, market.ask_price) for symbol, market in state.markets.items()},
            unknown,
            state.now_ns - oldest_ns,
            ended_ns,
            residual,
        )

    def _residual(self) -> Money:
        """Return equity of the ledger less the account value at the venue, both at our marks.

        A market without a mark counts nothing: there the driver compares the lots themselves.
        """
        state = self._engine.state
        statement, positions = self._exchange.statement(), state.book.open_positions()
        total = state.book.cash - statement.cash
        if positions != statement.positions:
            for symbol, mark in state.marks.items():
                lots = positions.get(symbol, 0) - statement.positions.get(symbol, 0)
                total += lots * mark * state.instruments[symbol].money_per_unit
        return Money(total)

    def _blocked(self) -> str:
        """Return why what the venue says of the account allows no new risk, in one sentence; empty while it does."""
        agreement = self._engine.state.agreement
        if not agreement.is_blocking:
            return OVERDUE if agreement.is_overdue else ""
        if agreement.is_booked:
            return f"{UNEXPLAINED}: booked as unexplained, look at it, then hat ledger acknowledge"
        return f"{UNEXPLAINED}: waiting for a second statement"

    def health(self) -> Health:
        """Return the health of every component; called on any thread."""
        figures, state = self._figures, self._engine.state
        limits = state.settings.limits
        observer, projection = self._observer, self._projection
        spans = observer.spans
        health = assess(
            HealthInputs(
                now_ns=state.now_ns,
                mode=state.mode,
                step_age_ns=monotonic_ns() - self._stepped_ns,
                market_seen_ns=figures.market_seen_ns,
                market_age_ns_max=limits.market_data_age_ns_max,
                drawdown=state.drawdown.drawdown,
                drawdown_warn=limits.drawdown_warn,
                drawdown_stop=limits.drawdown_stop,
                kill_reason=state.kill_switch.reason,
                kill_detail=state.kill_switch.detail,
                orders_unknown=figures.orders_unknown,
                open_orders=state.orders.open_count,
                answer_age_ns=figures.answer_age_ns,
                ledger_error=self._blocked(),
                cash_residual=figures.residual,
                projection_is_running=projection.is_running,
                projection_backlog=projection.backlog,
                projection_backlog_max=BACKLOG_MAX,
                projection_error=projection.trouble,
                observer_is_running=observer.is_running,
                telemetry_dropped=observer.dropped + (spans.dropped if spans else 0),
                telemetry_failed=spans.failed if spans else 0,
            )
        )
        observer.measurements.set_health(health.score)
        observer.measurements.set_projection_backlog(projection.backlog)
        return health

    def figures(self) -> dict[str, Any]:
        """Return the figures of the last pulse, money as decimal text; called on any thread."""
        marked, state = self._figures.marked, self._engine.state
        if marked is None:
            return {"mode": state.mode.label}
        return {
            "mode": state.mode.label,
            "equity": format_money(marked.equity),
            "pnl": {
                name: format_money(Money(getattr(marked, name)))
                for name in ("realized", "unrealized", "funding", "fees", "rebates", "slippage", "net")
            },
            "drawdown_percent": 100 * marked.drawdown / RATE_UNIT,
            "exposure": format_money(marked.exposure),
            "margin_ratio": marked.margin_ratio / RATE_UNIT,
            "unexplained": format_money(marked.unexplained),
            "residual": format_money(self._figures.residual),
            "blocked": self._blocked(),
            "statement_differs": state.agreement.is_blocking,
            "value_at_risk": format_money(marked.value_at_risk),
            "open_orders": marked.open_orders,
            "positions": {
                symbol: format_scaled(lots, state.instruments[symbol].size_decimals)
                for symbol, lots, _, _ in marked.positions
            },
            "unrealized": {symbol: format_money(Money(gain)) for symbol, _, _, gain in marked.positions},
            "prices": {
                symbol: {
                    "bid": format_scaled(bid, state.instruments[symbol].price_decimals),
                    "ask": format_scaled(ask, state.instruments[symbol].price_decimals),
                }
                for symbol, (bid, ask) in self._figures.quotes.items()
            },
        }
