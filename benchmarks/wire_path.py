"""From a market frame on loopback to signed order bytes on the socket: the whole adapter, a trivial decision.

The venue is another process (`wire_venue`); it pushes a book of 20 levels a side and waits for the order it leads to.
Every book leads to one post-only order. Measured are, for the same frames:

    in process    the frame is handed to the adapter → the kernel has taken the order's bytes
    frame to socket    the venue wrote the frame → the kernel has taken the order's bytes; a wake of the process in it
    there and back     the venue wrote the frame → the venue has read the order

In it: decode frame and book, facts, decision, limits, nonce, action, hash, signature, envelope, frame, write. Not in it:
journal and engine. `walked` takes any decision, so that a whole bot can be measured on the same path.
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Coroutine
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.latency import PERCENTS
from benchmarks.report import Options, Report, Table, medians
from benchmarks.wire_venue import SENT_AT, serve
from domain.commands import PlaceOrder
from domain.events import BookChanged
from domain.identifiers import RunId, client_order_id
from domain.order import Side, TimeInForce
from domain.units import Lots, Price
from exchange.hyperliquid.exchange import ExchangeSettings, HyperliquidExchange
from exchange.hyperliquid.limits import LimitSettings
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.nonces import Nonces
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.session import PING
from exchange.hyperliquid.signing import Signer
from exchange.hyperliquid.universe import UNIVERSE

FRAMES = 1_600
"""Below what a client may send in a minute."""
WARM_UP = 300
ACCOUNT = "0x" + "ab" * 20
SECONDS_MAX = 120.0
RUN_ID = RunId(0xBE7C)
LIMITS = LimitSettings(weight_per_minute=10**9)
WAYS = ("in process", "frame to socket", "there and back")

Decide = Callable[[HyperliquidExchange], Callable[[], None]]
"""Given the exchange, returns what is called whenever it has events: the `wake` of the exchange."""


def place_on_every_book(exchange: HyperliquidExchange) -> Callable[[], None]:
    """Decide at once: join the bid of every book with a new order."""
    count = 0

    def wake() -> None:
        nonlocal count
        while (event := exchange.advance()) is not None:
            if isinstance(event, BookChanged):
                count += 1
                name = client_order_id(RUN_ID, count)
                exchange.send(
                    PlaceOrder(name, event.symbol, Side.BUY, Price(event.bids[0][0]), Lots(100), TimeInForce.GTC,
                               post_only=True, reduce_only=False, ts_ns=event.ts_recv_ns)
                )  # fmt: skip
        exchange.flush()

    return wake


class Stopwatch:
    """Stands between transport and switchboard, and notes when a book came and when the next action was written."""

    def __init__(self, exchange: HyperliquidExchange) -> None:
        self._ears, self._transport = exchange.board, exchange.board.transport
        self._send = self._transport.send
        self._transport.ears, self._transport.send = self, self.send
        self._book_ns = self._sent_ns = 0
        self.handled: list[int] = []
        self.reached: list[int] = []
        self.sent_ns: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ears, name)

    def on_frame(self, connection: int, data: bytes) -> None:
        if data.startswith(b'{"channel":"l2Book"'):
            self._sent_ns = int(data.rpartition(f'"{SENT_AT}":"'.encode())[2].partition(b'"')[0])
            self._book_ns = time.perf_counter_ns()
        self._ears.on_frame(connection, data)

    def send(self, connection: int, frame: bytes) -> bool:
        is_taken = self._send(connection, frame)
        written_ns = time.perf_counter_ns()
        if self._book_ns and b'"type":"action"' in frame[:80]:
            self.handled.append(written_ns - self._book_ns)
            self.reached.append(written_ns - self._sent_ns)
            self.sent_ns.append(self._sent_ns)
            self._book_ns = 0
        return is_taken


async def walked(url: str, decide: Decide, frames: int, folder: Path) -> Stopwatch:
    """Trade against a `wire_venue` until so many books have led to an order; return the times."""
    signer = Signer(SecretKey(b"\x01" * 32), is_mainnet=False)
    wakes: list[Callable[[], None]] = []
    exchange = HyperliquidExchange(
        Network.at("local", url),
        [UNIVERSE["BTC"]],
        ACCOUNT,
        signer,
        Nonces(folder / "nonces", lambda: time.time_ns() // 1_000_000),
        time.time_ns,
        ExchangeSettings(limits=LIMITS, statement_interval_ns=0, ping_interval_ns=60_000_000_000),
        lambda: wakes[0]() if wakes else None,
    )
    stopwatch = Stopwatch(exchange)
    async with exchange.connected(), asyncio.timeout(SECONDS_MAX):
        await exchange.open()
        wakes.append(decide(exchange))
        gc.collect()
        # The venue's books begin with the first ping.
        exchange.board.transport.send(1, PING)
        while len(stopwatch.handled) < frames:  # noqa: ASYNC110 - an event set inside would be measured too
            await asyncio.sleep(0.05)
    return stopwatch


def measured(decide: Decide, frames: int) -> dict[str, float]:
    """Run once against a venue in its own process; return percentiles in microseconds of every way."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    signer = Signer(SecretKey(b"\x01" * 32), is_mainnet=False)
    process = context.Process(target=serve, args=(theirs, ACCOUNT, signer.address, frames), daemon=True)
    process.start()
    try:
        url = ours.recv()
        with tempfile.TemporaryDirectory() as folder:
            stopwatch = run(walked(url, decide, frames, Path(folder)))
        ours.send("stop")
        taken_ns = ours.recv()
    finally:
        process.join(5)
        if process.is_alive():
            process.kill()
    back = [taken - sent for taken, sent in zip(taken_ns, stopwatch.sent_ns, strict=False)]
    found: dict[str, float] = {}
    for way, times in zip(WAYS, (stopwatch.handled, stopwatch.reached, back), strict=True):
        ordered = sorted(times[WARM_UP:])
        found[f"{way} count"] = len(ordered)
        for percent in PERCENTS:
            found[f"{way} p{percent}"] = ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] / 1_000
        found[f"{way} max"] = ordered[-1] / 1_000
    return found


def run(work: Coroutine[Any, Any, Stopwatch]) -> Stopwatch:
    """Run on the event loop a bot runs on."""
    return asyncio.run(work)


def measure(options: Options) -> Report:
    """Measure round by round."""
    rounds = [measured(place_on_every_book, FRAMES) for _ in range(options.rounds)]
    one = medians(rounds)
    rows = [
        (way, one[f"{way} count"], *(one[f"{way} p{percent}"] for percent in PERCENTS), one[f"{way} max"])
        for way in WAYS
    ]
    return Report(
        "wire-path",
        {"frames": f"{FRAMES} books of 20 levels a side, {WARM_UP} of them not counted", "rounds": options.rounds},
        [Table("Market frame to signed order; medians over the rounds",
               ("way", "orders", *(f"p{percent} us" for percent in PERCENTS), "max us"), rows)],
        ["Nothing is journaled and no engine decides: the adapter alone."],
    )  # fmt: skip
