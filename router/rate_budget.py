"""The venue's address budget: how many requests we may still send, counted as the venue counts.

Why it exists: an address that has used up its budget is slowed to one action in ten seconds; a bot that learns of it
from a refusal can no longer take its quotes off the market. So orders stop a little before the end, and what is left
belongs to cancels and to reduce-only orders that close a position.

Source: HYPERLIQUID 7.2: 10,000 requests and one more per USDC traded; every order, replace and cancel counts one,
whatever its answer; cancels may go on to min(limit + 100,000, 2 * limit). Read 2026-11-20.
"""

from typing import Final

from domain.errors import ConfigInvalid, InvariantBroken
from domain.units import MONEY_UNIT, Money

REQUESTS_INITIAL: Final = 10_000
CANCELS_ABOVE_MAX: Final = 100_000
RESERVE_DIVISOR: Final = 50
"""One part in so many of the initial budget is never spent on orders: 200 of 10,000."""


def requests_allowed(requests_initial: int, traded: int) -> int:
    """Return how many requests an address may have sent in its life. Units: traded in Money. Plain and compiled."""
    return requests_initial + traded // MONEY_UNIT


def cancels_allowed(allowed: int) -> int:
    """Return the higher count up to which cancels are still taken. Runs plain and compiled."""
    return min(allowed + CANCELS_ABOVE_MAX, 2 * allowed)


class RateBudget:
    """Requests spent and volume traded of one address."""

    __slots__ = ("_requests_initial", "_reserve", "_spent", "_traded")

    def __init__(self, requests_initial: int = REQUESTS_INITIAL) -> None:
        """Start with nothing spent. Raises: ConfigInvalid for a budget below 1."""
        if requests_initial < 1:
            raise ConfigInvalid("requests_initial", requests_initial, "1 or more")
        self._requests_initial = requests_initial
        self._reserve = requests_initial // RESERVE_DIVISOR
        self._spent = 0
        self._traded = 0

    def spend(self, requests: int) -> None:
        """Count requests sent; an action with n orders or cancels is n. Raises: InvariantBroken when negative."""
        if requests < 0:
            raise InvariantBroken(f"spent {requests} requests: expected 0 or more")
        self._spent += requests

    def traded(self, notional: Money) -> None:
        """Count the value of a fill, bought or sold."""
        self._traded += abs(notional)

    @property
    def spent(self) -> int:
        """Requests sent so far."""
        return self._spent

    @property
    def left_for_orders(self) -> int:
        """Requests that may still be orders or replaces; 0 when only cancels may go."""
        left = requests_allowed(self._requests_initial, self._traded) - self._reserve - self._spent
        return max(left, 0)

    @property
    def left_for_closing(self) -> int:
        """Requests that may still be orders which only close a position: the reserve is theirs too."""
        return max(requests_allowed(self._requests_initial, self._traded) - self._spent, 0)

    @property
    def left_for_cancels(self) -> int:
        """Requests that may still be cancels."""
        return max(cancels_allowed(requests_allowed(self._requests_initial, self._traded)) - self._spent, 0)

    def snapshot(self) -> dict[str, int]:
        """Return what was counted, as plain data."""
        return {"spent": self._spent, "traded": self._traded}

    def restore(self, kept: dict[str, int]) -> None:
        """Continue from what a snapshot counted."""
        self._spent, self._traded = kept["spent"], kept["traded"]
