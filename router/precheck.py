"""The API pre-check: every rule of the venue that can be known before an order is sent, in the venue's order.

Why it exists: a refusal by the venue costs a request, a round trip and a place in the queue; one found here costs
microseconds and names the numbers. The rules are plain functions on integers, which the compiled backtest calls too.

Laws: nothing is changed, least of all a price: an order passes as it is or is denied with one reason. What is unknown
(a price of 0) forbids nothing here; whether to trade without it is the risk manager's question.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from domain.errors import ConfigInvalid, InvariantBroken
from domain.instrument import Instrument, is_on_grid, tick_at
from domain.order import Approved, Denial
from domain.reasons import Reason
from domain.units import MONEY_UNIT
from domain.views import AccountView, ExposureView, MarketView

ORDER_VALUE_MAX: Final = 1_000_000_000 * MONEY_UNIT
"""Sizes worth more are no sizes: the venue's largest limit order is 300 million USDC (HYPERLIQUID 6.3). The bound also
keeps the order's part of every product below inside 64 bits."""

NO_TIER_ENDS: Final = 2**63 - 1

PRICE_DISTANCE_PERCENT_MAX: Final = 95
"""Source: HYPERLIQUID 6.3, orders more than 95 % away from the reference price are refused; read 2026-11-20."""

PASSED: Final = int(Reason.NONE)
ZERO_SIZE: Final = int(Reason.ZERO_SIZE)
INVALID_LOT: Final = int(Reason.INVALID_LOT)
INVALID_TICK: Final = int(Reason.INVALID_TICK)
MIN_NOTIONAL: Final = int(Reason.MIN_NOTIONAL)
PRICE_TOO_FAR: Final = int(Reason.PRICE_TOO_FAR)
REDUCE_ONLY_VIOLATION: Final = int(Reason.REDUCE_ONLY_VIOLATION)
INSUFFICIENT_MARGIN: Final = int(Reason.INSUFFICIENT_MARGIN)
POST_ONLY_WOULD_CROSS: Final = int(Reason.POST_ONLY_WOULD_CROSS)
RATE_BUDGET: Final = int(Reason.RATE_BUDGET)


def distance_max(reference: int) -> int:
    """Return how far an order price may be from the reference price, exactly rounded down. Units: price units."""
    whole, rest = reference // 100, reference % 100
    return whole * PRICE_DISTANCE_PERCENT_MAX + rest * PRICE_DISTANCE_PERCENT_MAX // 100


def worst_case_lots(position: int, buy_lots: int, sell_lots: int) -> int:
    """Return the largest size the position can reach if only one side of the open orders fills. Units: lots."""
    return max(abs(position + buy_lots), abs(position - sell_lots))


def worst_case_after(position: int, buy_lots: int, sell_lots: int, side: int, lots: int, replacing_lots: int) -> int:
    """Return the worst case once an order of this side and size stands in place of replacing_lots. Units: lots."""
    if side > 0:
        return worst_case_lots(position, buy_lots + lots - replacing_lots, sell_lots)
    return worst_case_lots(position, buy_lots, sell_lots + lots - replacing_lots)


def margin_needed(more_lots: int, price: int, money_per_unit: int, leverage: int) -> int:
    """Return the initial margin of more lots, rounded up. Units: Money. Source: HYPERLIQUID 9.3."""
    return -(-more_lots * price * money_per_unit // leverage)


def closes_position(side: int, lots: int, position: int) -> bool:
    """Say whether an order could close the whole of an open position."""
    return position * side < 0 and lots >= abs(position)


def check_order(
    side: int,
    price: int,
    lots: int,
    post_only: bool,
    reduce_only: bool,
    position: int,
    buy_lots: int,
    sell_lots: int,
    replacing_lots: int,
    bid: int,
    ask: int,
    reference: int,
    equity: int,
    margin_used: int,
    budget_left: int,
    whole: int,
    significant_figures: int,
    tick_min: int,
    money_per_unit: int,
    notional_min: int,
    leverage: int,
    tier_notional_max: int,
) -> int:
    """Return the code of the first rule an order breaks, 0 when it breaks none.

    Units: side 1 or -1; prices in price units, 0 unknown; lots; equity, margin_used and notionals in Money.
    position is signed, buy_lots and sell_lots are what open orders may still add (replacing_lots of them are the
    order this one replaces), tier_notional_max is the position value the account's leverage allows. Compiled, the
    worst case of position and open orders at price or reference must stay inside 64 bits of Money (92 billion USDC).
    Sign: an order that does not raise the worst case needs no margin, and a reduce-only order never does.
    Source: HYPERLIQUID 3.5, 3.6, 6.2, 6.3, 7.2, 9.3; read 2026-11-20. Runs plain and compiled.
    """
    if lots == 0:
        return ZERO_SIZE
    if lots < 0 or (price > 0 and lots > ORDER_VALUE_MAX // money_per_unit // price):
        return INVALID_LOT
    if not is_on_grid(price, whole, significant_figures, tick_min):
        return INVALID_TICK
    if price * lots * money_per_unit < notional_min and not (reduce_only and closes_position(side, lots, position)):
        return MIN_NOTIONAL
    if reference > 0 and abs(price - reference) > distance_max(reference):
        return PRICE_TOO_FAR
    if reduce_only:
        if position * side >= 0:
            return REDUCE_ONLY_VIOLATION
    else:
        worst = worst_case_after(position, buy_lots, sell_lots, side, lots, replacing_lots)
        more_lots = worst - worst_case_lots(position, buy_lots, sell_lots)
        if more_lots > 0:
            dearest = max(price, reference)
            if worst * dearest * money_per_unit > tier_notional_max:
                return INSUFFICIENT_MARGIN
            if margin_used + margin_needed(more_lots, dearest, money_per_unit, leverage) > equity:
                return INSUFFICIENT_MARGIN
    if post_only and ((side > 0 and 0 < ask <= price) or (side < 0 and price <= bid)):
        return POST_ONLY_WOULD_CROSS
    if budget_left < 1:
        return RATE_BUDGET
    return PASSED


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What the venue asks of orders of one instrument at the account's leverage, computed once."""

    whole: int
    significant_figures: int
    tick_min: int
    money_per_unit: int
    notional_min: int
    leverage: int
    tier_notional_max: int


def terms_of(instrument: Instrument, leverage: int) -> Terms:
    """Return the venue's terms for one instrument.

    The leverage is capped by the instrument's own; the position is capped where the first margin tier begins that
    allows less. Source: HYPERLIQUID 3.6 ("exceed margin tier limit at current leverage"), 9.3; read 2026-11-20.
    """
    capped = min(leverage, instrument.leverage_max)
    ends = [int(tier.lower_bound) for tier in instrument.margin_tiers if tier.leverage_max < capped]
    return Terms(
        instrument.whole,
        instrument.significant_figures,
        instrument.tick_min,
        instrument.money_per_unit,
        instrument.notional_min,
        capped,
        min(ends, default=NO_TIER_ENDS),
    )


class Precheck:
    """Looks at every approved order before it becomes a command."""

    def __init__(self, instruments: Mapping[str, Instrument], leverage: int) -> None:
        """Read the terms of each instrument. Raises: ConfigInvalid for a leverage below 1."""
        if leverage < 1:
            raise ConfigInvalid("leverage", leverage, "1 or more")
        self._terms = {symbol: terms_of(instrument, leverage) for symbol, instrument in instruments.items()}

    def check(
        self,
        approved: Approved,
        market: MarketView,
        exposure: ExposureView,
        account: AccountView,
        budget_left: int,
        replacing_lots: int = 0,
    ) -> Denial | None:
        """Return why the venue would refuse an approved order, or None.

        Units: budget_left in requests; replacing_lots is what is still open of the order this one replaces, already
        counted in exposure. The reference price is the mark, or the mid while there is no mark.
        Raises: InvariantBroken for an instrument nobody told us of.
        """
        intent = approved.intent
        terms = self._terms.get(intent.symbol)
        if terms is None:
            raise InvariantBroken(f"pre-check was asked about {intent.symbol!r}, which is not among its instruments")
        code = check_order(
            intent.side,
            intent.price,
            approved.lots,
            intent.post_only,
            intent.reduce_only,
            exposure.position,
            exposure.open_buy_lots,
            exposure.open_sell_lots,
            replacing_lots,
            market.bid_price,
            market.ask_price,
            market.mark_price or market.mid_x2 // 2,
            account.equity,
            account.margin_used,
            budget_left,
            terms.whole,
            terms.significant_figures,
            terms.tick_min,
            terms.money_per_unit,
            terms.notional_min,
            terms.leverage,
            terms.tier_notional_max,
        )
        if code == PASSED:
            return None
        limit, observed = _evidence(code, approved, terms, market, exposure, account, budget_left, replacing_lots)
        return Denial(Reason(code), limit, observed)


def _evidence(
    code: int,
    approved: Approved,
    terms: Terms,
    market: MarketView,
    exposure: ExposureView,
    account: AccountView,
    budget_left: int,
    replacing_lots: int,
) -> tuple[int, int]:
    """Return limit and observed behind a denial, in the unit of the rule."""
    side, price, lots = approved.intent.side, approved.intent.price, approved.lots
    reference = market.mark_price or market.mid_x2 // 2
    if code == ZERO_SIZE:
        return 1, lots
    if code == INVALID_LOT:
        return (1 if lots < 0 else ORDER_VALUE_MAX // terms.money_per_unit // price), lots
    if code == INVALID_TICK:
        return tick_at(price, terms.whole, terms.significant_figures, terms.tick_min), price
    if code == MIN_NOTIONAL:
        return terms.notional_min, price * lots * terms.money_per_unit
    if code == PRICE_TOO_FAR:
        return distance_max(reference), abs(price - reference)
    if code == REDUCE_ONLY_VIOLATION:
        return exposure.position, side * lots
    if code == INSUFFICIENT_MARGIN:
        position, buy_lots, sell_lots = exposure.position, exposure.open_buy_lots, exposure.open_sell_lots
        dearest = max(price, reference)
        worst = worst_case_after(position, buy_lots, sell_lots, side, lots, replacing_lots)
        if worst * dearest * terms.money_per_unit > terms.tier_notional_max:
            return terms.tier_notional_max, worst * dearest * terms.money_per_unit
        more_lots = worst - worst_case_lots(position, buy_lots, sell_lots)
        needed = margin_needed(more_lots, dearest, terms.money_per_unit, terms.leverage)
        return account.equity, account.margin_used + needed
    if code == POST_ONLY_WOULD_CROSS:
        return (market.ask_price if side > 0 else market.bid_price), price
    return 1, budget_left
