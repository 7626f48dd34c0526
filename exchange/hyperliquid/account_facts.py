"""Money facts from every source, told once: fills, funding, ledger updates, whether pushed, replayed or fetched.

Theory of operation. Until the account is known (the first statement of the venue, at its time) what arrives is kept;
from then on what happened up to that time is history, which the statement holds already, and everything after it is
told. Keys of what was told are remembered for as long as the venue may repeat it.

Laws: a fill is (venue time, coin, trade id), funding (hour, coin), an update its whole content; what cannot be read or
is not ours to book is counted, never raised.
"""

from collections.abc import Callable

from domain.events import FundingPaid, OrderFilled, TransferBooked
from domain.units import NS_PER_MS, Price
from exchange.hyperliquid.codec_account import (
    UnknownUpdate,
    fill_key,
    funding_paid,
    in_venue_order,
    is_fee_in_usdc,
    order_filled,
    transfer_booked,
)
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.counters import Counters, count
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.wire_account import Fill, FundingPayment, LedgerEntry

KEPT_MAX = 20_000
"""Keys remembered by kind: the venue itself keeps 10,000 fills."""
WAITING_MAX = 5_000
"""Messages kept before the account is known: more than a snapshot holds."""

Key = tuple[int, str, int] | tuple[int, str] | str


class _Once:
    """Keys seen, the oldest forgotten."""

    def __init__(self) -> None:
        self._seen: dict[Key, None] = {}

    def is_new(self, key: Key) -> bool:
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > KEPT_MAX:
            del self._seen[next(iter(self._seen))]
        return True


class AccountFacts:
    """What was told of the account's money."""

    def __init__(
        self,
        coins: dict[str, Numbers],
        account: str,
        oracles: dict[str, int],
        teller: Teller,
        counters: Counters,
        tell_fill: Callable[[OrderFilled], None],
    ) -> None:
        """Tell fills through tell_fill, which knows their orders; oracles are the latest known, by coin."""
        self._coins, self._account, self._oracles = coins, account, oracles
        self._teller, self._counters, self._tell_fill = teller, counters, tell_fill
        self._fills, self._fundings, self._transfers = _Once(), _Once(), _Once()
        self._waiting: list[Callable[[], None]] = []
        self.begun_ms: int | None = None
        """Venue time of the statement everything is told on top of; None while there is none."""
        self.newest_ms = 0
        """Venue time of the youngest fact told or kept."""
        self.is_broken = False
        """Whether a fill did not start at the position we know: something is missing."""

    def begin(self, time_ms: int) -> None:
        """Everything up to time_ms is history; tell what came meanwhile and is younger."""
        self.begun_ms = time_ms
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell()

    def take_fills(self, fills: tuple[Fill, ...] | list[Fill], now_ns: int, *, is_fetched: bool = False) -> None:
        """Take fills in any order."""
        for fill in in_venue_order(list(fills), self._coins):
            self._take_fill(fill, now_ns, is_fetched=is_fetched)

    def take_fundings(self, payments: tuple[FundingPayment, ...] | list[FundingPayment], now_ns: int) -> None:
        """Take hourly settlements."""
        for paid in sorted(payments, key=lambda one: one.time):
            self._take_funding(paid, now_ns)

    def take_updates(self, entries: tuple[LedgerEntry, ...] | list[LedgerEntry], now_ns: int) -> None:
        """Take ledger updates."""
        for entry in sorted(entries, key=lambda one: one.time):
            self._take_update(entry, now_ns)

    def _is_told(self, time_ms: int, tell: Callable[[], None]) -> bool:
        """Say whether a fact is to be told now: not while the account is unknown, never what is history."""
        if self.begun_ms is None:
            self.newest_ms = max(self.newest_ms, time_ms)
            if len(self._waiting) < WAITING_MAX:
                self._waiting.append(tell)
            return False
        return time_ms > self.begun_ms

    def _take_fill(self, fill: Fill, now_ns: int, *, is_fetched: bool) -> None:
        now_ns = max(now_ns, self._teller.now_ns)
        if not self._is_told(fill.time, lambda: self._take_fill(fill, now_ns, is_fetched=is_fetched)):
            return
        if fill.coin not in self._coins:
            if self._fills.is_new(fill_key(fill)):
                self._counters.foreign_money += 1
            return
        try:
            fact = order_filled(fill, self._coins, self._account, now_ns)
        except ValueError:
            self._counters.malformed += 1
            return
        if not self._fills.is_new(fill_key(fill)):
            self._counters.duplicates += 1
            return
        if is_fetched:
            self._counters.fills_fetched += 1
        if not is_fee_in_usdc(fill):
            self._counters.foreign_money += 1
        self._note(fact)
        if fact.start_position != self._teller.told.positions.get(fact.symbol, 0):
            self.is_broken = True
        self._tell_fill(fact)

    def _take_funding(self, paid: FundingPayment, now_ns: int) -> None:
        now_ns = max(now_ns, self._teller.now_ns)
        if not self._is_told(paid.time, lambda: self._take_funding(paid, now_ns)):
            return
        if paid.coin not in self._coins:
            if self._fundings.is_new((paid.time, paid.coin)):
                self._counters.foreign_money += 1
            return
        try:
            fact = funding_paid(paid, self._coins, Price(self._oracles.get(paid.coin, 0)), now_ns)
        except ValueError:
            self._counters.malformed += 1
            return
        if self._fundings.is_new((fact.hour_ns, fact.symbol)):
            self._note(fact)
            self._teller.tell(fact)
        else:
            self._counters.duplicates += 1

    def _take_update(self, entry: LedgerEntry, now_ns: int) -> None:
        now_ns = max(now_ns, self._teller.now_ns)
        if not self._is_told(entry.time, lambda: self._take_update(entry, now_ns)):
            return
        try:
            fact = transfer_booked(entry, self._account, now_ns)
        except UnknownUpdate as kind:
            if self._transfers.is_new(f"{entry.time}:{entry.hash}:{kind}"):
                count(self._counters.unknown_updates, str(kind))
            return
        except ValueError:
            self._counters.malformed += 1
            return
        if fact is None:
            return
        if self._transfers.is_new(fact.transfer_id):
            self._note(fact)
            self._teller.tell(fact)
        else:
            self._counters.duplicates += 1

    def _note(self, fact: OrderFilled | FundingPaid | TransferBooked) -> None:
        self.newest_ms = max(self.newest_ms, fact.ts_event_ns // NS_PER_MS)
