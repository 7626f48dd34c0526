"""Small generated recordings in every layout, written where a test says. No recorded data is in here."""

import gzip
import json
from pathlib import Path

from backtest.importers.hyperliquid_csv import BOOK_COLUMNS, PRICE_COLUMNS, TRADE_COLUMNS

START_MS = 1_757_000_000_000
"""2025-09-04 15:33:20 UTC."""
START_NS = START_MS * 10**6


def write(path: Path, *lines: str) -> Path:
    """Write lines, gzipped when the name ends so."""
    data = "".join(line + "\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def cut(path: Path, share: float = 0.6) -> Path:
    """Cut a file off, as an interrupted download does."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def seconds(ms: int, delay_ms: int = 400) -> str:
    """Receive time as the recorder of the CSV layout writes it."""
    return f"{(START_MS + ms + delay_ms) / 1000}"


def book_row(ms: int = 0, bid: float = 200.0, ask: float = 200.1, size: str = "1.5", levels: int = 20) -> str:
    """One row of `orderbooks_`."""
    cells = [seconds(ms), str(START_MS + ms), str(START_MS + ms)]
    for level in range(20):
        if level < levels:
            cells += [f"{bid - level / 10:.1f}", size, f"{ask + level / 10:.1f}", size]
        else:
            cells += ["", "", "", ""]
    return ",".join(cells)


def price_rows(ms: int = 0, bid: str = "200.0", ask: str = "200.1", size: str = "2.25") -> list[str]:
    """The two rows of one change in `prices_`."""
    return [
        f"{seconds(ms)},{bid},{size},bid,{START_MS + ms}",
        f"{seconds(ms)},{ask},{size},ask,{START_MS + ms}",
    ]


def trade_row(ms: int = 0, price: str = "200.1", size: str = "0.5", side: str = "buy", number: int = 1) -> str:
    """One row of `trades_`."""
    return f"{seconds(ms)},{price},{size},{side},{number},{START_MS + ms}"


def hyperliquid_folder(
    folder: Path,
    coin: str = "SOL",
    books: tuple[str, ...] = (),
    prices: tuple[str, ...] = (),
    trades: tuple[str, ...] = (),
    ending: str = ".csv.gz",
) -> Path:
    """A folder of the CSV layout; a kind without rows has no file."""
    for kind, columns, rows in (
        ("orderbooks", BOOK_COLUMNS, books),
        ("prices", PRICE_COLUMNS, prices),
        ("trades", TRADE_COLUMNS, trades),
    ):
        if rows:
            write(folder / f"{kind}_{coin}{ending}", ",".join(columns), *rows)
    return folder


def book_message(ms: int = 0, coin: str = "SOL", bids=(("200.0", "1.5"),), asks=(("200.1", "2.25"),)) -> str:
    """An `l2Book` message."""
    levels = [[{"px": price, "sz": size, "n": 1} for price, size in side] for side in (bids, asks)]
    return json.dumps({"channel": "l2Book", "data": {"coin": coin, "time": START_MS + ms, "levels": levels}})


def trade_message(ms: int = 0, coin: str = "SOL", price: str = "200.1", side: str = "B", number: int = 1) -> str:
    """A `trades` message of one trade."""
    trade = {"coin": coin, "side": side, "px": price, "sz": "0.5", "time": START_MS + ms, "tid": number, "hash": "0x0"}
    return json.dumps({"channel": "trades", "data": [trade]})


def depth_message(ms: int, first: int, last: int, previous: int | None, bids=(), asks=(), symbol="BTCUSDT") -> str:
    """A `depthUpdate` of Binance: of futures when `previous` is given, else of spot."""
    data = {"e": "depthUpdate", "E": START_MS + ms, "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    if previous is not None:
        data |= {"T": START_MS + ms, "pu": previous}
    return received(ms, {"stream": f"{symbol.lower()}@depth@0ms", "data": data})


def ticker_message(ms: int, bid: str = "100.0", ask: str = "100.1", *, is_spot: bool = False) -> str:
    """A `bookTicker` of Binance; spot carries no time."""
    data = {"u": 1, "s": "BTCUSDT", "b": bid, "B": "1.500", "a": ask, "A": "2.000"}
    if not is_spot:
        data |= {"e": "bookTicker", "T": START_MS + ms, "E": START_MS + ms}
    return received(ms, {"stream": "btcusdt@bookTicker", "data": data})


def tick_message(ms: int, number: int = 1, *, is_buyer_maker: bool = True, kind: str = "MARKET") -> str:
    """A `trade` of Binance."""
    data = {"e": "trade", "E": START_MS + ms, "T": START_MS + ms, "s": "BTCUSDT", "t": number, "p": "100.0"}
    return received(ms, {"stream": "btcusdt@trade", "data": data | {"q": "0.125", "X": kind, "m": is_buyer_maker}})


def mark_message(ms: int) -> str:
    """A `markPriceUpdate` of Binance."""
    data = {"e": "markPriceUpdate", "E": START_MS + ms, "s": "BTCUSDT", "p": "100.04567", "i": "100.06", "r": "0.0001"}
    return received(ms, {"stream": "btcusdt@markPrice@1s", "data": data})


def snapshot_message(ms: int, last: int, bids, asks, *, is_spot: bool = False) -> str:
    """A REST depth snapshot."""
    times = {} if is_spot else {"E": START_MS + ms, "T": START_MS + ms}
    return received(ms, {"lastUpdateId": last} | times | {"bids": bids, "asks": asks})


def received(ms: int, message: dict, delay_ms: int = 5) -> str:
    """A line of Binance's raw stream: receive time in nanoseconds, then the message."""
    return f"{START_NS + (ms + delay_ms) * 10**6} {json.dumps(message)}"


def bybit_message(ms: int, number: int, kind: str, bids=(), asks=(), *, has_match_time: bool = True) -> str:
    """A line of Bybit's archive."""
    data = {"s": "XRPUSDT", "b": bids, "a": asks, "u": number, "seq": number * 7}
    message = {"topic": "orderbook.500.XRPUSDT", "type": kind, "ts": START_MS + ms + 3, "data": data}
    # The archive writes without spaces, and its first bytes are how it is told.
    return json.dumps(message | ({"cts": START_MS + ms} if has_match_time else {}), separators=(",", ":"))
