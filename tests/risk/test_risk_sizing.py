"""Sizing: cut to the tightest limit, never enlarged, and what only reduces is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from domain.reasons import Reason
from risk.exposure import reach
from risk.sizing import closing_lots, sized_lots

WIDE = 10**15
SIDE = st.sampled_from([1, -1])
LOTS = st.integers(0, 500)
POSITION = st.integers(-500, 500)
AMOUNT = st.integers(0, 400_000)
UNIT = st.integers(1, 1_000)


def sized(lots, reached=0, closing=0, order=WIDE, position=WIDE, total=WIDE, leverage=WIDE, others=0):
    return sized_lots(lots, reached, closing, 10, 10, order, position, total, leverage, others)


def test_sizing_leaves_an_order_alone_when_all_limits_have_room():
    assert sized(7) == (7, Reason.NONE)


def test_sizing_names_the_tightest_limit():
    assert sized(100, order=509) == (50, Reason.ORDER_NOTIONAL)
    assert sized(100, order=509, position=400) == (40, Reason.POSITION_NOTIONAL)
    assert sized(100, position=400, total=300) == (30, Reason.TOTAL_EXPOSURE)
    assert sized(100, total=300, leverage=250, others=50) == (20, Reason.LEVERAGE)


def test_sizing_leaves_nothing_when_a_limit_is_passed_already():
    assert sized(100, reached=60, position=500) == (0, Reason.POSITION_NOTIONAL)
    assert sized(100, total=300, others=400) == (0, Reason.TOTAL_EXPOSURE)


def test_sizing_leaves_what_reduces_when_a_limit_is_passed_already():
    assert sized(100, reached=-80, closing=80, position=0, total=0, leverage=0, others=5) == (
        80,
        Reason.POSITION_NOTIONAL,
    )


def test_closing_lots_are_shared_with_orders_open_on_the_same_side():
    assert closing_lots(-1, 10, reach(-1, 10, 0, 4), reduce_only=False) == 6
    assert closing_lots(-1, 10, reach(-1, 10, 0, 40), reduce_only=False) == 0


def test_closing_lots_are_the_whole_position_when_reduce_only():
    assert closing_lots(-1, 10, reach(-1, 10, 0, 40), reduce_only=True) == 10
    assert closing_lots(1, -10, reach(1, -10, 0, 0), reduce_only=True) == 10


@given(SIDE, POSITION, LOTS, LOTS, st.booleans())
def test_closing_lots_never_exceed_the_position_they_close(side, position, buys, sells, reduce_only):
    closing = closing_lots(side, position, reach(side, position, buys, sells), reduce_only)
    assert 0 <= closing <= max(0, -side * position)


@given(
    st.integers(1, 500), SIDE, POSITION, LOTS, LOTS, st.booleans(), UNIT, UNIT, AMOUNT, AMOUNT, AMOUNT, AMOUNT, AMOUNT
)
def test_sizing_never_enlarges_and_keeps_every_limit(
    lots, side, position, buys, sells, reduce_only, order_unit, unit, order, own, total, leverage, others
):
    reached = reach(side, position, buys, sells)
    closing = closing_lots(side, position, reached, reduce_only)
    left, code = sized_lots(lots, reached, closing, order_unit, unit, order, own, total, leverage, others)
    assert 0 <= left <= lots
    assert (code == Reason.NONE) == (left == lots)
    assert left * order_unit <= order
    assert left >= min(lots, closing, order // order_unit)
    if left > closing:
        after = (reached + left) * unit
        assert after <= own
        assert after + others <= min(total, leverage)
