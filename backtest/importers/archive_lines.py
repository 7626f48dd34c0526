"""The lines of the venue's archive as market facts: books, fills and trades as JSON, asset contexts as CSV.

Why it exists: files hold every coin and every trade twice, and are larger than memory. So each is read line by line, only
what concerns the coins asked for is decoded, and nothing is kept.

Laws: a trade is told once, by the fill of the side that took (`crossed`), so its side is the aggressor's; a line dated
outside its file's time is a refusal, because one wrong date would reorder everything behind it.
Source: HYPERLIQUID 10.2, read 2026-11-20.
"""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from backtest.importers.archive_keys import Dataset, Piece
from backtest.importers.reading import Scaled, decimals_in, lines_of, rounded_scaled, rows_of, utc_ns
from domain.errors import DataInvalid
from domain.events import BookChanged, MarkChanged, MarketDataRefused, MarketEvent, TradePrinted
from domain.identifiers import TradeId
from domain.instrument import Instrument
from domain.order import Side
from domain.reasons import Reason
from domain.units import NS_PER_HOUR, NS_PER_MS, RATE_DECIMALS, Lots, Price, Rate

CONTEXT_COLUMNS = (
    *("time", "coin", "funding", "open_interest", "prev_day_px", "day_ntl_vlm"),
    *("premium", "oracle_px", "mark_px", "mid_px", "impact_bid_px", "impact_ask_px"),
)
SLACK_NS = NS_PER_HOUR
"""How far a line may lie outside its file's own time: recorders cut files by their clock, not by the venue's."""

TRADE_ID_BYTES = 7
SIDES = {"B": Side.BUY, "A": Side.SELL}


class BookLevel(msgspec.Struct, frozen=True, gc=False, rename={"price": "px", "size": "sz"}):
    """One level of a book."""

    price: str
    size: str


class Book(msgspec.Struct, frozen=True, gc=False):
    """The inside of an `l2Book` line."""

    coin: str
    time: int
    levels: tuple[list[BookLevel], list[BookLevel]]


class BookMessage(msgspec.Struct, frozen=True, gc=False):
    """The venue's message around a book."""

    data: Book


class BookLine(msgspec.Struct, frozen=True, gc=False):
    """One line of `market_data`: the recorder's clock and the message."""

    time: str
    raw: BookMessage


class Fill(msgspec.Struct, frozen=True, gc=False, rename={"price": "px", "size": "sz", "trade_id": "tid"}):
    """One side of one trade, as the API tells it."""

    coin: str
    price: str
    size: str
    side: str
    time: int
    trade_id: int
    crossed: bool


class Block(msgspec.Struct, frozen=True, gc=False):
    """One line of `node_fills_by_block`: all fills of one block, raw until it is known whose they are."""

    local_time: str
    events: list[tuple[str, msgspec.Raw]]


class TradeSide(msgspec.Struct, frozen=True, gc=False, rename={"order_id": "oid"}):
    """Who traded: buyer first."""

    user: str
    order_id: int


class Trade(msgspec.Struct, frozen=True, gc=False, rename={"price": "px", "size": "sz"}):
    """One line of `node_trades`; it has no number."""

    coin: str
    side: str
    time: str
    price: str
    size: str
    hash: str
    side_info: tuple[TradeSide, TradeSide]


class Grid(NamedTuple):
    """How the numbers of one coin are read."""

    instrument: Instrument
    price: Scaled
    lots: Scaled


class Told(msgspec.Struct):
    """What was noticed while reading: size decimals by coin beyond the grid, and last lines that were cut off."""

    finer: dict[str, int] = {}
    torn: list[str] = []


_fill = msgspec.json.Decoder(Fill)


class LineReader:
    """Reads pieces of the archive for some coins. told collects what is to be said about them."""

    def __init__(self, grids: Mapping[str, Grid]) -> None:
        """Know the coins."""
        self._grids = grids
        self._marks = tuple(f'"{coin}"' for coin in grids)
        self.told = Told()

    def events(self, piece: Piece) -> Iterator[MarketEvent]:
        """Yield the facts of one file in its order. Raises: DataInvalid naming file and line."""
        if piece.dataset is Dataset.CONTEXTS:
            # Minutes of all coins, in an order nobody promised; those of our coins are few.
            yield from sorted(self._contexts(piece), key=attrgetter("ts_event_ns"))
            return
        kind, read = self._kind(piece.dataset)
        now_ns = piece.start_ns
        for place, line in self._messages(piece, kind):
            found = [line] if isinstance(line, ValueError) else read(line)
            for one in found:
                event = self._checked(piece, place, one, now_ns)
                now_ns = event.ts_event_ns
                yield event

    def _kind(self, dataset: Dataset) -> tuple[Any, Callable[[Any], Iterator[MarketEvent | ValueError]]]:
        """Return what the lines of a dataset are, and who reads them."""
        match dataset:
            case Dataset.BOOKS:
                return BookLine, self._book
            case Dataset.FILLS_BY_BLOCK:
                return Block, self._block
            case Dataset.FILLS:
                return tuple[str, Fill], self._one_fill
            case _:
                return Trade, self._trade

    def _messages(self, piece: Piece, kind: Any) -> Iterator[tuple[str, Any]]:
        """Yield (place, line decoded, or why it is not what it should be) of the lines that name our coins."""
        decode = msgspec.json.Decoder(kind).decode
        marks, path = self._marks, piece.path
        broken: tuple[str, str] | None = None
        for number, line in lines_of(path):
            if broken is not None and line:
                raise DataInvalid(*broken)
            if not any(mark in line for mark in marks):
                continue
            place = f"{path} line {number}"
            try:
                yield place, decode(line)
            except msgspec.ValidationError as trouble:
                yield place, ValueError(str(trouble))
            except msgspec.DecodeError as trouble:
                broken = (place, f"not valid JSON ({trouble})")
        if broken is not None:
            self.told.torn.append(f"{path}: the last line is cut off and was left out.")

    def _checked(self, piece: Piece, place: str, found: MarketEvent | ValueError, now_ns: int) -> MarketEvent:
        """Return a fact, or the refusal that stands for what cannot be one."""
        problem = str(found)
        if not isinstance(found, ValueError):
            if piece.start_ns - SLACK_NS <= found.ts_event_ns < piece.end_ns + SLACK_NS:
                return found
            problem = f"dated {found.ts_event_ns} ns, outside the time of its file"
        return MarketDataRefused(
            symbol=piece.coin,
            reason=Reason.BOOK_INVALID_LEVEL,
            detail=f"{place}: {problem}",
            ts_event_ns=now_ns,
            ts_recv_ns=now_ns,
        )

    def _book(self, line: BookLine) -> Iterator[MarketEvent | ValueError]:
        book = line.raw.data
        grid = self._grids.get(book.coin)
        if grid is None:
            yield ValueError(f"a book of {book.coin!r} in a file of another coin"[:200])
            return
        ts_event_ns = book.time * NS_PER_MS
        try:
            bids, asks = ([(grid.price[one.price], grid.lots[one.size]) for one in side] for side in book.levels)
            recv_ns = utc_ns(line.time)
        except ValueError as trouble:
            self._finer(grid, *(level.size for side in book.levels for level in side))
            yield trouble
            return
        yield BookChanged(
            symbol=book.coin, bids=tuple(bids), asks=tuple(asks), ts_event_ns=ts_event_ns, ts_recv_ns=recv_ns
        )

    def _block(self, line: Block) -> Iterator[MarketEvent | ValueError]:
        marks = [mark.encode() for mark in self._marks]
        for _, raw in line.events:
            content = bytes(raw)
            if not any(mark in content for mark in marks):
                continue
            try:
                fill = _fill.decode(content)
                recv_ns = utc_ns(line.local_time)
            except (msgspec.DecodeError, ValueError) as trouble:
                yield ValueError(str(trouble))
                continue
            yield from self._fill(fill, recv_ns)

    def _one_fill(self, line: tuple[str, Fill]) -> Iterator[MarketEvent | ValueError]:
        yield from self._fill(line[1], 0)

    def _fill(self, fill: Fill, recv_ns: int) -> Iterator[MarketEvent | ValueError]:
        """Yield the trade a taker's fill tells of. recv_ns is 0 when nobody wrote it down."""
        grid = self._grids.get(fill.coin)
        if fill.crossed and grid is not None:
            ts_event_ns = fill.time * NS_PER_MS
            yield self._printed(grid, fill, fill.trade_id, ts_event_ns, recv_ns or ts_event_ns)

    def _trade(self, line: Trade) -> Iterator[MarketEvent | ValueError]:
        grid = self._grids.get(line.coin)
        if grid is None:
            return
        try:
            ts_ns = utc_ns(line.time)
        except ValueError as trouble:
            yield trouble
            return
        orders = "/".join(str(side.order_id) for side in line.side_info)
        name = f"{line.hash}/{orders}/{line.price}/{line.size}".encode()
        yield self._printed(grid, line, int.from_bytes(sha256(name).digest()[:TRADE_ID_BYTES], "big"), ts_ns, ts_ns)

    def _printed(
        self, grid: Grid, told: Fill | Trade, trade_id: int, ts_event_ns: int, ts_recv_ns: int
    ) -> MarketEvent | ValueError:
        if told.side not in SIDES:
            return ValueError(f"side {told.side!r}: expected A or B"[:200])
        try:
            price, lots = grid.price[told.price], grid.lots[told.size]
        except ValueError as trouble:
            self._finer(grid, told.size)
            return trouble
        return TradePrinted(
            symbol=told.coin,
            price=Price(price),
            lots=Lots(lots),
            side=SIDES[told.side],
            trade_id=TradeId(trade_id),
            ts_event_ns=ts_event_ns,
            ts_recv_ns=ts_recv_ns,
        )

    def _contexts(self, piece: Piece) -> Iterator[MarketEvent]:
        """Yield marks, oracles and funding rates; an empty cell is a price nobody knows."""
        for number, cells in rows_of(piece.path, CONTEXT_COLUMNS):
            row = dict(zip(CONTEXT_COLUMNS, cells, strict=True))
            grid = self._grids.get(row["coin"])
            if grid is None:
                continue
            place = f"{piece.path} line {number}"
            try:
                ts_ns = utc_ns(row["time"])
                decimals = grid.instrument.price_decimals
                found: MarketEvent | ValueError = MarkChanged(
                    symbol=row["coin"],
                    mark_price=Price(rounded_scaled(row["mark_px"] or "0", decimals)),
                    oracle_price=Price(rounded_scaled(row["oracle_px"] or "0", decimals)),
                    funding_rate=Rate(rounded_scaled(row["funding"] or "0", RATE_DECIMALS)),
                    ts_event_ns=ts_ns,
                    ts_recv_ns=ts_ns,
                )
            except ValueError as trouble:
                found = trouble
            yield self._checked(piece, place, found, piece.start_ns)

    def _finer(self, grid: Grid, *sizes: str) -> None:
        """Note when sizes are finer than the grid: then the grid was wrong, not they."""
        seen = max(map(decimals_in, sizes), default=0)
        symbol = grid.instrument.symbol
        if seen > grid.instrument.size_decimals:
            self.told.finer[symbol] = max(seen, self.told.finer.get(symbol, 0))


def coins_in(piece: Piece) -> set[str]:
    """Return the perpetuals a file of many coins names. Raises: DataInvalid when it cannot be read."""
    if piece.coin:
        return {piece.coin}
    if piece.dataset is Dataset.CONTEXTS:
        return {cells[1] for _, cells in rows_of(piece.path, CONTEXT_COLUMNS)} - {""}
    named = _CoinLine if piece.dataset is Dataset.TRADES else Any
    decode = msgspec.json.Decoder(named).decode
    found: set[str] = set()
    for _, line in lines_of(piece.path):
        try:
            found.update(_coins(decode(line)))
        except msgspec.DecodeError:
            continue  # Whoever reads that line refuses it, and says so.
    return {coin for coin in found if not coin.startswith(("@", "#")) and "/" not in coin}


class _CoinLine(msgspec.Struct, frozen=True, gc=False):
    """As much of a line as tells its coin."""

    coin: str


def _coins(line: Any) -> Iterator[str]:
    """Yield the coins one decoded line names; nothing for what is no fill."""
    if isinstance(line, _CoinLine):
        yield line.coin
        return
    events = line.get("events") if isinstance(line, dict) else [line]
    for event in events if isinstance(events, list) else []:
        fill = event[1] if isinstance(event, list) and len(event) == 2 else None
        coin = fill.get("coin") if isinstance(fill, dict) else None
        if isinstance(coin, str):
            yield coin
