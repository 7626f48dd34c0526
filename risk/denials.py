"""Denials: the words for the codes. Each names the limit and what was seen instead, in the limit's own unit.

Why it exists: refusing is rare and explaining costs arithmetic, so it stands beside the gate and not in its path.

Laws: what was seen breaks the limit it stands beside: it is above the limit, at or above it for a loss that reached
its stop, or below it for a size or price that is too small.
"""

from domain.order import Denial
from domain.reasons import Reason
from domain.units import RATE_UNIT
from domain.views import AccountView
from risk.limits import InstrumentLimits, RiskLimits
from risk.margin import RATIO_UNBOUNDED


def ratio_up(part: int, whole: int) -> int:
    """Return part / whole as Rate, rounded up, so that what exceeds a limit is seen to; plain Python only."""
    return -(-part * RATE_UNIT // whole) if whole > 0 else RATIO_UNBOUNDED


def deny_account(code: int, limits: RiskLimits, account: AccountView, value_at_risk: int, lots: int) -> Denial:
    """Return the denial of an order that does not reduce while only reducing ones may pass.

    Kill switch and mode have no number of their own: the limit is the lots that would reduce, none; seen, those asked.
    """
    match reason := Reason(code):
        case Reason.DRAWDOWN:
            return Denial(reason, limits.drawdown_stop, account.drawdown)
        case Reason.DAILY_LOSS:
            return Denial(reason, limits.daily_loss_max, account.loss_today)
        case Reason.VALUE_AT_RISK:
            return Denial(reason, limits.value_at_risk_max, value_at_risk)
        case _:
            return Denial(reason, 0, lots)


def deny_terms(
    code: int, limits: RiskLimits, lots: int, price: int, mark: int, age_ns: int, open_orders: int
) -> Denial:
    """Return the denial of an order whose size, price, market data or number is refused."""
    match reason := Reason(code):
        case Reason.ZERO_SIZE:
            return Denial(reason, 1, lots)
        case Reason.STALE_MARKET_DATA:
            return Denial(reason, limits.market_data_age_ns_max, age_ns)
        case Reason.PRICE_BAND:
            return Denial(reason, limits.price_band, ratio_up(abs(price - mark), mark))
        case Reason.OPEN_ORDERS:
            return Denial(reason, limits.open_orders_max, open_orders + 1)
        case Reason.ORDER_RATE:
            return Denial(reason, limits.orders_per_interval_max, limits.orders_per_interval_max + 1)
        case _:
            return Denial(reason, 1, mark)


def deny_size(
    code: int,
    limits: RiskLimits,
    own: InstrumentLimits,
    lots: int,
    order_unit: int,
    position_notional: int,
    other_exposure: int,
    account: AccountView,
) -> Denial:
    """Return the denial of an order of which the limits leave nothing.

    Units: Money; order_unit is the value of one lot at the order's price, position_notional that of the position the
    order could lead to, at mark.
    """
    match reason := Reason(code):
        case Reason.ORDER_NOTIONAL:
            return Denial(reason, own.order_notional_max, lots * order_unit)
        case Reason.POSITION_NOTIONAL:
            return Denial(reason, own.position_notional_max, position_notional)
        case Reason.TOTAL_EXPOSURE:
            return Denial(reason, limits.total_exposure_max, other_exposure + position_notional)
        case _:
            return Denial(reason, limits.leverage_max, ratio_up(other_exposure + position_notional, account.equity))
