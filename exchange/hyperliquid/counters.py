"""What the adapter met and did not choke on: counted here, shown as metrics, never raised.

Laws: names from outside (fields, statuses) are kept up to NAMES_MAX and in NAME_LENGTH characters, whatever the venue
sends; what comes beyond is counted under OTHERS.
"""

import msgspec

NAMES_MAX = 200
NAME_LENGTH = 80
OTHERS = "others"


class Counters(msgspec.Struct, kw_only=True):
    """Counted since the start of the process."""

    malformed: int = 0
    """Messages that could not be read at all."""
    refused_data: int = 0
    """Market data left out, each told by MarketDataRefused."""
    unknown_channels: dict[str, int] = {}
    unknown_fields: dict[str, int] = {}
    """By structure and key."""
    unknown_statuses: dict[str, int] = {}
    unknown_updates: dict[str, int] = {}
    """Kinds of ledger updates nobody here can book."""
    duplicates: int = 0
    """Facts that came again: fills, funding, ledger updates, trades."""
    old_trades: int = 0
    """Trades from before the connection, replayed by the venue when subscribing."""
    foreign_orders: int = 0
    """Updates of orders this process did not place."""
    foreign_money: int = 0
    """Fills and funding in coins this bot does not trade, or fees in another token."""
    strange_answers: int = 0
    """Answers nobody asked for: unknown requests, and second answers to one."""
    doubts_proven: int = 0
    """Orders in doubt whose fate was proven."""
    doubts_open: int = 0
    """Questions about an order that could not be answered yet."""
    gaps_closed: int = 0
    """Gaps (connections lost, the start) after which the account was proven whole."""
    gaps_unproven: int = 0
    """Statements that differed from our facts however often they were asked for."""
    listing_changes: int = 0
    """Instruments that the venue lists otherwise than at the start, or no more: they are not quoted any more."""
    key_refusals: int = 0
    """Whether the venue refused the key itself: nothing is quoted from then on."""
    fills_fetched: int = 0
    """Fills that no push had told."""


def count(names: dict[str, int], name: str) -> None:
    """Count a name that came from outside."""
    known = name[:NAME_LENGTH]
    if known not in names and len(names) >= NAMES_MAX:
        known = OTHERS
    names[known] = names.get(known, 0) + 1
