"""Rules 14 to 21 of docs/FILLS.md: taking, canceling, replacing, reduce-only."""

import pytest

from domain.events import CancelRefused, OrderCanceled, OrderRejected, OrderReplaced, ReplaceRefused
from domain.order import Liquidity, Side
from domain.reasons import Reason
from tests.exchange.exchange_builders import ASK, BID, TICK, Scene, book, deep_book, top, trade


def test_rule_14_a_taker_walks_the_levels_best_first_up_to_its_limit() -> None:
    scene = Scene(deep_book(0)).take(1, 1, Side.BUY, ASK + TICK, 250).run()
    assert [(ASK, 100), (ASK + TICK, 100)] == [(fill.price, fill.lots) for fill in scene.fills]
    assert {Liquidity.TAKER} == {fill.liquidity for fill in scene.fills}
    assert ["OrderAccepted", "OrderFilled", "OrderFilled", "OrderExpired"] == scene.story(1)


def test_rule_14_a_seller_takes_bids_downwards_and_stops_when_done() -> None:
    scene = Scene(deep_book(0)).take(1, 1, Side.SELL, BID - 3 * TICK, 120, ioc=False).run()
    assert [(BID, 100), (BID - TICK, 20)] == [(fill.price, fill.lots) for fill in scene.fills]
    assert ["OrderAccepted", "OrderFilled", "OrderFilled"] == scene.story(1)


def test_rule_15_what_we_took_is_gone_until_the_level_is_new() -> None:
    feed = [deep_book(0), deep_book(10), top(20, BID, 100, ASK, 90)]
    scene = Scene(*feed)
    scene.take(1, 1, Side.BUY, ASK, 60).take(2, 2, Side.BUY, ASK, 60).take(3, 11, Side.BUY, ASK, 60)
    scene.take(4, 21, Side.BUY, ASK, 60).run()
    assert [60, 40, 0, 60] == [scene.filled(number) for number in (1, 2, 3, 4)]
    assert isinstance(scene.last(3), OrderRejected)


def test_rule_15_a_level_taken_away_does_not_cross_the_rest_that_stays_there() -> None:
    feed = [deep_book(0), deep_book(10), trade(20, ASK, 30)]
    scene = Scene(*feed).take(1, 1, Side.BUY, ASK, 150, ioc=False).run(15)
    assert [100] == [fill.lots for fill in scene.fills]
    scene.run()
    assert [(100, Liquidity.TAKER), (30, Liquidity.MAKER)] == [(fill.lots, fill.liquidity) for fill in scene.fills]


def test_rule_15_a_post_only_order_may_join_behind_a_level_taken_away() -> None:
    scene = Scene(deep_book(0)).take(1, 1, Side.BUY, ASK, 100).place(2, 2, Side.BUY, ASK).run()
    assert ["OrderAccepted"] == scene.story(2)


def test_rule_15_what_we_took_shortens_the_queue_we_join_there() -> None:
    scene = Scene(deep_book(0), top(50)).take(1, 1, Side.SELL, BID, 60).place(2, 2, Side.BUY, BID).run(10)
    assert scene.waiting(2) == 40


def test_rule_16_the_rest_of_an_immediate_order_expires() -> None:
    scene = Scene(deep_book(0)).take(1, 1, Side.BUY, ASK, 150).query(1, 2).run()
    assert ["OrderAccepted", "OrderFilled", "OrderExpired", "OrderStatusReported"] == scene.story(1)
    assert 100 == scene.last(1).filled_lots


def test_rule_16_an_immediate_order_that_meets_nothing_is_refused() -> None:
    scene = Scene(deep_book(0)).take(1, 1, Side.BUY, BID, 150).run()
    refused = scene.last(1)
    assert Reason.VENUE_IOC is refused.reason
    assert "Order could not immediately match against any resting orders." == refused.venue_text


def test_rule_17_the_rest_of_a_good_till_canceled_order_rests() -> None:
    scene = Scene(deep_book(0), top(50)).take(1, 1, Side.BUY, ASK, 150, ioc=False).run(10)
    assert ["OrderAccepted", "OrderFilled"] == scene.story(1)
    assert scene.waiting(1) == 0


def test_rule_17_an_order_below_the_market_simply_rests() -> None:
    scene = Scene(deep_book(0), top(50)).take(1, 1, Side.BUY, BID - TICK, 150, ioc=False).run(10)
    assert ["OrderAccepted"] == scene.story(1)
    assert scene.waiting(1) == 100


def test_rule_18_a_taker_cancels_our_own_resting_orders_it_reaches() -> None:
    scene = Scene(deep_book(0))
    scene.place(1, 1, Side.SELL, ASK, 20).place(2, 1, Side.SELL, ASK + TICK, 20).place(
        3, 1, Side.SELL, ASK + 2 * TICK, 20
    )
    scene.take(4, 2, Side.BUY, ASK + TICK, 500, ioc=False).run()
    for number in (1, 2):
        canceled = scene.last(number)
        assert isinstance(canceled, OrderCanceled)
        assert (Reason.VENUE_SELF_TRADE, "selfTradeCanceled") == (canceled.reason, canceled.venue_text)
    assert ["OrderAccepted"] == scene.story(3)
    assert scene.filled(4) == 200


def test_rule_18_our_own_order_inside_the_spread_is_reached_first() -> None:
    scene = Scene(book(0, [(BID, 50)], [(ASK + 5 * TICK, 50)])).place(1, 1, Side.SELL, ASK + TICK, 20)
    scene.take(2, 2, Side.BUY, ASK + 2 * TICK, 20, ioc=False).run()
    assert Reason.VENUE_SELF_TRADE is scene.last(1).reason
    assert ["OrderAccepted"] == scene.story(2)


def test_rule_19_a_cancel_takes_an_open_order_out() -> None:
    scene = Scene(deep_book(0), trade(5, BID - TICK, 50)).place(1, 1).cancel(1, 2).run()
    assert ["OrderAccepted", "OrderCanceled"] == scene.story(1)
    assert (Reason.NONE, "") == (scene.last(1).reason, scene.last(1).venue_text)
    assert scene.fills == []


@pytest.mark.parametrize("number", [1, 2, 9])
def test_rule_19_a_cancel_of_no_open_order_is_refused(number: int) -> None:
    scene = Scene(deep_book(0), trade(5, BID - TICK, 50)).place(1, 1).place(2, 1).cancel(2, 2).cancel(number, 9).run()
    refused = scene.last(number)
    assert isinstance(refused, CancelRefused)
    assert Reason.VENUE_UNKNOWN_ORDER is refused.reason
    assert "Order was never placed, already canceled, or filled." == refused.venue_text


def test_rule_20_a_replacement_goes_to_the_back_with_a_new_number_and_keeps_its_fills() -> None:
    feed = [deep_book(0), trade(2, BID, 130), top(20), trade(30, BID, 300)]
    scene = Scene(*feed).place(1, 1).replace(1, 10, BID, 150).run(15)
    replaced = scene.last(1)
    assert isinstance(replaced, OrderReplaced)
    assert (2, BID, 150) == (replaced.venue_order_id, replaced.price, replaced.lots)
    assert scene.waiting(1) == 100
    scene.run()
    assert [30, 120] == [fill.lots for fill in scene.fills]
    assert [1, 2] == [fill.venue_order_id for fill in scene.fills]


def test_rule_20_a_replacement_that_would_match_leaves_nothing_behind() -> None:
    scene = Scene(deep_book(0)).place(1, 1).replace(1, 2, ASK, 150).query(1, 3).cancel(1, 4).run()
    refused = next(fact for fact in scene.private if isinstance(fact, ReplaceRefused))
    assert (Reason.VENUE_POST_ONLY, True) == (refused.reason, refused.is_gone)
    assert "Post only order would have immediately matched, bbo was 100000@100001." == refused.venue_text
    assert ["OrderAccepted", "ReplaceRefused", "OrderStatusReported", "CancelRefused"] == scene.story(1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"side": Side.SELL, "price": ASK}, "Attempted to modify to invalid new order"),
        ({"symbol": "ETH"}, "Attempted to modify to invalid new order"),
        ({"lots": 0}, "Order has zero size."),
        ({"price": BID + 3}, "Price must be divisible by tick size."),
    ],
)
def test_rule_20_a_malformed_replacement_touches_nothing(changes: dict, text: str) -> None:
    terms = {"price": BID, "lots": 150, **changes}
    scene = Scene(deep_book(0), trade(9, BID, 130)).place(1, 1).replace(1, 2, **terms).run()
    refused = next(fact for fact in scene.private if isinstance(fact, ReplaceRefused))
    assert (text, False) == (refused.venue_text, refused.is_gone)
    assert scene.filled(1) == 30


def test_rule_20_an_ended_order_cannot_be_replaced() -> None:
    scene = Scene(deep_book(0)).place(1, 1).cancel(1, 2).replace(1, 3, BID, 50).run()
    refused = scene.last(1)
    assert (Reason.VENUE_UNKNOWN_ORDER, False) == (refused.reason, refused.is_gone)
    assert "Cannot modify canceled or filled order" == refused.venue_text


def long_scene(*feed, lots=100) -> Scene:
    """A scene that holds a long position from one millisecond on."""
    return Scene(deep_book(0, lots=1000), *feed).take(1, 1, Side.BUY, ASK, lots)


def test_rule_21_an_immediate_reduce_only_order_stops_at_the_position() -> None:
    scene = long_scene().take(2, 2, Side.SELL, BID, 400, reduce_only=True).run()
    assert scene.filled(2) == 100
    assert ["OrderAccepted", "OrderFilled", "OrderExpired"] == scene.story(2)
    assert scene.port.statement().positions == {}


def test_rule_21_a_resting_reduce_only_order_stops_at_the_position_and_is_canceled() -> None:
    scene = long_scene(trade(9, ASK + TICK, 1, Side.BUY)).place(2, 2, Side.SELL, ASK, 400, reduce_only=True).run()
    assert ["OrderAccepted", "OrderFilled", "OrderCanceled"] == scene.story(2)
    assert scene.filled(2) == 100
    assert (Reason.VENUE_REDUCE_ONLY, "reduceOnlyCanceled") == (scene.last(2).reason, scene.last(2).venue_text)


def test_rule_21_a_taking_reduce_only_order_does_not_rest_once_flat() -> None:
    scene = long_scene().take(2, 2, Side.SELL, BID, 400, ioc=False, reduce_only=True).run()
    assert ["OrderAccepted", "OrderFilled", "OrderCanceled"] == scene.story(2)
    assert Reason.VENUE_REDUCE_ONLY is scene.last(2).reason


def test_rule_21_a_reduce_only_order_ends_when_another_closes_the_position() -> None:
    scene = long_scene().place(2, 2, Side.SELL, ASK + TICK, 100, reduce_only=True).take(3, 3, Side.SELL, BID, 100).run()
    assert Reason.VENUE_REDUCE_ONLY is scene.last(2).reason


def test_rule_21_of_several_reduce_only_orders_above_the_position_the_oldest_go() -> None:
    scene = long_scene()
    for number, price in ((2, ASK + 2 * TICK), (3, ASK + TICK), (4, ASK)):
        scene.place(number, number, Side.SELL, price, 50, reduce_only=True)
    scene.run()
    assert ["OrderAccepted", "OrderCanceled"] == scene.story(2)
    assert ["OrderAccepted"] == scene.story(3) == scene.story(4)


def test_rule_21_a_taking_reduce_only_order_stops_between_levels() -> None:
    scene = long_scene(lots=1000).take(2, 2, Side.SELL, BID - 2 * TICK, 1500, reduce_only=True)
    scene.take(3, 3, Side.BUY, ASK + TICK, 10).take(4, 4, Side.SELL, BID - 2 * TICK, 500, reduce_only=True).run()
    assert [(BID, 1000)] == [(fill.price, fill.lots) for fill in scene.fills if fill.side is Side.SELL][:1]
    assert (1000, 10) == (scene.filled(2), scene.filled(4))
    assert ["OrderAccepted", "OrderFilled", "OrderExpired"] == scene.story(2) == scene.story(4)


def test_rule_21_the_fill_that_closes_the_position_ends_the_next_reduce_only_order_before_its_turn() -> None:
    scene = long_scene(deep_book(9, ASK + 2 * TICK, ASK + 3 * TICK))
    scene.place(2, 2, Side.SELL, ASK, 60, reduce_only=True).place(3, 3, Side.SELL, ASK + TICK, 40, reduce_only=True)
    scene.take(4, 4, Side.SELL, BID, 40).run()
    assert (60, 0) == (scene.filled(2), scene.filled(3))
    assert Reason.VENUE_REDUCE_ONLY is scene.last(3).reason


def test_rule_21_one_order_above_the_position_displaces_all_older_ones() -> None:
    scene = long_scene().place(2, 2, Side.SELL, ASK, 50, reduce_only=True)
    scene.place(3, 3, Side.SELL, ASK + TICK, 300, reduce_only=True).run()
    assert ["OrderAccepted", "OrderCanceled"] == scene.story(2)
    assert ["OrderAccepted"] == scene.story(3)


def test_rule_21_shorts_are_reduced_by_buyers() -> None:
    scene = Scene(deep_book(0, lots=1000), trade(9, BID - TICK, 1)).take(1, 1, Side.SELL, BID, 100)
    scene.place(2, 2, Side.BUY, BID, 300, reduce_only=True).run()
    assert scene.filled(2) == 100
    assert scene.port.statement().positions == {}
