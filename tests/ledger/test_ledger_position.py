"""Average cost: what fills do to lots, cost and realized profit."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.position import LOTS_MAX, apply_fill, relieved_cost, unrealized

fills = st.lists(st.tuples(st.integers(-1000, 1000).filter(bool), st.integers(1, 10**9)), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("before", "fill", "after"),
    [
        # lots, cost | change, value per lot | lots, cost, realized
        ((0, 0), (10, 100), (10, 1000, 0)),
        ((0, 0), (-10, 100), (-10, -1000, 0)),
        ((10, 1000), (10, 200), (20, 3000, 0)),
        ((-10, -1000), (-10, 200), (-20, -3000, 0)),
        ((20, 3000), (-5, 200), (15, 2250, 250)),
        ((20, 3000), (-20, 140), (0, 0, -200)),
        ((-20, -3000), (5, 100), (-15, -2250, 250)),
        ((-20, -3000), (20, 160), (0, 0, -200)),
        ((10, 1000), (-15, 120), (-5, -600, 200)),
        ((-10, -1000), (15, 80), (5, 400, 200)),
        ((3, 100), (-1, 40), (2, 67, 7)),
        ((-3, -100), (1, 40), (-2, -67, -7)),
    ],
)
def test_fill_moves_lots_cost_and_profit(before, fill, after):
    assert after == apply_fill(*before, *fill)


@settings(max_examples=300)
@given(fills)
def test_cost_profit_and_money_paid_always_sum_to_zero(history):
    lots = cost = realized = paid = 0
    for change, value in history:
        lots, cost, gain = apply_fill(lots, cost, change, value)
        realized += gain
        paid += change * value
        assert cost - realized == paid
        assert (lots > 0) == (cost > 0)
        assert (lots == 0) == (cost == 0)
    assert lots == sum(change for change, _ in history)


@settings(max_examples=300)
@given(fills)
def test_cost_stays_within_a_unit_per_reduction_of_the_exact_average(history):
    lots = cost = 0
    exact = Fraction(0)
    slack = 0
    for change, value in history:
        after = lots + change
        if lots and (lots > 0) != (change > 0):
            slack += 1
            exact = exact * after / lots if (after > 0) == (lots > 0) and after else Fraction(after * value)
        else:
            exact += change * value
        lots, cost, _ = apply_fill(lots, cost, change, value)
        slack = 0 if lots == 0 else slack
        assert abs(cost - exact) <= slack


@given(st.integers(1, LOTS_MAX), st.integers(-(10**18), 10**18), st.data())
def test_relieved_cost_is_the_share_rounded_toward_zero(size, cost, data):
    closed = data.draw(st.integers(0, size))
    share = abs(cost) * closed // size
    assert (share if cost >= 0 else -share) == relieved_cost(size, cost, closed)
    assert cost == relieved_cost(-size, cost, size)


def test_unrealized_is_worth_less_cost():
    assert 7 * 120 * 100 - 80_000 == unrealized(7, 80_000, 120, 100)


def test_unrealized_is_nothing_while_the_mark_is_unknown():
    assert 0 == unrealized(7, 80_000, 0, 100)
