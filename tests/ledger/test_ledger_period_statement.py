"""A statement closes to the last unit, whatever happened and wherever it is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from ledger.entries import MarkPoint, Tally, total
from ledger.period_statement import CurvePoint, Drawdown, deepest_fall, period_statement, residual_at
from ledger.periods import period_at
from ledger.store import LedgerStore
from ledger.store_entries import read_incidents, read_orders, read_run, read_run_parts, runs_of_period
from tests.ledger.ledger_builders import usdc
from tests.ledger.ledger_days import DAY_NS, Days, three_days
from tests.ledger.ledger_entries import a_fill_entry, a_run_part, an_entry, facts_of

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
        living = runs_of_period(read_run_parts(connection), period)
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


def opening(sequence, cash, ts_ns):
    postings = (("cash", cash), ("transfers", -cash))
    return an_entry(sequence, "transfer", fact_id="opening", postings=postings, symbol="", ts_ns=ts_ns)


def a_mark(ts_ns, brought, net, unrealized=0):
    return MarkPoint(ts_ns, brought + net, 0, unrealized, net)


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


def test_value_of_open_positions_that_marks_do_not_tell_apart_has_its_own_row() -> None:
    first, _ = two_runs()
    held = facts_of(*first.entries, marks=(*first.marks, a_mark(DAY_NS + NS_PER_DAY + 3, 100, 9, 4)))
    day = period_statement(DAYS[1], [held], {}, [])
    assert (("", Tally(unrealized=2)),) == day.instruments


# What the bot said against what is posted.


def test_residual_shows_what_the_mark_has_and_the_postings_have_not() -> None:
    entries = (opening(1, 100, 5), a_fill_entry(2, 1, realized=5, ts_ns=7))
    assert 0 == residual_at(entries, a_mark(7, 100, 5))
    assert 3 == residual_at(entries, a_mark(7, 100, 8))
    assert -1 == residual_at(entries, a_mark(6, 100, -1))


def test_mark_of_the_same_nanosecond_may_be_before_or_after_a_posting() -> None:
    entries = (opening(1, 100, 7), a_fill_entry(2, 1, realized=5, ts_ns=7), a_fill_entry(3, 1, realized=9, ts_ns=7))
    for net in (0, 5, 14):
        assert 0 == residual_at(entries, a_mark(7, 100, net))
    assert 1 == residual_at(entries, a_mark(7, 100, 6))


def test_residual_of_a_statement_is_that_of_its_last_mark() -> None:
    facts = facts_of(opening(1, 100, DAY_NS + 1), marks=(a_mark(DAY_NS + 2, 103, 0),))
    statement = period_statement(DAYS[0], [facts], {}, [])
    assert (100, 3) == (statement.bridge.closing, statement.bridge.residual)


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
