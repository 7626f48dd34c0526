"""One instrument in the book: its lots and cost, its account names, and the sums that prove them.

Laws: lots are those of all fills, of the opening statement and of what nobody can explain; lots and cost are what the
venue's order of the fills ends in; a flat position costs nothing; the position account holds the cost.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from domain.errors import LedgerUnbalanced
from domain.instrument import Instrument
from domain.units import Money, format_money
from ledger.accounts import InstrumentAccounts, accounts_of
from ledger.fill_order import CHANGE, KIND, TS, FillOrder, Move, Reordered
from ledger.pnl import ProfitAndLoss, net_of, profit_and_loss
from ledger.position import unrealized


def unbalanced(what: str, amount: int, sequence: int) -> LedgerUnbalanced:
    """Return the error for a sum that should be zero."""
    text = format_money(Money(amount))
    return LedgerUnbalanced(f"{what}: sum is {text} (expected 0) after transaction {sequence}")


class Holding:
    """Lots and cost of one instrument. Units: signed lots, Money; slippage > 0 is a cost."""

    __slots__ = (
        *("accounts", "cost", "lots", "lots_brought", "lots_filled", "lots_unexplained", "money_per_unit", "order"),
        *("slippage", "symbol"),
    )

    def __init__(self, instrument: Instrument) -> None:
        """Begin flat."""
        self.symbol: Final = instrument.symbol
        self.accounts: Final[InstrumentAccounts] = accounts_of(instrument.symbol)
        self.money_per_unit: Final = instrument.money_per_unit
        self.order: Final = FillOrder(instrument.money_per_unit)
        self.lots = self.cost = self.slippage = 0
        self.lots_filled = self.lots_brought = self.lots_unexplained = 0

    def put_in_order(self, fill: Move, realized: int, *, is_explaining: bool) -> Reordered:
        """Put a late fill in its place; return what is realized by it beyond what its transaction says, and by others.

        An explaining one changes no lots: a booked difference held them; one too late to be put in its place changes
        nothing else either.
        """
        order, change = self.order, fill[CHANGE]
        if is_explaining:
            self.lots_unexplained -= change
            if order.is_forgotten(fill[TS]):
                return Reordered(0, 0)
        orders, closings = order.insert(fill)
        self.lots, self.cost = order.position
        return Reordered(orders, closings - realized) if fill[KIND] else Reordered(orders - realized, closings)

    def totals(self, balances: Mapping[str, int], mark_price: int) -> ProfitAndLoss:
        """Return profit and loss by cause; its equity is its net."""
        accounts = self.accounts
        gain = unrealized(self.lots, self.cost, mark_price, self.money_per_unit)
        liquidation, funding = -balances[accounts.liquidation], -balances[accounts.funding]
        realized = liquidation - balances[accounts.realized]
        fees, rebates = balances[accounts.fees], -balances[accounts.rebates]
        net = net_of(realized, gain, funding, fees, rebates)
        return profit_and_loss(realized, gain, funding, fees, rebates, self.slippage, net, liquidation)

    def prove(self, balance: int, sequence: int) -> None:
        """Recompute the laws of the position; balance is that of its account.

        Raises: LedgerUnbalanced naming the law, the numbers and the transaction count.
        """
        symbol = self.symbol
        if balance != self.cost:
            raise unbalanced(f"position:{symbol} less its cost", balance - self.cost, sequence)
        if self.lots == 0 and self.cost:
            raise unbalanced(f"cost of the flat position {symbol}", self.cost, sequence)
        others = self.lots_brought + self.lots_unexplained
        if self.lots != self.lots_filled + others:
            came = f" and {others} came without a fill" if others else ""
            raise LedgerUnbalanced(
                f"position of {symbol} is {self.lots} lots, its fills sum to {self.lots_filled}{came}, "
                f"after transaction {sequence}"
            )
        if self.order.position != (self.lots, self.cost):
            lots, cost = self.order.position
            raise LedgerUnbalanced(
                f"position of {symbol} is {self.lots} lots at {format_money(Money(self.cost))}, its fills in the venue's "
                f"order end in {lots} lots at {format_money(Money(cost))}, after transaction {sequence}"
            )

    def snapshot(self) -> dict[str, Any]:
        """Return everything remembered as plain data."""
        return {
            "lots": self.lots,
            "cost": self.cost,
            "lots_filled": self.lots_filled,
            "lots_brought": self.lots_brought,
            "lots_unexplained": self.lots_unexplained,
            "slippage": self.slippage,
            "order": self.order.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Remember what a snapshot kept."""
        self.lots, self.cost, self.slippage = snapshot["lots"], snapshot["cost"], snapshot["slippage"]
        self.lots_filled, self.lots_brought = snapshot["lots_filled"], snapshot["lots_brought"]
        self.lots_unexplained = snapshot["lots_unexplained"]
        self.order.restore(snapshot["order"])


def totals_over(
    holdings: Iterable[Holding], balances: Mapping[str, int], marks: Mapping[str, int], equity: Money
) -> ProfitAndLoss:
    """Return profit and loss by cause over instruments; a position without a mark counts at cost."""
    realized = liquidation = gain = funding = fees = rebates = slippage = 0
    for holding in holdings:
        accounts = holding.accounts
        realized -= balances[accounts.realized]
        liquidation -= balances[accounts.liquidation]
        funding -= balances[accounts.funding]
        fees += balances[accounts.fees]
        rebates -= balances[accounts.rebates]
        slippage += holding.slippage
        if holding.lots:
            gain += unrealized(holding.lots, holding.cost, marks.get(holding.symbol, 0), holding.money_per_unit)
    return profit_and_loss(realized + liquidation, gain, funding, fees, rebates, slippage, equity, liquidation)
