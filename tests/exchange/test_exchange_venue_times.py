"""Rules 49 and 58 to 60 of docs/FILLS.md: what the venue does by itself when its time comes."""

from msgspec.structs import replace

from domain.events import FundingPaid
from domain.order import Side
from domain.units import MONEY_UNIT, NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from exchange.simulated.settings import FULL_RULES, Rules
from tests.exchange.exchange_builders import ASK, BID, TICK, deep_book, mark
from tests.exchange.venue_builders import ALICE, CAROL, NO_VOLUME_RULES, House, at, stop

HALF_HOUR_MS = 1_800_000
"""Scenes start at half past."""


def schedule(house, seconds, account=None) -> str:
    ts_ns = house.now()
    time_ns = None if seconds is None else ts_ns + seconds * NS_PER_SECOND
    refused = house.venue.schedule_cancel(account or house.alice, time_ns, ts_ns)
    return refused.text if refused else ""


def started(**settings) -> House:
    house = House(**settings)
    house.venue.on_time(at(0))
    return house


def test_rule_49_a_scheduled_cancel_takes_everything_of_its_account() -> None:
    house = started(rules=NO_VOLUME_RULES).mark(BID)
    own = house.place(house.alice).order
    waiting = house.place_many(house.alice, [stop(BID - 500 * TICK, reduce_only=False)])[0].order
    other = house.place(house.bob).order
    assert schedule(house, 5) == ""
    house.wait(4)
    assert own.is_open
    assert house.venue.next_due_ns() <= house.alice.scheduled_cancel_ns
    house.wait(2)
    assert (own.status, waiting.status, other.status) == ("scheduledCancel", "scheduledCancel", "open")
    assert (own.venue_order_id, "scheduledCancel") in house.told.canceled
    assert house.alice.scheduled_cancel_ns == 0


def test_rule_49_a_scheduled_cancel_can_be_moved_and_cleared() -> None:
    house = started(rules=NO_VOLUME_RULES)
    order = house.place(house.alice).order
    schedule(house, 6)
    schedule(house, 30)
    house.wait(10)
    assert order.is_open
    schedule(house, None)
    house.wait(60)
    assert order.is_open


def test_rule_49_the_gate_asks_for_volume_time_and_patience() -> None:
    house = started()
    house.alice.volume_total = 12_066_75 * MONEY_UNIT // 100
    assert schedule(house, 60) == (
        "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $12066.75."
    )
    house.alice.volume_total = 1_000_000 * MONEY_UNIT
    assert schedule(house, 4) == "Scheduled cancel time too early, must be at least 5 seconds from now."
    for _ in range(10):
        assert schedule(house, 5) == ""
        house.wait(6)
    assert schedule(house, 5) == "Too many scheduled cancels triggered for the day. Limit is 10."
    house.wait(24 * 3_600)
    assert schedule(house, 5) == ""


def test_rule_32_funding_is_settled_for_every_account_and_comes_from_the_feed() -> None:
    house = started().market(mark(1, BID, rate=12_500))
    house.open_long(house.alice, 1_000, BID)
    house.wait(1_800)
    amount = 1_000 * MONEY_UNIT * 12_500 // 10**9
    assert [(who, one.amount) for who, one in house.told.fundings] == [(ALICE, -amount), (CAROL, amount)]
    assert isinstance(house.alice.fundings[0], FundingPaid)
    assert house.alice.fundings[0].hour_ns % NS_PER_HOUR == 0
    assert house.alice.funding_sums == {"BTC": (-amount, -amount, -amount)}
    house.place(house.carol, Side.BUY, BID, 400)
    house.ioc(house.alice, Side.SELL, BID, 400)
    assert house.alice.funding_sums == {"BTC": (-amount, -amount, 0)}
    house.place(house.carol, Side.BUY, BID, 600)
    house.ioc(house.alice, Side.SELL, BID, 600)
    assert house.alice.funding_sums == {"BTC": (-amount, 0, 0)}


def test_rule_32_funding_of_an_isolated_position_is_its_own() -> None:
    house = started().market(mark(1, BID, rate=12_500))
    house.venue.set_leverage(house.alice, "BTC", 10, house.now(), is_cross=False)
    house.open_long(house.alice, 1_000, BID)
    cash, raw = house.alice.cash, house.alice.isolated["BTC"]
    house.wait(1_800)
    assert (house.alice.cash, house.alice.isolated["BTC"]) == (cash, raw - 1_000 * MONEY_UNIT * 12_500 // 10**9)


def test_rule_58_a_market_without_marks_of_a_feed_gets_its_own() -> None:
    house = started()
    house.place(house.alice, Side.BUY, BID)
    house.place(house.bob, Side.SELL, BID + 4 * TICK)
    house.wait(3)
    market = house.venue.markets["BTC"]
    assert market.mark_price == BID + 2 * TICK
    assert ("BTC", BID + 2 * TICK) in house.told.marks
    house.ioc(house.carol, Side.BUY, BID + 4 * TICK, 50)
    house.wait(3)
    assert market.mark_price == BID + 4 * TICK


def test_rule_58_marks_of_a_feed_are_left_alone() -> None:
    house = started().market(deep_book(0), mark(1, BID - 70 * TICK))
    house.wait(30)
    assert house.venue.markets["BTC"].mark_price == BID - 70 * TICK


def test_rule_58_an_own_mark_fires_triggers() -> None:
    house = started()
    house.place(house.bob, Side.SELL, ASK)
    order = house.place_many(house.alice, [stop(ASK + 5 * TICK, Side.BUY, reduce_only=False)])[0].order
    house.place(house.bob, Side.BUY, BID)
    house.wait(3)
    assert order.is_waiting
    house.place(house.carol, Side.BUY, ASK, 100)
    house.place(house.bob, Side.SELL, ASK + 20 * TICK, 500)
    house.ioc(house.carol, Side.BUY, ASK + 20 * TICK, 20)
    house.wait(3)
    assert order.status == "filled"


def test_rule_59_a_market_without_rates_of_a_feed_makes_them_from_its_premium() -> None:
    house = started(cash=10**7 * MONEY_UNIT)
    house.venue.set_oracle("BTC", BID, house.now())
    lots = 30_000
    house.place(house.alice, Side.BUY, BID + 1_000 * TICK, lots)
    house.place(house.bob, Side.SELL, BID + 1_100 * TICK, lots)
    house.wait(10)
    market = house.venue.markets["BTC"]
    assert market.premium == 100_000_000
    assert market.funding_rate == (10_000_000 - 500_000) // 8
    house.open_long(house.carol, 1_000, BID + 1_100 * TICK, other=house.bob)
    house.wait(1_800)
    hour = next(iter(market.funding_rates))
    assert (hour[0] % NS_PER_HOUR, hour[2]) == (0, 100_000_000)
    assert [who for who, _ in house.told.fundings] == [house.bob.address, CAROL]
    assert sum(one.amount for _, one in house.told.fundings) == 0


def test_rule_60_rates_follow_the_volume_of_fourteen_days_from_the_next_day_on() -> None:
    house = started()
    today = at(0) // NS_PER_DAY
    house.alice.volume_by_day[today] = (0, 6_000_000 * MONEY_UNIT)
    assert house.alice.taker_rate == 450_000
    house.wait(24 * 3_600)
    assert (house.alice.maker_rate, house.alice.taker_rate) == (120_000, 400_000)
    house.wait(15 * 24 * 3_600)
    assert (house.alice.maker_rate, house.alice.taker_rate) == (150_000, 450_000)


def test_rule_60_a_large_maker_earns_rebates() -> None:
    house = started()
    today = at(0) // NS_PER_DAY
    house.alice.volume_by_day[today] = (4 * MONEY_UNIT, 0)
    house.bob.volume_by_day[today] = (96 * MONEY_UNIT, 0)
    house.wait(24 * 3_600)
    assert [one.maker_rate for one in (house.alice, house.bob, house.carol)] == [-30_000, -30_000, 150_000]


def test_without_the_rules_nothing_happens_by_itself_but_funding() -> None:
    house = started(rules=Rules())
    house.alice.volume_by_day[at(0) // NS_PER_DAY] = (0, 10**9 * MONEY_UNIT)
    house.place(house.alice, Side.BUY, BID)
    house.place(house.bob, Side.SELL, ASK)
    house.wait(48 * 3_600)
    market = house.venue.markets["BTC"]
    assert (market.mark_price, market.funding_rate, house.alice.taker_rate) == (0, 0, 450_000)
    assert house.told.fundings == []


def test_the_clock_starts_with_the_first_call_and_then_names_the_next_thing() -> None:
    house = House(rules=replace(FULL_RULES, computes_mark=False, samples_premium=False))
    assert house.venue.next_due_ns() is None
    house.venue.on_time(at(0))
    assert house.venue.next_due_ns() == at(HALF_HOUR_MS)
    house.venue.on_time(at(HALF_HOUR_MS))
    assert (house.venue.next_due_ns(), house.venue.now_ns) == (at(3 * HALF_HOUR_MS), at(HALF_HOUR_MS))
