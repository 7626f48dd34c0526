"""The in-process door's desk: commands of the bot become actions of one account, and what happens becomes facts.

Laws: every command is answered; facts come in the order in which things happened; an account fact carries the statement
as it stood right after it.
"""

from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, QueryOrder, ReplaceOrder, VenueCommand
from domain.events import (
    AccountReported,
    CancelRefused,
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
)
from domain.identifiers import ClientOrderId, TradeId, VenueOrderId
from domain.order import Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.units import Lots, Money, Price
from exchange.port import Statement
from exchange.simulated.accounts import FILLS_KEPT, FUNDINGS_KEPT, Account
from exchange.simulated.listener import Listener
from exchange.simulated.modify import modify
from exchange.simulated.records import Execution, Status, Terms, VenueOrder
from exchange.simulated.venue import Venue

Stamp = Callable[[int], int]
"""Venue time to the time at which a fact of it reaches the bot."""

Deliver = Callable[[Event, Statement | None], None]

CANCELED_REASONS: dict[str, Reason] = {
    Status.SELF_TRADE: Reason.VENUE_SELF_TRADE,
    Status.REDUCE_ONLY: Reason.VENUE_REDUCE_ONLY,
    Status.MARGIN: Reason.VENUE_MARGIN,
    Status.LIQUIDATED: Reason.VENUE_LIQUIDATED,
}
"""Cancels that the venue does on its own; every other one was asked for."""


class Door(Listener):
    """One account's way in and out."""

    def __init__(self, stamp: Stamp, deliver: Deliver) -> None:
        """Stand before a venue that is opened next. stamp gives receive times, deliver sends facts."""
        self.venue: Venue
        self.account: Account
        self.fills: deque[OrderFilled] = deque(maxlen=FILLS_KEPT)
        self.fundings: deque[FundingPaid] = deque(maxlen=FUNDINGS_KEPT)
        self._stamp = stamp
        self._deliver = deliver
        self._newest = 0
        self._replacing: ReplaceOrder | None = None
        self._canceling = ""

    def enter(self, venue: Venue, account: Account) -> None:
        """Take the account as ours."""
        self.venue = venue
        self.account = account

    @property
    def ts_ns(self) -> int:
        """The time of what happened last at the venue."""
        return self.venue.desk.ts_ns

    def recv_ns(self) -> int:
        """Return when a fact of now reaches the bot."""
        return self._stamp(self.venue.desk.ts_ns)

    def on_order(self, account: Account, order: VenueOrder) -> None:  # noqa: ARG002 the one account there is
        """Tell that an order was taken or has ended."""
        name, number, status = ClientOrderId(order.client_order_id), order.venue_order_id, order.status
        if status == Status.OPEN:
            if number > self._newest:
                self._newest = number
                self._tell_opened(name, VenueOrderId(number))
            return
        if status == Status.FILLED:
            return
        ts_ns = self.ts_ns
        reason = CANCELED_REASONS.get(status)
        if reason is not None:
            self._deliver(
                OrderCanceled(
                    ts_event_ns=ts_ns,
                    ts_recv_ns=self.recv_ns(),
                    client_order_id=name,
                    reason=reason,
                    venue_text=str(status),
                ),
                None,
            )
        elif name == self._canceling:
            self._deliver(OrderCanceled(ts_event_ns=ts_ns, ts_recv_ns=self.recv_ns(), client_order_id=name), None)
        elif self._replacing is None:
            self._deliver(OrderExpired(ts_event_ns=ts_ns, ts_recv_ns=self.recv_ns(), client_order_id=name), None)

    def _tell_opened(self, name: ClientOrderId, number: VenueOrderId) -> None:
        """Tell that a new order was accepted, or that it replaced another."""
        ts_ns, recv_ns, command = self.ts_ns, self.recv_ns(), self._replacing
        if command is None:
            fact: Event = OrderAccepted(
                ts_event_ns=ts_ns, ts_recv_ns=recv_ns, client_order_id=name, venue_order_id=number
            )
        else:
            fact = OrderReplaced(
                ts_event_ns=ts_ns,
                ts_recv_ns=recv_ns,
                client_order_id=name,
                venue_order_id=number,
                price=command.price,
                lots=command.lots,
            )
        self._deliver(fact, None)

    def on_execution(self, account: Account, execution: Execution) -> None:
        """Tell a fill."""
        fact = OrderFilled(
            ts_event_ns=execution.ts_ns,
            ts_recv_ns=self.recv_ns(),
            client_order_id=ClientOrderId(execution.client_order_id),
            venue_order_id=VenueOrderId(execution.venue_order_id),
            symbol=execution.symbol,
            side=Side.BUY if execution.side > 0 else Side.SELL,
            trade_id=TradeId(execution.trade_id),
            price=Price(execution.price),
            lots=Lots(execution.lots),
            liquidity=Liquidity.TAKER if execution.is_taker else Liquidity.MAKER,
            fee=Money(execution.fee),
            start_position=Lots(execution.start_position),
        )
        self.fills.append(fact)
        self._deliver(fact, account.statement())

    def on_funding(self, account: Account, funding: FundingPaid) -> None:
        """Tell a settlement."""
        fact = replace(funding, ts_recv_ns=self.recv_ns())
        self.fundings.append(fact)
        self._deliver(fact, account.statement())

    def on_command(self, command: VenueCommand, ts_ns: int) -> None:
        """Let a command arrive at the venue."""
        self.venue.begin(ts_ns)
        match command:
            case PlaceOrder():
                self._place(command)
            case CancelOrder():
                self._cancel(command, ts_ns)
            case ReplaceOrder():
                self._replace(command, ts_ns)
            case QueryOrder():
                self._answer_order(command, ts_ns)
            case QueryAccount():
                self._answer_account(ts_ns)

    def _place(self, command: PlaceOrder) -> None:
        """Place an order; facts follow as it happens, a refusal is told here."""
        terms = Terms(
            symbol=command.symbol,
            side=int(command.side),
            price=command.price,
            lots=command.lots,
            time_in_force=command.time_in_force,
            post_only=command.post_only,
            reduce_only=command.reduce_only,
            client_order_id=command.client_order_id,
        )
        refused = self.venue.place_one(self.account, terms).refusal
        if refused is not None:
            self._deliver(
                OrderRejected(
                    ts_event_ns=self.ts_ns,
                    ts_recv_ns=self.recv_ns(),
                    client_order_id=command.client_order_id,
                    reason=refused.reason,
                    venue_text=refused.text,
                ),
                None,
            )

    def _cancel(self, command: CancelOrder, ts_ns: int) -> None:
        """Cancel an open order or say that there is none."""
        name = command.client_order_id
        order = self.account.named.get(name)
        self._canceling = name
        refused = self.venue.cancel(self.account, order.symbol if order else command.symbol, name, ts_ns)
        self._canceling = ""
        if refused is not None:
            self._deliver(
                CancelRefused(
                    ts_event_ns=ts_ns,
                    ts_recv_ns=self.recv_ns(),
                    client_order_id=name,
                    reason=refused.reason,
                    venue_text=refused.text,
                ),
                None,
            )

    def _replace(self, command: ReplaceOrder, ts_ns: int) -> None:
        """Cancel and place anew at the back of the queue; a refused new order leaves nothing behind."""
        name = command.client_order_id
        old = self.account.named.get(name)
        filled = old.filled if old is not None else 0
        terms = Terms(
            symbol=command.symbol,
            side=int(command.side),
            price=command.price,
            lots=command.lots - filled,
            time_in_force=TimeInForce.GTC,
            post_only=True,
            reduce_only=command.reduce_only,
            client_order_id=name,
        )
        self._replacing = command
        result = modify(self.venue, self.account, name, terms, always_place=False, filled=filled)
        self._replacing = None
        if result.refusal is not None:
            fact = ReplaceRefused(
                ts_event_ns=ts_ns,
                ts_recv_ns=self.recv_ns(),
                client_order_id=name,
                reason=result.refusal.reason,
                venue_text=result.refusal.text,
                is_gone=result.is_gone,
            )
            self._deliver(fact, None)

    def _answer_order(self, command: QueryOrder, ts_ns: int) -> None:
        """Say what became of an order. Commands travel in order, so one never seen never comes: that is proof."""
        name = command.client_order_id
        order = self.account.named.get(name)
        if order is None:
            status, filled = self.account.ended.get(name, (OrderStatus.NEVER_SEEN, 0))
        else:
            status, filled = OrderStatus.OPEN, order.filled
        fact = OrderStatusReported(
            ts_event_ns=ts_ns,
            ts_recv_ns=self.recv_ns(),
            client_order_id=name,
            status=status,
            filled_lots=Lots(filled),
        )
        self._deliver(fact, None)

    def _answer_account(self, ts_ns: int) -> None:
        """Report cash, positions and their entry cost."""
        account = self.account
        account.tell_all()
        held = tuple((symbol, lots, account.costs[symbol]) for symbol, lots in sorted(account.positions.items()))
        fact = AccountReported(ts_event_ns=ts_ns, ts_recv_ns=self.recv_ns(), cash=Money(account.cash), positions=held)
        self._deliver(fact, account.statement())
