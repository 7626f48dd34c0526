"""The two-sided maker: its closed form, its skew, its limits, its patience."""

from math import exp, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigInvalid
from domain.order import Side, WantedQuotes
from domain.units import Lots, Money, Price, Rate
from domain.views import MarketView
from engine.strategies import make_strategy
from engine.strategies.two_sided import TRADE_RATE_FLOOR, VOLATILITY_FLOOR_BPS, TwoSidedMaker, TwoSidedSettings
from engine.strategy import StrategyView
from tests.builders import BTC, at, lots, price, trade


def view(bid: str, ask: str, seconds: float = 1.0, position: str = "0") -> StrategyView:
    """Return what the maker looks at."""
    market = MarketView(
        "BTC", price(bid), lots("1"), price(ask), lots("1"), Price(0), Price(0), Rate(0), at(seconds)
    )  # fmt: skip
    return StrategyView(BTC, market, (), (), lots(position), Money(0), at(seconds))


def maker(**changes: float) -> TwoSidedMaker:
    """Return a maker with these settings."""
    return TwoSidedMaker(TwoSidedSettings(**changes).validated())  # type: ignore[arg-type]


def wanted(found: WantedQuotes | None) -> tuple[int, int]:
    """Return (bid, ask), 0 where nothing is wanted."""
    assert found is not None
    return (found.bids[0].price if found.bids else 0, found.asks[0].price if found.asks else 0)


def test_flat_quotes_stand_at_the_distance_of_the_closed_form() -> None:
    """Without volatility and trades the floors apply; the formula is written out a second time here."""
    gamma, kappa = 0.1, 0.5

    bid, ask = wanted(maker(gamma=gamma, kappa=kappa).quotes(view("99999", "100001")))

    ratio = 1 + gamma / kappa
    c2 = sqrt(gamma / (2 * kappa * TRADE_RATE_FLOOR) * ratio ** (1 + kappa / gamma))
    distance_bps = log(ratio) / gamma + c2 * VOLATILITY_FLOOR_BPS / 2
    assert bid == BTC.floor(Price(int(1_000_000 * (1 - distance_bps / 10_000))))
    assert ask == BTC.ceil(Price(int(1_000_000 * (1 + distance_bps / 10_000)) + 1))


def test_long_inventory_moves_both_quotes_down() -> None:
    flat = wanted(maker().quotes(view("99999", "100001")))
    longer = wanted(maker().quotes(view("99999", "100001", position="0.006")))

    assert longer[0] < flat[0]
    assert longer[1] < flat[1]


def test_inventory_limit_leaves_out_the_side_that_would_add() -> None:
    assert wanted(maker().quotes(view("99999", "100001", position="0.02")))[0] == 0
    assert wanted(maker().quotes(view("99999", "100001", position="-0.02")))[1] == 0


def test_more_volatility_widens_the_spread() -> None:
    calm, wild = maker(), maker()
    for number in range(1, 40):
        calm.quotes(view("99999", "100001", number))
        wild.quotes(view(*(("99899", "99901") if number % 2 else ("100099", "100101")), number))

    calm_bid, calm_ask = wanted(calm.quotes(view("99999", "100001", 41)))
    wild_bid, wild_ask = wanted(wild.quotes(view("99999", "100001", 41)))

    assert wild_ask - wild_bid > calm_ask - calm_bid


def test_more_trades_narrow_the_inventory_term() -> None:
    quiet, busy = maker(), maker()
    for number in range(200):
        busy.saw_trade(trade("100000", "0.1", Side.BUY, at(1 + number / 100), number))
    position = "0.006"

    quiet_bid, _ = wanted(quiet.quotes(view("99999", "100001", 4, position)))
    busy_bid, _ = wanted(busy.quotes(view("99999", "100001", 4, position)))

    assert busy_bid > quiet_bid


def test_trade_rate_of_a_steady_stream_is_its_rate() -> None:
    """Ten trades a second for many half lives."""
    steady = maker(trade_half_life_s=1.0)
    for number in range(300):
        steady.saw_trade(trade("100000", "0.1", Side.BUY, at(1 + number / 10), number))

    rate = steady.snapshot()["BTC"]["trade_rate"]
    step = exp(-log(2) / 10)
    assert rate == pytest.approx(log(2) / (1 - step), rel=1e-6)


def test_it_is_patient_until_time_price_or_position_moves() -> None:
    patient = maker()
    patient.quotes(view("99999", "100001", 1.0))
    mid_x2 = 2_000_000

    assert not patient.is_due("BTC", at(1.1), mid_x2, 0)
    assert patient.is_due("BTC", at(1.25), mid_x2, 0)
    assert patient.is_due("BTC", at(1.1), mid_x2 + 100, 0)
    assert patient.is_due("BTC", at(1.1), mid_x2, 1)
    assert patient.is_due("ETH", at(1.1), mid_x2, 0)


def test_an_order_below_one_lot_wants_nothing() -> None:
    found = maker(order_notional_usd=0.5).quotes(view("99999", "100001"))

    assert found == WantedQuotes("BTC")


@given(
    bid=st.integers(50_000, 150_000),
    spread=st.integers(1, 50),
    position=st.integers(-3_000, 3_000),
    gamma=st.floats(0.01, 2.0),
    kappa=st.floats(0.05, 10.0),
)
def test_quotes_never_cross_the_market_and_stand_on_the_grid(
    bid: int, spread: int, position: int, gamma: float, kappa: float
) -> None:
    market = view(str(bid), str(bid + spread))
    looked = StrategyView(BTC, market.market, (), (), Lots(position), Money(0), market.now_ns)

    found = maker(gamma=gamma, kappa=kappa, inventory_notional_usd=1e6).quotes(looked)

    assert found is not None
    for one in found.bids:
        assert one.price < market.market.ask_price
        assert BTC.is_on_grid(one.price)
        assert one.lots > 0
    for one in found.asks:
        assert one.price > market.market.bid_price
        assert BTC.is_on_grid(one.price)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"gamma": 0.0}, "strategy.gamma"),
        ({"kappa": float("nan")}, "strategy.kappa"),
        ({"order_notional_usd": float("inf")}, "strategy.order_notional_usd"),
        ({"requote_interval_ms": -1}, "strategy.requote_interval_ms"),
        ({"half_spread_bps_min": 60.0}, "strategy.half_spread_bps_min"),
        ({"gama": 1.0}, "gama"),
    ],
)
def test_absurd_parameters_are_refused(parameters: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        make_strategy("two_sided", parameters)


def test_unknown_strategy_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ConfigInvalid, match="null, two_sided"):
        make_strategy("lucky", {})
