"""Moves money that no trade moves: between accounts, between margin and spot, out of the venue.

Laws: exact integers; what leaves one place arrives at another, and what leaves the venue is summed in `withdrawn`,
`charged` in what the venue itself earned. So the sum of all cash, spot balances, withdrawn and charged never changes
here. Every move is a line in the ledgers of those it concerns, in the venue's names; a line's amount is what it did to
margin cash. Source: HYPERLIQUID 3.3, 3.4, 5.4.
"""

from collections.abc import Mapping

from domain.units import MICRO_USDC, MONEY_DECIMALS, parse_money
from exchange.simulated.accounts import Account
from exchange.simulated.records import VenueOrder
from exchange.simulated.venue import Venue
from services.venue_server import texts
from services.venue_server.registry import Person, Registry
from services.venue_server.replies import decimal_text

USDC = "USDC"
AMOUNT_MAX = 10**30
"""A bigger sum is noise."""


def amount_of(text: str, *, grain: int = 1) -> int:
    """Return an amount text as Money, 0 when it is no amount that can be sent: nothing, negative, or too fine."""
    try:
        amount = parse_money(text)
    except ValueError:
        return 0
    return amount if 0 < amount < AMOUNT_MAX and amount % grain == 0 else 0


def micro(text: str) -> int:
    """Return an amount of margin USDC, which has six decimals, as Money; 0 as amount_of."""
    return amount_of(text, grain=MICRO_USDC)


def written(amount: int) -> str:
    """Return Money as the venue writes it."""
    return decimal_text(amount, MONEY_DECIMALS)


class Purse:
    """Every move of money that is no trade. Each returns why not, in the venue's words, or the empty text."""

    def __init__(self, venue: Venue, registry: Registry) -> None:
        """Know where money is."""
        self._venue = venue
        self._registry = registry
        venue.desk.on_surcharge = self.pay_builder
        self.withdrawn = 0
        self.charged = 0
        """What left the venue, and what the venue took for services. Units: Money."""

    def reach(self, address: str) -> Account:
        """Return the account of whoever is sent something: sending money to a stranger opens his account."""
        self._registry.open(address)
        return self._venue.open_account(address)

    def between_margins(
        self, source: Account, destination: Account, amount: int, kind: str, ts_ns: int, **fields: object
    ) -> str:
        """Move margin USDC from account to account."""
        if amount <= 0 or source is destination:
            return texts.BAD_SEND
        self._venue.begin(ts_ns)
        if amount > self._venue.withdrawable(source):
            return texts.NO_BALANCE_PERP
        told = {"user": source.address, "destination": destination.address, **fields}
        self._book(source, -amount, kind, told)
        self._book(destination, amount, kind, told)
        return ""

    def between_classes(self, person: Person, account: Account, amount: int, ts_ns: int, *, to_perp: bool) -> str:
        """Move USDC between spot balance and margin of one account."""
        if amount <= 0:
            return texts.BAD_SEND
        self._venue.begin(ts_ns)
        if to_perp and amount > person.spot:
            return texts.NO_BALANCE_SPOT
        if not to_perp and amount > self._venue.withdrawable(account):
            return texts.NO_BALANCE_PERP
        gained = amount if to_perp else -amount
        person.spot -= gained
        self._book(account, gained, "accountClassTransfer", {"toPerp": to_perp})
        return ""

    def between_spots(self, source: Person, destination: Person, amount: int, ts_ns: int) -> str:
        """Move spot USDC from person to person."""
        if amount <= 0 or source is destination:
            return texts.BAD_SEND
        if amount > source.spot:
            return texts.NO_BALANCE_SPOT
        self._venue.begin(ts_ns)
        source.spot -= amount
        destination.spot += amount
        value = written(amount)
        told = {
            "token": USDC,
            "amount": value,
            "usdcValue": value,
            "user": source.address,
            "destination": destination.address,
            "fee": "0.0",
        }
        for person in (source, destination):
            self._venue.book_update(self._venue.open_account(person.address), 0, "spotTransfer", told)
        return ""

    def send(
        self, source: Person, destination: Person, amount: int, dexes: tuple[bool, bool], ts_ns: int, nonce: int
    ) -> str:
        """Move USDC anywhere. dexes say for source and destination whether it is their spot balance."""
        is_from_spot, is_to_spot = dexes
        if amount <= 0 or (source is destination and is_from_spot == is_to_spot):
            return texts.BAD_SEND
        self._venue.begin(ts_ns)
        giver, taker = self._venue.open_account(source.address), self._venue.open_account(destination.address)
        if amount > (source.spot if is_from_spot else self._venue.withdrawable(giver)):
            return texts.NO_BALANCE_SPOT
        value = written(amount)
        told = {
            "user": source.address,
            "destination": destination.address,
            "sourceDex": "spot" if is_from_spot else "",
            "destinationDex": "spot" if is_to_spot else "",
            "token": USDC,
            "amount": value,
            "usdcValue": value,
            "fee": "0.0",
            "nonce": nonce,
        }
        given = taken = amount
        if is_from_spot:
            source.spot -= amount
            given = 0
        if is_to_spot:
            destination.spot += amount
            taken = 0
        if giver is taker:
            self._book(giver, taken - given, "send", told)
        else:
            self._book(giver, -given, "send", told)
            self._book(taker, taken, "send", told)
        return ""

    def withdraw(self, account: Account, amount: int, fee: int, ts_ns: int, nonce: int) -> str:
        """Let USDC leave the venue; the fee is part of the amount."""
        if amount <= fee:
            return texts.BAD_SEND if amount <= 0 else texts.NO_BALANCE_PERP
        self._venue.begin(ts_ns)
        if amount > self._venue.withdrawable(account):
            return texts.NO_BALANCE_PERP
        self.withdrawn += amount - fee
        self.charged += fee
        self._book(account, -amount, "withdraw", {"nonce": nonce, "fee": written(fee)})
        return ""

    def charge(self, account: Account, amount: int, kind: str, ts_ns: int, **fields: object) -> str:
        """Take what a service of the venue costs."""
        self._venue.begin(ts_ns)
        if amount > self._venue.withdrawable(account):
            return texts.NO_BALANCE_PERP
        self.charged += amount
        self._book(account, -amount, kind, fields)
        return ""

    def pay_builder(self, order: VenueOrder, amount: int) -> None:
        """Give a builder what a fill of his order cost its account as part of the fee. Units: Money."""
        if order.surcharge is None:
            return
        builder = self.reach(order.surcharge.address)
        told = {"user": order.account.address, "destination": builder.address, "fee": "0.0"}
        self._book(builder, amount, "internalTransfer", told)

    def _book(self, account: Account, amount: int, kind: str, fields: Mapping[str, object]) -> None:
        account.cash += amount
        self._venue.book_update(account, amount, kind, fields)
