"""What one address may do: a request for each USDC traded, ten thousand to begin with, then one in ten seconds.

Why it exists: this limit surprises every market maker once. It counts orders, not batches, and never forgives.

Laws: what is refused costs nothing and restarts nothing; cancels have more room than anything else, so that risk can
always be taken down. Sub-accounts have budgets of their own.
Source: HYPERLIQUID 7.2.
"""

from domain.units import MONEY_UNIT, NS_PER_SECOND
from exchange.simulated.accounts import Account
from services.venue_server import texts
from services.venue_server.replies import cents

INITIAL = 10_000
CANCEL_EXTRA = 100_000
PAUSE_NS = 10 * NS_PER_SECOND
EXPIRED_FACTOR = 5
"""An action past its `expiresAfter` costs five times as much."""


class AddressLimits:
    """The budgets of all addresses. is_on False counts and refuses nobody."""

    def __init__(self, *, is_on: bool = True) -> None:
        """Start with untouched budgets."""
        self.is_on = is_on
        self._bought: dict[str, int] = {}
        self._let_through_ns: dict[str, int] = {}

    def cap(self, account: Account) -> int:
        """Return how many requests the address has earned, bought ones left out."""
        return int(INITIAL + account.volume_total // MONEY_UNIT)

    def bought(self, address: str) -> int:
        """Return how many requests were bought for the address."""
        return self._bought.get(address, 0)

    def buy(self, address: str, requests: int) -> None:
        """Add bought requests."""
        self._bought[address] = self.bought(address) + requests

    def refusal(self, account: Account, requests: int, now_ns: int, *, is_cancel: bool) -> str:
        """Return why an action of so many requests is refused now; empty when it may run. Nothing is counted yet."""
        if not self.is_on:
            return ""
        limit = self._limit(account, is_cancel=is_cancel)
        asked = account.requests_used + requests
        if asked <= limit:
            return ""
        let_through_ns = self._let_through_ns.get(account.address)
        if let_through_ns is None or now_ns - let_through_ns >= PAUSE_NS:
            return ""
        return texts.TOO_MANY_REQUESTS.format(used=asked, cap=limit, volume=cents(account.volume_total))

    def count(self, account: Account, requests: int, now_ns: int, *, is_cancel: bool) -> None:
        """Count an action that runs; one beyond its limit starts the pause."""
        account.requests_used += requests
        if account.requests_used > self._limit(account, is_cancel=is_cancel):
            self._let_through_ns[account.address] = now_ns

    def _limit(self, account: Account, *, is_cancel: bool) -> int:
        limit = self.cap(account) + self.bought(account.address)
        return min(limit + CANCEL_EXTRA, 2 * limit) if is_cancel else limit
