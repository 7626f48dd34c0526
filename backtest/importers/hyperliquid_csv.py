"""Reader of Hyperliquid recordings as comma-separated files: `orderbooks_`, `prices_` and `trades_` of each coin.

A folder holds `<kind>_<coin>[_anything].csv[.gz]`; a single file may be given too. Books are full snapshots of up to
twenty levels, prices are changes of the best bid or ask, trades carry the aggressor's side and the venue's number.

Laws: bid and ask rows of one moment make one event; a row that cannot be read is a refusal at its time.
Source: layout as written by the recorders named in the data folder's README, checked there on 2026-11-20.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from backtest.importers.reading import Scaled, decimals_in, files_in, first_line, rows_of, unix_ms, unix_seconds
from backtest.importers.recording import Recording, Refusals, chosen, gap_notes, ordered, with_clock_mended
from backtest.importers.venues import hyperliquid_perpetual
from domain.errors import DataInvalid
from domain.events import BookChanged, Level, MarketEvent, TopOfBookChanged, TradePrinted
from domain.identifiers import TradeId
from domain.instrument import Instrument
from domain.order import Side
from domain.units import Lots, Price

LAYOUT = "hyperliquid_csv"
DESCRIPTION = "folder of orderbooks_/prices_/trades_<coin>.csv[.gz] (Hyperliquid)"

FILE_NAME = re.compile(r"^(orderbooks|prices|trades)_([A-Za-z0-9]+)(?:_.*)?\.csv(?:\.gz)?$")
LEVELS = 20
BOOK_COLUMNS = (
    "timestamp",
    "sequence",
    "exchange_timestamp",
    *(
        f"{side}_{what}_{level}"
        for level in range(LEVELS)
        for side, what in (("bid", "price"), ("bid", "size"), ("ask", "price"), ("ask", "size"))
    ),
)
PRICE_COLUMNS = ("timestamp", "price", "size", "side", "exchange_timestamp")
TRADE_COLUMNS = ("timestamp", "price", "size", "side", "trade_id", "exchange_timestamp")
COLUMNS = {"orderbooks": BOOK_COLUMNS, "prices": PRICE_COLUMNS, "trades": TRADE_COLUMNS}
SIZE_COLUMNS = {"orderbooks": slice(4, None, 2), "prices": slice(2, 3), "trades": slice(2, 3)}
TRADE_SIDES = {"buy": Side.BUY, "sell": Side.SELL}


class Row(msgspec.Struct, frozen=True, gc=False):
    """One line of a file with both its times."""

    place: str
    cells: list[str]
    ts_event_ns: int
    ts_recv_ns: int


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if path.is_dir():
        return bool(_files(path))
    return FILE_NAME.match(path.name) is not None and first_line(path).startswith("timestamp,")


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one coin, or all coins, of a folder or file.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    files = _files(path)
    coins = chosen(path, coin, (name for _, name in files))
    refusals = Refusals()
    groups: dict[str, list[MarketEvent]] = {kind: [] for kind in ("trades", "prices", "orderbooks")}
    instruments = []
    notes = []
    for name in coins:
        rows = {
            kind: [row for file in sorted(files.get((kind, name), [])) for row in _rows(file, COLUMNS[kind])]
            for kind in groups
        }
        sizes = (cell for kind, of_kind in rows.items() for row in of_kind for cell in row.cells[SIZE_COLUMNS[kind]])
        instrument, remarks = hyperliquid_perpetual(name, max(map(decimals_in, set(sizes)), default=0))
        instruments.append(instrument)
        notes += remarks
        reader = _Reader(instrument, refusals)
        groups["trades"] += reader.trades(rows["trades"])
        groups["prices"] += reader.tops(rows["prices"])
        groups["orderbooks"] += reader.books(rows["orderbooks"])
        if not rows["orderbooks"]:
            notes.append(f"{name}: no order books, only best prices and trades.")
    events = ordered(notes, groups["trades"], groups["prices"], groups["orderbooks"], refusals.events)
    events = with_clock_mended(path.name, events, notes)
    if not events:
        raise DataInvalid(str(path), f"holds no rows of {', '.join(coins)}")
    return Recording(
        name=f"{path.name} {'+'.join(coins)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*notes, *refusals.notes(), *gap_notes(events)],
    )


def _files(path: Path) -> dict[tuple[str, str], list[Path]]:
    """Return the files of a path by (kind, coin)."""
    files: dict[tuple[str, str], list[Path]] = {}
    for file in files_in(path):
        matched = FILE_NAME.match(file.name)
        if matched:
            files.setdefault((matched[1], matched[2]), []).append(file)
    return files


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[Row]:
    """Yield the rows of a file; raises DataInvalid for a row without a readable time."""
    event_column = columns.index("exchange_timestamp")
    for number, cells in rows_of(file, columns):
        place = f"{file} line {number}"
        try:
            yield Row(place, cells, unix_ms(cells[event_column]), unix_seconds(cells[0]))
        except ValueError as trouble:
            raise DataInvalid(place, f"time cannot be read: {trouble}") from None


class _Reader:
    """Turns the rows of one coin into events."""

    def __init__(self, instrument: Instrument, refusals: Refusals) -> None:
        """Read on the grid of an instrument."""
        self.symbol = instrument.symbol
        self.refusals = refusals
        self.price = Scaled(instrument.price_decimals)
        self.lots = Scaled(instrument.size_decimals)

    def trades(self, rows: list[Row]) -> Iterator[MarketEvent]:
        """Yield one trade per row."""
        for row in rows:
            _, price, size, side, trade_id, _ = row.cells
            try:
                yield TradePrinted(
                    symbol=self.symbol,
                    price=Price(self.price[price]),
                    lots=Lots(self.lots[size]),
                    side=_side(side),
                    trade_id=TradeId(int(trade_id)),
                    ts_event_ns=row.ts_event_ns,
                    ts_recv_ns=row.ts_recv_ns,
                )
            except ValueError as trouble:
                self._refuse(row, trouble)

    def tops(self, rows: list[Row]) -> Iterator[MarketEvent]:
        """Yield one change of the best prices per moment, once both sides are known."""
        best: dict[str, Level] = {}
        for _, moment in groupby(rows, key=lambda row: (row.ts_recv_ns, row.ts_event_ns)):
            last = None
            for row in moment:
                _, price, size, side, _ = row.cells
                try:
                    best[_book_side(side)] = (self.price[price], self.lots[size])
                    last = row
                except ValueError as trouble:
                    self._refuse(row, trouble)
            if last is not None and len(best) == 2:
                yield TopOfBookChanged(
                    symbol=self.symbol,
                    bid_price=Price(best["bid"][0]),
                    bid_lots=Lots(best["bid"][1]),
                    ask_price=Price(best["ask"][0]),
                    ask_lots=Lots(best["ask"][1]),
                    ts_event_ns=last.ts_event_ns,
                    ts_recv_ns=last.ts_recv_ns,
                )

    def books(self, rows: list[Row]) -> Iterator[MarketEvent]:
        """Yield one full book per row; levels end at the first empty cell."""
        for row in rows:
            cells = row.cells
            try:
                yield BookChanged(
                    symbol=self.symbol,
                    bids=self._levels(cells[3::4], cells[4::4]),
                    asks=self._levels(cells[5::4], cells[6::4]),
                    ts_event_ns=row.ts_event_ns,
                    ts_recv_ns=row.ts_recv_ns,
                )
            except ValueError as trouble:
                self._refuse(row, trouble)

    def _levels(self, prices: list[str], sizes: list[str]) -> tuple[Level, ...]:
        """Return one side of a book."""
        if "" in prices:
            prices = prices[: prices.index("")]
        price, lots = self.price, self.lots
        return tuple([(price[text], lots[size]) for text, size in zip(prices, sizes, strict=False)])

    def _refuse(self, row: Row, trouble: ValueError) -> None:
        """Keep a row that cannot be read as a refusal."""
        self.refusals.add(self.symbol, row.place, trouble, row.ts_event_ns, row.ts_recv_ns)


def _side(text: str) -> Side:
    """Return the aggressor's side; raises ValueError for anything but buy and sell."""
    if text not in TRADE_SIDES:
        raise ValueError(f"side {text!r}: expected buy or sell")
    return TRADE_SIDES[text]


def _book_side(text: str) -> str:
    """Return the side of a best price; raises ValueError for anything but bid and ask."""
    if text not in {"bid", "ask"}:
        raise ValueError(f"side {text!r}: expected bid or ask")
    return text
