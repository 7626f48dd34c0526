"""The book: double entry in exact integers, one balanced transaction per fact.

Why it exists: it is the one place that knows what we own and why. Everything else (risk, reports, SQL) reads it or
reads what it posted.

Laws: a fact is booked once, however often it is told; the sum of all balances is zero; a position is the sum of its
fills; cash is the sum of what the facts moved; equity is what was transferred in plus net profit. `verify` recomputes
all of them. A position whose mark is unknown (0) counts at cost.

The balances are the truth. Lots and cost of positions are also kept beside them, because `equity` is asked at every
event; `verify` holds both together.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from domain.errors import InvariantBroken, LedgerUnbalanced
from domain.events import AccountReported, FundingPaid, OrderFilled, TransferBooked
from domain.instrument import Instrument
from domain.transaction import Transaction
from domain.units import Lots, Money, format_money
from ledger.accounts import CASH, GENERAL_KINDS, TRANSFERS, UNEXPLAINED, InstrumentAccounts, accounts_of
from ledger.bookkeeping import (
    fill_id,
    fill_transaction,
    funding_id,
    funding_transaction,
    opening_transaction,
    transfer_transaction,
)
from ledger.pnl import ProfitAndLoss, net_of, profit_and_loss
from ledger.position import apply_fill, unrealized


class BookedFill(msgspec.Struct, frozen=True, gc=False):
    """What an execution did. realized excludes the fee; notional is positive; position_after is signed."""

    transaction: Transaction
    realized: Money
    notional: Money
    position_after: Lots


class _Holding:
    """One instrument's lots and cost, its account names, and the sums that prove them."""

    __slots__ = ("accounts", "cost", "lots", "lots_filled", "money_per_unit", "slippage")

    def __init__(self, instrument: Instrument) -> None:
        self.accounts: Final[InstrumentAccounts] = accounts_of(instrument.symbol)
        self.money_per_unit: Final = instrument.money_per_unit
        self.lots = 0
        self.cost = 0
        self.lots_filled = 0
        self.slippage = 0


class Book:
    """The accounts of one trading account over a fixed set of instruments."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        """Open an empty book."""
        self._holdings = {symbol: _Holding(instrument) for symbol, instrument in instruments.items()}
        self._open: dict[str, _Holding] = {}
        self._balances: dict[str, int] = dict.fromkeys(GENERAL_KINDS, 0)
        for holding in self._holdings.values():
            self._balances.update(dict.fromkeys(msgspec.structs.astuple(holding.accounts), 0))
        self._sequence = 0
        self._cash_told = 0
        self._fill_ids: set[str] = set()
        self._funding_ids: set[str] = set()
        self._transfer_ids: set[str] = set()
        self._brought_and_kept = 0
        self._is_proven = False

    # Booking.

    def book_fill(self, fact: OrderFilled) -> BookedFill | None:
        """Book an execution with its fee or rebate; None when this execution is booked already.

        Raises: InvariantBroken for an instrument the book does not hold.
        """
        fact_id = fill_id(fact)
        if fact_id in self._fill_ids:
            return None
        holding = self._holding(fact.symbol)
        value_per_lot = fact.price * holding.money_per_unit
        change = fact.side * fact.lots
        paid = change * value_per_lot
        lots, cost, realized = apply_fill(holding.lots, holding.cost, change, value_per_lot)
        self._sequence += 1
        transaction = fill_transaction(
            self._sequence, fact, fact_id, holding.accounts, paid, cost - holding.cost, realized
        )
        self._fill_ids.add(fact_id)
        self._post(transaction)
        self._cash_told -= paid + fact.fee
        holding.lots_filled += change
        holding.lots, holding.cost = lots, cost
        if lots:
            self._open[fact.symbol] = holding
        else:
            self._open.pop(fact.symbol, None)
        return BookedFill(transaction, Money(realized), Money(abs(paid)), Lots(lots))

    def book_funding(self, fact: FundingPaid) -> Transaction | None:
        """Book one hourly settlement; None when this hour of this instrument is booked already.

        Raises: InvariantBroken for an instrument the book does not hold.
        """
        fact_id = funding_id(fact)
        if fact_id in self._funding_ids:
            return None
        holding = self._holding(fact.symbol)
        self._sequence += 1
        transaction = funding_transaction(self._sequence, fact, fact_id, holding.accounts)
        self._funding_ids.add(fact_id)
        self._post(transaction)
        self._cash_told += fact.amount
        return transaction

    def book_transfer(self, fact: TransferBooked) -> Transaction | None:
        """Book a deposit or withdrawal; None when this transfer is booked already."""
        if fact.transfer_id in self._transfer_ids:
            return None
        self._sequence += 1
        transaction = transfer_transaction(self._sequence, fact)
        self._transfer_ids.add(fact.transfer_id)
        self._post(transaction)
        self._cash_told += fact.amount
        return transaction

    def book_opening(self, fact: AccountReported) -> Transaction | None:
        """Open an empty book with the venue's statement, positions at their entry cost; None when it is not empty.

        Raises: InvariantBroken for an instrument the book does not hold, before anything is booked.
        """
        if self._sequence:
            return None
        opened = [(symbol, self._holding(symbol), lots, cost) for symbol, lots, cost in fact.positions]
        self._sequence += 1
        transaction = opening_transaction(self._sequence, fact)
        self._transfer_ids.add(transaction.fact_id)
        self._post(transaction)
        self._cash_told += fact.cash
        for symbol, holding, lots, cost in opened:
            holding.lots, holding.cost, holding.lots_filled = lots, cost, lots
            if lots:
                self._open[symbol] = holding
        return transaction

    def add_slippage(self, symbol: str, amount: Money) -> None:
        """Add to an instrument's slippage memo; > 0 is a cost. Raises: InvariantBroken for an unknown instrument."""
        self._holding(symbol).slippage += amount

    # Reading.

    @property
    def cash(self) -> Money:
        """What the venue calls raw USD."""
        return Money(self._balances[CASH])

    @property
    def transaction_count(self) -> int:
        """How many facts are booked."""
        return self._sequence

    @property
    def balances(self) -> dict[str, int]:
        """A copy of every account's balance, debit positive."""
        return dict(self._balances)

    def position_lots(self, symbol: str) -> int:
        """Return the signed position; 0 for an instrument the book does not hold."""
        holding = self._open.get(symbol)
        return holding.lots if holding is not None else 0

    def position_cost(self, symbol: str) -> int:
        """Return the cost of a position in Money, signed like its lots; 0 when flat."""
        holding = self._open.get(symbol)
        return holding.cost if holding is not None else 0

    def open_positions(self) -> dict[str, int]:
        """Return signed lots by symbol, flat ones left out."""
        return {symbol: holding.lots for symbol, holding in self._open.items()}

    def equity(self, marks: Mapping[str, int]) -> Money:
        """Return cash plus positions at mark (at cost where the mark is missing or 0)."""
        total = self._balances[CASH]
        for symbol, holding in self._open.items():
            mark = marks.get(symbol, 0)
            total += holding.lots * mark * holding.money_per_unit if mark > 0 else holding.cost
        return Money(total)

    def totals(self, marks: Mapping[str, int]) -> ProfitAndLoss:
        """Return profit and loss by cause over all instruments."""
        realized = gain = funding = fees = rebates = slippage = 0
        balances = self._balances
        for symbol, holding in self._holdings.items():
            accounts = holding.accounts
            realized -= balances[accounts.realized]
            funding -= balances[accounts.funding]
            fees += balances[accounts.fees]
            rebates -= balances[accounts.rebates]
            slippage += holding.slippage
            if holding.lots:
                gain += unrealized(holding.lots, holding.cost, marks.get(symbol, 0), holding.money_per_unit)
        return profit_and_loss(realized, gain, funding, fees, rebates, slippage, self.equity(marks))

    def totals_of(self, symbol: str, marks: Mapping[str, int]) -> ProfitAndLoss:
        """Return one instrument's profit and loss by cause; its equity is its net.

        Raises: InvariantBroken for an instrument the book does not hold.
        """
        holding, balances = self._holding(symbol), self._balances
        accounts = holding.accounts
        gain = unrealized(holding.lots, holding.cost, marks.get(symbol, 0), holding.money_per_unit)
        realized, funding = -balances[accounts.realized], -balances[accounts.funding]
        fees, rebates = balances[accounts.fees], -balances[accounts.rebates]
        net = net_of(realized, gain, funding, fees, rebates)
        return profit_and_loss(realized, gain, funding, fees, rebates, holding.slippage, net)

    # Proof.

    def verify(self, marks: Mapping[str, int]) -> None:
        """Recompute every law of the book: all of them after something was booked, else those the marks move.

        Raises: LedgerUnbalanced naming the law, the numbers and the transaction count.
        """
        if not self._is_proven:
            self._prove_balances()
            self._brought_and_kept = self._recomputed_worth()
            self._is_proven = True
        gain = 0
        for symbol, holding in self._open.items():
            gain += unrealized(holding.lots, holding.cost, marks.get(symbol, 0), holding.money_per_unit)
        residual = self.equity(marks) - self._brought_and_kept - gain
        if residual:
            self._fail("equity less transfers and net profit", residual)

    def _recomputed_worth(self) -> int:
        """Return transfers plus every cause of profit that does not move with the marks, from the balances."""
        at_cost = self.totals({})
        return at_cost.net - self._balances[TRANSFERS] - self._balances[UNEXPLAINED]

    def _prove_balances(self) -> None:
        balances = self._balances
        total = sum(balances.values())
        if total:
            self._fail("all balances", total)
        if balances[CASH] != self._cash_told:
            self._fail("cash less what the facts moved", balances[CASH] - self._cash_told)
        for symbol, holding in self._holdings.items():
            if balances[holding.accounts.position] != holding.cost:
                self._fail(f"position:{symbol} less its cost", balances[holding.accounts.position] - holding.cost)
            if holding.lots == 0 and holding.cost:
                self._fail(f"cost of the flat position {symbol}", holding.cost)
            if holding.lots != holding.lots_filled:
                raise LedgerUnbalanced(
                    f"position of {symbol} is {holding.lots} lots, its fills sum to {holding.lots_filled}, "
                    f"after transaction {self._sequence}"
                )
            if (symbol in self._open) != (holding.lots != 0):
                raise LedgerUnbalanced(f"position of {symbol} is {holding.lots} lots, the list of open ones disagrees")

    def _fail(self, what: str, amount: int) -> None:
        text = format_money(Money(amount))
        raise LedgerUnbalanced(f"{what}: sum is {text} (expected 0) after transaction {self._sequence}")

    def _post(self, transaction: Transaction) -> None:
        balances = self._balances
        for posting in transaction.postings:
            balances[posting.account] += posting.amount
        self._is_proven = False

    def _holding(self, symbol: str) -> _Holding:
        holding = self._holdings.get(symbol)
        if holding is None:
            raise InvariantBroken(f"the book holds no instrument {symbol!r}, only {', '.join(self._holdings)}")
        return holding

    # Memory.

    def snapshot(self) -> dict[str, Any]:
        """Return everything remembered as plain data, sorted: equal books give equal snapshots."""
        return {
            "sequence": self._sequence,
            "cash_told": self._cash_told,
            "balances": dict(sorted(self._balances.items())),
            "lots": {symbol: holding.lots for symbol, holding in sorted(self._holdings.items())},
            "lots_filled": {symbol: holding.lots_filled for symbol, holding in sorted(self._holdings.items())},
            "slippage": {symbol: holding.slippage for symbol, holding in sorted(self._holdings.items())},
            "fills": sorted(self._fill_ids),
            "fundings": sorted(self._funding_ids),
            "transfers": sorted(self._transfer_ids),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Remember what a snapshot kept. Raises: InvariantBroken when it is of other instruments."""
        if set(snapshot["lots"]) != set(self._holdings) or set(snapshot["balances"]) != set(self._balances):
            raise InvariantBroken(
                f"snapshot of the book is of {', '.join(snapshot['lots'])}, expected {', '.join(self._holdings)}"
            )
        self._sequence, self._cash_told = snapshot["sequence"], snapshot["cash_told"]
        self._balances.update(snapshot["balances"])
        self._open.clear()
        for symbol, holding in self._holdings.items():
            holding.lots, holding.lots_filled = snapshot["lots"][symbol], snapshot["lots_filled"][symbol]
            holding.cost = self._balances[holding.accounts.position]
            holding.slippage = snapshot["slippage"][symbol]
            if holding.lots:
                self._open[symbol] = holding
        self._fill_ids, self._funding_ids = set(snapshot["fills"]), set(snapshot["fundings"])
        self._transfer_ids = set(snapshot["transfers"])
        self._is_proven = False

    def digest(self) -> str:
        """Return the SHA-256 of the snapshot: equal however independent facts were ordered."""
        return sha256(msgspec.json.encode(self.snapshot(), order="deterministic")).hexdigest()
