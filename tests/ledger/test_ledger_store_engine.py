"""The way to a database: settings that last, and one sentence of ours for everything a database says."""

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import gettempdir

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import ConfigInvalid, DataInvalid, InvariantBroken
from ledger import store_engine
from ledger.store import LedgerStore
from ledger.store_engine import StoreUnavailable, open_engine, parsed, place_of, reading, sentences, writing
from ledger.store_upkeep import ledger_file
from tests.bot_runs import ROOT
from tests.ledger.ledger_stored import store_story
from tests.postgres import is_open_to_all

SQLITE = parsed("sqlite://")
POSTGRESQL = parsed("postgresql://joe:correct-horse@localhost/ledger")


def said(url, error, *, has_written=False):
    """Return what the house says when a driver raises an error."""
    engine = open_engine(url, read_only=False)
    with pytest.raises(Exception) as refused, sentences(engine, place_of(url), has_written=has_written):
        raise error
    engine.dispose()
    sentence = str(refused.value)
    assert "correct-horse" not in sentence
    assert "\n" not in sentence
    return type(refused.value), sentence


@pytest.mark.parametrize(
    ("url", "driver", "place"),
    [
        ("sqlite:///state/ledger.db", "sqlite", "state/ledger.db"),
        ("sqlite://", "sqlite", ":memory:"),
        ("postgresql://joe:correct-horse@host/x", "postgresql+psycopg", "postgresql://joe:***@host/x"),
        ("postgresql://joe:correct@horse@host/x", "postgresql+psycopg", "postgresql://joe:***@host/x"),
        (
            "postgresql://joe@/x?host=/tmp/x&password=correct-horse&sslkey=/k", "postgresql+psycopg",
            "postgresql://joe@/x?host=/tmp/x&password=***&sslkey=***",
        ),
        ("postgres://host/x", "postgresql+psycopg", "postgresql://host/x"),
        ("postgresql+psycopg://host/x", "postgresql+psycopg", "postgresql://host/x"),
    ],
)  # fmt: skip
def test_url_gets_the_driver_of_the_house_and_a_place_without_password(url, driver, place):
    assert (driver, place) == (parsed(url).drivername, place_of(parsed(url)))


def test_password_may_hold_an_at_sign():
    found = parsed("postgresql://joe:correct@horse@host:5/x")
    assert ("correct@horse", "host", 5) == (found.password, found.host, found.port)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "1,h2:2"])
def test_port_that_is_none_is_refused(port):
    with pytest.raises(ConfigInvalid, match=r"joe:\*\*\*@host:.*expected a port from 1 to 65,535") as refused:
        parsed(f"postgresql://joe:correct-horse@host:{port}/x")
    assert "correct-horse" not in str(refused.value)


@pytest.mark.parametrize("url", ["sqlite:///x.db?timeout=soon", "sqlite://joe:correct-horse@host/x"])
def test_settings_sqlite_cannot_use_are_refused(url):
    with pytest.raises(ConfigInvalid, match="whose settings can be used") as refused:
        open_engine(parsed(url), read_only=False)
    assert "correct-horse" not in str(refused.value)


@pytest.mark.parametrize("url", ["nonsense", "joe:correct-horse@host/x", ""])
def test_text_that_is_no_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigInvalid, match="a database URL such as") as refused:
        parsed(url)
    assert "correct-horse" not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://host/x", "oracool://host/x", "postgresql+nothing://host/x"])
def test_dialect_that_is_not_ours_is_refused(url):
    with pytest.raises(ConfigInvalid, match=r"dialect is known \(sqlite, postgresql\)"):
        open_engine(parsed(url), read_only=False)


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (sqlite3.OperationalError("database is locked"), StoreUnavailable, ":memory:: database is locked"),
        (sqlite3.OperationalError("database or disk is full"), StoreUnavailable, "disk is full"),
        (sqlite3.OperationalError("disk I/O error"), StoreUnavailable, "disk I/O error"),
        (sqlite3.OperationalError("attempt to write a readonly database"), ConfigInvalid, "a place that can be written"),
        (sqlite3.OperationalError("unable to open database file"), ConfigInvalid, "a place that can be written"),
        (sqlite3.DatabaseError("file is not a database"), DataInvalid, "is damaged or no ledger"),
        (sqlite3.DatabaseError("database disk image is malformed"), DataInvalid, "is damaged or no ledger"),
        (sqlite3.OperationalError("no such table: runs"), DataInvalid, "does not have the ledger's tables"),
        (sqlite3.IntegrityError("CHECK constraint failed: size"), InvariantBroken, "refused rows: CHECK"),
        (sqlite3.InterfaceError("something\nelse"), StoreUnavailable, "something else"),
        (OverflowError("int too large"), InvariantBroken, "refused rows: int too large"),
        (PoolTimeout("waited"), StoreUnavailable, "no connection became free"),
        (
            OperationalError("SELECT", None, sqlite3.OperationalError("database is locked")),
            StoreUnavailable, "database is locked",
        ),
    ],
)  # fmt: skip
def test_word_of_sqlite_becomes_a_sentence(error, kind, sentence):
    found, words = said(SQLITE, error)
    assert kind is found
    assert sentence in words


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (
            psycopg.OperationalError("connection failed: port 1 failed: Connection refused\n\tIs the server running?"),
            StoreUnavailable, "Connection refused Is the server running?",
        ),
        (
            psycopg.OperationalError('FATAL:  password authentication failed for user "joe"'),
            ConfigInvalid, "a user and password the server accepts",
        ),
        (psycopg.OperationalError('FATAL:  role "joe" does not exist'), ConfigInvalid, "a user and password"),
        (psycopg.OperationalError('FATAL:  database "ledger" does not exist'), ConfigInvalid, "a database that exists"),
        (psycopg.errors.CannotConnectNow("the database system is starting up"), StoreUnavailable, "starting up"),
        (psycopg.errors.AdminShutdown("terminating connection"), StoreUnavailable, "terminating connection"),
        (psycopg.errors.DiskFull("could not extend file: No space left"), StoreUnavailable, "No space left"),
        (psycopg.errors.QueryCanceled("canceling statement due to statement timeout"), StoreUnavailable, "timeout"),
        (psycopg.errors.LockNotAvailable("canceling due to lock timeout"), StoreUnavailable, "lock timeout"),
        (
            psycopg.errors.InsufficientPrivilege("permission denied for table runs"),
            ConfigInvalid, "a user with the rights to do that, SELECT on every table to read (permission denied for table",
        ),
        (psycopg.errors.InsufficientPrivilege("must be owner of table runs"), ConfigInvalid, "a user with the rights to"),
        (psycopg.ProgrammingError('invalid connection option "foo"'), ConfigInvalid, "a URL whose settings the server's"),
        (
            psycopg.OperationalError('connection to server on socket "/x" failed: Permission denied'),
            ConfigInvalid, "a server that lets this user connect",
        ),
        (psycopg.OperationalError('no host "correct-horse" here'), StoreUnavailable, 'no host "***" here'),
        (
            psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
            ConfigInvalid, "can be written",
        ),
        (psycopg.errors.UndefinedTable('relation "runs" does not exist'), DataInvalid, "the ledger's tables"),
        (psycopg.errors.UniqueViolation("duplicate key"), InvariantBroken, "refused rows: duplicate key"),
        (psycopg.errors.NumericValueOutOfRange("bigint out of range"), InvariantBroken, "refused rows: bigint"),
    ],
)  # fmt: skip
def test_word_of_postgresql_becomes_a_sentence(error, kind, sentence):
    found, words = said(POSTGRESQL, error)
    assert kind is found
    assert sentence in words


@pytest.mark.parametrize(
    ("url", "error"),
    [
        (SQLITE, sqlite3.OperationalError("unable to open database file")),
        (SQLITE, sqlite3.OperationalError("attempt to write a readonly database")),
        (POSTGRESQL, psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction")),
        (POSTGRESQL, psycopg.OperationalError("FATAL:  password authentication failed")),
        (POSTGRESQL, psycopg.OperationalError('FATAL:  database "x" does not exist')),
    ],
)
def test_refusal_of_a_place_that_was_written_before_may_pass(url, error):
    assert StoreUnavailable is said(url, error, has_written=True)[0]


def test_long_words_are_cut():
    assert 400 > len(said(SQLITE, sqlite3.OperationalError("x" * 10_000))[1])


def test_server_that_is_not_there_is_unavailable():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = parsed(f"postgresql://joe:correct-horse@127.0.0.1:{port}/x")
    engine = open_engine(url, read_only=False)
    with (
        pytest.raises(StoreUnavailable, match="refused") as refused,
        sentences(engine, place_of(url), has_written=False),
        writing(engine),
    ):
        pass
    assert "correct-horse" not in str(refused.value)
    engine.dispose()


def test_connection_to_postgresql_has_a_name_and_waits_for_nothing_without_end(postgres_url):
    engine = open_engine(parsed(postgres_url), read_only=False)

    def setting(connection, name):
        return connection.execute(text(f"SHOW {name}")).scalar_one()

    with writing(engine) as connection:
        assert ("hat ledger", "5s", "30s", "off") == tuple(
            setting(connection, name)
            for name in ("application_name", "lock_timeout", "statement_timeout", "transaction_read_only")
        )
    with reading(engine) as connection:
        assert ("repeatable read", "on", "0") == tuple(
            setting(connection, name)
            for name in ("transaction_isolation", "transaction_read_only", "statement_timeout")
        )
    with engine.connect() as connection:
        assert ("read committed", "off") == tuple(
            setting(connection, name) for name in ("transaction_isolation", "transaction_read_only")
        )
    engine.dispose()


def test_setting_in_the_url_goes_before_ours(postgres_url):
    joined = "&" if "?" in postgres_url else "?"
    engine = open_engine(parsed(f"{postgres_url}{joined}application_name=mine"), read_only=False)
    with reading(engine) as connection:
        assert "mine" == connection.execute(text("SHOW application_name")).scalar_one()
    engine.dispose()


def test_write_that_fails_is_rolled_back_and_the_connection_serves_again(ledger_url):
    engine = open_engine(parsed(ledger_url), read_only=False)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE one (number BIGINT PRIMARY KEY)"))

    def write_twice():
        with sentences(engine, "here", has_written=True), writing(engine) as connection:
            for _ in range(2):
                connection.execute(text("INSERT INTO one VALUES (1)"))

    with pytest.raises(InvariantBroken, match="here refused rows"):
        write_twice()
    with reading(engine) as connection:
        assert 0 == connection.execute(text("SELECT COUNT(*) FROM one")).scalar_one()
    engine.dispose()


READER = """
import os, sys
from ledger.store import LedgerStore
LedgerStore("sqlite://").close()
os.setgid(65534); os.setuid(65534)
store = LedgerStore(sys.argv[1], read_only=True)
print(store.run_ids())
store.close()
"""


def test_file_is_read_by_somebody_who_cannot_write_beside_it(tmp_path):
    """A copy in write-ahead mode on somebody else's disk; nothing is left beside it."""
    if os.geteuid():
        pytest.skip("only root may become somebody else")
    if not is_open_to_all(ROOT / "ledger"):
        pytest.skip(f"nobody else may look into {ROOT}, so nobody else can run hat from there")
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(gettempdir()):
            break
        folder.chmod(0o755)
    path = tmp_path / "a %20 #b.db"
    key = store_story(ledger_file("--to", path))
    path.chmod(0o644)
    command = [sys.executable, "-c", READER, ledger_file("--to", path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (f"['{key}']\n", [path]) == (done.stdout, list(tmp_path.iterdir())), done.stderr


def test_file_that_may_change_or_has_a_log_is_read_as_usual(tmp_path, monkeypatch):
    path = tmp_path / "x.db"
    assert path == store_engine.file_of(parsed(f"sqlite:///{path}"))
    assert not store_engine._unchanging(path)
    path.touch()
    assert not store_engine._unchanging(path)
    monkeypatch.setattr(store_engine.os, "access", lambda *_: False)
    assert store_engine._unchanging(path).endswith("/x.db?mode=ro&immutable=1")
    (tmp_path / "x.db-wal").write_text("held back")
    assert not store_engine._unchanging(path)


def test_file_of_somebody_else_stays_as_it_was(tmp_path):
    path = tmp_path / "poems.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE poems (line TEXT)")
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(ConfigInvalid, match="expected a ledger; it holds tables that are not hat's: poems"):
            LedgerStore(f"sqlite:///{path}", read_only=read_only)
    assert (before, [path]) == (path.read_bytes(), list(tmp_path.iterdir()))


def test_postgresql_may_hold_other_tables_but_none_of_our_names(postgres_url):
    engine = open_engine(parsed(postgres_url), read_only=False)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE poems (line TEXT)"))
    with pytest.raises(ConfigInvalid, match="not hat's: poems"):
        LedgerStore(postgres_url, read_only=True)
    with writing(engine) as connection:
        connection.execute(text("CREATE TABLE runs (line TEXT)"))
    with pytest.raises(ConfigInvalid, match="not hat's: poems, runs"):
        LedgerStore(postgres_url)
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE runs"))
    engine.dispose()
    LedgerStore(postgres_url).close()
