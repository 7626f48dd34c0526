"""What an account pays per trade: tiers by fourteen days of volume, maker rebates, discounts.

Why it exists: an account's rates change with what it and the venue traded. Rates are assessed once a day, at the end
of the UTC day, from the fourteen days that ended.

Laws: more volume never costs more; a discount never touches a rebate; a bound itself belongs to the tier below it.

Accuracy: the table is the venue's. Not checked against recorded fees: the recorded fills carry none.
Source: HYPERLIQUID 8 (venue docs, "Fees"), read 2026-11-20.
"""

from collections.abc import Mapping

import msgspec

from domain.units import MONEY_UNIT, NS_PER_DAY, RATE_UNIT, Money, Rate, money_times_rate
from exchange.simulated.settings import MAKER_RATE, TAKER_RATE

WINDOW_DAYS = 14
SPOT_WEIGHT = 2
"""Spot volume counts twice."""


class FeeRates(msgspec.Struct, frozen=True, kw_only=True):
    """What a trade costs. Units: rates of notional. Sign: negative is a rebate."""

    taker: Rate
    maker: Rate
    spot_taker: Rate
    spot_maker: Rate


class FeeTier(msgspec.Struct, frozen=True, kw_only=True):
    """Rates of an account whose weighted volume of fourteen days is above a bound."""

    volume_above: Money
    rates: FeeRates


class MakerRebate(msgspec.Struct, frozen=True, kw_only=True):
    """The maker rate of an account above a share of all maker volume. Units: share in parts per thousand."""

    share_above_permille: int
    rate: Rate


def _tier(millions: int, taker: int, maker: int, spot_taker: int, spot_maker: int) -> FeeTier:
    """Return a tier from whole millions of USDC and rates in 1e-9."""
    rates = FeeRates(taker=Rate(taker), maker=Rate(maker), spot_taker=Rate(spot_taker), spot_maker=Rate(spot_maker))
    return FeeTier(volume_above=Money(millions * 1_000_000 * MONEY_UNIT), rates=rates)


TIERS = (
    _tier(0, int(TAKER_RATE), int(MAKER_RATE), 700_000, 400_000),
    _tier(5, 400_000, 120_000, 600_000, 300_000),
    _tier(25, 350_000, 80_000, 500_000, 200_000),
    _tier(100, 300_000, 40_000, 400_000, 100_000),
    _tier(500, 280_000, 0, 350_000, 0),
    _tier(2_000, 260_000, 0, 300_000, 0),
    _tier(7_000, 240_000, 0, 250_000, 0),
)
TIER_BOUNDS = tuple(int(tier.volume_above) for tier in TIERS)
MAKER_REBATES = (
    MakerRebate(share_above_permille=5, rate=Rate(-10_000)),
    MakerRebate(share_above_permille=15, rate=Rate(-20_000)),
    MakerRebate(share_above_permille=30, rate=Rate(-30_000)),
)
STAKING_DISCOUNTS = (
    (10, Rate(50_000_000)),
    (100, Rate(100_000_000)),
    (1_000, Rate(150_000_000)),
    (10_000, Rate(200_000_000)),
    (100_000, Rate(300_000_000)),
    (500_000, Rate(400_000_000)),
)
"""(HYPE staked, more than; discount)."""
REFERRAL_DISCOUNT = Rate(40_000_000)
REFERRAL_VOLUME_MAX = Money(25_000_000 * MONEY_UNIT)
"""A referred account saves 4 % of its fees on its first 25 million of volume."""


def tier_at(volume: int, bounds: tuple[int, ...]) -> int:
    """Return the last tier whose bound the volume is above; 0 for none. Shape: bounds ascend, the first is 0."""
    tier = 0
    for index in range(1, len(bounds)):
        if volume > bounds[index]:
            tier = index
    return tier


def is_share_above(part: int, whole: int, permille: int) -> bool:
    """Say whether part / whole is above so many thousandths, exactly. Units: any, both >= 0."""
    return part > whole // 1_000 * permille + whole % 1_000 * permille // 1_000


def discounted(rate: int, discount: int) -> int:
    """Return a rate less its discount; a rebate keeps its size. Units: 1e-9, both; rounded half away from zero."""
    return rate if rate <= 0 else money_times_rate(rate, RATE_UNIT - discount)


def staking_discount(staked: int) -> Rate:
    """Return the discount for whole HYPE staked."""
    best = Rate(0)
    for above, discount in STAKING_DISCOUNTS:
        if staked > above:
            best = discount
    return best


def window_volume(by_day: Mapping[int, tuple[int, int]], day: int) -> tuple[int, int]:
    """Return (maker, taker) volume of the fourteen days that ended before a day.

    Units: days since 1970 in UTC, Money. Days without trade may be missing.
    """
    maker = taker = 0
    for earlier in range(day - WINDOW_DAYS, day):
        made, took = by_day.get(earlier, (0, 0))
        maker += made
        taker += took
    return maker, taker


def day_of(ts_ns: int) -> int:
    """Return the UTC day of a time, in days since 1970."""
    return ts_ns // NS_PER_DAY


def fee_rates(volume: int, maker_volume: int = 0, venue_maker_volume: int = 0, discount: int = 0) -> FeeRates:
    """Return the rates of an account for a day.

    Units: Money of the fourteen days before it; volume is perpetuals plus SPOT_WEIGHT times spot, sub-accounts
    included; discount in 1e-9 (staking, then referral, by `combined_discount`). A rebate replaces both maker rates, as
    the venue's fee schedule names one rate for it (HYPERLIQUID 2.4, userFees).
    """
    rates = TIERS[tier_at(volume, TIER_BOUNDS)].rates
    maker, spot_maker = int(rates.maker), int(rates.spot_maker)
    for rebate in MAKER_REBATES:
        if is_share_above(maker_volume, venue_maker_volume, rebate.share_above_permille):
            maker = spot_maker = int(rebate.rate)
    return FeeRates(
        taker=Rate(discounted(rates.taker, discount)),
        maker=Rate(discounted(maker, discount)),
        spot_taker=Rate(discounted(rates.spot_taker, discount)),
        spot_maker=Rate(discounted(spot_maker, discount)),
    )


def combined_discount(first: int, second: int) -> int:
    """Return the discount that two discounts one after the other make. Units: 1e-9."""
    return first + second - money_times_rate(first, second)
