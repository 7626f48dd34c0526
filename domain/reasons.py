"""Every reason this house can give, each with one sentence.

A reason is a code that compiled code can return, a name that logs and SQL store, and a sentence a person reads.
Denied means we refused; rejected means the venue refused; canceled ended on request; halted stopped the bot.
The texts that begin "Order rejected:" are the operator's runbook words (seed 004) and stay exactly so.
"""

from enum import IntEnum


class Reason(IntEnum):
    """Why something was denied, rejected, canceled or halted. 0 is no objection."""

    NONE = 0

    # Risk manager: denials.
    ORDER_NOTIONAL = 1
    POSITION_NOTIONAL = 2
    TOTAL_EXPOSURE = 3
    LEVERAGE = 4
    OPEN_ORDERS = 5
    ORDER_RATE = 6
    PRICE_BAND = 7
    STALE_MARKET_DATA = 8
    NO_MARKET_DATA = 9
    KILL_SWITCH = 10
    MODE_FORBIDS = 11
    DRAWDOWN = 12
    DAILY_LOSS = 13
    SIZE_TOO_SMALL = 14
    VALUE_AT_RISK = 15

    # API pre-check: denials with the venue's rule behind them.
    INVALID_TICK = 20
    INVALID_LOT = 21
    MIN_NOTIONAL = 22
    POST_ONLY_WOULD_CROSS = 23
    REDUCE_ONLY_VIOLATION = 24
    INSUFFICIENT_MARGIN = 25
    PRICE_TOO_FAR = 26
    RATE_BUDGET = 27
    ZERO_SIZE = 28

    # Venue: rejections and cancels of its own.
    VENUE_TICK = 40
    VENUE_MIN_NOTIONAL = 41
    VENUE_MARGIN = 42
    VENUE_REDUCE_ONLY = 43
    VENUE_POST_ONLY = 44
    VENUE_IOC = 45
    VENUE_OPEN_ORDERS = 46
    VENUE_PRICE_TOO_FAR = 47
    VENUE_SIZE = 48
    VENUE_UNKNOWN_ORDER = 49
    VENUE_SELF_TRADE = 50
    VENUE_LIQUIDATED = 51
    VENUE_OTHER = 52
    VENUE_UNREACHABLE = 53

    # Cancels of ours.
    REPRICED = 60
    NOT_WANTED = 61
    CANCELED_STALE_DATA = 62
    CANCELED_SHUTDOWN = 63
    CANCELED_HALT = 64
    ANSWER_TIMED_OUT = 65
    REDUCED_TO_FIT = 66
    LEDGER_BEHIND = 67
    UNEXPLAINED = 68
    STATEMENT_OVERDUE = 69

    # Halts.
    HALTED_BY_OPERATOR = 80
    HALTED_BY_DRAWDOWN = 81
    HALTED_BY_DAILY_LOSS = 82
    HALTED_BY_INVARIANT = 83
    HALTED_BY_MARGIN = 84

    # Market data that was not used.
    BOOK_CROSSED = 100
    BOOK_EMPTY = 101
    BOOK_INVALID_LEVEL = 102
    CLOCK_WENT_BACK = 103
    UNKNOWN_INSTRUMENT = 104
    DUPLICATE_TRADE = 105
    FEED_LOST = 106

    # Facts that contradict what we knew.
    DUPLICATE_FILL = 120
    LATE_FILL = 121
    FILL_WITHOUT_ORDER = 122
    OVERFILL = 123
    UNKNOWN_ORDER = 124
    LATE_ANSWER = 125
    FILL_CHAIN_BROKEN = 126
    STATEMENT_OUTDATED = 127
    NOTHING_TO_ACKNOWLEDGE = 128
    FILL_UNORDERED = 129
    FACT_BEFORE_OPENING = 130

    # Why a difference between the venue's statement and our book is settled.
    STATEMENT_AGREES = 140
    EXPLAINED = 141
    ACKNOWLEDGED = 142

    @property
    def label(self) -> str:
        """Return the name as logs, metrics and SQL write it."""
        return self.name.lower()

    @property
    def sentence(self) -> str:
        """Return the sentence a person reads."""
        return SENTENCES[self]


SENTENCES: dict[Reason, str] = {
    Reason.NONE: "No objection.",
    Reason.ORDER_NOTIONAL: "Order denied: its value is above the limit for one order of this instrument",
    Reason.POSITION_NOTIONAL: "Order denied: the position could grow above the limit for this instrument",
    Reason.TOTAL_EXPOSURE: "Order denied: total exposure could grow above its limit",
    Reason.LEVERAGE: "Order denied: leverage could grow above its limit",
    Reason.OPEN_ORDERS: "Order denied: too many open orders",
    Reason.ORDER_RATE: "Order denied: too many orders in the last interval",
    Reason.PRICE_BAND: "Order denied: price is too far from the mark price",
    Reason.STALE_MARKET_DATA: "Order denied: market data is too old",
    Reason.NO_MARKET_DATA: "Order denied: no market data yet",
    Reason.KILL_SWITCH: "Order denied: the kill switch is engaged",
    Reason.MODE_FORBIDS: "Order denied: this mode allows only orders that reduce a position",
    Reason.DRAWDOWN: "Order denied: drawdown is above its limit",
    Reason.DAILY_LOSS: "Order denied: the loss of this day is above its limit",
    Reason.SIZE_TOO_SMALL: "Order denied: what the limits leave is below the smallest order",
    Reason.VALUE_AT_RISK: "Order denied: value at risk is above its limit",
    Reason.INVALID_TICK: "Order rejected: Invalid tick size",
    Reason.INVALID_LOT: "Order rejected: Invalid lot size",
    Reason.MIN_NOTIONAL: "Order rejected: Below minimum notional",
    Reason.POST_ONLY_WOULD_CROSS: "Order rejected: Post-only would cross",
    Reason.REDUCE_ONLY_VIOLATION: "Order rejected: Reduce-only violation",
    Reason.INSUFFICIENT_MARGIN: "Order rejected: Insufficient margin",
    Reason.PRICE_TOO_FAR: "Order rejected: Price too far from reference",
    Reason.RATE_BUDGET: "Order rejected: Rate budget exhausted",
    Reason.ZERO_SIZE: "Order rejected: Zero size",
    Reason.VENUE_TICK: "Rejected by the venue: price is not on its grid",
    Reason.VENUE_MIN_NOTIONAL: "Rejected by the venue: order value below its minimum",
    Reason.VENUE_MARGIN: "Rejected by the venue: not enough margin",
    Reason.VENUE_REDUCE_ONLY: "Rejected by the venue: reduce-only would increase the position",
    Reason.VENUE_POST_ONLY: "Rejected by the venue: post-only would have matched at once",
    Reason.VENUE_IOC: "Rejected by the venue: nothing to match immediately",
    Reason.VENUE_OPEN_ORDERS: "Rejected by the venue: too many open orders",
    Reason.VENUE_PRICE_TOO_FAR: "Rejected by the venue: price too far from its reference",
    Reason.VENUE_SIZE: "Rejected by the venue: invalid size",
    Reason.VENUE_UNKNOWN_ORDER: "Refused by the venue: no such open order",
    Reason.VENUE_SELF_TRADE: "Canceled by the venue: it would have traded with ourselves",
    Reason.VENUE_LIQUIDATED: "Canceled by the venue: the account is being liquidated",
    Reason.VENUE_OTHER: "Refused by the venue for a reason we have no code for",
    Reason.VENUE_UNREACHABLE: "The venue could not be reached",
    Reason.REPRICED: "Canceled: the wanted quote moved",
    Reason.NOT_WANTED: "Canceled: no longer wanted",
    Reason.CANCELED_STALE_DATA: "Canceled: market data is too old to quote on",
    Reason.CANCELED_SHUTDOWN: "Canceled: the bot is stopping",
    Reason.CANCELED_HALT: "Canceled: the kill switch is engaged",
    Reason.ANSWER_TIMED_OUT: "No answer from the venue in time; the order's fate is unknown",
    Reason.REDUCED_TO_FIT: "Approved with a smaller size to stay within the limits",
    Reason.LEDGER_BEHIND: "Canceled: the SQL ledger is too far behind, only orders that reduce a position go",
    Reason.UNEXPLAINED: "Canceled: the venue's statement and our book differ, only orders that reduce a position go",
    Reason.STATEMENT_OVERDUE: "Canceled: no statement could be compared for too long, only orders that reduce a position go",
    Reason.HALTED_BY_OPERATOR: "Halted by an operator",
    Reason.HALTED_BY_DRAWDOWN: "Halted: drawdown reached its stop",
    Reason.HALTED_BY_DAILY_LOSS: "Halted: the loss of this day reached its stop",
    Reason.HALTED_BY_INVARIANT: "Halted: an invariant is broken",
    Reason.HALTED_BY_MARGIN: "Halted: the margin ratio reached its stop",
    Reason.BOOK_CROSSED: "Book not used: best bid is not below best ask",
    Reason.BOOK_EMPTY: "Book not used: a side is empty",
    Reason.BOOK_INVALID_LEVEL: "Book not used: a level has a price or size that is not positive",
    Reason.CLOCK_WENT_BACK: "Event carries a time before its predecessor; the engine's time did not move",
    Reason.UNKNOWN_INSTRUMENT: "Event names an instrument this bot does not trade",
    Reason.DUPLICATE_TRADE: "Trade already seen",
    Reason.FEED_LOST: "Market data was lost",
    Reason.DUPLICATE_FILL: "Fill already booked",
    Reason.LATE_FILL: "Fill after the order had ended; booked",
    Reason.FILL_WITHOUT_ORDER: "Fill that no order of ours asked for; booked",
    Reason.OVERFILL: "Fill above the order's size; booked",
    Reason.UNKNOWN_ORDER: "Answer for an order we do not know",
    Reason.LATE_ANSWER: "Answer for an order that had already ended; nothing changed",
    Reason.FILL_CHAIN_BROKEN: "Fill that does not start at the position we know; booked, and the account is asked for",
    Reason.STATEMENT_OUTDATED: "Statement from before a fact that is booked already; not compared, asked for again",
    Reason.NOTHING_TO_ACKNOWLEDGE: "Acknowledgement without an unexplained balance to take on; nothing changed",
    Reason.FILL_UNORDERED: "Fill older than those kept in the venue's order; booked where it arrived",
    Reason.FACT_BEFORE_OPENING: "Fact from before the opening statement, which holds it already; not booked again",
    Reason.STATEMENT_AGREES: "Settled: the venue's next statement agrees with the book",
    Reason.EXPLAINED: "Settled: facts that arrived late explain the difference",
    Reason.ACKNOWLEDGED: "Settled: a person took on what nobody can explain",
}
