"""`hat instruments`: the built-in table, or what a venue lists now, asked through the official SDK."""

from collections.abc import Iterable
from typing import Any

from hyperliquid.utils.constants import MAINNET_API_URL, TESTNET_API_URL

from domain.instrument import Instrument
from domain.units import MONEY_UNIT, format_money, format_scaled
from exchange.hyperliquid.instruments import fetch_instruments
from exchange.hyperliquid.universe import UNIVERSE

NETWORKS = {"mainnet": MAINNET_API_URL, "testnet": TESTNET_API_URL}


def instruments_of(place: str) -> tuple[Instrument, ...]:
    """Return the built-in instruments (empty place), or those of mainnet, testnet or a venue's base URL.

    Raises: DataInvalid when the venue does not answer.
    """
    if not place:
        return tuple(UNIVERSE.values())
    return fetch_instruments(NETWORKS.get(place, place))


def shapes(instruments: Iterable[Instrument]) -> list[dict[str, Any]]:
    """Return instruments as plain data: sizes and ticks as decimal text, tier bounds in whole USDC."""
    return [
        {
            "symbol": one.symbol,
            "asset_id": one.asset_id,
            "size_step": format_scaled(1, one.size_decimals),
            "price_step_min": format_scaled(one.tick_min, one.price_decimals),
            "significant_figures": one.significant_figures,
            "notional_min": format_money(one.notional_min),
            "leverage_max": one.leverage_max,
            "margin_tiers": [
                {"from_usd": tier.lower_bound // MONEY_UNIT, "leverage_max": tier.leverage_max}
                for tier in one.margin_tiers
            ],
        }
        for one in instruments
    ]
