"""Margin: what the venue asks to open a position and to keep it.

Why it exists: leverage is a promise, liquidation is arithmetic. Initial margin is asked when an order is placed,
maintenance margin at every mark; when equity falls below maintenance the venue closes the account's positions.

Laws: margins are rounded up, what margin allows is rounded down; nothing here leaves 64 bits for accounts below
90 million USDC, so compiled and plain results agree.
Source: HYPERLIQUID 9.3 and 9.5 (venue docs "Margining", "Margin tiers", "Liquidations"), read 2026-11-20.
"""

from collections.abc import Sequence

from domain.instrument import Instrument
from domain.units import RATE_UNIT

RATIO_UNBOUNDED = 2**63 - 1
"""The ratio of something to nothing."""

_THOUSAND = 1_000


def tiers_of(instrument: Instrument) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the lower bounds (Money, ascending, the first is 0) and the leverage caps of an instrument's tiers."""
    tiers = sorted((int(tier.lower_bound), tier.leverage_max) for tier in instrument.margin_tiers)
    if not tiers or tiers[0][0] > 0:
        tiers.insert(0, (0, instrument.leverage_max))
    return tuple(bound for bound, _ in tiers), tuple(cap for _, cap in tiers)


def initial_margin(notional: int, leverage: int, lower_bounds: Sequence[int], leverages: Sequence[int]) -> int:
    """Return the margin asked to open, at the account's leverage or the tier's cap if that is lower.

    Units: Money; notional at mark, not negative; leverage whole. Shape: tiers as tiers_of gives them.
    """
    allowed = leverage
    for tier in range(len(lower_bounds)):
        if notional >= lower_bounds[tier] and leverages[tier] < allowed:
            allowed = leverages[tier]
    return -(-notional // allowed)


def maintenance_margin(notional: int, lower_bounds: Sequence[int], leverages: Sequence[int]) -> int:
    """Return the margin asked to keep a position: half the initial margin at each tier's highest leverage.

    Each tier takes its share of the notional, which is the venue's formula with deductions written without them.

    Units: Money; notional at mark, not negative. Shape: tiers as tiers_of gives them.
    """
    total = 0
    upper = notional
    for tier in range(len(lower_bounds) - 1, -1, -1):
        if upper > lower_bounds[tier]:
            total += -((lower_bounds[tier] - upper) // (2 * leverages[tier]))
            upper = lower_bounds[tier]
    return total


def exposure_at_leverage(equity: int, leverage: int) -> int:
    """Return the largest exposure an equity carries at a leverage; nothing when equity is gone.

    Units: Money, Rate (3x is 3_000_000_000), Money.
    """
    if equity <= 0:
        return 0
    whole, fraction = leverage // RATE_UNIT, leverage % RATE_UNIT
    return equity * whole + equity // RATE_UNIT * fraction + equity % RATE_UNIT * fraction // RATE_UNIT


def ratio(part: int, whole: int) -> int:
    """Return part / whole as Rate, rounded down, exactly, by long division in base 1000.

    Units: both the same, not negative; whole below 9e15. Of something to nothing: RATIO_UNBOUNDED; of nothing: 0.
    """
    if part <= 0:
        return 0
    if whole <= 0 or part // whole >= RATIO_UNBOUNDED // RATE_UNIT:
        return RATIO_UNBOUNDED
    quotient, rest = part // whole, part % whole
    for _ in range(3):
        rest *= _THOUSAND
        quotient = quotient * _THOUSAND + rest // whole
        rest %= whole
    return quotient
