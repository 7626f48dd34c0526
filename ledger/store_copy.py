"""Whole runs from one ledger to another, each with the proof that both sides hold the same.

Theory of operation. Rows are copied as they are, hashes included, so a copy verifies wherever its source does. A run is
copied in one write transaction of the target, and what the target then holds is read back and proven equal before the
commit: seal, chain heads, canonical hash, and a digest over every column of every row, which no table hides from.

Laws: a target that holds other rows for a run is refused and left alone; one that holds a beginning of it (an older copy
of a run that went on) gets the whole; one that holds the same is not touched. Nothing is ever taken from the source here.
"""

from collections.abc import Generator, Iterable
from contextlib import closing
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, select, text

from domain.errors import ConfigInvalid, DataInvalid, InvariantBroken
from ledger import queries, tables
from ledger.canonical import canonical_hash
from ledger.chain import CHAINED, COLUMNS, RUN_COLUMNS, Head, row_bytes
from ledger.store import LedgerStore
from ledger.store_rows import insert_rows

ROWS_PER_BATCH = 5_000
DIGEST_BITS = 256
SAME_SQLITE = "SELECT file FROM pragma_database_list WHERE name = 'main'"
SAME_POSTGRESQL = "SELECT system_identifier, current_database(), current_schema() FROM pg_control_system()"


class RunProof(msgspec.Struct, frozen=True):
    """What a ledger holds of a run, in few words. Two ledgers with equal proofs hold equal rows.

    content is a digest of every row of every table, whatever their order.
    """

    run: str
    notices: int
    seal: str
    heads: dict[str, Head]
    rows: dict[str, int]
    content: str
    canonical: str


class Outcome(StrEnum):
    """What became of one run."""

    COPIED = "copied"
    RENEWED = "renewed"
    """The target held a beginning of it."""
    EQUAL = "equal"
    """The target held it already."""


class CopiedRun(msgspec.Struct, frozen=True):
    """One run and the proof both sides have in common."""

    outcome: Outcome
    proof: RunProof


def same_database(source: Connection, target: Connection) -> bool:
    """Say whether two connections lead to the same tables, whatever their URLs."""
    if source.dialect.name != target.dialect.name:
        return False
    question = SAME_POSTGRESQL if source.dialect.name == "postgresql" else SAME_SQLITE
    own, other = (tuple(one.execute(text(question)).one()) for one in (source, target))
    if source.dialect.name == "postgresql":
        return own == other
    files = [Path(str(file)) for (file,) in (own, other) if file]
    return len(files) == 2 and files[0].exists() and files[1].exists() and files[0].samefile(files[1])


def chosen_runs(connection: Connection, run: str, *, every: bool) -> list[str]:
    """Return the keys of the runs asked for, oldest first: one by its id, every one, or the newest.

    Raises: ConfigInvalid when there is no such run.
    """
    known = [str(key) for (key,) in connection.execute(text(queries.RUN_KEYS))]
    if run in known or (every and not run):
        return [run] if run else known
    if run or not known:
        expected = f"one of {', '.join(known[-5:])}" if known else "a ledger that holds a run"
        raise ConfigInvalid("--run", run or "newest", expected)
    return known[-1:]


def _rows(connection: Connection, table: Table, run: str) -> Generator[tuple[Any, ...], None, None]:
    # Whoever stops before the end closes it, or the database's cursor outlives its connection.
    asked, portions = select(table).where(table.c.run_id == run), {"yield_per": ROWS_PER_BATCH}
    with connection.execute(asked, execution_options=portions) as found:
        for row in found:
            yield tuple(row)


def _digest(rows: Iterable[tuple[Any, ...]]) -> tuple[int, int]:
    """Return how many rows there are and the sum of their SHA-256, which no database's idea of order changes."""
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(sha256(row_bytes(row)).digest())
    return count, total % 2**DIGEST_BITS


def proof_of(connection: Connection, run: str) -> RunProof | None:
    """Return what this ledger holds of a run; None when it holds nothing of it."""
    asked = {"run": run}
    cursor = connection.execute(text(queries.CURSOR), asked).one_or_none()
    if cursor is None:
        return None
    counts: dict[str, int] = {}
    content = sha256()
    for name, table in sorted(tables.metadata.tables.items()):
        with closing(_rows(connection, table, run)) as rows:
            counts[name], total = _digest(rows)
        content.update(row_bytes((name, counts[name], f"{total:064x}")))
    heads = {str(name): (int(links), str(head)) for name, links, head in connection.execute(text(queries.HEADS), asked)}
    return RunProof(
        run=run,
        notices=int(cursor[0]),
        seal=str(cursor[1]),
        heads=dict(sorted(heads.items())),
        rows=counts,
        content=content.hexdigest(),
        canonical=canonical_hash(connection, run),
    )


def delete_run(connection: Connection, run: str) -> None:
    """Remove every row of a run, those that refer to others first."""
    _without_timeout(connection)
    for table in reversed(tables.metadata.sorted_tables):
        connection.execute(delete(table).where(table.c.run_id == run))


def copy_run(source: Connection, target: LedgerStore, run: str) -> CopiedRun:
    """Bring one run of a source, as it is inside its snapshot, into a target and prove both equal before the commit.

    Raises: ConfigInvalid when the source has no such run or the target holds other rows for it; DataInvalid when the
    target's rows (of another run of the account, say) leave no room for it, or what it stored is not what was sent.
    """
    proof = proof_of(source, run)
    if proof is None:
        raise ConfigInvalid("--run", run, "a run of the ledger that is copied")
    try:
        with target.writing() as connection:
            found = proof_of(connection, run)
            if found == proof:
                return CopiedRun(Outcome.EQUAL, proof)
            if found is not None:
                if not _is_beginning(source, connection, proof, found):
                    raise ConfigInvalid(
                        "--to", target.place, f"no run {run} or a beginning of it; it holds other rows under this name"
                    )
                delete_run(connection, run)
            _insert(source, connection, run)
            if proof_of(connection, run) != proof:
                raise DataInvalid(target.place, f"did not store run {run} as it was sent; nothing of it was kept")
    except InvariantBroken as error:
        raise DataInvalid(target.place, _refused(run, str(error))) from error
    return CopiedRun(Outcome.COPIED if found is None else Outcome.RENEWED, proof)


def _refused(run: str, said: str) -> str:
    """Return in words why a database did not take rows of a run."""
    lower = said.lower()
    if "foreign key" in lower:
        return f"cannot take run {run}: the source holds rows of it whose other half is missing ({said})"
    if "unique" in lower or "duplicate" in lower:
        return f"has no room for run {run} ({said})"
    return f"cannot take run {run}: the source holds values of it that no ledger stores ({said})"


def _insert(source: Connection, target: Connection, run: str) -> None:
    _without_timeout(target)
    for table in tables.metadata.sorted_tables:
        with closing(_rows(source, table, run)) as rows:
            while batch := list(islice(rows, ROWS_PER_BATCH)):
                insert_rows(target, table.name, batch)


def _without_timeout(connection: Connection) -> None:
    """Let the statements of this transaction take as long as a large run needs."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def _is_beginning(source: Connection, target: Connection, proof: RunProof, found: RunProof) -> bool:
    """Say whether what the target holds of a run is how the source's run began: its chain heads lie on the source's."""
    run = found.run
    own, (ended_ns, *terms) = _terms(source, run), _terms(target, run)
    has_grown = found.notices < proof.notices or own[0] is not None
    if ended_ns is not None or not has_grown or own[1:] != terms:
        return False
    for name in CHAINED:
        if name not in found.heads:
            return False
        links, head = found.heads[name]
        if name == "marks":
            # The youngest mark of the beginning may have been replaced since: the one before it counts.
            links, head = links - 1, _hash_at(target, name, run, links - 1)
        if links > 0 and _hash_at(source, name, run, links) != head:
            return False
    return True


def _terms(connection: Connection, run: str) -> list[Any]:
    """Return when a run ended, then what never changes of it."""
    columns = ("ended_ns", *RUN_COLUMNS)
    own = select(*(tables.runs.c[name] for name in columns)).where(tables.runs.c.run_id == run)
    return [*connection.execute(own).one(), sorted(_rows(connection, tables.instruments, run))]


def _hash_at(connection: Connection, name: str, run: str, link: int) -> str:
    """Return the hash of a link; empty when there is none."""
    table = tables.metadata.tables[name]
    place = table.c.link if "link" in COLUMNS[name] else table.c.sequence
    found = connection.execute(select(table.c.hash).where(table.c.run_id == run, place == link)).scalar_one_or_none()
    return str(found or "")
