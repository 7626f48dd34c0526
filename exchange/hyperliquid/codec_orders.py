"""Orders: wishes to wire terms, and the venue's words for what became of them to ours.

Laws: pure; a status nobody knows is read by its suffix and otherwise proves nothing; a text is matched by prefix, for
the venue appends ` asset=N`. Source: HYPERLIQUID 3.2, 3.5, 3.6, 5.5.
"""

from enum import Enum
from typing import Final

from domain.commands import PlaceOrder, ReplaceOrder
from domain.events import OrderStatus
from domain.order import Side, TimeInForce
from domain.reasons import Reason
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.wire_actions import LimitTerms, OrderKind, OrderTerms
from exchange.simulated import refusals
from exchange.simulated.refusals import reason_of

POST_ONLY, IMMEDIATE, RESTING = "Alo", "Ioc", "Gtc"


class Fate(Enum):
    """What a status of the venue says about an order."""

    LIVE = 0
    FILLED = 1
    CANCELED = 2
    REJECTED = 3
    UNKNOWN = 4
    """A status nobody knows: it proves nothing."""


LIVE: Final = frozenset({"open", "triggered"})
CANCELED: Final = frozenset({"canceled", "scheduledCancel", "internalCancel"})
"""The others end in `Canceled`."""
REJECTED: Final = frozenset({"rejected"})
"""The others end in `Rejected`."""
KNOWN: Final = frozenset(
    {
        *LIVE,
        *CANCELED,
        *REJECTED,
        "filled",
        "marginCanceled",
        "vaultWithdrawalCanceled",
        "openInterestCapCanceled",
        "selfTradeCanceled",
        "reduceOnlyCanceled",
        "siblingFilledCanceled",
        "delistedCanceled",
        "liquidatedCanceled",
        "outcomeSettledCanceled",
        "perpMaxPositionCanceled",
        "tickRejected",
        "minTradeNtlRejected",
        "perpMarginRejected",
        "reduceOnlyRejected",
        "badAloPxRejected",
        "iocCancelRejected",
        "badTriggerPxRejected",
        "marketOrderNoLiquidityRejected",
        "positionIncreaseAtOpenInterestCapRejected",
        "positionFlipAtOpenInterestCapRejected",
        "tooAggressiveAtOpenInterestCapRejected",
        "openInterestIncreaseRejected",
        "insufficientSpotBalanceRejected",
        "oracleRejected",
        "perpMaxPositionRejected",
        "tooManyOpenOrdersRejected",
    }
)

STATUS_REASONS: Final = {
    "canceled": Reason.NONE,
    "selfTradeCanceled": Reason.VENUE_SELF_TRADE,
    "reduceOnlyCanceled": Reason.VENUE_REDUCE_ONLY,
    "marginCanceled": Reason.VENUE_MARGIN,
    "liquidatedCanceled": Reason.VENUE_LIQUIDATED,
    "tickRejected": Reason.VENUE_TICK,
    "minTradeNtlRejected": Reason.VENUE_MIN_NOTIONAL,
    "perpMarginRejected": Reason.VENUE_MARGIN,
    "reduceOnlyRejected": Reason.VENUE_REDUCE_ONLY,
    "badAloPxRejected": Reason.VENUE_POST_ONLY,
    "iocCancelRejected": Reason.VENUE_IOC,
    "oracleRejected": Reason.VENUE_PRICE_TOO_FAR,
    "tooManyOpenOrdersRejected": Reason.VENUE_OPEN_ORDERS,
    "insufficientSpotBalanceRejected": Reason.VENUE_MARGIN,
}
REPORTED: Final = {
    Fate.LIVE: OrderStatus.OPEN,
    Fate.FILLED: OrderStatus.FILLED,
    Fate.CANCELED: OrderStatus.CANCELED,
    Fate.REJECTED: OrderStatus.REJECTED,
}
MODIFY_PREFIX: Final = "Error placing new order during modify: "
MODIFY_TEXTS: Final = (MODIFY_PREFIX, refusals.MODIFY_DEAD, refusals.MODIFY_INVALID)
BUDGET_TEXTS: Final = ("Too many cumulative requests sent", "Too many requests")
KEY_TEXTS: Final = ("User or API Wallet", "L1 error: User or API Wallet", "Must deposit before performing actions")
"""Refusals of an action that every further one will meet: who signed may not act (HYPERLIQUID 3.6)."""
DOUBTFUL_TEXTS: Final = ("Invalid nonce: duplicate nonce",)
"""Refusals of an action that do not prove that it never ran: its nonce was used, maybe by itself."""
DUPLICATE_NONCE: Final = "Invalid nonce: duplicate nonce"
NONCE_TOO_LOW: Final = "Invalid nonce: nonce too low"


def fate_of(status: str) -> Fate:
    """Return what a status means, by its suffix when nobody knows it."""
    if status in LIVE:
        return Fate.LIVE
    if status == "filled":
        return Fate.FILLED
    if status in CANCELED or status.endswith("Canceled"):
        return Fate.CANCELED
    if status in REJECTED or status.endswith("Rejected"):
        return Fate.REJECTED
    return Fate.UNKNOWN


def reason_of_status(status: str) -> Reason:
    """Return why an order ended with this status; NONE for a cancel on request."""
    return STATUS_REASONS.get(status, Reason.VENUE_OTHER)


def reason_of_text(text: str) -> Reason:
    """Return why the venue refused, from its sentence."""
    if text.startswith(BUDGET_TEXTS):
        return Reason.RATE_BUDGET
    return reason_of(text.removeprefix(MODIFY_PREFIX))


def is_modify_text(text: str) -> bool:
    """Return whether a refusal of an action is that of one order of it."""
    return text.startswith(MODIFY_TEXTS)


def is_doubtful(text: str) -> bool:
    """Return whether a refusal of a whole action leaves open what became of it."""
    return text.startswith(DOUBTFUL_TEXTS)


def place_terms(command: PlaceOrder, numbers: Numbers) -> OrderTerms:
    """Return a new order on the wire."""
    if command.post_only:
        time_in_force = POST_ONLY
    else:
        time_in_force = IMMEDIATE if command.time_in_force is TimeInForce.IOC else RESTING
    return _terms(command, numbers, command.lots, time_in_force)


def replace_terms(command: ReplaceOrder, numbers: Numbers, lots_left: int) -> OrderTerms:
    """Return the new terms of an order on the wire: its size there is what is still to be filled."""
    return _terms(command, numbers, lots_left, POST_ONLY if command.post_only else RESTING)


def _terms(command: PlaceOrder | ReplaceOrder, numbers: Numbers, lots: int, time_in_force: str) -> OrderTerms:
    return OrderTerms(
        asset=numbers.instrument.asset_id,
        is_buy=command.side is Side.BUY,
        price=numbers.price_text(command.price),
        size=numbers.size_text(lots),
        reduce_only=command.reduce_only,
        kind=OrderKind(limit=LimitTerms(time_in_force=time_in_force)),
        client_order_id=command.client_order_id,
    )
