"""Markets of `hat venue` as the official SDK sees them: prices that tests set, and a recording that is played."""

import pytest

from tests.bot_runs import write_recording
from tests.services.venue_process import accounts_file, address, running_venue, until, wallet

GTC, IOC, ALO = ({"limit": {"tif": tif}} for tif in ("Gtc", "Ioc", "Alo"))
DEEP = 50.0
HOUR_MS = 3_600_000


def request(price, size, *, is_buy, kind=ALO, reduce_only=False):
    terms = {"coin": "BTC", "is_buy": is_buy, "sz": size, "limit_px": price, "order_type": kind}
    return {**terms, "reduce_only": reduce_only}


def trigger(price, tpsl):
    return {"trigger": {"isMarket": True, "triggerPx": price, "tpsl": tpsl}}


@pytest.fixture
def market(tmp_path):
    """BTC at 100,000, one dealer who quotes wherever the price is moved to."""
    accounts = accounts_file(tmp_path, "dealer", usdc="1000000000")
    with running_venue("--market", "participants", "--coins", "BTC", "--no-limits", "--accounts", accounts) as venue:
        dealer = venue.exchange(wallet("dealer"))

        def moved(price):
            left = [{"coin": "BTC", "oid": row["oid"]} for row in dealer.info.open_orders(dealer.wallet.address)]
            if left:
                dealer.bulk_cancel(left)
            quotes = [request(price - 100, DEEP, is_buy=True), request(price + 100, DEEP, is_buy=False)]
            dealer.bulk_orders(quotes)
            venue.control("price", coin="BTC", oracle=str(price), mark=str(price))

        moved(100_000)
        yield venue, moved


def held(exchange):
    rows = exchange.info.user_state(exchange.wallet.address)["assetPositions"]
    return rows[0]["position"] if rows else None


def test_a_stop_fires_and_its_sibling_goes(market):
    venue, moved = market
    trader = venue.exchange(venue.funded())
    legs = [
        request(105_000, 0.1, is_buy=False, kind=trigger(105_000, "tp"), reduce_only=True),
        request(95_000, 0.1, is_buy=False, kind=trigger(95_000, "sl"), reduce_only=True),
    ]
    entry = request(101_000, 0.1, is_buy=True, kind=IOC)
    statuses = trader.bulk_orders([entry, *legs], grouping="normalTpsl")["response"]["data"]["statuses"]
    assert statuses[1:] == ["waitingForTrigger", "waitingForTrigger"]
    assert held(trader)["szi"] == "0.1"
    moved(94_000)
    until(lambda: held(trader) is None, "the stop")
    ends = {row["order"]["orderType"]: row["status"] for row in trader.info.historical_orders(trader.wallet.address)}
    assert ends["Stop Market"] == "filled"
    assert ends["Take Profit Market"] == "siblingFilledCanceled"
    assert trader.info.user_fills(trader.wallet.address)[0]["px"] == "93900.0"


def test_a_liquidation_is_told_to_its_account(market):
    venue, moved = market
    info = venue.info(skip_ws=False)
    trader = venue.exchange(venue.funded("1000"))
    user = trader.wallet.address
    events = venue.listen(info, {"type": "userEvents", "user": user})
    updates = venue.listen(info, {"type": "userNonFundingLedgerUpdates", "user": user})
    updates.wait()
    trader.update_leverage(40, "BTC")
    assert "filled" in trader.market_open("BTC", True, 0.3)["response"]["data"]["statuses"][0]
    bound = float(held(trader)["liquidationPx"])
    assert 90_000 < bound < 100_000
    moved(98_000)
    until(lambda: held(trader) is None, "the liquidation")
    told = events.wait(lambda data: "liquidation" in data, "the event of a liquidation")["liquidation"]
    assert told["liquidated_user"] == address(trader.wallet)
    fill = trader.info.user_fills(user)[0]
    assert fill["liquidation"]["liquidatedUser"] == address(trader.wallet)
    assert fill["liquidation"]["method"] == "market"
    update = updates.wait(
        lambda data: data["nonFundingLedgerUpdates"][-1]["delta"]["type"] == "liquidation", "the ledger update"
    )
    assert update["nonFundingLedgerUpdates"][-1]["delta"]["leverageType"] == "Cross"


def test_funding_is_paid_when_the_hour_strikes(market):
    venue, _ = market
    info = venue.info(skip_ws=False)
    trader = venue.exchange(venue.funded())
    user = trader.wallet.address
    fundings = venue.listen(info, {"type": "userFundings", "user": user})
    events = venue.listen(info, {"type": "userEvents", "user": user})
    fundings.wait(lambda data: data["isSnapshot"])
    trader.market_open("BTC", True, 1.0)
    until(lambda: float(info.meta_and_asset_ctxs()[1][0]["funding"]), "a funding rate")
    # The venue's clock an hour ahead of the wall's: one full hour passes at once.
    venue.control("misfortune", skew_ms=HOUR_MS)
    (paid,) = fundings.wait(lambda data: not data.get("isSnapshot"), "a payment")["fundings"]
    assert (paid["coin"], paid["szi"]) == ("BTC", "1.0")
    assert float(paid["usdc"]) == pytest.approx(-100_000 * float(paid["fundingRate"]), rel=0.01)
    assert events.wait(lambda data: "funding" in data, "the event of a payment")["funding"]["usdc"] == paid["usdc"]
    (row,) = info.user_funding_history(user, 0)
    assert (row["delta"]["usdc"], row["delta"]["type"]) == (paid["usdc"], "funding")
    (rate,) = info.funding_history("BTC", 0)
    assert (rate["coin"], float(rate["fundingRate"])) == ("BTC", float(paid["fundingRate"]))
    assert rate["time"] % HOUR_MS < 1_000
    sums = held(trader)["cumFunding"]
    assert float(sums["allTime"]) == -float(paid["usdc"])


def test_a_recording_is_played_as_fast_as_asked(tmp_path):
    recording = write_recording(tmp_path / "recording", events=4_000)
    with running_venue("--market", recording, "--coins", "SOL", "--speed", "5", "--no-limits", "--demo") as venue:
        info = venue.info(skip_ws=False)
        books = venue.listen(info, {"type": "l2Book", "coin": "SOL"})
        until(lambda: len({str(book["levels"]) for book in books.data()}) >= 3, "books that change")
        exchange = venue.exchange(venue.demo())
        filled = exchange.market_open("SOL", True, 0.5)["response"]["data"]["statuses"][0]["filled"]
        assert float(filled["avgPx"]) == pytest.approx(float(info.all_mids()["SOL"]), rel=0.02)
