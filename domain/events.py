"""Facts: everything the engine is ever told. Past tense, immutable, with both clocks.

ts_event_ns is the time at the venue, ts_recv_ns the time at which it reached us, both nanoseconds of Unix time. The
engine's own time is ts_recv_ns. Operator acts and timers are facts like prices.
"""

from enum import IntEnum

import msgspec

from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.order import FillCause, Liquidity, Side
from domain.reasons import Reason
from domain.units import Lots, Money, Price, Rate

Level = tuple[int, int]
"""One book level: price (price units) and size (lots)."""


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of every event."""

    ts_event_ns: int
    ts_recv_ns: int


class TopOfBookChanged(Fact, frozen=True, gc=False):
    """Best bid and ask changed. A price of 0 means that side is empty."""

    symbol: str
    bid_price: Price
    bid_lots: Lots
    ask_price: Price
    ask_lots: Lots


class BookChanged(Fact, frozen=True, gc=False):
    """Full visible book. Shape: tuples of (price, lots), best first."""

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TradePrinted(Fact, frozen=True, gc=False):
    """A trade of the market; side is the aggressor's."""

    symbol: str
    price: Price
    lots: Lots
    side: Side
    trade_id: TradeId


class MarkChanged(Fact, frozen=True, gc=False):
    """Mark and oracle price, and the funding rate per hour as it stands."""

    symbol: str
    mark_price: Price
    oracle_price: Price
    funding_rate: Rate = Rate(0)


class FeedLost(Fact, frozen=True, gc=False):
    """Market data of an instrument (or of all: empty symbol) stopped."""

    symbol: str
    detail: str = ""


class FeedRestored(Fact, frozen=True, gc=False):
    """Market data flows again."""

    symbol: str


class MarketDataRefused(Fact, frozen=True, gc=False):
    """The feed met data it could not use and left it out; counted and logged, never traded on."""

    symbol: str
    reason: Reason
    detail: str = ""


class OrderAccepted(Fact, frozen=True, gc=False):
    """The venue has the order and it rests (or has matched: fills say so)."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId


class OrderRejected(Fact, frozen=True, gc=False):
    """The venue refused the order; venue_text is its own sentence."""

    client_order_id: ClientOrderId
    reason: Reason
    venue_text: str


class OrderFilled(Fact, frozen=True, kw_only=True, gc=False):
    """One execution. Units: fee in Money, positive is a cost, negative a rebate.

    start_position is our position just before this fill, signed; it lets the chain of fills prove that none is
    missing. client_order_id is empty for a liquidation or deleveraging. evidence is the venue's own proof of the
    execution (Hyperliquid: the hash of its L1 transaction), empty where there is none.
    """

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    symbol: str
    side: Side
    trade_id: TradeId
    price: Price
    lots: Lots
    liquidity: Liquidity
    fee: Money
    start_position: Lots
    cause: FillCause = FillCause.ORDER
    evidence: str = ""


class OrderCanceled(Fact, frozen=True, gc=False):
    """The order ended unfilled or partly filled. reason is NONE when it is the answer to our own request."""

    client_order_id: ClientOrderId
    reason: Reason = Reason.NONE
    venue_text: str = ""


class CancelRefused(Fact, frozen=True, gc=False):
    """The venue did not cancel: the order is filled, gone or was never there."""

    client_order_id: ClientOrderId
    reason: Reason
    venue_text: str


class OrderReplaced(Fact, frozen=True, gc=False):
    """The order has a new price, total size and venue number. lots counts what was filled before."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    price: Price
    lots: Lots


class ReplaceRefused(Fact, frozen=True, gc=False):
    """The venue did not replace. is_gone says that the old order was canceled all the same (HYPERLIQUID 3.5)."""

    client_order_id: ClientOrderId
    reason: Reason
    venue_text: str
    is_gone: bool


class OrderExpired(Fact, frozen=True, gc=False):
    """The order ended by its own terms (the rest of an IOC)."""

    client_order_id: ClientOrderId


class OrderStatus(IntEnum):
    """What the venue knows about an order it was asked about."""

    OPEN = 0
    FILLED = 1
    CANCELED = 2
    REJECTED = 3
    NEVER_SEEN = 4


class OrderStatusReported(Fact, frozen=True, gc=False):
    """Answer to QueryOrder. filled_lots is the venue's count over the order's life.

    NEVER_SEEN is only reported when the venue can no longer execute the order (its nonce is burnt or expired), so it
    is proof and not an opinion.
    """

    client_order_id: ClientOrderId
    status: OrderStatus
    filled_lots: Lots


class FundingPaid(Fact, frozen=True, gc=False):
    """One hourly settlement of one instrument. amount > 0 is received. Units: Money; position signed lots."""

    symbol: str
    hour_ns: int
    position: Lots
    rate: Rate
    oracle_price: Price
    amount: Money


class TransferBooked(Fact, frozen=True, gc=False):
    """Money came to (> 0) or left (< 0) the account. transfer_id is unique."""

    transfer_id: str
    amount: Money


class RunStarted(Fact, frozen=True, gc=False):
    """The process begins."""

    run_id: int


class AccountReported(Fact, frozen=True, gc=False):
    """The venue's statement at start: cash and open positions (symbol, signed lots, entry cost in Money)."""

    cash: Money
    positions: tuple[tuple[str, int, int], ...] = ()


class TimerFired(Fact, frozen=True, gc=False):
    """A WakeAt came due."""

    timer_id: str


class OperatorHalted(Fact, frozen=True, gc=False):
    """Kill switch by a person. flatten also closes positions, reduce-only."""

    detail: str
    flatten: bool = False


class OperatorResumed(Fact, frozen=True, gc=False):
    """A person ends a pause or resets the kill switch, and says why."""

    detail: str


class OperatorAcknowledged(Fact, frozen=True, gc=False):
    """A person has looked at what the venue's statement holds beyond our book, takes it on, and says why."""

    detail: str


class OperatorPaused(Fact, frozen=True, gc=False):
    """Maintenance: cancel everything and wait."""

    detail: str


class StopRequested(Fact, frozen=True, gc=False):
    """Stop quoting, cancel everything, end.

    is_abandoned marks the end of a journal whose run broke off: no engine was told, the cancels after it are not its own.
    """

    detail: str
    is_abandoned: bool = False


class LedgerFellBehind(Fact, frozen=True, gc=False):
    """The SQL ledger is further behind than allowed: only orders that reduce a position from here on."""

    backlog: int


class LedgerCaughtUp(Fact, frozen=True, gc=False):
    """The SQL ledger keeps up again."""


MarketEvent = TopOfBookChanged | BookChanged | TradePrinted | MarkChanged | FeedLost | FeedRestored | MarketDataRefused
OrderEvent = (
    OrderAccepted
    | OrderRejected
    | OrderFilled
    | OrderCanceled
    | CancelRefused
    | OrderReplaced
    | ReplaceRefused
    | OrderExpired
    | OrderStatusReported
)
AccountEvent = FundingPaid | TransferBooked | AccountReported
OperatorEvent = OperatorHalted | OperatorResumed | OperatorAcknowledged | OperatorPaused | StopRequested
HouseEvent = RunStarted | TimerFired | LedgerFellBehind | LedgerCaughtUp
Event = MarketEvent | OrderEvent | AccountEvent | OperatorEvent | HouseEvent
