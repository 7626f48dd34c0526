"""Value at risk: the definition by brute force, the normal formula by statistics, the window by a twin."""

from statistics import NormalDist, mean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import ConfigInvalid
from risk.value_at_risk import QUANTILE_95, ValueAtRisk

CHANGES = st.lists(st.integers(-(10**11), 10**11), max_size=80)


def seen(changes, window=1_000):
    value_at_risk = ValueAtRisk(window)
    for change in changes:
        value_at_risk.add(change)
    return value_at_risk


def test_value_at_risk_is_zero_when_nothing_was_seen():
    assert seen([]).estimate() == 0
    assert seen([-5]).parametric() == 0


def test_value_at_risk_refuses_a_window_that_keeps_nothing():
    with pytest.raises(ConfigInvalid, match="value_at_risk_window = 0"):
        ValueAtRisk(0)


def test_historical_is_the_sixth_worst_loss_of_a_hundred():
    assert seen(range(-100, 0)).historical() == 95


def test_value_at_risk_is_zero_when_the_window_only_gained():
    value_at_risk = seen([1_000] * 30)
    assert (value_at_risk.historical(), value_at_risk.parametric()) == (0, 0)


@given(CHANGES.filter(bool))
def test_historical_is_the_smallest_loss_exceeded_in_at_most_one_of_twenty(changes):
    losses = [-change for change in changes]
    exceeded_rarely = [loss for loss in losses if sum(other > loss for other in losses) * 20 <= len(losses)]
    assert seen(changes).historical() == max(0, min(exceeded_rarely))


@given(st.lists(st.integers(-(10**11), 10**11), min_size=2, max_size=80))
def test_parametric_agrees_with_the_normal_formula(changes):
    expected = max(0.0, NormalDist().inv_cdf(0.95) * stdev(changes) - mean(changes))
    assert seen(changes).parametric() == pytest.approx(expected, rel=1e-8, abs=2)


def test_quantile_is_that_of_the_normal_distribution():
    assert round(NormalDist().inv_cdf(0.95) * 10**9) == QUANTILE_95


@settings(max_examples=60)
@given(CHANGES, st.integers(1, 30))
def test_window_forgets_the_oldest_and_a_snapshot_forgets_nothing(changes, window):
    full, tail = seen(changes, window), seen(changes[-window:], window)
    assert len(full) == len(tail) == min(len(changes), window)
    restored = seen([7, -7], window)
    restored.restore(full.snapshot())
    for other in (tail, restored):
        assert other.snapshot() == full.snapshot()
        assert (other.historical(), other.parametric()) == (full.historical(), full.parametric())
    assert full.estimate() == max(full.historical(), full.parametric())
