"""The process behind `hat venue`: reads what it was asked for, opens the hall, serves until told to stop."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from bot.config import read_toml
from bot.markets import listed, recorded_market
from domain.errors import ConfigInvalid
from domain.events import MarketEvent
from domain.instrument import Instrument
from domain.units import NS_PER_MS, NS_PER_SECOND, RATE_UNIT, Rate
from exchange.feeds.recorded import admitted
from exchange.feeds.synthetic import SyntheticMarket, start_price
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer
from exchange.hyperliquid.universe import UNIVERSE
from services.venue_server.accounts_file import DEMO_USDC, OpeningAccount, address_of, demo_key, read_accounts
from services.venue_server.app import VenueApp
from services.venue_server.control import control_pages
from services.venue_server.counter_settings import CounterSettings, Policy
from services.venue_server.hall import Hall
from services.venue_server.ip_limits import IpLimits
from services.venue_server.misfortune import settings_from
from services.venue_server.opening import ServerSettings, open_hall
from services.venue_server.pacing import on_wall_clock
from services.venue_server.request_log import RequestLog
from services.venue_server.venue_metrics import VenueMetrics

SYNTHETIC, PARTICIPANTS = "synthetic", "participants"
COINS = ("BTC", "ETH", "SOL")

Say = Callable[[str], None]


class VenueWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asked for.

    coins: empty for COINS, or all of a recording. speed: 0 means as fast as it goes. trusted: an address, empty when
    signatures are verified.
    """

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


def serve(wishes: VenueWishes, clock: Callable[[], int], ready: Callable[[dict[str, str]], None], say: Say) -> None:
    """Run the venue until it is interrupted or its time is over; ready is told where it is and the demo account.

    say is told, in a sentence each, what a person should know. Raises: ConfigInvalid for whatever cannot be used, a port
    that is taken included.
    """
    if wishes.seed < 0:
        raise ConfigInvalid("--seed", wishes.seed, "0 or more")
    settings = _settings(wishes)
    now_ns = clock() + settings.misfortune.skew_ms * NS_PER_MS
    accounts, shape = _accounts(wishes)
    instruments, feed = _market(wishes, now_ns, say)
    hall = open_hall(settings, instruments, accounts, feed, now_ns)
    if wishes.market == PARTICIPANTS:
        for one in instruments:
            hall.set_price(one.symbol, start_price(one))
    log = RequestLog(wishes.log, say)
    try:
        asyncio.run(_serve(wishes, hall, clock, log, lambda url: ready({"url": url, **shape})))
    finally:
        log.close()


def _settings(wishes: VenueWishes) -> ServerSettings:
    bad_luck = settings_from({"seed": wishes.seed, **(read_toml(wishes.misfortune) if wishes.misfortune else {})})
    return ServerSettings(
        seed=wishes.seed,
        counter=CounterSettings(
            policy=Policy.OFF if wishes.trusted else Policy.RECOVER,
            trusted_account=_trusted(wishes),
            limits_on=wishes.limits,
        ),
        ip_limits=IpLimits(is_on=wishes.limits),
        misfortune=bad_luck,
    )


def _trusted(wishes: VenueWishes) -> str:
    return address_of("--trust", wishes.trusted) if wishes.trusted else ""


def _accounts(wishes: VenueWishes) -> tuple[list[OpeningAccount], dict[str, str]]:
    """Return who has money when the venue opens, and the demo account as it is told."""
    accounts = list(read_accounts(wishes.accounts)) if wishes.accounts is not None else []
    shape: dict[str, str] = {}
    added = [("trusted", _trusted(wishes))] if wishes.trusted else []
    if wishes.demo:
        key = demo_key(wishes.seed)
        address = Signer(SecretKey(key), is_mainnet=False).address
        shape = {"account": address, "secret_key": f"0x{key.hex()}"}
        added.append(("demo", address))
    for name, address in added:
        if all(one.address != address for one in accounts):
            accounts.append(OpeningAccount(address=address, usdc=DEMO_USDC, name=name))
    return accounts, shape


def _market(wishes: VenueWishes, now_ns: int, say: Say) -> tuple[tuple[Instrument, ...], Iterator[MarketEvent]]:
    """Return what is listed and what happens there without any client."""
    for name in wishes.coins:
        if wishes.coins.count(name) > 1:
            raise ConfigInvalid("--coins", name, "every coin once")
    if wishes.market not in {SYNTHETIC, PARTICIPANTS}:
        return _recorded(wishes, now_ns, say)
    if wishes.speed != 1:
        raise ConfigInvalid("--speed", f"{wishes.speed:g}", "left out, or recorded data as --market")
    names = wishes.coins or COINS
    for name in names:
        if name not in UNIVERSE:
            raise ConfigInvalid("--coins", name[:20], f"any of {', '.join(UNIVERSE)}")
    instruments = tuple(listed(name) for name in names)
    if wishes.market == PARTICIPANTS:
        return instruments, iter(())
    table = {one.symbol: one for one in instruments}
    synthetic = SyntheticMarket(instruments, wishes.seed, now_ns)
    return instruments, on_wall_clock(admitted(iter(synthetic), table), now_ns)


def _recorded(wishes: VenueWishes, now_ns: int, say: Say) -> tuple[tuple[Instrument, ...], Iterator[MarketEvent]]:
    """Return what a recording lists, the coins asked for alone and in their order, moved to the wall's time."""
    speed = Rate(int(wishes.speed * RATE_UNIT))
    if not speed:
        raise ConfigInvalid("--speed", f"{wishes.speed:g}", "a number: clients of a venue live in wall time")
    path = Path(wishes.market)
    if not path.exists():
        raise ConfigInvalid("--market", wishes.market[:200], f"{SYNTHETIC}, {PARTICIPANTS}, or a file or folder")
    recording = recorded_market(path, wishes.coins[0] if len(wishes.coins) == 1 else None)
    for note in recording.notes:
        say(note)
    there = {one.symbol: one for one in recording.instruments}
    for name in wishes.coins:
        if name not in there:
            raise ConfigInvalid("--coins", name[:20], f"any of {', '.join(there)}, which {path.name} holds")
    instruments = tuple(there[name] for name in wishes.coins or there)
    return instruments, on_wall_clock(recording.feed, now_ns, speed)


async def _serve(
    wishes: VenueWishes, hall: Hall, clock: Callable[[], int], log: RequestLog, ready: Callable[[str], None]
) -> None:
    metrics = VenueMetrics()

    async def metrics_page(_: web.Request) -> web.StreamResponse:
        page = metrics.page(hall.gauges(clock()), hall.misfortune.counts)
        return web.Response(body=page, content_type="text/plain", charset="utf-8")

    pages: dict[str, Any] = {**control_pages(hall, clock), "/metrics": metrics_page}
    app = VenueApp(hall, clock, metrics=metrics, log=log, pages=pages)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, app.stop.set)
    if wishes.for_ns is not None:
        loop.call_later(wishes.for_ns / NS_PER_SECOND, app.stop.set)
    await app.run(wishes.host, wishes.port, ready)
