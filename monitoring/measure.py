"""Measurements: notices and step timings become the series of the catalogue.

Runs on the observer's thread, never on the engine's. Rule 1: counters count moves, so a fact that changed nothing
counts nothing. Rule 2: label values come from enums and the instrument table only. Rule 3: integers become floats here,
at the edge, and nowhere before.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import assert_never

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from domain.events import BookChanged, Event, MarkChanged, TopOfBookChanged, TradePrinted
from domain.identifiers import trace_id_text
from domain.instrument import Instrument
from domain.lifecycle import TERMINAL, State
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
from domain.order import Liquidity
from domain.reasons import Reason
from domain.transaction import CorrectionCause, Transaction
from domain.units import MONEY_UNIT, NS_PER_SECOND, RATE_UNIT, Money
from monitoring.markouts import MarkoutMeans
from monitoring.metrics import Series, register

PERCENT = 100
BPS = 10_000


class ProcessError(StrEnum):
    """Errors of the process, not of an order: further values of errors_total's label `type`."""

    LOG_WRITE = "log_write"
    SPAN_EXPORT = "span_export"
    PROJECTION = "projection"
    JOURNAL = "journal"
    ADMIN = "admin"


class Stage(StrEnum):
    """Measured parts of one engine step; also the names of their spans."""

    RISK_CALCULATION = "risk_calculation"
    API_VALIDATION = "api_validation"


StageTimes = tuple[tuple[str, int, int], ...]
"""(stage, started_ns, ended_ns) in the order they ran, on the driver's clock."""

_VIOLATIONS = tuple(
    reason
    for reason in Reason
    if Reason.ORDER_NOTIONAL <= reason <= Reason.VALUE_AT_RISK
    or Reason.HALTED_BY_OPERATOR <= reason <= Reason.HALTED_BY_MARGIN
)
_MARKET_DATA = (TopOfBookChanged, BookChanged, TradePrinted, MarkChanged)


class Measurements:
    """The series of one run and what they need to remember."""

    def __init__(self, instruments: Mapping[str, Instrument], registry: CollectorRegistry | None = None) -> None:
        """Register the catalogue in a registry, by default a new one."""
        self.registry = CollectorRegistry() if registry is None else registry
        self.series: Series = register(self.registry)
        self._counters = self.series.counters
        self._gauges = self.series.gauges
        self._histograms = self.series.histograms
        self._loop = self._histograms["loop_duration_seconds"]
        self._stages = {
            Stage.RISK_CALCULATION.value: self._histograms["risk_calculation_time_seconds"],
            Stage.API_VALIDATION.value: self._histograms["validation_time_seconds"],
        }
        self._seen_ns = dict.fromkeys(instruments, 0)
        self._notional = self._maker_notional = self._fees = self._slippage = 0
        self._ended = self._ended_filled = 0
        self._markouts = MarkoutMeans(self._gauges["average_markout_bps"])
        self._dropped: dict[str, int] = {}
        for mode in Mode:
            self._gauges["bot_mode"].labels(mode.label).set(mode is Mode.STARTING)
        for liquidity in Liquidity:
            self._counters["fills_total"].labels(liquidity.label)
            self._counters["traded_notional_total"].labels(liquidity.label)
        # A series that begins at zero lets an alert see its first increment.
        for kind in ProcessError:
            self._counters["errors_total"].labels(kind.value)
        for reason in _VIOLATIONS:
            self._counters["risk_violations_total"].labels(reason.label)
        for cause in CorrectionCause:
            if cause is not CorrectionCause.NONE:
                self._counters["corrections_total"].labels(cause.label)

    def take_step(self, event: Event, duration_ns: int, stages: StageTimes = ()) -> None:
        """Measure one engine step. Units: duration_ns and stage times on the driver's clock."""
        self._loop.observe(duration_ns / NS_PER_SECOND)
        for name, started_ns, ended_ns in stages:
            histogram = self._stages.get(name)
            if histogram is not None:
                histogram.observe((ended_ns - started_ns) / NS_PER_SECOND)
        if isinstance(event, _MARKET_DATA) and event.symbol in self._seen_ns:
            self._seen_ns[event.symbol] = event.ts_recv_ns

    def take(self, notice: Notice) -> None:
        """Count one notice."""
        match notice:
            case OrderTransitioned():
                self._moved(notice)
            case RiskDecided(reason=reason):
                if reason is not Reason.NONE and reason is not Reason.REDUCED_TO_FIT:
                    self._counters["risk_violations_total"].labels(reason.label).inc()
            case TransactionPosted(transaction=transaction):
                self._posted(transaction)
            case FillBooked():
                self._filled(notice)
                self._markouts.take_fill(notice)
            case MarkoutTaken():
                self._markouts.take_markout(notice)
            case AccountMarked():
                self._marked(notice)
            case DiscrepancyFound(is_booked=is_booked):
                self._counters["discrepancies_total"].inc(0 if is_booked else 1)
                self._gauges["discrepancy_open"].set(1)
            case DiscrepancyClosed():
                self._gauges["discrepancy_open"].set(0)
            case ModeChanged(from_mode=from_mode, to_mode=to_mode):
                self._gauges["bot_mode"].labels(from_mode.label).set(0)
                self._gauges["bot_mode"].labels(to_mode.label).set(1)
            case KillSwitchEngaged(reason=reason):
                self._gauges["kill_switch_engaged"].set(1)
                self._counters["risk_violations_total"].labels(reason.label).inc()
                if reason is Reason.HALTED_BY_INVARIANT:
                    self._counters["errors_total"].labels(reason.label).inc()
            case KillSwitchReset():
                self._gauges["kill_switch_engaged"].set(0)
            case LimitWarned(reason=reason):
                self._counters["limit_warnings_total"].labels(reason.label).inc()
            case MarketDataSkipped(reason=reason) | FactNoted(reason=reason):
                self._counters["errors_total"].labels(reason.label).inc()
            case OrderCreated() | PrecheckDecided() | QuotesDecided() | FundingBooked():
                pass
            case _:
                assert_never(notice)

    def _moved(self, notice: OrderTransitioned) -> None:
        old, new = notice.from_state, notice.to_state
        if new is old:
            return
        if old is State.SUBMITTED:
            # Exemplars show in the OpenMetrics format only; they lead from a slow bucket to the order's trace.
            self._histograms["order_latency_seconds"].observe(
                notice.time_in_state_ns / NS_PER_SECOND, {"trace_id": trace_id_text(notice.client_order_id)}
            )
        if new is State.SUBMITTED:
            self._counters["orders_placed_total"].inc()
        elif new is State.FILLED:
            self._counters["orders_filled_total"].inc()
        elif new is State.CANCELED:
            self._counters["orders_cancelled_total"].inc()
        elif new is State.REJECTED:
            self._counters["orders_rejected_total"].inc()
        elif new is State.DENIED:
            self._counters["orders_denied_total"].labels(notice.reason.label).inc()
        elif new is State.UNKNOWN:
            self._counters["errors_total"].labels(notice.reason.label).inc()
        if new in TERMINAL and old not in TERMINAL and new is not State.DENIED:
            self._ended += 1
            self._ended_filled += notice.filled_lots > 0
            self._gauges["fill_rate"].set(self._ended_filled / self._ended)

    def _posted(self, transaction: Transaction) -> None:
        self._markouts.sequence = transaction.sequence
        if transaction.cause is not CorrectionCause.NONE:
            self._counters["corrections_total"].labels(transaction.cause.label).inc()

    def _filled(self, notice: FillBooked) -> None:
        size = abs(notice.notional)
        label = notice.liquidity.label
        self._counters["fills_total"].labels(label).inc()
        self._counters["traded_notional_total"].labels(label).inc(size / MONEY_UNIT)
        self._notional += size
        self._maker_notional += size if notice.liquidity is Liquidity.MAKER else 0
        self._fees += notice.fee
        self._slippage += notice.slippage
        if self._notional:
            self._gauges["maker_ratio"].set(self._maker_notional / self._notional)
            self._gauges["average_fee_bps"].set(self._fees * BPS / self._notional)
            self._gauges["average_slippage_bps"].set(self._slippage * BPS / self._notional)

    def _marked(self, notice: AccountMarked) -> None:
        gauges = self._gauges
        for name, amount in (
            ("current_equity", notice.equity),
            ("realized_pnl", notice.realized),
            ("unrealized_pnl", notice.unrealized),
            ("funding_pnl", notice.funding),
            ("fee_pnl", -notice.fees),
            ("rebate_pnl", notice.rebates),
            ("slippage_pnl", -notice.slippage),
            ("liquidation_pnl", notice.liquidation),
            ("net_pnl", notice.net),
            ("unexplained_balance", notice.unexplained),
            ("total_exposure", notice.exposure),
            ("margin_used", notice.margin_used),
            ("value_at_risk", notice.value_at_risk),
        ):
            gauges[name].set(amount / MONEY_UNIT)
        gauges["current_drawdown"].set(notice.drawdown * PERCENT / RATE_UNIT)
        gauges["max_drawdown"].set(notice.drawdown_max * PERCENT / RATE_UNIT)
        gauges["margin_ratio"].set(notice.margin_ratio / RATE_UNIT)
        gauges["position_count"].set(notice.position_count)
        gauges["open_orders"].set(notice.open_orders)

    def take_error(self, kind: ProcessError, count: int = 1) -> None:
        """Count errors of the process."""
        self._counters["errors_total"].labels(kind.value).inc(count)

    def set_dropped(self, what: str, total: int) -> None:
        """Raise telemetry_dropped_total{what} to a total; a total below the last one changes nothing."""
        before = self._dropped.get(what, 0)
        counter = self._counters["telemetry_dropped_total"].labels(what)
        if total > before:
            counter.inc(total - before)
            self._dropped[what] = total

    def set_health(self, score: float) -> None:
        """Set system_health."""
        self._gauges["system_health"].set(score)

    def set_projection_backlog(self, batches: int) -> None:
        """Set projection_backlog."""
        self._gauges["projection_backlog"].set(batches)

    def set_residual(self, residual: Money) -> None:
        """Set equity_residual: equity of the ledger less the venue's account value at the same marks."""
        self._gauges["equity_residual"].set(residual / MONEY_UNIT)

    def set_wire_events(self, counts: Mapping[str, int]) -> None:
        """Set wire_events by kind. The kinds are the adapter's own counters, so they are few."""
        for kind, count in counts.items():
            self._gauges["wire_events"].labels(kind).set(count)

    def set_ledger_size(self, rows: Mapping[str, int], size: int) -> None:
        """Set ledger_rows by table, and ledger_bytes to size. The tables are those of one schema, so they are few."""
        for table, count in rows.items():
            self._gauges["ledger_rows"].labels(table).set(count)
        self._gauges["ledger_bytes"].set(size)

    def last_seen_ns(self) -> Iterable[tuple[str, int]]:
        """Return (symbol, engine time of its newest market data); 0 when there was none yet."""
        return tuple(self._seen_ns.items())

    def exposition(self, now_ns: int, accept: str = "") -> tuple[bytes, str]:
        """Return all series as text and its content type: OpenMetrics (with exemplars) when asked for, else classic.

        Units: now_ns is engine time; ages are taken against it.
        """
        for symbol, seen_ns in self.last_seen_ns():
            if seen_ns:
                age_ns = max(0, now_ns - seen_ns)
                self._gauges["market_data_age_seconds"].labels(symbol).set(age_ns / NS_PER_SECOND)
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
