"""`hat venue` under load: signed orders a second taken with verification on, the round trip of one, and what costs what.

The venue runs in a process of its own with the synthetic market; limits of addresses are off, signatures are verified.
Orders are signed beforehand, post-only far below the market, each accepted and resting, spread over accounts and
connections. The parts are measured in this process, on the same bytes, without sockets.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from statistics import quantiles
from time import perf_counter_ns

import msgspec

from benchmarks.report import Options, Report, Table, medians
from benchmarks.venue_clients import Line, http_request, over_http, over_sockets, post_frame
from domain.units import MONEY_UNIT, Money
from exchange.hyperliquid.secret_key import SecretKey
from exchange.hyperliquid.signing import Signer, recover_l1
from exchange.hyperliquid.universe import UNIVERSE
from exchange.hyperliquid.wire import Envelope, Signature
from exchange.hyperliquid.wire_actions import LimitTerms, OrderKind, OrderTerms, PlaceAction
from services.venue_server.accounts_file import OpeningAccount
from services.venue_server.counter_settings import CounterSettings, Policy
from services.venue_server.fate import CALM
from services.venue_server.hall import EXCHANGE, Hall
from services.venue_server.ip_limits import IpLimits
from services.venue_server.opening import ServerSettings, open_hall

ROOT = Path(__file__).resolve().parents[1]
CONNECTIONS = 8
ORDERS = 400
"""Orders of one connection in one run; an account has 1000 open orders at most (HYPERLIQUID 6.3)."""
IN_FLIGHT = 16
TRIPS = 500
USDC = 1_000_000
PRICE_LEAST = 60_000
PRICES = 5_000
PERCENTS = (50, 95, 99)
NS_PER_MS = 1_000_000


def measure(options: Options) -> Report:
    """Load the venue round by round: HTTP, sockets, one at a time, each with fresh accounts in a fresh process."""
    rounds = [_round(number, options.place) | _parts(number) for number in range(options.rounds)]
    figures = medians(rounds)
    loads = [
        (name, figures[f"{name}/a second"], *(figures[f"{name}/{at}"] for at in PERCENTS))
        for name in ("HTTP", "WebSocket")
    ]
    trips = [(name, *(figures[f"{name} alone/{at}"] for at in PERCENTS)) for name in ("HTTP", "WebSocket")]
    parts = [(name, figures[f"part/{name}"]) for name in PARTS]
    return Report(
        "venue-server",
        {
            "connections": CONNECTIONS,
            "orders each": ORDERS,
            "in flight on a socket": IN_FLIGHT,
            "round trips": TRIPS,
            "rounds": options.rounds,
        },
        [
            Table(
                "Signed orders accepted, milliseconds to the answer", ("over", "a second", "p50", "p95", "p99"), loads
            ),
            Table(
                "Round trip of one order, nothing else in flight, milliseconds", ("over", "p50", "p95", "p99"), trips
            ),
            Table("Microseconds an order, in one process, no sockets", ("what", "mean"), parts),
        ],
        [
            "The venue has one core at most: it is one process. The client that loads it takes part of the other.",
            "Under load the answer waits behind those of the other connections; alone it is the path itself.",
        ],
    )


PARTS = ("all of it", "without verifying", "recovering the signer")


def _signers(number: int, name: str, count: int) -> list[Signer]:
    keys = (sha256(f"{name} {number} {index}".encode()).digest() for index in range(count))
    return [Signer(SecretKey(key), is_mainnet=False) for key in keys]


def _order(index: int) -> OrderTerms:
    return OrderTerms(
        asset=0,
        is_buy=True,
        price=str(PRICE_LEAST + index % PRICES),
        size="0.001",
        reduce_only=False,
        kind=OrderKind(limit=LimitTerms(time_in_force="Alo")),
    )


def bodies(signer: Signer, count: int, start_ms: int) -> list[bytes]:
    """Return signed requests, each with one order, as they are posted."""
    packed, to_json = msgspec.msgpack.Encoder().encode, msgspec.json.Encoder().encode
    found = []
    for index in range(count):
        action = PlaceAction(orders=(_order(index),), grouping="na")
        signature = signer.sign_l1(packed(action), start_ms + index)
        envelope = Envelope(action=msgspec.Raw(to_json(action)), nonce=start_ms + index, signature=signature)
        found.append(to_json(envelope))
    return found


def _round(number: int, place: Path) -> dict[str, float]:
    """Load one venue in every way and return the figures by name."""
    loading = {name: _signers(number, name, CONNECTIONS) for name in ("HTTP", "WebSocket")}
    alone = {name: _signers(number, f"{name} alone", 1) for name in loading}
    figures: dict[str, float] = {}
    everybody = [signer for some in (*loading.values(), *alone.values()) for signer in some]
    with started_venue(place, everybody) as port:
        start_ms = time.time_ns() // NS_PER_MS
        for name, signers in loading.items():
            batches = [bodies(signer, ORDERS, start_ms) for signer in signers]
            lines, took = asyncio.run(_sent(name, port, batches, IN_FLIGHT))
            figures[f"{name}/a second"] = sum(line.accepted for line in lines) / (took / 1e9)
            figures |= _percentiles(name, lines)
        for name, signers in alone.items():
            lines, _ = asyncio.run(_sent(name, port, [bodies(signers[0], TRIPS, start_ms)], 1))
            figures |= _percentiles(f"{name} alone", lines)
    return figures


async def _sent(name: str, port: int, batches: Sequence[Sequence[bytes]], in_flight: int) -> tuple[list[Line], int]:
    if name == "HTTP":
        lines, took = await over_http(port, [[http_request(body) for body in one] for one in batches])
    else:
        frames = [[post_frame(index, body) for index, body in enumerate(one)] for one in batches]
        lines, took = await over_sockets(port, frames, in_flight)
    refused = [body for line in lines for body in line.refused]
    if refused:
        raise RuntimeError(f"{len(refused)} orders were refused: {refused[0][:300]!r}")
    return lines, took


def _percentiles(name: str, lines: Sequence[Line]) -> dict[str, float]:
    cuts = quantiles((wait for line in lines for wait in line.waits), n=100)
    return {f"{name}/{at}": cuts[at - 1] / NS_PER_MS for at in PERCENTS}


@contextmanager
def started_venue(place: Path, signers: Sequence[Signer]) -> Iterator[int]:
    """Run `hat venue` with an account for each signer and give its port."""
    place.mkdir(parents=True, exist_ok=True)
    accounts = place / "venue_accounts.toml"
    accounts.write_text("".join(f'[[account]]\naddress = "{one.address}"\nusdc = "{USDC}"\n' for one in signers))
    command = [sys.executable, "-m", "bot", "venue", "--port", "0", "--json", "--no-limits", "--accounts", accounts]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
    finally:
        process.terminate()
        process.communicate()


def _parts(number: int) -> dict[str, float]:
    """Return what an order costs without sockets, in microseconds: all of it, without verifying, verifying alone."""
    signer = _signers(number, "parts", 1)[0]
    now_ns = time.time_ns()
    requests = bodies(signer, ORDERS, now_ns // NS_PER_MS)

    def handled(hall: Hall) -> Callable[[bytes], object]:
        return lambda body: hall.handle(EXCHANGE, body, "127.0.0.1", CALM, now_ns)

    action = msgspec.msgpack.encode(PlaceAction(orders=(_order(0),), grouping="na"))
    signature: Signature = signer.sign_l1(action, 1)
    works: dict[str, Callable[[bytes], object]] = {
        "all of it": handled(_hall(signer, now_ns, Policy.RECOVER)),
        "without verifying": handled(_hall(signer, now_ns, Policy.OFF)),
        "recovering the signer": lambda _: recover_l1(action, 1, signature, is_mainnet=False),
    }
    figures = {}
    for name, work in works.items():
        start = perf_counter_ns()
        for body in requests:
            work(body)
        figures[f"part/{name}"] = (perf_counter_ns() - start) / len(requests) / 1_000
    return figures


def _hall(signer: Signer, now_ns: int, policy: Policy) -> Hall:
    """Return a venue in this process, without any market of its own."""
    settings = ServerSettings(
        counter=CounterSettings(policy=policy, trusted_account=signer.address, limits_on=False),
        ip_limits=IpLimits(is_on=False),
    )
    account = OpeningAccount(address=signer.address, usdc=Money(USDC * MONEY_UNIT))
    return open_hall(settings, [UNIVERSE["BTC"]], [account], iter(()), now_ns)
