"""Reader of Binance's raw streams: depth changes, REST depth snapshot, best prices, trades, marks.

Each line is the local receive time (nano- or microseconds) and the venue's JSON. A folder holds the session files of
one market, read in the order of their names, so that a snapshot in the first file serves the files after it.

Laws: depth changes are joined only in sequence; without a snapshot only best prices come out, and that is said. A
recorder's clock that was behind the venue's is shifted forward until nothing arrives before it happened.
Source: Binance "Websocket Market Streams" (futures and spot), read 2026-11-20; recordings named in the data README.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from backtest.importers.depth import DepthFeed
from backtest.importers.reading import Scaled, files_in, first_line, messages_of, rounded_scaled, typed, unix_ns
from backtest.importers.recording import (
    Recording,
    Refusals,
    chosen,
    clock_note,
    fixed_tick_instrument,
    gap_notes,
    ordered,
)
from domain.errors import DataInvalid
from domain.events import Level, MarkChanged, MarketEvent, TradePrinted
from domain.identifiers import TradeId
from domain.order import Side
from domain.units import NS_PER_MS, RATE_DECIMALS, Lots, Price, Rate
from exchange.feeds.recorded import clock_shift_ns

LAYOUT = "binance_ws"
DESCRIPTION = "Binance raw streams, one line per message with its receive time"

DELAY_LEAST_NS = NS_PER_MS
"""What the quickest message is taken to have travelled once a clock is corrected."""
FUNDING_HOURS = 8
TextLevels = list[tuple[str, str]]


class WireDepth(msgspec.Struct, frozen=True):
    """`depthUpdate`. U and u are the first and last number in it, pu the last of the one before (futures only)."""

    s: str
    E: int
    U: int
    u: int
    b: TextLevels
    a: TextLevels
    pu: int | None = None
    T: int | None = None


class WireTicker(msgspec.Struct, frozen=True):
    """`bookTicker`; spot sends no times."""

    s: str
    b: str
    B: str
    a: str
    A: str
    T: int | None = None


class WireTrade(msgspec.Struct, frozen=True):
    """`trade`; m says that the buyer was the maker. X other than MARKET is no trade of the book."""

    s: str
    t: int
    p: str
    q: str
    T: int
    m: bool
    X: str = "MARKET"


class WireMark(msgspec.Struct, frozen=True):
    """`markPriceUpdate`: mark, index, funding rate of eight hours."""

    s: str
    E: int
    p: str
    i: str
    r: str


class WireSnapshot(msgspec.Struct, frozen=True):
    """REST depth; it does not name its symbol, and spot gives no time."""

    lastUpdateId: int  # noqa: N815 - the venue's own word
    bids: TextLevels
    asks: TextLevels
    T: int | None = None


Content = WireDepth | WireTicker | WireTrade | WireMark | WireSnapshot
STREAMS: dict[str, type[WireDepth | WireTicker | WireTrade | WireMark]] = {
    "depth": WireDepth,
    "bookTicker": WireTicker,
    "trade": WireTrade,
    "markPrice": WireMark,
}


class Line(msgspec.Struct, frozen=True):
    """One message with both times."""

    place: str
    symbol: str
    ts_event_ns: int
    ts_recv_ns: int
    content: Content


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if path.is_dir():
        return any(recognizes(file) for file in files_in(path))
    prefix, brace, rest = first_line(path).partition("{")
    return bool(prefix.strip().isdigit() and brace and ('"stream"' in rest[:40] or '"lastUpdateId"' in rest[:40]))


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one symbol, or all symbols, of a file or of a folder of session files.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    notes: list[str] = []
    refusals = Refusals()
    by_symbol: dict[str, list[Line]] = {}
    for file in files_in(path):
        for line in _timed(file, notes, refusals):
            by_symbol.setdefault(line.symbol, []).append(line)
    symbols = chosen(path, coin, by_symbol)
    trades: list[MarketEvent] = []
    books: list[MarketEvent] = []
    marks: list[MarketEvent] = []
    instruments = []
    for index, symbol in enumerate(symbols):
        lines = by_symbol[symbol]
        prices = (text for line in lines for text, _ in _numbers(line.content))
        sizes = (text for line in lines for _, text in _numbers(line.content))
        instrument = fixed_tick_instrument(path, symbol, index, prices, sizes)
        instruments.append(instrument)
        reader = _Reader(symbol, Scaled(instrument.price_decimals), Scaled(instrument.size_decimals))
        for line in lines:
            try:
                reader.read(line)
            except ValueError as trouble:
                refusals.add(symbol, line.place, trouble, line.ts_event_ns, line.ts_recv_ns)
        trades += reader.trades
        books += reader.depth.events
        marks += reader.marks
        notes += reader.notes()
    events = ordered(
        notes, trades, books, marks, (event for event in refusals.events if event.symbol in {"", *symbols})
    )
    return Recording(
        name=f"{path.name} {'+'.join(symbols)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*notes, *refusals.notes(), *gap_notes(events)],
    )


def _timed(file: Path, notes: list[str], refusals: Refusals) -> list[Line]:
    """Return the lines of one file, its clock corrected, messages without a time given the latest they can have."""
    raw = list(_lines(file, notes, refusals))
    delays = [line.ts_recv_ns - line.ts_event_ns for line in raw if line.ts_event_ns]
    quickest = min(delays, default=DELAY_LEAST_NS)
    shift = clock_shift_ns(quickest, DELAY_LEAST_NS)
    if shift:
        notes.append(clock_note(file.name, shift))
    untimed = sum(not line.ts_event_ns for line in raw)
    if untimed:
        notes.append(
            f"{file.name}: {untimed} messages carry no venue time; theirs is the receive time less the smallest delay."
        )
    symbols = {line.symbol for line in raw if line.symbol}
    lines = []
    for line in raw:
        symbol = line.symbol or next(iter(symbols), "")
        if not line.symbol and len(symbols) != 1:
            notes.append(f"{line.place}: a depth snapshot among {len(symbols)} symbols was left out.")
            continue
        ts_event_ns = line.ts_event_ns or line.ts_recv_ns - quickest
        lines.append(Line(line.place, symbol, ts_event_ns, line.ts_recv_ns + shift, line.content))
    return lines


def _lines(file: Path, notes: list[str], refusals: Refusals) -> Iterator[Line]:
    """Yield the messages of one file as they stand; an event time of 0 is unknown, a snapshot has no symbol."""
    for place, prefix, message in messages_of(file, notes):
        try:
            recv_ns = unix_ns(prefix)
        except ValueError as trouble:
            raise DataInvalid(place, f"receive time: {trouble}") from None
        stream, data = message.get("stream"), message.get("data")
        kind: type[Content] | None = WireSnapshot if "lastUpdateId" in message else None
        if isinstance(stream, str):
            kind = STREAMS.get(stream.partition("@")[2].partition("@")[0])
        if kind is None:
            continue
        try:
            content: Content = typed(message if kind is WireSnapshot else data, kind)
        except ValueError as trouble:
            refusals.add("", place, trouble, recv_ns, recv_ns)
            continue
        symbol = "" if isinstance(content, WireSnapshot) else content.s
        yield Line(place, symbol, (_event_ms(content) or 0) * NS_PER_MS, recv_ns, content)


def _event_ms(content: Content) -> int | None:
    """Return the venue's time of a message: of the match where it is told, else of the sending."""
    if isinstance(content, WireMark):
        return content.E
    if isinstance(content, WireDepth):
        return content.T or content.E
    return content.T


def _numbers(content: Content) -> Iterator[tuple[str, str]]:
    """Yield the (price, size) texts on the venue's grid in a message."""
    if isinstance(content, WireDepth):
        yield from content.b
        yield from content.a
    elif isinstance(content, WireSnapshot):
        yield from content.bids
        yield from content.asks
    elif isinstance(content, WireTicker):
        yield content.b, content.B
        yield content.a, content.A
    elif isinstance(content, WireTrade) and content.X == "MARKET":
        yield content.p, content.q


class _Reader:
    """Turns the lines of one symbol into events."""

    def __init__(self, symbol: str, price: Scaled, lots: Scaled) -> None:
        """Read on the scales of an instrument."""
        self.depth = DepthFeed(symbol)
        self.trades: list[MarketEvent] = []
        self.marks: list[MarketEvent] = []
        self._symbol = symbol
        self._price = price
        self._lots = lots
        self._outside = 0

    def read(self, line: Line) -> None:
        """Take one line; raises ValueError for numbers that cannot be read."""
        content, ts_event_ns, ts_recv_ns = line.content, line.ts_event_ns, line.ts_recv_ns
        if isinstance(content, WireTicker):
            bid = self._price[content.b], self._lots[content.B]
            self.depth.top(bid, (self._price[content.a], self._lots[content.A]), ts_event_ns, ts_recv_ns)
        elif isinstance(content, WireDepth):
            numbers = (content.U, content.u, content.pu)
            self.depth.change(numbers, self._levels(content.b), self._levels(content.a), ts_event_ns, ts_recv_ns)
        elif isinstance(content, WireTrade):
            self._trade(content, ts_event_ns, ts_recv_ns)
        elif isinstance(content, WireMark):
            self.marks.append(
                MarkChanged(
                    symbol=self._symbol,
                    mark_price=Price(rounded_scaled(content.p, self._price.decimals)),
                    oracle_price=Price(rounded_scaled(content.i, self._price.decimals)),
                    funding_rate=Rate(rounded_scaled(content.r, RATE_DECIMALS) // FUNDING_HOURS),
                    ts_event_ns=ts_event_ns,
                    ts_recv_ns=ts_recv_ns,
                )
            )
        else:
            bids, asks = self._levels(content.bids), self._levels(content.asks)
            self.depth.snapshot(content.lastUpdateId, bids, asks, ts_event_ns, ts_recv_ns)

    def notes(self) -> list[str]:
        """Return what there is to say about this symbol."""
        notes = self.depth.notes()
        if self._outside:
            notes.append(f"{self._symbol}: {self._outside} trades outside the book (insurance fund) were left out.")
        if self.marks:
            notes.append(f"{self._symbol}: funding is per eight hours; an eighth of it stands as the hourly rate.")
        return notes

    def _trade(self, content: WireTrade, ts_event_ns: int, ts_recv_ns: int) -> None:
        """Take a trade."""
        if content.X != "MARKET":
            self._outside += 1
            return
        self.trades.append(
            TradePrinted(
                symbol=self._symbol,
                price=Price(self._price[content.p]),
                lots=Lots(self._lots[content.q]),
                side=Side.SELL if content.m else Side.BUY,
                trade_id=TradeId(content.t),
                ts_event_ns=ts_event_ns,
                ts_recv_ns=ts_recv_ns,
            )
        )

    def _levels(self, levels: TextLevels) -> tuple[Level, ...]:
        """Return levels as integers."""
        price, lots = self._price, self._lots
        return tuple([(price[text], lots[size]) for text, size in levels])
