"""The mark price of a market whose marks are not recorded: the venue's median rule, by integers only.

Why it exists: margin, liquidation and triggers follow the mark. Averages are exponential in time, and library
exponentials may differ in the last digit between machines; the one of `latency.py` does not.

Laws: an average lies between its samples; the mark lies between the lowest and the highest of what it is the median
of; the same samples at the same times give the same mark on every machine.

Accuracy: the rule is the venue's, its inputs are ours: perpetual prices of other venues are what the caller gives, 0
by default, so that the mark is then the median of three numbers of this venue. Not checked against recorded marks,
because no recording holds oracle, book and trades of the same seconds.
Source: HYPERLIQUID 9.2 (venue docs, "Robust price indices"), read 2026-11-20.
"""

from domain.units import NS_PER_SECOND
from exchange.simulated.latency import FRACTION_BITS, LOG2_E, power_of_two

BASIS_NS = 150 * NS_PER_SECOND
BOOK_NS = 30 * NS_PER_SECOND
MARK_NS = 3 * NS_PER_SECOND
"""Memory of the basis and of the book price, and how often the mark is made. Source: HYPERLIQUID 9.2."""

FINE = 1_000
"""Averages keep thousandths of a price unit."""

NS_PER_MICRO = 1_000
HALF = 1 << (FRACTION_BITS - 1)
MEMORIES_MAX = 24
"""After so many memories without a sample nothing is left of the past: e**-24 is below our fixed point."""


def decayed(weight: int, elapsed: int, memory: int) -> int:
    """Return weight * exp(-elapsed / memory), rounded half up. Units: elapsed and memory in microseconds."""
    if elapsed >= MEMORIES_MAX * memory:
        return 0
    exponent = elapsed * LOG2_E // memory
    return (weight * power_of_two(-exponent) + HALF) >> FRACTION_BITS


def averaged(average: int, weight: int, sample: int, elapsed: int) -> int:
    """Return the average after a sample that counts for the time since the one before.

    The venue keeps numerator and denominator; their quotient moves by this share of the difference, which needs no
    large numerator. Units: average and sample in 1/FINE price units, weight (after decay) and elapsed in microseconds.
    """
    gap = (sample - average) * elapsed
    total = weight + elapsed
    moved = (abs(gap) + total // 2) // total
    return average + moved if gap >= 0 else average - moved


def middle(first: int, second: int, third: int) -> int:
    """Return the median of three."""
    return max(min(first, second), min(max(first, second), third))


def book_price(bid: int, ask: int, last: int) -> int:
    """Return the median of best bid, best ask and last trade; 0 when a side is empty.

    Before the first trade the middle of the book stands for it: the venue says nothing of that case.
    Units: price units, 0 is none.
    """
    if not bid or not ask:
        return 0
    return middle(bid, ask, last or (bid + ask) // 2)


def mark_price(index: int, book: int, outside: int, book_average: int) -> int:
    """Return the median of what exists of three prices; with exactly two of them the book's average is the third.

    Units: price units, 0 is none; index = oracle + averaged basis, outside = other venues' perpetuals.
    Source: HYPERLIQUID 9.2. With only one price that price is the mark, with none 0 (ours: the venue says nothing).
    """
    present = (index > 0) + (book > 0) + (outside > 0)
    if present == 3:
        return middle(index, book, outside)
    if present == 2 and book_average > 0:
        return middle(index or outside, book or outside, book_average)
    if present == 2:
        return ((index or outside) + (book or outside)) // 2
    return index + book + outside


def weighted_median(prices: tuple[int, ...], weights: tuple[int, ...]) -> int:
    """Return the lowest price at which at least half of the weight lies at or below; 0 without weight.

    Units: price units; weights whole. Source: HYPERLIQUID 9.2 (weights of other venues: OUTSIDE_WEIGHTS).
    """
    whole = 0
    for weight in weights:
        whole += weight
    best = 0
    for price in prices:
        below = 0
        for index in range(len(prices)):
            if prices[index] <= price:
                below += weights[index]
        if 2 * below >= whole and whole and (best == 0 or price < best):
            best = price
    return best


OUTSIDE_WEIGHTS = {"binance": 3, "okx": 2, "bybit": 2, "gate": 1, "mexc": 1}
"""Weights of other venues' perpetual prices in the mark. Source: HYPERLIQUID 9.2."""


class Average:
    """An exponential average over time. Units: value in 1/FINE price units."""

    __slots__ = ("_memory", "_weight", "value")

    def __init__(self, memory_ns: int) -> None:
        """Start knowing nothing."""
        self._memory = memory_ns // NS_PER_MICRO
        self._weight = 0
        self.value = 0

    def add(self, sample: int, elapsed_ns: int) -> int:
        """Take a sample that stands for the time since the last, and return the average. Units: price units, ns."""
        elapsed = min(max(elapsed_ns // NS_PER_MICRO, 1), MEMORIES_MAX * self._memory)
        weight = decayed(self._weight, elapsed, self._memory)
        self.value = averaged(self.value, weight, sample * FINE, elapsed)
        self._weight = weight + elapsed
        return self.value

    @property
    def price(self) -> int:
        """The average in price units, rounded half up."""
        return (self.value + FINE // 2) // FINE


class Marks:
    """What the mark of one market remembers: the basis of 150 seconds and the book's price of 30."""

    __slots__ = ("_basis", "_book", "_ts_ns", "mark_price")

    def __init__(self) -> None:
        """Start without a mark (0)."""
        self._basis = Average(BASIS_NS)
        self._book = Average(BOOK_NS)
        self._ts_ns = 0
        self.mark_price = 0

    def update(self, ts_ns: int, oracle: int, bid: int, ask: int, last: int, outside: int = 0) -> int:
        """Take the prices of now and return the mark; without any price the mark stays.

        Units: price units, 0 is none. A market with an empty side leaves both averages as they were.
        """
        elapsed = ts_ns - self._ts_ns if self._ts_ns else MARK_NS
        book = book_price(bid, ask, last)
        if book:
            self._book.add(book, elapsed)
            if oracle:
                self._basis.add((bid + ask) // 2 - oracle, elapsed)
            self._ts_ns = ts_ns
        index = max(oracle + self._basis.price, 1) if oracle else 0
        self.mark_price = mark_price(index, book, outside, self._book.price) or self.mark_price
        return self.mark_price
