"""The doors: one aiohttp application for HTTP and sockets, and the clockwork that keeps the venue moving.

Theory of operation. Requests are handled where they arrive; a pacer brings the venue up to the wall clock every block
and sends what it caused. Each socket has its own line of frames and its own writer, so a slow reader delays nobody;
one that lets its line grow beyond LINE_FRAMES_MAX is closed.

Laws: nothing here decides anything about trading; the answer to a post leaves before the pushes that it caused.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
from aiohttp import WSMsgType, web

from domain.units import NS_PER_MS, NS_PER_SECOND
from services.venue_server.answer import TEXT, Answer
from services.venue_server.fate import LineFate
from services.venue_server.hall import EXCHANGE, INFO, Hall, Handled
from services.venue_server.request_log import RequestLog
from services.venue_server.venue_metrics import OTHER, VenueMetrics

BODY_BYTES_MAX = 2**20
LINE_FRAMES_MAX = 50_000
CLOSE_SECONDS = 2.0
TEXT_BYTES_MAX = 200
KIND_CHARS_MAX = 40

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Line:
    """One socket: what waits to be sent, and when something was sent last."""

    def __init__(self, socket: web.WebSocketResponse, now_ns: int) -> None:
        """Start with nothing waiting."""
        self.socket = socket
        self.sent_ns = now_ns
        self.stalled_until_ns = 0
        self.is_dropped = False
        self._waiting: deque[bytes] = deque()
        self._woken = asyncio.Event()

    def put(self, frames: list[bytes]) -> None:
        """Queue frames."""
        if frames:
            self._waiting.extend(frames)
            self._woken.set()
            if len(self._waiting) > LINE_FRAMES_MAX:
                self.drop()

    def drop(self) -> None:
        """Let the writer end this socket without a farewell."""
        self.is_dropped = True
        self._woken.set()

    def suffer(self, fate: LineFate) -> None:
        """Take what misfortune has in store."""
        self.stalled_until_ns = max(self.stalled_until_ns, fate.stalled_until_ns)
        if fate.is_dropped:
            self.drop()

    async def write(self, clock: Callable[[], int]) -> None:
        """Send what waits, until the socket is closed or dropped."""
        while not self.socket.closed:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting and not self.is_dropped:
                now_ns = clock()
                if self.stalled_until_ns > now_ns:
                    await asyncio.sleep((self.stalled_until_ns - now_ns) / NS_PER_SECOND)
                    continue
                try:
                    await self.socket.send_str(self._waiting.popleft().decode())
                except ConnectionError:
                    return
                self.sent_ns = now_ns
            if self.is_dropped:
                self.sever()
                return

    def sever(self) -> None:
        """Cut the connection as a broken line does: no closing frame."""
        transport = self.socket._req.transport if self.socket._req is not None else None  # noqa: SLF001
        if transport is not None:
            transport.abort()


class VenueApp:
    """The server's doors around one hall."""

    def __init__(
        self,
        hall: Hall,
        clock: Callable[[], int],
        *,
        block_ns: int = 20 * NS_PER_MS,
        idle_ns_max: int = 60 * NS_PER_SECOND,
        metrics: VenueMetrics | None = None,
        log: RequestLog | None = None,
        pages: dict[str, Page] | None = None,
    ) -> None:
        """Know the hall. idle_ns_max: a socket to which nothing was sent for so long is closed (0: never)."""
        self._hall = hall
        self._wall = clock
        self._block_ns = block_ns
        self._idle_ns_max = idle_ns_max
        self._lines: dict[int, Line] = {}
        self._is_flushing = False
        self._metrics = metrics or VenueMetrics()
        self._log = log or RequestLog(None)
        self._pages = pages or {}

    def _clock(self) -> int:
        """Return the venue's time: the wall's, moved by what misfortune has set."""
        return self._wall() + self._hall.misfortune.skew_ns

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post(EXCHANGE, self._request)
        app.router.add_post(INFO, self._request)
        app.router.add_get("/ws", self._socket)
        for path, page in self._pages.items():
            app.router.add_route("*", path, page)
        return app

    async def run(self, host: str, port: int, ready: Callable[[str], None], stop: asyncio.Event) -> None:
        """Serve until stop is set; ready is told the URL. Raises: OSError when the port cannot be had."""
        runner = web.AppRunner(
            self.application(), access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port, backlog=1024)
            await site.start()
            bound = runner.addresses[0]
            ready(f"http://{bound[0]}:{bound[1]}")
            await self._pace(stop)
        finally:
            for line in list(self._lines.values()):
                line.drop()
            await runner.cleanup()

    async def _pace(self, stop: asyncio.Event) -> None:
        """Bring the venue up to the clock every block, send what it caused, close idle sockets."""
        while not stop.is_set():
            now_ns = self._clock()
            self._hall.advance(now_ns)
            self._flush()
            self._log.flush()
            for connection, fate in self._hall.fates_of_lines(now_ns).items():
                if connection in self._lines:
                    self._lines[connection].suffer(fate)
            for line in self._lines.values():
                if self._idle_ns_max and now_ns - line.sent_ns > self._idle_ns_max:
                    line.drop()
            try:
                async with asyncio.timeout(self._block_ns / NS_PER_SECOND):
                    await stop.wait()
            except TimeoutError:
                continue

    def _flush(self) -> None:
        """Hand every socket its pushes."""
        self._is_flushing = False
        for connection, frame in self._hall.take_pushes(self._clock()):
            line = self._lines.get(connection)
            if line is not None:
                line.put([frame])

    def _flush_soon(self) -> None:
        """Flush once the answer that is being made has been written."""
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    async def _request(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /info and POST /exchange."""
        body = await request.read()
        now_ns = self._clock()
        fate = self._hall.fate_of(request.path)
        if fate.wait_ns:
            await asyncio.sleep(fate.wait_ns / NS_PER_SECOND)
            now_ns = self._clock()
        handled = self._hall.handle(request.path, body, request.remote or "", fate, now_ns)
        self._note(request, body, handled, now_ns)
        self._flush_soon()
        if handled.late_ns:
            await asyncio.sleep(handled.late_ns / NS_PER_SECOND)
        if handled.answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=HTTPStatus.GATEWAY_TIMEOUT)
        return response_of(handled.answer)

    def _note(self, request: web.Request, body: bytes, handled: Handled, now_ns: int) -> None:
        """Count one request and write its line."""
        kind, outcome = kind_of(body), outcome_of(handled.answer)
        took_ns = self._clock() - now_ns
        self._metrics.take(request.path, kind, outcome, took_ns / NS_PER_SECOND)
        self._log.record(
            {
                "time_ms": now_ns // NS_PER_MS,
                "ip": request.remote,
                "path": request.path,
                "type": kind,
                "outcome": outcome,
                "took_us": took_ns // 1_000,
                "weight": handled.answer.weight if handled.answer is not None else 0,
                "answer": handled.answer.body[:TEXT_BYTES_MAX].decode(errors="replace")
                if outcome != "ok" and handled.answer
                else "",
            }
        )

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Handle GET /ws."""
        socket = web.WebSocketResponse(max_msg_size=BODY_BYTES_MAX, compress=False)
        if not socket.can_prepare(request):
            return web.Response(status=HTTPStatus.UPGRADE_REQUIRED, text="expected a WebSocket handshake")
        opened = self._hall.connect(request.remote or "", self._clock())
        if opened is None:
            return response_of(Answer(status=HTTPStatus.TOO_MANY_REQUESTS))
        connection, greeting = opened
        try:
            await socket.prepare(request)
            line = self._lines[connection] = Line(socket, self._clock())
            line.put(greeting)
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(line.write(self._clock))
                await self._read(connection, line)
                writing.cancel()
        finally:
            self._lines.pop(connection, None)
            self._hall.disconnect(connection)
        return socket

    async def _read(self, connection: int, line: Line) -> None:
        """Take frames until the socket is closed."""
        async for message in line.socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY} or line.is_dropped:
                return
            frame = message.data.encode() if message.type is WSMsgType.TEXT else message.data
            line.put(self._hall.receive(connection, frame, self._clock()))
            self._flush()


class _Typed(msgspec.Struct):
    """The part of any request that says what it is."""

    type: str = OTHER


class _Enveloped(msgspec.Struct):
    """The same inside an envelope."""

    action: _Typed | None = None
    type: str = OTHER


def kind_of(body: bytes) -> str:
    """Return the type of a request or of its action; `other` when it cannot be read."""
    try:
        found = msgspec.json.decode(body, type=_Enveloped)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return OTHER
    return (found.action.type if found.action is not None else found.type)[:KIND_CHARS_MAX]


def outcome_of(answer: Answer | None) -> str:
    """Return in a word what a request was answered: ok, err, its HTTP status, or silent."""
    if answer is None:
        return "silent"
    if answer.status != HTTPStatus.OK:
        return str(int(answer.status))
    return "err" if answer.body.startswith(b'{"status":"err"') else "ok"


def response_of(answer: Answer) -> web.Response:
    """Return an answer as aiohttp sends it."""
    content_type, _, charset = answer.content_type.partition("; charset=")
    return web.Response(status=answer.status, body=answer.body, content_type=content_type, charset=charset or None)


def text_page(text: str, status: int = HTTPStatus.OK) -> web.Response:
    """Return a page of plain text."""
    return response_of(Answer(status=status, body=text.encode(), content_type=TEXT))
