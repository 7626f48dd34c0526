"""Settings of the simulated venue: money, fees, margin, queue model, latencies, seed.

Frozen and in units; text and files are read elsewhere. `validated` refuses what makes no sense, by name.
"""

from enum import StrEnum

import msgspec

from domain.errors import ConfigInvalid
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND, RATE_UNIT, Money, Rate

MAKER_RATE = Rate(150_000)
TAKER_RATE = Rate(450_000)
"""Fee tier 0 of the venue, 0.015 % and 0.045 %. Source: HYPERLIQUID 8."""

FEE_RATE_MAX = RATE_UNIT // 100
"""One percent: no tier, rebate or builder fee is above it (HYPERLIQUID 8)."""

OPEN_ORDERS_MAX = 1000
"""Open orders of one account before volume earns more. Source: HYPERLIQUID 6.3."""

LATENCY_NS_MAX = 60 * NS_PER_SECOND
SIGMA_MAX = Rate(2 * RATE_UNIT)
SEED_MAX = 2**64 - 1
LEVERAGE_MAX = 100
CASH_MAX = Money(1_000_000_000 * MONEY_UNIT)


class QueueModel(StrEnum):
    """How the queue ahead of a resting order shrinks when displayed size falls without a trade (FILLS 11, 12)."""

    CONSERVATIVE = "conservative"
    PROBABILISTIC = "probabilistic"


class LatencySettings(msgspec.Struct, frozen=True, kw_only=True):
    """One way of travel: log-normal with this median, constant when sigma is 0.

    Units: median_ns nanoseconds; sigma is the standard deviation of the natural logarithm, as Rate (1e-9).
    """

    median_ns: int = 0
    sigma: Rate = Rate(0)


class VenueSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the simulated venue can be told.

    Units: cash in Money; rates of notional, negative is a rebate; leverage caps initial margin together with the
    instrument's tiers. feed_latency None leaves the feed's own receive times as they are; otherwise they are replaced.
    """

    cash: Money = Money(10_000 * MONEY_UNIT)
    leverage: int = 3
    maker_rate: Rate = MAKER_RATE
    taker_rate: Rate = TAKER_RATE
    open_orders_max: int = OPEN_ORDERS_MAX
    queue_model: QueueModel = QueueModel.CONSERVATIVE
    feed_latency: LatencySettings | None = None
    order_latency: LatencySettings = LatencySettings(median_ns=50 * NS_PER_MS)
    response_latency: LatencySettings = LatencySettings(median_ns=20 * NS_PER_MS)
    seed: int = 1
    funding_on: bool = True


def validated(settings: VenueSettings) -> VenueSettings:
    """Return the settings unchanged.

    Raises: ConfigInvalid naming the first key that is out of range, its value and the range.
    """
    _within("venue.cash", settings.cash, 0, CASH_MAX)
    _within("venue.leverage", settings.leverage, 1, LEVERAGE_MAX)
    _within("venue.maker_rate", settings.maker_rate, -FEE_RATE_MAX, FEE_RATE_MAX)
    _within("venue.taker_rate", settings.taker_rate, -FEE_RATE_MAX, FEE_RATE_MAX)
    _within("venue.open_orders_max", settings.open_orders_max, 1, 1_000_000)
    _within("venue.seed", settings.seed, 0, SEED_MAX)
    ways = (("feed", settings.feed_latency), ("order", settings.order_latency), ("response", settings.response_latency))
    for name, latency in ways:
        if latency is not None:
            _within(f"venue.{name}_latency.median_ns", latency.median_ns, 0, LATENCY_NS_MAX)
            _within(f"venue.{name}_latency.sigma", latency.sigma, 0, SIGMA_MAX)
    return settings


def _within(key: str, value: int, low: int, high: int) -> None:
    """Raise ConfigInvalid unless low <= value <= high."""
    if not low <= value <= high:
        raise ConfigInvalid(key, value, f"{low}..{high}")
