"""Clients as light as they come: bytes made beforehand go out, answers are counted, nothing is interpreted.

Why it exists: what is measured is the venue server in the other process, so the side that asks must cost little. One
line keeps a number of requests in flight; with one in flight the waiting time of each is a round trip.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import perf_counter_ns

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

HEAD_END = b"\r\n\r\n"
LENGTH = b"Content-Length: "
ACCEPTED = b'"resting"'


class Line:
    """What one connection has to send and what it was answered. Units: waits in nanoseconds."""

    def __init__(self, messages: Sequence[bytes], in_flight: int) -> None:
        """Take the messages; nothing is sent before `fill`."""
        self.waits: list[int] = []
        self.accepted = 0
        self.refused: list[bytes] = []
        self.done = asyncio.get_running_loop().create_future()
        self._left = deque(messages)
        self._in_flight = in_flight
        self._sent: deque[int] = deque()

    def write(self, message: bytes) -> None:
        """Put one message on the connection."""
        raise NotImplementedError

    def fill(self) -> None:
        """Send as much as may be in flight."""
        while self._left and len(self._sent) < self._in_flight:
            self._sent.append(perf_counter_ns())
            self.write(self._left.popleft())
        if not self._sent and not self.done.done():
            self.done.set_result(None)

    def answered(self, body: bytes) -> None:
        """Count one answer; answers come in the order of the requests."""
        self.waits.append(perf_counter_ns() - self._sent.popleft())
        if ACCEPTED in body:
            self.accepted += 1
        else:
            self.refused.append(body)
        self.fill()

    def lost(self) -> None:
        """End when the connection does."""
        if not self.done.done():
            self.done.set_exception(ConnectionError("the venue closed the connection"))


class HttpLine(Line, asyncio.Protocol):
    """One connection of HTTP kept alive; requests follow each other, so one is in flight."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        """Take the requests, heads included."""
        Line.__init__(self, messages, 1)
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def write(self, message: bytes) -> None:
        """Put one request on the connection."""
        self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        """Cut answers out of what arrives."""
        self._buffer += data
        while (end := self._buffer.find(HEAD_END)) >= 0:
            start = self._buffer.find(LENGTH, 0, end) + len(LENGTH)
            stop = end + len(HEAD_END) + int(self._buffer[start : self._buffer.find(b"\r", start)])
            if len(self._buffer) < stop:
                return
            body, self._buffer = self._buffer[end + len(HEAD_END) : stop], self._buffer[stop:]
            self.answered(body)

    def connection_lost(self, _error: Exception | None) -> None:
        """End with the connection."""
        self.lost()

    def close(self) -> None:
        """Close the connection."""
        self._transport.abort()


class SocketLine(Line, WSListener):  # type: ignore[misc]
    """One socket; orders go as `post` frames."""

    def __init__(self, messages: Sequence[bytes], in_flight: int) -> None:
        """Take the frames."""
        Line.__init__(self, messages, in_flight)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the connection."""
        self._transport = transport

    def on_ws_frame(self, _transport: WSTransport, frame: WSFrame) -> None:
        """Take an answer; whatever else the venue says is not for us."""
        payload = frame.get_payload_as_bytes()
        if payload.startswith(b'{"channel":"post"'):
            self.answered(payload)

    def on_ws_disconnected(self, _transport: WSTransport) -> None:
        """End with the connection."""
        self.lost()

    def write(self, message: bytes) -> None:
        """Put one frame on the connection."""
        self._transport.send(WSMsgType.TEXT, message)

    def close(self) -> None:
        """Close the connection."""
        self._transport.disconnect()


async def over_http(port: int, batches: Sequence[Sequence[bytes]]) -> tuple[list[Line], int]:
    """Send each batch on a connection of its own; return the lines and how long all took together in ns."""
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(lambda one=one: HttpLine(one), "127.0.0.1", port))[1] for one in batches]
    return await _driven(lines)


async def over_sockets(port: int, batches: Sequence[Sequence[bytes]], in_flight: int) -> tuple[list[Line], int]:
    """The same over sockets, with so many in flight on each."""
    lines = []
    for one in batches:
        _, line = await ws_connect(lambda *_, one=one: SocketLine(one, in_flight), f"ws://127.0.0.1:{port}/ws")
        lines.append(line)
    return await _driven(lines)


async def _driven(lines: Sequence[HttpLine | SocketLine]) -> tuple[list[Line], int]:
    start = perf_counter_ns()
    for line in lines:
        line.fill()
    await asyncio.gather(*(line.done for line in lines))
    took = perf_counter_ns() - start
    for line in lines:
        line.close()
    return list(lines), took


def http_request(body: bytes) -> bytes:
    """Return the bytes of `POST /exchange` with a body."""
    head = (
        b"POST /exchange HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body)
    )
    return head + body


def post_frame(number: int, body: bytes) -> bytes:
    """Return the `post` frame with a body."""
    return b'{"method":"post","id":%d,"request":{"type":"action","payload":%b}}' % (number, body)
