"""Reader of Binance's depth files (`-depth-snap.csv`, `-depth-update.csv`): a snapshot and the changes after it.

One line is one level. Lines of one message share symbol, time and numbers and stand together. A folder, or either file
of a pair, may be given; files are read in the order of their names, so the snapshot comes first.

Laws: changes join a snapshot only in sequence (`depth.py`). There are no receive times: venue times stand in for them.
Source: Binance "Historical Future Order Book Level 2 Data" files, layout seen 2026-11-20.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from backtest.importers.depth import DepthFeed
from backtest.importers.reading import Scaled, files_in, first_line, rows_of, unix_ms
from backtest.importers.recording import Recording, Refusals, chosen, fixed_tick_instrument, gap_notes, ordered
from domain.errors import DataInvalid
from domain.events import Level, MarketEvent

LAYOUT = "binance_csv"
DESCRIPTION = "Binance depth files, …-depth-snap.csv and …-depth-update.csv"
COLUMNS = ("symbol", "timestamp", "first_update_id", "last_update_id", "side", "update_type", "price", "qty", "pu")


class Row(msgspec.Struct, frozen=True):
    """One level of one message."""

    place: str
    symbol: str
    ts_ns: int
    first_id: int
    last_id: int
    previous_id: int
    is_snapshot: bool
    is_bid: bool
    price: str
    size: str

    @property
    def message(self) -> tuple[int, int, int, int, bool]:
        """What the lines of one message share."""
        return (self.ts_ns, self.first_id, self.last_id, self.previous_id, self.is_snapshot)


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if path.is_dir():
        return any(recognizes(file) for file in files_in(path))
    return first_line(path).startswith("symbol,timestamp,first_update_id,")


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one symbol, or all symbols, of a file or folder.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    by_symbol: dict[str, list[Row]] = {}
    for file in files_in(path):
        if path.is_file() or recognizes(file):
            for row in _rows(file):
                by_symbol.setdefault(row.symbol, []).append(row)
    symbols = chosen(path, coin, by_symbol)
    refusals = Refusals()
    books: list[MarketEvent] = []
    instruments = []
    notes = ["There are no receive times: venue times stand in for them."]
    for index, symbol in enumerate(symbols):
        rows = by_symbol[symbol]
        prices, sizes = (row.price for row in rows), (row.size for row in rows)
        instrument = fixed_tick_instrument(path, symbol, index, prices, sizes)
        instruments.append(instrument)
        depth = DepthFeed(symbol)
        price, lots = Scaled(instrument.price_decimals), Scaled(instrument.size_decimals)
        for _, lines in groupby(rows, key=lambda row: row.message):
            message = list(lines)
            head = message[0]
            try:
                bids = _levels(message, price, lots, is_bid=True)
                asks = _levels(message, price, lots, is_bid=False)
            except ValueError as trouble:
                refusals.add(symbol, head.place, trouble, head.ts_ns, head.ts_ns)
                continue
            if head.is_snapshot:
                depth.snapshot(head.last_id, bids, asks, head.ts_ns, head.ts_ns)
            else:
                depth.change((head.first_id, head.last_id, head.previous_id), bids, asks, head.ts_ns, head.ts_ns)
        books += depth.events
        notes += depth.notes()
    events = ordered(notes, books, refusals.events)
    return Recording(
        name=f"{path.name} {'+'.join(symbols)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*notes, *refusals.notes(), *gap_notes(events)],
    )


def _rows(file: Path) -> Iterator[Row]:
    """Yield the rows of a file; raises DataInvalid where numbering or time cannot be read."""
    for number, cells in rows_of(file, COLUMNS):
        place = f"{file} line {number}"
        symbol, time, first_id, last_id, side, kind, price, size, previous_id = cells
        if side not in {"a", "b"} or kind not in {"snap", "set"}:
            raise DataInvalid(place, f"side {side!r} and update_type {kind!r}: expected a or b, snap or set")
        try:
            yield Row(
                place=place,
                symbol=symbol,
                ts_ns=unix_ms(time),
                first_id=int(first_id),
                last_id=int(last_id),
                previous_id=int(previous_id),
                is_snapshot=kind == "snap",
                is_bid=side == "b",
                price=price,
                size=size,
            )
        except ValueError as trouble:
            raise DataInvalid(place, f"time or number cannot be read: {trouble}") from None


def _levels(message: list[Row], price: Scaled, lots: Scaled, *, is_bid: bool) -> tuple[Level, ...]:
    """Return one side of a message; raises ValueError for numbers that cannot be read."""
    return tuple([(price[row.price], lots[row.size]) for row in message if row.is_bid is is_bid])
