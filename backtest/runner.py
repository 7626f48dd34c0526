"""The driver: joins one engine with one exchange port and moves both through time, one event after the other.

Live paper and backtest are this same class; `bot/loop.py` only waits until each event is due. After every step the
driver proves, by reading both books, that cash and positions equal the venue's and that the ledger's identities hold
to the last unit. Nothing is sampled. A difference that the engine found itself in a statement and told everybody about
is known: until it is booked the books must differ by exactly that.

Order at one moment: what the exchange has comes before a timer, so both doors see the same sequence.
"""

from collections.abc import Callable, Iterable, Mapping

from domain.commands import CancelOrder, Command, WakeAt
from domain.errors import InvariantBroken
from domain.events import CancelRefused, Event, OrderCanceled, RunStarted, StopRequested, TimerFired
from domain.identifiers import ClientOrderId
from domain.units import NS_PER_SECOND
from engine.machine import Engine, Outcome
from engine.timers import PULSE, Timers
from exchange.port import ExchangePort

Watcher = Callable[[Event, Outcome], None]
"""Called after every step on the engine's own thread; it must return at once."""

Recorder = Callable[[Event, tuple[Command, ...]], None]
"""Called with every fact and the wishes it led to, before any of them leaves: the seam of the journal."""


ABANDON_NS = 10 * NS_PER_SECOND


class Driver:
    """One engine, one exchange, one timeline."""

    def __init__(
        self,
        engine: Engine,
        exchange: ExchangePort,
        watch: Watcher | None = None,
        record: Recorder | None = None,
        step: Callable[[Event], Outcome] | None = None,
    ) -> None:
        """Join the parts; nothing happens before start. step may be a timed engine.step."""
        self.engine = engine
        self.exchange = exchange
        self.timers = Timers()
        self.now_ns = 0
        self.events = 0
        self.checks = 0
        self._watch = watch
        self._record = record
        self._step = step or engine.step

    def start(self, now_ns: int | None = None) -> None:
        """Tell the engine that the run begins: now, or at the moment of the first thing the exchange has."""
        self.now_ns = (self.exchange.next_ts_ns() or 0) if now_ns is None else now_ns
        self.tell(RunStarted(self.engine.state.settings.run_id, ts_event_ns=self.now_ns, ts_recv_ns=self.now_ns))

    def next_ts_ns(self) -> int | None:
        """Return when the next thing happens; None when the exchange has ended."""
        at_exchange = self.exchange.next_ts_ns()
        if at_exchange is None:
            return None
        at_timer = self.timers.next_ts_ns()
        return at_exchange if at_timer is None or at_exchange <= at_timer else at_timer

    def advance(self) -> bool:
        """Make the next thing happen; return False when the exchange has ended."""
        at_exchange = self.exchange.next_ts_ns()
        if at_exchange is None:
            return False
        at_timer = self.timers.next_ts_ns()
        if at_timer is None or at_exchange <= at_timer:
            event = self.exchange.advance()
            if event is not None:
                self.tell(event)
        else:
            ts_ns, timer_id = self.timers.take()
            self.tell(TimerFired(timer_id, ts_event_ns=ts_ns, ts_recv_ns=ts_ns))
        return True

    def tell(self, event: Event) -> None:
        """Give the engine one fact, carry out its wishes, tell who watches, prove the books."""
        self.now_ns = max(self.now_ns, event.ts_recv_ns)
        self.events += 1
        outcome = self._step(event)
        if self._record is not None:
            self._record(event, outcome.commands)
        try:
            for command in outcome.commands:
                if isinstance(command, WakeAt):
                    self.timers.ask(command)
                else:
                    self.exchange.send(command)
        finally:
            # What is in the journal is told to everybody, also when the exchange breaks: else the ledger lacks it.
            if self._watch is not None:
                self._watch(event, outcome)
        self._prove()

    def finish(self, detail: str, may_go_on: Callable[[], bool] = lambda: True) -> None:
        """Stop quoting, cancel everything, go on until nothing of ours is live, and mark the account a last time."""
        self.tell(StopRequested(detail, ts_event_ns=self.now_ns, ts_recv_ns=self.now_ns))
        while not self.is_done and may_go_on() and self.advance():
            pass
        self.tell(TimerFired(PULSE, ts_event_ns=self.now_ns, ts_recv_ns=self.now_ns))

    def abandon(self, detail: str) -> int:
        """Cancel every live order at the exchange without the engine, which is not to be trusted any more.

        Returns how many orders the exchange had not answered about after ABANDON_NS of its time.
        """
        waiting = self.cancel_live(detail)
        deadline_ns = self.now_ns + ABANDON_NS
        while waiting and (self.exchange.next_ts_ns() or deadline_ns) < deadline_ns:
            event = self.exchange.advance()
            if isinstance(event, OrderCanceled | CancelRefused):
                waiting.discard(event.client_order_id)
        return len(waiting)

    def cancel_live(self, detail: str) -> set[ClientOrderId]:
        """Send a cancel for every live order, and return those orders.

        The journal is told as of a stop that bears a mark: these cancels need not be the ones the engine would wish.
        """
        orders = tuple(self.engine.state.orders.every_live())
        cancels = tuple(CancelOrder(order.client_order_id, order.symbol, ts_ns=self.now_ns) for order in orders)
        if self._record is not None:
            stamp = {"ts_event_ns": self.now_ns, "ts_recv_ns": self.now_ns}
            self._record(StopRequested(detail, is_abandoned=True, **stamp), cancels)
        for cancel in cancels:
            self.exchange.send(cancel)
        return {order.client_order_id for order in orders}

    @property
    def is_done(self) -> bool:
        """Whether the engine was stopped and nothing of ours is live."""
        return self.engine.state.is_done

    def _prove(self) -> None:
        """Compare our book with the venue's statement and recompute the ledger's identities, after every event."""
        state = self.engine.state
        book = state.book
        if book.transaction_count:
            statement = self.exchange.statement()
            cash: int = book.cash
            positions = book.open_positions()
            if state.agreement.is_pending:
                cash += state.agreement.cash
                positions = with_lots(positions, state.agreement.positions)
            if cash != statement.cash:
                raise InvariantBroken(f"cash is {cash} in the book and {statement.cash} at the venue")
            if positions != statement.positions:
                raise InvariantBroken(
                    f"positions are {positions} lots in the book and {statement.positions} at the venue"
                )
            book.verify(state.marks)
        self.checks += 1


def with_lots(positions: Mapping[str, int], changes: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return positions with signed lots added, flat ones left out."""
    sums = dict(positions)
    for symbol, lots in changes:
        sums[symbol] = sums.get(symbol, 0) + lots
    return {symbol: lots for symbol, lots in sums.items() if lots}


def run_to_end(driver: Driver, progress: Callable[[int], None] | None = None, progress_every: int = 20_000) -> None:
    """Run a backtest until the exchange has nothing more, then stop and drain."""
    driver.start()
    while driver.advance():
        if progress is not None and driver.events % progress_every == 0:
            progress(driver.now_ns)
    driver.finish("end of data")
    if not driver.is_done:
        raise InvariantBroken(f"{driver.engine.state.orders.open_count} orders are open after the end of data")
