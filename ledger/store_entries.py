"""Reads from SQL what statements and attribution add up: runs, their entries, marks, orders by state and incidents.

Laws: rows come in the order they were booked; the big tables are streamed side by side and met by transaction number,
so nothing is asked twice and no run is in memory whole unless it is asked to be. The connection is one consistent
snapshot (`LedgerStore.reading`), so that all of it fits together while the bot goes on.

Up to a moment means: what the ledger held when our clock, which never goes back, came to it. Asked later, the same
comes back; what the tables keep only as it is now (open positions, how orders stand) is left out or looked up.
"""

from collections.abc import Iterable, Iterator, Sequence
from sys import intern
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from domain.lifecycle import State
from domain.order import Liquidity, Side
from domain.units import MONEY_DECIMALS
from ledger import tables
from ledger.entries import Entry, FillEntry, MarkPoint, RunFacts, RunPart, is_opening
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


RUN_COLUMNS = (
    *("run_id", "account", "command", "strategy", "seed", "config_hash", "code_revision", "started_ns", "ended_ns"),
)
NO_MOMENT = (1 << 63) - 1
"""Later than anything stored."""


def read_run_parts(connection: Connection, until_ns: int | None = None) -> list[RunPart]:
    """Return all stored runs, oldest first; with a moment, as they were known before it, without later ones."""
    end_ns = NO_MOMENT if until_ns is None else until_ns
    runs, marks, transactions, instruments = (
        table.c for table in (tables.runs, tables.marks, tables.transactions, tables.instruments)
    )
    decimals: dict[str, dict[str, tuple[int, int]]] = {}
    columns = (instruments.run_id, instruments.symbol, instruments.price_decimals, instruments.size_decimals)
    for run_id, symbol, price, size in connection.execute(select(*columns)):
        decimals.setdefault(run_id, {})[symbol] = (price, size)
    marked = select(marks.ts_ns).where(marks.run_id == runs.run_id, marks.ts_ns < end_ns)
    posted = select(transactions.ts_ns).where(transactions.run_id == runs.run_id, transactions.ts_ns < end_ns)
    first = tables.transactions.alias("first")
    is_first = and_(first.c.run_id == runs.run_id, first.c.sequence == 1, first.c.ts_ns < end_ns)
    asked = (
        select(
            *(runs[name] for name in RUN_COLUMNS),
            marked.order_by(marks.minute_ns.desc()).limit(1).scalar_subquery(),
            posted.order_by(transactions.sequence.desc()).limit(1).scalar_subquery(),
            *(first.c.ts_ns, first.c.kind, first.c.fact_id),
        )
        .select_from(tables.runs.outerjoin(first, is_first))
        .where(runs.started_ns < end_ns)
        .order_by(runs.started_ns, runs.run_id)
    )
    found = []
    for row in connection.execute(asked):
        known = dict(zip(RUN_COLUMNS, row, strict=False))
        *_, marked_ns, posted_ns, first_ns, kind, fact_id = row
        if known["ended_ns"] is not None and known["ended_ns"] >= end_ns:
            known["ended_ns"] = None
        times = (known["started_ns"], known["ended_ns"] or 0, marked_ns or 0, posted_ns or 0)
        opened_ns = first_ns if first_ns is not None and is_opening(kind, fact_id) else None
        known |= {"opened_ns": opened_ns, "has_booked": first_ns is not None, "last_ns": max(times)}
        found.append(RunPart(**known, decimals=decimals.get(known["run_id"], {})))
    return found


def runs_of_period(runs: Sequence[RunPart], period: Period) -> list[RunPart]:
    """Return the runs that lived in a period, and those before it that each of their accounts came from.

    These are the last run that opened, and what others booked after it; one that did neither says nothing of an account.
    """
    living = [run for run in runs if run.started_ns < period.end_ns and run.last_ns >= period.start_ns]
    accounts = {run.account for run in living}
    before: dict[str, list[RunPart]] = {}
    for run in runs:
        if run.last_ns >= period.start_ns or run.account not in accounts:
            continue
        if run.opened_ns is not None:
            before[run.account] = [run]
        elif run.has_booked:
            before.setdefault(run.account, []).append(run)
    return [*(run for account in before.values() for run in account), *living]


def read_run(
    connection: Connection, run: RunPart, until_ns: int | None = None, *, is_going_on: bool = False
) -> RunFacts:
    """Return what a run booked, up to a moment (not included), whole and in memory; see `stream_run`."""
    facts = stream_run(connection, run, until_ns, is_going_on=is_going_on)
    return replace(facts, entries=tuple(facts.entries))


def stream_run(
    connection: Connection, run: RunPart, until_ns: int | None = None, *, is_going_on: bool = False
) -> RunFacts:
    """Return what a run booked, up to a moment, its entries read while they are gone through, once.

    The table of open positions is as of now. They are given for a run that ended before the moment, and for another one
    only if the moment is still to come (`is_going_on`): so that what is asked for a past day never changes.
    """
    marks = tables.marks.c
    asked = select(marks.ts_ns, marks.equity, marks.cash, marks.unrealized, marks.net).where(marks.run_id == run.run_id)
    if until_ns is not None:
        asked = asked.where(marks.ts_ns < until_ns)
    is_over = until_ns is None or is_going_on or (run.ended_ns is not None and run.ended_ns < until_ns)
    has_positions = is_over and not _is_marked(connection, run, until_ns)
    return RunFacts(
        run=run,
        entries=_entries(connection, run, until_ns),
        marks=tuple(MarkPoint(*row) for row in connection.execute(asked.order_by(marks.minute_ns))),
        positions=_positions(connection, run) if has_positions else (),
    )


def _is_marked(connection: Connection, run: RunPart, since_ns: int | None) -> bool:
    """Say whether a run has a mark at a moment or after it."""
    marks = tables.marks.c
    asked = select(marks.ts_ns).where(marks.run_id == run.run_id).order_by(marks.minute_ns.desc()).limit(1)
    newest_ns = connection.execute(asked).scalar_one_or_none()
    return since_ns is not None and newest_ns is not None and newest_ns >= since_ns


def _positions(connection: Connection, run: RunPart) -> tuple[tuple[str, int, int, int], ...]:
    p = tables.positions.c
    asked = select(p.symbol, p.lots, p.cost, p.unrealized).where(p.run_id == run.run_id).order_by(p.symbol)
    return tuple((symbol, lots, cost, unrealized) for symbol, lots, cost, unrealized in connection.execute(asked))


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
    marked = [m.run_id == run.run_id] + ([m.ts_ns < until_ns] if until_ns is not None else [])
    postings = _stream(
        connection, select(p.sequence, p.account, p.amount).where(p.run_id == run.run_id).order_by(p.sequence, p.line)
    )
    adjusted = _stream(
        connection, select(a.sequence, a.symbol, a.lots).where(a.run_id == run.run_id).order_by(a.sequence, a.symbol)
    )
    markouts = _stream(
        connection,
        select(m.sequence, m.horizon_ns, m.mid_x2, m.ts_ns).where(*marked).order_by(m.sequence, m.horizon_ns),
    )
    for row in _streamed(connection, asked.order_by(t.sequence)):
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
            postings=tuple((intern(account), amount) for account, amount in postings.of(sequence)),
            lots=tuple((symbol, lots) for symbol, lots in adjusted.of(sequence)),
            fill=fill,
            funding_hour_ns=row[9],
        )


def _stream(connection: Connection, asked: Select[Any]) -> _Along:
    return _Along(_streamed(connection, asked))


def _streamed(connection: Connection, asked: Select[Any]) -> Iterator[Sequence[Any]]:
    with connection.execute(asked, execution_options={"yield_per": ROWS_AT_ONCE}) as found:
        for rows in found.partitions():
            yield from rows


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
        markouts={horizon_ns: mid_x2 for horizon_ns, mid_x2, _ in markouts},
        markouts_ns={horizon_ns: ts_ns for horizon_ns, _, ts_ns in markouts},
    )


def read_orders(connection: Connection, runs: Sequence[str], period: Period) -> dict[str, int]:
    """Return how many orders these runs created in a period, by the state they had at its end."""
    o, m = tables.orders.c, tables.transitions.c
    created = and_(o.run_id.in_(runs), o.created_ns >= period.start_ns, o.created_ns < period.end_ns)
    reached = (
        select(m.to_state)
        .where(m.run_id == o.run_id, m.client_order_id == o.client_order_id, m.ts_ns < period.end_ns)
        .order_by(m.notice.desc())
        .limit(1)
        .scalar_subquery()
    )

    def counted(state: ColumnElement[str], condition: ColumnElement[bool]) -> Iterator[tuple[str, int]]:
        found = select(state.label("reached")).where(created, condition).subquery().c.reached
        for name, count in connection.execute(select(found, func.count()).group_by(found)):
            yield name, int(count)

    states = dict(counted(o.state, o.updated_ns < period.end_ns))
    for state, count in counted(func.coalesce(reached, State.IDLE.label), o.updated_ns >= period.end_ns):
        states[state] = states.get(state, 0) + count
    return dict(sorted(states.items()))


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
