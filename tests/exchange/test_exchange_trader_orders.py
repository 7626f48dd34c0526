"""Orders of the trader, one story per rule."""

from domain.events import (
    CancelRefused,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
)
from domain.order import Side, TimeInForce
from domain.reasons import Reason
from exchange.hyperliquid.requests import Ask, SendAction
from exchange.hyperliquid.wire_actions import BatchModifyAction, CancelByNameAction, NoopAction, PlaceAction
from tests.exchange.trader_line import Line, only


def kinds(facts: list[object]) -> list[str]:
    """Return the names of facts."""
    return [type(fact).__name__ for fact in facts]


def test_trader_tells_an_order_accepted_once_when_reply_and_update_both_come() -> None:
    line = Line()
    line.trader.send(line.place())
    assert kinds(line.run()) == ["OrderAccepted"]


def test_trader_tells_an_order_accepted_once_when_the_update_overtakes_the_reply() -> None:
    line = Line()
    (request,) = line.send(line.place())
    reply = line.reach(request)
    line.push()
    line.answer(request, reply)
    assert kinds(line.events()) == ["OrderAccepted"]


def test_trader_tells_accepted_before_a_fill_that_overtakes_everything() -> None:
    line = Line()
    order = line.place()
    (request,) = line.send(order)
    reply = line.reach(request)
    line.venue.fill(101, 400)
    channel, data = next(one for one in line.venue.pushes if one[0] == "userFills")
    line.trader.on_push(channel, data, line.now)
    line.push()
    line.answer(request, reply)
    facts = line.events()
    assert kinds(facts) == ["OrderAccepted", "OrderFilled"]
    fill = only(facts, OrderFilled)[0]
    assert (fill.lots, fill.price, fill.fee, fill.start_position) == (400, 200_000, 12_000, 0)
    assert fill.client_order_id == order.client_order_id


def test_trader_tells_a_refused_order_once_with_the_reason() -> None:
    line = Line()
    line.trader.send(line.place(lots=1))
    (fact,) = only(line.run(), OrderRejected)
    assert fact.reason is Reason.VENUE_MIN_NOTIONAL


def test_trader_splits_a_decision_by_class_and_exits() -> None:
    line = Line()
    resting = line.place()
    line.trader.send(resting)
    line.run()
    for wish in (
        line.place(),
        line.place(post_only=False, time_in_force=TimeInForce.IOC),
        line.place(reduce_only=True),
        line.replace(resting, 199_000, 1_000),
        line.cancel(resting),
        line.query_account(),
    ):
        line.trader.send(wish)
    requests = line.take()
    actions = [one.action for one in requests if isinstance(one, SendAction)]
    assert [type(one) for one in actions] == [
        CancelByNameAction,
        PlaceAction,
        PlaceAction,
        PlaceAction,
        BatchModifyAction,
    ]
    exits = [one.is_exit for one in requests if isinstance(one, SendAction)]
    assert exits == [True, True, False, False, False]
    assert len({one.nonce for one in requests if isinstance(one, SendAction)}) == len(actions)
    assert len([one for one in requests if isinstance(one, Ask)]) == 1


def test_trader_batches_at_most_39_orders() -> None:
    line = Line()
    for _ in range(100):
        line.trader.send(line.place())
    sizes = [len(one.client_order_ids) for one in line.take() if isinstance(one, SendAction)]
    assert sizes == [39, 39, 22]


def test_trader_tells_the_rest_of_an_ioc_expired_after_its_fills() -> None:
    line = Line()
    line.venue.takers_get = 300
    line.trader.send(line.place(post_only=False, time_in_force=TimeInForce.IOC))
    facts = line.run()
    assert kinds(facts) == ["OrderAccepted", "OrderFilled", "OrderExpired"]


def test_trader_holds_the_end_until_the_fills_before_it_are_told() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    line.venue.fill(101, 400)
    line.venue.end(101, "reduceOnlyCanceled")
    fills = [one for one in line.venue.pushes if one[0] == "userFills"]
    for channel, data in line.venue.pushes:
        if channel != "userFills":
            line.trader.on_push(channel, data, line.now)
    assert line.events() == []
    for channel, data in fills:
        line.trader.on_push(channel, data, line.now)
    facts = line.events()
    assert kinds(facts) == ["OrderFilled", "OrderCanceled"]
    assert only(facts, OrderCanceled)[0].reason is Reason.VENUE_REDUCE_ONLY


def test_trader_fetches_fills_that_were_never_pushed() -> None:
    line = Line()
    line.trader.send(line.place())
    line.run()
    line.venue.fill(101, 1_000)
    line.venue.pushes = [one for one in line.venue.pushes if one[0] != "userFills"]
    facts = line.run()
    assert kinds(facts) == ["OrderFilled"]
    assert line.trader.counters.fills_fetched == 1


def test_trader_tells_a_cancel_once() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    line.trader.send(line.cancel(order))
    (fact,) = line.run()
    assert isinstance(fact, OrderCanceled)
    assert fact.reason is Reason.NONE


def test_trader_tells_a_refused_cancel_and_then_the_fate() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    line.venue.fill(101, 1_000)
    line.venue.pushes.clear()
    (request,) = line.send(line.cancel(order))
    line.answer(request, line.reach(request))
    (refused,) = only(line.events(), CancelRefused)
    assert refused.reason is Reason.VENUE_UNKNOWN_ORDER
    line.trader.send(line.query(order))
    assert kinds(line.run()) == ["OrderFilled"]


def test_trader_tells_a_replacement_once_with_the_total_size() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    line.venue.fill(101, 400)
    line.run()
    line.trader.send(line.replace(order, 199_000, 1_000))
    facts = line.run()
    (fact,) = only(facts, OrderReplaced)
    assert (fact.price, fact.lots, fact.venue_order_id) == (199_000, 1_000, 102)
    assert line.venue.orders[102].size == 600
    assert kinds(facts) == ["OrderReplaced"]
    line.venue.fill(102, 600)
    assert kinds(line.run()) == ["OrderFilled"]


def test_trader_counts_a_late_fill_of_the_old_number_into_the_size() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    line.venue.fill(101, 100)
    late = [one for one in line.venue.pushes if one[0] == "userFills"]
    line.venue.pushes.clear()
    (request,) = line.send(line.replace(order, 199_000, 1_000))
    line.answer(request, line.reach(request))
    (first,) = only(line.events(), OrderReplaced)
    assert first.lots == 1_000
    line.trader.on_push(*late[0], line.now)
    facts = line.events()
    assert kinds(facts) == ["OrderReplaced", "OrderFilled"]
    assert only(facts, OrderReplaced)[0].lots == 1_100


def test_trader_proves_that_a_refused_replacement_took_the_old_order_along() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    (request,) = line.send(line.replace(order, 200_000, 1))
    reply = line.reach(request)
    line.venue.pushes.clear()
    line.answer(request, reply)
    assert line.events() == []
    (fact,) = only(line.run(), ReplaceRefused)
    assert fact.is_gone
    assert fact.reason is Reason.VENUE_MIN_NOTIONAL


def test_trader_keeps_the_old_order_when_the_replacement_never_left() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    (request,) = line.send(line.replace(order, 199_000, 1_000))
    line.fail(request, "not_sent")
    (fact,) = line.events()
    assert isinstance(fact, ReplaceRefused)
    assert (fact.is_gone, fact.reason) == (False, Reason.VENUE_UNREACHABLE)


def test_trader_ends_a_wish_in_a_fact_when_it_was_proven_not_taken() -> None:
    line = Line()
    first, second = line.place(), line.place()
    (request,) = line.send(first)
    line.fail(request, "not_sent", detail="no connection")
    (request,) = line.send(second)
    line.fail(request, "refused", 429)
    (request,) = line.send(line.cancel(second))
    assert isinstance(request, SendAction)
    one, other = line.events()
    assert isinstance(one, OrderRejected)
    assert isinstance(other, OrderRejected)
    assert (one.reason, one.venue_text) == (Reason.VENUE_UNREACHABLE, "no connection")
    assert other.reason is Reason.RATE_BUDGET


def test_trader_proves_by_noop_that_a_lost_order_was_never_seen() -> None:
    line = Line()
    order = line.place()
    (request,) = line.send(order)
    line.fail(request, "timeout")
    assert line.events() == []
    line.trader.send(line.query(order))
    (fact,) = line.run()
    assert isinstance(fact, OrderStatusReported)
    assert fact.status is OrderStatus.NEVER_SEEN
    assert isinstance(request, SendAction)
    noops = [one for one in line.sent if isinstance(one, SendAction) and isinstance(one.action, NoopAction)]
    assert [one.nonce for one in noops] == [request.nonce]
    late = line.venue.execute(request)
    assert b"duplicate nonce" in late
    assert line.trader.counters.doubts_proven == 1


def test_trader_proves_for_every_order_of_a_lost_action_that_it_was_never_seen() -> None:
    line = Line()
    orders = [line.place(), line.place()]
    line.trader.send(orders[0])
    (request,) = line.send(orders[1])
    line.fail(request, "broken")
    for order in orders:
        line.trader.send(line.query(order))
    facts = line.run()
    # The noop for one of them uses up the nonce of both; the other's is refused as a duplicate.
    assert [fact.status for fact in only(facts, OrderStatusReported)] == [OrderStatus.NEVER_SEEN] * 2
    assert line.trader.counters.doubts_proven == 2


def test_trader_finds_an_order_whose_answer_was_lost() -> None:
    line = Line()
    order = line.place()
    (request,) = line.send(order)
    line.reach(request)
    line.venue.pushes.clear()
    line.fail(request, "broken")
    line.trader.send(line.query(order))
    facts = line.run()
    assert kinds(facts) == ["OrderAccepted", "OrderStatusReported"]
    assert only(facts, OrderStatusReported)[0].status is OrderStatus.OPEN


def test_trader_never_concludes_from_a_duplicate_nonce() -> None:
    line = Line()
    order = line.place()
    (request,) = line.send(order)
    assert isinstance(request, SendAction)
    line.fail(request, "timeout")
    line.venue.nonces.add(request.nonce)
    line.trader.send(line.query(order))
    assert line.run() == []
    assert line.trader.counters.doubts_open == 3
    line.wait(600_000)
    assert line.run() == []
    assert line.trader.counters.doubts_open == 4


def test_trader_takes_the_expiry_of_an_action_as_proof() -> None:
    line = Line()
    order = line.place()
    (request,) = line.send(order)
    assert isinstance(request, SendAction)
    line.fail(request, "timeout")
    line.venue.nonces.add(request.nonce)
    line.wait(15_000 + 5_000 + 10)
    line.book()
    line.trader.send(line.query(order))
    (fact,) = only(line.run(), OrderStatusReported)
    assert isinstance(fact, OrderStatusReported)
    assert fact.status is OrderStatus.NEVER_SEEN


def test_trader_counts_answers_nobody_asked_for() -> None:
    line = Line()
    (request,) = line.send(line.place())
    reply = line.reach(request)
    line.answer(request, reply)
    line.answer(request, reply)
    assert line.trader.counters.strange_answers == 1
    assert len(only(line.events(), OrderAccepted)) == 1


def test_trader_ignores_updates_of_strange_orders_and_unknown_statuses() -> None:
    line = Line()
    line.trader.send(line.place())
    line.run()
    line.venue.end(101, "moonPhaseCanceled")
    line.push()
    (fact,) = line.events()
    assert isinstance(fact, OrderCanceled)
    assert (fact.reason, fact.venue_text) == (Reason.VENUE_OTHER, "moonPhaseCanceled")
    assert line.trader.counters.unknown_statuses == {"moonPhaseCanceled": 1}
    line.trader.on_push(
        "orderUpdates",
        b'[{"order":{"coin":"ETH","side":"B","limitPx":"1","sz":"1","oid":9,"timestamp":1},"status":"open","statusTimestamp":1}]',
        line.now,
    )
    assert line.trader.counters.foreign_orders == 1


def test_trader_survives_an_html_page_and_stays_in_doubt() -> None:
    line = Line()
    order = line.place(side=Side.SELL)
    (request,) = line.send(order)
    line.reach(request)
    line.answer(request, b"<html>502</html>")
    line.push()
    assert kinds(line.events()) == ["OrderAccepted"]
    assert line.trader.counters.malformed == 1


def test_trader_answers_a_question_about_an_ended_order_from_memory() -> None:
    line = Line()
    order = line.place()
    line.trader.send(order)
    line.run()
    line.trader.send(line.cancel(order))
    line.run()
    assert line.send(line.query(order)) == []
    (fact,) = line.events()
    assert isinstance(fact, OrderStatusReported)
    assert fact.status is OrderStatus.CANCELED


def test_trader_pads_one_refusal_of_a_batch() -> None:
    line = Line()
    orders = [line.place(), line.place()]
    for order in orders:
        line.trader.send(order)
    (request,) = line.take()
    text = b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"error":"Order has zero size."}]}}}'
    line.answer(request, text)
    facts = only(line.events(), OrderRejected)
    assert [fact.client_order_id for fact in facts] == [order.client_order_id for order in orders]
    assert only(line.events(), OrderExpired) == []
