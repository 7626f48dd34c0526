"""Orders through the machine: what each fact of the venue leads to."""

from typing import get_args

import pytest

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, QueryOrder, ReplaceOrder
from domain.events import (
    CancelRefused,
    Event,
    OrderExpired,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
    TimerFired,
)
from domain.identifiers import VenueOrderId
from domain.lifecycle import State
from domain.modes import Mode
from domain.notices import FactNoted, FillBooked, OrderTransitioned, RiskDecided
from domain.order import Side
from domain.reasons import Reason
from engine.machine import NOTHING, REACTIONS, Engine
from engine.timers import PULSE
from tests.builders import (
    Scripted,
    accepted,
    at,
    canceled,
    fill,
    lots,
    order_id,
    price,
    quotes,
    rejected,
    reported,
    settings,
    started,
    top,
    trading_engine,
    usd,
    want,
)
from tests.playbook import Playbook

BOTH = quotes(("99999", "0.002"), ("100002", "0.002"))
BID = quotes(("99999", "0.002"), None)


def state_of(engine: Engine, sequence: int) -> State:
    """Return where an order is."""
    order = engine.state.orders.find(order_id(sequence))
    assert order is not None
    return order.state


def quoting(wanted: object = BID) -> Playbook:
    """Return an engine that has just sent its orders."""
    book = Playbook(trading_engine(wanted))  # type: ignore[arg-type]
    book >> top("100000", "100001", at(1))
    book.pending = []
    return book


def pulse(seconds: float) -> TimerFired:
    """Return the pulse at a time."""
    return TimerFired(PULSE, ts_event_ns=at(seconds), ts_recv_ns=at(seconds))


def test_every_event_has_a_reaction() -> None:
    assert set(get_args(Event)) == set(REACTIONS)


def test_start_asks_for_the_account_and_trades_once_it_is_known() -> None:
    engine = Engine(settings(), Scripted())

    Playbook(engine) >> started() << [QueryAccount] >> reported("10000") << []

    assert engine.state.mode is Mode.TRADING
    assert engine.state.book.cash == usd("10000")


def test_wanted_quotes_become_post_only_orders() -> None:
    book = Playbook(trading_engine(BOTH)) >> top("100000", "100001", at(1))

    book << [PlaceOrder, PlaceOrder]

    placed = [notice for notice in book.seen(OrderTransitioned) if notice.to_state is State.SUBMITTED]  # type: ignore[attr-defined]
    assert len(placed) == 2
    order = book.engine.state.orders.find(order_id(1))
    assert order is not None
    assert (order.side, order.price, order.lots, order.post_only) == (Side.BUY, price("99999"), lots("0.002"), True)


def test_unchanged_wish_leads_to_nothing() -> None:
    book = quoting(BOTH) >> accepted(1, at(1.1)) << [] >> accepted(2, at(1.1)) << []

    outcome = book.engine.step(top("100000", "100001", at(1.2)))

    assert outcome is NOTHING


def test_moved_wish_replaces_the_order() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, quotes(("99990", "0.002"), None))

    book >> top("99991", "100001", at(2)) << [ReplaceOrder]

    assert state_of(book.engine, 1) is State.PENDING_REPLACE
    replaced = OrderReplaced(
        order_id(1), VenueOrderId(77), price("99990"), lots("0.002"), ts_event_ns=at(2), ts_recv_ns=at(2.1)
    )
    book >> replaced << []
    order = book.engine.state.orders.find(order_id(1))
    assert order is not None
    assert (order.state, order.price, order.venue_order_id) == (State.OPEN, price("99990"), 77)


def test_wish_withdrawn_cancels_and_the_confirmation_ends_the_order() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, quotes(None, None))

    book >> top("100000", "100001", at(2)) << [CancelOrder(order_id(1), "BTC", ts_ns=at(2))]
    book >> canceled(1, at(2.1)) << []

    assert state_of(book.engine, 1) is State.CANCELED
    assert book.engine.state.orders.open_lots("BTC") == [0, 0]


def test_fill_is_booked_and_ends_the_order() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, None)

    book >> fill(1, Side.BUY, "99999", "0.002", at(2), fee="0.03") << []

    state = book.engine.state
    assert state_of(book.engine, 1) is State.FILLED
    assert state.book.position_lots("BTC") == lots("0.002")
    assert state.book.cash == usd("10000") - usd("199.998") - usd("0.03")
    (booked,) = book.seen(FillBooked)
    assert isinstance(booked, FillBooked)
    assert booked.slippage == -usd("0.003")


def test_fill_before_the_acceptance_is_booked_and_the_acceptance_changes_nothing() -> None:
    book = quoting()
    want(book.engine, None)

    book >> fill(1, Side.BUY, "99999", "0.001", at(1.1)) << [] >> accepted(1, at(1.2)) << []

    assert state_of(book.engine, 1) is State.PARTIALLY_FILLED


def test_same_fill_twice_is_booked_once() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, None)
    once = fill(1, Side.BUY, "99999", "0.001", at(2))

    book >> once << [] >> once << []

    assert book.engine.state.book.position_lots("BTC") == lots("0.001")
    assert [notice.reason for notice in book.seen(FactNoted)] == [Reason.DUPLICATE_FILL]  # type: ignore[attr-defined]


def test_fill_after_cancel_is_booked() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, quotes(None, None))
    book >> top("100000", "100001", at(2)) << [CancelOrder] >> canceled(1, at(2.1)) << []

    book >> fill(1, Side.BUY, "99999", "0.002", at(2.2)) << []

    assert state_of(book.engine, 1) is State.FILLED
    assert book.engine.state.book.position_lots("BTC") == lots("0.002")
    assert Reason.LATE_FILL in [notice.reason for notice in book.seen(FactNoted)]  # type: ignore[attr-defined]


def test_fill_after_rejection_is_booked() -> None:
    book = quoting()
    want(book.engine, None)

    book >> rejected(1, at(1.1)) << [] >> fill(1, Side.BUY, "99999", "0.001", at(1.2)) << []

    assert state_of(book.engine, 1) is State.PARTIALLY_FILLED
    assert book.engine.state.orders.open_lots("BTC") == [lots("0.001"), 0]


def test_fill_without_an_order_is_booked() -> None:
    book = Playbook(trading_engine()) >> top("100000", "100001", at(1)) << []

    book >> fill(0, Side.SELL, "100000", "0.5", at(2)) << []

    assert book.engine.state.book.position_lots("BTC") == -lots("0.5")
    assert [notice.reason for notice in book.seen(FactNoted)] == [Reason.FILL_WITHOUT_ORDER]  # type: ignore[attr-defined]


def test_refused_cancel_proves_nothing_and_is_asked_about() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, quotes(None, None))
    book >> top("100000", "100001", at(2)) << [CancelOrder]
    want(book.engine, None)
    refused = CancelRefused(
        order_id(1), Reason.VENUE_UNKNOWN_ORDER, "Order was never placed, already canceled, or filled.",
        ts_event_ns=at(2.1), ts_recv_ns=at(2.1),
    )  # fmt: skip

    book >> refused << [QueryOrder]

    assert state_of(book.engine, 1) is State.UNKNOWN
    status = OrderStatusReported(
        order_id(1), OrderStatus.FILLED, lots("0.002"), ts_event_ns=at(2.2), ts_recv_ns=at(2.2)
    )
    book >> status << []
    assert state_of(book.engine, 1) is State.UNKNOWN
    book >> fill(1, Side.BUY, "99999", "0.002", at(2.3)) << []
    assert state_of(book.engine, 1) is State.FILLED


def test_silence_makes_an_order_unknown_and_only_proof_ends_it() -> None:
    book = quoting()
    want(book.engine, None)

    book >> pulse(3) << [] >> top("100000", "100001", at(6)) << [] >> pulse(7) << [QueryOrder]

    assert state_of(book.engine, 1) is State.UNKNOWN
    assert book.engine.state.orders.open_lots("BTC")[0] == lots("0.002")
    never = OrderStatusReported(order_id(1), OrderStatus.NEVER_SEEN, lots("0"), ts_event_ns=at(8), ts_recv_ns=at(8))
    book >> never << []
    assert state_of(book.engine, 1) is State.NOT_PLACED
    assert book.engine.state.orders.open_lots("BTC") == [0, 0]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (OrderStatus.OPEN, State.OPEN),
        (OrderStatus.CANCELED, State.CANCELED),
        (OrderStatus.REJECTED, State.REJECTED),
    ],
)
def test_doubt_ends_with_what_the_venue_says(status: OrderStatus, expected: State) -> None:
    book = quoting()
    want(book.engine, None)
    book >> top("100000", "100001", at(6)) << [] >> pulse(7) << [QueryOrder]

    book >> OrderStatusReported(order_id(1), status, lots("0"), ts_event_ns=at(8), ts_recv_ns=at(8)) << []

    assert state_of(book.engine, 1) is expected


def test_post_only_refusal_moves_the_next_quote_one_tick_out() -> None:
    book = quoting()

    book >> rejected(1, at(1.1), Reason.VENUE_POST_ONLY)

    (again,) = book.pending
    assert isinstance(again, PlaceOrder)
    assert again.price == price("99998")


def test_replace_that_took_the_order_with_it_leads_to_a_new_one() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, quotes(("100000", "0.002"), None))
    book >> top("100000", "100001", at(2)) << [ReplaceOrder]
    gone = ReplaceRefused(
        order_id(1), Reason.VENUE_POST_ONLY, "crossed", True, ts_event_ns=at(2.1), ts_recv_ns=at(2.1)
    )  # fmt: skip

    book >> gone << [PlaceOrder]

    assert state_of(book.engine, 1) is State.CANCELED
    assert state_of(book.engine, 2) is State.SUBMITTED


def test_replace_refused_because_filled_ends_filled() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []
    want(book.engine, quotes(("99990", "0.004"), None))
    book >> top("99991", "100001", at(2)) << [ReplaceOrder]
    want(book.engine, None)
    book >> fill(1, Side.BUY, "99999", "0.002", at(2.05)) << []
    refused = ReplaceRefused(
        order_id(1), Reason.VENUE_UNKNOWN_ORDER, "Cannot modify canceled or filled order", False,
        ts_event_ns=at(2.1), ts_recv_ns=at(2.1),
    )  # fmt: skip

    book >> refused << []

    assert state_of(book.engine, 1) is State.FILLED


def test_denied_wish_is_told_and_not_repeated_at_once() -> None:
    big = quotes(("10", "0.002"), None)
    book = Playbook(trading_engine(big)) >> top("100000", "100001", at(1)) << []

    book >> top("100000", "100001", at(1.2)) << []

    (decided,) = book.seen(RiskDecided)
    assert isinstance(decided, RiskDecided)
    assert decided.reason is Reason.PRICE_BAND
    assert state_of(book.engine, 1) is State.DENIED
    book >> top("100000", "100001", at(2.5)) << []
    assert len(book.seen(RiskDecided)) == 2


def test_answer_for_an_unknown_order_is_noted() -> None:
    book = Playbook(trading_engine()) >> accepted(9, at(1)) << []

    assert [notice.reason for notice in book.seen(FactNoted)] == [Reason.UNKNOWN_ORDER]  # type: ignore[attr-defined]


def test_expiry_ends_the_order() -> None:
    book = quoting() >> accepted(1, at(1.1)) << []

    book >> OrderExpired(order_id(1), ts_event_ns=at(2), ts_recv_ns=at(2)) << []

    assert state_of(book.engine, 1) is State.EXPIRED
