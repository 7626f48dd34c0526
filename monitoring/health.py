"""Health: nine components, each ready, degraded or failed with one sentence; pure functions over plain inputs.

Why: the page, `/health`, `hat status` and the health script must say the same thing. The bot fills `HealthInputs` from
its parts; what counts as sick is decided here and nowhere else.
Rule 1: the worst component names the whole. Rule 2: the score is the mean over components (ready 1, degraded 1/2,
failed 0), which is also the metric `system_health`. Rule 3: a deliberate halt or pause is not hidden: it is degraded or
failed, with the reason.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from domain.modes import Mode
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, RATE_UNIT, Money, Rate, format_money

STEP_AGE_DEGRADED_NS = 5 * NS_PER_SECOND
STEP_AGE_FAILED_NS = 30 * NS_PER_SECOND
PERCENT = 100


class Condition(StrEnum):
    """How one component is."""

    READY = "ready"
    DEGRADED = "degraded"
    FAILED = "failed"


class Status(StrEnum):
    """How the whole is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_SCORE = {Condition.READY: 1.0, Condition.DEGRADED: 0.5, Condition.FAILED: 0.0}


class HealthInputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the bot knows about itself now.

    Units: *_ns in nanoseconds; now_ns and market_seen_ns in engine time (0: never seen), step_age_ns on the wall;
    drawdown limits in Rate; residuals (ours less the venue's) in Money and lots.
    """

    now_ns: int
    mode: Mode
    step_age_ns: int
    market_seen_ns: Mapping[str, int]
    market_age_ns_max: int
    drawdown: Rate = Rate(0)
    drawdown_warn: Rate = Rate(0)
    drawdown_stop: Rate = Rate(0)
    kill_reason: Reason = Reason.NONE
    kill_detail: str = ""
    orders_unknown: int = 0
    open_orders: int = 0
    answer_age_ns: int = 0
    """How long the longest unanswered request has waited."""
    answer_age_ns_max: int = 10 * NS_PER_SECOND
    exchange_error: str = ""
    ledger_error: str = ""
    cash_residual: Money = Money(0)
    projection_is_running: bool = True
    projection_backlog: int = 0
    projection_backlog_max: int = 1_000
    projection_error: str = ""
    observer_is_running: bool = True
    telemetry_dropped: int = 0
    telemetry_failed: int = 0


class ComponentHealth(msgspec.Struct, frozen=True):
    """One component, its condition and one sentence."""

    name: str
    condition: Condition
    detail: str


class Health(msgspec.Struct, frozen=True):
    """All components and what they sum to."""

    status: Status
    score: float
    mode: str
    ts_ns: int
    components: tuple[ComponentHealth, ...]

    def shape(self) -> dict[str, Any]:
        """Return the object that `/health` serves."""
        shape: dict[str, Any] = msgspec.to_builtins(self)
        return shape


def assess(inputs: HealthInputs) -> Health:
    """Return the health of the whole."""
    components = (
        _process(inputs),
        _market_data(inputs),
        _risk_manager(inputs),
        _kill_switch(inputs),
        _state_machine(inputs),
        _exchange(inputs),
        _ledger(inputs),
        _projection(inputs),
        _telemetry(inputs),
    )
    conditions = {component.condition for component in components}
    if Condition.FAILED in conditions:
        status = Status.UNHEALTHY
    elif Condition.DEGRADED in conditions:
        status = Status.DEGRADED
    else:
        status = Status.HEALTHY
    score = sum(_SCORE[component.condition] for component in components) / len(components)
    return Health(status, round(score, 4), inputs.mode.label, inputs.now_ns, components)


def _seconds(duration_ns: int) -> str:
    return f"{duration_ns / NS_PER_SECOND:.1f} s"


def _process(inputs: HealthInputs) -> ComponentHealth:
    detail = f"mode {inputs.mode.label}, last step {_seconds(inputs.step_age_ns)} ago"
    if inputs.step_age_ns > STEP_AGE_FAILED_NS:
        condition = Condition.FAILED
    elif inputs.step_age_ns > STEP_AGE_DEGRADED_NS or inputs.mode is not Mode.TRADING:
        condition = Condition.DEGRADED
    else:
        condition = Condition.READY
    return ComponentHealth("process", condition, detail)


def _market_data(inputs: HealthInputs) -> ComponentHealth:
    ages = {symbol: inputs.now_ns - seen if seen else None for symbol, seen in inputs.market_seen_ns.items()}
    stale = {symbol: age for symbol, age in ages.items() if age is None or age > inputs.market_age_ns_max}
    if not ages:
        return ComponentHealth("market_data", Condition.FAILED, "no instrument")
    if stale:
        told = ", ".join(f"{symbol} {'never seen' if age is None else _seconds(age)}" for symbol, age in stale.items())
        condition = Condition.FAILED if len(stale) == len(ages) else Condition.DEGRADED
        return ComponentHealth("market_data", condition, f"stale: {told} (limit {_seconds(inputs.market_age_ns_max)})")
    oldest = max(age for age in ages.values() if age is not None)
    return ComponentHealth("market_data", Condition.READY, f"{len(ages)} instruments, oldest {_seconds(oldest)}")


def _risk_manager(inputs: HealthInputs) -> ComponentHealth:
    share = f"drawdown {inputs.drawdown * PERCENT / RATE_UNIT:.2f} %"
    if inputs.drawdown_stop and inputs.drawdown >= inputs.drawdown_stop:
        stop = inputs.drawdown_stop * PERCENT / RATE_UNIT
        return ComponentHealth("risk_manager", Condition.FAILED, f"{share}, stop at {stop:g} %")
    if inputs.drawdown_warn and inputs.drawdown >= inputs.drawdown_warn:
        warn = inputs.drawdown_warn * PERCENT / RATE_UNIT
        return ComponentHealth("risk_manager", Condition.DEGRADED, f"{share}, warning at {warn:g} %")
    return ComponentHealth("risk_manager", Condition.READY, share)


def _kill_switch(inputs: HealthInputs) -> ComponentHealth:
    if inputs.kill_reason is not Reason.NONE:
        told, detail = inputs.kill_reason.sentence, inputs.kill_detail
        return ComponentHealth(
            "kill_switch", Condition.FAILED, f"{told}: {detail}" if detail not in {"", told} else told
        )
    if inputs.mode is Mode.HALTED:
        return ComponentHealth("kill_switch", Condition.FAILED, "halted")
    return ComponentHealth("kill_switch", Condition.READY, "armed")


def _state_machine(inputs: HealthInputs) -> ComponentHealth:
    if inputs.orders_unknown:
        detail = f"{inputs.orders_unknown} of {inputs.open_orders} open orders in doubt"
        return ComponentHealth("state_machine", Condition.DEGRADED, detail)
    return ComponentHealth("state_machine", Condition.READY, f"{inputs.open_orders} open orders")


def _exchange(inputs: HealthInputs) -> ComponentHealth:
    if inputs.exchange_error:
        return ComponentHealth("exchange", Condition.FAILED, inputs.exchange_error)
    if inputs.answer_age_ns > inputs.answer_age_ns_max:
        return ComponentHealth("exchange", Condition.DEGRADED, f"no answer for {_seconds(inputs.answer_age_ns)}")
    return ComponentHealth("exchange", Condition.READY, "answers")


def _ledger(inputs: HealthInputs) -> ComponentHealth:
    if inputs.ledger_error:
        return ComponentHealth("ledger", Condition.FAILED, inputs.ledger_error)
    if inputs.cash_residual:
        told = f"differs from the venue by {format_money(inputs.cash_residual)} USDC"
        return ComponentHealth("ledger", Condition.FAILED, told)
    return ComponentHealth("ledger", Condition.READY, "balanced, equals the venue")


def _projection(inputs: HealthInputs) -> ComponentHealth:
    detail = f"{inputs.projection_backlog} of at most {inputs.projection_backlog_max} notices wait"
    if not inputs.projection_is_running:
        return ComponentHealth("projection", Condition.FAILED, f"not running, {detail}")
    if inputs.projection_backlog >= inputs.projection_backlog_max:
        return ComponentHealth("projection", Condition.FAILED, inputs.projection_error or detail)
    if inputs.projection_error:
        return ComponentHealth("projection", Condition.DEGRADED, f"{inputs.projection_error}; {detail}")
    if inputs.projection_backlog * 2 >= inputs.projection_backlog_max:
        return ComponentHealth("projection", Condition.DEGRADED, detail)
    return ComponentHealth("projection", Condition.READY, detail)


def _telemetry(inputs: HealthInputs) -> ComponentHealth:
    if not inputs.observer_is_running:
        return ComponentHealth("telemetry", Condition.FAILED, "the observer is not running")
    if inputs.telemetry_dropped or inputs.telemetry_failed:
        told = f"{inputs.telemetry_dropped} records dropped, {inputs.telemetry_failed} spans refused by the collector"
        return ComponentHealth("telemetry", Condition.DEGRADED, told)
    return ComponentHealth("telemetry", Condition.READY, "nothing lost")
