"""The venue as a whole in virtual time: one timeline, limits of addresses, the same calls give the same bytes."""

import json

import pytest

from domain.errors import ConfigInvalid
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND, Money, format_money
from exchange.feeds.synthetic import SyntheticMarket
from services.venue_server.accounts_file import AgentEntry, OpeningAccount
from services.venue_server.fate import CALM
from services.venue_server.hall import EVENTS_MAX, EXCHANGE, INFO
from services.venue_server.ip_limits import IpLimits
from services.venue_server.pacing import on_wall_clock
from tests.services.counter_scene import AGENT, MASTER, NOW_MS, OTHER, address
from tests.services.venue_doors import (
    ALL_MIDS,
    ALWAYS,
    INSTRUMENTS,
    NOW_NS,
    a_hall,
    body,
    book,
    buy,
    mark,
)

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
USER_FEES = {"type": "userFees", "user": address(MASTER)}


def told(hall, payload, now_ns=NOW_NS, visitor=HERE, path=INFO):
    """Ask a question as an HTTP request does and return status and what was read."""
    handled = hall.handle(path, body(payload), visitor, hall.fate_of(path), now_ns)
    return handled.answer.status, json.loads(handled.answer.body)


def subscribe(hall, connection, kind, now_ns=NOW_NS, **fields):
    frame = body({"method": "subscribe", "subscription": {"type": kind, **fields}})
    return [json.loads(one) for one in hall.receive(connection, frame, now_ns)]


def post(hall, connection, number, envelope, now_ns=NOW_NS):
    frame = body({"method": "post", "id": number, "request": {"type": "action", "payload": envelope}})
    return [json.loads(one) for one in hall.receive(connection, frame, now_ns)]


def played(hall):
    """Return the best bid of BTC: how far the market was played."""
    return hall.venue.markets["BTC"].best_of_all(1)


def test_hall_plays_the_market_up_to_now_and_no_further():
    hall = a_hall([book(bid=1_000_000), mark(), book(NOW_NS + NS_PER_SECOND, bid=1_000_100)])
    hall.advance(NOW_NS + NS_PER_SECOND - 1)
    assert 1_000_000 == played(hall)
    hall.advance(NOW_NS + NS_PER_SECOND)
    assert 1_000_100 == played(hall)


def test_hall_never_goes_back_in_time():
    hall = a_hall()
    hall.advance(NOW_NS + 5)
    hall.advance(NOW_NS)
    assert (NOW_NS + 5, NOW_NS + 5) == (hall.now_ns, hall.venue.now_ns)


def test_skewed_clock_jumps_forward_and_comes_back_by_standing_still():
    hall = a_hall()
    hall.suffer(hall.misfortune.settings.__class__(skew_ms=5_000), NOW_NS)
    ahead = NOW_NS + 5 * NS_PER_SECOND
    assert ahead == hall.now_ns
    hall.suffer(hall.misfortune.settings.__class__(), NOW_NS)
    hall.advance(NOW_NS + NS_PER_SECOND)
    assert ahead == hall.now_ns
    hall.advance(ahead + 1)
    assert ahead + 1 == hall.now_ns


def test_events_of_one_moment_happen_in_their_order():
    hall = a_hall([book(bid=bid) for bid in (1_000_000, 1_000_200, 1_000_100)])
    hall.advance(NOW_NS)
    assert 1_000_100 == played(hall)


def test_market_that_is_too_fast_falls_behind_says_so_and_keeps_nobody_waiting():
    events = [book(NOW_NS + number, bid=1_000_000 + 10 * number) for number in range(EVENTS_MAX * 3)]
    hall = a_hall(events)
    now_ns = NOW_NS + NS_PER_SECOND
    hall.advance(now_ns)
    assert events[EVENTS_MAX - 1].bids[0][0] == played(hall)
    lag = hall.gauges(now_ns)["lag_seconds"]
    assert 0.9 < lag <= 1
    status, mids = told(hall, ALL_MIDS, now_ns)
    assert (200, "BTC") == (status, min(mids))
    assert events[2 * EVENTS_MAX - 1].bids[0][0] == played(hall)
    hall.advance(now_ns)
    assert events[-1].bids[0][0] == played(hall)
    assert (0, True) == (hall.gauges(now_ns)["lag_seconds"], hall.gauges(now_ns)["market_ended"])


def test_books_stay_when_the_market_has_ended():
    hall = a_hall()
    hour = NOW_NS + 3_600 * NS_PER_SECOND
    hall.advance(hour)
    assert hall.gauges(hour)["market_ended"]
    _, answer = told(hall, buy("100010", NOW_MS + 3_600_000), hour, path=EXCHANGE)
    assert "filled" in answer["response"]["data"]["statuses"][0]


def test_weight_of_an_address_is_bounded_and_a_refusal_costs_nothing():
    hall = a_hall(limits=IpLimits(weight_per_minute=60))
    assert [200] * 3 == [told(hall, USER_FEES)[0] for _ in range(3)]
    refused = hall.handle(INFO, body(USER_FEES), HERE, CALM, NOW_NS).answer
    assert (429, b"null", "application/json") == (refused.status, refused.body, refused.content_type)
    assert 200 == told(hall, USER_FEES, visitor=ELSEWHERE)[0]
    assert 429 == told(hall, USER_FEES, NOW_NS + 60 * NS_PER_SECOND - 1)[0]
    assert 200 == told(hall, USER_FEES, NOW_NS + 60 * NS_PER_SECOND)[0]


def test_lifted_skew_leaves_no_address_locked_out():
    hall = a_hall(limits=IpLimits(weight_per_minute=20), skew_ms=3_600_000)
    assert 200 == told(hall, USER_FEES)[0]
    hall.suffer(hall.misfortune.settings.__class__(), NOW_NS)
    assert 200 == told(hall, USER_FEES, NOW_NS + 60 * NS_PER_SECOND)[0]


def test_limits_that_are_off_bound_nothing():
    hall = a_hall(limits=IpLimits(is_on=False, weight_per_minute=1, connections_max=0, messages_per_minute=0))
    assert [200] * 5 == [told(hall, USER_FEES)[0] for _ in range(5)]
    connection, _ = hall.connect(HERE, NOW_NS)
    assert [{"channel": "pong"}] == [json.loads(one) for one in hall.receive(connection, b'{"method":"ping"}', NOW_NS)]


def test_sockets_of_an_address_are_bounded_and_closing_one_makes_room():
    hall = a_hall(limits=IpLimits(connections_max=2, connections_per_minute=3))
    first, _ = hall.connect(HERE, NOW_NS)
    hall.connect(HERE, NOW_NS)
    assert hall.connect(HERE, NOW_NS) is None
    assert hall.connect(ELSEWHERE, NOW_NS) is not None
    hall.disconnect(first)
    assert hall.connect(HERE, NOW_NS) is not None
    assert 3 == hall.gauges(NOW_NS)["sockets"]


def test_new_sockets_a_minute_are_bounded():
    hall = a_hall(limits=IpLimits(connections_per_minute=2))
    for _ in range(2):
        connection, _ = hall.connect(HERE, NOW_NS)
        hall.disconnect(connection)
    assert hall.connect(HERE, NOW_NS) is None
    assert hall.connect(HERE, NOW_NS + 60 * NS_PER_SECOND) is not None


def test_messages_of_an_address_are_bounded_over_its_sockets():
    hall = a_hall(limits=IpLimits(messages_per_minute=2))
    first, _ = hall.connect(HERE, NOW_NS)
    second, _ = hall.connect(HERE, NOW_NS)
    ping = b'{"method":"ping"}'
    answers = [hall.receive(one, ping, NOW_NS)[0] for one in (first, second, first)]
    assert ["pong", "pong", "error"] == [json.loads(one)["channel"] for one in answers]


def test_subscriptions_and_users_of_an_address_are_bounded_over_its_sockets():
    hall = a_hall(limits=IpLimits(subscriptions_max=3, users_max=1))
    first, _ = hall.connect(HERE, NOW_NS)
    second, _ = hall.connect(HERE, NOW_NS)
    assert "subscriptionResponse" == subscribe(hall, first, "orderUpdates", user=address(MASTER))[0]["channel"]
    refused = subscribe(hall, second, "userFills", user=address(OTHER))
    assert [{"channel": "error", "data": "Cannot track more than 1 total users."}] == refused
    subscribe(hall, second, "trades", coin="BTC")
    subscribe(hall, second, "bbo", coin="BTC")
    assert "Cannot subscribe to more than 3 channels." == subscribe(hall, first, "allMids")[0]["data"]


def test_posts_in_flight_of_an_address_are_bounded():
    hall = a_hall(limits=IpLimits(posts_in_flight_max=1), late=ALWAYS, late_ms=1_000)
    connection, _ = hall.connect(HERE, NOW_NS)
    assert [] == post(hall, connection, 1, buy())
    assert "too many pending post requests id=2" == post(hall, connection, 2, buy(nonce=NOW_MS + 1))[0]["data"]
    ((_, frame),) = hall.take_pushes(NOW_NS + NS_PER_SECOND)
    assert 1 == json.loads(frame)["data"]["id"]
    assert [] == post(hall, connection, 3, buy(nonce=NOW_MS + 2), NOW_NS + NS_PER_SECOND)


def test_silent_request_is_carried_out_and_refused_one_is_not():
    hall = a_hall(silent=ALWAYS)
    handled = hall.handle(EXCHANGE, body(buy()), HERE, hall.fate_of(EXCHANGE), NOW_NS)
    assert (None, NS_PER_SECOND) == (handled.answer, handled.late_ns)
    hall.suffer(hall.misfortune.settings.__class__(bad_gateway=ALWAYS), NOW_NS)
    handled = hall.handle(EXCHANGE, body(buy(nonce=NOW_MS + 1)), HERE, hall.fate_of(EXCHANGE), NOW_NS)
    assert 502 == handled.answer.status
    assert 1 == hall.gauges(NOW_NS)["open_orders"]


def test_failed_post_says_the_status_as_text():
    hall = a_hall(too_many=ALWAYS)
    connection, _ = hall.connect(HERE, NOW_NS)
    (answer,) = post(hall, connection, 7, buy())
    assert {"id": 7, "response": {"type": "error", "payload": "429: null"}} == answer["data"]


def test_accounts_trade_with_each_other_where_nobody_else_does():
    hall = a_hall([])
    hall.set_price("BTC", 1_000_000)
    told(hall, buy("100000", wallet=OTHER, is_buy=False, size="0.01"), path=EXCHANGE)
    _, answer = told(hall, buy("100000", size="0.01"), path=EXCHANGE)
    assert "0.01" == answer["response"]["data"]["statuses"][0]["filled"]["totalSz"]
    held = [account.positions["BTC"] for account in hall.venue.accounts.values() if account.positions]
    assert (0, 1_000) == (sum(held), max(held))


def test_deposit_opens_an_account():
    hall = a_hall(accounts=[])
    hall.fund(address(OTHER), Money(5 * MONEY_UNIT))
    hall.fund(address(OTHER), Money(MONEY_UNIT))
    assert "6" == format_money(hall.venue.accounts[address(OTHER)].cash)


def test_account_opens_with_its_agents_and_a_refused_agent_is_named():
    agent = AgentEntry(address=address(AGENT), name="bot")
    hall = a_hall(accounts=[OpeningAccount(address=address(MASTER), usdc=Money(MONEY_UNIT), agents=(agent,))])
    assert ("agent", address(MASTER)) == hall.counter.registry.role(address(AGENT))
    with pytest.raises(ConfigInvalid, match=address(AGENT)):
        hall.open_account(OpeningAccount(address=address(OTHER), usdc=Money(0), agents=(agent,)))


def a_day(seed):
    """Return every byte a visitor hears of a synthetic market and of his own orders, in virtual time."""
    feed = on_wall_clock(SyntheticMarket(INSTRUMENTS, seed, NOW_NS), NOW_NS)
    hall = a_hall(feed, duplicate=300_000, reorder=300_000, late=200_000, late_ms=300)
    connection, heard = hall.connect(HERE, NOW_NS)
    for kind, fields in (
        ("l2Book", {"coin": "BTC"}),
        ("trades", {"coin": "ETH"}),
        ("orderUpdates", {"user": address(MASTER)}),
        ("userFills", {"user": address(MASTER)}),
    ):
        heard += [json.dumps(one).encode() for one in subscribe(hall, connection, kind, **fields)]
    for step in range(40):
        now_ns = NOW_NS + step * 250 * NS_PER_MS
        price = "150000" if step % 2 else "50000"
        envelope = buy(price, NOW_MS + step, is_buy=bool(step % 2), tif="Ioc")
        heard += [json.dumps(one).encode() for one in post(hall, connection, step, envelope, now_ns)]
        heard += [frame for _, frame in hall.take_pushes(now_ns)]
    return heard


def test_same_seed_and_calls_give_the_same_day_byte_for_byte():
    first = a_day(3)
    assert first == a_day(3)
    assert first != a_day(4)
    assert any(b'"userFills"' in frame and b'"hash"' in frame for frame in first)
