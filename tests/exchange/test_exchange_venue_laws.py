"""Laws of a venue of several accounts, over random orders of all of them."""

import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.order import Side, TimeInForce
from domain.units import MONEY_UNIT
from exchange.orderbook.book import VisibleBook
from exchange.simulated.records import Grouping, Terms, Trigger
from exchange.simulated.settings import FULL_RULES, QueueModel, Rules
from tests.exchange.exchange_builders import BID, TICK, at, book, mark, top, trade
from tests.exchange.venue_builders import House

KINDS = (
    *["gtc"] * 6,
    *["ioc"] * 4,
    *["market"] * 3,
    *("post", "reduce", "stop", "bracket", "position", "cancel", "modify", "leverage", "mark", "hour"),
)


def some_steps(seed: int) -> list[tuple]:
    """A long history: Hypothesis by itself prefers short ones, in which little meets."""
    chance = random.Random(seed)
    return [
        (
            chance.choice(KINDS),
            chance.randrange(3),  # who
            chance.choice([Side.BUY, Side.SELL]),
            chance.randint(-4, 4),  # where
            chance.choice([150, 1_000, 4_000, 20_000]),  # lots
            chance.randrange(30),  # which order
        )
        for _ in range(chance.randint(1, 150))
    ]


STEPS = st.builds(some_steps, st.integers(0, 2**32))
CASHES = st.sampled_from([400, 3_000, 100_000])


def some_event(house, ms, side, where, lots, pick):
    price = BID + where * TICK
    if pick % 3 == 0:
        return trade(ms, price, lots, side)
    if pick % 3 == 1:
        return top(ms, price, lots, price + 2 * TICK, lots)
    levels = range(4)
    return book(
        ms,
        [(price - step * TICK, lots + step) for step in levels],
        [(price + (1 + step) * TICK, lots + step) for step in levels],
    )


def grouped(house, account, side, price, lots, kind):
    """Orders with triggers around the mark."""
    reference = house.venue.markets["BTC"].mark_price or BID
    closing = -int(side)
    pair = [
        Terms(symbol="BTC", side=closing, price=price, lots=lots, reduce_only=True,
              trigger=Trigger(reference + sign * int(side) * 2 * TICK, True, sign > 0))
        for sign in (1, -1)
    ]  # fmt: skip
    if kind == "position":
        return pair, Grouping.POSITION
    return [Terms(symbol="BTC", side=int(side), price=price, lots=lots), *pair], Grouping.PARENT_CHILDREN


def step(house, kind, who, side, where, lots, pick) -> None:
    """Let one thing happen."""
    account = (house.alice, house.bob, house.carol)[who]
    price = BID + where * TICK
    numbers = sorted(account.orders)
    target = numbers[pick % len(numbers)] if numbers else 1
    if kind == "market":
        house.ms += 1
        house.market(some_event(house, house.ms, side, where, lots, pick))
    elif kind == "mark":
        house.ms += 1
        house.market(mark(house.ms, price + where * 2_000 * TICK, rate=lots))
    elif kind == "hour":
        house.wait(3_600)
    elif kind == "cancel":
        house.venue.cancel(account, "BTC", target, house.now())
    elif kind == "leverage":
        house.venue.set_leverage(account, "BTC", 1 + pick, house.now(), is_cross=pick % 2 == 0)
    elif kind == "modify":
        terms = Terms(symbol="BTC", side=int(side), price=price, lots=lots)
        house.venue.modify(account, target, terms, house.now(), always_place=pick % 2 == 0)
    elif kind in {"bracket", "position"}:
        orders, grouping = grouped(house, account, side, price, lots, kind)
        house.place_many(account, orders, grouping)
    else:
        trigger = Trigger(price, pick % 2 == 0, pick % 4 < 2) if kind == "stop" else None
        house.place(
            account,
            side,
            price,
            lots,
            post_only=kind == "post",
            reduce_only=kind == "reduce",
            time_in_force=TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC,
            trigger=trigger,
        )


def check_lines(house) -> None:
    """Price-time order, and every line holds what its accounts count."""
    market = house.venue.markets["BTC"]
    for line, side in ((market.buys, 1), (market.sells, -1)):
        ranks = [(-one.price * side, one.venue_order_id) for one in line if one.trigger is None]
        assert ranks == sorted(ranks)
        assert [-one.price * side for one in line] == sorted(-one.price * side for one in line)
        levels = defaultdict(lambda: [0, 0])
        for one in line:
            levels[one.price][0] += one.leaves
            levels[one.price][1] += 1
        shown = [(price, *levels[price]) for price in sorted(levels, reverse=side > 0)]
        market.book, seen = VisibleBook(), market.book
        assert market.levels(side, 1_000) == shown
        market.book = seen
        for account in house.venue.accounts.values():
            sums = account.open_buys if side > 0 else account.open_sells
            own = [one for one in line if one.account is account]
            assert sums.get("BTC", 0) == sum(one.leaves for one in own if not one.reduce_only)
            assert all(one.is_open and one.is_resting and one.leaves > 0 for one in own)
    bid, ask = market.best_of_all(1), market.best_of_all(-1)
    if market.buys and market.sells:
        assert bid < ask


@settings(max_examples=200, deadline=None)
@given(STEPS, CASHES, st.sampled_from([FULL_RULES, Rules()]), st.sampled_from(list(QueueModel)))
def test_lots_and_money_are_conserved_and_orders_keep_their_sizes(steps, cash, rules, queue_model) -> None:
    house = House(cash=cash * MONEY_UNIT, rules=rules, queue_model=queue_model)
    house.venue.on_time(at(0))
    before = house.balance()
    for one in steps:
        step(house, *one)
        assert house.balance() == before
        check_lines(house)
    filled, known = defaultdict(int), house.told.known
    sides = defaultdict(list)
    for address, execution in house.told.executions:
        filled[execution.venue_order_id] += execution.lots
        sides[execution.trade_id].append((address, execution))
    for number, lots in filled.items():
        assert number == 0 or (known[number].filled == lots <= known[number].lots)
    for trades in sides.values():
        assert 1 <= len(trades) <= 2
        if len(trades) == 2:
            (one, made), (other, took) = trades
            assert one != other
            assert (made.price, made.lots, made.side) == (took.price, took.lots, -took.side)
            assert (made.counterparty, took.counterparty) == (other, one)


@settings(max_examples=100, deadline=None)
@given(STEPS, CASHES)
def test_fills_chain_and_every_order_ends_once(steps, cash) -> None:
    house = House(cash=cash * MONEY_UNIT)
    house.venue.on_time(at(0))
    for one in steps:
        step(house, *one)
    positions = defaultdict(int)
    for address, execution in house.told.executions:
        assert execution.start_position == positions[address]
        positions[address] += execution.side * execution.lots
    ends = defaultdict(int)
    for number, status, _ in house.told.orders:
        assert ends[number] == 0
        ends[number] += status not in {"open", "triggered"}
    for account in house.venue.accounts.values():
        assert account.positions.get("BTC", 0) == positions[account.address]
        assert ("BTC" in account.isolated) <= ("BTC" in account.positions)
        assert all(order.is_open and ends[number] == 0 for number, order in account.orders.items())


@settings(max_examples=50, deadline=None)
@given(STEPS, CASHES)
def test_the_same_actions_give_the_same_run(steps, cash) -> None:
    runs = []
    for _ in range(2):
        house = House(cash=cash * MONEY_UNIT)
        house.venue.on_time(at(0))
        for one in steps:
            step(house, *one)
        runs.append((house.told.orders, house.told.executions, house.told.trades, house.told.updates))
    assert runs[0] == runs[1]
