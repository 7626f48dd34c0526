"""The channels: acknowledgments, snapshots, pushes, errors, posts, limits; in the recorded shapes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.units import MONEY_UNIT, NS_PER_MS
from services.venue_server.answer import Answer, too_many
from services.venue_server.hall import Handled
from services.venue_server.pushes import ChannelSettings
from services.venue_server.subscriptions import GREETING
from services.venue_server.wanted import NEEDS
from tests.services.info_scene import (
    ANYTHING,
    HOUR,
    MINE,
    SECOND,
    InfoScene,
    listening,
    needs_recordings,
    recorded_acknowledgments,
    recorded_messages,
)

CHECKSUMMED = MINE.upper().replace("0X", "0x")


@pytest.fixture
def hall():
    opened = InfoScene()
    opened.connect()
    return opened


# Frames


def test_ping_is_answered(hall):
    assert hall.say({"method": "ping"}) == [{"channel": "pong"}]


def test_greeting_comes_first_where_it_is_wanted():
    assert InfoScene(ChannelSettings(greets=True)).connect() == [GREETING]
    assert InfoScene().connect() == []


@needs_recordings
def test_acknowledgments_are_the_recorded_ones(hall):
    for sent, acknowledged, _ in recorded_acknowledgments():
        as_ours = json.loads(json.dumps(sent).replace("HYPE", "BTC"))
        assert hall.say(as_ours)[0] == json.loads(json.dumps(acknowledged).replace("HYPE", "BTC"))


@needs_recordings
def test_what_cannot_be_read_is_answered_in_the_recorded_words(hall):
    recorded = recorded_messages()["error", "simple"]
    frame = recorded["data"].partition("request: ")[2].encode()
    assert hall.say(frame) == [recorded]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"17",
        b"\xff\xfe\x00\x80",
        b'{"method":"subscribe"}',
        b'{"method":"subscribe","subscription":{"type":"nope"}}',
        b'{"method":"subscribe","subscription":{"type":"l2Book"}}',
        b'{"method":"subscribe","subscription":{"type":"l2Book","coin":7}}',
        b'{"method":"dance"}',
        b'{"method":"post"}',
        b'{"method":"post","id":' + b"9" * 400 + b',"request":{"type":"info","payload":{}}}',
        b'{"method":"post","id":1,"request":{"type":"explorer","payload":{}}}',
        b"[" * 100_000,
        b'{"method":"ping","x":' + b"[" * 100_000,
    ],
)
def test_malformed_frames_are_answered_on_the_error_channel(hall, frame):
    (answer,) = hall.say(frame)
    assert answer["channel"] == "error"
    assert answer["data"].startswith("Error parsing JSON into valid websocket request: ")
    assert hall.say({"method": "ping"}) == [{"channel": "pong"}]


FRAMES = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(list(NEEDS))
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(["method", "subscription", "type", "coin", "user", "id", "request", "payload"]),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
PATIENT = InfoScene()
PATIENT.connect()
"""Hears everything that Hypothesis thinks of."""


@given(
    FRAMES,
    st.sampled_from([b"%b", b'{"method":"subscribe","subscription":%b}', b'{"method":"post","id":1,"request":%b}']),
)
def test_no_frame_raises(frame, around):
    for answer in PATIENT.channels.received(1, around % frame, PATIENT.now_ns):
        json.loads(answer)


# Subscriptions


@pytest.mark.parametrize("kind", sorted(NEEDS))
def test_every_kind_is_acknowledged_first_and_can_be_left(hall, kind):
    fields = {**ANYTHING, "user": CHECKSUMMED}
    first, *snapshot = hall.subscribe(kind, **fields)
    assert first["channel"] == "subscriptionResponse"
    echo = first["data"]["subscription"]
    assert first["data"]["method"] == "subscribe"
    assert all(echo[key] == {**ANYTHING}[key] for key in NEEDS[kind])
    assert len(snapshot) <= 1
    again = hall.subscribe(kind, **fields)
    assert again == [{"channel": "error", "data": "Already subscribed: " + json.dumps(echo, separators=(",", ":"))}]
    assert hall.subscribe(kind, method="unsubscribe", **fields) == [
        {"channel": "subscriptionResponse", "data": {"method": "unsubscribe", "subscription": echo}}
    ]
    never = hall.subscribe(kind, method="unsubscribe", **fields)
    assert never == [{"channel": "error", "data": "Already unsubscribed: " + json.dumps(echo, separators=(",", ":"))}]
    hall.trade()
    hall.wait(2 * SECOND)
    assert hall.pushed() == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "l2Book", "coin": "NOPE"},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 9},
        {"type": "candle", "coin": "BTC", "interval": "7m"},
        {"type": "userFills", "user": "0x12"},
    ],
)
def test_what_is_not_there_cannot_be_subscribed(hall, wanted):
    (answer,) = hall.say({"method": "subscribe", "subscription": wanted})
    assert answer["channel"] == "error"
    assert answer["data"].startswith("Invalid subscription {")
    assert json.loads(answer["data"].removeprefix("Invalid subscription ")) == wanted


def test_options_are_echoed_and_null_is_as_good_as_absent(hall):
    first, _ = hall.subscribe("userFills", user=CHECKSUMMED, aggregateByTime=True, dex=None)
    assert first["data"]["subscription"] == {"type": "userFills", "user": MINE, "aggregateByTime": True}
    first, book = hall.subscribe("l2Book", coin="BTC", nSigFigs=5, mantissa=2)
    assert first["data"]["subscription"] == {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2}
    assert book["data"]["spread"] == "2.0"


def test_a_visitor_tracks_ten_users_at_most(hall):
    hall.connect(2, "somebody")
    hall.connect(3, "somebody")
    users = ["0x" + f"{number:040x}" for number in range(12)]
    for user in users[:10]:
        assert hall.subscribe("orderUpdates", 2, user=user)[0]["channel"] == "subscriptionResponse"
    full = [{"channel": "error", "data": "Cannot track more than 10 total users."}]
    assert hall.subscribe("userFills", 3, user=users[10]) == full
    assert hall.subscribe("userFills", 3, user=users[0])[0]["channel"] == "subscriptionResponse"
    assert hall.subscribe("userFills", 1, user=users[10])[0]["channel"] == "subscriptionResponse"
    hall.channels.disconnected(2)
    assert hall.subscribe("userFills", 3, user=users[10])[0]["channel"] == "subscriptionResponse"


def test_a_visitor_has_so_many_subscriptions_at_most():
    hall = InfoScene(ChannelSettings(subscriptions_max=2))
    hall.connect()
    assert len([hall.subscribe(kind, **ANYTHING) for kind in ("bbo", "trades")]) == 2
    (refused,) = hall.subscribe("candle", **ANYTHING)
    assert refused["channel"] == "error"


def test_snapshots_tell_what_there_is(hall):
    hall.trade()
    hall.place(hall.mine, 1, 990_000, 20)
    hall.venue.deposit(hall.mine, MONEY_UNIT, "deposit", hall.now_ns)
    snapshots = {kind: hall.subscribe(kind, **ANYTHING)[1:] for kind in NEEDS}
    data = {kind: frames[0]["data"] for kind, frames in snapshots.items() if frames}
    assert set(NEEDS) - set(data) == {"orderUpdates", "userEvents", "notification"}
    assert (data["userFills"]["isSnapshot"], data["userFills"]["user"], len(data["userFills"]["fills"])) == (
        True,
        MINE,
        1,
    )
    assert data["userNonFundingLedgerUpdates"]["nonFundingLedgerUpdates"][0]["delta"] == {
        "type": "deposit",
        "usdc": "1.0",
    }
    assert [one["px"] for one in data["trades"]] == ["100001.0"]
    assert data["candle"]["v"] == "0.003"
    assert data["allMids"] == {"mids": {"BTC": "100001.0", "ETH": "10000.1"}}
    assert len(data["openOrders"]["orders"]) == len(data["webData2"]["openOrders"]) == 1
    assert data["webData2"]["user"] == data["clearinghouseState"]["user"] == MINE
    state = data["clearinghouseState"]["clearinghouseState"]
    assert state["assetPositions"][0]["position"]["szi"] == "0.003"
    assert data["spotState"]["spotState"]["balances"][0]["coin"] == "USDC"
    assert data["activeAssetCtx"]["ctx"]["dayBaseVlm"] == "0.003"
    assert len(data["userHistoricalOrders"]["orderHistory"]) == 2


def test_user_fills_begin_with_a_snapshot_even_when_there_are_none(hall):
    _, snapshot = hall.subscribe("userFills", user=CHECKSUMMED)
    assert snapshot == {"channel": "userFills", "data": {"isSnapshot": True, "user": MINE, "fills": []}}


def test_what_a_snapshot_told_is_not_told_again(hall):
    hall.connect(2)
    listening(hall, "userFills", connection=2)
    hall.trade()
    _, snapshot = hall.subscribe("userFills", 1, user=MINE)
    assert len(snapshot["data"]["fills"]) == 1
    sent = hall.channels.take_pushes(hall.now_ns)
    assert [connection for connection, frame in sent if b"userFills" in frame] == [2]


# Posts


def post(number=3, kind="info", payload=None):
    payload = {"type": "l2Book", "coin": "BTC"} if payload is None else payload
    return {"method": "post", "id": number, "request": {"type": kind, "payload": payload}}


def test_posted_questions_are_answered_with_their_type(hall):
    (told,) = hall.say(post())
    assert told == {
        "channel": "post",
        "data": {
            "id": 3,
            "response": {
                "type": "info",
                "payload": {"type": "l2Book", "data": hall.ask("l2Book", coin="BTC")},
            },
        },
    }


@needs_recordings
def test_posted_actions_are_answered_as_recorded(hall):
    recorded = recorded_messages()["action_order", "create_success"]
    body = json.dumps(recorded["data"]["response"]["payload"]).encode()
    hall.handled = Handled(answer=Answer(body=body))
    assert hall.say(post(recorded["data"]["id"], "action", {})) == [recorded]


def test_failures_of_posts_are_texts(hall):
    (told,) = hall.say(post(payload={"type": "nope"}))
    assert told["data"]["response"] == {
        "type": "error",
        "payload": "422: Failed to deserialize the JSON body into the target type",
    }
    hall.handled = Handled(answer=too_many())
    assert hall.say(post())[0]["data"]["response"] == {"type": "error", "payload": "429: null"}


def test_late_answers_come_when_they_are_due_and_silent_ones_never(hall):
    hall.handled = Handled(answer=Answer(), late_ns=5 * NS_PER_MS)
    assert hall.say(post()) == []
    hall.now_ms += 4
    assert hall.pushed() == []
    hall.now_ms += 1
    assert [one["data"]["id"] for one in hall.pushed()] == [3]
    hall.handled = Handled(answer=None)
    assert hall.say(post()) == []
    hall.now_ms += HOUR
    assert hall.pushed() == []


def test_so_many_posts_wait_at_most():
    hall = InfoScene(ChannelSettings(posts_max=2))
    hall.connect()
    hall.handled = Handled(answer=Answer(), late_ns=NS_PER_MS)
    assert [hall.say(post(number)) for number in (1, 2)] == [[], []]
    assert hall.say(post(9)) == [{"channel": "error", "data": "too many pending post requests id=9"}]
    hall.now_ms += 1
    assert len(hall.pushed()) == 2
    assert hall.say(post(9)) == []
    hall.channels.disconnected(1)
    hall.now_ms += 1
    assert hall.channels.take_pushes(hall.now_ns) == []
