"""The official SDK's socket, unmodified, against `hat venue`: a message of every subscription it routes, and checked.

The SDK tells messages apart by their channel and a few keys, and drops what it cannot place: what arrives here was
found by its own rules.
"""

import pytest

from tests.services.venue_process import address, running_venue, until

IOC, GTC = ({"limit": {"tif": tif}} for tif in ("Ioc", "Gtc"))
MARKET_CHANNELS = {
    "l2Book": {"coin": "BTC"},
    "trades": {"coin": "BTC"},
    "bbo": {"coin": "BTC"},
    "candle": {"coin": "BTC", "interval": "1m"},
    "activeAssetCtx": {"coin": "BTC"},
    "allMids": {},
}
USER_CHANNELS = (
    "orderUpdates",
    "userEvents",
    "userFills",
    "userFundings",
    "userNonFundingLedgerUpdates",
    "webData2",
)


@pytest.fixture(scope="module")
def venue():
    with running_venue("--demo", "--no-limits") as one:
        until(lambda: len(one.info().all_mids()) == 3, "prices")
        yield one


@pytest.fixture
def exchange(venue):
    return venue.exchange(venue.funded())


@pytest.fixture
def socket(venue):
    info = venue.info(skip_ws=False)
    yield info
    venue.hang_up(info)


@pytest.fixture
def streams(venue, socket, exchange):
    """All that can be heard about one account."""
    user = exchange.wallet.address
    heard = {kind: venue.listen(socket, {"type": kind, "user": user}) for kind in USER_CHANNELS}
    heard["userFills"].wait(lambda data: data.get("isSnapshot"), "the snapshot of fills")
    return heard


def price(socket, share):
    return float(f"{float(socket.all_mids()['BTC']) * share:.4g}")


def test_market_channels_bring_what_they_promise(venue, socket):
    heard = {kind: venue.listen(socket, {"type": kind, **keys}) for kind, keys in MARKET_CHANNELS.items()}
    book = heard["l2Book"].wait()
    bids, asks = book["levels"]
    assert book["coin"] == "BTC"
    assert float(bids[0]["px"]) < float(asks[0]["px"])
    trade = heard["trades"].wait()[0]
    assert (trade["coin"], len(trade["users"])) == ("BTC", 2)
    assert trade["side"] in {"A", "B"}
    bid, ask = heard["bbo"].wait()["bbo"]
    assert float(bid["px"]) < float(ask["px"])
    candle = heard["candle"].wait()
    assert (candle["s"], candle["i"]) == ("BTC", "1m")
    context = heard["activeAssetCtx"].wait(lambda data: float(data["ctx"]["oraclePx"]) > 0)
    assert context["coin"] == "BTC"
    assert float(context["ctx"]["markPx"]) > 0
    assert set(heard["allMids"].wait()["mids"]) == {"BTC", "ETH", "SOL"}
    for kind, stream in heard.items():
        until(lambda stream=stream: len(stream.messages) > 1, f"a second message of {kind}")


def test_books_come_again_and_again_in_order(venue, socket):
    stream = venue.listen(socket, {"type": "l2Book", "coin": "ETH"})
    until(lambda: len(stream.messages) >= 4, "books")
    times = [data["time"] for data in stream.data()]
    assert times == sorted(times)


def test_a_resting_order_is_told_and_its_end(socket, exchange, streams):
    placed = exchange.order("BTC", True, 0.01, price(socket, 0.9), GTC)
    number = placed["response"]["data"]["statuses"][0]["resting"]["oid"]
    exchange.cancel("BTC", number)
    updates = streams["orderUpdates"]

    def states():
        rows = [row for data in updates.data() for row in data if row["order"]["oid"] == number]
        return [row["status"] for row in rows] if len(rows) >= 2 else None

    assert until(states, "two updates") == ["open", "canceled"]
    row = updates.data()[0][0]["order"]
    assert (row["coin"], row["side"], row["sz"], row["origSz"]) == ("BTC", "B", "0.01", "0.01")


def test_a_fill_is_told_everywhere_once(exchange, streams):
    opened = exchange.market_open("BTC", True, 0.01)["response"]["data"]["statuses"][0]["filled"]
    events = streams["userEvents"].wait(lambda data: "fills" in data, "an event with fills")
    assert events["fills"][0]["oid"] == opened["oid"]
    pushed = streams["userFills"].wait(lambda data: not data.get("isSnapshot"), "a fill")
    assert pushed["user"] == address(exchange.wallet)
    told = [fill for data in streams["userFills"].data() for fill in data["fills"]]
    assert sum(float(fill["sz"]) for fill in told) == pytest.approx(0.01)
    assert len({(fill["tid"], fill["time"]) for fill in told}) == len(told)
    assert told[0] in exchange.info.user_fills(exchange.wallet.address)
    updates = streams["orderUpdates"].wait(lambda data: data[-1]["status"] == "filled", "the end of the order")
    assert updates[-1]["order"]["sz"] == "0.0"


def test_snapshots_come_first_even_when_empty(streams):
    assert streams["userFills"].data()[0]["fills"] == []
    fundings = streams["userFundings"].wait()
    assert (fundings["isSnapshot"], fundings["fundings"]) == (True, [])
    updates = streams["userNonFundingLedgerUpdates"].wait()
    assert updates["isSnapshot"]
    assert [row["delta"]["type"] for row in updates["nonFundingLedgerUpdates"]] == ["deposit"]


def test_money_that_arrives_is_told(venue, exchange, streams):
    venue.control("deposit", account=exchange.wallet.address, usdc="12.5")
    update = streams["userNonFundingLedgerUpdates"].wait(lambda data: not data.get("isSnapshot"), "a deposit")
    assert update["nonFundingLedgerUpdates"][0]["delta"] == {"type": "deposit", "usdc": "12.5"}


def test_the_page_of_an_account_holds_all_of_it(exchange, streams):
    page = streams["webData2"].wait()
    assert page["user"] == address(exchange.wallet)
    assert {"clearinghouseState", "openOrders", "meta", "assetCtxs", "serverTime", "agentAddress"} <= set(page)
    assert page["clearinghouseState"]["marginSummary"]["accountValue"] == "1000000.0"


def test_what_one_may_trade_is_told(venue, socket, exchange):
    asked = {"type": "activeAssetData", "user": exchange.wallet.address, "coin": "BTC"}
    stream = venue.listen(socket, asked)
    data = stream.wait()
    assert (data["user"], data["coin"], data["leverage"]["type"]) == (address(exchange.wallet), "BTC", "cross")
    assert len(data["maxTradeSzs"]) == len(data["availableToTrade"]) == 2
    exchange.update_leverage(3, "BTC")
    stream.wait(lambda data: data["leverage"]["value"] == 3, "the new leverage")


def test_an_unsubscribed_channel_is_silent(venue, socket):
    stream = venue.listen(socket, {"type": "l2Book", "coin": "SOL"})
    stream.wait()
    identifier = socket.ws_manager.subscription_id_counter
    assert socket.unsubscribe({"type": "l2Book", "coin": "SOL"}, identifier)
    bbo = venue.listen(socket, {"type": "bbo", "coin": "SOL"})
    until(lambda: len(bbo.messages) >= 2, "what comes after")
    heard = len(stream.messages)
    until(lambda: len(bbo.messages) >= 6, "what comes later")
    assert len(stream.messages) == heard


def test_a_second_callback_hears_the_same(venue, socket):
    first = venue.listen(socket, {"type": "allMids"})
    second = venue.listen(socket, {"type": "allMids"})
    assert set(second.wait()["mids"]) == set(first.wait()["mids"])


def test_the_heartbeat_is_answered(venue, socket):
    stream = venue.listen(socket, {"type": "l2Book", "coin": "BTC"})
    stream.wait()
    socket.ws_manager.ws.send('{"method":"ping"}')
    heard = len(stream.messages)
    until(lambda: len(stream.messages) > heard, "a socket that goes on")


def test_a_socket_that_the_client_closes_is_forgotten(venue):
    polite = venue.info(skip_ws=False)
    venue.listen(polite, {"type": "allMids"}).wait()
    assert venue.gauge("sockets") == 1
    polite.disconnect_websocket()
    until(lambda: venue.gauge("sockets") == 0, "a socket less")


def test_a_dropped_socket_does_not_stop_the_venue(venue, exchange):
    lost = venue.info(skip_ws=False)
    venue.listen(lost, {"type": "allMids"}).wait()
    venue.hang_up(lost)
    assert not lost.ws_manager.is_alive()
    again = venue.info(skip_ws=False)
    assert venue.listen(again, {"type": "allMids"}).wait()["mids"]
    assert exchange.info.all_mids()
