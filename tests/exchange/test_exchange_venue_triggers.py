"""Rules 42 to 46 of docs/FILLS.md: orders that wait for the mark price."""

import pytest

from domain.order import Side, TimeInForce
from exchange.simulated.records import Grouping
from tests.exchange.exchange_builders import ASK, BID, TICK, mark
from tests.exchange.venue_builders import House, some_terms, stop

STEP = 1_000
"""A thousand USDC in price units is 10,000: triggers stand a tenth of a percent apart."""


def holding(**settings) -> House:
    """Alice is long 100 lots at ASK, the mark is there, and Bob bids far below for whatever is sold."""
    house = House(**settings).mark(ASK)
    house.open_long(house.alice, 100, ASK)
    house.place(house.bob, Side.BUY, BID - 50 * TICK, 1_000)
    return house


@pytest.mark.parametrize(
    ("side", "is_take_profit", "away", "fires"),
    [
        (Side.SELL, False, -1, [ASK - STEP]),
        (Side.SELL, True, 1, [ASK + STEP]),
        (Side.BUY, False, 1, [ASK + STEP]),
        (Side.BUY, True, -1, [ASK - STEP]),
    ],
)
def test_rule_42_a_trigger_fires_when_the_mark_reaches_it(side, is_take_profit, away, fires) -> None:
    house = House().mark(ASK)
    other = house.place(house.bob, Side.SELL if side is Side.BUY else Side.BUY, ASK, 100).order
    terms = stop(ASK + away * STEP, side, is_take_profit=is_take_profit, reduce_only=False)
    result = house.place_many(house.alice, [terms])[0]
    order = result.order
    assert (result.waiting, result.refusal, order.is_waiting, order.status) == ("", None, True, "open")

    house.mark(ASK + away * (STEP - 1))
    assert order.is_waiting
    house.mark(fires[0])
    assert house.statuses(order) == ["open", "triggered", "filled"]
    assert other.status == "filled"


@pytest.mark.parametrize(
    ("side", "is_take_profit", "away"),
    [(Side.SELL, False, 1), (Side.SELL, True, -1), (Side.BUY, False, -1), (Side.BUY, True, 1), (Side.SELL, False, 0)],
)
def test_rule_42_a_trigger_that_would_fire_at_once_is_refused(side, is_take_profit, away) -> None:
    house = House().mark(ASK)
    terms = stop(ASK + away * STEP, side, is_take_profit=is_take_profit, reduce_only=False)
    result = house.place_many(house.alice, [terms])[0]
    assert (result.refusal.text, result.order.status) == ("Invalid TP/SL price.", "badTriggerPxRejected")


def test_rule_42_marks_of_the_feed_fire_too_and_a_trigger_price_is_on_the_grid() -> None:
    house = holding()
    order = house.place_many(house.alice, [stop(ASK - STEP)])[0].order
    house.market(mark(500, ASK - STEP))
    assert order.status == "filled"
    result = house.place_many(house.alice, [stop(ASK - STEP + 1)])[0]
    assert result.refusal.text == "Price must be divisible by tick size."


def test_rule_42_a_reduce_only_trigger_needs_a_position() -> None:
    house = House().mark(ASK)
    result = house.place_many(house.alice, [stop(ASK - STEP)])[0]
    assert result.refusal.text == "Reduce only order would increase position."


def test_rule_43_a_market_trigger_takes_within_a_tenth_of_the_mark() -> None:
    house = House().mark(ASK)
    house.open_long(house.alice, 100, ASK)
    near = house.place(house.bob, Side.BUY, 900_000, 40).order
    far = house.place(house.bob, Side.BUY, 890_000, 100).order
    order = house.place_many(house.alice, [stop(ASK - STEP)])[0].order
    house.mark(ASK - STEP)

    assert (near.status, far.filled, order.filled, order.status) == ("filled", 0, 40, "canceled")


def test_rule_43_a_market_trigger_without_anybody_there_ends() -> None:
    house = House().mark(ASK)
    house.open_long(house.alice, 100, ASK)
    order = house.place_many(house.alice, [stop(ASK - STEP)])[0].order
    house.mark(ASK - STEP)
    assert house.statuses(order) == ["open", "triggered", "marketOrderNoLiquidityRejected"]


def test_rule_43_a_limit_trigger_rests_at_its_own_price() -> None:
    house = holding()
    order = house.place_many(house.alice, [stop(ASK - STEP, limit=ASK - 10 * TICK)])[0].order
    house.mark(ASK - STEP)
    assert house.statuses(order) == ["open", "triggered", "open"]
    assert (order.is_resting, order.is_waiting, order.price) == (True, False, ASK - 10 * TICK)
    house.ioc(house.carol, Side.BUY, ASK)
    assert order.status == "filled"


def test_rule_43_a_fired_order_without_a_position_or_margin_is_canceled() -> None:
    house = holding()
    reducing = house.place_many(house.alice, [stop(ASK - STEP)])[0].order
    house.ioc(house.alice, Side.SELL, BID - 60 * TICK, 100)
    huge = house.place_many(house.carol, [stop(ASK - STEP, lots=10**7, reduce_only=False)])
    assert huge[0].order.is_waiting
    house.mark(ASK - STEP)
    assert (reducing.status, huge[0].order.status) == ("reduceOnlyCanceled", "marginCanceled")


def bracket(house, parent=None):
    """A parent with take-profit and stop."""
    parent = parent or some_terms(Side.BUY, BID)
    orders = [parent, stop(BID + 3 * STEP, is_take_profit=True), stop(BID - 3 * STEP)]
    return house.place_many(house.alice, orders, Grouping.PARENT_CHILDREN)


def test_rule_44_children_wait_for_the_whole_fill_of_their_parent() -> None:
    house = House().mark(BID)
    parent, profit, loss = bracket(house)
    assert [one.waiting for one in (parent, profit, loss)] == ["", "fill", "fill"]
    assert parent.order.children == (profit.order, loss.order)
    assert house.statuses(profit.order) == []

    house.ioc(house.bob, Side.SELL, BID, 40)
    house.mark(BID - 3 * STEP)
    assert loss.order.status == "waitingForFill"
    house.mark(BID).ioc(house.bob, Side.SELL, BID, 60)
    assert house.statuses(loss.order) == ["open"]
    assert (house.alice.positions, loss.order.parent) == ({"BTC": 100}, parent.order)


def test_rule_44_children_of_a_parent_that_fills_at_once_wait_for_their_triggers() -> None:
    house = House().mark(BID)
    house.place(house.bob, Side.SELL, ASK)
    results = bracket(house, some_terms(Side.BUY, ASK, time_in_force=TimeInForce.IOC))
    assert [one.waiting for one in results] == ["", "trigger", "trigger"]
    assert results[1].order.status == "open"


def test_rule_44_the_end_of_a_parent_is_the_end_of_its_children() -> None:
    house = House().mark(BID)
    parent, profit, loss = bracket(house)
    house.venue.cancel(house.alice, "BTC", parent.order.venue_order_id, house.now())
    assert [one.order.status for one in (parent, profit, loss)] == ["canceled"] * 3
    assert not house.alice.orders


def test_rule_44_children_live_when_a_partly_filled_parent_loses_its_margin() -> None:
    house = House(cash=10 * 10**8).mark(BID)
    parent, _, loss = bracket(house, some_terms(Side.BUY, BID, 150))
    house.bob.cash = 10**12
    house.ioc(house.bob, Side.SELL, BID, 40)
    house.alice.cash -= 3 * 10**8
    house.ioc(house.bob, Side.SELL, BID, 110)
    assert (parent.order.status, parent.order.filled, loss.order.status) == ("marginCanceled", 40, "open")


def test_rule_44_an_immediate_parent_filled_in_part_leaves_no_children() -> None:
    house = House().mark(BID)
    house.place(house.bob, Side.SELL, ASK, 40)
    _, profit, loss = bracket(house, some_terms(Side.BUY, ASK, time_in_force=TimeInForce.IOC))
    assert [profit.order.status, loss.order.status] == ["canceled", "canceled"]


def test_rule_44_a_refused_parent_refuses_its_children() -> None:
    house = House().mark(BID)
    results = bracket(house, some_terms(Side.BUY, ASK, time_in_force=TimeInForce.IOC))
    assert {one.refusal.text for one in results} == {"Order could not immediately match against any resting orders."}
    assert not house.alice.orders


def test_rule_44_prices_of_children_are_measured_at_the_entry() -> None:
    house = House().mark(BID)
    below = some_terms(Side.BUY, BID - 5 * STEP)
    orders = [below, stop(BID - 2 * STEP, is_take_profit=True), stop(BID - 8 * STEP)]
    assert house.place_many(house.alice, orders, Grouping.PARENT_CHILDREN)[0].refusal is None
    orders = [below, stop(BID - 4 * STEP)]
    refused = house.place_many(house.alice, orders, Grouping.PARENT_CHILDREN)
    assert [(one.refusal.text, one.is_batch) for one in refused] == [("Invalid TP/SL price.", True)]


def position_pair(house, lots=0):
    orders = [stop(ASK + 3 * STEP, lots=lots, is_take_profit=True), stop(ASK - 3 * STEP, lots=lots)]
    return house.place_many(house.alice, orders, Grouping.POSITION)


def test_rule_45_a_position_stop_without_a_size_closes_the_position_as_it_is() -> None:
    house = holding()
    profit, loss = position_pair(house)
    assert (profit.waiting, loss.waiting, loss.order.is_position_tpsl) == ("trigger", "trigger", True)
    house.place(house.carol, Side.SELL, ASK, 50)
    house.ioc(house.alice, Side.BUY, ASK, 50)
    house.mark(ASK - 3 * STEP)
    assert (loss.order.filled, loss.order.lots, house.alice.positions) == (150, 150, {})
    assert profit.order.status == "siblingFilledCanceled"


def test_rule_45_a_position_stop_goes_with_its_position() -> None:
    house = holding()
    profit, loss = position_pair(house)
    house.ioc(house.alice, Side.SELL, BID - 60 * TICK, 100)
    assert [profit.order.status, loss.order.status] == ["reduceOnlyCanceled"] * 2
    assert not house.alice.reducing["BTC"]


def test_rule_45_a_position_stop_with_a_size_keeps_it() -> None:
    house = holding()
    _, loss = position_pair(house, lots=30)
    house.mark(ASK - 3 * STEP)
    assert (loss.order.status, house.alice.positions) == ("filled", {"BTC": 70})


def test_rule_46_of_take_profit_and_stop_the_first_filled_cancels_the_other() -> None:
    house = House().mark(BID)
    _, profit, loss = bracket(house)
    house.ioc(house.bob, Side.SELL, BID)
    house.place(house.bob, Side.BUY, BID + 2 * STEP, 100)
    house.mark(BID + 3 * STEP)
    assert (profit.order.status, loss.order.status) == ("filled", "siblingFilledCanceled")
    assert (loss.order.venue_order_id, "siblingFilledCanceled") in house.told.canceled
    assert house.alice.positions == {}


PARENT = some_terms(Side.BUY, BID)


@pytest.mark.parametrize(
    ("orders", "grouping", "text"),
    [
        ([PARENT], Grouping.PARENT_CHILDREN, "Unexpected number of trigger orders"),
        ([PARENT, some_terms(Side.SELL, ASK)], Grouping.PARENT_CHILDREN, "Unexpected number of trigger orders"),
        ([PARENT, stop(BID - STEP, Side.BUY)], Grouping.PARENT_CHILDREN, "Unexpected number of trigger orders"),
        ([PARENT] + [stop(BID - STEP)] * 3, Grouping.PARENT_CHILDREN, "Unexpected number of trigger orders"),
        ([PARENT, stop(BID - STEP, reduce_only=False)], Grouping.PARENT_CHILDREN, "Trigger order is not reduce only."),
        ([PARENT], Grouping.POSITION, "Unexpected number of trigger orders"),
        ([stop(BID - STEP), stop(BID - STEP, Side.BUY)], Grouping.POSITION, "Unexpected number of trigger orders"),
        ([stop(BID - STEP, reduce_only=False)], Grouping.POSITION, "Trigger order is not reduce only."),
        ([stop(BID - STEP)], Grouping.POSITION, "Reduce only order would increase position."),
        (
            [PARENT, stop(BID - STEP, client_order_id="0xa"), stop(BID - STEP, client_order_id="0xa")],
            Grouping.PARENT_CHILDREN,
            "Duplicate client order id",
        ),
    ],
)
def test_rule_46_groups_that_are_none_are_refused_as_a_whole(orders, grouping, text: str) -> None:
    house = House().mark(BID)
    results = house.place_many(house.alice, orders, grouping)
    assert [(one.refusal.text, one.is_batch) for one in results] == [(text, True)]
    assert not house.alice.orders


def test_a_waiting_order_can_be_canceled_and_modified() -> None:
    house = holding()
    order = house.place_many(house.alice, [stop(ASK - STEP, client_order_id="0xa")])[0].order
    changed = house.venue.modify(
        house.alice, "0xa", stop(ASK - 2 * STEP, client_order_id="0xa"), house.now(), always_place=True
    )
    assert (order.status, changed.order.is_waiting) == ("canceled", True)
    house.mark(ASK - STEP)
    assert changed.order.is_waiting
    assert house.venue.cancel(house.alice, "BTC", "0xa", house.now()) is None
    house.mark(ASK - 2 * STEP)
    assert changed.order.status == "canceled"
