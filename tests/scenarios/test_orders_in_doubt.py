"""Orders whose cancel or replace went wrong: they are asked about, and never left at the venue by mistake."""

import pytest

from domain.commands import CancelOrder, PlaceOrder, QueryOrder, ReplaceOrder
from domain.events import (
    AccountReported,
    CancelRefused,
    Event,
    OperatorHalted,
    OperatorPaused,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    StopRequested,
    TimerFired,
)
from domain.identifiers import VenueOrderId
from domain.lifecycle import State
from domain.modes import Mode
from domain.reasons import Reason
from domain.units import Lots
from engine.timers import PULSE
from tests.builders import accepted, at, canceled, lots, order_id, price, quotes, top, trading_engine, usd, want
from tests.playbook import Playbook

BID = quotes(("99999", "0.002"), None)
STAMP = {"ts_event_ns": at(2), "ts_recv_ns": at(2)}


def pulse(seconds: float) -> TimerFired:
    """Return the pulse at a time."""
    return TimerFired(PULSE, ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def resting() -> Playbook:
    """Return an engine with one open bid."""
    return Playbook(trading_engine(BID)) >> top("100000", "100001", at(1)) << [PlaceOrder] >> accepted(1, at(1.1)) << []


def found_open(seconds: float) -> OrderStatusReported:
    """Return the venue's word that the first order rests."""
    return OrderStatusReported(order_id(1), OrderStatus.OPEN, Lots(0), ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def state_of(play: Playbook) -> State:
    """Return the state of the first order."""
    order = play.engine.state.orders.find(order_id(1))
    assert order is not None
    return order.state


@pytest.mark.parametrize(
    "quiet",
    [OperatorHalted("drill", **STAMP), OperatorPaused("maintenance", **STAMP), StopRequested("signal", **STAMP)],
    ids=["halted", "paused", "stopping"],
)
def test_cancel_that_was_refused_while_the_order_rests_is_sent_again(quiet: Event) -> None:
    play = resting() >> quiet << [CancelOrder]
    refused = CancelRefused(order_id(1), Reason.VENUE_OTHER, "busy", ts_event_ns=at(2.1), ts_recv_ns=at(2.1))
    play >> refused << [QueryOrder] >> found_open(2.2) << []

    play >> pulse(3) << [CancelOrder] >> pulse(3.5) << []

    play >> canceled(1, at(3.6)) << []
    assert play.engine.state.orders.open_count == 0


def test_cancel_that_was_lost_while_the_order_rests_is_sent_again() -> None:
    play = resting() >> OperatorHalted("drill", **STAMP) << [CancelOrder]

    play >> pulse(8) << [QueryOrder] >> found_open(8.1) << [] >> pulse(9) << [CancelOrder]


def test_order_that_is_confirmed_late_can_still_be_canceled() -> None:
    """The cancel and the question about it are lost; then the confirmation of the placement arrives."""
    play = Playbook(trading_engine(BID)) >> top("100000", "100001", at(1)) << [PlaceOrder]
    want(play.engine, quotes(None, None))
    play >> OperatorHalted("drill", **STAMP) << [CancelOrder] >> pulse(8) << [QueryOrder]

    play >> accepted(1, at(8.1)) << []

    assert state_of(play) is State.OPEN
    play >> pulse(9) << [CancelOrder]


def test_order_found_open_while_its_replace_is_unanswered_is_canceled() -> None:
    """Nobody knows at which price it rests, so it must not stand for a wanted quote."""
    play = resting()
    moved = quotes(("99990", "0.002"), None)
    want(play.engine, moved)
    play >> top("100000", "100001", at(2)) << [ReplaceOrder]
    play >> top("100000", "100001", at(7)) << [] >> pulse(7.5) << [QueryOrder]

    play >> found_open(7.6) << [CancelOrder]

    play >> canceled(1, at(7.7)) << [PlaceOrder]
    order = play.engine.state.orders.find(order_id(2))
    assert order is not None
    assert order.price == price("99990")


def test_order_found_open_after_its_late_replace_was_confirmed_stays() -> None:
    play = resting()
    want(play.engine, quotes(("99990", "0.002"), None))
    play >> top("100000", "100001", at(2)) << [ReplaceOrder]
    play >> top("100000", "100001", at(7)) << [] >> pulse(7.5) << [QueryOrder]
    late = OrderReplaced(
        order_id(1), VenueOrderId(2001), price("99990"), lots("0.002"), ts_event_ns=at(7.6), ts_recv_ns=at(7.6)
    )

    play >> late << [] >> found_open(7.7) << []

    assert state_of(play) is State.OPEN


def test_account_that_does_not_match_the_book_takes_the_quotes_off_the_market() -> None:
    play = resting()

    play >> AccountReported(usd("1"), (), ts_event_ns=at(2), ts_recv_ns=at(2)) << [CancelOrder]

    assert play.engine.state.mode is Mode.REDUCING
    play >> canceled(1, at(2.1)) << [] >> top("100000", "100001", at(2.5)) << []
    assert play.engine.state.orders.open_count == 0
