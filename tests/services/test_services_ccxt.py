"""ccxt's Hyperliquid client, unmodified, in sandbox mode, against `hat venue` in another process.

Only its URLs are told where the venue is, as its manual says for any other host.
"""

import asyncio
import math

import ccxt
import ccxt.pro
import pytest

from tests.services.venue_process import REQUEST_SECONDS, running_venue, until

BTC, ETH, SOL = "BTC/USDC:USDC", "ETH/USDC:USDC", "SOL/USDC:USDC"
STARTED = 10_000
"""Dollars of the demo account."""


def settings(venue):
    return {
        "walletAddress": venue.account,
        "privateKey": venue.secret_key,
        "timeout": REQUEST_SECONDS * 1000,
        "enableRateLimit": False,
    }


def pointed(client, venue):
    """Put a client into sandbox mode and point its URLs at the venue."""
    client.set_sandbox_mode(True)
    for name in ("public", "private"):
        client.urls["api"][name] = venue.url
    if "ws" in client.urls["api"]:
        client.urls["api"]["ws"]["public"] = "ws" + venue.url.removeprefix("http") + "/ws"
    return client


@pytest.fixture(scope="module")
def venue():
    with running_venue("--demo", "--no-limits") as one:
        until(lambda: len(one.info().all_mids()) == 3, "prices")
        until(lambda: float(one.info().meta_and_asset_ctxs()[1][0]["oraclePx"]), "an oracle")
        yield one


@pytest.fixture(scope="module")
def client(venue):
    found = pointed(ccxt.hyperliquid(settings(venue)), venue)
    found.load_markets()
    yield found
    found.session.close()


@pytest.fixture
def flat(client):
    """No order and no position before a test, whatever the one before left."""
    orders = client.fetch_open_orders()
    if orders:
        client.cancel_orders_for_symbols([{"id": order["id"], "symbol": order["symbol"]} for order in orders])
    for held in client.fetch_positions():
        side = "sell" if held["side"] == "long" else "buy"
        price = client.fetch_ticker(held["symbol"])["last"] or mid(client, held["symbol"])
        client.create_order(held["symbol"], "market", side, held["contracts"], price, {"reduceOnly": True})
    return client


def mid(client, symbol=BTC):
    book = client.fetch_order_book(symbol)
    return (book["bids"][0][0] + book["asks"][0][0]) / 2


def low(client, share=0.9, symbol=BTC):
    return float(client.price_to_precision(symbol, mid(client, symbol) * share))


def test_markets_have_precision_and_limits(client):
    assert {BTC, ETH, SOL} <= set(client.symbols)
    market = client.market(BTC)
    assert (market["type"], market["settle"], market["baseId"]) == ("swap", "USDC", "0")
    assert market["precision"]["amount"] == 1e-5
    assert market["limits"]["cost"]["min"] == 10
    assert market["limits"]["leverage"]["max"] == 40


def test_the_venue_is_open_and_tells_the_time(client):
    assert client.fetch_status()["status"] == "ok"
    assert abs(client.fetch_time() - client.milliseconds()) < 60_000
    assert "USDC" in client.fetch_currencies()


def test_prices_books_candles_and_trades(client):
    book = client.fetch_order_book(BTC)
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = client.fetch_ticker(BTC)
    assert ticker["symbol"] == BTC
    assert float(ticker["info"]["markPx"]) == pytest.approx(book["bids"][0][0], rel=0.05)
    assert set(client.fetch_tickers([BTC, ETH])) == {BTC, ETH}
    candles = until(lambda: client.fetch_ohlcv(BTC, "1m"), "a candle")
    _, opened, high, lowest, closed, volume = candles[-1]
    assert lowest <= min(opened, closed) <= max(opened, closed) <= high
    assert volume > 0
    # This client's fetch_trades asks for the fills of an account: the public tape is the socket's.
    assert client.fetch_trades(BTC, params={"user": client.walletAddress}) == client.fetch_my_trades(BTC)


def test_funding_rates_and_open_interest(client):
    rate = client.fetch_funding_rates([BTC])[BTC]
    assert (rate["symbol"], rate["interval"]) == (BTC, "1h")
    assert math.isfinite(rate["fundingRate"])
    assert client.fetch_funding_rate_history(BTC, client.milliseconds() - 1_000) == []
    assert client.fetch_open_interest(BTC)["openInterestAmount"] >= 0
    assert client.fetch_funding_history(BTC, client.milliseconds() - 1_000) == []


def test_a_limit_order_is_placed_found_changed_and_canceled(flat):
    price = low(flat)
    placed = flat.create_order(BTC, "limit", "buy", 0.01, price)
    found = flat.fetch_order(placed["id"], BTC)
    assert (found["status"], found["side"], found["amount"], found["price"]) == ("open", "buy", 0.01, price)
    (row,) = flat.fetch_open_orders(BTC)
    assert (row["id"], row["remaining"], row["timeInForce"]) == (placed["id"], 0.01, "GTC")
    edited = flat.edit_order(placed["id"], BTC, "limit", "buy", 0.02, low(flat, 0.88), {"postOnly": True})
    assert edited["id"] != placed["id"]
    (row,) = flat.fetch_open_orders(BTC)
    assert (row["id"], row["amount"]) == (edited["id"], 0.02)
    flat.cancel_order(edited["id"], BTC)
    assert flat.fetch_open_orders(BTC) == []
    assert flat.fetch_order(edited["id"], BTC)["status"] == "canceled"
    assert edited["id"] in {order["id"] for order in flat.fetch_canceled_orders(BTC)}
    with pytest.raises(ccxt.OrderNotFound):
        flat.cancel_order(edited["id"], BTC)


def test_a_post_only_order_does_not_take(flat):
    placed = flat.create_order(BTC, "limit", "buy", 0.01, low(flat), {"postOnly": True})
    assert flat.fetch_order(placed["id"], BTC)["postOnly"]
    with pytest.raises(ccxt.InvalidOrder, match="Post only order would have immediately matched"):
        flat.create_order(BTC, "limit", "buy", 0.01, low(flat, 1.02), {"postOnly": True})


def test_a_client_order_id_cancels(flat):
    name = "0x" + "ab" * 16
    flat.create_order(BTC, "limit", "buy", 0.01, low(flat), {"clientOrderId": name})
    assert flat.fetch_order(name, BTC, {"clientOrderId": name})["clientOrderId"] == name
    flat.cancel_order("", BTC, {"clientOrderId": name})
    assert flat.fetch_open_orders(BTC) == []


def test_a_market_order_opens_a_position_and_one_closes_it(flat):
    opened = flat.create_order(ETH, "market", "buy", 0.5, mid(flat, ETH))
    assert opened["filled"] == 0.5
    (held,) = flat.fetch_positions([ETH])
    assert (held["symbol"], held["side"], held["contracts"], held["marginMode"]) == (ETH, "long", 0.5, "cross")
    assert flat.fetch_position(ETH)["contracts"] == 0.5
    closed = flat.create_order(ETH, "market", "sell", 0.5, mid(flat, ETH), {"reduceOnly": True})
    assert closed["filled"] == 0.5
    assert flat.fetch_positions([ETH]) == []
    trades = flat.fetch_my_trades(ETH)
    assert sum(trade["amount"] * (1 if trade["side"] == "buy" else -1) for trade in trades) == pytest.approx(0)
    assert all(trade["fee"]["currency"] == "USDC" and trade["fee"]["cost"] > 0 for trade in trades)
    assert opened["id"] in {trade["order"] for trade in trades}
    assert opened["id"] in {order["id"] for order in flat.fetch_closed_orders(ETH)}
    assert opened["id"] in {order["id"] for order in flat.fetch_orders(ETH)}


def test_triggers_wait_and_attached_ones_too(flat):
    flat.create_order(BTC, "market", "buy", 0.01, mid(flat))
    stop = flat.create_order(BTC, "market", "sell", 0.01, low(flat), {"stopLossPrice": low(flat), "reduceOnly": True})
    profit = flat.create_order(
        BTC, "limit", "sell", 0.01, low(flat, 1.1), {"takeProfitPrice": low(flat, 1.1), "reduceOnly": True}
    )
    rows = {order["id"]: order for order in flat.fetch_open_orders(BTC)}
    assert set(rows) == {stop["id"], profit["id"]}
    assert rows[stop["id"]]["reduceOnly"]
    attached = {"stopLoss": {"triggerPrice": low(flat, 0.8)}, "takeProfit": {"triggerPrice": low(flat, 1.2)}}
    flat.create_order(SOL, "limit", "buy", 1.0, low(flat, 0.9, SOL), {})
    orders = flat.create_orders(
        [{"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": low(flat), "params": attached}]
    )
    assert orders[0]["id"]


def test_a_refusal_has_the_class_this_client_knows_it_by(flat):
    with pytest.raises(ccxt.InvalidOrder, match="minimum value of"):
        flat.create_order(BTC, "limit", "buy", 0.00001, low(flat))
    with pytest.raises(ccxt.InsufficientFunds, match="Insufficient margin"):
        flat.create_order(BTC, "limit", "buy", 1_000.0, low(flat))
    with pytest.raises(ccxt.OrderNotFound):
        flat.fetch_order("999999999", BTC)


def test_the_balance_follows_trading_and_deposits(venue, flat):
    balance = flat.fetch_balance()
    assert 0 < balance["USDC"]["total"] <= STARTED
    venue.control("deposit", account=venue.account, usdc="50")
    after = flat.fetch_balance()
    assert after["USDC"]["total"] - balance["USDC"]["total"] == pytest.approx(50, abs=1e-6)
    assert balance["USDC"]["free"] <= balance["USDC"]["total"]
    assert flat.fetch_trading_fee(BTC)["taker"] == 0.00045
    (deposit,) = flat.fetch_deposits()
    assert deposit["amount"] == 50
    assert [entry["type"] for entry in flat.fetch_ledger()].count("deposit") >= 1


def test_leverage_margin_mode_and_margin(flat):
    assert flat.set_leverage(5, ETH)["status"] == "ok"
    assert flat.set_margin_mode("isolated", SOL, {"leverage": 4})["status"] == "ok"
    flat.create_order(SOL, "market", "buy", 5.0, mid(flat, SOL))
    (held,) = flat.fetch_positions([SOL])
    assert (held["marginMode"], held["leverage"]) == ("isolated", 4)
    flat.add_margin(SOL, 10)
    flat.reduce_margin(SOL, 5)
    (after,) = flat.fetch_positions([SOL])
    assert after["collateral"] - held["collateral"] == pytest.approx(5, abs=20)


def test_money_goes_to_spot_and_back(flat):
    flat.transfer("USDC", 25, "swap", "spot")
    assert flat.fetch_balance({"type": "spot"})["USDC"]["total"] == 25
    flat.transfer("USDC", 25, "spot", "swap")


def run(venue, work):
    """Let an asynchronous test run with a client of ccxt.pro."""

    async def with_client():
        client = pointed(ccxt.pro.hyperliquid(settings(venue)), venue)
        try:
            async with asyncio.timeout(60):
                await client.load_markets()
                return await work(client)
        finally:
            await client.close()

    return asyncio.run(with_client())


def test_the_socket_client_hears_the_market(venue):
    async def work(client):
        book = await client.watch_order_book(BTC)
        assert book["bids"][0][0] < book["asks"][0][0]
        trades = await client.watch_trades(BTC)
        assert trades[0]["symbol"] == BTC
        candles = await client.watch_ohlcv(BTC, "1m")
        assert candles[-1][4] > 0
        tickers = await client.watch_tickers([BTC, ETH])
        assert set(tickers) <= {BTC, ETH, SOL}
        again = await client.watch_order_book(BTC)
        assert again["timestamp"] >= book["timestamp"]

    run(venue, work)


def test_the_socket_client_trades_and_hears_of_it(venue, flat):
    price = low(flat)

    async def work(client):
        async with asyncio.TaskGroup() as group:
            orders = group.create_task(client.watch_orders(BTC))
            mine = group.create_task(client.watch_my_trades(BTC))
            await asyncio.sleep(0)
            # Frames are taken in order: what is subscribed before the book is heard of when the book comes.
            await client.watch_order_book(BTC)
            placed = await client.create_order_ws(BTC, "limit", "buy", 0.01, price)
            heard = await orders
            assert placed["id"] in {order["id"] for order in heard}
            await client.edit_order_ws(placed["id"], BTC, "limit", "buy", 0.02, price, {"postOnly": True})
            (left,) = await client.fetch_open_orders(BTC)
            await client.cancel_order_ws(left["id"], BTC)
            opened = await client.create_order_ws(BTC, "market", "buy", 0.01, price / 0.9)
            trades = await mine
        assert trades
        assert opened["filled"] == 0.01
        return await client.fetch_open_orders(BTC)

    assert run(venue, work) == []
