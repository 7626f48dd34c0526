"""Which orders the venue takes: its own checks in its own order, answered in its own words.

Rules 22 to 30 of docs/FILLS.md. Law: a check never changes anything and never moves a price; the first objection wins.
"""

from collections.abc import Mapping

from domain.instrument import is_on_grid
from domain.order import TimeInForce
from domain.units import MONEY_UNIT
from exchange.simulated import refusals
from exchange.simulated.accounts import Account
from exchange.simulated.margin import initial_margin, leverage_at, worst_lots
from exchange.simulated.market import Market
from exchange.simulated.records import Terms
from exchange.simulated.refusals import Refusal, refusal
from exchange.simulated.settings import VenueSettings

PRICE_DISTANCE_PERCENT_MAX = 95
"""Source: HYPERLIQUID 6.3."""

VOLUME_PER_OPEN_ORDER = 5_000_000 * MONEY_UNIT
OPEN_ORDERS_CAP = 5_000
"""One more open order for each 5M USDC of volume, up to the cap. Source: HYPERLIQUID 6.3."""

ORDER_NOTIONALS_MAX = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))
"""Least leverage of the coin to the greatest market order in USDC; limit orders may be ten times it. Source: 6.3."""

LIMIT_ORDER_FACTOR = 10


class Admission:
    """Reads markets and accounts; says yes or why not."""

    def __init__(self, markets: Mapping[str, Market], settings: VenueSettings) -> None:
        """Look at the venue's own state; keep none but the settings."""
        self._markets = markets
        self._leverage = settings.leverage
        self._open_orders_max = settings.open_orders_max
        self._rules = settings.rules

    def malformed(self, terms: Terms, *, is_whole_position: bool = False) -> Refusal | None:
        """Return the objection that needs no market at all: size and price as written.

        is_whole_position allows a size of zero, which stands for the position as it will be.
        """
        market = self._markets.get(terms.symbol)
        if market is None:
            return refusal(refusals.UNKNOWN_ASSET)
        if terms.lots == 0 and not is_whole_position:
            return refusal(refusals.ZERO_SIZE)
        if terms.lots < 0:
            return refusal(refusals.INVALID_SIZE)
        if terms.price <= 0:
            return refusal(refusals.INVALID_PRICE)
        if not self.is_on_grid(market, terms.price):
            return refusal(refusals.INVALID_TICK)
        trigger = terms.trigger
        if trigger is not None and (trigger.price <= 0 or not self.is_on_grid(market, trigger.price)):
            return refusal(refusals.INVALID_TICK if trigger.price > 0 else refusals.INVALID_PRICE)
        return None

    def refusal(self, account: Account, terms: Terms) -> Refusal | None:
        """Return the first objection to an order, None when the venue takes it."""
        malformed = self.malformed(terms)
        if malformed is not None:
            return malformed
        market = self._markets[terms.symbol]
        position = account.positions.get(terms.symbol, 0)
        notional = terms.price * terms.lots * market.money_per_unit
        is_close = terms.reduce_only and terms.lots >= abs(position) and position * terms.side < 0
        if notional < market.instrument.notional_min and not is_close:
            return refusal(refusals.MIN_NOTIONAL)
        if self.is_far(market, terms.price):
            return refusal(refusals.TOO_FAR)
        if self._rules.limits_order_notional and notional > self.notional_max(market, terms):
            return refusal(refusals.POSITION_LIMIT)
        if terms.reduce_only and position * terms.side >= 0:
            return refusal(refusals.REDUCE_ONLY)
        if not terms.reduce_only and not self._has_margin(account, market, position, terms):
            return refusal(refusals.MARGIN)
        if len(account.orders) >= self.open_orders_max(account, terms):
            return refusal(refusals.TOO_MANY)
        if terms.post_only and self._would_cross(market, terms):
            return refusal(
                refusals.POST_ONLY.format(
                    bid=market.text(market.best_of_all(1)), ask=market.text(market.best_of_all(-1))
                )
            )
        return None

    def objection_to_waiting(self, account: Account, terms: Terms, *, is_whole_position: bool) -> Refusal | None:
        """Return the first objection to an order that waits for a trigger: what it may be filled on is asked later."""
        malformed = self.malformed(terms, is_whole_position=is_whole_position)
        if malformed is not None:
            return malformed
        market = self._markets[terms.symbol]
        notional = terms.price * terms.lots * market.money_per_unit
        if notional < market.instrument.notional_min and not terms.reduce_only:
            return refusal(refusals.MIN_NOTIONAL)
        if self.is_far(market, terms.price):
            return refusal(refusals.TOO_FAR)
        if len(account.orders) >= self.open_orders_max(account, terms):
            return refusal(refusals.TOO_MANY)
        return None

    def is_far(self, market: Market, price: int) -> bool:
        """Say whether a price is outside the band around the reference."""
        reference = market.reference()
        return bool(reference) and abs(price - reference) * 100 > reference * PRICE_DISTANCE_PERCENT_MAX

    def notional_max(self, market: Market, terms: Terms) -> int:
        """Return the greatest value of an order. Units: Money."""
        factor = LIMIT_ORDER_FACTOR if terms.time_in_force is not TimeInForce.IOC else 1
        leverage = market.instrument.leverage_max
        return next(most for least, most in ORDER_NOTIONALS_MAX if leverage >= least) * MONEY_UNIT * factor

    def open_orders_max(self, account: Account, terms: Terms) -> int:
        """Return how many open orders the account may have for this one to be taken."""
        most = self._open_orders_max
        if not self._rules.limits_open_orders or terms.reduce_only or terms.trigger is not None:
            return most
        return max(most, min(most + account.volume_total // VOLUME_PER_OPEN_ORDER, OPEN_ORDERS_CAP))

    def would_match(self, account: Account, terms: Terms) -> bool:
        """Say whether anybody but the account itself shows anything this order could take."""
        market = self._markets[terms.symbol]
        best = market.best(-terms.side)
        if best and (terms.price - best) * terms.side >= 0:
            return True
        for order in market.resting(-terms.side):
            if (terms.price - order.price) * terms.side < 0:
                return False
            if order.account is not account:
                return True
        return False

    def equity(self, account: Account) -> int:
        """Return cash plus cross positions at reference prices. Units: Money."""
        total = account.cash
        for symbol, lots in account.positions.items():
            if symbol not in account.isolated:
                market = self._markets[symbol]
                total += lots * market.reference() * market.money_per_unit
        return total

    def can_carry(self, account: Account, market: Market, side: int, lots: int) -> bool:
        """Say whether the account still has the initial margin to be filled. Units: lots > 0."""
        positions = account.positions
        before = positions.get(market.symbol, 0)
        after = before + side * lots
        if abs(after) <= abs(before):
            return True
        used = self.margin(account, market, abs(after))
        if market.symbol in account.isolated:
            used -= self.margin(account, market, abs(before))
        for symbol, held in positions.items():
            if symbol != market.symbol and symbol not in account.isolated:
                used += self.margin(account, self._markets[symbol], abs(held))
        return used <= self.equity(account)

    def leverage(self, account: Account, market: Market) -> int:
        """Return the leverage the account has chosen for a market, else the venue's default."""
        chosen = account.leverages.get(market.symbol)
        return chosen[0] if chosen is not None else min(self._leverage, market.instrument.leverage_max)

    def margin(self, account: Account, market: Market, lots: int, price: int = 0) -> int:
        """Return initial margin of this many lots at the reference price, or at price while that is unknown."""
        notional = lots * (market.reference() or price) * market.money_per_unit
        leverage = self.leverage(account, market)
        return initial_margin(notional, leverage_at(notional, leverage, market.lower_bounds, market.leverages))

    def margin_used(self, account: Account, but: Market | None = None) -> int:
        """Return the initial margin of every market's worst case, resting orders included. Units: Money.

        A market that holds neither position nor order any more is forgotten on the way. What an isolated position has
        already set aside is not asked for again. `but` is left out.
        """
        used = 0
        exposed = account.exposed
        for symbol in list(exposed):
            held = account.positions.get(symbol, 0)
            buys, sells = account.open_buys.get(symbol, 0), account.open_sells.get(symbol, 0)
            if not (held or buys or sells):
                del exposed[symbol]
                continue
            other = self._markets[symbol]
            if other is not but:
                used += self.margin(account, other, worst_lots(held, buys, sells))
                if symbol in account.isolated:
                    used -= self.margin(account, other, abs(held))
        return used

    def is_on_grid(self, market: Market, price: int) -> bool:
        """Say whether a price is one the venue takes."""
        grid = market.instrument
        return bool(is_on_grid(price, market.whole, grid.significant_figures, grid.tick_min))

    def _would_cross(self, market: Market, terms: Terms) -> bool:
        """Say whether an order would match at once, be it with our own."""
        best = market.best_of_all(-terms.side)
        return bool(best) and (terms.price - best) * terms.side >= 0

    def _has_margin(self, account: Account, market: Market, position: int, terms: Terms) -> bool:
        """Say whether equity covers initial margin of the worst case with this order. Orders that add nothing may pass."""
        open_buys, open_sells = account.open_buys.get(market.symbol, 0), account.open_sells.get(market.symbol, 0)
        buys = open_buys + (terms.lots if terms.side > 0 else 0)
        sells = open_sells + (terms.lots if terms.side < 0 else 0)
        worst = worst_lots(position, buys, sells)
        if worst <= worst_lots(position, open_buys, open_sells):
            return True
        used = self.margin(account, market, worst, terms.price) + self.margin_used(account, market)
        if market.symbol in account.isolated:
            used -= self.margin(account, market, abs(position))
        return used <= self.equity(account)
