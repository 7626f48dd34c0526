"""Limits: every number the risk manager compares with, frozen, with units.

Why it exists: a limit that is hidden in code is a limit nobody agreed to. All of them are here, the defaults fit a
paper account of 10,000 USDC, and `validate` refuses a set that contradicts itself before anything starts.

Laws: limits never change while they are in use; a limit of an instrument replaces the default whole, not in part.
"""

import msgspec

from domain.errors import ConfigInvalid
from domain.instrument import NOTIONAL_MIN
from domain.units import MONEY_UNIT, NS_PER_DAY, NS_PER_SECOND, RATE_UNIT, Money, Rate, format_money, format_rate

PERCENT = RATE_UNIT // 100
MONEY_MAX = 10**10 * MONEY_UNIT
"""10 billion USDC: far above any account of ours, far below 2**63, so that compiled sums cannot overflow."""

LEVERAGE_LIMIT = Rate(50 * RATE_UNIT)
"""The venue has offered 50x at most. Source: HYPERLIQUID 9.3 (venue docs "Margin tiers"), read 2026-11-20."""

COUNT_MAX = 1_000_000


class InstrumentLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one instrument may hold. Units: Money, both at absolute value.

    order_notional_max bounds one order at its own price; position_notional_max bounds the position, every resting
    order on its side filled, at mark.
    """

    order_notional_max: Money = Money(1_000 * MONEY_UNIT)
    position_notional_max: Money = Money(4_000 * MONEY_UNIT)


class RiskLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Every limit of one account.

    Units: Money for *_exposure_max, daily_loss_max, value_at_risk_max (0: off); Rate for leverage_max (3x is
    3_000_000_000), price_band, drawdown_*, margin_ratio_stop; nanoseconds for *_ns and *_ns_max; counts otherwise.
    """

    default: InstrumentLimits = InstrumentLimits()
    per_instrument: dict[str, InstrumentLimits] = {}
    total_exposure_max: Money = Money(15_000 * MONEY_UNIT)
    leverage_max: Rate = Rate(3 * RATE_UNIT)
    open_orders_max: int = 100
    orders_per_interval_max: int = 100
    order_interval_ns: int = NS_PER_SECOND
    price_band: Rate = Rate(5 * PERCENT)
    drawdown_warn: Rate = Rate(2 * PERCENT)
    drawdown_stop: Rate = Rate(5 * PERCENT)
    daily_loss_max: Money = Money(400 * MONEY_UNIT)
    market_data_age_ns_max: int = 5 * NS_PER_SECOND
    margin_ratio_stop: Rate = Rate(50 * PERCENT)
    value_at_risk_max: Money = Money(0)

    def of(self, symbol: str) -> InstrumentLimits:
        """Return the limits of an instrument: its own, or the default."""
        return self.per_instrument.get(symbol, self.default)


def validate(limits: RiskLimits) -> None:
    """Refuse limits that are absurd or contradict each other.

    Raises: ConfigInvalid naming the key, the value and the range.
    """
    _validate_instrument("risk.default", limits.default)
    for symbol, own in limits.per_instrument.items():
        _validate_instrument(f"risk.per_instrument.{symbol}", own)
    _money("risk.total_exposure_max", limits.total_exposure_max, NOTIONAL_MIN)
    _money("risk.daily_loss_max", limits.daily_loss_max, 1)
    _money("risk.value_at_risk_max", limits.value_at_risk_max, 0)
    _rate("risk.leverage_max", limits.leverage_max, LEVERAGE_LIMIT)
    _rate("risk.price_band", limits.price_band, RATE_UNIT - 1)
    _rate("risk.drawdown_stop", limits.drawdown_stop, RATE_UNIT)
    _rate("risk.drawdown_warn", limits.drawdown_warn, limits.drawdown_stop)
    _rate("risk.margin_ratio_stop", limits.margin_ratio_stop, RATE_UNIT)
    _count("risk.open_orders_max", limits.open_orders_max, COUNT_MAX)
    _count("risk.orders_per_interval_max", limits.orders_per_interval_max, COUNT_MAX)
    _count("risk.order_interval_ns", limits.order_interval_ns, NS_PER_DAY)
    _count("risk.market_data_age_ns_max", limits.market_data_age_ns_max, NS_PER_DAY)


def _validate_instrument(key: str, limits: InstrumentLimits) -> None:
    _money(f"{key}.order_notional_max", limits.order_notional_max, NOTIONAL_MIN)
    _money(f"{key}.position_notional_max", limits.position_notional_max, NOTIONAL_MIN)


def _money(key: str, value: Money, least: int) -> None:
    if not least <= value <= MONEY_MAX:
        expected = f"{format_money(Money(least))}..{format_money(Money(MONEY_MAX))} USDC"
        raise ConfigInvalid(key, format_money(value), expected)


def _rate(key: str, value: Rate, most: int) -> None:
    if not 1 <= value <= most:
        raise ConfigInvalid(key, format_rate(value), f"above 0 and at most {format_rate(Rate(most))}")


def _count(key: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ConfigInvalid(key, value, f"1..{most}")
