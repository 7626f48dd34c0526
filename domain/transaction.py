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
    DELEVERAGING = 4
    CORRECTION = 5

    @property
    def label(self) -> str:
        """Return the name as SQL writes it."""
        return self.name.lower()


class CorrectionCause(IntEnum):
    """Why a correction was booked. Nothing booked is ever changed; a correction is a transaction of its own."""

    NONE = 0
    """No correction."""
    LATE_FILL = 1
    """A fill arrived after younger ones: cost and realized profit become what they are in the venue's order."""
    UNEXPLAINED = 2
    """The venue's statement holds more or less than our facts add up to."""
    EXPLAINED = 3
    """A fact that arrived late explains what was booked as unexplained."""

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
    """One fact, booked. The postings sum to zero; fact_id is unique within its kind and makes booking idempotent.

    lots are positions that moved without a fill of ours to show for it: (symbol, signed lots), by an opening statement or
    a correction. evidence is what proves the fact: the venue's transaction hash, the statement, the late fact's id.
    """

    sequence: int
    kind: FactKind
    fact_id: str
    ts_event_ns: int
    symbol: str
    client_order_id: ClientOrderId
    postings: tuple[Posting, ...]
    lots: tuple[tuple[str, int], ...] = ()
    cause: CorrectionCause = CorrectionCause.NONE
    evidence: str = ""
