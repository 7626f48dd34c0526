"""The trader against an honest venue over a dishonest line: answers and pushes lost, doubled, late and out of order.

Laws proven: each order's facts are consistent and told once; nothing ends without proof; a fill is told once; in the
end, when the line is good again, everything is settled and the statement is the venue's, to the last unit.
"""

from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.commands import PlaceOrder
from domain.events import (
    AccountReported,
    Event,
    FundingPaid,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderStatus,
    OrderStatusReported,
    ReplaceRefused,
    TransferBooked,
)
from domain.order import Side, TimeInForce
from exchange.hyperliquid.requests import Ask, SendAction
from exchange.hyperliquid.trader import TraderSettings
from tests.exchange.trader_line import Line, only

PICK = st.integers(0, 50)
MONEY = (OrderFilled, FundingPaid, TransferBooked)
ENDS = (OrderCanceled, OrderExpired, OrderRejected)


def is_end(fact: Event) -> bool:
    """Return whether a fact ends its order."""
    if isinstance(fact, OrderStatusReported):
        return fact.status not in {OrderStatus.OPEN, OrderStatus.FILLED}
    return isinstance(fact, ENDS) or (isinstance(fact, ReplaceRefused) and fact.is_gone)


class TraderMachine(RuleBasedStateMachine):
    """One trader, one venue, and everything that goes wrong between them."""

    expires_after_ms = 15_000

    def __init__(self) -> None:
        super().__init__()
        self.line = Line(TraderSettings(expires_after_ms=self.expires_after_ms))
        self.orders: list[PlaceOrder] = []
        self.replacing: set[str] = set()
        self.out: list[SendAction | Ask] = []
        self.back: list[tuple[SendAction | Ask, bytes]] = []
        self.is_up = True
        self.checked = 0

    def flush(self) -> None:
        """Take what the trader sends."""
        self.out += self.line.take()

    @initialize()
    def begin(self) -> None:
        """Begin with two orders that rest: most of what can go wrong happens to such."""
        for side in Side:
            self.place(200_000, 1_000, "alo", side)
        self.be_good()

    # The engine.

    @rule(
        price=st.integers(190_000, 210_000),
        lots=st.sampled_from((1, 100, 1_000)),
        kind=st.sampled_from(("alo", "gtc", "ioc")),
        side=st.sampled_from(Side),
    )
    def place(self, price: int, lots: int, kind: str, side: Side) -> None:
        """Wish for an order."""
        tif = TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC
        order = self.line.place(price, lots, post_only=kind == "alo", time_in_force=tif, side=side)
        self.orders.append(order)
        self.line.trader.send(order)
        self.flush()

    @precondition(lambda self: self.orders)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        """Wish for a cancel."""
        self.line.trader.send(self.line.cancel(self.orders[pick % len(self.orders)]))
        self.flush()

    @precondition(lambda self: self.orders)
    @rule(pick=PICK, price=st.integers(190_000, 210_000), lots=st.sampled_from((100, 1_000)))
    def replace(self, pick: int, price: int, lots: int) -> None:
        """Wish for new terms, for an order the engine thinks rests and has no wish open for."""
        order = self.orders[pick % len(self.orders)]
        mine = [fact for fact in self.line.facts if getattr(fact, "client_order_id", "") == order.client_order_id]
        is_resting = bool(only(mine, OrderAccepted)) and not any(is_end(fact) for fact in mine)
        if not is_resting or order.client_order_id in self.replacing or order.time_in_force is TimeInForce.IOC:
            return
        filled = sum(fact.lots for fact in only(mine, OrderFilled))
        if filled >= lots:
            return
        self.replacing.add(order.client_order_id)
        self.line.trader.send(self.line.replace(order, price, lots))
        self.flush()

    @precondition(lambda self: self.orders)
    @rule(pick=PICK)
    def query(self, pick: int) -> None:
        """Ask for a fate."""
        self.line.trader.send(self.line.query(self.orders[pick % len(self.orders)]))
        self.flush()

    @rule()
    def query_account(self) -> None:
        """Ask for the account."""
        self.line.trader.send(self.line.query_account())
        self.flush()

    # The line.

    @precondition(lambda self: self.out)
    @rule(pick=PICK)
    def reach(self, pick: int) -> None:
        """Let any request reach the venue."""
        request = self.out.pop(pick % len(self.out))
        self.back.append((request, self.line.reach(request)))

    @precondition(lambda self: self.out)
    @rule(pick=PICK, kind=st.sampled_from(("not_sent", "timeout", "broken", "refused")))
    def lose_request(self, pick: int, kind: Any) -> None:
        """Let a request get lost, with or without proof."""
        self.line.fail(self.out.pop(pick % len(self.out)), kind)
        self.flush()

    @precondition(lambda self: self.out)
    @rule(pick=PICK)
    def overtake(self, pick: int) -> None:
        """Let a request time out, and reach the venue all the same, later."""
        request = self.out[pick % len(self.out)]
        if isinstance(request, SendAction):
            self.line.fail(request, "timeout")
            self.out.remove(request)
            self.out.append(request)
            self.flush()

    @precondition(lambda self: self.back)
    @rule(pick=PICK, is_lost=st.booleans(), is_double=st.booleans())
    def answer(self, pick: int, is_lost: bool, is_double: bool) -> None:
        """Let an answer arrive, twice or never."""
        request, payload = self.back.pop(pick % len(self.back))
        if is_lost:
            self.line.fail(request, "timeout")
        for _ in range(1 + is_double):
            self.line.answer(request, payload)
        self.flush()

    @precondition(lambda self: self.line.venue.pushes)
    @rule(pick=PICK, is_double=st.booleans())
    def push(self, pick: int, is_double: bool) -> None:
        """Let any push arrive."""
        channel, data = self.line.venue.pushes.pop(pick % len(self.line.venue.pushes))
        for _ in range(1 + is_double):
            if self.is_up:
                self.line.trader.on_push(channel, data, self.line.now)
        self.flush()

    @precondition(lambda self: self.line.venue.pushes)
    @rule(pick=PICK)
    def lose_push(self, pick: int) -> None:
        """Let a push get lost: only where the connection is."""
        self.line.venue.pushes.pop(pick % len(self.line.venue.pushes))
        if self.is_up:
            self.lose_connection()

    @precondition(lambda self: self.is_up)
    @rule()
    def lose_connection(self) -> None:
        """Cut the line: what is under way on it is answered by Failed."""
        self.is_up = False
        self.line.trader.on_lost("cut", self.line.now)
        for request, _ in self.back:
            self.line.fail(request, "broken")
        self.back.clear()
        self.line.venue.pushes.clear()
        self.flush()

    @precondition(lambda self: not self.is_up)
    @rule()
    def connect(self) -> None:
        """Come back."""
        self.is_up = True
        self.line.venue.pushes.clear()
        self.line.trader.on_connected(self.line.now)
        self.flush()

    @precondition(lambda self: self.is_up)
    @rule()
    def be_good(self) -> None:
        """Let the line behave for a moment: orders rest, replacements succeed."""
        for _ in range(3):
            out, self.out = self.out, []
            for request in out:
                self.line.answer(request, self.line.reach(request))
            self.line.push()
            self.flush()

    # The market.

    @precondition(lambda self: any(one.is_open for one in self.line.venue.orders.values()))
    @rule(pick=PICK, lots=st.sampled_from((1, 50, 1_000)))
    def fill(self, pick: int, lots: int) -> None:
        """Fill a resting order."""
        resting = [one for one in self.line.venue.orders.values() if one.is_open]
        self.line.venue.fill(resting[pick % len(resting)].number, lots)

    @precondition(lambda self: any(one.is_open for one in self.line.venue.orders.values()))
    @rule(pick=PICK)
    def cancel_by_venue(self, pick: int) -> None:
        """Let the venue cancel."""
        resting = [one for one in self.line.venue.orders.values() if one.is_open]
        self.line.venue.end(resting[pick % len(resting)].number, "marginCanceled")

    @rule(amount=st.integers(-10_000, 10_000))
    def fund(self, amount: int) -> None:
        """Settle an hour."""
        self.line.wait(3_600_000)
        self.line.venue.pay_funding("ETH", amount * 100)
        self.flush()

    @rule()
    def deposit(self) -> None:
        """Let money come."""
        self.line.venue.deposit(5 * 10**8)

    @precondition(lambda self: self.is_up)
    @rule()
    def block(self) -> None:
        """Let the venue's time be seen."""
        self.line.book()
        self.flush()

    @rule(lots=st.sampled_from((0, 40, 400)))
    def offer(self, lots: int) -> None:
        """Let there be something to take."""
        self.line.venue.takers_get = lots

    @rule(ms=st.sampled_from((1, 7, 300, 2_000, 30_000)))
    def wait(self, ms: int) -> None:
        """Let time pass."""
        self.line.wait(ms)
        self.flush()

    # Laws.

    @invariant()
    def facts_are_consistent(self) -> None:
        """Look at every new fact with those before it."""
        self.line.events()
        for at in range(self.checked, len(self.line.facts)):
            fact = self.line.facts[at]
            if isinstance(fact, AccountReported):
                money = [one for one in self.line.facts[:at] if isinstance(one, MONEY)]
                assert all(one.ts_event_ns < fact.ts_event_ns for one in money)
            name = getattr(fact, "client_order_id", None)
            if name:
                mine = [one for one in self.line.facts[:at] if getattr(one, "client_order_id", "") == name]
                self.check(fact, mine)
        self.checked = len(self.line.facts)

    def check(self, fact: Event, before: list[Event]) -> None:
        """Check one fact of an order against those before it."""
        name = fact.client_order_id  # type: ignore[union-attr]
        if isinstance(fact, ReplaceRefused | OrderReplaced):
            self.replacing.discard(name)
        is_ended = any(is_end(one) for one in before)
        found = [one for one in self.line.venue.orders.values() if one.name == name]
        if isinstance(fact, OrderAccepted):
            assert not only(before, OrderAccepted)
            assert not is_ended
        if isinstance(fact, OrderFilled):
            assert only(before, OrderAccepted)
            assert fact.trade_id not in {one.trade_id for one in only(before, OrderFilled)}
        if is_end(fact):
            answers_again = isinstance(fact, OrderStatusReported)
            assert answers_again or not is_ended, f"{fact} after {before}"
            assert not any(one.is_open for one in found), f"{fact} while it rests"
        if isinstance(fact, OrderStatusReported) and fact.status is OrderStatus.NEVER_SEEN:
            assert not found
        if isinstance(fact, ReplaceRefused) and not fact.is_gone and fact.venue_text.startswith("Order must"):
            assert any(one.is_open for one in found)

    def teardown(self) -> None:
        """Mend the line: everything settles."""
        if not self.is_up:
            self.connect()
        for request in self.out:
            # Late ones arrive too.
            self.back.append((request, self.line.reach(request)))
        for request, payload in self.back:
            self.line.answer(request, payload)
        self.line.run(60_000)
        for order in self.orders:
            self.line.trader.send(self.line.query(order))
        self.line.run(20_000)
        self.line.wait(30_000)
        for order in self.orders:
            self.line.trader.send(self.line.query(order))
        self.line.trader.send(self.line.query_account())
        self.line.run(20_000)
        self.facts_are_consistent()
        self.everything_is_settled()

    def everything_is_settled(self) -> None:
        """Compare facts and venue."""
        venue, facts = self.line.venue, self.line.facts
        told = [(fact.trade_id, fact.lots, fact.price) for fact in only(facts, OrderFilled)]
        assert sorted(told) == [
            (fill["tid"], self.lots(fill["sz"]), round(float(fill["px"]) * 100)) for fill in venue.fills
        ]
        assert len({(fact.hour_ns, fact.symbol) for fact in only(facts, FundingPaid)}) == len(venue.fundings)
        assert len(only(facts, FundingPaid)) == len(venue.fundings)
        assert len(only(facts, TransferBooked)) == len(venue.updates)
        statement = self.line.trader.statement()
        assert self.line.trader.is_synced
        assert statement.cash == venue.cash
        assert statement.positions == {coin: lots for coin, lots in venue.positions.items() if lots}
        (*_, last) = only(facts, AccountReported)
        assert last.cash == venue.cash
        assert self.line.trader.counters.gaps_unproven == 0
        for order in self.orders:
            mine = [fact for fact in facts if getattr(fact, "client_order_id", "") == order.client_order_id]
            found = venue.find(order.client_order_id)
            filled = sum(fact.lots for fact in only(mine, OrderFilled))
            replaced = only(mine, OrderReplaced)
            size = replaced[-1].lots if replaced else order.lots
            is_told_ended = any(is_end(fact) for fact in mine) or filled >= size
            is_live = any(one.is_open for one in venue.orders.values() if one.name == order.client_order_id)
            assert is_told_ended != is_live, (order, found, mine)
            # Found open without an answer to its replacement: the engine is told so, and cancels it.
            is_settled = is_told_ended or bool(only(mine, OrderStatusReported))
            assert order.client_order_id not in self.replacing or is_settled, mine

    @staticmethod
    def lots(text: str) -> int:
        """Return ETH text as lots."""
        return round(float(text) * 10_000)


class EndlessMachine(TraderMachine):
    """The same with actions that never expire: only noops prove."""

    expires_after_ms = 0


HOW = settings(max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck))
TraderMachine.TestCase.settings = EndlessMachine.TestCase.settings = HOW
TestTraderLaws = TraderMachine.TestCase
TestTraderLawsWithoutExpiry = EndlessMachine.TestCase
