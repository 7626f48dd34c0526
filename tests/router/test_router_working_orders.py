"""Working orders: what is kept, what is let go, and that a snapshot keeps the same."""

import pytest

from domain.lifecycle import State, Trigger
from domain.order import OrderIntent, Side
from domain.units import Lots, Price
from router import working_orders
from router.working_orders import Order, WorkingOrders
from tests.builders import at, lots, order_id, price

TO_SUBMITTED = (Trigger.WANT, Trigger.APPROVE, Trigger.VALIDATE, Trigger.SUBMIT)


def submitted(orders: WorkingOrders, sequence: int, side: Side = Side.BUY) -> Order:
    """Add an order and bring it to submitted."""
    intent = OrderIntent(symbol="BTC", side=side, price=price("100000"), lots=lots("0.002"))
    order = orders.create(order_id(sequence), intent, at(sequence))
    for trigger in TO_SUBMITTED:
        orders.move(order, trigger, at(sequence))
    return order


def ended(orders: WorkingOrders, order: Order) -> None:
    """Let the venue reject an order."""
    orders.move(order, Trigger.REJECT, at(100))


def test_open_lots_count_the_larger_size_while_a_replace_is_in_flight() -> None:
    orders = WorkingOrders(("BTC",))
    order = submitted(orders, 1)
    orders.move(order, Trigger.ACCEPT, at(2))
    order.pending_price, order.pending_lots = Price(order.price - 10), Lots(order.lots * 3)

    orders.move(order, Trigger.REQUEST_REPLACE, at(3))

    assert orders.open_lots("BTC") == [3 * order.lots, 0]


def test_oldest_ended_order_is_let_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_orders, "ENDED_KEPT_MAX", 2)
    orders = WorkingOrders(("BTC",))
    first, second, third = (submitted(orders, number) for number in (1, 2, 3))

    for order in (second, first, third):
        ended(orders, order)

    assert orders.find(order_id(2)) is None
    assert orders.find(order_id(1)) is first
    assert orders.find(order_id(3)) is third


def test_restored_orders_let_go_the_same_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working_orders, "ENDED_KEPT_MAX", 2)
    orders = WorkingOrders(("BTC",))
    first, second, third = (submitted(orders, number) for number in (1, 2, 3))
    ended(orders, second)
    ended(orders, first)
    restored = WorkingOrders(("BTC",))

    restored.restore(orders.snapshot())
    ended(restored, third)

    assert restored.find(order_id(2)) is None
    assert restored.find(order_id(1)) is first
    assert restored.open_count == 0
    assert restored.open_lots("BTC") == [0, 0]


def test_late_fill_brings_a_rejected_order_back_to_life() -> None:
    orders = WorkingOrders(("BTC",))
    order = submitted(orders, 1)
    ended(orders, order)
    order.filled_lots = Lots(50)

    orders.move(order, Trigger.FILL_PARTIAL, at(101))

    assert order.state is State.PARTIALLY_FILLED
    assert orders.live("BTC") == {order.client_order_id: order}
    assert orders.open_lots("BTC") == [order.lots - 50, 0]
