"""Checks before an order: plain functions over integers that return the code of the first objection, 0 for none.

Why it exists: the engine and the compiled backtest must refuse the same orders, so the rules are written once, in the
part of Python that numba compiles unchanged; each function calls no other. `gate.py` gives the codes their words.

Laws: a code is the value of a `Reason`; a value at a limit is within it, except for losses: a loss that has reached
its stop has reached it. All functions run plain and compiled.
"""

from domain.reasons import Reason
from domain.units import RATE_UNIT

KILL_SWITCH = int(Reason.KILL_SWITCH)
MODE_FORBIDS = int(Reason.MODE_FORBIDS)
DRAWDOWN = int(Reason.DRAWDOWN)
DAILY_LOSS = int(Reason.DAILY_LOSS)
VALUE_AT_RISK = int(Reason.VALUE_AT_RISK)
ZERO_SIZE = int(Reason.ZERO_SIZE)
NO_MARKET_DATA = int(Reason.NO_MARKET_DATA)
STALE_MARKET_DATA = int(Reason.STALE_MARKET_DATA)
PRICE_BAND = int(Reason.PRICE_BAND)
OPEN_ORDERS = int(Reason.OPEN_ORDERS)
ORDER_RATE = int(Reason.ORDER_RATE)


def check_account(
    is_killed: bool,
    reducing_only: bool,
    drawdown: int,
    drawdown_stop: int,
    loss_today: int,
    daily_loss_max: int,
    value_at_risk: int,
    value_at_risk_max: int,
) -> int:
    """Return why only orders that reduce a position may pass now, gravest first.

    Units: Rate for drawdown, Money for the rest; value_at_risk_max 0 is no limit.
    """
    if is_killed:
        return KILL_SWITCH
    if reducing_only:
        return MODE_FORBIDS
    if drawdown >= drawdown_stop:
        return DRAWDOWN
    if loss_today >= daily_loss_max:
        return DAILY_LOSS
    if value_at_risk > value_at_risk_max > 0:
        return VALUE_AT_RISK
    return 0


def check_terms(
    lots: int,
    price: int,
    mark: int,
    price_band: int,
    age_ns: int,
    age_ns_max: int,
    open_orders: int,
    open_orders_max: int,
    since_order_ns: int,
    order_interval_ns: int,
) -> int:
    """Return the first objection to an order's terms, its market data or its number.

    Units: lots; price and mark in price units below 9e9, mark 0 unknown; price_band Rate. open_orders counts the
    others; since_order_ns is the age of the oldest order still within the count per interval.
    """
    if lots <= 0:
        return ZERO_SIZE
    if mark <= 0:
        return NO_MARKET_DATA
    if age_ns > age_ns_max:
        return STALE_MARKET_DATA
    if price <= 0 or abs(price - mark) * RATE_UNIT > price_band * mark:
        return PRICE_BAND
    if open_orders >= open_orders_max:
        return OPEN_ORDERS
    if since_order_ns < order_interval_ns:
        return ORDER_RATE
    return 0
