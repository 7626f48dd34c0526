"""Log records: what each notice looks like as one line of the log.

Why: the log is read by people and by `jq`, so numbers are decimal text in human units, and reasons come with their
sentence. Rule 1: every notice has exactly one record. Rule 2: component, event type and level are chosen here and
nowhere else. Source: seed 004, "Log Format", "Log Levels", "Key Log Events".
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, assert_never

import msgspec

from domain.identifiers import ClientOrderId, trace_id_text
from domain.instrument import Instrument
from domain.modes import Mode
from domain.notices import (
    AccountMarked,
    DiscrepancyClosed,
    DiscrepancyFound,
    FactNoted,
    FillBooked,
    FundingBooked,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarketDataSkipped,
    MarkoutTaken,
    ModeChanged,
    Notice,
    OrderCreated,
    OrderTransitioned,
    PrecheckDecided,
    QuotesDecided,
    RiskDecided,
    TransactionPosted,
)
from domain.reasons import Reason
from domain.transaction import CorrectionCause, FactKind, Transaction
from domain.units import NS_PER_MS, format_money, format_rate, format_scaled

Fields = dict[str, Any]


class Level(StrEnum):
    """Log levels, least first."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Component(StrEnum):
    """Who speaks."""

    STATE_MACHINE = "state_machine"
    RISK_MANAGER = "risk_manager"
    API_VALIDATOR = "api_validator"
    MAKER_ROUTER = "maker_router"
    EXCHANGE = "exchange"
    MARKET_DATA = "market_data"
    TRADE_LEDGER = "trade_ledger"
    FUNDING_SCHEDULER = "funding_scheduler"
    PERFORMANCE = "performance"
    TELEMETRY = "telemetry"
    SYSTEM = "system"


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One line of the log but for its time."""

    component: Component
    event_type: str
    level: Level
    data: Fields


class Describer:
    """Turns notices into records; holds the instruments, whose decimals the numbers need."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        """Know the instruments; numbers of any other symbol are written in raw units."""
        self._decimals = {
            symbol: (instrument.price_decimals, instrument.size_decimals) for symbol, instrument in instruments.items()
        }

    def price(self, symbol: str, price: int) -> str:
        """Return a price as decimal text."""
        return format_scaled(price, self._decimals.get(symbol, (0, 0))[0])

    def quantity(self, symbol: str, lots: int) -> str:
        """Return lots as decimal text in base units."""
        return format_scaled(lots, self._decimals.get(symbol, (0, 0))[1])

    def mid(self, symbol: str, mid_x2: int) -> str:
        """Return half of twice the mid as decimal text, exactly."""
        return format_scaled(mid_x2 * 5, self._decimals.get(symbol, (0, 0))[0] + 1)

    def record(self, notice: Notice) -> LogRecord:
        """Return the record of a notice."""
        match notice:
            case OrderCreated() | OrderTransitioned() | RiskDecided() | PrecheckDecided():
                return self._of_order(notice)
            case FillBooked() | MarkoutTaken() | FundingBooked() | TransactionPosted() | AccountMarked():
                return self._of_money(notice)
            case DiscrepancyFound() | DiscrepancyClosed():
                return self._of_agreement(notice)
            case QuotesDecided():
                return self._quotes(notice)
            case ModeChanged() | KillSwitchEngaged() | KillSwitchReset() | LimitWarned():
                return _of_control(notice)
            case MarketDataSkipped(symbol=symbol, reason=reason, detail=detail):
                data: Fields = {"symbol": symbol, **_why(reason), "detail": detail}
                return LogRecord(Component.MARKET_DATA, "market_data_skipped", Level.WARNING, data)
            case FactNoted(client_order_id=order_id, reason=reason, detail=detail):
                data = {**_order(order_id), **_why(reason), "detail": detail}
                return LogRecord(Component.EXCHANGE, "fact_noted", Level.WARNING, data)
            case _:
                assert_never(notice)

    def _of_order(self, notice: OrderCreated | OrderTransitioned | RiskDecided | PrecheckDecided) -> LogRecord:
        match notice:
            case OrderCreated():
                return self._created(notice)
            case OrderTransitioned():
                return self._transition(notice)
            case RiskDecided(reason=reason):
                data = {**_order(notice.client_order_id), "symbol": notice.symbol, **_why(reason)}
                data["quantity_asked"] = self.quantity(notice.symbol, notice.lots_asked)
                data["quantity_approved"] = self.quantity(notice.symbol, notice.lots_approved)
                if reason is Reason.NONE or reason is Reason.REDUCED_TO_FIT:
                    return LogRecord(Component.RISK_MANAGER, "risk_check", Level.DEBUG, data)
                data["limit"], data["observed"] = notice.limit, notice.observed
                return LogRecord(Component.RISK_MANAGER, "risk_violation", Level.WARNING, data)
            case PrecheckDecided(reason=reason):
                data = {**_order(notice.client_order_id), "symbol": notice.symbol, **_why(reason)}
                if reason is Reason.NONE:
                    return LogRecord(Component.API_VALIDATOR, "validation_passed", Level.DEBUG, data)
                data["limit"], data["observed"] = notice.limit, notice.observed
                return LogRecord(Component.API_VALIDATOR, "validation_failed", Level.WARNING, data)

    def _created(self, notice: OrderCreated) -> LogRecord:
        data = {
            **_order(notice.client_order_id),
            "symbol": notice.symbol,
            "side": notice.side.label,
            "price": self.price(notice.symbol, notice.price),
            "quantity": self.quantity(notice.symbol, notice.lots),
            "time_in_force": notice.time_in_force.name,
            "post_only": notice.post_only,
            "reduce_only": notice.reduce_only,
            "mid_price": self.mid(notice.symbol, notice.decision_mid_x2),
        }
        return LogRecord(Component.STATE_MACHINE, "order_created", Level.INFO, data)

    def _transition(self, notice: OrderTransitioned) -> LogRecord:
        data = {
            "from_state": notice.from_state.label,
            "to_state": notice.to_state.label,
            "signal_id": notice.client_order_id,
            "duration_ms": notice.time_in_state_ns / NS_PER_MS,
            **_order(notice.client_order_id),
            "symbol": notice.symbol,
            "trigger": notice.trigger.label,
            **_why(notice.reason),
            "price": self.price(notice.symbol, notice.price),
            "quantity": self.quantity(notice.symbol, notice.lots),
            "filled_quantity": self.quantity(notice.symbol, notice.filled_lots),
            "venue_order_id": notice.venue_order_id,
            "detail": notice.detail,
        }
        return LogRecord(Component.STATE_MACHINE, "state_transition", Level.INFO, data)

    def _of_money(
        self, notice: FillBooked | MarkoutTaken | FundingBooked | TransactionPosted | AccountMarked
    ) -> LogRecord:
        match notice:
            case FillBooked():
                return LogRecord(Component.TRADE_LEDGER, "fill_booked", Level.INFO, self._fill(notice))
            case MarkoutTaken(symbol=symbol):
                data: Fields = {
                    **_order(notice.client_order_id),
                    "symbol": symbol,
                    "sequence": notice.sequence,
                    "horizon_ms": notice.horizon_ns // NS_PER_MS,
                    "mid_price": self.mid(symbol, notice.mid_x2),
                }
                return LogRecord(Component.TRADE_LEDGER, "markout_taken", Level.DEBUG, data)
            case FundingBooked(symbol=symbol):
                data = {
                    "symbol": symbol,
                    "position_quantity": self.quantity(symbol, notice.position),
                    "funding_rate": format_rate(notice.rate),
                    "oracle_price": self.price(symbol, notice.oracle_price),
                    "amount": format_money(notice.amount),
                }
                return LogRecord(Component.FUNDING_SCHEDULER, "funding_booked", Level.INFO, data)
            case TransactionPosted(transaction=transaction):
                return LogRecord(
                    Component.TRADE_LEDGER,
                    "transaction_posted",
                    Level.WARNING if transaction.kind is FactKind.CORRECTION else Level.DEBUG,
                    self._transaction(transaction),
                )
            case AccountMarked():
                return LogRecord(Component.PERFORMANCE, "account_marked", Level.DEBUG, _account(notice))

    def _transaction(self, transaction: Transaction) -> Fields:
        data: Fields = {
            "sequence": transaction.sequence,
            "kind": transaction.kind.label,
            "fact_id": transaction.fact_id,
            "symbol": transaction.symbol,
            **_order(transaction.client_order_id),
            "postings": {line.account: format_money(line.amount) for line in transaction.postings},
        }
        if transaction.lots:
            data["quantities"] = self._quantities(transaction.lots)
        if transaction.cause is not CorrectionCause.NONE:
            data["cause"] = transaction.cause.label
        if transaction.evidence:
            data["evidence"] = transaction.evidence
        return data

    def _quantities(self, lots: tuple[tuple[str, int], ...]) -> dict[str, str]:
        return {symbol: self.quantity(symbol, count) for symbol, count in lots}

    def _of_agreement(self, notice: DiscrepancyFound | DiscrepancyClosed) -> LogRecord:
        match notice:
            case DiscrepancyFound():
                data: Fields = {
                    **_why(Reason.UNEXPLAINED),
                    "cash": format_money(notice.cash),
                    "quantities": self._quantities(notice.positions),
                    "is_booked": notice.is_booked,
                    "detail": notice.detail,
                }
                return LogRecord(Component.TRADE_LEDGER, "discrepancy_found", Level.CRITICAL, data)
            case DiscrepancyClosed(reason=reason, detail=detail):
                data = {**_why(reason), "detail": detail}
                return LogRecord(Component.TRADE_LEDGER, "discrepancy_closed", Level.WARNING, data)

    def _fill(self, notice: FillBooked) -> Fields:
        symbol = notice.symbol
        return {
            **_order(notice.client_order_id),
            "symbol": symbol,
            "side": notice.side.label,
            "price": self.price(symbol, notice.price),
            "quantity": self.quantity(symbol, notice.lots),
            "liquidity": notice.liquidity.label,
            "trade_id": notice.trade_id,
            "venue_order_id": notice.venue_order_id,
            "notional": format_money(notice.notional),
            "fee": format_money(notice.fee),
            "realized_pnl": format_money(notice.realized),
            "slippage": format_money(notice.slippage),
            "position_quantity": self.quantity(symbol, notice.position_after),
            "cause": notice.cause.label,
            "mid_price": self.mid(symbol, notice.fill_mid_x2),
        }

    def _quotes(self, notice: QuotesDecided) -> LogRecord:
        symbol = notice.symbol
        data = {
            "symbol": symbol,
            "bids": [[self.price(symbol, price), self.quantity(symbol, lots)] for price, lots in notice.bids],
            "asks": [[self.price(symbol, price), self.quantity(symbol, lots)] for price, lots in notice.asks],
            "mid_price": self.mid(symbol, notice.mid_x2),
        }
        return LogRecord(Component.MAKER_ROUTER, "quotes_decided", Level.DEBUG, data)


def _order(order_id: ClientOrderId) -> Fields:
    return {"client_order_id": order_id, "trace_id": trace_id_text(order_id)}


def _why(reason: Reason) -> Fields:
    return {"reason": reason.label, "message": "" if reason is Reason.NONE else reason.sentence}


def _account(notice: AccountMarked) -> Fields:
    return {
        "equity": format_money(notice.equity),
        "realized_pnl": format_money(notice.realized),
        "unrealized_pnl": format_money(notice.unrealized),
        "funding": format_money(notice.funding),
        "fees": format_money(notice.fees),
        "rebates": format_money(notice.rebates),
        "slippage": format_money(notice.slippage),
        "net_pnl": format_money(notice.net),
        "transfers": format_money(notice.transfers),
        "unexplained": format_money(notice.unexplained),
        "drawdown": format_rate(notice.drawdown),
        "exposure": format_money(notice.exposure),
        "margin_ratio": format_rate(notice.margin_ratio),
        "value_at_risk": format_money(notice.value_at_risk),
        "position_count": notice.position_count,
        "open_orders": notice.open_orders,
    }


def _of_control(notice: ModeChanged | KillSwitchEngaged | KillSwitchReset | LimitWarned) -> LogRecord:
    match notice:
        case ModeChanged(from_mode=from_mode, to_mode=to_mode, reason=reason, detail=detail):
            data: Fields = {"from_mode": from_mode.label, "to_mode": to_mode.label, **_why(reason), "detail": detail}
            is_loud = to_mode in {Mode.REDUCING, Mode.PAUSED, Mode.HALTED}
            return LogRecord(Component.SYSTEM, "mode_changed", Level.WARNING if is_loud else Level.INFO, data)
        case KillSwitchEngaged(reason=reason, detail=detail, limit=limit, observed=observed):
            data = {**_why(reason), "detail": detail, "limit": limit, "observed": observed}
            return LogRecord(Component.RISK_MANAGER, "kill_switch_engaged", Level.CRITICAL, data)
        case KillSwitchReset(detail=detail):
            return LogRecord(Component.RISK_MANAGER, "kill_switch_reset", Level.WARNING, {"detail": detail})
        case LimitWarned(reason=reason, limit=limit, observed=observed):
            data = {**_why(reason), "limit": limit, "observed": observed}
            return LogRecord(Component.RISK_MANAGER, "limit_warned", Level.WARNING, data)
