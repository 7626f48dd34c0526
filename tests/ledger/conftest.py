"""A place for a SQLite ledger, stores that are closed at the end, and one with a begun run."""

import pytest

from ledger.store import LedgerStore
from tests.ledger.ledger_builders import a_record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def opened():
    """Open stores and close them all at the end."""
    stores = []

    def open_store(path, **options):
        store = LedgerStore(f"sqlite:///{path}", **options)
        stores.append(store)
        return store

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def store(opened, path):
    store = opened(path)
    store.begin_run(a_record())
    return store
