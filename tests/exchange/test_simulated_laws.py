"""Laws of the simulated venue over random markets and random commands, and rule 4: a seed is a run."""

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import (
    AccountReported,
    BookChanged,
    FundingPaid,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    ReplaceRefused,
)
from domain.order import Side
from domain.units import MONEY_UNIT, NS_PER_MS, Money, Rate
from exchange.simulated.settings import LatencySettings, QueueModel
from tests.exchange.exchange_builders import BID, TICK, Scene, at, book, mark, order_id, top, trade

SIDES = st.sampled_from([Side.BUY, Side.SELL])
SMALL = st.integers(-3, 3)

MARKET_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["book", "top", "trade", "trade", "mark"]),
        st.integers(0, 400_000),  # pause, ms: now and then an hour passes
        st.integers(-4, 4),  # where
        st.integers(1, 400),  # lots
        SIDES,
    ),
    min_size=1,
    max_size=40,
)
COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(["post", "post", "post", "gtc", "ioc", "reduce", "reduce_ioc", "cancel", "replace", "query"]),
        st.integers(0, 300_000),
        SMALL,
        st.integers(1, 600),
        SIDES,
        st.integers(1, 12),
    ),
    max_size=25,
)
WAYS = st.builds(
    LatencySettings,
    median_ns=st.sampled_from([0, NS_PER_MS, 40 * NS_PER_MS]),
    sigma=st.sampled_from([Rate(0), Rate(400_000_000)]),
)
SETTINGS = st.fixed_dictionaries(
    {
        "order_latency": WAYS,
        "response_latency": WAYS,
        "seed": st.integers(0, 5),
        "queue_model": st.sampled_from(list(QueueModel)),
        "cash": st.sampled_from([Money(300 * MONEY_UNIT), Money(10_000 * MONEY_UNIT)]),
        "maker_rate": st.sampled_from([Rate(-20_000), Rate(150_000)]),
    }
)


def market_of(steps):
    ms, bid, feed = 0, BID, [book(0, [(BID, 100)], [(BID + TICK, 100)])]
    for kind, pause, where, lots, side in steps:
        ms += pause
        price = bid + where * TICK
        if kind == "book":
            bid = price
            feed.append(
                book(
                    ms,
                    [(bid - step * TICK, lots + step) for step in range(4)],
                    [(bid + (1 + step) * TICK, lots + step) for step in range(4)],
                )
            )
        elif kind == "top":
            bid = price
            feed.append(top(ms, bid, lots, bid + 2 * TICK, lots))
        elif kind == "trade":
            feed.append(trade(ms, price, lots, side))
        else:
            feed.append(mark(ms, price, rate=lots * 100))
    return feed


def played(steps, commands, **changes) -> Scene:
    scene = Scene(*market_of(steps), **changes)
    ms, last = 0, 0
    scene.report(0)
    for number, (kind, pause, where, lots, side, target) in enumerate(commands, start=1):
        ms += pause
        price = BID + where * TICK + (TICK if side is Side.SELL else 0)
        if kind == "cancel":
            scene.cancel(target, ms)
        elif kind == "replace":
            scene.replace(target, ms, price, lots, side)
        elif kind == "query":
            scene.query(target, ms)
        else:
            scene.place(
                number,
                ms,
                side,
                price,
                lots,
                post_only=kind == "post",
                ioc=kind in {"ioc", "reduce_ioc"},
                reduce_only=kind.startswith("reduce"),
            )
            last = number
    scene.last_number = last
    return scene


@settings(max_examples=250, deadline=None)
@given(MARKET_STEPS, COMMANDS, SETTINGS)
def test_cash_and_positions_are_the_sum_of_fills_and_funding(steps, commands, changes) -> None:
    scene = played(steps, commands, **changes)
    cash, position, told = 0, 0, False
    while scene.port.next_ts_ns() is not None:
        event = scene.port.advance()
        if isinstance(event, AccountReported):
            assert told is False
            told, cash = True, event.cash
        elif isinstance(event, OrderFilled):
            assert event.start_position == position
            position += event.side * event.lots
            cash -= event.side * event.lots * event.price * 100 + event.fee
        elif isinstance(event, FundingPaid):
            assert event.position == position
            cash += event.amount
        statement = scene.port.statement()
        assert cash == statement.cash
        assert ({"BTC": position} if position else {}) == statement.positions
    account = scene.port._account
    assert (cash, {"BTC": position} if position else {}) == (account.cash, account.positions)


@settings(max_examples=250, deadline=None)
@given(MARKET_STEPS, COMMANDS, SETTINGS)
def test_orders_are_filled_after_arrival_within_their_size_and_end_once(steps, commands, changes) -> None:
    scene = played(steps, commands, **changes).run()
    size, filled, arrived, ended = {}, defaultdict(int), {}, set()
    sent = {order_id(number): command for number, command in enumerate(commands, start=1)}
    position = 0
    for fact in scene.private:
        name = getattr(fact, "client_order_id", None)
        if isinstance(fact, OrderAccepted):
            assert name not in arrived
            arrived[name], size[name] = fact.ts_event_ns, sent[name][3]
        elif isinstance(fact, OrderReplaced):
            size[name] = fact.lots
        elif isinstance(fact, OrderFilled):
            assert name not in ended
            assert fact.ts_event_ns >= arrived[name]
            filled[name] += fact.lots
            assert 0 < filled[name] <= size[name]
            if sent[name][0].startswith("reduce"):
                assert position * fact.side < 0 or sent[name][0] == "replace"
                assert fact.lots <= abs(position)
            position += fact.side * fact.lots
            if filled[name] == size[name]:
                ended.add(name)
        elif isinstance(fact, (OrderCanceled, OrderExpired)) or (isinstance(fact, ReplaceRefused) and fact.is_gone):
            assert name in arrived
            assert name not in ended
            ended.add(name)
    ms = 0
    for number, command in enumerate(commands, start=1):
        ms += command[1]
        if order_id(number) in arrived:
            least_ns = scene.port._order_way.least_ns
            assert arrived[order_id(number)] >= at(ms) + least_ns
    account = scene.port._account
    assert set(arrived) - ended == set(account.named)
    received = [fact.ts_recv_ns for fact in scene.facts]
    assert received == sorted(received)


@settings(max_examples=100, deadline=None)
@given(MARKET_STEPS, COMMANDS, SETTINGS)
def test_the_venue_keeps_its_own_counts(steps, commands, changes) -> None:
    scene = played(steps, commands, **changes)
    market, account = scene.port._venue.markets["BTC"], scene.port._account
    while scene.port.next_ts_ns() is not None:
        scene.port.advance()
        for line, side, counted in ((market.buys, 1, account.open_buys), (market.sells, -1, account.open_sells)):
            assert counted.get("BTC", 0) == sum(order.leaves for order in line if not order.reduce_only)
            assert line == sorted(line, key=lambda order, side=side: (-order.price * side, order.venue_order_id))
            assert all(order.is_open and order.leaves > 0 for order in line)
        assert market.has_orders == bool(market.buys or market.sells)


@settings(max_examples=60, deadline=None)
@given(MARKET_STEPS, COMMANDS, SETTINGS)
def test_rule_04_the_same_seed_gives_the_same_run(steps, commands, changes) -> None:
    assert played(steps, commands, **changes).run().facts == played(steps, commands, **changes).run().facts


def quoting(steps, *, runs_ahead: bool, **changes):
    """Play a bot that answers every third fact, with or without running the venue ahead of the bot."""
    scene = Scene(*market_of(steps), **changes)
    if not runs_ahead:
        scene.port._order_least_ns = 0
    facts, number = [], 0
    while (ts_ns := scene.port.next_ts_ns()) is not None:
        event = scene.port.advance()
        if event is None:
            continue
        assert ts_ns == event.ts_recv_ns
        facts.append((event, scene.port.statement()))
        if len(facts) % 3 == 0 and number < 60:
            number += 1
            ms = (ts_ns - at(0)) / NS_PER_MS
            side = Side.BUY if number % 2 else Side.SELL
            if number % 7 == 0:
                scene.cancel(number - 3, ms)
            else:
                scene.place(number, ms, side, BID + TICK * (number % 3), 40 + number, post_only=number % 5 > 0)
    return facts


@settings(max_examples=150, deadline=None)
@given(MARKET_STEPS, SETTINGS)
def test_rule_04_running_ahead_of_the_bot_changes_nothing_it_sees(steps, changes) -> None:
    assert quoting(steps, runs_ahead=True, **changes) == quoting(steps, runs_ahead=False, **changes)


def test_rule_04_another_seed_is_another_run() -> None:
    way = LatencySettings(median_ns=40 * NS_PER_MS, sigma=Rate(500_000_000))
    steps = [("book", 100, 0, 50, Side.BUY)] * 20
    commands = [("post", 70, 0, 50, Side.BUY, 1)] * 10
    first, second = (played(steps, commands, order_latency=way, seed=seed).run().facts for seed in (1, 2))
    assert first != second
    assert [type(fact) for fact in first if isinstance(fact, (OrderAccepted, OrderRejected))] == [OrderAccepted] * 10
    assert isinstance(first[0], BookChanged)
