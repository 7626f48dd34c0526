"""What the venue knows of one account: cash, positions, entry costs, and the orders that rest.

Law: cash and positions are the sum of the fills and settlements handed out, plus the opening cash; nothing else moves
them but `take_untold`, which is there to try what happens when a venue does. Cash is the venue's raw USD: buying lowers
it by the whole notional (HYPERLIQUID 9.4, totalRawUsd).
"""

from collections import deque

from domain.events import FundingPaid, OrderFilled, OrderStatus
from domain.identifiers import ClientOrderId, VenueOrderId
from domain.units import Money
from exchange.port import Statement
from exchange.simulated.queue import UNKNOWN

FILLS_KEPT = 2_000
FUNDINGS_KEPT = 500
"""How much of its past the venue still tells. Source: HYPERLIQUID 2.4 (userFills), funding history rows per call."""


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

    __slots__ = (
        "cash",
        "costs",
        "ended",
        "exposed",
        "fills",
        "fundings",
        "orders",
        "positions",
        "untold_cash",
        "untold_lots",
    )

    def __init__(self, cash: int) -> None:
        """Open with cash and nothing else."""
        self.cash = cash
        self.positions: dict[str, int] = {}
        self.costs: dict[str, int] = {}
        self.orders: dict[ClientOrderId, VenueOrder] = {}
        self.exposed: dict[str, bool] = {}
        """Markets that may hold a position or an order of ours; pruned when margin is summed."""
        self.ended: dict[ClientOrderId, tuple[OrderStatus, int]] = {}
        self.fills: deque[OrderFilled] = deque(maxlen=FILLS_KEPT)
        self.fundings: deque[FundingPaid] = deque(maxlen=FUNDINGS_KEPT)
        self.untold_cash = 0
        self.untold_lots: dict[str, int] = {}
        """What of cash and positions the bot was never told."""

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

    def take_untold(self, cash: int, symbol: str = "", lots: int = 0) -> None:
        """Change cash and a position without a word. Units: Money and signed lots, > 0 is given to us.

        A position keeps its cost per lot; what is new comes at no cost.
        """
        self.cash += cash
        self.untold_cash += cash
        if lots:
            before = self.positions.get(symbol, 0)
            after = before + lots
            self.untold_lots[symbol] = self.untold_lots.get(symbol, 0) + lots
            self.costs[symbol] = self.costs.get(symbol, 0) * after // before if before * after > 0 else 0
            self.positions[symbol] = after
            if not after:
                del self.positions[symbol], self.costs[symbol]

    def tell_all(self) -> None:
        """Nothing is untold from here on: the account report says it."""
        self.untold_cash = 0
        self.untold_lots.clear()

    def statement(self) -> Statement:
        """Return what the facts handed out say is owned now."""
        positions = dict(self.positions)
        for symbol, untold in self.untold_lots.items():
            told = positions.pop(symbol, 0) - untold
            if told:
                positions[symbol] = told
        return Statement(cash=Money(self.cash - self.untold_cash), positions=positions)
