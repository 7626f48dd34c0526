"""Where orders live and end: opening, resting, filling, closing, and telling the listener.

Laws: an order is filled never beyond its size; a reduce-only order never beyond the position; every order that was
accepted ends exactly once; every trade has two sides, of which one may be the outside market.
"""

from collections.abc import Callable, Mapping

from domain.events import OrderStatus
from domain.order import Liquidity
from domain.units import NS_PER_DAY, RATE_UNIT, money_times_rate, round_to_micro
from exchange.simulated.accounts import Account
from exchange.simulated.admission import Admission
from exchange.simulated.costs import fee_of
from exchange.simulated.fee_tiers import REFERRAL_DISCOUNT
from exchange.simulated.isolated import take_isolated_fill
from exchange.simulated.listener import Listener
from exchange.simulated.market import Market
from exchange.simulated.matching import Decision
from exchange.simulated.records import Execution, Liquidation, Status, Terms, VenueOrder, hash_of
from exchange.simulated.settings import VenueSettings

NOBODY = ""
"""The address of the outside market."""


class Desk:
    """The accounts' orders at work. ts_ns is the time of what happens now, action its number."""

    def __init__(
        self, markets: Mapping[str, Market], settings: VenueSettings, listener: Listener, *, tells_market: bool
    ) -> None:
        """Open without accounts. Trades and books are told only when somebody listens to the market."""
        self.markets = markets
        self.admission = Admission(markets, settings)
        self.listener = listener
        self.tells_market = tells_market
        self.rules = settings.rules
        self.ts_ns = 0
        self.action = 0
        self.on_ended: Callable[[VenueOrder], None] | None = None
        """Called for an ended order that has children or a trigger."""
        self.on_surcharge: Callable[[VenueOrder, int], None] | None = None
        """Called with an order and what its fill earned whoever brought it (Money), when the fill is booked."""
        self._orders_opened = 0
        self._trades = 0

    def begin(self, ts_ns: int) -> None:
        """Let the next action or market event happen now."""
        self.ts_ns = ts_ns
        self.action += 1

    @property
    def hash(self) -> str:
        """Return the hash of what happens now."""
        return hash_of(self.action)

    def opened(self, account: Account, terms: Terms, *, filled: int = 0, status: str = Status.OPEN) -> VenueOrder:
        """Return a new order with the next venue number, known but not yet in line."""
        self._orders_opened += 1
        order = VenueOrder(account, self._orders_opened, terms, self.ts_ns, filled)
        order.status = status
        account.orders[order.venue_order_id] = order
        if order.client_order_id:
            account.named[order.client_order_id] = order
        account.exposed[terms.symbol] = True
        if status == Status.OPEN:
            self.listener.on_order(account, order)
        return order

    def rejected(self, account: Account, terms: Terms, status: str) -> VenueOrder:
        """Return a refused order, remembered under the next venue number."""
        self._orders_opened += 1
        order = VenueOrder(account, self._orders_opened, terms, self.ts_ns)
        order.is_open = False
        account.remember(order)
        self.change(order, status)
        return order

    def change(self, order: VenueOrder, status: str) -> None:
        """Give an order a new status and tell it."""
        order.status = status
        order.ts_status_ns = self.ts_ns
        order.leaves_at_status = order.leaves
        self.listener.on_order(order.account, order)

    def rest(self, market: Market, order: VenueOrder) -> None:
        """Put an order in line; of several reduce-only orders above the position the oldest go."""
        market.insert(order)
        if not order.reduce_only:
            return
        account = order.account
        older = [
            other
            for other in account.reducing[market.symbol]
            if other.side == order.side and other.is_resting and other is not order
        ]
        if older:
            position = abs(account.positions.get(market.symbol, 0))
            total = order.leaves + sum(other.leaves for other in older)
            for oldest in sorted(older, key=lambda other: other.venue_order_id):
                if total <= position:
                    break
                total -= oldest.leaves
                # The end of one may have been the end of others: of its siblings, this order among them.
                if oldest.is_open:
                    self.end_by_venue(market, oldest, Status.REDUCE_ONLY)
        if self.rules.reduce_only_shrinks and order.is_open:
            self._shrink(market, order)

    def execute(self, market: Market, fills: Decision) -> None:
        """Fill resting orders as decided, at their own prices."""
        for order, lots in fills:
            if order.is_open:
                self.fill(market, order, order.price, lots, Liquidity.MAKER)

    def fill(
        self,
        market: Market,
        order: VenueOrder,
        price: int,
        lots: int,
        liquidity: Liquidity,
        liquidation: Liquidation | None = None,
    ) -> int:
        """Fill an order from the outside market and return how much: see `fillable`."""
        is_resting = liquidity is Liquidity.MAKER
        lots = self.fillable(market, order, lots)
        if not lots:
            return 0
        side = order.side
        self._trades += 1
        self._book(market, order, price, lots, is_resting, NOBODY, liquidation)
        market.outside_lots -= side * lots
        market.outside_cash += side * price * lots * market.money_per_unit
        if self.tells_market:
            address = order.account.address
            buyer, seller = (address, NOBODY) if side > 0 else (NOBODY, address)
            self._tell_trade(market, price, lots, -side if is_resting else side, buyer, seller)
        self._after(market, order)
        return lots

    def trade(
        self, market: Market, taker: VenueOrder, maker: VenueOrder, liquidation: Liquidation | None = None
    ) -> int:
        """Match two orders of different accounts at the resting one's price and return how much."""
        lots = self.fillable(market, taker, min(taker.leaves, maker.leaves))
        if lots:
            lots = self.fillable(market, maker, lots)
        if not lots:
            return 0
        price = maker.price
        self._trades += 1
        self._book(market, maker, price, lots, True, taker.account.address, liquidation)
        self._book(market, taker, price, lots, False, maker.account.address, liquidation)
        if self.tells_market:
            buyer, seller = (taker, maker) if taker.side > 0 else (maker, taker)
            self._tell_trade(market, price, lots, taker.side, buyer.account.address, seller.account.address)
        self._after(market, maker)
        self._after(market, taker)
        return lots

    def tell_print(self, market: Market, price: int, lots: int, side: int) -> None:
        """Tell a trade of the outside market with itself."""
        self._trades += 1
        self._tell_trade(market, price, lots, side, NOBODY, NOBODY)

    def fillable(self, market: Market, order: VenueOrder, lots: int) -> int:
        """Return how much of lots an order may take: less for reduce-only beyond the position, nothing without margin.

        A resting order without margin is canceled on the way.
        """
        if order.reduce_only:
            return min(lots, max(-order.account.positions.get(market.symbol, 0) * order.side, 0))
        if order.is_resting and not self.admission.can_carry(order.account, market, order.side, lots):
            self.end_by_venue(market, order, Status.MARGIN)
            return 0
        return lots

    def close(self, order: VenueOrder, status: str) -> None:
        """End an order that is out of line; remember what became of it."""
        account, name = order.account, order.client_order_id
        order.is_open = False
        del account.orders[order.venue_order_id]
        if name:
            del account.named[name]
            fate = OrderStatus.FILLED if status == Status.FILLED else OrderStatus.CANCELED
            account.ended[name] = (fate, order.filled)
            if self.rules.names_kept:
                account.forget_names(self.rules.names_kept)
        if self.rules.remembers_orders:
            account.remember(order)
        self.change(order, status)
        if self.on_ended is not None and (order.children or order.trigger is not None):
            self.on_ended(order)

    def end_by_venue(self, market: Market, order: VenueOrder, status: str) -> None:
        """Cancel a live order on the venue's own account and say why."""
        if order.is_resting:
            market.remove(order)
        self.cancel_unrested(order, status)

    def cancel_unrested(self, order: VenueOrder, status: str) -> None:
        """Cancel an order that is not in line and say why."""
        self.close(order, status)
        if status != Status.REDUCE_ONLY:
            self.listener.on_non_user_cancel(order.account, order)

    def _book(
        self,
        market: Market,
        order: VenueOrder,
        price: int,
        lots: int,
        is_maker: bool,
        counterparty: str,
        liquidation: Liquidation | None,
    ) -> None:
        """Book one side of a trade of an order and tell it."""
        account = order.account
        notional = price * lots * market.money_per_unit
        fee = fee_of(notional, account.maker_rate if is_maker else account.taker_rate)
        if account.referred_until and fee > 0 and account.referred_until > account.volume_total:
            fee = round_to_micro(money_times_rate(fee, RATE_UNIT - REFERRAL_DISCOUNT))
        extra = 0
        if order.surcharge is not None:
            extra = fee_of(notional, order.surcharge.rate)
            fee += extra
        if order.is_resting:
            account.count(order, -lots)
            if market.held is not None:
                market.shrink(order, lots)
        order.filled += lots
        account.volume_total += notional
        day = self.ts_ns // NS_PER_DAY
        made, took = account.volume_by_day.get(day, (0, 0))
        account.volume_by_day[day] = (made + notional, took) if is_maker else (made, took + notional)
        before, gain = self._move(account, market.symbol, order.side, lots, notional, fee)
        execution = Execution(
            symbol=market.symbol,
            side=order.side,
            price=price,
            lots=lots,
            ts_ns=self.ts_ns,
            start_position=before,
            closed_pnl=gain,
            fee=fee,
            trade_id=self._trades,
            venue_order_id=order.venue_order_id,
            client_order_id=order.client_order_id,
            is_taker=not is_maker,
            action=self.action,
            liquidation=liquidation,
            counterparty=counterparty,
            surcharge=extra,
        )
        account.executions.append(execution)
        self.listener.on_execution(account, execution)
        if extra and self.on_surcharge is not None:
            self.on_surcharge(order, extra)

    @staticmethod
    def _move(account: Account, symbol: str, side: int, lots: int, notional: int, fee: int) -> tuple[int, int]:
        """Book money and lots of one side; return the position before and the gain realised."""
        chosen = account.leverages.get(symbol)
        if chosen is None or chosen[1]:
            before, gain = account.take_fill(symbol, side, lots, notional, fee)
        else:
            before, gain = take_isolated_fill(account, symbol, side, lots, notional, fee, chosen[0])
        sums = account.funding_sums.get(symbol)
        if sums is not None:
            is_kept = before * (before + side * lots) > 0
            account.funding_sums[symbol] = (sums[0], sums[1] if is_kept else 0, 0)
        return before, gain

    def hand_over(
        self,
        market: Market,
        source: Account,
        taker: Account,
        lots: int,
        price: int,
        liquidation: Liquidation | None,
    ) -> None:
        """Close lots of source's position against another account at a price, without order, fee or print.

        Without a liquidation it is a deleveraging. Units: lots > 0, at most the position.
        """
        side = -1 if source.positions[market.symbol] > 0 else 1
        notional = price * lots * market.money_per_unit
        self._trades += 1
        for account, own_side, other in ((source, side, taker), (taker, -side, source)):
            before, gain = self._move(account, market.symbol, own_side, lots, notional, 0)
            account.exposed[market.symbol] = True
            execution = Execution(
                symbol=market.symbol,
                side=own_side,
                price=price,
                lots=lots,
                ts_ns=self.ts_ns,
                start_position=before,
                closed_pnl=gain,
                fee=0,
                trade_id=self._trades,
                venue_order_id=0,
                client_order_id="",
                is_taker=account is taker,
                action=self.action,
                liquidation=liquidation,
                counterparty=other.address,
                is_deleveraging=liquidation is None,
            )
            account.executions.append(execution)
            self.listener.on_execution(account, execution)
            if account.reducing.get(market.symbol):
                self.fit_reduce_only(market, account)

    def _after(self, market: Market, order: VenueOrder) -> None:
        """End an order that is filled, and bring reduce-only orders in line with the position."""
        if order.leaves == 0:
            if order.is_resting:
                market.remove(order)
            self.close(order, Status.FILLED)
        elif self.tells_market:
            self.listener.on_order(order.account, order)
        if order.account.reducing.get(market.symbol):
            self.fit_reduce_only(market, order.account)

    def fit_reduce_only(self, market: Market, account: Account) -> None:
        """Cancel resting reduce-only orders that have nothing left to reduce; shrink the others where that is the rule."""
        position = account.positions.get(market.symbol, 0)
        line = sorted(
            account.reducing[market.symbol], key=lambda one: (-one.side, -one.price * one.side, one.venue_order_id)
        )
        for order in line:
            if not order.is_open:
                # It went with a sibling a moment ago.
                continue
            if position * order.side >= 0:
                self.end_by_venue(market, order, Status.REDUCE_ONLY)
            elif self.rules.reduce_only_shrinks and order.is_resting:
                self._shrink(market, order)

    def _shrink(self, market: Market, order: VenueOrder) -> None:
        """Take from a resting reduce-only order what the position cannot fill any more."""
        beyond = order.leaves - abs(order.account.positions.get(market.symbol, 0))
        if beyond > 0:
            market.shrink(order, beyond)
            order.withdrawn += beyond
            self.listener.on_order(order.account, order)

    def _tell_trade(self, market: Market, price: int, lots: int, side: int, buyer: str, seller: str) -> None:
        """Tell a trade once."""
        market.last_price = price
        self.listener.on_trade(market, price, lots, side, self._trades, self.ts_ns, self.hash, buyer, seller)
