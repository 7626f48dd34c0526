"""What makes a second statement a second one, and what is told by the time at which one was asked for."""

import pytest

from domain.commands import CancelOrder, PlaceOrder, QueryAccount
from domain.events import OperatorHalted, OperatorResumed, TransferBooked
from domain.modes import Mode
from domain.notices import ModeChanged
from domain.order import Side
from domain.reasons import Reason
from engine.machine import Engine
from tests.builders import Scripted, accepted, at, canceled, fill, funding, lots, settings, top, trading_engine, usd
from tests.engine.statements import (
    BID,
    acknowledged,
    closed,
    corrections,
    found,
    may_trade,
    noted,
    pulse,
    resting,
    short_of_cash,
    told,
)
from tests.playbook import Playbook


def short_once() -> Playbook:
    """Return an engine that was told once of 100 USDC less than it knows, and has canceled its bid."""
    return resting() >> told(2, "9900") << [CancelOrder] >> canceled(1, at(2.1)) << []


def resumed(play: Playbook, halted: float, seconds: float) -> Playbook:
    """Let an operator halt and resume."""
    play >> OperatorHalted("drill", ts_event_ns=at(halted), ts_recv_ns=at(halted)) << []
    play >> OperatorResumed("over", ts_event_ns=at(seconds), ts_recv_ns=at(seconds)) << [QueryAccount]
    return play


def test_one_statement_told_twice_is_one_statement() -> None:
    play = short_once() >> told(2.2, "9900", event_seconds=2) << []

    assert corrections(play) == []
    play >> pulse(3.3) << [QueryAccount] >> told(3.4, "9900") << []
    assert len(corrections(play)) == 1


def test_answers_to_overlapping_questions_do_not_confirm_each_other() -> None:
    play = short_once() >> told(2.2, "9900") << [] >> pulse(3.5) << [QueryAccount]

    play >> told(3.6, "9900", event_seconds=2.3) << []

    assert corrections(play) == []
    play >> pulse(4.7) << [QueryAccount] >> told(4.8, "9900") << []
    assert len(corrections(play)) == 1


def test_venue_whose_time_stands_still_is_believed_when_it_was_asked_again() -> None:
    play = short_once() >> told(3.05, "9900", event_seconds=2) << []
    assert corrections(play) == []

    play >> pulse(4.1) << [QueryAccount] >> told(4.2, "9900", event_seconds=2) << []

    assert len(corrections(play)) == 1


def test_late_fill_that_a_statement_overtook_lifts_the_block_at_once() -> None:
    play = resting() >> told(2, "9000", ("BTC", "0.01", "1000")) << [CancelOrder] >> canceled(1, at(2.02)) << []

    play >> fill(0, Side.BUY, "100000", "0.01", at(1.9)) << [PlaceOrder]

    agreement = play.engine.state.agreement
    assert closed(play) == [Reason.EXPLAINED]
    assert (agreement.is_blocking, agreement.is_pending) == (False, False)
    assert (agreement.cash, agreement.positions) == (0, ())
    assert play.engine.state.mode is Mode.TRADING
    assert corrections(play) == []


def test_late_fill_while_reconciling_lifts_the_block_and_the_next_statement_opens_trading() -> None:
    play = resumed(short_of_cash() >> acknowledged(4) << [], 5, 6) >> told(6.1, "8900", ("BTC", "0.01", "1000")) << []

    play >> fill(0, Side.BUY, "100000", "0.01", at(6.05)) << [QueryAccount]
    assert closed(play) == [Reason.ACKNOWLEDGED, Reason.EXPLAINED]
    assert play.engine.state.mode is Mode.RECONCILING
    play >> told(6.3, "8900", ("BTC", "0.01", "1000")) << []

    assert play.engine.state.mode is Mode.TRADING


def test_fact_from_after_the_statement_explains_nothing_of_it() -> None:
    play = short_once()

    play >> TransferBooked("later", usd("-100"), ts_event_ns=at(2.5), ts_recv_ns=at(2.6)) << []

    assert closed(play) == []
    assert play.engine.state.agreement.cash == usd("-100")
    play >> pulse(3) << [QueryAccount] >> told(3.1, "9800") << []
    assert play.engine.state.book.unexplained == usd("-100")


def test_late_facts_that_explain_a_part_leave_the_rest_to_be_confirmed() -> None:
    play = resting() >> told(2, "8900", ("BTC", "0.01", "1000")) << [CancelOrder] >> canceled(1, at(2.1)) << []

    play >> fill(0, Side.BUY, "100000", "0.004", at(1.9)) << []

    agreement = play.engine.state.agreement
    assert (agreement.cash, agreement.positions) == (usd("-700"), (("BTC", lots("0.006")),))
    play >> fill(0, Side.BUY, "100000", "0.006", at(1.95), trade_id=2, start="0.004") << []
    assert (agreement.cash, agreement.positions) == (usd("-100"), ())
    assert closed(play) == []
    play >> pulse(3) << [QueryAccount] >> told(3.1, "8900", ("BTC", "0.01", "1000")) << []
    assert [(one.cash, one.is_booked) for one in found(play)] == [(usd("-1100"), False), (usd("-100"), True)]


def test_late_fact_that_settles_a_second_difference_leaves_the_booked_one() -> None:
    play = short_of_cash() >> told(5, "9800") << []

    play >> funding("-100", at(4.5)) << []

    agreement = play.engine.state.agreement
    assert (agreement.is_blocking, agreement.is_pending, agreement.is_booked) == (True, False, True)
    assert closed(play) == []
    play >> acknowledged(6) << []
    assert closed(play) == [Reason.ACKNOWLEDGED]


# What was acknowledged stays where it is.


def test_money_that_comes_back_after_it_was_acknowledged_is_a_difference_of_its_own() -> None:
    play = short_of_cash() >> acknowledged(4) << []

    play >> told(10, "10000") << [] >> told(12, "10000") << []

    assert play.engine.state.book.unexplained == 0
    assert closed(play) == [Reason.ACKNOWLEDGED]
    assert play.engine.state.mode is Mode.REDUCING
    play >> acknowledged(13) << []
    assert play.engine.state.mode is Mode.TRADING


def test_new_difference_is_explained_although_acknowledged_money_stands() -> None:
    play = short_of_cash() >> acknowledged(4) << [] >> told(10, "9800") << [] >> told(12, "9800") << []

    play >> TransferBooked("later", usd("-100"), ts_event_ns=at(9), ts_recv_ns=at(13)) << []

    assert play.engine.state.book.unexplained == usd("-100")
    assert closed(play) == [Reason.ACKNOWLEDGED, Reason.EXPLAINED]
    assert play.engine.state.mode is Mode.TRADING


@pytest.mark.parametrize("is_first", [True, False])
def test_late_fact_that_explains_acknowledged_money_settles_nothing_else(is_first: bool) -> None:
    """The acknowledged 100 are explained before or after another 100 are missing: those wait for their own cause."""
    play = short_of_cash() >> acknowledged(4) << []
    known = TransferBooked("known", usd("-100"), ts_event_ns=at(1.9), ts_recv_ns=at(9 if is_first else 13))
    if is_first:
        play >> known << [] >> told(10, "9800") << [] >> told(12, "9800") << []
    else:
        play >> told(10, "9800") << [] >> told(12, "9800") << [] >> known << []

    assert play.engine.state.book.unexplained == usd("-100")
    assert closed(play) == [Reason.ACKNOWLEDGED]
    assert play.engine.state.mode is Mode.REDUCING
    play >> TransferBooked("cause", usd("-100"), ts_event_ns=at(9.5), ts_recv_ns=at(14)) << []
    assert closed(play) == [Reason.ACKNOWLEDGED, Reason.EXPLAINED]


def test_acknowledged_lots_are_explained_by_a_late_fill_and_settle_nothing_else() -> None:
    held = ("BTC", "0.01", "1000")
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    play >> told(2, "9000", held) << [] >> told(3, "9000", held) << [] >> acknowledged(4) << []
    play >> told(5, "8900", held) << [] >> told(6, "8900", held) << []

    play >> fill(0, Side.BUY, "100000", "0.01", at(1.9)) << []

    book = play.engine.state.book
    assert (book.unexplained, book.unexplained_lots) == (usd("-100"), {})
    assert closed(play) == [Reason.ACKNOWLEDGED]
    assert play.engine.state.mode is Mode.REDUCING
    play >> funding("-100", at(4.5)) << []
    assert closed(play) == [Reason.ACKNOWLEDGED, Reason.EXPLAINED]


# Statements that prove nothing.


def overdue(play: Playbook) -> list[tuple[Mode, Reason]]:
    """Return the changes of mode told of."""
    return [(one.to_mode, one.reason) for one in play.seen(ModeChanged) if isinstance(one, ModeChanged)]


def test_statement_overdue_reduces_until_one_agrees() -> None:
    play = resting()
    for second in (60, 90, 120, 150):
        play >> pulse(second) << [CancelOrder, QueryAccount] if second == 60 else play >> pulse(second) << [
            QueryAccount
        ]
        if second == 60:
            play >> canceled(1, at(60.1)) << []
    assert play.engine.state.mode is Mode.TRADING

    play >> pulse(180) << [QueryAccount]

    assert overdue(play) == [(Mode.REDUCING, Reason.STATEMENT_OVERDUE)]
    assert play.engine.state.block_reason is Reason.STATEMENT_OVERDUE
    assert not may_trade(play, 180.5)
    play >> told(181, "10000") << []
    assert overdue(play)[1:] == [(Mode.TRADING, Reason.STATEMENT_AGREES)]
    assert may_trade(play, 181.5)


def test_quote_goes_when_statements_are_overdue() -> None:
    play = resting()
    for second in range(2, 180):
        play >> top("100000", "100001", at(second)) << []
        play.engine.step(pulse(second))

    play >> top("100000", "100001", at(179.5)) << [] >> pulse(180) << [CancelOrder, QueryAccount]

    assert play.engine.state.mode is Mode.REDUCING


def test_statements_that_are_always_older_than_a_fill_are_overdue() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    for number in range(1, 30):
        side, start = (Side.BUY, "0") if number % 2 else (Side.SELL, "0.00001")
        play >> fill(0, side, "100000", "0.00001", at(10 * number + 0.1), trade_id=number, start=start) << []
        play >> told(10 * number + 0.3, "5000", event_seconds=10 * number) << []

    assert overdue(play) == [(Mode.REDUCING, Reason.STATEMENT_OVERDUE)]
    assert set(noted(play)) == {Reason.FILL_WITHOUT_ORDER, Reason.STATEMENT_OUTDATED}


def test_overdue_statement_that_differs_blocks_until_that_is_settled() -> None:
    play = Playbook(trading_engine(None)) >> pulse(60) << [QueryAccount]
    play >> pulse(120) << [QueryAccount] >> pulse(180) << [QueryAccount]
    assert play.engine.state.agreement.is_overdue

    play >> told(181, "9900") << []
    assert play.engine.state.block_reason is Reason.UNEXPLAINED
    play >> pulse(182) << [QueryAccount] >> told(182.1, "9900") << [] >> acknowledged(183) << []

    assert play.engine.state.mode is Mode.TRADING


def test_nothing_is_overdue_without_an_interval_or_while_the_pulse_rests() -> None:
    play = Playbook(trading_engine(None, account_interval_ns=0)) >> pulse(1_000) << [] >> pulse(2_000) << []
    assert play.engine.state.mode is Mode.TRADING

    slow = Playbook(trading_engine(None)) >> pulse(900) << [QueryAccount] >> pulse(901) << []
    assert slow.engine.state.mode is Mode.TRADING


def test_fact_from_the_future_does_not_outdate_every_statement() -> None:
    play = resting()
    ahead = TransferBooked("ahead", usd("1"), ts_event_ns=at(3600), ts_recv_ns=at(2))

    play >> ahead << [] >> told(3, "10001") << [] >> told(4, "1") << [CancelOrder]

    assert noted(play) == []
    assert play.engine.state.mode is Mode.REDUCING


# Reconciling after a halt.


def test_acknowledgement_while_reconciling_asks_for_the_account_before_anything_trades() -> None:
    play = resumed(short_of_cash(), 5, 6) >> told(6.1, "9900") << []

    play >> acknowledged(401) << [QueryAccount]
    assert play.engine.state.mode is Mode.RECONCILING
    play >> told(401.1, "9900") << []

    assert play.engine.state.mode is Mode.TRADING


def test_account_is_asked_for_again_while_a_person_is_awaited() -> None:
    play = resumed(short_of_cash(), 5, 6) >> told(6.1, "9900") << []

    play >> pulse(36) << [] >> pulse(36.1) << [QueryAccount] >> told(36.2, "9900") << []
    play >> pulse(66.2) << [QueryAccount]

    assert play.engine.state.mode is Mode.RECONCILING


def test_statement_from_before_the_resume_does_not_complete_reconciliation() -> None:
    play = resumed(short_of_cash() >> acknowledged(4) << [], 5, 7)

    play >> told(7.1, "9900", event_seconds=4) << []

    assert play.engine.state.mode is Mode.RECONCILING
    assert noted(play) == [Reason.STATEMENT_OUTDATED]
    play >> pulse(8.1) << [QueryAccount] >> told(8.2, "9900") << []
    assert play.engine.state.mode is Mode.TRADING


def test_venue_whose_clock_is_behind_reconciles_with_the_answer_to_a_second_question() -> None:
    play = resumed(short_of_cash() >> acknowledged(4) << [], 500, 600)

    play >> told(600.1, "9900", event_seconds=590) << [] >> told(600.2, "9900", event_seconds=590.1) << []
    assert play.engine.state.mode is Mode.RECONCILING
    play >> pulse(601.2) << [QueryAccount] >> told(601.3, "9900", event_seconds=591.2) << []

    assert play.engine.state.mode is Mode.TRADING


@pytest.mark.parametrize("cut", range(1, 14))
def test_restored_engine_goes_on_alike_whatever_was_settled(cut: int) -> None:
    facts = [
        top("100000", "100001", at(1)),
        accepted(1, at(1.1)),
        told(2, "9900"),
        told(2.2, "9900", event_seconds=2),
        pulse(3),
        told(3.1, "9900"),
        acknowledged(4),
        OperatorHalted("drill", ts_event_ns=at(5), ts_recv_ns=at(5)),
        OperatorResumed("over", ts_event_ns=at(6), ts_recv_ns=at(6)),
        told(6.1, "9900", event_seconds=5),
        pulse(7.2),
        told(7.3, "9800"),
        TransferBooked("late", usd("-100"), ts_event_ns=at(7), ts_recv_ns=at(8)),
        told(9, "9800"),
        pulse(300),
    ]
    whole, first = trading_engine(BID), trading_engine(BID)
    expected = [command for fact in facts for command in whole.step(fact).commands]
    commands = [command for fact in facts[:cut] for command in first.step(fact).commands]
    second = Engine(settings(), Scripted(BID))
    second.state.restore(first.state.snapshot())

    commands += [command for fact in facts[cut:] for command in second.step(fact).commands]

    assert commands == expected
    assert second.state.digest() == whole.state.digest()
