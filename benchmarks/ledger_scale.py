"""The ledger on PostgreSQL as it grows: does the millionth row cost what the first did, and what do questions take?

Runs of some 45,000 rows each are written one after the other through the store; at each size the rate of the last run and
the time of the questions people ask are taken: one run's statement, the list of runs, rows and bytes, the proof of one run,
and its canonical hash. Rows come at the right edge of every index of a run, so the rate should stay.
"""

from collections.abc import Callable
from statistics import median
from time import perf_counter

from sqlalchemy import text

from benchmarks.ledger_workload import batches, record
from benchmarks.report import Options, Report, Table
from domain.identifiers import RunId
from ledger.audit import audit
from ledger.canonical import canonical_hash
from ledger.rows import run_key
from ledger.store import LedgerStore
from tests.postgres import PostgresServer, binaries

SIZES = (100_000, 1_000_000, 10_000_000)
RUN_FILLS = 3_500
"""Fills of one run: some 45,000 rows."""
TABLES = ("orders", "transitions", "transactions", "postings", "fills", "marks")


def measure(options: Options) -> Report:
    """Grow one ledger and ask it at each size."""
    setting = {"sizes": ", ".join(f"{size:,}" for size in SIZES if size <= options.rows) or f"{options.rows:,}",
               "questions": f"median of {options.rounds}"}  # fmt: skip
    if binaries() is None:
        return Report("ledger-scale", setting, [], ["left out: no PostgreSQL for this machine"])
    server = PostgresServer(is_durable=True)
    server.start()
    try:
        rows = grown(server.create_database(), options)
    finally:
        server.remove()
    headings = (
        "rows", "runs", "MB", "rows/s, last run", "statement ms", "runs ms", "sizes ms", "verify a run s", "hash a run s"
    )  # fmt: skip
    return Report("ledger-scale", setting, [Table("One PostgreSQL, one writer", headings, rows)])


def grown(url: str, options: Options) -> list[tuple[int | float, ...]]:
    """Write runs until every size was reached; return a line for each."""
    store = LedgerStore(url)
    found: list[tuple[int | float, ...]] = []
    number = count = 0
    for size in [size for size in SIZES if size <= options.rows] or [options.rows]:
        rate = 0.0
        while count < size:
            number += 1
            store.begin_run(record(number))
            work = list(batches(number, min(RUN_FILLS, max(1, size // 12))))
            started = perf_counter()
            for batch, cursor in work:
                store.write(batch, cursor)
            seconds = perf_counter() - started
            before, count = count, rows_in(store)
            rate = (count - before) / seconds
        found.append((count, number, bytes_of(store) / 1_000_000, rate, *asked(store, number, options.rounds)))
    store.close()
    return found


def rows_in(store: LedgerStore) -> int:
    """Return the rows of the tables that grow."""
    with store.reading() as connection:
        return sum(int(connection.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one()) for name in TABLES)


def bytes_of(store: LedgerStore) -> int:
    """Return how much disk the database takes."""
    with store.reading() as connection:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def asked(store: LedgerStore, number: int, rounds: int) -> tuple[float, ...]:
    """Return how long each question takes, about the newest run."""
    run = run_key(RunId(number))

    def verify() -> None:
        with store.reading() as connection:
            assert not audit(connection, run)

    def hashed() -> None:
        with store.reading() as connection:
            assert canonical_hash(connection, run)

    quick = (lambda: store.statement(run), store.run_ids, store.size)
    return (
        *(1_000 * seconds_of(question, rounds) for question in quick),
        *(seconds_of(question, rounds) for question in (verify, hashed)),
    )


def seconds_of(question: Callable[[], object], rounds: int) -> float:
    """Return the median time of a question."""
    times = []
    for _ in range(rounds):
        started = perf_counter()
        question()
        times.append(perf_counter() - started)
    return median(times)
