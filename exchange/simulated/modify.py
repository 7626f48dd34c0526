"""Changing an order: cancel, then place anew under a new number; a refused successor leaves nothing behind.

Rules 20 and 47 of docs/FILLS.md. Source: HYPERLIQUID 3.5 (modify, measured and documented).
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from domain.order import TimeInForce
from exchange.simulated import refusals
from exchange.simulated.accounts import Account
from exchange.simulated.records import OrderResult, Status, Terms
from exchange.simulated.refusals import refusal

if TYPE_CHECKING:
    from exchange.simulated.venue import Venue


def modify(
    venue: "Venue", account: Account, target: int | str, terms: Terms, *, always_place: bool, filled: int = 0
) -> OrderResult:
    """Replace a live order. filled is what the successor takes over as filled already (the in-process door keeps it).

    Without always_place the successor must be post-only or good-till-canceled, which becomes post-only. A malformed
    successor, another side or another market is refused before anything is touched; everything later finds the old
    order gone (`is_gone`).
    """
    old = account.live(target)
    if old is None:
        return OrderResult(refusal=refusal(refusals.MODIFY_DEAD))
    if terms.symbol != old.symbol or terms.side != old.side:
        return OrderResult(refusal=refusal(refusals.MODIFY_INVALID))
    if not always_place:
        if terms.time_in_force is TimeInForce.IOC or terms.trigger is not None:
            return OrderResult(refusal=refusal(refusals.MODIFY_INVALID))
        terms = replace(terms, post_only=True)
    desk = venue.desk
    refused = desk.admission.malformed(terms)
    if refused is not None:
        return OrderResult(refusal=refused)
    name = old.client_order_id
    if terms.client_order_id != name and venue.is_known(account, terms.client_order_id):
        return OrderResult(refusal=refusal(refusals.DUPLICATE_ORDER))
    if old.is_resting:
        venue.markets[old.symbol].remove(old)
    desk.close(old, Status.CANCELED)
    ended = account.ended.pop(name) if name and terms.client_order_id == name else None
    result = venue.place_one(account, terms, filled=filled)
    if result.refusal is not None:
        result.is_gone = True
        if ended is not None:
            account.ended[name] = ended
    return result
