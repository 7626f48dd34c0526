"""Orders at the counter: every shape of reply, and every refusal about orders word for word."""

import pytest

from services.venue_server.counter_settings import CounterSettings, OpenQuestions
from tests.services.counter_scene import (
    BID,
    DEFAULT,
    OTHER,
    CounterScene,
    address,
    err,
    order,
    place,
    trigger,
)

CLOID = "0x" + "0123456789abcdef" * 2
GONE = "Order was never placed, already canceled, or filled."


class Upgrade:
    """A venue after an upgrade, or halted."""

    def __init__(self, post_only=False, halted=False):
        self.post_only, self.halted = post_only, halted

    def is_post_only(self, now_ns):
        return self.post_only

    def is_halted(self, now_ns):
        return self.halted


def error(text, asset=0):
    return {"error": f"{text} asset={asset}"}


def test_an_order_rests_under_its_number_and_name():
    scene = CounterScene()
    assert scene.statuses(place(order())) == [{"resting": {"oid": 1}}]
    assert scene.statuses(place(order(c=CLOID))) == [{"resting": {"oid": 2, "cloid": CLOID}}]
    assert scene.account.orders[2].client_order_id == CLOID


def test_an_order_fills_at_the_average_price():
    scene = CounterScene()
    assert scene.statuses(place(order(price="100001", size="0.05", tif="Ioc", c=CLOID))) == [
        {"filled": {"totalSz": "0.05", "avgPx": "100001.0", "oid": 1, "cloid": CLOID}}
    ]
    assert scene.statuses(place(order(price="100010", size="0.2", tif="Ioc"))) == [
        {"filled": {"totalSz": "0.2", "avgPx": "100002.0", "oid": 2}}
    ]
    scene.market(lots=1_000_000_000)
    assert scene.statuses(place(order(1, price="10001", size="2", tif="Ioc")))[0]["filled"] == {
        "totalSz": "2.0",
        "avgPx": "10000.1",
        "oid": 3,
    }


def test_a_partly_filled_ioc_reports_what_it_got():
    scene = CounterScene()
    status = scene.statuses(place(order(price="100001", size="0.5", tif="Ioc")))[0]
    assert status["filled"]["totalSz"] == "0.1"
    assert not scene.account.orders


def test_a_partly_filled_gtc_reports_resting_unless_set_otherwise():
    action = place(order(price="100001", size="0.5"))
    assert CounterScene().statuses(action) == [{"resting": {"oid": 1}}]
    scene = CounterScene(CounterSettings(open_questions=OpenQuestions(reports_partial_as_resting=False)))
    assert scene.statuses(action) == [{"filled": {"totalSz": "0.1", "avgPx": "100001.0", "oid": 1}}]
    assert scene.account.orders[1].leaves == 40_000


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (order(price="99000.1"), "Price must be divisible by tick size."),
        (order(price="0.0000001"), "Price must be divisible by tick size."),
        (order(size="0.0001"), "Order must have minimum value of $10."),
        (order(size="500", price="99000"), "Insufficient margin to place order."),
        (order(reduce_only=True), "Reduce only order would increase position."),
        (order(tif="Alo", price="100001"), "Post only order would have immediately matched, bbo was 100000@100001."),
        (order(tif="Ioc"), "Order could not immediately match against any resting orders."),
        (trigger("120000", "sl"), "Reduce only order would increase position."),
    ],
)
def test_an_order_is_refused_word_for_word(wanted, text):
    scene = CounterScene()
    assert scene.statuses(place(order(), wanted)) == [{"resting": {"oid": 1}}, error(text)]


def test_texts_have_no_suffix_when_set_so():
    scene = CounterScene(CounterSettings(open_questions=OpenQuestions(appends_asset=False)))
    assert scene.statuses(place(order(price="99000.1"))) == [{"error": "Price must be divisible by tick size."}]


@pytest.mark.parametrize(
    ("orders", "text"),
    [
        ([], "Orders are empty."),
        ([order(), order(size="0")], "Order has zero size."),
        ([order(), order(size="-1")], "Order has invalid size."),
        ([order(), order(size="0.000001")], "Order has invalid size."),
        ([order(), order(size="1" * 40)], "Order has invalid size."),
        ([order(), order(price="0")], "Order has invalid price."),
        ([order(), order(price="-1")], "Order has invalid price."),
        ([order(), order(price="1")], "Order price cannot be more than 95% away from the reference price"),
        ([order(), order(99)], "Unknown asset"),
        ([order(), order(-1)], "Unknown asset"),
    ],
)
def test_one_refusal_answers_for_the_whole_batch(orders, text):
    scene = CounterScene()
    assert scene.statuses(place(*orders)) == [{"error": text}]
    assert not scene.account.orders


def test_a_price_beyond_all_grids_leaves_the_other_orders_alone():
    scene = CounterScene()
    statuses = scene.statuses(place(order(), order(1, price="9000.123456"), order(1, price="9000", size="0.01")))
    assert statuses == [
        {"resting": {"oid": 1}},
        error("Price must be divisible by tick size.", 1),
        {"resting": {"oid": 2}},
    ]


def test_a_parent_waits_with_its_children():
    scene = CounterScene()
    children = trigger("110000", "tp"), trigger("90000", "sl")
    statuses = scene.statuses(place(order(), *children, grouping="normalTpsl"))
    assert statuses == [{"resting": {"oid": 1}}, "waitingForFill", "waitingForFill"]
    scene = CounterScene()
    statuses = scene.statuses(place(order(price="100001"), *children, grouping="normalTpsl"))
    assert statuses == [
        {"filled": {"totalSz": "0.001", "avgPx": "100001.0", "oid": 1}},
        "waitingForTrigger",
        "waitingForTrigger",
    ]


def test_orders_for_a_position_wait_for_their_triggers():
    scene = CounterScene()
    scene.statuses(place(order(price="100001", tif="Ioc")))
    children = trigger("110000", "tp"), trigger("90000", "sl")
    assert scene.statuses(place(*children, grouping="positionTpsl")) == ["waitingForTrigger", "waitingForTrigger"]
    single = scene.statuses(place(trigger("91000", "sl")))[0]
    assert list(single) == ["resting"]


def test_a_trigger_that_is_crossed_is_refused():
    scene = CounterScene()
    scene.statuses(place(order(price="100001", tif="Ioc")))
    assert scene.statuses(place(trigger("110000", "sl"))) == [error("Invalid TP/SL price.")]


def test_a_name_of_the_web_page_is_a_market_order():
    status = CounterScene().statuses(place(order(price="105000", tif="FrontendMarket")))[0]
    assert list(status) == ["filled"]


def test_a_bid_for_priority_needs_stake():
    scene = CounterScene()
    action = place(order(tif="Ioc", price="100001"), order(), grouping={"p": 1000})
    assert scene.statuses(action) == [error("Insufficient delegatable balance for priority order")] * 2
    assert scene.statuses(place(order(), grouping={"p": 0})) == [{"resting": {"oid": 1}}]


def test_cancels_answer_one_by_one():
    scene = CounterScene()
    scene.send(place(order(), order(c=CLOID), order(1, price="9000", size="0.01")))
    cancels = [{"a": 0, "o": 1}, {"a": 0, "o": 1}, {"a": 0, "o": 3}, {"a": 99, "o": 3}, {"a": 1, "o": 3}]
    reply = scene.send({"type": "cancel", "cancels": cancels})
    assert reply["response"]["type"] == "cancel"
    assert reply["response"]["data"]["statuses"] == [
        "success",
        error(GONE),
        error(GONE),
        error(GONE, 99),
        "success",
    ]
    by_name = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}, {"asset": 0, "cloid": CLOID}]}
    assert scene.statuses(by_name) == ["success", error(GONE)]
    assert scene.statuses({"type": "cancel", "cancels": []}) == [{"error": "Orders are empty."}]


def test_nobody_cancels_what_is_not_his():
    scene = CounterScene()
    scene.send(place(order()))
    assert scene.statuses({"type": "cancel", "cancels": [{"a": 0, "o": 1}]}, OTHER) == [error(GONE)]
    assert scene.account.orders[1].is_open


def test_names_are_the_same_in_any_case():
    scene = CounterScene()
    scene.send(place(order(c="0x" + CLOID[2:].upper())))
    assert scene.statuses({"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}) == ["success"]


def test_modify_replaces_under_a_new_number():
    scene = CounterScene()
    scene.send(place(order(c=CLOID)))
    assert scene.send({"type": "modify", "oid": 1, "order": order(price="98000", c=CLOID)}) == DEFAULT
    assert [(one.venue_order_id, one.price) for one in scene.account.orders.values()] == [(2, 980_000)]
    assert scene.send({"type": "modify", "oid": CLOID, "order": order(price="97000", c=CLOID)}) == DEFAULT
    assert [one.price for one in scene.account.orders.values()] == [970_000]


def test_modify_is_refused_word_for_word():
    scene = CounterScene()
    assert scene.send({"type": "modify", "oid": 9, "order": order()}) == err("Cannot modify canceled or filled order")
    scene.send(place(order()))
    invalid = err("Attempted to modify to invalid new order")
    assert scene.send({"type": "modify", "oid": 1, "order": order(tif="Ioc")}) == invalid
    assert scene.send({"type": "modify", "oid": 1, "order": order(is_buy=False, price="101000")}) == invalid
    assert scene.send({"type": "modify", "oid": 1, "order": order(7)}) == err("Unknown asset")
    assert scene.send({"type": "modify", "oid": 1, "order": order(size="0.000001")}) == err("Order has invalid size.")
    assert scene.account.orders[1].is_open
    crossing = scene.send({"type": "modify", "oid": 1, "order": order(price="100001")})
    assert crossing == err(
        "Error placing new order during modify: "
        "Post only order would have immediately matched, bbo was 100000@100001. asset=0"
    )
    assert not scene.account.orders


def test_modify_may_take_when_told_to_place_always():
    scene = CounterScene()
    scene.send(place(order()))
    assert scene.send({"type": "modify", "oid": 1, "order": order(price="100001"), "a": True}) == DEFAULT
    assert scene.account.positions == {"BTC": 100}


def test_batch_modify_answers_one_by_one():
    scene = CounterScene()
    scene.send(place(order(), order()))
    modifies = [{"oid": 1, "order": order(price="98000")}, {"oid": 9, "order": order(1, price="9000")}]
    reply = scene.send({"type": "batchModify", "modifies": modifies})
    assert reply["response"]["type"] == "order"
    assert reply["response"]["data"]["statuses"] == [
        {"resting": {"oid": 3}},
        error("Cannot modify canceled or filled order", 1),
    ]
    assert scene.statuses({"type": "batchModify", "modifies": []}) == [{"error": "Orders are empty."}]


def test_only_post_only_orders_are_taken_after_an_upgrade():
    scene = CounterScene(conditions=Upgrade(post_only=True))
    text = "Only post-only orders allowed immediately after a network upgrade"
    statuses = scene.statuses(place(order(), order(tif="Alo"), order(tif="Ioc")))
    assert statuses == [error(text), {"resting": {"oid": 1}}, error(text)]
    assert scene.statuses(place(order())) == [error(text)]
    taking = {"oid": 1, "order": order(price="100001"), "a": True}
    assert scene.statuses({"type": "batchModify", "modifies": [taking]}) == [error(text)]
    assert scene.account.orders[1].is_open


def test_a_halt_refuses_orders_and_lets_cancels_through():
    state = Upgrade()
    scene = CounterScene(conditions=state)
    scene.send(place(order()))
    state.halted = True
    assert scene.statuses(place(order(), order())) == [{"error": "Trading is halted."}]
    assert scene.send({"type": "modify", "oid": 1, "order": order()}) == err("Trading is halted.")
    assert scene.statuses({"type": "cancel", "cancels": [{"a": 0, "o": 1}]}) == ["success"]


def test_twap_orders_are_impossible_here():
    scene = CounterScene()
    twap = {"a": 0, "b": True, "s": "1", "r": False, "m": 1, "t": False}
    assert scene.send({"type": "twapOrder", "twap": twap})["response"] == {
        "type": "twapOrder",
        "data": {"status": {"error": "Invalid TWAP duration: 1 min(s)"}},
    }
    assert scene.send({"type": "twapCancel", "a": 0, "t": 1})["response"] == {
        "type": "twapCancel",
        "data": {"status": {"error": "TWAP was never placed, already canceled, or filled."}},
    }


def test_a_builder_needs_approval_and_earns_on_every_fill():
    scene = CounterScene()
    builder = {"b": address(OTHER), "f": 10}
    refused = scene.statuses(place(order(), builder=builder))
    assert refused == [{"error": "Builder fee has not been approved"}]
    scene.person.builders[address(OTHER)] = 10
    before = scene.money(), scene.account.cash, scene.other.cash
    taken = place(order(price="100001", size="0.01", tif="Ioc"), order(price="99990", size="0.02"), builder=builder)
    scene.statuses(taken)
    earned = 100_001 * 100_000_000 // 100 // 10_000
    assert scene.other.cash == before[2] + earned
    scene.market(bid=BID - 200, ask=BID - 150, lots=100_000)
    earned_later = 99_990 * 100_000_000 // 50 // 10_000
    earned += earned_later
    bought = list(scene.account.executions)
    assert scene.other.cash == before[2] + earned
    assert scene.account.positions == {"BTC": 3_000}
    assert [update.kind for update in scene.other.updates] == ["internalTransfer", "internalTransfer"]
    fees = [(one.fee, one.surcharge) for one in scene.account.executions]
    assert [surcharge for _, surcharge in fees] == [earned - earned_later, earned_later]
    assert scene.account.cash == before[1] - sum(one.side * one.price * one.lots * 100 for one in bought) - sum(
        fee for fee, _ in fees
    )
    assert scene.statuses(place(order(), builder={"b": address(OTHER), "f": 11})) == refused


def test_accounts_trade_with_each_other():
    scene = CounterScene()
    scene.market(bid=BID - 1_000, ask=BID + 1_000)
    scene.send(place(order(price="100000", size="0.1")))
    sold = scene.statuses(place(order(price="99990", is_buy=False, size="0.01", tif="Ioc")), OTHER)
    assert sold == [{"filled": {"totalSz": "0.01", "avgPx": "100000.0", "oid": 2}}]
    assert (scene.account.positions, scene.other.positions) == ({"BTC": 1_000}, {"BTC": -1_000})
