"""What the channels push: order, shapes, cadence; once for all who hear it, and nothing for nobody."""

import json

import pytest

from domain.units import MONEY_UNIT, NS_PER_MS
from services.venue_server.wanted import NEEDS
from tests.services.info_scene import (
    HOUR,
    MINE,
    NAME,
    OTHERS,
    SECOND,
    InfoScene,
    form,
    listening,
    needs_recordings,
    recorded_acknowledgments,
    recorded_messages,
)


@pytest.fixture
def hall():
    opened = InfoScene()
    opened.connect()
    return opened


# Pushes of an account


def test_orders_are_told_before_fills_and_fills_before_fundings(hall):
    listening(hall, "userFundings", "userFills", "userEvents", "orderUpdates")
    hall.trade()
    hall.wait(HOUR)
    channels = [one["channel"] for one in hall.pushed()]
    assert channels == ["orderUpdates", "userFills", "user", "user", "userFundings"]


@needs_recordings
def test_order_updates_have_the_recorded_shape(hall):
    listening(hall, "orderUpdates")
    recorded = recorded_messages()
    hall.place(hall.mine, 1, 990_000, 20, client_order_id=NAME)
    assert form(hall.pushed()) == [form(recorded["order_updates", "create_resting"])]
    hall.place(hall.mine, 1, 1_000_020, 20, client_order_id="0x" + "cd" * 16)
    filled = hall.pushed()
    assert form(filled) == [form(recorded["order_updates", "create_filled"])]
    assert [one["status"] for one in filled[0]["data"]] == ["open", "filled"]
    hall.place(hall.mine, 1, 990_000, 1, client_order_id="0x" + "ef" * 16)
    (refused,) = hall.told("orderUpdates")
    assert [one["status"] for one in refused] == ["minTradeNtlRejected"]


@needs_recordings
def test_fundings_have_the_recorded_shape_and_the_fills_those_of_info(hall):
    listening(hall, "userFundings", "userFills", "userEvents")
    hall.trade()
    hall.wait(HOUR)
    told = hall.pushed()
    recorded = recorded_messages()["user_fundings", "simple"]["data"]["fundings"][0]
    fundings = next(one["data"] for one in told if one["channel"] == "userFundings")
    assert form(fundings["fundings"][0]) == form(recorded)
    assert "isSnapshot" not in fundings
    events = [one["data"] for one in told if one["channel"] == "user"]
    assert [list(one) for one in events] == [["fills"], ["funding"]]
    assert events[1]["funding"] == fundings["fundings"][0]
    fills = next(one["data"] for one in told if one["channel"] == "userFills")
    assert fills == {"user": MINE, "fills": hall.ask("userFills", user=MINE)}
    assert events[0]["fills"] == fills["fills"]


def test_a_partial_fill_is_told_as_open_with_less(hall):
    hall.place(hall.others, -1, 1_000_010, 300)
    listening(hall, "orderUpdates", user=OTHERS)
    hall.place(hall.mine, 1, 1_000_010, 100)
    ((update,),) = hall.told("orderUpdates")
    assert (update["status"], update["order"]["sz"], update["order"]["origSz"]) == ("open", "0.002", "0.003")
    assert update["statusTimestamp"] == hall.now_ms


def test_fills_are_merged_only_where_that_was_asked(hall):
    hall.connect(2)
    listening(hall, "userFills", connection=2)
    listening(hall, "userFills", aggregateByTime=True)
    hall.place(hall.mine, 1, 1_000_040, 15_000)
    sent = [(to, json.loads(frame)) for to, frame in hall.channels.take_pushes(hall.now_ns) if b"userFills" in frame]
    assert sorted((to, len(one["data"]["fills"])) for to, one in sent) == [(1, 1), (2, 2)]


def test_self_trades_are_cancels_of_nobody(hall):
    listening(hall, "userEvents", "orderUpdates")
    resting = hall.place(hall.mine, -1, 1_000_010, 100).order
    hall.place(hall.mine, 1, 1_000_010, 100)
    told = hall.pushed()
    cancels = [one["data"]["nonUserCancel"] for one in told if "nonUserCancel" in one["data"]]
    updates = [one for frame in told if frame["channel"] == "orderUpdates" for one in frame["data"]]
    assert (resting.venue_order_id, "selfTradeCanceled") in [(one["order"]["oid"], one["status"]) for one in updates]
    assert cancels == [[{"coin": "BTC", "oid": resting.venue_order_id}]]


def test_movements_of_money_are_told(hall):
    listening(hall, "userNonFundingLedgerUpdates")
    hall.venue.deposit(hall.mine, 2 * MONEY_UNIT, "deposit", hall.now_ns)
    (told,) = hall.told("userNonFundingLedgerUpdates")
    assert told["user"] == MINE
    assert told["nonFundingLedgerUpdates"][0]["delta"] == {"type": "deposit", "usdc": "2.0"}


def test_liquidations_are_told_in_the_venues_words(hall):
    listening(hall, "userEvents")
    hall.channels.on_liquidation(hall.mine, OTHERS, 7, 5 * MONEY_UNIT, -MONEY_UNIT)
    assert hall.told("user") == [
        {
            "liquidation": {
                "lid": 7,
                "liquidator": OTHERS,
                "liquidated_user": MINE,
                "liquidated_ntl_pos": "5.0",
                "liquidated_account_value": "-1.0",
            }
        }
    ]


def test_nobody_hears_of_others(hall):
    listening(hall, "orderUpdates", "userFills", user=OTHERS)
    hall.place(hall.mine, 1, 1_000_020, 20)
    assert hall.pushed() == []


def test_states_are_told_again_when_they_changed(hall):
    listening(hall, "openOrders", "spotState", "activeAssetData")
    hall.wait(SECOND)
    assert hall.pushed() == []
    hall.place(hall.mine, 1, 990_000, 20)
    hall.wait(SECOND)
    assert [one["channel"] for one in hall.pushed()] == ["openOrders", "activeAssetData"]
    hall.wait(SECOND)
    assert hall.pushed() == []


# Pushes of the market


@needs_recordings
def test_market_messages_have_the_recorded_shapes(hall):
    pushes = {push["channel"]: push for _, _, push in recorded_acknowledgments()}
    listening(hall, "bbo", "trades", "candle", "l2Book")
    listening(hall, "allMids")
    hall.trade()
    hall.place(hall.others, 1, 1_000_010, 100)
    hall.wait(SECOND)
    told = {one["channel"]: one for one in hall.pushed()}
    assert set(told) == set(pushes)
    for channel in ("bbo", "candle", "trades"):
        assert form(told[channel]) == form(pushes[channel])
    levels = told["l2Book"]["data"].pop("levels"), pushes["l2Book"]["data"].pop("levels")
    assert form(levels[0][0][0]) == form(levels[1][0][0])
    assert form(told["l2Book"]) == form(pushes["l2Book"])
    assert set(map(form, told["allMids"]["data"]["mids"].values())) == {"decimal"}


def test_books_are_told_at_most_each_half_second_and_only_when_changed(hall):
    listening(hall, "l2Book")
    told = 0
    for _ in range(50):
        hall.wait(20)
        hall.market(lots=10_000 + hall.now_ms % 7_919)
        told += len(hall.told("l2Book"))
    assert told == 2
    hall.wait(500)
    assert len(hall.told("l2Book")) <= 1
    hall.wait(5 * SECOND)
    assert hall.told("l2Book") == []


def test_best_prices_are_told_only_when_they_changed(hall):
    listening(hall, "bbo")
    hall.place(hall.mine, 1, 990_000, 20)
    assert hall.told("bbo") == []
    hall.place(hall.mine, 1, 1_000_010, 20)
    (told,) = hall.told("bbo")
    assert told["bbo"][0] == {"px": "100001.0", "sz": "0.0002", "n": 1}
    assert hall.told("bbo") == []


def test_an_empty_side_is_null(hall):
    listening(hall, "bbo")
    hall.place(hall.mine, 1, 1_000_060, 50_000)
    (told,) = hall.told("bbo")
    assert told["bbo"][1] is None


def test_candles_and_trades_are_told_as_they_happen(hall):
    listening(hall, "trades")
    listening(hall, "candle", interval="1d")
    hall.trade()
    hall.trade(200, name="")
    told = hall.pushed()
    assert [one["channel"] for one in told] == ["trades", "candle"]
    assert [one["sz"] for one in told[0]["data"]] == ["0.003", "0.002"]
    assert (told[1]["data"]["v"], told[1]["data"]["n"], told[1]["data"]["i"]) == ("0.005", 2, "1d")


def test_contexts_follow_the_mark(hall):
    listening(hall, "activeAssetCtx")
    hall.mark(1_010_000)
    hall.wait(SECOND)
    (told,) = hall.told("activeAssetCtx")
    assert (told["coin"], told["ctx"]["markPx"]) == ("BTC", "101000.0")


def test_one_message_is_made_for_all_who_hear_it(hall):
    for connection in (2, 3):
        hall.connect(connection)
        listening(hall, "trades", connection=connection)
    hall.trade()
    sent = hall.channels.take_pushes(hall.now_ns)
    assert [connection for connection, _ in sent] == [2, 3]
    assert sent[0][1] is sent[1][1]


def test_nothing_is_made_for_nobody(hall):
    hall.trade()
    hall.wait(HOUR)
    assert hall.channels.take_pushes(hall.now_ns) == []
    assert hall.channels._news == hall.channels._traded == hall.channels._changed == {}


def test_a_closed_socket_is_forgotten(hall):
    listening(hall, *NEEDS)
    hall.trade()
    hall.channels.disconnected(1)
    assert hall.channels.take_pushes(hall.now_ns + HOUR * NS_PER_MS) == []
    assert hall.channels._topics == hall.channels._of_users == hall.channels._of_coins == {}


def test_a_liquidation_is_told_to_whom_it_happens():
    hall = InfoScene(liquidates=True)
    hall.connect()
    hall.venue.set_leverage(hall.mine, "BTC", 40, hall.now_ns, is_cross=True)
    hall.market(lots=10_000_000)
    hall.place(hall.mine, 1, 1_000_020, 3_500_000)
    listening(hall, "userFills", "userEvents", "orderUpdates")
    hall.market(bid=960_000, ask=960_020, lots=10_000_000)
    hall.wait(SECOND)
    told = hall.pushed()
    events = [one["data"] for one in told if one["channel"] == "user"]
    fills = [fill for one in told if one["channel"] == "userFills" for fill in one["data"]["fills"]]
    assert {"liquidation"} in [set(one) for one in events]
    assert {fill["dir"] for fill in fills} == {"Liquidated Cross Long"}
    assert {fill["liquidation"]["liquidatedUser"] for fill in fills} == {MINE}
