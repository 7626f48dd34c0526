"""The venue's order of fills: what comes next, what a late one changes, and what is too old to change anything."""

import gzip
import itertools
import json
import random
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import fill_order
from ledger.fill_order import CHANGE, CLOSING, COST, KIND, LOTS, ORDER, PRICE, START, TRADE, TS, FillOrder, Reordered
from ledger.position import apply_fill

FILLS = Path(__file__).resolve().parents[3] / "shared" / "data" / "hyperliquid" / "fills"


def a_move(ts, trade, start, change, price=100, kind=ORDER):
    return ts, trade, start, change, price, kind, 0, 0


def told(order, move):
    """Tell a fill as the book does: with the position it leaves where it arrives; return what it changed."""
    lots, cost = order.position
    lots, cost, _ = apply_fill(lots, cost, move[CHANGE], move[PRICE])
    move = (*move[:LOTS], lots, cost)
    return Reordered(0, 0) if order.take(move) else order.insert(move)


def an_order(*moves):
    order = FillOrder(1)
    for move in moves:
        told(order, move)
    return order


def trades(order):
    return [move[TRADE] for move in order._moves]


def test_new_order_is_flat():
    assert ((0, 0), False) == (FillOrder(1).position, FillOrder(1).is_forgotten(0))


def test_fills_stand_in_the_order_of_their_time():
    order = an_order(a_move(5, 1, 0, 10), a_move(7, 2, 10, -4), a_move(6, 3, 0, 1))
    assert [1, 3, 2] == trades(order)
    assert (7, 700) == order.position


def test_fills_of_one_time_chain_through_their_start_positions():
    moves = [a_move(5, 30, 0, 10), a_move(5, 20, 10, -4), a_move(5, 10, 6, 1)]
    for arrived in itertools.permutations(moves):
        assert [30, 20, 10] == trades(an_order(*arrived))


def test_of_fills_that_begin_at_one_position_the_least_trade_id_comes_first():
    moves = [a_move(5, 3, 0, 1), a_move(5, 1, 0, 2), a_move(5, 2, 0, 3)]
    for arrived in itertools.permutations(moves):
        assert [1, 2, 3] == trades(an_order(*arrived))


def test_broken_chain_goes_on_with_the_least_trade_id():
    moves = [a_move(5, 9, 0, 1), a_move(5, 7, 50, 1), a_move(5, 8, 51, 1), a_move(5, 6, 52, 1)]
    for arrived in itertools.permutations(moves):
        assert [9, 6, 7, 8] == trades(an_order(*arrived))


def test_round_that_ends_where_it_began_comes_before_the_step_that_leaves():
    """The least trade id leads to 2 lots, from where no other goes on: the venue cannot have begun with it."""
    moves = [a_move(5, 5, 0, 1), a_move(5, 9, 1, -1), a_move(5, 3, 0, 2)]
    for arrived in itertools.permutations(moves):
        assert [5, 9, 3] == trades(an_order(*arrived))


def test_of_several_chains_the_one_of_the_least_trade_ids_counts():
    moves = [a_move(5, 8, 0, 1), a_move(5, 5, 1, -1), a_move(5, 3, 0, 1)]
    for arrived in itertools.permutations(moves):
        assert [3, 5, 8] == trades(an_order(*arrived))


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from((-2, -1, 1, 2)), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_chain_that_exists_is_found(changes, dice):
    starts = itertools.accumulate(changes, initial=0)
    ids = dice.sample(range(100), len(changes))
    moves = [a_move(5, *step) for step in zip(ids, starts, changes, strict=False)]
    dice.shuffle(moves)
    order = an_order(*moves)
    assert len(changes) == len(order._moves)
    assert all(move[START] == move[LOTS] - move[CHANGE] for move in order._moves)


@pytest.mark.recorded
def test_recorded_fills_chain_however_they_arrive():
    """2,000 fills of a real account, 117 of their times shared by several fills of one coin."""
    for coin, fills in recorded_fills().items():
        decimals = max(max(0, -Decimal(fill["sz"]).normalize().as_tuple().exponent) for fill in fills)
        scale = 10**decimals
        moves = [
            a_move(
                fill["time"], fill["tid"], round(Decimal(fill["startPosition"]) * scale),
                round(Decimal(fill["sz"]) * scale) * (1 if fill["side"] == "B" else -1),
            )
            for fill in fills
        ]  # fmt: skip
        earliest = [move for move in moves if move[TS] == moves[-1][TS]]
        ends = {move[START] + move[CHANGE] for move in earliest}
        start = next(move[START] for move in earliest if move[START] not in ends)
        snapshots = []
        for seed in range(3):
            order = FillOrder(1)
            order.restart(start, start * 100)
            for move in random.Random(seed).sample(moves, len(moves)):
                told(order, move)
            snapshots.append(order.snapshot())
        assert snapshots[0] == snapshots[1] == snapshots[2]
        assert all(move[START] == move[LOTS] - move[CHANGE] for move in order._moves), coin


def recorded_fills():
    files = sorted(FILLS.glob("*.json.gz"))
    if not files:
        pytest.skip(f"no recorded fills at {FILLS}")
    coins = {}
    for fill in json.loads(gzip.decompress(files[0].read_bytes())):
        coins.setdefault(fill["coin"], []).append(fill)
    return coins


def test_missing_fill_closes_the_chain_when_it_comes():
    moves = [a_move(5, 2, 11, -4), a_move(5, 1, 7, -7), a_move(4, 3, 0, 11)]
    for arrived in itertools.permutations(moves):
        assert [3, 2, 1] == trades(an_order(*arrived))


def test_late_fill_changes_what_younger_ones_realized():
    """Bought 10 at 100 and sold 10 at 120 is 200; that 10 were bought at 90 before makes the cost 95, the gain 250."""
    order = an_order(a_move(5, 1, 10, 10, 100), a_move(6, 2, 20, -10, 120))
    assert Reordered(50, 0) == told(order, a_move(4, 3, 0, 10, 90))
    assert (10, 950) == order.position


def test_profit_of_the_venues_closings_is_told_apart():
    order = an_order(a_move(5, 1, 10, 10, 100), a_move(6, 2, 20, -10, 120, CLOSING))
    assert Reordered(0, 50) == told(order, a_move(4, 3, 0, 10, 90))


def test_booked_difference_shrinks_by_the_late_fill_and_vanishes_with_the_last():
    order = an_order(a_move(5, 1, 0, 10, 100))
    order.add_statement(9, 5, 1_600, 15, 1_600)
    told(order, a_move(10, 9, 15, -15, 200))
    assert (0, 0) == order.position
    assert Reordered(0, 0) == told(order, a_move(9, 4, 12, 3, 110))
    assert [(10, 0), (3, 0), (2, 2), (-15, 0)] == [(it[CHANGE], it[KIND]) for it in order._moves]
    # 15 lots cost 1,600 by the statement's word; 10 at 100, 3 at 110 and 2 at 120 cost 1,570.
    assert Reordered(30, 0) == told(order, a_move(6, 5, 10, 2, 120))
    assert (15, 1_570) == order._moves[-2][LOTS:]
    assert (0, 0) == order.position


def test_fill_of_the_statements_own_time_stands_before_it():
    order = an_order(a_move(5, 1, 0, 10))
    order.add_statement(5, 3, 1_300, 13, 1_300)
    told(order, a_move(5, 2, 10, 3))
    assert [1, 2, 0] == trades(order)
    assert 0 == order._moves[-1][CHANGE]


def test_only_the_next_statement_held_the_late_fill():
    order = FillOrder(1)
    order.add_statement(5, 1, 100, 1, 100)
    order.add_statement(9, 2, 300, 3, 300)
    told(order, a_move(7, 1, 1, 2, 90))
    assert [1, 2, 0] == [move[CHANGE] for move in order._moves]
    assert (3, 280) == order.position


@pytest.fixture
def short_memory(monkeypatch):
    monkeypatch.setattr(fill_order, "FILLS_KEPT", 4)
    monkeypatch.setattr(fill_order, "FILLS_CUT", 2)


def test_oldest_fills_are_forgotten_and_their_position_is_not(short_memory):
    order = an_order(*(a_move(ts, ts, ts - 1, 1, 100 + ts) for ts in range(1, 7)))
    assert ([3, 4, 5, 6], (6, 621)) == (trades(order), order.position)
    assert (True, False) == (order.is_forgotten(2), order.is_forgotten(3))
    told(order, a_move(3, 9, 2, -2, 100))
    assert [3, 9, 4, 5, 6] == trades(order)


def test_time_is_never_cut_in_two(short_memory):
    order = an_order(*(a_move(1 + (number > 3), number, number, 1) for number in range(6)))
    assert [4, 5] == trades(order)
    order = an_order(*(a_move(1, number, number, 1) for number in range(9)))
    assert 9 == len(trades(order))


def test_nothing_is_put_in_order_before_a_new_start():
    order = an_order(a_move(5, 1, 0, 10))
    order.restart(12, 1_300)
    assert ((12, 1_300), True, False) == (order.position, order.is_forgotten(5), order.is_forgotten(6))
    assert not order.take(a_move(5, 9, 12, 1))
    assert order.take((6, 9, 12, 1, 100, ORDER, 13, 1_400))
    assert (13, 1_400) == order.position


moves = st.lists(
    st.builds(
        a_move, st.integers(1, 4), st.integers(1, 10**6), st.integers(-3, 3), st.integers(-3, 3).filter(bool),
        st.integers(90, 110), st.sampled_from((ORDER, CLOSING)),
    ),
    max_size=10, unique_by=lambda move: move[:2],
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(moves, st.randoms(use_true_random=False))
def test_order_depends_on_the_fills_alone(told_moves, dice):
    arrived = dice.sample(told_moves, len(told_moves))
    first, second = an_order(*told_moves), an_order(*arrived)
    assert first.snapshot() == second.snapshot()
    lots = cost = 0
    for move in first._moves:
        lots, cost, _ = apply_fill(lots, cost, move[CHANGE], move[PRICE])
        assert (lots, cost) == (move[LOTS], move[COST])
    restored = FillOrder(1)
    restored.restore(first.snapshot())
    assert first.snapshot() == restored.snapshot()
