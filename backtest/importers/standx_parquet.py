"""Reader of StandX recordings: hourly `orderbook_<symbol>_<date>_<hour>.parquet` and `trades_…`, with floats inside.

Why floats do no harm here: each is the shortest text that names it, and that text is read exactly. A number finer than
anything else in the file cannot appear, because the scale is taken from the texts themselves.

Laws: the feed is dirty and stays so: locked and repeated books come out as they are, for admission to refuse. Trades
carry no number of the venue; theirs is a count.
Source: layout as written by the recorder named in the data README, seen 2026-11-20.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from backtest.importers.reading import exact_scaled, files_in
from backtest.importers.recording import (
    Recording,
    Refusals,
    chosen,
    fixed_tick_instrument,
    gap_notes,
    ordered,
    with_clock_mended,
)
from domain.errors import DataInvalid
from domain.events import BookChanged, Level, MarketEvent, TradePrinted
from domain.identifiers import TradeId
from domain.order import Side
from domain.units import Lots, Price

LAYOUT = "standx_parquet"
DESCRIPTION = "folder of orderbook_/trades_<symbol>_<date>_<hour>.parquet (StandX)"

FILE_NAME = re.compile(r"^(orderbook|trades)_(.+?)_\d{4}-\d{2}-\d{2}_\d{2}\.parquet$")
BOOK_COLUMNS = ("timestamp", "received_at", "bid_prices", "bid_quantities", "ask_prices", "ask_quantities", "is_valid")
TRADE_COLUMNS = ("timestamp", "received_at", "price", "quantity", "side")
SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}


class ScaledFloats(dict[float, int]):
    """Floats to integers of one scale by their shortest text; raises ValueError as exact_scaled does."""

    def __init__(self, decimals: int) -> None:
        """Start empty at a scale."""
        super().__init__()
        self.decimals = decimals

    def __missing__(self, number: float) -> int:
        """Read and remember."""
        self[number] = value = exact_scaled(repr(number), self.decimals)
        return value


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    return any(FILE_NAME.match(file.name) for file in files_in(path))


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one symbol, or all symbols, of a folder or file.

    Raises: DataInvalid with one sentence that names the file.
    """
    tables: dict[str, dict[str, list[tuple[Path, pa.Table]]]] = {}
    for file in files_in(path):
        matched = FILE_NAME.match(file.name)
        if matched:
            kinds = tables.setdefault(matched[2], {"orderbook": [], "trades": []})
            kinds[matched[1]].append((file, _table(file, matched[1])))
    symbols = chosen(path, coin, tables)
    refusals = Refusals()
    trades: list[MarketEvent] = []
    books: list[MarketEvent] = []
    instruments = []
    notes = ["Trades carry no number of the venue; a count stands in for it."]
    for index, symbol in enumerate(symbols):
        of_books, of_trades = tables[symbol]["orderbook"], tables[symbol]["trades"]
        instrument = fixed_tick_instrument(
            path,
            symbol,
            index,
            _texts(of_books, ("bid_prices", "ask_prices"), of_trades, "price"),
            _texts(of_books, ("bid_quantities", "ask_quantities"), of_trades, "quantity"),
        )
        instruments.append(instrument)
        price, lots = ScaledFloats(instrument.price_decimals), ScaledFloats(instrument.size_decimals)
        number = 0
        for file, table in of_trades:
            trades += _trades(symbol, file, table, number, price, lots, refusals)
            number += table.num_rows
        for file, table in of_books:
            books += _books(symbol, file, table, price, lots, refusals)
    events = ordered(notes, trades, books, refusals.events)
    events = with_clock_mended(path.name, events, notes)
    return Recording(
        name=f"{path.name} {'+'.join(symbols)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*notes, *refusals.notes(), *gap_notes(events)],
    )


def _table(file: Path, kind: str) -> Any:
    """Return the columns we need of a file; raises DataInvalid when it is no such file."""
    columns = BOOK_COLUMNS if kind == "orderbook" else TRADE_COLUMNS
    try:
        schema = pq.read_schema(file)
        missing = [name for name in columns if name not in schema.names]
        if missing:
            raise DataInvalid(str(file), f"wrong columns (missing {', '.join(missing)})")
        strange = [name for name in columns if not _holds_numbers(name, schema.field(name).type)]
        if strange:
            raise DataInvalid(str(file), f"wrong columns ({', '.join(strange)}: expected floats)")
        table = pq.read_table(file, columns=list(columns))
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as trouble:
        first = str(trouble).partition("\n")[0]
        raise DataInvalid(str(file), f"not readable as parquet ({first})") from None
    return table


def _holds_numbers(name: str, kind: Any) -> bool:
    """Say whether a column that should hold floats, or lists of them, does; other columns are not asked."""
    if name in {"price", "quantity"}:
        return bool(pa.types.is_floating(kind))
    if name.endswith(("_prices", "_quantities")):
        return bool(pa.types.is_list(kind) and pa.types.is_floating(kind.value_type))
    return True


def _texts(
    of_books: list[tuple[Path, Any]], book_columns: tuple[str, ...], of_trades: list[tuple[Path, Any]], column: str
) -> set[str]:
    """Return the texts of all numbers in some columns."""
    numbers: set[float | None] = set()
    for _, table in of_books:
        for name in book_columns:
            numbers.update(pc.unique(pc.list_flatten(table.column(name))).to_pylist())
    for _, table in of_trades:
        numbers.update(pc.unique(table.column(column)).to_pylist())
    return {repr(number) for number in numbers}


def _times(file: Path, table: Any) -> tuple[list[int], list[int]]:
    """Return venue and receive times in nanoseconds; raises DataInvalid when they are no times."""
    try:
        event, recv = (
            table.column(name).cast(pa.timestamp("ns", tz="UTC")).cast(pa.int64()).to_pylist()
            for name in ("timestamp", "received_at")
        )
    except pa.ArrowException as trouble:
        raise DataInvalid(str(file), f"times cannot be read ({trouble})") from None
    if None in event or None in recv:
        raise DataInvalid(str(file), "times are missing")
    return event, recv


def _trades(
    symbol: str, file: Path, table: Any, number: int, price: ScaledFloats, lots: ScaledFloats, refusals: Refusals
) -> Iterator[MarketEvent]:
    """Yield one trade per row, numbered from number + 1."""
    columns = (table.column(name).to_pylist() for name in ("price", "quantity", "side"))
    for row, (ts_event_ns, ts_recv_ns, at, size, side) in enumerate(
        zip(*_times(file, table), *columns, strict=True), 1
    ):
        try:
            if side not in SIDES:
                refusals.add(symbol, f"{file} row {row}", f"side {side!r}", ts_event_ns, ts_recv_ns)
                continue
            yield TradePrinted(
                symbol=symbol,
                price=Price(price[at]),
                lots=Lots(lots[size]),
                side=SIDES[side],
                trade_id=TradeId(number + row),
                ts_event_ns=ts_event_ns,
                ts_recv_ns=ts_recv_ns,
            )
        except ValueError as trouble:
            refusals.add(symbol, f"{file} row {row}", trouble, ts_event_ns, ts_recv_ns)


def _books(
    symbol: str, file: Path, table: Any, price: ScaledFloats, lots: ScaledFloats, refusals: Refusals
) -> Iterator[MarketEvent]:
    """Yield one book per row."""
    columns = (table.column(name).to_pylist() for name in BOOK_COLUMNS[2:])
    for row, (ts_event_ns, ts_recv_ns, bids, bid_sizes, asks, ask_sizes, is_valid) in enumerate(
        zip(*_times(file, table), *columns, strict=True), 1
    ):
        if not is_valid:
            refusals.add(symbol, f"{file} row {row}", "the recorder itself calls it invalid", ts_event_ns, ts_recv_ns)
            continue
        try:
            yield BookChanged(
                symbol=symbol,
                bids=_levels(bids, bid_sizes, price, lots),
                asks=_levels(asks, ask_sizes, price, lots),
                ts_event_ns=ts_event_ns,
                ts_recv_ns=ts_recv_ns,
            )
        except ValueError as trouble:
            refusals.add(symbol, f"{file} row {row}", trouble, ts_event_ns, ts_recv_ns)


def _levels(
    prices: list[float] | None, sizes: list[float] | None, price: ScaledFloats, lots: ScaledFloats
) -> tuple[Level, ...]:
    """Return one side of a book; raises ValueError when prices and sizes are not one each."""
    return tuple(
        [(price[at], lots[size]) for at, size in zip(prices or [], sizes or [], strict=True)],
    )
