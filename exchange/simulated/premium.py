"""Premium and funding rate: impact prices from a book, a sample each five seconds, an hour's average, the rate.

Why it exists: a venue of its own participants has no recorded rate, so it makes one as the real venue does.

Laws: everything is rounded once, at its end; the rate is inside the cap and never falls when the premium rises; an
hour without a sample has premium 0 and the rate of interest alone.

Accuracy: the rate reproduces 19,440 of 19,440 recorded SOL rows from 2023-12-11T23:00Z on, within the rounding of the
published premium. Earlier rows follow older formulas, told apart in the tests: 82 of 82 eight-hourly rows until
2023-06-08T00 clamp at 0.0003 without a division, 212 of 212 until 2023-06-16T20 clamp at 0.0003 and divide by eight,
677 of 677 until 2023-07-15T02 are premium / 8 and nothing else, 3,595 of 3,595 until 2023-12-11T22 clamp at 0.0003
again. Replays use recorded rates.
Source: HYPERLIQUID 9.1 (venue docs, "Funding"), read 2026-11-20; data README, facts 1 and 2.
"""

from collections.abc import Iterable

from domain.units import MONEY_UNIT, NS_PER_HOUR, NS_PER_SECOND, Money
from exchange.simulated.margins import ratio_scaled

PREMIUM_DECIMALS = 10
PREMIUM_UNIT = 10**PREMIUM_DECIMALS
"""The venue publishes premium and funding rate with ten decimals, one more than our Rate has."""

SAMPLE_NS = 5 * NS_PER_SECOND
IMPACT_NOTIONAL = Money(6_000 * MONEY_UNIT)
IMPACT_NOTIONAL_MAJOR = Money(20_000 * MONEY_UNIT)
MAJORS = ("BTC", "ETH")
"""How much is traded on paper to find the impact prices, and who needs more of it. Source: HYPERLIQUID 9.1."""

INTEREST = 1_000_000
CLAMP = 5_000_000
HOURS = 8
RATE_CAP = 400_000_000
"""0.01 % in eight hours, 0.05 %, the eight hours, 4 % an hour. Units: 1e-10. Source: HYPERLIQUID 9.1."""

FINE = 1_000_000
"""Parts of a lot in which the last level of an impact order is counted."""


def impact_notional(symbol: str) -> Money:
    """Return the notional whose average execution price is the impact price of this coin."""
    return IMPACT_NOTIONAL_MAJOR if symbol in MAJORS else IMPACT_NOTIONAL


def impact_price(levels: Iterable[tuple[int, int]], amount: int, money_per_unit: int) -> int:
    """Return the average price of trading this amount into one side of a book; 0 when the side is too thin.

    Units: amount in Money (> 0), result in price units, rounded half up. Shape: (price, lots), best first.
    Source: HYPERLIQUID 9.1.
    """
    left, parts = amount, 0
    for price, lots in levels:
        value = price * lots * money_per_unit
        if value >= left:
            parts += left * FINE // (price * money_per_unit)
            left = 0
            break
        parts += lots * FINE
        left -= value
    return (amount // money_per_unit * FINE + parts // 2) // parts if left == 0 else 0


def premium(impact_bid: int, impact_ask: int, oracle_price: int) -> int:
    """Return one premium sample: how far the impact prices are both above, or both below, the oracle.

    Units: price units (oracle > 0), result in 1e-10 of the oracle price. Source: HYPERLIQUID 9.1.
    """
    gap = max(impact_bid - oracle_price, 0) - max(oracle_price - impact_ask, 0)
    return ratio_scaled(gap, oracle_price, PREMIUM_DECIMALS)


def hourly_rate(total: int, samples: int, clamp: int = CLAMP, hours: int = HOURS) -> int:
    """Return the hour's funding rate for the sum of its premium samples.

    Units: 1e-10, all; samples > 0. Sign: positive is paid by longs. Rounded half away from zero, once.
    Source: HYPERLIQUID 9.1; clamp and hours are arguments because the venue changed both in 2023.
    """
    interest = max(-clamp * samples, min(INTEREST * samples - total, clamp * samples))
    amount, whole = total + interest, hours * samples
    rate = (abs(amount) + whole // 2) // whole
    rate = min(rate, RATE_CAP)
    return rate if amount >= 0 else -rate


def as_rate(fine: int) -> int:
    """Return a rate of 1e-10 as Rate (1e-9), rounded half away from zero."""
    return (abs(fine) + 5) // 10 * (1 if fine >= 0 else -1)


class PremiumHour:
    """Samples of the running hour of one market."""

    __slots__ = ("samples", "total", "ts_next_ns")

    def __init__(self, ts_ns: int) -> None:
        """Start with no sample; the first is due at the next whole five seconds."""
        self.total = self.samples = 0
        self.ts_next_ns = ts_ns - ts_ns % SAMPLE_NS + SAMPLE_NS

    def sample(self, ts_ns: int, impact_bid: int, impact_ask: int, oracle_price: int) -> None:
        """Take the sample that is due. A side too thin (0), or no oracle, gives none: the time passes all the same."""
        self.ts_next_ns = ts_ns - ts_ns % SAMPLE_NS + SAMPLE_NS
        if impact_bid and impact_ask and oracle_price:
            self.total += premium(impact_bid, impact_ask, oracle_price)
            self.samples += 1

    @property
    def average(self) -> int:
        """The hour's premium so far, 0 without samples. Units: 1e-10, rounded half away from zero."""
        return ratio_scaled(self.total, self.samples, 0) if self.samples else 0

    @property
    def rate(self) -> int:
        """The funding rate the hour would settle at now. Units: 1e-10."""
        return hourly_rate(self.total, max(self.samples, 1))

    def settle(self) -> tuple[int, int]:
        """Return (funding rate, premium) of the hour that ended, and begin the next. Units: 1e-10."""
        settled = self.rate, self.average
        self.total = self.samples = 0
        return settled


def next_hour_ns(ts_ns: int) -> int:
    """Return the next settlement strictly after a time."""
    return ts_ns - ts_ns % NS_PER_HOUR + NS_PER_HOUR
