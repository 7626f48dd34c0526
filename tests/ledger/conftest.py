"""A place for a SQLite ledger, stores that are closed at the end, and one with a begun run."""

import pytest

from tests.ledger.ledger_builders import a_record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def store(opened, path):
    store = opened(path)
    store.begin_run(a_record())
    return store
