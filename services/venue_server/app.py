"""The doors: one aiohttp application for HTTP and sockets, and the clockwork that keeps the venue moving.

Theory of operation. Requests are handled where they arrive; a pacer brings the venue up to the wall clock every block
and sends what it caused. Each socket has its own line of frames and its own writer, so a slow reader delays nobody.

Laws: nothing here decides anything about trading; the answer to a request leaves before the pushes that it caused; on
loopback only requests that name a loopback host are answered; a broken law of the venue, or market data that cannot
be read any further, ends it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.http_exceptions import HttpProcessingError

from domain.errors import ConfigInvalid, HouseError
from domain.units import NS_PER_MS, NS_PER_SECOND
from monitoring.loopback import is_loopback, names_loopback
from services.venue_server.answer import TEXT, Answer
from services.venue_server.hall import EXCHANGE, INFO, SOCKET, Hall, Handled
from services.venue_server.line import CLOSE_SECONDS, Line
from services.venue_server.request_log import RequestLog
from services.venue_server.venue_metrics import OTHER, VenueMetrics

BODY_BYTES_MAX = 2**20
PORT_MAX = 65_535
TEXT_BYTES_MAX = 200
KIND_CHARS_MAX = 40

Page = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_ours(record: logging.LogRecord) -> bool:
    """Say whether what aiohttp reports is our fault: a visitor that left or sent no HTTP is none."""
    return not (record.exc_info and isinstance(record.exc_info[1], ConnectionError | HttpProcessingError))


FAULTS = logging.getLogger("hat.venue")
FAULTS.addFilter(is_ours)


class VenueApp:
    """The server's doors around one hall. `stop` ends it."""

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
        """Know the hall. clock: the wall's. idle_ns_max: a socket to which nothing was sent for so long is closed."""
        self.stop = asyncio.Event()
        self._hall = hall
        self._clock = clock
        self._block_ns = block_ns
        self._idle_ns_max = idle_ns_max
        self._lines: dict[int, Line] = {}
        self._is_flushing = False
        self._broken: HouseError | None = None
        self._metrics = metrics or VenueMetrics()
        self._log = log or RequestLog(None)
        self._pages = pages or {}

    def application(self, *, only_loopback: bool = True) -> web.Application:
        """Return the aiohttp application. only_loopback: whether requests that name another host are refused."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[loopback_only] if only_loopback else ())
        app.router.add_post(EXCHANGE, self._request)
        app.router.add_post(INFO, self._request)
        app.router.add_get(SOCKET, self._socket)
        for path, page in self._pages.items():
            app.router.add_route("*", path, page)
        return app

    async def run(self, host: str, port: int, ready: Callable[[str], None]) -> None:
        """Serve until `stop` is set; ready is told the URL.

        Raises: ConfigInvalid when the port cannot be had; what the market data or a broken law raised.
        """
        if not 0 <= port <= PORT_MAX:
            raise ConfigInvalid("--port", port, f"0 to {PORT_MAX}")
        app = self.application(only_loopback=is_loopback(host))
        runner = web.AppRunner(
            app, access_log=None, logger=FAULTS, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, host, port, backlog=1024).start()
            except OSError as error:
                expected = (
                    f"a free address ({error.strerror or error}); choose another with --port, 0 takes any free one"
                )
                raise ConfigInvalid("--port", f"{host}:{port}", expected) from None
            bound = runner.addresses[0]
            ready(f"http://[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"http://{bound[0]}:{bound[1]}")
            await self._pace()
        finally:
            self.stop.set()
            for line in self._lines.values():
                line.close(WSCloseCode.GOING_AWAY, b"")
            await runner.cleanup()
        if self._broken is not None:
            raise self._broken

    async def _pace(self) -> None:
        """Bring the venue up to the clock every block, send what it caused, close idle sockets."""
        while not self.stop.is_set():
            self._flush()
            self._log.flush()
            now_ns = self._clock()
            for connection, fate in self._hall.fates_of_lines(now_ns).items():
                if connection in self._lines:
                    self._lines[connection].suffer(fate)
            for line in self._lines.values():
                if now_ns - line.sent_ns > self._idle_ns_max:
                    # The venue's own words, as its clients have logged them.
                    line.close(WSCloseCode.OK, b"Inactive")
            await self._pause(self._block_ns)

    async def _pause(self, length_ns: int) -> None:
        """Wait, unless the venue closes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(length_ns / NS_PER_SECOND):
                await self.stop.wait()

    def _flush(self) -> None:
        """Bring the venue up to the clock and hand every socket its pushes."""
        self._is_flushing = False
        with self._watched():
            pushes = self._hall.take_pushes(self._clock())
        for connection, frame in pushes:
            line = self._lines.get(connection)
            if line is not None:
                line.put([frame])

    def _flush_soon(self) -> None:
        """Flush once the answer that is being made has been written."""
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self._flush)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """End the venue when a law or its market data is broken: what it said afterwards could not be trusted."""
        try:
            yield
        except HouseError as broken:
            self._broken = broken
            self.stop.set()
            raise

    async def _request(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /info and POST /exchange."""
        body = await request.read()
        fate = self._hall.fate_of(request.path)
        if fate.wait_ns:
            await self._pause(fate.wait_ns)
        now_ns = self._clock()
        with self._watched():
            handled = self._hall.handle(request.path, body, request.remote or "", fate, now_ns)
        self._note(request.path, request.remote, body, handled, now_ns)
        self._flush_soon()
        if handled.late_ns:
            await self._pause(handled.late_ns)
        if handled.answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=HTTPStatus.GATEWAY_TIMEOUT)
        return response_of(handled.answer)

    def _note(self, path: str, remote: str | None, body: bytes, handled: Handled, now_ns: int) -> None:
        """Count one request and write its line."""
        answer, took_ns = handled.answer, self._clock() - now_ns
        kind, outcome = kind_of(body), outcome_of(answer)
        self._metrics.take(path, kind, outcome, took_ns / NS_PER_SECOND)
        if not self._log.is_open:
            return
        said = answer.body[:TEXT_BYTES_MAX].decode(errors="replace") if answer is not None and outcome != "ok" else ""
        self._log.record(
            {
                "time_ms": now_ns // NS_PER_MS,
                "ip": remote,
                "path": path,
                "type": kind,
                "outcome": outcome,
                "took_us": took_ns // 1_000,
                "weight": answer.weight if answer is not None else 0,
                "answer": said,
            }
        )

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """Handle GET /ws."""
        socket = web.WebSocketResponse(max_msg_size=BODY_BYTES_MAX, compress=False, timeout=CLOSE_SECONDS / 2)
        transport = request.transport
        if transport is None or not socket.can_prepare(request):
            return text_page("expected a WebSocket handshake", HTTPStatus.UPGRADE_REQUIRED)
        opened = self._hall.connect(request.remote or "", self._clock())
        if opened is None:
            return response_of(Answer(status=HTTPStatus.TOO_MANY_REQUESTS))
        connection, greeting = opened
        try:
            await socket.prepare(request)
            line = self._lines[connection] = Line(socket, transport, self._clock())
            line.put(greeting)
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(line.write(self._clock))
                await self._read(connection, line, request.remote)
                if not line.says_farewell:
                    writing.cancel()
        finally:
            self._lines.pop(connection, None)
            self._hall.disconnect(connection)
        return socket

    async def _read(self, connection: int, line: Line, remote: str | None) -> None:
        """Take frames until the socket is closed."""
        async for message in line.socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY} or line.is_ended:
                return
            frame = message.data.encode() if message.type is WSMsgType.TEXT else message.data
            now_ns = self._clock()
            with self._watched():
                line.put(self._hall.receive(connection, frame, now_ns))
            for payload, handled in self._hall.take_posts():
                self._note(SOCKET, remote, payload, handled, now_ns)
            self._flush()


@web.middleware
async def loopback_only(request: web.Request, handler: Page) -> web.StreamResponse:
    """Refuse a request that names another host: it comes from a web page that made its name mean this machine."""
    if not names_loopback(request.host):
        return text_page("this address answers requests for a loopback host only\n", HTTPStatus.FORBIDDEN)
    return await handler(request)


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
