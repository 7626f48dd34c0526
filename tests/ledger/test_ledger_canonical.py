"""One hash for one history: whichever database, run key, batch or order of arrival."""

import hashlib

import pytest
from sqlalchemy import text

from domain.order import Side
from domain.units import NS_PER_SECOND
from ledger.audit import audit
from ledger.canonical import canonical_hash, canonical_rows, chain_heads, stored_seal
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import (
    RUN,
    START_NS,
    a_book,
    a_fill,
    a_funding,
    a_record,
    a_run,
    a_transfer,
    booked,
    flat,
    funded,
    transferred,
    usdc,
)
from tests.ledger.ledger_story import a_story

KEY = f"{RUN:016x}"


def stored(url, notices, *, run=RUN, size=0):
    """A store that holds a run's notices, in batches of a size."""
    store = LedgerStore(url)
    store.begin_run(a_record(run_id=run))
    size = size or len(notices)
    for start in range(0, len(notices), size):
        batch = notices[start : start + size]
        store.write(batch, start + len(batch))
    return store


def hash_of(store, run=RUN):
    with store.reading() as connection:
        found = canonical_hash(connection, f"{run:016x}")
        assert [] == [problem.sentence for problem in audit(connection)]
    store.close()
    return found


@pytest.fixture
def url(tmp_path):
    return lambda name: f"sqlite:///{tmp_path / name}.db"


def test_same_run_hashes_the_same_on_both_databases(url, postgres_url):
    notices = flat(a_story(20)[0])
    assert hash_of(stored(url("one"), notices)) == hash_of(stored(postgres_url, notices))


def test_hash_is_the_sha_256_of_rows_a_person_can_print(url):
    import msgspec

    store = stored(url("one"), flat(a_run(20)[0]))
    with store.reading() as connection:
        rows = list(canonical_rows(connection, KEY))
        written = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        assert hashlib.sha256(written).hexdigest() == canonical_hash(connection, KEY)
    assert ["fill", "funding", "transfer", "balance", "order"] == list(dict.fromkeys(row[0] for row in rows))
    store.close()


def test_key_of_the_run_does_not_matter(url):
    one = hash_of(stored(url("one"), flat(a_run(20)[0])))
    store = LedgerStore(url("two"))
    store.begin_run(a_record(run_id=RUN))
    store.close()
    notices = flat(a_run(20)[0])
    renamed = [_of_run(notice, RUN + 1) for notice in notices]
    assert one == hash_of(stored(url("three"), renamed, run=RUN + 1), RUN + 1)


def _of_run(notice, run):
    """The same notice of another run."""
    import msgspec

    order = getattr(notice, "client_order_id", None)
    inside = getattr(notice, "transaction", None)
    if inside is not None:
        return msgspec.structs.replace(notice, transaction=_of_run(inside, run))
    return msgspec.structs.replace(notice, client_order_id=order.replace(KEY, f"{run:016x}")) if order else notice


def history(order):
    """Three fills, a settlement and a transfer, told in this order, the first fill twice."""
    book = a_book()
    facts = [
        a_fill(10, trade_id=1, ts_ns=START_NS + 1, start_position=0, order=0, fee=3),
        a_fill(4, trade_id=2, ts_ns=START_NS + 2, start_position=10, order=0, side=Side.SELL, price=500_100),
        a_fill(9, trade_id=3, ts_ns=START_NS + 3, start_position=6, order=0, side=Side.SELL, price=499_000, fee=-2),
    ]
    notices = [*transferred(a_book(0), a_transfer(usdc(10_000), transfer_id="start"))]
    for place in order:
        if place < 3 and facts[place] is not None:
            notices += booked(book, facts[place])
            facts[place] = None
        elif place == 3:
            notices += funded(book, a_funding(77, position=-3, ts_ns=START_NS + 5))
        elif place == 4:
            notices += transferred(book, a_transfer(usdc(5), transfer_id="more", ts_ns=START_NS + NS_PER_SECOND))
    return notices


@pytest.mark.parametrize("order", [(1, 0, 2, 3, 4), (2, 1, 0, 4, 3), (4, 3, 2, 0, 1), (2, 2, 0, 0, 1, 4, 3)])
def test_order_of_arrival_does_not_matter(url, order):
    assert hash_of(stored(url("one"), history((0, 1, 2, 3, 4)))) == hash_of(stored(url("two"), history(order)))


def test_batches_do_not_matter(url):
    notices = flat(a_run(20)[0])
    one = stored(url("one"), notices)
    outcomes, cursor = a_run(20)[0], 0
    other = LedgerStore(url("two"))
    other.begin_run(a_record())
    for outcome in outcomes:
        cursor += len(outcome)
        other.write(outcome, cursor)
    with one.reading() as left, other.reading() as right:
        assert chain_heads(left, KEY) == chain_heads(right, KEY)
        assert stored_seal(left, KEY) == stored_seal(right, KEY) != ""
    assert hash_of(one) == hash_of(other)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE fills SET price = price + 1 WHERE trade_id = 14",
        "UPDATE fills SET fee = fee + 1 WHERE trade_id = 14",
        "UPDATE fills SET start_position = 7 WHERE trade_id = 14",
        "UPDATE funding SET rate = 1",
        "UPDATE postings SET amount = amount + 1 WHERE sequence = 1",
        "UPDATE transactions SET ts_event_ns = 1 WHERE kind = 'transfer'",
        "UPDATE orders SET state = 'expired' WHERE state = 'canceled'",
        "UPDATE orders SET reason = 'repriced' WHERE state = 'canceled'",
        "INSERT INTO adjustments VALUES ('000000000000f00d', 1, 'BTC', 5)",
    ],
)
def test_anything_that_was_earned_owed_or_asked_for_is_in_it(url, harm):
    store = stored(url("one"), flat(a_run(20)[0]))
    with store.reading() as connection:
        before = canonical_hash(connection, KEY)
    with store.writing() as connection:
        connection.execute(text(harm))
    with store.reading() as connection:
        assert before != canonical_hash(connection, KEY)
    store.close()


def test_run_that_holds_nothing_has_the_hash_of_nothing(url):
    store = LedgerStore(url("one"))
    store.begin_run(a_record())
    assert hashlib.sha256(b"").hexdigest() == hash_of(store)


def test_run_nobody_knows_has_no_heads_and_no_seal(url):
    store = stored(url("one"), flat(a_run(5)[0]))
    with store.reading() as connection:
        assert ({}, "") == (chain_heads(connection, "unheard of"), stored_seal(connection, "unheard of"))
    store.close()
