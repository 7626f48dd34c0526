"""Liquidation: laws of the decisions, their bounds, and compiled twins."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.units import MONEY_UNIT, NS_PER_SECOND
from exchange.simulated import liquidation as room
from exchange.simulated.liquidation import (
    BACKSTOP,
    BOOK,
    COOL_DOWN_NS,
    DELEVERAGE,
    PARTIAL_ABOVE,
    PARTIAL_ABOVE_TESTNET,
    SAFE,
    Candidate,
    CoolDowns,
    Method,
    deleverage_plan,
    lots_to_close,
    rank,
    stage,
)
from exchange.simulated.margins import liquidation_price, maintenance_margin, ratio_scaled, unrealized_pnl
from tests.exchange.compiled_twins import assert_twins_agree

MONEY = st.integers(-(10**15), 10**15)
POSITION = st.integers(-(10**9), 10**9)
PRICE = st.integers(1, 10**7)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        address=st.integers(0, 2**32).map(lambda number: f"0x{number:040x}"),
        position=POSITION,
        index=st.integers(0, 5),
    ),
    max_size=12,
    unique_by=lambda one: one.address,
)


@given(MONEY, st.integers(0, 10**15), st.integers(0, 10**15))
def test_less_equity_is_never_a_milder_stage(equity: int, less: int, maintenance: int) -> None:
    milder, harder = stage(equity, maintenance), stage(equity - less, maintenance)
    assert SAFE <= milder <= harder <= DELEVERAGE
    assert (milder == SAFE) == (equity >= maintenance)
    assert (milder == DELEVERAGE) == (equity < 0)
    assert (milder == BACKSTOP) == (0 <= equity < maintenance and Fraction(equity) < Fraction(2 * maintenance, 3))


def test_stages_at_their_bounds() -> None:
    assert [SAFE, BOOK, BOOK, BACKSTOP, BACKSTOP, DELEVERAGE] == [stage(at, 300) for at in (300, 299, 200, 199, 0, -1)]
    assert SAFE == stage(0, 0)


@given(POSITION, st.integers(0, 10**15), st.booleans())
def test_a_liquidation_order_never_exceeds_the_position(position: int, notional: int, is_cooling: bool) -> None:
    lots = lots_to_close(position, notional, is_cooling, PARTIAL_ABOVE)
    assert 0 <= lots <= abs(position)
    assert (lots == 0) == (position == 0)
    if is_cooling or notional <= PARTIAL_ABOVE:
        assert lots == abs(position)
    else:
        assert 0 <= 5 * lots - abs(position) < 5


def test_a_large_position_goes_by_a_fifth_first() -> None:
    above = 100_001 * MONEY_UNIT
    assert [20, 100, 100] == [
        lots_to_close(100, above, is_cooling=False, partial_above=PARTIAL_ABOVE),
        lots_to_close(100, above, is_cooling=True, partial_above=PARTIAL_ABOVE),
        lots_to_close(-100, PARTIAL_ABOVE, is_cooling=False, partial_above=PARTIAL_ABOVE),
    ]
    assert 20 == lots_to_close(-100, 10_001 * MONEY_UNIT, is_cooling=False, partial_above=PARTIAL_ABOVE_TESTNET)
    assert ["market", "backstop"] == [str(method) for method in Method]


@given(
    st.integers(1, 10**6).map(lambda lots: 2 * lots),
    st.integers(10**4, 10**6),
    st.integers(2, 40),
    st.sampled_from([-1, 1]),
)
def test_a_position_is_liquidated_just_beyond_its_liquidation_price(lots, price, leverage, side) -> None:
    """The price margins.py shows and the stage decided here are the same boundary."""
    position, tiers = side * lots, ((0,), (leverage,))
    cost = position * price * 100
    collateral = abs(cost) // leverage
    shown = liquidation_price(position, price, 100, 2, collateral, 0, *tiers)

    def at(mark: int) -> int:
        equity = collateral + unrealized_pnl(position, mark, 100, cost)
        return stage(equity, maintenance_margin(abs(position) * mark * 100, *tiers))

    unit = 100 * 10**4
    assert SAFE == at(price)
    assert SAFE == at(shown // unit + side + (side < 0))
    assert SAFE < at(shown // unit - side + (side < 0) if side > 0 else shown // unit + 2)


@given(PRICE, PRICE, st.integers(1, 10**14), st.integers(1, 10**14), st.integers(1, 10**6))
def test_more_profit_and_more_leverage_rank_higher(mark, entry, notional, equity, more) -> None:
    for position, better in ((1, mark + more), (-1, max(mark - more, 1))):
        here = rank(position, mark, entry, notional, equity)
        assert here <= rank(position, better, entry, notional, equity)
        assert here <= rank(position, mark, entry, notional + more, equity)
        assert here >= rank(position, mark, entry, notional, equity + more)


def test_rank_is_profit_times_leverage() -> None:
    assert 6 * 10**12 == rank(5, 200, 100, 300, 100) == rank(-5, 100, 200, 300, 100)


@given(CANDIDATES, POSITION)
def test_a_plan_closes_what_is_asked_or_all_there_is(candidates: list[Candidate], position: int) -> None:
    plan = deleverage_plan(candidates, position)
    there = {one.address: abs(one.position) for one in candidates if one.position * position < 0}
    assert sum(lots for _, lots in plan) == min(abs(position), sum(there.values()))
    assert all(0 < lots <= there[address] for address, lots in plan)
    indexes = {one.address: one.index for one in candidates}
    order = [(-indexes[address], address) for address, _ in plan]
    assert order == sorted(order)
    assert all(lots == there[address] for address, lots in plan[:-1])
    assert plan == deleverage_plan(reversed(candidates), position)


def test_a_cool_down_lasts_thirty_seconds_per_account() -> None:
    downs = CoolDowns()
    assert downs.next_due_ns() is None
    downs.begin("0xb", 5)
    downs.begin("0xa", 7)
    assert 5 + COOL_DOWN_NS == 5 + 30 * NS_PER_SECOND == downs.next_due_ns()
    assert [True, True, False] == [
        downs.is_cooling("0xb", 5),
        downs.is_cooling("0xb", 4 + COOL_DOWN_NS),
        downs.is_cooling("0xb", 5 + COOL_DOWN_NS),
    ]
    assert not downs.is_cooling("0xc", 5)
    downs.expire(5 + COOL_DOWN_NS)
    assert 7 + COOL_DOWN_NS == downs.next_due_ns()
    downs.expire(7 + COOL_DOWN_NS)
    assert downs.next_due_ns() is None


def test_functions_give_the_same_when_compiled(monkeypatch) -> None:
    assert_twins_agree(
        monkeypatch,
        room,
        {
            "stage": st.tuples(MONEY, st.integers(0, 10**15)),
            "lots_to_close": st.tuples(POSITION, st.integers(0, 10**15), st.booleans(), st.just(int(PARTIAL_ABOVE))),
            "rank": st.tuples(
                POSITION,
                st.integers(10**5, 10**7),
                st.integers(10**5, 10**7),
                st.integers(10**9, 10**14),
                st.integers(10**10, 10**14),
            ),
        },
        ratio_scaled,
    )
