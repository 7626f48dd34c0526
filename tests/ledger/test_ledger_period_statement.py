"""A statement closes to the last unit, whatever happened and wherever it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.lifecycle import State, Trigger
from domain.notices import TransactionPosted
from domain.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from ledger.book import Book
from ledger.entries import Tally, total
from ledger.period_statement import CurvePoint, Drawdown, deepest_fall, period_statement
from ledger.periods import period_at
from ledger.store import LedgerStore
from ledger.store_entries import read_incidents, read_orders, read_run, read_run_parts, runs_of_period, stream_run
from tests.ledger.ledger_builders import (
    INSTRUMENTS,
    OPENING_MOVES,
    a_record,
    a_statement,
    a_transfer,
    created,
    flat,
    marked,
    moved,
    transferred,
    usdc,
)
from tests.ledger.ledger_days import DAY_NS, Days, three_days
from tests.ledger.ledger_entries import a_fill_entry, a_mark, a_run_part, an_entry, facts_of, opening

DAYS = tuple(period_at("day", DAY_NS + day * NS_PER_DAY) for day in range(4))
WEEK = period_at("week", DAY_NS)


def bridged(bridge):
    """What the bridge's parts make of its opening."""
    return (
        bridge.opening + bridge.transfers + bridge.realized + bridge.unrealized_change + bridge.funding - bridge.fees
        + bridge.rebates + bridge.unexplained + bridge.between_runs
    )  # fmt: skip


def stated(store, period):
    with store.reading() as connection:
        living = runs_of_period(read_run_parts(connection, period.end_ns), period)
        keys = [run.run_id for run in living]
        return period_statement(
            period,
            [read_run(connection, run, period.end_ns) for run in living],
            read_orders(connection, keys, period),
            read_incidents(connection, keys, period),
        )


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    days, store = three_days(f"sqlite:///{tmp_path_factory.mktemp('days') / 'ledger.db'}")
    yield days, store
    store.close()


def test_week_says_what_the_book_says(stored) -> None:
    days, store = stored
    week, totals = stated(store, WEEK), days.book.totals(days.marks)
    bridge = week.bridge
    assert (0, totals.equity, 0) == (bridge.opening, bridge.closing, bridge.residual)
    assert bridge.closing == bridged(bridge)
    assert (usdc(10_500), -usdc(2)) == (bridge.transfers, bridge.unexplained)
    names = ("realized", "unrealized", "funding", "fees", "rebates", "slippage", "liquidation", "net")
    assert {name: getattr(totals, name) for name in names} == {name: getattr(week.tally, name) for name in names}
    assert {"filled": days.orders} == week.orders_by_state
    assert days.orders // 17 == len(week.incidents)
    assert {"late_fill", "unexplained"} == {one.cause for one in week.corrections}
    assert -usdc(2) == sum(one.unexplained for one in week.corrections)
    assert NS_PER_DAY == week.step_ns


def test_days_add_up_to_their_week_and_each_opens_where_the_last_one_closed(stored) -> None:
    _, store = stored
    week, days = stated(store, WEEK), [stated(store, period) for period in DAYS]
    for day in days:
        assert day.bridge.closing == bridged(day.bridge)
        assert day.bridge.closing == day.steps[-1].closing
        assert 0 == day.bridge.residual
        assert NS_PER_HOUR == day.step_ns
    assert [0, *(day.bridge.closing for day in days[:-1])] == [day.bridge.opening for day in days]
    assert week.bridge.closing == days[-1].bridge.closing
    assert week.tally == total(day.tally for day in days)
    assert [day.bridge.closing for day in days] == [step.closing for step in week.steps]
    assert [day.tally for day in days] == [step.tally for step in week.steps]
    assert len(week.positions) == sum(len(day.positions) for day in days)
    assert len(week.corrections) == sum(len(day.corrections) for day in days)


def test_both_databases_give_the_same_statement(stored, ledger_url) -> None:
    _, store = three_days(ledger_url)
    here = stated(store, WEEK)
    store.close()
    assert here == stated(stored[1], WEEK)


@pytest.mark.parametrize("period", [*DAYS, WEEK])
def test_steps_and_instruments_add_up_to_the_period(stored, period) -> None:
    statement = stated(stored[1], period)
    assert statement.tally == total(step.tally for step in statement.steps)
    assert statement.tally == total(tally for _, tally in statement.instruments)


def test_curve_ends_at_closing_equity_and_counts_no_deposit_as_gain(stored) -> None:
    week = stated(stored[1], WEEK)
    assert week.bridge.closing == week.curve[-1].equity
    assert week.tally.net == week.curve[-1].gain
    assert 0 < week.drawdown.amount < usdc(500)
    day = stated(stored[1], DAYS[2])
    assert day.tally.net == day.curve[-1].gain
    assert day.bridge.opening + day.bridge.transfers + day.tally.net == day.curve[-1].equity


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), start_hours=st.integers(0, 20))
def test_statement_of_a_day_that_is_over_never_changes(tmp_path_factory, seed, start_hours) -> None:
    days = Days(seed=seed, days=2, start_ns=DAY_NS + start_hours * NS_PER_HOUR + 7).trade()
    late = Days(seed=seed, days=1, run=0xB, start_ns=days.now_ns + NS_PER_HOUR).trade()
    store = LedgerStore(f"sqlite:///{tmp_path_factory.mktemp('grown') / 'ledger.db'}")
    store.begin_run(a_record(run_id=days.run, account="a", started_ns=days.start_ns))
    cursor, seen = 0, []
    for period in DAYS[:2]:
        last = max(at for at, outcome in enumerate(days.outcomes) if outcome[0].ts_ns < period.end_ns)
        fresh = flat(days.outcomes[: last + 1])[cursor:]
        cursor += len(fresh)
        store.write(fresh, cursor)
        seen.append(stated(store, period))
    rest = flat(days.outcomes)[cursor:]
    store.write(rest, cursor + len(rest))
    store.end_run(days.now_ns)
    store.begin_run(a_record(run_id=late.run, account="a", started_ns=late.start_ns))
    store.write(flat(late.outcomes), len(flat(late.outcomes)))
    assert seen == [stated(store, period) for period in DAYS[:2]]
    store.close()
    assert all(one.tally.volume and one.orders_by_state for one in seen)


def test_day_that_is_over_knows_nothing_of_the_positions_of_today(stored) -> None:
    for day in (stated(stored[1], period) for period in DAYS[:2]):
        assert {"", "BTC", "ETH"} == {symbol for symbol, _ in day.instruments}
        assert {day.tally.unrealized} == {dict(day.instruments)[""].unrealized}
        assert [] == [one for one in day.positions if one.tally.unrealized]


def test_run_that_ended_in_the_period_tells_its_open_positions_apart(stored) -> None:
    days, store = stored
    totals = {symbol: days.book.totals_of(symbol, days.marks).unrealized for symbol in days.book.open_positions()}
    assert totals == {symbol: tally.unrealized for symbol, tally in stated(store, WEEK).instruments}


@pytest.mark.parametrize(("is_going_on", "expected"), [(True, True), (False, False)])
def test_run_that_goes_on_tells_its_open_positions_apart_until_the_period_is_over(
    tmp_path, is_going_on, expected
) -> None:
    days = Days(days=1).trade()
    store = LedgerStore(f"sqlite:///{tmp_path / 'living.db'}")
    store.begin_run(a_record(run_id=days.run, started_ns=days.start_ns))
    store.write(flat(days.outcomes), len(flat(days.outcomes)))
    with store.reading() as connection:
        (part,) = read_run_parts(connection, WEEK.end_ns)
        assert expected == bool(read_run(connection, part, WEEK.end_ns, is_going_on=is_going_on).positions)
        assert () == read_run(connection, part, DAYS[0].end_ns, is_going_on=is_going_on).positions
        assert read_run(connection, part).positions
    store.close()


def test_run_streamed_is_the_run_read_whole(stored) -> None:
    with stored[1].reading() as connection:
        (part,) = read_run_parts(connection)
        streamed = stream_run(connection, part)
        assert read_run(connection, part).entries == tuple(streamed.entries)
        assert () == tuple(streamed.entries)


def ordered(store, period):
    with store.reading() as connection:
        return read_orders(connection, [part.run_id for part in read_run_parts(connection)], period)


def test_orders_stand_as_they_stood_at_the_end_of_the_period(tmp_path) -> None:
    store = LedgerStore(f"sqlite:///{tmp_path / 'orders.db'}")
    store.begin_run(a_record(started_ns=DAY_NS))
    before, after = DAYS[0].end_ns - 1, DAYS[0].end_ns
    notices = [created(order, ts_ns=before) for order in (1, 2, 3)]
    notices += [moved(order, *move, ts_ns=before) for order in (1, 2) for move in OPENING_MOVES]
    notices += [moved(1, State.OPEN, State.FILLED, Trigger.FILL_COMPLETE, filled=10, ts_ns=before)]
    store.write(notices, len(notices))
    asked_then = ordered(store, DAYS[0])
    later = [moved(2, State.OPEN, State.CANCELED, Trigger.CONFIRM_CANCEL, ts_ns=after)]
    later += [moved(3, *OPENING_MOVES[0], ts_ns=after), created(4, ts_ns=after)]
    store.write(later, len(notices) + len(later))
    assert {"filled": 1, "idle": 1, "open": 1} == asked_then == ordered(store, DAYS[0])
    assert {"idle": 1} == ordered(store, DAYS[1])
    assert {"canceled": 1, "filled": 1, "idle": 1, "signal": 1} == ordered(store, WEEK)
    store.close()


def test_quiet_period_holds_nothing(stored) -> None:
    quiet = stated(stored[1], period_at("day", DAY_NS - NS_PER_DAY))
    assert ((), 0, 0, (), ()) == (quiet.runs, quiet.bridge.opening, quiet.bridge.closing, quiet.curve, quiet.steps)
    assert Drawdown() == quiet.drawdown


def test_runs_of_different_accounts_add_up(tmp_path) -> None:
    store = LedgerStore(f"sqlite:///{tmp_path / 'two.db'}")
    equity = 0
    for seed, run, hours in ((1, 0xA, 2), (2, 0xB, 9)):
        days = Days(seed=seed, run=run, days=1, start_ns=DAY_NS + hours * NS_PER_HOUR + 13 * NS_PER_SECOND).trade()
        days.stored(store)
        equity += days.book.totals(days.marks).equity
    week = stated(store, WEEK)
    store.close()
    assert ["000000000000000a", "000000000000000b"] == [run.run_id for run in week.runs]
    assert equity == week.bridge.closing == week.curve[-1].equity
    assert usdc(20_000) == week.bridge.transfers
    assert 0 == week.bridge.residual == week.bridge.between_runs


# One account, one run after the other.


def two_runs(account="a1"):
    """A run that ends with 107, and one that finds 105 on the next day and makes 4."""
    next_ns = DAY_NS + NS_PER_DAY
    first = facts_of(
        opening(1, 100, DAY_NS + 1),
        a_fill_entry(2, 1, realized=5, ts_ns=DAY_NS + 9),
        marks=(a_mark(DAY_NS + 9, 100, 7, 2),),
        positions=(("BTC", 1, 1, 2),),
        run_id="r1", account="a1", last_ns=DAY_NS + 99,
    )  # fmt: skip
    second = facts_of(
        opening(1, 105, next_ns + 1),
        a_fill_entry(2, 1, realized=4, ts_ns=next_ns + 9),
        marks=(a_mark(next_ns + 9, 105, 4),),
        run_id="r2", account=account, started_ns=next_ns, last_ns=next_ns + 99,
    )  # fmt: skip
    return first, second


def test_what_changed_between_runs_of_an_account_is_no_deposit() -> None:
    week = period_statement(WEEK, two_runs(), {}, [])
    assert (0, 100, 9, 2, -2, 109) == (
        week.bridge.opening, week.bridge.transfers, week.bridge.realized, week.bridge.unrealized_change,
        week.bridge.between_runs, week.bridge.closing,
    )  # fmt: skip
    assert week.bridge.closing == bridged(week.bridge)
    assert [107, 109] == [step.closing for step in week.steps]
    assert [(107, 7), (109, 9)] == [(point.equity, point.gain) for point in week.curve]


def test_day_opens_where_the_run_before_it_ended() -> None:
    day = period_statement(DAYS[1], two_runs(), {}, [])
    assert (107, 0, -2, 109) == (
        day.bridge.opening, day.bridge.transfers, day.bridge.between_runs, day.bridge.closing
    )  # fmt: skip
    assert [109] == [step.closing for step in day.steps]
    assert [(109, 2)] == [(point.equity, point.gain) for point in day.curve]


def test_another_account_is_no_follower() -> None:
    week = period_statement(WEEK, two_runs(account="a2"), {}, [])
    assert (205, 0, 216) == (week.bridge.transfers, week.bridge.between_runs, week.bridge.closing)


def test_run_before_the_period_is_read_only_for_an_account_that_lives_in_it() -> None:
    first, second = (run.run for run in two_runs())
    other = a_run_part("r0", "a9", last_ns=DAY_NS + 5)
    assert ["r1", "r2"] == [run.run_id for run in runs_of_period([other, first, second], DAYS[1])]
    assert ["r0", "r1"] == [run.run_id for run in runs_of_period([other, first, second], DAYS[0])]


def quiet_run(*entries, run_id="r1b", marks=()):
    """A run of the same account, between the two others, that the venue never told what there is."""
    half_ns = DAY_NS + NS_PER_DAY // 2
    return facts_of(
        *entries, marks=marks, run_id=run_id, started_ns=half_ns, last_ns=half_ns + 9, opened_ns=None,
        has_booked=bool(entries),
    )  # fmt: skip


@pytest.mark.parametrize("marks", [(), (a_mark(DAY_NS + NS_PER_DAY // 2 + 3, 0, 0),)])
def test_run_that_never_opened_takes_nothing_from_its_account(marks) -> None:
    first, second = two_runs()
    runs = (first, quiet_run(marks=marks), second)
    for period in (*DAYS[:2], WEEK):
        alone, among = (period_statement(period, found, {}, []) for found in ((first, second), runs))
        assert (alone.bridge, alone.tally, alone.drawdown) == (among.bridge, among.tally, among.drawdown)
        assert alone.steps[-1].closing == among.steps[-1].closing
        assert alone.curve == tuple(point for point in among.curve if point.ts_ns not in {m.ts_ns for m in marks})
        assert {107, 109} >= {point.equity for point in among.curve}
        assert {7, 9, 2} >= {point.gain for point in among.curve}
    day = period_statement(DAYS[1], (first, quiet_run(marks=marks)), {}, [])
    assert (107, 107) == (day.bridge.opening, day.bridge.closing)


def test_marks_before_a_run_opens_stand_on_what_was_left_to_it() -> None:
    first, second = two_runs()
    early = a_mark(DAYS[1].start_ns, 0, 0)
    day = period_statement(DAYS[1], (first, replace(second, marks=(early, *second.marks))), {}, [])
    assert [(107, 0), (109, 2)] == [(point.equity, point.gain) for point in day.curve]


def test_what_a_run_booked_that_never_opened_adds_to_what_was_left_to_it() -> None:
    first, second = two_runs()
    paid = quiet_run(an_entry(1, postings=(("cash", -3), ("fees:BTC", 3)), ts_ns=DAY_NS + NS_PER_DAY // 2 + 1))
    one, two, week = (period_statement(period, (first, paid, second), {}, []) for period in (*DAYS[:2], WEEK))
    assert (0, 104) == (one.bridge.opening, one.bridge.closing)
    assert (104, 1, 109) == (two.bridge.opening, two.bridge.between_runs, two.bridge.closing)
    assert (1, 109) == (week.bridge.between_runs, week.bridge.closing)
    assert week.bridge.closing == bridged(week.bridge) == week.steps[-1].closing


def test_run_before_the_period_is_one_that_opened_or_booked() -> None:
    first, second = (run.run for run in two_runs())
    silent, paid = quiet_run().run, quiet_run(an_entry(1), run_id="r1c").run
    assert ["r1", "r2"] == [run.run_id for run in runs_of_period([first, silent, second], DAYS[1])]
    assert ["r1", "r1c", "r2"] == [run.run_id for run in runs_of_period([first, silent, paid, second], DAYS[1])]
    assert ["r1c", "r2"] == [run.run_id for run in runs_of_period([paid, second], DAYS[1])]


def test_run_parts_say_when_a_run_opened_and_what_it_booked_last(tmp_path) -> None:
    store = LedgerStore(f"sqlite:///{tmp_path / 'killed.db'}")
    book = Book(INSTRUMENTS)
    store.begin_run(a_record(started_ns=DAY_NS))
    opened = book.book_opening(a_statement(usdc(100), ts_ns=DAY_NS + 1))
    late_ns = DAYS[1].start_ns + 5
    notices = [TransactionPosted(opened, ts_ns=DAY_NS + 1), marked(book, {}, ts_ns=DAYS[0].end_ns - 1)]
    notices += transferred(book, a_transfer(usdc(5), ts_ns=late_ns))
    store.write(notices, len(notices))
    store.begin_run(a_record(run_id=0xB, started_ns=late_ns))
    with store.reading() as connection:
        killed, silent = read_run_parts(connection)
        (then,) = read_run_parts(connection, DAYS[0].end_ns)
    assert (DAY_NS + 1, True, late_ns) == (killed.opened_ns, killed.has_booked, killed.last_ns)
    assert (None, False, late_ns) == (silent.opened_ns, silent.has_booked, silent.last_ns)
    assert (DAY_NS + 1, True, DAYS[0].end_ns - 1) == (then.opened_ns, then.has_booked, then.last_ns)
    one, two = (stated(store, period).bridge for period in DAYS[:2])
    assert (usdc(100), usdc(100), usdc(5), usdc(105)) == (one.closing, two.opening, two.transfers, two.closing)
    store.close()


def test_value_of_open_positions_that_marks_do_not_tell_apart_has_its_own_row() -> None:
    first, _ = two_runs()
    held = facts_of(*first.entries, marks=(*first.marks, a_mark(DAY_NS + NS_PER_DAY + 3, 100, 9, 4)))
    day = period_statement(DAYS[1], [held], {}, [])
    assert (("", Tally(unrealized=2)),) == day.instruments


# Drawdown.


def test_deepest_fall_is_from_the_highest_peak_before_it() -> None:
    gains = (0, 10, 4, 20, 5, 19, -6)
    curve = tuple(CurvePoint(ts_ns, 100 + gain, gain) for ts_ns, gain in enumerate(gains))
    assert Drawdown(26, 26 * 10**9 // 120, 3, 6) == deepest_fall(curve)


def test_first_point_may_already_be_a_fall() -> None:
    assert Drawdown(10, 10**8, 7, 7) == deepest_fall((CurvePoint(7, 90, -10),))
    assert Drawdown(5, 0, 1, 1) == deepest_fall((CurvePoint(1, -5, -5),))


@given(st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=20))
def test_deepest_fall_is_the_largest_there_is(gains) -> None:
    curve = tuple(CurvePoint(at, 5_000 + gain, gain) for at, gain in enumerate(gains))
    falls = [earlier - later for at, later in enumerate(gains) for earlier in (0, *gains[: at + 1])]
    assert max(falls) == deepest_fall(curve).amount
