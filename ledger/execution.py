"""How well one fill was executed: where the money between the decision and a minute after the fill went.

Why it exists: profit by cause says what came of a position; this says what our own timing and the price we got added or
took. A maker lives of the spread it captures and pays for it with what the market does next (adverse selection).

The way of the mid, doubled to stay exact: at decision, when the venue took the order (arrival), at the fill, then 1, 10
and 60 seconds later. Each part is the step between two of these, for the side of the fill, times its lots.

Laws: delay + drift + spread captured = -slippage, the cost against the mid at decision that the book remembers; and
total = -slippage + the three steps of the mid after the fill; both to the last unit, for every instrument. A mid nobody
knew (0) counts as the one before it, so its step is 0 and the next one holds both. A fill without a mid at decision
(liquidation, deleveraging) has no execution of ours to judge: what is before the fill is 0.
"""

from collections.abc import Mapping

import msgspec

from domain.units import NS_PER_SECOND, Money
from ledger.pnl import fill_slippage

HORIZONS_NS = (1 * NS_PER_SECOND, 10 * NS_PER_SECOND, 60 * NS_PER_SECOND)
"""When the mid is looked at again after a fill."""

Parts = tuple[int, int, int, int, int, int]
"""Delay, drift, spread captured, and the steps to 1, 10 and 60 seconds after the fill."""


class Execution(msgspec.Struct, frozen=True, gc=False):
    """The parts of one fill's execution. Units: Money. Sign: > 0 is a gain; for slippage alone > 0 is a cost.

    delay: the mid moved between decision and arrival; drift: between arrival and fill; spread_captured: the fill price
    against the mid at the fill; adverse_*: the mid moved from the fill to 1 s, from 1 s to 10 s, from 10 s to 60 s.
    """

    delay: Money
    drift: Money
    spread_captured: Money
    adverse_1s: Money
    adverse_10s: Money
    adverse_60s: Money
    slippage: Money
    total: Money


def execution_of(
    side: int,
    price: int,
    lots: int,
    decision_mid_x2: int,
    arrival_mid_x2: int,
    fill_mid_x2: int,
    markouts: Mapping[int, int],
    money_per_unit: int,
) -> Execution:
    """Return the execution of a fill.

    Units: price in price units, mids twice that, lots > 0. Shape: markouts from horizon_ns to doubled mid; the ones of
    HORIZONS_NS count, a missing one is unknown.
    """
    after_1s, after_10s, after_60s = (markouts.get(horizon_ns, 0) for horizon_ns in HORIZONS_NS)
    delay, drift, spread, adverse_1s, adverse_10s, adverse_60s = execution_parts(
        side, price, lots, money_per_unit, decision_mid_x2, arrival_mid_x2, fill_mid_x2, after_1s, after_10s, after_60s
    )
    slippage = -(delay + drift + spread)
    return Execution(
        Money(delay),
        Money(drift),
        Money(spread),
        Money(adverse_1s),
        Money(adverse_10s),
        Money(adverse_60s),
        Money(slippage),
        Money(adverse_1s + adverse_10s + adverse_60s - slippage),
    )


def execution_parts(
    side: int,
    price: int,
    lots: int,
    money_per_unit: int,
    decision_mid_x2: int,
    arrival_mid_x2: int,
    fill_mid_x2: int,
    after_1s_x2: int,
    after_10s_x2: int,
    after_60s_x2: int,
) -> Parts:
    """Return the parts of an execution in Money; a mid of 0 is unknown. Runs plain and compiled.

    Every step is the difference of two distances from the fill price, each rounded by itself as slippage is: so the
    steps add up exactly although half units are rounded.
    """
    arrival_x2 = arrival_mid_x2 if arrival_mid_x2 > 0 else decision_mid_x2
    fill_x2 = fill_mid_x2 if fill_mid_x2 > 0 else arrival_x2
    at_1s_x2 = after_1s_x2 if after_1s_x2 > 0 else fill_x2
    at_10s_x2 = after_10s_x2 if after_10s_x2 > 0 else at_1s_x2
    at_60s_x2 = after_60s_x2 if after_60s_x2 > 0 else at_10s_x2
    at_decision = fill_slippage(side, price, lots, decision_mid_x2, money_per_unit)
    at_arrival = fill_slippage(side, price, lots, arrival_x2, money_per_unit)
    at_fill = fill_slippage(side, price, lots, fill_x2, money_per_unit)
    at_1s = fill_slippage(side, price, lots, at_1s_x2, money_per_unit)
    at_10s = fill_slippage(side, price, lots, at_10s_x2, money_per_unit)
    at_60s = fill_slippage(side, price, lots, at_60s_x2, money_per_unit)
    is_decided = decision_mid_x2 > 0
    return (
        at_arrival - at_decision if is_decided else 0,
        at_fill - at_arrival if is_decided else 0,
        -at_fill if is_decided else 0,
        at_fill - at_1s if fill_x2 > 0 else 0,
        at_1s - at_10s if at_1s_x2 > 0 else 0,
        at_10s - at_60s if at_10s_x2 > 0 else 0,
    )
