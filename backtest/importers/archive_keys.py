"""The venue's public archive: which files there are, what they are called, and which of them lie in a folder.

Why it exists: who downloads and who reads must agree on names, so both ask here. A downloaded folder mirrors the keys of
the buckets, so that any S3 client fills it as well as ours.

Laws: an hour is an integer, hours since 1970 (UTC); hours in keys are not padded; what is hidden (a download under way)
is not there.
Source: HYPERLIQUID 10.1, read 2026-11-20.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from domain.units import NS_PER_DAY, NS_PER_HOUR

HOURS_PER_DAY = 24
TESTNET = "Testnet"


class Dataset(StrEnum):
    """One kind of file, named by its folder in the bucket."""

    BOOKS = "market_data"
    CONTEXTS = "asset_ctxs"
    FILLS_BY_BLOCK = "node_fills_by_block"
    FILLS = "node_fills"
    TRADES = "node_trades"


class Place(NamedTuple):
    """Where a kind of file is kept. first_hour is the oldest there is known to be."""

    bucket: str
    region: str
    first_hour: int


class Piece(NamedTuple):
    """One file of the archive on disk. coin is empty where a file holds all of them; start and end bound its times."""

    dataset: Dataset
    coin: str
    start_ns: int
    end_ns: int
    is_testnet: bool
    path: Path


def hour_of(year: int, month: int, day: int, hour: int = 0) -> int:
    """Return hours since 1970 of a moment in UTC."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp()) // 3600


MARKET_BUCKET, NODE_BUCKET = "hyperliquid-archive", "hl-mainnet-node-data"
PLACES = {
    Dataset.BOOKS: Place(MARKET_BUCKET, "us-east-1", hour_of(2023, 4, 15)),
    Dataset.CONTEXTS: Place(MARKET_BUCKET, "us-east-1", hour_of(2023, 5, 20)),
    Dataset.FILLS_BY_BLOCK: Place(NODE_BUCKET, "ap-northeast-1", hour_of(2025, 7, 27, 8)),
    Dataset.FILLS: Place(NODE_BUCKET, "ap-northeast-1", hour_of(2025, 5, 25, 14)),
    Dataset.TRADES: Place(NODE_BUCKET, "ap-northeast-1", hour_of(2025, 3, 22)),
}

NODE_NAMES = f"{Dataset.FILLS_BY_BLOCK}|{Dataset.FILLS}|{Dataset.TRADES}"
HOUR = r"(?P<day>\d{8})/(?P<hour>\d|1\d|2[0-3])"
PATTERNS = (
    re.compile(rf"(?:^|/)(?P<net>{TESTNET}/)?(?P<name>market_data)/{HOUR}/l2Book/(?P<coin>[^/]+)\.lz4$"),
    re.compile(rf"(?:^|/)(?P<net>{TESTNET}/)?(?P<name>asset_ctxs)/(?P<day>\d{{8}})\.csv\.lz4$"),
    re.compile(rf"(?:^|/)(?P<net>{TESTNET}/)?(?P<name>{NODE_NAMES})/hourly/{HOUR}\.lz4$"),
)
FOLDER = re.compile(rf"{TESTNET}|{'|'.join(Dataset)}|hourly|\d{{8}}|\d\d?|l2Book")


def day_text(hour: int) -> str:
    """Return the UTC day of an hour as the archive writes it: 20230916."""
    return f"{datetime.fromtimestamp(hour * 3600, tz=UTC):%Y%m%d}"


def hour_text(hour: int) -> str:
    """Return an hour as a person reads it: 2023-09-16 09:00."""
    return f"{datetime.fromtimestamp(hour * 3600, tz=UTC):%Y-%m-%d %H:00}"


def key_of(dataset: Dataset, hour: int, coin: str = "", *, is_testnet: bool = False) -> str:
    """Return the key of a file; of asset contexts that of the whole day."""
    day, number = day_text(hour), hour % HOURS_PER_DAY
    prefix = f"{TESTNET}/" if is_testnet else ""
    if dataset is Dataset.BOOKS:
        return f"{prefix}{dataset}/{day}/{number}/l2Book/{coin}.lz4"
    if dataset is Dataset.CONTEXTS:
        return f"{prefix}{dataset}/{day}.csv.lz4"
    return f"{prefix}{dataset}/hourly/{day}/{number}.lz4"


def piece_at(path: Path) -> Piece | None:
    """Return what a file is by its place in the tree; None when it is not of the archive."""
    text = path.absolute().as_posix()
    for pattern in PATTERNS:
        found = pattern.search(text)
        if found is None:
            continue
        parts = found.groupdict()
        try:
            day_ns = int(datetime.strptime(parts["day"], "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 10**9
        except ValueError:
            return None
        dataset = Dataset(parts["name"])
        start_ns = day_ns + int(parts.get("hour") or 0) * NS_PER_HOUR
        length_ns = NS_PER_DAY if dataset is Dataset.CONTEXTS else NS_PER_HOUR
        is_testnet = parts["net"] is not None
        return Piece(dataset, parts.get("coin") or "", start_ns, start_ns + length_ns, is_testnet, path)
    return None


def pieces_under(path: Path) -> Iterator[Piece]:
    """Yield the files of the archive at or under a path, looking only where its keys lead."""
    if path.is_file():
        piece = piece_at(path)
        if piece is not None:
            yield piece
        return
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if FOLDER.fullmatch(name))
        for name in sorted(files):
            piece = None if name.startswith(".") else piece_at(Path(folder) / name)
            if piece is not None:
                yield piece


def spans(hours: list[int]) -> list[tuple[int, int]]:
    """Return sorted hours (or days) as unbroken spans: first and last of each."""
    found: list[tuple[int, int]] = []
    for hour in hours:
        if found and hour <= found[-1][1] + 1:
            found[-1] = (found[-1][0], hour)
        else:
            found.append((hour, hour))
    return found


def span_text(first: int, last: int) -> str:
    """Return a span of hours as a person reads it, its last hour included."""
    return hour_text(first) if first == last else f"{hour_text(first)} to {hour_text(last)}"
