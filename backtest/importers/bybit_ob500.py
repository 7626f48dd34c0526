"""Reader of Bybit's order book archive (`…_ob500.data.zip`): one JSON message per line, snapshot and deltas.

Laws: deltas are numbered one by one and join only in sequence (`depth.py`). The file has no receive times: the time at
which the venue sent a message stands in for it, and the match's own time (`cts`) is the event's.
Source: Bybit "Orderbook" stream documentation and archive, read 2026-11-20.
"""

from pathlib import Path

import msgspec

from backtest.importers.depth import DepthFeed
from backtest.importers.reading import Scaled, files_in, first_line, messages_of, typed
from backtest.importers.recording import Recording, Refusals, chosen, fixed_tick_instrument, gap_notes, ordered
from domain.events import Level, MarketEvent
from domain.units import NS_PER_MS

LAYOUT = "bybit_ob500"
DESCRIPTION = "Bybit order book archive, …_ob500.data[.zip]"
TextLevels = list[tuple[str, str]]


class WireDepth(msgspec.Struct, frozen=True):
    """The book or its change; u counts messages."""

    s: str
    b: TextLevels
    a: TextLevels
    u: int


class WireMessage(msgspec.Struct, frozen=True):
    """One line; ts is when it was sent, cts when the match happened."""

    type: str
    ts: int
    data: WireDepth
    cts: int = 0


def recognizes(path: Path) -> bool:
    """Say whether a path looks like this layout."""
    if path.is_dir():
        return any(recognizes(file) for file in files_in(path))
    return first_line(path).startswith('{"topic":"orderbook.')


def load(path: Path, coin: str | None = None) -> Recording:
    """Read one symbol, or all symbols, of a file or folder.

    Raises: DataInvalid with one sentence that names the file and the line.
    """
    notes = ["There are no receive times: the venue's sending times stand in for them."]
    refusals = Refusals()
    by_symbol: dict[str, list[tuple[str, WireMessage]]] = {}
    for file in files_in(path):
        now_ns = 0
        for place, _, line in messages_of(file, notes):
            try:
                message = typed(line, WireMessage)
            except ValueError as trouble:
                refusals.add("", place, trouble, now_ns, now_ns)
                continue
            now_ns = message.ts * NS_PER_MS
            by_symbol.setdefault(message.data.s, []).append((place, message))
    symbols = chosen(path, coin, by_symbol)
    books: list[MarketEvent] = []
    instruments = []
    for index, symbol in enumerate(symbols):
        levels = [level for _, message in by_symbol[symbol] for level in (*message.data.b, *message.data.a)]
        instrument = fixed_tick_instrument(
            path, symbol, index, (price for price, _ in levels), (size for _, size in levels)
        )
        instruments.append(instrument)
        depth = DepthFeed(symbol)
        price, lots = Scaled(instrument.price_decimals), Scaled(instrument.size_decimals)
        for place, message in by_symbol[symbol]:
            ts_event_ns, ts_recv_ns = (message.cts or message.ts) * NS_PER_MS, message.ts * NS_PER_MS
            try:
                _take(depth, message, _levels(message.data.b, price, lots), _levels(message.data.a, price, lots))
            except ValueError as trouble:
                refusals.add(symbol, place, trouble, ts_event_ns, ts_recv_ns)
        books += depth.events
        notes += depth.notes()
    events = ordered(notes, books, (event for event in refusals.events if event.symbol in {"", *symbols}))
    return Recording(
        name=f"{path.name} {'+'.join(symbols)}",
        layout=LAYOUT,
        instruments=tuple(instruments),
        events=events,
        notes=[*notes, *refusals.notes(), *gap_notes(events)],
    )


def _take(depth: DepthFeed, message: WireMessage, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
    """Give one message to the book; raises ValueError for a kind that is neither snapshot nor delta."""
    ts_event_ns, ts_recv_ns = (message.cts or message.ts) * NS_PER_MS, message.ts * NS_PER_MS
    if message.type == "snapshot":
        depth.snapshot(message.data.u, bids, asks, ts_event_ns, ts_recv_ns)
    elif message.type == "delta":
        depth.change((message.data.u, message.data.u, None), bids, asks, ts_event_ns, ts_recv_ns)
    else:
        raise ValueError(f"type {message.type!r}: expected snapshot or delta")


def _levels(levels: TextLevels, price: Scaled, lots: Scaled) -> tuple[Level, ...]:
    """Return levels as integers."""
    return tuple([(price[text], lots[size]) for text, size in levels])
