"""The venue itself: it takes orders of its accounts, matches them with each other and with the outside market.

Theory of operation. The venue lives in its own time: market events and actions reach it in the order of their venue
time, and everything that changes is told to one listener: `door.py` for the bot in this process, a server for anybody.
The outside market is what was recorded or made up; accounts' orders are guests in it, and it does not react to them.
The rules are sentences in docs/FILLS.md, each with a test of the same number.

Laws: money moves with executions, funding and told transfers only; every action is answered; the venue reads no clock
and draws no random number.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.events import BookChanged, MarkChanged, MarketEvent, OrderStatus, TopOfBookChanged, TradePrinted
from domain.instrument import Instrument
from domain.order import TimeInForce
from domain.units import NS_PER_DAY, NS_PER_HOUR
from exchange.simulated import funding, refusals
from exchange.simulated.accounts import Account
from exchange.simulated.clearing import clearinghouse
from exchange.simulated.desk import Desk
from exchange.simulated.grouping import place_for_position, place_with_children
from exchange.simulated.leverage import change_isolated_margin, set_leverage, top_up_isolated
from exchange.simulated.liquidating import Liquidations
from exchange.simulated.listener import Listener
from exchange.simulated.mark_price import MARK_NS
from exchange.simulated.market import Market
from exchange.simulated.matching import filled_by_book, filled_by_print
from exchange.simulated.modify import modify
from exchange.simulated.premium import SAMPLE_NS
from exchange.simulated.prices import Prices, next_beat
from exchange.simulated.rates import assess
from exchange.simulated.records import Grouping, LedgerUpdate, OrderResult, Status, Terms
from exchange.simulated.refusals import Refusal, refusal, rejected_status
from exchange.simulated.scheduling import cancel_scheduled, next_schedule_ns, schedule
from exchange.simulated.settings import QueueModel, VenueSettings
from exchange.simulated.taking import take
from exchange.simulated.triggers import Triggers

NEVER = 2**63 - 1


class Venue:
    """Markets, accounts, and what may be done with them. Accounts are known by lower-case address."""

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        settings: VenueSettings,
        listener: Listener,
        *,
        tells_market: bool = True,
    ) -> None:
        """Open every market, without accounts. Books, trades and partial fills are told only when tells_market."""
        self.settings = settings
        self.markets = {symbol: Market(instrument) for symbol, instrument in instruments.items()}
        self.accounts: dict[str, Account] = {}
        self.now_ns = 0
        self.listener = listener
        self.desk = Desk(self.markets, settings, listener, tells_market=tells_market)
        self.triggers = Triggers(self.desk)
        self._rules = settings.rules
        self._prices = Prices(self.markets)
        self._liquidations = Liquidations(self.desk, self.accounts.values, self._backstop)
        self._hour_ns = self._mark_ns = self._sample_ns = self._schedule_ns = NEVER
        self._tells_market = tells_market
        self._is_watchful = tells_market or settings.rules.liquidates
        self._is_probabilistic = settings.queue_model is QueueModel.PROBABILISTIC
        self._reactions: dict[type, Callable[[Market, Any, int], None]] = {
            TopOfBookChanged: self._on_top,
            BookChanged: self._on_snapshot,
            TradePrinted: self._on_print,
            MarkChanged: self._on_mark,
        }

    def open_account(self, address: str, cash: int = 0) -> Account:
        """Return the account of an address, opened with cash when it is new. Units: Money."""
        account = self.accounts.get(address)
        if account is None:
            settings = self.settings
            account = Account(cash, address, int(settings.maker_rate), int(settings.taker_rate))
            self.accounts[address] = account
        return account

    def on_market(self, event: MarketEvent, ts_ns: int) -> None:
        """Let an event of the outside market happen.

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
        if self._tells_market:
            self.listener.on_book(market)

    def _on_snapshot(self, market: Market, event: BookChanged, ts_ns: int) -> None:
        """Take a full book."""
        market.age(ts_ns)
        market.book.take_book(event)
        if market.has_orders or market.taken:
            self._on_book(market, ts_ns, is_snapshot=True)
        if self._tells_market:
            self.listener.on_book(market)

    def _on_print(self, market: Market, event: TradePrinted, ts_ns: int) -> None:
        """Let a trade of the market eat queues and fill accounts."""
        price = event.price
        desk = self.desk
        filled_before = market.outside_lots
        if self._tells_market:
            desk.begin(ts_ns)
        if market.has_orders and market.is_reached(price, price):
            if not self._tells_market:
                desk.begin(ts_ns)
            desk.execute(market, filled_by_print(market, price, event.lots, event.side))
        if self._tells_market:
            left = event.lots - abs(market.outside_lots - filled_before)
            if left > 0:
                desk.tell_print(market, price, left, int(event.side))

    def _on_mark(self, market: Market, event: MarkChanged, ts_ns: int) -> None:
        """Take mark, oracle and funding rate as they stand."""
        market.ts_mark_ns = ts_ns
        market.take_mark(event.mark_price, event.oracle_price)
        market.funding_rate, market.has_funding = event.funding_rate, True
        if self._is_watchful:
            self._react_to_mark(market, ts_ns)

    def _on_book(self, market: Market, ts_ns: int, *, is_snapshot: bool) -> None:
        """Bring takes, crossed orders and queues up to a new book."""
        if market.taken:
            market.forget_taken()
        if market.has_orders:
            if market.is_reached(market.book.bids.price, market.book.asks.price):
                self.desk.begin(ts_ns)
                self.desk.execute(market, filled_by_book(market))
            market.look(is_snapshot=is_snapshot, is_probabilistic=self._is_probabilistic)

    def set_oracle(self, symbol: str, oracle_price: int, ts_ns: int, mark_price: int = 0) -> None:
        """Set the oracle price, and the mark (0: as the rules make it), of a market without a feed of them."""
        market = self.markets[symbol]
        market.take_mark(mark_price or market.mark_price or oracle_price, oracle_price)
        self._react_to_mark(market, ts_ns)

    def _react_to_mark(self, market: Market, ts_ns: int) -> None:
        """Let a mark fire triggers and liquidate, and tell it."""
        if self._tells_market:
            self.listener.on_mark(market)
        if self.triggers.has_any(market.symbol):
            self.desk.begin(ts_ns)
            self.triggers.on_mark(market)
            self._tell_book(market)
        if self._rules.liquidates:
            self.desk.ts_ns = ts_ns
            self._liquidations.check(market)

    def on_time(self, ts_ns: int) -> None:
        """Let everything happen that is due by now, in order of its time; the first call starts the clock."""
        if self._hour_ns == NEVER:
            self._hour_ns = next_beat(ts_ns, NS_PER_HOUR)
            self._mark_ns = next_beat(ts_ns, MARK_NS) if self._rules.computes_mark else NEVER
            self._sample_ns = next_beat(ts_ns, SAMPLE_NS) if self._rules.samples_premium else NEVER
        while (due_ns := self._due_ns()) <= ts_ns:
            self.now_ns = max(self.now_ns, due_ns)
            self._pass(due_ns)
        self.now_ns = max(self.now_ns, ts_ns)

    def next_due_ns(self) -> int | None:
        """Return when the next thing happens without anybody's doing; None before the first on_time."""
        return None if self._hour_ns == NEVER else self._due_ns()

    def _due_ns(self) -> int:
        """Return when the next thing is due."""
        return min(self._hour_ns, self._mark_ns, self._sample_ns, self._schedule_ns)

    def _pass(self, due_ns: int) -> None:
        """Let what is due at this moment happen: marks, premium samples, funding, scheduled cancels."""
        if due_ns == self._mark_ns:
            self._mark_ns = due_ns + MARK_NS
            for market in self._prices.own_marks(due_ns):
                self._react_to_mark(market, due_ns)
        if due_ns == self._sample_ns:
            self._sample_ns = due_ns + SAMPLE_NS
            self._prices.sample(due_ns)
        if due_ns == self._hour_ns:
            self._hour_ns = due_ns + NS_PER_HOUR
            if self._rules.samples_premium:
                self._prices.settle(due_ns)
            if self.settings.funding_on:
                self.settle_funding(due_ns)
            if self._rules.fee_tiers_on and due_ns % NS_PER_DAY == 0:
                assess(self.accounts.values(), due_ns // NS_PER_DAY)
        if due_ns == self._schedule_ns:
            for account in list(self.accounts.values()):
                if account.scheduled_cancel_ns == due_ns:
                    self.desk.begin(due_ns)
                    cancel_scheduled(self.desk, account, due_ns)
            self._schedule_ns = next_schedule_ns(self.accounts.values()) or NEVER
            self._tell_all_books()

    def settle_funding(self, hour_ns: int) -> None:
        """Settle one hour for every position whose market has told a rate."""
        self.desk.begin(hour_ns)
        for account in self.accounts.values():
            funding.settle(self.desk, account, hour_ns)

    def place(self, account: Account, orders: Sequence[Terms], grouping: Grouping, ts_ns: int) -> list[OrderResult]:
        """Place the orders of one action; one result for each, or one for all when the action is refused as a whole."""
        self.begin(ts_ns)
        refused = self._batch_objection(orders, grouping)
        if refused is not None:
            return [OrderResult(refusal=refused, is_batch=True)]
        if grouping is Grouping.PARENT_CHILDREN:
            results = place_with_children(self, account, orders)
        elif grouping is Grouping.POSITION:
            results = place_for_position(self, account, orders)
        else:
            results = [self.place_one(account, terms) for terms in orders]
        self._tell_books(orders)
        return results

    def place_one(self, account: Account, terms: Terms, *, filled: int = 0) -> OrderResult:
        """Take or refuse a new order now; match it; let the rest rest or expire. filled counts as filled before."""
        desk = self.desk
        refused = self._objection(account, terms)
        if refused is not None:
            return self._refused(account, terms, refused)
        if terms.trigger is not None:
            return OrderResult(order=self.triggers.wait(account, terms))
        order = desk.opened(account, terms, filled=filled)
        market = self.markets[terms.symbol]
        notional = 0 if terms.post_only else take(desk, market, order)
        if order.is_open:
            if terms.time_in_force is TimeInForce.IOC:
                desk.close(order, Status.CANCELED)
            elif order.reduce_only and account.positions.get(order.symbol, 0) * order.side >= 0:
                desk.cancel_unrested(order, Status.REDUCE_ONLY)
            else:
                desk.rest(market, order)
        return OrderResult(order=order, filled_lots=order.filled - filled, filled_notional=notional)

    def cancel(self, account: Account, symbol: str, target: int | str, ts_ns: int) -> Refusal | None:
        """Cancel a live order by venue number or client order id."""
        self.begin(ts_ns)
        order = account.live(target)
        if order is None or order.symbol != symbol:
            return refusal(refusals.CANCEL_UNKNOWN)
        market = self.markets[symbol]
        if order.is_resting:
            market.remove(order)
        self.desk.close(order, Status.CANCELED)
        self._tell_book(market)
        return None

    def modify(
        self, account: Account, target: int | str, terms: Terms, ts_ns: int, *, always_place: bool = False
    ) -> OrderResult:
        """Cancel an order and place its successor under a new venue number (see modify.py)."""
        self.begin(ts_ns)
        result = modify(self, account, target, terms, always_place=always_place)
        self._tell_books((terms,))
        return result

    def schedule_cancel(self, account: Account, time_ns: int | None, ts_ns: int) -> Refusal | None:
        """Set the time at which everything of an account is canceled, or clear it with None."""
        self.begin(ts_ns)
        refused = schedule(self.desk, account, time_ns)
        self._schedule_ns = next_schedule_ns(self.accounts.values()) or NEVER
        return refused

    def set_leverage(
        self, account: Account, symbol: str, leverage: int, ts_ns: int, *, is_cross: bool
    ) -> Refusal | None:
        """Choose leverage and kind of margin for a market."""
        self.begin(ts_ns)
        return set_leverage(self.desk.admission, account, self.markets[symbol], leverage, is_cross=is_cross)

    def change_isolated_margin(self, account: Account, symbol: str, amount: int, ts_ns: int) -> Refusal | None:
        """Move money from cash into an isolated position (> 0) or back. Units: Money."""
        self.begin(ts_ns)
        return change_isolated_margin(self.desk.admission, account, self.markets[symbol], amount)

    def top_up_isolated(self, account: Account, symbol: str, leverage: int, ts_ns: int) -> Refusal | None:
        """Add margin until an isolated position has at most this leverage. Units: leverage in 1e-9."""
        self.begin(ts_ns)
        return top_up_isolated(self.desk.admission, account, self.markets[symbol], leverage)

    def deposit(self, account: Account, amount: int, kind: str, ts_ns: int) -> None:
        """Book money from outside (> 0) or to outside (< 0). Units: Money."""
        self.begin(ts_ns)
        account.cash += amount
        self.book_update(account, amount, kind, {})

    def transfer(self, source: Account, destination: Account, amount: int, kind: str, ts_ns: int) -> Refusal | None:
        """Move money between accounts; refused beyond what the source can withdraw. Units: Money > 0."""
        self.begin(ts_ns)
        if amount <= 0 or source is destination:
            return refusal(refusals.INVALID_SEND)
        if amount > self.withdrawable(source):
            return refusal(refusals.TRANSFER_FUNDS)
        source.cash -= amount
        destination.cash += amount
        fields = {"user": source.address, "destination": destination.address}
        self.book_update(source, -amount, kind, fields)
        self.book_update(destination, amount, kind, fields)
        return None

    def withdrawable(self, account: Account) -> int:
        """Return what could leave the account: equity beyond initial margin and a tenth of what is open (9.3, 9.4)."""
        return clearinghouse(self, account).withdrawable

    def book_update(self, account: Account, amount: int, kind: str, fields: Mapping[str, object]) -> None:
        """Remember and tell a movement of money."""
        update = LedgerUpdate(self.desk.ts_ns, self.desk.hash, kind, amount, fields)
        account.updates.append(update)
        self.listener.on_update(account, update)

    def begin(self, ts_ns: int) -> None:
        """Let an action happen now."""
        self.now_ns = ts_ns
        self.desk.begin(ts_ns)

    def _batch_objection(self, orders: Sequence[Terms], grouping: Grouping) -> Refusal | None:
        """Return why an action is refused as a whole (HYPERLIQUID 3.5, 3.6)."""
        if not orders:
            return refusal(refusals.EMPTY_BATCH)
        admission = self.desk.admission
        is_position = grouping is Grouping.POSITION
        for terms in orders:
            refused = admission.malformed(terms, is_whole_position=is_position)
            if refused is not None and refused.text != refusals.INVALID_TICK:
                return refused
            if admission.is_far(self.markets[terms.symbol], terms.price):
                return refusal(refusals.TOO_FAR)
        return None

    def _objection(self, account: Account, terms: Terms) -> Refusal | None:
        """Return why the venue does not take a new order, if it does not."""
        if self.is_known(account, terms.client_order_id):
            return refusal(refusals.DUPLICATE_ORDER)
        if terms.trigger is not None:
            return self.triggers.objection(account, terms)
        admission = self.desk.admission
        refused = admission.refusal(account, terms)
        if refused is None and terms.time_in_force is TimeInForce.IOC and not admission.would_match(account, terms):
            return refusal(refusals.IOC_UNMATCHED)
        return refused

    @staticmethod
    def is_known(account: Account, client_order_id: str) -> bool:
        """Say whether a client order id was used before; the empty one never was."""
        return bool(client_order_id) and (client_order_id in account.named or client_order_id in account.ended)

    def _refused(self, account: Account, terms: Terms, refused: Refusal) -> OrderResult:
        """Answer a refusal, and remember the name it used up."""
        name = terms.client_order_id
        if name and name not in account.named and name not in account.ended:
            account.ended[name] = (OrderStatus.REJECTED, 0)
            if self._rules.names_kept:
                account.forget_names(self._rules.names_kept)
        if not self.settings.rules.remembers_orders or terms.symbol not in self.markets:
            return OrderResult(refusal=refused)
        return OrderResult(order=self.desk.rejected(account, terms, rejected_status(refused.text)), refusal=refused)

    def _backstop(self) -> Account:
        """Return the account that takes over what liquidations leave."""
        return self.open_account(self._rules.backstop_address)

    def _tell_books(self, orders: Sequence[Terms]) -> None:
        """Tell every book an action touched, once."""
        for symbol in dict.fromkeys(terms.symbol for terms in orders):
            if symbol in self.markets:
                self._tell_book(self.markets[symbol])

    def _tell_all_books(self) -> None:
        """Tell every book."""
        for market in self.markets.values():
            self._tell_book(market)

    def _tell_book(self, market: Market) -> None:
        """Tell a book where somebody listens."""
        if self._tells_market:
            self.listener.on_book(market)
