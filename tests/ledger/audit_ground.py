"""A ledger to harm behind the store's back, and a forger who makes the chains fit again."""

from contextlib import contextmanager

from sqlalchemy import create_engine, event, select, text

from ledger import chain, tables
from ledger.audit_chains import genesis_of
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import RUN, START_NS, a_record, write_all
from tests.ledger.ledger_story import a_story

KEY = f"{RUN:016x}"


def write_story(url, *, is_ended=True):
    store = LedgerStore(url)
    store.begin_run(a_record())
    write_all(store, a_story(20)[0])
    if is_ended:
        store.end_run(START_NS + 10**15)
    store.close()


def opened(url):
    """A connection on which nothing is checked: what a person with a database tool could have."""
    engine = create_engine(url)
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def unchecked(connection, _record):
            connection.isolation_level = None
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute("PRAGMA ignore_check_constraints = ON")

        @event.listens_for(engine, "begin")
        def begin(connection):
            connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def harmed(engine):
    """Give a connection in one transaction of harm, taken back afterwards."""
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


def rows_of(connection, name):
    return connection.execute(select(tables.metadata.tables[name])).mappings().all()


def at(table, row):
    return [column == row[column.name] for column in table.primary_key]


def sentences(problems):
    return [problem.sentence for problem in problems]


def rechained(connection):
    """Forge: rewrite every hash, head and seal so that only the sums can tell."""
    genesis = genesis_of(connection, KEY)
    heads = chain.empty_heads(genesis)
    (ended_ns,) = connection.execute(text("SELECT ended_ns FROM runs")).one()
    heads["runs"] = (2, chain.ended_hash(genesis, ended_ns))
    for name in chain.CHAINED:
        table = tables.metadata.tables[name]
        order = table.c.sequence if name == "transactions" else table.c.link
        previous, links = genesis, 0
        for row in connection.execute(select(table).order_by(order)).mappings().all():
            values = [row[column] for column in chain.CONTENT_COLUMNS[name]]
            content = chain.row_bytes(values)
            if name == "transactions":
                content = chain.transaction_content(values, *parts_of(connection, row["sequence"]))
            previous, links = chain.next_hash(previous, content), links + 1
            connection.execute(table.update().where(*at(table, row)).values(hash=previous))
        heads[name] = (links, previous)
        chains = tables.chains
        connection.execute(chains.update().where(chains.c.name == name).values(links=links, head=previous))
    rows = [tuple(row) for row in connection.execute(select(tables.positions))]
    heads[chain.POSITIONS] = links, head = chain.positions_head(genesis, rows)
    chains = tables.chains
    connection.execute(chains.update().where(chains.c.name == chain.POSITIONS).values(links=links, head=head))
    (notices,) = connection.execute(text("SELECT notices FROM cursors")).one()
    connection.execute(tables.cursors.update().values(seal=chain.seal_of(notices, heads)))


def parts_of(connection, sequence):
    def lines(name, *order):
        table = tables.metadata.tables[name]
        found = connection.execute(select(table).where(table.c.sequence == sequence).order_by(*order))
        return [tuple(row) for row in found]

    fills, fundings = lines("fills", "symbol"), lines("funding", "symbol")
    return (
        [line[2:] for line in lines("postings", "line")],
        fills[0] if fills else None,
        fundings[0] if fundings else None,
        [line[2:] for line in lines("adjustments", "symbol")],
    )


def sequence_of(connection, kind, cause="none"):
    own = tables.transactions.c
    found = connection.execute(select(own.sequence).where(own.kind == kind, own.cause == cause).order_by(own.sequence))
    return found.scalars().all()
