"""A venue on loopback that answers what a test lays down: `POST /info` and `/ws`, in a thread of its own.

Its shapes are the recorded ones (HYPERLIQUID 2, 5). It decides nothing: tests of `hat doctor`, `hat check` and
`hat record` say what it answers, and read what it was asked.
"""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from aiohttp import WSMsgType, web

from bot.clock import now_ns
from tests.bot_runs import ROOT, environment

HAT = """
from bot import cli, cli_doctor, cli_record
known = {command.name for command in cli.app.registered_commands}
for module, name in ((cli_doctor, "doctor"), (cli_record, "record")):
    if name not in known:
        module.register(cli.app)
cli.main()
"""
ACCOUNT = "0x" + "ab" * 20
MASTER = "0x" + "cd" * 20
AGENT = "0x1a642f0e3c3af545e7acbd38b07251b3990914f1"
AGENT_KEY = "0x" + "01" * 32
DAY_MS = 86_400_000
ASSETS = (("BTC", 5, 40, "100000.0"), ("ETH", 4, 25, "4000.0"), ("SOL", 2, 20, "200.0"))


def clearing(value="10000.0", withdrawable="9000.0", maintenance="50.0", positions=()):
    summary = {"accountValue": value, "totalNtlPos": "0.0", "totalRawUsd": value, "totalMarginUsed": "0.0"}
    return {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": maintenance,
        "withdrawable": withdrawable,
        "assetPositions": [{"type": "oneWay", "position": one} for one in positions],
        "time": now_ns() // 1_000_000,
    }


def position(coin, size):
    return {
        "coin": coin,
        "szi": size,
        "leverage": {"type": "cross", "value": 20},
        "entryPx": "100.0",
        "positionValue": "100.0",
        "unrealizedPnl": "0.0",
        "returnOnEquity": "0.0",
        "liquidationPx": None,
        "marginUsed": "5.0",
        "maxLeverage": 20,
    }


def meta(*names):
    chosen = [one for one in ASSETS if not names or one[0] in names]
    return {"universe": [{"name": name, "szDecimals": step, "maxLeverage": most} for name, step, most, _ in chosen]}


def context(price):
    return {
        "funding": "0.0000125",
        "openInterest": "100.0",
        "prevDayPx": price,
        "dayNtlVlm": "1.0",
        "premium": None,
        "oraclePx": price,
        "markPx": price,
    }


def book(coin="BTC", at_ms=None):
    level = {"px": "100000.0", "sz": "0.5", "n": 1}
    return {
        "coin": coin,
        "time": at_ms if at_ms is not None else now_ns() // 1_000_000,
        "levels": [[level], [level | {"px": "100001.0"}]],
    }


Answer = Callable[[dict[str, Any]], Any]


class AskedVenue:
    """What is answered, by type of question; what was asked and subscribed."""

    def __init__(self) -> None:
        self.url = ""
        self.skew_ms = 0
        self.asked: list[dict[str, Any]] = []
        self.subscribed: list[dict[str, Any]] = []
        self.connections = 0
        self.frames_before_drop = 0
        self.extra_frames: list[str | bytes] = []
        self.is_mute = False
        self.status = 200
        self.answers: dict[str, Answer] = {
            "exchangeStatus": lambda _: {"time": self.now_ms(), "specialStatuses": None},
            "clearinghouseState": lambda _: clearing(),
            "spotClearinghouseState": lambda _: {"balances": [{"coin": "USDC", "total": "0.0", "hold": "0.0"}]},
            "userRole": self._role,
            "extraAgents": lambda _: [{"name": "bot", "address": AGENT, "validUntil": self.now_ms() + 90 * DAY_MS}],
            "userAbstraction": lambda _: "default",
            "openOrders": lambda _: [],
            "userRateLimit": lambda _: {"cumVlm": "0.0", "nRequestsUsed": 100, "nRequestsCap": 10_000},
            "meta": lambda _: meta(),
            "metaAndAssetCtxs": lambda _: [meta(), [context(price) for *_, price in ASSETS]],
            "activeAssetData": lambda body: {
                "user": body["user"],
                "coin": body["coin"],
                "leverage": {"type": "cross", "value": 5},
                "maxTradeSzs": ["1.0", "1.0"],
                "availableToTrade": ["1.0", "1.0"],
                "markPx": "1.0",
            },
            "l2Book": lambda body: book(body["coin"]),
        }

    def now_ms(self) -> int:
        return now_ns() // 1_000_000 + self.skew_ms

    def _role(self, body):
        if body["user"] == AGENT:
            return {"role": "agent", "data": {"user": ACCOUNT}}
        return {"role": "user"}

    async def info(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if self.status != 200:
            return web.Response(status=self.status, text="<html>out of order</html>")
        answer = self.answers.get(body["type"])
        if answer is None:
            return web.Response(status=422, text="Failed to deserialize the JSON body into the target type")
        return web.json_response(answer(body))

    async def socket(self, request: web.Request) -> web.StreamResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.connections += 1
        with suppress(ConnectionError):
            await line.send_str("Websocket connection established.")
            async with asyncio.TaskGroup() as group:
                pushing: list[asyncio.Task] = []
                async for message in line:
                    if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY} or self.is_mute:
                        continue
                    await self._take(line, json.loads(message.data), group, pushing)
                for task in pushing:
                    task.cancel()
        return line

    async def _take(self, line, frame, group, pushing) -> None:
        if frame["method"] == "ping":
            await line.send_str('{"channel":"pong"}')
            return
        wanted = frame["subscription"]
        self.subscribed.append(wanted)
        await line.send_json({"channel": "subscriptionResponse", "data": frame})
        if wanted["type"] == "l2Book":
            pushing.append(group.create_task(self._push(line, wanted["coin"])))

    async def _push(self, line, coin) -> None:
        for text in self.extra_frames:
            await (line.send_bytes(text) if isinstance(text, bytes) else line.send_str(text))
        sent = 0
        with suppress(ConnectionError):
            while not line.closed:
                await line.send_json({"channel": "l2Book", "data": book(coin)})
                await line.send_json({"channel": "activeAssetCtx", "data": {"coin": coin, "ctx": context("100000.5")}})
                sent += 2
                if self.frames_before_drop and sent >= self.frames_before_drop:
                    self.frames_before_drop = 0
                    await line.close()
                    return
                await asyncio.sleep(0.01)


@contextmanager
def asked_venue() -> Iterator[AskedVenue]:
    """Serve on a free port until the end."""
    venue = AskedVenue()
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.add_routes([web.post("/info", venue.info), web.get("/ws", venue.socket)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        venue.url = f"http://{host}:{port}"
        ready.set()
        await over.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield venue
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def until(is_true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is true; fails when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def asking(*arguments: object, **changes: str) -> "subprocess.Popen[str]":
    """Start `hat` with what asks a venue, and go on."""
    return subprocess.Popen(
        [sys.executable, "-c", HAT, *(str(one) for one in arguments)],
        cwd=ROOT,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def asked(*arguments: object, **changes: str) -> tuple[int, str, str]:
    """Run it to its end; return exit code, standard output and standard error."""
    with asking(*arguments, **changes) as running:
        out, err = running.communicate(timeout=60)
    return running.returncode, out, err
