"""The trader: wishes of the engine become requests to the venue, answers and pushes become facts.

Theory of operation. No input or output, no clock: whoever has the socket calls in with what happened and when, takes
what is to be sent, and hands facts on. The parts: `order_desk` (wishes to actions), `order_fates` (evidence to facts),
`order_questions` (doubt to proof), `inquiry` (the account proven whole), `account_facts` (money, told once),
`market_watch` (prices).

Laws: receive times never fall; nothing the venue says raises; a fact is told once, whichever way it came first and
however often it comes; after a lost connection the feed counts as restored only when the account was proven whole, or
was shown to the engine as it is; prices to quote on wait until then.
"""

from collections.abc import Callable, Sequence

import msgspec

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, QueryOrder, ReplaceOrder, VenueCommand
from domain.events import Event, FeedLost, FeedRestored
from domain.instrument import Instrument
from exchange.hyperliquid.account_facts import AccountFacts
from exchange.hyperliquid.codec_numbers import Numbers
from exchange.hyperliquid.counters import Counters, count
from exchange.hyperliquid.inquiry import Inquiry
from exchange.hyperliquid.market_watch import MarketWatch
from exchange.hyperliquid.order_desk import OrderDesk
from exchange.hyperliquid.order_fates import OrderFates
from exchange.hyperliquid.order_questions import OrderQuestions
from exchange.hyperliquid.order_track import Track, foreign_track
from exchange.hyperliquid.outbox import Outbox
from exchange.hyperliquid.requests import Answered, Ask, Failed, SendAction
from exchange.hyperliquid.telling import Teller
from exchange.hyperliquid.tolerance import Reader
from exchange.hyperliquid.wire import Subscription
from exchange.hyperliquid.wire_account import FillsPushed, FundingsPushed, LedgerPushed, OrderUpdate, UserEvent
from exchange.port import Statement

ACCOUNT_CHANNELS = ("orderUpdates", "userEvents", "userFills", "userFundings", "userNonFundingLedgerUpdates")


class TraderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the trader trades.

    expires_after_ms: actions die at the venue so long after their making, which proves their end without a question; 0
    never. with_trades, with_top: subscribe to trades and best prices besides books and contexts.
    """

    expires_after_ms: int = 15_000
    with_trades: bool = True
    with_top: bool = True


class Trader:
    """One account at one venue."""

    def __init__(
        self, instruments: Sequence[Instrument], account: str, take_nonce: Callable[[], int], settings: TraderSettings
    ) -> None:
        """Know the instruments that are traded and the address of the account (not that of its agent)."""
        self.counters = Counters()
        self._account = account.lower()
        self._settings = settings
        self._coins = {one.symbol: Numbers(one) for one in instruments}
        self._reader = Reader(self.counters)
        self._teller = Teller(self._coins)
        self._outbox = Outbox(take_nonce, settings.expires_after_ms, self.counters)
        self._market = MarketWatch(self._coins, self._reader, self._teller, self.counters)
        self._fates = OrderFates(self._coins, self._teller, self.counters, self._await_fills)
        self._facts = AccountFacts(
            self._coins, self._account, self._market.oracles, self._teller, self.counters, self._fates.filled
        )
        self._questions = OrderQuestions(
            self._account,
            self._fates,
            self._facts,
            self._outbox,
            self._reader,
            self.counters,
            self._market.block_ms,
        )
        self._desk = OrderDesk(
            self._coins,
            self._fates,
            self._questions,
            self._outbox,
            self._teller,
            self._reader,
            self.counters,
            self._on_key_refused,
        )
        self._inquiry = Inquiry(
            self._coins,
            self._account,
            self._facts,
            self._outbox,
            self._teller,
            self._reader,
            self.counters,
            self._on_proven,
        )
        self._wishes: list[VenueCommand] = []
        self._is_lost = False
        self._is_connected = False
        self._channels: dict[str, Callable[[bytes, int], None]] = {
            **self._market.channels,
            "orderUpdates": self._on_orders,
            "user": self._on_user,
            "userFills": self._on_fills,
            "userFundings": self._on_fundings,
            "userNonFundingLedgerUpdates": self._on_updates,
        }

    @property
    def is_synced(self) -> bool:
        """Whether the account is known and nothing of it is missing, as far as can be proven."""
        return self._facts.begun_ms is not None and not self._inquiry.is_gap

    def subscriptions(self) -> list[Subscription]:
        """Return what to subscribe to on every connection."""
        kinds = ["l2Book", "activeAssetCtx"]
        kinds += ["bbo"] * self._settings.with_top + ["trades"] * self._settings.with_trades
        market = [Subscription(type=kind, coin=coin) for coin in self._coins for kind in kinds]
        return [Subscription(type=kind, user=self._account) for kind in ACCOUNT_CHANNELS] + market

    def start(self, now_ns: int) -> None:
        """Ask for the account; what happened before its statement is history and not told."""
        self._at(now_ns)
        self._inquiry.want()

    def send(self, command: VenueCommand) -> None:
        """Take one wish; it leaves with the next take_requests."""
        self._wishes.append(command)

    def take_requests(self, now_ns: int) -> list[SendAction | Ask]:
        """Return what is to be sent now, in order.

        Call after every decision, answer and push, and when next_ts_ns is due.
        """
        self._at(now_ns)
        wishes, self._wishes = self._wishes, []
        if wishes:
            self._desk.cancel([one for one in wishes if isinstance(one, CancelOrder)])
            self._desk.place([one for one in wishes if isinstance(one, PlaceOrder)])
            self._desk.replace([one for one in wishes if isinstance(one, ReplaceOrder)])
            for wish in wishes:
                if isinstance(wish, QueryOrder):
                    self._questions.ask(self._fates.find(wish.client_order_id) or self._fates.add(foreign_track(wish)))
                elif isinstance(wish, QueryAccount):
                    self._inquiry.want(report=True)
        if self._facts.is_broken:
            # A fill that does not start where we stand: another one is missing.
            self._facts.is_broken = False
            self._inquiry.want(is_gap=True)
        return self._outbox.take(now_ns)

    def next_ts_ns(self) -> int | None:
        """Return when take_requests has something of its own to send; None when nothing waits."""
        return self._outbox.next_ts_ns()

    def on_answer(self, answer: Answered | Failed, now_ns: int) -> None:
        """Take the answer to a request."""
        self._at(now_ns)
        self._outbox.answered(answer)

    def on_push(self, channel: str, data: bytes, now_ns: int) -> None:
        """Take a pushed message: data is the raw JSON under `data`."""
        self._at(now_ns)
        take = self._channels.get(channel)
        if take is None:
            count(self.counters.unknown_channels, channel)
        else:
            take(data, self._teller.now_ns)

    def on_connected(self, now_ns: int) -> None:
        """The socket is open and everything is subscribed."""
        self._at(now_ns)
        self._is_connected = True
        self._market.on_connected(self._teller.now_ns)
        if self._is_lost:
            self._inquiry.want(is_gap=True)
            self._questions.ask_open_orders()

    def on_lost(self, detail: str, now_ns: int) -> None:
        """The socket is gone. Requests in flight on it are answered by Failed, one by one."""
        self._at(now_ns)
        self._is_connected = False
        self._inquiry.mark_gap()
        self._market.hold()
        if not self._is_lost:
            self._is_lost = True
            now_ns = self._teller.now_ns
            self._teller.tell(FeedLost(ts_event_ns=now_ns, ts_recv_ns=now_ns, symbol="", detail=detail[:200]))

    def bar(self, symbol: str, detail: str, now_ns: int) -> None:
        """Tell no more prices of an instrument, and that its feed is lost; a second call does nothing."""
        self._at(now_ns)
        if self._market.bar(symbol):
            self.counters.listing_changes += 1
            now_ns = self._teller.now_ns
            self._teller.tell(FeedLost(ts_event_ns=now_ns, ts_recv_ns=now_ns, symbol=symbol, detail=detail[:200]))

    def _on_key_refused(self, text: str) -> None:
        """The key may not act for the account (any more): no prices of anything, so that nothing more is wished."""
        detail = f"the venue refuses our key, no new orders until a restart with one it takes: {text}"
        barred = [coin for coin in self._coins if self._market.bar(coin)]
        if barred:
            self.counters.key_refusals += 1
            now_ns = self._teller.now_ns
            self._teller.tell(FeedLost(ts_event_ns=now_ns, ts_recv_ns=now_ns, symbol="", detail=detail[:200]))

    def next_event(self) -> Event | None:
        """Hand out one fact; `statement` is in step with it."""
        return self._teller.next_event()

    def take_events(self) -> list[Event]:
        """Hand out the facts since the last call, in order of receipt."""
        events: list[Event] = []
        while (event := self._teller.next_event()) is not None:
            events.append(event)
        return events

    def statement(self) -> Statement:
        """Return the account as of the last account fact handed out; the same object until the next of them."""
        return self._teller.statement()

    def _at(self, now_ns: int) -> None:
        """Note the time; it never falls."""
        self._teller.now_ns = self._outbox.now_ns = max(self._teller.now_ns, now_ns)

    def _on_proven(self) -> None:
        """The account is whole, or told as it is: the feed counts again."""
        if self._is_lost and self._is_connected and not self._inquiry.is_gap:
            self._is_lost = False
            now_ns = self._teller.now_ns
            self._teller.tell(FeedRestored(ts_event_ns=now_ns, ts_recv_ns=now_ns, symbol=""))
            self._market.release(now_ns)

    def _await_fills(self, track: Track) -> None:
        self._questions.await_fills(track)

    def _on_orders(self, data: bytes, _now_ns: int) -> None:
        for update in self._reader.read(data, tuple[OrderUpdate, ...], is_hot=True) or ():
            self._fates.update(update)

    def _on_fills(self, data: bytes, now_ns: int) -> None:
        pushed = self._reader.read(data, FillsPushed, is_hot=True)
        if pushed is not None and self._is_ours(pushed.user):
            self._facts.take_fills(pushed.fills, now_ns)

    def _on_fundings(self, data: bytes, now_ns: int) -> None:
        pushed = self._reader.read(data, FundingsPushed)
        if pushed is not None and self._is_ours(pushed.user):
            self._facts.take_fundings(pushed.fundings, now_ns)

    def _on_updates(self, data: bytes, now_ns: int) -> None:
        pushed = self._reader.read(data, LedgerPushed)
        if pushed is not None and self._is_ours(pushed.user):
            self._facts.take_updates(pushed.entries, now_ns)

    def _on_user(self, data: bytes, now_ns: int) -> None:
        """Take what userEvents tells besides: fills and funding again, and cancels of the venue, which updates name."""
        event = self._reader.read(data, UserEvent)
        if event is None:
            return
        if isinstance(event.fills, tuple):
            self._facts.take_fills(event.fills, now_ns)
        if isinstance(event.funding, msgspec.Struct):
            self._facts.take_fundings([event.funding], now_ns)
        if isinstance(event.non_user_cancel, tuple):
            for canceled in event.non_user_cancel:
                track = self._fates.find(None, canceled.order_id)
                if track is not None and track.is_live:
                    # It says neither why nor how much was filled: the order's status does.
                    self._questions.check(track)

    def _is_ours(self, user: str) -> bool:
        if user.lower() != self._account:
            self.counters.foreign_money += 1
        return user.lower() == self._account
