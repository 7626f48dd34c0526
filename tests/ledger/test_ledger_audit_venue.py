"""The venue's chain of start positions and its hourly settlements, as pure functions and on 2,000 real fills."""

import gzip
import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.units import NS_PER_HOUR, NS_PER_SECOND
from ledger.audit_venue import (
    Adjustment,
    Execution,
    Gap,
    in_venue_order,
    net_adjustments,
    walk_positions,
    wrong_hours,
)

FILLS = Path(__file__).resolve().parents[3] / "shared" / "data" / "hyperliquid" / "fills"
HOUR = NS_PER_HOUR


def gaps_of(fills, adjustments=(), until_ns=0):
    gaps = []
    held = list(walk_positions(fills, adjustments, gaps, until_ns))
    return gaps, held


def chained(changes, *, start=0, every_ns=10):
    fills = []
    for trade_id, change in enumerate(changes, 1):
        fills.append(Execution(trade_id * every_ns, trade_id, start, change))
        start += change
    return fills


def test_chain_that_closes_has_no_gap_and_tells_what_was_held():
    gaps, held = gaps_of(chained([5, -2, -3]), until_ns=100)
    assert [] == gaps
    assert [(0, 10, 0, True), (10, 20, 5, True), (20, 30, 3, True), (30, 100, 0, True)] == held


def test_missing_fill_is_a_gap_between_its_neighbors():
    one, _, three = chained([5, -2, 4])
    gaps, held = gaps_of([one, three])
    assert [Gap(1, 10, 5, 3, 30, 3)] == gaps
    assert -2 == gaps[0].lots
    assert "executions of -2 lots are missing: trade 1 at 10 left 5 lots, trade 3 at 30 began at 3" == gaps[0].sentence
    assert [True, False, True] == [one.is_sure for one in held]


def test_missing_first_fill_is_a_gap_from_the_opening():
    gaps, _ = gaps_of(chained([5, -2])[1:], [Adjustment(1, 2, True)])
    assert (
        "executions of +3 lots are missing: the book opened with 2 lots, trade 2 at 20 began at 5" == gaps[0].sentence
    )


def test_no_fill_at_all_holds_nothing():
    assert ([], []) == gaps_of([])


def test_opening_position_is_where_the_first_fill_begins_also_at_the_same_time():
    assert [] == gaps_of(chained([5], start=7), [Adjustment(10, 7, True)])[0]


def test_booked_difference_stands_in_for_the_fill_nobody_told():
    one, _, three = chained([5, -2, 4])
    assert [] == gaps_of([one, three], [Adjustment(15, -2, False)])[0]


def test_difference_booked_after_the_next_fill_closes_the_gap_it_left():
    one, _, three, four = chained([5, -2, 4, 1])
    gaps, held = gaps_of([one, three, four], [Adjustment(35, -2, False)], until_ns=50)
    assert [] == gaps
    assert 8 == held[-1].position


def test_difference_closes_the_last_gap_or_all_of_them_together():
    one, _, three, _, five = chained([5, -2, 4, 1, 3])
    late = Adjustment(60, -1, False)
    assert [] == gaps_of([one, three, five], [late])[0]
    assert [-2] == [gap.lots for gap in gaps_of([one, three, five], [Adjustment(60, 1, False)])[0]]
    assert [-2, 1] == [gap.lots for gap in gaps_of([one, three, five], [Adjustment(60, 9, False)])[0]]


def test_difference_that_the_venue_does_not_confirm_is_a_gap():
    gaps, _ = gaps_of(chained([5, -2]), [Adjustment(15, 4, False)])
    assert [-4] == [gap.lots for gap in gaps]


def test_explanations_go_against_the_first_statement_that_could_hold_them():
    said = [Adjustment(100, 2, False), Adjustment(200, 7, False)]
    assert [Adjustment(100, -3, False), Adjustment(200, 7, False)] == net_adjustments(said, [Adjustment(90, -5, False)])
    assert [Adjustment(100, 2, False)] == net_adjustments(said, [Adjustment(150, -7, False)])
    assert [*said, Adjustment(300, -1, False)] == net_adjustments(said, [Adjustment(300, -1, False)])


def test_fills_of_one_instant_are_put_in_the_order_that_closes():
    one, two, three = (Execution(1, 30, 0, 5), Execution(1, 20, 5, -2), Execution(1, 10, 3, 4))
    assert [one, two, three] == in_venue_order([three, two, one], 0)


def test_round_trips_of_one_instant_are_put_inside_the_way_that_passes_them():
    way = [Execution(1, 1, 0, 5), Execution(1, 2, 5, 5)]
    trip = [Execution(1, 3, 5, 3), Execution(1, 4, 8, -3)]
    side_trip = [Execution(1, 5, 8, 1), Execution(1, 6, 9, -1)]
    ordered = in_venue_order([*way, *trip, *side_trip], 0)
    assert [] == gaps_of([*way, *trip, *side_trip])[0]
    assert 6 == len(ordered)


def test_two_gaps_inside_one_instant_are_two():
    fills = [Execution(1, 9, 10, 5), Execution(1, 1, 15, 5), Execution(1, 3, 40, 1)]
    gaps = gaps_of(fills)[0]
    assert [(40, 3), (-31, 9)] == [(gap.lots, gap.before_trade_id) for gap in gaps]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-4, 4).filter(bool), st.booleans()), min_size=1, max_size=14),
    st.randoms(use_true_random=False),
)
def test_any_true_history_closes_whatever_the_order_inside_an_instant(steps, dice):
    fills, reached, ts_ns = [], 0, 1
    for change, is_next_block in steps:
        ts_ns += is_next_block
        fills.append(Execution(ts_ns, dice.randrange(2**50), reached, change))
        reached += change
    dice.shuffle(fills)
    fills.sort(key=lambda fill: fill.ts_ns)
    gaps, held = gaps_of(fills)
    assert [] == gaps
    assert reached == held[-1].position


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=2, max_size=12), st.data())
def test_any_fill_left_out_is_one_gap_with_its_neighbors_as_bounds(changes, data):
    fills = chained(changes)
    lost = data.draw(st.integers(0, len(fills) - 2))
    (gap,) = gaps_of(fills[:lost] + fills[lost + 1 :])[0]
    assert (lost, lost + 2, changes[lost]) == (gap.after_trade_id, gap.before_trade_id, gap.lots)


# Funding.


def held_over(*steps, until):
    """Positions by the hours at which they begin."""
    fills, reached = [], 0
    for trade_id, (hours, position) in enumerate(steps, 1):
        fills.append(Execution(int(hours * HOUR), trade_id, reached, position - reached))
        reached = position
    return list(walk_positions(fills, (), [], int(until * HOUR)))


def wrong(held, settled, until, since=0):
    found = wrong_hours(held, {hour * HOUR: lots for hour, lots in settled.items()}, since, int(until * HOUR))
    return [(hour_ns // HOUR, said) for hour_ns, said in found]


def test_every_hour_held_must_have_its_settlement():
    held = held_over((1.5, 10), (3.5, 4), (5.5, 0), until=9)
    assert [] == wrong(held, {2: 10, 3: 10, 4: 4, 5: 4}, until=9)
    assert [(3, "is missing although 10 lots were held")] == wrong(held, {2: 10, 4: 4, 5: 4}, until=9)
    assert [(7, "settles 4 lots although nothing was held")] == wrong(held, {2: 10, 3: 10, 4: 4, 5: 4, 7: 4}, until=9)
    assert [(1, "settles 4 lots although nothing was held")] == wrong(held, {1: 4, 2: 10, 3: 10, 4: 4, 5: 4}, until=9)
    assert [(4, "settles 10 lots although 4 were held")] == wrong(held, {2: 10, 3: 10, 4: 10, 5: 4}, until=9)


def test_hour_that_has_just_passed_may_still_be_on_its_way():
    held = held_over((1.5, 10), until=2)
    assert [] == wrong(held, {}, until=2)
    assert [(2, "is missing although 10 lots were held")] == wrong(held, {}, until=2.1)


def test_hours_before_the_first_one_that_counts_may_be_missing():
    assert [] == wrong(held_over((1.5, 10), until=3.5), {3: 10}, until=3.5, since=3 * HOUR)


def test_fill_within_the_moment_of_settlement_may_or_may_not_be_in_it():
    instant = 2.0003
    assert NS_PER_SECOND < (instant - 2) * HOUR < 5 * NS_PER_SECOND
    held = held_over((1.5, 10), (instant, 6), until=2.9)
    assert [[], []] == [wrong(held, {2: lots}, until=2.9) for lots in (10, 6)]
    assert [(2, "settles 7 lots although 6 or 10 were held")] == wrong(held, {2: 7}, until=2.9)
    opened = held_over((instant, 6), until=2.9)
    assert [[], []] == [wrong(opened, settled, until=2.9) for settled in ({}, {2: 6})]


def test_settlement_beside_the_hour_is_named():
    held = held_over((1.5, 10), until=1.9)
    assert [(HOUR + 1, "is no full hour")] == list(wrong_hours(held, {HOUR + 1: 10}, 0, 0))


def test_hours_of_a_time_that_cannot_be_are_not_counted():
    held = held_over((1, 10), (200_000, 0), until=200_001)
    assert [] == wrong(held, {}, until=200_001)


def test_hours_inside_a_gap_are_not_judged():
    fills = [Execution(HOUR // 2, 1, 0, 5), Execution(5 * HOUR // 2, 2, 8, 1)]
    held = list(walk_positions(fills, (), [], 3 * HOUR + HOUR // 2))
    assert [(3, "is missing although 9 lots were held")] == wrong(held, {}, until=3.5)


def recorded_fills():
    """The fills of a real account by coin, in lots: the venue tells positions with the noise of a float in them."""
    (path,) = FILLS.glob("userFills_*.json.gz")
    listed = json.loads(gzip.decompress(path.read_bytes()))
    decimals = defaultdict(int)
    for fill in listed:
        spare = -int(Decimal(fill["sz"]).normalize().as_tuple().exponent)
        decimals[fill["coin"]] = max(decimals[fill["coin"]], spare)
    by_coin = defaultdict(list)
    for fill in listed:
        start, size = (round(Decimal(fill[name]).scaleb(decimals[fill["coin"]])) for name in ("startPosition", "sz"))
        change = size if fill["side"] == "B" else -size
        by_coin[fill["coin"]].append(Execution(fill["time"] * 1_000_000, fill["tid"], start, change))
    return by_coin


@pytest.mark.recorded
def test_recorded_fills_of_a_real_account_close_and_every_one_left_out_shows():
    if not FILLS.is_dir():
        pytest.skip(f"no recorded data at {FILLS}")
    by_coin = recorded_fills()
    assert 2_000 == sum(map(len, by_coin.values()))
    left_out = 0
    for fills in by_coin.values():
        fills.sort(key=lambda fill: (fill.ts_ns, fill.trade_id))
        block = [fill for fill in fills if fill.ts_ns == fills[0].ts_ns]
        opening = [Adjustment(fills[0].ts_ns, in_venue_order(block, 0)[0].start, True)]
        assert [] == gaps_of(fills, opening)[0]
        lasts = {fill for fill in fills if fill.ts_ns == fills[-1].ts_ns}
        for place, lost in enumerate(fills):
            if lost in lasts:
                continue
            gaps = gaps_of(fills[:place] + fills[place + 1 :], opening)[0]
            assert lost.change == sum(gap.lots for gap in gaps)
            assert any(gap.after_ns <= lost.ts_ns <= gap.before_ns for gap in gaps)
            left_out += 1
    assert left_out > 1_500
