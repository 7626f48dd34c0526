"""Subscriptions of one connection: which were sent, which the venue acknowledged.

Laws: an echo is matched by the keys that tell subscriptions apart, because the venue normalizes the rest: addresses in
lower case, absent keys as null. "Already subscribed" is an acknowledgement; "Invalid subscription" is a refusal.
Source: HYPERLIQUID 5.1, 5.2.
"""

from collections import deque
from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from domain.errors import ConfigInvalid
from exchange.hyperliquid.wire import Acknowledged, ClientFrame, Subscription, encoded

_ACKNOWLEDGED = msgspec.json.Decoder(Acknowledged)
_SUBSCRIPTION = msgspec.json.Decoder(Subscription)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ALREADY = "Already subscribed"
_REFUSALS = ("Invalid subscription", "Cannot track more than")

Key = tuple[str, str, str, str, str]


class Subscribing:
    """What one connection must subscribe to, and how far it is."""

    def __init__(self, subscriptions: Iterable[Subscription], count_max: int) -> None:
        """Know the subscriptions. Raises: ConfigInvalid when there are more than the venue takes."""
        self._frames = {
            key_of(one): encoded(ClientFrame(method="subscribe", subscription=one)) for one in subscriptions
        }
        if len(self._frames) > count_max:
            raise ConfigInvalid("market.instruments", len(self._frames), f"at most {count_max} subscriptions in all")
        self._unsent: deque[Key] = deque()
        self._unacknowledged: set[Key] = set()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._frames)

    @property
    def is_done(self) -> bool:
        """Whether every subscription was sent and acknowledged."""
        return not self._unsent and not self._unacknowledged

    @property
    def unsent(self) -> int:
        """How many were not sent yet."""
        return len(self._unsent)

    def begin(self) -> None:
        """Start over, for a new connection."""
        self._unsent = deque(self._frames)
        self._unacknowledged = set()

    def next_frame(self) -> bytes:
        """Return the next frame to send, which then waits for its acknowledgement."""
        key = self._unsent.popleft()
        self._unacknowledged.add(key)
        return self._frames[key]

    def acknowledge(self, data: msgspec.Raw) -> bool:
        """Take the data of an acknowledgement; say whether it could be read."""
        try:
            told = _ACKNOWLEDGED.decode(data)
        except _UNREADABLE:
            return False
        if told.method == "subscribe":
            self._unacknowledged.discard(key_of(told.subscription))
        return True

    def take_error(self, text: str) -> bool:
        """Take an error text; say whether it refuses a subscription."""
        if text.startswith(_ALREADY):
            try:
                self._unacknowledged.discard(key_of(_SUBSCRIPTION.decode(text.partition(":")[2].strip())))
            except _UNREADABLE:
                return False
            return False
        return text.startswith(_REFUSALS)


def key_of(one: Subscription) -> Key:
    """Return what tells a subscription from others."""
    return (
        one.type,
        one.coin if one.coin is not UNSET else "",
        one.user.lower() if one.user is not UNSET else "",
        one.interval if one.interval is not UNSET else "",
        one.dex if one.dex is not UNSET else "",
    )
