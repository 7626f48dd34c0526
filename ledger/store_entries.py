"""Reads from SQL what statements and attribution add up: runs, their entries, marks, orders by state and incidents.

Laws: rows come in the order they were booked; the big tables are streamed side by side and met by transaction number,
so nothing is asked twice. The connection is one consistent snapshot (`LedgerStore.reading`), so that all of it fits
together while the bot goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select

from domain.order import Liquidity, Side
from domain.units import MONEY_DECIMALS
from ledger import tables
from ledger.entries import Entry, FillEntry, MarkPoint, RunFacts, RunPart
from ledger.period_statement import Incident
from ledger.periods import Period

ROWS_AT_ONCE = 5_000
SIDES = {side.label: int(side) for side in Side}


class _Along:
    """A stream of rows that begin with a transaction number, read along with another one that is in the same order."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        """Begin before the first row."""
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def of(self, sequence: int) -> list[Sequence[Any]]:
        """Return the rows of a transaction, without their number."""
        found: list[Sequence[Any]] = []
        while self._next is not None and self._next[0] <= sequence:
            if self._next[0] == sequence:
                found.append(self._next[1:])
            self._next = next(self._rows, None)
        return found


def read_run_parts(connection: Connection) -> list[RunPart]:
    """Return all stored runs, oldest first."""
    runs, marks, instruments = tables.runs.c, tables.marks.c, tables.instruments.c
    last = dict(
        tuple(row) for row in connection.execute(select(marks.run_id, func.max(marks.ts_ns)).group_by("run_id"))
    )
    decimals: dict[str, dict[str, tuple[int, int]]] = {}
    columns = (instruments.run_id, instruments.symbol, instruments.price_decimals, instruments.size_decimals)
    for run_id, symbol, price, size in connection.execute(select(*columns)):
        decimals.setdefault(run_id, {})[symbol] = (price, size)
    names = (
        "run_id",
        "account",
        "command",
        "strategy",
        "seed",
        "config_hash",
        "code_revision",
        "started_ns",
        "ended_ns",
    )
    found = []
    for row in connection.execute(select(*(runs[name] for name in names)).order_by(runs.started_ns, runs.run_id)):
        known = dict(zip(names, row, strict=True))
        last_ns = max(known["started_ns"], known["ended_ns"] or 0, last.get(known["run_id"], 0))
        found.append(RunPart(**known, last_ns=last_ns, decimals=decimals.get(known["run_id"], {})))
    return found


def runs_of_period(runs: Sequence[RunPart], period: Period) -> list[RunPart]:
    """Return the runs that lived in a period, and for each account the last one before it, which it came from."""
    living = [run for run in runs if run.started_ns < period.end_ns and run.last_ns >= period.start_ns]
    before = {}
    for run in runs:
        if run.last_ns < period.start_ns and any(other.account == run.account for other in living):
            before[run.account] = run
    return [*before.values(), *living]


def read_run(connection: Connection, run: RunPart, until_ns: int | None = None) -> RunFacts:
    """Return what a run booked, up to a moment of our clock (not included)."""
    marks, positions = tables.marks.c, tables.positions.c
    asked = select(marks.ts_ns, marks.equity, marks.cash, marks.unrealized, marks.net).where(marks.run_id == run.run_id)
    if until_ns is not None:
        asked = asked.where(marks.ts_ns < until_ns)
    held = select(positions.symbol, positions.lots, positions.cost, positions.unrealized)
    return RunFacts(
        run=run,
        entries=tuple(_entries(connection, run, until_ns)),
        marks=tuple(MarkPoint(*row) for row in connection.execute(asked.order_by(marks.minute_ns))),
        positions=tuple(
            (symbol, lots, cost, unrealized)
            for symbol, lots, cost, unrealized in connection.execute(
                held.where(positions.run_id == run.run_id).order_by(positions.symbol)
            )
        ),
    )


def _entries(connection: Connection, run: RunPart, until_ns: int | None) -> Iterator[Entry]:
    t, f, g = tables.transactions.c, tables.fills.c, tables.funding.c
    joined = tables.transactions.outerjoin(tables.fills, (f.run_id == t.run_id) & (f.sequence == t.sequence)).outerjoin(
        tables.funding, (g.run_id == t.run_id) & (g.sequence == t.sequence)
    )
    said = (t.sequence, t.kind, t.cause, t.fact_id, t.evidence, t.ts_event_ns, t.ts_ns, t.symbol, t.client_order_id)
    executed = (
        *(f.side, f.price, f.lots, f.notional, f.slippage, f.liquidity),
        *(f.decision_mid_x2, f.arrival_mid_x2, f.fill_mid_x2),
    )
    asked = select(*said, g.hour_ns, *executed).select_from(joined).where(t.run_id == run.run_id)
    if until_ns is not None:
        asked = asked.where(t.ts_ns < until_ns)
    p, a, m = tables.postings.c, tables.adjustments.c, tables.markouts.c
    postings = _stream(
        connection, select(p.sequence, p.account, p.amount).where(p.run_id == run.run_id).order_by(p.sequence, p.line)
    )
    adjusted = _stream(
        connection, select(a.sequence, a.symbol, a.lots).where(a.run_id == run.run_id).order_by(a.sequence, a.symbol)
    )
    markouts = _stream(
        connection, select(m.sequence, m.horizon_ns, m.mid_x2).where(m.run_id == run.run_id).order_by(m.sequence)
    )
    for row in connection.execute(asked.order_by(t.sequence), execution_options={"yield_per": ROWS_AT_ONCE}):
        sequence = row[0]
        fill = _fill(run, row[7], row[10:], markouts.of(sequence)) if row[10] is not None else None
        yield Entry(
            sequence=sequence,
            kind=row[1],
            cause=row[2],
            fact_id=row[3],
            evidence=row[4],
            ts_event_ns=row[5],
            ts_ns=row[6],
            symbol=row[7],
            client_order_id=row[8],
            postings=tuple((account, amount) for account, amount in postings.of(sequence)),
            lots=tuple((symbol, lots) for symbol, lots in adjusted.of(sequence)),
            fill=fill,
            funding_hour_ns=row[9],
        )


def _stream(connection: Connection, asked: Select[Any]) -> _Along:
    return _Along(connection.execute(asked, execution_options={"yield_per": ROWS_AT_ONCE}))


def _fill(run: RunPart, symbol: str, row: Sequence[Any], markouts: Sequence[Sequence[Any]]) -> FillEntry:
    side, price, lots, notional, slippage, liquidity, decision_mid_x2, arrival_mid_x2, fill_mid_x2 = row
    return FillEntry(
        side=SIDES[side],
        price=price,
        lots=lots,
        notional=notional,
        slippage=slippage,
        is_maker=liquidity == Liquidity.MAKER.label,
        decision_mid_x2=decision_mid_x2,
        arrival_mid_x2=arrival_mid_x2,
        fill_mid_x2=fill_mid_x2,
        money_per_unit=10 ** (MONEY_DECIMALS - sum(run.decimals[symbol])),
        markouts=dict(tuple(row) for row in markouts),
    )


def read_orders(connection: Connection, runs: Sequence[str], period: Period) -> dict[str, int]:
    """Return how many orders these runs created in a period, by the state they have now."""
    o = tables.orders.c
    asked = (
        select(o.state, func.count())
        .where(o.run_id.in_(runs), o.created_ns >= period.start_ns, o.created_ns < period.end_ns)
        .group_by(o.state)
        .order_by(o.state)
    )
    return {state: int(count) for state, count in connection.execute(asked)}


def read_incidents(connection: Connection, runs: Sequence[str], period: Period) -> list[Incident]:
    """Return what these runs noted in a period for a person to look at, oldest first."""
    i = tables.incidents.c
    asked = (
        select(i.run_id, i.ts_ns, i.kind, i.reason, i.detail)
        .where(i.run_id.in_(runs), i.ts_ns >= period.start_ns, i.ts_ns < period.end_ns)
        .order_by(i.ts_ns, i.run_id, i.notice)
    )
    return [
        Incident(run_id=run_id, ts_ns=ts_ns, kind=kind, reason=reason, detail=detail)
        for run_id, ts_ns, kind, reason, detail in connection.execute(asked)
    ]
