"""The instruments we ship: what a run without a venue to ask may trade.

Recorded from the venue's own `meta`, asset ids included; a live run asks the venue instead (`instruments.py`).
Source: mainnet `metaAndAssetCtxs` recorded 2026-02-06 (HYPERLIQUID 2.2, 9.3); a test compares with that recording.
"""

from typing import Final

from domain.instrument import Instrument, MarginTier, perpetual
from domain.units import MONEY_UNIT, Money


def _tiers(*rows: tuple[int, int]) -> tuple[MarginTier, ...]:
    """Return tiers from (lower bound in whole USDC, highest leverage)."""
    return tuple(MarginTier(lower_bound=Money(bound * MONEY_UNIT), leverage_max=leverage) for bound, leverage in rows)


UNIVERSE: Final[dict[str, Instrument]] = {
    instrument.symbol: instrument
    for instrument in (
        perpetual("BTC", 0, 5, 40, _tiers((0, 40), (150_000_000, 20))),
        perpetual("ETH", 1, 4, 25, _tiers((0, 25), (100_000_000, 15))),
        perpetual("SOL", 5, 2, 20, _tiers((0, 20), (70_000_000, 10))),
        perpetual("DOGE", 12, 0, 10, _tiers((0, 10), (20_000_000, 5))),
        perpetual("kPEPE", 15, 0, 10, _tiers((0, 10), (20_000_000, 5))),
        perpetual("XRP", 25, 0, 20, _tiers((0, 20), (40_000_000, 10))),
        perpetual("HYPE", 159, 2, 10, _tiers((0, 10), (20_000_000, 5))),
        perpetual("FARTCOIN", 165, 1, 10, _tiers((0, 10), (20_000_000, 5))),
        perpetual("WLFI", 204, 0, 5),
    )
}
"""Symbol to instrument, in the order of asset ids."""
