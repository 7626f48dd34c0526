"""Which orders the venue takes: its own checks in its own order, answered in its own words.

Rules 22 to 30 of docs/FILLS.md. Law: a check never changes anything and never moves a price; the first objection wins.
"""

from collections.abc import Mapping

import msgspec

from domain.instrument import is_on_grid
from exchange.simulated import refusals
from exchange.simulated.accounts import Account
from exchange.simulated.margin import initial_margin, leverage_at, worst_lots
from exchange.simulated.market import Market
from exchange.simulated.refusals import Refusal, refusal
from exchange.simulated.settings import VenueSettings

PRICE_DISTANCE_PERCENT_MAX = 95
"""Source: HYPERLIQUID 6.3."""


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an incoming order asks for. Units: price units and lots still to fill; side is +1 or -1."""

    symbol: str
    side: int
    price: int
    lots: int
    post_only: bool
    reduce_only: bool


class Admission:
    """Reads markets and account; says yes or why not."""

    def __init__(self, markets: Mapping[str, Market], account: Account, settings: VenueSettings) -> None:
        """Look at the venue's own state; keep none but the settings."""
        self._markets = markets
        self._account = account
        self._leverage = settings.leverage
        self._open_orders_max = settings.open_orders_max

    def malformed(self, terms: Terms) -> Refusal | None:
        """Return the objection that needs no market at all: size and price as written."""
        market = self._markets.get(terms.symbol)
        if market is None:
            return refusal(refusals.UNKNOWN_ASSET)
        if terms.lots == 0:
            return refusal(refusals.ZERO_SIZE)
        if terms.lots < 0:
            return refusal(refusals.INVALID_SIZE)
        if terms.price <= 0:
            return refusal(refusals.INVALID_PRICE)
        grid = market.instrument
        if not is_on_grid(terms.price, market.whole, grid.significant_figures, grid.tick_min):
            return refusal(refusals.INVALID_TICK)
        return None

    def refusal(self, terms: Terms) -> Refusal | None:
        """Return the first objection to an order, None when the venue takes it."""
        malformed = self.malformed(terms)
        if malformed is not None:
            return malformed
        market = self._markets[terms.symbol]
        position = self._account.positions.get(terms.symbol, 0)
        is_close = terms.reduce_only and terms.lots >= abs(position) and position * terms.side < 0
        if terms.price * terms.lots * market.money_per_unit < market.instrument.notional_min and not is_close:
            return refusal(refusals.MIN_NOTIONAL)
        reference = market.reference()
        if reference and abs(terms.price - reference) * 100 > reference * PRICE_DISTANCE_PERCENT_MAX:
            return refusal(refusals.TOO_FAR)
        if terms.reduce_only and position * terms.side >= 0:
            return refusal(refusals.REDUCE_ONLY)
        if not terms.reduce_only and not self._has_margin(market, position, terms):
            return refusal(refusals.MARGIN)
        if len(self._account.orders) >= self._open_orders_max:
            return refusal(refusals.TOO_MANY)
        if terms.post_only and self._would_cross(market, terms):
            return refusal(
                refusals.POST_ONLY.format(
                    bid=market.text(market.best_with_own(1)), ask=market.text(market.best_with_own(-1))
                )
            )
        return None

    def would_match(self, terms: Terms) -> bool:
        """Say whether the market shows anything this order could take."""
        best = self._markets[terms.symbol].best(-terms.side)
        return bool(best) and (terms.price - best) * terms.side >= 0

    def equity(self) -> int:
        """Return cash plus positions at reference prices. Units: Money."""
        total = self._account.cash
        for symbol, lots in self._account.positions.items():
            market = self._markets[symbol]
            total += lots * market.reference() * market.money_per_unit
        return total

    def can_carry(self, market: Market, side: int, lots: int) -> bool:
        """Say whether the account still has the initial margin to be filled. Units: lots > 0."""
        positions = self._account.positions
        before = positions.get(market.symbol, 0)
        after = before + side * lots
        if abs(after) <= abs(before):
            return True
        used = self._margin(market, abs(after))
        for symbol, held in positions.items():
            if symbol != market.symbol:
                used += self._margin(self._markets[symbol], abs(held))
        return used <= self.equity()

    def _would_cross(self, market: Market, terms: Terms) -> bool:
        """Say whether an order would match at once, be it with our own."""
        best = market.best_with_own(-terms.side)
        return bool(best) and (terms.price - best) * terms.side >= 0

    def _has_margin(self, market: Market, position: int, terms: Terms) -> bool:
        """Say whether equity covers initial margin of the worst case with this order. Orders that add nothing may pass."""
        buys = market.open_buys + (terms.lots if terms.side > 0 else 0)
        sells = market.open_sells + (terms.lots if terms.side < 0 else 0)
        worst = worst_lots(position, buys, sells)
        if worst <= worst_lots(position, market.open_buys, market.open_sells):
            return True
        used = self._margin(market, worst, terms.price)
        exposed = self._account.exposed
        for symbol in list(exposed):
            other = self._markets[symbol]
            held = self._account.positions.get(symbol, 0)
            if not (held or other.open_buys or other.open_sells):
                del exposed[symbol]
            elif other is not market:
                used += self._margin(other, worst_lots(held, other.open_buys, other.open_sells))
        return used <= self.equity()

    def _margin(self, market: Market, lots: int, price: int = 0) -> int:
        """Return initial margin of this many lots at the reference price, or at price while that is unknown."""
        notional = lots * (market.reference() or price) * market.money_per_unit
        return initial_margin(notional, leverage_at(notional, self._leverage, market.lower_bounds, market.leverages))
