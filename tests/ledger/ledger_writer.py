"""A process that writes a ledger and may be killed at any moment: it forks one writer for every URL it reads.

Usage: python ledger_writer.py ORDERS BATCH, then one URL a line on standard input. Says `ready`, then for each writer
`pid N`, `open` when the schema is there, `stored N` after each batch, `whole`, and at the end `status N` (-9 if killed).

Forked, a writer starts within a millisecond: a kill hits the work and not the start of Python.
"""

import os
import sys

from ledger.store import LedgerStore
from tests.ledger.ledger_builders import a_record, flat
from tests.ledger.ledger_story import a_story


def say(*words):
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def write(url, outcomes, size):
    """Bring a ledger up to the whole story, from where it is."""
    say("pid", os.getpid())
    store = LedgerStore(url)
    say("open")
    done = store.begin_run(a_record())
    cursor = 0
    for start in range(0, len(outcomes), size):
        batch = flat(outcomes[start : start + size])
        cursor += len(batch)
        if cursor > done:
            store.write(batch, cursor)
            say("stored", cursor)
    store.close()
    say("whole")


def main(orders, size):
    outcomes = a_story(orders)[0]
    say("ready")
    for line in sys.stdin:
        writer = os.fork()
        if not writer:
            write(line.strip(), outcomes, size)
            os._exit(0)
        say("status", os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
