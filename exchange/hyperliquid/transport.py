"""The transport: one socket and one pool of HTTP connections. It moves bytes and knows nothing of what they mean.

Theory of operation. The socket is picows: a frame arrives as a plain call on the event loop, and what is written goes
to the kernel inside the same call, so that no task stands between a market frame and the order it leads to. HTTP is
aiohttp, pooled; a pool that nobody used for idle_ns_max is replaced, because the other side may have forgotten it.

Laws: every wait is bounded. `send` says whether the bytes were taken, because picows drops them silently on a socket
that is going. An HTTP request is never repeated here, and redirects are not followed. Nothing that is sent is logged.
What is proven not sent is told apart from what may have arrived: a connection that never opened took nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import aiohttp
import msgspec
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from domain.units import NS_PER_SECOND
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.session_words import HttpFailed, HttpReply

FRAME_BYTES_MAX = 16 * 2**20
BODY_BYTES_MAX = 32 * 2**20
POOL_MAX = 64
GRACE_SECONDS = 0.5
"""The session gives up on a request at its deadline; the transport a little later, so that one clock decides."""

CONNECT_SHARE = 0.8
"""Of a request's time; a connection that is not there by then is proof that nothing was sent."""

_JSON = {"Content-Type": "application/json"}


class TransportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds. Units: nanoseconds. open_ns_max is for name, TCP, TLS and upgrade together."""

    open_ns_max: int = 10 * NS_PER_SECOND
    idle_ns_max: int = 60 * NS_PER_SECOND


class Ears(Protocol):
    """Who is told what happened on the socket. Called on the event loop, in order; what is raised here is a bug of ours
    and comes out of `run_socket`.
    """

    def on_open(self, connection: int) -> None:
        """The socket is open."""
        ...

    def on_frame(self, connection: int, data: bytes) -> None:
        """A whole message arrived."""
        ...

    def on_closed(self, connection: int, detail: str) -> None:
        """The socket is gone, or could not be opened; told once for each connection."""
        ...

    def on_writable(self, connection: int, *, is_writable: bool) -> None:
        """The socket begins or ends to keep bytes waiting."""
        ...


class _Listener(WSListener):
    """One socket's callbacks; joins the fragments of a message."""

    def __init__(self, connection: int, ears: Ears) -> None:
        """Know whom to tell."""
        super().__init__()
        self.connection = connection
        self.transport: WSTransport | None = None
        self.farewell = ""
        self.is_cut = False
        self.ears = ears
        self._parts = bytearray()
        self._is_in_parts = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        if self.is_cut:
            transport.disconnect(graceful=False)
            return
        self.transport = transport
        self.ears.on_open(self.connection)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is WSMsgType.CLOSE:
            self.farewell = f"the venue closed the connection ({frame.get_close_code()} {frame.get_close_reason()})"[
                :200
            ]
            transport.send_close(WSCloseCode.OK)
            transport.disconnect(graceful=False)
        elif kind in {WSMsgType.PING, WSMsgType.PONG}:
            return
        elif frame.fin and not self._is_in_parts:
            self.ears.on_frame(self.connection, frame.get_payload_as_bytes())
        else:
            self._join(transport, frame)

    def _join(self, transport: WSTransport, frame: WSFrame) -> None:
        """Collect a message that came in parts."""
        self._is_in_parts = not frame.fin
        self._parts += frame.get_payload_as_bytes()
        if len(self._parts) > FRAME_BYTES_MAX:
            self.farewell = f"message of more than {FRAME_BYTES_MAX} bytes"
            transport.disconnect(graceful=False)
        elif frame.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            self.ears.on_frame(self.connection, whole)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        del transport
        self.transport = None

    def cut(self) -> None:
        """End the socket at once, or as soon as it opens."""
        self.is_cut = True
        if self.transport is not None:
            self.transport.disconnect(graceful=False)

    def pause_writing(self) -> None:
        self.ears.on_writable(self.connection, is_writable=False)

    def resume_writing(self) -> None:
        self.ears.on_writable(self.connection, is_writable=True)


class Transport:
    """The socket and the HTTP pool of one venue."""

    def __init__(self, network: Network, settings: TransportSettings, ears: Ears, clock: Callable[[], int]) -> None:
        """Know the venue; nothing is opened. clock only measures idleness."""
        self._network = network
        self._settings = settings
        self.ears = ears
        self._clock = clock
        self._listeners: dict[int, _Listener] = {}
        self._http: aiohttp.ClientSession | None = None
        self._asked_ns = 0
        self._asking = 0
        self.pools = 0

    async def run_socket(self, connection: int) -> None:
        """Open a socket, stay until it is gone, and tell. Raises: only what the ears raised."""
        listener = self._listeners[connection] = _Listener(connection, self.ears)
        try:
            detail = await self._live(listener)
        finally:
            del self._listeners[connection]
            listener.cut()
        self.ears.on_closed(connection, detail)

    async def _live(self, listener: _Listener) -> str:
        """Open the socket, wait for its end, and return why it ended."""
        seconds = self._settings.open_ns_max / NS_PER_SECOND
        try:
            async with asyncio.timeout(seconds):
                transport, _ = await ws_connect(
                    lambda: listener,
                    self._network.ws_url,
                    websocket_handshake_timeout=seconds,
                    max_frame_size=FRAME_BYTES_MAX,
                    max_redirects=0,
                )
        except TimeoutError:
            return f"no connection within {seconds:g} s"
        except (OSError, WSError, RuntimeError, ValueError) as error:
            # picows has plain RuntimeErrors for answers that are no HTTP.
            return f"cannot connect ({type(error).__name__}: {error})"[:200]
        try:
            await transport.wait_disconnected()
        except WSError as error:
            return f"broken frame ({error})"[:200]
        return listener.farewell or "the connection was lost"

    def send(self, connection: int, frame: bytes) -> bool:
        """Write a text frame; return whether the socket took it. False: nothing of it left."""
        listener = self._listeners.get(connection)
        transport = None if listener is None else listener.transport
        if transport is None or transport.is_disconnected or transport.is_close_frame_sent:
            return False
        transport.send(WSMsgType.TEXT, frame)
        return True

    def cut(self, connection: int) -> None:
        """End a socket at once, whether it is open or opening."""
        listener = self._listeners.get(connection)
        if listener is not None:
            listener.cut()

    async def post(self, path: str, body: bytes, timeout_ns: int) -> HttpReply | HttpFailed:
        """Post JSON and return the whole answer, or why there is none."""
        http = await self._pool()
        self._asking += 1
        seconds = timeout_ns / NS_PER_SECOND
        timeout = aiohttp.ClientTimeout(total=seconds + GRACE_SECONDS, connect=CONNECT_SHARE * seconds)
        url = self._network.http_url + path
        try:
            async with http.post(url, data=body, headers=_JSON, timeout=timeout, allow_redirects=False) as answer:
                content = await _whole(answer)
                return HttpReply(answer.status, content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return HttpFailed("not_sent", _words(error))
        except TimeoutError as error:
            return HttpFailed("timeout", _words(error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return HttpFailed("broken", _words(error))
        finally:
            self._asking -= 1
            self._asked_ns = self._clock()

    async def _pool(self) -> aiohttp.ClientSession:
        """Return the pool, a new one after idleness."""
        if self._http is not None and not self._asking and self._clock() - self._asked_ns > self._settings.idle_ns_max:
            idle, self._http = self._http, None
            await idle.close()
        if self._http is None:
            self.pools += 1
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=POOL_MAX), cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
            )
        return self._http

    async def close(self) -> None:
        """Close everything."""
        for listener in list(self._listeners.values()):
            listener.cut()
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises: ValueError when it is longer than anything the venue sends; aiohttp's errors."""
    parts = bytearray()
    async for part in answer.content.iter_chunked(2**16):
        parts += part
        if len(parts) > BODY_BYTES_MAX:
            raise ValueError(f"body of more than {BODY_BYTES_MAX} bytes")
    return bytes(parts)


def _words(error: BaseException) -> str:
    """Return an error in one line; aiohttp's texts hold hosts and ports, never what was sent."""
    return f"{type(error).__name__}: {error}"[:200]
