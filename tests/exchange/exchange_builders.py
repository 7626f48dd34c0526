"""A scene at the simulated venue: market facts and commands at milliseconds after a start, then what the bot got."""

from domain.commands import CancelOrder, PlaceOrder, QueryAccount, QueryOrder, ReplaceOrder, VenueCommand
from domain.events import BookChanged, Event, MarkChanged, MarketEvent, OrderFilled, TopOfBookChanged, TradePrinted
from domain.identifiers import ClientOrderId, RunId, TradeId, client_order_id
from domain.instrument import Instrument, perpetual
from domain.order import Side, TimeInForce
from domain.units import NS_PER_HOUR, NS_PER_MS, Lots, Price, Rate
from exchange.simulated.exchange import SimulatedExchange
from exchange.simulated.settings import LatencySettings, VenueSettings

BTC = perpetual("BTC", 0, 5, 40)
ETH = perpetual("ETH", 1, 4, 25)
INSTRUMENTS = {"BTC": BTC, "ETH": ETH}
START_NS = 487_500 * NS_PER_HOUR + 1_800 * 10**9
"""Half past an hour."""

BID, ASK = 1_000_000, 1_000_010
"""100,000.0 and 100,001.0: one tick apart at five significant figures."""

TICK = 10
NO_LATENCY = LatencySettings()
RUN = RunId(7)
MARKET = (TopOfBookChanged, BookChanged, TradePrinted, MarkChanged)


def at(ms: float) -> int:
    return START_NS + round(ms * NS_PER_MS)


def top(ms, bid=BID, bid_lots=100, ask=ASK, ask_lots=100, *, symbol="BTC", recv_ms=None):
    recv_ns = at(ms if recv_ms is None else recv_ms)
    return TopOfBookChanged(
        ts_event_ns=at(ms),
        ts_recv_ns=recv_ns,
        symbol=symbol,
        bid_price=Price(bid),
        bid_lots=Lots(bid_lots),
        ask_price=Price(ask),
        ask_lots=Lots(ask_lots),
    )


def book(ms, bids=((BID, 100),), asks=((ASK, 100),), *, symbol="BTC"):
    return BookChanged(ts_event_ns=at(ms), ts_recv_ns=at(ms), symbol=symbol, bids=tuple(bids), asks=tuple(asks))


def deep_book(ms, bid=BID, ask=ASK, lots=100, levels=5, *, symbol="BTC"):
    return book(
        ms,
        [(bid - TICK * step, lots) for step in range(levels)],
        [(ask + TICK * step, lots) for step in range(levels)],
        symbol=symbol,
    )


def trade(ms, price, lots, side=Side.SELL, *, symbol="BTC"):
    return TradePrinted(
        ts_event_ns=at(ms),
        ts_recv_ns=at(ms),
        symbol=symbol,
        price=Price(price),
        lots=Lots(lots),
        side=side,
        trade_id=TradeId(round(ms * 1000)),
    )


def mark(ms, price=BID, *, oracle=None, rate=0, symbol="BTC"):
    return MarkChanged(
        ts_event_ns=at(ms),
        ts_recv_ns=at(ms),
        symbol=symbol,
        mark_price=Price(price),
        oracle_price=Price(price if oracle is None else oracle),
        funding_rate=Rate(rate),
    )


def order_id(number: int) -> ClientOrderId:
    return client_order_id(RUN, number)


def some_settings(**changes) -> VenueSettings:
    defaults = {"order_latency": NO_LATENCY, "response_latency": NO_LATENCY, "maker_rate": Rate(0)}
    return VenueSettings(**{**defaults, **changes})


class Scene:
    """One exchange, the commands sent to it in order of time, and every fact that came out."""

    def __init__(self, *feed: MarketEvent, instruments: dict[str, Instrument] = INSTRUMENTS, **settings) -> None:
        self.port = SimulatedExchange(instruments, iter(feed), some_settings(**settings))
        self.facts: list[Event] = []

    def send(self, command: VenueCommand) -> "Scene":
        self.port.send(command)
        return self

    def place(
        self,
        number,
        ms,
        side=Side.BUY,
        price=BID,
        lots=100,
        *,
        post_only=True,
        reduce_only=False,
        ioc=False,
        symbol="BTC",
    ):
        return self.send(
            PlaceOrder(
                ts_ns=at(ms),
                client_order_id=order_id(number),
                symbol=symbol,
                side=side,
                price=Price(price),
                lots=Lots(lots),
                time_in_force=TimeInForce.IOC if ioc else TimeInForce.GTC,
                post_only=post_only,
                reduce_only=reduce_only,
            )
        )

    def take(self, number, ms, side, price, lots, *, ioc=True, reduce_only=False, symbol="BTC"):
        return self.place(
            number, ms, side, price, lots, post_only=False, ioc=ioc, reduce_only=reduce_only, symbol=symbol
        )

    def replace(self, number, ms, price, lots, side=Side.BUY, *, reduce_only=False, symbol="BTC"):
        return self.send(
            ReplaceOrder(
                ts_ns=at(ms),
                client_order_id=order_id(number),
                symbol=symbol,
                side=side,
                price=Price(price),
                lots=Lots(lots),
                post_only=True,
                reduce_only=reduce_only,
            )
        )

    def cancel(self, number, ms):
        return self.send(CancelOrder(ts_ns=at(ms), client_order_id=order_id(number), symbol="BTC"))

    def query(self, number, ms):
        return self.send(QueryOrder(ts_ns=at(ms), client_order_id=order_id(number), symbol="BTC"))

    def report(self, ms):
        return self.send(QueryAccount(ts_ns=at(ms)))

    def run(self, until_ms=None) -> "Scene":
        while (ts_ns := self.port.next_ts_ns()) is not None and (until_ms is None or ts_ns <= at(until_ms)):
            event = self.port.advance()
            if event is not None:
                assert event.ts_recv_ns == ts_ns
                self.facts.append(event)
        return self

    @property
    def private(self) -> list[Event]:
        return [fact for fact in self.facts if not isinstance(fact, MARKET)]

    @property
    def fills(self) -> list[OrderFilled]:
        return [fact for fact in self.facts if isinstance(fact, OrderFilled)]

    def filled(self, number) -> int:
        return sum(fill.lots for fill in self.fills if fill.client_order_id == order_id(number))

    def story(self, number) -> list[str]:
        """The names of the facts of one order."""
        name = order_id(number)
        return [type(fact).__name__ for fact in self.private if getattr(fact, "client_order_id", None) == name]

    def last(self, number) -> Event:
        name = order_id(number)
        return [fact for fact in self.private if getattr(fact, "client_order_id", None) == name][-1]

    def waiting(self, number) -> int:
        """The queue ahead of an open order, as the venue counts it."""
        return self.port._account.named[order_id(number)].ahead
