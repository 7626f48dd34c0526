"""The session: one connection that is meant to be always there, and the requests that go over it or beside it.

Theory of operation. No input, no output, no clock: what happened is told with its time, what is to be done comes out as
actions, what was learned as reports, both in their order. After every call the owner carries out `take_actions`, hands
on `take_reports`, and comes back at `next_ts_ns`.

    down ─(backoff)─► connecting ─open─► subscribing ─all acknowledged─► up
      ▲                   │                   │                          │
      └───────────────────┴──── timeout, closed, refused, silent ────────┘

Laws: a request ends exactly once; an action is given to one path once. A connection that says nothing for stale_ns is
dead: the venue answers pings. `Lost` follows every `Connected` before the next one, with the time of the last good
frame. A frame that cannot be read may have been a fill: it is reported as a loss too, at most every doubt_interval_ns.
Reconnects back off exponentially with jitter.
Source: HYPERLIQUID 5.1, 5.6, 5.7; 1.8 (what other clients' users suffer from).
"""

from collections.abc import Iterable
from enum import Enum

import msgspec
from msgspec import UNSET

from exchange.hyperliquid.backoff import Backoff
from exchange.hyperliquid.limits import MinuteWindow
from exchange.hyperliquid.posts import Post, Posts, may_try_again, of_http, of_posted, posted
from exchange.hyperliquid.requests import EXCHANGE_PATH, INFO_PATH, Answered, Failed
from exchange.hyperliquid.session_words import (
    Action,
    Close,
    Connect,
    Connected,
    HttpFailed,
    HttpReply,
    Kind,
    Lost,
    PostHttp,
    Pushed,
    Report,
    SendFrame,
    SessionCounters,
    SessionSettings,
)
from exchange.hyperliquid.subscribing import Subscribing
from exchange.hyperliquid.wire import ClientFrame, Request, ServerFrame, Subscription, encoded

GREETING = b"Websocket connection established."
PING = encoded(ClientFrame(method="ping"))
_FRAME = msgspec.json.Decoder(ServerFrame)
_TEXT = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TOO_MANY_POSTS = "too many pending post requests id="
_PATHS: dict[Kind, str] = {"info": INFO_PATH, "action": EXCHANGE_PATH}
_BURST_NS = 1_000_000_000
STOPPED = "the session was stopped"


class Phase(Enum):
    """Where a session stands."""

    STOPPED = "stopped"
    DOWN = "down"
    CONNECTING = "connecting"
    SUBSCRIBING = "subscribing"
    UP = "up"


_OPEN = (Phase.SUBSCRIBING, Phase.UP)


class Session:
    """One connection's life."""

    def __init__(self, subscriptions: Iterable[Subscription], settings: SessionSettings) -> None:
        """Know what to subscribe to; nothing happens before start. Raises: ConfigInvalid for too many subscriptions."""
        self.phase = Phase.STOPPED
        self.counters = SessionCounters()
        self.problem = ""
        self._settings = settings
        self._subscribing = Subscribing(subscriptions, settings.subscriptions_max)
        self._posts = Posts()
        self._messages = MinuteWindow()
        self._backoff = Backoff(settings.backoff_ns_min, settings.backoff_ns_max, settings.seed)
        self._actions: list[Action] = []
        self._reports: list[Report] = []
        self._connection = 0
        self._is_writable = False
        self._due_ns = 0
        self._up_ns = self._last_frame_ns = self._ping_ns = 0
        self._doubt = ""
        self._doubted_ns: int | None = None

    @property
    def in_flight(self) -> int:
        """How many requests are on their way."""
        return len(self._posts)

    @property
    def last_frame_ns(self) -> int:
        """When the last good frame of the newest connection came; when it opened, before the first."""
        return self._last_frame_ns

    def take_actions(self) -> list[Action]:
        """Return what is to be done, in order; each is handed out once."""
        taken, self._actions = self._actions, []
        return taken

    def take_reports(self) -> list[Report]:
        """Return what was learned, in order; each is handed out once."""
        taken, self._reports = self._reports, []
        return taken

    def next_ts_ns(self) -> int | None:
        """Return when on_time has something to do; None when only the world can move this session."""
        times = [self._due_ns] if self.phase is not Phase.STOPPED else []
        deadline_ns = self._posts.next_deadline_ns()
        if deadline_ns is not None:
            times.append(deadline_ns)
        if self.phase is Phase.UP:
            times += [self._ping_ns, self._last_frame_ns + self._settings.stale_ns]
            if self._doubt and self._doubted_ns is not None:
                times.append(self._doubted_ns + self._settings.doubt_interval_ns)
        return min(times, default=None)

    def start(self, now_ns: int) -> None:
        """Connect."""
        if self.phase is Phase.STOPPED:
            self._connect(now_ns)

    def stop(self) -> None:
        """Cut the connection and end every request; later ones are not sent."""
        if self.phase is Phase.UP:
            self._reports.append(Lost(STOPPED, self._last_frame_ns))
        if self.phase not in {Phase.STOPPED, Phase.DOWN}:
            self._actions.append(Close(self._connection, STOPPED))
        self.phase = Phase.STOPPED
        for post in self._posts.take_all():
            self._end(post, Failed(request_id=post.request_id, kind="broken", detail=STOPPED))

    def post(self, request_id: int, kind: Kind, payload: bytes, now_ns: int, *, prefers_http: bool = False) -> None:
        """Send a request: payload is the body that HTTP would carry. Its outcome is reported once.

        Raises: InvariantBroken when this number is on its way already.
        """
        post = self._posts.open(request_id, kind, payload)
        if self.phase is Phase.STOPPED:
            self._end(post, Failed(request_id=request_id, kind="not_sent", detail=STOPPED))
        elif not prefers_http and self._has_room(now_ns):
            self._post_on_socket(post, now_ns)
        else:
            self.counters.fallbacks += not prefers_http
            self._post_on_http(post, now_ns)

    def on_open(self, connection: int, now_ns: int) -> None:
        """The socket is open."""
        if connection != self._connection or self.phase is not Phase.CONNECTING:
            return
        self.phase = Phase.SUBSCRIBING
        self._is_writable = True
        self._last_frame_ns = now_ns
        self._subscribing.begin()
        self._subscribe(now_ns)

    def on_writable(self, connection: int, *, is_writable: bool) -> None:
        """The socket takes bytes, or keeps them waiting: then requests go over HTTP."""
        if connection == self._connection:
            self._is_writable = is_writable

    def on_closed(self, connection: int, detail: str, now_ns: int) -> None:
        """The socket is gone, or could not be opened."""
        if connection == self._connection and self.phase not in {Phase.STOPPED, Phase.DOWN}:
            self._drop(detail, now_ns, is_closed=True)

    def on_unsent(self, attempt: int, now_ns: int) -> None:
        """A frame with a request could not be written: nothing of it left."""
        post = self._posts.take(attempt)
        if post is not None:
            self._settle(post, Failed(request_id=post.request_id, kind="not_sent", detail="the socket is gone"), now_ns)

    def on_http(self, attempt: int, result: HttpReply | HttpFailed, now_ns: int) -> None:
        """HTTP answered, or will not."""
        post = self._posts.take(attempt, 0)
        if post is None:
            self.counters.late_answers += 1
            return
        self._settle(post, of_http(post, result), now_ns)

    def on_frame(self, connection: int, data: bytes, now_ns: int) -> None:
        """Take a message of the socket, whatever it is."""
        if connection != self._connection or self.phase not in _OPEN:
            self.counters.late_frames += 1
            return
        try:
            frame = _FRAME.decode(data)
        except _UNREADABLE:
            self._unreadable(data, now_ns)
            return
        self._last_frame_ns = now_ns
        self.counters.frames += 1
        channel = frame.channel
        if channel == "pong":
            return
        if frame.data is UNSET:
            self._doubt_frame(f"message of channel {channel[:40]!r} without data", now_ns)
        elif channel == "post":
            self._on_posted(frame.data, now_ns)
        elif channel == "subscriptionResponse":
            self._on_acknowledged(frame.data, now_ns)
        elif channel == "error":
            self._on_error(frame.data, now_ns)
        else:
            self._reports.append(Pushed(channel, bytes(frame.data)))

    def on_time(self, now_ns: int) -> None:
        """Do what is due by time."""
        for post in self._posts.take_late(now_ns):
            self.counters.timeouts += 1
            detail = "no answer on the socket in time" if post.connection else "no answer over HTTP in time"
            self._settle(post, Failed(request_id=post.request_id, kind="timeout", detail=detail), now_ns)
        if self.phase is Phase.DOWN and now_ns >= self._due_ns:
            self._connect(now_ns)
        elif self.phase is Phase.CONNECTING and now_ns >= self._due_ns:
            self._drop("the connection did not open in time", now_ns, is_closed=False)
        elif self.phase is Phase.SUBSCRIBING and now_ns >= self._due_ns:
            if self._subscribing.unsent:
                self._subscribe(now_ns)
            else:
                self._drop("a subscription was not acknowledged in time", now_ns, is_closed=False)
        elif self.phase is Phase.UP:
            self._keep_alive(now_ns)

    def _connect(self, now_ns: int) -> None:
        """Open the next connection."""
        self._connection += 1
        self.counters.connects += 1
        self.phase = Phase.CONNECTING
        self._due_ns = now_ns + self._settings.connect_timeout_ns
        self._actions.append(Connect(self._connection))

    def _drop(self, detail: str, now_ns: int, *, is_closed: bool) -> None:
        """Give the connection up: say so, settle what was on it, come back after the backoff."""
        settings, was_up = self._settings, self.phase is Phase.UP
        self.problem = detail
        if not is_closed:
            self._actions.append(Close(self._connection, detail))
        if was_up and now_ns - self._up_ns >= settings.stable_ns:
            self._backoff.reset()
        self.phase = Phase.DOWN
        self._is_writable = False
        self._due_ns = now_ns + self._backoff.next_wait_ns()
        self._doubt = ""
        if was_up:
            self.counters.losses += 1
            self._reports.append(Lost(detail, self._last_frame_ns))
        for post in self._posts.take_on(self._connection):
            lost = Failed(request_id=post.request_id, kind="broken", detail=f"connection lost after sending: {detail}")
            self._settle(post, lost, now_ns)

    def _subscribe(self, now_ns: int) -> None:
        """Send the next subscriptions, as many as the minute and the burst allow."""
        settings = self._settings
        room = settings.messages_per_minute - settings.messages_reserve - self._messages.at(now_ns)
        for _ in range(min(room, settings.subscribe_burst, self._subscribing.unsent)):
            self._send(self._subscribing.next_frame(), now_ns)
        left = self._subscribing.unsent
        self._due_ns = now_ns + (_BURST_NS if left else settings.acknowledge_timeout_ns)
        self._rise_if_done(now_ns)

    def _rise_if_done(self, now_ns: int) -> None:
        """Report the connection as soon as everything is subscribed."""
        if self.phase is Phase.SUBSCRIBING and self._subscribing.is_done:
            self.phase = Phase.UP
            self.problem = ""
            self._up_ns = now_ns
            self._ping_ns = now_ns + self._settings.ping_interval_ns
            self._doubted_ns = None
            self._reports.append(Connected())

    def _keep_alive(self, now_ns: int) -> None:
        """Ping, notice silence, and report frames that could not be read."""
        settings = self._settings
        self._due_ns = now_ns + settings.ping_interval_ns
        silence_ns = now_ns - self._last_frame_ns
        if silence_ns >= settings.stale_ns:
            self.counters.stale += 1
            self._drop(f"nothing heard for {silence_ns / _BURST_NS:.1f} s", now_ns, is_closed=False)
            return
        if now_ns >= self._ping_ns:
            self.counters.pings += 1
            self._ping_ns = now_ns + settings.ping_interval_ns
            self._send(PING, now_ns)
        if self._doubt:
            self._tell_doubt(now_ns)

    def _send(self, frame: bytes, now_ns: int, attempt: int = 0) -> None:
        """Give a frame to the socket and count it."""
        self._messages.add(1, now_ns)
        self._actions.append(SendFrame(self._connection, frame, attempt))

    def _has_room(self, now_ns: int) -> bool:
        """Say whether the socket takes another request now."""
        settings = self._settings
        return (
            self.phase in _OPEN
            and self._is_writable
            and self._posts.on_socket < settings.posts_in_flight_max
            and self._messages.at(now_ns) < settings.messages_per_minute - settings.messages_reserve
        )

    def _post_on_socket(self, post: Post, now_ns: int) -> None:
        """Try a request on the socket."""
        self.counters.socket_posts += 1
        attempt = self._posts.sent(post, self._connection, now_ns + self._settings.request_timeout_ns)
        request = Request(type=post.kind, payload=msgspec.Raw(post.payload))
        self._send(encoded(ClientFrame(method="post", id=attempt, request=request)), now_ns, attempt)

    def _post_on_http(self, post: Post, now_ns: int) -> None:
        """Try a request over HTTP."""
        self.counters.http_posts += 1
        timeout_ns = self._settings.request_timeout_ns
        attempt = self._posts.sent(post, 0, now_ns + timeout_ns)
        self._actions.append(PostHttp(attempt, _PATHS[post.kind], post.payload, timeout_ns))

    def _settle(self, post: Post, outcome: Answered | Failed, now_ns: int) -> None:
        """Report an outcome, or try a question again on the other path."""
        was_on_socket = post.connection != 0
        if not may_try_again(post, outcome):
            self._end(post, outcome)
        elif was_on_socket:
            self.counters.second_paths += 1
            self._post_on_http(post, now_ns)
        elif self._has_room(now_ns):
            self.counters.second_paths += 1
            self._post_on_socket(post, now_ns)
        else:
            self._end(post, outcome)

    def _end(self, post: Post, outcome: Answered | Failed) -> None:
        self._posts.close(post)
        self._reports.append(outcome)

    def _on_posted(self, data: msgspec.Raw, now_ns: int) -> None:
        """Take an answer to a request on the socket."""
        answer = posted(data)
        if answer is None:
            self._doubt_frame("answer that cannot be read", now_ns)
            return
        post = self._posts.take(answer.id, self._connection)
        if post is None:
            self.counters.late_answers += 1
            return
        self._settle(post, of_posted(post, answer), now_ns)

    def _on_acknowledged(self, data: msgspec.Raw, now_ns: int) -> None:
        if not self._subscribing.acknowledge(data):
            self._doubt_frame("acknowledgement that cannot be read", now_ns)
        self._rise_if_done(now_ns)

    def _on_error(self, data: msgspec.Raw, now_ns: int) -> None:
        """Take a text of the channel `error`."""
        self.counters.error_messages += 1
        try:
            text = _TEXT.decode(data)
        except _UNREADABLE:
            self._doubt_frame("error that is no text", now_ns)
            return
        self.problem = text[:200]
        if text.startswith(_TOO_MANY_POSTS):
            number = text.removeprefix(_TOO_MANY_POSTS).strip()
            post = self._posts.take(int(number), self._connection) if number.isascii() and number.isdigit() else None
            if post is not None:
                self._settle(post, Failed(request_id=post.request_id, kind="refused", detail=text, status=429), now_ns)
        elif self._subscribing.take_error(text) and self.phase is Phase.SUBSCRIBING:
            self.counters.refused_subscriptions += 1
            self._drop(text[:200], now_ns, is_closed=False)
        self._rise_if_done(now_ns)

    def _unreadable(self, data: bytes, now_ns: int) -> None:
        """Take a frame that is no message of the venue."""
        if data.strip() == GREETING:
            self.counters.greetings += 1
            self._last_frame_ns = now_ns
        else:
            self._doubt_frame(f"frame of {len(data)} bytes that cannot be read", now_ns)

    def _doubt_frame(self, detail: str, now_ns: int) -> None:
        """Count a frame whose content is lost, and report it when it is time."""
        self.counters.malformed += 1
        if self.phase is Phase.UP:
            self._doubt = detail
            self._tell_doubt(now_ns)

    def _tell_doubt(self, now_ns: int) -> None:
        if self._doubted_ns is None or now_ns - self._doubted_ns >= self._settings.doubt_interval_ns:
            self._reports.append(Lost(self._doubt, self._last_frame_ns, is_open=True))
            self._doubted_ns, self._doubt = now_ns, ""
