"""Twins: every numeric function of the room gives the same result plain and compiled by numba, unchanged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from domain.units import RATE_UNIT
from risk.checks import check_account, check_terms
from risk.exposure import reach, worst_case_lots
from risk.margin import exposure_at_leverage, initial_margin, maintenance_margin, ratio
from risk.sizing import closing_lots, is_too_small, sized_lots

SIDE = st.sampled_from([1, -1])
SMALL = st.integers(-100, 100)
LOTS = st.integers(0, 10**7)
POSITION = st.integers(-(10**7), 10**7)
MONEY = st.integers(0, 9 * 10**15)
SIGNED_MONEY = st.integers(-(10**15), 9 * 10**15)
UNIT = st.integers(1, 10**9)
PRICE = st.integers(-1, 9 * 10**9)
TIERS = st.tuples(st.just((0, 3_000 * 10**8)), st.tuples(st.integers(1, 50), st.integers(1, 50)))

TWINS = {
    check_account: st.tuples(st.booleans(), st.booleans(), SMALL, SMALL, SMALL, SMALL, SMALL, SMALL),
    check_terms: st.tuples(
        st.integers(-1, 5), PRICE, PRICE, st.integers(1, RATE_UNIT - 1), SMALL, SMALL, SMALL, SMALL, SMALL, SMALL
    ),
    worst_case_lots: st.tuples(POSITION, LOTS, LOTS),
    reach: st.tuples(SIDE, POSITION, LOTS, LOTS),
    closing_lots: st.tuples(SIDE, POSITION, POSITION, st.booleans()),
    sized_lots: st.tuples(LOTS, POSITION, LOTS, UNIT, UNIT, MONEY, MONEY, MONEY, SIGNED_MONEY, MONEY),
    is_too_small: st.tuples(LOTS, UNIT, MONEY, st.booleans()),
    initial_margin: st.tuples(MONEY, st.integers(1, 50), TIERS).map(lambda it: (it[0], it[1], *it[2])),
    maintenance_margin: st.tuples(MONEY, TIERS).map(lambda it: (it[0], *it[1])),
    exposure_at_leverage: st.tuples(SIGNED_MONEY, st.integers(1, 50 * RATE_UNIT)),
    ratio: st.tuples(SIGNED_MONEY, SIGNED_MONEY),
}


@pytest.mark.parametrize("plain", list(TWINS), ids=lambda plain: plain.__name__)
def test_function_gives_the_same_when_compiled(plain):
    compiled = njit(plain)

    @settings(max_examples=100, deadline=None)
    @given(TWINS[plain])
    def agrees(arguments):
        assert plain(*arguments) == compiled(*arguments)

    agrees()
