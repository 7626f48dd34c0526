"""One order as the venue and we have told each other about it.

Laws: what was told is never taken back; an order has one venue number at a time, and a higher one replaces a lower.
"""

import msgspec

from domain.commands import CancelOrder, PlaceOrder, QueryOrder
from domain.identifiers import ClientOrderId
from domain.reasons import Reason
from exchange.hyperliquid.codec_orders import Fate


class Ending(msgspec.Struct, frozen=True):
    """An end that is proven and waits for the fills before it. filled_lots: of the current number; None unknown."""

    fate: Fate
    status: str
    filled_lots: int | None


class Replacement(msgspec.Struct):
    """New terms on their way. lots is the size on the wire: what was still to be filled."""

    price: int
    lots: int
    canceled: Ending | None = None
    """The old number was canceled: by the replacement, or by something else that came first."""
    is_refused: bool = False
    """The venue refused; whether the old number is gone with it is being asked."""
    reason: Reason = Reason.NONE
    text: str = ""


class Track(msgspec.Struct, kw_only=True):
    """Units: price units, lots; lots is the total size, filled_by the lots told by venue number."""

    client_order_id: ClientOrderId
    symbol: str
    price: int = 0
    lots: int = 0
    is_immediate: bool = False
    nonce: int = 0
    """Of the action that placed it; 0 when another process did."""
    expires_ms: int = 0
    """When the placing action died at the venue; 0 never."""
    venue_order_id: int = 0
    older_ids: list[int] = []
    filled_by: dict[int, int] = {}
    is_accepted: bool = False
    is_cancel_sent: bool = False
    is_asked: bool = False
    """The engine waits for an answer to QueryOrder."""
    is_asking: bool = False
    """A question to the venue is under way."""
    is_burnt: bool = False
    """The placing action can no longer run: its nonce was used up by our noop, or is too low by now."""
    burnt_ms: int = 0
    """Our time from which on the venue's lists show whether it ran before."""
    is_check_due: bool = False
    """A question for it waits for its time."""
    doubts: int = 0
    """Questions that proved nothing since the engine's was answered last."""
    is_noop_open: bool = False
    """A noop of ours may have used the nonce up: its answer was lost."""
    replacement: Replacement | None = None
    ending: Ending | None = None
    fetches: int = 0
    """Times the fills before the end were asked for."""
    ended: Fate | None = None

    @property
    def filled_lots(self) -> int:
        """Lots told, over all its numbers."""
        return sum(self.filled_by.values())

    @property
    def filled_current(self) -> int:
        """Lots told of the current number."""
        return self.filled_by.get(self.venue_order_id, 0)

    @property
    def filled_before(self) -> int:
        """Lots told of the numbers before the current."""
        return self.filled_lots - self.filled_current

    @property
    def is_live(self) -> bool:
        """Whether its end is neither told nor proven."""
        return self.ended is None and self.ending is None


def track_of(command: PlaceOrder) -> Track:
    """Return a new order."""
    return Track(
        client_order_id=command.client_order_id,
        symbol=command.symbol,
        price=command.price,
        lots=command.lots,
        is_immediate=command.time_in_force.name == "IOC" and not command.post_only,
    )


def foreign_track(command: CancelOrder | QueryOrder) -> Track:
    """Return an order of another process, of which only the name is known."""
    return Track(client_order_id=command.client_order_id, symbol=command.symbol)
