"""A writer killed with SIGKILL at any moment leaves a sound ledger, and the next process finishes it to the same rows."""

import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from domain.notices import FillBooked, OrderCreated, OrderTransitioned, TransactionPosted
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import a_record, a_run, flat

ROOT = Path(__file__).resolve().parents[2]
ORDERS = 2_000
BATCH = 60


@pytest.fixture(scope="module")
def run():
    return flat(a_run(ORDERS)[0])


@pytest.fixture(scope="module")
def undisturbed(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("ledger") / "whole.db"
    store = LedgerStore(f"sqlite:///{path}")
    store.begin_run(a_record())
    store.write(run, len(run))
    store.close()
    return content(path)


def content(path):
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr) for name in names}
    connection.close()
    return found


def write_and_kill(url, lines):
    """Start a writer and kill it after it said so many lines: it is somewhere inside the next batch then."""
    with subprocess.Popen(
        [sys.executable, ROOT / "tests/ledger/ledger_writer.py", url, str(ORDERS), str(BATCH)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        said = 0
        for _ in range(lines):
            said = int(writer.stdout.readline())
        # Somewhere inside the next batch: count a while, so that each kill hits another place of it.
        for _ in range(random.Random(lines).randrange(200_000)):
            pass
        writer.kill()
        writer.wait()
        assert -9 == writer.returncode
        rest = writer.stdout.read().split()
    return int(rest[-1]) if rest else said


@pytest.mark.parametrize("seed", range(5))
def test_killed_writer_leaves_whole_batches_and_a_true_cursor(seed, run, undisturbed, tmp_path):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    said = write_and_kill(url, random.Random(seed).randrange(1, 40))
    store = LedgerStore(url)
    cursor = store.begin_run(a_record())
    assert said <= cursor < len(run)
    assert [] == store.problems()
    stored = content(tmp_path / "ledger.db")
    for table, kind in (
        ("orders", OrderCreated),
        ("transitions", OrderTransitioned),
        ("transactions", TransactionPosted),
        ("fills", FillBooked),
    ):
        assert sum(isinstance(notice, kind) for notice in run[:cursor]) == len(stored[table])
    store.write(run, len(run))
    assert [] == store.problems()
    store.close()
    assert undisturbed == content(tmp_path / "ledger.db")


def test_writer_killed_before_its_first_batch_leaves_nothing_torn(tmp_path):
    """Killed while the schema may still be made."""
    path = tmp_path / "ledger.db"
    with subprocess.Popen(
        [sys.executable, ROOT / "tests/ledger/ledger_writer.py", f"sqlite:///{path}", "1", "1"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    ) as writer:
        while not path.exists() and writer.poll() is None:
            pass
        writer.kill()
    store = LedgerStore(f"sqlite:///{path}")
    store.begin_run(a_record())
    assert [] == store.problems()
    store.close()
