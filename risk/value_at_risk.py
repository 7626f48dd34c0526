"""Value at risk, 95 %: the loss of one interval that is exceeded in at most one interval of twenty.

Why it exists: limits on size say what could be lost if everything went wrong, value at risk what is lost when things
go as they have gone. Two estimates over the same window of equity changes: historical (what happened, no assumption)
and parametric (normal distribution with the window's mean and deviation).

Laws: both are losses, positive or zero; integers throughout, so two runs agree to the last unit; the window forgets
the oldest change first, and an estimate after a restore equals the one before.
Source: McNeil, Frey, Embrechts, "Quantitative Risk Management" (2015), definition 2.8 and example 2.11.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from math import isqrt

from domain.errors import ConfigInvalid
from domain.units import RATE_UNIT, Money

TAIL_DIVISOR = 20
"""One interval in twenty: 95 %."""

QUANTILE_95 = 1_644_853_627
"""95 % quantile of the standard normal distribution, as Rate."""


class ValueAtRisk:
    """A bounded window of equity changes of equal intervals, and the two estimates over it."""

    __slots__ = ("_changes", "_sorted", "_squares", "_sum")

    def __init__(self, window: int = 1_000) -> None:
        """Start empty; window is the count of changes kept.

        Raises: ConfigInvalid when it keeps none.
        """
        if window < 1:
            raise ConfigInvalid("risk.value_at_risk_window", window, "1 or more")
        self._changes: deque[int] = deque(maxlen=window)
        self._sorted: list[int] = []
        self._sum = 0
        self._squares = 0

    def __len__(self) -> int:
        """Return how many changes are in the window."""
        return len(self._changes)

    def add(self, change: Money) -> None:
        """Take the change of equity over one interval; a loss is negative."""
        if len(self._changes) == self._changes.maxlen:
            oldest = self._changes[0]
            del self._sorted[bisect_left(self._sorted, oldest)]
            self._sum -= oldest
            self._squares -= oldest * oldest
        self._changes.append(change)
        insort(self._sorted, change)
        self._sum += change
        self._squares += change * change

    def historical(self) -> Money:
        """Return the smallest loss that at most one change in twenty exceeded; 0 when empty or a gain."""
        if not self._sorted:
            return Money(0)
        return Money(max(0, -self._sorted[len(self._sorted) // TAIL_DIVISOR]))

    def parametric(self) -> Money:
        """Return the 95 % loss of a normal distribution like the window; 0 below two changes or for a gain."""
        count = len(self._sorted)
        if count < 2:
            return Money(0)
        # The deviation times count * (count - 1), under the root; the root is scaled to keep its fraction.
        spread = (count * self._squares - self._sum * self._sum) * count * (count - 1)
        deviation = isqrt(spread * RATE_UNIT * RATE_UNIT) * QUANTILE_95 // (count * (count - 1) * RATE_UNIT)
        return Money(max(0, (deviation - self._sum * RATE_UNIT // count) // RATE_UNIT))

    def estimate(self) -> Money:
        """Return the larger of the two."""
        return max(self.historical(), self.parametric())

    def snapshot(self) -> list[int]:
        """Return the changes, oldest first."""
        return list(self._changes)

    def restore(self, changes: Iterable[int]) -> None:
        """Replace the window by a snapshot."""
        self._changes.clear()
        self._sorted.clear()
        self._sum = self._squares = 0
        for change in changes:
            self.add(Money(change))
