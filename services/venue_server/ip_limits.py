"""What one IP address may ask: weights per minute over HTTP, connections, messages, subscriptions and users over sockets.

Laws: a request that is refused costs nothing; what is counted leaves after its minute. Nothing here knows what was asked.
Source: HYPERLIQUID 5.7, 7.1.
"""

from collections import deque

import msgspec

from domain.units import NS_PER_SECOND

MINUTE_NS = 60 * NS_PER_SECOND


class IpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one address. is_on False lifts them all: load tests come from one address."""

    is_on: bool = True
    weight_per_minute: int = 1200
    connections_max: int = 10
    connections_per_minute: int = 30
    subscriptions_max: int = 1000
    users_max: int = 10
    messages_per_minute: int = 2000
    posts_in_flight_max: int = 100


class MinuteWindow:
    """A sum over the last minute."""

    __slots__ = ("_entries", "total")

    def __init__(self) -> None:
        """Start empty."""
        self._entries: deque[tuple[int, int]] = deque()
        self.total = 0

    def add(self, amount: int, now_ns: int) -> None:
        """Count an amount."""
        # Without limits nobody ever asks, and what is over would be kept for ever.
        self.at(now_ns)
        self._entries.append((now_ns, amount))
        self.total += amount

    def at(self, now_ns: int) -> int:
        """Return what the last minute holds."""
        while self._entries and self._entries[0][0] <= now_ns - MINUTE_NS:
            self.total -= self._entries.popleft()[1]
        return self.total


class Visitor:
    """What one IP address has used."""

    def __init__(self, limits: IpLimits) -> None:
        """Start with nothing used."""
        self._limits = limits
        self._weights = MinuteWindow()
        self._connects = MinuteWindow()
        self._messages = MinuteWindow()
        self.connections = 0

    def may_ask(self, now_ns: int) -> bool:
        """Say whether an HTTP request is still taken."""
        return not self._limits.is_on or self._weights.at(now_ns) < self._limits.weight_per_minute

    def spend(self, weight: int, now_ns: int) -> None:
        """Count what a request cost; it is known in full only after the answer."""
        if weight:
            self._weights.add(weight, now_ns)

    def weight(self, now_ns: int) -> int:
        """Return the weight of the last minute."""
        return self._weights.at(now_ns)

    def may_connect(self, now_ns: int) -> bool:
        """Count a new socket if it is taken, and say so."""
        limits = self._limits
        if limits.is_on and (
            self.connections >= limits.connections_max or self._connects.at(now_ns) >= limits.connections_per_minute
        ):
            return False
        self._connects.add(1, now_ns)
        self.connections += 1
        return True

    def disconnected(self) -> None:
        """Forget one socket."""
        self.connections -= 1

    def may_send(self, now_ns: int) -> bool:
        """Count a message on a socket if it is taken, and say so."""
        if self._limits.is_on and self._messages.at(now_ns) >= self._limits.messages_per_minute:
            return False
        self._messages.add(1, now_ns)
        return True


class Visitors:
    """All addresses."""

    def __init__(self, limits: IpLimits) -> None:
        """Start with nobody."""
        self.limits = limits
        self._visitors: dict[str, Visitor] = {}

    def at(self, address: str) -> Visitor:
        """Return the visitor of an address."""
        visitor = self._visitors.get(address)
        if visitor is None:
            visitor = self._visitors[address] = Visitor(self.limits)
        return visitor
