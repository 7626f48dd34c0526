"""The book: double entry in exact integers, one balanced transaction per fact.

Why it exists: it is the one place that knows what we own and why. Everything else (risk, reports, SQL) reads it or
reads what it posted.

Laws: a fact is booked once, however often it is told; the sum of all balances is zero; a position is the sum of its
fills, of what the opening statement brought and of what nobody can explain; cash is the sum of what the facts moved;
equity is what was transferred in, what is unexplained, and net profit. `verify` recomputes all of them. A position
whose mark is unknown (0) counts at cost. What the opening statement held already, it being newer, moves nothing.

Nothing posted is ever changed. What a late fact changes of the past, and what a statement of the venue holds beyond all
facts, are corrections: transactions of their own. So the balances depend on the facts, never on their order.

The balances are the truth. Lots and cost are also kept beside them for `equity`; `verify` holds both together.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from domain.errors import InvariantBroken, LedgerUnbalanced
from domain.events import AccountReported, FundingPaid, OrderFilled, TransferBooked
from domain.instrument import Instrument
from domain.transaction import Transaction
from domain.units import Lots, Money
from ledger.accounts import CASH, GENERAL_KINDS, TRANSFERS, UNEXPLAINED
from ledger.bookkeeping import (
    Booked,
    BookedFill,
    discrepancy_correction,
    explained_correction,
    fill_id,
    fill_transaction,
    funding_id,
    funding_transaction,
    late_fill_correction,
    opening_transaction,
    transfer_transaction,
)
from ledger.fill_order import CHANGE, CLOSING, COST, ORDER, TS, Move
from ledger.holding import Holding, totals_over, unbalanced
from ledger.pnl import ProfitAndLoss
from ledger.position import apply_fill, unrealized


class Book:
    """The accounts of one trading account over a fixed set of instruments."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        """Open an empty book."""
        self._holdings = {symbol: Holding(instrument) for symbol, instrument in instruments.items()}
        self._open: dict[str, Holding] = {}
        self._balances: dict[str, int] = dict.fromkeys(GENERAL_KINDS, 0)
        for holding in self._holdings.values():
            self._balances.update(dict.fromkeys(msgspec.structs.astuple(holding.accounts), 0))
        self._sequence = self._cash_told = self._latest_cash_ns = 0
        self._statement_ns = self._opening_ns = -1
        self._fill_ids: set[str] = set()
        self._funding_ids: set[str] = set()
        self._transfer_ids: set[str] = set()
        self._brought_and_kept = 0
        self._is_proven = False

    # Booking.

    def book_fill(self, fact: OrderFilled) -> BookedFill | None:
        """Book an execution with its fee or rebate; None when this execution is booked already, or held by the opening.

        One that comes late is booked as it arrives, and corrections bring the book to the venue's order of fills; one
        from before a booked difference explains its part of it.
        Raises: InvariantBroken for an instrument the book does not hold.
        """
        ts_ns, fact_id = fact.ts_event_ns, fill_id(fact)
        if ts_ns <= self._opening_ns or fact_id in self._fill_ids:
            return None
        holding = self._holding(fact.symbol)
        value_per_lot = fact.price * holding.money_per_unit
        change = fact.side * fact.lots
        paid = change * value_per_lot
        lots, cost, realized = apply_fill(holding.lots, holding.cost, change, value_per_lot)
        transaction = fill_transaction(
            self._sequence + 1, fact, fact_id, holding.accounts, paid, cost - holding.cost, realized
        )
        self._fill_ids.add(fact_id)
        self._post(transaction)
        self._cash_told -= paid + fact.fee
        holding.lots_filled += change
        kind = CLOSING if fact.cause else ORDER
        fill = (ts_ns, fact.trade_id, fact.start_position, change, fact.price, kind, lots, cost)
        corrections: tuple[Transaction, ...] = ()
        is_unordered = False
        if holding.order.take(fill):
            holding.lots, holding.cost = lots, cost
        else:
            is_unordered = holding.order.is_forgotten(ts_ns)
            corrections = self._correct(holding, fill, transaction, paid + fact.fee, realized)
        self._keep_open(holding)
        return BookedFill(transaction, Money(realized), Money(abs(paid)), Lots(lots), corrections, is_unordered)

    def _correct(
        self, holding: Holding, fill: Move, transaction: Transaction, cash: int, realized: int
    ) -> tuple[Transaction, ...]:
        """Post what a fill, posted just now, changes besides because it came late; sets the position.

        Units: Money; cash is what the fill took, realized what its transaction says.
        """
        is_explaining = fill[TS] <= self._statement_ns
        more = holding.put_in_order(fill, realized, is_explaining=is_explaining)
        if is_explaining:
            self._cash_told += cash
            correction = explained_correction(
                self._sequence + 1, transaction, cash, accounts=holding.accounts, lots=-fill[CHANGE],
                cost=holding.cost - fill[COST], realized=more.realized, liquidation=more.liquidation,
            )  # fmt: skip
        elif more.realized or more.liquidation:
            correction = late_fill_correction(self._sequence + 1, transaction, holding.accounts, *more)
        else:
            return ()
        self._post(correction)
        return (correction,)

    def book_funding(self, fact: FundingPaid) -> Booked | None:
        """Book one hourly settlement; None when this hour of this instrument is booked already, or held by the opening.

        Raises: InvariantBroken for an instrument the book does not hold.
        """
        fact_id = funding_id(fact)
        if fact.ts_event_ns <= self._opening_ns or fact_id in self._funding_ids:
            return None
        holding = self._holding(fact.symbol)
        transaction = funding_transaction(self._sequence + 1, fact, fact_id, holding.accounts)
        self._funding_ids.add(fact_id)
        return self._booked(transaction, fact.amount)

    def book_transfer(self, fact: TransferBooked) -> Booked | None:
        """Book a deposit or withdrawal; None when this transfer is booked already, or held by the opening."""
        if fact.ts_event_ns <= self._opening_ns or fact.transfer_id in self._transfer_ids:
            return None
        transaction = transfer_transaction(self._sequence + 1, fact)
        self._transfer_ids.add(fact.transfer_id)
        return self._booked(transaction, fact.amount)

    def _booked(self, transaction: Transaction, cash: int) -> Booked:
        """Post what moved cash alone; when it comes after a statement that held it already, take it out of that."""
        self._post(transaction)
        self._latest_cash_ns = max(self._latest_cash_ns, transaction.ts_event_ns)
        if transaction.ts_event_ns > self._statement_ns or not cash:
            self._cash_told += cash
            return Booked(transaction)
        correction = explained_correction(self._sequence + 1, transaction, -cash)
        self._post(correction)
        return Booked(transaction, (correction,))

    def book_opening(self, fact: AccountReported) -> Transaction | None:
        """Open an empty book with the venue's statement, positions at their entry cost; None when it is not empty.

        Raises: InvariantBroken for an instrument the book does not hold, before anything is booked.
        """
        if self._sequence:
            return None
        opened = [(self._holding(symbol), lots, cost if lots else 0) for symbol, lots, cost in fact.positions]
        transaction = opening_transaction(self._sequence + 1, fact)
        self._transfer_ids.add(transaction.fact_id)
        self._post(transaction)
        self._cash_told += fact.cash
        self._latest_cash_ns = self._opening_ns = fact.ts_event_ns
        for holding, lots, cost in opened:
            holding.lots, holding.cost, holding.lots_brought = lots, cost, lots
            holding.order.restart(lots, cost)
            self._keep_open(holding)
        return transaction

    def book_discrepancy(self, fact: AccountReported) -> Transaction | None:
        """Make the book say what the venue's statement says, against what nobody can explain.

        A position of other lots takes the statement's entry cost; one of the same lots keeps ours. None when nothing
        differs, and for a statement older than a booked fact or not newer than the last one booked, which may be the
        opening: it proves nothing.
        Raises: InvariantBroken for an instrument the book does not hold, before anything is booked.
        """
        cash, positions = self.difference(fact)
        is_old = fact.ts_event_ns < self.latest_ns or fact.ts_event_ns <= max(self._statement_ns, self._opening_ns)
        if is_old or not (cash or positions):
            return None
        theirs = {symbol: cost for symbol, lots, cost in fact.positions if lots}
        changes = tuple((name, lots, theirs.get(name, 0) - self._holding(name).cost) for name, lots in positions)
        transaction = discrepancy_correction(self._sequence + 1, fact, cash, changes)
        self._post(transaction)
        self._cash_told += cash
        self._statement_ns = fact.ts_event_ns
        for symbol, lots, cost in changes:
            holding = self._holdings[symbol]
            holding.lots += lots
            holding.cost += cost
            holding.lots_unexplained += lots
            self._keep_open(holding)
        moved = dict(positions)
        for symbol, holding in self._holdings.items():
            holding.order.add_statement(
                fact.ts_event_ns, moved.get(symbol, 0), theirs.get(symbol, 0), holding.lots, holding.cost
            )
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
    def transfers(self) -> Money:
        """What came from outside, less what left."""
        return Money(-self._balances[TRANSFERS])

    @property
    def unexplained(self) -> Money:
        """What the venue's statements held beyond our facts; > 0 is money nobody can explain, < 0 is missing."""
        return Money(-self._balances[UNEXPLAINED])

    @property
    def unexplained_lots(self) -> dict[str, int]:
        """Signed lots by symbol that no fact explains, zeros left out."""
        return {symbol: held.lots_unexplained for symbol, held in self._holdings.items() if held.lots_unexplained}

    @property
    def latest_ns(self) -> int:
        """The venue's time of the newest fact booked; 0 while there is none."""
        return max([self._latest_cash_ns, *(holding.order.newest_ns for holding in self._holdings.values())])

    @property
    def transaction_count(self) -> int:
        """How many transactions are posted: one for each fact, and corrections."""
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

    def is_held_by_opening(self, ts_event_ns: int) -> bool:
        """Say whether the opening statement holds a fact of this time (its own is in it): booking it gives None."""
        return ts_event_ns <= self._opening_ns

    def difference(self, fact: AccountReported) -> tuple[Money, tuple[tuple[str, int], ...]]:
        """Return what a statement of the venue holds beyond the book: cash, and (symbol, signed lots) where they differ.

        The entry cost of equal lots is no difference: the venue rounds entry prices.
        """
        theirs = {symbol: lots for symbol, lots, _ in fact.positions if lots}
        names = sorted(theirs.keys() | self._open)
        differences = ((name, theirs.get(name, 0) - self.position_lots(name)) for name in names)
        return Money(fact.cash - self._balances[CASH]), tuple((symbol, lots) for symbol, lots in differences if lots)

    def equity(self, marks: Mapping[str, int]) -> Money:
        """Return cash plus positions at mark (at cost where the mark is missing or 0)."""
        total = self._balances[CASH]
        for symbol, holding in self._open.items():
            mark = marks.get(symbol, 0)
            total += holding.lots * mark * holding.money_per_unit if mark > 0 else holding.cost
        return Money(total)

    def totals(self, marks: Mapping[str, int]) -> ProfitAndLoss:
        """Return profit and loss by cause over all instruments."""
        return totals_over(self._holdings.values(), self._balances, marks, self.equity(marks))

    def totals_of(self, symbol: str, marks: Mapping[str, int]) -> ProfitAndLoss:
        """Return one instrument's profit and loss by cause; its equity is its net.

        Raises: InvariantBroken for an instrument the book does not hold.
        """
        return self._holding(symbol).totals(self._balances, marks.get(symbol, 0))

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
            raise unbalanced("equity less transfers and net profit", residual, self._sequence)

    def _recomputed_worth(self) -> int:
        """Return transfers plus every cause of profit that does not move with the marks, from the balances."""
        at_cost = self.totals({})
        return at_cost.net - self._balances[TRANSFERS] - self._balances[UNEXPLAINED]

    def _prove_balances(self) -> None:
        balances = self._balances
        total = sum(balances.values())
        if total:
            raise unbalanced("all balances", total, self._sequence)
        if balances[CASH] != self._cash_told:
            raise unbalanced("cash less what the facts moved", balances[CASH] - self._cash_told, self._sequence)
        for symbol, holding in self._holdings.items():
            holding.prove(balances[holding.accounts.position], self._sequence)
            if (symbol in self._open) != (holding.lots != 0):
                raise LedgerUnbalanced(f"position of {symbol} is {holding.lots} lots, the list of open ones disagrees")

    def _post(self, transaction: Transaction) -> None:
        balances = self._balances
        for posting in transaction.postings:
            balances[posting.account] += posting.amount
        self._sequence = transaction.sequence
        self._is_proven = False

    def _keep_open(self, holding: Holding) -> None:
        if holding.lots:
            self._open[holding.symbol] = holding
        else:
            self._open.pop(holding.symbol, None)

    def _holding(self, symbol: str) -> Holding:
        holding = self._holdings.get(symbol)
        if holding is None:
            raise InvariantBroken(f"the book holds no instrument {symbol!r}, only {', '.join(self._holdings)}")
        return holding

    # Memory.

    def snapshot(self) -> dict[str, Any]:
        """Return everything remembered as plain data, sorted: books that were told the same give the same."""
        return {
            "sequence": self._sequence,
            "cash_told": self._cash_told,
            "latest_cash_ns": self._latest_cash_ns,
            "statement_ns": self._statement_ns,
            "opening_ns": self._opening_ns,
            "balances": dict(sorted(self._balances.items())),
            "holdings": {symbol: holding.snapshot() for symbol, holding in sorted(self._holdings.items())},
            "fills": sorted(self._fill_ids),
            "fundings": sorted(self._funding_ids),
            "transfers": sorted(self._transfer_ids),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Remember what a snapshot kept. Raises: InvariantBroken when it is of other instruments."""
        holdings = snapshot["holdings"]
        if set(holdings) != set(self._holdings) or set(snapshot["balances"]) != set(self._balances):
            names = ", ".join(self._holdings)
            raise InvariantBroken(f"snapshot of the book is of {', '.join(holdings)}, expected {names}")
        self._sequence, self._cash_told = snapshot["sequence"], snapshot["cash_told"]
        self._latest_cash_ns, self._opening_ns = snapshot["latest_cash_ns"], snapshot["opening_ns"]
        self._statement_ns = snapshot["statement_ns"]
        self._balances.update(snapshot["balances"])
        self._open.clear()
        for symbol, holding in self._holdings.items():
            holding.restore(holdings[symbol])
            self._keep_open(holding)
        self._fill_ids, self._funding_ids = set(snapshot["fills"]), set(snapshot["fundings"])
        self._transfer_ids = set(snapshot["transfers"])
        self._is_proven = False

    def digest(self) -> str:
        """Return the SHA-256 of what is booked, not of how: equal for the same facts in any order, told how often ever.

        That holds as far back as fills are kept (ledger/fill_order.py). Nothing is left in it of a difference that was
        explained, nor of a fact that the opening held.
        """
        booked = {
            "balances": self._balances,
            "lots": {symbol: holding.lots for symbol, holding in self._holdings.items()},
            "unexplained_lots": self.unexplained_lots,
            "slippage": {symbol: holding.slippage for symbol, holding in self._holdings.items()},
            "fills": sorted(self._fill_ids),
            "fundings": sorted(self._funding_ids),
            "transfers": sorted(self._transfer_ids),
        }
        return sha256(msgspec.json.encode(booked, order="deterministic")).hexdigest()
