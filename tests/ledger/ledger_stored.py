"""Ledgers in SQL with made-up runs in them, for whoever copies, keeps or reads stored ledgers."""

from contextlib import closing

from ledger.rows import run_key
from ledger.store import LedgerStore
from ledger.store_copy import proof_of
from tests.ledger.ledger_builders import RUN, START_NS, a_record, flat
from tests.ledger.ledger_story import a_story

KEY = run_key(RUN)
OTHER = 0xBEEF
OTHER_KEY = run_key(OTHER)
ENDED_NS = START_NS + 9
"""On 2023-11-14."""
FAR_NS = START_NS * 2
"""Behind the end of every run."""


def store_story(url, *, run=RUN, orders=20, outcomes=None, ended_ns=0, started_ns=START_NS, command="run"):
    """Store a story, or only its first outcomes, and return its key; called again it goes on."""
    told = a_story(orders, run=run)[0][:outcomes]
    with closing(LedgerStore(url)) as store:
        done = store.begin_run(a_record(run_id=run, started_ns=started_ns, command=command))
        notices = flat(told)
        store.write(notices[done:], len(notices))
        if ended_ns:
            store.end_run(ended_ns)
    return run_key(run)


def run_keys(url):
    """Return the runs a ledger holds."""
    with closing(LedgerStore(url, read_only=True)) as store:
        return store.run_ids()


def proof(url, run=KEY):
    """Return what proves a stored run."""
    with closing(LedgerStore(url, read_only=True)) as store, store.reading() as connection:
        return proof_of(connection, run)


def names(folder):
    """Return what lies in a folder."""
    return {path.name for path in folder.iterdir()}
