"""The ledger's benches measure the same thing twice: the bare loop writes the very rows the store does."""

import pytest

from benchmarks import ledger as bench
from benchmarks.ledger_workload import batches, record
from ledger.store import LedgerStore
from tests.ledger.ledger_story import every_row

CHANGED_LATER = {"chains", "cursors"}
"""Where the bare loop does less: it counts batches and nothing else."""


@pytest.fixture(scope="module")
def work():
    return list(batches(bench.RUN_ID, 500))


def begun(url):
    store = LedgerStore(url)
    store.begin_run(record(bench.RUN_ID))
    store.close()
    return url


def test_workload_is_sound_and_every_batch_ends_an_outcome(work):
    store = LedgerStore("sqlite://")
    store.begin_run(record(bench.RUN_ID))
    assert sum(len(batch) for batch, _ in work) == sum(store.write(batch, cursor) for batch, cursor in work)
    assert [] == store.problems()
    assert (500, 500) == (store.statement().fills, store.statement().orders)
    store.close()


def test_bare_loop_writes_the_rows_of_the_store(work, ledger_url, tmp_path):
    house = begun(f"sqlite:///{tmp_path / 'house.db'}")
    assert bench.write_house(house, work) > 0
    bare = bench.write_sqlite if ledger_url.startswith("sqlite") else bench.write_postgresql
    assert bare(begun(ledger_url), bench.captured(work)) > 0
    expected, found = every_row(house), every_row(ledger_url)
    assert {name for name in expected if expected[name] != found[name]} <= CHANGED_LATER
    assert len(expected["fills"]) == 500
