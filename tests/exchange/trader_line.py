"""The line between a trader and the little venue, in the hands of the test."""

from itertools import count
from typing import TypeVar

import msgspec

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, QueryOrder, ReplaceOrder, VenueCommand
from domain.events import Event
from domain.identifiers import ClientOrderId
from domain.order import Side, TimeInForce
from domain.units import NS_PER_MS, Lots, Price
from exchange.hyperliquid.requests import Answered, Ask, Failed, FailureKind, SendAction
from exchange.hyperliquid.trader import Trader, TraderSettings
from tests.exchange.trader_venue import ACCOUNT, BTC, ETH, LittleVenue, now_ns

F = TypeVar("F")


class Line:
    """A trader, the venue, and the way between them."""

    def __init__(self, settings: TraderSettings | None = None, *, is_started: bool = True) -> None:
        """Connect and, unless told otherwise, let the trader learn the account."""
        self.venue = LittleVenue()
        nonces = count(self.venue.now_ms)
        self.trader = Trader(
            (BTC, ETH), ACCOUNT.upper().replace("0X", "0x"), lambda: next(nonces), settings or TraderSettings()
        )
        self.facts: list[Event] = []
        self.sent: list[SendAction | Ask] = []
        self._names = count(1)
        if is_started:
            self.trader.on_connected(self.now)
            self.trader.start(self.now)
            self.run()

    @property
    def now(self) -> int:
        """The time, in ns."""
        return now_ns(self.venue)

    def wait(self, ms: int = 1) -> None:
        """Let time pass."""
        self.venue.now_ms += ms

    def take(self) -> list[SendAction | Ask]:
        """Return what the trader wants to send."""
        found = self.trader.take_requests(self.now)
        self.sent += found
        return found

    def reach(self, request: SendAction | Ask) -> bytes:
        """Let a request reach the venue; return the answer on its way back."""
        return self.venue.execute(request) if isinstance(request, SendAction) else self.venue.answer(request)

    def answer(self, request: SendAction | Ask, payload: bytes) -> None:
        """Let an answer arrive."""
        self.trader.on_answer(Answered(request_id=request.request_id, payload=payload), self.now)

    def fail(self, request: SendAction | Ask, kind: FailureKind, status: int = 0, detail: str = "gone") -> None:
        """Let there be no answer."""
        failure = Failed(request_id=request.request_id, kind=kind, status=status, detail=detail)
        self.trader.on_answer(failure, self.now)

    def push(self) -> None:
        """Let everything pushed arrive."""
        pushes, self.venue.pushes = self.venue.pushes, []
        for channel, data in pushes:
            self.trader.on_push(channel, data, self.now)

    def book(self, price: int = 2_000) -> None:
        """Let a book of ETH around a price arrive, as of the venue's newest block."""
        levels = [[{"px": f"{price + at}.0", "sz": "1.0", "n": 1}] for at in (0, 1)]
        data = msgspec.json.encode({"coin": "ETH", "time": self.venue.now_ms, "levels": levels})
        self.trader.on_push("l2Book", data, self.now)

    def run(self, ms: int = 2_000) -> list[Event]:
        """Let everything arrive, in both directions, for some time; return the facts."""
        for _ in range(ms // 10):
            self.wait(10)
            for request in self.take():
                self.answer(request, self.reach(request))
            self.push()
        return self.events()

    def events(self) -> list[Event]:
        """Return the facts since the last call."""
        found = self.trader.take_events()
        self.facts += found
        return found

    def send(self, command: VenueCommand) -> list[SendAction | Ask]:
        """Send one wish; return what leaves."""
        self.trader.send(command)
        return self.take()

    def name(self) -> ClientOrderId:
        """Return a new client order id."""
        return ClientOrderId(f"0x{next(self._names):032x}")

    def place(self, price: int = 200_000, lots: int = 1_000, **changes: object) -> PlaceOrder:
        """Return a wish for an order: 0.1 ETH at 2,000 USDC, post-only."""
        fields: dict[str, object] = {
            "client_order_id": self.name(),
            "symbol": "ETH",
            "side": Side.BUY,
            "price": Price(price),
            "lots": Lots(lots),
            "time_in_force": TimeInForce.GTC,
            "post_only": True,
            "reduce_only": False,
        }
        return PlaceOrder(ts_ns=self.now, **(fields | changes))  # type: ignore[arg-type]

    def cancel(self, order: PlaceOrder) -> CancelOrder:
        """Return a wish to cancel."""
        return CancelOrder(order.client_order_id, order.symbol, ts_ns=self.now)

    def replace(self, order: PlaceOrder, price: int, lots: int) -> ReplaceOrder:
        """Return a wish to replace."""
        return ReplaceOrder(
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            price=Price(price),
            lots=Lots(lots),
            post_only=order.post_only,
            reduce_only=order.reduce_only,
            ts_ns=self.now,
        )

    def query(self, order: PlaceOrder) -> QueryOrder:
        """Return a question about an order."""
        return QueryOrder(order.client_order_id, order.symbol, ts_ns=self.now)

    def query_account(self) -> QueryAccount:
        """Return a question about the account."""
        return QueryAccount(ts_ns=self.now)


def only(facts: list[Event], kind: type[F]) -> list[F]:
    """Return the facts of one kind."""
    return [fact for fact in facts if isinstance(fact, kind)]


MS = NS_PER_MS
