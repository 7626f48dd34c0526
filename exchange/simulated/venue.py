"""The venue itself: it takes orders, matches them against the recorded market, and settles funding.

Theory of operation. The venue lives in its own time: market events and commands reach it in the order of their venue
time, and it answers with facts that `exchange.py` carries to the bot. The market is what was recorded; our orders are
guests in it, and the market does not react to them. The rules are sentences in docs/FILLS.md, each with a test of the
same number.

Laws: cash and positions move with fills and funding only; every command is answered.
"""

from collections.abc import Callable, Mapping
from typing import Any

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, QueryOrder, ReplaceOrder, VenueCommand
from domain.events import (
    AccountReported,
    BookChanged,
    CancelRefused,
    FundingPaid,
    MarkChanged,
    MarketEvent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
    TopOfBookChanged,
    TradePrinted,
)
from domain.instrument import Instrument
from domain.order import Liquidity, TimeInForce
from domain.reasons import Reason
from domain.units import Lots, Money, Price, Rate
from exchange.simulated import refusals
from exchange.simulated.accounts import VenueOrder
from exchange.simulated.admission import Terms
from exchange.simulated.costs import funding_of
from exchange.simulated.desk import Deliver, Desk, Stamp
from exchange.simulated.market import Market
from exchange.simulated.matching import filled_by_book, filled_by_print
from exchange.simulated.refusals import Refusal, refusal
from exchange.simulated.settings import QueueModel, VenueSettings


class Venue:
    """Markets, and one account's desk in front of them."""

    def __init__(
        self, instruments: Mapping[str, Instrument], settings: VenueSettings, stamp: Stamp, deliver: Deliver
    ) -> None:
        """Open every market and the account. stamp gives receive times, deliver sends facts."""
        self.markets = {symbol: Market(instrument) for symbol, instrument in instruments.items()}
        self.desk = Desk(self.markets, settings, stamp, deliver)
        self._is_probabilistic = settings.queue_model is QueueModel.PROBABILISTIC
        self._reactions: dict[type, Callable[[Market, Any, int], None]] = {
            TopOfBookChanged: self._on_top,
            BookChanged: self._on_snapshot,
            TradePrinted: self._on_print,
            MarkChanged: self._on_mark,
        }

    def on_market(self, event: MarketEvent, ts_ns: int) -> None:
        """Let a market event happen at the venue.

        What only our line knows (feed lost, data refused) and markets the venue does not have pass by.
        """
        react = self._reactions.get(type(event))
        market = self.markets.get(event.symbol)
        if react is not None and market is not None:
            react(market, event, ts_ns)

    def _on_top(self, market: Market, event: TopOfBookChanged, ts_ns: int) -> None:
        """Take new best prices."""
        market.age(ts_ns)
        market.book.take_top(event)
        if market.has_orders or market.taken:
            self._on_book(market, ts_ns, is_snapshot=False)

    def _on_snapshot(self, market: Market, event: BookChanged, ts_ns: int) -> None:
        """Take a full book."""
        market.age(ts_ns)
        market.book.take_book(event)
        if market.has_orders or market.taken:
            self._on_book(market, ts_ns, is_snapshot=True)

    def _on_print(self, market: Market, event: TradePrinted, ts_ns: int) -> None:
        """Let a trade of the market eat queues and fill us."""
        price = event.price
        if market.has_orders and market.is_reached(price, price):
            self.desk.ts_ns = ts_ns
            self.desk.execute(market, filled_by_print(market, price, event.lots, event.side))

    def _on_mark(self, market: Market, event: MarkChanged, ts_ns: int) -> None:
        """Take mark, oracle and funding rate as they stand."""
        market.ts_mark_ns = ts_ns
        market.mark_price, market.oracle_price = event.mark_price, event.oracle_price
        market.funding_rate, market.has_funding = event.funding_rate, True

    def _on_book(self, market: Market, ts_ns: int, *, is_snapshot: bool) -> None:
        """Bring takes, crossed orders and queues up to a new book."""
        if market.taken:
            market.forget_taken()
        if market.has_orders:
            if market.is_reached(market.book.bids.price, market.book.asks.price):
                self.desk.ts_ns = ts_ns
                self.desk.execute(market, filled_by_book(market))
            market.look(is_snapshot=is_snapshot, is_probabilistic=self._is_probabilistic)

    def settle_funding(self, hour_ns: int) -> None:
        """Settle one hour for every position whose market has told a rate."""
        desk = self.desk
        desk.ts_ns = hour_ns
        for symbol, position in sorted(desk.account.positions.items()):
            market = self.markets[symbol]
            oracle = market.oracle_price or market.reference()
            if not market.has_funding or not oracle:
                continue
            amount = funding_of(position, oracle, market.money_per_unit, market.funding_rate)
            desk.account.cash += amount
            fact = FundingPaid(
                ts_event_ns=hour_ns,
                ts_recv_ns=desk.recv_ns(),
                symbol=symbol,
                hour_ns=hour_ns,
                position=Lots(position),
                rate=Rate(market.funding_rate),
                oracle_price=Price(oracle),
                amount=Money(amount),
            )
            desk.account.fundings.append(fact)
            desk.tell_account(fact)

    def on_command(self, command: VenueCommand, ts_ns: int) -> None:
        """Let a command arrive at the venue."""
        self.desk.ts_ns = ts_ns
        match command:
            case PlaceOrder():
                self._place(command)
            case CancelOrder():
                self._cancel(command)
            case ReplaceOrder():
                self._replace(command)
            case QueryOrder():
                self._answer_order(command)
            case QueryAccount():
                self._answer_account()

    def _place(self, command: PlaceOrder) -> None:
        """Take or refuse a new order; match it; let the rest rest or expire."""
        desk, name = self.desk, command.client_order_id
        terms = Terms(
            symbol=command.symbol,
            side=int(command.side),
            price=command.price,
            lots=command.lots,
            post_only=command.post_only,
            reduce_only=command.reduce_only,
        )
        is_immediate = command.time_in_force is TimeInForce.IOC
        refused = self._objection(command, terms, is_immediate=is_immediate)
        ts_ns, recv_ns = desk.ts_ns, desk.recv_ns()
        if refused is not None:
            if name not in desk.account.orders:
                desk.account.ended.setdefault(name, (OrderStatus.REJECTED, 0))
            desk.tell(
                OrderRejected(
                    ts_event_ns=ts_ns,
                    ts_recv_ns=recv_ns,
                    client_order_id=name,
                    reason=refused.reason,
                    venue_text=refused.text,
                )
            )
            return
        order = desk.opened(terms, name)
        number = order.venue_order_id
        desk.tell(OrderAccepted(ts_event_ns=ts_ns, ts_recv_ns=recv_ns, client_order_id=name, venue_order_id=number))
        market = self.markets[order.symbol]
        if not command.post_only:
            self._match(market, order)
        if not order.is_open:
            return
        if is_immediate:
            desk.close(order, OrderStatus.CANCELED)
            desk.tell(OrderExpired(ts_event_ns=ts_ns, ts_recv_ns=recv_ns, client_order_id=name))
        elif order.reduce_only and desk.account.positions.get(order.symbol, 0) * order.side >= 0:
            desk.cancel_unrested(order, Reason.VENUE_REDUCE_ONLY)
        else:
            desk.rest(market, order)

    def _objection(self, command: PlaceOrder, terms: Terms, *, is_immediate: bool) -> Refusal | None:
        """Return why the venue does not take a new order, if it does not."""
        account, admission = self.desk.account, self.desk.admission
        if command.client_order_id in account.orders or command.client_order_id in account.ended:
            return refusal(refusals.DUPLICATE_ORDER)
        refused = admission.refusal(terms)
        if refused is None and is_immediate and not admission.would_match(terms):
            return refusal(refusals.IOC_UNMATCHED)
        return refused

    def _match(self, market: Market, order: VenueOrder) -> None:
        """Let an incoming order take what the book shows up to its price, best first."""
        shown = market.book.asks if order.side > 0 else market.book.bids
        for price, lots_shown, available in list(market.available(shown)):
            if (order.price - price) * order.side < 0:
                break
            self._cancel_own_reached(market, order, price)
            filled = self.desk.fill(market, order, price, min(order.leaves, available), Liquidity.TAKER)
            if filled:
                market.take(price, lots_shown, filled)
            if not filled or not order.is_open:
                return
        self._cancel_own_reached(market, order, order.price)

    def _cancel_own_reached(self, market: Market, taker: VenueOrder, price: int) -> None:
        """Cancel our resting orders that a taker of ours has reached: nobody trades with himself."""
        for resting in list(market.resting(-taker.side)):
            if (resting.price - price) * taker.side > 0:
                break
            self.desk.end_by_venue(market, resting, Reason.VENUE_SELF_TRADE)

    def _cancel(self, command: CancelOrder) -> None:
        """Cancel an open order or say that there is none."""
        desk, name = self.desk, command.client_order_id
        order = desk.account.orders.get(name)
        if order is None:
            desk.tell(
                CancelRefused(
                    ts_event_ns=desk.ts_ns,
                    ts_recv_ns=desk.recv_ns(),
                    client_order_id=name,
                    reason=Reason.VENUE_UNKNOWN_ORDER,
                    venue_text=refusals.CANCEL_UNKNOWN,
                )
            )
            return
        self.markets[order.symbol].remove(order)
        desk.close(order, OrderStatus.CANCELED)
        desk.tell(OrderCanceled(ts_event_ns=desk.ts_ns, ts_recv_ns=desk.recv_ns(), client_order_id=name))

    def _replace(self, command: ReplaceOrder) -> None:
        """Cancel and place anew at the back of the queue; a refused new order leaves nothing behind."""
        desk, name = self.desk, command.client_order_id
        old = desk.account.orders.get(name)
        if old is None:
            self._refuse_replace(command, refusal(refusals.MODIFY_DEAD), is_gone=False)
            return
        terms = Terms(
            symbol=command.symbol,
            side=int(command.side),
            price=command.price,
            lots=command.lots - old.filled,
            post_only=True,
            reduce_only=command.reduce_only,
        )
        if terms.symbol != old.symbol or terms.side != old.side:
            self._refuse_replace(command, refusal(refusals.MODIFY_INVALID), is_gone=False)
            return
        malformed = desk.admission.malformed(terms)
        if malformed is not None:
            self._refuse_replace(command, malformed, is_gone=False)
            return
        market = self.markets[old.symbol]
        market.remove(old)
        desk.close(old, OrderStatus.CANCELED)
        refused = desk.admission.refusal(terms)
        if refused is not None:
            self._refuse_replace(command, refused, is_gone=True)
            return
        del desk.account.ended[name]
        order = desk.opened(terms, name, filled=old.filled)
        fact = OrderReplaced(
            ts_event_ns=desk.ts_ns,
            ts_recv_ns=desk.recv_ns(),
            client_order_id=name,
            venue_order_id=order.venue_order_id,
            price=command.price,
            lots=command.lots,
        )
        desk.tell(fact)
        desk.rest(market, order)

    def _refuse_replace(self, command: ReplaceOrder, refused: Refusal, *, is_gone: bool) -> None:
        """Tell that a replacement was refused, and whether the old order went with it."""
        fact = ReplaceRefused(
            ts_event_ns=self.desk.ts_ns,
            ts_recv_ns=self.desk.recv_ns(),
            client_order_id=command.client_order_id,
            reason=refused.reason,
            venue_text=refused.text,
            is_gone=is_gone,
        )
        self.desk.tell(fact)

    def _answer_order(self, command: QueryOrder) -> None:
        """Say what became of an order. Commands travel in order, so one never seen never comes: that is proof."""
        desk, name = self.desk, command.client_order_id
        order = desk.account.orders.get(name)
        if order is None:
            status, filled = desk.account.ended.get(name, (OrderStatus.NEVER_SEEN, 0))
        else:
            status, filled = OrderStatus.OPEN, order.filled
        fact = OrderStatusReported(
            ts_event_ns=desk.ts_ns,
            ts_recv_ns=desk.recv_ns(),
            client_order_id=name,
            status=status,
            filled_lots=Lots(filled),
        )
        desk.tell(fact)

    def _answer_account(self) -> None:
        """Report cash, positions and their entry cost."""
        desk, account = self.desk, self.desk.account
        account.tell_all()
        held = tuple((symbol, lots, account.costs[symbol]) for symbol, lots in sorted(account.positions.items()))
        fact = AccountReported(
            ts_event_ns=desk.ts_ns, ts_recv_ns=desk.recv_ns(), cash=Money(account.cash), positions=held
        )
        desk.tell_account(fact)
