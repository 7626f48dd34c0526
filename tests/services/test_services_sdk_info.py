"""The official SDK's Info, unmodified, against `hat venue`: every question it can ask, on the synthetic market."""

import re
import time

import pytest
from hyperliquid.utils.types import Cloid

from tests.services.venue_process import address, running_venue, until

DECIMAL = re.compile(r"-?\d+\.\d+")
HOUR_MS = 3_600_000
NAME = Cloid.from_int(0xFEED)


@pytest.fixture(scope="module")
def venue():
    with running_venue("--demo", "--no-limits") as one:
        yield one


@pytest.fixture(scope="module")
def info(venue):
    found = venue.info()
    until(lambda: len(found.all_mids()) == 3, "prices")
    return found


@pytest.fixture(scope="module")
def traded(venue, info):
    """The demo account after a round trip in BTC, with a long in ETH and an order that rests in SOL."""
    exchange = venue.exchange(venue.demo())
    start_ms = int(time.time() * 1000) - 1
    for reply in (
        exchange.market_open("BTC", True, 0.01),
        exchange.market_close("BTC"),
        exchange.market_open("ETH", True, 0.2),
    ):
        assert "filled" in reply["response"]["data"]["statuses"][0], reply
    price = float(f"{float(info.all_mids()['SOL']) * 0.9:.4g}")
    placed = exchange.order("SOL", True, 1.0, price, {"limit": {"tif": "Gtc"}}, cloid=NAME)
    return {
        "owner": venue.account,
        "start_ms": start_ms,
        "exchange": exchange,
        "oid": placed["response"]["data"]["statuses"][0]["resting"]["oid"],
    }


def test_the_coins_and_their_margin_tables(info):
    meta = info.meta()
    assert [row["name"] for row in meta["universe"]] == ["BTC", "ETH", "SOL"]
    btc = meta["universe"][0]
    assert (btc["szDecimals"], btc["maxLeverage"]) == (5, 40)
    tables = dict(meta["marginTables"])
    assert all(row["marginTableId"] in tables or row["marginTableId"] < 50 for row in meta["universe"])
    assert info.perp_dexs() == [None]


def test_every_spot_pair_has_its_tokens(info):
    spot = info.spot_meta()
    tokens = {token["index"] for token in spot["tokens"]}
    assert all(set(pair["tokens"]) <= tokens for pair in spot["universe"])
    with_contexts, contexts = info.spot_meta_and_asset_ctxs()
    assert with_contexts == spot
    assert len(contexts) == len(spot["universe"])


def test_prices_of_everything(info):
    mids = info.all_mids()
    assert all(DECIMAL.fullmatch(price) for price in mids.values())
    meta, contexts = until(
        lambda: next((one for one in [info.meta_and_asset_ctxs()] if float(one[1][0]["oraclePx"])), None), "an oracle"
    )
    assert len(meta["universe"]) == len(contexts)
    btc = contexts[0]
    assert float(btc["markPx"]) == pytest.approx(float(mids["BTC"]), rel=0.05)
    assert float(btc["oraclePx"]) == pytest.approx(float(mids["BTC"]), rel=0.05)
    assert {"funding", "openInterest", "prevDayPx", "dayNtlVlm", "premium", "midPx", "impactPxs"} <= set(btc)


def test_a_book_is_ordered_and_does_not_cross(info):
    book = info.l2_snapshot("BTC")
    bids, asks = ([float(level["px"]) for level in side] for side in book["levels"])
    assert book["coin"] == "BTC"
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert 0 < len(bids) <= 20
    assert all(DECIMAL.fullmatch(level["sz"]) and level["n"] >= 1 for level in book["levels"][0])
    assert abs(book["time"] - time.time() * 1000) < 60_000
    assert info.post("/info", {"type": "l2Book", "coin": "NONE"}) is None


def test_candles_are_made_of_trades(info):
    now_ms = int(time.time() * 1000)
    rows = until(lambda: info.candles_snapshot("BTC", "1m", now_ms - HOUR_MS, now_ms + HOUR_MS), "a candle")
    row = rows[-1]
    assert (row["s"], row["i"], row["T"]) == ("BTC", "1m", row["t"] + 59_999)
    assert float(row["l"]) <= float(row["o"]) <= float(row["h"])
    assert float(row["l"]) <= float(row["c"]) <= float(row["h"])
    assert row["n"] > 0


def test_the_account_adds_up(info, traded):
    state = info.user_state(traded["owner"])
    assert {"assetPositions", "marginSummary", "crossMarginSummary", "crossMaintenanceMarginUsed"} <= set(state)
    (row,) = state["assetPositions"]
    assert row["type"] == "oneWay"
    held = row["position"]
    assert (held["coin"], held["szi"], held["maxLeverage"]) == ("ETH", "0.2", 25)
    assert held["leverage"]["type"] == "cross"
    summary = state["marginSummary"]
    total = float(summary["totalRawUsd"]) + float(held["positionValue"])
    assert float(summary["accountValue"]) == pytest.approx(total)
    assert float(state["withdrawable"]) <= float(summary["accountValue"])
    nobody = info.user_state("0x" + "77" * 20)
    assert nobody["assetPositions"] == []
    assert nobody["marginSummary"]["accountValue"] == "0.0"


def test_an_address_may_be_written_in_any_case(info, traded):
    upper = "0x" + traded["owner"][2:].upper()
    assert info.open_orders(upper) == info.open_orders(traded["owner"])


def test_orders_are_listed_found_and_remembered(info, traded):
    owner, number = traded["owner"], traded["oid"]
    (row,) = info.open_orders(owner)
    assert (row["oid"], row["coin"], row["side"], row["cloid"]) == (number, "SOL", "B", NAME.to_raw())
    (front,) = info.frontend_open_orders(owner)
    assert (front["orderType"], front["tif"], front["isTrigger"], front["triggerCondition"]) == (
        "Limit",
        "Gtc",
        False,
        "N/A",
    )
    found = info.query_order_by_oid(owner, number)
    assert (found["status"], found["order"]["status"]) == ("order", "open")
    assert info.query_order_by_cloid(owner, NAME) == found
    assert info.query_order_by_oid(owner, 999_999_999) == {"status": "unknownOid"}
    history = info.historical_orders(owner)
    assert {entry["status"] for entry in history} == {"filled", "open"}
    assert history == sorted(history, key=lambda entry: entry["statusTimestamp"], reverse=True)


def test_fills_chain_and_carry_their_fee(info, traded):
    owner = traded["owner"]
    fills = info.user_fills(owner)
    assert fills == sorted(fills, key=lambda fill: fill["time"], reverse=True)
    assert {fill["dir"] for fill in fills} == {"Open Long", "Close Long"}
    for fill in fills:
        fee = float(fill["px"]) * float(fill["sz"]) * 0.00045
        assert float(fill["fee"]) == pytest.approx(fee, abs=1e-5)
        assert fill["feeToken"] == "USDC"
        assert re.fullmatch("0x[0-9a-f]{64}", fill["hash"])
    held = 0.0
    for fill in (fill for fill in reversed(fills) if fill["coin"] == "BTC"):
        assert float(fill["startPosition"]) == pytest.approx(held)
        held += float(fill["sz"]) * (1 if fill["side"] == "B" else -1)
    assert held == pytest.approx(0.0)
    by_time = info.user_fills_by_time(owner, traded["start_ms"])
    assert sorted(by_time, key=repr) == sorted(fills, key=repr)
    assert info.user_fills_by_time(owner, 0, 1) == []
    assert len(info.user_fills_by_time(owner, 0, None, True)) <= len(fills)


def test_funding_is_told_as_lists(info, traded):
    since = traded["start_ms"] - HOUR_MS
    assert isinstance(info.funding_history("BTC", since), list)
    assert info.funding_history("BTC", 0, 1) == []
    assert isinstance(info.user_funding_history(traded["owner"], since), list)
    assert info.user_funding_history(traded["owner"], 0, 1) == []


def test_fees_limits_and_volume(info, traded):
    fees = info.user_fees(traded["owner"])
    assert (float(fees["userCrossRate"]), float(fees["userAddRate"])) == (0.00045, 0.00015)
    assert {"dailyUserVlm", "feeSchedule", "activeReferralDiscount"} <= set(fees)
    limit = info.user_rate_limit(traded["owner"])
    assert limit["nRequestsCap"] == 10_000 + int(float(limit["cumVlm"]))
    assert limit["nRequestsUsed"] >= 4
    periods = dict(info.portfolio(traded["owner"]))
    assert set(periods) >= {"day", "week", "month", "allTime"}
    assert float(periods["allTime"]["vlm"]) == pytest.approx(float(limit["cumVlm"]))


def test_deposits_are_in_the_ledger_updates(venue, info):
    owner = venue.funded("123.5").address
    (row,) = info.user_non_funding_ledger_updates(owner, 0)
    assert row["delta"] == {"type": "deposit", "usdc": "123.5"}
    assert info.user_non_funding_ledger_updates(owner, 0, 1) == []


def test_who_is_who(info, traded, venue):
    owner = traded["owner"]
    assert info.user_role(owner) == {"role": "user"}
    assert info.user_role("0x" + "99" * 20) == {"role": "missing"}
    assert info.extra_agents(owner) == []
    assert info.query_sub_accounts(owner) is None
    assert info.query_user_to_multi_sig_signers(owner) is None
    assert info.query_user_abstraction_state(owner) == "default"
    assert info.query_user_dex_abstraction_state(owner) in (None, False)
    assert info.query_referral_state(owner)["referredBy"] is None
    assert address(venue.demo()) == owner


def test_what_this_venue_does_not_have_is_empty_and_well_formed(info, traded):
    owner = traded["owner"]
    assert float(info.user_staking_summary(owner)["delegated"]) == 0.0
    for found in (
        info.user_staking_delegations(owner),
        info.user_staking_rewards(owner),
        info.delegator_history(owner),
        info.user_twap_slice_fills(owner),
        info.user_vault_equities(owner),
    ):
        assert found == []
    assert isinstance(info.spot_user_state(owner)["balances"], list)
    assert isinstance(info.query_perp_deploy_auction_status(), dict)
    assert isinstance(info.query_spot_deploy_auction_status(owner), dict)


def test_names_and_numbers_are_mapped_by_the_sdk(info):
    info.set_perp_meta(info.meta(), 0)
    assert info.name_to_asset("SOL") == 2
    with pytest.raises(RuntimeError, match="skip_ws"):
        info.disconnect_websocket()
