"""Moods of the synthetic market: how far it moves, how wide it quotes, when it jumps and when it goes silent.

A market draws its mood by weight and stays in it for a random time around the mean; the table below is what a quiet day
with some trouble looks like. Tests and stress runs pass a table of their own.
"""

import msgspec

from domain.units import NS_PER_SECOND, Rate


class Regime(msgspec.Struct, frozen=True, kw_only=True):
    """One mood.

    Units: rates are 1e-9 of the price; volatility per square root of a second, drift per second (its direction is
    drawn on entry), spread between best bid and best ask, jump once on entry, up or down. trade_share: of 256 events.
    Raises: ValueError when a number makes no market.
    """

    name: str
    weight: int
    duration_mean_ns: int
    volatility: Rate = Rate(25_000)
    drift: Rate = Rate(0)
    spread: Rate = Rate(200_000)
    trade_share: int = 60
    jump: Rate = Rate(0)
    is_outage: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be a market."""
        if self.weight < 1 or self.duration_mean_ns < 1:
            raise ValueError(f"regime {self.name}: weight and duration_mean_ns: expected at least 1")
        if min(self.volatility, self.drift, self.spread, self.jump) < 0 or not 0 <= self.trade_share <= 256:
            raise ValueError(f"regime {self.name}: rates below 0 or trade_share outside 0..256")
        if self.jump > 500_000_000 or self.volatility > 50_000_000:
            raise ValueError(f"regime {self.name}: jump above 50 % or volatility above 5 % per second")


CALM = Regime(name="calm", weight=50, duration_mean_ns=120 * NS_PER_SECOND)
TRENDING = Regime(
    name="trending",
    weight=22,
    duration_mean_ns=90 * NS_PER_SECOND,
    volatility=Rate(40_000),
    drift=Rate(15_000),
    spread=Rate(300_000),
    trade_share=90,
)
VOLATILE = Regime(
    name="volatile",
    weight=15,
    duration_mean_ns=45 * NS_PER_SECOND,
    volatility=Rate(150_000),
    spread=Rate(600_000),
    trade_share=120,
)
GAP = Regime(
    name="gap",
    weight=2,
    duration_mean_ns=20 * NS_PER_SECOND,
    volatility=Rate(80_000),
    spread=Rate(1_000_000),
    trade_share=120,
    jump=Rate(6_000_000),
)
OUTAGE = Regime(name="outage", weight=1, duration_mean_ns=8 * NS_PER_SECOND, volatility=Rate(80_000), is_outage=True)

REGIMES = (CALM, TRENDING, VOLATILE, GAP, OUTAGE)
