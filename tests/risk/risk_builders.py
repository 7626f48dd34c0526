"""Small things of the risk room with every default visible: a BTC perpetual at 50,000, 10,000 USDC, nothing open."""

from domain.instrument import Instrument, MarginTier, perpetual
from domain.order import OrderIntent, Side
from domain.units import MONEY_UNIT, NS_PER_SECOND, RATE_UNIT
from domain.views import AccountView, ExposureView, MarketView
from risk.limits import InstrumentLimits, RiskLimits

NOW_NS = 1_700_000_000 * NS_PER_SECOND
BTC = perpetual("BTC", 0, 5, 40, (MarginTier(lower_bound=150_000_000 * MONEY_UNIT, leverage_max=20),))
"""One lot is 0.00001 BTC, a price unit is 0.1 USDC, so a lot at 50,000 is worth 0.5 USDC."""
MARK = 500_000
LOT = 50_000_000
"""Value of one lot of BTC at MARK, in Money."""
INSTRUMENTS: dict[str, Instrument] = {"BTC": BTC, "ETH": perpetual("ETH", 1, 4, 25)}


def usdc(amount):
    return amount * MONEY_UNIT


def an_intent(lots=100, *, side=Side.BUY, price=MARK, symbol="BTC", reduce_only=False):
    return OrderIntent(symbol=symbol, side=side, price=price, lots=lots, reduce_only=reduce_only)


def a_market(mark=MARK, *, bid=MARK - 10, ask=MARK + 10, ts_ns=NOW_NS, symbol="BTC"):
    return MarketView(symbol, bid, 1_000, ask, 1_000, mark, mark, 0, ts_ns)


def an_exposure(position=0, *, buys=0, sells=0, symbol="BTC"):
    return ExposureView(symbol, position, buys, sells)


def an_account(*, equity=10_000 * MONEY_UNIT, exposure=0, loss_today=0, drawdown=0, open_orders=0):
    return AccountView(equity, exposure, 0, loss_today, drawdown, open_orders)


def some_limits(*, order=1_000, position=4_000, **overrides):
    own = InstrumentLimits(order_notional_max=usdc(order), position_notional_max=usdc(position))
    return RiskLimits(default=own, **overrides)


def rate(percent):
    return percent * RATE_UNIT // 100
