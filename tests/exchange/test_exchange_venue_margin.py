"""Rules 50 to 57 of docs/FILLS.md: leverage, isolated margin, liquidation."""

import pytest

from domain.order import Side
from domain.units import MONEY_UNIT, RATE_UNIT
from exchange.simulated.clearing import clearinghouse, open_interest
from exchange.simulated.margins import maintenance_margin
from exchange.simulated.records import Terms
from exchange.simulated.settings import FULL_RULES
from tests.exchange.exchange_builders import ASK, BID, TICK, at
from tests.exchange.venue_builders import ALICE, BOB, CAROL, House, stop

BACKSTOP = FULL_RULES.backstop_address
BTC_LOTS = 100_000
"""One coin: 100,000 USDC at BID."""


def change(house, amount, symbol="BTC", account=None) -> str:
    refused = house.venue.change_isolated_margin(account or house.alice, symbol, amount, house.now())
    return refused.text if refused else ""


def leverage(house, value, *, is_cross=True, account=None) -> str:
    refused = house.venue.set_leverage(account or house.alice, "BTC", value, house.now(), is_cross=is_cross)
    return refused.text if refused else ""


def long_at(house, lots, price=BID, account=None) -> None:
    """Let an account buy from Carol, who has money enough."""
    house.carol.cash = 10**10 * MONEY_UNIT
    house.mark(price)
    house.open_long(account or house.alice, lots, price)


@pytest.mark.parametrize("value", [0, -1, 41])
def test_rule_50_leverage_is_from_one_to_the_coins_own(value) -> None:
    assert leverage(House(), value) == "Invalid leverage value"


def test_rule_50_leverage_decides_what_can_be_opened() -> None:
    house = House(cash=1_000 * MONEY_UNIT).mark(BID)
    assert leverage(house, 1) == ""
    assert house.text(house.alice, lots=1_001) == "Insufficient margin to place order."
    assert leverage(house, 40) == ""
    assert house.text(house.alice, lots=40_000) == ""
    assert house.text(house.alice, lots=100) == "Insufficient margin to place order."


def test_rule_50_leverage_falls_only_with_enough_margin() -> None:
    house = House(cash=10_000 * MONEY_UNIT)
    long_at(house, BTC_LOTS)
    assert leverage(house, 5) == (
        "Cross position does not have sufficient margin available to decrease leverage. "
        "To decrease leverage, deposit more collateral."
    )
    assert house.venue.desk.admission.leverage(house.alice, house.venue.markets["BTC"]) == 20
    assert (leverage(house, 30), leverage(house, 25)) == ("", "")
    assert leverage(house, 5, account=house.bob) == ""


def test_rule_50_the_kind_of_margin_changes_only_without_a_position() -> None:
    house = House()
    assert leverage(house, 10, is_cross=False) == ""
    long_at(house, 1_000)
    assert leverage(house, 10) == "Cannot switch leverage type with open position."
    assert leverage(house, 1, is_cross=False) == (
        "Isolated position does not have sufficient margin available to decrease leverage. "
        "To decrease leverage, add margin to the position."
    )
    assert leverage(house, 20, is_cross=False) == ""


def isolated(lots=1_000, value=10) -> House:
    house = House()
    assert leverage(house, value, is_cross=False) == ""
    long_at(house, lots)
    return house


def test_rule_51_opening_an_isolated_position_sets_its_margin_aside() -> None:
    house = isolated()
    fee = house.told.executions[-1][1].fee
    before = 100_000 * MONEY_UNIT
    assert house.alice.cash == before - 100 * MONEY_UNIT - fee
    assert house.alice.isolated == {"BTC": (100 - 1_000) * MONEY_UNIT}


def test_rule_51_closing_a_part_releases_margin_and_gain_in_proportion() -> None:
    house = isolated()
    cash = house.alice.cash
    price = BID + 1_000 * TICK
    house.place(house.carol, Side.BUY, price, 250)
    house.ioc(house.alice, Side.SELL, price, 250)
    execution = house.told.executions[-1][1]
    assert execution.closed_pnl == 250 * 1_000 * TICK * 100
    assert house.alice.cash == cash + 25 * MONEY_UNIT + execution.closed_pnl - execution.fee
    assert house.alice.isolated == {"BTC": (75 - 750) * MONEY_UNIT}
    house.place(house.carol, Side.BUY, price, 750)
    house.ioc(house.alice, Side.SELL, price, 750)
    assert (house.alice.isolated, house.alice.positions) == ({}, {})


def test_rule_51_a_turned_position_starts_with_new_margin() -> None:
    house = isolated()
    house.place(house.carol, Side.BUY, BID, 1_500)
    house.ioc(house.alice, Side.SELL, BID, 1_500)
    assert house.alice.positions == {"BTC": -500}
    assert house.alice.isolated == {"BTC": (50 + 500) * MONEY_UNIT}
    assert house.balance()[0] == 0


def test_rule_51_an_isolated_loss_does_not_touch_what_the_rest_can_do() -> None:
    house = isolated()
    equity = house.venue.desk.admission.equity(house.alice)
    house.mark(BID - 500 * TICK)
    assert house.venue.desk.admission.equity(house.alice) == equity
    stated = clearinghouse(house.venue, house.alice)
    assert stated.positions[0].margin_used == 100 * MONEY_UNIT - 1_000 * 500 * TICK * 100
    assert (stated.cross_account_value, stated.cross_notional) == (house.alice.cash, 0)
    assert stated.account_value == stated.cross_account_value + stated.positions[0].margin_used


def test_rule_52_margin_moves_into_an_isolated_position_and_back() -> None:
    house = isolated()
    cash = house.alice.cash
    assert change(house, 50 * MONEY_UNIT) == ""
    assert (house.alice.cash, house.alice.isolated) == (cash - 50 * MONEY_UNIT, {"BTC": -850 * MONEY_UNIT})
    assert change(house, -50 * MONEY_UNIT) == ""
    assert house.alice.cash == cash


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "Update to isolated margin cannot be zero."),
        (100_000 * MONEY_UNIT, "Account does not have sufficient margin available for increase."),
        (-1, "Position does not have sufficient margin for reduction."),
    ],
)
def test_rule_52_what_margin_may_not_do(amount, text: str) -> None:
    assert change(isolated(), amount) == text


def test_rule_52_only_isolated_positions_have_margin_of_their_own() -> None:
    house = House()
    assert change(house, 1) == "Cannot update margin for empty position."
    long_at(house, 1_000)
    assert change(house, 1) == "Position does not use isolated margin."


def test_rule_52_a_top_up_reaches_the_leverage_asked_for_and_never_takes_away() -> None:
    house = isolated()
    assert house.venue.top_up_isolated(house.alice, "BTC", 5 * RATE_UNIT, house.now()) is None
    assert house.alice.isolated == {"BTC": (200 - 1_000) * MONEY_UNIT}
    assert house.venue.top_up_isolated(house.alice, "BTC", 8 * RATE_UNIT, house.now()) is None
    assert house.alice.isolated == {"BTC": (200 - 1_000) * MONEY_UNIT}
    refused = house.venue.top_up_isolated(house.alice, "BTC", 0, house.now())
    assert refused.text == "Invalid leverage value"
    refused = house.venue.top_up_isolated(house.bob, "BTC", 1, house.now())
    assert refused.text == "Cannot update margin for empty position."


def small(cash=6, lots=1_000) -> House:
    """Alice is long 1,000 USDC with a few USDC of her own: maintenance is 1.25 %."""
    house = House(cash=cash * MONEY_UNIT + lots * BID * 100 // 20)
    long_at(house, lots)
    house.alice.cash -= lots * BID * 100 // 20
    house.alice.orders.clear()
    return house


def test_rule_53_an_account_at_its_maintenance_is_left_alone_and_below_it_liquidated() -> None:
    house = small(13)
    order = house.place(house.alice, Side.SELL, ASK + 900 * TICK, 1_000, reduce_only=True).order
    house.place(house.bob, Side.BUY, BID - 400 * TICK, 1_000)
    fee = house.told.executions[-1][1].fee
    house.alice.cash = maintenance_margin(1_000 * MONEY_UNIT, (0,), (40,)) - 1_000 * MONEY_UNIT
    house.mark(BID)
    assert order.is_open
    assert fee > 0

    house.alice.cash -= 1
    house.mark(BID)
    assert (order.status, house.alice.positions) == ("liquidatedCanceled", {})
    assert house.told.liquidations == [(ALICE, 1, 1_000 * MONEY_UNIT, 12 * MONEY_UNIT + MONEY_UNIT // 2 - 1)]
    kind = [one for who, one in house.told.updates if who == ALICE]
    assert [one.kind for one in kind] == ["liquidation"]
    assert kind[0].fields["leverageType"] == "Cross"
    assert kind[0].fields["liquidatedPositions"] == (("BTC", 1_000),)


def test_rule_54_the_book_comes_first_at_any_price_and_fills_carry_the_cause() -> None:
    house = small(13)
    house.alice.cash = 12 * MONEY_UNIT - 1_000 * MONEY_UNIT
    best = house.place(house.bob, Side.BUY, BID - 100 * TICK, 400).order
    worse = house.place(house.bob, Side.BUY, BID - 300 * TICK, 400).order
    house.mark(BID)
    forced = [(one.lots, one.liquidation) for who, one in house.told.executions if who == ALICE and one.liquidation]
    assert [lots for lots, _ in forced] == [400, 400]
    assert {(one.address, one.mark_price, one.method) for _, one in forced} == {(ALICE, BID, "market")}
    assert (best.status, worse.status, house.alice.positions) == ("filled", "filled", {"BTC": 200})


def test_rule_54_of_a_large_position_a_fifth_goes_first_and_all_within_the_cool_down() -> None:
    house = House(cash=100_000 * MONEY_UNIT)
    long_at(house, 2 * BTC_LOTS)
    for step in range(1, 4):
        house.place(house.bob, Side.BUY, BID - step * TICK, BTC_LOTS)
    house.bob.cash = 10**8 * MONEY_UNIT
    house.alice.cash = (-200_000 + 2_400) * MONEY_UNIT
    house.mark(BID)
    assert house.alice.positions == {"BTC": 2 * BTC_LOTS * 4 // 5}

    house.alice.cash -= 600 * MONEY_UNIT
    house.mark(BID)
    assert house.alice.positions == {}


def test_rule_54_after_the_cool_down_it_is_a_fifth_again() -> None:
    house = House(cash=100_000 * MONEY_UNIT)
    long_at(house, 2 * BTC_LOTS)
    house.bob.cash = 10**8 * MONEY_UNIT
    house.place(house.bob, Side.BUY, BID, 10 * BTC_LOTS)
    house.alice.cash = (-200_000 + 2_400) * MONEY_UNIT
    house.mark(BID)
    house.ms += 31_000
    house.alice.cash -= 600 * MONEY_UNIT
    house.mark(BID)
    assert house.alice.positions == {"BTC": 2 * BTC_LOTS * 4 // 5 * 4 // 5}


def test_rule_54_without_anybody_there_it_waits_for_the_next_mark() -> None:
    house = small(13)
    house.alice.cash = 12 * MONEY_UNIT - 1_000 * MONEY_UNIT
    house.mark(BID)
    assert (house.told.liquidations, house.alice.positions) == ([], {"BTC": 1_000})


def test_rule_55_below_two_thirds_the_backstop_takes_positions_and_margin() -> None:
    house = small(13)
    house.place(house.bob, Side.BUY, BID - TICK, 1_000)
    before = house.balance()
    house.alice.cash = 8 * MONEY_UNIT - 1_000 * MONEY_UNIT
    moved = house.balance()[1] - before[1]
    house.mark(BID)

    backstop = house.venue.accounts[BACKSTOP]
    assert (house.alice.positions, house.alice.cash) == ({}, 0)
    assert (backstop.positions, backstop.cash) == ({"BTC": 1_000}, 8 * MONEY_UNIT - 1_000 * MONEY_UNIT)
    handed = [one for who, one in house.told.executions if who == ALICE][-1]
    assert (handed.price, handed.fee, handed.venue_order_id) == (BID, 0, 0)
    assert (handed.liquidation.method, handed.counterparty) == ("backstop", BACKSTOP)
    assert [one.amount for who, one in house.told.updates if who == BACKSTOP] == [8 * MONEY_UNIT]
    assert house.balance() == (before[0], before[1] + moved)


def test_rule_55_an_isolated_position_goes_alone_with_its_own_margin() -> None:
    house = isolated(value=40)
    resting = house.place(house.alice, symbol="ETH", price=BID // 10, lots=1_000).order
    cash = house.alice.cash
    house.mark(BID - 1_800 * TICK)
    assert (house.alice.positions, house.alice.cash, resting.status) == ({}, cash, "open")
    assert house.alice.isolated == {}
    assert house.venue.accounts[BACKSTOP].positions == {"BTC": 1_000}
    assert house.told.updates[0][1].fields["leverageType"] == "Isolated"


def test_rule_56_a_bankrupt_position_is_closed_against_winners_at_the_mark_before() -> None:
    house = small(13)
    house.alice.cash = 20 * MONEY_UNIT - 1_000 * MONEY_UNIT
    price = BID - 3_000 * TICK
    house.mark(price)

    closed = [(who, one) for who, one in house.told.executions if one.is_deleveraging]
    assert [(who, one.price, one.lots, one.liquidation) for who, one in closed] == [
        (ALICE, BID, 1_000, None),
        (CAROL, BID, 1_000, None),
    ]
    assert (house.alice.positions, house.carol.positions) == ({}, {})
    assert house.alice.cash == 20 * MONEY_UNIT


def test_rule_56_what_no_winner_takes_is_the_backstops_and_it_pays_what_is_missing() -> None:
    house = small(13)
    house.place(house.bob, Side.SELL, ASK, 1_000)
    house.bob.cash = 10**6 * MONEY_UNIT
    house.ioc(house.carol, Side.BUY, ASK, 1_000)
    house.venue.markets["BTC"].previous_mark = 0
    house.bob.positions.clear()
    house.bob.costs.clear()
    house.alice.cash = 20 * MONEY_UNIT - 1_000 * MONEY_UNIT
    house.mark(BID - 3_000 * TICK)
    backstop = house.venue.accounts[BACKSTOP]
    assert (house.alice.positions, house.alice.cash) == ({}, 0)
    assert backstop.positions == {"BTC": 1_000}
    assert backstop.cash == -(1_000 - 20) * MONEY_UNIT


def test_rule_57_nothing_is_lost_when_accounts_are_liquidated() -> None:
    house = House(cash=1_000 * MONEY_UNIT)
    long_at(house, 19_000)
    long_at(house, 9_000, account=house.bob)
    before = house.balance()
    for price in (BID - 3_000 * TICK, BID - 4_500 * TICK, BID - 10_500 * TICK, BID - 30_000 * TICK):
        house.mark(price)
        assert house.balance() == before
    assert BOB in {who for who, *_ in house.told.liquidations}
    assert (house.alice.positions, house.bob.positions) == ({}, {})
    assert min(one.cash for one in (house.alice, house.bob)) >= 0


def test_rule_37_a_clearing_states_every_position_and_the_totals() -> None:
    house = House(cash=10_000 * MONEY_UNIT)
    long_at(house, 1_000)
    house.mark(BID + 100 * TICK)
    stated = clearinghouse(house.venue, house.alice)
    one = stated.positions[0]
    value = 1_000 * (BID + 100 * TICK) * 100
    assert (one.lots, one.entry_price, one.value, one.unrealized) == (1_000, BID, value, 1_000 * 100 * TICK * 100)
    assert (one.leverage, one.is_cross, one.leverage_max, one.margin_used) == (20, True, 40, value // 20)
    assert stated.account_value == house.alice.cash + value == stated.cross_account_value
    assert (stated.raw, stated.notional, stated.margin_used) == (house.alice.cash, value, value // 20)
    assert stated.cross_maintenance == maintenance_margin(value, (0,), (40,))
    assert stated.withdrawable == stated.account_value - value // 10
    assert house.venue.withdrawable(house.alice) == stated.withdrawable
    assert one.liquidation_price == 0
    assert open_interest(house.venue, "BTC") == 1_000
    assert clearinghouse(house.venue, house.carol).positions[0].liquidation_price > 0


def test_a_trigger_does_not_outlive_a_liquidation() -> None:
    house = small(13)
    order = house.place_many(house.alice, [stop(BID - 900 * TICK, lots=1_000)])[0].order
    house.alice.cash = 8 * MONEY_UNIT - 1_000 * MONEY_UNIT
    house.mark(BID)
    assert order.status == "liquidatedCanceled"
    assert isinstance(house.alice.history[-1].ts_ns, int)
    assert order.ts_status_ns <= at(house.ms)
    assert Terms(symbol="BTC", side=1, price=1, lots=1).trigger is None
