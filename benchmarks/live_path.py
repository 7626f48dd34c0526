"""From a market frame on loopback to signed order bytes on the socket, with the whole bot between them.

As `wire_path`, but what decides is `LiveBot` as `hat run --network local` starts it: strategy, router, risk gate,
pre-check and ledger, every decision that sends something on the disk (fdatasync) before its bytes leave, telemetry and
the SQL projection on their threads. The venue's mid moves with every book, so every book makes the maker change its
quotes: one action of one or two changed orders.
"""

import gc
import os
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import msgspec
from aiohttp import web

from benchmarks.latency import PERCENTS
from benchmarks.report import Options, Report, Table, medians
from benchmarks.wire_path import ACCOUNT, WAYS, Stopwatch
from benchmarks.wire_venue import FIRST_PRICE, WireVenue, serve
from bot.config import load
from bot.live_bot import LiveBot, way_of
from bot.stop_flag import StopFlag
from domain.units import NS_PER_SECOND
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.session import PING
from exchange.hyperliquid.signing import Signer

FRAMES = 550
"""What the bot's own model of the venue's limits lets pass in a minute, beside the questions of the opening."""
WARM_UP = 150
LEVERAGE = 3
KEY = b"\x01" * 32
RUN_NS_MAX = 120 * NS_PER_SECOND
CONTEXT = {
    "dayNtlVlm": "1.0", "funding": "0.0000125", "impactPxs": None, "markPx": f"{FIRST_PRICE}.0",
    "midPx": f"{FIRST_PRICE}.0", "openInterest": "1.0", "oraclePx": f"{FIRST_PRICE}.0", "premium": None,
    "prevDayPx": f"{FIRST_PRICE}.0", "dayBaseVlm": "1.0",
}  # fmt: skip


class LiveVenue(WireVenue):
    """Also changes and cancels orders, and tells the mark price."""

    _best = ""

    def _reply(self, frame, arrived_ns):
        request = frame.get("request") or {}
        if request.get("type") != "action":
            return super()._reply(frame, arrived_ns)
        self.taken_ns.append(arrived_ns)
        action = request["payload"]["action"]
        kind = "order"
        if action["type"] == "cancelByCloid":
            kind, statuses = "cancel", ["success"] * len(action["cancels"])
        else:
            statuses = []
            for _ in action.get("orders") or action.get("modifies") or ():
                self._order_id += 1
                statuses.append({"resting": {"oid": self._order_id}})
        payload = {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}
        return {"channel": "post", "data": {"id": frame["id"], "response": {"type": "action", "payload": payload}}}

    def _answer(self, body):
        if body["type"] != "activeAssetData":
            return super()._answer(body)
        asset = {"user": self._account, "coin": body["coin"], "leverage": {"type": "cross", "value": LEVERAGE}}
        return asset | {"maxTradeSzs": ["1.0", "1.0"], "availableToTrade": ["1.0", "1.0"], "markPx": CONTEXT["markPx"]}

    def _book(self):
        """Return a book with another mid than the last one: each must lead to an action."""
        book = super()._book()
        while book["levels"][0][0]["px"] == self._best:
            book = super()._book()
        self._best = book["levels"][0][0]["px"]
        return book

    async def _push(self, socket: web.WebSocketResponse) -> None:
        data = {"coin": "BTC", "ctx": CONTEXT}
        await socket.send_str(msgspec.json.encode({"channel": "activeAssetCtx", "data": data}).decode())
        await super()._push(socket)


def settings(url: str, folder: Path) -> dict[str, dict[str, object]]:
    """Return the configuration: quotes follow every move of the mid, limits far away."""
    return {
        "bot": {"state_dir": str(folder), "account_interval_ms": "0"},
        "monitoring": {"port": "0"},
        "venue": {"leverage": LEVERAGE},
        "market": {"instruments": "BTC"},
        "maker": {"reprice_ticks": "0"},
        "risk": {"orders_per_interval_max": "100000", "price_band_percent": "20"},
        "strategy": {"requote_interval_ms": 0, "requote_move_bps": 0.0, "half_spread_bps_max": 3.0},
        "network": {"name": "local", "url": url, "account": ACCOUNT},
    }


def traded(url: str, frames: int, folder: Path) -> Stopwatch:
    """Run a whole bot until so many books have led to an action; return the times."""
    os.environ.update(HAT_AGENT_KEY=KEY.hex(), XDG_STATE_HOME=str(folder / "keys"))
    config = load(None, settings(url, folder))
    bot = LiveBot(config, way_of(config))
    stopwatch, stop, is_begun = Stopwatch(bot.exchange), StopFlag(), False

    def look() -> None:
        nonlocal is_begun
        if not is_begun and bot.exchange.is_connected:
            is_begun = True
            gc.collect()
            # The venue's books begin with the first ping.
            bot.exchange.board.transport.send(1, PING)
        if len(stopwatch.handled) >= frames:
            stop.set()

    bot.run(for_ns=RUN_NS_MAX, stop=stop, refresh=look)
    return stopwatch


def measured(frames: int) -> dict[str, float]:
    """Run once against a venue in its own process; return percentiles in microseconds of every way."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    agent = Signer(SecretKey(KEY), is_mainnet=False).address
    process = context.Process(target=serve, args=(theirs, ACCOUNT, agent, frames, LiveVenue), daemon=True)
    process.start()
    try:
        url = ours.recv()
        with tempfile.TemporaryDirectory() as folder:
            stopwatch = traded(url, frames, Path(folder))
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


def measure(options: Options, once: Callable[[int], dict[str, float]] = measured) -> Report:
    """Measure round by round."""
    rounds = [once(FRAMES) for _ in range(options.rounds)]
    one = medians(rounds)
    rows = [
        (way, one[f"{way} count"], *(one[f"{way} p{percent}"] for percent in PERCENTS), one[f"{way} max"])
        for way in WAYS
    ]
    return Report(
        "live-path",
        {"frames": f"{FRAMES} books of 20 levels a side, {WARM_UP} of them not counted", "rounds": options.rounds},
        [Table("Market frame to signed order through the whole bot; medians over the rounds",
               ("way", "orders", *(f"p{percent} us" for percent in PERCENTS), "max us"), rows)],
        ["Journal with fdatasync before every action, ledger projection and telemetry on."],
    )  # fmt: skip
