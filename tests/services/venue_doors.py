"""A venue on loopback in the test's own loop, whose clock the test moves; and the hall behind it."""

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from functools import wraps

import aiohttp

from domain.events import BookChanged, MarkChanged
from domain.units import NS_PER_MS, NS_PER_SECOND, Price, Rate
from exchange.hyperliquid.wire import encoded
from services.venue_server.accounts_file import OpeningAccount
from services.venue_server.app import VenueApp
from services.venue_server.control import control_pages
from services.venue_server.counter_settings import CounterSettings
from services.venue_server.ip_limits import IpLimits
from services.venue_server.misfortune import MILLION, settings_from
from services.venue_server.opening import ServerSettings, open_hall
from tests.services import counter_scene as scene
from tests.services.counter_scene import MASTER, NOW_MS, OTHER, address, order, place, sign_l1_action

NOW_NS = NOW_MS * NS_PER_MS
SECONDS_MAX = 30
ALWAYS = MILLION
INSTRUMENTS = tuple(scene.INSTRUMENTS.values())
ALL_MIDS = {"type": "allMids"}


class Clock:
    """The wall's time, moved by hand."""

    def __init__(self, now_ns=NOW_NS):
        self.now_ns = now_ns

    def __call__(self):
        return self.now_ns

    def pass_seconds(self, seconds):
        self.now_ns += int(seconds * NS_PER_SECOND)


def book(now_ns=NOW_NS, bid=1_000_000, symbol="BTC", lots=10_000):
    times = {"ts_event_ns": now_ns, "ts_recv_ns": now_ns, "symbol": symbol}
    bids = tuple((bid - 10 * step, lots) for step in range(5))
    asks = tuple((bid + 20 + 10 * step, lots) for step in range(5))
    return BookChanged(**times, bids=bids, asks=asks)


def mark(now_ns=NOW_NS, price=1_000_000, symbol="BTC"):
    times = {"ts_event_ns": now_ns, "ts_recv_ns": now_ns, "symbol": symbol}
    return MarkChanged(**times, mark_price=Price(price), oracle_price=Price(price), funding_rate=Rate(0))


def a_hall(feed=None, limits=None, now_ns=NOW_NS, counter=None, accounts=None, **misfortune):
    """Open a hall: a still BTC market unless told, MASTER and OTHER with 100,000 USDC."""
    settings = ServerSettings(
        misfortune=settings_from(misfortune),
        ip_limits=limits or IpLimits(),
        counter=counter or CounterSettings(),
        rules=scene.OPEN_TO_ALL,
    )
    if accounts is None:
        accounts = [OpeningAccount(address=address(one), usdc=scene.CASH) for one in (MASTER, OTHER)]
    return open_hall(settings, INSTRUMENTS, accounts, iter([book(), mark()] if feed is None else feed), now_ns)


def signed(action, nonce=NOW_MS, wallet=MASTER):
    """Return the envelope of an action, signed as the SDK does."""
    signature = sign_l1_action(wallet, action, None, nonce, None, False)
    return {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None, "expiresAfter": None}


def buy(price="99000", nonce=NOW_MS, wallet=MASTER, **more):
    """Return the signed envelope of one order."""
    return signed(place(order(price=price, **more)), nonce, wallet)


def body(payload):
    return encoded(payload)


class Doors:
    """An open venue: where it is, its clock, and a client."""

    def __init__(self, url, hall, app, clock, http):
        self.url, self.hall, self.app, self.clock, self.http = url, hall, app, clock, http
        self.wires = []

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    async def post(self, path, payload, **headers):
        """Return status, content type and body of one request."""
        async with self.http.post(f"{self.url}{path}", json=payload, headers=headers) as answer:
            return answer.status, answer.content_type, await answer.read()

    async def info(self, **question):
        status, _, content = await self.post("/info", question)
        assert status == 200, content
        return json.loads(content)

    async def exchange(self, envelope):
        status, _, content = await self.post("/exchange", envelope)
        assert status == 200, content
        return json.loads(content)

    async def connect(self, **options):
        self.wires.append(await self.http.ws_connect(f"{self.url}/ws", **options))
        return self.wires[-1]

    @asynccontextmanager
    async def raw(self):
        """Open a bare TCP connection: reader and writer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def asked(socket, payload):
    """Send a frame and return the next one."""
    await socket.send_json(payload)
    return await socket.receive_json()


async def subscribed(socket, kind, **fields):
    """Subscribe and return the acknowledgment."""
    return await asked(socket, {"method": "subscribe", "subscription": {"type": kind, **fields}})


async def until(found, what):
    """Let the loop run until something is found, and return it."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (answer := found()):  # noqa: ASYNC110 what is looked for belongs to the venue
            await asyncio.sleep(0.001)
    assert answer, what
    return answer


@asynccontextmanager
async def open_doors(hall=None, host="127.0.0.1", block_ns=NS_PER_MS, **options):
    """Serve a hall on a free port until the end of the block."""
    hall, clock = hall or a_hall(), Clock()
    options.setdefault("pages", control_pages(hall, clock))
    app = VenueApp(hall, clock, block_ns=block_ns, **options)
    url = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(app.run(host, 0, url.set_result))
        async with aiohttp.ClientSession() as http:
            doors = Doors(await url, hall, app, clock, http)
            yield doors
            for wire in doors.wires:
                await wire.close()
            app.stop.set()


def in_loop(test):
    """Run a test that is a coroutine."""

    @wraps(test)
    def run(*arguments, **fixtures):
        asyncio.run(asyncio.wait_for(test(*arguments, **fixtures), SECONDS_MAX))

    return run
