"""One whole line in a bad mood: a random strategy on a random market at a random venue, with people pulling levers.

`Checked` is the driver's watcher and looks at the engine after every event; what it cannot know before the end,
`settle` looks at. To play one seed again:

    python -m tests.simulation.whole_line SEED EVENTS
"""

import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any

import msgspec

from backtest.order_list import OrderList
from backtest.runner import Driver
from domain.commands import CancelOrder, PlaceOrder, ReplaceOrder, VenueCommand, WakeAt
from domain.events import (
    CancelRefused,
    Event,
    FundingPaid,
    LedgerCaughtUp,
    LedgerFellBehind,
    MarketEvent,
    OperatorAcknowledged,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
    StopRequested,
)
from domain.lifecycle import AT_RISK, State
from domain.notices import DiscrepancyClosed, DiscrepancyFound, FactNoted
from domain.order import Side
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_SECOND
from engine.machine import Engine, Outcome
from engine.strategies import make_strategy
from exchange.feeds.synthetic import SyntheticMarket, SyntheticSettings
from exchange.port import Statement
from exchange.simulated.exchange import SimulatedExchange
from risk.exposure import reach
from tests.simulation.scenes import Erratic, Scene, drawn

MERELY_TOLD = (
    OrderAccepted,
    OrderRejected,
    OrderCanceled,
    CancelRefused,
    OrderReplaced,
    ReplaceRefused,
    OrderExpired,
    OrderStatusReported,
)
"""Facts that move no money: what a bad line may lose without the books being wrong."""

TOLD_TWICE = (*MERELY_TOLD, OrderFilled, FundingPaid)
LATE_SHARE = 0.4
LATE_NS_MAX = 5 * NS_PER_SECOND

ENDS = {
    State.FILLED: OrderStatus.FILLED,
    State.CANCELED: OrderStatus.CANCELED,
    State.EXPIRED: OrderStatus.CANCELED,
    State.REJECTED: OrderStatus.REJECTED,
}
"""How the venue calls the ends that it decides."""


class BadLine:
    """An exchange port behind a bad line: commands and answers get lost, answers come twice or too late.

    Money and the account are never lost or late, and come twice at most at once: the books are proven all the same.
    """

    def __init__(self, exchange: SimulatedExchange, seed: int, share: int) -> None:
        """Do something bad to one thing in share."""
        self.exchange = exchange
        self.chance = Random(seed)
        self.share = share
        self.lost = 0
        self.again: Event | None = None
        self.late: list[tuple[int, Event]] = []

    def next_ts_ns(self) -> int | None:
        """Return when the next thing happens."""
        return self.again.ts_recv_ns if self.again is not None else self.exchange.next_ts_ns()

    def statement(self) -> Statement:
        """Return the account as last told."""
        return self.exchange.statement()

    def advance(self) -> Event | None:
        """Make the next thing happen, and perhaps something bad to it."""
        if self.again is not None:
            event, self.again = self.again, None
            return event
        ts_ns = self.exchange.next_ts_ns()
        event = self.exchange.advance()
        if isinstance(event, MERELY_TOLD) and self._is_bad():
            if self.chance.random() < LATE_SHARE:
                self.late.append((event.ts_recv_ns + self.chance.randrange(LATE_NS_MAX), event))
            return None
        if isinstance(event, TOLD_TWICE) and self._is_bad():
            self.again = event
        elif event is None and ts_ns is not None and self.late and self.late[0][0] <= ts_ns:
            return msgspec.structs.replace(self.late.pop(0)[1], ts_recv_ns=ts_ns)
        return event

    def send(self, command: VenueCommand) -> None:
        """Send a command, and perhaps lose it on the way."""
        if not self._is_bad():
            self.exchange.send(command)

    def _is_bad(self) -> bool:
        is_bad = bool(self.share) and self.chance.randrange(self.share) == 0
        self.lost += is_bad
        return is_bad


class Checked:
    """Looks at the engine after every event, and counts what it sends."""

    def __init__(self, engine: Engine) -> None:
        """Watch an engine."""
        self.engine = engine
        self.order_list = OrderList()
        self.sent: Counter[str] = Counter()
        self.canceled: Counter[str] = Counter()
        self.denied: Counter[tuple[Any, ...]] = Counter()
        self.noted: Counter[Reason] = Counter()
        self.discrepancies: list[DiscrepancyFound | DiscrepancyClosed] = []
        self.events = self.refused = 0

    def take(self, event: Event, outcome: Outcome) -> None:
        """Look once."""
        self.events += 1
        self.refused += isinstance(event, OrderRejected | ReplaceRefused)
        for command in outcome.commands:
            self.order_list.take(command)
            if not isinstance(command, WakeAt):
                self.sent[type(command).__name__] += 1
            if isinstance(command, CancelOrder):
                self.canceled[command.client_order_id] += 1
            elif isinstance(command, PlaceOrder | ReplaceOrder):
                self._within_limits(command)
        for notice in outcome.notices:
            if isinstance(notice, FactNoted):
                self.noted[notice.reason] += 1
            elif isinstance(notice, DiscrepancyFound | DiscrepancyClosed):
                self.discrepancies.append(notice)
        self._recount()

    def _recount(self) -> None:
        """Compare counts kept with counts made anew."""
        orders = self.engine.state.orders
        live = 0
        for symbol in self.engine.state.instruments:
            open_lots = {Side.BUY: 0, Side.SELL: 0}
            for order in orders.live(symbol).values():
                assert order.state in AT_RISK
                open_lots[order.side] += max(max(order.lots, order.pending_lots) - order.filled_lots, 0)
                live += 1
            assert orders.open_lots(symbol) == [open_lots[Side.BUY], open_lots[Side.SELL]]
        assert orders.open_count == live

    def _within_limits(self, command: PlaceOrder | ReplaceOrder) -> None:
        """No order may cross the market we see or lead beyond the limits of its instrument."""
        state = self.engine.state
        market = state.markets[command.symbol]
        if command.post_only:
            assert market.bid_price < command.price if command.side is Side.SELL else command.price < market.ask_price
        if command.reduce_only:
            return
        order = state.orders.find(command.client_order_id)
        assert order is not None
        position = state.book.position_lots(command.symbol)
        buys, sells = state.orders.open_lots(command.symbol)
        kept = command.lots - order.filled_lots - order.counted_lots
        reached = reach(command.side, position, buys, sells) + kept
        mark_unit = market.reference_price * market.instrument.money_per_unit
        limits = state.settings.limits
        others = sum(self._worst(symbol) for symbol in state.instruments if symbol != command.symbol)
        assert reached <= 0 or reached * mark_unit <= limits.of(command.symbol).position_notional_max
        assert reached <= 0 or reached * mark_unit + others <= limits.total_exposure_max

    def _worst(self, symbol: str) -> int:
        """Return the notional an instrument can still reach at mark."""
        state = self.engine.state
        market = state.markets[symbol]
        position = state.book.position_lots(symbol)
        buys, sells = state.orders.open_lots(symbol)
        return max(position + buys, sells - position) * market.reference_price * market.instrument.money_per_unit


class Run:
    """One scene played."""

    def __init__(self, scene: Scene, restore_every: int = 0, strategy: str = "erratic", untold_every: int = 0) -> None:
        """Set the stage. restore_every: the engine is thrown away and restored from its snapshot so often.

        untold_every: so often, on average, the venue changes cash or a position without a word.
        """
        self.scene = scene
        self.strategy = strategy
        self.chance = Random(scene.seed ^ 0x5EED)
        self.restore_every, self.untold_every = restore_every, untold_every
        self.untold = Random(scene.seed ^ 0x7E11)
        self.checked = Checked(self._engine())
        feed: Iterator[MarketEvent] = SyntheticMarket(
            scene.instruments, scene.seed, scene.start_ns, regimes=scene.regimes, settings=SyntheticSettings(depth=5)
        )
        if not scene.loss:
            feed = islice(feed, scene.events)
        self.exchange = SimulatedExchange({one.symbol: one for one in scene.instruments}, feed, scene.venue)
        self.line = BadLine(self.exchange, scene.seed, scene.loss)
        self.driver = Driver(self.checked.engine, self.line, watch=self.checked.take, step=self._step)
        self.steps = 0

    def _engine(self) -> Engine:
        scene = self.scene
        if self.strategy != Erratic.name:
            return Engine(scene.engine, make_strategy(self.strategy, {}))
        return Engine(scene.engine, Erratic(scene.seed, scene.levels_max, scene.notional_max, scene.restless))

    def _step(self, event: Event) -> Outcome:
        return self.checked.engine.step(event)

    def play(self) -> None:
        """Play to the end of the data, stop, and look at what is left."""
        self.driver.start()
        while self.driver.advance() and not (self.scene.loss and self.checked.events >= self.scene.events):
            self.steps += 1
            assert self.steps < 400 * self.scene.events + 100_000, "the run does not end"
            if self.restore_every and self.steps % self.restore_every == 0:
                self._restore()
            if self.scene.levers and self.chance.randrange(self.scene.levers) == 0:
                self._pull_a_lever()
            if self.untold_every:
                self._change_untold()
        stopped_ns = self.driver.now_ns
        self.driver.finish("end of data", self._may_go_on)
        assert self.driver.now_ns - stopped_ns <= self._patience_ns(), "stopping took too long"
        self.settle()

    def _may_go_on(self) -> bool:
        self.steps += 1
        return self.steps < 500 * self.scene.events + 100_000

    def _patience_ns(self) -> int:
        """Return how long a stop may take: some lost commands, asked about with growing pauses, and slow travel."""
        venue = self.scene.venue
        return 120 * NS_PER_SECOND + 30 * (venue.order_latency.median_ns + venue.response_latency.median_ns)

    def _restore(self) -> None:
        kept = self.checked.engine.state.snapshot()
        fresh = self._engine()
        fresh.state.restore(kept)
        assert fresh.state.snapshot() == kept
        self.checked.engine = self.driver.engine = fresh

    def _pull_a_lever(self) -> None:
        now_ns, chance = self.driver.now_ns, self.chance
        stamp = {"ts_event_ns": now_ns, "ts_recv_ns": now_ns}
        lever: Event = chance.choice(
            [
                OperatorHalted("drill", flatten=chance.random() < 0.5, **stamp),
                OperatorPaused("maintenance", **stamp),
                OperatorResumed("go on", **stamp),
                OperatorResumed("go on", **stamp),
                OperatorResumed("go on", **stamp),
                LedgerFellBehind(1_000, **stamp),
                LedgerCaughtUp(**stamp),
                LedgerCaughtUp(**stamp),
            ]
        )
        if self.chance.randrange(200) == 0:
            lever = StopRequested("signal", **stamp)
        self.driver.tell(lever)

    def _change_untold(self) -> None:
        """Let the venue take or give something without a word, and a person look at what came of it."""
        chance, agreement = self.untold, self.checked.engine.state.agreement
        if chance.randrange(self.untold_every) == 0:
            symbol = chance.choice(self.scene.instruments).symbol
            change = chance.randrange(-20, 21)
            self.exchange.take_untold(change * MONEY_UNIT, symbol, chance.choice([0, 0, change]))
        elif agreement.is_booked and chance.randrange(50) == 0:
            now_ns = self.driver.now_ns
            self.driver.tell(OperatorAcknowledged("looked at it", ts_event_ns=now_ns, ts_recv_ns=now_ns))

    def settle(self) -> None:
        """After the end: nothing lives at either side, both remember the same ends, and an honest venue is believed."""
        if not self.untold_every:
            assert not self.checked.discrepancies
            assert not self.checked.noted[Reason.FILL_CHAIN_BROKEN]
        state = self.checked.engine.state
        account = self.exchange._account
        left = [(order.client_order_id, order.state.label) for order in state.orders.every_live()]
        assert not left, f"still live at the engine: {left}"
        assert self.driver.is_done
        assert not account.orders, f"still live at the venue: {list(account.orders)}"
        told = account.statement()
        if state.agreement.is_pending:
            assert self.untold_every, "a difference at an honest venue"
        elif state.book.transaction_count and self.exchange.statement() == told:
            assert state.book.open_positions() == told.positions
            assert state.book.cash == told.cash
        else:
            assert self.scene.loss, "what the venue booked last is still under way"
        for order in state.orders.snapshot():
            if order.state in ENDS:
                assert account.ended[order.client_order_id] == (ENDS[order.state], order.filled_lots), order
            else:
                assert order.state in {State.DENIED, State.NOT_PLACED}, order
                assert order.client_order_id not in account.ended


def command_hash(run: Run) -> str:
    """Return the hash of everything the engine asked for."""
    return run.checked.order_list.hexdigest()


if __name__ == "__main__":
    played = Run(drawn(int(sys.argv[1]), int(sys.argv[2])))
    played.play()
    print(played.scene)
    print(f"sound: {played.checked.events} events, {dict(played.checked.sent)}, {played.line.lost} lost")
