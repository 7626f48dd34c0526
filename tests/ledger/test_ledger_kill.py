"""A writer killed with SIGKILL at any moment leaves a sound ledger, and the next one finishes it to the same rows.

The moments are drawn from the time an undisturbed writer takes, a third of them from the time it makes the schema in.
"""

import os
import random
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import create_engine

from ledger.store import LedgerStore
from tests.ledger.ledger_builders import a_record, flat
from tests.ledger.ledger_story import a_story, every_row

ROOT = Path(__file__).resolve().parents[2]
ORDERS = 300
BATCH = 9
KILLS_A_LEDGER = 5
PATIENCE_S = 60


class Writers:
    """The process that forks writers, and what the one at work has said."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "tests/ledger/ledger_writer.py", str(ORDERS), str(BATCH)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._read = b""
        assert ["ready"] == self.hear(PATIENCE_S)
        self.said = {}

    def hear(self, seconds):
        """Return the next words, or none when nothing was said in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self._read:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, until - time.monotonic()))
            if not ready:
                return []
            more = os.read(self._process.stdout.fileno(), 65_536)
            assert more, "the writers' process ended"
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        return line.decode().split()

    def write(self, url, seconds=PATIENCE_S):
        """Let one writer work for so long, then kill it; return its exit status and what it has said."""
        self._process.stdin.write(f"{url}\n".encode())
        self._process.stdin.flush()
        said, begun, is_killed = {}, time.monotonic(), False
        while True:
            words = self.hear(PATIENCE_S if is_killed else begun + seconds - time.monotonic())
            if not words:
                assert not is_killed, "a killed writer did not end"
                # Killed before it said its number, it could not be named: then it is given the time to.
                pid = said.get("pid") or int(self.hear(PATIENCE_S)[1])
                is_killed = True
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            elif words[0] == "status":
                return int(words[1]), said
            elif words[0] in {"pid", "stored"}:
                said[words[0]] = int(words[1])
            else:
                said[words[0]] = time.monotonic() - begun

    def close(self):
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def writers():
    found = Writers()
    yield found
    found.close()


@pytest.fixture(scope="module")
def story():
    return flat(a_story(ORDERS)[0])


@pytest.fixture(scope="module")
def undisturbed(story, tmp_path_factory):
    """Return what a ledger holds, and what its audit says, when so many notices were written at once and in peace.

    While the story is not over, its audit may miss the fill that comes late.
    """

    @cache
    def written(count):
        url = f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'whole.db'}"
        store = LedgerStore(url)
        store.begin_run(a_record())
        if count:
            store.write(story[:count], count)
        problems = store.problems()
        store.close()
        return every_row(url), problems

    assert [] == written(len(story))[1]
    return written


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request, tmp_path):
    """Make URLs of empty places for ledgers."""
    if request.param == "sqlite":
        return lambda number: f"sqlite:///{tmp_path / f'{number}.db'}"
    server = request.getfixturevalue("shared_postgres")
    return lambda _number: server.create_database()


def wait_for_the_last_commit(url):
    """Wait until the server has noticed that its client is dead: a commit it was asked for before may still be done."""
    if url.startswith("sqlite"):
        return
    engine, bell = create_engine(url), Event()
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with engine.connect() as connection:
        for _ in range(2_000):
            if not connection.exec_driver_sql(others).scalar_one():
                break
            bell.wait(0.01)
        else:
            raise AssertionError("the server still serves a client that was killed")
    engine.dispose()


def as_if_in_peace(url, said, undisturbed):
    """Whatever was said to be stored is stored, nothing is torn or doubled, every chain holds. Returns the cursor."""
    wait_for_the_last_commit(url)
    store = LedgerStore(url)
    cursor = store.begin_run(a_record())
    problems = store.problems()
    store.close()
    assert said.get("stored", 0) <= cursor
    assert undisturbed(cursor) == (every_row(url), problems)
    return cursor


def killed_and_finished(writers, fresh_url, story, undisturbed, kills, seed):
    """Kill writers so many times; every ledger ends as if nothing had happened."""
    dice = random.Random(seed)
    status, whole = writers.write(fresh_url("measured"))
    assert 0 == status
    killed, cursors = 0, set()
    for number in range(kills):
        url = fresh_url(number)
        for _ in range(KILLS_A_LEDGER):
            until_s = whole["open"] if dice.random() < 1 / 3 else whole["whole"]
            status, said = writers.write(url, dice.uniform(0, 1.1 * until_s))
            if status == 0:
                break
            assert -signal.SIGKILL == status
            killed += 1
            cursors.add(as_if_in_peace(url, said, undisturbed))
            if killed == kills:
                break
        status, said = writers.write(url)
        assert 0 == status
        assert len(story) == as_if_in_peace(url, said, undisturbed)
        if killed == kills:
            return cursors
    raise AssertionError(f"only {killed} of {kills} writers could be killed")


def test_ten_killed_writers_of_each_database_lose_nothing_and_double_nothing(writers, fresh_url, story, undisturbed):
    cursors = killed_and_finished(writers, fresh_url, story, undisturbed, 10, seed=20)
    assert len(cursors) > 2, "the kills must hit different moments"


@pytest.mark.nightly
def test_two_hundred_killed_writers_lose_nothing_and_double_nothing(writers, fresh_url, story, undisturbed):
    cursors = killed_and_finished(writers, fresh_url, story, undisturbed, 200, seed=200)
    print(f"200 kills, at {len(cursors)} different cursors")
    assert len(cursors) > 20
