"""Socket and HTTP against a real server on loopback that drops, stalls, lies and answers late."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager

import pytest

from domain.errors import ConfigInvalid
from exchange.hyperliquid.network import Network
from exchange.hyperliquid.session_words import HttpFailed, HttpReply
from exchange.hyperliquid.transport import Transport, TransportSettings
from tests.exchange.loopback_venue import LoopbackVenue, until

SECOND = 1_000_000_000


class Notes:
    """Ears that write down what they hear."""

    def __init__(self) -> None:
        self.heard: list[tuple] = []

    def on_open(self, connection):
        self.heard.append(("open", connection))

    def on_frame(self, connection, data):
        self.heard.append(("frame", connection, data))

    def on_closed(self, connection, detail):
        self.heard.append(("closed", connection, detail))

    def on_writable(self, connection, *, is_writable):
        self.heard.append(("writable", connection, is_writable))

    def kinds(self):
        return [one[0] for one in self.heard]


def network(url: str) -> Network:
    return Network.at("local", url)


@asynccontextmanager
async def transport_of(url: str, **settings):
    """Yield a transport, its ears and a clock that stands still until moved."""
    now, ears = [0], Notes()
    transport = Transport(network(url), TransportSettings(**settings), ears, lambda: now[0])
    try:
        yield transport, ears, now
    finally:
        await transport.close()


def run(test) -> None:
    asyncio.run(test())


def unused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


async def posted(manner: str, timeout_ns: int = 5 * SECOND) -> HttpReply | HttpFailed:
    venue = LoopbackVenue()
    venue.manner = manner
    async with venue.serving(), transport_of(venue.url) as (transport, _, _):
        result = await transport.post("/exchange", b"{}", timeout_ns)
        assert len(venue.actions) == 1, "sent more than once"
        return result


@pytest.mark.parametrize(
    ("manner", "status", "beginning"),
    [
        ("answer", 200, b'{"status":"ok"'),
        ("429", 429, b"null"),
        ("502", 502, b"Bad"),
        ("html", 200, b"<html>"),
        ("redirect", 307, b""),
        ("half json", 200, b'{"status":"ok"'),
    ],
)
def test_transport_hands_on_what_http_answers_as_it_is(manner, status, beginning):
    result = asyncio.run(posted(manner))
    assert isinstance(result, HttpReply)
    assert result.status == status
    assert result.body.startswith(beginning)


@pytest.mark.parametrize(("manner", "kind"), [("reset", "broken"), ("cut short", "broken"), ("stall", "timeout")])
def test_transport_says_that_the_fate_is_open_when_the_answer_does_not_come(manner, kind):
    result = asyncio.run(posted(manner, SECOND // 5))
    assert isinstance(result, HttpFailed)
    assert result.kind == kind


def test_transport_proves_that_nothing_was_sent_when_nobody_listens():
    async def test():
        async with transport_of(unused_url()) as (transport, ears, _):
            result = await transport.post("/exchange", b"{}", SECOND)
            assert (result.kind, result.status) == ("not_sent", 0)
            await transport.run_socket(1)
            ((kind, connection, detail),) = ears.heard
            assert (kind, connection) == ("closed", 1)
            assert "cannot connect" in detail

    run(test)


def test_transport_proves_that_nothing_was_sent_when_the_connection_does_not_open():
    async def test():
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(server.getsockname())
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            async with transport_of(url) as (transport, _, _):
                result = await transport.post("/exchange", b"{}", SECOND // 2)
            for filler in fillers:
                filler.close()
            assert result.kind == "not_sent"

    run(test)


def test_transport_reuses_a_connection_and_replaces_the_pool_after_idleness():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, _, now):
            for _ in range(3):
                await transport.post("/exchange", b"{}", SECOND)
            assert (len(venue.peers), transport.pools) == (1, 1)
            now[0] += 61 * SECOND
            await transport.post("/exchange", b"{}", SECOND)
            assert (len(venue.peers), transport.pools) == (2, 2)

    run(test)


def test_socket_carries_frames_both_ways_and_tells_of_its_end():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: ears.kinds() == ["open", "frame"])
            assert not transport.send(2, b"{}")
            assert transport.send(1, b'{"method":"ping"}')
            await until(lambda: len(ears.heard) == 3)
            assert ears.heard[-1] == ("frame", 1, b'{"channel":"pong"}')
            venue.drop()
            await until(lambda: ears.kinds()[-1] == "closed")
            assert not transport.send(1, b"{}")
            assert ears.kinds().count("closed") == 1

    run(test)


def test_socket_says_why_the_venue_closed_it():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: venue.sockets)
            await venue.sockets[0].close(code=1001, message=b"upgrade")
            await until(lambda: ears.kinds()[-1] == "closed")
            assert "1001" in ears.heard[-1][2]
            assert "upgrade" in ears.heard[-1][2]

    run(test)


def test_socket_reports_a_refused_upgrade():
    async def test():
        venue = LoopbackVenue()
        venue.refuses_upgrade = True
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _):
            await transport.run_socket(1)
            assert ears.kinds() == ["closed"]
            assert "cannot connect" in ears.heard[0][2]

    run(test)


def test_socket_joins_a_message_sent_in_parts():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: venue.sockets and len(ears.heard) == 2)
            writer = venue.sockets[0]._writer.transport
            writer.write(b'\x01\x0b{"channel":' + b'\x00\x02"x' + b'\x80\x02"}')
            await until(lambda: len(ears.heard) == 3)
            assert ears.heard[-1] == ("frame", 1, b'{"channel":"x"}')
            transport.cut(1)

    run(test)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 200 OK\r\n\r\n<html>",
        b"\x83\x00",
        b"\x81\xff" + struct.pack(">Q", 2**40),
        b"\x81\x7f" + struct.pack(">Q", 2**40),
        b"\x81\x7e\x00\x05hello",
    ],
)
def test_socket_ends_and_says_so_when_frames_are_broken(garbage):
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: venue.sockets and len(ears.heard) == 2)
            venue.sockets[0]._writer.transport.write(garbage)
            await until(lambda: ears.kinds()[-1] == "closed")

    run(test)


def test_socket_keeps_a_truncated_message_back_and_reports_the_end():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: venue.sockets and len(ears.heard) == 2)
            peer = venue.sockets[0]._writer.transport
            peer.write(b'\x81\x40{"channel":"userFills","da')
            peer.close()
            await until(lambda: ears.kinds()[-1] == "closed")
            assert ears.kinds() == ["open", "frame", "closed"]

    run(test)


def test_socket_hands_on_binary_messages_as_they_are():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: venue.sockets and len(ears.heard) == 2)
            await venue.sockets[0].send_bytes(b"\x00\xff")
            await until(lambda: len(ears.heard) == 3)
            assert ears.heard[-1] == ("frame", 1, b"\x00\xff")
            transport.cut(1)

    run(test)


def test_socket_gives_up_when_the_upgrade_is_never_answered():
    async def test():
        async def silent(reader, writer):
            await reader.read()
            writer.close()
            await writer.wait_closed()
            ended.set()

        ended = asyncio.Event()
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, transport_of(url, open_ns_max=SECOND // 5) as (transport, ears, _):
            async with asyncio.timeout(5):
                await transport.run_socket(1)
                await ended.wait()
            assert ears.kinds() == ["closed"]

    run(test)


def test_socket_says_that_it_is_clogged_when_the_venue_does_not_read():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _), asyncio.TaskGroup() as group:
            group.create_task(transport.run_socket(1))
            await until(lambda: venue.sockets and len(ears.heard) == 2)
            venue.sockets[0]._writer.transport.pause_reading()
            frame = b'"' + b"x" * 2**20 + b'"'
            for _ in range(64):
                transport.send(1, frame)
                if "writable" in ears.kinds():
                    break
            assert ears.heard[-1] == ("writable", 1, False)
            transport.cut(1)
            await until(lambda: ears.kinds()[-1] == "closed")

    run(test)


def test_socket_is_cut_at_once_and_tells_of_nothing_later():
    async def test():
        venue = LoopbackVenue()
        async with venue.serving(), transport_of(venue.url) as (transport, ears, _):
            async with asyncio.TaskGroup() as group:
                group.create_task(transport.run_socket(1))
                await until(lambda: venue.sockets and len(ears.heard) == 2)
                transport.cut(1)
            assert ears.kinds() == ["open", "frame", "closed"]

    run(test)


def test_an_error_of_ours_inside_a_callback_comes_out():
    class Broken(Notes):
        def on_frame(self, connection, data):
            raise ZeroDivisionError("ours")

    async def test():
        venue = LoopbackVenue()
        async with venue.serving():
            transport = Transport(network(venue.url), TransportSettings(), Broken(), lambda: 0)
            with pytest.raises(ZeroDivisionError, match="ours"):
                await transport.run_socket(1)
            await transport.close()

    run(test)


def test_network_has_urls_and_refuses_mainnet_in_the_clear():
    local = Network.at("local", "http://127.0.0.1:3001/")
    assert (local.http_url, local.ws_url, local.is_mainnet) == (
        "http://127.0.0.1:3001",
        "ws://127.0.0.1:3001/ws",
        False,
    )
    assert Network.at("mainnet", "https://api.hyperliquid.xyz").ws_url == "wss://api.hyperliquid.xyz/ws"
    assert Network.at("mainnet", "https://api.hyperliquid.xyz").is_mainnet
    for name, url in (("mainnet", "http://api.hyperliquid.xyz"), ("local", "ftp://x"), ("local", "http://h/path")):
        with pytest.raises(ConfigInvalid):
            Network.at(name, url)
