"""The load on `hat venue` is what it claims to be: orders that are verified, accepted and rest, answers cut as they come."""

import asyncio
import time

from benchmarks.venue_clients import HttpLine, http_request, post_frame
from benchmarks.venue_server import PRICES, bodies
from domain.units import MONEY_UNIT, Money
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer
from exchange.hyperliquid.universe import UNIVERSE
from services.venue_server.accounts_file import OpeningAccount
from services.venue_server.fate import CALM
from services.venue_server.hall import EXCHANGE
from services.venue_server.opening import ServerSettings, open_hall

SIGNER = Signer(SecretKey(bytes([1]) * 32), is_mainnet=False)
COUNT = 60
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"resting"}'


def test_every_order_of_the_load_is_verified_and_rests():
    now_ns = time.time_ns()
    account = OpeningAccount(address=SIGNER.address, usdc=Money(1_000_000 * MONEY_UNIT))
    hall = open_hall(ServerSettings(), [UNIVERSE["BTC"]], [account], iter(()), now_ns)
    requests = bodies(SIGNER, COUNT, now_ns // 1_000_000)
    assert len(set(requests)) == COUNT <= PRICES
    for body in requests:
        answer = hall.handle(EXCHANGE, body, "127.0.0.1", CALM, now_ns).answer
        assert b'"resting"' in answer.body
    assert len(hall.venue.accounts[SIGNER.address].orders) == COUNT
    forged = requests[0].replace(b'"60000"', b'"60001"')
    assert b"does not exist" in hall.handle(EXCHANGE, forged, "127.0.0.1", CALM, now_ns).answer.body


class Wire:
    """Keeps what a line writes."""

    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)


def test_a_line_counts_answers_however_they_are_cut():
    async def work():
        line = HttpLine([b"first", b"second", b"third"])
        line._transport = wire = Wire()
        line.fill()
        assert wire.written == [b"first"]
        for byte in ANSWER:
            line.data_received(bytes([byte]))
        assert wire.written == [b"first", b"second"]
        line.data_received(ANSWER)
        line.data_received(ANSWER.replace(b"resting", b"refused"))
        await line.done
        assert (line.accepted, len(line.waits), line.refused) == (2, 3, [b'{"refused"}'])

    asyncio.run(work())


def test_requests_are_framed_for_their_line():
    assert http_request(b"{}").endswith(b"Content-Length: 2\r\n\r\n{}")
    assert post_frame(7, b"{}") == b'{"method":"post","id":7,"request":{"type":"action","payload":{}}}'
