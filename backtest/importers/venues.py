"""Instruments for recorded Hyperliquid coins: from the venue's table when it is one we ship, else from the data.

Laws: a coin's price decimals follow from its size decimals, so the finest size seen is enough to read every price.
"""

from domain.instrument import PERPETUAL_DECIMALS, Instrument, perpetual
from exchange.hyperliquid.universe import UNIVERSE

UNKNOWN_LEVERAGE_MAX = 3
"""The lowest maximum the venue gives any perpetual. Source: HYPERLIQUID 9.3, read 2026-11-20."""


def hyperliquid_perpetual(coin: str, size_decimals_seen: int) -> tuple[Instrument, list[str]]:
    """Return the instrument of a coin, and what there is to say about it."""
    known = UNIVERSE.get(coin)
    if known is not None and size_decimals_seen <= known.size_decimals:
        return known, []
    why = "it is not in the table of instruments" if known is None else "the table's lot is coarser than the data"
    size_decimals = min(size_decimals_seen, PERPETUAL_DECIMALS)
    note = (
        f"{coin}: size decimals ({size_decimals}) are taken from the data, leverage_max is {UNKNOWN_LEVERAGE_MAX} and "
        f"asset_id is 0, because {why}."
    )
    return perpetual(coin, 0, size_decimals, UNKNOWN_LEVERAGE_MAX), [note]
