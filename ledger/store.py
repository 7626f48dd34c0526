"""The ledger in SQL: opened, brought to the newest schema, written in whole batches, read back.

Why it exists: the book in memory dies with the process; these rows do not. SQL is a projection of the notices, so a
batch of them and the cursor that says how far we are go into one SQL transaction: whatever kills the process, a batch
is there whole or not at all, and writing it again changes nothing.

Laws: what is committed is balanced (asked of SQL before each commit); one run is never mixed with another's settings;
a schema newer than this code is refused, never touched.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    StaticPool,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, OperationalError

from domain.errors import ConfigInvalid, DataInvalid, HouseError, InvariantBroken, LedgerUnbalanced
from domain.notices import Notice
from domain.units import Money, format_money
from ledger import queries, tables
from ledger.rows import Rows, RunRecord, rows_of, run_key
from ledger.statement import Answers, LedgerStatement, statement_of

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 5_000

_UNWRITABLE = ("readonly", "unable to open", "permission denied", "read-only")
_DAMAGED = ("not a database", "malformed", "disk image")


class StoreUnavailable(HouseError):
    """The ledger cannot be written just now (locked, full, unreachable): nothing was stored, the same batch may go again."""


class LedgerStore:
    """One ledger database, by SQLAlchemy URL (`sqlite:///state/ledger.db`). Not for two threads at once.

    Raises: ConfigInvalid for a URL that cannot be opened or written and for a schema newer than this code; DataInvalid
    for a file that is damaged or no ledger; StoreUnavailable while the database does not answer.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Open and migrate; with read_only the database must exist, is not migrated and refuses writes."""
        self._url = _parsed(url)
        self.place = self._url.database or ":memory:" if self._is_sqlite else self._url.render_as_string()
        self._run = ""
        if self._is_sqlite:
            self._prepare_file(read_only=read_only)
        self._engine = _engine(self._url, read_only=read_only)
        self._inserts = {
            name: str(insert(table).compile(self._engine)) for name, table in tables.metadata.tables.items()
        }
        try:
            with self._sentences():
                self._migrate(read_only=read_only)
        except HouseError:
            self._engine.dispose()
            raise

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # Writing.

    def begin_run(self, record: RunRecord) -> int:
        """Make this run the one that is written; return how many of its notices are stored already.

        Raises: ConfigInvalid when a run of this id is stored with other settings or code.
        """
        run = run_key(record.run_id)
        with self._writing() as connection:
            found = connection.execute(
                select(tables.runs.c.config_hash, tables.runs.c.code_revision).where(tables.runs.c.run_id == run)
            ).one_or_none()
            if found is None:
                _insert_run(connection, run, record)
            elif tuple(found) != (record.config_hash, record.code_revision):
                raise ConfigInvalid(
                    "run_id", run, f"a new one: {self.place} holds this run with config {found[0]}, code {found[1]}"
                )
            self._run = run
            return self._cursor(connection)

    def write(self, notices: Sequence[Notice], cursor: int) -> int:
        """Store the notices up to the cursor-th of the run, the last of which ends an outcome; return how many were new.

        Notices that are stored already are passed over, so the same batch may be written again.
        Raises: StoreUnavailable when nothing could be stored now; LedgerUnbalanced for postings that do not sum to
        zero; InvariantBroken for a gap before this batch or rows that contradict stored ones.
        """
        first = cursor - len(notices) + 1
        with self._writing() as connection:
            stored = self._cursor(connection)
            if first > stored + 1:
                raise InvariantBroken(f"notices {stored + 1} to {first - 1} of run {self._run} were never stored")
            fresh = notices[stored + 1 - first :]
            if fresh:
                rows = rows_of(self._run, fresh, stored + 1)
                _write_rows(connection, self._inserts, rows)
                self._prove_balanced(connection, rows)
                connection.execute(
                    update(tables.cursors).where(tables.cursors.c.run_id == self._run).values(notices=cursor)
                )
            return len(fresh)

    def end_run(self, ts_ns: int) -> None:
        """Note that the run ended in good order."""
        with self._writing() as connection:
            connection.execute(update(tables.runs).where(tables.runs.c.run_id == self._run).values(ended_ns=ts_ns))

    # Reading.

    def cursor(self) -> int:
        """Return how many notices of the begun run are stored."""
        with self._sentences(), self._engine.connect() as connection:
            return self._cursor(connection)

    def run_ids(self) -> list[str]:
        """Return the keys of all stored runs, oldest first."""
        with self._sentences(), self._engine.connect() as connection:
            return [str(run) for (run,) in connection.execute(text(queries.RUN_KEYS))]

    def statement(self, run: str = "") -> LedgerStatement | None:
        """Return what a run did (the newest when none is named); None when there is no such run."""
        with self._sentences(), self._engine.connect() as connection:
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
        found = []
        with self._sentences(), self._engine.connect() as connection:
            if self._is_sqlite:
                checked = [str(line) for (line,) in connection.execute(text("PRAGMA integrity_check"))]
                found += [f"file: {line}" for line in checked if line != "ok"]
                found += [
                    f"{row[0]}: row without its {row[2]}"
                    for row in connection.execute(text("PRAGMA foreign_key_check"))
                ]
            for (run,) in connection.execute(text(queries.RUN_KEYS)).all():
                for what, question in queries.PROBLEMS.items():
                    rows = connection.execute(text(question), {"run": run})
                    found += [f"run {run}: {what}: {subject}, found {seen}" for subject, seen in rows]
        return found

    # Inside.

    def _prepare_file(self, *, read_only: bool) -> None:
        name = self._url.database
        if not name or name == ":memory:" or name.startswith("file:"):
            return
        path = Path(name)
        if read_only and not path.is_file():
            raise ConfigInvalid("ledger.url", self.place, "an existing ledger; there is none yet")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigInvalid("ledger.url", self.place, f"a folder that can be made ({error.strerror})") from None

    def _migrate(self, *, read_only: bool) -> None:
        settings = migration_settings()
        script = ScriptDirectory.from_config(settings)
        head, known = script.get_current_head(), {revision.revision for revision in script.walk_revisions()}
        with self._engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in known:
            raise ConfigInvalid("ledger.url", self.place, f"schema {head} or older; it has {current}, of a newer hat")
        if current == head:
            return
        if read_only:
            raise ConfigInvalid(
                "ledger.url", self.place, f"schema {head}; it has {current}, run the bot once to migrate"
            )
        with _begun(self._engine) as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, "head")

    def _cursor(self, connection: Connection) -> int:
        stored = connection.execute(
            select(tables.cursors.c.notices).where(tables.cursors.c.run_id == self._run)
        ).scalar_one_or_none()
        if stored is None:
            raise InvariantBroken("no run was begun")
        return int(stored)

    def _prove_balanced(self, connection: Connection, rows: Rows) -> None:
        if not rows.transactions:
            return
        asked = {"run": self._run, "first": rows.transactions[0]["sequence"]}
        for sequence, amount in connection.execute(text(queries.UNBALANCED_SINCE), asked):
            raise LedgerUnbalanced(
                f"stored postings of transaction {sequence} sum to {format_money(Money(int(amount)))} (expected 0)"
            )

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._sentences(), _begun(self._engine) as connection:
            yield connection

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Say in one sentence of ours what the database said in its own."""
        try:
            yield
        except IntegrityError as error:
            raise InvariantBroken(f"{self.place} refused rows: {error.orig}") from error
        except DBAPIError as error:
            said = str(error.orig).strip().partition("\n")[0]
            if any(word in said.lower() for word in _UNWRITABLE):
                raise ConfigInvalid("ledger.url", self.place, f"a place that can be written ({said})") from None
            if any(word in said.lower() for word in _DAMAGED):
                raise DataInvalid(self.place, f"is damaged or no ledger ({said})") from None
            if isinstance(error, OperationalError) and "already exists" not in said and "no such" not in said:
                raise StoreUnavailable(f"{self.place}: {said}") from None
            raise DataInvalid(self.place, f"does not have the ledger's tables ({said})") from None


def migration_settings() -> Config:
    """Return Alembic's settings; the schema's steps lie inside this package."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return settings


def _parsed(url: str) -> URL:
    expected = "a database URL such as sqlite:///state/ledger.db"
    try:
        return make_url(url)
    except ArgumentError:
        raise ConfigInvalid("ledger.url", url.partition("@")[2] or url, expected) from None


def _engine(url: URL, *, read_only: bool) -> Engine:
    shown = url.render_as_string()
    try:
        if url.get_backend_name() != "sqlite":
            return create_engine(url)
        if url.database in {None, "", ":memory:"}:
            shared = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        else:
            shared = {}
        engine = create_engine(url, paramstyle="named", **shared)
    except NoSuchModuleError:
        raise ConfigInvalid("ledger.url", shown, "a database whose dialect is known (sqlite, postgresql)") from None
    except ModuleNotFoundError as error:
        raise ConfigInvalid(
            "ledger.url", shown, f"a database whose driver is installed ({error.name} is not)"
        ) from None

    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # The listener below begins transactions; the driver's own habit would leave schema changes outside of them.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "foreign_keys = ON",
            "query_only = ON" if read_only else "journal_mode = WAL",
            # A killed process loses nothing; a power cut may lose the last batches, never tear one: they are in the journal.
            "synchronous = NORMAL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        # A writer takes its lock at once: upgrading later fails without waiting when somebody else wrote in between.
        is_writing = connection.get_execution_options().get("is_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    event.listen(engine, "connect", set_pragmas)
    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def _begun(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside one write transaction: committed at the end, rolled back on any error."""
    with engine.connect() as connection:
        connection.execution_options(is_writing=True)
        with connection.begin():
            yield connection


def _insert_run(connection: Connection, run: str, record: RunRecord) -> None:
    connection.execute(
        insert(tables.runs),
        {
            "run_id": run,
            "command": record.command,
            "strategy": record.strategy,
            "seed": record.seed,
            "config_hash": record.config_hash,
            "code_revision": record.code_revision,
            "started_ns": record.started_ns,
        },
    )
    connection.execute(insert(tables.cursors), {"run_id": run, "notices": 0})
    connection.execute(
        insert(tables.instruments),
        [
            {
                "run_id": run,
                "symbol": instrument.symbol,
                "asset_id": instrument.asset_id,
                "price_decimals": instrument.price_decimals,
                "size_decimals": instrument.size_decimals,
            }
            for instrument in record.instruments
        ],
    )


_CHANGE_ORDER = update(tables.orders).where(
    tables.orders.c.run_id == bindparam("of_run"), tables.orders.c.client_order_id == bindparam("of_order")
)


def _write_rows(connection: Connection, inserts: Mapping[str, str], rows: Rows) -> None:
    """Write rows, referred tables first; inserts go straight to the driver, which halves their time."""
    for table, new in (
        (tables.orders, list(rows.orders.values())),
        (tables.transitions, rows.transitions),
        (tables.transactions, rows.transactions),
        (tables.postings, rows.postings),
        (tables.fills, rows.fills),
        (tables.funding, rows.funding),
        (tables.incidents, rows.incidents),
    ):
        if new:
            connection.exec_driver_sql(inserts[table.name], new)
    if rows.orders_changed:
        connection.execute(_CHANGE_ORDER, list(rows.orders_changed.values()))
    if rows.marks:
        marks = tables.marks
        connection.execute(delete(marks).where(marks.c.run_id == rows.run, marks.c.minute_ns.in_(list(rows.marks))))
        connection.exec_driver_sql(inserts[marks.name], list(rows.marks.values()))
    if rows.positions is not None:
        connection.execute(delete(tables.positions).where(tables.positions.c.run_id == rows.run))
        if rows.positions:
            connection.exec_driver_sql(inserts[tables.positions.name], rows.positions)
