"""Profit by cause, and the slippage memo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.order import Side
from ledger.pnl import fill_slippage, net_of, profit_and_loss


def test_net_is_the_sum_of_its_causes_with_fees_taken_off():
    assert 100 - 20 + 3 - 7 + 2 == net_of(100, -20, 3, 7, 2)
    assert 78 == profit_and_loss(100, -20, 3, 7, 2, 11, 500).net
    assert 500 == profit_and_loss(100, -20, 3, 7, 2, 11, 500).equity


@pytest.mark.parametrize(
    ("side", "price", "mid_x2", "cost"),
    [
        (Side.BUY, 101, 200, 1 * 10 * 100),
        (Side.BUY, 99, 200, -1 * 10 * 100),
        (Side.SELL, 99, 200, 1 * 10 * 100),
        (Side.SELL, 101, 200, -1 * 10 * 100),
        (Side.BUY, 101, 201, 500),
        (Side.BUY, 101, 0, 0),
    ],
)
def test_slippage_is_the_distance_to_the_mid_at_the_cost_of_the_taker(side, price, mid_x2, cost):
    assert cost == fill_slippage(side, price, 10, mid_x2, 100)


@given(st.sampled_from([1, -1]), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 2 * 10**6))
def test_slippage_is_rounded_away_from_zero_by_at_most_half_a_unit(side, price, lots, mid_x2):
    doubled = side * (2 * price - mid_x2) * lots
    off_by = 2 * fill_slippage(side, price, lots, mid_x2, 1) - doubled
    assert off_by in ((0, 1) if doubled >= 0 else (0, -1))
