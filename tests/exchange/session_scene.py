"""A session in the hands of a test: connected, subscribed, and what it was told or sent."""

import msgspec

from exchange.hyperliquid.session import Phase, Session
from exchange.hyperliquid.session_words import (
    SendFrame,
    SessionSettings,
)
from exchange.hyperliquid.wire import Subscription

SECOND = 1_000_000_000
USER = "0x" + "Ab" * 20
BOOK = Subscription(type="l2Book", coin="BTC")
FILLS = Subscription(type="userFills", user=USER)
ACTION = b'{"action":{"type":"noop"},"nonce":1}'
INFO = b'{"type":"orderStatus"}'


def acknowledgement(one: Subscription) -> bytes:
    """Return the echo as the venue writes it: nulls added, addresses in lower case."""
    told = msgspec.to_builtins(one)
    told = {key: value.lower() if key == "user" else value for key, value in told.items()}
    if one.type == "l2Book":
        told |= {"nSigFigs": None, "mantissa": None}
    data = {"method": "subscribe", "subscription": told}
    return msgspec.json.encode({"channel": "subscriptionResponse", "data": data})


def push(channel: str, data: object) -> bytes:
    return msgspec.json.encode({"channel": channel, "data": data})


def sent(session: Session) -> list[SendFrame]:
    return [one for one in session.take_actions() if isinstance(one, SendFrame)]


def up(*, subscriptions=(BOOK, FILLS), **settings) -> Session:
    """Return a session that is up at time 0, with nothing left to carry out or report."""
    session = Session(subscriptions, SessionSettings(**settings))
    session.start(0)
    session.on_open(1, 0)
    for one in subscriptions:
        session.on_frame(1, acknowledgement(one), 0)
    assert session.phase is Phase.UP
    session.take_actions()
    session.take_reports()
    return session


def post_id(frame: SendFrame) -> int:
    return msgspec.json.decode(frame.frame)["id"]


def posted(number: int, kind: str, payload: object) -> bytes:
    return push("post", {"id": number, "response": {"type": kind, "payload": payload}})
