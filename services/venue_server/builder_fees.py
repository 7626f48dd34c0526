"""What builders earn on the orders they brought.

Why it exists: the fee is due whenever such an order fills, also long after it was placed; the venue of
exchange/simulated knows no builders. It is booked as a movement of its own beside the execution, not inside its fee.

Laws: an execution is charged once; fees are rounded to whole micro-USDC. Source: HYPERLIQUID 8 (builder fee).
"""

from domain.units import round_to_micro
from exchange.simulated.accounts import Account
from exchange.simulated.records import Execution, VenueOrder
from exchange.simulated.venue import Venue
from services.venue_server.purse import Purse

TENTHS_BP = 100_000
"""Tenths of a basis point in one."""


class BuilderFees:
    """Open orders that a builder brought, and what of their fills is paid."""

    def __init__(self, venue: Venue, purse: Purse) -> None:
        """Start with no orders."""
        self._venue = venue
        self._purse = purse
        self._orders: dict[str, dict[int, tuple[VenueOrder, str, int]]] = {}
        self._seen: dict[str, Execution | None] = {}

    def expect(self, account: Account) -> None:
        """Remember where the account's executions stand before an order of a builder is placed."""
        if account.address not in self._seen:
            self._seen[account.address] = account.executions[-1] if account.executions else None

    def watch(self, account: Account, order: VenueOrder, builder: str, tenths_bp: int) -> None:
        """Charge the fills of an order from now on."""
        orders = self._orders.setdefault(account.address, {})
        orders[order.venue_order_id] = (order, builder, tenths_bp)

    def settle(self, ts_ns: int) -> None:
        """Charge the executions since the last time."""
        for address in list(self._seen):
            self._settle(self._venue.accounts[address], self._orders.get(address, {}), ts_ns)

    def _settle(self, account: Account, orders: dict[int, tuple[VenueOrder, str, int]], ts_ns: int) -> None:
        fresh = []
        for execution in reversed(account.executions):
            if execution is self._seen[account.address]:
                break
            fresh.append(execution)
        if fresh:
            self._seen[account.address] = fresh[0]
        for execution in reversed(fresh):
            owed = orders.get(execution.venue_order_id)
            if owed is not None:
                _, builder, tenths_bp = owed
                per_unit = self._venue.markets[execution.symbol].money_per_unit
                fee = round_to_micro(execution.price * execution.lots * per_unit * tenths_bp // TENTHS_BP)
                if fee:
                    self._purse.pay_builder(account, self._purse.reach(builder), fee, ts_ns)
        for number in [number for number, (order, _, _) in orders.items() if not order.is_open]:
            del orders[number]
        if not orders:
            del self._seen[account.address]
            self._orders.pop(account.address, None)
