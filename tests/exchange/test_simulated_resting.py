"""Rules 1 to 13 of docs/FILLS.md: time, travel, and orders at rest."""

import pytest

from domain.events import FeedLost, FeedRestored, OrderFilled
from domain.order import Liquidity, Side
from domain.units import NS_PER_MS, Rate
from exchange.simulated.settings import LatencySettings, QueueModel
from tests.exchange.exchange_builders import (
    ASK,
    BID,
    MARKET,
    TICK,
    Scene,
    at,
    book,
    deep_book,
    mark,
    order_id,
    top,
    trade,
)


def test_rule_01_market_events_reach_the_bot_in_order_and_never_before_the_venue() -> None:
    scene = Scene(
        top(0, recv_ms=10),
        top(1, BID - TICK, recv_ms=5),
        top(20, recv_ms=18),
        top(30, recv_ms=31),
    ).run()
    assert [at(10), at(10), at(20), at(31)] == [fact.ts_recv_ns for fact in scene.facts]
    assert [at(0), at(1), at(20), at(30)] == [fact.ts_event_ns for fact in scene.facts]


def test_rule_01_a_market_event_late_in_the_feed_happens_when_it_is_its_turn() -> None:
    scene = Scene(top(10), top(4)).run()
    assert [at(10), at(10)] == [fact.ts_recv_ns for fact in scene.facts]


def test_rule_01_what_only_our_line_knows_passes_through_the_venue() -> None:
    lost = FeedLost(ts_event_ns=at(1), ts_recv_ns=at(1), symbol="BTC", detail="socket closed")
    back = FeedRestored(ts_event_ns=at(2), ts_recv_ns=at(2), symbol="BTC")
    feed = [deep_book(0), lost, back, top(3, symbol="XRP")]
    scene = Scene(*feed).place(1, 0).run()
    assert feed == [fact for fact in scene.facts if fact not in scene.private or fact in {lost, back}]
    assert ["OrderAccepted"] == scene.story(1)


def test_rule_01_feed_latency_replaces_the_receive_time_when_it_is_set() -> None:
    scene = Scene(top(0, recv_ms=400), top(1, recv_ms=401), feed_latency=LatencySettings(median_ns=3 * NS_PER_MS)).run()
    assert [at(3), at(4)] == [fact.ts_recv_ns for fact in scene.facts]


def test_rule_02_an_order_acts_on_arrival_and_after_the_market_of_that_instant() -> None:
    feed = [deep_book(0), trade(49, BID, 500), trade(50, BID, 150), trade(51, BID, 150), trade(52, BID, 30)]
    scene = Scene(*feed, order_latency=LatencySettings(median_ns=50 * NS_PER_MS)).place(1, 0).run()
    assert [at(51), at(52)] == [fill.ts_event_ns for fill in scene.fills]
    assert [50, 30] == [fill.lots for fill in scene.fills]


def test_rule_02_commands_do_not_overtake_each_other() -> None:
    scene = Scene(deep_book(0), order_latency=LatencySettings(median_ns=5 * NS_PER_MS, sigma=Rate(1_500_000_000)))
    for number in range(1, 40):
        scene.place(number, number / 100, lots=10)
    scene.run()
    accepted = [fact for fact in scene.private if type(fact).__name__ == "OrderAccepted"]
    assert [order_id(number) for number in range(1, 40)] == [fact.client_order_id for fact in accepted]
    assert list(range(1, 40)) == [fact.venue_order_id for fact in accepted]
    arrivals = [fact.ts_event_ns for fact in accepted]
    assert arrivals == sorted(arrivals)
    assert len(set(arrivals)) > 2


def test_rule_03_answers_travel_back_and_keep_their_order() -> None:
    feed = [deep_book(0), trade(20, BID - TICK, 1), top(40)]
    scene = Scene(*feed, response_latency=LatencySettings(median_ns=15 * NS_PER_MS)).place(1, 5).run()
    accepted, filled = scene.private
    assert (at(5), at(20)) == (accepted.ts_event_ns, accepted.ts_recv_ns)
    assert (at(20), at(35)) == (filled.ts_event_ns, filled.ts_recv_ns)


def test_rule_03_facts_of_one_moment_arrive_together_in_order() -> None:
    scene = Scene(deep_book(0), response_latency=LatencySettings(median_ns=10 * NS_PER_MS, sigma=Rate(900_000_000)))
    scene.take(1, 1, Side.BUY, ASK + 2 * TICK, 500).run()
    assert ["OrderAccepted", "OrderFilled", "OrderFilled", "OrderFilled", "OrderExpired"] == scene.story(1)
    assert len({fact.ts_recv_ns for fact in scene.private}) == 1


def test_rule_03_private_facts_never_overtake_each_other() -> None:
    scene = Scene(deep_book(0), response_latency=LatencySettings(median_ns=50 * NS_PER_MS, sigma=Rate(1_500_000_000)))
    for number in range(1, 60):
        scene.place(number, number, lots=10)
    scene.run()
    assert [order_id(number) for number in range(1, 60)] == [fact.client_order_id for fact in scene.private]


def test_rule_05_what_is_under_way_when_the_feed_ends_still_arrives() -> None:
    way = LatencySettings(median_ns=80 * NS_PER_MS)
    scene = Scene(deep_book(0), order_latency=way, response_latency=way).place(1, 0).run()
    assert ["OrderAccepted"] == scene.story(1)
    assert scene.port.next_ts_ns() is None
    assert scene.port.advance() is None
    scene.cancel(1, 500).run()
    assert ["OrderAccepted", "OrderCanceled"] == scene.story(1)
    assert at(660) == scene.last(1).ts_recv_ns


def test_rule_06_everything_shown_at_arrival_is_ahead() -> None:
    scene = Scene(book(0, [(BID, 70), (BID - 2 * TICK, 30)]), top(10)).place(1, 1, price=BID)
    scene.place(2, 1, price=BID - 2 * TICK).place(3, 1, price=BID - TICK).run(2)
    assert (70, 30, 0) == (scene.waiting(1), scene.waiting(2), scene.waiting(3))


def test_rule_06_a_level_out_of_sight_is_unknown_until_seen() -> None:
    feed = [
        top(0),
        trade(2, BID - TICK, 5000, Side.BUY),
        trade(3, BID - TICK, 5000),
        deep_book(4, lots=60),
        trade(5, BID - TICK, 61),
    ]
    scene = Scene(*feed).place(1, 1, price=BID - TICK).run(3)
    assert scene.fills == []
    assert scene.waiting(1) == -1
    scene.run(4)
    assert scene.waiting(1) == 60
    scene.run()
    assert [1] == [fill.lots for fill in scene.fills]


def test_rule_06_before_the_first_book_the_queue_is_unknown() -> None:
    scene = Scene(mark(0), top(5)).place(1, 1).run(2)
    assert scene.waiting(1) == -1
    scene.run()
    assert scene.waiting(1) == 100


def test_rule_07_a_print_eats_the_queue_and_fills_us_with_the_excess() -> None:
    feed = [deep_book(0), trade(2, BID, 60), trade(3, BID, 60), trade(4, BID, 30), trade(5, BID, 900)]
    scene = Scene(*feed).place(1, 1).run()
    assert [20, 30, 50] == [fill.lots for fill in scene.fills]
    assert [at(3), at(4), at(5)] == [fill.ts_event_ns for fill in scene.fills]
    assert {(BID, Liquidity.MAKER)} == {(fill.price, fill.liquidity) for fill in scene.fills}
    assert [0, 20, 50] == [fill.start_position for fill in scene.fills]
    assert [1, 2, 3] == [fill.trade_id for fill in scene.fills]


def test_rule_07_a_print_of_our_own_side_does_not_fill_us() -> None:
    scene = Scene(deep_book(0), trade(2, BID, 5000, Side.BUY)).place(1, 1).run()
    assert scene.fills == []


def test_rule_07_sells_are_filled_by_buyers() -> None:
    scene = Scene(deep_book(0), trade(2, ASK, 130, Side.BUY)).place(1, 1, Side.SELL, ASK).run()
    assert [30] == [fill.lots for fill in scene.fills]
    assert Side.SELL is scene.fills[0].side


@pytest.mark.parametrize("aggressor", [Side.SELL, Side.BUY])
def test_rule_08_a_print_beyond_our_price_fills_us_whole(aggressor: Side) -> None:
    scene = Scene(deep_book(0), trade(2, BID - TICK, 1, aggressor)).place(1, 1, lots=300).run()
    assert [(BID, 300)] == [(fill.price, fill.lots) for fill in scene.fills]


def test_rule_09_the_other_side_at_our_price_fills_us_whole() -> None:
    scene = Scene(deep_book(0), top(2, BID - TICK, 5, BID, 1)).place(1, 1, lots=300).run()
    assert [(BID, 300, Liquidity.MAKER)] == [(fill.price, fill.lots, fill.liquidity) for fill in scene.fills]
    scene = Scene(deep_book(0), deep_book(2, ASK + TICK, ASK + 2 * TICK)).place(1, 1, Side.SELL, ASK).run()
    assert [(ASK, 100)] == [(fill.price, fill.lots) for fill in scene.fills]


def test_rule_09_a_side_that_empties_fills_nobody() -> None:
    scene = Scene(deep_book(0), top(2, BID, 5, 0, 0), book(3, [], [])).place(1, 1).place(2, 1, Side.SELL, ASK).run()
    assert scene.fills == []


def test_rule_10_better_price_first_then_older() -> None:
    feed = [book(0, [(BID, 10), (BID - TICK, 40)]), trade(5, BID - TICK, 120)]
    scene = Scene(*feed)
    scene.place(1, 1, price=BID - TICK, lots=20).place(2, 2, price=BID, lots=30).place(3, 3, price=BID - TICK, lots=90)
    scene.run()
    assert [(order_id(2), 30), (order_id(1), 20), (order_id(3), 30)] == [
        (fill.client_order_id, fill.lots) for fill in scene.fills
    ]


def test_rule_10_market_lots_between_two_of_ours_are_ahead_of_the_younger() -> None:
    feed = [book(0, [(BID, 50)]), top(2, BID, 80), trade(4, BID, 100)]
    scene = Scene(*feed).place(1, 1, lots=20).place(2, 3, lots=20).run(3)
    assert (50, 80) == (scene.waiting(1), scene.waiting(2))
    scene.run()
    assert (20, 0) == (scene.filled(1), scene.filled(2))
    assert scene.waiting(2) == 0


def test_rule_11_a_conservative_queue_only_shrinks_to_what_is_shown() -> None:
    feed = [deep_book(0), top(2, BID, 140), top(4, BID, 90), top(6, BID, 40), top(8, BID, 500)]
    scene = Scene(*feed).place(1, 1)
    seen = []
    for ms in (3, 5, 7, 9):
        seen.append(scene.run(ms).waiting(1))
    assert [100, 90, 40, 40] == seen


def test_rule_12_a_probabilistic_queue_shares_what_prints_do_not_explain() -> None:
    feed = [
        deep_book(0),  # 100 ahead
        top(2, BID, 200),  # 100 more behind
        top(4, BID, 150),  # 50 canceled, half of them ahead: 75
        trade(5, BID, 25),  # 50 ahead
        top(6, BID, 125),  # explained by the print
        top(8, BID, 124),  # one canceled, rounded against us
    ]
    scene = Scene(*feed, queue_model=QueueModel.PROBABILISTIC).place(1, 1)
    seen = [scene.run(ms).waiting(1) for ms in (3, 4, 5, 7, 9)]
    assert [100, 75, 50, 50, 50] == seen


def test_rule_13_the_market_does_not_see_our_orders() -> None:
    feed = [deep_book(0), trade(5, BID, 500), deep_book(6), trade(7, ASK, 500, Side.BUY)]
    quiet = Scene(*feed).run()
    busy = Scene(*feed).place(1, 1, lots=9000).place(2, 1, Side.SELL, ASK, 900).take(3, 2, Side.BUY, ASK, 50).run()
    assert quiet.facts == [fact for fact in busy.facts if isinstance(fact, MARKET)]
    assert any(isinstance(fact, OrderFilled) for fact in busy.facts)
