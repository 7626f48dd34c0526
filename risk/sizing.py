"""Sizing: how much of a wanted order the limits leave.

Why it exists: an order that is a little too large is better cut than refused. Every limit on notional becomes a limit
on lots, the tightest one wins, and it is named.

Laws: sizing never enlarges and never goes below zero; lots that only reduce the position (`closing`) are cut by nothing but the limit on one
order; what is left keeps the position, on the order's side and at mark, within every limit.
All functions run plain and compiled, and call no other.
"""

from domain.reasons import Reason

ORDER_NOTIONAL = int(Reason.ORDER_NOTIONAL)
POSITION_NOTIONAL = int(Reason.POSITION_NOTIONAL)
TOTAL_EXPOSURE = int(Reason.TOTAL_EXPOSURE)
LEVERAGE = int(Reason.LEVERAGE)


def closing_lots(side: int, position: int, reach: int, reduce_only: bool) -> int:
    """Return how many lots of an order can do nothing but reduce the position.

    A reduce-only order may close all of it, whatever else is open: the venue itself keeps it from going through zero.
    Any other order shares the position with the orders open on its side.

    Units: lots; side 1 or -1; position signed; reach as risk.exposure.reach gives it, without this order.
    """
    most = -position if side > 0 else position
    room = most if reduce_only else -reach
    return max(room, 0)


def sized_lots(
    lots: int,
    reach: int,
    closing: int,
    order_unit: int,
    mark_unit: int,
    order_notional_max: int,
    position_notional_max: int,
    total_exposure_max: int,
    leverage_exposure_max: int,
    other_exposure: int,
) -> tuple[int, int]:
    """Return the lots the limits leave, and the code of the limit that cut them (0: none did).

    Units: Money, but lots, reach and closing in lots; order_unit and mark_unit (> 0) are the value of one lot at the
    order's price and at mark; other_exposure is that of the other instruments.
    """
    left, code = lots, 0
    room = order_notional_max // order_unit
    if room < left:
        left, code = room, ORDER_NOTIONAL
    room = max(position_notional_max // mark_unit - reach, closing)
    if room < left:
        left, code = room, POSITION_NOTIONAL
    room = max((total_exposure_max - other_exposure) // mark_unit - reach, closing)
    if room < left:
        left, code = room, TOTAL_EXPOSURE
    room = max((leverage_exposure_max - other_exposure) // mark_unit - reach, closing)
    if room < left:
        left, code = room, LEVERAGE
    return max(left, 0), code


def is_too_small(left: int, order_unit: int, notional_min: int, closes_all: bool) -> bool:
    """Say whether the rest of a cut order is below the venue's smallest order, which closing a whole position may be.

    Units: lots; Money for the value of one lot at the order's price and for the minimum.
    Source: HYPERLIQUID 3.5 (third-party measurements on the venue), read 2026-11-20.
    """
    return left * order_unit < notional_min and not closes_all
