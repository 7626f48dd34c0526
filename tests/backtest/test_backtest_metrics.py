"""Statistics of an equity curve against definitions written out the slow way."""

from math import sqrt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.metrics import (
    YEAR_NS,
    Performance,
    drawdown,
    performance,
    resampled,
    sharpe_ratio,
    simple_returns,
    sortino_ratio,
)
from domain.units import MONEY_UNIT, NS_PER_DAY, NS_PER_SECOND, Money

MINUTE_NS = 60 * NS_PER_SECOND

curves = st.lists(
    st.tuples(st.integers(0, 200), st.integers(-1_000, 1_000).map(Money)), min_size=1, max_size=40
).map(lambda points: sorted(points, key=lambda point: point[0]))  # fmt: skip


def a_curve(*usdc, step_ns=MINUTE_NS, start_ns=1_000):
    return [(start_ns + place * step_ns, Money(round(value * MONEY_UNIT))) for place, value in enumerate(usdc)]


@given(curve=curves, interval=st.integers(1, 90))
def test_resampling_takes_the_last_value_known_at_each_point(curve, interval):
    points = range(curve[0][0], curve[-1][0] + 1, interval)
    assert resampled(curve, interval) == [[value for ts, value in curve if ts <= point][-1] for point in points]


def test_resampling_leaves_out_the_incomplete_interval():
    assert resampled([(0, Money(1)), (10, Money(2)), (19, Money(3))], 10) == [1, 2]


def test_resampling_nothing_gives_nothing():
    assert resampled([], 10) == []


@pytest.mark.parametrize("interval", [0, -1])
def test_resampling_refuses_an_interval_that_is_not_positive(interval):
    with pytest.raises(ValueError, match="expected above 0"):
        resampled([(0, Money(1))], interval)


@given(curve=curves)
def test_drawdown_is_the_largest_fall_below_the_highest_so_far(curve):
    values = [value for _, value in curve]
    falls = [(max(values[: place + 1]), value) for place, value in enumerate(values)]
    shares = [(high - value) / high for high, value in falls if high > 0]
    fall = drawdown(curve)
    assert fall.amount_max == max(high - value for high, value in falls)
    assert fall.share_max == (max(shares) if shares else None)


@given(curve=curves)
def test_drawdown_lasts_from_a_peak_until_equity_is_back(curve):
    values = [value for _, value in curve]
    lasting = [0]
    for first, high in enumerate(values):
        for last in range(first + 1, len(values)):
            between = values[first + 1 : last]
            is_fall = bool(between) or values[last] < high
            if is_fall and high == max(values[: first + 1]) and all(value < high for value in between):
                lasting.append(curve[last][0] - curve[first][0])
    assert drawdown(curve).duration_ns_max == max(lasting)


def test_drawdown_in_money_and_share_may_be_of_different_falls():
    fall = drawdown(a_curve(100, 50, 1_000, 900))
    assert (fall.share_max, fall.amount_max) == (0.5, 100 * MONEY_UNIT)
    assert fall.duration_ns_max == 2 * MINUTE_NS


def test_drawdown_of_a_rising_curve_is_zero_and_of_no_capital_is_undefined():
    assert drawdown(a_curve(1, 2, 3)).share_max == 0.0
    assert drawdown(a_curve(0, -5)).share_max is None
    assert drawdown(a_curve(0, -5)).amount_max == 5 * MONEY_UNIT
    assert drawdown([]).share_max is None


def test_returns_are_simple_and_undefined_without_capital():
    assert simple_returns([Money(100), Money(110), Money(99)]) == [0.1, -0.1]
    assert simple_returns([Money(100), Money(0)]) == [-1.0]
    assert simple_returns([Money(100), Money(0), Money(5)]) is None
    assert simple_returns([]) == []


def test_sharpe_is_mean_over_sample_deviation_of_a_year_of_365_days():
    returns = [0.01, -0.02, 0.03]
    mean = 0.02 / 3
    deviation = sqrt(((0.01 - mean) ** 2 + (-0.02 - mean) ** 2 + (0.03 - mean) ** 2) / 2)
    assert sharpe_ratio(returns, NS_PER_DAY) == pytest.approx(mean / deviation * sqrt(365))
    assert YEAR_NS == 365 * NS_PER_DAY


def test_sortino_counts_losses_only_over_all_returns():
    assert sortino_ratio([0.01, -0.02, 0.03], NS_PER_DAY) == pytest.approx(0.02 / 3 / sqrt(0.02**2 / 3) * sqrt(365))


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01], [0.0, 0.0]])
def test_sharpe_is_undefined_without_two_different_returns(returns):
    assert sharpe_ratio(returns, NS_PER_DAY) is None


@pytest.mark.parametrize("returns", [[], [-0.01], [0.01, 0.02], [0.0, 0.0]])
def test_sortino_is_undefined_without_a_loss(returns):
    assert sortino_ratio(returns, NS_PER_DAY) is None


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=30))
def test_ratios_change_sign_or_side_with_the_curve(returns):
    mirrored = [-one for one in returns]
    one, other = sharpe_ratio(returns, NS_PER_DAY), sharpe_ratio(mirrored, NS_PER_DAY)
    assert one == (None if other is None else pytest.approx(-other))


def test_performance_states_everything_of_a_curve():
    stated = performance(a_curve(100, 101, 99, 102), MINUTE_NS)
    returns = [101 / 100 - 1, 99 / 101 - 1, 102 / 99 - 1]
    assert stated.intervals == 3
    assert stated.interval_seconds == 60
    assert stated.return_total == pytest.approx(0.02)
    assert stated.sharpe == pytest.approx(sharpe_ratio(returns, MINUTE_NS))
    assert stated.sortino == pytest.approx(sortino_ratio(returns, MINUTE_NS))
    assert stated.drawdown_max == pytest.approx(2 / 101)
    assert stated.drawdown_max_usdc == "2"
    assert stated.drawdown_seconds_max == 120


@pytest.mark.parametrize("curve", [[], a_curve(100), a_curve(100, 101, step_ns=1), a_curve(0, 0, 0)])
def test_performance_of_too_little_is_undefined_and_never_fails(curve):
    stated = performance(curve, MINUTE_NS)
    assert (stated.sharpe, stated.sortino) == (None, None)
    assert stated.drawdown_max_usdc == "0"


def test_performance_without_capital_leaves_shares_undefined():
    stated = performance(a_curve(-1, 5, -3), MINUTE_NS)
    assert (stated.return_total, stated.sharpe, stated.sortino) == (None, None, None)
    assert stated.drawdown_max_usdc == "8"


def test_performance_writes_as_json_numbers_and_null():
    written = msgspec.json.decode(msgspec.json.encode(performance([], MINUTE_NS)))
    assert set(written) == {field.name for field in msgspec.structs.fields(Performance)}
    assert written["sharpe"] is None


@given(curve=curves, interval=st.integers(1, 90))
def test_performance_is_finite_for_any_curve(curve, interval):
    stated = performance(curve, interval)
    for value in (stated.return_total, stated.sharpe, stated.sortino, stated.drawdown_max):
        assert value is None or abs(value) < 1e30
