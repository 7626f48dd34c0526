"""The metric catalogue: every series this house exports, with kind, unit, labels and meaning, declared once.

Why: dashboards, alert rules, the runbook and `docs/METRICS.md` all speak of metrics by name; they are checked against
this table. The first sixteen names are the operator's runbook words and stay exactly so, British spelling included.
Rule 1: a series that is not declared here does not exist. Rule 2: every label has a closed set of values, so the number
of series is bounded. Rule 3: each run has its own registry; nothing is global.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics


class Kind(StrEnum):
    """Prometheus metric types in use."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True):
    """One series as declared. buckets are upper bounds in seconds, for histograms only."""

    name: str
    kind: Kind
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _bounds(least: int, most: int) -> tuple[float, ...]:
    """Return 1, 2, 5 times every power of ten from 10**least to 10**most seconds, the last one once."""
    steps = [factor * 10.0**power for power in range(least, most) for factor in (1, 2, 5)]
    return tuple(float(f"{step:.0e}") for step in (*steps, 10.0**most))


COMPUTING_SECONDS = _bounds(-6, -1)
"""1 µs to 100 ms: what one check takes."""
LOOP_SECONDS = _bounds(-5, 0)
"""10 µs to 1 s: what one step takes; holds the runbook's bounds of 50, 100 and 200 ms."""
ANSWER_SECONDS = _bounds(-3, 1)
"""1 ms to 10 s: how long the venue takes to answer."""

CATALOGUE: tuple[Metric, ...] = (
    Metric("orders_placed_total", Kind.COUNTER, "orders", "Total orders placed: sent to the venue."),
    Metric("orders_filled_total", Kind.COUNTER, "orders", "Total orders filled completely."),
    Metric("orders_cancelled_total", Kind.COUNTER, "orders", "Total orders canceled, on request or by the venue."),
    Metric("orders_rejected_total", Kind.COUNTER, "orders", "Total orders rejected by the venue."),
    Metric("errors_total", Kind.COUNTER, "errors", "Total errors by type: reason codes and process errors.", ("type",)),
    Metric(
        "risk_violations_total",
        Kind.COUNTER,
        "violations",
        "Total risk violations: orders denied by the risk manager and kill-switch engagements, by reason.",
        ("reason",),
    ),
    Metric("current_drawdown", Kind.GAUGE, "percent", "Current drawdown of equity from its peak, as a percentage."),
    Metric("position_count", Kind.GAUGE, "positions", "Current count of open positions."),
    Metric("total_exposure", Kind.GAUGE, "USD", "Total exposure: worst-case notional of positions and resting orders."),
    Metric("margin_ratio", Kind.GAUGE, "ratio", "Current margin ratio: maintenance margin over equity; 1 liquidates."),
    Metric("maker_ratio", Kind.GAUGE, "ratio", "Share of the traded notional that made liquidity."),
    Metric("system_health", Kind.GAUGE, "score", "System health score from 0 to 1: mean over the components."),
    Metric(
        "order_latency_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Order execution latency: from sending an order to the venue's first answer, in engine time.",
        (),
        ANSWER_SECONDS,
    ),
    Metric(
        "loop_duration_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Main loop duration: one engine step, measured.",
        (),
        LOOP_SECONDS,
    ),
    Metric(
        "validation_time_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Validation time: one API pre-check of one order, measured.",
        (),
        COMPUTING_SECONDS,
    ),
    Metric(
        "risk_calculation_time_seconds",
        Kind.HISTOGRAM,
        "seconds",
        "Risk calculation time: one decision of the risk manager, measured.",
        (),
        COMPUTING_SECONDS,
    ),
    Metric("realized_pnl", Kind.GAUGE, "USDC", "Realized profit (positive) or loss."),
    Metric("unrealized_pnl", Kind.GAUGE, "USDC", "Unrealized profit (positive) or loss at current marks."),
    Metric("funding_pnl", Kind.GAUGE, "USDC", "Funding received (positive) or paid."),
    Metric("fee_pnl", Kind.GAUGE, "USDC", "Fees as profit and loss: zero or negative."),
    Metric("rebate_pnl", Kind.GAUGE, "USDC", "Maker rebates: zero or positive."),
    Metric("slippage_pnl", Kind.GAUGE, "USDC", "Slippage against the mid at decision; a memo, not part of net."),
    Metric("liquidation_pnl", Kind.GAUGE, "USDC", "Part of realized_pnl from positions that the venue closed."),
    Metric("net_pnl", Kind.GAUGE, "USDC", "Net: realized + unrealized + funding + fee + rebate."),
    Metric("current_equity", Kind.GAUGE, "USDC", "Equity of the account at current marks."),
    Metric("max_drawdown", Kind.GAUGE, "percent", "Largest drawdown of this run, as a percentage."),
    Metric("value_at_risk", Kind.GAUGE, "USDC", "Loss over one pulse that is exceeded in 5 % of cases (VaR 95 %)."),
    Metric("margin_used", Kind.GAUGE, "USDC", "Initial margin of positions and resting orders."),
    Metric("open_orders", Kind.GAUGE, "orders", "Orders the venue may hold now."),
    Metric("fill_rate", Kind.GAUGE, "ratio", "Share of the ended orders that were filled at least in part."),
    Metric("average_slippage_bps", Kind.GAUGE, "bps", "Average slippage per traded notional; positive is a cost."),
    Metric("average_fee_bps", Kind.GAUGE, "bps", "Average fee less rebate per traded notional; positive is a cost."),
    Metric("orders_denied_total", Kind.COUNTER, "orders", "Total orders refused before they were sent.", ("reason",)),
    Metric(
        "average_markout_bps",
        Kind.GAUGE,
        "bps",
        "Average move of the mid after our fills, per traded notional; positive is in our favor.",
        ("horizon",),
    ),
    Metric("fills_total", Kind.COUNTER, "fills", "Total executions.", ("liquidity",)),
    Metric("traded_notional_total", Kind.COUNTER, "USDC", "Total traded notional.", ("liquidity",)),
    Metric("bot_mode", Kind.GAUGE, "flag", "1 for the mode the bot is in, 0 for every other.", ("mode",)),
    Metric("kill_switch_engaged", Kind.GAUGE, "flag", "1 while the kill switch is latched."),
    Metric("limit_warnings_total", Kind.COUNTER, "warnings", "Total warnings that a limit is near.", ("reason",)),
    Metric("market_data_age_seconds", Kind.GAUGE, "seconds", "Age of the newest market data.", ("symbol",)),
    Metric(
        "telemetry_dropped_total",
        Kind.COUNTER,
        "records",
        "Total telemetry lost because a bounded queue was full, a collector refused or a disk did.",
        ("what",),
    ),
    Metric("projection_backlog", Kind.GAUGE, "batches", "Notice batches that wait to be written to the ledger store."),
    Metric("equity_residual", Kind.GAUGE, "USDC", "Equity of the ledger less the venue's account value: zero."),
    Metric("unexplained_balance", Kind.GAUGE, "USDC", "Money by the venue's statements that no fact explains: zero."),
    Metric("discrepancy_open", Kind.GAUGE, "flag", "1 while a difference to the venue's statement blocks new risk."),
    Metric("discrepancies_total", Kind.COUNTER, "statements", "Total statements of the venue that differed from us."),
    Metric("corrections_total", Kind.COUNTER, "transactions", "Total corrections booked, by cause.", ("cause",)),
    Metric(
        "wire_events",
        Kind.GAUGE,
        "events",
        "What the adapter met on the venue's wire and survived since the start, by kind; nothing on paper.",
        ("kind",),
    ),
    Metric("ledger_rows", Kind.GAUGE, "rows", "Rows of the ledger store.", ("table",)),
    Metric("ledger_bytes", Kind.GAUGE, "bytes", "Size of the ledger store."),
)

COUNTERS = tuple(metric.name for metric in CATALOGUE if metric.kind is Kind.COUNTER)
GAUGES = tuple(metric.name for metric in CATALOGUE if metric.kind is Kind.GAUGE)
HISTOGRAMS = tuple(metric.name for metric in CATALOGUE if metric.kind is Kind.HISTOGRAM)


class Series(msgspec.Struct, frozen=True):
    """The living series of one registry, by name."""

    counters: Mapping[str, Counter]
    gauges: Mapping[str, Gauge]
    histograms: Mapping[str, Histogram]


def register(registry: CollectorRegistry) -> Series:
    """Create every declared series in a registry.

    Raises: ValueError (prometheus_client) when the registry has one of the names already.
    """
    # Without this the client library adds a `<name>_created` series to every counter, which nobody declared.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    return Series(
        {one.name: Counter(one.name, one.help, one.labels, registry=registry) for one in _of(Kind.COUNTER)},
        {one.name: Gauge(one.name, one.help, one.labels, registry=registry) for one in _of(Kind.GAUGE)},
        {
            one.name: Histogram(one.name, one.help, one.labels, registry=registry, buckets=one.buckets)
            for one in _of(Kind.HISTOGRAM)
        },
    )


def _of(kind: Kind) -> list[Metric]:
    return [metric for metric in CATALOGUE if metric.kind is kind]


def render() -> str:
    """Return docs/METRICS.md: the catalogue as a person reads it."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {metric.unit} "
        f"| {', '.join(f'`{label}`' for label in metric.labels) or 'none'} | {metric.help} |"
        for metric in CATALOGUE
    ]
    ladders = [
        f"- `{metric.name}`: {', '.join(f'{bound:g}' for bound in metric.buckets)}" for metric in _of(Kind.HISTOGRAM)
    ]
    return "\n".join(
        [
            "# Metrics",
            "",
            "Written by `make draw` from `monitoring/metrics.py`; a test keeps it current. The bot serves these at",
            "`/metrics`. Every run has its own registry, so a counter begins at zero when the bot starts.",
            "",
            "| name | kind | unit | labels | meaning |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Signs: every `*_pnl` gauge is a gain when positive, so the five causes sum to `net_pnl`; slippage is a",
            "memo and not part of it, liquidation a part of realized. Values of `reason` and `type` are the labels of",
            "`domain/reasons.py`; `type` also takes the process errors named in `monitoring/measure.py`.",
            "",
            "Histogram buckets, upper bounds in seconds:",
            "",
            *ladders,
            "",
        ]
    )
