"""Whatever profit is told apart by, the rows add up to what the book says, to the last unit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.units import NS_PER_DAY, NS_PER_HOUR
from ledger.attribution import KEYS, attribute, attributed_total, unrealized_changes, whole
from ledger.entries import EXECUTION, SHARED, TALLIED, MarkPoint, Tally, total
from ledger.episodes import episodes_of
from ledger.periods import date_text
from ledger.store import LedgerStore
from ledger.store_entries import read_run, read_run_parts
from tests.ledger.ledger_days import DAY_NS, Days, three_days
from tests.ledger.ledger_entries import LOT, a_fill_entry, an_entry, facts_of


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A book of three days and what is read back of it."""
    days, store = three_days(f"sqlite:///{tmp_path_factory.mktemp('days') / 'ledger.db'}")
    with store.reading() as connection:
        (part,) = read_run_parts(connection)
        facts = read_run(connection, part)
    yield days, facts, store.statement()
    store.close()


@pytest.mark.parametrize("by", KEYS)
def test_rows_add_up_to_the_book_to_the_last_unit(stored, by) -> None:
    days, facts, statement = stored
    totals = days.book.totals(days.marks)
    found = attributed_total(attribute([facts], by))
    names = ("realized", "unrealized", "funding", "fees", "rebates", "slippage", "liquidation", "net")
    assert {name: getattr(totals, name) for name in names} == {name: getattr(found, name) for name in names}
    assert {name: getattr(statement.pnl, name) for name in names} == {name: getattr(found, name) for name in names}
    assert (statement.fills, statement.maker_fills) == (found.fills, found.maker_fills)
    assert (statement.volume, statement.maker_volume) == (found.volume, found.maker_volume)
    assert whole([facts]) == found
    assert (totals.equity, days.book.unexplained) == (statement.pnl.equity, statement.unexplained)
    assert all(getattr(totals, name) for name in ("realized", "funding", "fees", "rebates", "slippage", "liquidation"))


@pytest.mark.parametrize("by", KEYS)
def test_execution_adds_up_to_slippage_and_markouts(stored, by) -> None:
    _, facts, _ = stored
    found = attributed_total(attribute([facts], by))
    assert -found.slippage == found.delay + found.drift + found.spread_captured
    assert 0 != found.adverse_1s
    assert found.execution == sum(getattr(found, name) for name in EXECUTION)


def test_labels_are_unique_and_say_what_they_are_for(stored) -> None:
    _, facts, _ = stored
    rows = {by: attribute([facts], by) for by in KEYS}
    assert all(len({row.label for row in rows[by]}) == len(rows[by]) for by in KEYS)
    assert ["BTC", "ETH"] == [row.label for row in rows["instrument"]]
    assert ["glft"] == [row.label for row in rows["strategy"]]
    assert [date_text(DAY_NS + day * NS_PER_DAY) for day in range(4)] == [row.label for row in rows["day"]]
    assert {"no order"} == {row.label for row in rows["order"] if not row.label.startswith("0x")}
    assert all(row.first_ns <= row.last_ns for by in KEYS for row in rows[by])


def test_open_episode_carries_the_unrealized_profit(stored) -> None:
    days, facts, _ = stored
    is_open = {one.symbol: one.tally.unrealized for one in episodes_of(facts) if one.closed_ns is None and one.number}
    assert {symbol: unrealized for symbol, _, _, unrealized in facts.positions} == is_open
    assert set(days.book.open_positions()) == set(is_open)


def test_runs_add_up(tmp_path) -> None:
    store = LedgerStore(f"sqlite:///{tmp_path / 'two.db'}")
    books = []
    for seed, run in ((1, 0xA), (2, 0xB)):
        days = Days(seed=seed, run=run, days=1).trade()
        days.stored(store)
        books.append(days.book.totals(days.marks).net)
    with store.reading() as connection:
        facts = [read_run(connection, part) for part in read_run_parts(connection)]
    store.close()
    for by in KEYS:
        rows = attribute(facts, by)
        assert sum(books) == attributed_total(rows).net
        assert len({row.label for row in rows}) == len(rows)


@pytest.mark.parametrize("by", KEYS)
def test_runs_may_be_read_one_after_the_other(stored, by) -> None:
    _, facts, _ = stored
    once = [replace(facts, entries=iter(facts.entries))]
    assert attribute([facts], by) == attribute(iter(once), by)


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValueError, match="'moon' is nothing to attribute by: expected one of order, position"):
        attribute([], "moon")


# Episodes.


def test_flip_closes_one_position_and_opens_the_next_and_shares_its_fee_by_lots() -> None:
    facts = facts_of(a_fill_entry(1, 3, fee=300), a_fill_entry(2, -5, realized=90, fee=501, slippage=-7))
    first, second = episodes_of(facts)
    assert (1, 3, DAY_NS + 1, DAY_NS + 2) == (first.number, first.lots_max, first.opened_ns, first.closed_ns)
    assert (2, -2, DAY_NS + 2, None) == (second.number, second.lots_max, second.opened_ns, second.closed_ns)
    assert (90, 300 + 300, -4, 2, 6 * LOT) == (
        first.tally.realized, first.tally.fees, first.tally.slippage, first.tally.fills, first.tally.volume
    )  # fmt: skip
    assert (0, 201, -3, 0, 2 * LOT) == (
        second.tally.realized, second.tally.fees, second.tally.slippage, second.tally.fills, second.tally.volume
    )  # fmt: skip


def test_position_grows_shrinks_and_ends_flat() -> None:
    facts = facts_of(a_fill_entry(1, -3), a_fill_entry(2, -4), a_fill_entry(3, 2, realized=1), a_fill_entry(4, 5))
    (episode,) = episodes_of(facts)
    assert (-7, DAY_NS + 4, 4) == (episode.lots_max, episode.closed_ns, episode.tally.fills)


def test_funding_belongs_to_the_position_held_at_its_hour_even_when_it_comes_late() -> None:
    hour_ns = DAY_NS + NS_PER_HOUR
    late = an_entry(
        4, "funding", postings=(("cash", 8), ("funding:BTC", -8)), ts_ns=hour_ns + 9, funding_hour_ns=hour_ns
    )
    facts = facts_of(
        a_fill_entry(1, 1, ts_ns=hour_ns - 5),
        a_fill_entry(2, -1, ts_ns=hour_ns + 1),
        a_fill_entry(3, -1, ts_ns=hour_ns + 2),
        late,
    )
    assert [8, 0] == [episode.tally.funding for episode in episodes_of(facts)]


def test_what_no_position_can_be_blamed_for_has_a_row_of_its_own() -> None:
    funding = an_entry(1, "funding", postings=(("cash", 8), ("funding:BTC", -8)), funding_hour_ns=DAY_NS)
    facts = facts_of(funding)
    (episode,) = episodes_of(facts)
    (row,) = attribute([facts], "position")
    assert (0, 8) == (episode.number, episode.tally.funding)
    assert "BTC, no position" == row.label


def test_lots_of_an_opening_statement_are_a_position() -> None:
    opening = an_entry(1, "transfer", fact_id="opening", lots=(("BTC", 4), ("ETH", -2)))
    facts = facts_of(opening, a_fill_entry(2, -4, realized=5), positions=(("ETH", -2, -9, 33),))
    bought, sold = episodes_of(facts)
    assert ("BTC", 4, 5, DAY_NS + 2) == (bought.symbol, bought.lots_max, bought.tally.realized, bought.closed_ns)
    assert ("ETH", -2, 33, None) == (sold.symbol, sold.lots_max, sold.tally.unrealized, sold.closed_ns)


def test_position_that_is_closed_has_no_unrealized_profit() -> None:
    facts = facts_of(a_fill_entry(1, 1), a_fill_entry(2, -1, realized=2), positions=(("BTC", 9, 9, 50),))
    outside, closed = episodes_of(facts)
    assert (0, 50, 0, 2) == (outside.number, outside.tally.unrealized, closed.tally.unrealized, closed.tally.realized)


def test_correction_belongs_to_the_last_position_of_its_instrument() -> None:
    correction = an_entry(3, "correction", cause="late_fill", postings=(("position:BTC", 7), ("realized:BTC", -7)))
    facts = facts_of(a_fill_entry(1, 1), a_fill_entry(2, -1, realized=2), correction)
    (episode,) = episodes_of(facts)
    assert 9 == episode.tally.realized


def test_late_fill_that_explains_lots_moves_no_position_twice() -> None:
    unexplained = an_entry(2, "correction", cause="unexplained", lots=(("BTC", -5),))
    explained = an_entry(4, "correction", cause="explained", lots=(("BTC", 5),))
    facts = facts_of(a_fill_entry(1, 10), unexplained, a_fill_entry(3, -5, realized=6), explained)
    (episode,) = episodes_of(facts)
    assert (10, None, 6, 2) == (
        episode.lots_max, episode.closed_ns, episode.tally.realized, episode.tally.fills
    )  # fmt: skip


amounts = st.integers(-(10**15), 10**15)


@given(
    st.lists(
        st.tuples(st.integers(-5, 5).filter(bool), amounts, st.integers(-(10**9), 10**9), st.sampled_from("AB")),
        max_size=30,
    )
)
@settings(max_examples=200)
def test_every_way_of_telling_apart_adds_up(history) -> None:
    entries = [
        a_fill_entry(number, change, realized=realized, fee=fee, symbol=symbol, slippage=fee, order=str(number % 3))
        for number, (change, realized, fee, symbol) in enumerate(history, 1)
    ]
    facts = facts_of(*entries, positions=(("A", 1, 1, 17),), marks=(MarkPoint(DAY_NS + 99, 0, 0, 17, 0),))
    expected = whole([facts])
    for by in KEYS:
        assert expected == attributed_total(attribute([facts], by))
    assert sum(fee for _, _, fee, _ in history if fee > 0) == expected.fees
    lots = {symbol: sum(change for change, *_, name in history if name == symbol) for symbol in "AB"}
    still_open = {one.symbol for one in episodes_of(facts) if one.number and one.closed_ns is None}
    assert {symbol for symbol, held in lots.items() if held} == still_open


@given(st.builds(Tally, **dict.fromkeys(TALLIED, amounts)), st.integers(1, 9), st.integers(1, 9))
def test_shares_of_a_tally_add_up_to_it(tally, part, more) -> None:
    closed, opened = tally.split(part, part + more)
    assert tally == total((closed, opened))
    assert all(getattr(opened, name) == 0 for name in TALLIED if name not in SHARED)
    assert all(abs(getattr(closed, name)) <= abs(getattr(tally, name)) for name in TALLIED)


@given(st.lists(st.tuples(st.integers(1, 10**6), amounts), max_size=20), st.integers(1, 10**6))
def test_changes_of_unrealized_add_up_to_the_last_mark(steps, step_ns) -> None:
    ts_ns, marks = 0, []
    for gap, unrealized in steps:
        ts_ns += gap
        marks.append(MarkPoint(ts_ns, 0, 0, unrealized, 0))
    changes = list(unrealized_changes(marks, step_ns))
    assert (marks[-1].unrealized if marks else 0) == sum(change for _, change in changes)
    assert len({at // step_ns for at, _ in changes}) == len(changes)
