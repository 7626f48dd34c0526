"""The other side of the wire for `wire_path`: a venue in a process of its own that pushes books and takes orders.

It answers what opening asks, acknowledges subscriptions, and then goes in step: one book, wait for the order it leads
to, answer it, rest. It decides nothing and verifies nothing, so that what is measured is the client.
"""

import asyncio
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import msgspec
from aiohttp import WSMsgType, web

LEVELS = 20
REST_SECONDS = 0.002
"""Between two books, so that both processes fall asleep as they do live."""
FIRST_PRICE = 60_000
SENT_AT = "spread"
"""The key of a book that carries when it was sent, in ns of the machine's own clock; clients do not look at it."""

ZERO = {"accountValue": "1000000.0", "totalNtlPos": "0.0", "totalRawUsd": "1000000.0", "totalMarginUsed": "0.0"}


class WireVenue:
    """Serves one client."""

    def __init__(self, account: str, agent: str, frames: int) -> None:
        self._account, self._agent, self._frames = account, agent, frames
        self._random = random.Random(7)
        self._ordered = asyncio.Event()
        self._order_id = 0
        self.taken_ns: list[int] = []

    async def info(self, request: web.Request) -> web.Response:
        body = msgspec.json.decode(await request.read())
        return web.Response(body=msgspec.json.encode(self._answer(body)), content_type="application/json")

    def _answer(self, body):
        match body["type"]:
            case "meta":
                return {"universe": [{"name": "BTC", "szDecimals": 5, "maxLeverage": 40}]}
            case "userRole":
                is_agent = body["user"] == self._agent
                return {"role": "agent", "data": {"user": self._account}} if is_agent else {"role": "user"}
            case "clearinghouseState":
                sums = {"marginSummary": ZERO, "crossMarginSummary": ZERO, "withdrawable": "1000000.0"}
                return sums | {"assetPositions": [], "time": time.time_ns() // 1_000_000}
            case "userRateLimit":
                return {"cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": 10**9}
            case "userAbstraction":
                return "default"
            case _:
                return []

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async with asyncio.TaskGroup() as group:
            pushing = None
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    break
                arrived_ns = time.perf_counter_ns()
                frame = msgspec.json.decode(message.data)
                await socket.send_str(msgspec.json.encode(self._reply(frame, arrived_ns)).decode())
                if frame["method"] == "post" and frame["request"]["type"] == "action":
                    self._ordered.set()
                if pushing is None and frame["method"] == "ping":
                    pushing = group.create_task(self._push(socket))
            if pushing is not None:
                pushing.cancel()
        return socket

    def _reply(self, frame, arrived_ns):
        if frame["method"] == "ping":
            return {"channel": "pong"}
        if frame["method"] == "subscribe":
            return {"channel": "subscriptionResponse", "data": frame}
        request = frame["request"]
        if request["type"] != "action":
            payload = {"type": request["payload"]["type"], "data": self._answer(request["payload"])}
            return {"channel": "post", "data": {"id": frame["id"], "response": {"type": "info", "payload": payload}}}
        self.taken_ns.append(arrived_ns)
        self._order_id += 1
        statuses = [{"resting": {"oid": self._order_id}} for _ in request["payload"]["action"]["orders"]]
        payload = {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}
        return {"channel": "post", "data": {"id": frame["id"], "response": {"type": "action", "payload": payload}}}

    async def _push(self, socket: web.WebSocketResponse) -> None:
        for _ in range(self._frames):
            self._ordered.clear()
            book = self._book()
            book[SENT_AT] = str(time.perf_counter_ns())
            await socket.send_str(msgspec.json.encode({"channel": "l2Book", "data": book}).decode())
            await self._ordered.wait()
            await asyncio.sleep(REST_SECONDS)

    def _book(self):
        middle = FIRST_PRICE + self._random.randrange(-50, 50)
        bids = [{"px": f"{middle - level}.0", "sz": f"0.{self._random.randrange(10_000, 99_999)}", "n": 3}
                for level in range(LEVELS)]  # fmt: skip
        asks = [{"px": f"{middle + 1 + level}.0", "sz": f"0.{self._random.randrange(10_000, 99_999)}", "n": 3}
                for level in range(LEVELS)]  # fmt: skip
        return {"coin": "BTC", "time": time.time_ns() // 1_000_000, "levels": [bids, asks]}


def serve(
    pipe: Connection, account: str, agent: str, frames: int, kind: Callable[[str, str, int], WireVenue] = WireVenue
) -> None:
    """Serve until the pipe says stop; tell the URL first and when each order arrived last."""
    asyncio.run(_serve(pipe, kind(account, agent, frames)))


async def _serve(pipe: Connection, venue: WireVenue) -> None:
    app = web.Application()
    app.router.add_post("/info", venue.info)
    app.router.add_get("/ws", venue.socket)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), stopped.set)
    await stopped.wait()
    pipe.recv()
    await runner.cleanup()
    pipe.send(venue.taken_ns)
