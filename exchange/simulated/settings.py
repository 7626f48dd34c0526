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


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of the house that one paper account can do without, and a venue for everybody cannot.

    The defaults are those of the in-process account; `FULL_RULES` are the venue's own. Units: Money, Rate.

    remembers_orders: ended orders stay in the history, and refused ones get a number and a place in it.
    reduce_only_shrinks: resting reduce-only orders give up what the position cannot fill any more (HYPERLIQUID 3.5).
    limits_order_notional: the greatest order by the coin's leverage (6.3). limits_open_orders: the 1000-5000 rule (6.3).
    liquidates: accounts below maintenance are liquidated (9.5). samples_premium: funding from our own book (9.1).
    computes_mark: mark prices from oracle and book where the feed tells none (9.2). fee_tiers_on: rates by volume (8).
    names_kept: how many client order ids at least are remembered against reuse, 0 for all of them.
    """

    remembers_orders: bool = False
    reduce_only_shrinks: bool = False
    limits_order_notional: bool = False
    limits_open_orders: bool = False
    liquidates: bool = False
    samples_premium: bool = False
    computes_mark: bool = False
    fee_tiers_on: bool = False
    names_kept: int = 0
    schedule_cancel_volume_min: Money = Money(1_000_000 * MONEY_UNIT)
    schedule_cancels_per_day_max: int = 10
    large_position: Money = Money(100_000 * MONEY_UNIT)
    market_slippage: Rate = Rate(RATE_UNIT // 10)
    backstop_address: str = "0x" + "00" * 18 + "badf"


FULL_RULES = Rules(
    remembers_orders=True,
    reduce_only_shrinks=True,
    limits_order_notional=True,
    limits_open_orders=True,
    liquidates=True,
    samples_premium=True,
    computes_mark=True,
    fee_tiers_on=True,
    names_kept=20_000,
)


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
    rules: Rules = Rules()


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
