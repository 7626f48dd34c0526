"""Drawdown and the loss of the day: where equity stands against its best and against last midnight.

Why it exists: both stop the bot, so both are defined once. Drawdown is the fall from the highest equity seen, as a
share of it; the loss of the day is the fall since 00:00 UTC in money.

Laws: equity at midnight is the last one seen before it, so a move across midnight belongs to the new day and none is
lost; money that is paid in or out is neither loss nor gain; time that goes back changes no day.
"""

import msgspec

from domain.units import NS_PER_DAY, Money, Rate
from risk.margin import ratio


class DrawdownState(msgspec.Struct, frozen=True, kw_only=True):
    """What Drawdown remembers. Units: Money, drawdown_max Rate; day counts from 1970, -1 before the first equity."""

    peak: Money = Money(0)
    day: int = -1
    day_start: Money = Money(0)
    equity: Money = Money(0)
    drawdown_max: Rate = Rate(0)


class Drawdown:
    """Follows equity: drawdown as it stands, drawdown_max the worst so far, loss_today > 0 a loss."""

    __slots__ = ("_day", "_day_start", "_equity", "_peak", "drawdown", "drawdown_max", "loss_today")

    def __init__(self) -> None:
        """Start before any equity was seen."""
        self._peak = self._day_start = self._equity = Money(0)
        self._day = -1
        self.drawdown = self.drawdown_max = Rate(0)
        self.loss_today = Money(0)

    def update(self, equity: Money, now_ns: int) -> None:
        """Take the equity of now."""
        day = now_ns // NS_PER_DAY
        if equity == self._equity and day == self._day:
            return
        if day > self._day:
            if self._day < 0:
                self._peak = self._equity = equity
            self._day = day
            self._day_start = self._equity
        self._equity = equity
        self._peak = max(self._peak, equity)
        self._measure()

    def transfer(self, amount: Money) -> None:
        """Move the marks by money paid in (> 0) or out, so that it counts as neither gain nor loss."""
        if self._day >= 0:
            self._peak = Money(self._peak + amount)
            self._day_start = Money(self._day_start + amount)
            self._equity = Money(self._equity + amount)
            self._measure()

    def rebase(self) -> None:
        """Measure from the present equity on: an operator who resets the kill switch accepts the loss so far."""
        self._peak = self._day_start = self._equity
        self._measure()

    def _measure(self) -> None:
        """Bring the figures up to date."""
        self.drawdown = Rate(ratio(self._peak - self._equity, self._peak))
        self.drawdown_max = max(self.drawdown_max, self.drawdown)
        self.loss_today = Money(self._day_start - self._equity)

    def snapshot(self) -> DrawdownState:
        """Return everything remembered."""
        return DrawdownState(
            peak=self._peak,
            day=self._day,
            day_start=self._day_start,
            equity=self._equity,
            drawdown_max=self.drawdown_max,
        )

    def restore(self, state: DrawdownState) -> None:
        """Replace everything by a snapshot."""
        self._peak, self._equity = state.peak, state.equity
        self._day, self._day_start = state.day, state.day_start
        self.drawdown_max = state.drawdown_max
        self._measure()
