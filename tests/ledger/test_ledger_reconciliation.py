"""The ledger against the venue: what differs, which facts explain it, and what nobody explains."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.errors import DataInvalid
from domain.order import Side
from domain.units import NS_PER_HOUR, format_money
from ledger.equity_bridge import account_value_of
from ledger.reconciliation import How, What, effect_of, reconcile
from tests.ledger.ledger_builders import BTC, LOT, PRICE, START_NS, a_fill, a_funding, a_transfer, usdc
from tests.ledger.two_sides import OPENED_NS, an_open_order, side_of, venue_of

BUY = a_fill(10, trade_id=1, fee=3)
SELL = a_fill(4, side=Side.SELL, trade_id=2, fee=1, ts_ns=START_NS + 5, start_position=10)
PAID = a_funding(-700, hour=1)
DEPOSIT = a_transfer(usdc(5), ts_ns=START_NS + 7)
FACTS = (BUY, SELL, PAID, DEPOSIT)


def kinds(found):
    return [(one.what, one.how, one.subject) for one in found.discrepancies]


def test_two_sides_told_the_same_agree_and_nothing_is_unexplained() -> None:
    order = an_open_order()
    found = reconcile(side_of(*FACTS, orders=[order]), venue_of(*FACTS, open_orders=(order,)))

    assert found.is_agreed
    assert (0, {}) == (found.unexplained_cash, found.unexplained_lots)
    assert (4, 1) == (found.facts_compared, found.orders_compared)
    assert found.bridge.residual == 0


def test_fill_the_ledger_was_never_told_explains_cash_and_position_to_the_last_unit() -> None:
    found = reconcile(side_of(BUY, PAID, DEPOSIT), venue_of(*FACTS))

    name = f"BTC/2/{START_NS + 5}"
    assert kinds(found) == [
        (What.CASH, How.DIFFERS, "USDC"),
        (What.POSITION, How.DIFFERS, "BTC"),
        (What.FILL, How.NOT_IN_LEDGER, name),
    ]
    assert (0, {}) == (found.unexplained_cash, found.unexplained_lots)
    cash, position, fill = found.discrepancies
    assert cash.explained_by == position.explained_by == (f"fill {name}",)
    assert "explained to the last unit by fill" in cash.explanation
    assert ("0.0001", "0.00006") == (position.ledger, position.venue)
    assert fill.ledger == "nothing"
    assert fill.venue.startswith("sell 0.00004 BTC at 50000, fee 0.00000001")
    assert fill.explanation.endswith("it explains +1.99999999 USDC and -0.00004 BTC")
    assert fill.sentence.startswith(f"fill {name} not in the ledger: ledger nothing, venue sell 0.00004 BTC")


def test_fact_the_venue_does_not_know_explains_the_difference_the_other_way_round() -> None:
    found = reconcile(side_of(*FACTS), venue_of(BUY, SELL))

    assert kinds(found) == [
        (What.CASH, How.DIFFERS, "USDC"),
        (What.FUNDING, How.NOT_AT_VENUE, f"BTC/{START_NS + NS_PER_HOUR}"),
        (What.TRANSFER, How.NOT_AT_VENUE, "deposit-1"),
    ]
    assert found.unexplained_cash == 0
    assert found.discrepancies[0].explained_by == (f"funding BTC/{START_NS + NS_PER_HOUR}", "transfer deposit-1")


def test_other_fee_explains_exactly_the_cash_it_moved() -> None:
    found = reconcile(side_of(*FACTS), venue_of(replace(BUY, fee=8), SELL, PAID, DEPOSIT))

    assert kinds(found)[1] == (What.FILL, How.DIFFERS, f"BTC/1/{START_NS}")
    assert found.unexplained_cash == 0
    assert found.discrepancies[1].explanation == "both know it, with other terms; it explains -0.00000005 USDC"


def test_same_money_for_another_order_is_a_difference_that_explains_no_money() -> None:
    found = reconcile(side_of(*FACTS), venue_of(replace(BUY, client_order_id=""), SELL, PAID, DEPOSIT))

    assert kinds(found) == [(What.FILL, How.DIFFERS, f"BTC/1/{START_NS}")]
    assert found.discrepancies[0].explanation.endswith("it explains no money")


def test_money_and_lots_no_fact_accounts_for_are_unexplained() -> None:
    found = reconcile(side_of(*FACTS), venue_of(*FACTS, more_cash=-usdc(12), more_lots={"ETH": 3}))

    assert (-usdc(12), {"ETH": 3}) == (found.unexplained_cash, found.unexplained_lots)
    assert "no fact explains -12 USDC of it" in found.discrepancies[0].explanation
    assert kinds(found)[1] == (What.POSITION, How.DIFFERS, "ETH")
    assert "no fact explains +0.0003 ETH of it" in found.discrepancies[1].explanation


def test_fact_that_explains_a_part_leaves_the_rest_unexplained() -> None:
    found = reconcile(side_of(*FACTS[:3]), venue_of(*FACTS, more_cash=-usdc(1)))

    assert found.unexplained_cash == -usdc(1)
    assert "transfer deposit-1 explains all but -1 USDC" in found.discrepancies[0].explanation


def test_what_the_ledger_holds_in_suspense_is_agreed_but_stays_unexplained() -> None:
    book = side_of(*FACTS)
    cash = book.cash - usdc(2)
    held = replace(book, balances={**book.balances, "cash": cash, "unexplained": usdc(2)}, suspended_cash=-usdc(2))
    found = reconcile(held, venue_of(*FACTS, more_cash=-usdc(2)))

    assert found.is_agreed
    assert (-usdc(2), -usdc(2)) == (found.unexplained_cash, found.suspended_cash)
    assert (found.bridge.unexplained, found.bridge.residual) == (-usdc(2), 0)


def test_missing_fact_found_later_explains_what_stands_in_suspense() -> None:
    ours = side_of(BUY, PAID, DEPOSIT)
    cash = 4 * LOT - 1
    held = replace(
        ours,
        balances={**ours.balances, "cash": ours.cash + cash},
        positions={"BTC": 6},
        suspended_cash=cash,
        suspended_lots={"BTC": -4},
    )
    found = reconcile(held, venue_of(*FACTS))

    assert kinds(found) == [(What.FILL, How.NOT_IN_LEDGER, f"BTC/2/{START_NS + 5}")]
    assert (0, {}) == (found.unexplained_cash, found.unexplained_lots)


def test_gap_that_equals_the_suspense_says_so() -> None:
    """The venue took back what it had put in without a word: the correction is what is wrong now."""
    ours = side_of(*FACTS)
    held = replace(ours, balances={**ours.balances, "cash": ours.cash + 50}, suspended_cash=50)
    found = reconcile(held, venue_of(*FACTS))

    assert found.unexplained_cash == 0
    assert "explained to the last unit by what the ledger holds as unexplained" in found.discrepancies[0].explanation


def test_statement_that_contradicts_itself_by_more_than_rounding_is_told() -> None:
    honest = venue_of(*FACTS)
    value = account_value_of(honest)

    assert reconcile(side_of(*FACTS), replace(honest, account_value=value + 200)).is_agreed
    assert reconcile(side_of(*FACTS), replace(honest, account_value=value + 201, marks={})).is_agreed
    strange = replace(honest, account_value=value + 201)
    (found,) = reconcile(side_of(*FACTS), strange).discrepancies
    assert (found.what, found.ledger, found.venue) == (*(What.VALUE, format_money(value), format_money(value + 201)),)
    assert found.explanation == (
        f"the statement's own cash, positions and marks add up to {format_money(value)}: "
        "it contradicts itself by +0.00000201 USDC, more than its rounding"
    )
    poorer = reconcile(side_of(*FACTS[:3]), strange)
    (told,) = [one for one in poorer.discrepancies if one.what is What.VALUE]
    assert told.ledger == format_money(value - usdc(5)), "the ledger's own value, not the statement's"


def test_several_facts_that_explain_a_part_are_all_named() -> None:
    found = reconcile(side_of(BUY, PAID), venue_of(*FACTS, more_cash=-usdc(1)))

    assert (
        f"fill BTC/2/{START_NS + 5}, transfer deposit-1 explain all but -1 USDC" in found.discrepancies[0].explanation
    )


def test_facts_before_the_lists_begin_and_inside_the_opening_are_not_compared() -> None:
    early = a_fill(5, trade_id=9, ts_ns=OPENED_NS)
    venue = venue_of(*FACTS)
    assert reconcile(side_of(*FACTS), replace(venue, fills=(early, *venue.fills))).is_agreed

    cut = replace(venue, complete_since_ns=START_NS + 6, fills=(), transfers=venue.transfers)
    found = reconcile(side_of(*FACTS), cut)
    assert found.is_agreed
    assert found.facts_compared == 2


def test_what_the_statement_does_not_reach_back_to_is_counted_by_kind() -> None:
    side = replace(
        side_of(BUY, PAID, DEPOSIT), totals={"fill": 7, "funding": 1, "transfer": 1}, facts_newer=3, newest_ns=9
    )
    found = reconcile(side, venue_of(*FACTS))

    assert found.compared == {"fill": (2, 8), "funding": (1, 1), "transfer": (1, 1)}
    assert (found.facts_newer, found.newest_ns, found.complete_since_ns) == (3, 9, 0)


def test_fact_of_after_the_statement_is_not_compared() -> None:
    late = a_fill(5, trade_id=9, ts_ns=venue_of().ts_ns + 1)
    venue = venue_of(*FACTS)

    assert reconcile(side_of(*FACTS), replace(venue, fills=(*venue.fills, late))).is_agreed


def test_orders_are_compared_by_name_terms_and_what_is_left() -> None:
    ours = [an_open_order(1), an_open_order(2), an_open_order(4)]
    theirs = (an_open_order(1), an_open_order(2, leaves=6), an_open_order(3), an_open_order(5, is_named=False))
    found = reconcile(side_of(*FACTS, orders=ours), venue_of(*FACTS, open_orders=theirs))

    assert [(one.how, one.ledger, one.venue) for one in found.discrepancies] == [
        (How.DIFFERS, "buy 0.0001 BTC at 50000", "buy 0.00006 BTC at 50000"),
        (How.NOT_IN_LEDGER, "nothing", "buy 0.0001 BTC at 50000"),
        (How.NOT_AT_VENUE, "buy 0.0001 BTC at 50000", "nothing"),
        (How.NOT_IN_LEDGER, "nothing", "buy 0.0001 BTC at 50000"),
    ]
    assert found.discrepancies[-1].subject == "number 905"
    assert found.orders_compared == 5


def test_order_whose_answer_was_on_the_way_is_passed_over() -> None:
    name = an_open_order(3).client_order_id
    assert reconcile(side_of(*FACTS, possible=[name]), venue_of(*FACTS, open_orders=(an_open_order(3),))).is_agreed


def test_statement_that_is_silent_about_orders_says_nothing_about_them() -> None:
    found = reconcile(side_of(*FACTS, orders=[an_open_order()]), venue_of(*FACTS))

    assert (True, None) == (found.is_agreed, found.orders_compared)


def test_instrument_nobody_described_is_counted_in_lots() -> None:
    found = reconcile(
        side_of(*FACTS), venue_of(*FACTS, more_lots={"NEW": 12}, open_orders=(an_open_order(symbol="NEW"),))
    )

    assert found.unexplained_lots == {"NEW": 12}
    assert found.discrepancies[0].venue == "12 lots"
    assert found.discrepancies[1].venue == f"buy 10 lots NEW at {PRICE} units"


def test_statement_with_other_decimals_is_refused_because_lots_are_not_comparable() -> None:
    with pytest.raises(DataInvalid, match="BTC has 2 price and 3 size decimals, in the ledger 1 and 5"):
        reconcile(side_of(), venue_of(decimals={"BTC": (2, 3)}))


AMOUNTS = st.integers(-(10**9), 10**9)
FILLS = st.builds(
    lambda number, lots, side, price, fee, symbol: a_fill(
        lots, side=side, price=price, fee=fee, trade_id=number, symbol=symbol, ts_ns=START_NS + number
    ),
    st.integers(1, 10**6),
    st.integers(1, 500),
    st.sampled_from(Side),
    st.integers(1, 2 * PRICE),
    st.integers(-(10**6), 10**6),
    st.sampled_from(["BTC", "ETH"]),
)
FUNDINGS = st.builds(lambda amount, hour: a_funding(amount, hour=hour), AMOUNTS, st.integers(1, 90))
TRANSFERS = st.builds(
    lambda amount, number: a_transfer(amount, transfer_id=f"t-{number}", ts_ns=START_NS + number),
    AMOUNTS,
    st.integers(0, 99),
)


def identity(fact):
    return (
        type(fact),
        getattr(fact, "trade_id", None),
        getattr(fact, "hour_ns", None),
        getattr(fact, "transfer_id", None),
    )


@given(
    st.lists(st.one_of(FILLS, FUNDINGS, TRANSFERS), max_size=12, unique_by=identity),
    st.data(),
    st.integers(-(10**9), 10**9),
    st.dictionaries(st.sampled_from(["BTC", "ETH"]), st.integers(-50, 50)),
)
def test_lost_facts_and_untold_money_are_told_apart_to_the_last_unit(facts, data, cash, lots) -> None:
    """Law 1: whichever facts either side lacks, the unexplained is exactly what no fact moved."""
    ours = [fact for fact in facts if data.draw(st.booleans())]
    theirs = [fact for fact in facts if fact in ours and data.draw(st.booleans())]
    theirs += [fact for fact in facts if fact not in ours]
    found = reconcile(side_of(*ours), venue_of(*theirs, more_cash=cash, more_lots=lots))

    assert found.unexplained_cash == cash
    assert found.unexplained_lots == {symbol: value for symbol, value in lots.items() if value}
    lacking = [fact for fact in facts if (fact in ours) != (fact in theirs)]
    named = [one for one in found.discrepancies if one.what in {What.FILL, What.FUNDING, What.TRANSFER}]
    assert len(lacking) == len(named)
    bridge = found.bridge
    told = bridge.realized + bridge.unrealized_change + bridge.funding - bridge.fees + bridge.rebates
    assert bridge.closing == told + bridge.transfers + bridge.unexplained + bridge.residual


def test_effect_of_a_buy_is_cash_out_and_lots_in() -> None:
    assert (-10 * LOT - 3, "BTC", 10) == effect_of(BUY, BTC.money_per_unit)
    assert (-700, "BTC", 0) == effect_of(PAID, BTC.money_per_unit)
    assert (usdc(5), "", 0) == effect_of(DEPOSIT, 0)
