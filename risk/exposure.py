"""Exposure: how far positions can still go if the orders already out are filled against us.

Why it exists: a limit on today's position is no limit while ten orders rest. Every check here is made against the
worst case: all orders of one side filled, none of the other.

Laws: with position p, open buys b and open sells s the position stays in [p - s, p + b], so the worst case is the
larger of p + b and s - p and never negative. A move of the market changes values, never lots.
"""

from collections.abc import Mapping

from domain.instrument import Instrument
from domain.units import Money, Price, Rate
from domain.views import ExposureView
from risk.margin import initial_margin, maintenance_margin, ratio, tiers_of


def worst_case_lots(position: int, open_buy: int, open_sell: int) -> int:
    """Return the largest position, either way, that open orders can still lead to. Runs plain and compiled.

    Units: lots; position signed, the rest not.
    """
    return max(position + open_buy, open_sell - position)


def reach(side: int, position: int, open_buy: int, open_sell: int) -> int:
    """Return where the position ends, counted in the direction of side, when every open order of that side fills.

    Negative means that all of them together still only reduce the position. Runs plain and compiled.

    Units: lots; side 1 or -1.
    """
    return position + open_buy if side > 0 else open_sell - position


class Exposures:
    """Running totals over all instruments, brought up to date one instrument at a time.

    Attributes: total, the sum of worst-case notionals; margin_used, the initial margin of the same; maintenance, the
    maintenance margin of the positions alone. Units: Money, at mark.
    """

    __slots__ = ("_parts", "_terms", "maintenance", "margin_used", "total")

    def __init__(self, instruments: Mapping[str, Instrument], leverage: int) -> None:
        """Start flat. leverage is the account's setting, whole, capped per instrument by its margin tiers."""
        self._terms = {
            symbol: (instrument.money_per_unit, leverage, *tiers_of(instrument))
            for symbol, instrument in instruments.items()
        }
        self._parts = dict.fromkeys(instruments, (0, 0, 0))
        self.total = Money(0)
        self.margin_used = Money(0)
        self.maintenance = Money(0)

    def update(self, view: ExposureView, mark_price: Price) -> None:
        """Take an instrument's position, open orders and mark."""
        symbol, position = view.symbol, view.position
        before = self._parts[symbol]
        worst = worst_case_lots(position, view.open_buy_lots, view.open_sell_lots)
        if worst:
            money_per_unit, leverage, lower_bounds, leverages = self._terms[symbol]
            unit = mark_price * money_per_unit
            notional = worst * unit
            initial = initial_margin(notional, leverage, lower_bounds, leverages)
            maintenance = maintenance_margin(abs(position) * unit, lower_bounds, leverages)
            after = (notional, initial, maintenance)
        elif before[0]:
            after = (0, 0, 0)
        else:
            return
        self._parts[symbol] = after
        self.total = Money(self.total + after[0] - before[0])
        self.margin_used = Money(self.margin_used + after[1] - before[1])
        self.maintenance = Money(self.maintenance + after[2] - before[2])

    def notional(self, symbol: str) -> Money:
        """Return one instrument's worst-case notional as last updated."""
        return Money(self._parts[symbol][0])

    def margin_ratio(self, equity: Money) -> Rate:
        """Return maintenance margin over equity; at 1 the venue liquidates."""
        return Rate(ratio(self.maintenance, equity))
