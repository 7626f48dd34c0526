"""The audit: is the stored ledger still what was written, and does it add up?

Every chain is recomputed, every transaction balanced and reckoned again from its fill, every order proven by its moves,
every mark by the postings, the fills by the venue's own chain of positions and the funding by the hours held. What is
wrong is named: which run, which table, which row.

Laws: reads only, one run after the other, in streams; a sound ledger gives no problem; whoever changes, adds or removes
one row without rewriting every hash after it is found, and one who rewrote them all is found by a seal noted elsewhere.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, select

from domain.transaction import CorrectionCause, FactKind
from ledger import chain, tables
from ledger.audit_bookings import SIGN, BookingCheck
from ledger.audit_chains import ChainCheck, chain_heads, check_run, check_table, genesis_of
from ledger.audit_findings import Findings, Problem, Progress
from ledger.audit_orders import check_file, check_orders, check_references
from ledger.audit_reading import SHOWN_LENGTH_MAX, TableReader, as_stored
from ledger.audit_schema import check_schema
from ledger.audit_venue import (
    Adjustment,
    Execution,
    Gap,
    net_adjustments,
    walk_positions,
    wrong_hours,
)

__all__ = ["Problem", "Progress", "audit", "run_ids"]

NEVER_NS = 2**63 - 1


def audit(connection: Connection, run: str = "", progress: Progress | None = None) -> list[Problem]:
    """Return everything that is wrong with a run, or with the whole ledger when none is named.

    The connection should see one moment of the database (LedgerStore.reading), or a writer's batch looks like harm.
    """
    return as_stored(connection, lambda: _audit(connection, run, progress))


def run_ids(connection: Connection) -> list[str]:
    """Return the keys of all runs, oldest first; a key that is no text is no run's."""
    return [one for one in _stored_keys(connection) if isinstance(one, str)]


def _stored_keys(connection: Connection) -> list[Any]:
    own = tables.runs.c
    asked = select(own.run_id).order_by(own.started_ns, own.run_id)
    return as_stored(connection, lambda: list(connection.execute(asked).scalars()))


def _audit(connection: Connection, run: str, progress: Progress | None) -> list[Problem]:
    whole = Findings()
    check_schema(connection, whole)
    check_file(connection, whole)
    for key in _stored_keys(connection):
        if not isinstance(key, str):
            whole.add("runs", "", f"run_id holds {key!r:.{SHOWN_LENGTH_MAX}}, no str")
    check_references(connection, whole)
    problems = [one for one in whole.all() if not run or one.run in {"", run}]
    asked = [one for one in run_ids(connection) if run in {"", one}]
    total = sum(links for one in asked for links, _ in chain_heads(connection, one).values())
    done = 0
    for one in asked:
        findings = Findings(one, total=total, done=done, progress=progress)
        _audit_run(connection, findings)
        problems += findings.all()
        done = findings.done
    return problems


def _audit_run(connection: Connection, findings: Findings) -> None:
    for name in ("runs", "instruments", "cursors", "chains"):
        # Reading is enough: values of a wrong type are told.
        deque(TableReader(connection, findings, name).stream(), maxlen=0)
    heads = chain_heads(connection, findings.run)
    genesis = genesis_of(connection, findings.run)
    checks = [
        check_table(connection, findings, name, genesis, heads.get(name))
        for name in chain.CHAINED
        if name != "transactions"
    ]
    booked = ChainCheck(findings, "transactions", genesis)
    BookingCheck(connection, findings, booked).run()
    booked.end(heads.get("transactions"))
    check_run(connection, findings, genesis, [*checks, booked], heads)
    check_orders(connection, findings)
    _check_venue(connection, findings)


def _check_venue(connection: Connection, findings: Findings) -> None:
    """Prove the fills of every instrument by the venue's start positions, and its funding by the hours held."""
    run = findings.run
    fills, funding, lots = tables.fills.c, tables.funding.c, tables.adjustments.c
    symbols: set[str] = set()
    for column, owner in ((fills.symbol, fills.run_id), (funding.symbol, funding.run_id), (lots.symbol, lots.run_id)):
        symbols.update(str(one) for (one,) in connection.execute(select(column).where(owner == run).distinct()))
    until_ns = _last_ns(connection, run)
    # The simulated venue opens an account for each run; it settles an instrument from its first rate on.
    account = connection.execute(select(tables.runs.c.account).where(tables.runs.c.run_id == run)).scalar_one()
    for symbol in sorted(symbols):
        settled = dict(_settled(connection, run, symbol))
        from_ns = min(settled, default=NEVER_NS) if account == run else 0
        gaps: list[Gap] = []
        moves = walk_positions(
            _executions(connection, run, symbol), _adjustments(connection, run, symbol), gaps, until_ns
        )
        for hour_ns, problem in wrong_hours(moves, settled, from_ns, until_ns):
            findings.add("funding", f"{symbol} {hour_ns}", problem)
        for gap in gaps:
            findings.add("fills", symbol, gap.sentence)


def _last_ns(connection: Connection, run: str) -> int:
    """Return the youngest time a run knows of."""
    booked, marks = tables.transactions.c, tables.marks.c
    found = [
        connection.execute(select(func.max(column)).where(owner == run)).scalar_one()
        for column, owner in ((booked.ts_event_ns, booked.run_id), (marks.ts_ns, marks.run_id))
    ]
    return max((one for one in found if isinstance(one, int)), default=0)


def _settled(connection: Connection, run: str, symbol: str) -> Iterator[tuple[int, int]]:
    # Values of a wrong type were found with the bookings; nobody is told twice.
    reader = TableReader(connection, Findings(run), "funding")
    for _, row in reader.stream(reader.table.c.hour_ns, where=(reader.table.c.symbol == symbol,)):
        yield row.hour_ns, row.position


def _executions(connection: Connection, run: str, symbol: str) -> Iterator[Execution]:
    reader = TableReader(connection, Findings(run), "fills")
    own = reader.table.c
    for _, row in reader.stream(own.ts_event_ns, own.trade_id, where=(own.symbol == symbol,)):
        yield Execution(row.ts_event_ns, row.trade_id, row.start_position, SIGN.get(row.side, 0) * row.lots)


def _adjustments(connection: Connection, run: str, symbol: str) -> list[Adjustment]:
    lots, booked = tables.adjustments.c, tables.transactions.c
    found = connection.execute(
        select(booked.kind, booked.cause, booked.ts_event_ns, lots.lots)
        .join(tables.transactions, (booked.run_id == lots.run_id) & (booked.sequence == lots.sequence))
        .where(lots.run_id == run, lots.symbol == symbol)
        .order_by(lots.sequence)
    ).all()
    opening: list[Adjustment] = []
    by_cause: dict[str, list[Adjustment]] = {cause.label: [] for cause in CorrectionCause}
    for kind, cause, ts_ns, size in found:
        if type(ts_ns) is int and type(size) is int:
            is_opening = kind == FactKind.TRANSFER.label
            (opening if is_opening else by_cause.setdefault(cause, [])).append(Adjustment(ts_ns, size, is_opening))
    explained = by_cause[CorrectionCause.EXPLAINED.label]
    return opening + net_adjustments(by_cause[CorrectionCause.UNEXPLAINED.label], explained)
