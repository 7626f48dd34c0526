"""The venue's wire: frames, envelopes, and the way house words become the venue's keys.

Why it exists: the venue abbreviates (`px`, `szi`, `a`); nobody else in the house does. The files `wire*.py` are the only
ones that hold those keys. Every structure is used in both directions: the adapter reads what the venue server writes.

Laws: a key that may be missing is UNSET and stays missing when written again; null stays null. Decimals stay text here.
Field order is wire order; in actions it is the order that is hashed. Keys nobody declared are dropped on reading.
Source: HYPERLIQUID 2 (info), 3 (actions), 5 (frames).
"""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

Maybe = UnsetType
"""Written `str | Maybe = UNSET`: the key may be missing."""


def camel(name: str) -> str:
    """Return a house name as the venue writes most of its keys: `reduce_only` is `reduceOnly`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def keys(**special: str) -> Callable[[str], str]:
    """Return the renaming of one structure: the names given, camel case for all others."""
    return lambda name: special.get(name) or camel(name)


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename=camel, gc=False):
    """Base of everything on the wire."""


class Subscription(Wire, frozen=True, kw_only=True, gc=False):
    """What is subscribed to; which keys are there depends on the type (HYPERLIQUID 5.2)."""

    type: str
    coin: str | Maybe = UNSET
    user: str | Maybe = UNSET
    interval: str | Maybe = UNSET
    dex: str | Maybe = UNSET
    figures: int | Maybe | None = msgspec.field(default=UNSET, name="nSigFigs")
    mantissa: int | Maybe | None = UNSET
    fast: bool | Maybe = UNSET
    aggregate_by_time: bool | Maybe = UNSET
    is_portfolio_margin: bool | Maybe = UNSET


class Request(Wire, frozen=True, kw_only=True, gc=False):
    """The payload of a `post` frame: type is `info` or `action`."""

    type: str
    payload: msgspec.Raw


class ClientFrame(Wire, frozen=True, kw_only=True, gc=False):
    """Whatever a client sends: method is `ping`, `subscribe`, `unsubscribe` or `post`."""

    method: str
    subscription: Subscription | Maybe = UNSET
    id: int | Maybe = UNSET
    request: Request | Maybe = UNSET


class ServerFrame(Wire, frozen=True, kw_only=True, gc=False):
    """Whatever the venue sends: the channel, and data read later by whom it concerns. `pong` has no data."""

    channel: str
    data: msgspec.Raw | Maybe = UNSET


class Response(Wire, frozen=True, kw_only=True, gc=False):
    """The answer inside a `post` frame: type is `info`, `action` or `error` (payload then is text)."""

    type: str
    payload: msgspec.Raw


class Posted(Wire, frozen=True, kw_only=True, gc=False):
    """Data of the channel `post`."""

    id: int
    response: Response


class InfoPayload(Wire, frozen=True, kw_only=True, gc=False):
    """An info answer inside a `post` frame: the type asked for, and the plain answer."""

    type: str
    data: msgspec.Raw


class Acknowledged(Wire, frozen=True, kw_only=True, gc=False):
    """Data of the channel `subscriptionResponse`."""

    method: str
    subscription: Subscription


class Signature(Wire, frozen=True, kw_only=True, gc=False):
    """Of an action. r and s are `0x` and hex, shorter where zeros lead (HYPERLIQUID 1.7); v is 27 or 28."""

    r: str
    s: str
    v: int


class Envelope(Wire, frozen=True, kw_only=True, gc=False):
    """The body of `POST /exchange`. The action stays raw: its bytes are what was signed."""

    action: msgspec.Raw
    nonce: int
    signature: Signature
    vault_address: str | Maybe | None = UNSET
    expires_after: int | Maybe | None = UNSET


class ActionReply(Wire, frozen=True, kw_only=True, gc=False):
    """The answer to an action: status `ok` with an object, or `err` with a text."""

    status: str
    response: msgspec.Raw


CHANNEL_OF = {"userEvents": "user"}
"""Subscription types whose messages come on a channel of another name; activeAssetCtx of spot is the other one."""


def encoded(message: Any) -> bytes:
    """Return the JSON of a wire structure, or of plain data."""
    return msgspec.json.encode(message)
