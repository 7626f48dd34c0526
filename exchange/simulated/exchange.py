"""The simulated exchange: a discrete-event simulation of the way to the venue, the venue, and the way back.

Theory of operation. Five queues of things that will happen, each already in order: the feed at the venue, commands on
their way, hourly funding, private facts on their way back, market facts on their way to the bot. `advance` makes the
earliest happen; at one instant the order is funding, market at the venue, command, private fact, market fact. So the
order of events is (time, kind, sequence) and a run is a function of feed, settings and commands.

What no command still unsent can change is done ahead of its turn (everything inside the venue up to now plus the least
order latency): the bot sees the same facts at the same times, and the driver makes half as many calls.

Laws: no time goes back; no order acts before its arrival; facts of one channel never overtake each other.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from domain.commands import VenueCommand
from domain.events import Event, MarketEvent
from domain.instrument import Instrument
from domain.statement import VenueStatement
from domain.units import NS_PER_HOUR, Money
from exchange.port import Statement
from exchange.simulated.door import Door
from exchange.simulated.latency import LatencyModel
from exchange.simulated.settings import VenueSettings, validated
from exchange.simulated.telling import statement_of
from exchange.simulated.venue import Venue

NEVER = 2**63 - 1

FUNDING, MARKET_IN, COMMAND, PRIVATE_OUT, MARKET_OUT = range(5)
"""Kinds of things that happen, in their order within one instant; the first three stay inside."""

FEED_STREAM, ORDER_STREAM, RESPONSE_STREAM = 0x1000, 0x2000, 0x3000
"""Set the random streams of the three ways apart."""


OWNER = "0x" + "00" * 20
"""The address of the one account behind the in-process door."""


class SimulatedExchange:
    """Implements ExchangePort over a feed of market events in the order of their venue time."""

    def __init__(
        self, instruments: Mapping[str, Instrument], feed: Iterator[MarketEvent], settings: VenueSettings
    ) -> None:
        """Open the venue before the first event of the feed. Raises: ConfigInvalid for impossible settings."""
        validated(settings)
        seed = settings.seed << 16
        feed_latency = settings.feed_latency
        self._feed_way = None if feed_latency is None else LatencyModel(feed_latency, seed + FEED_STREAM)
        self._order_way = LatencyModel(settings.order_latency, seed + ORDER_STREAM)
        self._response_way = LatencyModel(settings.response_latency, seed + RESPONSE_STREAM)
        self._order_least_ns = self._order_way.least_ns
        self._funding_on = settings.funding_on
        self._door = Door(self._stamp, self._deliver)
        self._venue = Venue(instruments, settings, self._door, tells_market=False)
        self._account = self._venue.open_account(OWNER, settings.cash)
        self._door.enter(self._venue, self._account)
        self._positions = self._account.positions
        self._feed = iter(feed)
        self._commands: deque[tuple[int, VenueCommand]] = deque()
        self._private: deque[tuple[Event, Statement | None]] = deque()
        self._market: deque[MarketEvent] = deque()
        self._feed_ts = self._command_ts = self._private_ts = self._market_ts = NEVER
        self._venue_ns = 0
        self._hour_ns = 0
        self._now_ns = 0
        self._private_last_ns = self._market_last_ns = self._command_last_ns = 0
        self._step_recv_ns = 0
        self._statement = Statement(cash=Money(0), positions={})
        self._ts, self._kind = NEVER, MARKET_OUT
        self._feed_event = next(self._feed, None)
        if self._feed_event is not None:
            self._feed_ts = self._feed_event.ts_event_ns
        self._pick()

    def next_ts_ns(self) -> int | None:
        """Return the time of the next thing to happen; None when nothing will until something is sent."""
        return self._ts if self._ts != NEVER else None

    def advance(self) -> Event | None:
        """Make the next thing happen; return the event when it reaches the bot."""
        now, kind = self._ts, self._kind
        if now == NEVER:
            return None
        self._now_ns = now
        if kind <= COMMAND:
            self._run_inside(now + self._order_least_ns)
            self._pick()
            kind = self._kind
            if self._ts > now or kind <= COMMAND:
                return None
        event: Event
        if kind == MARKET_OUT:
            waiting = self._market
            event = waiting.popleft()
            self._market_ts = waiting[0].ts_recv_ns if waiting else NEVER
        else:
            event, statement = self._private.popleft()
            if statement is not None:
                self._statement = statement
            self._private_ts = self._private[0][0].ts_recv_ns if self._private else NEVER
        self._pick()
        if self._kind <= COMMAND:
            self._run_inside(now + self._order_least_ns)
            self._pick()
        return event

    def send(self, command: VenueCommand) -> None:
        """Send a command; it arrives after the order latency, never before one sent earlier."""
        arrival = max(command.ts_ns, self._now_ns) + self._order_way.sample()
        arrival = max(arrival, self._command_last_ns, self._venue_ns)
        self._command_last_ns = arrival
        self._commands.append((arrival, command))
        if self._command_ts == NEVER:
            self._command_ts = arrival
            self._pick()

    def statement(self) -> Statement:
        """Return the account as of the last account fact handed out."""
        return self._statement

    def account_statement(self, account: str) -> VenueStatement:
        """Return what the venue itself knows of the account now, in its own time."""
        return statement_of(self._door, account, max(self._venue_ns, self._door.ts_ns))

    def take_untold(self, cash: int, symbol: str = "", lots: int = 0) -> None:
        """Let the venue change cash and a position without a word, to try what the bot makes of it.

        Units: Money and signed lots, > 0 is given to us. Raises: KeyError for a market the venue does not have.
        """
        if lots:
            self._account.exposed[self._venue.markets[symbol].symbol] = True
        self._account.take_untold(cash, symbol, lots)

    def _pick(self) -> None:
        """Find the next thing to happen."""
        ts, kind = self._feed_ts, MARKET_IN
        if self._command_ts < ts:
            ts, kind = self._command_ts, COMMAND
        if ts >= self._hour_ns and ts != NEVER and self._positions and self._funding_on:
            ts, kind = max(self._hour_ns, self._now_ns), FUNDING
        if self._private_ts < ts:
            ts, kind = self._private_ts, PRIVATE_OUT
        if self._market_ts < ts:
            ts, kind = self._market_ts, MARKET_OUT
        self._ts, self._kind = ts, kind

    def _run_inside(self, horizon_ns: int) -> None:
        """Make everything inside the venue happen that no command still unsent can change."""
        while True:
            self._run_feed(min(horizon_ns, self._command_ts))
            ts = min(self._feed_ts, self._command_ts)
            if ts >= self._hour_ns and ts != NEVER:
                if self._hour_ns > horizon_ns:
                    return
                self._pass_hour(min(ts, horizon_ns))
            elif self._command_ts <= horizon_ns and self._command_ts < self._feed_ts:
                self._venue_ns = self._command_ts
                self._step_recv_ns = 0
                _, command = self._commands.popleft()
                self._command_ts = self._commands[0][0] if self._commands else NEVER
                self._door.on_command(command, self._venue_ns)
            else:
                return

    def _pass_hour(self, ts_ns: int) -> None:
        """Settle the next hour; when nothing is held, go to the first hour after ts_ns."""
        if self._positions and self._funding_on:
            self._step_recv_ns = 0
            self._venue.settle_funding(self._hour_ns)
            self._hour_ns += NS_PER_HOUR
        else:
            self._hour_ns = ts_ns - ts_ns % NS_PER_HOUR + NS_PER_HOUR

    def _run_feed(self, last_ns: int) -> None:
        """Let the feed happen at the venue up to last_ns or the next full hour, and send it on to the bot."""
        last_ns = min(last_ns, self._hour_ns - 1)
        event, ts = self._feed_event, self._feed_ts
        if event is None or ts > last_ns:
            return
        feed, waiting, venue, way = self._feed, self._market, self._venue, self._feed_way
        recv_last_ns = self._market_last_ns
        while event is not None and ts <= last_ns:
            self._step_recv_ns = 0
            venue.on_market(event, ts)
            recv_ns = event.ts_recv_ns if way is None else event.ts_event_ns + way.sample()
            if recv_ns < ts or recv_ns < recv_last_ns:
                recv_ns = max(ts, recv_last_ns)
            if recv_ns != event.ts_recv_ns:
                event = replace(event, ts_recv_ns=recv_ns)
            recv_last_ns = recv_ns
            waiting.append(event)
            self._venue_ns = ts
            event = next(feed, None)
            if event is not None and event.ts_event_ns > ts:
                ts = event.ts_event_ns
        self._market_last_ns = recv_last_ns
        self._market_ts = waiting[0].ts_recv_ns
        self._feed_event, self._feed_ts = event, NEVER if event is None else ts

    def _stamp(self, ts_ns: int) -> int:
        """Return when a fact of this step reaches the bot: one travel time for all facts of one step."""
        if not self._step_recv_ns:
            arrival = ts_ns + self._response_way.sample()
            self._step_recv_ns = self._private_last_ns = max(arrival, self._private_last_ns, self._now_ns)
        return self._step_recv_ns

    def _deliver(self, fact: Event, statement: Statement | None) -> None:
        """Send a private fact on its way to the bot."""
        if not self._private:
            self._private_ts = fact.ts_recv_ns
        self._private.append((fact, statement))
