"""The doors on loopback with real sockets: who is heard, what is cut off, in which order answers and pushes leave."""

import asyncio
import io
import json
import logging
import socket
from contextlib import suppress

import aiohttp
import pytest

from domain.errors import ConfigInvalid, DataInvalid, InvariantBroken
from domain.units import NS_PER_SECOND
from exchange.feeds.synthetic import SyntheticMarket
from services.venue_server import line as line_module
from services.venue_server.app import BODY_BYTES_MAX, VenueApp, kind_of
from services.venue_server.ip_limits import IpLimits
from services.venue_server.pacing import on_wall_clock
from tests.services.counter_scene import MASTER, NOW_MS, OTHER, address
from tests.services.venue_doors import (
    ALL_MIDS,
    ALWAYS,
    INSTRUMENTS,
    NOW_NS,
    Clock,
    a_hall,
    asked,
    body,
    buy,
    in_loop,
    open_doors,
    subscribed,
    until,
)

PING = {"method": "ping"}
PONG = {"channel": "pong"}
ME = address(MASTER)


@in_loop
async def test_questions_are_answered_as_json():
    async with open_doors() as doors:
        status, content_type, content = await doors.post("/info", ALL_MIDS)
        assert (200, "application/json") == (status, content_type)
        assert {"BTC": "100001.0"} == json.loads(content)


@in_loop
async def test_signed_order_rests_and_what_cannot_be_read_is_422_as_text():
    async with open_doors() as doors:
        assert "resting" in (await doors.exchange(buy()))["response"]["data"]["statuses"][0]
        status, content_type, content = await doors.post("/exchange", {"action": {"type": "nonsense"}})
        assert (422, "text/plain", True) == (status, content_type, content.startswith(b"Failed to deserialize"))
        for path, refused in (("/info", 405), ("/nowhere", 404)):
            async with doors.http.get(f"{doors.url}{path}") as answer:
                assert refused == answer.status


@pytest.mark.parametrize("path", ["/info", "/exchange", "/control/drop"])
@in_loop
async def test_page_from_elsewhere_that_calls_itself_this_machine_is_refused(path):
    async with open_doors() as doors:
        for host in ("venue.example", "venue.example:3001", "10.0.0.1", "localhost.evil.example", "[", ""):
            status, _, content = await doors.post(path, ALL_MIDS, Host=host)
            assert (403, True) == (status, b"loopback" in content), host


@in_loop
async def test_socket_from_elsewhere_is_refused_and_any_origin_is_welcome():
    async with open_doors() as doors:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await doors.connect(headers={"Host": "venue.example"})
        assert 403 == refused.value.status
        wire = await doors.connect(headers={"Origin": "https://app.example"})
        assert PONG == await asked(wire, PING)


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "127.9.9.9:3001", "[::1]:3001"])
@in_loop
async def test_every_name_of_this_machine_is_answered(host):
    async with open_doors() as doors:
        assert 200 == (await doors.post("/info", ALL_MIDS, Host=host))[0]


@in_loop
async def test_venue_on_all_addresses_answers_to_any_name():
    async with open_doors(host="0.0.0.0") as doors:
        doors.url = f"http://127.0.0.1:{doors.port}"
        assert 200 == (await doors.post("/info", ALL_MIDS, Host="venue.example"))[0]


@in_loop
async def test_huge_body_and_huge_frame_are_refused_and_the_venue_goes_on():
    async with open_doors() as doors:
        async with doors.http.post(f"{doors.url}/info", data=io.BytesIO(b"x" * (BODY_BYTES_MAX + 1))) as answer:
            assert (413, "text/plain") == (answer.status, answer.content_type)
        wire = await doors.connect()
        await wire.send_str("x" * (BODY_BYTES_MAX + 1))
        assert aiohttp.WSMsgType.CLOSE == (await wire.receive()).type
        assert 1009 == wire.close_code
        assert await doors.info(**ALL_MIDS)


@in_loop
async def test_nonsense_on_the_line_and_visitors_that_leave_are_survived(caplog):
    caplog.set_level(logging.INFO)
    async with open_doors() as doors:
        for sent in (
            b"\x16\x03\x01\x02\x00",
            b"POST /info HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
            b"POST /info HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            async with doors.raw() as (_, writer):
                writer.write(sent)
                await writer.drain()
        wire = await doors.connect()
        for text in ("", "null", "[]", '{"method":"post"}', "\x00", "{" * 10_000):
            await wire.send_str(text)
            assert "error" == (await wire.receive_json())["channel"]
        await wire.send_bytes(b"\xff\xfe")
        assert "error" == (await wire.receive_json())["channel"]
        assert await doors.info(**ALL_MIDS)
    assert [] == [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@in_loop
async def test_socket_that_hears_nothing_for_a_minute_is_closed_with_a_word():
    async with open_doors() as doors:
        wire = await doors.connect()
        doors.clock.pass_seconds(50)
        assert PONG == await asked(wire, PING)
        doors.clock.pass_seconds(59)
        assert PONG == await asked(wire, PING)
        doors.clock.pass_seconds(61)
        said = await wire.receive()
        assert (aiohttp.WSMsgType.CLOSE, 1000, "Inactive") == (said.type, said.data, said.extra)
        await until(lambda: not doors.hall.gauges(NOW_NS)["sockets"], "the socket to be forgotten")


@in_loop
async def test_skew_closes_no_socket():
    async with open_doors() as doors:
        wire = await doors.connect()
        await doors.post("/control/misfortune", {"skew_ms": 3_600_000})
        assert NOW_MS + 3_600_000 == (await doors.info(type="exchangeStatus"))["time"]
        assert PONG == await asked(wire, PING)


@in_loop
async def test_dropped_socket_hears_no_farewell():
    async with open_doors() as doors:
        wire = await doors.connect()
        await doors.post("/control/drop", {})
        message = await wire.receive()
        assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        assert wire.close_code in {None, 1006}


@in_loop
async def test_stalled_socket_hears_everything_later_in_order():
    async with open_doors() as doors:
        wire = await doors.connect()
        assert PONG == await asked(wire, PING)
        await doors.post("/control/stall", {"ms": 5_000})
        await until(lambda: doors.app._lines[1]._stalled_until_ns, "the stall")
        await wire.send_json(PING)
        await wire.send_json({"method": "subscribe", "subscription": {"type": "allMids"}})
        await until(lambda: len(doors.app._lines[1]._waiting) == 3, "frames that wait")
        doors.clock.pass_seconds(5)
        channels = [(await wire.receive_json())["channel"] for _ in range(3)]
        assert ["pong", "subscriptionResponse", "allMids"] == channels


@in_loop
async def test_reader_that_is_too_slow_is_cut_off_and_delays_nobody(monkeypatch):
    monkeypatch.setattr(line_module, "FRAME_BYTES_MAX", 2**20)
    async with open_doors() as doors:
        slow = socket.create_connection(("127.0.0.1", doors.port))
        slow.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await until(lambda: doors.app._lines, "the slow socket")
        quick = await doors.connect()
        stuck = doors.app._lines[1]
        while not stuck.is_ended:
            stuck.put([b"x" * 2**18])
            assert PONG == await asked(quick, PING)
        await until(lambda: 1 not in doors.app._lines, "the slow socket to be cut off")
        assert PONG == await asked(quick, PING)
        slow.close()


@in_loop
async def test_idle_socket_that_is_stuck_is_cut_off():
    async with open_doors() as doors:
        wire = await doors.connect()
        await doors.post("/control/stall", {"ms": 600_000})
        await until(lambda: doors.app._lines[1]._stalled_until_ns, "the stall")
        await wire.send_json(PING)
        await until(lambda: doors.app._lines[1]._waiting, "a frame that waits")
        doors.clock.pass_seconds(61)
        await until(lambda: not doors.app._lines, "the socket to be cut off")


@in_loop
async def test_answer_to_a_post_comes_before_what_it_caused():
    async with open_doors() as doors:
        wire = await doors.connect()
        await subscribed(wire, "orderUpdates", user=ME)
        await subscribed(wire, "userFills", user=ME)
        await wire.receive_json()
        for number in range(20):
            request = {"type": "action", "payload": buy("100010", NOW_MS + number)}
            answer = await asked(wire, {"method": "post", "id": number, "request": request})
            assert ("post", number) == (answer["channel"], answer["data"]["id"])
            assert ["orderUpdates", "userFills"] == [(await wire.receive_json())["channel"] for _ in range(2)]


@in_loop
async def test_answer_to_a_request_leaves_before_what_it_caused():
    async with open_doors() as doors:
        wire = await doors.connect()
        await subscribed(wire, "orderUpdates", user=ME)
        for number in range(20):
            sent = body(buy("100010", NOW_MS + number))
            head = f"POST /exchange HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n"
            async with doors.raw() as (reader, writer):
                writer.write(head.encode() + sent)
                answered = asyncio.ensure_future(reader.readline())
                pushed = asyncio.ensure_future(wire.receive_json())
                await asyncio.wait([answered, pushed], return_when=asyncio.FIRST_COMPLETED)
                assert answered.done()
                assert "orderUpdates" == (await pushed)["channel"]


@pytest.mark.parametrize(
    ("key", "status", "content_type", "beginning"),
    [
        ("too_many", 429, "application/json", b"null"),
        ("internal_error", 500, "text/plain", b"Internal"),
        ("bad_gateway", 502, "text/html", b"<html>"),
    ],
)
@in_loop
async def test_outage_looks_as_at_the_real_venue_and_nothing_happens(key, status, content_type, beginning):
    async with open_doors(a_hall(**{key: ALWAYS})) as doors:
        answer = await doors.post("/exchange", buy())
        assert (status, content_type) == answer[:2]
        assert answer[2].startswith(beginning)
        assert not doors.hall.gauges(NOW_NS)["open_orders"]


@in_loop
async def test_late_answer_comes_after_what_it_caused():
    async with open_doors(a_hall(late=ALWAYS, late_ms=100, actions_only=True)) as doors:
        wire = await doors.connect()
        await subscribed(wire, "orderUpdates", user=ME)
        asking = asyncio.ensure_future(doors.exchange(buy()))
        assert "orderUpdates" == (await wire.receive_json())["channel"]
        assert not asking.done()
        assert "ok" == (await asking)["status"]


@in_loop
async def test_slow_request_is_carried_out_only_later():
    async with open_doors(a_hall(slow=ALWAYS, slow_ms=100, actions_only=True)) as doors:
        asking = asyncio.ensure_future(doors.exchange(buy()))
        await doors.info(**ALL_MIDS)
        assert not doors.hall.gauges(NOW_NS)["open_orders"]
        assert "ok" == (await asking)["status"]
        assert 1 == doors.hall.gauges(NOW_NS)["open_orders"]


@in_loop
async def test_silent_request_is_carried_out_and_its_line_is_cut():
    async with open_doors(a_hall(silent=ALWAYS, silent_ms=50, actions_only=True)) as doors:
        with pytest.raises(aiohttp.ClientConnectionError):
            await doors.post("/exchange", buy())
        assert 1 == doors.hall.gauges(NOW_NS)["open_orders"]


@in_loop
async def test_socket_too_many_is_refused_with_429():
    async with open_doors(a_hall(limits=IpLimits(connections_max=1))) as doors:
        wire = await doors.connect()
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await doors.connect()
        assert 429 == refused.value.status
        await wire.close()
        await until(lambda: not doors.hall.gauges(NOW_NS)["sockets"], "the first socket to be forgotten")
        assert PONG == await asked(await doors.connect(), PING)


@in_loop
async def test_two_accounts_hear_of_their_trade():
    async with open_doors(a_hall([])) as doors:
        await doors.post("/control/price", {"coin": "BTC", "oracle": "100000"})
        mine, others = await doors.connect(), await doors.connect()
        await subscribed(mine, "userFills", user=ME)
        await subscribed(others, "userFills", user=address(OTHER))
        assert [True, True] == [(await one.receive_json())["data"]["isSnapshot"] for one in (mine, others)]
        await doors.exchange(buy("100000", wallet=OTHER, is_buy=False))
        await doors.exchange(buy("100000"))
        fills = [(await one.receive_json())["data"]["fills"][0] for one in (mine, others)]
        assert ["B", "A"] == [fill["side"] for fill in fills]
        assert fills[0]["tid"] == fills[1]["tid"]


@in_loop
async def test_venue_that_closes_says_so_and_keeps_no_answer_back():
    loop = asyncio.get_running_loop()
    async with open_doors(a_hall(late=ALWAYS, late_ms=60_000, actions_only=True)) as doors:
        calm = await doors.connect()
        late = asyncio.ensure_future(doors.exchange(buy()))
        await until(lambda: doors.hall.gauges(NOW_NS)["open_orders"], "the order")
        began = loop.time()
        doors.app.stop.set()
        said = await calm.receive()
        assert (aiohttp.WSMsgType.CLOSE, 1001) == (said.type, said.data)
        assert "ok" == (await late)["status"]
    assert loop.time() - began < 3


@in_loop
async def test_port_that_is_taken_or_none_is_refused_in_a_sentence():
    async with open_doors() as doors:
        for host, port, said in (
            ("127.0.0.1", doors.port, "0 takes any free one"),
            ("127.0.0.1", 70_000, "0 to 65535"),
            ("192.0.2.1", 0, "192.0.2.1:0"),
        ):
            with pytest.raises(ConfigInvalid, match=said):
                await VenueApp(a_hall(), Clock()).run(host, port, print)


BROKEN = (InvariantBroken("the sum of all positions is 1"), DataInvalid("data.lz4", "is cut off"))


def broken_feed(error):
    """A market that cannot be played beyond its first event."""
    yield next(iter(SyntheticMarket(INSTRUMENTS, 1, NOW_NS + NS_PER_SECOND)))
    raise error


@pytest.mark.parametrize("error", BROKEN)
@pytest.mark.parametrize("is_request", [True, False])
def test_broken_law_and_unreadable_data_end_the_venue(is_request, error, caplog):
    async def trade():
        async with open_doors(a_hall(broken_feed(error)), block_ns=NS_PER_SECOND if is_request else 1) as doors:
            doors.clock.pass_seconds(2)
            with suppress(aiohttp.ClientError):
                await doors.post("/info", ALL_MIDS)
            await doors.app.stop.wait()

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(asyncio.wait_for(trade(), 20))
    assert caught.group_contains(type(error), match=str(error))


@in_loop
async def test_synthetic_market_is_heard_as_time_passes():
    feed = on_wall_clock(SyntheticMarket(INSTRUMENTS, 5, NOW_NS), NOW_NS)
    async with open_doors(a_hall(feed)) as doors:
        wire = await doors.connect()
        await subscribed(wire, "trades", coin="BTC")
        await wire.receive_json()
        doors.clock.pass_seconds(30)
        assert "BTC" == (await wire.receive_json())["data"][0]["coin"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"type":"meta"}', "meta"),
        (b'{"action":{"type":"order"},"nonce":1}', "order"),
        (b'{"type":"' + b"x" * 99 + b'"}', "x" * 40),
        (b'{"type":7}', "other"),
        (b"\xff", "other"),
        (b"[" * 100_000, "other"),
        (b"", "other"),
    ],
)
def test_kind_of_a_request_is_read_whatever_it_is(content, kind):
    assert kind == kind_of(content)
