"""Backup while somebody writes, archive of whole runs: nothing lost, nothing doubled, nothing overwritten."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import text

from domain.errors import ConfigInvalid, DataInvalid
from ledger import store_upkeep
from ledger.chain import CHAINED
from ledger.store import LedgerStore, StoreUnavailable
from ledger.store_copy import Outcome, delete_run
from ledger.store_upkeep import archive, backup, old_runs
from tests.bot_runs import ROOT
from tests.ledger.ledger_builders import START_NS, a_record
from tests.ledger.ledger_stored import ENDED_NS, FAR_NS, KEY, OTHER, OTHER_KEY, names, proof, run_keys, store_story
from tests.ledger.ledger_story import every_row

# Backup.


def test_backup_is_the_ledger_in_one_file(ledger_url, opened, tmp_path):
    store_story(ledger_url, ended_ns=ENDED_NS)
    store_story(ledger_url, run=OTHER)
    told = []
    (tmp_path / "kept").mkdir()
    proofs = backup(opened(ledger_url, read_only=True), tmp_path / "kept" / "copy.db", told=told.append)
    kept = f"sqlite:///{tmp_path / 'kept' / 'copy.db'}"
    assert every_row(ledger_url) == every_row(kept)
    assert [proof(kept, OTHER_KEY), proof(kept)] == proofs == told
    assert {"copy.db"} == names(tmp_path / "kept")


def test_backup_never_writes_over_a_file_unasked(ledger_url, opened, tmp_path):
    store_story(ledger_url)
    store, path = opened(ledger_url, read_only=True), tmp_path / "copy.db"
    path.write_text("mine")
    with pytest.raises(ConfigInvalid, match=r"--to = .*copy.db': expected a name that is free; or say --force"):
        backup(store, path)
    assert path.read_text() == "mine"
    backup(store, path, force=True)
    assert proof(ledger_url) == proof(f"sqlite:///{path}")


def test_backup_never_replaces_a_ledger_in_use(opened, tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    store = opened(url)
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    for name in ("ledger.db", "link.db"):
        with pytest.raises(ConfigInvalid, match="expected another file than the ledger itself"):
            backup(store, tmp_path / name, force=True)
    other = opened(f"sqlite:///{tmp_path / 'other.db'}")
    other.begin_run(a_record(run_id=OTHER))
    with pytest.raises(ConfigInvalid, match="expected a file that no process has open as its ledger"):
        backup(store, tmp_path / "other.db", force=True)
    assert [OTHER_KEY] == other.run_ids()


def test_backup_wants_a_name_a_url_can_hold(opened, tmp_path):
    store = opened(f"sqlite:///{tmp_path / 'ledger.db'}")
    with pytest.raises(ConfigInvalid, match="expected a name without a question mark"):
        backup(store, tmp_path / "what?.db")
    backup(store, tmp_path / "50 %20 & #1.db")
    assert {"50 %20 & #1.db"} <= names(tmp_path)


def test_backup_that_differs_keeps_nothing(ledger_url, opened, tmp_path, monkeypatch):
    """Whatever may go wrong on the way: what was written is compared, row by row, before it gets its name."""
    store_story(ledger_url)

    def forged(place):
        as_one_file(place)
        with closing(sqlite3.connect(place)) as connection, connection:
            connection.execute("UPDATE incidents SET detail = 'nothing happened' WHERE link = 1")

    as_one_file = store_upkeep._as_one_file
    monkeypatch.setattr(store_upkeep, "_as_one_file", forged)
    before = names(tmp_path)
    with pytest.raises(DataInvalid, match=rf"copy.db: does not hold run {KEY} as the ledger does; nothing of it was"):
        backup(opened(ledger_url), tmp_path / "copy.db")
    assert before | {"ledger.db-wal", "ledger.db-shm"} >= names(tmp_path)


def test_backup_without_one_run_keeps_nothing(opened, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url)
    copy_pages = store_upkeep._copy_pages

    def forgetful(source, place):
        proofs = copy_pages(source, place)
        with closing(LedgerStore(f"sqlite:///{place}")) as written, written.writing() as connection:
            delete_run(connection, KEY)
        return proofs

    monkeypatch.setattr(store_upkeep, "_copy_pages", forgetful)
    with pytest.raises(DataInvalid, match="does not hold the same runs as the ledger; nothing of it was kept"):
        backup(opened(url), tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


WRITER = """
import sys
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import a_record, flat
from tests.ledger.ledger_story import a_story
store = LedgerStore(sys.argv[1])
store.begin_run(a_record())
cursor = 0
story = a_story(150)[0]
for place, outcome in enumerate(story):
    if place in (len(story) // 3, 2 * len(story) // 3):
        sys.stdin.readline()
    notices = flat([outcome])
    cursor += len(notices)
    store.write(notices, cursor)
    print(cursor, flush=True)
"""


def test_backup_is_one_moment_while_a_process_writes(ledger_url, opened, tmp_path):
    """Backups taken while a bot stores batch after batch are each a whole beginning of its run, and it goes on.

    The bot waits after each third, so that it cannot be done before a backup begins.
    """
    store_story(ledger_url, run=OTHER, ended_ns=ENDED_NS)
    store, taken = opened(ledger_url, read_only=True), []
    command = [sys.executable, "-c", WRITER, ledger_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as writer:
        for place in range(2):
            done = taken[-1].notices if taken else 0
            while int(writer.stdout.readline()) <= done:
                pass
            proofs = backup(store, tmp_path / f"{place}.db")
            writer.stdin.write("\n")
            writer.stdin.flush()
            taken.append({one.run: one for one in proofs}[KEY])
            assert proof(f"sqlite:///{tmp_path / f'{place}.db'}") == taken[-1]
        stored = [int(line) for line in writer.stdout]
    assert 0 == writer.returncode
    assert 0 < taken[0].notices < taken[-1].notices < stored[-1] == proof(ledger_url).notices
    for one in taken:
        for name in set(CHAINED) - {"marks"}:
            links, head = one.heads[name]
            assert links == 0 or head == hash_at(ledger_url, name, links)


def hash_at(url, name, link):
    place = "sequence" if name == "transactions" else "link"
    with closing(LedgerStore(url, read_only=True)) as store, store.reading() as connection:
        asked = text(f"SELECT hash FROM {name} WHERE run_id = '{KEY}' AND {place} = {link}")
        return connection.execute(asked).scalar_one()


# Archive.


def test_archive_takes_what_ended_and_leaves_the_rest(ledger_url, opened, tmp_path):
    store_story(ledger_url, ended_ns=ENDED_NS, command="run synthetic")
    store_story(ledger_url, run=OTHER)
    store, before = opened(ledger_url), proof(ledger_url)
    with store.reading() as connection:
        assert [] == old_runs(connection, ENDED_NS)
        chosen = old_runs(connection, ENDED_NS + 1)
    assert [(KEY, "run synthetic", ENDED_NS, False)] == [
        (one.run, one.command, one.ended_ns, one.was_killed) for one in chosen
    ]
    told = []
    moved = archive(store, tmp_path / "old.db", chosen, told.append)
    assert [before] == told == [one.proof for one in moved]
    assert [KEY] == run_keys(f"sqlite:///{tmp_path / 'old.db'}")
    assert [OTHER_KEY] == run_keys(ledger_url)
    assert before == proof(f"sqlite:///{tmp_path / 'old.db'}")
    assert {OTHER_KEY} == {row[0] for name, rows in every_row(ledger_url).items() for row in rows if len(row) > 1}
    assert not any(name.startswith("old.db-") for name in names(tmp_path))


def test_archive_grows_and_goes_on_where_it_was_cut_off(opened, tmp_path, monkeypatch):
    """Killed after the archive had the run and before the ledger let it go: the same call ends it."""
    url, path = f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path / "old.db"
    store_story(url, ended_ns=ENDED_NS)
    store_story(url, run=OTHER, ended_ns=ENDED_NS)
    store = opened(url)
    with store.reading() as connection:
        runs = old_runs(connection, FAR_NS)

    def killed(*_):
        raise StoreUnavailable("pulled the plug")

    with monkeypatch.context() as patched:
        patched.setattr(store_upkeep, "delete_run", killed)
        with pytest.raises(StoreUnavailable):
            archive(store, path, runs)
    assert {KEY, OTHER_KEY} == set(run_keys(url))
    assert [Outcome.EQUAL, Outcome.COPIED] == [one.outcome for one in archive(store, path, runs)]
    assert ([], {KEY, OTHER_KEY}) == (run_keys(url), set(run_keys(f"sqlite:///{path}")))
    assert 0 == sum(store.size().rows.values())


def test_archive_leaves_a_run_that_was_changed_meanwhile(opened, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url, ended_ns=ENDED_NS)
    store = opened(url)
    with store.reading() as connection:
        runs = old_runs(connection, FAR_NS)
    copy_run = store_upkeep.copy_run

    def copied(source, target, run):
        done = copy_run(source, target, run)
        with store.writing() as connection:
            connection.execute(text("UPDATE incidents SET detail = 'added later' WHERE link = 1"))
        return done

    monkeypatch.setattr(store_upkeep, "copy_run", copied)
    with pytest.raises(DataInvalid, match=f"changed run {KEY} while it was archived; it stays in the ledger"):
        archive(store, tmp_path / "old.db", runs)
    assert [KEY] == run_keys(url)


def test_archive_into_the_ledger_itself_is_refused(opened, tmp_path):
    """It would prove that it holds the runs, and then remove them."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store_story(url, ended_ns=ENDED_NS)
    store = opened(url)
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    with store.reading() as connection:
        runs = old_runs(connection, FAR_NS)
    with pytest.raises(ConfigInvalid, match="expected another file than the ledger itself"):
        archive(store, tmp_path / "link.db", runs)
    assert [KEY] == run_keys(url)


def test_killed_run_is_old_when_it_fell_silent(ledger_url, opened):
    store_story(ledger_url)
    with opened(ledger_url).reading() as connection:
        newest_ns = connection.execute(text("SELECT MAX(ts_ns) FROM incidents")).scalar_one()
        assert [] == old_runs(connection, FAR_NS)
        assert [] == old_runs(connection, newest_ns, with_killed=True)
        (found,) = old_runs(connection, FAR_NS, with_killed=True)
    assert (KEY, True) == (found.run, found.was_killed)
    assert newest_ns <= found.ended_ns


def test_run_that_stored_nothing_is_as_old_as_its_start(opened, tmp_path):
    store = opened(f"sqlite:///{tmp_path / 'ledger.db'}")
    store.begin_run(a_record())
    with store.reading() as connection:
        assert [START_NS] == [one.ended_ns for one in old_runs(connection, FAR_NS, with_killed=True)]
