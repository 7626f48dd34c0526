"""Queue, fees, funding, margin and latency: laws of the plain functions, and that numba compiles them to the same."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from domain.errors import ConfigInvalid
from domain.units import MICRO_USDC, MONEY_UNIT, NS_PER_MS, RATE_UNIT, Money, Rate, money_times_rate, round_to_micro
from exchange.simulated import costs
from exchange.simulated.latency import NORMAL_MAX, ONE, LatencyModel, power_of_two, scaled_by_normal, splitmix
from exchange.simulated.margin import initial_margin, leverage_at, worst_lots
from exchange.simulated.queue import UNKNOWN, ahead_after_trade, ahead_clamped, ahead_shared, filled_by_trade
from exchange.simulated.settings import LatencySettings, VenueSettings, validated

LOTS = st.integers(0, 3 * 10**9)
AHEAD = st.one_of(st.just(UNKNOWN), LOTS)
SHOWN = AHEAD
POSITION = st.integers(-(10**9), 10**9)
MONEY = st.integers(0, 9 * 10**15)
RATE = st.integers(-(RATE_UNIT // 25), RATE_UNIT // 25)
BOUNDS = st.just((0, 3_000 * MONEY_UNIT))
CAPS = st.tuples(st.integers(1, 50), st.integers(1, 50))

TWINS = {
    filled_by_trade: st.tuples(AHEAD, LOTS, LOTS),
    ahead_after_trade: st.tuples(AHEAD, LOTS),
    ahead_clamped: st.tuples(AHEAD, SHOWN),
    leverage_at: st.tuples(MONEY, st.integers(1, 50), BOUNDS, CAPS),
    initial_margin: st.tuples(MONEY, st.integers(1, 50)),
    worst_lots: st.tuples(POSITION, LOTS, LOTS),
}


@pytest.mark.parametrize("plain", list(TWINS), ids=lambda plain: plain.__name__)
def test_function_gives_the_same_when_compiled(plain) -> None:
    compiled = njit(plain)

    @settings(max_examples=80, deadline=None)
    @given(TWINS[plain])
    def agrees(arguments) -> None:
        assert plain(*arguments) == compiled(*arguments)

    agrees()


def test_functions_that_call_others_give_the_same_when_compiled(monkeypatch) -> None:
    from exchange.simulated import queue

    monkeypatch.setattr(costs, "money_times_rate", njit(money_times_rate))
    monkeypatch.setattr(costs, "round_to_micro", njit(round_to_micro))
    fee, funding = njit(costs.fee_of), njit(costs.funding_of)
    monkeypatch.setattr(queue, "ahead_clamped", njit(ahead_clamped))
    shared = njit(queue.ahead_shared)

    @settings(max_examples=120, deadline=None)
    @given(MONEY, RATE, st.integers(-(10**7), 10**7), st.integers(1, 10**7), st.sampled_from([1, 100]))
    def costs_agree(notional, rate, position, oracle, unit) -> None:
        assert round_to_micro(money_times_rate(notional, rate)) == fee(notional, rate)
        expected = round_to_micro(-money_times_rate(position * oracle * unit, rate))
        assert expected == funding(position, oracle, unit, rate)

    @settings(max_examples=120, deadline=None)
    @given(AHEAD, SHOWN, SHOWN, LOTS)
    def queues_agree(ahead, before, shown, traded) -> None:
        assert ahead_shared(ahead, before, shown, traded) == shared(ahead, before, shown, traded)

    costs_agree()
    queues_agree()


@given(AHEAD, LOTS, LOTS)
def test_a_print_is_shared_between_queue_and_fill_and_nothing_is_left_over(
    ahead: int, leaves: int, traded: int
) -> None:
    filled, after = filled_by_trade(ahead, leaves, traded), ahead_after_trade(ahead, traded)
    if ahead == UNKNOWN:
        assert (0, UNKNOWN) == (filled, after)
        return
    assert 0 <= filled <= leaves
    assert (ahead - after) + filled <= traded
    assert filled == 0 or after == 0
    assert (ahead - after) + filled == min(traded, ahead + leaves)


@given(AHEAD, SHOWN, SHOWN, LOTS)
def test_a_known_queue_never_grows_and_never_exceeds_what_is_shown(ahead, before, shown, traded) -> None:
    for after in (ahead_clamped(ahead, shown), ahead_shared(ahead, before, shown, traded)):
        if shown == UNKNOWN:
            assert after == ahead
        elif ahead == UNKNOWN:
            assert after == shown
        else:
            assert 0 <= after <= min(ahead, shown)


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_probabilistic_queue_shares_cancels_in_proportion_rounded_against_us(ahead, behind, gone, traded) -> None:
    before = ahead + behind + traded
    shown = max(before - traded - gone, 0)
    canceled = before - traded - shown
    after = ahead_shared(ahead, before, shown, traded)
    exact = ahead - Fraction(canceled * ahead, ahead + behind)
    assert min(exact, shown) <= after < exact + 1


def test_prints_explain_a_decrease_once() -> None:
    assert 60 == ahead_shared(60, 100, 80, 20)
    assert 60 == ahead_shared(60, 100, 80, 30)
    assert 0 == ahead_shared(60, 100, 0, 100)


@given(MONEY, RATE)
def test_fees_are_whole_micro_usdc_within_one_of_the_exact_value(notional: int, rate: int) -> None:
    fee = costs.fee_of(notional, rate)
    assert fee % MICRO_USDC == 0
    assert abs(Fraction(notional * rate, RATE_UNIT) - fee) <= Fraction(MICRO_USDC, 2) + Fraction(1, 2)
    assert costs.fee_of(notional, -rate) == -fee


@given(POSITION, st.integers(1, 10**7), RATE)
def test_funding_is_zero_sum_between_long_and_short(position: int, oracle: int, rate: int) -> None:
    paid = costs.funding_of(position, oracle, 100, rate)
    assert paid == -costs.funding_of(-position, oracle, 100, rate)
    assert paid == -costs.funding_of(position, oracle, 100, -rate)
    assert paid * position * rate <= 0


def test_funding_of_one_bitcoin() -> None:
    # 1 BTC at 100,000.0, 0.00125 % an hour: 1.25 USDC.
    assert -125_000_000 == costs.funding_of(100_000, 1_000_000, 100, 12_500)


def test_leverage_falls_with_the_tier() -> None:
    bounds, caps = (0, 100, 1000), (40, 20, 5)
    assert [10, 10, 10, 5] == [leverage_at(notional, 10, bounds, caps) for notional in (0, 99, 999, 1000)]
    assert [40, 20, 5] == [leverage_at(notional, 50, bounds, caps) for notional in (99, 100, 1000)]


def test_initial_margin_rounds_up() -> None:
    assert [0, 1, 1, 2] == [initial_margin(notional, 3) for notional in (0, 1, 3, 4)]


def test_the_generator_is_splitmix() -> None:
    """First outputs for seed 1234567, as published with the reference implementation."""
    state, outputs = 1234567, []
    for _ in range(3):
        state, bits = splitmix(state)
        outputs.append(bits)
    assert [6457827717110365317, 3203168211198807973, 9817491932198370423] == outputs


@given(st.integers(-20 * ONE, 20 * ONE))
def test_powers_of_two_are_right_to_seven_digits(exponent: int) -> None:
    exact = 2.0 ** (exponent / ONE) * ONE
    assert abs(power_of_two(exponent) - exact) <= exact * 1e-7 + 1


def test_a_lognormal_is_its_median_at_the_middle() -> None:
    assert 50 * NS_PER_MS == scaled_by_normal(50 * NS_PER_MS, 300_000_000, 0)
    up = scaled_by_normal(50 * NS_PER_MS, 300_000_000, 1 << 16)
    down = scaled_by_normal(50 * NS_PER_MS, 300_000_000, -(1 << 16))
    assert abs(up - 67_492_940) < 100
    assert abs(down - 37_040_911) < 100


def test_samples_are_spread_around_the_median_and_never_below_the_least() -> None:
    model = LatencyModel(LatencySettings(median_ns=10 * NS_PER_MS, sigma=Rate(400_000_000)), seed=3)
    samples = sorted(model.sample() for _ in range(4000))
    assert samples[0] >= model.least_ns == scaled_by_normal(10 * NS_PER_MS, 400_000_000, -NORMAL_MAX)
    assert abs(samples[2000] - 10 * NS_PER_MS) < NS_PER_MS // 2
    # One standard deviation up is at 84.1 %: 10 ms times e**0.4.
    assert abs(samples[3365] - 14_918_247) < NS_PER_MS
    again = LatencyModel(LatencySettings(median_ns=10 * NS_PER_MS, sigma=Rate(400_000_000)), seed=3)
    assert samples == sorted(again.sample() for _ in range(4000))


def test_a_constant_latency_is_constant() -> None:
    model = LatencyModel(LatencySettings(median_ns=7), seed=3)
    assert [7, 7, 7] == [model.least_ns, model.sample(), model.sample()]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"cash": Money(-1)}, "venue.cash"),
        ({"leverage": 0}, "venue.leverage"),
        ({"maker_rate": Rate(-10_000_001)}, "venue.maker_rate"),
        ({"taker_rate": Rate(10_000_001)}, "venue.taker_rate"),
        ({"open_orders_max": 0}, "venue.open_orders_max"),
        ({"seed": -1}, "venue.seed"),
        ({"order_latency": LatencySettings(median_ns=-1)}, "venue.order_latency.median_ns"),
        ({"feed_latency": LatencySettings(sigma=Rate(-1))}, "venue.feed_latency.sigma"),
        ({"response_latency": LatencySettings(median_ns=61_000_000_000)}, "venue.response_latency.median_ns"),
    ],
)
def test_impossible_settings_are_refused_by_name(changes: dict, key: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        validated(VenueSettings(**changes))
    assert caught.value.key == key


def test_the_defaults_are_possible() -> None:
    assert VenueSettings() == validated(VenueSettings())
