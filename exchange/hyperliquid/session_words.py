"""What passes between the session and its surroundings: actions it wants done, reports of what it learned. Plain data.

Laws: an attempt is one try of one request on one path; its number is never used twice. A connection number stands for
one try to connect; whatever arrives under an older number is void.
"""

from typing import Literal

import msgspec

from exchange.hyperliquid.requests import Answered, Failed, FailureKind

Kind = Literal["info", "action"]


class Connect(msgspec.Struct, frozen=True):
    """Open a socket under this number."""

    connection: int


class Close(msgspec.Struct, frozen=True):
    """Cut the socket; nothing more is heard of it."""

    connection: int
    detail: str


class SendFrame(msgspec.Struct, frozen=True):
    """Write a text frame now. attempt is 0 unless it carries a request: then `on_unsent` is told when it cannot."""

    connection: int
    frame: bytes
    attempt: int = 0


class PostHttp(msgspec.Struct, frozen=True):
    """Post this body; tell `on_http` once, within timeout_ns if it can be."""

    attempt: int
    path: str
    body: bytes
    timeout_ns: int


Action = Connect | Close | SendFrame | PostHttp


class Connected(msgspec.Struct, frozen=True):
    """The socket is open and the venue has acknowledged every subscription."""


class Lost(msgspec.Struct, frozen=True):
    """Pushes may be missing from last_frame_ns on, the time of the last good frame in the session's own time.

    is_open: the socket is still there and delivers (a frame could not be read); otherwise `Connected` will follow.
    """

    detail: str
    last_frame_ns: int
    is_open: bool = False


class Pushed(msgspec.Struct, frozen=True):
    """A message of a channel; data is the raw JSON under `data`."""

    channel: str
    data: bytes


Report = Connected | Lost | Pushed | Answered | Failed


class HttpReply(msgspec.Struct, frozen=True):
    """What HTTP answered, whole."""

    status: int
    body: bytes


class HttpFailed(msgspec.Struct, frozen=True):
    """HTTP gave no whole answer; kind is a claim about the venue, as in `Failed`."""

    kind: FailureKind
    detail: str
    status: int = 0


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a session lives. Units: nanoseconds, counts.

    stale_ns: silence after which a connection counts as dead; stable_ns: a connection that lived so long starts the
    backoff anew; doubt_interval_ns: least time between two proofs asked for because of frames nobody could read.
    seed decides the jitter of the backoff.
    """

    ping_interval_ns: int = 20_000_000_000
    stale_ns: int = 30_000_000_000
    connect_timeout_ns: int = 10_000_000_000
    acknowledge_timeout_ns: int = 10_000_000_000
    request_timeout_ns: int = 5_000_000_000
    backoff_ns_min: int = 250_000_000
    backoff_ns_max: int = 30_000_000_000
    stable_ns: int = 10_000_000_000
    doubt_interval_ns: int = 30_000_000_000
    posts_in_flight_max: int = 100
    subscriptions_max: int = 1000
    messages_per_minute: int = 2000
    messages_reserve: int = 200
    subscribe_burst: int = 100
    seed: int = 0


class SessionCounters(msgspec.Struct):
    """What happened so far."""

    frames: int = 0
    greetings: int = 0
    malformed: int = 0
    late_frames: int = 0
    late_answers: int = 0
    error_messages: int = 0
    connects: int = 0
    losses: int = 0
    stale: int = 0
    refused_subscriptions: int = 0
    pings: int = 0
    socket_posts: int = 0
    http_posts: int = 0
    fallbacks: int = 0
    second_paths: int = 0
    timeouts: int = 0
