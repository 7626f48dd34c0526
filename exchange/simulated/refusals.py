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
EMPTY_BATCH = "Orders are empty."
TRIGGER_PRICE = "Invalid TP/SL price."
TRIGGER_NOT_REDUCE_ONLY = "Trigger order is not reduce only."
TRIGGER_COUNT = "Unexpected number of trigger orders"
SCHEDULE_VOLUME = (
    "Cannot set scheduled cancel time until enough volume traded. Required: ${required}. Traded: ${traded}."
)
SCHEDULE_EARLY = "Scheduled cancel time too early, must be at least 5 seconds from now."
SCHEDULE_DAY = "Too many scheduled cancels triggered for the day. Limit is {most}."
LEVERAGE_VALUE = "Invalid leverage value"
LEVERAGE_TYPE = "Cannot switch leverage type with open position."
LEVERAGE_CROSS = (
    "Cross position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, deposit more collateral."
)
LEVERAGE_ISOLATED = (
    "Isolated position does not have sufficient margin available to decrease leverage. "
    "To decrease leverage, add margin to the position."
)
NOT_ISOLATED = "Position does not use isolated margin."
ISOLATED_ZERO = "Update to isolated margin cannot be zero."
ISOLATED_EMPTY = "Cannot update margin for empty position."
ISOLATED_INCREASE = "Account does not have sufficient margin available for increase."
ISOLATED_REDUCTION = "Position does not have sufficient margin for reduction."
INVALID_SEND = "Invalid send"
TRANSFER_FUNDS = "Insufficient balance for token transfer"
NO_LIQUIDITY = "No liquidity available for market order."
POSITION_LIMIT = "Order would cause position to exceed margin tier limit at current leverage"
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
    NO_LIQUIDITY: Reason.VENUE_IOC,
    POSITION_LIMIT: Reason.VENUE_MARGIN,
}
"""Prefix of the venue's text to reason; what is not listed is VENUE_OTHER."""

REJECTED_STATUSES: dict[str, str] = {
    INVALID_PRICE: "tickRejected",
    INVALID_TICK: "tickRejected",
    MIN_NOTIONAL: "minTradeNtlRejected",
    TOO_FAR: "oracleRejected",
    REDUCE_ONLY: "reduceOnlyRejected",
    MARGIN: "perpMarginRejected",
    TOO_MANY: "tooManyOpenOrdersRejected",
    POST_ONLY_PREFIX: "badAloPxRejected",
    IOC_UNMATCHED: "iocCancelRejected",
    TRIGGER_PRICE: "badTriggerPxRejected",
    NO_LIQUIDITY: "marketOrderNoLiquidityRejected",
    POSITION_LIMIT: "perpMaxPositionRejected",
}
"""Prefix of the venue's text to the status of the refused order; what is not listed is `rejected`. Source: 3.6."""

CANCELED_TEXTS: dict[Reason, str] = {
    Reason.VENUE_SELF_TRADE: "selfTradeCanceled",
    Reason.VENUE_REDUCE_ONLY: "reduceOnlyCanceled",
    Reason.VENUE_MARGIN: "marginCanceled",
    Reason.VENUE_LIQUIDATED: "liquidatedCanceled",
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


def rejected_status(text: str) -> str:
    """Return the status name of an order refused with this text."""
    for prefix, status in REJECTED_STATUSES.items():
        if text.startswith(prefix):
            return status
    return "rejected"


def refusal(text: str) -> Refusal:
    """Return the refusal with this text."""
    return Refusal(reason_of(text), text)
