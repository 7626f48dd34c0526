"""What the venue tells an auditor: one account, whole, as of the venue's own time.

Laws: it reads and changes nothing; like the real venue it tells the newest FILLS_KEPT fills and FUNDINGS_KEPT
settlements only, and says from when on its lists are complete.
"""

from domain.identifiers import ClientOrderId, VenueOrderId
from domain.order import Side
from domain.statement import OpenOrder, VenueStatement
from domain.units import Lots, Money, Price
from exchange.simulated.accounts import FILLS_KEPT, FUNDINGS_KEPT
from exchange.simulated.door import Door


def statement_of(door: Door, account: str, ts_ns: int) -> VenueStatement:
    """Return the account as of ts_ns, the time of the last thing that happened at the venue.

    Positions are worth their mark, at entry cost while the market has none.
    """
    held = door.account
    markets = door.venue.markets
    marks = {symbol: markets[symbol].mark_price or markets[symbol].reference() for symbol in held.positions}
    value = held.cash + sum(
        lots * marks[symbol] * markets[symbol].money_per_unit if marks[symbol] else held.costs[symbol]
        for symbol, lots in held.positions.items()
    )
    # The oldest fact that is kept may have had others at its very instant that are not.
    since = [
        kept[0].ts_event_ns + 1
        for kept, kept_max in ((door.fills, FILLS_KEPT), (door.fundings, FUNDINGS_KEPT))
        if len(kept) == kept_max
    ]
    return VenueStatement(
        account=account,
        ts_ns=ts_ns,
        cash=Money(held.cash),
        account_value=Money(value),
        positions=dict(sorted(held.positions.items())),
        costs=dict(sorted(held.costs.items())),
        marks={symbol: mark for symbol, mark in sorted(marks.items()) if mark},
        decimals={
            symbol: (market.instrument.price_decimals, market.instrument.size_decimals)
            for symbol, market in markets.items()
        },
        complete_since_ns=max(since, default=0),
        open_orders=tuple(
            OpenOrder(
                client_order_id=ClientOrderId(order.client_order_id),
                venue_order_id=VenueOrderId(order.venue_order_id),
                symbol=order.symbol,
                side=Side.BUY if order.side > 0 else Side.SELL,
                price=Price(order.price),
                leaves=Lots(order.leaves),
            )
            for order in held.orders.values()
        ),
        fills=tuple(door.fills),
        fundings=tuple(door.fundings),
    )
