"""Whether `POST /info` answers look like the recorded ones: same keys, same types, same form of text."""

import pytest

from domain.units import MONEY_UNIT
from exchange.simulated.records import Grouping, Terms, Trigger
from tests.services.info_scene import HOUR, MINE, OTHERS, SECOND, InfoScene, answer_to, form, needs_recordings


@pytest.fixture
def hall():
    return InfoScene()


@pytest.fixture
def traded(hall):
    hall.trade()
    return hall


@needs_recordings
def test_clearinghouse_state_has_the_recorded_shape(traded):
    recorded = answer_to("info/clearinghouseState_small.json", "clearinghouseState")
    told = traded.ask("clearinghouseState", user=MINE, dex="")
    assert list(told) == list(recorded)
    told["assetPositions"] *= len(recorded["assetPositions"])
    assert form({**told, "assetPositions": []}) == form({**recorded, "assetPositions": []})
    for ours, theirs in zip(told["assetPositions"], recorded["assetPositions"], strict=True):
        ours["position"]["liquidationPx"] = ours["position"]["liquidationPx"] or "1.0"
        assert form(ours) == form(theirs)


@needs_recordings
def test_the_state_of_a_stranger_is_the_recorded_one(hall):
    recorded = answer_to("go_sdk/UserState_WithDex.json", "clearinghouseState")
    told = hall.ask("clearinghouseState", user="0x" + "EE" * 20)
    assert {**told, "time": 0} == {**recorded, "time": 0}


@needs_recordings
def test_fills_have_the_recorded_shape(traded):
    recorded = answer_to("go_sdk/UserFillsByTime.json", "userFillsByTime")
    ours = traded.ask("userFillsByTime", user=MINE, startTime=0, endTime=None, aggregateByTime=False)
    assert {**form(recorded[0]), "cloid": "hex"} == form(ours[0])
    assert form(recorded[0]) == form(traded.ask("userFills", user=OTHERS)[0])


@needs_recordings
def test_order_status_has_the_recorded_shape(traded):
    recorded = answer_to("go_sdk/QueryOrderByOid.json", "orderStatus")
    resting = traded.place(traded.mine, 1, 990_000, 20).order
    told = traded.ask("orderStatus", user=MINE, oid=resting.venue_order_id)
    theirs = form(recorded)
    assert form(told) == theirs
    assert list(told["order"]["order"]) == list(recorded["order"]["order"])
    unknown = answer_to("go_sdk/QueryOrderByOid.json", "meta")
    assert unknown["universe"]
    assert traded.ask("orderStatus", user=MINE, oid=1 << 60) == {"status": "unknownOid"}


@needs_recordings
def test_frontend_orders_have_the_recorded_shape(hall):
    recorded = answer_to("python_sdk/test_get_frontend_open_orders.json", "frontendOpenOrders")
    children = [
        Terms(symbol="BTC", side=-1, price=price, lots=20, reduce_only=True, trigger=Trigger(price, True, is_profit))
        for price, is_profit in ((1_100_000, True), (900_000, False))
    ]
    hall.place(hall.mine, 1, 990_000, 20, grouping=Grouping.PARENT_CHILDREN, more=children)
    told = hall.ask("frontendOpenOrders", user=MINE, dex="")
    assert len(told) == len(recorded)
    for ours, theirs in zip(told, recorded, strict=True):
        assert form({**ours, "children": []}) == {**form({**theirs, "children": []}), "cloid": "NoneType"}
        assert len(ours["children"]) == len(theirs["children"])
    assert [one["orderType"] for one in told] == ["Stop Market", "Take Profit Market", "Limit"]
    assert [one["triggerCondition"] for one in told] == ["Price below 90000", "Price above 110000", "N/A"]
    assert told[2]["children"] == told[1::-1]
    child = hall.ask("orderStatus", user=MINE, oid=told[0]["oid"])["order"]
    assert (child["status"], child["order"]["isTrigger"]) == ("open", True)


@needs_recordings
def test_meta_has_the_recorded_shape(hall):
    recorded = answer_to("go_sdk/Meta.json", "meta")
    told = hall.ask("meta", dex="")
    assert form(told["universe"][0]) == form(recorded["universe"][0])
    assert set(told) == {*recorded, "collateralToken"}
    contexts = hall.ask("metaAndAssetCtxs")
    assert contexts[0] == told
    theirs = answer_to("go_sdk/MetaAndAssetCtxs.json", "metaAndAssetCtxs")[1]
    hall.market(lots=1_000_000)
    hall.wait(6 * SECOND)
    assert form(hall.ask("metaAndAssetCtxs")[1][0]) == form(theirs[0])
    assert list(contexts[1][0]) == list(theirs[0])


@needs_recordings
def test_spot_meta_has_the_recorded_shape_and_refers_to_nothing_missing(hall):
    recorded = answer_to("go_sdk/SpotMetaAndAssetCtxs.json", "spotMetaAndAssetCtxs")[0]
    told, contexts = hall.ask("spotMetaAndAssetCtxs")
    assert told == hall.ask("spotMeta")
    assert told["tokens"] == recorded["tokens"][:1]
    known = {token["index"] for token in told["tokens"]}
    assert all(set(pair["tokens"]) <= known for pair in told["universe"])
    assert len(contexts) == len(told["universe"])


@needs_recordings
@pytest.mark.parametrize("figures", [3, 5])
def test_aggregated_books_have_the_recorded_shape(hall, figures):
    recorded = answer_to(f"info/l2Book_BTC_nsf{figures}.json", "l2Book")
    told = hall.ask("l2Book", coin="BTC", nSigFigs=figures)
    assert list(told) == list(recorded)
    assert form({**told, "levels": told["levels"][0][0]}) == form({**recorded, "levels": recorded["levels"][0][0]})


@needs_recordings
def test_histories_have_the_recorded_shapes(hall):
    hall.trade()
    hall.wait(HOUR)
    theirs = answer_to("python_sdk/test_get_funding_history_None.json", "fundingHistory")
    assert form(hall.ask("fundingHistory", coin="BTC", startTime=0)[0]) == form(theirs[0])
    theirs = answer_to("info/predictedFundings_excerpt.json", "predictedFundings")
    ours = dict(hall.ask("predictedFundings")[0][1])
    assert form(ours["HlPerp"]) == form(dict(theirs[0][1])["HlPerp"])
    hall.venue.deposit(hall.mine, 5 * MONEY_UNIT, "deposit", hall.now_ns)
    theirs = answer_to(
        "python_sdk/test_user_non_funding_ledger_updates_without_end_time.json", "userNonFundingLedgerUpdates"
    )
    ours = hall.ask("userNonFundingLedgerUpdates", user=MINE, startTime=0, endTime=None)
    assert form(ours[-1]) == form(theirs[0])
    theirs = answer_to("python_sdk/test_user_rate_limit.json", "userRateLimit")
    assert form(hall.ask("userRateLimit", user=MINE)) == {**form(theirs), "nRequestsSurplus": "int"}
