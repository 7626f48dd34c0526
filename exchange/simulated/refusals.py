"""The venue's own words for a refusal, and the reason each of them means.

Law: a text is quoted exactly; whoever reads the real venue matches by prefix, because live answers append ` asset=N`.
Source: HYPERLIQUID 3.5, 3.6.
"""

import msgspec

from domain.reasons import Reason

ZERO_SIZE = "Order has zero size."
INVALID_SIZE = "Order has invalid size."
INVALID_PRICE = "Order has invalid price."
INVALID_TICK = "Price must be divisible by tick size."
MIN_NOTIONAL = "Order must have minimum value of $10."
TOO_FAR = "Order price cannot be more than 95% away from the reference price"
REDUCE_ONLY = "Reduce only order would increase position."
MARGIN = "Insufficient margin to place order."
TOO_MANY = "Too many open orders"
POST_ONLY_PREFIX = "Post only order would have immediately matched"
POST_ONLY = POST_ONLY_PREFIX + ", bbo was {bid}@{ask}."
IOC_UNMATCHED = "Order could not immediately match against any resting orders."
CANCEL_UNKNOWN = "Order was never placed, already canceled, or filled."
MODIFY_DEAD = "Cannot modify canceled or filled order"
MODIFY_INVALID = "Attempted to modify to invalid new order"
UNKNOWN_ASSET = "Unknown asset"
DUPLICATE_ORDER = "Duplicate client order id"

REASONS: dict[str, Reason] = {
    ZERO_SIZE: Reason.VENUE_SIZE,
    INVALID_SIZE: Reason.VENUE_SIZE,
    INVALID_PRICE: Reason.VENUE_TICK,
    INVALID_TICK: Reason.VENUE_TICK,
    MIN_NOTIONAL: Reason.VENUE_MIN_NOTIONAL,
    "Order must have minimum value of": Reason.VENUE_MIN_NOTIONAL,
    TOO_FAR: Reason.VENUE_PRICE_TOO_FAR,
    "Order price too far from oracle": Reason.VENUE_PRICE_TOO_FAR,
    "Price too far from oracle": Reason.VENUE_PRICE_TOO_FAR,
    REDUCE_ONLY: Reason.VENUE_REDUCE_ONLY,
    MARGIN: Reason.VENUE_MARGIN,
    TOO_MANY: Reason.VENUE_OPEN_ORDERS,
    POST_ONLY_PREFIX: Reason.VENUE_POST_ONLY,
    IOC_UNMATCHED: Reason.VENUE_IOC,
    CANCEL_UNKNOWN: Reason.VENUE_UNKNOWN_ORDER,
    MODIFY_DEAD: Reason.VENUE_UNKNOWN_ORDER,
}
"""Prefix of the venue's text to reason; what is not listed is VENUE_OTHER."""

CANCELED_TEXTS: dict[Reason, str] = {
    Reason.VENUE_SELF_TRADE: "selfTradeCanceled",
    Reason.VENUE_REDUCE_ONLY: "reduceOnlyCanceled",
    Reason.VENUE_MARGIN: "marginCanceled",
}
"""Status names of cancels that the venue does on its own. Source: HYPERLIQUID 5.5."""


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why the venue does not take an order, in a code and in its words."""

    reason: Reason
    text: str


def reason_of(text: str) -> Reason:
    """Return the reason a text of the venue means, matched by prefix; VENUE_OTHER when nobody knows it."""
    for prefix, reason in REASONS.items():
        if text.startswith(prefix):
            return reason
    return Reason.VENUE_OTHER


def refusal(text: str) -> Refusal:
    """Return the refusal with this text."""
    return Refusal(reason_of(text), text)
