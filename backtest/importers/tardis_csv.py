"""Reader of Tardis files: `book_snapshot_5`, `book_snapshot_25`, `incremental_book_L2`, `quotes`, `trades`.

The kind of a file is told by its header, so names do not matter; plain or gzip. A folder may hold several kinds and
symbols. Times are microseconds, the venue's and the recorder's.

Laws: of several snapshot depths of one symbol the deepest is used. Inverse contracts are read, and said to be inverse:
their sizes are contracts, and profit of linear contracts does not hold for them.
Source: Tardis "Downloadable CSV files", read 2026-11-20; samples named in the data README.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import groupby
from pathlib import Path

import msgspec

from backtest.importers.depth import DepthFeed
from backtest.importers.reading import Scaled, files_in, first_line, rows_of, unix_ns
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
from domain.events import BookChanged, Level, MarketEvent, TopOfBookChanged, TradePrinted
from domain.identifiers import TradeId
from domain.order import Side
from domain.units import Lots, Price

LAYOUT = "tardis_csv"
DESCRIPTION = "Tardis csv[.gz]: book_snapshot_5/25, incremental_book_L2, quotes, trades"

HEAD = ("exchange", "symbol", "timestamp", "local_timestamp")
TRADES = (*HEAD, "id", "side", "price", "amount")
QUOTES = (*HEAD, "ask_amount", "ask_price", "bid_price", "bid_amount")
CHANGES = (*HEAD, "is_snapshot", "side", "price", "amount")
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
INVERSE = ("bitmex", "deribit")
TRADE_ID_BYTES = 7


def snapshot_columns(depth: int) -> tuple[str, ...]:
    """Return the header of a snapshot file of so many levels."""
    return (
        *HEAD,
        *(
            f"{side}[{level}].{what}"
            for level in range(depth)
            for side, what in (("asks", "price"), ("asks", "amount"), ("bids", "price"), ("bids", "amount"))
        ),
    )


KINDS = {
    "book_snapshot_25": snapshot_columns(25),
    "book_snapshot_5": snapshot_columns(5),
    "incremental_book_L2": CHANGES,
    "quotes": QUOTES,
    "trades": TRADES,
}
PRICE_CELLS = {
    "book_snapshot_25": slice(4, None, 2),
    "book_snapshot_5": slice(4, None, 2),
    "incremental_book_L2": slice(6, 7),
    "quotes": slice(5, 7),
    "trades": slice(6, 7),
}
SIZE_CELLS = {
    "book_snapshot_25": slice(5, None, 2),
    "book_snapshot_5": slice(5, None, 2),
    "incremental_book_L2": slice(7, 8),
    "quotes": slice(4, None, 3),
    "trades": slice(7, 8),
}


class Row(msgspec.Struct, frozen=True):
    """One line with both times."""

    place: str
    exchange: str
    cells: list[str]
    ts_event_ns: int
    ts_recv_ns: int


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if path.is_dir():
        return any(recognizes(file) for file in files_in(path))
    return first_line(path).startswith(",".join(HEAD))


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one symbol, or all symbols, of a file or folder.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    by_symbol: dict[str, dict[str, list[Row]]] = {}
    for file in files_in(path):
        if path.is_file() or recognizes(file):
            kind = _kind(file)
            for row in _rows(file, KINDS[kind]):
                by_symbol.setdefault(row.cells[1], {}).setdefault(kind, []).append(row)
    symbols = chosen(path, coin, by_symbol)
    refusals = Refusals()
    groups: dict[str, list[MarketEvent]] = {kind: [] for kind in ("trades", "quotes", "books")}
    instruments = []
    notes = []
    for index, symbol in enumerate(symbols):
        kinds = by_symbol[symbol]
        if "book_snapshot_25" in kinds and kinds.pop("book_snapshot_5", []):
            notes.append(f"{symbol}: book_snapshot_5 was left out, because book_snapshot_25 is there.")
        rows = [(kind, row) for kind, of_kind in kinds.items() for row in of_kind]
        exchange = rows[0][1].exchange
        if exchange.startswith(INVERSE):
            notes.append(f"{symbol}: contracts of {exchange} are inverse; linear profit and loss does not hold.")
        instrument = fixed_tick_instrument(
            path,
            symbol,
            index,
            (cell for kind, row in rows for cell in row.cells[PRICE_CELLS[kind]]),
            (cell for kind, row in rows for cell in row.cells[SIZE_CELLS[kind]]),
        )
        instruments.append(instrument)
        reader = _Reader(symbol, Scaled(instrument.price_decimals), Scaled(instrument.size_decimals), refusals)
        groups["trades"] += reader.trades(kinds.get("trades", []))
        groups["quotes"] += reader.quotes(kinds.get("quotes", []))
        groups["books"] += reader.snapshots(kinds.get("book_snapshot_25") or kinds.get("book_snapshot_5", []))
        depth = reader.changes(kinds.get("incremental_book_L2", []))
        groups["books"] += depth.events
        notes += depth.notes()
    events = ordered(notes, *groups.values(), refusals.events)
    events = with_clock_mended(path.name, events, notes)
    return Recording(
        name=f"{path.name} {'+'.join(symbols)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*notes, *refusals.notes(), *gap_notes(events)],
    )


def _kind(file: Path) -> str:
    """Return what a file holds by its header; raises DataInvalid when it is none of ours."""
    header = tuple(first_line(file).split(","))
    for kind, columns in KINDS.items():
        if header == columns:
            return kind
    raise DataInvalid(f"{file} line 1", f"wrong columns, expected those of {', '.join(KINDS)}")


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of a file; raises DataInvalid for a row without a readable time."""
    for number, cells in rows_of(file, columns):
        place = f"{file} line {number}"
        try:
            yield Row(place, cells[0], cells, unix_ns(cells[2]), unix_ns(cells[3]))
        except ValueError as trouble:
            raise DataInvalid(place, f"time cannot be read: {trouble}") from None


class _Reader:
    """Turns the rows of one symbol into events."""

    def __init__(self, symbol: str, price: Scaled, lots: Scaled, refusals: Refusals) -> None:
        """Read on the scales of an instrument."""
        self._symbol = symbol
        self._price = price
        self._lots = lots
        self._refusals = refusals

    def trades(self, rows: list[Row]) -> Iterator[MarketEvent]:
        """Yield one trade per row; ids that are no numbers are hashed to one."""
        for row in rows:
            trade_id, side, price, size = row.cells[4:]
            try:
                if side not in SIDES:
                    self._refuse(row, f"side {side!r}: expected buy or sell")
                    continue
                yield TradePrinted(
                    symbol=self._symbol,
                    price=Price(self._price[price]),
                    lots=Lots(self._lots[size]),
                    side=SIDES[side],
                    trade_id=TradeId(_number(trade_id)),
                    ts_event_ns=row.ts_event_ns,
                    ts_recv_ns=row.ts_recv_ns,
                )
            except ValueError as trouble:
                self._refuse(row, trouble)

    def quotes(self, rows: list[Row]) -> Iterator[MarketEvent]:
        """Yield one change of the best prices per row; empty cells are an empty side."""
        for row in rows:
            ask_size, ask, bid, bid_size = row.cells[4:]
            try:
                yield TopOfBookChanged(
                    symbol=self._symbol,
                    bid_price=Price(self._price[bid or "0"]),
                    bid_lots=Lots(self._lots[bid_size or "0"]),
                    ask_price=Price(self._price[ask or "0"]),
                    ask_lots=Lots(self._lots[ask_size or "0"]),
                    ts_event_ns=row.ts_event_ns,
                    ts_recv_ns=row.ts_recv_ns,
                )
            except ValueError as trouble:
                self._refuse(row, trouble)

    def snapshots(self, rows: list[Row]) -> Iterator[MarketEvent]:
        """Yield one book per row."""
        for row in rows:
            cells = row.cells
            try:
                yield BookChanged(
                    symbol=self._symbol,
                    bids=self._levels(cells[6::4], cells[7::4]),
                    asks=self._levels(cells[4::4], cells[5::4]),
                    ts_event_ns=row.ts_event_ns,
                    ts_recv_ns=row.ts_recv_ns,
                )
            except ValueError as trouble:
                self._refuse(row, trouble)

    def changes(self, rows: list[Row]) -> DepthFeed:
        """Return the book rebuilt from changes; rows of one message share both times and their is_snapshot."""
        depth = DepthFeed(self._symbol)
        messages = groupby(rows, key=lambda row: (row.cells[4], row.ts_event_ns, row.ts_recv_ns))
        for number, ((is_snapshot, ts_event_ns, ts_recv_ns), message) in enumerate(messages, 1):
            sides: dict[str, list[Level]] = {"bid": [], "ask": []}
            for row in message:
                _, side, price, size = row.cells[4:]
                try:
                    if side in sides:
                        sides[side].append((self._price[price], self._lots[size]))
                    else:
                        self._refuse(row, f"side {side!r}: expected bid or ask")
                except ValueError as trouble:
                    self._refuse(row, trouble)
            bids, asks = tuple(sides["bid"]), tuple(sides["ask"])
            if is_snapshot == "true":
                depth.snapshot(number, bids, asks, ts_event_ns, ts_recv_ns)
            else:
                depth.change((number, number, number - 1), bids, asks, ts_event_ns, ts_recv_ns)
        return depth

    def _levels(self, prices: list[str], sizes: list[str]) -> tuple[Level, ...]:
        """Return one side of a book; it ends at the first empty cell."""
        if "" in prices:
            prices = prices[: prices.index("")]
        price, lots = self._price, self._lots
        return tuple([(price[text], lots[size]) for text, size in zip(prices, sizes, strict=False)])

    def _refuse(self, row: Row, trouble: object) -> None:
        """Keep a row that cannot be read as a refusal."""
        self._refusals.add(self._symbol, row.place, trouble, row.ts_event_ns, row.ts_recv_ns)


def _number(trade_id: str) -> int:
    """Return a trade's number: its own, or one made from its text."""
    if trade_id.isascii() and trade_id.isdigit():
        return int(trade_id)
    return int.from_bytes(sha256(trade_id.encode()).digest()[:TRADE_ID_BYTES], "big")
