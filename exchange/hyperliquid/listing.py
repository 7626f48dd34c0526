"""What the venue lists, compared with what it listed when we began.

Why it exists: prices, sizes and margin are integers of an instrument's own decimals and tiers. When the venue lists it
otherwise from one day to the next, everything we would send means something else.

Laws: pure; every difference is one sentence with both values. Source: HYPERLIQUID 2.2, 9.3.
"""

from collections.abc import Iterable, Mapping

from domain.instrument import Instrument
from exchange.hyperliquid.instruments import instruments_from_meta

COMPARED = ("asset_id", "size_decimals", "price_decimals", "leverage_max", "margin_tiers")


def listing(meta: object) -> dict[str, Instrument]:
    """Return the tradable perpetuals of a decoded `meta` answer by symbol. Raises: DataInvalid."""
    return {one.symbol: one for one in instruments_from_meta(meta)}


def changes(before: Mapping[str, Instrument], now: Mapping[str, Instrument], symbols: Iterable[str]) -> dict[str, str]:
    """Return, for each of the symbols that is listed otherwise than before, in one sentence how."""
    found: dict[str, str] = {}
    for symbol in symbols:
        was, is_now = before[symbol], now.get(symbol)
        if is_now is None:
            found[symbol] = f"the venue does not list {symbol} any more"
            continue
        parts = [
            f"{name} was {_shown(getattr(was, name))} and is {_shown(getattr(is_now, name))}"
            for name in COMPARED
            if getattr(was, name) != getattr(is_now, name)
        ]
        if parts:
            found[symbol] = f"the venue lists {symbol} otherwise than at the start: {', '.join(parts)}"
    return found


def _shown(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return "[" + " ".join(f"{tier.leverage_max}x from {tier.lower_bound}" for tier in value) + "]"
