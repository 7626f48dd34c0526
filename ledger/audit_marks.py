"""Marks and positions laid beside the postings: what the account showed must be what was booked until then.

How. A mark is taken at one engine time; transactions of the same time may lie before or after it, so it has to agree with
the postings at one of the moments in between. The youngest mark's moment also proves the table of positions.
"""

from collections import defaultdict
from collections.abc import Iterator
from operator import add, sub
from typing import Any

from sqlalchemy import Connection, select

from domain.units import Money, format_money
from ledger import tables
from ledger.accounts import (
    CASH,
    FEES,
    FUNDING,
    LIQUIDATION,
    POSITION,
    REALIZED,
    REBATES,
    TRANSFERS,
    UNEXPLAINED,
    kind_of,
    symbol_of,
)
from ledger.audit_findings import Findings
from ledger.audit_reading import Shaped, Stored, TableReader
from ledger.pnl import net_of

Lines = list[tuple[Stored, Shaped]]
BOOKED = ("cash", "realized", "funding", "fees", "rebates", "slippage", "transfers", "unexplained")
"""What a mark repeats of the postings (slippage: of the fills)."""


class MarkCheck:
    """The sums of the postings so far, and the marks they must agree with."""

    def __init__(self, connection: Connection, findings: Findings) -> None:
        """Begin before the first transaction."""
        self._connection = connection
        self._findings = findings
        self._by_kind: dict[str, int] = defaultdict(int)
        self._costs: dict[str, int] = defaultdict(int)
        self._lots: dict[str, int] = defaultdict(int)
        self._slippage = 0
        self._told = (0,) * len(BOOKED)
        reader = TableReader(connection, Findings(findings.run), "marks")
        self._marks: Iterator[tuple[Stored, Shaped]] = reader.stream(reader.table.c.ts_ns)
        self._mark: Shaped | None = None
        self._last: Shaped | None = None
        self._agreed: dict[str, tuple[int, int]] | None = None
        """The positions at the moment at which the mark agreed."""
        self._next()

    def before(self, ts_ns: int) -> None:
        """Judge the marks taken before a transaction of this engine time."""
        while self._mark is not None and self._mark.ts_ns < ts_ns:
            self._judge(self._mark)
        if self._mark is not None and self._mark.ts_ns == ts_ns and self._found(self._mark) is None:
            self._agreed = self._positions()

    def take(self, amounts: dict[str, int], fills: Lines, adjusted: dict[str, int]) -> None:
        """Add one transaction."""
        for account, amount in amounts.items():
            kind = kind_of(account)
            self._by_kind[kind] += amount
            if kind == POSITION:
                self._costs[symbol_of(account)] += amount
        for symbol, lots in adjusted.items():
            self._lots[symbol] += lots
        for _, fill in fills:
            self._lots[fill.symbol] += fill.lots if fill.side == "buy" else -fill.lots
            self._slippage += fill.slippage

    def end(self) -> None:
        """Judge what is left, and the positions of the youngest mark."""
        while self._mark is not None:
            self._judge(self._mark)

    def _next(self) -> None:
        found = next(self._marks, None)
        self._mark = None if found is None else found[1]
        if self._mark is not None:
            self._last = self._mark
            self._agreed = None
        else:
            self._prove_positions()

    def _positions(self) -> dict[str, tuple[int, int]]:
        return {
            symbol: (self._lots.get(symbol, 0), self._costs.get(symbol, 0))
            for symbol in self._lots.keys() | self._costs.keys()
            if self._lots.get(symbol, 0) or self._costs.get(symbol, 0)
        }

    def _booked(self) -> tuple[int, ...]:
        sums = self._by_kind
        realized = -sums[REALIZED] - sums[LIQUIDATION]
        return (
            *(sums[CASH], realized, -sums[FUNDING], sums[FEES], -sums[REBATES], self._slippage),
            *(-sums[TRANSFERS], -sums[UNEXPLAINED]),
        )

    def _found(self, mark: Shaped) -> str | None:
        """Return in which way a mark disagrees with the postings so far; None when it agrees.

        What was told of an earlier mark is not told again: a mark may be as far off as that one was.
        """
        booked = self._booked()
        shown = tuple(getattr(mark, name) for name in BOOKED)
        if shown in {booked, tuple(map(add, booked, self._told))}:
            return None
        name, found, wanted = next(
            (name, found, wanted) for name, found, wanted in zip(BOOKED, shown, booked, strict=True) if found != wanted
        )
        return f"{name} is {format_money(found)}, what was booked until then sums to {format_money(Money(wanted))}"

    def _judge(self, mark: Shaped) -> None:
        net = net_of(mark.realized, mark.unrealized, mark.funding, mark.fees, mark.rebates)
        if mark.net != net:
            self._findings.add(
                "marks", mark.minute_ns, f"net is {format_money(mark.net)}, its parts sum to {format_money(Money(net))}"
            )
        equity = mark.transfers + mark.unexplained + mark.net
        if mark.equity != equity:
            self._findings.add(
                "marks",
                mark.minute_ns,
                f"equity is {format_money(mark.equity)}, transfers, unexplained and net sum to {format_money(Money(equity))}",
            )
        problem = self._found(mark)
        if problem is None or self._agreed is None:
            self._agreed = self._positions()
            if problem is not None:
                self._findings.add("marks", mark.minute_ns, problem)
                self._told = tuple(map(sub, (getattr(mark, name) for name in BOOKED), self._booked()))
        self._next()

    def _symbols(self) -> set[Any]:
        own = tables.instruments.c
        return set(self._connection.execute(select(own.symbol).where(own.run_id == self._findings.run)).scalars())

    def _prove_positions(self) -> None:
        """Prove the table of positions with the fills and adjustments at the youngest mark."""
        reader = TableReader(self._connection, self._findings, "positions")
        wanted = dict(self._agreed or {})
        unrealized = 0
        known = self._symbols()
        for _, row in reader.stream(reader.table.c.symbol):
            unrealized += row.unrealized
            lots, cost = wanted.pop(row.symbol, (0, 0))
            if row.symbol not in known:
                self._findings.add("positions", row.symbol, "no instrument of this run is called so")
            if not row.lots:
                self._findings.add("positions", row.symbol, "holds 0 lots: no position")
            if row.lots != lots:
                self._findings.add(
                    "positions", row.symbol, f"holds {row.lots} lots, fills and adjustments sum to {lots}"
                )
            if row.cost != cost:
                self._findings.add(
                    "positions",
                    row.symbol,
                    f"costs {format_money(row.cost)}, its postings sum to {format_money(Money(cost))}",
                )
            if self._last is None or row.ts_ns != self._last.ts_ns:
                self._findings.add("positions", row.symbol, f"is of {row.ts_ns}, not of the youngest mark")
        for symbol, (lots, _) in sorted(wanted.items()):
            self._findings.add("positions", symbol, f"the row is missing: fills and adjustments sum to {lots} lots")
        if self._last is not None and unrealized != self._last.unrealized:
            self._findings.add(
                "positions",
                "",
                f"unrealized sums to {format_money(Money(unrealized))}, the youngest mark says {format_money(self._last.unrealized)}",
            )
        if self._last is not None and not wanted:
            held = len([1 for lots, _ in (self._agreed or {}).values() if lots])
            if held != self._last.position_count:
                self._findings.add(
                    "marks", self._last.minute_ns, f"counts {self._last.position_count} positions, {held} were held"
                )
