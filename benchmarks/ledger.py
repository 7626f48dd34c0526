"""The ledger's writing side: fills and rows a second made durable, beside a bare driver loop that writes the same rows.

The house: `LedgerStore.write` in batches of 2,000 notices: rows made of notices, hash chains, inserts, changed orders, the
proof that postings sum to zero, chain heads, cursor and seal, one SQL transaction each. The bare loop: the rows the house
inserted, made before the clock starts, by `sqlite3` executemany or psycopg COPY, in the same batches and transactions, with
the same pragmas, tables and indexes, and nothing else. Both wait for the disk at every commit.

Marks and positions that are replaced later are written once by the bare loop; changes of orders it does not write at all.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest import mock

import psycopg

from benchmarks.ledger_workload import BATCH_NOTICES, batches, record
from benchmarks.report import Options, Report, Table
from domain.notices import Notice
from ledger import store_rows
from ledger.chain import COLUMNS
from ledger.store import LedgerStore
from ledger.store_engine import BUSY_TIMEOUT_MS
from tests.postgres import PostgresServer, binaries

ROWS_A_FILL = 50
"""One fill for so many of the rows asked for: each becomes a dozen rows."""
FILLS_MIN = 1_000
RUN_ID = 0x1ED6E5
REPLACED = ("marks", "positions")

Batch = tuple[list[Notice], int]
Inserts = list[list[tuple[str, list[tuple[Any, ...]]]]]
"""By batch: table and rows, in the order in which the house wrote them."""


def measure(options: Options) -> Report:
    """Write the same run by house and by bare loop, alternating, on each database."""
    fills = max(options.rows // ROWS_A_FILL, FILLS_MIN)
    work = list(batches(RUN_ID, fills))
    inserts = captured(work)
    rows = sum(len(new) for batch in inserts for _, new in batch)
    options.place.mkdir(parents=True, exist_ok=True)
    results: list[tuple[str | int | float | None, ...]] = []
    for name, places in databases(options.place).items():
        shown = [(seconds_of(write_house, places, work), seconds_of(BARE[name], places, inserts))]
        shown += [pair(name, places, work, inserts, is_odd=bool(turn % 2)) for turn in range(options.rounds)]
        house, bare = (median(one[side] for one in shown[1:]) for side in (0, 1))
        share = median(theirs / ours for ours, theirs in shown[1:])
        results += [
            (f"{name}, hat", fills / house, rows / house, house, 100 * share),
            (f"{name}, bare loop", fills / bare, rows / bare, bare, 100.0),
        ]
    return Report(
        "ledger",
        {"fills": fills, "rows": rows, "batches": f"{len(work)} of {BATCH_NOTICES} notices", "rounds": options.rounds},
        [Table("Durable, one process", ("variant", "fills/s", "rows/s", "seconds", "% of bare"), results)],
        [] if binaries() else ["PostgreSQL was left out: no server for this machine"],
    )


def pair(
    name: str, places: Callable[[], Any], work: list[Batch], inserts: Inserts, *, is_odd: bool
) -> tuple[float, float]:
    """Return the seconds of house and bare loop of one round; every other round begins with the other one."""
    if is_odd:
        bare = seconds_of(BARE[name], places, inserts)
        return seconds_of(write_house, places, work), bare
    return seconds_of(write_house, places, work), seconds_of(BARE[name], places, inserts)


def captured(work: list[Batch]) -> Inserts:
    """Return what the house inserts, batch by batch, without rows that are replaced later."""
    found: Inserts = []
    insert_rows = store_rows.insert_rows

    def insert(connection: Any, name: str, rows: Any) -> None:
        insert_rows(connection, name, rows)
        if rows:
            found[-1].append((name, [tuple(row) for row in rows]))

    store = LedgerStore("sqlite://")
    store.begin_run(record(RUN_ID))
    with mock.patch.object(store_rows, "insert_rows", insert):
        for batch, cursor in work:
            found.append([])
            store.write(batch, cursor)
    store.close()
    return without_replaced(found)


def without_replaced(inserts: Inserts) -> Inserts:
    """Leave each mark and position where it was written last."""
    seen: set[tuple[Any, ...]] = set()
    kept: Inserts = []
    for batch in reversed(inserts):
        kept.append([])
        for name, rows in batch:
            last = [row for row in rows if name not in REPLACED or (name, row[1]) not in seen]
            seen.update((name, row[1]) for row in last if name in REPLACED)
            kept[-1].append((name, last))
    return kept[::-1]


def databases(place: Path) -> dict[str, Callable[[], Any]]:
    """Return, by name, what gives a fresh database for one measurement: a context manager of its URL."""

    @contextmanager
    def sqlite_url() -> Iterator[str]:
        folder = tempfile.mkdtemp(dir=place)
        yield f"sqlite:///{folder}/ledger.db"
        shutil.rmtree(folder)

    @contextmanager
    def postgresql_url() -> Iterator[str]:
        server = PostgresServer(is_durable=True)
        server.start()
        yield server.create_database()
        server.remove()

    return {"sqlite": sqlite_url} | ({"postgresql": postgresql_url} if binaries() else {})


def seconds_of(write: Callable[[str, Any], float], places: Callable[[], Any], work: Any) -> float:
    """Return how long one variant writes into a fresh ledger that has begun the run."""
    with places() as url:
        store = LedgerStore(url)
        store.begin_run(record(RUN_ID))
        store.close()
        return write(url, work)


def write_house(url: str, work: list[Batch]) -> float:
    """Write through the store."""
    store = LedgerStore(url)
    store.begin_run(record(RUN_ID))
    started = perf_counter()
    for batch, cursor in work:
        store.write(batch, cursor)
    seconds = perf_counter() - started
    store.close()
    return seconds


def write_sqlite(url: str, inserts: Inserts) -> float:
    """Write the rows by `sqlite3` alone."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}", "foreign_keys = ON", "journal_mode = WAL", "synchronous = FULL"
    ):  # fmt: skip
        connection.execute(f"PRAGMA {pragma}")
    texts = {
        name: f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        for name, columns in COLUMNS.items()
    }
    started = perf_counter()
    for number, batch in enumerate(inserts):
        connection.execute("BEGIN IMMEDIATE")
        for name, rows in batch:
            connection.executemany(texts[name], rows)
        connection.execute("UPDATE cursors SET notices = ?", (number,))
        connection.execute("COMMIT")
    seconds = perf_counter() - started
    connection.close()
    return seconds


def write_postgresql(url: str, inserts: Inserts) -> float:
    """Write the rows by psycopg's COPY alone."""
    texts = {name: f"COPY {name} ({', '.join(columns)}) FROM STDIN" for name, columns in COLUMNS.items()}
    with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.cursor() as cursor:
        started = perf_counter()
        for number, batch in enumerate(inserts):
            for name, rows in batch:
                with cursor.copy(texts[name]) as copy:
                    for row in rows:
                        copy.write_row(row)
            cursor.execute("UPDATE cursors SET notices = %s", (number,))
            connection.commit()
        return perf_counter() - started


BARE: dict[str, Callable[[str, Any], float]] = {"sqlite": write_sqlite, "postgresql": write_postgresql}
