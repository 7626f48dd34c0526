"""A writer to be killed: stores a made-up run in small batches and says after each how far it is.

Usage: python ledger_writer.py URL ORDERS BATCH
"""

import sys

from ledger.store import LedgerStore
from tests.ledger.ledger_builders import a_record, a_run, flat


def main(url, orders, size):
    outcomes = a_run(orders)[0]
    store = LedgerStore(url)
    store.begin_run(a_record())
    cursor = 0
    for start in range(0, len(outcomes), size):
        batch = flat(outcomes[start : start + size])
        cursor += len(batch)
        store.write(batch, cursor)
        print(cursor, flush=True)
    store.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
