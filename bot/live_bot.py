"""A bot that trades on a venue over the wire: `hat venue`, testnet or mainnet. The engine is the paper bot's.

Theory of operation. Everything that may refuse (key, lease, network, instruments) is asked before anything is opened.
Then ledger, journal and telemetry open as on paper, and the loop runs inside one event loop on the main thread.

Laws: nothing is sent before the account was read; the journal of a decision is on the disk before an order leaves; at
the end the venue's own statement is fetched and kept beside the ledger.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from bot.app import Bot, Seat
from bot.clock import monotonic_ns, now_ns
from bot.config import HatConfig
from bot.live_loop import Pump, cancel_without_engine, run_live
from bot.markets import OpenedMarket
from bot.networks import Identity, account_of, chosen_instruments, confirmed, identity_of, network_of, requests_left
from bot.stop_flag import StopFlag
from domain.errors import DataInvalid
from domain.units import NS_PER_MS, NS_PER_SECOND
from exchange.hyperliquid.exchange import ExchangeSettings, HyperliquidExchange
from exchange.hyperliquid.network import Network

OPEN_SECONDS_MAX = 30
CLOSE_SECONDS_MAX = 15
SWITCH_SECONDS = 0.0001


class Way(msgspec.Struct, frozen=True):
    """What is known before a live bot opens: where it trades, as whom, and what."""

    network: Network
    identity: Identity
    market: OpenedMarket
    requests_left: int


def way_of(config: HatConfig, *, confirm_mainnet: bool = False) -> Way:
    """Return where and as whom the configuration trades; nothing is signed or sent but questions.

    Raises: ConfigInvalid or DataInvalid naming what is missing, wrong, or does not answer.
    """
    confirmed(config, confirm_mainnet=confirm_mainnet)
    network = network_of(config)
    account = account_of(config)
    identity = identity_of(config, network)
    instruments = chosen_instruments(config, network)
    left = requests_left(network, account)
    market = OpenedMarket(
        name=f"{network.name} {account[:6]}…{account[-4:]}",
        instruments=instruments,
        feed=iter(()),
        start_ns=now_ns(),
    )
    return Way(network, identity, market, left)


class LiveBot(Bot):
    """The engine, unabridged, on a venue."""

    def __init__(self, config: HatConfig, way: Way) -> None:
        """Open everything but the connection. Raises: HouseError when any of it cannot be had."""
        section = config.network
        self.exchange = HyperliquidExchange(
            network=way.network,
            instruments=way.market.instruments,
            account=account_of(config),
            signer=way.identity.signer,
            nonces=way.identity.nonces,
            clock=now_ns,
            settings=ExchangeSettings(
                leverage=config.venue.leverage,
                expires_after_ms=int(section.expires_after_ms),
                answer_ns_max=int(section.request_timeout_ms) * NS_PER_MS,
                silence_ns_max=int(section.stale_ms) * NS_PER_MS,
                seed=config.bot.seed,
            ),
            wake=self._wake,
            steady_clock=monotonic_ns,
        )
        self._pump: Pump | None = None
        self._way = way
        self._unanswered = 0
        self._notes: list[str] = []
        self._is_opened = False
        seat = Seat(
            market=way.market,
            exchange=self.exchange,
            place=way.network.name,
            account=account_of(config),
            is_durable=True,
            requests_initial=way.requests_left,
        )
        super().__init__(config, seat)

    def run(self, *, for_ns: int | None, stop: StopFlag, refresh: Callable[[], None] | None = None) -> dict[str, Any]:
        """Trade until the time is over or stop is set; return the summary. Raises: as `Bot.trade`, and HouseError.

        HouseError when the venue cannot be opened: then nothing was sent.
        """
        # Telemetry and the SQL projection hold the interpreter for so long at most when a frame arrives.
        sys.setswitchinterval(SWITCH_SECONDS)

        def loop(beat: Callable[[], None]) -> str:
            return asyncio.run(self._live(for_ns, stop, beat))

        try:
            return self.trade(loop, stop, refresh)
        finally:
            self._way.identity.lease.release()

    def _wake(self) -> None:
        if self._pump is not None:
            self._pump.run()

    async def _live(self, for_ns: int | None, stop: StopFlag, beat: Callable[[], None]) -> str:
        exchange = self.exchange
        async with exchange.connected():
            try:
                async with asyncio.timeout(OPEN_SECONDS_MAX):
                    await exchange.open()
            except TimeoutError:
                raise DataInvalid(self._way.network.http_url, f"did not open within {OPEN_SECONDS_MAX} s") from None
            self._is_opened = True
            self._pump = Pump(self.driver, exchange, beat)
            try:
                ended = await run_live(self.driver, exchange, self._pump, for_ns=for_ns, stop=stop, beat=beat)
            finally:
                if self._pump.broken is not None:
                    self._unanswered = await cancel_without_engine(self.driver, exchange, str(self._pump.broken))
                self._pump = None
            await self._take_last_statement()
            return ended

    async def _take_last_statement(self) -> None:
        """Fetch the venue's last word; one that does not answer leaves the statement before, and is told."""
        # Nothing rests any more, so nothing needs what was kept for exits.
        self.exchange.limits.release_reserve()
        try:
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self.exchange.fetch_statement()
        except TimeoutError:
            self._note_missing(f"no answer within {CLOSE_SECONDS_MAX} s")
        except DataInvalid as problem:
            self._note_missing(str(problem))

    def _note_missing(self, problem: str) -> None:
        self._venue_file_failed(problem)
        self._notes.append(f"the venue's last statement is missing ({problem}): what is kept is the one before")

    def summary(self) -> dict[str, Any]:
        """Return what happened so far, and what a person should know besides."""
        return {**super().summary(), "wire": self.exchange.counted(), "notes": list(self._notes)}

    def _abandon(self) -> None:
        """Halt, unless the venue was never opened: then nothing was sent, and there is nothing to halt."""
        if self._is_opened:
            super()._abandon()

    def wire_events(self) -> dict[str, int]:
        """Return the adapter's counters; names from outside are summed."""
        return {
            f"{part}_{name}": sum(value.values()) if isinstance(value, dict) else int(value)
            for part, counted in self.exchange.counted().items()
            for name, value in counted.items()
            if isinstance(value, dict | int)
        }

    def _cancel_everything(self, broken: str) -> int:
        """The loop has done it while the connection was there."""
        del broken
        return self._unanswered

    @property
    def market_seconds(self) -> float:
        """How much time has passed since the start."""
        return max(0, self.engine.state.now_ns - self.market.start_ns) / NS_PER_SECOND
