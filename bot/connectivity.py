"""`hat check connectivity`: the way to the venue, step by step, and to the database and the collector of traces.

Theory of operation. The way to the venue is a chain (name, TCP, TLS, HTTP, WebSocket, first book); the first broken link
is named and what lies behind it is told as not tried. Database and collector are asked beside it. No key, no account.

Laws: each step is bounded by the timeout; nothing is sent but public questions; no exception of a library comes out.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from bot.clock import monotonic_ns, now_ns
from bot.config import HatConfig
from bot.config_sections import NetworkName
from bot.doctor_place import database_finding, telemetry_finding
from bot.findings import NAME_WIDTH, Verdict, guarded
from bot.networks import network_of
from domain.units import NS_PER_MS, NS_PER_SECOND
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.requests import INFO_PATH
from exchange.hyperliquid.wire import ClientFrame, ServerFrame, Subscription, encoded
from exchange.hyperliquid.wire_market import Book
from monitoring.health import Condition, Status

TIMEOUT_SECONDS = 5.0
ANSWERS = 5
SLOW_MS = 1_000
BOOK_AGE_MS_MAX = 5_000
CERTIFICATE_DAYS_WARN = 7
PORTS = {"http": 80, "https": 443}
CHAIN = ("dns", "tcp", "tls", "http", "websocket", "market data")
CONDITIONS = {
    Verdict.OK: Condition.READY,
    Verdict.SKIPPED: Condition.READY,
    Verdict.WARNING: Condition.DEGRADED,
    Verdict.FAILED: Condition.FAILED,
}
EXIT_CODES = {Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2}
CERTIFICATE_TIME = "%b %d %H:%M:%S %Y %Z"


class Link(msgspec.Struct, frozen=True):
    """One step: how it went, in one sentence; took_ms is None where nothing was measured."""

    name: str
    condition: Condition
    detail: str
    took_ms: float | None = None


class Report(msgspec.Struct, frozen=True):
    """All steps, and what they sum to."""

    status: Status
    place: str
    links: tuple[Link, ...]

    def shape(self) -> dict[str, Any]:
        """Return the report as plain data."""
        shape: dict[str, Any] = msgspec.to_builtins(self)
        return shape

    def lines(self) -> list[str]:
        """Return one line per step and one for the whole."""
        told = [f"{one.condition.value:<9} {one.name:<{NAME_WIDTH}} {one.detail}" for one in self.links]
        return [*told, f"{self.status.value}, {self.place}"]


class BrokenLinkError(Exception):
    """A step that did not work; the text says why in one sentence."""


def check_connectivity(config: HatConfig, timeout_seconds: float = TIMEOUT_SECONDS) -> Report:
    """Try everything and return what was found. Raises: ConfigInvalid when the network's URL cannot be used."""
    is_simulated = config.network.name is NetworkName.SIMULATED
    network = None if is_simulated else network_of(config)
    links = asyncio.run(_all(config, network, timeout_seconds))
    conditions = {one.condition for one in links}
    if Condition.FAILED in conditions:
        status = Status.UNHEALTHY
    else:
        status = Status.DEGRADED if Condition.DEGRADED in conditions else Status.HEALTHY
    return Report(status, network.http_url if network else "network simulated", tuple(links))


async def _all(config: HatConfig, network: Network | None, timeout_seconds: float) -> list[Link]:
    async with asyncio.TaskGroup() as group:
        places = [
            group.create_task(asyncio.to_thread(_placed, "database", lambda: list(database_finding(config)))),
            group.create_task(
                asyncio.to_thread(_placed, "telemetry", lambda: list(telemetry_finding(config, timeout_seconds)))
            ),
        ]
        if network is None:
            links = [Link("venue", Condition.READY, "not tried: network.name is simulated")]
        else:
            links = await Chain(network, config.market.instruments[0], timeout_seconds).run()
    return [*links, *(link for place in places for link in place.result())]


def _placed(name: str, check: Callable[[], Any]) -> list[Link]:
    """Return what a check of the doctor found, as links."""
    before_ns = monotonic_ns()
    findings = guarded(name, check)
    took_ms = (monotonic_ns() - before_ns) / NS_PER_MS
    return [
        Link(one.name, CONDITIONS[one.verdict], f"{one.found}{f': {one.fix}' if one.fix else ''}", took_ms)
        for one in findings
    ]


class Chain:
    """The way to one venue, and how far it was gone."""

    def __init__(self, network: Network, coin: str, timeout_seconds: float) -> None:
        """Know where it leads."""
        parts = urlsplit(network.http_url)
        self._network, self._coin, self._seconds = network, coin, timeout_seconds
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        self._port = parts.port or PORTS[parts.scheme]
        self._links: list[Link] = []

    async def run(self) -> list[Link]:
        """Go as far as it goes."""
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "dns": self._dns,
            "tcp": self._tcp,
            "tls": self._tls,
            "http": self._http,
            "websocket": self._socket,
        }
        for name, step in steps.items():
            try:
                async with asyncio.timeout(self._seconds):
                    await step()
            except TimeoutError:
                self._fail(name, f"nothing within {self._seconds:g} s")
            except (BrokenLinkError, aiohttp.ClientError, OSError, ValueError) as error:
                self._fail(
                    name, f"{type(error).__name__}: {error}" if not isinstance(error, BrokenLinkError) else str(error)
                )
            # A wrong answer over HTTP says nothing about the socket; what lies below both does.
            if name in {"dns", "tcp", "tls"} and self._links[-1].condition is Condition.FAILED:
                break
        reached = {one.name for one in self._links}
        self._links += [
            Link(name, Condition.FAILED, "not tried: the step before it failed")
            for name in CHAIN
            if name not in reached
        ]
        return self._links

    def _fail(self, name: str, detail: str) -> None:
        """Tell a failure; of the socket's two steps the one that was not reached yet."""
        done = {one.name for one in self._links}
        missed = "market data" if name == "websocket" and "websocket" in done else name
        self._links.append(Link(missed, Condition.FAILED, detail[:200]))

    def _tell(self, name: str, detail: str, took_ms: float, *, is_well: bool = True) -> None:
        self._links.append(Link(name, Condition.READY if is_well else Condition.DEGRADED, detail, round(took_ms, 3)))

    async def _dns(self) -> None:
        before_ns = monotonic_ns()
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        took_ms = (monotonic_ns() - before_ns) / NS_PER_MS
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        self._tell("dns", f"{self._host} is {', '.join(addresses[:4])}, {took_ms:.1f} ms", took_ms)

    async def _tcp(self) -> None:
        before_ns = monotonic_ns()
        _, writer = await asyncio.open_connection(self._host, self._port)
        took_ms = (monotonic_ns() - before_ns) / NS_PER_MS
        writer.close()
        await writer.wait_closed()
        self._tell("tcp", f"port {self._port} opens in {took_ms:.1f} ms", took_ms, is_well=took_ms < SLOW_MS)

    async def _tls(self) -> None:
        if self._scheme != "https":
            self._tell("tls", "none: the network is spoken to in the clear", 0.0)
            return
        before_ns = monotonic_ns()
        context = ssl.create_default_context()
        _, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        took_ms = (monotonic_ns() - before_ns) / NS_PER_MS
        certificate = writer.get_extra_info("peercert") or {}
        version = writer.get_extra_info("ssl_object").version()
        writer.close()
        await writer.wait_closed()
        days = days_left(str(certificate.get("notAfter", "")), now_ns())
        self._tell(
            "tls",
            f"{version} in {took_ms:.1f} ms, certificate good for {days} days",
            took_ms,
            is_well=days >= CERTIFICATE_DAYS_WARN,
        )

    async def _http(self) -> None:
        """Ask for a book a few times: the answer proves more than a status does."""
        body = encoded({"type": "l2Book", "coin": self._coin})
        took: list[float] = []
        async with _web(self._seconds) as web:
            while len(took) < ANSWERS:
                before_ns = monotonic_ns()
                async with web.post(
                    self._network.http_url + INFO_PATH, data=body, headers={"Content-Type": "application/json"}
                ) as answer:
                    content = await answer.read()
                took.append((monotonic_ns() - before_ns) / NS_PER_MS)
                if answer.status != HTTPStatus.OK:
                    raise BrokenLinkError(f"{INFO_PATH} answers HTTP {answer.status}")
                _book(content, self._coin)
        middle = median(took)
        detail = f"{INFO_PATH} answers in {middle:.1f} ms (p50 of {ANSWERS}, worst {max(took):.1f})"
        self._tell("http", detail, middle, is_well=middle < SLOW_MS)

    async def _socket(self) -> None:
        """Open the socket, play ping and pong, and wait for the first book."""
        async with _web(self._seconds) as web:
            before_ns = monotonic_ns()
            async with web.ws_connect(self._network.ws_url, max_msg_size=2**24) as line:
                opened_ns = monotonic_ns()
                await line.send_bytes(encoded(ClientFrame(method="ping")))
                await self._frame(line, "pong")
                pong_ms = (monotonic_ns() - opened_ns) / NS_PER_MS
                opening_ms = (opened_ns - before_ns) / NS_PER_MS
                detail = f"{self._network.ws_url} opens in {opening_ms:.1f} ms, pong after {pong_ms:.1f} ms"
                self._tell("websocket", detail, opening_ms, is_well=max(opening_ms, pong_ms) < SLOW_MS)
                asked_ns = monotonic_ns()
                wanted = Subscription(type="l2Book", coin=self._coin)
                await line.send_bytes(encoded(ClientFrame(method="subscribe", subscription=wanted)))
                book = _book(bytes(await self._frame(line, "l2Book")), self._coin)
                took_ms = (monotonic_ns() - asked_ns) / NS_PER_MS
        age_ms = now_ns() / NS_PER_MS - book.time
        detail = f"first {self._coin} book after {took_ms:.1f} ms, {age_told(age_ms)}"
        self._tell("market data", detail, took_ms, is_well=abs(age_ms) < BOOK_AGE_MS_MAX)

    async def _frame(self, line: aiohttp.ClientWebSocketResponse, channel: str) -> msgspec.Raw:
        """Return the data of the next frame of a channel; empty for a pong."""
        async for message in line:
            if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                break
            try:
                frame = msgspec.json.decode(message.data, type=ServerFrame)
            except msgspec.DecodeError:
                continue
            if frame.channel == "error":
                raise BrokenLinkError(f"the venue says {bytes(frame.data or b'').decode('utf-8', 'replace')[:120]}")
            if frame.channel == channel:
                return frame.data if isinstance(frame.data, msgspec.Raw) else msgspec.Raw()
        raise BrokenLinkError(f"the socket was closed before a {channel} came")


def age_told(age_ms: float) -> str:
    """Return the age of a book in words; the venue's clock may be ahead of ours, and no age is below zero."""
    return f"{age_ms:.0f} ms old" if age_ms >= 0 else f"stamped {-age_ms:.0f} ms ahead of our clock"


@asynccontextmanager
async def _web(seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a client that knows no proxies, as the bot's own."""
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as web:
        yield web


def _book(content: bytes, coin: str) -> Book:
    """Return a book. Raises: BrokenLinkError when it is none."""
    try:
        return msgspec.json.decode(content, type=Book)
    except (msgspec.DecodeError, UnicodeDecodeError):
        beginning = content[:60].decode("utf-8", "replace")
        raise BrokenLinkError(f"no book of {coin} but {beginning!r}: is it a venue, and does it list {coin}?") from None


def days_left(until: str, at_ns: int) -> int:
    """Return for how many days a certificate is good, by its own `notAfter`; 0 when it does not say."""
    try:
        end = datetime.strptime(until, CERTIFICATE_TIME).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(end.timestamp() - at_ns / NS_PER_SECOND) // 86_400
