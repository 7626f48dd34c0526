"""One socket from the sending side: the frames that wait, and the writer that sends them in order.

Laws: a reader that is too slow is cut off when FRAME_BYTES_MAX wait for it; what is dropped is cut at once, without a
farewell, however stuck it is; the times here are the wall's.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from aiohttp import WSMsgType, web

from services.venue_server.fate import LineFate

FRAME_BYTES_MAX = 2**25
LOOK_SECONDS = 0.02
"""How often a stalled line looks whether it may go on."""
CLOSE_SECONDS = 2.0
"""How long the venue waits for the other side's farewell, and for requests that are under way when it closes."""


class Line:
    """What waits to be sent to one socket, and when something was sent last."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport, now_ns: int) -> None:
        """Start with nothing waiting."""
        self.socket = socket
        self.sent_ns = now_ns
        self.is_ended = False
        self._transport = transport
        self._farewell: tuple[int, bytes] | None = None
        self._stalled_until_ns = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._is_sending = False
        self._woken = asyncio.Event()

    def put(self, frames: list[bytes]) -> None:
        """Queue frames."""
        if not frames or self.is_ended:
            return
        self._waiting.extend(frames)
        self._waiting_bytes += sum(map(len, frames))
        self._woken.set()
        if self._waiting_bytes > FRAME_BYTES_MAX:
            self.drop()

    def drop(self) -> None:
        """Cut the connection as a broken line does."""
        self.is_ended = True
        self._woken.set()
        self._transport.abort()

    def close(self, code: int, reason: bytes) -> None:
        """Say farewell; one that does not take what is sent is cut."""
        if self._waiting or self._is_sending:
            self.drop()
        elif not self.is_ended:
            self.is_ended = True
            self._farewell = (code, reason)
            self._woken.set()

    @property
    def says_farewell(self) -> bool:
        """Say whether the writer is closing the socket in good order."""
        return self._farewell is not None

    def suffer(self, fate: LineFate) -> None:
        """Take what misfortune has in store."""
        self._stalled_until_ns = max(self._stalled_until_ns, fate.stalled_until_ns)
        if fate.is_dropped:
            self.drop()

    async def write(self, clock: Callable[[], int]) -> None:
        """Send what waits, until the socket is closed or dropped."""
        while not self.is_ended:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting and not self.is_ended:
                now_ns = clock()
                if self._stalled_until_ns > now_ns:
                    await asyncio.sleep(LOOK_SECONDS)
                    continue
                frame = self._waiting.popleft()
                self._waiting_bytes -= len(frame)
                if not await self._send(frame):
                    return
                self.sent_ns = now_ns
        if self._farewell is not None:
            code, reason = self._farewell
            await self.socket.close(code=code, message=reason)

    async def _send(self, frame: bytes) -> bool:
        """Send one frame; False when nobody is there any more."""
        self._is_sending = True
        try:
            await self.socket.send_frame(frame, WSMsgType.TEXT)
        except ConnectionError:
            return False
        finally:
            self._is_sending = False
        return True
