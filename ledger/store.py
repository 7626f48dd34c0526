"""The ledger in SQL: opened, brought to the newest schema, written in whole batches, read back.

Why it exists: the book in memory dies with the process; these rows do not. SQL is a projection of the notices, so a
batch of them and the cursor that says how far we are go into one SQL transaction: whatever kills the process, a batch
is there whole or not at all, and writing it again changes nothing.

Laws: what is committed is balanced (asked of SQL before each commit); one run is never mixed with another's settings;
a schema newer than this code is refused, never touched; which database it is makes no difference.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import clear_frames
from typing import Any

from sqlalchemy import Connection, text

from domain.errors import ConfigInvalid, HouseError, InvariantBroken
from domain.notices import Notice
from ledger import queries, store_engine
from ledger.audit import audit
from ledger.rows import RunRecord, rows_of, run_key
from ledger.statement import Answers, LedgerStatement, statement_of
from ledger.store_engine import KEY, StoreUnavailable
from ledger.store_files import prepare_file
from ledger.store_rows import Heads, end_run, insert_run, read_heads, write_rows
from ledger.store_schema import migrate
from ledger.store_sizes import LedgerSize, sizes

__all__ = ["LedgerStore", "StoreUnavailable"]


class LedgerStore:
    """One ledger database, by SQLAlchemy URL (`sqlite:///state/ledger.db`, `postgresql://user@host/name`).

    place is how messages name it, without any password. Not for two threads at once.
    Raises: ConfigInvalid for a URL that cannot be opened or written and for a schema newer than this code; DataInvalid
    for a file that is damaged or no ledger; StoreUnavailable while the database does not answer.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Open and migrate; with read_only the database must exist, is not migrated and refuses writes."""
        self._url = store_engine.parsed(url)
        self.place = store_engine.place_of(self._url)
        self._is_read_only = read_only
        self._run = self._account = ""
        self._heads: Heads | None = None
        self._prepare_file()
        self._engine = store_engine.open_engine(self._url, read_only=read_only)
        try:
            with self._sentences():
                migrate(self._engine, self.place, read_only=read_only)
        except HouseError:
            self._engine.dispose()
            raise

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite database."""
        return self._url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database; None for one in memory or on a server."""
        return store_engine.file_of(self._url)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database, however long it is asked; it cannot write."""
        with self._sentences(), store_engine.reading(self._engine) as connection:
            try:
                yield connection
            finally:
                # Whoever was reading a stream when something broke holds it open: let go of it while its database is there.
                clear_frames(sys.exc_info()[2])

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection inside one write transaction: committed at the end, rolled back on any error."""
        if self._is_read_only:
            raise ConfigInvalid(KEY, self.place, "a place that can be written (it was opened to be read)")
        with self._sentences(), store_engine.writing(self._engine) as connection:
            yield connection

    @contextmanager
    def maintaining(self) -> Iterator[Any]:
        """Give the driver's own connection outside of transactions, for what databases refuse inside one."""
        if self._is_read_only:
            raise ConfigInvalid(KEY, self.place, "a place that can be written (it was opened to be read)")
        with self._sentences(), store_engine.maintaining(self._engine) as driver:
            yield driver

    def size(self) -> LedgerSize:
        """Return rows by table and bytes, from counts that cost next to nothing. May be asked on any thread."""
        with self.reading() as connection:
            return sizes(connection)

    # Writing.

    def begin_run(self, record: RunRecord) -> int:
        """Make this run the one that is written; return how many of its notices are stored already.

        Raises: ConfigInvalid when a run of this id is stored with another account, other settings or code.
        """
        run = run_key(record.run_id)
        with self.writing() as connection:
            found = connection.execute(text(queries.RUN_TERMS), {"run": run}).one_or_none()
            if found is None:
                insert_run(connection, record)
            elif tuple(found) != (record.account, record.config_hash, record.code_revision):
                raise ConfigInvalid(
                    "run_id",
                    run,
                    f"a new one: {self.place} holds this run with config {found[1]}, code {found[2]}, account {found[0]}",
                )
            heads = read_heads(connection, run)
        self._run, self._account, self._heads = run, record.account, heads
        return heads.notices

    def write(self, notices: Sequence[Notice], cursor: int) -> int:
        """Store the notices up to the cursor-th of the run, the last of which ends an outcome; return how many were new.

        Notices that are stored already are passed over, so the same batch may be written again, also when nobody knows
        whether it was committed.
        Raises: StoreUnavailable when nothing could be stored now; LedgerUnbalanced for postings that do not sum to
        zero; InvariantBroken for a gap before this batch or rows that contradict stored ones.
        """
        first = cursor - len(notices) + 1
        with self.writing() as connection:
            heads = self._heads_now(connection)
            stored = heads.notices
            if first > stored + 1:
                raise InvariantBroken(f"notices {stored + 1} to {first - 1} of run {self._run} were never stored")
            fresh = notices[stored + 1 - first :]
            if fresh:
                rows = rows_of(self._run, self._account, fresh, stored + 1)
                heads = write_rows(connection, rows, heads, cursor)
        self._heads = heads
        return len(fresh)

    def end_run(self, ts_ns: int) -> None:
        """Note that the run ended in good order."""
        with self.writing() as connection:
            self._heads_now(connection)
            end_run(connection, self._run, ts_ns)
        self._heads = None

    # Reading.

    def cursor(self) -> int:
        """Return how many notices of the begun run are stored."""
        with self.reading() as connection:
            return int(self._cursor(connection)[0])

    def run_ids(self) -> list[str]:
        """Return the keys of all stored runs, oldest first."""
        with self.reading() as connection:
            return [str(run) for (run,) in connection.execute(text(queries.RUN_KEYS))]

    def statement(self, run: str = "") -> LedgerStatement | None:
        """Return what a run did (the newest when none is named); None when there is no such run."""
        with self.reading() as connection:
            key = run or next(iter(reversed([str(one) for (one,) in connection.execute(text(queries.RUN_KEYS))])), "")

            def ask(question: str) -> Sequence[Any]:
                return connection.execute(text(question), {"run": key}).all()

            found = ask(queries.RUN)
            if not found:
                return None
            return statement_of(
                Answers(
                    run=found[0],
                    instruments=ask(queries.INSTRUMENTS),
                    orders=ask(queries.ORDERS_BY_STATE),
                    fills=ask(queries.FILLS_BY_LIQUIDITY),
                    balances=ask(queries.BALANCES),
                    positions=ask(queries.POSITIONS),
                )
            )

    def problems(self) -> list[str]:
        """Return one sentence for everything in the database that breaks a law; empty when it is sound."""
        with self.reading() as connection:
            return [problem.sentence for problem in audit(connection)]

    # Inside.

    def _prepare_file(self) -> None:
        if self.file is not None:
            prepare_file(KEY, self.file, read_only=self._is_read_only)

    def _cursor(self, connection: Connection, *, to_move: bool = False) -> Sequence[Any]:
        question = queries.CURSOR_TO_MOVE if to_move and not self.is_sqlite else queries.CURSOR
        found = connection.execute(text(question), {"run": self._run}).one_or_none()
        if found is None:
            raise InvariantBroken("no run was begun")
        return found

    def _heads_now(self, connection: Connection) -> Heads:
        """Return where the chains stand, read anew when the stored seal is not the one we know.

        That is so after a commit whose answer was lost, and when another process wrote this run.
        """
        found = self._cursor(connection, to_move=True)
        if self._heads is not None and (self._heads.notices, self._heads.seal) == tuple(found):
            return self._heads
        return read_heads(connection, self._run)

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        with store_engine.sentences(self._engine, self.place, has_written=bool(self._run)):
            yield
