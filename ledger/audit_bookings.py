"""Transactions proven one by one: balanced, of a known account, and saying the same as the fill or funding they book.

How. Transactions are read in their order, each with its postings, fill, funding and adjustments, a chunk at a time. Beside
them run the position and the average cost of every instrument, so that what a fill realized is reckoned again from its
price and lots. The marks are laid beside the postings where they were taken.

Laws: a wrong row is told once: what follows is reckoned from what it should have said.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select, true

from domain.order import FillCause, Side
from domain.transaction import FactKind
from domain.units import MONEY_DECIMALS, Money, format_money
from ledger import chain, tables
from ledger.accounts import (
    CASH,
    FEES,
    FUNDING,
    GENERAL_KINDS,
    INSTRUMENT_KINDS,
    LIQUIDATION,
    POSITION,
    REALIZED,
    REBATES,
    kind_of,
    symbol_of,
)
from ledger.audit_chains import ChainCheck
from ledger.audit_findings import Findings
from ledger.audit_marks import MarkCheck
from ledger.audit_reading import CHUNK_ROWS, Shaped, Stored, TableReader
from ledger.position import apply_fill

FILL_KIND = {
    FillCause.ORDER.label: FactKind.FILL.label,
    FillCause.LIQUIDATION.label: FactKind.LIQUIDATION.label,
    FillCause.DELEVERAGING.label: FactKind.DELEVERAGING.label,
}
SIGN = {side.label: int(side) for side in Side}

SEQUENCE_AT = chain.COLUMNS["transactions"].index("sequence")

Lines = list[tuple[Stored, Shaped]]


class BookingCheck:
    """The postings of one run, reckoned again from the first transaction on."""

    def __init__(self, connection: Connection, findings: Findings, check: ChainCheck) -> None:
        """Know the run's instruments; nothing is booked yet."""
        self._connection = connection
        self._findings = findings
        self._chain = check
        self._readers = {
            name: TableReader(connection, findings, name)
            for name in ("transactions", "postings", "fills", "funding", "adjustments")
        }
        self._money_per_unit = dict(_money_per_unit(connection, findings.run))
        self._held: dict[str, tuple[int, int]] = {}
        """Lots and cost by symbol, as they should be."""
        self.marks = MarkCheck(connection, findings)

    def run(self) -> None:
        """Prove every transaction, then what the last mark and the table of positions make of them."""
        after: Any = None  # no lower bound: whoever invents rows may number them below 1
        own = tables.transactions.c
        while True:
            is_new = true() if after is None else own.sequence > after
            rows = list(self._read("transactions", is_new, own.sequence, limit=CHUNK_ROWS))
            is_last = len(rows) < CHUNK_ROWS
            # As stored: what is no number still lies in the database's order.
            until = rows[-1][0][SEQUENCE_AT] if rows else after
            lines = {
                name: self._lines(name, after, None if is_last else until)
                for name in self._readers
                if name != "transactions"
            }
            for stored, row in rows:
                parts = {name: found.pop(row.sequence, []) for name, found in lines.items()}
                self._take(stored, row, parts)
            for name, found in lines.items():
                for sequence in found:
                    self._findings.add(name, sequence, "stands without its transaction")
            if is_last:
                break
            after = until
        self.marks.end()

    def _read(self, name: str, where: Any, *order_by: Any, limit: int = 0) -> Iterator[tuple[Stored, Shaped]]:
        return self._readers[name].stream(*order_by, where=(where,), limit=limit)

    def _lines(self, name: str, after: Any, until: Any) -> dict[int, Lines]:
        """Return the rows that belong to the transactions of a chunk, by sequence."""
        table = tables.metadata.tables[name]
        where = true() if after is None else table.c.sequence > after
        if until is not None:
            where &= table.c.sequence <= until
        last = table.c.line if name == "postings" else table.c.symbol
        found: dict[int, Lines] = defaultdict(list)
        for stored, row in self._read(name, where, table.c.sequence, last):
            found[row.sequence].append((stored, row))
        return found

    def _take(self, stored: Stored, row: Shaped, parts: dict[str, Lines]) -> None:
        """Prove one transaction with everything that belongs to it."""
        fills, fundings = parts["fills"], parts["funding"]
        content = chain.transaction_content(
            stored[:-1],
            [line[2:] for line, _ in parts["postings"]],
            fills[0][0] if fills else None,
            fundings[0][0] if fundings else None,
            sorted((line[2:] for line, _ in parts["adjustments"]), key=lambda line: str(line[0])),
        )
        self._chain.take(str(row.sequence), row.sequence, row.hash, content)
        self.marks.before(row.ts_ns)
        amounts: dict[str, int] = defaultdict(int)
        for _, line in parts["postings"]:
            amounts[line.account] += line.amount
            self._prove_account(row.sequence, line.account)
        total = sum(amounts.values())
        if total:
            self._findings.add(
                "transactions", row.sequence, f"its postings sum to {format_money(Money(total))} (expected 0)"
            )
        adjusted = {line.symbol: line.lots for _, line in parts["adjustments"]}
        if row.kind in FILL_KIND.values() and not fills:
            self._findings.add("transactions", row.sequence, f"{row.kind} {row.fact_id} stands without its fill")
        if row.kind == FactKind.FUNDING.label and not fundings:
            self._findings.add("transactions", row.sequence, f"funding {row.fact_id} stands without its settlement")
        if row.kind == FactKind.CORRECTION.label and not row.evidence:
            self._findings.add("transactions", row.sequence, "a correction without evidence")
        for _, fill in fills:
            self._prove_fill(row, fill, amounts, is_balanced=not total)
        for _, funding in fundings:
            self._prove_funding(row, funding, amounts)
        if not fills:
            self._move(amounts, adjusted)
        self.marks.take(amounts, fills, adjusted)

    def _prove_account(self, sequence: int, account: str) -> None:
        kind, symbol = kind_of(account), symbol_of(account)
        is_general = kind in GENERAL_KINDS and account == kind
        if not is_general and not (kind in INSTRUMENT_KINDS and symbol in self._money_per_unit):
            self._findings.add("postings", sequence, f"no account of this run is called {account!r}")

    def _move(self, amounts: dict[str, int], adjusted: dict[str, int]) -> None:
        """Take lots and cost that came without a fill."""
        costs = {symbol_of(name): amount for name, amount in amounts.items() if kind_of(name) == POSITION}
        for symbol in costs.keys() | adjusted.keys():
            lots, cost = self._held.get(symbol, (0, 0))
            self._held[symbol] = (lots + adjusted.get(symbol, 0), cost + costs.get(symbol, 0))

    def _prove_fill(self, row: Shaped, fill: Shaped, amounts: dict[str, int], *, is_balanced: bool) -> None:
        """Reckon again what a fill cost, realized and left behind."""
        symbol, sequence = fill.symbol, row.sequence
        lots_before, cost_before = self._held.get(symbol, (0, 0))
        value_per_lot = fill.price * self._money_per_unit.get(symbol, 0)
        change = SIGN.get(fill.side, 0) * fill.lots
        paid = change * value_per_lot
        lots, cost, realized = apply_fill(lots_before, cost_before, change, value_per_lot)
        gained = REALIZED if fill.cause == FillCause.ORDER.label else LIQUIDATION
        expected: dict[str, int] = defaultdict(int)
        expected[CASH] = -paid - fill.fee
        expected[f"{POSITION}:{symbol}"] = cost - cost_before
        expected[f"{gained}:{symbol}"] = -realized
        expected[f"{FEES if fill.fee > 0 else REBATES}:{symbol}"] = fill.fee
        self._compare_amounts(sequence, amounts, expected)
        posted_cost = cost_before + amounts.get(f"{POSITION}:{symbol}", 0)
        self._held[symbol] = (fill.position_after, posted_cost if is_balanced else cost)
        same = (
            ("notional", fill.notional, abs(paid)),
            ("realized", fill.realized, realized),
            ("position_after", fill.position_after, lots),
            ("ts_event_ns", fill.ts_event_ns, row.ts_event_ns),
            ("ts_ns", fill.ts_ns, row.ts_ns),
            ("client_order_id", fill.client_order_id, row.client_order_id),
            ("symbol", symbol, row.symbol),
            ("cause", FILL_KIND.get(fill.cause, fill.cause), row.kind),
            ("identity", f"{symbol}/{fill.trade_id}/{fill.ts_event_ns}", row.fact_id),
        )
        for name, found, wanted in same:
            if found != wanted:
                self._findings.add("fills", sequence, f"{name} is {found}, expected {wanted}")

    def _prove_funding(self, row: Shaped, funding: Shaped, amounts: dict[str, int]) -> None:
        symbol, amount = funding.symbol, funding.amount
        self._compare_amounts(row.sequence, amounts, {CASH: amount, f"{FUNDING}:{symbol}": -amount})
        fact_id = f"{symbol}/{funding.hour_ns}"
        if fact_id != row.fact_id:
            self._findings.add("funding", f"{symbol} {funding.hour_ns}", f"its transaction books {row.fact_id}")

    def _compare_amounts(self, sequence: int, amounts: dict[str, int], expected: dict[str, int]) -> None:
        for account in sorted(amounts.keys() | expected.keys()):
            found, wanted = amounts.get(account, 0), expected.get(account, 0)
            if found != wanted:
                self._findings.add(
                    "postings",
                    sequence,
                    f"{account} moved by {format_money(Money(found))}, expected {format_money(Money(wanted))}",
                )


def _money_per_unit(connection: Connection, run: str) -> Iterator[tuple[str, int]]:
    own = tables.instruments.c
    found: Sequence[Any] = connection.execute(
        select(own.symbol, own.price_decimals, own.size_decimals).where(own.run_id == run)
    ).all()
    for symbol, price_decimals, size_decimals in found:
        is_whole = type(price_decimals) is int and type(size_decimals) is int
        spare = MONEY_DECIMALS - price_decimals - size_decimals if is_whole else -1
        yield str(symbol), 10**spare if 0 <= spare <= MONEY_DECIMALS else 0
