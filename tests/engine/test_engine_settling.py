"""How a difference to the venue is settled: by a statement that agrees, by facts that explain it, or by a person."""

from domain.commands import CancelOrder, PlaceOrder, QueryAccount
from domain.events import (
    LedgerCaughtUp,
    LedgerFellBehind,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    TransferBooked,
)
from domain.modes import Mode
from domain.notices import (
    FillBooked,
    ModeChanged,
    TransactionPosted,
)
from domain.order import Side
from domain.reasons import Reason
from domain.transaction import CorrectionCause
from tests.builders import (
    at,
    canceled,
    fill,
    funding,
    lots,
    top,
    trading_engine,
    usd,
)
from tests.engine.statements import (
    acknowledged,
    closed,
    corrections,
    may_trade,
    noted,
    pulse,
    resting,
    short_of_cash,
    told,
)
from tests.playbook import Playbook


def test_statement_that_agrees_again_lifts_the_block_by_itself() -> None:
    play = resting() >> told(2, "9900") << [CancelOrder] >> canceled(1, at(2.1)) << []

    play >> told(3, "10000") << []

    assert closed(play) == [Reason.STATEMENT_AGREES]
    assert play.engine.state.mode is Mode.TRADING
    assert corrections(play) == []
    assert may_trade(play, 4)


def test_statements_after_the_booking_agree_and_lift_nothing() -> None:
    play = short_of_cash()

    play >> told(5, "9900") << []

    assert closed(play) == []
    assert play.engine.state.mode is Mode.REDUCING


def test_person_who_acknowledges_sets_the_bot_trading_again() -> None:
    play = short_of_cash()

    play >> acknowledged(4) << []

    assert closed(play) == [Reason.ACKNOWLEDGED]
    assert play.engine.state.mode is Mode.TRADING
    assert play.engine.state.book.unexplained == usd("-100")
    (change,) = play.seen(ModeChanged)[-1:]
    assert isinstance(change, ModeChanged)
    assert (change.to_mode, change.reason, change.detail) == (Mode.TRADING, Reason.ACKNOWLEDGED, "seen with the venue")
    assert may_trade(play, 5)


def test_acknowledgement_before_the_second_statement_changes_nothing() -> None:
    play = resting() >> told(2, "9900") << [CancelOrder]

    play >> acknowledged(2.5) << []

    assert noted(play) == [Reason.NOTHING_TO_ACKNOWLEDGE]
    assert play.engine.state.mode is Mode.REDUCING


def test_acknowledgement_of_nothing_changes_nothing() -> None:
    play = resting() >> acknowledged(2) << []

    assert noted(play) == [Reason.NOTHING_TO_ACKNOWLEDGE]
    assert play.engine.state.mode is Mode.TRADING


def test_difference_on_top_of_a_booked_one_keeps_the_block_until_both_are_settled() -> None:
    play = short_of_cash()

    play >> told(5, "9800") << [] >> acknowledged(5.5) << []
    assert noted(play) == [Reason.NOTHING_TO_ACKNOWLEDGE]
    play >> told(6, "9800") << []
    assert play.engine.state.book.unexplained == usd("-200")
    play >> acknowledged(7) << []

    assert closed(play) == [Reason.ACKNOWLEDGED]
    assert play.engine.state.mode is Mode.TRADING


def test_two_false_statements_are_undone_by_two_true_ones() -> None:
    play = short_of_cash() >> told(5, "10000") << [] >> told(6, "10000") << []

    assert closed(play) == [Reason.EXPLAINED]
    assert play.engine.state.book.unexplained == 0
    assert play.engine.state.mode is Mode.TRADING


def test_late_transfer_explains_the_difference_and_lifts_the_block() -> None:
    play = short_of_cash()
    drawdown = play.engine.state.drawdown.drawdown

    play >> TransferBooked("withdrawal", usd("-100"), ts_event_ns=at(1.9), ts_recv_ns=at(4)) << []

    book = play.engine.state.book
    assert closed(play) == [Reason.EXPLAINED]
    assert (book.cash, book.unexplained, book.transfers) == (usd("9900"), 0, usd("9900"))
    assert [one.cause for one in corrections(play)] == [CorrectionCause.UNEXPLAINED, CorrectionCause.EXPLAINED]
    assert play.engine.state.mode is Mode.TRADING
    assert play.engine.state.drawdown.drawdown == drawdown


def test_late_funding_explains_the_difference_and_counts_as_a_loss_of_the_day() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << [] >> pulse(1.5) << []
    play >> told(2, "9900") << [] >> told(3, "9900") << [] >> pulse(3.5) << []
    assert play.engine.state.drawdown.loss_today == 0

    play >> funding("-100", at(1.9)) << [] >> pulse(4.5) << []

    assert closed(play) == [Reason.EXPLAINED]
    assert play.engine.state.book.cash == usd("9900")
    assert play.engine.state.drawdown.loss_today == usd("100")


def test_late_fill_explains_the_position_it_made() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    with_position = ("BTC", "0.01", "1000")
    play >> told(2, "9000", with_position) << [] >> told(3, "9000", with_position) << []
    assert play.engine.state.book.unexplained_lots == {"BTC": lots("0.01")}

    play >> fill(0, Side.BUY, "100000", "0.01", at(1.9)) << []

    book = play.engine.state.book
    assert closed(play) == [Reason.EXPLAINED]
    assert (book.position_lots("BTC"), book.cash, book.unexplained) == (lots("0.01"), usd("9000"), 0)
    assert book.unexplained_lots == {}
    kinds = [type(one) for one in play.notices[-6:]]
    assert kinds[:3] == [TransactionPosted, FillBooked, TransactionPosted]
    assert Reason.FILL_CHAIN_BROKEN not in noted(play)


def test_fact_that_explains_only_a_part_lifts_nothing() -> None:
    play = short_of_cash()

    play >> TransferBooked("withdrawal", usd("-60"), ts_event_ns=at(1.9), ts_recv_ns=at(4)) << []

    assert play.engine.state.book.unexplained == usd("-40")
    assert closed(play) == []
    play >> TransferBooked("more", usd("-40"), ts_event_ns=at(1.95), ts_recv_ns=at(5)) << []
    assert closed(play) == [Reason.EXPLAINED]


def test_facts_that_explain_what_was_booked_leave_the_block_of_a_newer_difference() -> None:
    play = short_of_cash() >> told(5, "9800") << []

    play >> TransferBooked("withdrawal", usd("-100"), ts_event_ns=at(1.9), ts_recv_ns=at(5.5)) << []

    assert play.engine.state.book.unexplained == 0
    assert closed(play) == []
    assert play.engine.state.mode is Mode.REDUCING
    play >> told(6, "9900") << []
    assert closed(play) == [Reason.STATEMENT_AGREES]
    assert play.engine.state.mode is Mode.TRADING


def test_money_that_comes_unexplained_is_neither_profit_nor_a_new_peak() -> None:
    play = resting() >> pulse(1.5) << []

    play >> told(2, "20000") << [CancelOrder] >> canceled(1, at(2.1)) << [] >> told(3, "20000") << []
    play >> pulse(3.5) << [] >> told(4, "10000") << [] >> told(5, "10000") << [] >> pulse(5.5) << [PlaceOrder]

    state = play.engine.state
    assert (state.drawdown.drawdown, state.drawdown.loss_today) == (0, 0)
    assert state.mode is Mode.TRADING


def test_money_that_comes_or_goes_is_no_risk_of_the_market() -> None:
    play = Playbook(trading_engine(None, account_interval_ns=0)) >> top("100000", "100001", at(1)) << []
    for second in range(2, 120):
        play >> TransferBooked(f"{second}", usd("-10"), ts_event_ns=at(second), ts_recv_ns=at(second)) << []
        play >> pulse(second + 0.5) << []

    assert play.engine.state.var_marked == 0
    assert play.engine.state.equity_marked == usd("10000") - 118 * usd("10")


def test_both_blocks_must_be_gone_before_the_bot_trades() -> None:
    play = short_of_cash()
    play >> LedgerFellBehind(9, ts_event_ns=at(4), ts_recv_ns=at(4)) << []

    play >> acknowledged(5) << []
    assert play.engine.state.mode is Mode.REDUCING
    play >> LedgerCaughtUp(ts_event_ns=at(6), ts_recv_ns=at(6)) << []
    assert play.engine.state.mode is Mode.TRADING


def test_ledger_that_catches_up_first_does_not_end_the_other_block() -> None:
    play = resting() >> LedgerFellBehind(9, ts_event_ns=at(1.5), ts_recv_ns=at(1.5)) << [CancelOrder]
    play >> told(2, "9900") << [] >> told(3, "9900") << []

    play >> LedgerCaughtUp(ts_event_ns=at(4), ts_recv_ns=at(4)) << []
    assert play.engine.state.mode is Mode.REDUCING
    play >> acknowledged(5) << []
    assert play.engine.state.mode is Mode.TRADING


def test_pause_that_ends_while_blocked_goes_on_reducing() -> None:
    play = short_of_cash() >> OperatorPaused("night", ts_event_ns=at(4), ts_recv_ns=at(4)) << []

    play >> OperatorResumed("day", ts_event_ns=at(5), ts_recv_ns=at(5)) << []

    assert play.engine.state.mode is Mode.REDUCING
    play >> acknowledged(6) << []
    assert play.engine.state.mode is Mode.TRADING


def test_acknowledged_during_a_pause_the_bot_stays_paused_and_then_trades() -> None:
    play = short_of_cash() >> OperatorPaused("night", ts_event_ns=at(4), ts_recv_ns=at(4)) << []

    play >> acknowledged(4.5) << []
    assert play.engine.state.mode is Mode.PAUSED
    play >> OperatorResumed("day", ts_event_ns=at(5), ts_recv_ns=at(5)) << []
    assert play.engine.state.mode is Mode.TRADING


def test_difference_found_while_halted_keeps_the_resumed_bot_from_trading() -> None:
    play = resting() >> OperatorHalted("drill", ts_event_ns=at(1.5), ts_recv_ns=at(1.5)) << [CancelOrder]
    play >> canceled(1, at(1.6)) << [] >> told(2, "9900") << [] >> told(3, "9900") << []
    assert play.engine.state.mode is Mode.HALTED

    play >> OperatorResumed("over", ts_event_ns=at(4), ts_recv_ns=at(4)) << [QueryAccount]
    play >> told(4.1, "9900") << []
    assert play.engine.state.mode is Mode.RECONCILING
    play >> acknowledged(5) << [QueryAccount]
    assert play.engine.state.mode is Mode.RECONCILING
    play >> told(5.1, "9900") << []
    assert play.engine.state.mode is Mode.TRADING


def test_acknowledged_before_the_account_answers_the_resumed_bot_waits_for_it() -> None:
    play = resting() >> OperatorHalted("drill", ts_event_ns=at(1.5), ts_recv_ns=at(1.5)) << [CancelOrder]
    play >> canceled(1, at(1.6)) << [] >> told(2, "9900") << [] >> told(3, "9900") << []
    play >> OperatorResumed("over", ts_event_ns=at(4), ts_recv_ns=at(4)) << [QueryAccount]

    play >> acknowledged(4.05) << []
    assert play.engine.state.mode is Mode.RECONCILING
    play >> told(4.1, "9900") << []
    assert play.engine.state.mode is Mode.TRADING
