"""Harm under a forged chain: every hash fits again, and what no longer adds up is found all the same."""

import pytest
from sqlalchemy import text

from ledger.audit import audit
from tests.ledger.audit_ground import rechained, sentences, sequence_of


def test_forged_chain_without_other_harm_is_what_it_was(connection):
    rechained(connection)
    assert [] == sentences(audit(connection))


@pytest.mark.parametrize(
    ("kind", "harm", "said"),
    [
        ("fill", "UPDATE postings SET amount = amount + 1 WHERE sequence = :at AND account = 'cash'",
         "transactions {at}: its postings sum to 0.00000001 (expected 0)"),
        ("fill", "UPDATE fills SET price = price + 1 WHERE sequence = :at", "fills {at}: notional is"),
        ("fill", "UPDATE fills SET fee = fee + 7 WHERE sequence = :at", "postings {at}: cash moved by"),
        ("fill", "UPDATE fills SET realized = realized + 7 WHERE sequence = :at", "fills {at}: realized is"),
        ("fill", "UPDATE fills SET position_after = 4444 WHERE sequence = :at", "fills {at}: position_after is 4444"),
        ("fill", "UPDATE fills SET trade_id = 4444 WHERE sequence = :at", "fills {at}: identity is"),
        ("fill", "UPDATE fills SET cause = 'liquidation' WHERE sequence = :at", "fills {at}: cause is liquidation"),
        ("fill", "UPDATE fills SET ts_event_ns = 4 WHERE sequence = :at", "fills {at}: ts_event_ns is 4"),
        ("fill", "UPDATE fills SET start_position = start_position + 3 WHERE sequence = :at", "executions of +3 lots are"),
        ("fill", "DELETE FROM fills WHERE sequence = :at", "transactions {at}: fill"),
        ("fill", "UPDATE postings SET account = 'bank' WHERE sequence = :at AND account = 'cash'",
         "postings {at}: no account of this run is called 'bank'"),
        ("fill", "UPDATE postings SET account = 'fees:SOL' WHERE sequence = :at AND account LIKE 'fees:%'",
         "postings {at}: no account of this run is called 'fees:SOL'"),
        ("fill", "UPDATE fills SET symbol = 'SOL' WHERE sequence = :at", "fills {at}: symbol is SOL"),
        ("liquidation", "UPDATE postings SET account = 'realized:BTC' WHERE sequence = :at AND account LIKE 'liq%'",
         "postings {at}: liquidation:BTC moved by 0"),
        ("funding", "UPDATE funding SET amount = amount + 5 WHERE sequence = :at", "postings {at}: cash moved by"),
        ("funding", "UPDATE funding SET position = position + 5 WHERE sequence = :at", "although"),
        ("funding", "UPDATE funding SET hour_ns = hour_ns + 360000000000000 WHERE sequence = :at", "its transaction books"),
        ("funding", "DELETE FROM funding WHERE sequence = :at", "stands without its settlement"),
        ("transfer", "UPDATE postings SET account = 'unexplained' WHERE sequence = :at AND account <> 'cash'",
         "transfers is"),
        ("transfer", "UPDATE postings SET amount = 2 * amount WHERE sequence = :at", "cash is"),
    ],
)  # fmt: skip
def test_harm_under_a_forged_chain_is_found_by_what_no_longer_adds_up(connection, kind, harm, said):
    at = sequence_of(connection, kind)[0]
    if "fees:%" in harm:
        at = connection.execute(text("SELECT MIN(sequence) FROM postings WHERE account LIKE 'fees:%'")).scalar_one()
    connection.execute(text(harm), {"at": at})
    rechained(connection)
    found = sentences(audit(connection))
    assert any(said.format(at=at) in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE transactions SET evidence = '' WHERE cause = 'late_fill'", "a correction without evidence"),
        ("UPDATE adjustments SET lots = lots + 1", "lots, fills and adjustments sum to"),
        ("UPDATE marks SET net = net + 1 WHERE link = 5", "its parts sum to"),
        ("UPDATE marks SET equity = equity + 1 WHERE link = 5", "transfers, unexplained and net sum to"),
        ("UPDATE marks SET fees = fees + 1 WHERE link = 5", "fees is"),
        ("UPDATE marks SET slippage = slippage + 1 WHERE link = 5", "slippage is"),
        ("UPDATE marks SET unexplained = unexplained + 1 WHERE link = 5", "unexplained is"),
        ("UPDATE marks SET position_count = 9 WHERE link = (SELECT MAX(link) FROM marks)", "counts 9 positions"),
        ("UPDATE markouts SET ts_ns = ts_ns - 1 WHERE horizon_ns = 1000000000", "999999999 ns after its fill"),
        ("UPDATE transitions SET from_state = 'open' WHERE link = 1", "leaves state open, but its order was idle"),
        ("UPDATE positions SET cost = cost + 1", "its postings sum to"),
        ("UPDATE positions SET unrealized = unrealized + 1", "the youngest mark says"),
        ("UPDATE positions SET ts_ns = ts_ns + 1", "not of the youngest mark"),
        ("DELETE FROM positions", "the row is missing: fills and adjustments sum to"),
        ("DELETE FROM marks", "not of the youngest mark"),
        ("UPDATE instruments SET size_decimals = 9", "notional is"),
        ("UPDATE orders SET filled_lots = 3 WHERE filled_lots = 10", "filled_lots is 3, its fills sum to 10"),
        ("DELETE FROM transitions WHERE client_order_id LIKE '%05'", "has no move of its own"),
    ],
)  # fmt: skip
def test_harm_to_tables_under_a_forged_chain_is_found(connection, harm, said):
    connection.execute(text(harm))
    rechained(connection)
    found = sentences(audit(connection))
    assert any(said in sentence for sentence in found), found


def test_mark_that_is_off_is_told_once_and_not_again_by_every_later_mark(connection):
    for harm in (
        "UPDATE postings SET amount = 2 * amount WHERE sequence = 1",
        "UPDATE marks SET fees = 5 WHERE link = 3",
    ):
        point = connection.begin_nested()
        connection.execute(text(harm))
        rechained(connection)
        assert 1 == len([one for one in audit(connection) if "what was booked until then" in one.problem])
        point.rollback()
