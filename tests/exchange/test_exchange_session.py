"""One connection's life, step by step: subscribe, acknowledge, ping, lose, come back, and what becomes of requests."""

import msgspec
import pytest

from domain.errors import ConfigInvalid, InvariantBroken
from exchange.hyperliquid.session import GREETING, PING, Phase, Session
from exchange.hyperliquid.session_words import (
    Close,
    Connect,
    Connected,
    Lost,
    Pushed,
    SessionSettings,
)
from exchange.hyperliquid.wire import Subscription
from tests.exchange.session_scene import (
    ACTION,
    BOOK,
    FILLS,
    INFO,
    SECOND,
    USER,
    acknowledgement,
    push,
    sent,
    up,
)


def test_session_reports_connected_only_when_every_subscription_is_acknowledged():
    session = Session([BOOK, FILLS], SessionSettings())
    session.start(5)
    assert session.take_actions() == [Connect(1)]
    session.on_open(1, 6)
    frames = [msgspec.json.decode(one.frame) for one in sent(session)]
    assert [one["subscription"] for one in frames] == [
        {"type": "l2Book", "coin": "BTC"},
        {"type": "userFills", "user": USER},
    ]
    session.on_frame(1, GREETING, 7)
    session.on_frame(1, acknowledgement(BOOK), 7)
    assert session.take_reports() == []
    session.on_frame(1, acknowledgement(FILLS), 8)
    assert session.take_reports() == [Connected()]
    assert session.counters.greetings == 1
    assert session.counters.malformed == 0


def test_session_takes_already_subscribed_as_acknowledgement():
    session = Session([FILLS], SessionSettings())
    session.start(0)
    session.on_open(1, 0)
    session.on_frame(1, push("error", 'Already subscribed: {"type":"userFills","user":"' + USER.lower() + '"}'), 1)
    assert session.phase is Phase.UP


def test_session_reconnects_and_says_why_when_a_subscription_is_refused():
    session = Session([BOOK], SessionSettings())
    session.start(0)
    session.on_open(1, 0)
    session.on_frame(1, push("error", 'Invalid subscription {"type":"l2Book","coin":"BTC"}'), 1)
    assert session.phase is Phase.DOWN
    assert session.problem.startswith("Invalid subscription")
    assert session.take_reports() == []


def test_session_drops_a_connection_when_an_acknowledgement_is_missing():
    session = Session([BOOK, FILLS], SessionSettings())
    session.start(0)
    session.on_open(1, 0)
    session.on_frame(1, acknowledgement(BOOK), 1)
    session.take_actions()
    session.on_time(10 * SECOND)
    assert session.take_actions() == [Close(1, "a subscription was not acknowledged in time")]


def test_session_sends_subscriptions_in_bursts_when_there_are_many():
    many = [Subscription(type="trades", coin=f"C{number}") for number in range(250)]
    session = Session(many, SessionSettings())
    session.start(0)
    session.on_open(1, 0)
    assert len(sent(session)) == 100
    session.on_time(SECOND)
    assert len(sent(session)) == 100
    session.on_time(2 * SECOND)
    assert len(sent(session)) == 50


def test_session_keeps_to_the_messages_of_a_minute_when_it_subscribes():
    many = [Subscription(type="trades", coin=f"C{number}") for number in range(30)]
    session = Session(many, SessionSettings(messages_per_minute=20, messages_reserve=5))
    session.start(0)
    session.on_open(1, 0)
    assert len(sent(session)) == 15
    session.on_time(2 * SECOND)
    assert sent(session) == []
    session.on_time(61 * SECOND)
    assert len(sent(session)) == 15


def test_session_refuses_more_subscriptions_than_the_venue_takes():
    many = [Subscription(type="trades", coin=f"C{number}") for number in range(1001)]
    with pytest.raises(ConfigInvalid, match="at most 1000 subscriptions"):
        Session(many, SessionSettings())


def test_session_pings_every_interval_and_lives_on_pongs():
    session = up()
    for moment in range(20, 200, 20):
        session.on_time(moment * SECOND)
        assert [one.frame for one in sent(session)] == [PING]
        session.on_frame(1, b'{"channel":"pong"}', moment * SECOND + 1)
    assert session.phase is Phase.UP


def test_session_is_lost_when_nothing_is_heard_and_names_the_last_good_frame():
    session = up()
    session.on_frame(1, push("l2Book", {"coin": "BTC"}), 3 * SECOND)
    session.take_reports()
    session.on_time(20 * SECOND)
    session.on_time(33 * SECOND)
    assert session.take_reports() == [Lost("nothing heard for 30.0 s", 3 * SECOND)]
    assert session.counters.stale == 1


def test_session_counts_garbage_as_no_sign_of_life():
    session = up()
    session.on_frame(1, b"\x00\xff\x00", 29 * SECOND)
    session.take_reports()
    session.on_time(30 * SECOND)
    assert session.phase is Phase.DOWN


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"null",
        b"[]",
        b"<html><body>502 Bad Gateway</body></html>",
        b"\x89PNG\r\n\x1a\n\x00\xff",
        b'{"channel":"userFills","data":{"fills":[{"coin":"BT',
        b'{"channel":"userFills"}',
        b'{"channel":12,"data":{}}',
        b'{"channel":"\xff","data":{}}',
        b'{"channel":"x","data":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"channel":"post","data":{"id":"seven"}}',
        b'{"channel":"error","data":{"no":"text"}}',
        b'{"channel":"subscriptionResponse","data":7}',
    ],
)
def test_session_survives_an_unreadable_frame_and_asks_for_proof_of_the_gap(frame):
    session = up()
    session.on_frame(1, push("l2Book", {}), SECOND)
    session.take_reports()
    session.on_frame(1, frame, 2 * SECOND)
    (lost,) = session.take_reports()
    assert lost.is_open
    assert session.counters.malformed == 1
    session.on_frame(1, push("l2Book", {"coin": "BTC"}), 3 * SECOND)
    assert session.take_reports() == [Pushed("l2Book", b'{"coin":"BTC"}')]
    assert session.take_actions() == []


def test_session_asks_for_proof_once_an_interval_when_garbage_goes_on():
    session = up(stale_ns=600 * SECOND, ping_interval_ns=500 * SECOND)
    for second in range(10):
        session.on_frame(1, b"{", second * SECOND)
    assert len(session.take_reports()) == 1
    assert session.next_ts_ns() <= 30 * SECOND
    session.on_time(30 * SECOND)
    assert [type(one) for one in session.take_reports()] == [Lost]
    session.on_time(31 * SECOND)
    assert session.take_reports() == []
    assert session.counters.malformed == 10


def test_session_backs_off_with_jitter_and_starts_over_after_a_stable_connection():
    session = up(seed=3)
    now, waits, connection = 0, [], 1
    session.on_closed(connection, "gone", now)
    for _ in range(10):
        due = session.next_ts_ns()
        waits.append(due - now)
        now = due
        session.on_time(now)
        connection += 1
        session.on_closed(connection, "refused", now)
    ceilings = [min(SECOND // 4 << exponent, 30 * SECOND) for exponent in range(10)]
    assert all(ceiling // 2 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))
    assert len(set(waits)) == len(waits)
    now = session.next_ts_ns()
    session.on_time(now)
    session.on_open(connection + 1, now)
    for one in (BOOK, FILLS):
        session.on_frame(connection + 1, acknowledgement(one), now)
    session.on_closed(connection + 1, "gone", now + 10 * SECOND)
    assert session.next_ts_ns() - now - 10 * SECOND <= SECOND // 4


def test_session_is_the_same_under_the_same_seed():
    def waits(seed: int) -> list[int]:
        session = up(seed=seed)
        session.on_closed(1, "gone", 0)
        first = session.next_ts_ns()
        session.on_time(first)
        session.on_closed(2, "gone", first)
        return [first, session.next_ts_ns()]

    assert waits(1) == waits(1) != waits(2)


def test_session_ignores_a_connection_that_is_not_the_newest():
    session = up()
    session.on_closed(1, "gone", 0)
    session.on_time(SECOND)
    session.on_frame(1, push("l2Book", {}), SECOND)
    session.on_closed(1, "gone again", SECOND)
    session.on_open(1, SECOND)
    assert session.phase is Phase.CONNECTING
    assert session.counters.late_frames == 1


def test_session_gives_up_a_connection_that_does_not_open():
    session = Session([BOOK], SessionSettings())
    session.start(0)
    session.on_time(10 * SECOND)
    assert session.take_actions() == [Connect(1), Close(1, "the connection did not open in time")]


def test_session_ends_everything_when_it_stops():
    session = up()
    session.post(1, "action", ACTION, 1)
    session.post(2, "info", INFO, 1, prefers_http=True)
    session.take_actions()
    session.stop()
    assert session.take_actions() == [Close(1, "the session was stopped")]
    lost, *failed = session.take_reports()
    assert isinstance(lost, Lost)
    assert [(one.request_id, one.kind) for one in failed] == [(1, "broken"), (2, "broken")]
    session.post(3, "action", ACTION, 2)
    (refused,) = session.take_reports()
    assert refused.kind == "not_sent"
    assert session.next_ts_ns() is None


def test_session_refuses_a_request_number_that_is_on_its_way():
    session = up()
    session.post(1, "action", ACTION, 1)
    with pytest.raises(InvariantBroken, match="on its way"):
        session.post(1, "action", ACTION, 1)
