"""Wishes: everything the engine ever asks for. Imperative, immutable. Orders for the venue, wakes for the clock."""

import msgspec

from domain.identifiers import ClientOrderId
from domain.order import Side, TimeInForce
from domain.units import Lots, Price


class Wish(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of every command; ts_ns is the engine's time when it was wished."""

    ts_ns: int


class PlaceOrder(Wish, frozen=True, gc=False):
    """Place a limit order."""

    client_order_id: ClientOrderId
    symbol: str
    side: Side
    price: Price
    lots: Lots
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool


class ReplaceOrder(Wish, frozen=True, gc=False):
    """Give a resting order a new price and total size (lots counts what is already filled).

    The venue cancels and places anew: the order goes to the back of the queue.
    """

    client_order_id: ClientOrderId
    symbol: str
    side: Side
    price: Price
    lots: Lots
    post_only: bool
    reduce_only: bool


class CancelOrder(Wish, frozen=True, gc=False):
    """Cancel an order."""

    client_order_id: ClientOrderId
    symbol: str


class QueryOrder(Wish, frozen=True, gc=False):
    """Ask the venue what became of an order in doubt; answered by OrderStatusReported (and fills, if any)."""

    client_order_id: ClientOrderId
    symbol: str


class QueryAccount(Wish, frozen=True, gc=False):
    """Ask for the account statement; answered by AccountReported."""


class WakeAt(Wish, frozen=True, gc=False):
    """Send TimerFired(timer_id) at ts_wake_ns. A later wake of the same id replaces an earlier one."""

    ts_wake_ns: int
    timer_id: str


VenueCommand = PlaceOrder | ReplaceOrder | CancelOrder | QueryOrder | QueryAccount
Command = VenueCommand | WakeAt
