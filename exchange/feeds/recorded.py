"""Admission: what every feed passes before the bot or the simulated venue may see it.

Why it exists: feeds lie. They send crossed books, empty books, the same trade twice after a reconnect, and times that
go back. A wrong book traded on costs money; a missing one only costs a quote. So whatever cannot be true is left out
and stands in its place as `MarketDataRefused`, counted, with its reason.

Laws: a book that leaves here has two sides, positive prices and sizes, strict order, and bid below ask. A trade leaves
once. Within one stream (symbol and kind) venue time never goes back: an event from the past keeps its content, takes
its predecessor's time, and a refusal says so. Receive time never goes back at all and is never before venue time.
"""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from domain.events import (
    BookChanged,
    FeedLost,
    FeedRestored,
    Level,
    MarkChanged,
    MarketDataRefused,
    MarketEvent,
    TopOfBookChanged,
    TradePrinted,
)
from domain.instrument import Instrument
from domain.reasons import Reason
from domain.units import NS_PER_MS, NS_PER_SECOND, format_scaled
from exchange.feeds.marks import RATE_CAP

TRADES_REMEMBERED = 65_536
"""Trade numbers remembered per instrument; a reconnect repeats tens, so this is hours of a busy market."""

FUTURE_NS_MAX = 60 * NS_PER_SECOND
"""An event dated further ahead of its own arrival would carry the engine's time away: refused."""

FAR_PRICE = 2**62


class TravelTimes(Protocol):
    """Anything that draws travel times in nanoseconds."""

    def sample(self) -> int:
        """Return the next travel time."""
        ...


class SeenTrades:
    """The latest trade numbers of one instrument."""

    __slots__ = ("_order", "_seen")

    def __init__(self) -> None:
        """Have seen nothing."""
        self._seen: set[int] = set()
        self._order: deque[int] = deque()

    def is_new(self, trade_id: int) -> bool:
        """Say whether a number was not seen before, and remember it."""
        if trade_id in self._seen:
            return False
        self._seen.add(trade_id)
        self._order.append(trade_id)
        if len(self._order) > TRADES_REMEMBERED:
            self._seen.discard(self._order.popleft())
        return True


class Admission:
    """The door of one feed. `counts` says how many events were refused for which reason."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        """Know the instruments this bot trades, by symbol."""
        self._instruments = dict(instruments)
        self._trades = {symbol: SeenTrades() for symbol in instruments}
        self._event_ns: dict[tuple[type, str], int] = {}
        self._recv_ns = 0
        self.counts: Counter[Reason] = Counter()

    def admit(self, event: MarketEvent) -> tuple[MarketEvent, ...]:
        """Return what stands for an event: itself, itself with mended times, or a refusal."""
        ts_event_ns = event.ts_event_ns
        ts_recv_ns = max(event.ts_recv_ns, self._recv_ns)
        if ts_event_ns - ts_recv_ns > FUTURE_NS_MAX:
            detail = f"{type(event).__name__} is dated {ts_event_ns - ts_recv_ns} ns after its arrival"
            return (self._refusal(event.symbol, Reason.CLOCK_WENT_BACK, detail, ts_recv_ns, ts_recv_ns),)
        self._recv_ns = ts_recv_ns = max(ts_recv_ns, ts_event_ns)
        reason, detail = self._objection(event)
        if reason is not Reason.NONE:
            return (self._refusal(event.symbol, reason, detail, ts_event_ns, ts_recv_ns),)
        stream = (type(event), event.symbol)
        before_ns = self._event_ns.get(stream, 0)
        if ts_event_ns >= before_ns:
            self._event_ns[stream] = ts_event_ns
            if ts_recv_ns == event.ts_recv_ns:
                return (event,)
            return (msgspec.structs.replace(event, ts_recv_ns=ts_recv_ns),)
        self._recv_ns = ts_recv_ns = max(ts_recv_ns, before_ns)
        detail = f"{type(event).__name__} is {before_ns - ts_event_ns} ns before its predecessor"
        return (
            self._refusal(event.symbol, Reason.CLOCK_WENT_BACK, detail, before_ns, ts_recv_ns),
            msgspec.structs.replace(event, ts_event_ns=before_ns, ts_recv_ns=ts_recv_ns),
        )

    def _objection(self, event: MarketEvent) -> tuple[Reason, str]:
        """Return why an event cannot be used; NONE when it can."""
        if isinstance(event, MarketDataRefused):
            return event.reason, event.detail
        instrument = self._instruments.get(event.symbol)
        if instrument is None:
            if event.symbol == "" and isinstance(event, FeedLost | FeedRestored):
                return Reason.NONE, ""
            return Reason.UNKNOWN_INSTRUMENT, f"{event.symbol!r} is not one of {', '.join(self._instruments)}"
        if isinstance(event, TopOfBookChanged):
            return _objection_to_book(
                ((event.bid_price, event.bid_lots),) if event.bid_price or event.bid_lots else (),
                ((event.ask_price, event.ask_lots),) if event.ask_price or event.ask_lots else (),
                instrument,
            )
        if isinstance(event, BookChanged):
            return _objection_to_book(event.bids, event.asks, instrument)
        if isinstance(event, TradePrinted):
            if event.price <= 0 or event.lots <= 0:
                return Reason.BOOK_INVALID_LEVEL, f"trade of {event.lots} lots at {_text(event.price, instrument)}"
            if not self._trades[event.symbol].is_new(event.trade_id):
                return Reason.DUPLICATE_TRADE, f"trade {event.trade_id}"
        if isinstance(event, MarkChanged):
            return _objection_to_mark(event, instrument)
        return Reason.NONE, ""

    def _refusal(
        self, symbol: str, reason: Reason, detail: str, ts_event_ns: int, ts_recv_ns: int
    ) -> MarketDataRefused:
        """Return a refusal, counted."""
        self.counts[reason] += 1
        return MarketDataRefused(
            symbol=symbol, reason=reason, detail=detail, ts_event_ns=ts_event_ns, ts_recv_ns=ts_recv_ns
        )


def admitted(events: Iterable[MarketEvent], instruments: Mapping[str, Instrument]) -> Iterator[MarketEvent]:
    """Yield what a feed may show: its good events, and one refusal for each of the others."""
    admit = Admission(instruments).admit
    for event in events:
        yield from admit(event)


def with_feed_latency(events: Iterable[MarketEvent], model: TravelTimes) -> Iterator[MarketEvent]:
    """Yield events as if they had travelled to us by a latency model instead of the recorder's line; none overtakes."""
    recv_ns = 0
    for event in events:
        recv_ns = max(recv_ns, event.ts_event_ns + model.sample())
        yield msgspec.structs.replace(event, ts_recv_ns=recv_ns)


def clock_shift_ns(quickest_ns: int, delay_least_ns: int = NS_PER_MS) -> int:
    """Return what to add to receive times when the recorder's clock was behind the venue's; 0 when it was not.

    quickest_ns is the shortest time any message took to arrive. Nothing arrives before it happened: below zero it shows
    the clock's fault, and the shift makes that message take delay_least_ns. A clock that was ahead cannot be told from
    a slow line and is left alone.
    """
    return delay_least_ns - quickest_ns if quickest_ns < 0 else 0


def with_clock_shift(events: Iterable[MarketEvent], shift_ns: int) -> list[MarketEvent]:
    """Return events with shift_ns added to every receive time."""
    return [msgspec.structs.replace(event, ts_recv_ns=event.ts_recv_ns + shift_ns) for event in events]


def _objection_to_book(bids: tuple[Level, ...], asks: tuple[Level, ...], instrument: Instrument) -> tuple[Reason, str]:
    """Return why a book cannot be true; NONE when it can."""
    if not bids or not asks:
        return Reason.BOOK_EMPTY, "no bids" if asks else "no asks" if bids else "no bids and no asks"
    worse = FAR_PRICE
    for price, lots in bids:
        if lots <= 0 or not 0 < price < worse:
            return Reason.BOOK_INVALID_LEVEL, f"bid of {lots} lots at {_text(price, instrument)}"
        worse = price
    worse = 0
    for price, lots in asks:
        if lots <= 0 or price <= worse:
            return Reason.BOOK_INVALID_LEVEL, f"ask of {lots} lots at {_text(price, instrument)}"
        worse = price
    if bids[0][0] >= asks[0][0]:
        return Reason.BOOK_CROSSED, f"bid {_text(bids[0][0], instrument)}, ask {_text(asks[0][0], instrument)}"
    return Reason.NONE, ""


def _objection_to_mark(event: MarkChanged, instrument: Instrument) -> tuple[Reason, str]:
    """Return why a mark cannot be true; a price of 0 is unknown, as long as one is known."""
    mark, oracle = event.mark_price, event.oracle_price
    if mark < 0 or oracle < 0 or mark == oracle == 0:
        return Reason.BOOK_INVALID_LEVEL, f"mark {_text(mark, instrument)}, oracle {_text(oracle, instrument)}"
    if abs(event.funding_rate) > RATE_CAP:
        return Reason.BOOK_INVALID_LEVEL, f"funding rate {event.funding_rate} beyond the venue's cap of {RATE_CAP}"
    return Reason.NONE, ""


def _text(price: int, instrument: Instrument) -> str:
    """Return a price as people read it."""
    return format_scaled(price, instrument.price_decimals)
