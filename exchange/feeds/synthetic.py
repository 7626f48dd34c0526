"""A seeded market that never ends: several instruments, moods, trades, books, marks, funding, outages.

Why it exists: the bot must be seen running on a machine without data or network, and every test of the whole house
needs a market that misbehaves on request. The fair price walks, the book follows it, trades eat what is shown.

Laws: the same seed, instruments and start give the same events, byte for byte, on every machine. Trades print only
what the book showed, best price first, and the event after them shows what is left. Books never cross, lock or empty.
Times never go back, and nothing reaches us before it happened.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heapreplace
from math import isqrt

import msgspec

from domain.errors import ConfigInvalid
from domain.events import BookChanged, FeedLost, FeedRestored, Level, MarketEvent, TopOfBookChanged, TradePrinted
from domain.identifiers import TradeId
from domain.instrument import Instrument
from domain.order import Side
from domain.units import NS_PER_MS, NS_PER_SECOND, RATE_UNIT, Lots, Price, parse_scaled
from exchange.feeds.chance import Chance, exponential_of
from exchange.feeds.ladder import Ladder
from exchange.feeds.marks import MarkMaker
from exchange.feeds.regimes import REGIMES, Regime

START_PRICES = {
    "BTC": "110000",
    "ETH": "4300",
    "SOL": "200",
    "HYPE": "45",
    "DOGE": "0.21",
    "WLFI": "0.186",
}
"""Where a market opens. Source: Hyperliquid early September 2025, rounded; anything else opens at 100."""
START_PRICE_ELSE = "100"

FINE_BITS = 20
"""The fair price is kept in 2**-20 price units, so that the smallest drift is not lost."""
PRICE_STEPS_MIN = 500
"""A fair price never falls below this many smallest ticks: below it there is no room for a book."""
HOMESICK_SHARE = 5
"""Once a market has moved by 1/5 from where it opened, its trends point back."""


class SyntheticSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much happens. Units: nanoseconds; depth in levels a side.

    Source: intervals as recorded on Hyperliquid in September 2025: about 13 changes of the best price a second, a book
    every 0.54 s, receive time some 40 ms after the event for a host near the venue.
    """

    depth: int = 20
    action_interval_ns: int = 75 * NS_PER_MS
    book_interval_ns: int = 500 * NS_PER_MS
    mark_interval_ns: int = 3 * NS_PER_SECOND
    latency_least_ns: int = 20 * NS_PER_MS
    latency_extra_ns: int = 20 * NS_PER_MS

    def __post_init__(self) -> None:
        """Refuse what makes no market."""
        for key in ("action_interval_ns", "book_interval_ns", "mark_interval_ns"):
            if getattr(self, key) < 1:
                raise ConfigInvalid(key, getattr(self, key), "at least 1")
        if not 2 <= self.depth <= 100:
            raise ConfigInvalid("depth", self.depth, "2..100 levels")
        if self.latency_least_ns < 0 or self.latency_extra_ns < 0:
            raise ConfigInvalid("latency_least_ns", self.latency_least_ns, "0 or more, as latency_extra_ns")


def start_price(instrument: Instrument) -> Price:
    """Return the legal price at which the market of an instrument opens."""
    text = START_PRICES.get(instrument.symbol, START_PRICE_ELSE)
    whole, _, fraction = text.partition(".")
    price = parse_scaled(f"{whole}.{fraction[: instrument.price_decimals]}", instrument.price_decimals)
    return instrument.floor(Price(max(price, PRICE_STEPS_MIN * instrument.tick_min)))


class SyntheticMarket:
    """An endless iterator of market events of all instruments, in the order of their venue time.

    Raises: ConfigInvalid without instruments, with a symbol twice, without regimes, or with a negative seed or start.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        seed: int,
        start_ns: int,
        *,
        regimes: Sequence[Regime] = REGIMES,
        start_prices: Mapping[str, Price] | None = None,
        settings: SyntheticSettings | None = None,
    ) -> None:
        """Open all markets at start_ns. start_prices (price units) overrides where they open."""
        symbols = [instrument.symbol for instrument in instruments]
        if not symbols or len(set(symbols)) < len(symbols):
            raise ConfigInvalid("instruments", symbols, "at least one, each once")
        if seed < 0 or start_ns < 0:
            raise ConfigInvalid("seed, start_ns", (seed, start_ns), "whole numbers of 0 or more")
        if not regimes:
            raise ConfigInvalid("regimes", (), "at least one")
        self.instruments = tuple(instruments)
        self._events: deque[MarketEvent] = deque()
        self._trades = 0
        self._arrived_ns = start_ns
        opening = start_prices or {}
        self._streams = [
            Stream(
                instrument,
                Chance(seed, index),
                tuple(regimes),
                opening.get(instrument.symbol) or start_price(instrument),
                settings or SyntheticSettings(),
                start_ns,
                self._next_trade,
            )
            for index, instrument in enumerate(instruments)
        ]
        self._due = [(start_ns, index) for index in range(len(instruments))]
        heapify(self._due)

    def __iter__(self) -> "SyntheticMarket":
        """Return itself: there is one market, and it goes on."""
        return self

    def __next__(self) -> MarketEvent:
        """Return the next event."""
        events = self._events
        while not events:
            ts_ns, index = self._due[0]
            stream = self._streams[index]
            self._arrived_ns = max(self._arrived_ns, ts_ns + stream.latency())
            heapreplace(self._due, (stream.act(ts_ns, self._arrived_ns, events.append), index))
        return events.popleft()

    def _next_trade(self) -> int:
        """Return a trade number, unique over all instruments."""
        self._trades += 1
        return self._trades


class Stream:
    """One instrument's market: its fair price, its book and its mood."""

    def __init__(
        self,
        instrument: Instrument,
        chance: Chance,
        regimes: tuple[Regime, ...],
        price: Price,
        settings: SyntheticSettings,
        start_ns: int,
        next_trade: Callable[[], int],
    ) -> None:
        """Open the market in its first mood, never in an outage when another mood exists."""
        self.symbol = instrument.symbol
        self._chance = chance
        self._regimes = regimes
        self._settings = settings
        self._next_trade = next_trade
        self._home = int(price) << FINE_BITS
        self._fair = self._home
        self._floor = (PRICE_STEPS_MIN * int(instrument.tick_min)) << FINE_BITS
        self._start_ns = self._next_book_ns = self._next_mark_ns = start_ns
        self._is_silent = False
        self._enter(next((regime for regime in regimes if not regime.is_outage), regimes[0]), start_ns)
        self.ladder = Ladder(instrument, chance, settings.depth, int(price), self._half_spread())
        self._marks = MarkMaker(instrument.symbol, chance)

    def latency(self) -> int:
        """Return how long the next events travel."""
        settings = self._settings
        return settings.latency_least_ns + self._chance.exponential(settings.latency_extra_ns)

    def act(self, ts_ns: int, arrived_ns: int, emit: Callable[[MarketEvent], None]) -> int:
        """Let one thing happen; return when the next one does. The first thing is the book."""
        settings = self._settings
        if self._is_silent:
            self._wake(ts_ns)
            emit(FeedRestored(symbol=self.symbol, ts_event_ns=ts_ns, ts_recv_ns=arrived_ns))
        elif ts_ns >= self._regime_ends_ns:
            self._enter(self._drawn(), ts_ns)
            if self._regime.is_outage:
                self._is_silent = True
                emit(FeedLost(symbol=self.symbol, detail="outage", ts_event_ns=ts_ns, ts_recv_ns=arrived_ns))
                return max(self._regime_ends_ns, ts_ns + 1)
        elif ts_ns > self._start_ns:
            self._walk()
            self._flow(ts_ns, arrived_ns, emit)
        if ts_ns >= self._next_book_ns:
            self._next_book_ns = ts_ns + settings.book_interval_ns
            self._breathe()
            emit(self._book(ts_ns, arrived_ns))
        if ts_ns >= self._next_mark_ns:
            self._next_mark_ns = ts_ns + settings.mark_interval_ns
            mid = self.ladder.bids[0][0] + self.ladder.asks[0][0] >> 1
            emit(self._marks.changed(mid, self._fair >> FINE_BITS, ts_ns, arrived_ns))
        return ts_ns + 1 + self._chance.exponential(settings.action_interval_ns)

    def _flow(self, ts_ns: int, arrived_ns: int, emit: Callable[[MarketEvent], None]) -> None:
        """Let orders of the crowd arrive: the book follows the fair price, or somebody trades, quotes or leaves."""
        ladder = self.ladder
        bits = self._chance.draw()
        side = 1 if bits & 1 else -1
        bid, ask = ladder.bids[0], ladder.asks[0]
        direction, passed = ladder.follow(self._fair >> FINE_BITS, self._half_spread())
        if direction:
            # A jump is quoted away from under everybody: nothing trades on the way.
            if not self._regime.jump:
                self._print(direction, passed[: bits >> 8 & 3], ts_ns, arrived_ns, emit)
        elif (bits >> 8 & 0xFF) < self._regime.trade_share:
            level = ask if side > 0 else bid
            self._print(side, ladder.take(side, 1 + exponential_of(bits >> 32, level[1] // 2)), ts_ns, arrived_ns, emit)
        elif ask[0] - bid[0] > 3 * self._half_spread():
            ladder.improve(side)
        elif bits >> 16 & 1:
            ladder.resize(side, 0)
        elif bits >> 17 & 1:
            ladder.improve(side)
        else:
            ladder.pull(side)
        bid_now, ask_now = ladder.bids[0], ladder.asks[0]
        if bid_now != bid or ask_now != ask:
            emit(
                TopOfBookChanged(
                    symbol=self.symbol,
                    bid_price=Price(bid_now[0]),
                    bid_lots=Lots(bid_now[1]),
                    ask_price=Price(ask_now[0]),
                    ask_lots=Lots(ask_now[1]),
                    ts_event_ns=ts_ns,
                    ts_recv_ns=arrived_ns,
                )
            )

    def _print(
        self, side: int, done: list[Level], ts_ns: int, arrived_ns: int, emit: Callable[[MarketEvent], None]
    ) -> None:
        """Emit one trade per level that was taken."""
        for price, lots in done:
            emit(
                TradePrinted(
                    symbol=self.symbol,
                    price=Price(price),
                    lots=Lots(lots),
                    side=Side(side),
                    trade_id=TradeId(self._next_trade()),
                    ts_event_ns=ts_ns,
                    ts_recv_ns=arrived_ns,
                )
            )

    def _walk(self) -> None:
        """Move the fair price by one step of its random walk."""
        change = self._chance.normal(self._fair * self._volatility // RATE_UNIT) + self._fair * self._drift // RATE_UNIT
        self._fair = max(self._fair + change, self._floor)

    def _breathe(self) -> None:
        """Give two levels behind the best new sizes."""
        ladder = self.ladder
        bits = self._chance.draw()
        for side, levels in ((1, ladder.bids), (-1, ladder.asks)):
            if len(levels) > 1:
                ladder.resize(side, 1 + (bits & 0xFFFF) % (len(levels) - 1))
            bits >>= 16

    def _book(self, ts_ns: int, arrived_ns: int) -> BookChanged:
        """Return the whole visible book."""
        return BookChanged(
            symbol=self.symbol,
            bids=tuple(self.ladder.bids),
            asks=tuple(self.ladder.asks),
            ts_event_ns=ts_ns,
            ts_recv_ns=arrived_ns,
        )

    def _half_spread(self) -> int:
        """Return half the spread of the mood at the fair price. Units: price units."""
        return (self._fair >> FINE_BITS) * self._regime.spread // (2 * RATE_UNIT)

    def _drawn(self) -> Regime:
        """Draw the next mood by weight."""
        place = self._chance.below(sum(regime.weight for regime in self._regimes))
        for regime in self._regimes:
            place -= regime.weight
            if place < 0:
                return regime
        return self._regimes[-1]

    def _enter(self, regime: Regime, ts_ns: int) -> None:
        """Change the mood, and jump when it begins with a jump."""
        self._regime = regime
        self._regime_ends_ns = ts_ns + 1 + self._chance.exponential(regime.duration_mean_ns)
        # Per second to per step: volatility grows with the root of time, drift with time.
        interval_ns = self._settings.action_interval_ns
        self._volatility = regime.volatility * isqrt(interval_ns * NS_PER_SECOND) // NS_PER_SECOND
        self._drift = self._direction() * (regime.drift * interval_ns // NS_PER_SECOND)
        if regime.jump:
            self._fair = max(self._fair + self._direction() * self._fair * regime.jump // RATE_UNIT, self._floor)

    def _wake(self, ts_ns: int) -> None:
        """End a silence: the market moved meanwhile, and its book is a new one."""
        self._is_silent = False
        for _ in range(16):
            self._walk()
        self._enter(self._drawn(), ts_ns)
        self.ladder.lay(self._fair >> FINE_BITS, self._half_spread())
        self._next_book_ns = self._next_mark_ns = ts_ns

    def _direction(self) -> int:
        """Draw up or down; far from home only the way back."""
        is_up = self._chance.draw() & 1
        if abs(self._fair - self._home) > self._home // HOMESICK_SHARE:
            is_up = self._fair < self._home
        return 1 if is_up else -1
