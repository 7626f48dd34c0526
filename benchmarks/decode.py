"""What reading costs: a book of forty levels from its bytes to the fact the engine takes, and the other hot messages.

The frame is read as it comes from the socket: the envelope first, then its data. A price that was seen before is found
in the cache; `new prices` reads every number anew, as after a jump of the market.
"""

from collections.abc import Callable
from statistics import quantiles
from time import perf_counter_ns

import msgspec

from benchmarks.report import Options, Report, Table, medians
from domain.errors import DataInvalid
from domain.events import MarketDataRefused
from domain.instrument import perpetual
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.counters import Counters
from exchange.hyperliquid.market_watch import MarketWatch
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire import ServerFrame

CALLS = 4_000
LEVELS = 20
TIME_MS = 1_757_000_000_000
BTC = perpetual("BTC", 0, 5, 40)
Work = Callable[[int], object]


def measure(options: Options) -> Report:
    """Read each kind of message, round by round."""
    # Time goes on within a round and would go back in the next: each has readers of its own.
    figures = medians([_taken(_ways()) for _ in range(options.rounds)])
    rows = [(name, *(figures[f"{name}/{at}"] for at in ("p50", "p95", "p99"))) for name in _ways()]
    return Report(
        "decode",
        {"calls a round": CALLS, "rounds": options.rounds},
        [Table("Microseconds from the bytes of a frame to the fact", ("what", "p50", "p95", "p99"), rows)],
        ["Every 256th message of a kind is searched for unknown keys, too: that is in p99."],
    )


def _ways() -> dict[str, Work]:
    return {"book of 40 levels": _book(0), "book, new prices": _book(1), "best prices": _top(), "trade": _trade()}


def _taken(ways: dict[str, Work]) -> dict[str, float]:
    """Return p50, p95 and p99 of each way, in microseconds."""
    found: dict[str, float] = {}
    for name, work in ways.items():
        taken = []
        for number in range(CALLS):
            begun = perf_counter_ns()
            work(number)
            taken.append((perf_counter_ns() - begun) / 1_000)
        cuts = quantiles(taken, n=100)
        found |= {f"{name}/p50": cuts[49], f"{name}/p95": cuts[94], f"{name}/p99": cuts[98]}
    return found


def _reading(frame_of: Callable[[int], bytes]) -> Work:
    """Return the work of reading frames as they come."""
    coins = {BTC.symbol: Numbers(BTC)}
    counters = Counters()
    teller = Teller(coins)
    watch = MarketWatch(coins, Reader(counters), teller, counters)
    frames = [frame_of(number) for number in range(CALLS)]
    decoder = msgspec.json.Decoder(ServerFrame)
    channels = watch.channels

    def read(number: int) -> object:
        frame = decoder.decode(frames[number])
        channels[frame.channel](bytes(frame.data), TIME_MS * 1_000_000)  # type: ignore[arg-type]
        return teller.next_event()

    for number in (0, CALLS - 1):
        if isinstance(read(number), MarketDataRefused):
            raise DataInvalid("decode bench", f"frame {number} cannot be read: {frames[number][:200]!r}")
    # The times begin again.
    watch.on_connected(0)
    return read


def _book(step: int) -> Work:
    """Return books whose prices move by step each time; with 0 only sizes change, between a hundred values."""

    def level(price: int, number: int) -> str:
        size = number if step else (price * 7 + number) % 100
        return f'{{"px":"{price}.0","sz":"{size % 90 + 1}.{price % 90_000 + 1:05d}","n":3}}'

    def frame(number: int) -> bytes:
        mid = 60_000 + number * step * LEVELS
        bids = ",".join(level(mid - depth, number) for depth in range(1, LEVELS + 1))
        asks = ",".join(level(mid + depth, number) for depth in range(LEVELS))
        return (
            f'{{"channel":"l2Book","data":{{"coin":"BTC","time":{TIME_MS + number},"levels":[[{bids}],[{asks}]]}}}}'
        ).encode()

    return _reading(frame)


def _top() -> Work:
    """Return best prices that move to and fro."""

    def frame(number: int) -> bytes:
        price = 60_000 + number % 50
        sides = f'{{"px":"{price}.0","sz":"1.5","n":3}},{{"px":"{price + 1}.0","sz":"0.{number % 80 + 1:05d}","n":1}}'
        return f'{{"channel":"bbo","data":{{"coin":"BTC","time":{TIME_MS + number},"bbo":[{sides}]}}}}'.encode()

    return _reading(frame)


def _trade() -> Work:
    """Return trades, one a message."""

    def frame(number: int) -> bytes:
        return (
            f'{{"channel":"trades","data":[{{"coin":"BTC","side":"B","px":"{60_000 + number % 50}.0","sz":"0.1",'
            f'"time":{TIME_MS + number},"hash":"0x{number:064x}","tid":{number},"users":["0x1","0x2"]}}]}}'
        ).encode()

    return _reading(frame)
