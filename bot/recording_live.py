"""`hat record`: a venue's frames as they come, written down raw, for as long as it is wanted.

Theory of operation. The bot's own session and transport keep the connection (subscribe, ping, notice silence, reconnect
with backoff); beside them every frame goes to the files before anybody reads it. Only while the connection is lost is
nothing written but our own note of the gap.

Laws: no key, no account of ours: what is public, and for an address that is named the streams anybody may read. A frame
that is no message is kept as text inside a note, so that the file stays readable. A full disk ends the recording.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bot.findings import shown
from bot.recording_files import RecordingFiles, is_message
from domain.errors import ConfigInvalid, DataInvalid, HouseError
from domain.units import NS_PER_SECOND
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.session import Session
from exchange.hyperliquid.session_words import (
    Close,
    Connect,
    Connected,
    Lost,
    PostHttp,
    Pushed,
    SendFrame,
    SessionSettings,
)
from exchange.hyperliquid.transport import Transport, TransportSettings
from exchange.hyperliquid.wire import Subscription

MARKET_KINDS = ("l2Book", "bbo", "trades", "activeAssetCtx")
USER_KINDS = ("orderUpdates", "userEvents", "userFills", "userFundings", "userNonFundingLedgerUpdates")
LONGEST_WAIT_S = 1.0
TEXT_CHARS_MAX = 500
GAPS_TOLD_MAX = 1_000


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded. for_ns None: until told to stop. user is empty or a lower-case address."""

    network: Network
    coins: tuple[str, ...]
    user: str = ""
    for_ns: int | None = None

    def subscriptions(self) -> list[Subscription]:
        """Return what is subscribed to."""
        market = [Subscription(type=kind, coin=coin) for coin in self.coins for kind in MARKET_KINDS]
        return market + [Subscription(type=kind, user=self.user) for kind in USER_KINDS if self.user]


class Gap(msgspec.Struct, frozen=True):
    """Time without a connection. Units: nanoseconds since 1970; until_ns 0: to the end."""

    detail: str
    from_ns: int
    until_ns: int


class Recorder:
    """One recording. wall: nanoseconds since 1970, for the files; steady: a clock that never goes back, for deadlines."""

    def __init__(
        self,
        wishes: Wishes,
        files: RecordingFiles,
        wall: Callable[[], int],
        steady: Callable[[], int],
        *,
        session: SessionSettings | None = None,
    ) -> None:
        """Join the parts; nothing is opened. Raises: ConfigInvalid for more subscriptions than a venue takes."""
        self.wishes, self.files = wishes, files
        self.channels: Counter[str] = Counter()
        self.gaps: list[Gap] = []
        self.gap_count = 0
        self.is_up = False
        self._wall, self._steady = wall, steady
        self._session = Session(wishes.subscriptions(), session or SessionSettings())
        self._transport = Transport(wishes.network, TransportSettings(), self, steady)
        self._group: asyncio.TaskGroup | None = None
        self._sockets: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._moved = asyncio.Event()
        self._trouble: HouseError | None = None
        self._lost: tuple[str, int] | None = None
        self._begun_ns = self._ended_ns = 0

    def stop(self) -> None:
        """End the recording in order. On the event loop."""
        self._stop.set()
        self._moved.set()

    async def run(self, beat: Callable[[], None] | None = None) -> dict[str, Any]:
        """Record until the time is over or stop was called; return the summary. beat is called about once a second.

        Raises: DataInvalid when nothing at all was heard or the disk is full.
        """
        self._begun_ns = self._steady()
        wishes = self.wishes
        self._note(
            "begun", network=wishes.network.name, url=wishes.network.ws_url, coins=wishes.coins, user=wishes.user
        )
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._session.start(self._steady())
                self._carry()
                await self._live(beat)
                self._stop.set()
                self._session.stop()
                self._carry()
                for task in self._sockets:
                    task.cancel()
                self._group = None
        finally:
            await self._transport.close()
            self._ended_ns = self._steady()
            self._end_files()
        if self._trouble is not None:
            raise self._trouble
        if not self.channels:
            problem = self._session.problem or "nothing was heard"
            raise DataInvalid(wishes.network.ws_url, f"nothing was recorded: {problem}")
        return self.summary()

    def summary(self) -> dict[str, Any]:
        """Return what was recorded as plain data."""
        seconds = ((self._ended_ns or self._steady()) - self._begun_ns) / NS_PER_SECOND
        return {
            "network": self.wishes.network.name,
            "out": str(self.files.folder),
            "coins": list(self.wishes.coins),
            "user": self.wishes.user,
            "seconds": round(seconds, 3),
            "frames": sum(self.channels.values()),
            "channels": dict(sorted(self.channels.items())),
            "bytes": self.files.size,
            "files": [place.name for place in self.files.written],
            "mended": [place.name for place in self.files.mended],
            "gaps": self.gap_count,
            "gap_list": [msgspec.to_builtins(gap) for gap in self.gaps],
        }

    async def _live(self, beat: Callable[[], None] | None) -> None:
        """Keep the session's time until it is over."""
        until_ns = None if self.wishes.for_ns is None else self._begun_ns + self.wishes.for_ns
        while not self._stop.is_set():
            now_ns = self._steady()
            if until_ns is not None and now_ns >= until_ns:
                return
            self._session.on_time(now_ns)
            self._carry()
            if beat is not None:
                beat()
            due = [one for one in (self._session.next_ts_ns(), until_ns) if one is not None]
            wait_s = min([LONGEST_WAIT_S, *(max(one - self._steady(), 0) / NS_PER_SECOND for one in due)])
            self._moved.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._moved.wait()
            except TimeoutError:
                continue

    # The transport's ears.

    def on_open(self, connection: int) -> None:
        """The socket is open."""
        self._session.on_open(connection, self._steady())
        self._carry()

    def on_frame(self, connection: int, data: bytes) -> None:
        """A frame arrived: first it is written down."""
        recv_ns = self._wall()
        if is_message(data):
            self._write(lambda: self.files.frame(recv_ns, data))
        else:
            self._note("text", text=data.decode("utf-8", "replace")[:TEXT_CHARS_MAX])
        self._session.on_frame(connection, data, self._steady())
        self._carry()

    def on_closed(self, connection: int, detail: str) -> None:
        """The socket is gone."""
        self._session.on_closed(connection, detail, self._steady())
        self._carry()

    def on_writable(self, connection: int, *, is_writable: bool) -> None:
        """The socket begins or ends to keep bytes waiting."""
        self._session.on_writable(connection, is_writable=is_writable)

    def _carry(self) -> None:
        """Carry out what the session wants, and take what it learned."""
        for report in self._session.take_reports():
            match report:
                case Pushed(channel, _):
                    self.channels[channel] += 1
                case Connected():
                    self._connected()
                case Lost(detail, _, is_open) if not is_open and not self._stop.is_set():
                    self.is_up = False
                    self._lost = (detail, self._note("lost", detail=detail))
                case _:
                    pass
        for action in self._session.take_actions():
            match action:
                case SendFrame(connection, frame, _):
                    self._transport.send(connection, frame)
                case Connect(connection) if self._group is not None:
                    task = self._group.create_task(self._transport.run_socket(connection))
                    self._sockets.add(task)
                    task.add_done_callback(self._sockets.discard)
                case Close(connection, _):
                    self._transport.cut(connection)
                case Connect() | PostHttp():
                    pass
        self._moved.set()

    def _connected(self) -> None:
        self.is_up = True
        now_ns = self._note("connected", subscriptions=len(self.wishes.subscriptions()))
        if self._lost is not None:
            self._add_gap(now_ns)

    def _add_gap(self, until_ns: int) -> None:
        """Remember a gap; the list is bounded, the count is not."""
        if self._lost is not None:
            self.gap_count += 1
            if len(self.gaps) < GAPS_TOLD_MAX:
                self.gaps.append(Gap(*self._lost, until_ns))
            self._lost = None

    def _note(self, event: str, **said: Any) -> int:
        """Write a frame of our own and return its time."""
        now_ns = self._wall()
        self._write(lambda: self.files.note(now_ns, event, **said))
        return now_ns

    def _write(self, write: Callable[[], None]) -> None:
        """Write, unless the disk failed before; a failure ends the recording."""
        if self._trouble is not None:
            return
        try:
            write()
        except OSError as error:
            self._refused(error)
            self.stop()

    def _refused(self, error: OSError) -> None:
        """Keep the first thing the disk said."""
        if self._trouble is None:
            self._trouble = DataInvalid(str(self.files.folder), f"cannot be written ({error.strerror or error})")

    def _end_files(self) -> None:
        self._add_gap(0)
        self._note("ended", frames=sum(self.channels.values()))
        try:
            self.files.close()
        except OSError as error:
            self._refused(error)


def check_coins(coins: Sequence[str], listed: Sequence[str]) -> tuple[str, ...]:
    """Return the coins as the venue spells them. Raises: ConfigInvalid naming one that is not listed."""
    spelled = {one.lower(): one for one in listed}
    for coin in coins:
        if coin.lower() not in spelled:
            raise ConfigInvalid("--coin", shown(coin), f"a perpetual the venue lists, such as {', '.join(listed[:5])}")
    return tuple(dict.fromkeys(spelled[coin.lower()] for coin in coins))
