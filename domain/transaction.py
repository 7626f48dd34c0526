"""Transactions: one immutable, balanced record per fact. The ledger makes them; everybody may read them."""

from enum import IntEnum

import msgspec

from domain.identifiers import ClientOrderId
from domain.units import Money


class FactKind(IntEnum):
    """Which fact a transaction books."""

    TRANSFER = 0
    FILL = 1
    FUNDING = 2
    LIQUIDATION = 3

    @property
    def label(self) -> str:
        """Return the name as SQL writes it."""
        return self.name.lower()


class Posting(msgspec.Struct, frozen=True, gc=False):
    """One line of a transaction. amount > 0 is a debit (cash in, cost, expense), < 0 a credit. Units: Money.

    account is a path such as "cash", "position:BTC", "realized:BTC", "fees:BTC" (see ledger/accounts.py).
    """

    account: str
    amount: Money


class Transaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fact, booked. The postings sum to zero; fact_id is unique within its kind and makes booking idempotent."""

    sequence: int
    kind: FactKind
    fact_id: str
    ts_event_ns: int
    symbol: str
    client_order_id: ClientOrderId
    postings: tuple[Posting, ...]
