"""A run cut at the ends of a period: what its marks say beyond its postings, and what midnight divides."""

from msgspec.structs import replace

from domain.units import NS_PER_DAY, NS_PER_SECOND
from ledger.attribution import attribute
from ledger.cut_run import residual_at
from ledger.entries import total
from ledger.period_statement import period_statement
from ledger.periods import period_at
from tests.ledger.ledger_days import DAY_NS
from tests.ledger.ledger_entries import LOT, a_fill_entry, a_mark, facts_of, opening

DAYS = tuple(period_at("day", DAY_NS + day * NS_PER_DAY) for day in range(2))
WEEK = period_at("week", DAY_NS)


def test_what_a_markout_shows_after_midnight_is_the_next_days() -> None:
    shape = {"decision_mid_x2": 2, "arrival_mid_x2": 2, "fill_mid_x2": 2}
    midnight = DAYS[1].start_ns
    fill = a_fill_entry(2, 1, ts_ns=midnight - NS_PER_SECOND)
    horizons = {NS_PER_SECOND: 4, 10 * NS_PER_SECOND: 10}
    taken = {NS_PER_SECOND: midnight - 1, 10 * NS_PER_SECOND: midnight + 9}
    shown = replace(fill, fill=replace(fill.fill, **shape, markouts=horizons, markouts_ns=taken))
    facts = facts_of(opening(1, 100, DAY_NS + 1), shown)
    one, two, week = (period_statement(period, [facts], {}, []) for period in (*DAYS[:2], WEEK))
    assert (LOT, 0, 1) == (one.tally.adverse_1s, one.tally.adverse_10s, one.tally.fills)
    assert (0, 3 * LOT, 0) == (two.tally.adverse_1s, two.tally.adverse_10s, two.tally.fills)
    assert week.tally == total((one.tally, two.tally)) == total(step.tally for step in week.steps)
    assert [one.tally, two.tally] == [row.tally for row in attribute([facts], "day")]
    assert (("BTC", two.tally),) == two.instruments


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
