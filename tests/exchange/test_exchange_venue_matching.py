"""Rules 38 to 41, 47, 48 and 61 of docs/FILLS.md: several accounts, one book."""

import pytest
from msgspec.structs import replace

from domain.order import Side, TimeInForce
from domain.units import MONEY_UNIT
from exchange.simulated.costs import fee_of
from exchange.simulated.records import Grouping
from exchange.simulated.settings import FULL_RULES
from tests.exchange.exchange_builders import ASK, BID, TICK, deep_book, top, trade
from tests.exchange.venue_builders import ALICE, BOB, CASH, House, some_terms, stop


def test_rule_38_at_one_price_the_older_order_is_filled_first() -> None:
    house = House()
    first, second = house.place(house.alice, lots=60).order, house.place(house.bob, lots=60).order
    result = house.ioc(house.carol, Side.SELL, BID, 100)

    assert (first.status, second.status, second.leaves) == ("filled", "open", 20)
    assert (result.filled_lots, result.filled_notional) == (100, 100 * BID * 100)
    assert house.carol.positions == {"BTC": -100}


def test_rule_38_a_better_price_goes_before_an_older_order() -> None:
    house = House()
    older, better = house.place(house.alice).order, house.place(house.bob, price=BID + TICK, lots=50).order
    house.ioc(house.carol, Side.SELL, BID, 80)

    assert (better.status, older.leaves) == ("filled", 70)
    assert [one.price for _, one in house.told.executions] == [BID + TICK] * 2 + [BID] * 2


def test_rule_38_what_the_outside_showed_before_an_order_is_taken_before_it() -> None:
    house = House().market(deep_book(0))
    order = house.place(house.alice, lots=50).order
    house.ioc(house.bob, Side.SELL, BID, 100)
    assert (order.filled, order.ahead) == (0, 0)

    house.ioc(house.bob, Side.SELL, BID, 30)
    assert (order.filled, house.bob.positions["BTC"]) == (30, -130)
    assert house.venue.markets["BTC"].outside_lots == 100


def test_rule_38_the_outside_behind_an_order_is_taken_after_it() -> None:
    house = House().market(deep_book(0, lots=10))
    order = house.place(house.alice, lots=50).order
    house.market(deep_book(5, lots=100))
    house.ioc(house.bob, Side.SELL, BID, 80)

    assert order.filled == 50
    assert house.venue.markets["BTC"].outside_lots == 30


def test_rule_38_a_book_shows_accounts_and_outside_together() -> None:
    house = House().market(deep_book(0))
    house.place(house.alice, price=BID - TICK, lots=70)
    house.place(house.bob, price=BID - 30 * TICK, lots=90)
    bids = house.venue.markets["BTC"].levels(1, 20)

    assert bids[:2] == [(BID, 100, 1), (BID - TICK, 170, 2)]
    assert bids[-1] == (BID - 30 * TICK, 90, 1)
    assert len(house.venue.markets["BTC"].levels(1, 3)) == 3


def test_rule_18_nobody_trades_with_himself_and_the_taker_goes_on() -> None:
    house = House()
    own = house.place(house.alice, Side.SELL, ASK).order
    other = house.place(house.bob, Side.SELL, ASK).order
    result = house.ioc(house.alice, Side.BUY, ASK)

    assert (own.status, other.status, result.filled_lots) == ("selfTradeCanceled", "filled", 100)
    assert (own.venue_order_id, "selfTradeCanceled") in house.told.canceled
    assert {one.counterparty for _, one in house.told.executions} == {ALICE, BOB}


def test_rule_16_only_own_orders_are_nothing_to_match_and_stay() -> None:
    house = House()
    own = house.place(house.alice, Side.SELL, ASK).order
    result = house.ioc(house.alice, Side.BUY, ASK)

    assert "Order could not immediately match against any resting orders." == result.refusal.text
    assert (own.status, result.order.status) == ("open", "iocCancelRejected")


def test_rule_29_post_only_sees_everybodys_best() -> None:
    house = House()
    house.place(house.bob, Side.BUY, BID)
    house.place(house.bob, Side.SELL, ASK)
    assert house.text(house.alice, Side.BUY, ASK, post_only=True) == (
        "Post only order would have immediately matched, bbo was 100000@100001."
    )


def test_rule_39_a_trade_has_two_sides_and_is_told_once() -> None:
    house = House()
    house.place(house.bob, Side.SELL, ASK)
    taken = house.ioc(house.alice, Side.BUY, ASK)
    (_, made), (_, took) = house.told.executions

    assert (made.trade_id, made.price, made.lots) == (took.trade_id, took.price, took.lots)
    assert made.hash == took.hash
    assert len(made.hash) == 66
    assert (made.is_taker, took.is_taker) == (False, True)
    value = 100 * ASK * 100
    assert (made.fee, took.fee) == (fee_of(value, 150_000), fee_of(value, 450_000))
    assert house.told.trades == [("BTC", ASK, 100, 1, made.trade_id, ALICE, BOB)]
    assert (house.alice.volume_total, list(house.alice.volume_by_day.values())) == (value, [(0, value)])
    assert taken.order is house.alice.order(taken.order.venue_order_id)


def test_rule_39_a_print_of_the_outside_is_told_less_what_accounts_got_of_it() -> None:
    house = House().market(deep_book(0, lots=20))
    house.place(house.alice, lots=30)
    house.market(trade(10, BID, 100, Side.SELL))

    assert [(lots, side, buyer, seller) for _, _, lots, side, _, buyer, seller in house.told.trades] == [
        (30, -1, ALICE, ""),
        (70, -1, "", ""),
    ]
    assert len({row[4] for row in house.told.trades}) == 2


def test_closed_gain_is_gross_of_fees() -> None:
    house = House()
    house.open_long(house.alice, 100, ASK)
    house.place(house.bob, Side.BUY, ASK + TICK, 40)
    house.ioc(house.alice, Side.SELL, ASK + TICK, 40)
    gains = [one.closed_pnl for address, one in house.told.executions if address == ALICE]
    assert gains == [0, 40 * TICK * 100]


def test_rule_40_a_resting_reduce_only_order_shrinks_with_the_position() -> None:
    house = House()
    house.open_long(house.alice, 100)
    order = house.place(house.alice, Side.SELL, ASK + 5 * TICK, 150, reduce_only=True).order
    assert (order.lots, order.leaves) == (150, 100)

    house.place(house.bob, Side.BUY, BID, 60)
    house.ioc(house.alice, Side.SELL, BID, 60)
    assert (order.lots, order.leaves, order.is_open) == (150, 40, True)
    house.place(house.bob, Side.BUY, BID, 40)
    house.ioc(house.alice, Side.SELL, BID, 40)
    assert order.status == "reduceOnlyCanceled"
    assert house.told.canceled == []


def test_rule_40_of_two_reduce_only_orders_beyond_the_position_the_older_goes() -> None:
    house = House()
    house.open_long(house.alice, 100)
    older = house.place(house.alice, Side.SELL, ASK + 5 * TICK, 60, reduce_only=True).order
    newer = house.place(house.alice, Side.SELL, ASK + 6 * TICK, 60, reduce_only=True).order
    assert (older.status, newer.status, newer.leaves) == ("reduceOnlyCanceled", "open", 60)


@pytest.mark.parametrize(
    ("orders", "text"),
    [
        ([], "Orders are empty."),
        ([some_terms(lots=0), some_terms()], "Order has zero size."),
        ([some_terms(), some_terms(lots=-1)], "Order has invalid size."),
        ([some_terms(), some_terms(price=0)], "Order has invalid price."),
        (
            [some_terms(), some_terms(price=BID // 100)],
            "Order price cannot be more than 95% away from the reference price",
        ),
    ],
)
def test_rule_41_some_refusals_are_one_for_the_whole_action(orders, text: str) -> None:
    house = House().mark(BID)
    results = house.place_many(house.alice, orders)
    assert [(one.refusal.text, one.is_batch) for one in results] == [(text, True)]
    assert not house.alice.orders


def test_rule_41_the_others_are_answered_order_by_order() -> None:
    house = House()
    results = house.place_many(
        house.alice, [some_terms(price=BID + 1), some_terms(), some_terms(lots=1, price=TICK), some_terms()]
    )
    assert ["Price must be divisible by tick size.", "", "Order must have minimum value of $10.", ""] == [
        one.refusal.text if one.refusal else "" for one in results
    ]
    assert ["tickRejected", "open", "minTradeNtlRejected", "open"] == [one.order.status for one in results]
    numbers = [one.order.venue_order_id for one in results]
    assert numbers == sorted(set(numbers))


def test_rule_30_a_client_order_id_is_used_once() -> None:
    house = House()
    first = house.place(house.alice, client_order_id="0xa").order
    assert house.text(house.alice, client_order_id="0xa") == "Duplicate client order id"
    assert house.text(house.bob, client_order_id="0xa") == ""
    assert house.venue.cancel(house.alice, "BTC", "0xa", house.now()) is None
    assert house.text(house.alice, client_order_id="0xa") == "Duplicate client order id"
    assert house.alice.order(first.venue_order_id) is first
    assert first.status == "canceled"


def test_rule_19_a_cancel_finds_orders_of_its_own_account_and_market_only() -> None:
    house = House()
    number = house.place(house.alice).order.venue_order_id
    text = "Order was never placed, already canceled, or filled."
    assert house.venue.cancel(house.bob, "BTC", number, house.now()).text == text
    assert house.venue.cancel(house.alice, "ETH", number, house.now()).text == text
    assert house.venue.cancel(house.alice, "BTC", number, house.now()) is None
    assert house.venue.cancel(house.alice, "BTC", number, house.now()).text == text


def test_rule_47_a_modified_order_has_a_new_number_and_the_back_of_the_queue() -> None:
    house = House()
    old, behind = house.place(house.alice, client_order_id="0xa").order, house.place(house.bob).order
    result = house.venue.modify(house.alice, "0xa", some_terms(lots=50, client_order_id="0xa"), house.now())

    assert result.order.venue_order_id > behind.venue_order_id
    assert (old.status, result.order.lots, result.order.post_only) == ("canceled", 50, True)
    assert house.venue.markets["BTC"].buys == [behind, result.order]
    assert house.alice.order("0xa") is result.order


@pytest.mark.parametrize(
    ("terms", "text", "is_gone"),
    [
        (some_terms(time_in_force=TimeInForce.IOC), "Attempted to modify to invalid new order", False),
        (some_terms(Side.SELL, ASK), "Attempted to modify to invalid new order", False),
        (stop(BID - TICK), "Attempted to modify to invalid new order", False),
        (some_terms(lots=0), "Order has zero size.", False),
        (some_terms(price=BID + 1), "Price must be divisible by tick size.", False),
        (some_terms(price=ASK), "Post only order would have immediately matched, bbo was 0@100001.", True),
    ],
)
def test_rule_47_what_a_modified_order_may_not_become(terms, text: str, is_gone) -> None:
    house = House()
    house.place(house.bob, Side.SELL, ASK)
    old = house.place(house.alice).order
    result = house.venue.modify(house.alice, old.venue_order_id, terms, house.now())
    assert (result.refusal.text, result.is_gone, old.is_open) == (text, is_gone, not is_gone)


def test_rule_47_with_always_place_it_may_take_at_once() -> None:
    house = House()
    house.place(house.bob, Side.SELL, ASK)
    old = house.place(house.alice).order
    result = house.venue.modify(house.alice, old.venue_order_id, some_terms(price=ASK), house.now(), always_place=True)
    assert (old.status, result.order.status, result.filled_lots) == ("canceled", "filled", 100)


def test_rule_47_an_ended_order_cannot_be_modified() -> None:
    house = House()
    assert house.venue.modify(house.alice, 7, some_terms(), house.now()).refusal.text == (
        "Cannot modify canceled or filled order"
    )


def test_rule_48_an_order_has_a_greatest_value_by_the_leverage_of_its_coin() -> None:
    house = House(cash=10**9 * MONEY_UNIT)
    house.place(house.bob, Side.SELL, ASK, 400 * 10**5)
    text = "Order would cause position to exceed margin tier limit at current leverage"
    assert house.ioc(house.alice, Side.BUY, ASK, 300 * 10**5).refusal.text == text
    assert house.text(house.alice, Side.BUY, BID, 300 * 10**5) == ""
    assert house.text(house.alice, Side.BUY, BID, 3_001 * 10**5) == text


def test_rule_48_volume_earns_more_open_orders_but_not_for_reduce_only_and_triggers() -> None:
    house = House(open_orders_max=2).mark(BID)
    house.alice.volume_total = 5_000_000 * MONEY_UNIT
    house.open_long(house.alice)
    assert [house.text(house.alice, price=BID - step * TICK) for step in range(4)] == [
        "",
        "",
        "",
        "Too many open orders",
    ]
    assert house.text(house.alice, Side.SELL, ASK + TICK, reduce_only=True) == "Too many open orders"
    assert house.place_many(house.alice, [stop(BID - 9 * TICK)])[0].refusal.text == "Too many open orders"
    assert house.text(house.bob, lots=1_000) == ""


def test_rule_61_a_transfer_moves_what_can_be_withdrawn_and_is_told_to_both() -> None:
    house = House()
    assert house.venue.transfer(house.alice, house.bob, 40 * MONEY_UNIT, "internalTransfer", house.now()) is None
    assert (house.alice.cash, house.bob.cash) == (CASH - 40 * MONEY_UNIT, CASH + 40 * MONEY_UNIT)
    fields = {"user": ALICE, "destination": BOB}
    assert [(who, one.kind, one.amount, one.fields) for who, one in house.told.updates] == [
        (ALICE, "internalTransfer", -40 * MONEY_UNIT, fields),
        (BOB, "internalTransfer", 40 * MONEY_UNIT, fields),
    ]
    refused = house.venue.transfer(house.alice, house.bob, CASH, "internalTransfer", house.now())
    assert refused.text == "Insufficient balance for token transfer"
    assert house.venue.transfer(house.alice, house.alice, 1, "internalTransfer", house.now()).text == "Invalid send"
    assert house.venue.transfer(house.alice, house.bob, -1, "internalTransfer", house.now()).text == "Invalid send"


def test_rule_61_a_deposit_is_told() -> None:
    house = House()
    house.venue.deposit(house.alice, 5 * MONEY_UNIT, "deposit", house.now())
    assert house.alice.cash == CASH + 5 * MONEY_UNIT
    assert [(one.kind, one.amount) for one in house.alice.updates] == [("deposit", 5 * MONEY_UNIT)]


def test_an_account_is_opened_once() -> None:
    house = House()
    assert house.venue.open_account(ALICE, 1) is house.alice
    assert house.alice.cash == CASH


def test_books_are_told_once_for_an_action_and_for_what_the_outside_does() -> None:
    house = House()
    house.place_many(house.alice, [some_terms(), some_terms(price=BID - TICK), some_terms(symbol="ETH")])
    assert house.told.books == ["BTC", "ETH"]
    house.market(top(10))
    assert house.told.books == ["BTC", "ETH", "BTC"]


def test_history_ends_at_its_bound_and_forgets_names_with_it() -> None:
    house = House(rules=replace(FULL_RULES, names_kept=3))
    first = house.place(house.alice, client_order_id="0xfirst").order
    last = first
    for number in range(2_001):
        house.venue.cancel(house.alice, "BTC", last.venue_order_id, house.now())
        last = house.place(house.alice, client_order_id=f"0x{number}").order
    assert len(house.alice.history) == 2_000
    assert house.alice.order("0xfirst") is None
    assert house.alice.order(first.venue_order_id) is None
    assert 3 <= len(house.alice.ended) <= 6
    assert house.text(house.alice, client_order_id="0xfirst") == ""


def test_grouping_names_are_the_venues() -> None:
    assert ["na", "normalTpsl", "positionTpsl"] == [str(one) for one in Grouping]


def test_rule_38_a_long_line_keeps_price_and_time() -> None:
    house = House()
    for number in range(60):
        house.place((house.alice, house.bob)[number % 2], price=BID - TICK * (number * 7 % 5))
    line = house.venue.markets["BTC"].buys
    ranks = [(-one.price, one.venue_order_id) for one in line]
    assert ranks == sorted(ranks)
    assert len(line) == 60
