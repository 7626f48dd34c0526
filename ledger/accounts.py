"""The chart of accounts: every name a posting may carry, and what its balance means.

Amounts are debit-positive. Cash and positions are what we have: a positive balance is ours. Realized, rebates, funding
and transfers are where it came from: a gain or deposit is a negative balance. Fees are an expense: positive.

Law: an account is a kind, or a kind and a symbol joined by the first colon (symbols may hold colons themselves).
"""

import msgspec

CASH = "cash"
"""What the venue calls raw USD: equity less the value of positions. Buying a contract lowers it by its notional."""

TRANSFERS = "transfers"
UNEXPLAINED = "unexplained"

POSITION = "position"
REALIZED = "realized"
FEES = "fees"
REBATES = "rebates"
FUNDING = "funding"
LIQUIDATION = "liquidation"
"""What was realized by positions the venue closed: liquidation and deleveraging. A part of realized profit."""

INSTRUMENT_KINDS = (POSITION, REALIZED, FEES, REBATES, FUNDING, LIQUIDATION)
GENERAL_KINDS = (CASH, TRANSFERS, UNEXPLAINED)


class InstrumentAccounts(msgspec.Struct, frozen=True, gc=False):
    """The six accounts of one instrument, named once so that booking builds no text."""

    position: str
    realized: str
    fees: str
    rebates: str
    funding: str
    liquidation: str


def accounts_of(symbol: str) -> InstrumentAccounts:
    """Return the accounts of an instrument."""
    return InstrumentAccounts(*(f"{kind}:{symbol}" for kind in INSTRUMENT_KINDS))


def kind_of(account: str) -> str:
    """Return what an account holds: one of GENERAL_KINDS or INSTRUMENT_KINDS for accounts of this chart."""
    return account.partition(":")[0]


def symbol_of(account: str) -> str:
    """Return the instrument of an account; empty for the general ones."""
    return account.partition(":")[2]
