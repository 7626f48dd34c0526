"""Facts become transactions: which accounts a fill, a funding payment, a transfer, a statement and a correction touch.

Laws: one transaction per fact; its id is made of the fact alone, so the same fact told twice has the same id. Nothing
posted is ever changed: a correction is a transaction of its own, with its cause and what proves it.
"""

from collections.abc import Iterable

import msgspec

from domain.events import AccountReported, FundingPaid, OrderFilled, TransferBooked
from domain.transaction import CorrectionCause, FactKind, Transaction
from domain.units import Lots, Money, format_money
from ledger.accounts import CASH, TRANSFERS, UNEXPLAINED, InstrumentAccounts, accounts_of
from ledger.posting import balanced

OPENING = "opening"
"""How the identity of an opening statement begins; an account opens a book in each of its runs."""

FILL_KINDS = (FactKind.FILL, FactKind.LIQUIDATION, FactKind.DELEVERAGING)
"""By FillCause: an execution of the venue's own is another kind of fact."""


class Booked(msgspec.Struct, frozen=True, gc=False):
    """What a settlement or transfer did; corrections are what it explained besides: usually none."""

    transaction: Transaction
    corrections: tuple[Transaction, ...] = ()


class BookedFill(msgspec.Struct, frozen=True, gc=False):
    """What an execution did. realized excludes the fee; notional is positive; position_after is signed.

    corrections are what a late one changed besides: usually none. is_unordered says that it came so late that its place
    among the oldest is not known any more: it counts behind those that are forgotten.
    """

    transaction: Transaction
    realized: Money
    notional: Money
    position_after: Lots
    corrections: tuple[Transaction, ...] = ()
    is_unordered: bool = False


def fill_id(fact: OrderFilled) -> str:
    """Return the identity of an execution.

    A trade id alone is not unique at the venue over time; with its instrument and time it is.
    Source: HYPERLIQUID 8 (tid is a 50-bit hash, unique only together with the coin and the time).
    """
    return f"{fact.symbol}/{fact.trade_id}/{fact.ts_event_ns}"


def funding_id(fact: FundingPaid) -> str:
    """Return the identity of a settlement: one per instrument and hour."""
    return f"{fact.symbol}/{fact.hour_ns}"


def fill_transaction(
    sequence: int,
    fact: OrderFilled,
    fact_id: str,
    accounts: InstrumentAccounts,
    paid: int,
    cost_change: int,
    realized: int,
) -> Transaction:
    """Return the transaction of an execution with its fee or rebate; profit of the venue's own closings stands apart.

    Units: paid in Money, > 0 when buying (cash leaves); cost_change and realized as ledger.position gives them.
    Raises: LedgerUnbalanced when cost change and realized profit do not explain what was paid.
    """
    fee = fact.fee
    return balanced(
        sequence,
        FILL_KINDS[fact.cause],
        fact_id,
        fact.ts_event_ns,
        (
            (CASH, -paid - fee),
            (accounts.position, cost_change),
            (accounts.liquidation if fact.cause else accounts.realized, -realized),
            (accounts.fees if fee > 0 else accounts.rebates, fee),
        ),
        symbol=fact.symbol,
        client_order_id=fact.client_order_id,
        evidence=fact.evidence,
    )


def funding_transaction(sequence: int, fact: FundingPaid, fact_id: str, accounts: InstrumentAccounts) -> Transaction:
    """Return the transaction of one hourly settlement; an amount of zero is booked without postings."""
    return balanced(
        sequence,
        FactKind.FUNDING,
        fact_id,
        fact.ts_event_ns,
        ((CASH, fact.amount), (accounts.funding, -fact.amount)),
        symbol=fact.symbol,
    )


def transfer_transaction(sequence: int, fact: TransferBooked) -> Transaction:
    """Return the transaction of a deposit or withdrawal."""
    return balanced(
        sequence,
        FactKind.TRANSFER,
        fact.transfer_id,
        fact.ts_event_ns,
        ((CASH, fact.amount), (TRANSFERS, -fact.amount)),
    )


def opening_transaction(sequence: int, fact: AccountReported) -> Transaction:
    """Return the transaction that opens a book with what the venue says we have: cash and positions at entry cost.

    A flat position costs nothing, whatever the statement says.
    """
    positions = tuple((accounts_of(symbol).position, cost) for symbol, lots, cost in fact.positions if lots)
    brought = fact.cash + sum(cost for _, cost in positions)
    return balanced(
        sequence,
        FactKind.TRANSFER,
        f"{OPENING}/{fact.ts_event_ns}",
        fact.ts_event_ns,
        ((CASH, fact.cash), *positions, (TRANSFERS, -brought)),
        lots=tuple((symbol, lots) for symbol, lots, _ in fact.positions if lots),
        evidence=f"statement of the venue: {_held(fact.cash, [(symbol, lots) for symbol, lots, _ in fact.positions])}",
    )


def late_fill_correction(
    sequence: int, late: Transaction, accounts: InstrumentAccounts, realized: int, liquidation: int
) -> Transaction:
    """Return what brings an instrument to the venue's order of its fills after one of them came late.

    Units: Money that was realized more than is booked, by our orders and by the venue's closings; the cost of the
    position grows by as much.
    """
    return balanced(
        sequence,
        FactKind.CORRECTION,
        f"{late.fact_id}/order",
        late.ts_event_ns,
        (
            (accounts.position, realized + liquidation),
            (accounts.realized, -realized),
            (accounts.liquidation, -liquidation),
        ),
        symbol=late.symbol,
        cause=CorrectionCause.LATE_FILL,
        evidence=late.fact_id,
    )


def explained_correction(
    sequence: int,
    explained_by: Transaction,
    cash: int,
    *,
    accounts: InstrumentAccounts | None = None,
    lots: int = 0,
    cost: int = 0,
    realized: int = 0,
    liquidation: int = 0,
) -> Transaction:
    """Return what takes a fact out again of what a statement had already brought, against what was unexplained.

    Units: Money, and signed lots, that cash, position, cost and what was realized gain by the correction.
    """
    lines = [(CASH, cash)]
    if accounts is not None:
        lines += [
            (accounts.position, cost), (accounts.realized, -realized), (accounts.liquidation, -liquidation)
        ]  # fmt: skip
    return balanced(
        sequence,
        FactKind.CORRECTION,
        f"{explained_by.kind.label}/{explained_by.fact_id}/explained",
        explained_by.ts_event_ns,
        (*lines, (UNEXPLAINED, -sum(amount for _, amount in lines))),
        symbol=explained_by.symbol,
        lots=((explained_by.symbol, lots),) if lots else (),
        cause=CorrectionCause.EXPLAINED,
        evidence=explained_by.fact_id,
    )


def discrepancy_correction(
    sequence: int, fact: AccountReported, cash: int, changes: tuple[tuple[str, int, int], ...]
) -> Transaction:
    """Return what makes a book say what the venue's statement says, against what nobody can explain.

    Units: venue less book: cash in Money, changes as (symbol, signed lots, cost in Money).
    """
    positions = tuple((accounts_of(symbol).position, cost) for symbol, _, cost in changes)
    lots = tuple((symbol, change) for symbol, change, _ in changes)
    return balanced(
        sequence,
        FactKind.CORRECTION,
        f"statement/{fact.ts_event_ns}",
        fact.ts_event_ns,
        ((CASH, cash), *positions, (UNEXPLAINED, -cash - sum(cost for _, cost in positions))),
        lots=lots,
        cause=CorrectionCause.UNEXPLAINED,
        evidence=f"statement of the venue, less the book: {_held(cash, lots)}",
    )


def _held(cash: int, positions: Iterable[tuple[str, int]]) -> str:
    return ", ".join([f"cash {format_money(Money(cash))}", *(f"{symbol} {lots} lots" for symbol, lots in positions)])
