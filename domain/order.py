"""Orders as wishes: side, terms, intent, and the risk manager's signature.

The path of a wish: `OrderIntent` (wanted) → `Approved` (risk manager) → `PlaceOrder` (command) → facts of the venue.
`Approved` is made in `risk/gate.py` and nowhere else; the router accepts nothing else.
"""

from enum import IntEnum

import msgspec

from domain.reasons import Reason
from domain.units import Lots, Price


class Side(IntEnum):
    """Direction of an order; the value is the sign of the position it makes."""

    BUY = 1
    SELL = -1

    @property
    def opposite(self) -> "Side":
        """Return the other side."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def label(self) -> str:
        """Return the name as logs and SQL write it."""
        return "buy" if self is Side.BUY else "sell"


class FillCause(IntEnum):
    """Why an execution happened. Only ORDER has an order of ours behind it (HYPERLIQUID 9.5)."""

    ORDER = 0
    LIQUIDATION = 1
    """The venue closed our position because margin ran out."""
    DELEVERAGING = 2
    """The venue closed our winning position against somebody's bankruptcy (ADL)."""

    @property
    def label(self) -> str:
        """Return the name as logs and SQL write it."""
        return self.name.lower()


class TimeInForce(IntEnum):
    """How long an order lives; post-only is a separate flag."""

    GTC = 0
    IOC = 1


class Liquidity(IntEnum):
    """Whether a fill made or took liquidity."""

    MAKER = 0
    TAKER = 1

    @property
    def label(self) -> str:
        """Return the name as logs and SQL write it."""
        return "maker" if self is Liquidity.MAKER else "taker"


class Quote(msgspec.Struct, frozen=True, gc=False):
    """One price and size a strategy wants to show. Units: price units, lots (> 0)."""

    price: Price
    lots: Lots


class WantedQuotes(msgspec.Struct, frozen=True, gc=False):
    """Everything a strategy wants to show on one instrument; empty tuples mean nothing on that side.

    Quotes are best first. At most one quote per price.
    """

    symbol: str
    bids: tuple[Quote, ...] = ()
    asks: tuple[Quote, ...] = ()


class OrderIntent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A wanted order, before anybody approved it."""

    symbol: str
    side: Side
    price: Price
    lots: Lots
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = True
    reduce_only: bool = False
    decision_mid_x2: int = 0
    """Best bid plus best ask when the decision was made (twice the mid, price units); 0 when unknown."""


class Approved(msgspec.Struct, frozen=True, gc=False):
    """An intent the risk manager approved; lots may be smaller than asked, never larger."""

    intent: OrderIntent
    lots: Lots


class Denial(msgspec.Struct, frozen=True, gc=False):
    """Why the risk manager or the pre-check refused: the limit, and what was seen instead, in the limit's own unit."""

    reason: Reason
    limit: int = 0
    observed: int = 0
