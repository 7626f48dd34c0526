"""Every recorded payload of the real venue decodes into its structure and comes out equal in value."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from exchange.hyperliquid import wire, wire_account, wire_actions, wire_market
from exchange.hyperliquid.codec_account import fill_key, in_venue_order, order_filled
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.instruments import instruments_from_meta
from exchange.hyperliquid.tolerance import unknown_keys

API = Path(__file__).resolve().parents[3] / "shared" / "data" / "hyperliquid" / "api"
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not API.is_dir(), reason=f"the recorded payloads are not at {API}"),
]

MetaAndContexts = tuple[wire_market.Meta, tuple[wire_market.PerpContext, ...]]
SpotMetaAndContexts = tuple[wire_market.SpotMeta, tuple[wire_market.SpotContext, ...]]

INFO_TYPES: dict[str, Any] = {
    "meta": wire_market.Meta,
    "spotMeta": wire_market.SpotMeta,
    "metaAndAssetCtxs": MetaAndContexts,
    "spotMetaAndAssetCtxs": SpotMetaAndContexts,
    "perpDexs": tuple[wire_market.Dex | None, ...],
    "orderStatus": wire_account.OrderAnswer,
    "userFills": tuple[wire_account.Fill, ...],
    "userFillsByTime": tuple[wire_account.Fill, ...],
    "clearinghouseState": wire_account.ClearinghouseState,
    "l2Book": wire_market.Book,
    "predictedFundings": tuple[tuple[str, tuple[tuple[str, wire_market.PredictedRate | None], ...]], ...],
    "frontendOpenOrders": tuple[wire_account.FrontendOrder, ...],
    "fundingHistory": tuple[wire_market.FundingRate, ...],
    "userNonFundingLedgerUpdates": tuple[wire_account.LedgerEntry, ...],
    "userRateLimit": wire_account.RateLimit,
    "userTwapSliceFills": tuple[wire_account.TwapSliceFill, ...],
    "userVaultEquities": tuple[wire_account.VaultEquity, ...],
}
CHANNEL_TYPES: dict[str, Any] = {
    "l2Book": wire_market.Book,
    "bbo": wire_market.BestPrices,
    "trades": tuple[wire_market.Trade, ...],
    "candle": wire_market.Candle,
    "allMids": wire_market.Mids,
    "activeAssetCtx": wire_market.PerpContextPushed,
    "activeSpotAssetCtx": wire_market.SpotContextPushed,
    "allDexsAssetCtxs": wire_market.DexContextsPushed,
    "orderUpdates": tuple[wire_account.OrderUpdate, ...],
    "userFundings": wire_account.FundingsPushed,
    "userFills": wire_account.FillsPushed,
    "subscriptionResponse": wire.Acknowledged,
    "post": wire.Posted,
    "error": str,
}


def check(value: Any, type_: Any, place: str) -> None:
    """Decode a value as its type and compare what it is written as."""
    data = msgspec.json.encode(value)
    again = msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(data, type=type_)))
    assert unknown_keys(value, again) == [], place
    assert again == value, place


def check_reply(value: Any, place: str) -> None:
    """Check an answer to an action, down to its statuses."""
    check(value, wire.ActionReply, place)
    if value["status"] == "ok" and "data" in value["response"]:
        check(value["response"], wire_actions.StatusesReply, place)


def check_message(message: Any, place: str) -> None:
    """Check a pushed message."""
    check(message, wire.ServerFrame, place)
    channel = message["channel"]
    if channel == "pong":
        return
    check(message["data"], CHANNEL_TYPES[channel], place)
    if channel == "post":
        check_reply(message["data"]["response"]["payload"], place)


@pytest.mark.parametrize("path", sorted(API.glob("pairs/*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_codec_reads_and_writes_recorded_pairs_without_loss(path: Path) -> None:
    pairs = json.loads(path.read_text())
    assert pairs
    for number, pair in enumerate(pairs):
        place = f"{path.name}[{number}]"
        body, answer = pair["request"]["body"], pair["response"]["body"]
        if pair["request"]["path"] == "/exchange":
            # The recorder sorted keys; the structure orders them as they are signed.
            check(body["action"], wire_actions.TypedAction, place)
            check_reply(answer, place)
        else:
            check(answer, INFO_TYPES[body["type"]], place)


def test_codec_reads_and_writes_recorded_messages_without_loss() -> None:
    lines = (API / "messages" / "order_lifecycle_messages.jsonl").read_text().splitlines()
    for number, line in enumerate(lines):
        message, place = json.loads(line)["message"], f"order_lifecycle[{number}]"
        if "channel" in message:
            check_message(message, place)
        elif "marginSummary" in message:
            check(message, wire_account.ClearinghouseState, place)
        else:
            check_reply(message, place)
    assert len(lines) > 20
    market = (API / "messages" / "ws_market_messages_2024-10_2025-06.jsonl").read_text().splitlines()
    for number, line in enumerate(market):
        check_message(json.loads(line), f"ws_market[{number}]")
    assert len(market) >= 10
    check_message(json.loads((API / "messages" / "ws_allDexsAssetCtxs.json").read_text()), "allDexsAssetCtxs")


def test_codec_reads_and_writes_recorded_subscriptions_without_loss() -> None:
    triples = json.loads((API / "messages" / "ws_subscribe_ack_push.json").read_text())
    for triple in triples:
        for frame in triple["subscribe"]:
            check(frame, wire.ClientFrame, triple["case"])
        for message in (*triple["ack"], *triple["push"]):
            check_message(message, triple["case"])
    assert len(triples) > 3


def test_codec_turns_every_recorded_fill_into_a_fact() -> None:
    (path,) = (API.parent / "fills").glob("userFills_*.json.gz")
    rows = json.loads(gzip.decompress(path.read_bytes()))
    check(rows, tuple[wire_account.Fill, ...], path.name)
    fills = msgspec.json.decode(msgspec.json.encode(rows), type=list[wire_account.Fill])
    universe = instruments_from_meta(json.loads((API / "pairs/go_sdk/Meta.json").read_text())[0]["response"]["body"])
    coins = {one.symbol: Numbers(one) for one in universe}
    known = [fill for fill in fills if fill.coin in coins]
    facts = [order_filled(fill, coins, "0x" + "00" * 20, 1) for fill in in_venue_order(known, coins)]
    assert len(facts) == len({fill_key(fill) for fill in known}) > 1_000
    assert [fact.ts_event_ns for fact in facts] == sorted(fact.ts_event_ns for fact in facts)
    breaks = 0
    held: dict[str, int] = {}
    for fact in facts:
        breaks += held.get(fact.symbol, fact.start_position) != fact.start_position
        held[fact.symbol] = fact.start_position + fact.side * fact.lots
    assert breaks == 0
