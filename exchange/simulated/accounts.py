"""What the venue knows of one account: cash, positions, entry costs, leverage, and the orders that rest.

Law: cash and positions are the sum of the executions, settlements and transfers handed out, plus the opening cash;
nothing else moves them but `take_untold`, which is there to try what happens when a venue does. Cash is the venue's raw
USD: buying lowers it by the whole notional (HYPERLIQUID 9.4, totalRawUsd).
"""

from collections import deque
from itertools import islice

from domain.events import FundingPaid, OrderStatus
from domain.units import Money
from exchange.port import Statement
from exchange.simulated.records import Execution, LedgerUpdate, VenueOrder

FILLS_KEPT = 2_000
FUNDINGS_KEPT = 500
"""How much of its past the venue tells in one reply. Source: HYPERLIQUID 2.4 (userFills), funding history rows per call."""

EXECUTIONS_KEPT = 10_000
HISTORY_KEPT = 2_000
"""How much of its past exists at all. Source: HYPERLIQUID 2.4 (userFillsByTime, historicalOrders)."""


class Account:
    """Money, positions and orders of one account."""

    __slots__ = (
        "address",
        "cash",
        "costs",
        "ended",
        "executions",
        "exposed",
        "fee_discount",
        "funding_sums",
        "fundings",
        "history",
        "isolated",
        "leverages",
        "maker_rate",
        "named",
        "open_buys",
        "open_sells",
        "orders",
        "past",
        "pool",
        "positions",
        "reducing",
        "referred_until",
        "requests_used",
        "schedule_day",
        "schedule_triggers",
        "scheduled_cancel_ns",
        "taker_rate",
        "untold_cash",
        "untold_lots",
        "updates",
        "volume_by_day",
        "volume_total",
    )

    def __init__(self, cash: int, address: str = "", maker_rate: int = 0, taker_rate: int = 0) -> None:
        """Open with cash and nothing else."""
        self.address = address
        self.maker_rate = maker_rate
        self.taker_rate = taker_rate
        self.fee_discount = 0
        """What the daily assessment takes off the rates, in 1e-9 (staking, referral)."""
        self.pool = address
        """Whose volume counts with ours for the fee tier: a sub-account's is its master's (HYPERLIQUID 8)."""
        self.referred_until = 0
        """Up to this volume a referral takes its discount off every fee. Units: Money."""
        self.cash = cash
        self.positions: dict[str, int] = {}
        self.costs: dict[str, int] = {}
        self.leverages: dict[str, tuple[int, bool]] = {}
        """Symbol to (leverage, is cross); absent means the venue's default."""
        self.isolated: dict[str, int] = {}
        """Raw USD of isolated positions, in Money: collateral less the signed entry cost (HYPERLIQUID 9.4)."""
        self.orders: dict[int, VenueOrder] = {}
        """Every live order by venue number: resting, waiting for a trigger or for a parent."""
        self.named: dict[str, VenueOrder] = {}
        """The live orders that have a client order id, by it."""
        self.exposed: dict[str, bool] = {}
        """Markets that may hold a position or an order of ours; pruned when margin is summed."""
        self.open_buys: dict[str, int] = {}
        self.open_sells: dict[str, int] = {}
        """Lots that rest on each side of a market and are not reduce-only."""
        self.reducing: dict[str, list[VenueOrder]] = {}
        """Resting reduce-only orders of a market."""
        self.ended: dict[str, tuple[OrderStatus, int]] = {}
        """Client order ids that had their life: what became of them and the lots they filled."""
        self.history: deque[VenueOrder] = deque(maxlen=HISTORY_KEPT)
        self.past: dict[int | str, VenueOrder] = {}
        """The orders of history by venue number and by client order id, the newest of a name."""
        self.executions: deque[Execution] = deque(maxlen=EXECUTIONS_KEPT)
        self.fundings: deque[FundingPaid] = deque(maxlen=EXECUTIONS_KEPT)
        self.updates: deque[LedgerUpdate] = deque(maxlen=EXECUTIONS_KEPT)
        self.funding_sums: dict[str, tuple[int, int, int]] = {}
        """Funding received by symbol: of all time, since the position opened, since it last changed. Units: Money."""
        self.volume_total = 0
        self.volume_by_day: dict[int, tuple[int, int]] = {}
        """Day since 1970 to (maker, taker) notional. Units: Money."""
        self.requests_used = 0
        self.scheduled_cancel_ns = 0
        self.schedule_day = self.schedule_triggers = 0
        self.untold_cash = 0
        self.untold_lots: dict[str, int] = {}
        """What of cash and positions the bot was never told."""

    def live(self, target: int | str) -> VenueOrder | None:
        """Return the live order with this venue number or client order id."""
        return self.named.get(target) if isinstance(target, str) else self.orders.get(target)

    def order(self, target: int | str) -> VenueOrder | None:
        """Return the order with this venue number or client order id, live or remembered."""
        return self.live(target) or self.past.get(target)

    def forget_names(self, kept: int) -> None:
        """Forget the oldest names that ended once there are twice as many as are to be kept."""
        ended = self.ended
        if len(ended) > 2 * kept:
            # Half of them at once: finding the oldest of a dict that only ever loses its oldest takes longer each time.
            self.ended = dict(islice(ended.items(), len(ended) - kept, None))

    def remember(self, order: VenueOrder) -> None:
        """Keep an order that ended; the oldest beyond HISTORY_KEPT is forgotten."""
        if len(self.history) == HISTORY_KEPT:
            oldest = self.history[0]
            self.past.pop(oldest.venue_order_id, None)
            if self.past.get(oldest.client_order_id) is oldest:
                del self.past[oldest.client_order_id]
        self.history.append(order)
        self.past[order.venue_order_id] = order
        if order.client_order_id:
            self.past[order.client_order_id] = order

    def count(self, order: VenueOrder, lots: int) -> None:
        """Add lots to what resting orders of a side could still open; reduce-only orders open nothing."""
        if not order.reduce_only:
            sums = self.open_buys if order.side > 0 else self.open_sells
            sums[order.symbol] = sums.get(order.symbol, 0) + lots

    def take_fill(self, symbol: str, side: int, lots: int, notional: int, fee: int) -> tuple[int, int]:
        """Book one execution and return the position before it and the gain it realised, gross of fees.

        Units: lots > 0, notional, fee and gain in Money.
        """
        before = self.positions.get(symbol, 0)
        cost = self.costs.get(symbol, 0)
        after = before + side * lots
        gain = 0
        if before * side >= 0:
            cost += side * notional
        elif abs(before) > lots:
            released = (abs(cost) * lots // abs(before)) * (1 if before > 0 else -1)
            cost -= released
            gain = -side * notional - released
        else:
            gain = -side * (notional // lots) * abs(before) - cost
            cost = after * (notional // lots)
        self.cash -= side * notional + fee
        if after:
            self.positions[symbol] = after
            self.costs[symbol] = cost
        else:
            self.positions.pop(symbol, None)
            self.costs.pop(symbol, None)
        return before, gain

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
