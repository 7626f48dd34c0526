"""Ledgers in SQL with made-up runs in them, for whoever copies, keeps or reads stored ledgers."""

from contextlib import closing

from ledger.rows import run_key
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import RUN, START_NS, a_record, flat
from tests.ledger.ledger_story import a_story

KEY = run_key(RUN)
OTHER = 0xBEEF
OTHER_KEY = run_key(OTHER)


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
