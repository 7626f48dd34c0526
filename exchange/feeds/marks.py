"""Mark price, oracle price and funding rate of a synthetic market.

Why it exists: funding and margin follow the venue's own prices, not the book's middle. The oracle lies a
slowly wandering basis below the market, the mark is the oracle plus the averaged premium, and the funding rate follows
that premium by the venue's formula.

Laws: prices are positive; the rate stays inside the venue's cap.
"""

from domain.events import MarkChanged
from domain.units import RATE_UNIT, Price, Rate
from exchange.feeds.chance import Chance

INTEREST = 100_000
"""0.01 % for eight hours. Units: 1e-9. Source: HYPERLIQUID 9.1 (venue docs, "Funding"), read 2026-11-20."""
CLAMP = 500_000
"""0.05 %. Units and source as INTEREST."""
RATE_CAP = 40_000_000
"""4 % an hour. Units and source as INTEREST."""
PREMIUM_MEMORY = 50
"""The premium is averaged over about this many marks of 3 s. Source: HYPERLIQUID 9.2 (an average over 150 s)."""
BASIS_STEP = 45_000
BASIS_MEMORY = 256
"""Step and memory make a basis of about 0.05 % either way, as recorded premiums are. Units: 1e-9, marks."""


def hourly_funding_rate(premium: int) -> int:
    """Return the funding rate of an hour for an averaged premium. Units: 1e-9, both.

    Source: HYPERLIQUID 9.1 (venue docs, "Funding"), read 2026-11-20; reproduces recorded rows (data README, fact 2).
    """
    eight_hours = premium + max(-CLAMP, min(INTEREST - premium, CLAMP))
    return max(-RATE_CAP, min(eight_hours // 8, RATE_CAP))


class MarkMaker:
    """Remembers what mark and oracle need of the past."""

    __slots__ = ("_basis", "_chance", "_premium", "_symbol")

    def __init__(self, symbol: str, chance: Chance) -> None:
        """Start without premium."""
        self._symbol = symbol
        self._chance = chance
        self._basis = 0
        self._premium = 0

    def changed(self, mid: int, fair: int, ts_ns: int, arrived_ns: int) -> MarkChanged:
        """Return the next mark. Units: price units."""
        self._basis += self._chance.normal(BASIS_STEP) - self._basis // BASIS_MEMORY
        oracle = max(fair - fair * self._basis // RATE_UNIT, 1)
        premium = (mid - oracle) * RATE_UNIT // oracle
        self._premium += (premium - self._premium) // PREMIUM_MEMORY
        return MarkChanged(
            symbol=self._symbol,
            mark_price=Price(max(oracle + oracle * self._premium // RATE_UNIT, 1)),
            oracle_price=Price(oracle),
            funding_rate=Rate(hourly_funding_rate(self._premium)),
            ts_event_ns=ts_ns,
            ts_recv_ns=arrived_ns,
        )
