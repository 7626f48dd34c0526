"""The exchange: Hyperliquid behind the driver's door.

Theory of operation. The switchboard joins trader, session, limits and transport; this file owns their life and shows
them to the driver as one port. Everything runs on one event loop, in the calls of the switchboard.

    async with exchange.connected():      # the connection lives in here
        await exchange.open()             # checked, leverage set, subscribed, account read
        ...                               # wake() is called; the driver takes events, sends, flushes

Laws: nothing is signed before the venue lists what we trade as we know it and the signer may act for the account; the
statement moves with the fact that is handed out.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from domain.commands import VenueCommand
from domain.errors import DataInvalid
from domain.events import Event
from domain.instrument import Instrument
from domain.statement import VenueStatement
from domain.units import NS_PER_HOUR, NS_PER_SECOND
from exchange.hyperliquid.cold_path import ColdPath
from exchange.hyperliquid.limits import Limits, LimitSettings
from exchange.hyperliquid.listing import changes, listing
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.nonces import Nonces
from exchange.hyperliquid.opening import Opening, check, set_leverage
from exchange.hyperliquid.session import Phase, Session
from exchange.hyperliquid.session_words import SessionSettings
from exchange.hyperliquid.signing import Signer
from exchange.hyperliquid.statement_fetch import StatementDesk
from exchange.hyperliquid.switchboard import Switchboard
from exchange.hyperliquid.trader import Trader, TraderSettings
from exchange.hyperliquid.wire_account import RateLimit
from exchange.port import Statement

NEVER = 2**63 - 1
TEND_SECONDS = 1.0
OPENINGS_WAITED = 2
"""How many times the time of one connection the first may take, with the account read."""


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to trade. Units: nanoseconds unless named; 0 for intervals: never.

    leverage 0 leaves what is set at the venue; expires_after_ms 0: actions never expire. statement_window_ns is how far
    back the regular statement's lists reach.
    """

    leverage: int = 0
    is_cross: bool = True
    expires_after_ms: int = 0
    answer_ns_max: int = 5 * NS_PER_SECOND
    silence_ns_max: int = 30 * NS_PER_SECOND
    ping_interval_ns: int = 20 * NS_PER_SECOND
    open_ns_max: int = 10 * NS_PER_SECOND
    statement_interval_ns: int = 60 * NS_PER_SECOND
    statement_window_ns: int = NS_PER_HOUR
    budget_interval_ns: int = 600 * NS_PER_SECOND
    listing_interval_ns: int = 300 * NS_PER_SECOND
    limits: LimitSettings = LimitSettings()
    seed: int = 0

    def session(self) -> SessionSettings:
        """Return the session's part; pings come often enough that a healthy connection is never silent."""
        return SessionSettings(
            ping_interval_ns=min(self.ping_interval_ns, 2 * self.silence_ns_max // 3),
            stale_ns=self.silence_ns_max,
            connect_timeout_ns=self.open_ns_max,
            acknowledge_timeout_ns=self.open_ns_max,
            request_timeout_ns=self.answer_ns_max,
            seed=self.seed,
        )


class HyperliquidExchange:
    """Implements ExchangePort over the wire."""

    def __init__(
        self,
        network: Network,
        instruments: Sequence[Instrument],
        account: str,
        signer: Signer,
        nonces: Nonces,
        clock: Callable[[], int],
        settings: ExchangeSettings,
        wake: Callable[[], None],
        *,
        steady_clock: Callable[[], int] | None = None,
    ) -> None:
        """Join the parts; nothing is sent before open. account: lower case.

        wake is called on the event loop when events can be taken. steady_clock, where given, measures deadlines and
        silence, so that a step of the wall clock neither kills a connection nor keeps a dead one.
        Raises: ConfigInvalid for more subscriptions than the venue takes.
        """
        self.network, self.account, self.settings = network, account, settings
        self._instruments = tuple(instruments)
        self._signer, self._nonces = signer, nonces
        self._clock, self._steady = clock, steady_clock or clock
        self.trader = Trader(
            self._instruments, account, nonces.take, TraderSettings(expires_after_ms=settings.expires_after_ms)
        )
        self.session = Session(self.trader.subscriptions(), settings.session())
        self.limits = Limits(settings.limits)
        self.board = Switchboard(
            network,
            self.trader,
            self.session,
            self.limits,
            signer,
            settings.open_ns_max,
            clock,
            self._steady,
            wake,
        )
        self._cold = ColdPath(self.board.transport, self.limits, self._steady, settings.answer_ns_max)
        self._desk = StatementDesk(self._cold, {one.symbol: one for one in instruments}, account, clock)
        self._venue_statement = self._desk.nothing()
        self._statement = self.trader.statement()
        self._is_closed = False
        self._listed: Mapping[str, Instrument] = {}
        self.opened_ns = 0
        self.problem = ""
        """Why the newest regular statement, budget or listing could not be had; empty when they could."""

    def next_ts_ns(self) -> int | None:
        """Return when the oldest event not taken was received; NEVER when there is none, None once closed."""
        if self.board.events:
            return self.board.events[0][0].ts_recv_ns
        return None if self._is_closed else NEVER

    def advance(self) -> Event | None:
        """Hand out the oldest event."""
        if not self.board.events:
            return None
        event, self._statement = self.board.events.popleft()
        return event

    def send(self, command: VenueCommand) -> None:
        """Take one wish; it leaves with the next flush."""
        self.trader.send(command)

    def flush(self) -> None:
        """Sign and write everything that was wished, in this call."""
        self.board.flush()

    def statement(self) -> Statement:
        """Return the account as of the last account fact handed out."""
        return self._statement

    def account_statement(self, account: str) -> VenueStatement:
        """Return the venue's statement as last fetched; of nothing, at time 0, before the first."""
        del account
        return self._venue_statement

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open and everything is subscribed."""
        return self.session.phase is Phase.UP

    def counted(self) -> dict[str, dict[str, Any]]:
        """Return what was met since the start and survived, by part: plain data."""
        return {
            "trader": msgspec.to_builtins(self.trader.counters),
            "session": msgspec.to_builtins(self.session.counters),
            "limits": {"refused": self.limits.refused, "too_many": self.limits.too_many},
        }

    async def fetch_statement(self) -> VenueStatement:
        """Fetch the venue's statement and keep it. Raises: DataInvalid."""
        since_ns = max(self.opened_ns, self._clock() - self.settings.statement_window_ns)
        self._venue_statement = await self._desk.fetch(since_ns)
        return self._venue_statement

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["HyperliquidExchange"]:
        """Own the connection for the length of a block. Raises: what broke inside, as itself."""
        stop = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                self.board.begin(group)
                tending = group.create_task(self._tend(stop))
                try:
                    yield self
                finally:
                    stop.set()
                    tending.cancel()
                    self._is_closed = True
                    self.board.end()
        except BaseExceptionGroup as broken:
            raise first_of(broken) from None
        finally:
            await self.close()

    async def run(self, stop: asyncio.Event) -> None:
        """Own the connection until stop is set. Raises: what broke inside, as itself."""
        async with self.connected():
            await stop.wait()

    async def open(self) -> Opening:
        """Check everything, set leverage, connect, and return when the account is read. Needs `connected` around it.

        Raises: ConfigInvalid for what a person must set right, DataInvalid when the venue does not answer.
        """
        opening = await check(self._cold, self._instruments, self.account, self._signer.address)
        self.board.vault, self._listed = opening.vault, opening.listed
        self.limits.set_address_budget(opening.budget)
        if self.settings.leverage:
            changed = await set_leverage(
                self._cold,
                self._instruments,
                self.account,
                self.settings.leverage,
                self.settings.is_cross,
                lambda action: self.board.signed(action, self._nonces.take(), None),
            )
            opening = msgspec.structs.replace(opening, leverage_set=changed)
        self.opened_ns = self._clock()
        self.session.start(self._steady())
        self.board.carry()
        try:
            async with asyncio.timeout(OPENINGS_WAITED * self.settings.open_ns_max / NS_PER_SECOND):
                await self.board.connected.wait()
                # Only now, with every push subscribed, is nothing lost between the account's statement and the pushes.
                self.trader.start(self._clock())
                self.board.carry()
                await self.board.synced.wait()
        except TimeoutError:
            what = "the account could not be read" if self.board.connected.is_set() else "no connection"
            raise DataInvalid(self.network.ws_url, f"{what}: {self.session.problem or 'no answer'}") from None
        await self.fetch_statement()
        return opening

    async def close(self) -> None:
        """Cut everything; a second call does nothing."""
        self._is_closed = True
        self.board.end()
        await self.board.transport.close()

    async def _tend(self, stop: asyncio.Event) -> None:
        """Keep nonces ahead of the disk; statement, budget and listing fresh."""
        settings = self.settings
        duties: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (settings.statement_interval_ns, self.fetch_statement),
            (settings.budget_interval_ns, self._take_budget),
            (settings.listing_interval_ns, self._compare_listing),
        ]
        done_ns = [self._steady()] * len(duties)
        problems = [""] * len(duties)
        while not stop.is_set():
            await asyncio.sleep(TEND_SECONDS)
            reserving = self._reserve()
            for at, (interval_ns, duty) in enumerate(duties):
                now_ns = self._steady()
                if not interval_ns or now_ns - done_ns[at] < interval_ns or not self.board.synced.is_set():
                    continue
                done_ns[at], problems[at] = now_ns, ""
                try:
                    await duty()
                except DataInvalid as problem:
                    # The next round asks again; meanwhile the older answer stands.
                    problems[at] = str(problem)
            self.problem = reserving or next((problem for problem in problems if problem), "")

    def _reserve(self) -> str:
        """Keep nonces ahead of the disk; return what is wrong with it. Who takes the last of them breaks, not we."""
        try:
            self._nonces.reserve()
        except OSError as error:
            return f"nonces cannot be reserved: {error.strerror}"
        return ""

    async def _take_budget(self) -> None:
        self.limits.set_address_budget(await self._cold.ask(RateLimit, "userRateLimit", user=self.account))

    async def _compare_listing(self) -> None:
        """Stop trading what the venue lists otherwise than when we began."""
        listed = listing(await self._cold.ask(object, "meta"))
        for symbol, detail in changes(self._listed, listed, [one.symbol for one in self._instruments]).items():
            self.board.bar(symbol, detail)


def first_of(broken: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error inside a group, however deep."""
    first = broken.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
