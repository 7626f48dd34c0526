"""How things end at the venue: groups of orders, accounts without money, and what is remembered of them."""

from msgspec.structs import replace

from domain.order import Side
from domain.units import MONEY_UNIT
from exchange.simulated.market import TAKEN_KEPT
from exchange.simulated.records import Grouping
from exchange.simulated.settings import FULL_RULES
from tests.exchange.exchange_builders import deep_book
from tests.exchange.venue_builders import ASK, BID, TICK, House, stop

STOP, LIMIT, PROFIT = BID - 100 * TICK, BID - 110 * TICK, BID + 900 * TICK


def half_filled_stop(house: House, lots: int = 1_000):
    """Alice is long 1,000, stop and take-profit are for lots of it; the stop fired, rests, and 100 of it are sold."""
    house.mark(BID)
    house.open_long(house.alice, 1_000)
    pair = [stop(STOP, lots=lots, limit=LIMIT), stop(PROFIT, lots=lots, limit=PROFIT, is_take_profit=True)]
    fired, waiting = (one.order for one in house.place_many(house.alice, pair, Grouping.POSITION))
    house.mark(STOP)
    house.place(house.bob, Side.BUY, LIMIT, 100)
    assert (fired.status, fired.filled, waiting.is_open) == ("open", 100, True)
    return fired, waiting


def test_a_half_filled_stop_and_its_sibling_go_with_the_position() -> None:
    house = House()
    fired, waiting = half_filled_stop(house)
    house.place(house.bob, Side.BUY, LIMIT - TICK, 900)
    house.ioc(house.alice, Side.SELL, LIMIT - TICK, 900, reduce_only=True)
    assert house.alice.positions == {}
    assert (fired.status, waiting.status) == ("reduceOnlyCanceled", "siblingFilledCanceled")
    assert house.alice.orders == {}


def test_an_own_order_in_the_way_takes_its_sibling_with_it_once() -> None:
    house = House()
    fired, waiting = half_filled_stop(house, 400)
    house.mark(PROFIT)
    assert (fired.is_resting, waiting.is_resting) == (True, True)
    house.place(house.bob, Side.SELL, PROFIT, 100)
    house.ioc(house.alice, Side.BUY, PROFIT, 2_000)
    assert (fired.status, waiting.status) == ("selfTradeCanceled", "siblingFilledCanceled")
    assert house.alice.orders == {}


def test_a_sibling_beyond_the_position_takes_its_group_out_of_line_once() -> None:
    house = House()
    fired, waiting = half_filled_stop(house)
    house.mark(PROFIT)
    assert house.statuses(fired)[-1] == "reduceOnlyCanceled"
    assert house.statuses(waiting) == ["open", "triggered", "open", "siblingFilledCanceled"]
    assert house.alice.orders == {}


def test_nobody_owes_the_venue_after_a_liquidation_on_a_thin_book() -> None:
    house = House()
    house.mark(BID)
    house.open_long(house.alice, 1_000)
    house.place(house.bob, Side.BUY, BID - 3_000 * TICK, 1_000)
    house.alice.cash = 12 * MONEY_UNIT - 1_000 * MONEY_UNIT
    before = house.balance()
    house.mark(BID)
    assert (house.alice.positions, house.alice.cash) == ({}, 0)
    assert house.venue.accounts[FULL_RULES.backstop_address].cash < 0
    assert house.balance() == before


def test_an_isolated_position_never_takes_more_than_its_own_margin() -> None:
    house = House()
    house.venue.set_leverage(house.alice, "BTC", 40, house.now(), is_cross=False)
    house.mark(BID)
    house.open_long(house.alice, 1_000)
    cash = house.alice.cash
    house.place(house.bob, Side.BUY, BID - 3_000 * TICK, 1_000)
    house.mark(BID - 1_400 * TICK)
    assert (house.alice.positions, house.alice.isolated, house.alice.cash) == ({}, {}, cash)


def test_a_deleveraged_isolated_position_never_takes_more_than_its_own_margin() -> None:
    house = House()
    house.venue.set_leverage(house.alice, "BTC", 40, house.now(), is_cross=False)
    house.mark(BID)
    house.open_long(house.alice, 1_000)
    cash = house.alice.cash
    house.alice.isolated["BTC"] -= 200 * MONEY_UNIT
    house.mark(BID)
    assert [one.is_deleveraging for one in house.alice.executions] == [False, True]
    assert (house.alice.positions, house.alice.isolated, house.alice.cash) == ({}, {}, cash)


def test_margin_that_goes_to_the_backstop_is_told_as_a_transfer_anybody_can_book() -> None:
    house = House()
    house.mark(BID)
    house.open_long(house.alice, 1_000)
    house.alice.cash = 8 * MONEY_UNIT - 1_000 * MONEY_UNIT
    house.mark(BID)
    told = [(one.kind, one.amount) for one in house.alice.updates]
    assert told == [("liquidation", 0), ("internalTransfer", -8 * MONEY_UNIT)]


def test_names_of_orders_that_ended_are_forgotten_in_time() -> None:
    house = House(rules=replace(FULL_RULES, names_kept=100))
    for number in range(500):
        order = house.place(house.alice, client_order_id=f"0x{number:032x}").order
        house.venue.cancel(house.alice, "BTC", order.venue_order_id, house.now())
        assert house.text(house.alice, lots=1, client_order_id=f"0x{10**6 + number:032x}")
        assert house.text(house.alice, client_order_id=f"0x{number:032x}") == "Duplicate client order id"
    assert 100 <= len(house.alice.ended) <= 200


def test_what_was_taken_of_levels_out_of_sight_is_forgotten_in_time() -> None:
    house = House(cash=10**8 * MONEY_UNIT)
    for step in range(2 * TAKEN_KEPT):
        drift = 10 * step * TICK
        house.market(deep_book(3 * step + 1, BID + drift, ASK + drift, lots=200, levels=1))
        house.ms = 3 * step + 1
        assert house.ioc(house.alice, Side.BUY, ASK + drift, 100).filled_lots == 100
        assert house.ioc(house.alice, Side.SELL, BID + drift, 100).filled_lots == 100
    house.market(deep_book(house.ms + 1, BID, ASK, lots=200, levels=1))
    assert len(house.venue.markets["BTC"].taken) <= TAKEN_KEPT


def test_any_order_of_a_long_line_leaves_it_and_nothing_else_does() -> None:
    house = House(cash=10**8 * MONEY_UNIT)
    orders = [house.place(house.alice, Side.BUY, BID - (7 * step % 11) * TICK).order for step in range(60)]
    for index in (30, 0, 59, 17, 44):
        house.venue.cancel(house.alice, "BTC", orders[index].venue_order_id, house.now())
    line = house.venue.markets["BTC"].buys
    assert len(line) == 55
    assert [(-one.price, one.venue_order_id) for one in line] == sorted(
        (-one.price, one.venue_order_id) for one in line
    )
    assert all(order.is_resting == (order in line) for order in orders)
