"""Average-cost arithmetic of one position, on plain integers.

Why it exists: profit is only as exact as the cost that a reduction relieves. Cost is kept as a total and never as a
price, so nothing is rounded while a position grows; a reduction relieves its share rounded toward zero and what the
rounding left stays in the position, until closing it relieves all of it.

Laws: long cost is positive, short cost negative; a flat position has no cost; cost, realized profit and the money
that changed hands always sum to zero.
Bounds: |lots| <= LOTS_MAX, so that the compiled twin stays within 64 bits.
"""

LOTS_MAX = 3_037_000_499
"""Largest integer whose square fits 64 bits: 30,370 BTC, or three billion DOGE."""


def relieved_cost(lots: int, cost: int, closed: int) -> int:
    """Return the part of the cost that closing some lots takes away: cost * closed / |lots|, rounded toward zero.

    Units: lots signed and not zero, 0 <= closed <= |lots|, cost in Money, signed like lots.
    """
    size = abs(lots)
    whole, rest = abs(cost) // size, abs(cost) % size
    share = whole * closed + rest * closed // size
    return share if cost >= 0 else -share


def apply_fill(lots: int, cost: int, change: int, value_per_lot: int) -> tuple[int, int, int]:
    """Return lots, cost and realized profit after an execution.

    Units: lots and change signed (change > 0 is bought), value_per_lot in Money (price times money per unit).
    Sign: realized > 0 is a gain; fees are not part of it.
    """
    if lots == 0 or (lots > 0) == (change > 0):
        return lots + change, cost + change * value_per_lot, 0
    closed = min(abs(change), abs(lots))
    relieved = relieved_cost(lots, cost, closed)
    closed_value = closed * value_per_lot if lots > 0 else -closed * value_per_lot
    after = lots + change
    flipped = after if (after > 0) == (change > 0) else 0
    return after, cost - relieved + flipped * value_per_lot, closed_value - relieved


def unrealized(lots: int, cost: int, mark_price: int, money_per_unit: int) -> int:
    """Return the gain a position would realize at the mark; 0 while the mark is unknown (0)."""
    return lots * mark_price * money_per_unit - cost if mark_price > 0 else 0
