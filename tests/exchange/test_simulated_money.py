"""Rules 31 to 37 of docs/FILLS.md: fees, funding, margin at the fill, statements and queries."""

import pytest

from domain.events import AccountReported, FundingPaid, OrderCanceled, OrderStatus
from domain.order import Side
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_HOUR, NS_PER_MS, Money, Rate
from exchange.simulated.settings import LatencySettings
from tests.exchange.exchange_builders import ASK, BID, START_NS, TICK, Scene, at, book, deep_book, mark, top, trade

CASH = 10_000 * MONEY_UNIT
HALF_HOUR_MS = 1_800_000
FULL_HOUR_NS = START_NS + NS_PER_HOUR // 2


def test_rule_31_takers_pay_and_makers_are_paid() -> None:
    feed = [deep_book(0), trade(5, BID - TICK, 1)]
    scene = Scene(*feed, taker_rate=Rate(450_000), maker_rate=Rate(-30_000))
    scene.take(1, 1, Side.SELL, BID, 100).place(2, 2, lots=200).run()
    # 0.001 BTC at 100,000.0 is 100 USDC: 0.045 USDC; 0.002 BTC is 200 USDC: a rebate of 0.006 USDC.
    assert [4_500_000, -600_000] == [fill.fee for fill in scene.fills]
    assert CASH + 100 * MONEY_UNIT - 200 * MONEY_UNIT - 4_500_000 + 600_000 == scene.port.statement().cash


def test_rule_31_a_fee_is_rounded_to_whole_micro_usdc() -> None:
    scene = Scene(deep_book(0, ASK, ASK + TICK)).take(1, 1, Side.BUY, ASK + TICK, 11).run()
    # 0.00011 BTC at 100,002.0: 11.00022 USDC times 0.045 % is 0.004950099 USDC.
    assert [495_000] == [fill.fee for fill in scene.fills]


def funding(scene: Scene) -> list[FundingPaid]:
    return [fact for fact in scene.facts if isinstance(fact, FundingPaid)]


def test_rule_32_longs_pay_at_the_full_hour_on_the_oracle_price() -> None:
    feed = [deep_book(0), mark(0, BID, oracle=BID - TICK, rate=12_500), top(HALF_HOUR_MS - 1), top(HALF_HOUR_MS + 5000)]
    way = LatencySettings(median_ns=20 * NS_PER_MS)
    scene = Scene(*feed, response_latency=way, taker_rate=Rate(0)).take(1, 1, Side.BUY, ASK, 100).run()
    (paid,) = funding(scene)
    assert (FULL_HOUR_NS, FULL_HOUR_NS, FULL_HOUR_NS + 20 * NS_PER_MS) == (
        paid.hour_ns,
        paid.ts_event_ns,
        paid.ts_recv_ns,
    )
    assert ("BTC", 100, 12_500, BID - TICK) == (paid.symbol, paid.position, paid.rate, paid.oracle_price)
    # 99.999 USDC times 0.00125 % is 0.0012499875 USDC: micro-USDC are whole.
    assert -125_000 == paid.amount
    assert CASH - 100_001_000_00 - 125_000 == scene.port.statement().cash
    received = [fact.ts_recv_ns for fact in scene.facts]
    assert received == sorted(received)


def test_rule_32_shorts_receive_and_every_hour_counts() -> None:
    feed = [deep_book(0), mark(0, rate=12_500), top(HALF_HOUR_MS * 8)]
    scene = Scene(*feed).take(1, 1, Side.SELL, BID, 100).run()
    assert [125_000] * 4 == [paid.amount for paid in funding(scene)]
    assert [FULL_HOUR_NS + hour * NS_PER_HOUR for hour in range(4)] == [paid.hour_ns for paid in funding(scene)]


def test_rule_32_funding_comes_before_anything_else_of_that_moment() -> None:
    feed = [deep_book(0), mark(0, rate=12_500), mark(HALF_HOUR_MS, rate=90_000), trade(HALF_HOUR_MS, BID - TICK, 1)]
    scene = Scene(*feed).take(1, 1, Side.SELL, BID, 100).place(2, 2, lots=100).run()
    assert ["FundingPaid", "OrderFilled"] == [type(fact).__name__ for fact in scene.private][-2:]
    assert [(12_500, -100)] == [(paid.rate, paid.position) for paid in funding(scene)]


def test_rule_32_a_zero_rate_settles_and_an_untold_rate_does_not() -> None:
    end = top(HALF_HOUR_MS + 1)
    assert [0] == [
        paid.amount for paid in funding(Scene(deep_book(0), mark(0), end).take(1, 1, Side.BUY, ASK, 100).run())
    ]
    assert [] == funding(Scene(deep_book(0), end).take(1, 1, Side.BUY, ASK, 100).run())
    quiet = Scene(deep_book(0), mark(0, rate=12_500), end, funding_on=False).take(1, 1, Side.BUY, ASK, 100).run()
    assert [] == funding(quiet)


def test_rule_32_without_an_oracle_the_mark_counts_and_then_the_mid() -> None:
    end = top(HALF_HOUR_MS + 1)
    scene = Scene(deep_book(0), mark(0, BID - TICK, oracle=0, rate=12_500), end).take(1, 1, Side.BUY, ASK, 100).run()
    assert [BID - TICK] == [paid.oracle_price for paid in funding(scene)]
    scene = Scene(deep_book(0), mark(0, 0, rate=12_500), end).take(1, 1, Side.BUY, ASK, 100).run()
    assert [(BID + ASK) // 2] == [paid.oracle_price for paid in funding(scene)]


def test_rule_32_without_a_position_hours_pass_in_silence() -> None:
    feed = [deep_book(0), mark(0, rate=12_500), top(HALF_HOUR_MS * 6), top(HALF_HOUR_MS * 9)]
    scene = Scene(*feed).take(1, HALF_HOUR_MS * 4.2, Side.BUY, ASK, 100).run()
    assert [FULL_HOUR_NS + 2 * NS_PER_HOUR + hour * NS_PER_HOUR for hour in range(3)] == [
        paid.hour_ns for paid in funding(scene)
    ]


def test_rule_32_an_hour_passed_late_settles_before_the_next_command() -> None:
    feed = [deep_book(0), mark(0, rate=12_500), top(HALF_HOUR_MS - 1, recv_ms=HALF_HOUR_MS + 20)]
    scene = Scene(*feed).take(1, 1, Side.SELL, BID, 100).run()
    assert [] == funding(scene)
    scene.report(HALF_HOUR_MS + 30).run()
    (paid,) = funding(scene)
    assert (FULL_HOUR_NS, at(HALF_HOUR_MS + 20)) == (paid.ts_event_ns, paid.ts_recv_ns)


def test_rule_33_an_order_the_account_cannot_carry_is_canceled_instead_of_filled() -> None:
    feed = [deep_book(0, lots=100_000), mark(0), mark(5, BID * 7 // 10), trade(6, BID - 2 * TICK, 1)]
    scene = Scene(*feed).take(1, 1, Side.BUY, ASK, 29_000).place(2, 2, lots=900).run()
    canceled = scene.last(2)
    assert isinstance(canceled, OrderCanceled)
    assert (Reason.VENUE_MARGIN, "marginCanceled") == (canceled.reason, canceled.venue_text)
    assert scene.filled(2) == 0


def test_rule_33_a_fill_that_shrinks_the_position_always_happens() -> None:
    feed = [deep_book(0, lots=100_000), mark(0), mark(5, BID * 7 // 10), trade(6, ASK + TICK, 1, Side.BUY)]
    scene = Scene(*feed).take(1, 1, Side.BUY, ASK, 29_000).place(2, 2, Side.SELL, ASK, 900).run()
    assert scene.filled(2) == 900


def test_rule_33_positions_elsewhere_need_margin_too() -> None:
    feed = [
        deep_book(0, lots=100_000),
        mark(0),
        deep_book(0, 400_000, 400_100, symbol="ETH"),
        mark(0, 400_000, symbol="ETH"),
        mark(5, BID * 9 // 10),
        trade(6, 399_900, 1, symbol="ETH"),
    ]
    scene = Scene(*feed).take(1, 1, Side.BUY, ASK, 20_000).place(2, 2, price=400_000, lots=24_000, symbol="ETH").run()
    assert Reason.VENUE_MARGIN is scene.last(2).reason


def test_rule_34_the_statement_follows_the_facts_handed_out() -> None:
    way = LatencySettings(median_ns=10 * NS_PER_MS)
    feed = [deep_book(0), top(5), top(30)]
    scene = Scene(*feed, response_latency=way, taker_rate=Rate(0))
    nothing = scene.port.statement()
    assert (0, {}) == (nothing.cash, nothing.positions)
    scene.report(0).take(1, 1, Side.BUY, ASK, 100).run(10)
    assert (CASH, {}) == (scene.port.statement().cash, scene.port.statement().positions)
    scene.run()
    statement = scene.port.statement()
    assert (CASH - 100_001_000_00, {"BTC": 100}) == (statement.cash, statement.positions)
    assert statement is scene.port.statement()


def test_rule_36_a_query_says_what_became_of_an_order() -> None:
    feed = [deep_book(0), trade(3, BID, 130), trade(6, ASK + TICK, 1, Side.BUY)]
    scene = Scene(*feed).place(1, 1).place(2, 1, Side.SELL, ASK, 50).place(3, 1, lots=1).place(4, 1).cancel(4, 2)
    scene.take(5, 2, Side.BUY, ASK, 400)
    for number in range(1, 7):
        scene.query(number, 10)
    scene.run()
    answers = [(scene.last(number).status, scene.last(number).filled_lots) for number in range(1, 7)]
    assert answers == [
        (OrderStatus.OPEN, 30),
        (OrderStatus.CANCELED, 0),  # canceled by our own taker
        (OrderStatus.REJECTED, 0),
        (OrderStatus.CANCELED, 0),
        (OrderStatus.CANCELED, 100),  # the rest expired
        (OrderStatus.NEVER_SEEN, 0),
    ]
    scene = Scene(deep_book(0), trade(3, BID, 900)).place(1, 1).query(1, 9).run()
    assert (OrderStatus.FILLED, 100) == (scene.last(1).status, scene.last(1).filled_lots)


@pytest.mark.parametrize(
    ("steps", "lots", "cost"),
    [
        ([(Side.BUY, 100)], 100, 100 * ASK * 100),
        ([(Side.BUY, 100), (Side.SELL, 30)], 70, 70 * ASK * 100),
        ([(Side.BUY, 100), (Side.SELL, 130)], -30, -30 * BID * 100),
        ([(Side.SELL, 100), (Side.BUY, 30)], -70, -70 * BID * 100),
        ([(Side.SELL, 100), (Side.SELL, 50), (Side.BUY, 160)], 10, 10 * ASK * 100),
    ],
)
def test_rule_37_the_account_report_names_cash_positions_and_entry_cost(steps, lots: int, cost: int) -> None:
    scene = Scene(deep_book(0, lots=1000), taker_rate=Rate(0))
    for number, (side, size) in enumerate(steps, start=1):
        scene.take(number, number, side, ASK if side is Side.BUY else BID, size)
    report = scene.report(20).run().facts[-1]
    assert isinstance(report, AccountReported)
    assert (("BTC", lots, cost),) == report.positions
    spent = sum(side * size * (ASK if side is Side.BUY else BID) * 100 for side, size in steps)
    assert Money(CASH - spent) == report.cash


def test_rule_37_a_flat_account_has_no_positions() -> None:
    scene = Scene(deep_book(0)).take(1, 1, Side.BUY, ASK, 50).take(2, 2, Side.SELL, BID, 50).report(3).run()
    assert () == scene.facts[-1].positions
    assert {} == scene.port.statement().positions


def test_rule_35_a_mark_of_long_ago_is_forgotten_when_the_book_speaks() -> None:
    late = HALF_HOUR_MS * 2 + 1
    twice = (2 * BID, 100), (2 * ASK, 100)
    feed = [deep_book(0), mark(0, BID), book(late, (twice[0],), (twice[1],)), top(late + 5000, 2 * BID, 100, 2 * ASK)]
    young = [deep_book(0), mark(3, BID), *feed[2:]]

    assert "OrderAccepted" in Scene(*feed).place(1, late + 10, price=2 * BID - 2 * TICK, lots=100).run().story(1)
    assert "OrderRejected" in Scene(*young).place(1, late + 10, price=2 * BID - 2 * TICK, lots=100).run().story(1)
