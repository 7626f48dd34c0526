"""The integer functions give the same numbers compiled by numba and plain: the compiled backtest calls the same source."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from domain import instrument, units
from domain.lifecycle import ILLEGAL, NEXT_STATE, State, Trigger

prices = st.integers(-10, 10**13)
wholes = st.sampled_from([10**decimals for decimals in range(9)])
figures = st.sampled_from([0, 5])
ticks = st.sampled_from([1, 5, 10, 25, 100])

FEW = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def compiled(monkeypatch_module):
    """Every pure function of the two modules, compiled; callees first, so that callers see compiled ones."""
    made = {"money_times_rate": njit(units.money_times_rate), "round_to_micro": njit(units.round_to_micro),
            "notional": njit(instrument.notional), "tick_at": njit(instrument.tick_at)}  # fmt: skip
    monkeypatch_module.setattr(instrument, "tick_at", made["tick_at"])
    for name in ("is_on_grid", "floor_to_grid", "ceil_to_grid"):
        made[name] = njit(getattr(instrument, name))
    made["is_on_grid"](1, 1, 5, 1)
    made["floor_to_grid"](1, 1, 5, 1)
    made["ceil_to_grid"](1, 1, 5, 1)
    return made


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("name", ["tick_at", "is_on_grid", "floor_to_grid", "ceil_to_grid"])
def test_the_grid_is_the_same_compiled(compiled, name):
    twin = compiled[name]

    @FEW
    @given(price=prices, whole=wholes, significant=figures, tick=ticks)
    def agrees(price, whole, significant, tick):
        assert twin(price, whole, significant, tick) == twin.py_func(price, whole, significant, tick)

    agrees()


@pytest.mark.parametrize("name", ["money_times_rate"])
def test_rates_are_the_same_compiled(compiled, name):
    twin = compiled[name]

    @FEW
    @given(amount=st.integers(-(2**63) + 1, 2**63 - 1), rate=st.integers(-units.RATE_UNIT, units.RATE_UNIT))
    def agrees(amount, rate):
        assert twin(amount, rate) == twin.py_func(amount, rate)

    agrees()


def test_rounding_is_the_same_compiled(compiled):
    twin = compiled["round_to_micro"]

    @FEW
    @given(amount=st.integers(-(2**62), 2**62))
    def agrees(amount):
        assert twin(amount) == twin.py_func(amount)

    agrees()


def test_notional_is_the_same_compiled(compiled):
    twin = compiled["notional"]

    @FEW
    @given(price=st.integers(1, 10**9), lots=st.integers(-(10**6), 10**6), money=st.sampled_from([1, 100]))
    def agrees(price, lots, money):
        assert twin(price, lots, money) == twin.py_func(price, lots, money)

    agrees()


def test_the_lifecycle_table_is_an_array_that_compiled_code_reads():
    table = np.array(NEXT_STATE, dtype=np.int8)

    @njit
    def following(states, state, trigger, has_fills):
        return states[state, trigger, has_fills]

    assert table.shape == (len(State), len(Trigger), 2)
    assert following(table, int(State.CANCELED), int(Trigger.FILL_COMPLETE), 1) == State.FILLED
    assert following(table, int(State.IDLE), int(Trigger.SUBMIT), 0) == ILLEGAL
