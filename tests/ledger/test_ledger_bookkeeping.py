"""Which accounts each family of facts touches."""

import pytest

from domain.errors import LedgerUnbalanced
from domain.order import FillCause, Side
from domain.transaction import CorrectionCause, FactKind
from ledger.accounts import accounts_of
from ledger.bookkeeping import FILL_KINDS, fill_transaction
from tests.ledger.ledger_builders import LOT, PRICE, START_NS, a_book, a_fill, a_funding, a_statement, a_transfer, usdc


def lines(transaction):
    return {posting.account: posting.amount for posting in transaction.postings}


def test_buying_moves_cash_into_the_position():
    done = a_book().book_fill(a_fill(10, trade_id=5, fee=300))
    assert {"cash": -10 * LOT - 300, "position:BTC": 10 * LOT, "fees:BTC": 300} == lines(done.transaction)
    assert (FactKind.FILL, f"BTC/5/{START_NS}") == (done.transaction.kind, done.transaction.fact_id)


def test_rebate_is_not_a_fee():
    done = a_book().book_fill(a_fill(10, fee=-100))
    assert {"cash": -10 * LOT + 100, "position:BTC": 10 * LOT, "rebates:BTC": -100} == lines(done.transaction)


def test_selling_what_we_hold_realizes_the_gain():
    book = a_book()
    book.book_fill(a_fill(10))
    done = book.book_fill(a_fill(4, side=Side.SELL, price=510_000, trade_id=2))
    gain = 4 * 10_000 * 100
    assert {"cash": 4 * LOT + gain, "position:BTC": -4 * LOT, "realized:BTC": -gain} == lines(done.transaction)
    assert (gain, 4 * LOT + gain, 6) == (done.realized, done.notional, done.position_after)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (FillCause.ORDER, FactKind.FILL),
        (FillCause.LIQUIDATION, FactKind.LIQUIDATION),
        (FillCause.DELEVERAGING, FactKind.DELEVERAGING),
    ],
)
def test_what_the_venue_closed_is_a_kind_of_its_own(cause, kind):
    done = a_book().book_fill(a_fill(10, order=0, cause=cause, evidence="0xabc"))
    assert (kind, "", "0xabc") == (done.transaction.kind, done.transaction.client_order_id, done.transaction.evidence)
    assert len(FillCause) == len(FILL_KINDS)


@pytest.mark.parametrize("cause", [FillCause.LIQUIDATION, FillCause.DELEVERAGING])
def test_what_the_venue_closed_realizes_on_an_account_of_its_own(cause):
    book = a_book()
    book.book_fill(a_fill(10))
    done = book.book_fill(a_fill(10, side=Side.SELL, price=PRICE - 10_000, order=0, cause=cause, trade_id=2))
    loss = 10 * 10_000 * 100
    assert {"cash": 10 * LOT - loss, "position:BTC": -10 * LOT, "liquidation:BTC": loss} == lines(done.transaction)
    for totals in (book.totals({}), book.totals_of("BTC", {})):
        assert (-loss, -loss, -loss) == (totals.realized, totals.liquidation, totals.net)
    book.book_fill(a_fill(1, trade_id=3))
    book.book_fill(a_fill(1, side=Side.SELL, price=PRICE + 5, trade_id=4))
    assert (500 - loss, -loss) == (book.totals({}).realized, book.totals_of("BTC", {}).liquidation)
    book.verify({})


def test_funding_received_is_cash_in():
    booked = a_book().book_funding(a_funding(700, hour=3)).transaction
    assert {"cash": 700, "funding:BTC": -700} == lines(booked)
    assert FactKind.FUNDING is booked.kind


def test_funding_of_nothing_is_booked_without_postings():
    assert () == a_book().book_funding(a_funding(0)).transaction.postings


def test_withdrawal_is_cash_out():
    booked = a_book().book_transfer(a_transfer(-usdc(5), transfer_id="w")).transaction
    assert {"cash": -usdc(5), "transfers": usdc(5)} == lines(booked)


def test_opening_brings_cash_and_positions_at_cost():
    booked = a_book(cash=0).book_opening(a_statement(usdc(100), ("BTC", 10, 10 * LOT), ("ETH", -2, -900)))
    assert {
        "cash": usdc(100), "position:BTC": 10 * LOT, "position:ETH": -900, "transfers": -(usdc(100) + 10 * LOT - 900)
    } == lines(booked)  # fmt: skip
    assert (("BTC", 10), ("ETH", -2)) == booked.lots
    assert "statement of the venue: cash 100, BTC 10 lots, ETH -2 lots" == booked.evidence


def test_facts_of_ours_are_no_corrections():
    book = a_book()
    for transaction in (
        book.book_fill(a_fill(10)).transaction,
        book.book_funding(a_funding(1)).transaction,
        book.book_transfer(a_transfer(1)).transaction,
    ):
        assert (CorrectionCause.NONE, ()) == (transaction.cause, transaction.lots)


def test_fill_whose_profit_does_not_explain_the_cash_is_refused():
    with pytest.raises(LedgerUnbalanced):
        fill_transaction(1, a_fill(10), "x", accounts_of("BTC"), 10 * LOT, 10 * LOT, 1)
