"""Small builders: a fact or a setting with every default visible."""

from typing import Any

from domain.events import (
    AccountReported,
    BookChanged,
    FundingPaid,
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    RunStarted,
    TopOfBookChanged,
    TradePrinted,
)
from domain.identifiers import ClientOrderId, RunId, TradeId, VenueOrderId, client_order_id
from domain.instrument import Instrument, perpetual
from domain.order import Liquidity, Quote, Side, WantedQuotes
from domain.reasons import Reason
from domain.units import NS_PER_SECOND, Lots, Money, Price, Rate, parse_money, parse_scaled
from engine.machine import Engine
from engine.settings import EngineSettings
from engine.strategy import StrategyView
from risk.limits import RiskLimits
from router.maker import MakerSettings

BTC = perpetual("BTC", 0, 5, 40)
RUN = RunId(0xB0B)
START_NS = 1_757_015_216_000_000_000


def price(text: str, instrument: Instrument = BTC) -> Price:
    """Return price text as an integer of the instrument."""
    return Price(parse_scaled(text, instrument.price_decimals))


def lots(text: str, instrument: Instrument = BTC) -> Lots:
    """Return size text as lots of the instrument."""
    return Lots(parse_scaled(text, instrument.size_decimals))


def at(seconds: float) -> int:
    """Return a time so many seconds after the start."""
    return START_NS + round(seconds * NS_PER_SECOND)


def order_id(sequence: int) -> ClientOrderId:
    """Return the id of the sequence-th order of the test run."""
    return client_order_id(RUN, sequence)


def settings(**changes: object) -> EngineSettings:
    """Return engine settings for BTC with roomy limits."""
    values: dict[str, object] = {
        "run_id": RUN,
        "instruments": (BTC,),
        "limits": RiskLimits(),
        "maker": MakerSettings(reprice_ticks=0),
    }
    values.update(changes)
    return EngineSettings(**values)  # type: ignore[arg-type]


def top(bid: str, ask: str, ts_ns: int, bid_size: str = "1", ask_size: str = "1") -> TopOfBookChanged:
    """Return best prices of BTC."""
    return TopOfBookChanged(
        "BTC", price(bid), lots(bid_size), price(ask), lots(ask_size), ts_event_ns=ts_ns, ts_recv_ns=ts_ns
    )


def book(bids: list[tuple[str, str]], asks: list[tuple[str, str]], ts_ns: int) -> BookChanged:
    """Return a visible book of BTC, best first."""
    return BookChanged(
        "BTC",
        tuple((price(one), lots(size)) for one, size in bids),
        tuple((price(one), lots(size)) for one, size in asks),
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
    )


def trade(at_price: str, size: str, side: Side, ts_ns: int, trade_id: int = 1) -> TradePrinted:
    """Return a trade of BTC; side is the aggressor's."""
    return TradePrinted(
        "BTC", price(at_price), lots(size), side, TradeId(trade_id), ts_event_ns=ts_ns, ts_recv_ns=ts_ns
    )


def started(ts_ns: int = START_NS) -> RunStarted:
    """Return the start of the test run."""
    return RunStarted(RUN, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def reported(cash: str = "10000", ts_ns: int = START_NS) -> AccountReported:
    """Return a statement with cash and no positions."""
    return AccountReported(parse_money(cash), ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def accepted(sequence: int, ts_ns: int) -> OrderAccepted:
    """Return the venue's acceptance of the sequence-th order."""
    return OrderAccepted(order_id(sequence), VenueOrderId(1000 + sequence), ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def rejected(sequence: int, ts_ns: int, reason: Reason = Reason.VENUE_POST_ONLY) -> OrderRejected:
    """Return the venue's rejection of the sequence-th order."""
    return OrderRejected(order_id(sequence), reason, "refused", ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def canceled(sequence: int, ts_ns: int) -> OrderCanceled:
    """Return the venue's confirmation of a cancel."""
    return OrderCanceled(order_id(sequence), ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def fill(
    sequence: int,
    side: Side,
    at_price: str,
    size: str,
    ts_ns: int,
    *,
    trade_id: int = 1,
    fee: str = "0",
    liquidity: Liquidity = Liquidity.MAKER,
    start: str = "0",
) -> OrderFilled:
    """Return one execution of the sequence-th order; 0 names no order."""
    return OrderFilled(
        client_order_id=order_id(sequence) if sequence else ClientOrderId(""),
        venue_order_id=VenueOrderId(1000 + sequence),
        symbol="BTC",
        side=side,
        trade_id=TradeId(trade_id),
        price=price(at_price),
        lots=lots(size),
        liquidity=liquidity,
        fee=parse_money(fee),
        start_position=lots(start),
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
    )


def funding(amount: str, ts_ns: int, position: str = "1") -> FundingPaid:
    """Return one settlement of BTC funding."""
    return FundingPaid(
        "BTC", ts_ns, lots(position), Rate(12_500), price("100000"), parse_money(amount), ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
    )  # fmt: skip


def quotes(bid: tuple[str, str] | None, ask: tuple[str, str] | None) -> WantedQuotes:
    """Return a wish for BTC: (price, size) per side."""
    return WantedQuotes(
        "BTC",
        (Quote(price(bid[0]), lots(bid[1])),) if bid else (),
        (Quote(price(ask[0]), lots(ask[1])),) if ask else (),
    )


def usd(text: str) -> Money:
    """Return USDC text as Money."""
    return parse_money(text)


class Scripted:
    """A strategy that wants what a test tells it to want."""

    name = "scripted"

    def __init__(self, wanted: WantedQuotes | None = None) -> None:
        """Want this, or nothing."""
        self.wanted = wanted
        self.trades = 0

    def is_due(self, symbol: str, now_ns: int, mid_x2: int, position: int) -> bool:
        """Always look."""
        del symbol, now_ns, mid_x2, position
        return True

    def quotes(self, view: StrategyView) -> WantedQuotes | None:
        """Want what was told."""
        del view
        return self.wanted

    def saw_trade(self, trade: TradePrinted) -> None:
        """Count it."""
        del trade
        self.trades += 1

    def snapshot(self) -> dict[str, Any]:
        """Return the count."""
        return {"trades": self.trades}

    def restore(self, kept: dict[str, Any]) -> None:
        """Take the count."""
        self.trades = kept["trades"]


def trading_engine(wanted: WantedQuotes | None = None, **changes: object) -> Engine:
    """Return an engine that has started, knows its account and is in mode trading."""
    engine = Engine(settings(**changes), Scripted(wanted))
    engine.step(started())
    engine.step(reported())
    return engine


def want(engine: Engine, wanted: WantedQuotes | None) -> None:
    """Change what a scripted engine wants."""
    strategy = engine.state.strategy
    assert isinstance(strategy, Scripted)
    strategy.wanted = wanted
