"""What passes between the trader, who knows orders, and whoever has a socket and a key: plain data.

Why it exists: the trader decides what to say and what an answer means, and never does any input or output; signing,
limits and transport send what they are given and never look inside.

Laws: every request is answered exactly once from the sender's side, by `Answered` or `Failed`. `Failed.kind` is a claim
about the venue: "not_sent" and "refused" are proof that it took nothing, "timeout" and "broken" leave its fate open.
"""

from typing import Any, Final, Literal

import msgspec

from exchange.hyperliquid.wire_actions import TypedAction

FailureKind = Literal["not_sent", "timeout", "refused", "broken"]
"""not_sent: it never left. timeout: no answer in time. refused: 429 or another 4xx, proven not taken. broken: 5xx, a
page, garbage, or the connection went after it was sent."""

PROVEN_UNTAKEN: Final = frozenset({"not_sent", "refused"})
"""Failures that prove that the venue took nothing."""

EXCHANGE_PATH, INFO_PATH = "/exchange", "/info"


class SendAction(msgspec.Struct, frozen=True, kw_only=True):
    """Sign this and post it. expires_after_ms is part of what is signed; None leaves it out.

    is_exit: it can only cancel or reduce, so it may use what is kept back of the address budget.
    """

    request_id: int
    action: TypedAction
    nonce: int
    expires_after_ms: int | None = None
    client_order_ids: tuple[str, ...] = ()
    is_exit: bool = False


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Ask this of /info, over HTTP or in a `post` frame. weight is what it costs of the IP's minute (HYPERLIQUID 7.1)."""

    request_id: int
    body: dict[str, Any]
    weight: int


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's answer: the JSON that HTTP would have returned, whichever way it came."""

    request_id: int
    payload: bytes


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """There is no answer. status is the HTTP status, 0 when there was none."""

    request_id: int
    kind: FailureKind
    detail: str = ""
    status: int = 0
