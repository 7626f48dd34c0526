"""The official SDK, unmodified, against `hat venue` in another process: every kind of order it can build.

Two accounts trade with each other only, so that every price and size is known.
"""

import time

import pytest
from hyperliquid.utils.types import Cloid

from tests.services.venue_process import accounts_file, address, running_venue, until, wallet

GTC, IOC, ALO = ({"limit": {"tif": tif}} for tif in ("Gtc", "Ioc", "Alo"))
TOO_FAR = "Order price cannot be more than 95% away from the reference price"
GONE = "Order was never placed, already canceled, or filled. asset=0"
RESULT = "response", "data", "statuses"


def trigger(price, tpsl, *, is_market=True):
    return {"trigger": {"isMarket": is_market, "triggerPx": price, "tpsl": tpsl}}


def request(price, *, is_buy=True, size=0.01, kind=GTC, reduce_only=False, cloid=None, coin="BTC"):
    terms = {"coin": coin, "is_buy": is_buy, "sz": size, "limit_px": price, "order_type": kind}
    return {**terms, "reduce_only": reduce_only, **({"cloid": cloid} if cloid else {})}


def statuses(reply, kind="order"):
    assert reply["status"] == "ok", reply
    assert reply["response"]["type"] == kind
    return reply["response"]["data"]["statuses"]


def one(reply, kind="order"):
    (status,) = statuses(reply, kind)
    return status


def oid(reply):
    return one(reply)["resting"]["oid"]


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    accounts = accounts_file(tmp_path_factory.mktemp("venue"), "maker")
    with running_venue("--market", "participants", "--coins", "BTC,ETH", "--no-limits", "--accounts", accounts) as one:
        one.control("price", coin="BTC", oracle="100000", mark="100000")
        yield one


@pytest.fixture
def maker(venue):
    """Quotes 99,900 at 100,100, one coin each, while a test lasts."""
    exchange = venue.exchange(wallet("maker"))
    quotes = [request(99_900.0, size=1.0, kind=ALO), request(100_100.0, is_buy=False, size=1.0, kind=ALO)]
    assert all("resting" in status for status in statuses(exchange.bulk_orders(quotes)))
    yield exchange
    left = [{"coin": row["coin"], "oid": row["oid"]} for row in exchange.info.open_orders(wallet("maker").address)]
    if left:
        exchange.bulk_cancel(left)


@pytest.fixture
def trader(venue, maker):
    """The SDK of a new account; what it leaves is canceled."""
    exchange = venue.exchange(venue.funded())
    yield exchange
    left = [{"coin": row["coin"], "oid": row["oid"]} for row in exchange.info.open_orders(exchange.wallet.address)]
    if left:
        exchange.bulk_cancel(left)


def resting(exchange):
    return exchange.info.open_orders(exchange.wallet.address)


def position(exchange, coin="BTC"):
    rows = exchange.info.user_state(exchange.wallet.address)["assetPositions"]
    return next((row["position"]["szi"] for row in rows if row["position"]["coin"] == coin), "0.0")


def status_of(exchange, number):
    return exchange.info.query_order_by_oid(exchange.wallet.address, number)["order"]["status"]


def test_a_gtc_order_rests_where_it_does_not_cross(trader):
    number = oid(trader.order("BTC", True, 0.01, 99_000.0, GTC))
    (row,) = resting(trader)
    assert (row["oid"], row["coin"], row["side"], row["limitPx"], row["sz"]) == (number, "BTC", "B", "99000.0", "0.01")


def test_a_gtc_order_fills_where_it_crosses(trader):
    filled = one(trader.order("BTC", True, 0.01, 100_200.0, GTC))["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("0.01", "100100.0")
    assert position(trader) == "0.01"


def test_a_gtc_order_rests_with_what_the_book_did_not_have(trader, maker):
    number = oid(trader.order("BTC", True, 1.5, 100_100.0, GTC))
    (row,) = resting(trader)
    assert (row["oid"], row["sz"], row["origSz"]) == (number, "0.5", "1.5")
    assert position(trader) == "1.0"


def test_an_ioc_order_takes_what_there_is_and_no_more(trader):
    filled = one(trader.order("BTC", False, 1.5, 99_900.0, IOC))["filled"]
    assert (filled["totalSz"], filled["avgPx"]) == ("1.0", "99900.0")
    assert not resting(trader)


def test_an_ioc_order_without_a_match_is_an_error(trader):
    refused = one(trader.order("BTC", True, 0.01, 99_000.0, IOC))
    assert refused == {"error": "Order could not immediately match against any resting orders. asset=0"}


def test_a_post_only_order_rests_or_is_refused(trader):
    assert "resting" in one(trader.order("BTC", True, 0.01, 99_950.0, ALO))
    refused = one(trader.order("BTC", True, 0.01, 100_100.0, ALO))
    assert refused["error"] == "Post only order would have immediately matched, bbo was 99950@100100. asset=0"


def test_a_client_order_id_comes_back_and_finds_the_order(trader):
    name = Cloid.from_int(0xBEEF)
    assert one(trader.order("BTC", True, 0.01, 99_000.0, GTC, cloid=name))["resting"]["cloid"] == name.to_raw()
    found = trader.info.query_order_by_cloid(trader.wallet.address, name)
    assert found["status"] == "order"
    assert (found["order"]["order"]["cloid"], found["order"]["status"]) == (name.to_raw(), "open")
    assert trader.info.query_order_by_cloid(trader.wallet.address, Cloid.from_int(1)) == {"status": "unknownOid"}


def test_a_batch_answers_each_order_in_its_place(trader):
    reply = trader.bulk_orders([request(99_000.0), request(100_200.0, size=0.02), request(99_000.0, size=0.00001)])
    first, second, third = statuses(reply)
    assert set(first) == {"resting"}
    assert second["filled"]["totalSz"] == "0.02"
    assert third == {"error": "Order must have minimum value of $10. asset=0"}


def test_market_orders_open_and_close(trader):
    opened = one(trader.market_open("BTC", True, 0.5, None, 0.01))["filled"]
    assert (opened["totalSz"], opened["avgPx"]) == ("0.5", "100100.0")
    assert one(trader.market_close("BTC", 0.2))["filled"]["avgPx"] == "99900.0"
    assert one(trader.market_close("BTC"))["filled"]["totalSz"] == "0.3"
    assert position(trader) == "0.0"
    assert trader.market_close("BTC") is None


def test_a_round_trip_pays_two_taker_fees_and_the_spread(trader):
    owner = trader.wallet.address
    trader.market_open("BTC", True, 1.0)
    trader.market_close("BTC")
    fills = trader.info.user_fills(owner)
    paid = sum(float(fill["fee"]) for fill in fills)
    assert paid == pytest.approx(0.00045 * (100_100 + 99_900))
    value = float(trader.info.user_state(owner)["marginSummary"]["accountValue"])
    assert value == pytest.approx(1_000_000 - 200 - paid)


def test_a_reduce_only_order_never_turns_a_position(trader):
    refused = one(trader.order("BTC", False, 0.1, 99_900.0, IOC, reduce_only=True))
    assert refused == {"error": "Reduce only order would increase position. asset=0"}
    trader.market_open("BTC", True, 0.1)
    assert one(trader.order("BTC", False, 0.5, 99_900.0, IOC, reduce_only=True))["filled"]["totalSz"] == "0.1"
    assert position(trader) == "0.0"


@pytest.mark.parametrize(
    ("kind", "price", "told"),
    [
        (trigger(95_000.0, "sl"), 95_000.0, ("Stop Market", "Price below 95000")),
        (trigger(95_000.0, "sl", is_market=False), 94_900.0, ("Stop Limit", "Price below 95000")),
        (trigger(105_000.0, "tp"), 105_000.0, ("Take Profit Market", "Price above 105000")),
        (trigger(105_000.0, "tp", is_market=False), 105_000.0, ("Take Profit Limit", "Price above 105000")),
    ],
)
def test_a_trigger_order_waits_and_says_for_what(trader, kind, price, told):
    trader.market_open("BTC", True, 0.1)
    number = oid(trader.order("BTC", False, 0.1, price, kind, reduce_only=True))
    (row,) = trader.info.frontend_open_orders(trader.wallet.address)
    assert (row["oid"], row["isTrigger"], row["reduceOnly"]) == (number, True, True)
    assert (row["orderType"], row["triggerCondition"]) == told
    assert one(trader.cancel("BTC", number), "cancel") == "success"


def test_a_trigger_on_the_wrong_side_is_refused(trader):
    trader.market_open("BTC", True, 0.1)
    refused = one(trader.order("BTC", False, 0.1, 105_000.0, trigger(105_000.0, "sl"), reduce_only=True))
    assert refused == {"error": "Invalid TP/SL price. asset=0"}


def test_a_parent_brings_its_children_when_it_fills(trader):
    children = [
        request(105_000.0, is_buy=False, kind=trigger(105_000.0, "tp"), reduce_only=True),
        request(95_000.0, is_buy=False, kind=trigger(95_000.0, "sl"), reduce_only=True),
    ]
    reply = trader.bulk_orders([request(99_000.0), *children], grouping="normalTpsl")
    parent, *waiting = statuses(reply)
    assert waiting == ["waitingForFill", "waitingForFill"]
    rows = trader.info.frontend_open_orders(trader.wallet.address)
    (row,) = (row for row in rows if row["oid"] == parent["resting"]["oid"])
    assert [child["orderType"] for child in row["children"]] == ["Take Profit Market", "Stop Market"]
    assert one(trader.cancel("BTC", parent["resting"]["oid"]), "cancel") == "success"
    assert not resting(trader)
    filled, *waiting = statuses(trader.bulk_orders([request(100_200.0), *children], grouping="normalTpsl"))
    assert filled["filled"]["totalSz"] == "0.01"
    assert waiting == ["waitingForTrigger", "waitingForTrigger"]
    kinds = {row["orderType"] for row in trader.info.frontend_open_orders(trader.wallet.address)}
    assert kinds == {"Take Profit Market", "Stop Market"}


def test_position_triggers_follow_the_position(trader):
    trader.market_open("BTC", True, 0.1)
    legs = [
        request(105_000.0, is_buy=False, size=0.0, kind=trigger(105_000.0, "tp"), reduce_only=True),
        request(95_000.0, is_buy=False, size=0.0, kind=trigger(95_000.0, "sl"), reduce_only=True),
    ]
    assert statuses(trader.bulk_orders(legs, grouping="positionTpsl")) == ["waitingForTrigger", "waitingForTrigger"]
    rows = trader.info.frontend_open_orders(trader.wallet.address)
    assert [row["isPositionTpsl"] for row in rows] == [True, True]
    trader.market_close("BTC")
    until(lambda: not resting(trader), "the triggers of a position that is gone")


def test_a_builder_is_paid_what_was_approved(venue, trader):
    builder = venue.funded()
    fee = {"b": builder.address, "f": 10}
    refused = one(trader.order("BTC", True, 0.01, 100_200.0, IOC, builder=dict(fee)))
    assert refused["error"].startswith("Builder fee has not been approved")
    assert trader.approve_builder_fee(builder.address, "0.01%")["status"] == "ok"
    assert "filled" in one(trader.order("BTC", True, 0.1, 100_200.0, IOC, builder=dict(fee)))
    opened = trader.market_open("BTC", True, 0.1, builder=dict(fee), cloid=Cloid.from_int(5))
    assert one(opened)["filled"]["cloid"] == Cloid.from_int(5).to_raw()
    fills = trader.info.user_fills(trader.wallet.address)
    for fill in fills:
        assert float(fill["builderFee"]) == pytest.approx(0.1 * 100_100 * 0.0001)
        assert float(fill["fee"]) == pytest.approx(0.1 * 100_100 * (0.00045 + 0.0001))
    asked = {"type": "maxBuilderFee", "user": trader.wallet.address, "builder": builder.address}
    assert trader.info.post("/info", asked) == 10
    earned = float(trader.info.user_state(builder.address)["marginSummary"]["accountValue"]) - 1_000_000
    assert earned == pytest.approx(2 * 0.1 * 100_100 * 0.0001)


def test_cancels_by_number_by_name_and_in_bulk(trader):
    name = Cloid.from_int(77)
    numbers = [oid(trader.order("BTC", True, 0.01, 99_000.0 - step, GTC)) for step in range(3)]
    trader.order("BTC", True, 0.01, 98_000.0, GTC, cloid=name)
    trader.order("ETH", True, 0.1, 1_000.0, GTC, cloid=Cloid.from_int(78))
    assert one(trader.cancel("BTC", numbers[0]), "cancel") == "success"
    assert one(trader.cancel("BTC", numbers[0]), "cancel") == {"error": GONE}
    two = [{"coin": "BTC", "oid": numbers[0]}, {"coin": "BTC", "oid": numbers[1]}, {"coin": "BTC", "oid": numbers[2]}]
    assert statuses(trader.bulk_cancel(two), "cancel") == [{"error": GONE}, "success", "success"]
    assert one(trader.cancel_by_cloid("BTC", name), "cancel") == "success"
    by_name = [{"coin": "ETH", "cloid": Cloid.from_int(78)}, {"coin": "BTC", "cloid": name}]
    assert statuses(trader.bulk_cancel_by_cloid(by_name), "cancel") == ["success", {"error": GONE}]
    assert not resting(trader)
    assert status_of(trader, numbers[1]) == "canceled"


def test_a_modified_order_has_a_new_number(trader):
    number = oid(trader.order("BTC", True, 0.01, 99_000.0, GTC))
    changed = oid(trader.modify_order(number, "BTC", True, 0.02, 99_100.0, ALO))
    assert changed != number
    (row,) = resting(trader)
    assert (row["oid"], row["limitPx"], row["sz"]) == (changed, "99100.0", "0.02")
    assert status_of(trader, number) == "canceled"
    refused = one(trader.modify_order(number, "BTC", True, 0.02, 99_100.0, ALO))
    assert refused["error"].startswith("Cannot modify canceled or filled order")


def test_a_modify_by_name_keeps_the_name_and_bulk_modifies_each(trader):
    name = Cloid.from_int(0xA1)
    trader.order("BTC", True, 0.01, 99_000.0, GTC, cloid=name)
    other = oid(trader.order("BTC", True, 0.01, 98_000.0, GTC))
    modifies = [
        {"oid": name, "order": request(99_200.0, cloid=name, kind=ALO)},
        {"oid": other, "order": request(98_200.0, kind=ALO)},
    ]
    first, second = statuses(trader.bulk_modify_orders_new(modifies))
    assert first["resting"]["cloid"] == name.to_raw()
    assert {row["limitPx"] for row in resting(trader)} == {"99200.0", "98200.0"}
    assert second["resting"]["oid"] > first["resting"]["oid"]


def test_a_modify_may_not_take(trader):
    number = oid(trader.order("BTC", True, 0.01, 99_000.0, GTC))
    refused = one(trader.modify_order(number, "BTC", True, 0.01, 100_200.0, IOC))
    assert refused["error"].startswith("Attempted to modify to invalid new order")


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (("BTC", True, 0.01, 99_000.5, GTC), "Price must be divisible by tick size. asset=0"),
        (("BTC", True, 0.00005, 99_000.0, GTC), "Order must have minimum value of $10. asset=0"),
        (("BTC", True, 0.000001, 99_000.0, GTC), "Order has invalid size."),
        (("BTC", True, 0.0, 99_000.0, GTC), "Order has zero size."),
        (("BTC", True, 0.1, 1_000.0, GTC), TOO_FAR),
        (("BTC", True, 400.0, 99_000.0, GTC), "Insufficient margin to place order. asset=0"),
        (("BTC", False, 0.1, 95_000.0, trigger(95_000.0, "sl")), ""),
    ],
)
def test_a_refusal_is_worded_as_on_the_real_venue(trader, order, told):
    status = one(trader.order(*order))
    if told:
        assert status == {"error": told}
    else:
        assert "resting" in status


def test_the_own_resting_order_is_canceled_where_it_would_trade_with_itself(trader):
    number = oid(trader.order("BTC", True, 0.01, 99_950.0, ALO))
    filled = one(trader.order("BTC", False, 0.01, 99_900.0, IOC))["filled"]
    assert filled["avgPx"] == "99900.0"
    assert status_of(trader, number) == "selfTradeCanceled"


def test_a_scheduled_cancel_needs_volume_then_takes_everything(venue, maker):
    trader = venue.exchange(venue.funded("10000000"))
    soon = int(time.time() * 1000) + 5_400
    refused = trader.schedule_cancel(soon)
    told = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000. Traded: $0."
    assert refused == {"status": "err", "response": told}
    rich = venue.exchange(venue.funded("10000000"))
    assert "resting" in one(rich.order("BTC", False, 11.0, 100_000.0, ALO))
    assert one(trader.order("BTC", True, 11.0, 100_000.0, IOC))["filled"]["totalSz"] == "11.0"
    early = trader.schedule_cancel(int(time.time() * 1000) + 1_000)
    assert early["response"] == "Scheduled cancel time too early, must be at least 5 seconds from now."
    number = oid(trader.order("BTC", True, 0.01, 99_000.0, GTC))
    assert trader.schedule_cancel(int(time.time() * 1000) + 60_000)["status"] == "ok"
    assert trader.schedule_cancel(None)["status"] == "ok"
    assert trader.schedule_cancel(int(time.time() * 1000) + 5_400)["status"] == "ok"
    assert status_of(trader, number) == "open"
    until(lambda: status_of(trader, number) == "scheduledCancel", "the scheduled cancel")


def test_an_action_that_has_expired_is_refused(trader):
    trader.set_expires_after(int(time.time() * 1000) - 10_000)
    assert trader.order("BTC", True, 0.01, 99_000.0, GTC) == {"status": "err", "response": "Action already expired"}
    trader.set_expires_after(int(time.time() * 1000) + 60_000)
    assert "resting" in one(trader.order("BTC", True, 0.01, 99_000.0, GTC))
    trader.set_expires_after(None)
    assert "resting" in one(trader.order("BTC", True, 0.01, 99_000.0, GTC))


def test_a_noop_uses_its_nonce(trader):
    nonce = int(time.time() * 1000)
    assert trader.noop(nonce) == {"status": "ok", "response": {"type": "default"}}
    assert trader.noop(nonce) == {"status": "err", "response": f"Invalid nonce: duplicate nonce {nonce}"}


def test_positions_of_all_accounts_add_up_to_nothing(venue, maker):
    left, right = venue.exchange(venue.funded()), venue.exchange(venue.funded())
    assert "resting" in one(left.order("BTC", True, 0.3, 100_000.0, ALO))
    assert "filled" in one(right.order("BTC", False, 0.3, 100_000.0, IOC))
    assert (position(left), position(right)) == ("0.3", "-0.3")
    theirs = [exchange.info.user_fills(exchange.wallet.address)[0] for exchange in (left, right)]
    assert theirs[0]["tid"] == theirs[1]["tid"]
    assert (theirs[0]["crossed"], theirs[1]["crossed"]) == (False, True)
    assert address(left.wallet) != address(right.wallet)
