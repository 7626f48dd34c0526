"""The address budget counts as the venue does and keeps a reserve for cancels."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from domain.errors import ConfigInvalid, InvariantBroken
from domain.units import MONEY_UNIT, Money
from router.rate_budget import REQUESTS_INITIAL, RateBudget, cancels_allowed, requests_allowed


def test_budget_starts_with_the_venues_ten_thousand_less_the_reserve() -> None:
    budget = RateBudget()
    assert (REQUESTS_INITIAL, 9_800) == (10_000, budget.left_for_orders)
    assert 20_000 == budget.left_for_cancels


def test_budget_grows_by_one_request_per_whole_usdc_traded_either_way() -> None:
    budget = RateBudget(100)
    before = budget.left_for_orders
    budget.traded(Money(5 * MONEY_UNIT // 2))
    assert before + 2 == budget.left_for_orders
    budget.traded(Money(-MONEY_UNIT // 2))
    assert before + 3 == budget.left_for_orders


def test_budget_lets_cancels_go_on_when_orders_may_not() -> None:
    budget = RateBudget(100)
    budget.spend(98)
    assert (98, 0, 102) == (budget.spent, budget.left_for_orders, budget.left_for_cancels)
    budget.spend(102)
    assert (0, 0) == (budget.left_for_orders, budget.left_for_cancels)
    budget.spend(1)
    assert (0, 0) == (budget.left_for_orders, budget.left_for_cancels)


def test_cancels_never_have_more_than_a_hundred_thousand_above_the_limit() -> None:
    assert 2 * 99_999 == cancels_allowed(99_999)
    assert 300_000 == cancels_allowed(200_000)


def test_budget_continues_when_restored_from_its_snapshot() -> None:
    budget = RateBudget(1_000)
    budget.spend(17)
    budget.traded(Money(3 * MONEY_UNIT + 5))
    again = RateBudget(1_000)
    again.restore(json.loads(json.dumps(budget.snapshot())))
    assert budget.snapshot() == again.snapshot()
    assert (budget.left_for_orders, budget.left_for_cancels) == (again.left_for_orders, again.left_for_cancels)


def test_budget_refuses_what_cannot_be_counted() -> None:
    with pytest.raises(ConfigInvalid, match="requests_initial = 0"):
        RateBudget(0)
    with pytest.raises(InvariantBroken, match="-1 requests"):
        RateBudget().spend(-1)


@given(st.lists(st.one_of(st.integers(0, 50), st.integers(-20, -1)), max_size=40))
def test_budget_never_counts_below_zero_nor_gives_orders_more_than_cancels(acts: list[int]) -> None:
    budget = RateBudget(60)
    spent = traded = 0
    for act in acts:
        if act >= 0:
            budget.spend(act)
            spent += act
        else:
            budget.traded(Money(-act * MONEY_UNIT))
            traded -= act
        assert max(59 + traded - spent, 0) == budget.left_for_orders
        assert 0 <= budget.left_for_orders <= max(budget.left_for_cancels, 0)


def test_budget_arithmetic_is_the_same_compiled() -> None:
    allowed, cancels = njit(requests_allowed), njit(cancels_allowed)
    for traded in (0, 1, MONEY_UNIT - 1, MONEY_UNIT, 10**17):
        assert requests_allowed(10_000, traded) == allowed(10_000, traded)
        assert cancels_allowed(10_000 + traded) == cancels(10_000 + traded)
