"""Rows into SQL in bulk: COPY on PostgreSQL, executemany on SQLite, each row linked to the chain of its table.

Laws: everything here happens inside the caller's transaction; chain heads are returned and never changed in place, so
that a batch that fails leaves them as they were.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from domain.errors import InvariantBroken, LedgerUnbalanced
from domain.units import Money, format_money
from ledger import queries
from ledger.chain import (
    COLUMNS,
    POSITIONS,
    RUNS,
    Head,
    Row,
    empty_heads,
    ended_hash,
    genesis_hash,
    linked,
    linked_orders,
    next_hash,
    positions_head,
    seal_of,
    transaction_content,
)
from ledger.rows import Booking, Rows, RunRecord, run_rows

_INSERT = {
    name: " ".join(("INSERT INTO", name, f"({', '.join(columns)})", "VALUES", f"({', '.join('?' * len(columns))})"))
    for name, columns in COLUMNS.items()
}
_COPY = {name: f"COPY {name} ({', '.join(columns)}) FROM STDIN" for name, columns in COLUMNS.items()}

_CHANGE_ORDER = """
UPDATE orders SET price = ?, lots = ?, filled_lots = ?, state = ?, reason = ?, venue_order_id = ?, updated_ns = ?
WHERE run_id = ? AND client_order_id = ?
"""
_CHANGE_ORDERS = """
UPDATE orders SET price = c.price, lots = c.lots, filled_lots = c.filled_lots, state = c.state, reason = c.reason,
  venue_order_id = c.venue_order_id, updated_ns = c.updated_ns
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[],
  %s::text[]) AS c (price, lots, filled_lots, state, reason, venue_order_id, updated_ns, run_id, client_order_id)
WHERE orders.run_id = c.run_id AND orders.client_order_id = c.client_order_id
"""


class Heads(msgspec.Struct, frozen=True):
    """Where the chains of a run stand. The youngest mark may still be replaced, so the hash before it is kept too."""

    genesis: str
    notices: int
    seal: str
    chains: dict[str, Head]
    mark_minute_ns: int
    before_mark: str


def insert_rows(connection: Connection, name: str, rows: Sequence[Row]) -> None:
    """Insert whole rows of a table, tuples in column order, the fastest way the database has."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_INSERT[name], rows if isinstance(rows, list) else list(rows))
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY[name]) as copy:
        write_row = copy.write_row
        for row in rows:
            write_row(row)


def read_heads(connection: Connection, run: str) -> Heads:
    """Return where the chains of a stored run stand. Raises: InvariantBroken when no such run was begun."""
    asked = {"run": run}
    found = connection.execute(text(queries.CURSOR), asked).one_or_none()
    if found is None:
        raise InvariantBroken("no run was begun")
    chains = {
        str(name): (int(links), str(head)) for name, links, head in connection.execute(text(queries.HEADS), asked)
    }
    youngest = connection.execute(text(queries.YOUNGEST_MARKS), asked).all()
    minute_ns = int(youngest[0][0]) if youngest else -1
    genesis = _genesis_of(connection, run)
    before = str(youngest[1][1]) if len(youngest) > 1 else genesis
    return Heads(genesis, int(found[0]), str(found[1]), chains, minute_ns, before)


def insert_run(connection: Connection, record: RunRecord) -> None:
    """Insert a run with its instruments, its empty chains and its cursor."""
    own, instruments = run_rows(record)
    run = own[0]
    heads = empty_heads(genesis_hash(own[:-1], instruments))
    insert_rows(connection, "runs", [own])
    insert_rows(connection, "instruments", instruments)
    insert_rows(connection, "chains", [(run, name, *head) for name, head in heads.items()])
    insert_rows(connection, "cursors", [(run, 0, seal_of(0, heads))])


def end_run(connection: Connection, run: str, ts_ns: int) -> None:
    """Note that a run ended in good order."""
    heads = read_heads(connection, run)
    chains = {**heads.chains, RUNS: (2, ended_hash(heads.genesis, ts_ns))}
    connection.execute(text(queries.END_RUN), {"run": run, "ended_ns": ts_ns})
    _move_heads(connection, run, heads, chains, heads.notices)


def write_rows(connection: Connection, rows: Rows, heads: Heads, notices: int) -> Heads:
    """Store the rows of a batch that ends at the notices-th of the run; return where the chains stand then.

    Raises: LedgerUnbalanced for postings that do not sum to zero; InvariantBroken for an order to change or a transaction
    to follow that is not there.
    """
    chains = dict(heads.chains)

    def chained(name: str, new: Sequence[Row]) -> None:
        made, chains[name] = linked(new, chains[name])
        insert_rows(connection, name, made)

    if rows.orders:
        orders, chains["orders"] = linked_orders(rows.orders.values(), chains["orders"])
        insert_rows(connection, "orders", orders)
    if rows.transitions:
        chained("transitions", rows.transitions)
    if rows.bookings:
        booked, chains["transactions"] = _linked_bookings(rows.bookings, chains["transactions"])
        insert_rows(connection, "transactions", booked)
        insert_rows(connection, "postings", rows.postings)
        insert_rows(connection, "adjustments", rows.adjustments)
        insert_rows(connection, "fills", rows.fills)
        insert_rows(connection, "funding", rows.funding)
        _prove_balanced(connection, rows.run, rows.bookings[0].own[1])
    if rows.markouts:
        chained("markouts", rows.markouts)
    if rows.incidents:
        chained("incidents", rows.incidents)
    if rows.orders_changed:
        _change_orders(connection, list(rows.orders_changed.values()))
    minute_ns, before = heads.mark_minute_ns, heads.before_mark
    if rows.marks:
        minute_ns, before, chains["marks"] = _write_marks(connection, rows, heads)
    if rows.positions is not None:
        connection.execute(text(queries.DELETE_POSITIONS), {"run": rows.run})
        insert_rows(connection, "positions", rows.positions)
        chains[POSITIONS] = positions_head(heads.genesis, rows.positions)
    seal = _move_heads(connection, rows.run, heads, chains, notices)
    return Heads(heads.genesis, notices, seal, chains, minute_ns, before)


def _genesis_of(connection: Connection, run: str) -> str:
    """Return the genesis of a stored run, from its rows: the head of RUNS has moved on once the run ended."""
    asked = {"run": run}
    own = connection.execute(text(queries.RUN_ROW), asked).one()
    instruments = connection.execute(text(queries.INSTRUMENT_ROWS), asked).all()
    return genesis_hash(tuple(own), [tuple(row) for row in instruments])


def _linked_bookings(bookings: Sequence[Booking], head: Head) -> tuple[list[Row], Head]:
    links, previous = head
    made: list[Row] = []
    for booking in bookings:
        own, links = booking.own, links + 1
        if own[1] != links:
            raise InvariantBroken(f"transaction {own[1]} cannot follow transaction {links - 1}")
        content = transaction_content(own, booking.postings, booking.fill, booking.funding, booking.lots)
        previous = next_hash(previous, content)
        made.append((*own, previous))
    return made, (links, previous)


def _write_marks(connection: Connection, rows: Rows, heads: Heads) -> tuple[int, str, Head]:
    links, head = heads.chains["marks"]
    if heads.mark_minute_ns in rows.marks:
        connection.execute(text(queries.DELETE_MARK), {"run": rows.run, "minute_ns": heads.mark_minute_ns})
        links, head = links - 1, heads.before_mark
    made, after = linked(rows.marks.values(), (links, head))
    insert_rows(connection, "marks", made)
    return max(rows.marks), made[-2][-1] if len(made) > 1 else head, after


def _change_orders(connection: Connection, changes: list[Row]) -> None:
    """Bring orders of earlier batches up to date. Raises: InvariantBroken when one of them is not there any more."""
    if connection.dialect.name == "sqlite":
        changed = connection.exec_driver_sql(_CHANGE_ORDER, changes).rowcount
    else:
        changed = connection.exec_driver_sql(_CHANGE_ORDERS, tuple(map(list, zip(*changes, strict=True)))).rowcount
    if changed != len(changes):
        raise InvariantBroken(f"{len(changes) - changed} of {len(changes)} orders that moved are not stored")


def _prove_balanced(connection: Connection, run: str, first: int) -> None:
    for sequence, amount in connection.execute(text(queries.UNBALANCED_SINCE), {"run": run, "first": first}):
        raise LedgerUnbalanced(
            f"stored postings of transaction {sequence} sum to {format_money(Money(int(amount)))} (expected 0)"
        )


def _move_heads(connection: Connection, run: str, before: Heads, chains: dict[str, Head], notices: int) -> str:
    """Store where the chains stand now and seal it."""
    moved = [
        {"run": run, "name": name, "links": links, "head": head}
        for name, (links, head) in chains.items()
        if before.chains.get(name) != (links, head)
    ]
    if moved:
        connection.execute(text(queries.MOVE_HEAD), moved)
    seal = seal_of(notices, chains)
    connection.execute(text(queries.MOVE_CURSOR), {"run": run, "notices": notices, "seal": seal})
    return seal
