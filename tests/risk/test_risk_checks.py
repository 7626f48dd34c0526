"""Checks: each rule at, below and above its limit, and the order in which they speak."""

import pytest

from domain.reasons import Reason
from domain.units import RATE_UNIT
from risk.checks import check_account, check_terms

CALM = {
    "is_killed": False,
    "reducing_only": False,
    "drawdown": 0,
    "drawdown_stop": 50,
    "loss_today": -7,
    "daily_loss_max": 100,
    "value_at_risk": 10,
    "value_at_risk_max": 0,
}
FINE = {
    "lots": 1,
    "price": 1_000,
    "mark": 1_000,
    "price_band": RATE_UNIT // 20,
    "age_ns": 5,
    "age_ns_max": 5,
    "open_orders": 2,
    "open_orders_max": 3,
    "since_order_ns": 10,
    "order_interval_ns": 10,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Reason.NONE),
        ({"drawdown": 49}, Reason.NONE),
        ({"drawdown": 50}, Reason.DRAWDOWN),
        ({"loss_today": 99}, Reason.NONE),
        ({"loss_today": 100}, Reason.DAILY_LOSS),
        ({"value_at_risk_max": 10}, Reason.NONE),
        ({"value_at_risk_max": 9}, Reason.VALUE_AT_RISK),
        ({"reducing_only": True, "drawdown": 50}, Reason.MODE_FORBIDS),
        ({"is_killed": True, "reducing_only": True}, Reason.KILL_SWITCH),
    ],
)
def test_account_check_names_the_gravest_reason(changes, expected):
    assert check_account(*{**CALM, **changes}.values()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Reason.NONE),
        ({"lots": 0}, Reason.ZERO_SIZE),
        ({"lots": -1}, Reason.ZERO_SIZE),
        ({"mark": 0}, Reason.NO_MARKET_DATA),
        ({"age_ns": 6}, Reason.STALE_MARKET_DATA),
        ({"price": 1_050}, Reason.NONE),
        ({"price": 1_051}, Reason.PRICE_BAND),
        ({"price": 950}, Reason.NONE),
        ({"price": 949}, Reason.PRICE_BAND),
        ({"price": 0}, Reason.PRICE_BAND),
        ({"open_orders": 3}, Reason.OPEN_ORDERS),
        ({"since_order_ns": 9}, Reason.ORDER_RATE),
        ({"lots": 0, "mark": 0, "age_ns": 6, "price": 0}, Reason.ZERO_SIZE),
    ],
)
def test_terms_check_names_the_first_objection(changes, expected):
    assert check_terms(*{**FINE, **changes}.values()) == expected
