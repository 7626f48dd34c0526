"""Candles and funding rates on disk: one Parquet file per coin (and interval), continued where it ends.

Laws: a file is whole at every moment, what a killed process had not written is asked for again; every digit the venue
told is kept (decimals, no floats); rows of two networks never meet in one file; times are there twice, as int64
nanoseconds and as timestamp, as in exports of the ledger.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from pyarrow import parquet

from backtest.importers.reading import exact_scaled
from bot.history import DownloadStopped, History, Question
from domain.errors import ConfigInvalid, DataInvalid
from domain.units import NS_PER_MS
from exchange.hyperliquid.wire_market import Candle, FundingRate
from ledger.store_files import whole_file

DIGITS = 38
AMOUNT_DECIMALS = 12
RATE_DECIMALS = 18
ROWS_PER_GROUP = 100_000
ROWS_AT_ONCE = 2_000
"""So many rows are asked for between two writings of the file; a killed process loses no more."""

SOURCE, KIND = b"hat.source", b"hat.kind"

AMOUNT = pa.decimal128(DIGITS, AMOUNT_DECIMALS)
RATE = pa.decimal128(DIGITS, RATE_DECIMALS)
MOMENT = pa.timestamp("ns", "UTC")

CANDLE_SCHEMA = pa.schema(
    [
        ("coin", pa.string()),
        ("interval", pa.string()),
        ("open_ns", pa.int64()),
        ("open_utc", MOMENT),
        ("close_ns", pa.int64()),
        *((name, AMOUNT) for name in ("open", "high", "low", "close", "volume")),
        ("trades", pa.int64()),
    ]
)
FUNDING_SCHEMA = pa.schema(
    [("coin", pa.string()), ("time_ns", pa.int64()), ("time_utc", MOMENT), ("funding_rate", RATE), ("premium", RATE)]
)


class Kind(NamedTuple):
    """How one kind of rows is kept. first and last name the columns of a row's times."""

    name: str
    schema: Any
    first: str
    last: str
    cells: Callable[[Any], tuple[Any, ...]]


def _candle_cells(row: Candle) -> tuple[Any, ...]:
    open_ns = row.open_ms * NS_PER_MS
    amounts = (_decimal(text, AMOUNT_DECIMALS) for text in (row.open, row.high, row.low, row.close, row.volume))
    return (row.coin, row.interval, open_ns, open_ns, row.close_ms * NS_PER_MS, *amounts, row.count)


def _funding_cells(row: FundingRate) -> tuple[Any, ...]:
    time_ns = row.time * NS_PER_MS
    rates = (_decimal(text, RATE_DECIMALS) for text in (row.funding_rate, row.premium))
    return (row.coin, time_ns, time_ns, *rates)


CANDLES = Kind("candles", CANDLE_SCHEMA, "open_ns", "close_ns", _candle_cells)
FUNDING = Kind("funding", FUNDING_SCHEMA, "time_ns", "time_ns", _funding_cells)
KINDS = (CANDLES, FUNDING)


class Kept(msgspec.Struct, frozen=True):
    """What a file holds: how many rows, when the first begins and the last ends (ms), and of which network."""

    rows: int
    first_ms: int
    last_ms: int
    source: str
    kind: str


def file_of(out: Path, kind: Kind, coin: str, interval: str = "") -> Path:
    """Return the file of a coin: candles/BTC_1h.parquet, funding/BTC.parquet."""
    name = coin.replace("/", "-")
    return out / kind.name / (f"{name}_{interval}.parquet" if interval else f"{name}.parquet")


def kept(path: Path, kind: Kind) -> Kept | None:
    """Return what a file holds; None when there is none. Raises: DataInvalid when it is not one of ours."""
    if not path.exists():
        return None
    try:
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            if schema.names != kind.schema.names:
                raise DataInvalid(str(path), f"other columns than those of {kind.name}")
            times = file.read(columns=sorted({kind.first, kind.last}))
    except (pa.ArrowException, OSError) as error:
        raise DataInvalid(str(path), f"cannot be read as Parquet ({' '.join(str(error).split())[:120]})") from None
    about = schema.metadata or {}
    first_ns, last_ns = (times[kind.first][0].as_py(), times[kind.last][-1].as_py()) if rows else (0, 0)
    names = (about.get(name, b"").decode("utf-8", "replace") for name in (SOURCE, KIND))
    return Kept(rows, first_ns // NS_PER_MS, last_ns // NS_PER_MS, *names)


def check_source(path: Path, found: Kept | None, source: str) -> None:
    """Refuse to mix networks. Raises: ConfigInvalid."""
    if found is not None and found.source != source:
        raise ConfigInvalid("--out", str(path), f"a file of {source}; this one holds {found.source or 'others'}'s")


def add(path: Path, kind: Kind, rows: Sequence[Any], source: str, *, is_before: bool = False) -> None:
    """Add rows at the end of a file, or before its beginning; it is made when it is not there, and is always whole.

    Raises: DataInvalid for numbers finer than the columns; ConfigInvalid when the place cannot be written.
    """
    fresh = _table(kind, rows, source)
    _folder(path.parent)
    with whole_file("--out", path, force=True) as place:
        tables = [fresh]
        if path.exists():
            tables.insert(1 if is_before else 0, parquet.read_table(path))
        parquet.write_table(
            pa.concat_tables(tables).replace_schema_metadata(fresh.schema.metadata),
            place,
            compression="zstd",
            row_group_size=ROWS_PER_GROUP,
        )


class Brought(msgspec.Struct, frozen=True):
    """What a download did to a file; kept is None when the venue had nothing and there was nothing."""

    new: int
    kept: Kept | None
    is_stopped: bool


def bring_up(
    history: History,
    question: Question,
    kind: Kind,
    path: Path,
    source: str,
    span: tuple[int | None, int],
    step: Callable[[int], None] = lambda _: None,
) -> Brought:
    """Make a file hold a span of time (ms; no start: all there is), asking only for what it lacks at either end.

    Rows before the file's first come at once or not at all, so that a file never has a hole we made; others are written
    as they come, and stay when the venue fails later. step is told of rows. Raises: DataInvalid, ConfigInvalid.
    """
    found = kept(path, kind)
    check_source(path, found, source)
    start_ms, end_ms = span
    new, is_stopped = 0, False
    waiting: list[Any] = []
    try:
        if found is not None and found.rows and start_ms is not None and start_ms < found.first_ms:
            pages = history.pages(question, start_ms, min(found.first_ms - 1, end_ms))
            earlier = [row for page in pages for row in page]
            step(len(earlier))
            if earlier:
                add(path, kind, earlier, source, is_before=True)
                new += len(earlier)
        begin_ms = found.last_ms + 1 if found is not None and found.rows else start_ms or 0
        for page in history.pages(question, begin_ms, end_ms):
            waiting += page
            step(len(page))
            if len(waiting) >= ROWS_AT_ONCE:
                new += _flush(path, kind, waiting, source)
    except DownloadStopped:
        is_stopped = True
    finally:
        new += _flush(path, kind, waiting, source)
    return Brought(new, kept(path, kind), is_stopped)


def _flush(path: Path, kind: Kind, waiting: list[Any], source: str) -> int:
    """Write what waits and return how many rows that were."""
    count = len(waiting)
    if count:
        add(path, kind, waiting, source)
        waiting.clear()
    return count


def _table(kind: Kind, rows: Sequence[Any], source: str) -> Any:
    try:
        columns = list(zip(*(kind.cells(row) for row in rows), strict=True))
        schema = kind.schema.with_metadata({SOURCE: source.encode(), KIND: kind.name.encode()})
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    except (ValueError, OverflowError, pa.ArrowException) as error:
        raise DataInvalid(f"{kind.name} from {source}", f"a number cannot be kept ({error})"[:200]) from None
    return pa.Table.from_arrays(arrays, schema=schema)


def _folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid("--out", str(folder), f"a folder that can be made ({error.strerror})") from None


def _decimal(text: str, decimals: int) -> Decimal:
    """Return number text as a decimal, exactly. Raises: ValueError."""
    exact_scaled(text, decimals)
    return Decimal(text)
