"""Runs move between databases whole, proven, and never over something else."""

from contextlib import closing

import pytest
from sqlalchemy import create_engine, text

from domain.errors import ConfigInvalid, DataInvalid
from ledger.audit import audit
from ledger.store import LedgerStore
from ledger.store_copy import Outcome, chosen_runs, copy_run
from tests.ledger.ledger_builders import START_NS
from tests.ledger.ledger_stored import KEY, OTHER, OTHER_KEY, proof, run_keys, store_story
from tests.ledger.ledger_story import every_row


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path / 'other.db'}"


@pytest.fixture
def target_url(tmp_path):
    return f"sqlite:///{tmp_path / 'target.db'}"


def copied(source_url, target_url, run=KEY):
    with (
        closing(LedgerStore(source_url, read_only=True)) as source,
        closing(LedgerStore(target_url)) as target,
        source.reading() as connection,
    ):
        return copy_run(connection, target, run)


def change(url, statement):
    engine = create_engine(url)
    with engine.begin() as connection:
        assert 1 == connection.execute(text(statement)).rowcount
    engine.dispose()


def test_copy_there_and_back_is_the_same_in_every_row(ledger_url, sqlite_url, tmp_path):
    """From SQLite to either database and back to SQLite."""
    store_story(sqlite_url, ended_ns=START_NS + 5)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    there = copied(sqlite_url, ledger_url)
    again = copied(ledger_url, back)
    assert (Outcome.COPIED, Outcome.COPIED) == (there.outcome, again.outcome)
    assert there.proof == again.proof == proof(sqlite_url) == proof(ledger_url) == proof(back)
    assert every_row(sqlite_url) == every_row(ledger_url) == every_row(back)
    assert all(count for count in there.proof.rows.values())
    with closing(LedgerStore(ledger_url)) as store, store.reading() as connection:
        assert [] == audit(connection)


def test_copy_of_what_is_there_changes_nothing(ledger_url, sqlite_url):
    store_story(sqlite_url)
    copied(sqlite_url, ledger_url)
    before = every_row(ledger_url)
    assert Outcome.EQUAL is copied(sqlite_url, ledger_url).outcome
    assert before == every_row(ledger_url)


@pytest.mark.parametrize("outcomes", [0, 1, 30, 47])
def test_older_copy_of_a_run_that_went_on_is_renewed(sqlite_url, target_url, outcomes):
    store_story(sqlite_url, outcomes=outcomes)
    copied(sqlite_url, target_url)
    store_story(sqlite_url, ended_ns=START_NS + 9)
    assert Outcome.RENEWED is copied(sqlite_url, target_url).outcome
    assert every_row(sqlite_url) == every_row(target_url)


def test_other_runs_of_the_target_stay(ledger_url, sqlite_url):
    store_story(sqlite_url)
    store_story(ledger_url, run=OTHER)
    before = proof(ledger_url, OTHER_KEY)
    copied(sqlite_url, ledger_url)
    assert {KEY, OTHER_KEY} == set(run_keys(ledger_url))
    assert before == proof(ledger_url, OTHER_KEY)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE fills SET venue_order_id = venue_order_id + 1 WHERE sequence = 2",
        "UPDATE orders SET updated_ns = updated_ns + 1 WHERE link = 1",
        "UPDATE positions SET ts_ns = 0 WHERE symbol = 'BTC'",
        "DELETE FROM markouts WHERE link = 3",
        "UPDATE transactions SET hash = 'x' WHERE sequence = (SELECT MAX(sequence) FROM transactions)",
        "UPDATE runs SET ended_ns = 1",
        "DELETE FROM chains WHERE name = 'marks'",
    ],
)
def test_target_with_other_rows_of_the_run_is_refused_and_left_alone(target_url, sqlite_url, statement):
    store_story(sqlite_url)
    copied(sqlite_url, target_url)
    change(target_url, statement)
    before = every_row(target_url)
    assert proof(target_url) != proof(sqlite_url)
    with pytest.raises(ConfigInvalid, match=rf"--to = .*: expected no run {KEY} or a beginning of it; it holds other"):
        copied(sqlite_url, target_url)
    assert before == every_row(target_url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chains SET head = 'x' WHERE name = 'transitions'",
        "DELETE FROM chains WHERE name = 'incidents'",
        "UPDATE instruments SET size_decimals = 3 WHERE symbol = 'BTC'",
        "UPDATE runs SET seed = 8",
        "UPDATE runs SET ended_ns = 1",
        "UPDATE marks SET hash = 'x' WHERE link = (SELECT MAX(link) - 1 FROM marks)",
    ],
)
def test_target_that_took_another_way_is_no_beginning(target_url, sqlite_url, statement):
    store_story(sqlite_url, outcomes=40)
    copied(sqlite_url, target_url)
    change(target_url, statement)
    store_story(sqlite_url)
    before = every_row(target_url)
    with pytest.raises(ConfigInvalid, match="it holds other rows under this name"):
        copied(sqlite_url, target_url)
    assert before == every_row(target_url)


def test_target_that_is_ahead_is_refused(target_url, sqlite_url):
    store_story(sqlite_url, outcomes=30)
    store_story(target_url)
    with pytest.raises(ConfigInvalid, match="it holds other rows"):
        copied(sqlite_url, target_url)


def test_facts_another_run_of_the_account_booked_leave_no_room(ledger_url, sqlite_url):
    """No two transactions of an account book the same fact, whichever run they belong to."""
    store_story(sqlite_url)
    store_story(ledger_url, run=OTHER)
    with closing(LedgerStore(ledger_url)) as store, store.writing() as connection:
        connection.execute(text(f"UPDATE transactions SET account = '{KEY}'"))
    before = every_row(ledger_url)
    with pytest.raises(DataInvalid, match=rf"has no room for run {KEY} \(.* refused rows: .*"):
        copied(sqlite_url, ledger_url)
    assert before == every_row(ledger_url)


def test_target_that_keeps_something_else_keeps_nothing(sqlite_url, target_url):
    store_story(sqlite_url)
    store_story(target_url, run=OTHER)
    with closing(LedgerStore(target_url)) as store, store.writing() as connection:
        connection.execute(
            text(
                "CREATE TRIGGER forger AFTER INSERT ON incidents WHEN NEW.link = 2 "
                "BEGIN UPDATE incidents SET detail = 'nothing happened' WHERE run_id = NEW.run_id AND link = 2; END"
            )
        )
    with pytest.raises(DataInvalid, match=f"did not store run {KEY} as it was sent; nothing of it was kept"):
        copied(sqlite_url, target_url)
    assert [OTHER_KEY] == run_keys(target_url)


def test_run_the_source_does_not_hold_is_refused(sqlite_url, target_url):
    store_story(sqlite_url)
    with pytest.raises(ConfigInvalid, match="--run = '00': expected a run of the ledger that is copied"):
        copied(sqlite_url, target_url, "00")
    assert [] == run_keys(target_url)


def test_runs_are_chosen_by_id_all_or_the_newest(sqlite_url):
    store_story(sqlite_url)
    store_story(sqlite_url, run=OTHER, started_ns=START_NS - 1)
    with closing(LedgerStore(sqlite_url)) as store, store.reading() as connection:
        assert [OTHER_KEY] == chosen_runs(connection, OTHER_KEY, every=True)
        assert [OTHER_KEY, KEY] == chosen_runs(connection, "", every=True)
        assert [KEY] == chosen_runs(connection, "", every=False)
        with pytest.raises(ConfigInvalid, match=f"--run = '12': expected one of {OTHER_KEY}, {KEY}"):
            chosen_runs(connection, "12", every=False)


def test_nothing_can_be_chosen_from_an_empty_ledger(sqlite_url):
    with closing(LedgerStore(sqlite_url)) as store, store.reading() as connection:
        assert [] == chosen_runs(connection, "", every=True)
        for run in ("", "12"):
            with pytest.raises(ConfigInvalid, match="expected a ledger that holds a run"):
                chosen_runs(connection, run, every=False)
