"""A line between a bot and a venue that carries everything, and now and then what no venue should ever send."""

import asyncio
import threading
from contextlib import contextmanager

import aiohttp
import msgspec
from aiohttp import WSMsgType, web

from tests.services.venue_process import until

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
EVERY_FRAMES = 40
"""How many good frames pass between two bad ones."""


class BadLine:
    """An HTTP and WebSocket proxy in a thread of its own.

    bad_frames are given to the client one after the other, once each, before a good frame; bad_answers is a list of
    (type of question, HTTP status, body), each given once instead of the venue's own answer.
    """

    def __init__(self, venue_url, bad_frames=(), bad_answers=()):
        self.url = ""
        self.bad_frames, self.bad_answers = list(bad_frames), list(bad_answers)
        self.frames = 0
        self._venue = venue_url
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self):
        async with aiohttp.ClientSession() as self._client:
            app = web.Application()
            app.router.add_post("/{path}", self._request)
            app.router.add_get("/ws", self._socket)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            await self._stop.wait()
            await runner.cleanup()

    async def _request(self, request):
        body = await request.read()
        asked = msgspec.json.decode(body)
        for place, (kind, status, answer) in enumerate(self.bad_answers):
            if asked.get("type") == kind:
                del self.bad_answers[place]
                return web.Response(status=status, body=answer, content_type="application/json")
        async with self._client.post(
            self._venue + request.path, data=body, headers={"Content-Type": "application/json"}
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

    async def _socket(self, request):
        ours = web.WebSocketResponse(compress=False)
        await ours.prepare(request)
        async with self._client.ws_connect(self._venue + "/ws") as theirs:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(self._carry(ours, theirs, spoils=False))
                down = group.create_task(self._carry(theirs, ours, spoils=True))
                await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
            await ours.close()
        return ours

    async def _carry(self, source, target, *, spoils):
        async for message in source:
            if message.type is not WSMsgType.TEXT:
                break
            if spoils:
                self.frames += 1
                if self.bad_frames and self.frames % EVERY_FRAMES == 0:
                    await target.send_str(self.bad_frames.pop(0))
            await target.send_str(message.data)

    def __enter__(self):
        self._thread.start()
        until(lambda: self.url, "the line")
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@contextmanager
def bad_line(venue_url, bad_frames=(), bad_answers=()):
    with BadLine(venue_url, bad_frames, bad_answers) as line:
        yield line
