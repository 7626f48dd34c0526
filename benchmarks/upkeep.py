"""What keeping a ledger costs as it grows: storing another run, asking about one, copy, backup, archive, vacuum.

The ledger holds RUNS runs of equal size. If whole runs are the unit of retention, then what one run costs must not
depend on how many others there are: the first and the last run stored are compared, and the archive takes the oldest.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.report import Options, Report, Table, medians
from ledger.store import LedgerStore
from ledger.store_copy import copy_run
from ledger.store_upkeep import archive, backup, old_runs, vacuum
from tests.ledger.ledger_builders import START_NS, a_record, flat
from tests.ledger.ledger_story import a_story
from tests.postgres import PostgresServer, binaries

RUNS = 10
ROWS_PER_ORDER = 17
BATCH_OUTCOMES = 500
FAR_NS = 2 * START_NS


def measure(options: Options) -> Report:
    """Fill a ledger on each database and look after it, round by round."""
    orders = max(1, options.rows // RUNS // ROWS_PER_ORDER)
    runs = {run: a_story(orders, run=run)[0] for run in range(1, RUNS + 1)}
    server = PostgresServer(is_durable=True) if binaries() is not None else None
    tables = []
    try:
        if server is not None:
            server.start()
        for name in ("sqlite", "postgresql") if server is not None else ("sqlite",):
            rounds = [_round(runs, options.place / "upkeep", server if name == "postgresql" else None)
                      for _ in range(options.rounds)]  # fmt: skip
            figures = medians(rounds)
            rows = figures.pop("rows")
            cells = [(what, seconds, share, share / seconds) for what, (seconds, share) in _shares(figures, rows)]
            tables.append(Table(f"{name}, {rows:,.0f} rows", ("what", "seconds", "rows", "rows/s"), cells))
    finally:
        if server is not None:
            server.remove()
    return Report("ledger-upkeep", {"runs": RUNS, "orders a run": orders, "rounds": options.rounds}, tables)


def _shares(figures: dict[str, float], rows: int) -> list[tuple[str, tuple[float, int]]]:
    """Return what each figure had to do with: all rows, or those of one run."""
    whole = {"copy", "backup", "vacuum"}
    return [(what, (seconds, int(rows if what in whole else rows / RUNS))) for what, seconds in figures.items()]


def _round(runs: dict[int, list[Any]], place: Path, server: PostgresServer | None) -> dict[str, float]:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    url = server.create_database() if server is not None else f"sqlite:///{place / 'ledger.db'}"
    found: dict[str, float] = {}
    with closing(LedgerStore(url)) as store:
        seconds = [_stored(store, run, outcomes) for run, outcomes in runs.items()]
        found["store the first run"], found["store the last run"] = seconds[0], seconds[-1]
        rows = sum(store.size().rows.values()) if server is None else _counted(store)
        found["summary of one run"] = timed(lambda: store.statement(f"{RUNS:016x}"))
        found["size"] = timed(store.size)
        found["copy"] = timed(lambda: _copied(store, f"sqlite:///{place / 'copy.db'}"))
        found["backup"] = timed(lambda: backup(store, place / "backup.db"))
        with store.reading() as connection:
            oldest = old_runs(connection, FAR_NS)[:1]
        found["archive the oldest run"] = timed(lambda: archive(store, place / "old.db", oldest))
        found["vacuum"] = timed(lambda: vacuum(store))
    shutil.rmtree(place)
    if server is not None:
        server.drop_database(url)
    return {"rows": rows, **found}


def timed(work: Callable[[], object]) -> float:
    """Return the seconds some work took."""
    started = perf_counter()
    work()
    return perf_counter() - started


def _stored(store: LedgerStore, run: int, outcomes: list[Any]) -> float:
    started = perf_counter()
    store.begin_run(a_record(run_id=run))
    cursor = 0
    for start in range(0, len(outcomes), BATCH_OUTCOMES):
        notices = flat(outcomes[start : start + BATCH_OUTCOMES])
        cursor += len(notices)
        store.write(notices, cursor)
    store.end_run(START_NS + run)
    return perf_counter() - started


def _counted(store: LedgerStore) -> int:
    """Return the rows of a ledger on a server, whose own statistics lag."""
    with store.reading() as connection:
        names = store.size().rows
        return sum(int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {name}").scalar_one()) for name in names)


def _copied(store: LedgerStore, url: str) -> None:
    with closing(LedgerStore(url)) as target, store.reading() as connection:
        for run in range(1, RUNS + 1):
            copy_run(connection, target, f"{run:016x}")
