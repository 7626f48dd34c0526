"""Listens to the venue and makes the messages of its channels.

Theory of operation. A topic is one subscription and the sockets that share it. While things happen they are only noted,
and only where a topic wants them; `collect` then makes one message per topic, encoded once, for all its sockets. A
block, for the rules of the channels, is what lies between two collections.

Laws: for one user, orders are told before fills and fills before fundings; nobody hears of a change before the answer
to the action that made it, because answers leave at once and messages when collected; states are told only when they
changed. Nothing here changes the venue. Source: HYPERLIQUID 5.3-5.5, 12.3.
"""

import msgspec
from msgspec import UNSET

from domain.errors import InvariantBroken
from domain.events import FundingPaid
from domain.units import NS_PER_MS, NS_PER_SECOND
from exchange.hyperliquid.wire import CHANNEL_OF, Subscription, encoded
from exchange.hyperliquid.wire_account import (
    FillsPushed,
    FundingsPushed,
    LedgerPushed,
    NonUserCancel,
    OrderRecord,
    OrderUpdate,
    UserEvent,
)
from exchange.simulated.accounts import Account
from exchange.simulated.listener import Listener
from exchange.simulated.market import Market
from exchange.simulated.records import Execution, LedgerUpdate, VenueOrder
from services.venue_server.encoding import (
    funding_payment,
    ledger_entry,
    money_text,
    order_record,
    order_update,
)
from services.venue_server.info_account import fills_of
from services.venue_server.questions import Sources
from services.venue_server.snapshots import SNAPSHOTS, STATES, Snapshot, book, newest_candle, text_of
from services.venue_server.tape import Print, Tape, trade

Pushes = list[tuple[int, bytes]]
"""(Socket, frame), in the order in which they leave."""


class ChannelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often what is told, and how much a visitor may ask for. Source: HYPERLIQUID 5.3, 5.7."""

    book_ns: int = NS_PER_SECOND // 2
    state_ns: int = NS_PER_SECOND
    users_max: int = 10
    subscriptions_max: int = 1_000
    posts_max: int = 100
    greets: bool = False


class Topic:
    """One subscription, who has it, and what was told last."""

    __slots__ = ("channel", "connections", "due_ns", "is_changed", "kind", "told", "wanted")

    def __init__(self, wanted: Subscription) -> None:
        """Start with nobody."""
        self.wanted = wanted
        self.kind = wanted.type
        self.channel = CHANNEL_OF.get(wanted.type, wanted.type).encode()
        self.connections: dict[int, None] = {}
        self.due_ns = 0
        self.is_changed = False
        self.told: object = None

    def frame(self, data: object) -> bytes:
        """Return a message."""
        return b'{"channel":"%b","data":%b}' % (self.channel, encoded(data))

    def send(self, data: object, pushes: Pushes) -> None:
        """Add a message for everybody here."""
        frame = self.frame(data)
        pushes.extend((connection, frame) for connection in self.connections)


class _News:
    """What happened to one user since the last collection."""

    __slots__ = ("cancels", "executions", "fundings", "liquidations", "orders", "records", "updates")

    def __init__(self) -> None:
        self.orders: list[OrderUpdate] = []
        self.records: list[OrderRecord] = []
        self.executions: list[Execution] = []
        self.cancels: list[NonUserCancel] = []
        self.liquidations: list[dict[str, object]] = []
        self.fundings: list[FundingPaid] = []
        self.updates: list[LedgerUpdate] = []


class Gathering(Listener):
    """Topics, what happened that they want, and the messages made of it."""

    def __init__(self, settings: ChannelSettings) -> None:
        """Start without topics; `open` must come before the first of them."""
        self.settings = settings
        self.tape = Tape()
        self._known: Sources | None = None
        self._topics: dict[Subscription, Topic] = {}
        self._of_users: dict[str, dict[str, list[Topic]]] = {}
        self._of_coins: dict[str, dict[str, list[Topic]]] = {}
        self._states: dict[Topic, None] = {}
        self._books: dict[Topic, None] = {}
        self._news: dict[str, _News] = {}
        self._changed: dict[str, None] = {}
        self._traded: dict[str, list[Print]] = {}
        self._states_due_ns = 0

    @property
    def _sources(self) -> Sources:
        if self._known is None:
            raise InvariantBroken("the channels were used before open() told them of their venue")
        return self._known

    # Topics

    def _join(self, wanted: Subscription, connection: int, now_ns: int) -> bytes | None:
        """Let a socket have a subscription; return the message it begins with, if its kind has one."""
        topic = self._topics.get(wanted)
        if topic is None:
            topic = self._topics[wanted] = Topic(wanted)
            for lists, key in ((self._of_users, wanted.user), (self._of_coins, wanted.coin)):
                if isinstance(key, str):
                    lists.setdefault(key, {}).setdefault(topic.kind, []).append(topic)
            if topic.kind in STATES:
                self._states[topic] = None
        topic.connections[connection] = None
        make = SNAPSHOTS.get(topic.kind)
        data = make(self._sources, wanted, now_ns // NS_PER_MS) if make is not None else None
        if data is None:
            return None
        frame = topic.frame(data)
        if len(topic.connections) == 1:
            topic.due_ns = now_ns + self.settings.book_ns
            topic.told = data.bbo if topic.kind == "bbo" and hasattr(data, "bbo") else frame
        return frame

    def _leave(self, wanted: Subscription, connection: int) -> None:
        """Take a subscription from a socket; a topic that nobody has any more is forgotten."""
        topic = self._topics[wanted]
        del topic.connections[connection]
        if topic.connections:
            return
        del self._topics[wanted]
        self._states.pop(topic, None)
        self._books.pop(topic, None)
        for lists, key in ((self._of_users, wanted.user), (self._of_coins, wanted.coin)):
            if isinstance(key, str):
                kinds = lists[key]
                kinds[topic.kind].remove(topic)
                if not kinds[topic.kind]:
                    del kinds[topic.kind]
                if not kinds:
                    del lists[key]

    # What the venue tells

    def _news_of(self, account: Account) -> _News | None:
        address = account.address
        if address not in self._of_users:
            return None
        news = self._news.get(address)
        if news is None:
            news = self._news[address] = _News()
        return news

    def on_order(self, account: Account, order: VenueOrder) -> None:
        """Note what an order looks like now."""
        news = self._news_of(account)
        if news is None:
            return
        kinds = self._of_users[account.address]
        venue = self._sources.venue
        instrument = venue.markets[order.symbol].instrument
        if "orderUpdates" in kinds:
            news.orders.append(order_update(order, instrument, venue.now_ns))
        if "userHistoricalOrders" in kinds:
            news.records.append(order_record(order, instrument))

    def on_execution(self, account: Account, execution: Execution) -> None:
        """Note a fill."""
        news = self._news_of(account)
        if news is not None:
            news.executions.append(execution)

    def on_funding(self, account: Account, funding: FundingPaid) -> None:
        """Note a settlement."""
        news = self._news_of(account)
        if news is not None:
            news.fundings.append(funding)

    def on_update(self, account: Account, update: LedgerUpdate) -> None:
        """Note a movement of money."""
        news = self._news_of(account)
        if news is not None:
            news.updates.append(update)

    def on_liquidation(
        self, account: Account, liquidator: str, liquidation_id: int, notional: int, account_value: int
    ) -> None:
        """Note a liquidation."""
        news = self._news_of(account)
        if news is not None:
            news.liquidations.append(
                {
                    "lid": liquidation_id,
                    "liquidator": liquidator,
                    "liquidated_user": account.address,
                    "liquidated_ntl_pos": money_text(notional),
                    "liquidated_account_value": money_text(account_value),
                }
            )

    def on_non_user_cancel(self, account: Account, order: VenueOrder) -> None:
        """Note an order that the venue canceled."""
        news = self._news_of(account)
        if news is not None:
            news.cancels.append(NonUserCancel(coin=order.symbol, order_id=order.venue_order_id))

    def on_trade(
        self,
        market: Market,
        price: int,
        lots: int,
        side: int,
        trade_id: int,
        ts_ns: int,
        action_hash: str,
        buyer: str,
        seller: str,
    ) -> None:
        """Note a trade."""
        traded = Print(price, lots, side, ts_ns, trade_id, action_hash, buyer, seller)
        self.tape.take(market, traded)
        if market.symbol in self._of_coins:
            self._traded.setdefault(market.symbol, []).append(traded)

    def on_book(self, market: Market) -> None:
        """Note that a book changed."""
        if market.symbol in self._of_coins:
            self._changed[market.symbol] = None

    # What is told

    def collect(self, now_ns: int) -> Pushes:
        """Return the messages made of all that happened since the last time."""
        pushes: Pushes = []
        if self._news:
            for address, news in self._news.items():
                self._tell_user(address, news, pushes)
            self._news.clear()
        if self._traded:
            self._tell_trades(now_ns, pushes)
        if self._changed:
            self._tell_best(now_ns, pushes)
        if self._books:
            self._tell_books(now_ns, pushes)
        if now_ns >= self._states_due_ns:
            self._states_due_ns = now_ns + self.settings.state_ns
            for topic in self._states:
                self._tell_again(topic, STATES[topic.kind], now_ns, pushes)
        return pushes

    def _tell_user(self, address: str, news: _News, pushes: Pushes) -> None:
        kinds = self._of_users.get(address)
        if kinds is None:
            return
        if news.orders:
            _send_all(kinds.get("orderUpdates"), news.orders, pushes)
        if news.records:
            _send_all(kinds.get("userHistoricalOrders"), {"user": address, "orderHistory": news.records}, pushes)
        if news.executions:
            self._tell_fills(address, news.executions, kinds, pushes)
        events = kinds.get("userEvents")
        for liquidation in news.liquidations:
            _send_all(events, UserEvent(liquidation=liquidation), pushes)
        if news.cancels:
            _send_all(events, UserEvent(non_user_cancel=tuple(news.cancels)), pushes)
        markets = self._sources.venue.markets
        if news.fundings and (events or "userFundings" in kinds):
            paid = tuple(funding_payment(one, markets[one.symbol].instrument) for one in news.fundings)
            for one in paid:
                _send_all(events, UserEvent(funding=one), pushes)
            _send_all(kinds.get("userFundings"), FundingsPushed(user=address, fundings=paid), pushes)
        ledgers = kinds.get("userNonFundingLedgerUpdates")
        if news.updates and ledgers:
            entries = tuple(ledger_entry(one, markets) for one in news.updates)
            _send_all(ledgers, LedgerPushed(user=address, entries=entries), pushes)

    def _tell_fills(
        self, address: str, executions: list[Execution], kinds: dict[str, list[Topic]], pushes: Pushes
    ) -> None:
        """Tell fills in both channels that have them, merged where a subscription says so."""
        events, topics = kinds.get("userEvents"), kinds.get("userFills", [])
        if not events and not topics:
            return
        sources = self._sources
        account = sources.venue.accounts[address]
        fills = tuple(fills_of(sources, account, executions))
        for topic in topics:
            told = fills
            if topic.wanted.aggregate_by_time is True:
                told = tuple(fills_of(sources, account, executions, aggregates=True))
            topic.send(FillsPushed(user=address, fills=told), pushes)
        _send_all(events, UserEvent(fills=fills), pushes)

    def _tell_trades(self, now_ns: int, pushes: Pushes) -> None:
        sources, now_ms = self._sources, now_ns // NS_PER_MS
        for symbol, prints in self._traded.items():
            kinds = self._of_coins.get(symbol, {})
            if "trades" in kinds:
                market = sources.venue.markets[symbol]
                _send_all(kinds["trades"], [trade(market, one) for one in prints], pushes)
            for topic in kinds.get("candle", ()):
                topic.send(newest_candle(sources, topic.wanted, now_ms), pushes)
        self._traded.clear()

    def _tell_best(self, now_ns: int, pushes: Pushes) -> None:
        """Tell best prices that changed, and remember whose books have to be told."""
        sources, now_ms = self._sources, now_ns // NS_PER_MS
        for symbol in self._changed:
            kinds = self._of_coins.get(symbol, {})
            for topic in kinds.get("bbo", ()):
                data = SNAPSHOTS["bbo"](sources, topic.wanted, now_ms)
                best = getattr(data, "bbo", None)
                if best != topic.told:
                    topic.told = best
                    topic.send(data, pushes)
            for topic in kinds.get("l2Book", ()):
                self._books[topic] = None
        self._changed.clear()

    def _tell_books(self, now_ns: int, pushes: Pushes) -> None:
        """Tell the changed books whose time has come."""
        for topic in [topic for topic in self._books if topic.due_ns <= now_ns]:
            del self._books[topic]
            topic.due_ns = now_ns + self.settings.book_ns
            topic.send(book(self._sources, topic.wanted, now_ns // NS_PER_MS), pushes)

    def _tell_again(self, topic: Topic, make: Snapshot, now_ns: int, pushes: Pushes) -> None:
        frame = topic.frame(make(self._sources, topic.wanted, now_ns // NS_PER_MS))
        if frame != topic.told:
            topic.told = frame
            pushes.extend((connection, frame) for connection in topic.connections)


def _send_all(topics: list[Topic] | None, data: object, pushes: Pushes) -> None:
    for topic in topics or ():
        topic.send(data, pushes)


def user_of(wanted: Subscription) -> str:
    """Return whose feed a subscription is, empty for a feed of nobody."""
    return "" if wanted.user is UNSET else text_of(wanted.user)
