"""The bridge between two account values: every part named, the residual to the last unit."""

from msgspec.structs import replace

from domain.order import FillCause, Side
from ledger.equity_bridge import account_value_of, equity_bridge, money_per_unit_of
from tests.ledger.ledger_builders import BTC, CASH, LOT, PRICE, START_NS, a_fill, a_funding, a_transfer, usdc
from tests.ledger.two_sides import side_of, venue_of

BUY = a_fill(10, trade_id=1, fee=300)
SOLD = a_fill(4, side=Side.SELL, trade_id=2, price=PRICE + 10, fee=-20, ts_ns=START_NS + 5, start_position=10)
CLOSED = a_fill(
    1, side=Side.SELL, trade_id=3, cause=FillCause.LIQUIDATION, price=PRICE - 20, order=0, ts_ns=START_NS + 6
)
FACTS = (BUY, SOLD, CLOSED, a_funding(-700, hour=1), a_transfer(usdc(5), ts_ns=START_NS + 7))
MARK = PRICE + 3


def test_bridge_from_nothing_names_every_part_and_leaves_no_residual() -> None:
    bridge = equity_bridge(side_of(*FACTS), venue_of(*FACTS, marks={"BTC": MARK}))

    unit = BTC.money_per_unit
    assert bridge.realized == (4 * 10 - 20) * unit
    assert bridge.unrealized_change == 5 * 3 * unit
    assert (bridge.funding, bridge.fees, bridge.rebates) == (-700, 300, 20)
    assert bridge.transfers == CASH + usdc(5)
    assert (bridge.opening, bridge.unexplained, bridge.residual) == (0, 0, 0)
    assert bridge.closing == CASH + usdc(5) + bridge.realized + bridge.unrealized_change - 700 - 300 + 20


def test_bridge_from_an_earlier_pair_counts_only_what_happened_since() -> None:
    before = (side_of(BUY), venue_of(BUY, marks={"BTC": PRICE - 7}))
    bridge = equity_bridge(side_of(*FACTS), venue_of(*FACTS, marks={"BTC": MARK}), before)

    unit = BTC.money_per_unit
    assert bridge.opening == account_value_of(before[1])
    assert bridge.unrealized_change == (5 * 3 + 10 * 7) * unit
    assert (bridge.fees, bridge.transfers, bridge.residual) == (0, usdc(5), 0)


def test_residual_is_what_the_ledger_does_not_account_for() -> None:
    assert equity_bridge(side_of(*FACTS), venue_of(*FACTS, more_cash=-usdc(3))).residual == -usdc(3)
    assert equity_bridge(side_of(*FACTS), venue_of(*FACTS, more_lots={"BTC": 2})).residual == 2 * LOT


def test_account_value_is_the_venues_word_where_it_gives_one() -> None:
    venue = venue_of(*FACTS)
    summed = venue.cash + 5 * LOT

    assert account_value_of(venue) == summed
    assert account_value_of(replace(venue, account_value=summed + 1)) == summed + 1
    assert equity_bridge(side_of(*FACTS), replace(venue, account_value=summed + 1)).residual == 1


def test_position_without_a_mark_counts_at_its_cost() -> None:
    venue = venue_of(*FACTS, marks={}, costs={"BTC": 5 * LOT})

    assert account_value_of(venue) == venue.cash + 5 * LOT
    bridge = equity_bridge(side_of(*FACTS), venue)
    assert (bridge.unrealized_change, bridge.residual) == (0, 0)


def test_instrument_nobody_described_has_no_value_of_its_own() -> None:
    assert money_per_unit_of(venue_of(), "BTC") == BTC.money_per_unit
    assert money_per_unit_of(venue_of(), "NEW") == 0
