"""The store where it gets hard: lost answers, refused batches, two writers, and what no database holds."""

import sqlite3

import pytest
from sqlalchemy import text

from domain.errors import InvariantBroken
from domain.lifecycle import State, Trigger
from domain.notices import KillSwitchReset, TransactionPosted
from domain.transaction import FactKind, Transaction
from ledger.rows import NS_PER_MINUTE
from tests.ledger.ledger_builders import (
    START_NS,
    a_book,
    a_record,
    a_run,
    created,
    flat,
    marked,
    moved,
    write_all,
)


def chains_of(store):
    with store.reading() as connection:
        return {
            name: (links, head)
            for name, links, head in connection.execute(text("SELECT name, links, head FROM chains"))
        }


def test_commit_whose_answer_was_lost_is_not_written_twice(store, path):
    """The batch arrived, but nobody told us: the cursor in the database decides, and the chains go on from there."""
    outcomes = a_run()[0]
    first, rest = flat(outcomes[:50]), flat(outcomes[50:])
    before = store._heads
    store.write(first, len(first))
    store._heads = before
    assert 0 == store.write(first, len(first))
    store._heads = before
    assert len(rest) == store.write([*first, *rest], len(first) + len(rest))
    assert [] == store.problems()


def test_failed_batch_leaves_the_chains_as_they_were(store):
    wanted = [moved(order, State.IDLE, State.SIGNAL, Trigger.WANT) for order in (1, 2)]
    store.write((created(1), wanted[0]), 2)
    before = chains_of(store)
    for _ in range(2):
        with pytest.raises(InvariantBroken, match="refused rows"):
            store.write((created(2, lots=-1), created(3)), 4)
    assert before == chains_of(store)
    assert 2 == store.write((created(2), wanted[1]), 4)
    assert [] == store.problems()


def test_two_writers_of_one_run_take_turns(opened, store, path):
    """Each finds that the other moved the chains, and reads them anew."""
    outcomes = a_run()[0]
    other, cursor = opened(path), 0
    other.begin_run(a_record())
    for number, outcome in enumerate(outcomes):
        cursor += len(outcome)
        (store, other)[number % 2].write(outcome, cursor)
    assert [] == store.problems()


def test_youngest_mark_is_replaced_while_its_minute_lasts(store, opened, path):
    minute = START_NS - START_NS % NS_PER_MINUTE
    marks = [
        marked(a_book(cash=0), {}, ts_ns=minute + at)
        for at in (1, 2, NS_PER_MINUTE, NS_PER_MINUTE + 9, NS_PER_MINUTE + 20)
    ]
    for number, mark in enumerate(marks, 1):
        if number == 4:
            store.close()
            store = opened(path)
            assert 3 == store.begin_run(a_record())
        store.write((mark,), number)
    with store.reading() as connection:
        rows = connection.execute(text("SELECT link, ts_ns FROM marks ORDER BY link")).all()
    assert [(1, minute + 2), (2, minute + NS_PER_MINUTE + 20)] == [tuple(row) for row in rows]
    assert 2 == chains_of(store)["marks"][0]
    assert [] == store.problems()


def test_transaction_that_does_not_follow_the_last_one_is_our_bug(store):
    crooked = Transaction(
        sequence=3, kind=FactKind.TRANSFER, fact_id="x", ts_event_ns=1, symbol="", client_order_id="", postings=(),
    )  # fmt: skip
    with pytest.raises(InvariantBroken, match="transaction 3 cannot follow transaction 0"):
        store.write((TransactionPosted(crooked, ts_ns=1),), 1)


def test_number_no_database_holds_is_our_bug(store):
    with pytest.raises(InvariantBroken, match="refused rows"):
        store.write((created(1, price=2**63),), 1)
    assert 0 == store.cursor()


def test_text_with_a_nul_is_stored(store):
    store.write((KillSwitchReset("who\x00 knows \ud800", ts_ns=1),), 1)
    with store.reading() as connection:
        assert "who? knows ?" == connection.execute(text("SELECT detail FROM incidents")).scalar_one()
    assert [] == store.problems()


def test_ended_run_may_be_ended_again_and_go_on(store):
    write_all(store, a_run()[0])
    open_heads = chains_of(store)
    for ended_ns in (START_NS, START_NS + 1):
        store.end_run(ended_ns)
        assert [] == store.problems()
    assert (2, START_NS + 1) == (chains_of(store)["runs"][0], store.statement().ended_ns)
    assert open_heads["orders"] == chains_of(store)["orders"]
    assert 1 == store.write((KillSwitchReset("late", ts_ns=1),), store.cursor() + 1)
    assert [] == store.problems()


def test_end_of_no_run_is_our_bug(opened, path):
    with pytest.raises(InvariantBroken, match="no run was begun"):
        opened(path).end_run(1)


def test_order_that_was_deleted_by_hand_stops_the_run_that_moves_it(store):
    store.write((created(1),), 1)
    with sqlite3.connect(store.place) as connection:
        connection.execute("DELETE FROM orders")
    connection.close()
    with pytest.raises(InvariantBroken):
        store.write((moved(1, State.IDLE, State.SIGNAL, Trigger.WANT),), 2)
    assert 1 == store.cursor()


def test_reading_sees_one_moment_while_a_batch_is_written(store, opened, path):
    outcomes = a_run()[0]
    cursor = write_all(store, outcomes[:30])
    reader = opened(path, read_only=True)
    with reader.reading() as connection:
        before = connection.execute(text("SELECT COUNT(*) FROM orders")).scalar_one()
        batch = flat(outcomes[30:])
        store.write(batch, cursor + len(batch))
        assert before == connection.execute(text("SELECT COUNT(*) FROM orders")).scalar_one()
    with reader.reading() as connection:
        assert 60 == connection.execute(text("SELECT COUNT(*) FROM orders")).scalar_one()
