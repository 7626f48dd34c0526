"""One instrument in the book: totals from its accounts, its memory, and the sentence for each broken law."""

import pytest

from domain.errors import LedgerUnbalanced
from domain.units import Money
from ledger.fill_order import CLOSING, ORDER, Reordered
from ledger.holding import Holding, totals_over, unbalanced
from tests.ledger.ledger_builders import BTC, ETH, LOT, PRICE


def a_holding(lots=10, cost=10 * LOT):
    holding = Holding(BTC)
    holding.lots, holding.cost, holding.lots_brought = lots, cost, lots
    holding.order.restart(lots, cost)
    return holding


def balances(**amounts):
    kinds = ("position", "realized", "fees", "rebates", "funding", "liquidation")
    return {f"{kind}:{symbol}": amounts.get(kind, 0) for kind in kinds for symbol in ("BTC", "ETH")}


def test_totals_turn_credits_into_gains():
    holding = a_holding()
    holding.slippage = 3
    totals = holding.totals(balances(realized=-50, liquidation=20, fees=7, rebates=-2, funding=5), PRICE + 1)
    assert (50 - 20, 10 * 100, -5, 7, 2, 3, -20) == (
        totals.realized, totals.unrealized, totals.funding, totals.fees, totals.rebates, totals.slippage,
        totals.liquidation,
    )  # fmt: skip
    assert 30 + 1_000 - 5 - 7 + 2 == totals.net == totals.equity


def test_totals_over_instruments_take_the_equity_they_are_given():
    both = (a_holding(), Holding(ETH))
    totals = totals_over(both, balances(realized=-50, fees=7), {"BTC": PRICE + 1}, Money(99))
    assert (100, 1_000, 14, 99) == (totals.realized, totals.unrealized, totals.fees, totals.equity)
    assert 0 == totals_over(both, balances(), {}, Money(99)).unrealized


@pytest.mark.parametrize(("kind", "more"), [(ORDER, Reordered(-7, 0)), (CLOSING, Reordered(0, -7))])
def test_late_fill_realizes_beyond_what_its_transaction_says(kind, more):
    """It changes nothing in the venue's order: all that its transaction realized has to go again."""
    holding = a_holding(0, 0)
    assert holding.order.take((5, 2, 10, 10, PRICE, ORDER, 10, 10 * LOT))
    assert more == holding.put_in_order((4, 1, 0, 10, PRICE, kind, 20, 20 * LOT), 7, is_explaining=False)
    assert (20, 20 * LOT, 0) == (holding.lots, holding.cost, holding.lots_unexplained)


def test_explaining_fill_moves_no_lots_even_when_it_cannot_be_put_in_order():
    holding = a_holding()
    fill = (-1, 1, 0, 4, PRICE, ORDER, 14, 14 * LOT)
    assert Reordered(0, 0) == holding.put_in_order(fill, 0, is_explaining=True)
    assert (10, 10 * LOT, -4) == (holding.lots, holding.cost, holding.lots_unexplained)


def test_fill_too_late_for_its_place_counts_before_all_that_is_kept():
    """10 lots at PRICE, then 5 sold 40 higher; 10 more were bought 20 higher before: the cost is 10 higher."""
    holding = a_holding()
    sold = (5, 2, 10, -5, PRICE + 40, ORDER, 5, 5 * LOT)
    assert holding.order.take(sold)
    fill = (-1, 1, 0, 10, PRICE + 20, ORDER, 15, 15 * LOT + 20_000)
    assert Reordered(-5 * 10 * 100, 0) == holding.put_in_order(fill, 0, is_explaining=False)
    assert (15, 15 * (LOT + 1_000)) == holding.order.position == (holding.lots, holding.cost)
    assert [(5, 2, 10, -5)] == [move[:4] for move in holding.order._moves]


def test_holding_comes_back_from_its_snapshot():
    holding = a_holding()
    holding.order.take((5, 2, 10, 1, PRICE, ORDER, 11, 11 * LOT))
    holding.lots, holding.cost, holding.lots_filled, holding.slippage, holding.lots_unexplained = 11, 11 * LOT, 1, 3, 0
    restored = Holding(BTC)
    restored.restore(holding.snapshot())
    assert holding.snapshot() == restored.snapshot()
    restored.prove(11 * LOT, 1)


def test_broken_law_is_told_with_its_numbers():
    with pytest.raises(LedgerUnbalanced, match=r"position:BTC less its cost: sum is 0\.00000001 .* transaction 4"):
        a_holding().prove(10 * LOT + 1, 4)
    assert "cash: sum is -1 (expected 0) after transaction 3" == str(unbalanced("cash", -100_000_000, 3))
