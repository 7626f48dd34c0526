"""The channels of `GET /ws`, without sockets: frames in, frames out.

Theory of operation. A frame is answered at once by what `received` returns; all that the venue has to tell comes from
`take_pushes`, and so do answers to posts that misfortune made late. Sockets of one visitor share his limits.

Laws: whatever comes in, nothing is raised and the connection stays open: what cannot be read is answered on the channel
`error`, in the venue's words. An acknowledgment precedes the first message of its subscription.
Source: HYPERLIQUID 5.1-5.7, 12.2.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET

from exchange.hyperliquid.wire import Acknowledged, InfoPayload, Posted, Request, Response, Subscription, encoded
from services.venue_server.answer import Answer
from services.venue_server.info import InfoDesk
from services.venue_server.pushes import ChannelSettings, Gathering, Pushes, user_of
from services.venue_server.wanted import Incoming, Wish, is_readable, subscription_of

if TYPE_CHECKING:
    from services.venue_server.hall import Handled

Post = Callable[[str, bytes, int], "Handled"]
"""Carries out a posted request: kind (`info` or `action`), payload, time."""

GREETING = b"Websocket connection established."
PONG = b'{"channel":"pong"}'
UNREADABLE = "Error parsing JSON into valid websocket request: "
INVALID = "Invalid subscription "
TWICE = "Already subscribed: "
NEVER = "Already unsubscribed: "
TOO_MANY_USERS = "Cannot track more than {most} total users."
TOO_MANY_SUBSCRIPTIONS = "Cannot subscribe to more than {most} channels."
TOO_MANY_POSTS = "too many pending post requests id={number}"
"""The sentence about channels is ours: no record of the venue's is known."""

ECHO_CHARS_MAX = 2_000
KINDS = frozenset({"info", "action"})
IDS_END = 1 << 64
"""Posts are named by unsigned integers of 64 bits."""


class _Socket:
    """One connection: what it has subscribed to, and whose it is."""

    __slots__ = ("topics", "visitor")

    def __init__(self, visitor: str) -> None:
        self.visitor = visitor
        self.topics: dict[Subscription, None] = {}


class _Kind(msgspec.Struct):
    """The part of a question that the answer repeats."""

    type: str


class Channels(Gathering):
    """All sockets and what they want to hear. Give it to the venue as its listener, then `open` it."""

    def __init__(self, settings: ChannelSettings | None = None) -> None:
        """Start with nobody connected."""
        super().__init__(settings if settings is not None else ChannelSettings())
        self._sockets: dict[int, _Socket] = {}
        self._pending: dict[str, int] = {}
        self._late: list[tuple[int, int, int, str, bytes]] = []
        self._posts = 0
        self._ready: Pushes = []
        self._post: Post | None = None
        self._decoder = msgspec.json.Decoder(Incoming)

    def open(self, info: InfoDesk, post: Post) -> None:
        """Learn where answers come from. post: see `Post`; the hall's `posted` is one."""
        self._known = info.sources
        self._post = post

    def connected(self, connection: int, now_ns: int, visitor: str = "") -> list[bytes]:  # noqa: ARG002 none needs it
        """Take a new socket; visitor is who shares its limits (empty: nobody). Return the first frames."""
        self._sockets[connection] = _Socket(visitor or f"socket {connection}")
        return [GREETING] if self.settings.greets else []

    def disconnected(self, connection: int) -> None:
        """Forget a socket."""
        socket = self._sockets.pop(connection)
        for wanted in socket.topics:
            self._leave(wanted, connection)
        self._ready = [push for push in self._ready if push[0] != connection]

    def received(self, connection: int, frame: bytes, now_ns: int) -> list[bytes]:
        """Take one frame and return the answer to it."""
        try:
            asked = self._decoder.decode(frame)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            # Broken JSON or text, numbers beyond all types, nesting beyond the stack.
            return [_unreadable(frame)]
        wish = asked.subscription
        number = asked.id if isinstance(asked.id, int) else -1
        match asked.method:
            case "ping":
                return [PONG]
            case "subscribe" | "unsubscribe" if wish is not UNSET and is_readable(wish):
                return self._change(connection, asked.method, wish, now_ns)
            case "post" if isinstance(asked.request, Request) and asked.request.type in KINDS and 0 <= number < IDS_END:
                return self._posted(connection, number, asked.request, now_ns)
            case _:
                return [_unreadable(frame)]

    def take_pushes(self, now_ns: int) -> Pushes:
        """Return what is due now: late answers first, then messages."""
        late: Pushes = []
        while self._late and self._late[0][0] <= now_ns:
            _, _, connection, visitor, frame = heappop(self._late)
            self._pending[visitor] -= 1
            if not self._pending[visitor]:
                del self._pending[visitor]
            if connection in self._sockets:
                late.append((connection, frame))
        ready, self._ready = self._ready, []
        return late + ready + self.collect(now_ns)

    def _change(self, connection: int, method: str, wish: Wish, now_ns: int) -> list[bytes]:
        """Subscribe or unsubscribe."""
        wanted = subscription_of(wish, self._sources.venue.markets)
        if wanted is None:
            return [_error(INVALID + encoded(_without_nothing(wish)).decode())]
        socket = self._sockets[connection]
        echo = encoded(wanted).decode()
        acknowledged = _frame("subscriptionResponse", Acknowledged(method=method, subscription=wanted))
        if method == "unsubscribe":
            if wanted not in socket.topics:
                return [_error(NEVER + echo)]
            del socket.topics[wanted]
            self._leave(wanted, connection)
            return [acknowledged]
        if wanted in socket.topics:
            return [_error(TWICE + echo)]
        refused = self._why_not(socket, wanted)
        if refused:
            return [_error(refused)]
        # What happened before is told to those who were there; the newcomer has it in his snapshot.
        self._ready += self.collect(now_ns)
        socket.topics[wanted] = None
        first = self._join(wanted, connection, now_ns)
        return [acknowledged] if first is None else [acknowledged, first]

    def _why_not(self, socket: _Socket, wanted: Subscription) -> str:
        """Return why a visitor cannot have one more subscription, empty when he can."""
        settings = self.settings
        his = [one.topics for one in self._sockets.values() if one.visitor == socket.visitor]
        if sum(len(topics) for topics in his) >= settings.subscriptions_max:
            return TOO_MANY_SUBSCRIPTIONS.format(most=settings.subscriptions_max)
        user = user_of(wanted)
        if not user:
            return ""
        users = {user_of(one): None for topics in his for one in topics}
        users.pop("", None)
        if user not in users and len(users) >= settings.users_max:
            return TOO_MANY_USERS.format(most=settings.users_max)
        return ""

    def _posted(self, connection: int, number: int, request: Request, now_ns: int) -> list[bytes]:
        """Carry out a posted request; its answer comes now, later, or never."""
        visitor = self._sockets[connection].visitor
        if self._pending.get(visitor, 0) >= self.settings.posts_max or self._post is None:
            return [_error(TOO_MANY_POSTS.format(number=number))]
        payload = bytes(request.payload)
        handled = self._post(request.type, payload, now_ns)
        if handled.answer is None:
            return []
        response = _response(request.type, payload, handled.answer)
        frame = _frame("post", Posted(id=number, response=response))
        if handled.late_ns <= 0:
            return [frame]
        self._posts += 1
        self._pending[visitor] = self._pending.get(visitor, 0) + 1
        heappush(self._late, (now_ns + handled.late_ns, self._posts, connection, visitor, frame))
        return []


def _response(kind: str, payload: bytes, answer: Answer) -> Response:
    """Return an answer as a post carries it: info named by its type, failures as text with the HTTP status."""
    if answer.status != HTTPStatus.OK:
        text = f"{int(answer.status)}: {answer.body.decode(errors='replace')}"
        return Response(type="error", payload=msgspec.Raw(encoded(text)))
    if kind == "info":
        named = InfoPayload(type=msgspec.json.decode(payload, type=_Kind).type, data=msgspec.Raw(answer.body))
        return Response(type=kind, payload=msgspec.Raw(encoded(named)))
    return Response(type=kind, payload=msgspec.Raw(answer.body))


def _frame(channel: str, data: object) -> bytes:
    return b'{"channel":"%b","data":%b}' % (channel.encode(), encoded(data))


def _error(text: str) -> bytes:
    return _frame("error", text)


def _unreadable(frame: bytes) -> bytes:
    return _error(UNREADABLE + frame[:ECHO_CHARS_MAX].decode(errors="replace"))


def _without_nothing(wish: Wish) -> dict[str, object]:
    """Return a wish as plain data, without what it does not say."""
    plain: dict[str, object] = msgspec.to_builtins(wish)
    return {name: value for name, value in plain.items() if value is not None}
