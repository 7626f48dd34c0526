"""A place for a SQLite ledger, a store with a begun run, and a stored story to harm."""

import pytest

from tests.ledger.audit_ground import harmed, write_story
from tests.ledger.audit_ground import opened as opened_unchecked
from tests.ledger.ledger_builders import a_record


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def store(opened, path):
    store = opened(path)
    store.begin_run(a_record())
    return store


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A stored story in a database that checks nothing."""
    url = f"sqlite:///{tmp_path_factory.mktemp('audit') / 'ledger.db'}"
    write_story(url)
    engine = opened_unchecked(url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine):
    """A connection whose harm is taken back at the end."""
    with harmed(engine) as connection:
        yield connection
