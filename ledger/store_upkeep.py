"""What keeps a ledger healthy over the years: backup while it is written, archive of old runs, vacuum.

Laws: a backup is one moment of the ledger and proven equal to it before it gets its name; a run leaves the ledger only
after an archive on the disk was proven to hold it, and in the transaction that finds it unchanged; a run that goes on is
never archived, one that is not sound only when that was asked for; no file in use by a ledger is written over; what fails
leaves no file it made itself, unless that holds a run already.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from domain.errors import ConfigInvalid, DataInvalid, HouseError
from ledger import queries, store_engine, tables
from ledger.audit import Problem, audit
from ledger.store import LedgerStore, StoreUnavailable
from ledger.store_copy import CopiedRun, RunProof, copy_run, delete_run, proof_of
from ledger.store_files import absent, in_a_folder, whole_file
from ledger.store_sizes import WAL_SUFFIX, LedgerSize

KEY = "--to"
SIDE_FILES = (WAL_SUFFIX, "-shm", "-journal")
LAST_SEEN = """
SELECT MAX(ts_ns) FROM (
  SELECT started_ns AS ts_ns FROM runs WHERE run_id = :run
  UNION ALL SELECT MAX(ts_ns) FROM transitions WHERE run_id = :run
  UNION ALL SELECT MAX(ts_ns) FROM transactions WHERE run_id = :run
  UNION ALL SELECT MAX(ts_ns) FROM marks WHERE run_id = :run
  UNION ALL SELECT MAX(ts_ns) FROM incidents WHERE run_id = :run) AS seen
"""
RUNS = "SELECT run_id, command, started_ns, ended_ns FROM runs ORDER BY started_ns, run_id"

Told = Callable[[RunProof], None]
"""Hears of every run that was written and proven."""


class OldRun(msgspec.Struct, frozen=True):
    """A run that an archive may take. ended_ns is its last sign of life when it was killed."""

    run: str
    command: str
    started_ns: int
    ended_ns: int
    was_killed: bool


class LeftOut(msgspec.Struct, frozen=True):
    """How many runs without an end an archive does not take: those silent since before the date, and the others."""

    never_ended: int
    going_on: int


class Vacuumed(msgspec.Struct, frozen=True):
    """Sizes around a vacuum."""

    before: LedgerSize
    after: LedgerSize


def ledger_file(key: str, path: Path) -> str:
    """Return the URL of a SQLite file. Raises: ConfigInvalid for a name that no URL can hold."""
    if "?" in str(path):
        raise ConfigInvalid(key, str(path), "a name without a question mark")
    # What follows a percent sign in a URL is read as the number of a letter.
    return f"sqlite:///{str(path).replace('%', '%25')}"


@contextmanager
def target_ledger(url: str) -> Iterator[LedgerStore]:
    """Open a ledger to write runs into. A SQLite file that it made is removed again when that fails before the first run.

    Raises: ConfigInvalid for a place that is no ledger, and for a folder that is not there.
    """
    path = store_engine.file_of(store_engine.parsed(url))
    is_new = path is not None and not path.exists()
    if path is not None:
        in_a_folder(KEY, path)
    is_kept = False
    try:
        with closing(LedgerStore(url)) as store:
            try:
                yield store
                is_kept = True
            finally:
                is_kept = is_kept or not is_new or _may_hold_runs(store)
    finally:
        if path is not None and is_new and not is_kept:
            path.unlink(missing_ok=True)
            _remove_side_files(path)


def _may_hold_runs(store: LedgerStore) -> bool:
    try:
        return bool(store.run_ids())
    except HouseError:
        return True


def _refuse_own_file(store: LedgerStore, path: Path) -> None:
    """Refuse to write a ledger over itself, whatever its names."""
    own = store.file
    if own is not None and path.exists() and path.samefile(own):
        raise ConfigInvalid(KEY, str(path), "another file than the ledger itself")


def backup(store: LedgerStore, path: Path, *, force: bool = False, told: Told | None = None) -> list[RunProof]:
    """Write the whole ledger, as it is at one moment, into a SQLite file of that name; return what it holds.

    Whoever writes the ledger meanwhile goes on. Raises: ConfigInvalid when the name is taken and force is not given, or
    a ledger in use has it; DataInvalid when what was written is not what was read.
    """
    _refuse_own_file(store, path)
    absent(KEY, path, force=force)
    if Path(f"{path}{WAL_SUFFIX}").exists():
        raise ConfigInvalid(KEY, str(path), "a file that no process has open as its ledger")
    ledger_file(KEY, path)
    with whole_file(KEY, path, force=force) as place:
        _remove_side_files(place)
        try:
            with store.reading() as source:
                proofs = _copy_pages(source, place) if store.is_sqlite else _copy_runs(source, place)
            _prove(proofs, place, path, told)
            return proofs
        finally:
            _remove_side_files(place)


def _copy_pages(source: Connection, place: Path) -> list[RunProof]:
    # The first question fixes the snapshot, which the backup then reads too: it is the same connection.
    proofs = [proof for run in _run_keys(source) if (proof := proof_of(source, run)) is not None]
    driver: Any = source.connection.driver_connection
    with _plain_sqlite(place) as target:
        driver.backup(target)
    _as_one_file(place)
    return proofs


@contextmanager
def _plain_sqlite(place: Path) -> Iterator[sqlite3.Connection]:
    """Open a file with nothing but the driver, and say in a sentence of ours what goes wrong."""
    try:
        with closing(sqlite3.connect(place)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{place}: {error}") from error


def _copy_runs(source: Connection, place: Path) -> list[RunProof]:
    with closing(LedgerStore(ledger_file(KEY, place))) as target:
        proofs = [copy_run(source, target, run).proof for run in _run_keys(source)]
    _as_one_file(place)
    return proofs


def _prove(proofs: Sequence[RunProof], place: Path, name: Path, told: Told | None) -> None:
    """Read back what was written. Raises: DataInvalid when it is not what the proofs say, naming the file as asked for."""
    with closing(LedgerStore(ledger_file(KEY, place), read_only=True)) as written, written.reading() as copy:
        for (line,) in copy.execute(text("PRAGMA integrity_check")):
            if line != "ok":
                raise DataInvalid(str(name), f"was not written as it should be ({line}); nothing of it was kept")
        if [proof.run for proof in proofs] != _run_keys(copy):
            raise DataInvalid(str(name), "does not hold the same runs as the ledger; nothing of it was kept")
        for proof in proofs:
            if proof != proof_of(copy, proof.run):
                raise DataInvalid(
                    str(name), f"does not hold run {proof.run} as the ledger does; nothing of it was kept"
                )
            if told is not None:
                told(proof)


def _run_keys(connection: Connection) -> list[str]:
    return [str(run) for (run,) in connection.execute(text(queries.RUN_KEYS))]


def _as_one_file(place: Path) -> None:
    """Leave nothing of a SQLite database in a write-ahead log, so that the one file is all of it."""
    with _plain_sqlite(place) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _remove_side_files(place: Path) -> None:
    for suffix in SIDE_FILES:
        Path(f"{place}{suffix}").unlink(missing_ok=True)


def old_runs(connection: Connection, before_ns: int, *, with_killed: bool = False) -> list[OldRun]:
    """Return the runs that ended before a time, oldest first; with_killed also those without an end that fell silent."""
    found = []
    for run, command, started_ns, ended_ns in connection.execute(text(RUNS)).all():
        if ended_ns is None and not with_killed:
            continue
        last_ns = connection.execute(text(LAST_SEEN), {"run": run}).scalar_one() if ended_ns is None else ended_ns
        if int(last_ns) < before_ns:
            found.append(OldRun(str(run), str(command), int(started_ns), int(last_ns), ended_ns is None))
    return found


def left_out(connection: Connection, before_ns: int, *, with_killed: bool = False) -> LeftOut:
    """Count the runs without an end that `old_runs` does not return."""
    silent = going_on = 0
    for run, _, _, ended_ns in connection.execute(text(RUNS)).all():
        if ended_ns is None:
            is_silent = int(connection.execute(text(LAST_SEEN), {"run": run}).scalar_one()) < before_ns
            silent += is_silent and not with_killed
            going_on += not is_silent
    return LeftOut(silent, going_on)


def unsound(store: LedgerStore, runs: Sequence[OldRun]) -> dict[str, list[Problem]]:
    """Audit these runs; return the problems of those that have any."""
    with store.reading() as connection:
        found = audit(connection, runs[0].run if len(runs) == 1 else "")
    by_run = {old.run: [problem for problem in found if problem.run in {"", old.run}] for old in runs}
    return {run: problems for run, problems in by_run.items() if problems}


def refuse_unsound(store: LedgerStore, runs: Sequence[OldRun]) -> None:
    """Refuse runs whose audit finds anything. Raises: DataInvalid that names the first problem of the first of them."""
    for run, problems in unsound(store, runs).items():
        more = f" and {len(problems) - 1:,} more" if len(problems) > 1 else ""
        raise DataInvalid(
            store.place,
            f"run {run} is not sound and nothing was moved ({problems[0].sentence}{more}); --unsound takes it",
        )


def archive(
    store: LedgerStore, path: Path, runs: Sequence[OldRun], told: Told | None = None, *, with_unsound: bool = False
) -> list[CopiedRun]:
    """Move whole runs into the SQLite ledger of that name, made when there is none; return what became of each.

    All are audited before the first is moved, unless with_unsound. A run leaves the ledger after the archive was proven
    to hold it. Killed in between, the same call goes on.
    Raises: ConfigInvalid when the file is this ledger or holds other rows for a run; DataInvalid when a run is not sound,
    or was changed meanwhile: it stays where it is.
    """
    _refuse_own_file(store, path)
    if not with_unsound:
        refuse_unsound(store, runs)
    moved: list[CopiedRun] = []
    with target_ledger(ledger_file(KEY, path)) as target:
        for old in runs:
            with store.reading() as source:
                _refuse_gone(source, store, old.run)
                copied = copy_run(source, target, old.run)
            with store.writing() as connection:
                _refuse_gone(connection, store, old.run)
                if proof_of(connection, old.run) != copied.proof:
                    raise DataInvalid(
                        store.place, f"changed run {old.run} while it was archived; it stays in the ledger"
                    )
                delete_run(connection, old.run)
            moved.append(copied)
            if told is not None:
                told(copied.proof)
    _as_one_file(path)
    return moved


def _refuse_gone(connection: Connection, store: LedgerStore, run: str) -> None:
    if connection.execute(text(queries.CURSOR), {"run": run}).one_or_none() is None:
        raise DataInvalid(store.place, f"no longer holds run {run}: another archive moved it meanwhile")


def vacuum(store: LedgerStore) -> Vacuumed:
    """Give space that deleted rows left back to the disk (SQLite) or to new rows (PostgreSQL), and refresh statistics.

    Raises: StoreUnavailable when somebody else holds a SQLite file for longer than a few seconds; ConfigInvalid for a
    user of PostgreSQL who may not do it.
    """
    with store.maintaining() as driver:
        if store.is_sqlite:
            # What waits in the log is counted where it belongs, or the file would seem to grow.
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            before = store.size()
            for statement in ("VACUUM", "ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"):
                driver.execute(statement).fetchall()
        else:
            before = store.size()
            _vacuum_postgresql(store, driver)
    return Vacuumed(before, store.size())


def _vacuum_postgresql(store: LedgerStore, driver: Any) -> None:
    """Vacuum every table. PostgreSQL passes over those of somebody else and only gives notice of it."""
    warned: list[str] = []

    def hear(notice: Any) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warned.append(" ".join(str(notice.message_primary).split()))

    driver.add_notice_handler(hear)
    try:
        for name in tables.metadata.tables:
            driver.execute(f"VACUUM (ANALYZE) {name}")
    finally:
        driver.remove_notice_handler(hear)
    if warned:
        raise ConfigInvalid(store_engine.KEY, store.place, f"a user who owns the ledger's tables ({warned[0]})")
