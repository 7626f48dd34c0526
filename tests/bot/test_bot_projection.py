"""The projection: nothing is lost, nothing waits for the database, and trouble is said aloud."""

import sqlite3
import threading

import pytest

from bot.projection import Projection
from domain.errors import InvariantBroken
from domain.lifecycle import State, Trigger
from ledger.store import LedgerStore, StoreUnavailable
from tests.ledger.ledger_builders import a_record, a_run, created, flat, moved

PATIENCE_S = 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path, monkeypatch):
    monkeypatch.setattr("ledger.store_engine.BUSY_TIMEOUT_MS", 1)
    store = LedgerStore(f"sqlite:///{path}")
    store.begin_run(a_record())
    yield store
    store.close()


@pytest.fixture
def locker(path, store):
    """Another process' hand on the database: begun at once, released by `ROLLBACK`."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def until(condition):
    """Wait for the thread, patiently but not forever."""
    bell = threading.Event()
    for _ in range(PATIENCE_S * 200):
        if condition():
            return True
        bell.wait(0.005)
    return False


def test_projection_without_a_thread_writes_full_batches_at_once_and_the_rest_at_the_end(store):
    outcomes = a_run()[0]
    projection = Projection(store, batch_notices=50)
    for outcome in outcomes:
        projection.put(outcome)
        assert projection.backlog < 50
    assert projection.stop(0)
    assert (0, "", True) == (projection.backlog, projection.trouble, projection.is_running)
    assert len(flat(outcomes)) == store.cursor()
    assert [] == store.problems()


def test_outcome_without_notices_is_nothing(store):
    projection = Projection(store)
    projection.put(())
    assert 0 == projection.backlog
    assert projection.stop(0)


def test_projection_without_a_thread_hands_trouble_to_its_caller_and_loses_nothing(store, locker):
    projection = Projection(store, batch_notices=1)
    with pytest.raises(StoreUnavailable):
        projection.put((created(1),))
    assert 1 == projection.backlog
    locker.execute("ROLLBACK")
    projection.flush()
    assert 0 == projection.backlog
    assert 1 == store.cursor()


def test_thread_writes_while_the_loop_goes_on(store):
    outcomes = a_run(200)[0]
    projection = Projection(store, batch_notices=40, pause_s=0.001)
    projection.start()
    for outcome in outcomes:
        projection.put(outcome)
    assert until(lambda: projection.backlog == 0)
    assert projection.stop(PATIENCE_S)
    assert len(flat(outcomes)) == store.cursor()
    assert [] == store.problems()


def test_stop_writes_what_is_left(store):
    outcomes = a_run(100)[0]
    projection = Projection(store, pause_s=60)
    projection.start()
    for outcome in outcomes:
        projection.put(outcome)
    assert projection.stop(PATIENCE_S)
    assert len(flat(outcomes)) == store.cursor()


def test_locked_database_makes_a_backlog_that_is_written_when_it_answers_again(store, locker):
    outcomes = a_run()[0]
    projection = Projection(store, backlog_max=100, pause_s=0.001, retry_s_max=0.01)
    projection.start()
    projection.put(outcomes[0])
    assert until(lambda: projection.trouble)
    assert (False, True) == (projection.is_behind, projection.is_running)
    for outcome in outcomes[1:]:
        projection.put(outcome)
    assert projection.is_behind
    assert len(flat(outcomes)) == projection.backlog
    assert "database is locked" in projection.trouble
    assert projection.failure is None
    locker.execute("ROLLBACK")
    assert until(lambda: projection.backlog == 0)
    assert ("", False) == (projection.trouble, projection.is_behind)
    assert projection.stop(PATIENCE_S)
    assert [] == store.problems()


def test_stop_gives_up_in_time_when_the_database_stays_locked(store, locker):
    projection = Projection(store, pause_s=0.001, retry_s_max=0.01)
    projection.start()
    projection.put((created(1),))
    assert until(lambda: projection.trouble)
    assert not projection.stop(0.05)
    assert 1 == projection.backlog
    assert until(lambda: not projection.is_running)


def test_rows_that_break_a_law_end_the_projection_and_say_so(store):
    projection = Projection(store, pause_s=0.001)
    projection.start()
    projection.put((moved(9, State.OPEN, State.FILLED, Trigger.FILL_COMPLETE),))
    assert until(lambda: projection.failure)
    assert isinstance(projection.failure, InvariantBroken)
    assert (True, False) == (projection.is_behind, projection.is_running)
    assert not projection.stop(PATIENCE_S)


def test_projection_of_a_run_that_goes_on_counts_from_where_it_was_left(store):
    notices = flat(a_run()[0])
    store.write(notices[:1], 1)
    projection = Projection(store, notices_before=1)
    projection.put(notices[1:])
    assert projection.stop(0)
    assert len(notices) == store.cursor()
