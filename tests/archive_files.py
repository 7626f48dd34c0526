"""Small files of the venue's public archive, generated in exactly the documented formats (HYPERLIQUID 10.2)."""

import json
from datetime import UTC, datetime
from pathlib import Path

import lz4.frame

from backtest.importers.archive_keys import Dataset, hour_of, key_of
from backtest.importers.archive_lines import CONTEXT_COLUMNS

HOUR = hour_of(2025, 9, 4, 9)
USERS = ("0x" + "1" * 40, "0x" + "2" * 40)


def ms_of(hour: int, ms: int = 0) -> int:
    return hour * 3_600_000 + ms


def iso(ms: int, tail: str = "") -> str:
    return f"{datetime.fromtimestamp(ms // 1000, tz=UTC):%Y-%m-%dT%H:%M:%S}" + (tail or f".{ms % 1000:03d}593170")


def book_line(
    hour: int, ms: int, bid: str = "200.0", ask: str = "200.1", coin: str = "SOL", delay_ms: int = 200
) -> str:
    levels = [[{"px": bid, "sz": "1.5", "n": 1}], [{"px": ask, "sz": "2.25", "n": 3}]]
    data = {"coin": coin, "time": ms_of(hour, ms), "levels": levels}
    raw = {"channel": "l2Book", "data": data}
    return packed({"time": iso(ms_of(hour, ms + delay_ms)), "ver_num": 1, "raw": raw})


def fill(ms: int, number: int, side: str, *, crossed: bool, coin: str = "SOL", price: str = "200.1") -> dict:
    return {
        "coin": coin, "px": price, "sz": "0.5", "side": side, "time": ms, "startPosition": "0.0", "dir": "Open Long",
        "closedPnl": "0.0", "hash": "0x" + "a" * 64, "oid": number * 2, "crossed": crossed, "fee": "0.03",
        "tid": number, "feeToken": "USDC", "twapId": None, "cloid": None,
    }  # fmt: skip


def both_sides(ms: int, number: int, side: str = "B", **what: str) -> list[list]:
    """One trade as the archive tells it: the maker's fill and the taker's."""
    other = "A" if side == "B" else "B"
    return [
        [USERS[0], fill(ms, number, other, crossed=False, **what)],
        [USERS[1], fill(ms, number, side, crossed=True, **what)],
    ]


def block_line(hour: int, ms: int, *events: list, delay_ms: int = 300) -> str:
    at = ms_of(hour, ms)
    times = {"local_time": iso(at + delay_ms), "block_time": iso(at), "block_number": 670_000_000 + ms}
    return packed(times | {"events": list(events)})


def trade_line(hour: int, ms: int, side: str = "A", price: str = "200.0", coin: str = "SOL") -> str:
    sides = [{"user": user, "start_pos": "0.0", "oid": 7 + ms, "twap_id": None, "cloid": None} for user in USERS]
    what = {"coin": coin, "side": side, "time": iso(ms_of(hour, ms))[:23], "px": price, "sz": "0.25"}
    return packed(what | {"hash": "0x" + "b" * 64, "trade_dir_override": "Na", "side_info": sides})


def context_line(hour: int, minute: int, coin: str = "SOL", **cells: str) -> str:
    usual = {
        "time": iso(ms_of(hour, minute * 60_000), "Z"), "coin": coin, "funding": "0.0000125", "open_interest": "10.5",
        "prev_day_px": "199.0", "day_ntl_vlm": "1000.0", "premium": "0.0001", "oracle_px": "200.04",
        "mark_px": "200.051234", "mid_px": "200.05", "impact_bid_px": "", "impact_ask_px": "",
    }  # fmt: skip
    row = usual | cells
    return ",".join(row[name] for name in CONTEXT_COLUMNS)


def packed(shape: object) -> str:
    return json.dumps(shape, separators=(",", ":"))


def frame(*lines: str) -> bytes:
    """An LZ4 frame of lines."""
    return lz4.frame.compress("".join(line + "\n" for line in lines).encode())


def put(folder: Path, key: str, *lines: str) -> Path:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(frame(*lines))
    return path


def hour_lines(hour: int, coin: str = "SOL", seconds: int = 3600, step_ms: int = 1000) -> list[str]:
    """Books of one hour whose prices wander a little."""
    lines = []
    for ms in range(0, seconds * 1000, step_ms):
        cents = (ms // step_ms * 7) % 40
        lines.append(book_line(hour, ms, f"{200 + cents / 100:.2f}", f"{200.02 + cents / 100:.2f}", coin))
    return lines


def tree(folder: Path, hours: tuple[int, ...] = (HOUR, HOUR + 1), coin: str = "SOL", seconds: int = 60) -> Path:
    """A folder as downloaded: books, fills by block and contexts of some hours."""
    for hour in hours:
        put(folder, key_of(Dataset.BOOKS, hour, coin), *hour_lines(hour, coin, seconds))
        blocks = [
            block_line(hour, ms, *both_sides(ms_of(hour, ms), hour * 10_000 + ms // 100, "BA"[ms // 2500 % 2]))
            for ms in range(500, seconds * 1000, 2500)
        ]
        put(folder, key_of(Dataset.FILLS_BY_BLOCK, hour), *blocks)
    day = hours[0] // 24 * 24
    rows = [context_line(hour, minute, coin) for hour in hours for minute in range(seconds // 60 or 1)]
    put(folder, key_of(Dataset.CONTEXTS, day), ",".join(CONTEXT_COLUMNS), *rows)
    return folder
