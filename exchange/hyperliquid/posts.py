"""Requests on their way: which attempt belongs to which request, by when it must be answered, what an answer means.

Laws: a request ends exactly once, by `Answered` or `Failed`. An action is tried once, on one path: a second try could
double an order. A question changes nothing, so it gets a second try on the other path. What was given to a socket that
then broke is of unknown fate; what no socket took was not sent.
Source: HYPERLIQUID 1.6 (how errors surface), 5.6 (posts on the socket).
"""

import heapq
from http import HTTPStatus

import msgspec

from domain.errors import InvariantBroken
from exchange.hyperliquid.requests import Answered, Failed, FailureKind
from exchange.hyperliquid.session_words import HttpFailed, HttpReply, Kind
from exchange.hyperliquid.wire import InfoPayload, Posted

ATTEMPTS_MAX = 2
"""Of a question; an action has one."""

TEXT_CHARS_MAX = 200
_POSTED = msgspec.json.Decoder(Posted)
_INFO = msgspec.json.Decoder(InfoPayload)
_TEXT = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_UNDECIDED = {HTTPStatus.REQUEST_TIMEOUT, 499}
"""4xx of proxies that gave up waiting: whether the venue took it is not known."""


class Post(msgspec.Struct):
    """One request on its way. attempt is its current try; connection is 0 on HTTP."""

    request_id: int
    kind: Kind
    payload: bytes
    tries: int = 0
    attempt: int = 0
    connection: int = 0


class Posts:
    """All requests on their way."""

    def __init__(self) -> None:
        """Start with none."""
        self.on_socket = 0
        self._by_attempt: dict[int, Post] = {}
        self._requests: set[int] = set()
        self._deadlines: list[tuple[int, int]] = []
        self._last_attempt = 0

    def __len__(self) -> int:
        """Return how many are on their way."""
        return len(self._by_attempt)

    def open(self, request_id: int, kind: Kind, payload: bytes) -> Post:
        """Return a new request. Raises: InvariantBroken when its number is on its way already."""
        if request_id in self._requests:
            raise InvariantBroken(f"request {request_id} is on its way already")
        self._requests.add(request_id)
        return Post(request_id, kind, payload)

    def sent(self, post: Post, connection: int, deadline_ns: int) -> int:
        """Count a try on a path (connection 0 is HTTP) and return its attempt number."""
        self._last_attempt += 1
        post.attempt, post.connection = self._last_attempt, connection
        post.tries += 1
        self.on_socket += connection != 0
        self._by_attempt[post.attempt] = post
        heapq.heappush(self._deadlines, (deadline_ns, post.attempt))
        return post.attempt

    def take(self, attempt: int, connection: int | None = None) -> Post | None:
        """Return the request of a try and end the try; None when it ended before, or went another way."""
        post = self._by_attempt.get(attempt)
        if post is None or connection not in {None, post.connection}:
            return None
        del self._by_attempt[attempt]
        self.on_socket -= post.connection != 0
        return post

    def close(self, post: Post) -> None:
        """Forget a request that has its outcome."""
        self._requests.discard(post.request_id)

    def take_on(self, connection: int) -> list[Post]:
        """Return every request on a connection, oldest first, and end their tries."""
        attempts = [attempt for attempt, post in self._by_attempt.items() if post.connection == connection]
        return [post for attempt in attempts if (post := self.take(attempt)) is not None]

    def take_all(self) -> list[Post]:
        """Return every request, oldest first, and end their tries."""
        return [post for attempt in list(self._by_attempt) if (post := self.take(attempt)) is not None]

    def take_late(self, now_ns: int) -> list[Post]:
        """Return every request whose try is out of time, and end those tries."""
        late = []
        while (deadline_ns := self.next_deadline_ns()) is not None and deadline_ns <= now_ns:
            post = self.take(heapq.heappop(self._deadlines)[1])
            if post is not None:
                late.append(post)
        return late

    def next_deadline_ns(self) -> int | None:
        """Return when the next try is out of time."""
        deadlines = self._deadlines
        while deadlines and deadlines[0][1] not in self._by_attempt:
            heapq.heappop(deadlines)
        return deadlines[0][0] if deadlines else None


def may_try_again(post: Post, outcome: Answered | Failed) -> bool:
    """Say whether a request gets another try: only questions do, and not against a venue that said no."""
    return (
        isinstance(outcome, Failed) and post.kind == "info" and post.tries < ATTEMPTS_MAX and outcome.kind != "refused"
    )


def of_http(post: Post, result: HttpReply | HttpFailed) -> Answered | Failed:
    """Return what HTTP's answer means. A whole JSON text with status 200 is an answer; its sense is for others."""
    if isinstance(result, HttpFailed):
        return Failed(request_id=post.request_id, kind=result.kind, detail=result.detail, status=result.status)
    if result.status == HTTPStatus.OK:
        if is_json(result.body):
            return Answered(request_id=post.request_id, payload=result.body)
        return _broken(post, f"HTTP 200 with a body that is no JSON: {shown(result.body)}", result.status)
    return of_status(post, result.status, shown(result.body))


def of_status(post: Post, status: int, text: str) -> Failed:
    """Return what an HTTP status other than 200 means for a request."""
    is_refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _UNDECIDED
    kind: FailureKind = "refused" if is_refused else "broken"
    return Failed(request_id=post.request_id, kind=kind, detail=f"HTTP {status}: {text}", status=status)


def posted(data: msgspec.Raw) -> Posted | None:
    """Return the data of the channel `post`; None when they cannot be read."""
    try:
        return _POSTED.decode(data)
    except _UNREADABLE:
        return None


def of_posted(post: Post, answer: Posted) -> Answered | Failed:
    """Return what an answer on the socket means: the JSON that HTTP would have returned, or its status."""
    response = answer.response
    if response.type == "error":
        return _of_error(post, response.payload)
    if response.type != post.kind:
        return _broken(post, f"answer of type {response.type[:20]!r} to a request of type {post.kind}")
    if post.kind == "action":
        return Answered(request_id=post.request_id, payload=bytes(response.payload))
    try:
        return Answered(request_id=post.request_id, payload=bytes(_INFO.decode(response.payload).data))
    except _UNREADABLE:
        return _broken(post, f"answer without data: {shown(bytes(response.payload))}")


def _of_error(post: Post, payload: msgspec.Raw) -> Failed:
    """Return what an error text such as `429: null` means."""
    try:
        text = _TEXT.decode(payload)
    except _UNREADABLE:
        return _broken(post, f"error that is no text: {shown(bytes(payload))}")
    digits = text.partition(":")[0].strip()
    if len(digits) == 3 and digits.isascii() and digits.isdigit():
        return of_status(post, int(digits), text.partition(":")[2].strip()[:TEXT_CHARS_MAX])
    return _broken(post, f"error: {text[:TEXT_CHARS_MAX]}")


def _broken(post: Post, detail: str, status: int = 0) -> Failed:
    return Failed(request_id=post.request_id, kind="broken", detail=detail, status=status)


def is_json(body: bytes) -> bool:
    """Say whether a body is one whole JSON text."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except _UNREADABLE:
        return False
    return True


def shown(body: bytes) -> str:
    """Return the beginning of a body as one line of text."""
    return " ".join(body[: 4 * TEXT_CHARS_MAX].decode("utf-8", "replace").split())[:TEXT_CHARS_MAX]
