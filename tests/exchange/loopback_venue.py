"""A server on loopback that behaves as badly as a test wants: HTTP and a socket, on aiohttp."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

WAIT_SECONDS = 10.0


async def until(condition: Callable[[], Any]) -> None:
    """Wait for a condition, with a deadline."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110 - whatever the condition looks at has no event
            await asyncio.sleep(0.002)


class LoopbackVenue:
    """Answers questions from a table, acknowledges subscriptions, and does `manner` to what comes over HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.manner = "answer"
        self.answers: dict[str, Any] = {}
        self.action_answer: Any = {"status": "ok", "response": {"type": "default"}}
        self.asked: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.frames: list[dict[str, Any]] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.upgrades = 0
        self.refuses_upgrade = False
        self.is_mute = False
        self.peers: set[Any] = set()
        self.released = asyncio.Event()
        self.last_post_ns = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["LoopbackVenue"]:
        app = web.Application()
        app.router.add_post("/info", self._info)
        app.router.add_post("/exchange", self._exchange)
        app.router.add_get("/ws", self._socket)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            self.released.set()
            await runner.cleanup()

    def subscribed(self) -> list[dict[str, Any]]:
        return [frame["subscription"] for frame in self.frames if frame["method"] == "subscribe"]

    async def push(self, channel: str, data: Any) -> None:
        await self.sockets[-1].send_str(msgspec.json.encode({"channel": channel, "data": data}).decode())

    def drop(self) -> None:
        """Cut the newest socket as a broken line does."""
        self.sockets.pop()._req.transport.abort()

    async def _info(self, request: web.Request) -> web.StreamResponse:
        body = msgspec.json.decode(await request.read())
        self.asked.append(body)
        return await self._behave(request, self.answer(body))

    def answer(self, body: dict[str, Any]) -> Any:
        answer = self.answers.get(body["type"])
        return answer(body) if callable(answer) else answer

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        self.actions.append(msgspec.json.decode(await request.read()))
        return await self._behave(request, self.action_answer)

    async def _behave(self, request: web.Request, answer: Any) -> web.StreamResponse:
        self.peers.add(request.transport.get_extra_info("peername"))
        body = msgspec.json.encode(answer)
        match self.manner:
            case "html":
                return web.Response(text="<html>maintenance</html>", content_type="text/html")
            case "429":
                return web.Response(status=429, body=b"null", content_type="application/json")
            case "502":
                return web.Response(status=502, text="Bad Gateway")
            case "redirect":
                return web.Response(status=307, headers={"Location": f"{self.url}/info"})
            case "reset":
                request.transport.abort()
            case "stall":
                await self.released.wait()
            case "cut short":
                response = web.StreamResponse(headers={"Content-Length": str(len(body) + 100)})
                await response.prepare(request)
                await response.write(body)
                request.transport.abort()
                return response
            case "half json":
                return web.Response(body=body[:-1], content_type="application/json")
        return web.Response(body=body, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        self.upgrades += 1
        if self.refuses_upgrade:
            return web.Response(status=429, body=b"null", content_type="application/json")
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self.sockets.append(socket)
        await socket.send_str("Websocket connection established.")
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            frame = msgspec.json.decode(message.data)
            self.frames.append(frame)
            if not self.is_mute:
                await self._reply(socket, frame)
        return socket

    async def _reply(self, socket: web.WebSocketResponse, frame: dict[str, Any]) -> None:
        match frame["method"]:
            case "ping":
                reply: dict[str, Any] = {"channel": "pong"}
            case "subscribe":
                told = frame["subscription"]
                told = {key: value.lower() if key == "user" else value for key, value in told.items()}
                reply = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": told}}
            case _:
                self.last_post_ns = time.perf_counter_ns()
                request = frame["request"]
                if request["type"] == "action":
                    self.actions.append(request["payload"])
                    payload = self.action_answer
                else:
                    self.asked.append(request["payload"])
                    payload = {"type": request["payload"]["type"], "data": self.answer(request["payload"])}
                response = {"type": request["type"], "payload": payload}
                reply = {"channel": "post", "data": {"id": frame["id"], "response": response}}
        await socket.send_str(msgspec.json.encode(reply).decode())
