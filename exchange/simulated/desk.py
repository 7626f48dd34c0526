"""Where orders live and end: opening, filling, closing, and telling the bot.

Laws: an order is filled never beyond its size; a reduce-only order never beyond the position; every order that was
accepted ends exactly once; an account fact carries the statement as it stood right after it.
"""

from collections.abc import Callable, Mapping

from domain.events import Event, OrderCanceled, OrderFilled, OrderStatus
from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.order import Liquidity, Side
from domain.reasons import Reason
from domain.units import Lots, Money, Price
from exchange.port import Statement
from exchange.simulated.accounts import Account, VenueOrder
from exchange.simulated.admission import Admission, Terms
from exchange.simulated.costs import fee_of
from exchange.simulated.market import Market
from exchange.simulated.matching import Decision
from exchange.simulated.refusals import CANCELED_TEXTS
from exchange.simulated.settings import VenueSettings

Stamp = Callable[[int], int]
"""Venue time to the time at which a fact of it reaches the bot."""

Deliver = Callable[[Event, Statement | None], None]


class Desk:
    """The account's orders at work."""

    def __init__(self, markets: Mapping[str, Market], settings: VenueSettings, stamp: Stamp, deliver: Deliver) -> None:
        """Open the account. stamp gives receive times, deliver sends facts."""
        self.account = Account(settings.cash)
        self.admission = Admission(markets, self.account, settings)
        self.ts_ns = 0
        self._markets = markets
        self._rates = {Liquidity.MAKER: int(settings.maker_rate), Liquidity.TAKER: int(settings.taker_rate)}
        self._stamp = stamp
        self._deliver = deliver
        self._orders_opened = 0
        self._trades = 0

    def recv_ns(self) -> int:
        """Return when a fact of now reaches the bot."""
        return self._stamp(self.ts_ns)

    def tell(self, fact: Event) -> None:
        """Send a fact that moves no money."""
        self._deliver(fact, None)

    def tell_account(self, fact: Event) -> None:
        """Send an account fact together with the statement after it."""
        self._deliver(fact, self.account.statement())

    def opened(self, terms: Terms, name: ClientOrderId, *, filled: int = 0) -> VenueOrder:
        """Return a new order with the next venue number, known but not yet in line."""
        self._orders_opened += 1
        order = VenueOrder(
            name,
            VenueOrderId(self._orders_opened),
            terms.symbol,
            terms.side,
            terms.price,
            terms.lots + filled,
            reduce_only=terms.reduce_only,
            filled=filled,
        )
        self.account.orders[name] = order
        self.account.exposed[terms.symbol] = True
        return order

    def rest(self, market: Market, order: VenueOrder) -> None:
        """Put an order in line; of several reduce-only orders above the position the oldest go."""
        market.insert(order)
        if not order.reduce_only:
            return
        position = abs(self.account.positions.get(market.symbol, 0))
        older = [other for other in market.resting(order.side) if other.reduce_only and other is not order]
        total = order.leaves + sum(other.leaves for other in older)
        for oldest in sorted(older, key=lambda other: other.venue_order_id):
            if total <= position:
                return
            total -= oldest.leaves
            self.end_by_venue(market, oldest, Reason.VENUE_REDUCE_ONLY)

    def execute(self, market: Market, fills: Decision) -> None:
        """Fill resting orders as decided, at their own prices."""
        for order, lots in fills:
            if order.is_open:
                self.fill(market, order, order.price, lots, Liquidity.MAKER)

    def fill(self, market: Market, order: VenueOrder, price: int, lots: int, liquidity: Liquidity) -> int:
        """Fill an order and return how much: less for reduce-only beyond the position, nothing without margin."""
        account, side = self.account, order.side
        if order.reduce_only:
            lots = min(lots, max(-account.positions.get(market.symbol, 0) * side, 0))
            if lots == 0:
                return 0
        is_resting = liquidity is Liquidity.MAKER
        if is_resting and not self.admission.can_carry(market, side, lots):
            self.end_by_venue(market, order, Reason.VENUE_MARGIN)
            return 0
        notional = price * lots * market.money_per_unit
        fee = fee_of(notional, self._rates[liquidity])
        before = account.take_fill(market.symbol, side, lots, notional, fee)
        if is_resting:
            market.count(order, -lots)
        order.filled += lots
        self._trades += 1
        fact = OrderFilled(
            ts_event_ns=self.ts_ns,
            ts_recv_ns=self.recv_ns(),
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            symbol=market.symbol,
            side=Side.BUY if side > 0 else Side.SELL,
            trade_id=TradeId(self._trades),
            price=Price(price),
            lots=Lots(lots),
            liquidity=liquidity,
            fee=Money(fee),
            start_position=Lots(before),
        )
        account.fills.append(fact)
        self.tell_account(fact)
        if order.filled == order.lots:
            if is_resting:
                market.remove(order)
            self.close(order, OrderStatus.FILLED)
        self._cancel_idle_reduce_only(market)
        return lots

    def close(self, order: VenueOrder, status: OrderStatus) -> None:
        """End an order that is out of line; remember what became of it."""
        order.is_open = False
        del self.account.orders[order.client_order_id]
        self.account.ended[order.client_order_id] = (status, order.filled)

    def end_by_venue(self, market: Market, order: VenueOrder, reason: Reason) -> None:
        """Cancel a resting order on the venue's own account and say why."""
        market.remove(order)
        self.cancel_unrested(order, reason)

    def cancel_unrested(self, order: VenueOrder, reason: Reason) -> None:
        """Cancel an order that is not in line and say why."""
        self.close(order, OrderStatus.CANCELED)
        self.tell(
            OrderCanceled(
                ts_event_ns=self.ts_ns,
                ts_recv_ns=self.recv_ns(),
                client_order_id=order.client_order_id,
                reason=reason,
                venue_text=CANCELED_TEXTS[reason],
            )
        )

    def _cancel_idle_reduce_only(self, market: Market) -> None:
        """Cancel resting reduce-only orders that have nothing left to reduce."""
        position = self.account.positions.get(market.symbol, 0)
        for line, side in ((market.buys, 1), (market.sells, -1)):
            if position * side < 0:
                continue
            for order in [other for other in line if other.reduce_only]:
                self.end_by_venue(market, order, Reason.VENUE_REDUCE_ONLY)
