"""What the venue remembers and hands out: orders, executions, results, ledger lines, and the wishes it takes.

Plain records without rules. Whoever serves the venue to the outside (the in-process door, the server) translates them;
nothing here knows a wire.

Units everywhere: price units, lots, Money; times in nanoseconds; side is +1 or -1.
"""

from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from domain.order import TimeInForce
from exchange.simulated.queue import UNKNOWN
from exchange.simulated.refusals import Refusal

if TYPE_CHECKING:
    from exchange.simulated.accounts import Account


class Grouping(StrEnum):
    """How the orders of one action belong together. Source: HYPERLIQUID 3.2."""

    NONE = "na"
    PARENT_CHILDREN = "normalTpsl"
    POSITION = "positionTpsl"


class Trigger(msgspec.Struct, frozen=True, gc=False):
    """When an order wakes: at this mark price; then it is a market or a limit order."""

    price: int
    is_market: bool
    is_take_profit: bool


class Surcharge(msgspec.Struct, frozen=True, gc=False):
    """What somebody who brought an order earns on its fills, on top of the fee. Units: 1e-9 of notional."""

    address: str
    rate: int


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an incoming order asks for. lots is what is still to fill; no client order id is the empty text."""

    symbol: str
    side: int
    price: int
    lots: int
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    client_order_id: str = ""
    trigger: Trigger | None = None
    surcharge: Surcharge | None = None


class Status(StrEnum):
    """What became of an order, in the venue's names. Source: HYPERLIQUID 5.5.

    WAITING_FOR_FILL is ours: a child whose parent is not filled is answered to the sender and never told as a status.
    """

    OPEN = "open"
    WAITING_FOR_FILL = "waitingForFill"
    FILLED = "filled"
    CANCELED = "canceled"
    TRIGGERED = "triggered"
    REJECTED = "rejected"
    MARGIN = "marginCanceled"
    SELF_TRADE = "selfTradeCanceled"
    REDUCE_ONLY = "reduceOnlyCanceled"
    SIBLING_FILLED = "siblingFilledCanceled"
    LIQUIDATED = "liquidatedCanceled"
    SCHEDULED = "scheduledCancel"


WAITING = frozenset({Status.OPEN, Status.WAITING_FOR_FILL})
"""A live trigger order is `open` until it fires, then `triggered`."""


class VenueOrder:
    """One order the venue took.

    ahead, shown and traded are its place in the queue: lots before it, lots the level showed at the last look, and
    lots printed at its price since. children are the take-profit and stop orders of a parent, siblings the other orders
    of a trigger's group. withdrawn are lots a reduce-only order gave up because the position shrank.
    status is a text: a Status, or the `…Rejected` name of a refusal.
    """

    __slots__ = (
        "account",
        "ahead",
        "children",
        "client_order_id",
        "filled",
        "is_open",
        "is_position_tpsl",
        "is_resting",
        "leaves_at_status",
        "lots",
        "parent",
        "post_only",
        "price",
        "reduce_only",
        "shown",
        "siblings",
        "side",
        "status",
        "surcharge",
        "symbol",
        "time_in_force",
        "traded",
        "trigger",
        "ts_ns",
        "ts_status_ns",
        "venue_order_id",
        "withdrawn",
    )

    def __init__(self, account: "Account", venue_order_id: int, terms: Terms, ts_ns: int, filled: int = 0) -> None:
        """Take the terms; the queue is unknown until the order rests."""
        self.account = account
        self.client_order_id = terms.client_order_id
        self.venue_order_id = venue_order_id
        self.symbol = terms.symbol
        self.side = terms.side
        self.price = terms.price
        self.lots = terms.lots + filled
        self.filled = filled
        self.withdrawn = 0
        self.time_in_force = terms.time_in_force
        self.post_only = terms.post_only
        self.reduce_only = terms.reduce_only
        self.trigger = terms.trigger
        self.surcharge = terms.surcharge
        self.is_position_tpsl = False
        self.parent: VenueOrder | None = None
        self.children: tuple[VenueOrder, ...] = ()
        self.siblings: tuple[VenueOrder, ...] = ()
        self.is_open = True
        self.is_resting = False
        self.ts_ns = self.ts_status_ns = ts_ns
        self.status: str = Status.OPEN
        self.leaves_at_status = terms.lots
        self.ahead = self.shown = UNKNOWN
        self.traded = 0

    @property
    def leaves(self) -> int:
        """What is still to be filled."""
        return self.lots - self.filled - self.withdrawn

    @property
    def is_waiting(self) -> bool:
        """Say whether the order lives and waits for its trigger or its parent."""
        return self.is_open and not self.is_resting and self.trigger is not None and self.status in WAITING


class OrderResult(msgspec.Struct, gc=False):
    """What the venue answers to one order.

    waiting is "fill" for a child whose parent is not filled, "trigger" for one that waits for its price, else "".
    is_batch says that the refusal is the only answer to the whole batch; is_gone that a modified order is gone
    although its successor was refused. Units: filled_notional in Money.
    """

    order: VenueOrder | None = None
    refusal: Refusal | None = None
    filled_lots: int = 0
    filled_notional: int = 0
    waiting: str = ""
    is_batch: bool = False
    is_gone: bool = False


class Liquidation(msgspec.Struct, frozen=True, gc=False):
    """Why an execution was forced: who was liquidated, at which mark price, and how ("market" or "backstop").

    is_isolated says whether one position went alone, or the whole cross account.
    """

    address: str
    mark_price: int
    method: str
    is_isolated: bool = False


class Execution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One side of one trade, as its account sees it.

    Sign: fee and closed_pnl as in Money of the account: a positive fee is a cost, a positive pnl a gain, gross of fees.
    counterparty is the other account's address, empty for the outside market. is_deleveraging tells ADL from the rest.
    surcharge is the part of the fee that went to whoever brought the order.
    """

    symbol: str
    side: int
    price: int
    lots: int
    ts_ns: int
    start_position: int
    closed_pnl: int
    fee: int
    trade_id: int
    venue_order_id: int
    client_order_id: str
    is_taker: bool
    action: int
    liquidation: Liquidation | None = None
    counterparty: str = ""
    is_deleveraging: bool = False
    surcharge: int = 0

    @property
    def hash(self) -> str:
        """Return the hash of the action or market event that caused it."""
        return hash_of(self.action)


class LedgerUpdate(msgspec.Struct, frozen=True):
    """One movement of money that is no trade and no funding. kind and fields in the venue's names (HYPERLIQUID 5.4).

    amount is what the account gained (> 0) or lost. Units: Money.
    """

    ts_ns: int
    hash: str
    kind: str
    amount: int
    fields: Mapping[str, object]


def hash_of(action: int) -> str:
    """Return the venue's hash of its action-th action or market event: 0x and 64 hex digits."""
    return "0x" + sha256(b"hat venue action %d" % action).hexdigest()
