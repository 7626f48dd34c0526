"""`hat doctor` on instruments: listed, large enough to be ordered, leverage as configured."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import load
from bot.doctor_instruments import size_finding
from bot.findings import Verdict
from domain.instrument import perpetual
from domain.units import MONEY_UNIT, Money, Price
from tests.asked_venue import ASSETS, clearing, context, meta, position
from tests.bot_runs import DATA
from tests.doctor_scene import doctor_scene, line


@pytest.fixture
def examined(tmp_path, monkeypatch):
    with doctor_scene(tmp_path, monkeypatch) as scene:
        yield scene


@pytest.fixture
def venue(examined):
    return examined.venue


def test_instruments_that_cannot_be_traded_fail(examined, venue):
    listed = meta()
    listed["universe"][1]["isDelisted"] = True
    listed["universe"][2]["onlyIsolated"] = True
    venue.answers["metaAndAssetCtxs"] = lambda _: [listed, [context(price) for *_, price in ASSETS]]
    found = examined(market={"instruments": ["ETH", "SOL", "NOPE"]})
    assert ("failed", "delisted: orders are refused", "Take it out of market.instruments.") == line(found["ETH"])
    assert ("failed", "isolated margin only") == line(found["SOL"])[:2]
    assert (
        "failed",
        "not listed on local",
        "Correct market.instruments: local lists BTC, ETH, SOL and 3 in all.",
    ) == line(found["NOPE"])


def test_sizes_below_the_venues_least_fail_with_the_key_to_raise(examined):
    found = examined(strategy={"order_notional_usd": "9"})["BTC"]
    assert (
        "failed",
        (
            "100000 USDC, size step 0.00001 is worth 1 USDC; strategy.order_notional_usd = 9 makes orders of 0.00009, "
            "worth 9: below the venue's least of 10"
        ),
        "Raise strategy.order_notional_usd to 10 or more.",
    ) == line(found)


def test_limit_that_the_lot_rounds_below_the_least_fails(examined, venue):
    venue.answers["metaAndAssetCtxs"] = lambda _: [meta("SOL"), [context("700.5")]]
    found = examined(market={"instruments": ["SOL"]}, risk={"order_notional_usd_max": "13.9"})["SOL"]
    assert (
        "failed",
        (
            "700.5 USDC, size step 0.01 is worth 7 USDC; risk.order_notional_usd_max = 13.9 makes orders of 0.01, "
            "worth 7: below the venue's least of 10"
        ),
        "Raise risk.order_notional_usd_max to 14.01 or more.",
    ) == line(found)


def test_small_account_bounds_orders_by_its_leverage(examined, venue):
    venue.answers["clearinghouseState"] = lambda _: clearing("3.0", "3.0", "0.0")
    found = examined()["BTC"]
    assert "risk.leverage_max times the account's value = 9 makes orders of 0.00009" in found.found
    assert "failed" == found.verdict


def test_size_that_is_cut_or_rounded_away_is_told(examined, venue):
    found = examined(risk={"order_notional_usd_max": "50"})["BTC"]
    assert ("warning", "Raise risk.order_notional_usd_max, or lower strategy.order_notional_usd to it.") == (
        found.verdict,
        found.fix,
    )
    venue.answers["metaAndAssetCtxs"] = lambda _: [meta("SOL"), [context("12000")]]
    found = examined(market={"instruments": ["SOL"]})["SOL"]
    assert (
        "warning",
        (
            "12000 USDC, size step 0.01 is worth 120 USDC; orders of 0.01, worth 120: rounding to the step takes 40 % of "
            "strategy.order_notional_usd = 200"
        ),
    ) == line(found)[:2]


@given(
    price=st.integers(1, 10**9),
    size_decimals=st.integers(0, 5),
    wanted=st.integers(10 * MONEY_UNIT, 10**6 * MONEY_UNIT),
)
def test_size_that_is_called_well_is_one_the_venue_takes(price, size_decimals, wanted):
    instrument = perpetual("X", 0, size_decimals, 10)
    config = load(None, {"strategy": {"order_notional_usd": f"{wanted // MONEY_UNIT}"}})
    found = size_finding(config, instrument, Price(price), Money(10**6 * MONEY_UNIT))
    step = price * instrument.money_per_unit
    bound = min(wanted // MONEY_UNIT * MONEY_UNIT, 1_000 * MONEY_UNIT)
    assert (found.verdict is Verdict.FAILED) == (bound // step * step < instrument.notional_min)


def test_leverage_that_differs_is_set_by_the_bot_unless_a_position_stands(examined, venue):
    found = examined(venue={"leverage": 7})["BTC leverage"]
    assert (
        "ok",
        "5x cross set at the venue, 7x cross configured: set by the bot when it opens, there is no position",
        "",
    ) == line(found)
    venue.answers["clearinghouseState"] = lambda _: clearing(positions=[position("BTC", "0.01")])
    assert (
        "warning",
        "5x cross set at the venue, 7x cross configured, with a position of 0.01",
        "Set venue.leverage = 5, or close the position: changing it moves margin, or is refused.",
    ) == line(examined(venue={"leverage": 7})["BTC leverage"])


@pytest.mark.recorded
def test_every_coin_of_a_recorded_venue_is_told_in_one_line(examined, venue):
    place = DATA / "hyperliquid" / "api" / "pairs" / "go_sdk"
    if not place.is_dir():
        pytest.skip(f"no recorded data at {place}")
    pairs = [pair for file in sorted(place.glob("*.json")) for pair in json.loads(file.read_text())]
    bodies = [
        pair["response"]["body"]
        for pair in pairs
        if pair["request"]["body"] == {"type": "metaAndAssetCtxs"} and pair["network"] == "mainnet"
    ]
    assert bodies
    venue.answers["metaAndAssetCtxs"] = lambda _: bodies[0]
    listed = bodies[0][0]["universe"]
    found = examined(market={"instruments": [one["name"] for one in listed]}, network={"account": ""})
    for asset in listed:
        verdict, told, _ = line(found[asset["name"]])
        if asset.get("isDelisted"):
            assert ("failed", "delisted: orders are refused") == (verdict, told)
        elif not (asset.get("onlyIsolated") or asset.get("marginMode")):
            assert " USDC, size step " in told, (asset["name"], verdict, told)
