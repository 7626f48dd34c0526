"""How an incoming order takes: level by level through the outside book and the accounts' orders together.

Rules 14, 15, 18 and 38 of docs/FILLS.md: best price first; at one price in order of time, where what the outside showed
when an order came is before it; an own order in the way is canceled as soon as its price is reached.
"""

from itertools import takewhile

from domain.order import Liquidity
from exchange.simulated.desk import Desk
from exchange.simulated.market import Market
from exchange.simulated.records import Liquidation, Status, VenueOrder


def take(desk: Desk, market: Market, taker: VenueOrder, liquidation: Liquidation | None = None) -> int:
    """Let an order take up to its price; return the notional taken. Units: Money."""
    side = taker.side
    line = market.resting(-side)
    shown = list(market.available(market.book.asks if side > 0 else market.book.bids))
    index = notional = 0
    while taker.is_open:
        price = line[0].price if line else 0
        left = 0
        if index < len(shown) and (not price or (price - shown[index][0]) * side >= 0):
            price, _, left = shown[index]
        if not price or (taker.price - price) * side < 0:
            break
        lots = taker.filled
        goes_on = _take_level(desk, market, taker, price, shown[index][1] if left else 0, left, liquidation)
        notional += (taker.filled - lots) * price * market.money_per_unit
        if not goes_on:
            break
        index += 1 if left else 0
    return notional


def _take_level(
    desk: Desk,
    market: Market,
    taker: VenueOrder,
    price: int,
    shown: int,
    left: int,
    liquidation: Liquidation | None,
) -> bool:
    """Take at one price; say whether there is any point in going on. left is what the outside has there."""
    others = _others_reached(desk, market, taker, price)
    begun = left
    for resting in others:
        ahead = left if resting.ahead < 0 else min(resting.ahead - (begun - left), left)
        if ahead > 0 and taker.is_open:
            left -= _take_outside(desk, market, taker, price, shown, ahead, liquidation)
        is_met = taker.is_open and resting.is_open
        if is_met and not desk.trade(market, taker, resting, liquidation) and resting.is_open:
            return False
    if left and taker.is_open:
        took = _take_outside(desk, market, taker, price, shown, left, liquidation)
        left -= took
        if not took:
            return False
    for resting in others:
        if resting.ahead > 0:
            resting.ahead = max(resting.ahead - (begun - left), 0)
            resting.traded += begun - left
    return True


def _take_outside(
    desk: Desk, market: Market, taker: VenueOrder, price: int, shown: int, lots: int, liquidation: Liquidation | None
) -> int:
    """Take lots of the outside market and remember that they are gone; return how many."""
    filled = desk.fill(market, taker, price, min(taker.leaves, lots), Liquidity.TAKER, liquidation)
    if filled:
        market.take(price, shown, filled)
    return filled


def _others_reached(desk: Desk, market: Market, taker: VenueOrder, price: int) -> list[VenueOrder]:
    """Cancel the taker's own resting orders that are reached, and return those of others at this price, in line."""
    side = -taker.side
    reached = list(takewhile(lambda one: (price - one.price) * side <= 0, market.resting(side)))
    for resting in reached:
        if resting.account is taker.account and resting.is_open:
            desk.end_by_venue(market, resting, Status.SELF_TRADE)
    return [resting for resting in reached if resting.account is not taker.account]
