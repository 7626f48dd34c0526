"""Reader of Hyperliquid's own messages, one per line: `l2Book`, `trades`, `bbo`, `activeAssetCtx`.

Three spellings of a line are known: a receive time in front (`1737918843893903000 {…}`), the bare message, and the
venue's public archive (`{"time": …, "ver_num": …, "raw": {…}}`, also as .lz4). A folder is read file by file.

`hat record` writes the first of these; what it says itself (channel `recorder`) is read for lost connections only, and
a file it has not finished (`.partial`) is read as far as it goes.

Laws: spot markets are left out, and said so; a message without its own time takes the time it was received.
Source: HYPERLIQUID 6 and 10.2 (venue docs and recordings), read 2026-11-20.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from backtest.importers.reading import (
    Scaled,
    decimals_in,
    files_in,
    first_line,
    messages_of,
    rounded_scaled,
    typed,
    unix_ns,
    utc_ns,
)
from backtest.importers.recording import Recording, Refusals, chosen, gap_notes, ordered, with_clock_mended
from backtest.importers.venues import hyperliquid_perpetual
from domain.errors import DataInvalid
from domain.events import BookChanged, Level, MarkChanged, MarketEvent, TopOfBookChanged, TradePrinted
from domain.identifiers import TradeId
from domain.order import Side
from domain.units import NS_PER_MS, RATE_DECIMALS, Lots, Price, Rate

LAYOUT = "hyperliquid_ws"
DESCRIPTION = "Hyperliquid websocket messages, one JSON per line, or the venue's archive"
RECORDER = "recorder"
UNFINISHED = ".partial"
CUT_OFF = "compressed data is cut off"


class WireLevel(msgspec.Struct, frozen=True):
    """One level of a book."""

    px: str
    sz: str


class WireBook(msgspec.Struct, frozen=True):
    """`l2Book`: bids and asks, best first."""

    coin: str
    time: int
    levels: tuple[list[WireLevel], list[WireLevel]]


class WireTrade(msgspec.Struct, frozen=True):
    """One of `trades`; side is the aggressor's: B bought, A sold."""

    coin: str
    side: str
    px: str
    sz: str
    time: int
    tid: int


class WireBest(msgspec.Struct, frozen=True):
    """`bbo`: best bid and ask, null where there is none."""

    coin: str
    time: int
    bbo: list[WireLevel | None]


class WireContext(msgspec.Struct, frozen=True):
    """Mark, oracle and funding of one market."""

    funding: str
    oraclePx: str  # noqa: N815 - the venue's own word
    markPx: str  # noqa: N815 - the venue's own word


class WireMark(msgspec.Struct, frozen=True):
    """`activeAssetCtx`."""

    coin: str
    ctx: WireContext


class Envelope(msgspec.Struct, frozen=True):
    """Any message of the venue."""

    channel: str
    data: Any = None


class Archived(msgspec.Struct, frozen=True):
    """A line of the public archive: the recorder's clock and the message."""

    time: str
    raw: Envelope


Content = WireBook | WireTrade | WireBest | WireMark
KINDS: dict[str, type[Any]] = {
    "l2Book": WireBook,
    "trades": list[WireTrade],
    "bbo": WireBest,
    "activeAssetCtx": WireMark,
}


class Line(msgspec.Struct, frozen=True):
    """One market fact as the venue wrote it."""

    place: str
    ts_event_ns: int
    ts_recv_ns: int
    content: Content


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if path.is_dir():
        return any(recognizes(file) for file in files_in(path))
    return '"channel"' in first_line(path)[:400]


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one coin, or all perpetuals, of a file or folder.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    notes: list[str] = []
    refusals = Refusals()
    by_coin: dict[str, list[Line]] = {}
    for file in files_in(path):
        for line in _Unwrapper(notes, refusals).lines(file):
            by_coin.setdefault(line.content.coin, []).append(line)
    spot = sorted(name for name in by_coin if name.startswith("@") or "/" in name)
    if spot:
        notes.append(f"Spot markets are left out: {', '.join(spot[:10])}.")
    coins = chosen(path, coin, by_coin.keys() - set(spot))
    trades: list[MarketEvent] = []
    books: list[MarketEvent] = []
    # A mark is timed when it is received: among books, which have the venue's time, the clock would seem to go back.
    marks: list[MarketEvent] = []
    instruments = []
    for name in coins:
        sizes = {text for line in by_coin[name] for text in _sizes(line.content)}
        instrument, remarks = hyperliquid_perpetual(name, max(map(decimals_in, sizes), default=0))
        instruments.append(instrument)
        notes += remarks
        price, lots = Scaled(instrument.price_decimals), Scaled(instrument.size_decimals)
        for line in by_coin[name]:
            try:
                event = _event(line, price, lots)
            except ValueError as trouble:
                refusals.add(name, line.place, trouble, line.ts_event_ns, line.ts_recv_ns)
                continue
            if isinstance(event, TradePrinted):
                trades.append(event)
            else:
                (marks if isinstance(event, MarkChanged) else books).append(event)
    events = ordered(notes, trades, books, marks, (event for event in refusals.events if event.symbol in {"", *coins}))
    events = with_clock_mended(path.name, events, notes)
    return Recording(
        name=f"{path.name} {'+'.join(coins)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*dict.fromkeys(notes), *refusals.notes(), *gap_notes(events)],
    )


class _Unwrapper:
    """Finds the venue's message in each line of one file, and its times."""

    def __init__(self, notes: list[str], refusals: Refusals) -> None:
        """Start before the first line."""
        self._notes = notes
        self._refusals = refusals
        self._now_ns = 0
        self._is_untimed = False

    def lines(self, file: Path) -> Iterator[Line]:
        """Yield the market facts of a file."""
        lost = 0
        for place, prefix, message in _messages(file, self._notes):
            try:
                recv_ns, channel, data = self._unwrapped(prefix, message)
            except ValueError as trouble:
                raise DataInvalid(place, str(trouble)) from None
            kind = KINDS.get(channel)
            if kind is None:
                lost += channel == RECORDER and isinstance(data, dict) and data.get("event") == "lost"
                continue
            try:
                content = typed(data, kind)
            except ValueError as trouble:
                self._refusals.add("", place, trouble, recv_ns or self._now_ns, recv_ns or self._now_ns)
                continue
            items = content if isinstance(content, list) else [content]
            if len(items) > 1 and items[0].time > items[-1].time:
                # The first push after subscribing lists the trades before it, newest first.
                items.reverse()
            for item in items:
                ts_event_ns = item.time * NS_PER_MS if hasattr(item, "time") else recv_ns or self._now_ns
                if ts_event_ns:
                    self._now_ns = recv_ns or ts_event_ns
                    yield Line(place, ts_event_ns, self._now_ns, item)
                else:
                    self._notes.append(f"{file.name}: a message of {item.coin} without any time was left out.")
        if lost:
            self._notes.append(
                f"{file.name}: the recorder lost the connection {lost} times; what came then is missing."
            )

    def _unwrapped(self, prefix: str, message: Any) -> tuple[int, str, Any]:
        """Return receive time (0: none), channel and data; raises ValueError when it is no message of the venue."""
        recv_ns = unix_ns(prefix) if prefix else 0
        if "raw" in message:
            archived = typed(message, Archived)
            envelope = archived.raw
            recv_ns = utc_ns(archived.time)
        else:
            envelope = typed(message, Envelope)
        if not recv_ns and not self._is_untimed:
            self._is_untimed = True
            self._notes.append("There are no receive times: venue times stand in for them.")
        return recv_ns, envelope.channel, envelope.data


def _messages(file: Path, notes: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield the messages of a file; one that its recorder has not finished ends where it ends."""
    try:
        yield from messages_of(file, notes)
    except DataInvalid as trouble:
        if file.suffix != UNFINISHED or not trouble.problem.startswith(CUT_OFF):
            raise
        notes.append(f"{file.name}: its recorder has not finished it; it is read as far as it goes.")


def _sizes(content: Content) -> Iterator[str]:
    """Yield the sizes in a message."""
    if isinstance(content, WireTrade):
        yield content.sz
    elif isinstance(content, WireBook):
        yield from (level.sz for side in content.levels for level in side)
    elif isinstance(content, WireBest):
        yield from (level.sz for level in content.bbo if level is not None)


def _event(line: Line, price: Scaled, lots: Scaled) -> MarketEvent:
    """Return a message as an event; raises ValueError for numbers that cannot be read."""
    content, ts_event_ns, ts_recv_ns = line.content, line.ts_event_ns, line.ts_recv_ns
    symbol = content.coin
    if isinstance(content, WireTrade):
        if content.side not in {"A", "B"}:
            raise ValueError(f"side {content.side!r}: expected A or B")
        return TradePrinted(
            symbol=symbol,
            price=Price(price[content.px]),
            lots=Lots(lots[content.sz]),
            side=Side.BUY if content.side == "B" else Side.SELL,
            trade_id=TradeId(content.tid),
            ts_event_ns=ts_event_ns,
            ts_recv_ns=ts_recv_ns,
        )
    if isinstance(content, WireMark):
        return MarkChanged(
            symbol=symbol,
            mark_price=Price(rounded_scaled(content.ctx.markPx, price.decimals)),
            oracle_price=Price(rounded_scaled(content.ctx.oraclePx, price.decimals)),
            funding_rate=Rate(rounded_scaled(content.ctx.funding, RATE_DECIMALS)),
            ts_event_ns=ts_event_ns,
            ts_recv_ns=ts_recv_ns,
        )
    if isinstance(content, WireBest):
        if len(content.bbo) != 2:
            raise ValueError(f"bbo of {len(content.bbo)} sides: expected 2")
        bid, ask = ((price[level.px], lots[level.sz]) if level else (0, 0) for level in content.bbo)
        return TopOfBookChanged(
            symbol=symbol,
            bid_price=Price(bid[0]),
            bid_lots=Lots(bid[1]),
            ask_price=Price(ask[0]),
            ask_lots=Lots(ask[1]),
            ts_event_ns=ts_event_ns,
            ts_recv_ns=ts_recv_ns,
        )
    bids, asks = (_levels(side, price, lots) for side in content.levels)
    return BookChanged(symbol=symbol, bids=bids, asks=asks, ts_event_ns=ts_event_ns, ts_recv_ns=ts_recv_ns)


def _levels(side: list[WireLevel], price: Scaled, lots: Scaled) -> tuple[Level, ...]:
    """Return one side of a book."""
    return tuple([(price[level.px], lots[level.sz]) for level in side])
