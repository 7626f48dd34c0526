"""Exposure: the worst case bounds every order of fills, and running totals equal totals computed afresh."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.units import RATE_UNIT
from risk.exposure import Exposures, reach, worst_case_lots
from risk.margin import initial_margin, maintenance_margin, tiers_of
from tests.risk.risk_builders import INSTRUMENTS, LOT, MARK, an_exposure, usdc

LOTS = st.integers(0, 30)


@given(st.integers(-30, 30), LOTS, LOTS)
def test_worst_case_is_the_largest_position_any_fills_lead_to(position, buys, sells):
    """Brute force: every combination of filled buys and sells."""
    reached = [abs(position + bought - sold) for bought, sold in product(range(buys + 1), range(sells + 1))]
    assert worst_case_lots(position, buys, sells) == max(reached)


@given(st.integers(-30, 30), LOTS, LOTS)
def test_worst_case_is_the_larger_reach_of_the_two_sides(position, buys, sells):
    assert worst_case_lots(position, buys, sells) == max(
        reach(1, position, buys, sells), reach(-1, position, buys, sells)
    )


def test_exposures_count_position_and_orders_at_mark():
    exposures = Exposures(INSTRUMENTS, leverage=10)
    exposures.update(an_exposure(100, buys=300), MARK)
    assert exposures.total == exposures.notional("BTC") == 400 * LOT == usdc(200)
    assert exposures.margin_used == usdc(20)
    assert exposures.maintenance == 100 * LOT // 80
    assert exposures.margin_ratio(usdc(50)) == RATE_UNIT // 80
    exposures.update(an_exposure(), MARK)
    assert (exposures.total, exposures.margin_used, exposures.maintenance) == (0, 0, 0)


def test_exposures_do_nothing_when_flat_stays_flat():
    exposures = Exposures(INSTRUMENTS, leverage=10)
    exposures.update(an_exposure(), MARK)
    assert (exposures.total, exposures.margin_ratio(usdc(0))) == (0, 0)


UPDATES = st.lists(
    st.tuples(st.sampled_from(sorted(INSTRUMENTS)), st.integers(-500, 500), LOTS, LOTS, st.integers(1, 10**6)),
    max_size=12,
)


@settings(max_examples=60)
@given(UPDATES, st.integers(1, 50))
def test_exposures_running_totals_equal_the_sums_of_the_last_updates(updates, leverage):
    exposures = Exposures(INSTRUMENTS, leverage)
    last = {}
    for symbol, position, buys, sells, mark in updates:
        exposures.update(an_exposure(position, buys=buys, sells=sells, symbol=symbol), mark)
        last[symbol] = (position, buys, sells, mark)
    total = margin = maintenance = 0
    for symbol, (position, buys, sells, mark) in last.items():
        unit = mark * INSTRUMENTS[symbol].money_per_unit
        worst = worst_case_lots(position, buys, sells) * unit
        tiers = tiers_of(INSTRUMENTS[symbol])
        total += worst
        margin += initial_margin(worst, leverage, *tiers)
        maintenance += maintenance_margin(abs(position) * unit, *tiers)
    assert (exposures.total, exposures.margin_used, exposures.maintenance) == (total, margin, maintenance)
