"""What every ledger database promises, asked of SQLite and of a real PostgreSQL with the same questions."""

import itertools
import os
import subprocess
import sys
import threading

import pytest
from sqlalchemy import create_engine, func, select, text

from domain.errors import ConfigInvalid, HouseError, InvariantBroken, LedgerUnbalanced
from domain.lifecycle import State, Trigger
from domain.notices import FillBooked, OrderCreated, TransactionPosted
from domain.transaction import FactKind, Posting, Transaction
from ledger import tables
from ledger.chain import CHAINED
from ledger.rows import run_key
from tests.bot_runs import ROOT
from tests.ledger.ledger_builders import RUN, START_NS, a_record, created, flat, moved, usdc, write_all
from tests.ledger.ledger_story import a_story, every_row, identity

KEY = run_key(RUN)
PATIENCE_S = 60


@pytest.fixture(scope="module")
def story():
    """The outcomes of a run that holds everything, the book it left and its marks."""
    return a_story()


@pytest.fixture
def store(opened, ledger_url):
    store = opened(ledger_url)
    store.begin_run(a_record())
    return store


def changed(url, statement, **values):
    """Change rows behind the store's back."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


# Exactly once.


def test_story_holds_a_row_of_every_table(store, ledger_url, story):
    write_all(store, story[0])
    assert [] == [name for name, rows in every_row(ledger_url).items() if not rows]
    causes = {row[tables.transactions.c.keys().index("cause")] for row in every_row(ledger_url)["transactions"]}
    assert {"none", "late_fill", "unexplained", "explained"} == causes


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_how_notices_are_cut_into_batches_changes_no_row(size, store, ledger_url, story, opened, tmp_path):
    write_all(store, story[0], size)
    other = opened(f"sqlite:///{tmp_path / 'other.db'}")
    other.begin_run(a_record())
    write_all(other, story[0], 23)
    assert every_row(f"sqlite:///{tmp_path / 'other.db'}") == every_row(ledger_url)


def test_batch_written_again_changes_nothing(store, ledger_url, story):
    batch = flat(story[0])
    assert len(batch) == store.write(batch, len(batch))
    before = every_row(ledger_url)
    assert 0 == store.write(batch, len(batch))
    assert 0 == store.write(batch[-3:], len(batch))
    assert before == every_row(ledger_url)


def test_overlapping_batches_store_each_notice_once(store, ledger_url, story, opened, tmp_path):
    whole = opened(f"sqlite:///{tmp_path / 'whole.db'}")
    whole.begin_run(a_record())
    write_all(whole, story[0])
    batch = flat(story[0])
    ends = [len(flat(story[0][:count])) for count in (10, 40, 70, len(story[0]))]
    news = [store.write(batch[max(0, end - 500) : end], end) for end in ends]
    assert [ends[0], *(b - a for a, b in itertools.pairwise(ends))] == news
    assert every_row(f"sqlite:///{tmp_path / 'whole.db'}") == every_row(ledger_url)


def test_gap_is_refused_and_changes_nothing(store, ledger_url, story):
    write_all(store, story[0][:5])
    before, batch = every_row(ledger_url), flat(story[0])
    with pytest.raises(InvariantBroken, match="were never stored"):
        store.write(batch[-2:], len(batch))
    assert before == every_row(ledger_url)


def test_reopened_ledger_goes_on_with_the_same_chains(store, ledger_url, story, opened, tmp_path):
    outcomes = story[0]
    cursor = write_all(store, outcomes[:30])
    store.close()
    for part in (outcomes[30:31], outcomes[31:90], outcomes[90:]):
        again = opened(ledger_url)
        assert cursor == again.begin_run(a_record())
        cursor = write_all(again, part, 9, cursor)
        again.close()
    whole = opened(f"sqlite:///{tmp_path / 'whole.db'}")
    whole.begin_run(a_record())
    write_all(whole, outcomes)
    assert every_row(f"sqlite:///{tmp_path / 'whole.db'}") == every_row(ledger_url)
    assert [] == whole.problems()


def test_stores_of_two_runs_do_not_touch_each_other(store, opened, ledger_url, story):
    other = opened(ledger_url)
    other.begin_run(a_record(run_id=RUN + 1))
    both = [(store, story[0]), (other, a_story(run=RUN + 1)[0])]
    for start in range(0, len(story[0]), 25):
        for one, outcomes in both:
            before = len(flat(outcomes[:start]))
            batch = flat(outcomes[start : start + 25])
            one.write(batch, before + len(batch))
    assert [] == store.problems()
    assert [KEY, run_key(RUN + 1)] == store.run_ids()
    assert store.statement(KEY).pnl == other.statement(run_key(RUN + 1)).pnl


def test_fact_of_an_account_is_not_booked_by_a_second_run(store, opened, ledger_url, story):
    write_all(store, story[0][:1])
    other = opened(ledger_url)
    other.begin_run(a_record(run_id=RUN + 1, account=a_record().account))
    before = every_row(ledger_url)
    with pytest.raises(InvariantBroken, match="refused rows"):
        other.write(flat(story[0][:1]), len(flat(story[0][:1])))
    assert before == every_row(ledger_url)


def test_run_of_other_settings_is_refused(store, opened, ledger_url):
    with pytest.raises(ConfigInvalid, match="run_id"):
        opened(ledger_url).begin_run(a_record(config_hash="f00"))


def test_begun_run_is_stored_once_however_often_it_is_begun(store, opened, ledger_url):
    before = every_row(ledger_url)
    assert (0, 0) == (store.begin_run(a_record()), opened(ledger_url).begin_run(a_record()))
    assert before == every_row(ledger_url)


# Whole or not at all.


def broken_batches():
    """Batches of which the first outcome is fine and the second breaks a law."""
    fine = created(77)
    unknown = moved(99, State.OPEN, State.CANCELED, Trigger.CONFIRM_CANCEL)
    crooked = Transaction(
        sequence=1, kind=FactKind.TRANSFER, fact_id="x", ts_event_ns=1, symbol="", client_order_id="",
        postings=(Posting("cash", usdc(1)), Posting("transfers", usdc(-2))),
    )  # fmt: skip
    return [(fine, TransactionPosted(crooked, ts_ns=1)), (fine, unknown)]


@pytest.mark.parametrize("number", [0, 1])
def test_broken_batch_is_rolled_back_and_the_right_one_goes_on(number, store, ledger_url, story):
    before = every_row(ledger_url)
    with pytest.raises((LedgerUnbalanced, InvariantBroken)):
        store.write(broken_batches()[number], 2)
    assert before == every_row(ledger_url)
    write_all(store, story[0])
    assert [] == store.problems()


def test_batch_that_contradicts_stored_rows_is_rolled_back_and_the_heads_stay(store, opened, ledger_url, story):
    cursor = write_all(store, story[0][:20])
    changed(ledger_url, "UPDATE cursors SET notices = notices - 2")
    before = every_row(ledger_url)
    with pytest.raises(InvariantBroken):
        store.write(flat(story[0][:21]), cursor + len(story[0][20]))
    assert before == every_row(ledger_url)
    changed(ledger_url, "UPDATE cursors SET notices = notices + 2")
    write_all(store, story[0][20:], 50, cursor)
    assert [] == store.problems()


# Reading while it is written.


def test_two_readers_see_one_moment_each_while_a_writer_goes_on(store, opened, ledger_url, story):
    write_all(store, story[0][:30])
    readers = [opened(ledger_url, read_only=True) for _ in range(2)]

    def seen(connection):
        return [
            connection.execute(select(func.count()).select_from(table)).scalar()
            for table in (tables.transitions, tables.postings, tables.fills, tables.markouts)
        ]

    with readers[0].reading() as first:
        before = seen(first)
        write_all(store, story[0][30:60], 5, len(flat(story[0][:30])))
        with readers[1].reading() as second:
            between = seen(second)
            write_all(store, story[0][60:], 5, len(flat(story[0][:60])))
            assert between == seen(second)
        assert before == seen(first)
        assert before < between
    with readers[0].reading() as connection:
        assert between < seen(connection)
    assert store.statement().pnl == readers[1].statement().pnl


def test_reader_in_another_thread_never_sees_half_a_batch(store, opened, ledger_url, story):
    reader, torn, looks = opened(ledger_url, read_only=True), [], 0
    done = threading.Event()

    def write():
        try:
            write_all(store, story[0], 2)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set() or not looks:
        with reader.reading() as connection:
            links = dict(connection.execute(select(tables.chains.c.name, tables.chains.c.links)).all())
            for name in CHAINED:
                count = connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar()
                if count != links[name]:
                    torn.append((name, count, links[name]))
        looks += 1
    writer.join(PATIENCE_S)
    assert (False, []) == (writer.is_alive(), torn)
    assert [] == reader.problems()


def test_reader_cannot_write_and_does_not_make_a_ledger(store, opened, ledger_url):
    before = every_row(ledger_url)
    reader = opened(ledger_url, read_only=True)
    with pytest.raises(HouseError):
        reader.begin_run(a_record(run_id=9))
    with pytest.raises(HouseError), reader.reading() as connection:
        connection.execute(text("DELETE FROM chains"))
    assert before == every_row(ledger_url)


def test_reader_of_an_empty_place_is_told_that_there_is_no_ledger(ledger_url, opened):
    with pytest.raises(ConfigInvalid, match=r"ledger\.url"):
        opened(ledger_url, read_only=True)


OPENERS = """
import os, sys
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import RUN, a_record
heard, told = os.pipe()
children = []
for number in range(4):
    child = os.fork()
    if not child:
        os.close(told)
        os.read(heard, 1)
        store = LedgerStore(sys.argv[1])
        store.begin_run(a_record(run_id=RUN + number))
        store.close()
        os._exit(0)
    children.append(child)
os.close(told)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


def test_processes_that_open_an_empty_database_at_the_same_time_make_one_schema(ledger_url):
    done = subprocess.run(
        [sys.executable, "-c", OPENERS, ledger_url],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (0, "") == (done.returncode, done.stderr)
    assert 4 == len(every_row(ledger_url)["runs"])


# What is stored is what happened.


def test_statement_says_what_the_book_says(store, story):
    outcomes, book, marks = story
    write_all(store, outcomes)
    store.end_run(START_NS + 5)
    statement = store.statement()
    assert (book.totals(marks), book.cash, book.transfers) == (statement.pnl, statement.cash, statement.transfers)
    assert {part.symbol: part.lots for part in statement.instruments if part.lots} == book.open_positions()
    assert sum(type(notice) is FillBooked for notice in flat(outcomes)) == statement.fills
    assert sum(type(notice) is OrderCreated for notice in flat(outcomes)) == statement.orders
    assert [] == store.problems()


def test_balances_in_sql_are_those_of_the_book_and_sum_to_zero(store, ledger_url, story):
    write_all(store, story[0])
    found = {}
    for _, _, _, account, amount in every_row(ledger_url)["postings"]:
        found[account] = found.get(account, 0) + amount
    assert {name: amount for name, amount in story[1].balances.items() if amount} == {
        name: amount for name, amount in found.items() if amount
    }
    assert 0 == sum(found.values())


def test_ended_run_is_sealed_and_sound(store, ledger_url, story):
    write_all(store, story[0])
    open_seal = every_row(ledger_url)["cursors"]
    store.end_run(START_NS + 5)
    assert open_seal != every_row(ledger_url)["cursors"]
    assert [] == store.problems()


def test_same_run_is_the_same_rows_heads_and_hash_on_both_databases(store, ledger_url, story, opened, tmp_path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    for one, size in ((store, 11), (opened(other), 400)):
        one.begin_run(a_record())
        write_all(one, story[0], size)
        one.end_run(START_NS + 5)
    assert every_row(other) == every_row(ledger_url)
    assert identity(other) == identity(ledger_url)
