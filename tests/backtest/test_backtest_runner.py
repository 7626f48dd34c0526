"""The driver: one timeline, and a proof after every event that our book is the venue's."""

from collections.abc import Iterator
from itertools import islice, pairwise

import pytest

from backtest.order_list import OrderList
from backtest.runner import Driver, run_to_end
from backtest.tally import Tally
from domain.commands import CancelOrder, QueryAccount, VenueCommand, WakeAt
from domain.errors import InvariantBroken
from domain.events import Event, MarketEvent, OrderFilled, StopRequested, TimerFired
from domain.lifecycle import TERMINAL
from domain.units import NS_PER_SECOND, Money
from engine.machine import Engine, Outcome
from engine.strategies import make_strategy
from exchange.feeds.synthetic import SyntheticMarket
from exchange.port import ExchangePort, Statement
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import VenueSettings
from tests.builders import BTC, START_NS, order_id, settings

EAGER = {"kappa": 5.0, "requote_interval_ms": 0}


def market(events: int, seed: int = 5) -> Iterator[MarketEvent]:
    """Return a short synthetic market."""
    return islice(SyntheticMarket((BTC,), seed, START_NS), events)


def venue(events: int = 4_000) -> SimulatedExchange:
    """Return a simulated venue on it."""
    return SimulatedExchange({"BTC": BTC}, market(events), VenueSettings())


def engine() -> Engine:
    """Return an engine that trades a lot."""
    return Engine(settings(), make_strategy("two_sided", EAGER))


class Liar:
    """A venue that answers truly and states something else from some fact on."""

    def __init__(self, honest: ExchangePort, cash: int = 0, lots: int = 0) -> None:
        """Lie by so much once there is a position."""
        self._honest, self._cash, self._lots = honest, cash, lots

    def next_ts_ns(self) -> int | None:
        """Tell the truth."""
        return self._honest.next_ts_ns()

    def advance(self) -> Event | None:
        """Tell the truth."""
        return self._honest.advance()

    def send(self, command: VenueCommand) -> None:
        """Pass it on."""
        self._honest.send(command)

    def statement(self) -> Statement:
        """Lie."""
        true = self._honest.statement()
        if not true.positions:
            return true
        positions = {symbol: lots + self._lots for symbol, lots in true.positions.items()}
        return Statement(cash=Money(true.cash + self._cash), positions=positions)


def test_honest_run_trades_is_proven_at_every_event_and_ends_with_nothing_live() -> None:
    tally = Tally()
    driver = Driver(engine(), venue(), watch=tally.take)

    run_to_end(driver)

    state = driver.engine.state
    assert tally.fills > 10
    assert driver.checks == driver.events == tally.events
    assert driver.is_done
    assert all(order.state in TERMINAL for order in state.orders.snapshot())
    assert tally.orders == len([order for order in state.orders.snapshot() if order.ts_asked_ns])


@pytest.mark.parametrize(("cash", "lots", "words"), [(1, 0, "cash is"), (0, 1, "positions are")])
def test_a_difference_of_one_unit_stops_the_house(cash: int, lots: int, words: str) -> None:
    driver = Driver(engine(), Liar(venue(), cash, lots))

    with pytest.raises(InvariantBroken, match=words):
        run_to_end(driver)


def test_abandoned_run_leaves_nothing_at_the_venue() -> None:
    liar = Liar(venue(), cash=1)
    noted: list[object] = []
    facts: list[Event] = []

    def record(event: Event, commands: tuple[object, ...]) -> None:
        facts.append(event)
        noted.extend(commands)

    driver = Driver(engine(), liar, record=record)
    with pytest.raises(InvariantBroken):
        run_to_end(driver)
    live = driver.engine.state.orders.open_count
    noted.clear()

    unanswered = driver.abandon("test")

    assert live > 0
    assert unanswered == 0
    assert [type(one) for one in noted] == [CancelOrder] * live
    assert not [fact for fact in facts[:-1] if isinstance(fact, StopRequested)]
    assert facts[-1] == StopRequested("test", is_abandoned=True, ts_event_ns=driver.now_ns, ts_recv_ns=driver.now_ns)
    later: list[Event | None] = []
    while liar.next_ts_ns() is not None:
        later.append(liar.advance())
    assert not [event for event in later if isinstance(event, OrderFilled)]


def test_journal_sees_every_fact_before_its_wishes_leave() -> None:
    seen: list[str] = []

    class Listening(Liar):
        """A venue that notes what it is sent."""

        def send(self, command: VenueCommand) -> None:
            seen.append(f"sent {type(command).__name__} {command.ts_ns}")
            super().send(command)

    def record(event: Event, commands: tuple[object, ...]) -> None:
        seen.append(f"fact {type(event).__name__}")
        seen.extend(f"noted {type(one).__name__} {one.ts_ns}" for one in commands)  # type: ignore[attr-defined]

    run_to_end(Driver(engine(), Listening(venue(800)), record=record))

    sent = [line for line in seen if line.startswith("sent ")]
    assert len(sent) > 5
    for line in sent:
        assert seen.index(line.replace("sent", "noted")) < seen.index(line)


def test_timers_fire_at_their_time_and_after_what_the_exchange_has_then() -> None:
    times: list[tuple[int, bool]] = []

    def watch(event: Event, outcome: Outcome) -> None:
        del outcome
        if not isinstance(event, StopRequested):
            times.append((event.ts_recv_ns, isinstance(event, TimerFired)))

    run_to_end(Driver(engine(), venue(1_500), watch=watch))

    assert times == sorted(times)
    pulses = [ts_ns for ts_ns, is_timer in times[:-1] if is_timer]
    assert all(later - earlier == NS_PER_SECOND for earlier, later in pairwise(pulses))


def test_progress_is_told_now_and_then() -> None:
    told: list[int] = []

    run_to_end(Driver(engine(), venue(1_000)), told.append, progress_every=100)

    assert len(told) > 5
    assert told == sorted(told)


def test_driver_without_data_ends_at_once() -> None:
    driver = Driver(engine(), venue(0))

    run_to_end(driver)

    assert driver.is_done


def test_order_list_hash_knows_orders_and_not_the_run() -> None:
    def folded(*commands: VenueCommand | WakeAt) -> str:
        orders = OrderList()
        for command in commands:
            orders.take(command)
        return orders.hexdigest()

    cancel = CancelOrder(order_id(1), "BTC", ts_ns=5)
    other_run = CancelOrder(order_id(1).replace("b0b", "c0c"), "BTC", ts_ns=5)  # type: ignore[arg-type]

    assert folded(cancel) == folded(other_run)
    assert folded(cancel, QueryAccount(ts_ns=9), WakeAt(9, "pulse", ts_ns=9)) == folded(cancel)
    assert folded(cancel) != folded(CancelOrder(order_id(2), "BTC", ts_ns=5))
    assert folded(cancel) != folded(CancelOrder(order_id(1), "BTC", ts_ns=6))
    assert folded() != folded(cancel)
