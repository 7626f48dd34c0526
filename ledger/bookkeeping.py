"""Facts become transactions: which accounts a fill, a funding payment, a transfer and an opening statement touch.

Laws: one transaction per fact; its id is made of the fact alone, so the same fact told twice has the same id.
"""

from domain.events import AccountReported, FundingPaid, OrderFilled, TransferBooked
from domain.transaction import FactKind, Transaction
from ledger.accounts import CASH, TRANSFERS, InstrumentAccounts, accounts_of
from ledger.posting import balanced

OPENING_ID = "opening"


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
    """Return the transaction of an execution with its fee or rebate.

    Units: paid in Money, > 0 when buying (cash leaves); cost_change and realized as ledger.position gives them.
    Raises: LedgerUnbalanced when cost change and realized profit do not explain what was paid.
    """
    fee = fact.fee
    return balanced(
        sequence,
        FactKind.LIQUIDATION if fact.is_liquidation else FactKind.FILL,
        fact_id,
        fact.ts_event_ns,
        (
            (CASH, -paid - fee),
            (accounts.position, cost_change),
            (accounts.realized, -realized),
            (accounts.fees if fee > 0 else accounts.rebates, fee),
        ),
        symbol=fact.symbol,
        client_order_id=fact.client_order_id,
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
    """Return the transaction that opens a book with what the venue says we have: cash and positions at entry cost."""
    positions = tuple((accounts_of(symbol).position, cost) for symbol, _, cost in fact.positions)
    brought = fact.cash + sum(cost for _, cost in positions)
    return balanced(
        sequence,
        FactKind.TRANSFER,
        OPENING_ID,
        fact.ts_event_ns,
        ((CASH, fact.cash), *positions, (TRANSFERS, -brought)),
    )
