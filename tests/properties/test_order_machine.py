"""The order machine under a hostile venue: any fact about any order, in any order, any number of times.

Laws: no fact of the venue breaks the machine; every distinct fill is booked exactly once; open lots are exactly those
of the orders that may still be filled; an order moves only along edges of the lifecycle; the ledger stays balanced;
whatever statements say, nothing adds risk while one of them is not settled, and lots and money that no fact explains
stand on their own account; a fact the opening statement holds, or of an instrument we do not trade, changes nothing.
"""

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.commands import PlaceOrder, ReplaceOrder
from domain.events import (
    AccountReported,
    CancelRefused,
    Event,
    FeedLost,
    FundingPaid,
    OperatorAcknowledged,
    OperatorHalted,
    OperatorPaused,
    OperatorResumed,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
    TimerFired,
    TransferBooked,
)
from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.lifecycle import AT_RISK, NEXT_STATE, State
from domain.modes import Mode
from domain.notices import DiscrepancyClosed, DiscrepancyFound, FactNoted, FillBooked, OrderTransitioned
from domain.order import Liquidity, Side
from domain.reasons import Reason
from domain.units import Lots, Money, Price, Rate
from engine.timers import PULSE
from tests.builders import START_NS, lots, price, quotes, top, trading_engine, want

ids = st.integers(0, 30)
sizes = st.integers(1, 300)
prices = st.sampled_from(["99990", "99999", "100000", "100002", "100010"])


class HostileVenue(RuleBasedStateMachine):
    """Feeds the engine facts a venue could send, true or not."""

    def __init__(self) -> None:
        """Start with an engine that trades and a market it can quote on."""
        super().__init__()
        self.engine = trading_engine(None)
        self.now_ns = START_NS
        self.sent: list[ClientOrderId] = []
        self.side_of: dict[ClientOrderId, Side] = {}
        self.fills: dict[int, OrderFilled] = {}
        self.booked: set[int] = set()
        self.filled: dict[ClientOrderId, int] = {}
        self.told: dict[int, FundingPaid | TransferBooked] = {}
        self.is_blocked = False
        self.tell(top("100000", "100001", self.now_ns))

    def tell(self, event: Event) -> None:
        """Step the engine and check every move it tells of."""
        was_blocked = self.is_blocked
        outcome = self.engine.step(event)
        for command in outcome.commands:
            if isinstance(command, PlaceOrder):
                assert not (was_blocked and self.is_blocked) or self.reduces(command)
                self.sent.append(command.client_order_id)
                self.side_of[command.client_order_id] = command.side
            elif isinstance(command, ReplaceOrder):
                assert command.client_order_id in self.side_of
        for notice in outcome.notices:
            if isinstance(notice, OrderTransitioned):
                edges = NEXT_STATE[notice.from_state][notice.trigger]
                assert notice.to_state in edges
            if isinstance(notice, FillBooked):
                assert notice.trade_id not in self.booked
                self.booked.add(notice.trade_id)
            if isinstance(notice, DiscrepancyFound | DiscrepancyClosed):
                self.is_blocked = isinstance(notice, DiscrepancyFound)

    def reduces(self, command: PlaceOrder) -> bool:
        """Say whether an order cannot grow the position."""
        position = self.engine.state.book.position_lots("BTC")
        return position * command.side < 0 and command.lots <= abs(position)

    def stamp(self, late_s: int = 0) -> dict[str, int]:
        """Return the times of the next fact, which took so long to us."""
        self.now_ns += 50_000_000
        return {"ts_event_ns": self.now_ns - late_s * 1_000_000_000, "ts_recv_ns": self.now_ns}

    def pick(self, number: int) -> ClientOrderId:
        """Return one of our orders, or one nobody knows."""
        return self.sent[number % len(self.sent)] if self.sent else ClientOrderId("0x" + "f" * 32)

    @rule(bid=prices, ask=prices, size=sizes, market=st.sampled_from(["100000", "100003", "99995"]))
    def market_moves(self, bid: str, ask: str, size: int, market: str) -> None:
        """The strategy wants something else and the market gives it a look."""
        amount = f"0.{size:05d}"
        want(self.engine, quotes((bid, amount), (ask, amount)))
        stamp = self.stamp()
        self.tell(top(market, str(int(market) + 1), stamp["ts_recv_ns"]))

    @rule(number=ids)
    def accepts(self, number: int) -> None:
        """Accept."""
        self.tell(OrderAccepted(self.pick(number), VenueOrderId(number + 1), **self.stamp()))

    @rule(number=ids, reason=st.sampled_from([Reason.VENUE_POST_ONLY, Reason.VENUE_MARGIN]))
    def rejects(self, number: int, reason: Reason) -> None:
        """Reject."""
        self.tell(OrderRejected(self.pick(number), reason, "no", **self.stamp()))

    @rule(number=ids, size=sizes, at_price=prices, trade_id=st.integers(1, 60), late_s=st.integers(0, 3))
    def fills_order(self, number: int, size: int, at_price: str, trade_id: int, late_s: int) -> None:
        """Fill, or repeat a fill told before, byte for byte."""
        order_id = self.pick(number)
        known = self.fills.get(trade_id)
        if known is None:
            known = OrderFilled(
                client_order_id=order_id,
                venue_order_id=VenueOrderId(1),
                symbol="BTC",
                side=self.side_of.get(order_id, Side.BUY),
                trade_id=TradeId(trade_id),
                price=price(at_price),
                lots=Lots(size),
                liquidity=Liquidity.MAKER,
                fee=Money(size * 10),
                start_position=Lots(self.engine.state.book.position_lots("BTC")),
                **self.stamp(late_s),
            )
            if known.ts_event_ns <= START_NS:
                self.changes_nothing(known, Reason.FACT_BEFORE_OPENING)
                return
            self.fills[trade_id] = known
            self.filled[order_id] = self.filled.get(order_id, 0) + size
        self.tell(known)

    def changes_nothing(self, fact: Event, reason: Reason) -> None:
        """Tell a fact that is noted and nothing else."""
        book = self.engine.state.book
        count = book.transaction_count
        notices = self.engine.step(fact).notices
        assert [one.reason for one in notices if isinstance(one, FactNoted)] == [reason]
        assert book.transaction_count == count

    @rule(late_s=st.integers(0, 3), is_fill=st.booleans())
    def tells_of_strangers(self, late_s: int, is_fill: bool) -> None:
        """A fill or a funding of an instrument this bot does not trade."""
        stamp = self.stamp(late_s)
        fact: Event = FundingPaid("PEPE", 1, Lots(1), Rate(1), price("1"), Money(7), **stamp)
        if is_fill:
            fact = OrderFilled(
                client_order_id=self.pick(0),
                venue_order_id=VenueOrderId(1),
                symbol="PEPE",
                side=Side.BUY,
                trade_id=TradeId(1),
                price=price("1"),
                lots=Lots(1),
                liquidity=Liquidity.MAKER,
                fee=Money(1),
                start_position=Lots(0),
                **stamp,
            )
        self.changes_nothing(fact, Reason.UNKNOWN_INSTRUMENT)

    @rule(
        cash=st.sampled_from([0, 0, 7, -300]),
        size=st.sampled_from([0, 0, 5, -20]),
        late_s=st.integers(0, 1),
        waits_s=st.sampled_from([0, 2, 2]),
        stranger=st.sampled_from([0, 0, 0, 9]),
    )
    def states_account(self, cash: int, size: int, late_s: int, waits_s: int, stranger: int) -> None:
        """State what the book says, or more, or less, some time later; a stranger's lots too."""
        self.now_ns += waits_s * 1_000_000_000
        book = self.engine.state.book
        position = book.position_lots("BTC") + size
        held = (("BTC", position, position * 1_000_000), ("PEPE", stranger, 1))
        self.tell(AccountReported(Money(book.cash + cash), held, **self.stamp(late_s)))

    @rule(number=st.integers(1, 20), amount=st.sampled_from([7, -7, 300]), late_s=st.integers(0, 3))
    def moves_money(self, number: int, amount: int, late_s: int) -> None:
        """Pay funding or a transfer, late or on time, or tell of one again."""
        stamp = self.stamp(late_s)
        fact: FundingPaid | TransferBooked = TransferBooked(f"transfer {number}", Money(amount), **stamp)
        if number % 2:
            fact = FundingPaid("BTC", number, Lots(1), Rate(1), price("100000"), Money(amount), **stamp)
        self.tell(self.told.setdefault(number, fact))

    @rule()
    def acknowledges(self) -> None:
        """Take on whatever there is."""
        self.tell(OperatorAcknowledged("test", **self.stamp()))

    @rule(number=ids)
    def cancels(self, number: int) -> None:
        """Confirm a cancel, asked for or not."""
        self.tell(OrderCanceled(self.pick(number), **self.stamp()))

    @rule(number=ids)
    def refuses_cancel(self, number: int) -> None:
        """Refuse a cancel, asked for or not."""
        self.tell(CancelRefused(self.pick(number), Reason.VENUE_UNKNOWN_ORDER, "no", **self.stamp()))

    @rule(number=ids, size=sizes, at_price=prices)
    def replaces(self, number: int, size: int, at_price: str) -> None:
        """Confirm a replace, asked for or not."""
        self.tell(OrderReplaced(self.pick(number), VenueOrderId(9), price(at_price), Lots(size), **self.stamp()))

    @rule(number=ids, gone=st.booleans())
    def refuses_replace(self, number: int, gone: bool) -> None:
        """Refuse a replace, asked for or not."""
        self.tell(ReplaceRefused(self.pick(number), Reason.VENUE_POST_ONLY, "no", gone, **self.stamp()))

    @rule(number=ids)
    def expires(self, number: int) -> None:
        """Expire."""
        self.tell(OrderExpired(self.pick(number), **self.stamp()))

    @rule(number=ids, status=st.sampled_from(OrderStatus), size=st.integers(0, 300))
    def reports(self, number: int, status: OrderStatus, size: int) -> None:
        """Report a status, asked for or not."""
        self.tell(OrderStatusReported(self.pick(number), status, Lots(size), **self.stamp()))

    @rule(seconds=st.integers(0, 20))
    def time_passes(self, seconds: int) -> None:
        """Let the pulse come late."""
        self.now_ns += seconds * 1_000_000_000
        self.tell(TimerFired(PULSE, **self.stamp()))

    @rule(act=st.sampled_from(["halt", "flatten", "pause", "resume", "lost"]))
    def operator_acts(self, act: str) -> None:
        """Halt, pause, resume, lose the feed."""
        stamp = self.stamp()
        acts: dict[str, Event] = {
            "halt": OperatorHalted("test", **stamp),
            "flatten": OperatorHalted("test", True, **stamp),
            "pause": OperatorPaused("test", **stamp),
            "resume": OperatorResumed("test", **stamp),
            "lost": FeedLost("BTC", "test", **stamp),
        }
        self.tell(acts[act])

    @invariant()
    def no_fill_is_lost_or_doubled(self) -> None:
        """The position is the sum of the distinct fills and of what nobody explains; each order knows its own."""
        assert self.booked == set(self.fills)
        total = sum(fact.side * fact.lots for fact in self.fills.values())
        unexplained = self.engine.state.book.unexplained_lots.get("BTC", 0)
        assert self.engine.state.book.position_lots("BTC") == total + unexplained
        for order_id, amount in self.filled.items():
            order = self.engine.state.orders.find(order_id)
            assert order is None or order.filled_lots == amount

    @invariant()
    def open_lots_are_those_of_live_orders(self) -> None:
        """Recount from scratch."""
        counted = [0, 0]
        live = 0
        for order_id in self.sent:
            order = self.engine.state.orders.find(order_id)
            assert order is not None
            assert isinstance(order.state, State)
            if order.state in AT_RISK:
                live += 1
                counted[order.side is Side.SELL] += max(max(order.lots, order.pending_lots) - order.filled_lots, 0)
        assert counted == self.engine.state.orders.open_lots("BTC")
        assert live == self.engine.state.orders.open_count

    @invariant()
    def ledger_is_balanced(self) -> None:
        """Recompute every law of the book."""
        state = self.engine.state
        state.book.verify(state.marks)
        totals = state.book.totals(state.marks)
        assert totals.equity == state.book.transfers + state.book.unexplained + totals.net

    @invariant()
    def nothing_trades_while_a_statement_is_not_settled(self) -> None:
        """Blocked is what was found and not closed, and it is no trading."""
        state = self.engine.state
        assert state.agreement.is_blocking == self.is_blocked
        assert not (state.is_blocked and state.mode is Mode.TRADING)
        if not state.agreement.is_blocking:
            assert not state.agreement.is_pending
            assert not state.agreement.is_booked
        if not state.agreement.is_booked:
            taken = state.agreement.taken_cash, state.agreement.taken_lots
            assert taken == (state.book.unexplained, state.book.unexplained_lots)
        if not state.agreement.is_pending:
            assert (state.agreement.cash, state.agreement.positions) == (0, ())


HostileVenue.TestCase.settings = hypothesis_settings(max_examples=120, stateful_step_count=60, deadline=None)
TestHostileVenue = HostileVenue.TestCase


def test_sizes_of_the_hostile_venue_are_lots() -> None:
    """A hundred-thousandth of a bitcoin is one lot, so that the sizes above are what they seem."""
    assert lots("0.00001") == 1
    assert Price(1) * 10 == price("1")
