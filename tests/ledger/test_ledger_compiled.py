"""Twins: every numeric function of the room gives the same result plain and compiled by numba, unchanged."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from ledger import execution, pnl, position

LOTS = st.integers(-position.LOTS_MAX, position.LOTS_MAX)
VALUE = st.integers(1, 2 * 10**8)
MONEY = st.integers(-(10**17), 10**17)
PRICE = st.integers(0, 10**7)

TWINS = {
    position.relieved_cost: st.tuples(LOTS.filter(bool), MONEY, st.integers(0, 10**9)).map(
        lambda it: (it[0], it[1], min(abs(it[0]), it[2]))
    ),
    position.apply_fill: st.tuples(LOTS, MONEY, LOTS.filter(bool), VALUE).map(
        lambda it: (it[0], abs(it[1]) * ((it[0] > 0) - (it[0] < 0)), it[2], it[3])
    ),
    position.unrealized: st.tuples(st.integers(-(10**8), 10**8), MONEY, PRICE, st.sampled_from([1, 100])),
    pnl.net_of: st.tuples(MONEY, MONEY, MONEY, MONEY, MONEY),
    pnl.fill_slippage: st.tuples(
        st.sampled_from([1, -1]), PRICE, st.integers(1, 10**8), PRICE, st.sampled_from([1, 100])
    ),
    execution.execution_parts: st.tuples(
        st.sampled_from([1, -1]), PRICE, st.integers(1, 10**6), st.sampled_from([1, 100]), *[PRICE] * 6
    ),
}

CALLEES = {
    position.apply_fill: (position, "relieved_cost"),
    execution.execution_parts: (execution, "fill_slippage"),
}
"""What a compiled caller calls must be compiled too: the callee, looked up where the caller finds it."""


@pytest.mark.parametrize("plain", list(TWINS), ids=lambda plain: plain.__name__)
def test_function_gives_the_same_when_compiled(plain, monkeypatch):
    if plain in CALLEES:
        module, name = CALLEES[plain]
        monkeypatch.setattr(module, name, njit(getattr(module, name)))
    compiled = njit(plain)

    @settings(max_examples=80, deadline=None)
    @given(TWINS[plain])
    def agrees(arguments):
        assert plain(*arguments) == compiled(*arguments)

    agrees()
