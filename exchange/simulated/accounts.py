"""What the venue knows of one account: cash, positions, entry costs, and the orders that rest.

Law: cash and positions are the sum of the fills and settlements handed out, plus the opening cash; nothing else moves
them. Cash is the venue's raw USD: buying lowers it by the whole notional (HYPERLIQUID 9.4, totalRawUsd).
"""

from domain.events import OrderStatus
from domain.identifiers import ClientOrderId, VenueOrderId
from domain.units import Money
from exchange.port import Statement
from exchange.simulated.queue import UNKNOWN


class VenueOrder:
    """One order the venue took. Units: price units and lots; side is +1 or -1.

    ahead, shown and traded are its place in the queue: lots before it, lots the level showed at the last look, and
    lots printed at its price since.
    """

    __slots__ = (
        "ahead",
        "client_order_id",
        "filled",
        "is_open",
        "lots",
        "price",
        "reduce_only",
        "shown",
        "side",
        "symbol",
        "traded",
        "venue_order_id",
    )

    def __init__(
        self,
        client_order_id: ClientOrderId,
        venue_order_id: VenueOrderId,
        symbol: str,
        side: int,
        price: int,
        lots: int,
        *,
        reduce_only: bool,
        filled: int = 0,
    ) -> None:
        """Take the terms; the queue is unknown until the order rests."""
        self.client_order_id = client_order_id
        self.venue_order_id = venue_order_id
        self.symbol = symbol
        self.side = side
        self.price = price
        self.lots = lots
        self.filled = filled
        self.reduce_only = reduce_only
        self.is_open = True
        self.ahead = self.shown = UNKNOWN
        self.traded = 0

    @property
    def leaves(self) -> int:
        """What is still to be filled."""
        return self.lots - self.filled


class Account:
    """Money and positions of one account."""

    __slots__ = ("cash", "costs", "ended", "exposed", "orders", "positions")

    def __init__(self, cash: int) -> None:
        """Open with cash and nothing else."""
        self.cash = cash
        self.positions: dict[str, int] = {}
        self.costs: dict[str, int] = {}
        self.orders: dict[ClientOrderId, VenueOrder] = {}
        self.exposed: dict[str, bool] = {}
        """Markets that may hold a position or an order of ours; pruned when margin is summed."""
        self.ended: dict[ClientOrderId, tuple[OrderStatus, int]] = {}

    def take_fill(self, symbol: str, side: int, lots: int, notional: int, fee: int) -> int:
        """Book one execution and return the position before it. Units: lots > 0, notional and fee in Money."""
        before = self.positions.get(symbol, 0)
        cost = self.costs.get(symbol, 0)
        after = before + side * lots
        if before * side >= 0:
            cost += side * notional
        elif abs(before) > lots:
            cost -= (abs(cost) * lots // abs(before)) * (1 if before > 0 else -1)
        else:
            cost = after * (notional // lots)
        self.cash -= side * notional + fee
        if after:
            self.positions[symbol] = after
            self.costs[symbol] = cost
        else:
            self.positions.pop(symbol, None)
            self.costs.pop(symbol, None)
        return before

    def statement(self) -> Statement:
        """Return what is owned now."""
        return Statement(cash=Money(self.cash), positions=dict(self.positions))
