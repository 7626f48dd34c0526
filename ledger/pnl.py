"""Profit and loss by cause.

Law: net = realized + unrealized + funding - fees + rebates, and equity = transfers + unexplained + net, to the last
unit. Two memos are parts of these and not added again: liquidation is what of realized the venue's own closings made,
slippage is how much of realized and unrealized the distance between our fills and the mid at decision took.
"""

import msgspec

from domain.units import Money


class ProfitAndLoss(msgspec.Struct, frozen=True, gc=False):
    """Where the money came from, at given marks.

    Units: Money. Sign: realized, unrealized, net > 0 are gains; funding > 0 is received; fees and rebates are never
    negative; slippage > 0 is a cost. Equity is cash plus positions at mark; for one instrument alone it is its net.
    """

    realized: Money
    unrealized: Money
    funding: Money
    fees: Money
    rebates: Money
    slippage: Money
    liquidation: Money
    net: Money
    equity: Money


def net_of(realized: int, unrealized: int, funding: int, fees: int, rebates: int) -> int:
    """Return net profit by its law."""
    return realized + unrealized + funding - fees + rebates


def profit_and_loss(
    realized: int,
    unrealized: int,
    funding: int,
    fees: int,
    rebates: int,
    slippage: int,
    equity: int,
    liquidation: int = 0,
) -> ProfitAndLoss:
    """Return profit and loss by cause with its net; equity is whatever the caller counted on the side of what we own."""
    return ProfitAndLoss(
        Money(realized),
        Money(unrealized),
        Money(funding),
        Money(fees),
        Money(rebates),
        Money(slippage),
        Money(liquidation),
        Money(net_of(realized, unrealized, funding, fees, rebates)),
        Money(equity),
    )


def fill_slippage(side: int, price: int, lots: int, mid_x2: int, money_per_unit: int) -> int:
    """Return what a fill cost against a mid: side * (price - mid) * lots.

    Units: price and mid_x2 (twice the mid) in price units, lots > 0, result in Money. Sign: > 0 is a cost; a maker's
    fill is usually negative. An unknown mid (0) gives 0. Exact for every perpetual (money_per_unit is even); else
    half a unit is rounded away from zero.
    """
    if mid_x2 <= 0:
        return 0
    doubled = side * (2 * price - mid_x2) * lots * money_per_unit
    return (doubled + 1) // 2 if doubled >= 0 else -((1 - doubled) // 2)
