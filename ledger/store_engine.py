"""The way to a database: a URL becomes an engine, and what a database says becomes one sentence of ours.

Why it exists: SQLite and PostgreSQL are equals to everything above this file; here alone their drivers, settings and
moods differ.

A SQLite file is opened to be read where nobody can write beside it: as one that never changes, for SQLite would want to
put its log there.

Laws: a batch that was committed survives a power cut (SQLite: one fsync per batch, `synchronous = FULL`); no wait is
without an end; no password is ever shown; an error that may pass is StoreUnavailable, one that will not is not.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import ConfigInvalid, DataInvalid, HouseError, InvariantBroken
from ledger.store_place import PORT_MAX, has_port, is_secret, masked, masked_words, with_quoted_user, without

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

NO_RIGHT = "42501"
"""What PostgreSQL calls a user who may not do that."""
LOG_SUFFIX = "-wal"
EMPTY_OR_OURS = "SELECT COUNT(*) = 0 OR COUNT(*) FILTER (WHERE name = 'postings') FROM sqlite_master"

_UNWRITABLE = ("readonly", "unable to open", "permission denied", "read-only")
_WRONG_SETTINGS = ("invalid connection option", "invalid integer value", "invalid sslmode", "invalid port")
_DAMAGED = ("not a database", "malformed", "disk image")
_NOT_LET_IN = ("password", 'role "', "authentication failed", "pg_hba.conf", "not permitted to log in")
_NO_TABLES = ("already exists", "no such table", "no such column", "does not exist", "has no column")


class StoreUnavailable(HouseError):
    """The ledger cannot be written just now (locked, full, unreachable): nothing was stored, the same batch may go again."""


def parsed(url: str) -> URL:
    """Return a URL with the driver of this house. Raises: ConfigInvalid for text that is no database URL."""
    if not has_port(url):
        raise ConfigInvalid(KEY, masked(url), f"a port from 1 to {PORT_MAX:,} after the server's name")
    try:
        made = make_url(with_quoted_user(url))
    except (ArgumentError, ValueError):
        raise ConfigInvalid(KEY, masked_words(url), "a database URL such as sqlite:///state/ledger.db") from None
    if made.drivername in {"postgresql", "postgres"}:
        return made.set(drivername="postgresql+psycopg")
    return made


def place_of(url: URL) -> str:
    """Return how messages name a database: a file's path, or the URL as it was typed without its secrets."""
    if url.get_backend_name() == "sqlite":
        return url.database or ":memory:"
    bare = url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=False)
    query = "&".join(
        f"{name}={quote(value, safe='/:,@ ')}" for name, values in url.normalized_query.items() for value in values
    )
    return masked(f"{bare}?{query}" if query else bare)


def file_of(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for one in memory or on a server."""
    name = url.database
    if url.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def _secrets_of(url: URL) -> list[str]:
    """Return what nobody's words may repeat."""
    found = [value for name, values in url.normalized_query.items() if is_secret(name) for value in values]
    return [*found, str(url.password)] if url.password else found


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
    except (ArgumentError, ValueError, TypeError):
        raise ConfigInvalid(KEY, shown, "a database URL whose settings can be used") from None
    raise unknown


def _sqlite_engine(url: URL, *, read_only: bool) -> Engine:
    if url.database in {None, "", ":memory:"}:
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
    elif read_only and (address := _unchanging(Path(url.database or ""))):
        engine = create_engine(url, creator=lambda: sqlite3.connect(address, uri=True, check_same_thread=False))
    else:
        engine = create_engine(url)

    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        # The listener below begins transactions; the driver's own habit would leave schema changes outside of them.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
            "foreign_keys = ON",
            "synchronous = FULL",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        elif all(connection.execute(EMPTY_OR_OURS).fetchone()):
            # A file of somebody else's is refused soon, and must be left as it was until then.
            connection.execute("PRAGMA journal_mode = WAL")

    event.listen(engine, "connect", set_pragmas)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _unchanging(path: Path) -> str:
    """Return the address of a file that is read as one that never changes; empty when it may change or be written beside.

    A log beside it belongs to somebody who writes, or holds what the file does not: then SQLite must read both.
    """
    log = Path(f"{path}{LOG_SUFFIX}")
    if not path.is_file() or (log.exists() and log.stat().st_size):
        return ""
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return ""
    return f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"


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
    secrets = _secrets_of(engine.url)
    try:
        yield
    except DBAPIError as error:
        raise _in_our_words(error.orig or error, driver, place, secrets, has_written=has_written) from error
    except driver.Error as error:
        raise _in_our_words(error, driver, place, secrets, has_written=has_written) from error
    except OverflowError as error:
        raise InvariantBroken(f"{place} refused rows: {error}") from error
    except PoolTimeout as error:
        raise StoreUnavailable(f"{place}: no connection became free") from error


def _in_our_words(
    error: BaseException, driver: Any, place: str, secrets: list[str], *, has_written: bool
) -> HouseError:
    words = " ".join(str(error).split())
    said = without(words, secrets)[:SENTENCE_LENGTH_MAX]
    if isinstance(error, driver.IntegrityError | driver.DataError):
        return InvariantBroken(f"{place} refused rows: {said}")
    refusal = _refusal(words.lower(), is_operational=isinstance(error, driver.OperationalError))
    if getattr(error, "sqlstate", None) == NO_RIGHT:
        refusal = "a user with the rights to do that, SELECT on every table to read"
    if refusal:
        # What held a run a moment ago is right in principle: a disk or a server is being seen to.
        return StoreUnavailable(f"{place}: {said}") if has_written else ConfigInvalid(KEY, place, f"{refusal} ({said})")
    if _says(words, _DAMAGED):
        return DataInvalid(place, f"is damaged or no ledger ({said})")
    if _says(words, _NO_TABLES) or isinstance(error, driver.ProgrammingError):
        return DataInvalid(place, f"does not have the ledger's tables ({said})")
    return StoreUnavailable(f"{place}: {said}")


def _says(words: str, any_of: tuple[str, ...]) -> bool:
    lower = words.lower()
    return any(word in lower for word in any_of)


def _refusal(lower: str, *, is_operational: bool) -> str:
    """Return what a database asks for that will not come by waiting; empty when waiting may help, or nothing will."""
    if _says(lower, _WRONG_SETTINGS):
        return "a URL whose settings the server's library knows"
    if is_operational and _says(lower, _NOT_LET_IN):
        return "a user and password the server accepts"
    if "connection" in lower and "permission denied" in lower:
        return "a server that lets this user connect"
    if _says(lower, _UNWRITABLE):
        return "a place that can be written"
    if is_operational and "database" in lower and "does not exist" in lower:
        return "a database that exists"
    return ""
