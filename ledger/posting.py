"""The only maker of transactions: what does not sum to zero does not become one."""

from domain.errors import LedgerUnbalanced
from domain.identifiers import NO_ORDER, ClientOrderId
from domain.transaction import CorrectionCause, FactKind, Posting, Transaction
from domain.units import Money, format_money


def balanced(
    sequence: int,
    kind: FactKind,
    fact_id: str,
    ts_event_ns: int,
    lines: tuple[tuple[str, int], ...],
    *,
    symbol: str = "",
    client_order_id: ClientOrderId = NO_ORDER,
    lots: tuple[tuple[str, int], ...] = (),
    cause: CorrectionCause = CorrectionCause.NONE,
    evidence: str = "",
) -> Transaction:
    """Return the transaction of one fact; lines of zero are left out, so a fact that moved no money has no postings.

    Shape: lines of (account, amount in Money, debit positive); lots of (symbol, signed lots) that moved without a fill.
    Raises: LedgerUnbalanced naming the fact and the sum when the lines do not sum to zero.
    """
    total = 0
    postings = []
    for account, amount in lines:
        if amount:
            total += amount
            postings.append(Posting(account, Money(amount)))
    if total:
        raise LedgerUnbalanced(
            f"postings of {kind.label} {fact_id} sum to {format_money(Money(total))} (expected 0), transaction {sequence}"
        )
    return Transaction(
        sequence=sequence,
        kind=kind,
        fact_id=fact_id,
        ts_event_ns=ts_event_ns,
        symbol=symbol,
        client_order_id=client_order_id,
        postings=tuple(postings),
        lots=lots,
        cause=cause,
        evidence=evidence,
    )
