"""Execution of a fill: what each part means, and that the parts add up to the last unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.order import Side
from ledger.execution import HORIZONS_NS, Execution, execution_of
from ledger.pnl import fill_slippage

SECOND, TEN_SECONDS, MINUTE = HORIZONS_NS
MIDS = st.one_of(st.just(0), st.integers(1, 2 * 10**6))
AFTER = st.dictionaries(st.sampled_from([*HORIZONS_NS, 5]), MIDS)


def test_horizons_are_one_ten_and_sixty_seconds():
    assert (1_000_000_000, 10_000_000_000, 60_000_000_000) == HORIZONS_NS


def test_buying_passively_captures_the_spread_and_pays_for_it_afterwards():
    """Decided at 100, taken at 101, filled at 98 with the mid at 99; then 97, 96.5, 98. Ten lots of 100 each."""
    after = {SECOND: 194, TEN_SECONDS: 193, MINUTE: 196}
    execution = execution_of(Side.BUY, 98, 10, 200, 202, 198, after, 100)
    assert Execution(
        delay=-1000, drift=2000, spread_captured=1000, adverse_1s=-2000, adverse_10s=-500, adverse_60s=1500,
        slippage=-2000, total=1000,
    ) == execution  # fmt: skip


def test_selling_gains_where_buying_loses():
    bought = execution_of(Side.BUY, 98, 10, 200, 202, 198, {SECOND: 194}, 100)
    sold = execution_of(Side.SELL, 98, 10, 200, 202, 198, {SECOND: 194}, 100)
    for part in Execution.__struct_fields__:
        assert getattr(bought, part) == -getattr(sold, part)


@pytest.mark.parametrize(
    ("mids", "after", "parts"),
    [
        ((200, 0, 198), {}, (0, 1000, 1000, 0, 0, 0)),
        ((200, 202, 0), {}, (-1000, 0, 3000, 0, 0, 0)),
        ((200, 0, 0), {SECOND: 198}, (0, 0, 2000, -1000, 0, 0)),
        ((200, 202, 198), {TEN_SECONDS: 196}, (-1000, 2000, 1000, 0, -1000, 0)),
        ((200, 202, 198), {SECOND: 196, MINUTE: 198}, (-1000, 2000, 1000, -1000, 0, 1000)),
        ((0, 202, 198), {SECOND: 196}, (0, 0, 0, -1000, 0, 0)),
        ((0, 202, 0), {SECOND: 196}, (0, 0, 0, -3000, 0, 0)),
        ((0, 0, 0), {SECOND: 196, TEN_SECONDS: 198, MINUTE: 196}, (0, 0, 0, 0, 1000, -1000)),
        ((0, 0, 0), {TEN_SECONDS: 198, MINUTE: 196}, (0, 0, 0, 0, 0, -1000)),
        ((0, 0, 0), {}, (0, 0, 0, 0, 0, 0)),
    ],
)
def test_unknown_mid_counts_as_the_one_before_it(mids, after, parts):
    execution = execution_of(Side.BUY, 98, 10, *mids, after, 100)
    assert parts == tuple(getattr(execution, name) for name in Execution.__struct_fields__[:6])


@given(
    st.sampled_from(Side), st.integers(1, 10**6), st.integers(1, 10**6), MIDS, MIDS, MIDS, AFTER,
    st.sampled_from([1, 3, 100]),
)  # fmt: skip
def test_parts_add_up_to_the_last_unit(side, price, lots, decision, arrival, at_fill, after, money_per_unit):
    it = execution_of(side, price, lots, decision, arrival, at_fill, after, money_per_unit)
    assert fill_slippage(side, price, lots, decision, money_per_unit) == it.slippage
    assert -it.slippage == it.delay + it.drift + it.spread_captured
    adverse = it.adverse_1s + it.adverse_10s + it.adverse_60s
    assert it.total == adverse - it.slippage
    known = [mid for mid in (decision, arrival, at_fill, *map(after.get, HORIZONS_NS)) if mid]
    start = at_fill or arrival or decision or (known[0] if known else 0)
    moved = side * (known[-1] - start) * lots * money_per_unit if known else 0
    assert abs(2 * adverse - moved) <= 1 + money_per_unit % 2
