"""Orders that wait: take-profit and stop orders, alone, as children of a parent, or for a whole position.

Theory of operation. A waiting order lives in the account's orders but in no line. A mark price at or beyond its trigger
fires it: it is told as `triggered` and then behaves as a normal order, a market one within the slippage the venue
allows around the mark. Orders of one group end together: what is filled cancels its siblings.

Rules 42 to 46 of docs/FILLS.md. Source: HYPERLIQUID 3.2, 3.5, 6.4.
"""

from collections.abc import Sequence

from domain.units import Price, money_times_rate
from exchange.simulated import refusals
from exchange.simulated.accounts import Account
from exchange.simulated.desk import Desk
from exchange.simulated.market import Market
from exchange.simulated.records import Status, Terms, VenueOrder
from exchange.simulated.refusals import Refusal, refusal
from exchange.simulated.taking import take

CHILDREN_MAX = 2
"""One take-profit and one stop for a parent."""


class Triggers:
    """Every waiting order of the venue, by market."""

    def __init__(self, desk: Desk) -> None:
        """Start with none."""
        self._desk = desk
        self._waiting: dict[str, dict[int, VenueOrder]] = {symbol: {} for symbol in desk.markets}
        desk.on_ended = self.on_ended

    def has_any(self, symbol: str) -> bool:
        """Say whether a market has orders that may fire."""
        return bool(self._waiting[symbol])

    def objection(
        self, account: Account, terms: Terms, *, entry: int = 0, is_whole_position: bool = False, is_child: bool = False
    ) -> Refusal | None:
        """Return why a trigger order is not taken. entry stands for the mark while a parent's fill is ahead of it."""
        refused = self._desk.admission.objection_to_waiting(account, terms, is_whole_position=is_whole_position)
        if refused is not None:
            return refused
        market = self._desk.markets[terms.symbol]
        price = entry or market.reference()
        if terms.reduce_only and not is_child and account.positions.get(terms.symbol, 0) * terms.side >= 0:
            return refusal(refusals.REDUCE_ONLY)
        if price and is_fired(terms, price):
            return refusal(refusals.TRIGGER_PRICE)
        return None

    def wait(self, account: Account, terms: Terms, status: str = Status.OPEN) -> VenueOrder:
        """Take a trigger order; a child of an unfilled parent waits for it first."""
        order = self._desk.opened(account, terms, status=status)
        if status == Status.OPEN:
            self._waiting[terms.symbol][order.venue_order_id] = order
        return order

    def adopt(self, parent: VenueOrder, children: Sequence[VenueOrder]) -> None:
        """Make orders the children of a parent, and siblings of each other."""
        parent.children = tuple(children)
        for child in children:
            child.parent = parent
        make_siblings(children)

    def watch_position(self, orders: Sequence[VenueOrder]) -> None:
        """Make orders stand for a whole position: they go when it is closed."""
        make_siblings(orders)
        for order in orders:
            order.is_position_tpsl = True
            order.account.reducing.setdefault(order.symbol, []).append(order)

    def on_mark(self, market: Market) -> None:
        """Fire what the mark has reached, oldest first."""
        price = market.mark_price
        for order in list(self._waiting[market.symbol].values()):
            if price and order.is_waiting and is_fired(order, price):
                self._fire(market, order)

    def on_ended(self, order: VenueOrder) -> None:
        """Let the end of an order bring up its children or take down its siblings."""
        self._waiting[order.symbol].pop(order.venue_order_id, None)
        if order.is_position_tpsl and order in order.account.reducing[order.symbol]:
            order.account.reducing[order.symbol].remove(order)
        is_done = order.status == Status.FILLED or (order.status == Status.MARGIN and order.filled > 0)
        for child in order.children:
            if child.is_open and is_done:
                self._waiting[child.symbol][child.venue_order_id] = child
                self._desk.change(child, Status.OPEN)
            elif child.is_open:
                self._desk.close(child, Status.CANCELED)
        if order.trigger is not None and order.filled:
            for sibling in order.siblings:
                if sibling.is_open:
                    self._desk.end_by_venue(self._desk.markets[sibling.symbol], sibling, Status.SIBLING_FILLED)

    def _fire(self, market: Market, order: VenueOrder) -> None:
        """Let a trigger order become a normal one."""
        desk, account = self._desk, order.account
        del self._waiting[market.symbol][order.venue_order_id]
        position = account.positions.get(market.symbol, 0)
        if order.is_position_tpsl:
            account.reducing[market.symbol].remove(order)
            if not order.lots:
                order.lots = abs(position)
        desk.change(order, Status.TRIGGERED)
        if order.reduce_only and position * order.side >= 0:
            desk.cancel_unrested(order, Status.REDUCE_ONLY)
            return
        trigger = order.trigger
        if trigger is not None and trigger.is_market:
            order.price = self._market_price(market, order.side)
        lots = order.leaves
        if not order.reduce_only and not desk.admission.can_carry(account, market, order.side, lots):
            desk.cancel_unrested(order, Status.MARGIN)
            return
        take(desk, market, order)
        if not order.is_open:
            return
        if trigger is not None and trigger.is_market:
            desk.close(order, Status.CANCELED if order.filled else NO_LIQUIDITY_STATUS)
        elif order.reduce_only and account.positions.get(market.symbol, 0) * order.side >= 0:
            desk.cancel_unrested(order, Status.REDUCE_ONLY)
        else:
            desk.change(order, Status.OPEN)
            desk.rest(market, order)

    def _market_price(self, market: Market, side: int) -> int:
        """Return the worst price of a market trigger: the mark and the venue's slippage, on the grid."""
        reference = market.reference()
        limit = reference + side * money_times_rate(reference, int(self._desk.rules.market_slippage))
        grid = market.instrument
        return int(grid.floor(Price(limit)) if side > 0 else grid.ceil(Price(limit)))


NO_LIQUIDITY_STATUS = refusals.rejected_status(refusals.NO_LIQUIDITY)


def is_fired(order: Terms | VenueOrder, price: int) -> bool:
    """Say whether a mark price has reached the trigger: stops follow the price, take-profits meet it."""
    trigger = order.trigger
    if trigger is None:
        return False
    towards = -order.side if trigger.is_take_profit else order.side
    return (price - trigger.price) * towards >= 0


def make_siblings(orders: Sequence[VenueOrder]) -> None:
    """Let orders end together."""
    for order in orders:
        order.siblings = tuple(other for other in orders if other is not order)


def children_objection(orders: Sequence[Terms]) -> Refusal | None:
    """Return why orders are no parent with its take-profit and stop."""
    parent, children = orders[0], orders[1:]
    if parent.trigger is not None or not 1 <= len(children) <= CHILDREN_MAX:
        return refusal(refusals.TRIGGER_COUNT)
    for child in children:
        if child.trigger is None or child.symbol != parent.symbol or child.side == parent.side:
            return refusal(refusals.TRIGGER_COUNT)
    return waiting_objection(children)


def position_objection(orders: Sequence[Terms]) -> Refusal | None:
    """Return why orders are no take-profit and stop of one position."""
    if len(orders) > CHILDREN_MAX or any(terms.trigger is None for terms in orders):
        return refusal(refusals.TRIGGER_COUNT)
    if any(terms.symbol != orders[0].symbol or terms.side != orders[0].side for terms in orders):
        return refusal(refusals.TRIGGER_COUNT)
    return waiting_objection(orders)


def waiting_objection(orders: Sequence[Terms]) -> Refusal | None:
    """Return the objection to grouped trigger orders that could open a position."""
    if any(not terms.reduce_only for terms in orders):
        return refusal(refusals.TRIGGER_NOT_REDUCE_ONLY)
    return None
