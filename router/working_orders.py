"""Our orders: every one alive, the last ones that ended, and what the live ones could still add to a position.

Why it exists: the venue speaks of an order long after we forgot it. An order stays findable after its end, so that a
late fill meets it; only the oldest ended orders are let go, and a fill of those is still booked, as a fill without
an order.

Laws: every move goes through `domain.lifecycle`; every move gives exactly one `OrderTransitioned`; the open lots per
side are those of all orders the venue may still fill (at the larger of old and new size while a replace is in flight).
"""

from collections.abc import Iterator

import msgspec

from domain.errors import InvariantBroken
from domain.identifiers import NO_ORDER, ClientOrderId, VenueOrderId
from domain.lifecycle import AT_RISK, TERMINAL, State, Trigger, advance
from domain.notices import OrderTransitioned
from domain.order import OrderIntent, Side, TimeInForce
from domain.reasons import Reason
from domain.units import Lots, Price
from domain.views import ExposureView, WorkingOrderView

ENDED_KEPT_MAX = 20_000


class Order(msgspec.Struct, kw_only=True):
    """One order of ours. Mutable, and moved only by WorkingOrders.

    asked_lots is what the strategy wanted; lots is what was approved. pending_price and pending_lots are the terms of
    a replace in flight (0: none). cancel_reason is why we asked for a cancel.
    """

    client_order_id: ClientOrderId
    symbol: str
    side: Side
    price: Price
    lots: Lots
    asked_lots: Lots
    time_in_force: TimeInForce
    post_only: bool
    reduce_only: bool
    decision_mid_x2: int
    ts_state_ns: int
    arrival_mid_x2: int = 0
    filled_lots: Lots = Lots(0)
    state: State = State.IDLE
    venue_order_id: VenueOrderId = VenueOrderId(0)
    pending_price: Price = Price(0)
    pending_lots: Lots = Lots(0)
    cancel_reason: Reason = Reason.NONE
    counted_lots: int = 0
    ts_asked_ns: int = 0
    queries: int = 0
    ts_query_ns: int = 0

    @property
    def leaves_lots(self) -> int:
        """What is still open of the approved size."""
        return self.lots - self.filled_lots

    @property
    def is_live(self) -> bool:
        """Whether the venue may still fill it."""
        return self.state in AT_RISK

    @property
    def is_ended(self) -> bool:
        """Whether nothing but late facts can come."""
        return self.state in TERMINAL

    def view(self) -> WorkingOrderView:
        """Return what the maker router compares with a wanted quote.

        An order that the risk manager cut shows the size that was asked, or the router would try to enlarge it at
        every look.
        """
        return WorkingOrderView(
            self.client_order_id,
            self.side,
            self.pending_price or self.price,
            self.asked_lots,
            self.filled_lots,
            self.state,
        )


class WorkingOrders:
    """All orders of one run, by id and by instrument."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        """Start without orders."""
        self._live: dict[str, dict[ClientOrderId, Order]] = {symbol: {} for symbol in symbols}
        self._by_id: dict[ClientOrderId, Order] = {}
        self._ended: dict[ClientOrderId, None] = {}
        self._open_lots: dict[str, list[int]] = {symbol: [0, 0] for symbol in symbols}
        self.open_count = 0

    def create(self, order_id: ClientOrderId, intent: OrderIntent, now_ns: int) -> Order:
        """Add an order in state idle with the terms of its intent."""
        if order_id == NO_ORDER or order_id in self._by_id:
            raise InvariantBroken(f"order id {order_id!r} is empty or was used before")
        order = Order(
            client_order_id=order_id,
            symbol=intent.symbol,
            side=intent.side,
            price=intent.price,
            lots=intent.lots,
            asked_lots=intent.lots,
            time_in_force=intent.time_in_force,
            post_only=intent.post_only,
            reduce_only=intent.reduce_only,
            decision_mid_x2=intent.decision_mid_x2,
            ts_state_ns=now_ns,
        )
        self._by_id[order_id] = order
        return order

    def find(self, order_id: ClientOrderId) -> Order | None:
        """Return an order alive or recently ended."""
        return self._by_id.get(order_id)

    def live(self, symbol: str) -> dict[ClientOrderId, Order]:
        """Return the orders the venue may still fill, oldest first. Read it; do not change it."""
        return self._live[symbol]

    def every_live(self) -> Iterator[Order]:
        """Yield the live orders of all instruments; safe while orders end."""
        for orders in self._live.values():
            yield from tuple(orders.values())

    def open_lots(self, symbol: str) -> list[int]:
        """Return [buy, sell] lots that live orders could still add."""
        return self._open_lots[symbol]

    def exposure(self, symbol: str, position: int) -> ExposureView:
        """Return position and open lots of one instrument."""
        buy, sell = self._open_lots[symbol]
        return ExposureView(symbol, Lots(position), Lots(buy), Lots(sell))

    def move(
        self, order: Order, trigger: Trigger, now_ns: int, reason: Reason = Reason.NONE, detail: str = ""
    ) -> OrderTransitioned:
        """Move an order along one edge and return the notice of it.

        Raises: IllegalTransition when the lifecycle has no such edge; then nothing moved.
        """
        before = order.state
        after = advance(before, trigger, has_fills=order.filled_lots > 0, subject=order.client_order_id)
        notice = OrderTransitioned(
            order.client_order_id,
            order.symbol,
            before,
            after,
            trigger,
            reason,
            now_ns - order.ts_state_ns,
            order.price,
            order.lots,
            order.filled_lots,
            order.venue_order_id,
            detail,
            ts_ns=now_ns,
        )
        if after is not before:
            order.state = after
            order.ts_state_ns = now_ns
            self._file(order, before, after)
        self.recount(order)
        return notice

    def recount(self, order: Order) -> None:
        """Bring the open lots up to date after an order's size, fills or state changed."""
        counted = 0
        if order.state in AT_RISK:
            counted = max(order.lots, order.pending_lots) - order.filled_lots
            counted = max(counted, 0)
        if counted != order.counted_lots:
            self._open_lots[order.symbol][order.side is Side.SELL] += counted - order.counted_lots
            order.counted_lots = counted

    def _file(self, order: Order, before: State, after: State) -> None:
        """Keep the order in the drawer of its new state."""
        was_live, is_live = before in AT_RISK, after in AT_RISK
        if is_live and not was_live:
            self._live[order.symbol][order.client_order_id] = order
            self._ended.pop(order.client_order_id, None)
            self.open_count += 1
        elif was_live and not is_live:
            del self._live[order.symbol][order.client_order_id]
            self.open_count -= 1
        if after in TERMINAL:
            self._ended[order.client_order_id] = None
            if len(self._ended) > ENDED_KEPT_MAX:
                oldest = next(iter(self._ended))
                del self._ended[oldest]
                del self._by_id[oldest]

    def snapshot(self) -> list[Order]:
        """Return every order still known: the live ones oldest first, then the ended ones in the order they ended."""
        return [*self.every_live(), *(self._by_id[order_id] for order_id in self._ended)]

    def restore(self, orders: list[Order]) -> None:
        """Replace everything by a snapshot."""
        for symbol in self._live:
            self._live[symbol] = {}
            self._open_lots[symbol] = [0, 0]
        self._by_id, self._ended, self.open_count = {}, {}, 0
        for order in orders:
            self._by_id[order.client_order_id] = order
            order.counted_lots = 0
            if order.is_live:
                self._live[order.symbol][order.client_order_id] = order
                self.open_count += 1
            elif order.is_ended:
                self._ended[order.client_order_id] = None
            self.recount(order)
