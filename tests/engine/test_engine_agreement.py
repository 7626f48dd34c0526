"""What the venue's statement holds beyond our book: blocked at once, booked on the second word."""

import pytest

from domain.commands import CancelOrder, Command, PlaceOrder, QueryAccount, QueryOrder
from domain.errors import ConfigInvalid
from domain.events import (
    AccountReported,
    CancelRefused,
    OperatorPaused,
    OrderStatus,
    OrderStatusReported,
    StopRequested,
    TransferBooked,
)
from domain.modes import Mode
from domain.notices import (
    AccountMarked,
    DiscrepancyFound,
    KillSwitchEngaged,
    OrderCreated,
)
from domain.order import Side
from domain.reasons import Reason
from domain.transaction import CorrectionCause
from domain.units import Lots
from engine.agreement import ACCOUNT_PATIENCE_NS
from engine.machine import Engine
from tests.builders import (
    Scripted,
    accepted,
    at,
    canceled,
    fill,
    lots,
    order_id,
    quotes,
    reported,
    settings,
    started,
    top,
    trading_engine,
    usd,
    want,
)
from tests.engine.statements import (
    BID,
    BOTH,
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


def test_first_statement_that_differs_blocks_new_risk_and_books_nothing() -> None:
    play = resting()

    play >> told(2, "9900", ("BTC", "0.5", "50000")) << [CancelOrder]

    assert play.engine.state.mode is Mode.REDUCING
    assert found(play) == [
        DiscrepancyFound(
            cash=usd("-100"),
            positions=(("BTC", lots("0.5")),),
            is_booked=False,
            detail="venue less book: cash -100, BTC 0.5",
            ts_ns=at(2),
        )
    ]
    assert corrections(play) == []
    assert play.engine.state.book.cash == usd("10000")
    assert play.seen(KillSwitchEngaged) == []
    play >> canceled(1, at(2.1)) << []
    assert not may_trade(play, 2.5)


def test_account_is_asked_for_every_minute_while_trading_and_not_in_a_pause() -> None:
    play = Playbook(trading_engine(None)) >> pulse(59) << [] >> pulse(60) << [QueryAccount] >> pulse(61) << []
    play >> told(61.5, "10000") << [] >> pulse(121) << [] >> pulse(121.5) << [QueryAccount]
    play >> told(122, "10000") << [] >> OperatorPaused("night", ts_event_ns=at(123), ts_recv_ns=at(123)) << []

    play >> pulse(1_000) << []

    assert noted(play) == []


def test_account_interval_below_zero_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="account_interval_ns"):
        trading_engine(None, account_interval_ns=-1)


def test_second_statement_is_asked_for_when_a_pulse_has_passed() -> None:
    play = resting() >> told(2, "9900") << [CancelOrder] >> canceled(1, at(2.1)) << []

    play >> pulse(2.5) << [] >> pulse(2.99) << [] >> pulse(3) << [QueryAccount] >> pulse(4) << []

    play >> pulse(33) << [QueryAccount]
    assert at(33) - at(3) == ACCOUNT_PATIENCE_NS


def test_second_statement_with_the_same_difference_is_booked_as_unexplained() -> None:
    play = short_of_cash()

    book = play.engine.state.book
    (correction,) = corrections(play)
    assert correction.cause is CorrectionCause.UNEXPLAINED
    assert (book.cash, book.unexplained) == (usd("9900"), usd("-100"))
    assert [one.is_booked for one in found(play)] == [False, True]
    assert closed(play) == []
    assert play.engine.state.mode is Mode.REDUCING
    assert not may_trade(play, 4)
    play >> pulse(40) << []
    (marked,) = play.seen(AccountMarked)[-1:]
    assert isinstance(marked, AccountMarked)
    assert marked.equity == marked.transfers + marked.unexplained + marked.net == usd("9900")


def test_another_difference_starts_over() -> None:
    play = resting() >> told(2, "9900") << [CancelOrder] >> canceled(1, at(2.1)) << []

    play >> told(3, "9800") << [] >> told(4, "9900") << []
    assert corrections(play) == []
    assert [one.cash for one in found(play)] == [usd("-100"), usd("-200"), usd("-100")]

    play >> told(5, "9900") << []
    assert len(corrections(play)) == 1


def test_statement_from_before_a_booked_fact_is_not_compared_but_asked_for_again() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.01", at(2)) << []

    play >> told(2.1, "10000", event_seconds=1.9) << []

    assert noted(play)[-1] is Reason.STATEMENT_OUTDATED
    assert found(play) == []
    assert play.engine.state.mode is Mode.TRADING
    play >> pulse(3.2) << [QueryAccount] >> told(3.3, "9000", ("BTC", "0.01", "1000")) << []
    assert found(play) == []


def test_confirmed_difference_in_a_statement_of_the_same_moment_as_the_last_booked_waits() -> None:
    play = short_of_cash()

    play >> told(3.2, "9800", event_seconds=3.1) << [] >> told(3.3, "9800", event_seconds=3.1) << []
    assert noted(play) == []
    play >> pulse(4.3) << [QueryAccount] >> told(4.4, "9800", event_seconds=3.1) << []

    assert noted(play) == [Reason.STATEMENT_OUTDATED]
    assert len(corrections(play)) == 1
    play >> told(5, "9800") << []
    assert len(corrections(play)) == 2


def test_blocked_bot_rests_only_what_the_venue_lets_only_reduce() -> None:
    """Our book may be what is wrong, so an order that reduces by our count is canceled and placed again reduce-only."""
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.003", at(1.1)) << []
    want(play.engine, BOTH)
    play >> top("100000", "100001", at(1.2)) << [PlaceOrder, PlaceOrder]
    play >> accepted(1, at(1.3)) << [] >> accepted(2, at(1.3)) << []

    both = [CancelOrder(order_id(number), "BTC", ts_ns=at(2)) for number in (1, 2)]
    play >> told(2, "9600", ("BTC", "0.003", "300")) << both
    assert play.engine.state.mode is Mode.REDUCING

    play >> canceled(1, at(2.1)) << [] >> canceled(2, at(2.1))
    (placed,) = play.pending
    assert isinstance(placed, PlaceOrder)
    assert (Side.SELL, lots("0.002"), True) == (placed.side, placed.lots, placed.reduce_only)
    play << [PlaceOrder] >> accepted(3, at(2.2)) << [] >> top("100000", "100001", at(2.3)) << []


def test_blocked_bot_asks_to_sell_no_more_than_it_holds() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.001", at(1.1)) << []
    play >> told(2, "9800", ("BTC", "0.001", "100")) << []
    want(play.engine, BOTH)

    play >> top("100000", "100001", at(2.1))

    (placed,) = play.pending
    assert isinstance(placed, PlaceOrder)
    assert (Side.SELL, lots("0.001"), True) == (placed.side, placed.lots, placed.reduce_only)
    play << [PlaceOrder]


def test_flat_bot_wishes_nothing_while_blocked() -> None:
    """No wish, so no denial either: a blocked bot does not fill its ledger with refused orders."""
    play = resting() >> told(2, "9900") << [CancelOrder] >> canceled(1, at(2.1)) << []
    for tenth in range(22, 60):
        play >> top("100000", "100001", at(tenth / 10)) << []
    assert 1 == len(play.seen(OrderCreated))


def test_reducing_orders_beyond_the_position_are_canceled_youngest_first() -> None:
    play = Playbook(trading_engine(None)) >> top("100000", "100001", at(1)) << []
    play >> fill(0, Side.BUY, "100000", "0.003", at(1.1)) << []
    want(play.engine, quotes(None, ("100002", "0.002")))
    play >> top("100000", "100001", at(1.2)) << [PlaceOrder] >> accepted(1, at(1.3)) << []
    play >> fill(0, Side.SELL, "100000", "0.002", at(1.4), trade_id=2, start="0.003") << []

    play >> told(2, "9600", ("BTC", "0.001", "100")) << [CancelOrder(order_id(1), "BTC", ts_ns=at(2))]


def test_cancel_that_was_refused_while_blocked_is_asked_for_again() -> None:
    play = resting() >> told(2, "9900") << [CancelOrder]
    refused = CancelRefused(order_id(1), Reason.VENUE_OTHER, "busy", ts_event_ns=at(2.1), ts_recv_ns=at(2.1))
    open_still = OrderStatusReported(order_id(1), OrderStatus.OPEN, Lots(0), ts_event_ns=at(2.2), ts_recv_ns=at(2.2))

    play >> refused << [QueryOrder] >> open_still << [CancelOrder]

    again = CancelRefused(order_id(1), Reason.VENUE_OTHER, "busy", ts_event_ns=at(2.3), ts_recv_ns=at(2.3))
    play >> again << [QueryOrder]
    later = OrderStatusReported(order_id(1), OrderStatus.OPEN, Lots(0), ts_event_ns=at(2.4), ts_recv_ns=at(2.4))
    play >> later << [CancelOrder]


def test_account_that_differs_at_a_restart_is_reconciled_before_anything_trades() -> None:
    first = Playbook(trading_engine(BID)) >> pulse(1) << []
    kept = first.engine.state.snapshot()
    engine = Engine(settings(), Scripted(BID))
    engine.state.restore(kept)
    engine.state.mode = Mode.STARTING
    play = Playbook(engine) >> started(at(10)) << [QueryAccount]

    play >> told(10.1, "9000") << []
    assert engine.state.mode is Mode.RECONCILING
    play >> pulse(11.5) << [QueryAccount] >> told(11.6, "10000") << []

    assert closed(play) == [Reason.STATEMENT_AGREES]
    assert engine.state.mode is Mode.TRADING


def test_unanswered_question_keeps_the_pulse_quick_and_ends_with_the_stop() -> None:
    play = short_of_cash() >> told(4, "9000") << []

    play >> pulse(4.9) << [] >> pulse(5) << [QueryAccount]
    assert play.engine.state.pulse_interval_ns == play.engine.state.settings.pulse_interval_ns
    play >> pulse(20) << []
    assert play.engine.state.pulse_interval_ns == play.engine.state.settings.pulse_interval_ns

    play >> StopRequested("signal", ts_event_ns=at(21), ts_recv_ns=at(21)) << [] >> pulse(60) << []


def test_position_in_an_instrument_we_do_not_trade_blocks_and_is_never_booked() -> None:
    play = resting()
    stranger = ("PEPE", 7, usd("1"))
    facts = [AccountReported(usd("10000"), (stranger,), ts_event_ns=at(n), ts_recv_ns=at(n)) for n in range(2, 5)]

    play >> facts[0] << [CancelOrder] >> canceled(1, at(2.1)) << [] >> facts[1] << [] >> facts[2] << []

    assert [one.positions for one in found(play)] == [(("PEPE", 7),)]
    assert corrections(play) == []
    play >> pulse(10) << [] >> pulse(34) << [QueryAccount] >> told(34.1, "10000") << []
    assert closed(play) == [Reason.STATEMENT_AGREES]


@pytest.mark.parametrize("cut", range(1, 9))
def test_restored_engine_knows_how_far_the_agreement_is(cut: int) -> None:
    facts = [
        top("100000", "100001", at(1)),
        accepted(1, at(1.1)),
        told(2, "9900"),
        canceled(1, at(2.1)),
        told(3, "9900"),
        TransferBooked("part", usd("-60"), ts_event_ns=at(1.9), ts_recv_ns=at(4)),
        told(5, "9800"),
        told(6, "9800"),
        acknowledged(7),
        top("100000", "100002", at(8)),
    ]
    whole, first = trading_engine(BID), trading_engine(BID)
    expected: list[Command] = [command for fact in facts for command in whole.step(fact).commands]
    commands = [command for fact in facts[:cut] for command in first.step(fact).commands]
    second = Engine(settings(), Scripted(BID))
    second.state.restore(first.state.snapshot())

    commands += [command for fact in facts[cut:] for command in second.step(fact).commands]

    assert commands == expected
    assert second.state.digest() == whole.state.digest()
    assert reported("10000").cash != second.state.book.cash
