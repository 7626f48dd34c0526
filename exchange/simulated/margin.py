"""Initial margin with tiers: plain integer functions, compiled unchanged by numba.

Only what the venue asks for before it takes an order or matches it. Liquidation is left out (docs/FILLS.md, last section).
Source: HYPERLIQUID 9.3.
"""


def leverage_at(notional: int, leverage: int, lower_bounds: tuple[int, ...], leverages: tuple[int, ...]) -> int:
    """Return the leverage a position of this notional may use: the account's, capped by its tier.

    Units: notional and lower_bounds in Money (>= 0). Shape: both tuples ascend by bound, the first bound is 0.
    """
    cap = leverages[0]
    for index in range(len(lower_bounds)):
        if notional >= lower_bounds[index]:
            cap = leverages[index]
    return min(leverage, cap)


def initial_margin(notional: int, leverage: int) -> int:
    """Return notional / leverage, rounded up. Units: Money (>= 0)."""
    return (notional + leverage - 1) // leverage


def worst_lots(position: int, open_buys: int, open_sells: int) -> int:
    """Return the largest position, without sign, that resting orders could make of this one. Units: lots."""
    return max(abs(position + open_buys), abs(position - open_sells))
