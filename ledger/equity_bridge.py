"""Two sides of one account and the bridge between two of its values.

Why it exists: "the account is worth 12 more than yesterday" says nothing. The bridge names every part of the change
from the ledger's own accounts, positions valued at the venue's marks, and what is left over is the residual.

Law: closing - opening = realized + change of unrealized + funding - fees + rebates + transfers + unexplained +
residual, to the last unit.
"""

from collections.abc import Mapping

import msgspec

from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import ClientOrderId
from domain.statement import OpenOrder, VenueStatement
from domain.units import MONEY_DECIMALS, Money
from ledger.accounts import CASH, FEES, FUNDING, LIQUIDATION, REALIZED, REBATES, TRANSFERS, UNEXPLAINED


class LedgerSide(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger as of the moment of a venue statement.

    balances are sums by kind of account, debit positive; costs the cost of each position; suspended_cash and
    suspended_lots what of cash and positions stands against the account of the unexplained. open_orders are those that
    were surely open, orders_possible those that may have been: their answers were on the way. opened_ns is when the
    book was opened, in the venue's time: older facts are inside its opening statement.
    """

    run_id: str
    account: str
    is_ended: bool
    ts_ns: int
    opened_ns: int
    balances: dict[str, int]
    positions: dict[str, int]
    costs: dict[str, int]
    decimals: dict[str, tuple[int, int]]
    suspended_cash: Money
    suspended_lots: dict[str, int]
    open_orders: tuple[OpenOrder, ...]
    orders_possible: frozenset[ClientOrderId]
    fills: tuple[OrderFilled, ...]
    fundings: tuple[FundingPaid, ...]
    transfers: tuple[TransferBooked, ...]
    totals: dict[str, int] = {}
    """Every fact of money the ledger holds up to ts_ns, by kind, whether the statement reaches back to it or not."""
    facts_newer: int = 0
    newest_ns: int = 0
    """How many facts of the ledger are younger than ts_ns, and when the youngest happened, in the venue's time."""

    @property
    def cash(self) -> Money:
        """The balance of the cash account."""
        return Money(self.balances.get(CASH, 0))


class EquityBridge(msgspec.Struct, frozen=True, kw_only=True):
    """Why the account value at the venue changed. Units: Money; the parts and the residual sum exactly to the change.

    Sign: every part is what it adds to account value but fees, which are subtracted. residual is what the ledger's
    parts do not account for.
    """

    opening: Money
    closing: Money
    realized: Money
    unrealized_change: Money
    funding: Money
    fees: Money
    rebates: Money
    transfers: Money
    unexplained: Money
    residual: Money


def money_per_unit_of(venue: VenueStatement, symbol: str) -> int:
    """Return Money in one price unit times one lot; 0 for an instrument nobody described."""
    described = venue.decimals.get(symbol)
    return int(10 ** (MONEY_DECIMALS - described[0] - described[1])) if described is not None else 0


def equity_bridge(
    ledger: LedgerSide, venue: VenueStatement, since: tuple[LedgerSide, VenueStatement] | None = None
) -> EquityBridge:
    """Return why the account value changed since an earlier statement, or since there was nothing."""
    after = _parts(ledger, venue)
    before = _parts(*since) if since is not None else dict.fromkeys(after, 0)
    opening = account_value_of(since[1]) if since is not None else Money(0)
    closing = account_value_of(venue)
    parts = {name: Money(after[name] - before[name]) for name in after}
    told = sum(parts.values()) - 2 * parts["fees"]
    return EquityBridge(opening=opening, closing=closing, residual=Money(closing - opening - told), **parts)


def account_value_of(venue: VenueStatement) -> Money:
    """Return the account value a statement names, or what its cash, positions and marks add up to.

    A position without a mark counts at its entry cost.
    """
    if venue.account_value:
        return venue.account_value
    return Money(venue.cash + sum(_value(venue, symbol, lots, venue.costs) for symbol, lots in venue.positions.items()))


def _value(venue: VenueStatement, symbol: str, lots: int, costs: Mapping[str, int]) -> int:
    """Return a position at the venue's mark, at cost without one."""
    mark = venue.marks.get(symbol, 0)
    return lots * mark * money_per_unit_of(venue, symbol) if mark > 0 else costs.get(symbol, 0)


def _parts(ledger: LedgerSide, venue: VenueStatement) -> dict[str, int]:
    """Return what the ledger's account value is made of, positions at the venue's marks."""
    balances = ledger.balances
    gain = sum(
        _value(venue, symbol, lots, ledger.costs) - ledger.costs.get(symbol, 0)
        for symbol, lots in ledger.positions.items()
    )
    return {
        "realized": -balances.get(REALIZED, 0) - balances.get(LIQUIDATION, 0),
        "unrealized_change": gain,
        "funding": -balances.get(FUNDING, 0),
        "fees": balances.get(FEES, 0),
        "rebates": -balances.get(REBATES, 0),
        "transfers": -balances.get(TRANSFERS, 0),
        "unexplained": -balances.get(UNEXPLAINED, 0),
    }
