"""The way to a database: a URL becomes an engine, and what a database says becomes one sentence of ours.

Why it exists: SQLite and PostgreSQL are equals to everything above this file; here alone their drivers, settings and
moods differ.

Laws: a batch that was committed survives a power cut (SQLite: one fsync per batch, `synchronous = FULL`); no wait is
without an end; no password is ever shown; an error that may pass is StoreUnavailable, one that will not is not.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import ConfigInvalid, DataInvalid, HouseError, InvariantBroken

KEY = "ledger.url"
BUSY_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 5
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 30_000
"""Longest statement of a writing transaction; questions may take longer."""
POOL_SIZE = 2
SENTENCE_LENGTH_MAX = 300

_POSTGRESQL_SETTINGS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "application_name": "hat ledger",
    "options": f"-c lock_timeout={LOCK_TIMEOUT_MS}",
    # A server that vanished is noticed within seconds, not after the kernel's quarter of an hour.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

_UNWRITABLE = ("readonly", "unable to open", "permission denied", "read-only", "must be owner")
_DAMAGED = ("not a database", "malformed", "disk image")
_NOT_LET_IN = ("password", 'role "', "authentication failed", "pg_hba.conf", "not permitted to log in")
_NO_TABLES = ("already exists", "no such table", "no such column", "does not exist", "has no column")


class StoreUnavailable(HouseError):
    """The ledger cannot be written just now (locked, full, unreachable): nothing was stored, the same batch may go again."""


def parsed(url: str) -> URL:
    """Return a URL with the driver of this house. Raises: ConfigInvalid for text that is no database URL."""
    expected = "a database URL such as sqlite:///state/ledger.db"
    try:
        made = make_url(url)
    except ArgumentError:
        raise ConfigInvalid(KEY, url.rpartition("@")[2] or url, expected) from None
    if made.drivername in {"postgresql", "postgres"}:
        return made.set(drivername="postgresql+psycopg")
    return made


def place_of(url: URL) -> str:
    """Return how messages name a database: a file's path, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)


def open_engine(url: URL, *, read_only: bool) -> Engine:
    """Return an engine; nothing is opened yet. Raises: ConfigInvalid for a dialect or driver that is not there."""
    shown = place_of(url)
    unknown = ConfigInvalid(KEY, shown, "a database whose dialect is known (sqlite, postgresql)")
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite_engine(url, read_only=read_only)
        if url.get_backend_name() == "postgresql":
            settings = {key: value for key, value in _POSTGRESQL_SETTINGS.items() if key not in url.query}
            engine = create_engine(
                url, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, pool_pre_ping=True, connect_args=settings
            )
            event.listen(engine, "begin", _begin_postgresql)
            return engine
    except ModuleNotFoundError as error:
        raise ConfigInvalid(KEY, shown, f"a database whose driver is installed ({error.name} is not)") from None
    except NoSuchModuleError:
        raise unknown from None
    raise unknown


def _sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    if url.database in {None, "", ":memory:"}:
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(url)

    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # The listener below begins transactions; the driver's own habit would leave schema changes outside of them.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "foreign_keys = ON",
            "query_only = ON" if read_only else "journal_mode = WAL",
            "synchronous = FULL",
        ):
            connection.execute(f"PRAGMA {pragma}")

    event.listen(engine, "connect", set_pragmas)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: upgrading later fails without waiting when somebody else wrote in between.
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    if connection.get_execution_options().get("is_writing", False):
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection inside one write transaction: committed at the end, rolled back on any error."""
    with engine.connect() as connection:
        connection.execution_options(is_writing=True)
        with connection.begin():
            yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection whose every question sees the same moment of the database; it cannot write."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


@contextmanager
def maintaining(engine: Engine) -> Iterator[Any]:
    """Give the driver's own connection outside of any transaction."""
    pooled = engine.raw_connection()
    driver: Any = pooled.driver_connection
    try:
        if engine.dialect.name == "postgresql":
            driver.autocommit = True
        yield driver
    finally:
        if engine.dialect.name == "postgresql" and not driver.closed:
            driver.autocommit = False
        pooled.close()


@contextmanager
def sentences(engine: Engine, place: str, *, has_written: bool) -> Iterator[None]:
    """Say in one sentence of ours what the database or its driver said in its own words.

    has_written says that this very store has written to it before, so that being refused is trouble that may pass.
    """
    driver: Any = engine.dialect.loaded_dbapi
    try:
        yield
    except DBAPIError as error:
        raise _in_our_words(error.orig or error, driver, place, has_written=has_written) from error
    except driver.Error as error:
        raise _in_our_words(error, driver, place, has_written=has_written) from error
    except OverflowError as error:
        raise InvariantBroken(f"{place} refused rows: {error}") from error
    except PoolTimeout as error:
        raise StoreUnavailable(f"{place}: no connection became free") from error


def _in_our_words(error: BaseException, driver: Any, place: str, *, has_written: bool) -> HouseError:
    said = " ".join(str(error).split())[:SENTENCE_LENGTH_MAX]
    lower = said.lower()

    def says(words: tuple[str, ...]) -> bool:
        return any(word in lower for word in words)

    if isinstance(error, driver.IntegrityError | driver.DataError):
        return InvariantBroken(f"{place} refused rows: {said}")
    is_operational = isinstance(error, driver.OperationalError)
    refusal = ""
    if is_operational and says(_NOT_LET_IN):
        refusal = "a user and password the server accepts"
    elif says(_UNWRITABLE):
        refusal = "a place that can be written"
    elif is_operational and "database" in lower and "does not exist" in lower:
        refusal = "a database that exists"
    if refusal:
        # What held a run a moment ago is right in principle: a disk or a server is being seen to.
        return StoreUnavailable(f"{place}: {said}") if has_written else ConfigInvalid(KEY, place, f"{refusal} ({said})")
    if says(_DAMAGED):
        return DataInvalid(place, f"is damaged or no ledger ({said})")
    if says(_NO_TABLES) or isinstance(error, driver.ProgrammingError):
        return DataInvalid(place, f"does not have the ledger's tables ({said})")
    return StoreUnavailable(f"{place}: {said}")
