"""Candles of every interval from trades, and what one day traded. Bounded: the newest of each interval are kept.

Theory of operation. A trade changes one candle, that of its minute. When the minute is over, it is folded into the
candles of all other intervals; whoever asks for the newest candle of an interval gets it with the open minute in it.

Laws: the high is never below, the low never above any price of its candle; volumes of an interval are the sums of its
minutes. An interval without a trade has no candle. Intervals count from 1970, so weeks begin on Thursday and months on
their first day, UTC. Units: milliseconds, price units, lots, Money.
Source: HYPERLIQUID 2.3; weeks: GitHub rainbow-me/rainbow pull request 6920.
"""

import calendar
import datetime as dt
from collections import deque

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MONTH = "1M"
MINUTE = "1m"
LENGTHS_MS = {
    MINUTE: MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}
INTERVALS = (*LENGTHS_MS, MONTH)
KEPT = 5_000
"""How many candles of an interval exist. Source: HYPERLIQUID 2.3."""


class Bar(msgspec.Struct, gc=False):
    """One candle in integers."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    lots: int
    notional: int
    count: int

    def add(self, later: "Bar") -> None:
        """Take what happened later in the same interval."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.lots += later.lots
        self.notional += later.notional
        self.count += later.count


def open_of(interval: str, ts_ms: int) -> int:
    """Return when the candle that holds this time begins."""
    if interval != MONTH:
        return ts_ms - ts_ms % LENGTHS_MS[interval]
    day = _day(ts_ms)
    return int(dt.datetime(day.year, day.month, 1, tzinfo=dt.UTC).timestamp()) * 1_000


def close_of(interval: str, open_ms: int) -> int:
    """Return the last millisecond of the candle that begins at open_ms."""
    if interval != MONTH:
        return open_ms + LENGTHS_MS[interval] - 1
    day = _day(open_ms)
    return open_ms + calendar.monthrange(day.year, day.month)[1] * DAY_MS - 1


def _day(ts_ms: int) -> dt.date:
    return dt.date(1970, 1, 1) + dt.timedelta(days=ts_ms // DAY_MS)


class Candles:
    """All candles of one coin."""

    def __init__(self, kept: int = KEPT) -> None:
        """Start with none."""
        self._bars: dict[str, deque[Bar]] = {interval: deque(maxlen=kept) for interval in INTERVALS}
        self._minute: Bar | None = None
        self._day: deque[Bar] = deque()
        self._lots = self._notional = self._previous = 0

    def take(self, ts_ms: int, price: int, lots: int, notional: int) -> None:
        """Add a trade. One that is late belongs to the newest minute."""
        minute = self._minute
        open_ms = ts_ms - ts_ms % MINUTE_MS
        self._lots += lots
        self._notional += notional
        if minute is None or open_ms > minute.open_ms:
            self._fold()
            self._expire(ts_ms)
            self._minute = minute = Bar(open_ms, price, price, price, price, lots, notional, 1)
            self._day.append(minute)
            return
        minute.high = max(minute.high, price)
        minute.low = min(minute.low, price)
        minute.close = price
        minute.lots += lots
        minute.notional += notional
        minute.count += 1

    def _fold(self) -> None:
        """Add the minute that is over to every interval."""
        minute = self._minute
        if minute is None:
            return
        self._bars[MINUTE].append(minute)
        for interval in INTERVALS[1:]:
            bars = self._bars[interval]
            open_ms = open_of(interval, minute.open_ms)
            if bars and bars[-1].open_ms == open_ms:
                bars[-1].add(minute)
            else:
                bars.append(_copied(minute, open_ms))

    def last(self, interval: str) -> Bar | None:
        """Return the newest candle, the open minute in it; None before the first trade."""
        minute, bars = self._minute, self._bars[interval]
        if minute is None:
            return None
        open_ms = open_of(interval, minute.open_ms)
        if bars and bars[-1].open_ms == open_ms:
            whole = _copied(bars[-1], open_ms)
            whole.add(minute)
            return whole
        return _copied(minute, open_ms)

    def between(self, interval: str, start_ms: int, end_ms: int | None) -> list[Bar]:
        """Return the candles from the one that holds start_ms to the one that begins at or before end_ms, ascending."""
        newest = self.last(interval)
        if newest is None:
            return []
        bars = self._bars[interval]
        found = [bar for bar in bars if bar.open_ms < newest.open_ms]
        found.append(newest)
        kept = bars.maxlen or KEPT
        return [
            bar
            for bar in found[-kept:]
            if close_of(interval, bar.open_ms) >= start_ms and (end_ms is None or bar.open_ms <= end_ms)
        ]

    def day(self, now_ms: int) -> tuple[int, int, int]:
        """Return lots and notional of the last 24 hours, and the price before them (0: nothing traded yet)."""
        self._expire(now_ms)
        return self._lots, self._notional, self._previous or (self._day[0].open if self._day else 0)

    def _expire(self, now_ms: int) -> None:
        """Forget what is older than a day, to the minute."""
        day = self._day
        while day and day[0].open_ms <= now_ms - DAY_MS:
            bar = day.popleft()
            self._lots -= bar.lots
            self._notional -= bar.notional
            self._previous = bar.close


def _copied(bar: Bar, open_ms: int) -> Bar:
    return Bar(open_ms, bar.open, bar.high, bar.low, bar.close, bar.lots, bar.notional, bar.count)
