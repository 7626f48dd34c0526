"""What an importer gives back: instruments, events in the order of venue time, and what was noticed on the way.

Why it exists: many layouts, one result. A recording is faithful: rows that cannot be read stand in it as refusals at
their time, repeated trades are still there. Admission (`exchange/feeds/recorded.py`) decides what the bot may see.

Laws: events are sorted by ts_event_ns; at one moment trades come before best prices, and those before books and marks.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from math import gcd
from operator import attrgetter, itemgetter

import msgspec

from backtest.importers.reading import decimals_in, exact_scaled
from domain.errors import DataInvalid
from domain.events import MarketDataRefused, MarketEvent
from domain.instrument import Instrument
from domain.reasons import Reason
from domain.units import MONEY_DECIMALS, NS_PER_MS, NS_PER_SECOND, Price, format_scaled
from exchange.feeds.recorded import clock_shift_ns, with_clock_shift

GAP_NS_MIN = 5 * NS_PER_SECOND
"""A silence longer than this is worth a note."""
GAPS_NOTED_MAX = 8
PRICES_FOR_A_TICK = 20
"""So many different prices are needed before their common step is believed to be the tick."""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of recorded market data. events may be read from disk each time they are asked for."""

    name: str
    layout: str
    instruments: tuple[Instrument, ...]
    events: Sequence[MarketEvent]
    notes: list[str]


class Refusals:
    """Rows that could not be read: one event each, one note in all."""

    def __init__(self) -> None:
        """Start with none."""
        self.events: list[MarketEvent] = []
        self._first = ""

    def add(self, symbol: str, place: str, problem: object, ts_event_ns: int, ts_recv_ns: int) -> None:
        """Keep one row as a refusal at its time."""
        detail = f"{place}: {problem}"
        self._first = self._first or detail
        self.events.append(
            MarketDataRefused(
                symbol=symbol,
                reason=Reason.BOOK_INVALID_LEVEL,
                detail=detail,
                ts_event_ns=ts_event_ns,
                ts_recv_ns=ts_recv_ns,
            )
        )

    def notes(self) -> list[str]:
        """Return what there is to say."""
        if not self.events:
            return []
        return [f"Rows that could not be read and are refused: {len(self.events)}; the first: {self._first}."]


def ordered(notes: list[str], *groups: Iterable[MarketEvent]) -> list[MarketEvent]:
    """Return all events by venue time; at one moment in the order of the groups.

    A group holds one kind of event as its files tell it; clocks that went back there are counted in one note.
    """
    events: list[MarketEvent] = []
    went_back = 0
    for group in groups:
        last_ns: dict[str, int] = {}
        for event in group:
            if type(event) is not MarketDataRefused:
                went_back += event.ts_event_ns < last_ns.get(event.symbol, 0)
                last_ns[event.symbol] = event.ts_event_ns
            events.append(event)
    if went_back:
        notes.append(f"The venue's clock goes back at {went_back} places of the files; rows are put in order of time.")
    events.sort(key=attrgetter("ts_event_ns"))
    return events


def clock_note(name: str, shift_ns: int) -> str:
    """Return the sentence about a recorder's clock that had to be put forward."""
    return (
        f"{name}: the recorder's clock was behind the venue's; {format_scaled(shift_ns // NS_PER_MS, 3)} s are added to "
        "receive times, so that the quickest message takes 0.001 s."
    )


def with_clock_mended(name: str, events: list[MarketEvent], notes: list[str]) -> list[MarketEvent]:
    """Return events with receive times put forward, and say so, when some would arrive before they happened."""
    shift_ns = clock_shift_ns(min((event.ts_recv_ns - event.ts_event_ns for event in events), default=0))
    if not shift_ns:
        return events
    notes.append(clock_note(name, shift_ns))
    return with_clock_shift(events, shift_ns)


def utc_text(ts_ns: int) -> str:
    """Return a Unix time as UTC text to the second."""
    return f"{datetime.fromtimestamp(ts_ns // NS_PER_SECOND, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


class Silences:
    """Times in which nothing was recorded, as arrivals tell them one after the other: the longest, and how many."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self._last_ns = 0
        self._longest: list[tuple[int, int]] = []
        self._count = 0

    def heard(self, ts_recv_ns: int) -> None:
        """Take the next arrival; one that is earlier than the last is no silence."""
        length_ns = ts_recv_ns - self._last_ns
        if length_ns > GAP_NS_MIN and self._last_ns:
            self._count += 1
            heappush(self._longest, (length_ns, self._last_ns))
            if len(self._longest) > GAPS_NOTED_MAX:
                heappop(self._longest)
        self._last_ns = max(self._last_ns, ts_recv_ns)

    def notes(self) -> list[str]:
        """Return what there is to say."""
        notes = [
            f"Nothing was recorded for {format_scaled(length // 100_000_000, 1)} s after {utc_text(before)}."
            for length, before in sorted(self._longest, key=itemgetter(1))
        ]
        if self._count > GAPS_NOTED_MAX:
            notes.append(f"{self._count - GAPS_NOTED_MAX} shorter silences of more than 5 s are not listed.")
        return notes


def gap_notes(events: list[MarketEvent]) -> list[str]:
    """Return one note for each silence of more than five seconds (the longest eight), as seen by receive time."""
    silences = Silences()
    for arrival in sorted({event.ts_recv_ns for event in events}):
        silences.heard(arrival)
    return silences.notes()


def chosen(place: object, coin: str | None, present: Iterable[str]) -> list[str]:
    """Return the coins to load, sorted: the one asked for, or all.

    Raises: DataInvalid when the data holds none, or not that one; names what it holds.
    """
    names = sorted(set(present))
    if not names:
        raise DataInvalid(str(place), "holds no market data")
    if coin is None:
        return names
    for name in names:
        if name.lower() == coin.lower():
            return [name]
    raise DataInvalid(str(place), f"holds no coin {coin!r}; it holds {', '.join(names[:20])}")


def fixed_tick_instrument(
    place: object, symbol: str, asset_id: int, prices: Iterable[str], sizes: Iterable[str]
) -> Instrument:
    """Return an instrument of a venue with one fixed tick: the largest usual step all its prices are multiples of.

    prices and sizes are the texts seen; a handful of prices proves no step, and then the last decimal is the tick. One decimal more is kept where there is room, for marks between ticks.
    Raises: DataInvalid when the numbers are finer than Money can hold.
    """
    texts = set(prices)
    price_decimals = max(map(decimals_in, texts), default=0)
    size_decimals = max(map(decimals_in, set(sizes)), default=0)
    tick = 0
    for text in texts:
        try:
            tick = gcd(tick, exact_scaled(text, price_decimals))
        except ValueError:
            continue  # Whoever reads that row refuses it, and says so.
    tick = _usual_step(tick) if len(texts) >= PRICES_FOR_A_TICK else 1
    spare = 1 if price_decimals + size_decimals < MONEY_DECIMALS else 0
    try:
        return Instrument(
            symbol=symbol,
            asset_id=asset_id,
            size_decimals=size_decimals,
            price_decimals=price_decimals + spare,
            significant_figures=0,
            tick_min=Price(tick * 10**spare),
        )
    except ValueError as trouble:
        raise DataInvalid(str(place), str(trouble)) from None


def _usual_step(step: int) -> int:
    """Return the largest of 1, 2, 5, 10, 20, 50… that divides a step; 1 for none."""
    scale = 1
    while step and step % (scale * 10) == 0:
        scale *= 10
    return next((scale * digit for digit in (5, 2) if step and step % (scale * digit) == 0), scale)
