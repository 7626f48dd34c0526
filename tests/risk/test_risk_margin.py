"""Margin: tiers, rounding and the 64-bit division against exact fractions."""

from fractions import Fraction
from math import ceil, floor

from hypothesis import given
from hypothesis import strategies as st

from domain.instrument import MarginTier, perpetual
from domain.units import RATE_UNIT
from risk.margin import (
    RATIO_UNBOUNDED,
    exposure_at_leverage,
    initial_margin,
    maintenance_margin,
    ratio,
    tiers_of,
)
from tests.risk.risk_builders import BTC, usdc

BTC_TIERS = ((0, 15_000_000_000_000_000), (40, 20))


def test_tiers_begin_at_zero_with_the_instruments_own_cap():
    assert tiers_of(BTC) == BTC_TIERS


def test_tiers_are_one_when_the_instrument_has_none():
    assert tiers_of(perpetual("SOL", 2, 2, 20)) == ((0,), (20,))


def test_tiers_are_sorted_and_kept_when_they_begin_at_zero():
    tiers = (MarginTier(lower_bound=usdc(100), leverage_max=5), MarginTier(lower_bound=0, leverage_max=10))
    assert tiers_of(perpetual("X", 9, 1, 10, tiers)) == ((0, usdc(100)), (10, 5))


def test_initial_margin_uses_the_accounts_leverage_until_the_tier_caps_it():
    assert initial_margin(usdc(1_000), 10, *BTC_TIERS) == usdc(100)
    assert initial_margin(usdc(1_000), 50, *BTC_TIERS) == usdc(25)
    assert initial_margin(usdc(160_000_000), 40, *BTC_TIERS) == usdc(8_000_000)
    assert initial_margin(1, 10, *BTC_TIERS) == 1


def test_maintenance_margin_is_half_the_initial_margin_at_the_highest_leverage():
    assert maintenance_margin(usdc(1_000), *BTC_TIERS) == usdc(1_000) // 80
    assert maintenance_margin(0, *BTC_TIERS) == 0
    assert maintenance_margin(1, *BTC_TIERS) == 1


@given(st.integers(0, 3 * 10**16))
def test_maintenance_margin_equals_the_venues_formula_with_deductions(notional):
    """HYPERLIQUID 9.3: notional * rate - deduction; ours is rounded up per tier, so by less than one unit each."""
    bounds, leverages = BTC_TIERS
    first, second = (Fraction(1, 2 * leverage) for leverage in leverages)
    exact = notional * first if notional < bounds[1] else notional * second - bounds[1] * (second - first)
    assert 0 <= maintenance_margin(notional, bounds, leverages) - exact < 2


@given(st.integers(-(10**15), 9 * 10**15), st.integers(1, 50 * RATE_UNIT))
def test_exposure_at_leverage_is_the_exact_product_rounded_down(equity, leverage):
    assert exposure_at_leverage(equity, leverage) == max(0, floor(Fraction(equity * leverage, RATE_UNIT)))


@given(st.integers(0, 9 * 10**15), st.integers(1, 9 * 10**15))
def test_ratio_is_the_exact_quotient_rounded_down(part, whole):
    expected = floor(Fraction(part * RATE_UNIT, whole))
    assert ratio(part, whole) == min(expected, RATIO_UNBOUNDED)


def test_ratio_of_nothing_is_zero_and_to_nothing_unbounded():
    assert ratio(0, 0) == ratio(-5, 10) == 0
    assert ratio(1, 0) == ratio(1, -7) == ratio(10**18, 1) == RATIO_UNBOUNDED


def test_margins_are_never_rounded_in_our_favor():
    assert initial_margin(1_001, 10, (0,), (10,)) == ceil(Fraction(1_001, 10))
    assert exposure_at_leverage(1, RATE_UNIT * 3 // 2) == 1
