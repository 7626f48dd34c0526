"""Vacuum and sizes; and what fails leaves nothing of its own behind."""

import sqlite3
from contextlib import closing
from threading import Event, Thread

import pytest

from domain.errors import ConfigInvalid, DataInvalid
from ledger.chain import CHAINED
from ledger.store import LedgerStore, StoreUnavailable
from ledger.store_copy import copy_run
from ledger.store_upkeep import archive, old_runs, target_ledger, vacuum
from tests.ledger.ledger_builders import a_record, flat
from tests.ledger.ledger_stored import ENDED_NS, FAR_NS, KEY, OTHER, names, run_keys, store_story
from tests.ledger.ledger_story import a_story, every_row

# Vacuum.


def test_vacuum_gives_the_space_of_archived_runs_back(opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url, orders=200, ended_ns=ENDED_NS)
    store = opened(url)
    with store.reading() as connection:
        runs = old_runs(connection, FAR_NS)
    archive(store, tmp_path / "old.db", runs)
    done = vacuum(store)
    assert done.after.size * 2 < done.before.size
    assert done.before.rows == done.after.rows
    assert [] == store.problems()


def test_vacuum_of_postgresql_leaves_every_row(postgres_url, opened):
    store_story(postgres_url)
    before, store = every_row(postgres_url), opened(postgres_url)
    assert vacuum(store).after.size > 0
    assert before == every_row(postgres_url)
    # Whoever uses the same connection next finds it as it was: inside transactions that can be rolled back.
    assert 0 < store.begin_run(a_record())


def test_vacuum_waits_for_nobody_for_ever(opened, tmp_path, monkeypatch):
    monkeypatch.setattr("ledger.store_engine.BUSY_TIMEOUT_MS", 50)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    store, other = opened(url), opened(url)
    with other.writing(), pytest.raises(StoreUnavailable, match="database is locked"):
        vacuum(store)


def test_vacuum_needs_a_store_that_may_write(opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    with pytest.raises(ConfigInvalid, match="opened to be read"):
        vacuum(opened(url, read_only=True))


# Sizes.


def test_size_counts_every_row_of_a_file(opened, tmp_path):
    path = tmp_path / "ledger.db"
    url = f"sqlite:///{path}"
    store_story(url)
    store_story(url, run=OTHER)
    store = opened(url)
    rows = every_row(url)
    assert {name: len(rows[name]) for name in rows if name != "alembic_version"} == store.size().rows
    assert store.size().size >= path.stat().st_size


def test_size_counts_chained_rows_of_postgresql(postgres_url, opened):
    store_story(postgres_url)
    rows, found = every_row(postgres_url), opened(postgres_url).size()
    assert {name: len(rows[name]) for name in CHAINED} == {name: found.rows[name] for name in CHAINED}
    assert set(rows) - {"alembic_version"} == set(found.rows)
    assert found.size > 100_000


def test_size_of_an_empty_ledger_in_memory_is_nothing(opened):
    found = opened("sqlite://").size()
    assert {0} == set(found.rows.values())


def test_size_may_be_asked_while_the_same_store_writes(opened, tmp_path):
    store = opened(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.begin_run(a_record())
    done, seen = Event(), []

    def ask():
        while not done.is_set():
            seen.append(store.size().rows["transitions"])

    thread = Thread(target=ask)
    thread.start()
    cursor = 0
    for outcome in a_story(60)[0]:
        notices = flat([outcome])
        cursor += len(notices)
        store.write(notices, cursor)
    done.set()
    thread.join()
    assert seen == sorted(seen)
    assert store.size().rows["transitions"] >= seen[-1]


# What fails leaves nothing of its own, and each refusal is true.


def test_run_another_archive_moved_meanwhile_is_told(opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url, ended_ns=ENDED_NS)
    store, path = opened(url), tmp_path / "old.db"
    with store.reading() as connection:
        runs = old_runs(connection, FAR_NS)
    archive(store, path, runs)
    with pytest.raises(DataInvalid, match=f"no longer holds run {KEY}: another archive moved it meanwhile"):
        archive(store, tmp_path / "other.db", runs)
    assert ({"ledger.db", "old.db"}, [KEY]) == (
        {name for name in names(tmp_path) if name.endswith(".db")}, run_keys(f"sqlite:///{path}")
    )  # fmt: skip


def stopped(url, *, is_written):
    with target_ledger(url) as store:
        if is_written:
            store.begin_run(a_record())
        raise KeyboardInterrupt


def test_target_that_failed_stays_when_it_holds_a_run_or_was_there(tmp_path):
    for name, is_there, is_written, is_kept in [
        ("new.db", False, False, False), ("begun.db", False, True, True), ("old.db", True, False, True),
    ]:  # fmt: skip
        url = f"sqlite:///{tmp_path / name}"
        if is_there:
            LedgerStore(url).close()
        with pytest.raises(KeyboardInterrupt):
            stopped(url, is_written=is_written)
        assert is_kept is (tmp_path / name).exists()
    assert not any(name.startswith("new.db") for name in names(tmp_path))


def test_rows_that_point_nowhere_are_told_as_such(ledger_url, opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'torn.db'}"
    store_story(url)
    with closing(sqlite3.connect(tmp_path / "torn.db")) as connection, connection:
        connection.execute("DELETE FROM orders WHERE link = 1")
    with (
        opened(url, read_only=True).reading() as source,
        pytest.raises(DataInvalid, match=f"cannot take run {KEY}: the source holds rows of it whose other half is"),
    ):
        copy_run(source, opened(ledger_url), KEY)
    assert [] == run_keys(ledger_url)
