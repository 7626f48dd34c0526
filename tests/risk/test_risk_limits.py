"""Limits: the defaults are usable, an instrument's own replace them, and absurd ones are refused by name."""

import msgspec
import pytest

from domain.errors import ConfigInvalid
from domain.units import MONEY_UNIT, RATE_UNIT
from risk.limits import InstrumentLimits, RiskLimits, validate


def test_defaults_are_valid():
    validate(RiskLimits())


def test_instrument_limits_replace_the_default_whole():
    own = InstrumentLimits(order_notional_max=50 * MONEY_UNIT, position_notional_max=60 * MONEY_UNIT)
    limits = RiskLimits(per_instrument={"BTC": own})
    validate(limits)
    assert limits.of("BTC") is own
    assert limits.of("ETH") is limits.default


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("total_exposure_max", -1),
        ("total_exposure_max", 10**19),
        ("daily_loss_max", 0),
        ("value_at_risk_max", -1),
        ("leverage_max", 0),
        ("leverage_max", 51 * RATE_UNIT),
        ("price_band", RATE_UNIT),
        ("drawdown_stop", RATE_UNIT + 1),
        ("drawdown_warn", 6 * RATE_UNIT // 100),
        ("margin_ratio_stop", 0),
        ("open_orders_max", 0),
        ("orders_per_interval_max", 0),
        ("order_interval_ns", 0),
        ("market_data_age_ns_max", -5),
    ],
)
def test_limits_are_refused_by_name_when_absurd(key, value):
    with pytest.raises(ConfigInvalid) as caught:
        validate(msgspec.structs.replace(RiskLimits(), **{key: value}))
    assert caught.value.key == f"risk.{key}"
    assert caught.value.expected


@pytest.mark.parametrize("key", ["order_notional_max", "position_notional_max"])
def test_limits_of_an_instrument_are_refused_when_below_the_smallest_order(key):
    own = msgspec.structs.replace(InstrumentLimits(), **{key: 9 * MONEY_UNIT})
    with pytest.raises(ConfigInvalid, match=f"risk.per_instrument.BTC.{key} = '9': expected 10"):
        validate(RiskLimits(per_instrument={"BTC": own}))
