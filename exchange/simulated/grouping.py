"""Actions whose orders belong together: a parent with its take-profit and stop, or both for a whole position.

Rules 44 to 46 of docs/FILLS.md. A child the venue would not take refuses the whole action: a position without the stop
that was sent with it is worse than none. Source: HYPERLIQUID 3.2, 3.5.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exchange.simulated import refusals
from exchange.simulated.accounts import Account
from exchange.simulated.records import OrderResult, Status, Terms
from exchange.simulated.refusals import Refusal, refusal
from exchange.simulated.triggers import children_objection, position_objection

if TYPE_CHECKING:
    from exchange.simulated.venue import Venue


def place_with_children(venue: "Venue", account: Account, orders: Sequence[Terms]) -> list[OrderResult]:
    """Place a parent; its children wait for its fill, or for their triggers when it fills at once."""
    parent, children = orders[0], orders[1:]
    refused = children_objection(orders) or _first_objection(venue, account, children, entry_of(venue, parent))
    if refused is not None:
        return [OrderResult(refusal=refused, is_batch=True)]
    result = venue.place_one(account, parent)
    if result.refusal is not None or result.order is None:
        return [result, *(OrderResult(refusal=result.refusal) for _ in children)]
    triggers, order = venue.triggers, result.order
    is_filled = order.status == Status.FILLED
    status = Status.OPEN if is_filled else Status.WAITING_FOR_FILL
    waiting = [triggers.wait(account, child, status) for child in children]
    triggers.adopt(order, waiting)
    if not order.is_open and not is_filled:
        triggers.on_ended(order)
    answer = "trigger" if is_filled else "fill"
    return [result, *(OrderResult(order=child, waiting=answer) for child in waiting)]


def place_for_position(venue: "Venue", account: Account, orders: Sequence[Terms]) -> list[OrderResult]:
    """Place a take-profit, a stop or both for a position; a size of zero follows the position."""
    refused = position_objection(orders) or _first_objection(venue, account, orders, 0, is_whole_position=True)
    if refused is not None:
        return [OrderResult(refusal=refused, is_batch=True)]
    waiting = [venue.triggers.wait(account, terms) for terms in orders]
    venue.triggers.watch_position(waiting)
    return [OrderResult(order=order, waiting="trigger") for order in waiting]


def entry_of(venue: "Venue", parent: Terms) -> int:
    """Return the price a parent will be filled at or better: its limit, or the mark when that is better."""
    mark = venue.markets[parent.symbol].reference()
    if not mark:
        return parent.price
    return min(mark, parent.price) if parent.side > 0 else max(mark, parent.price)


def _first_objection(
    venue: "Venue", account: Account, orders: Sequence[Terms], entry: int, *, is_whole_position: bool = False
) -> Refusal | None:
    """Return the first objection to any of the waiting orders; their names must be new and not twice the same."""
    names = [terms.client_order_id for terms in orders if terms.client_order_id]
    if len(names) > len(set(names)) or any(venue.is_known(account, name) for name in names):
        return refusal(refusals.DUPLICATE_ORDER)
    for terms in orders:
        refused = venue.triggers.objection(
            account, terms, entry=entry, is_whole_position=is_whole_position, is_child=not is_whole_position
        )
        if refused is not None:
            return refused
    return None
