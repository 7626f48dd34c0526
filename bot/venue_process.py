"""The process behind `hat venue`: reads what it was asked for, opens the hall, serves until told to stop."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from bot.config import read_toml
from bot.markets import listed, recorded_market
from domain.errors import ConfigInvalid
from domain.events import MarketEvent
from domain.instrument import Instrument
from domain.units import NS_PER_SECOND, RATE_UNIT, Rate
from exchange.feeds.recorded import admitted
from exchange.feeds.synthetic import SyntheticMarket
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer
from services.venue_server.accounts_file import DEMO_USDC, OpeningAccount, demo_key, read_accounts
from services.venue_server.app import VenueApp
from services.venue_server.control import control_pages
from services.venue_server.counter_settings import CounterSettings, Policy
from services.venue_server.hall import Hall
from services.venue_server.ip_limits import IpLimits
from services.venue_server.misfortune import MisfortuneSettings, settings_from
from services.venue_server.opening import ServerSettings, open_hall
from services.venue_server.pacing import on_wall_clock
from services.venue_server.request_log import RequestLog
from services.venue_server.venue_metrics import VenueMetrics

SYNTHETIC, PARTICIPANTS = "synthetic", "participants"


class VenueWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for. trusted is a lower-case address, empty when signatures are verified."""

    host: str
    port: int
    market: str
    coins: tuple[str, ...]
    speed: float
    seed: int
    accounts: Path | None
    demo: bool
    misfortune: Path | None
    log: Path | None
    limits: bool
    trusted: str
    for_ns: int | None


def serve(wishes: VenueWishes, clock: Callable[[], int], ready: Callable[[dict[str, str]], None]) -> None:
    """Run the venue until it is interrupted or its time is over; ready is told where it is and the demo account.

    Raises: ConfigInvalid for whatever cannot be used, a port that is taken included.
    """
    now_ns = clock()
    accounts = list(read_accounts(wishes.accounts)) if wishes.accounts is not None else []
    shape: dict[str, str] = {}
    if wishes.demo:
        key = demo_key(wishes.seed)
        address = Signer(SecretKey(key), is_mainnet=False).address
        accounts.append(OpeningAccount(address=address, usdc=DEMO_USDC, name="demo"))
        shape = {"account": address, "secret_key": f"0x{key.hex()}"}
    if wishes.trusted and not any(one.address == wishes.trusted for one in accounts):
        accounts.append(OpeningAccount(address=wishes.trusted, usdc=DEMO_USDC, name="trusted"))
    instruments, feed = _market(wishes, now_ns)
    hall = open_hall(_settings(wishes), instruments, accounts, feed, now_ns)
    with_log = RequestLog(wishes.log)
    try:
        asyncio.run(_serve(wishes, hall, clock, with_log, lambda url: ready({"url": url, **shape})))
    finally:
        with_log.close()


def _settings(wishes: VenueWishes) -> ServerSettings:
    bad_luck = MisfortuneSettings(seed=wishes.seed)
    if wishes.misfortune is not None:
        bad_luck = settings_from({"seed": wishes.seed, **read_toml(wishes.misfortune)})
    return ServerSettings(
        seed=wishes.seed,
        counter=CounterSettings(
            policy=Policy.OFF if wishes.trusted else Policy.RECOVER,
            trusted_account=wishes.trusted,
            limits_on=wishes.limits,
        ),
        ip_limits=IpLimits(is_on=wishes.limits),
        misfortune=bad_luck,
    )


def _market(wishes: VenueWishes, now_ns: int) -> tuple[tuple[Instrument, ...], Iterator[MarketEvent]]:
    """Return what is listed and what happens there without any client."""
    if wishes.market not in {SYNTHETIC, PARTICIPANTS}:
        coin = wishes.coins[0] if len(wishes.coins) == 1 else None
        recording = recorded_market(Path(wishes.market), coin)
        speed = Rate(max(int(wishes.speed * RATE_UNIT), 1))
        return recording.instruments, on_wall_clock(recording.feed, now_ns, speed)
    if not wishes.coins:
        raise ConfigInvalid("--coins", "", "at least one symbol such as BTC")
    instruments = tuple(listed(symbol) for symbol in wishes.coins)
    if wishes.market == PARTICIPANTS:
        return instruments, iter(())
    table = {one.symbol: one for one in instruments}
    synthetic = SyntheticMarket(instruments, wishes.seed, now_ns)
    return instruments, on_wall_clock(admitted(iter(synthetic), table), now_ns)


async def _serve(
    wishes: VenueWishes, hall: Hall, clock: Callable[[], int], log: RequestLog, ready: Callable[[str], None]
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop.set)
    if wishes.for_ns is not None:
        loop.call_later(wishes.for_ns / NS_PER_SECOND, stop.set)
    metrics = VenueMetrics()

    async def metrics_page(_: web.Request) -> web.StreamResponse:
        page = metrics.page(hall.gauges(clock()), hall.misfortune.counts)
        return web.Response(status=HTTPStatus.OK, body=page, content_type="text/plain", charset="utf-8")

    pages: dict[str, Any] = {**control_pages(hall, clock), "/metrics": metrics_page}
    app = VenueApp(hall, clock, metrics=metrics, log=log, pages=pages)
    try:
        await app.run(wishes.host, wishes.port, ready, stop)
    except OSError as error:
        raise ConfigInvalid("--port", wishes.port, f"a port that is free ({error.strerror or error})") from None
