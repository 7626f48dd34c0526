"""Who is filled by what the market did: decisions only, the venue executes them.

Rules 7 to 10 of docs/FILLS.md. A decision is a list of (order, lots) in the order of execution.
"""

from exchange.simulated.market import Market
from exchange.simulated.queue import ahead_after_trade, filled_by_trade
from exchange.simulated.records import VenueOrder

Decision = list[tuple[VenueOrder, int]]


def filled_by_print(market: Market, price: int, lots: int, aggressor: int) -> Decision:
    """Return the fills of one print, and move the queues it ate. Units: lots; aggressor +1 bought, -1 sold.

    An order the print passed is filled whole; an order at its price gets what the queue ahead leaves.
    """
    fills: Decision = []
    for line, side in ((market.buys, 1), (market.sells, -1)):
        left = lots
        for order in line:
            beyond = (order.price - price) * side
            if beyond < 0:
                break
            if beyond > 0:
                filled = order.leaves
            elif aggressor == side:
                break
            else:
                filled = filled_by_trade(order.ahead, order.leaves, left)
                order.ahead = ahead_after_trade(order.ahead, left)
                order.traded += lots
            if filled:
                fills.append((order, filled))
                left = max(left - filled, 0)
    return fills


def filled_by_book(market: Market) -> Decision:
    """Return the orders that the opposite best price has reached: each is filled whole."""
    fills: Decision = []
    for line, side in ((market.buys, 1), (market.sells, -1)):
        if not line:
            continue
        opposite = market.best(-side)
        if not opposite:
            continue
        for order in line:
            if (order.price - opposite) * side < 0:
                break
            fills.append((order, order.leaves))
    return fills
