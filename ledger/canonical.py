"""The canonical hash of a run: what happened to the money, whoever stored it and in whatever order it was told.

Why it exists: two ledgers are equal when the same facts ended in the same accounts. Chain hashes also cover numbers of
rows, times of arrival and corrections of what came late; this one covers the economic content alone, so that SQLite and
PostgreSQL, a copy and its source, a run and its replay, and any order of late or repeated facts give the same 64 digits.

What it covers: fills by instrument, venue time and trade id with their terms; funding; transfers; lots that came without a
fill, summed; the balance of every account; every order as it ended. Keys of orders are counted within their run, so the
run's own key does not matter.

Law: sections in a fixed order, each row one JSON array and a line feed; texts sorted by their bytes.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from domain.transaction import FactKind
from ledger import tables
from ledger.audit_chains import chain_heads, stored_seal
from ledger.audit_reading import CHUNK_ROWS

__all__ = ["canonical_hash", "canonical_rows", "chain_heads", "stored_seal"]

_ORDER_PREFIX = 2 + tables.RUN_KEY_LENGTH

Row = tuple[Any, ...]


def canonical_hash(connection: Connection, run: str) -> str:
    """Return the SHA-256 of a run's economic content as 64 hex digits."""
    digest = sha256()
    encode = msgspec.json.Encoder().encode
    for row in canonical_rows(connection, run):
        digest.update(encode(row))
        digest.update(b"\n")
    return digest.hexdigest()


def canonical_rows(connection: Connection, run: str) -> Iterator[Row]:
    """Yield the rows the canonical hash covers, the name of their section first."""
    for name, rows in (
        ("fill", _fills(connection, run)),
        ("funding", _funding(connection, run)),
        ("transfer", _transfers(connection, run)),
        ("adjusted", _adjusted(connection, run)),
        ("balance", _balances(connection, run)),
        ("order", _orders(connection, run)),
    ):
        for row in rows:
            yield (name, *row)


def _streamed(connection: Connection, asked: Any) -> Iterator[Row]:
    found = connection.execute(asked, execution_options={"yield_per": CHUNK_ROWS, "stream_results": True})
    for rows in found.partitions():
        for row in rows:
            yield tuple(row)


def _order_key(run: str, order: str) -> str:
    """Return an order's number within its run; an id of another making as it is."""
    return order[_ORDER_PREFIX:] if order.startswith(f"0x{run}") else order


def _by_bytes(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Order text by its bytes, whatever language the database sorts in."""
    return column.collate("C" if connection.dialect.name == "postgresql" else "BINARY")


def _symbols(connection: Connection, column: ColumnElement[Any], run_id: ColumnElement[Any], run: str) -> list[str]:
    return sorted(str(one) for (one,) in connection.execute(select(column).where(run_id == run).distinct()))


def _fills(connection: Connection, run: str) -> Iterator[Row]:
    own = tables.fills.c
    terms = (
        *(own.ts_event_ns, own.trade_id, own.client_order_id, own.side, own.price, own.lots, own.liquidity),
        *(own.notional, own.fee, own.start_position, own.cause),
    )
    for symbol in _symbols(connection, own.symbol, own.run_id, run):
        asked = select(*terms).where(own.run_id == run, own.symbol == symbol)
        for ts_ns, trade_id, order, *rest in _streamed(connection, asked.order_by(own.ts_event_ns, own.trade_id)):
            yield (symbol, ts_ns, trade_id, _order_key(run, order), *rest)


def _funding(connection: Connection, run: str) -> Iterator[Row]:
    own = tables.funding.c
    for symbol in _symbols(connection, own.symbol, own.run_id, run):
        asked = select(own.hour_ns, own.position, own.rate, own.oracle_price, own.amount)
        asked = asked.where(own.run_id == run, own.symbol == symbol).order_by(own.hour_ns)
        for row in _streamed(connection, asked):
            yield (symbol, *row)


def _transfers(connection: Connection, run: str) -> Iterable[Row]:
    """Return transfers and the opening with the money they moved, by identity; there are few."""
    own, lines = tables.transactions.c, tables.postings.c
    found = connection.execute(
        select(own.fact_id, own.ts_event_ns, lines.account, lines.amount)
        .outerjoin(tables.postings, (lines.run_id == own.run_id) & (lines.sequence == own.sequence))
        .where(own.run_id == run, own.kind == FactKind.TRANSFER.label)
    )
    return sorted((fact, ts_ns, account or "", amount or 0) for fact, ts_ns, account, amount in found)


def _summed(connection: Connection, key: ColumnElement[Any], amount: ColumnElement[Any], where: Any) -> list[Row]:
    found = connection.execute(select(key, func.sum(amount)).where(where).group_by(key))
    return sorted((str(name), int(total)) for name, total in found if int(total))


def _adjusted(connection: Connection, run: str) -> Iterable[Row]:
    own = tables.adjustments.c
    return _summed(connection, own.symbol, own.lots, own.run_id == run)


def _balances(connection: Connection, run: str) -> Iterable[Row]:
    own = tables.postings.c
    return _summed(connection, own.account, own.amount, own.run_id == run)


def _orders(connection: Connection, run: str) -> Iterator[Row]:
    own = tables.orders.c
    terms = (
        *(own.client_order_id, own.symbol, own.side, own.price, own.lots, own.filled_lots, own.time_in_force),
        *(own.post_only, own.reduce_only, own.state, own.reason),
    )
    asked = select(*terms).where(own.run_id == run)
    for order, *rest in _streamed(connection, asked.order_by(_by_bytes(connection, own.client_order_id))):
        yield (_order_key(run, order), *rest)
