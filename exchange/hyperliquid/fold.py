"""What the facts told so far add up to: cash and positions, fact by fact.

Laws: exact integers; the statement is a new object with every account fact and the same one in between, so a driver
may compare by identity first.
"""

from domain.events import AccountReported, Event, FundingPaid, OrderFilled, TransferBooked
from domain.units import Money
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.port import Statement


class Fold:
    """Cash and positions by the facts. Units: Money, signed lots."""

    def __init__(self, coins: dict[str, Numbers]) -> None:
        """Know nothing."""
        self._coins = coins
        self.cash = 0
        self.positions: dict[str, int] = {}

    def begin(self, cash: int, positions: dict[str, int]) -> None:
        """Start from what the venue says."""
        self.cash, self.positions = cash, {symbol: lots for symbol, lots in positions.items() if lots}

    def take(self, fact: Event) -> bool:
        """Add a fact; say whether it was about the account."""
        match fact:
            case OrderFilled():
                signed = fact.side * fact.lots
                money_per_unit = self._coins[fact.symbol].instrument.money_per_unit
                self.cash -= fact.price * signed * money_per_unit + fact.fee
                left = self.positions.get(fact.symbol, 0) + signed
                if left:
                    self.positions[fact.symbol] = left
                else:
                    self.positions.pop(fact.symbol, None)
            case FundingPaid() | TransferBooked():
                self.cash += fact.amount
            case AccountReported():
                self.begin(fact.cash, {symbol: lots for symbol, lots, _ in fact.positions})
            case _:
                return False
        return True

    def statement(self) -> Statement:
        """Return what the facts add up to."""
        return Statement(Money(self.cash), dict(self.positions))
