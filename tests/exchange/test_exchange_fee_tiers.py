"""Fee tiers: the venue's table, its bounds, rebates and discounts, and compiled twins."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.units import MONEY_UNIT, NS_PER_DAY, RATE_UNIT, Rate, money_times_rate
from exchange.simulated import fee_tiers as room
from exchange.simulated.fee_tiers import (
    MAKER_REBATES,
    REFERRAL_DISCOUNT,
    STAKING_DISCOUNTS,
    TIER_BOUNDS,
    TIERS,
    WINDOW_DAYS,
    combined_discount,
    day_of,
    discounted,
    fee_rates,
    is_share_above,
    staking_discount,
    tier_at,
    window_volume,
)
from exchange.simulated.settings import FEE_RATE_MAX, MAKER_RATE, TAKER_RATE
from tests.exchange.compiled_twins import assert_twins_agree

VOLUME = st.integers(0, 9 * 10**18)
RATE = st.integers(-(RATE_UNIT // 100), RATE_UNIT // 100)
DISCOUNT = st.integers(0, RATE_UNIT)
MILLION = 1_000_000 * MONEY_UNIT


def test_the_table_is_the_venues() -> None:
    """Source: HYPERLIQUID 8, in thousandths of a percent."""
    shown = [
        (int(tier.volume_above) // MILLION, *(int(rate) // 10_000 for rate in _rates(tier.rates))) for tier in TIERS
    ]
    assert [
        (0, 45, 15, 70, 40),
        (5, 40, 12, 60, 30),
        (25, 35, 8, 50, 20),
        (100, 30, 4, 40, 10),
        (500, 28, 0, 35, 0),
        (2_000, 26, 0, 30, 0),
        (7_000, 24, 0, 25, 0),
    ] == shown


def _rates(rates: room.FeeRates) -> tuple[Rate, ...]:
    """Return the four rates in the order of the venue's table."""
    return rates.taker, rates.maker, rates.spot_taker, rates.spot_maker


def test_without_volume_rates_are_the_settings_defaults() -> None:
    assert (TAKER_RATE, MAKER_RATE) == _rates(fee_rates(0))[:2]


def test_a_bound_belongs_to_the_tier_below_it() -> None:
    for tier, bound in enumerate(TIER_BOUNDS[1:], start=1):
        assert [tier - 1, tier] == [tier_at(bound, TIER_BOUNDS), tier_at(bound + 1, TIER_BOUNDS)]


@given(VOLUME, st.integers(0, 10**17), st.integers(0, 10**17), st.integers(0, 10**18), DISCOUNT)
def test_more_volume_never_costs_more(volume, more, maker_volume, venue_volume, discount) -> None:
    dear = fee_rates(volume, maker_volume, venue_volume, discount)
    cheap = fee_rates(volume + more, maker_volume, venue_volume, discount)
    makes_more = fee_rates(volume, maker_volume + more, venue_volume, discount)
    for before, after, made in zip(_rates(dear), _rates(cheap), _rates(makes_more), strict=True):
        assert -FEE_RATE_MAX <= after <= before <= FEE_RATE_MAX
        assert made <= before


def test_a_rebate_replaces_the_maker_rate_above_its_share() -> None:
    venue = 1_000_000 * MONEY_UNIT
    for rebate in MAKER_REBATES:
        share = venue // 1_000 * rebate.share_above_permille
        at, above = (fee_rates(0, volume, venue) for volume in (share, share + 1))
        assert at.maker > above.maker == rebate.rate == above.spot_maker
        assert at.taker == above.taker
    assert [-10_000, -20_000, -30_000] == [rebate.rate for rebate in MAKER_REBATES]
    assert MAKER_RATE == fee_rates(0, 0, 0).maker


@given(st.integers(0, 10**18), st.integers(0, 10**18), st.integers(0, 1_000))
def test_a_share_is_compared_exactly(part: int, whole: int, permille: int) -> None:
    assert (part > Fraction(whole * permille, 1_000)) == is_share_above(part, whole, permille)


@given(RATE, DISCOUNT)
def test_a_discount_lowers_fees_and_leaves_rebates(rate: int, discount: int) -> None:
    after = discounted(rate, discount)
    if rate <= 0:
        assert after == rate
    else:
        assert 0 <= after <= rate
        assert abs(Fraction(rate * (RATE_UNIT - discount), RATE_UNIT) - after) <= Fraction(1, 2)


@given(DISCOUNT, DISCOUNT)
def test_two_discounts_make_one(first: int, second: int) -> None:
    both = combined_discount(first, second)
    assert both == combined_discount(second, first)
    assert max(first, second) <= both <= RATE_UNIT


def test_discounts_of_the_documents() -> None:
    staked = (0, 10, 11, 101, 1_001, 10_001, 100_001, 500_001)
    percents = [int(staking_discount(amount)) * 100 // RATE_UNIT for amount in staked]
    assert [0, 0, 5, 10, 15, 20, 30, 40] == percents
    assert len(STAKING_DISCOUNTS) == 6
    assert 432_000 == fee_rates(0, discount=REFERRAL_DISCOUNT).taker
    both = combined_discount(staking_discount(11), REFERRAL_DISCOUNT)
    assert 410_400 == fee_rates(0, discount=both).taker


def test_a_window_is_the_fourteen_days_before() -> None:
    by_day = dict.fromkeys(range(80, 101), (1, 10))
    assert (WINDOW_DAYS, 10 * WINDOW_DAYS) == window_volume(by_day, 100)
    assert (1, 10) == window_volume(by_day, 81)
    assert (0, 0) == window_volume({100: (5, 5), 85: (5, 5)}, 100)
    assert (5, 5) == window_volume({86: (5, 5)}, 100)


def test_a_day_is_a_day_of_utc() -> None:
    assert [0, 0, 1] == [day_of(at) for at in (0, NS_PER_DAY - 1, NS_PER_DAY)]


def test_functions_give_the_same_when_compiled(monkeypatch) -> None:
    assert_twins_agree(
        monkeypatch,
        room,
        {
            "tier_at": st.tuples(VOLUME, st.just(TIER_BOUNDS)),
            "is_share_above": st.tuples(VOLUME, VOLUME, st.integers(0, 1_000)),
            "discounted": st.tuples(RATE, DISCOUNT),
            "combined_discount": st.tuples(DISCOUNT, DISCOUNT),
            "day_of": st.tuples(st.integers(0, 4 * 10**18)),
        },
        money_times_rate,
    )
