"""What a venue says about one account at one moment: the shape in which venues and ledger are compared.

Why it exists: the ledger and the exchange are siblings that never see each other, and reconciliation needs both. The
lists are made of facts, so a fact that never reached us can be shown whole.

Laws: a statement holds everything that happened up to and including ts_ns, and nothing after; its lists are complete
from complete_since_ns on, and say nothing about what was before.
"""

import msgspec

from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import ClientOrderId, VenueOrderId
from domain.order import Side
from domain.units import Lots, Money, Price


class OpenOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order that rests. client_order_id is empty for an order that is not ours by name; leaves > 0."""

    client_order_id: ClientOrderId
    venue_order_id: VenueOrderId
    symbol: str
    side: Side
    price: Price
    leaves: Lots


class VenueStatement(msgspec.Struct, frozen=True, kw_only=True):
    """The account at the venue.

    Units: cash is raw USD in Money (buying lowers it by the whole notional), positions signed lots, flat ones left
    out; costs the entry cost of each position in Money, signed like it; marks in price units, missing ones unknown;
    account_value in Money, 0 when unknown; ts_ns and complete_since_ns in the venue's time. decimals are price and
    size decimals of every instrument that is named.
    """

    account: str
    ts_ns: int
    cash: Money
    positions: dict[str, int]
    decimals: dict[str, tuple[int, int]]
    complete_since_ns: int
    account_value: Money = Money(0)
    costs: dict[str, int] = {}
    marks: dict[str, int] = {}
    open_orders: tuple[OpenOrder, ...] | None = None
    """None when the statement says nothing about orders."""
    fills: tuple[OrderFilled, ...] = ()
    fundings: tuple[FundingPaid, ...] = ()
    transfers: tuple[TransferBooked, ...] = ()
