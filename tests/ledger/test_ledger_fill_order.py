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


def test_fill_of_a_forgotten_time_counts_before_all_that_are_kept(short_memory):
    order = an_order(*(a_move(ts, ts, ts - 1, 1, 100) for ts in range(1, 7)), a_move(7, 7, 6, -6, 110))
    assert (0, 0) == order.position
    # The sale realizes 3, and the later one closes a lot less: 10 less.
    assert Reordered(-7, 0) == order.insert(a_move(1, 9, 0, -1, 103))
    assert [3, 4, 5, 6, 7] == trades(order)
    assert ([1, 100], (-1, -110)) == (order.snapshot()[:2], order.position)
    assert Reordered(-10, -20) == order.insert(a_move(2, 8, 0, -1, 80, CLOSING))
    assert ([0, 0], (-2, -220)) == (order.snapshot()[:2], order.position)


def test_late_fills_are_forgotten_as_well(short_memory):
    order = an_order(*(a_move(ts, ts, 0, 1) for ts in range(9, 0, -1)))
    assert (9, 900) == order.position
    assert len(trades(order)) < 6


def by_the_rule(fills, lots):
    """The venue's order of fills of one time, by trying: of all chains the least, else one pick after the other."""
    chains = []
    for ordered in itertools.permutations(fills):
        at, is_chain = lots, True
        for fill in ordered:
            is_chain = is_chain and fill[START] == at
            at += fill[CHANGE]
        if is_chain:
            chains.append([fill[TRADE] for fill in ordered])
    if chains:
        return min(chains)
    waiting, done = list(fills), []
    while waiting:
        fill = min(waiting, key=lambda fill: (fill[START] != lots, fill[TRADE]))
        waiting.remove(fill)
        done.append(fill[TRADE])
        lots += fill[CHANGE]
    return done


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((-2, -1, 1, 2)), st.sampled_from((0,) * 7 + (1, -2))), min_size=1, max_size=6),
    st.booleans(), st.randoms(use_true_random=False),
)  # fmt: skip
def test_fills_of_one_time_stand_as_the_rule_says_after_each_of_them(steps, is_rising, dice):
    """Chains with rounds in them, told in and out of order, some with a start that is wrong."""
    ids, moves, at = dice.sample(range(100), len(steps)), [], 0
    for trade, (change, wrong) in zip(sorted(ids) if is_rising else ids, steps, strict=True):
        moves.append(a_move(5, trade, at + wrong, change, 100 + trade))
        at += change
    for arrived in (moves, moves[1:] + moves[:1], dice.sample(moves, len(moves))):
        order = FillOrder(1)
        for count, move in enumerate(arrived, start=1):
            told(order, move)
            assert by_the_rule(arrived[:count], 0) == trades(order)


def test_fill_that_goes_on_from_the_end_is_not_last_when_a_round_can_be_put_behind_it():
    """0 to 1 to 2 to 1 and again to 2 and 1: the last step lets the chain go on differently, with lesser trade ids."""
    moves = [a_move(5, 1, 0, 1), a_move(5, 9, 1, 1), a_move(5, 8, 2, -1), a_move(5, 3, 1, -1), a_move(5, 4, 0, 1)]
    order = an_order(*moves)
    assert by_the_rule(moves, 0) == trades(order) == [1, 3, 4, 9, 8]


def straight(count):
    return [a_move(5, trade + 1, trade, 1) for trade in range(count)]


@pytest.mark.parametrize("shape", ["in order", "zigzag", "first one last", "shuffled"])
def test_many_fills_of_one_time_are_put_in_order_without_cubic_work(shape, monkeypatch):
    """Counted, not timed: a fill that comes last costs no work on the others, any other one a single ordering."""
    count, sizes = 400, []
    moves = straight(count)
    if shape == "zigzag":
        moves = [a_move(5, trade + 1, trade % 2, -1 if trade % 2 else 1) for trade in range(count)]
    elif shape == "first one last":
        moves = moves[1:] + moves[:1]
    elif shape == "shuffled":
        random.Random(1).shuffle(moves)
    with_one = fill_order._with
    monkeypatch.setattr(fill_order, "_with", lambda fills, *rest: sizes.append(len(fills)) or with_one(fills, *rest))
    order = an_order(*moves)
    assert (count if shape != "zigzag" else 0) == order.position[0]
    if shape in {"in order", "zigzag"}:
        assert [] == sizes
    else:
        assert len(sizes) <= count
        assert list(range(1, count + 1)) == trades(order)


def test_time_too_big_to_be_forgotten_stays_whole_and_goes_when_it_is_old(short_memory):
    order = an_order(*straight(20))
    assert (20, False) == (len(trades(order)), order.is_forgotten(5))
    for ts in range(6, 9):
        told(order, a_move(ts, ts, 15 + ts, 1))
    assert ([6, 7, 8], True, 23) == (trades(order), order.is_forgotten(5), order.position[0])


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
