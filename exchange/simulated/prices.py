"""Marks and funding rates that the venue makes itself, for markets whose feed tells none.

A market with fresh marks of a feed is left alone. Rules 58 and 59 of docs/FILLS.md. Source: HYPERLIQUID 9.1, 9.2.
"""

from collections.abc import Mapping

from exchange.simulated.mark_price import Marks
from exchange.simulated.market import Market
from exchange.simulated.premium import PremiumHour, as_rate, impact_notional, impact_price

IMPACT_DEPTH = 100
"""Levels looked at for an impact price."""


class Prices:
    """What the marks and premiums of every market remember."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        """Start knowing nothing."""
        self._markets = markets
        self._marks = {symbol: Marks() for symbol in markets}
        self._hours = {symbol: PremiumHour(0) for symbol in markets}

    def own_marks(self, ts_ns: int) -> list[Market]:
        """Make the marks of now and return the markets that have one of ours."""
        made = []
        for symbol, market in self._markets.items():
            if market.ts_mark_ns:
                continue
            bid, ask = market.best_of_all(1), market.best_of_all(-1)
            mark = self._marks[symbol].update(ts_ns, market.oracle_price, bid, ask, market.last_price)
            if mark:
                market.take_mark(mark, market.oracle_price)
                made.append(market)
        return made

    def sample(self, ts_ns: int) -> None:
        """Take a premium sample of every market; the rate shown is what the hour would settle at now."""
        for symbol, market in self._markets.items():
            if market.ts_mark_ns:
                continue
            hour = self._hours[symbol]
            amount = int(impact_notional(symbol))
            bid, ask = (
                impact_price(
                    ((price, lots) for price, lots, _ in market.levels(side, IMPACT_DEPTH)),
                    amount,
                    market.money_per_unit,
                )
                for side in (1, -1)
            )
            hour.sample(ts_ns, bid, ask, market.oracle_price)
            market.premium = hour.average
            market.funding_rate = as_rate(hour.rate)
            market.has_funding = True

    def settle(self, hour_ns: int) -> None:
        """End the hour: fix the rates it settles at, and remember them."""
        for symbol, market in self._markets.items():
            if not market.ts_mark_ns:
                rate, market.premium = self._hours[symbol].settle()
                market.funding_rate = as_rate(rate)
            if market.has_funding:
                market.funding_rates.append((hour_ns, market.funding_rate, market.premium))


def next_beat(ts_ns: int, beat_ns: int) -> int:
    """Return the first whole beat after a time."""
    return ts_ns - ts_ns % beat_ns + beat_ns
