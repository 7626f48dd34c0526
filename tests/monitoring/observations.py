"""Builders of observations: whole lives of orders, as the driver would record them. Every default is visible here."""

import msgspec

from domain.events import OrderAccepted, OrderCanceled, OrderFilled, OrderRejected, TopOfBookChanged
from domain.identifiers import NO_ORDER, ClientOrderId, RunId, client_order_id
from domain.instrument import perpetual
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import (
    AccountMarked,
    DiscrepancyClosed,
    DiscrepancyFound,
    FactNoted,
    FillBooked,
    FundingBooked,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarketDataSkipped,
    MarkoutTaken,
    ModeChanged,
    OrderCreated,
    OrderTransitioned,
    PrecheckDecided,
    QuotesDecided,
    RiskDecided,
    TransactionPosted,
)
from domain.order import Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.transaction import CorrectionCause, FactKind, Posting, Transaction
from domain.units import MONEY_UNIT, NS_PER_MS, NS_PER_SECOND
from monitoring.observe import Observation

T0 = 1_704_110_400 * NS_PER_SECOND
"""2024-01-01T12:00:00Z, the moment of the runbook's example."""

BTC = perpetual("BTC", 0, 5, 40)
INSTRUMENTS = {"BTC": BTC}
PRICE = 642_505
LOTS = 1_000


def order(sequence: int) -> ClientOrderId:
    return client_order_id(RunId(7), sequence)


def top(ts_ns: int = T0, symbol: str = "BTC") -> TopOfBookChanged:
    return TopOfBookChanged(symbol, 642_505, 10, 642_510, 10, ts_event_ns=ts_ns - NS_PER_MS, ts_recv_ns=ts_ns)


def created(order_id: ClientOrderId, ts_ns: int = T0) -> OrderCreated:
    return OrderCreated(
        order_id, "BTC", Side.BUY, PRICE, LOTS, TimeInForce.GTC, True, False, 2 * PRICE + 5, ts_ns=ts_ns
    )


def moved(
    order_id: ClientOrderId,
    old: State,
    trigger: Trigger,
    new: State,
    ts_ns: int = T0,
    *,
    lasted_ns: int = 0,
    reason: Reason = Reason.NONE,
    filled: int = 0,
    detail: str = "",
) -> OrderTransitioned:
    return OrderTransitioned(
        order_id, "BTC", old, new, trigger, reason, lasted_ns, PRICE, LOTS, filled, 11, detail, ts_ns=ts_ns
    )


def risk(order_id: ClientOrderId, reason: Reason = Reason.NONE, ts_ns: int = T0) -> RiskDecided:
    return RiskDecided(order_id, "BTC", reason, LOTS, 0 if reason else LOTS, 5, 6, ts_ns=ts_ns)


def precheck(order_id: ClientOrderId, reason: Reason = Reason.NONE, ts_ns: int = T0) -> PrecheckDecided:
    return PrecheckDecided(order_id, "BTC", reason, 0, 0, ts_ns=ts_ns)


def fill(
    order_id: ClientOrderId,
    ts_ns: int = T0,
    liquidity: Liquidity = Liquidity.MAKER,
    notional: int = 64_250 * MONEY_UNIT,
    fee: int = -MONEY_UNIT,
    slippage: int = 0,
    side: Side = Side.BUY,
    fill_mid_x2: int = 2 * PRICE + 5,
) -> FillBooked:
    return FillBooked(
        client_order_id=order_id,
        venue_order_id=11,
        trade_id=5,
        symbol="BTC",
        side=side,
        price=PRICE,
        lots=LOTS,
        liquidity=liquidity,
        notional=notional,
        fee=fee,
        realized=0,
        slippage=slippage,
        position_after=LOTS,
        start_position=0,
        decision_mid_x2=0,
        arrival_mid_x2=0,
        fill_mid_x2=fill_mid_x2,
        ts_ns=ts_ns,
    )


def marked(ts_ns: int = T0, **changed: int) -> AccountMarked:
    numbers = {
        "equity": 9_900 * MONEY_UNIT,
        "cash": 10_000 * MONEY_UNIT,
        "realized": 5 * MONEY_UNIT,
        "unrealized": -3 * MONEY_UNIT,
        "funding": MONEY_UNIT,
        "fees": 2 * MONEY_UNIT,
        "rebates": MONEY_UNIT // 2,
        "slippage": 4 * MONEY_UNIT,
        "net": 3 * MONEY_UNIT // 2,
        "transfers": 9_891 * MONEY_UNIT,
        "unexplained": 15 * MONEY_UNIT // 2,
        "liquidation": -6 * MONEY_UNIT,
        "drawdown": 12_500_000,
        "drawdown_max": 25_000_000,
        "exposure": 700 * MONEY_UNIT,
        "margin_used": 70 * MONEY_UNIT,
        "margin_ratio": 100_000_000,
        "value_at_risk": 8 * MONEY_UNIT,
        "position_count": 2,
        "open_orders": 4,
        **changed,
    }
    return AccountMarked(**numbers, ts_ns=ts_ns)


def posted(sequence: int = 3) -> TransactionPosted:
    """The transaction of a fill."""
    return TransactionPosted(msgspec.structs.replace(POSTED.transaction, sequence=sequence), ts_ns=T0)


def markout(sequence: int, mid_x2: int, horizon_ns: int = NS_PER_SECOND) -> MarkoutTaken:
    return MarkoutTaken(sequence, order(1), "BTC", horizon_ns, mid_x2, ts_ns=T0)


POSTED = TransactionPosted(
    Transaction(
        sequence=3,
        kind=FactKind.FILL,
        fact_id="BTC:5",
        ts_event_ns=T0,
        symbol="BTC",
        client_order_id=order(1),
        postings=(Posting("cash", -MONEY_UNIT), Posting("position:BTC", MONEY_UNIT)),
    ),
    ts_ns=T0,
)

CORRECTED = TransactionPosted(
    Transaction(
        sequence=4,
        kind=FactKind.CORRECTION,
        fact_id="statement/1",
        ts_event_ns=T0,
        symbol="",
        client_order_id=NO_ORDER,
        postings=(Posting("cash", -MONEY_UNIT), Posting("unexplained", MONEY_UNIT)),
        lots=(("BTC", LOTS),),
        cause=CorrectionCause.UNEXPLAINED,
        evidence="the statement says so",
    ),
    ts_ns=T0,
)
FOUND = DiscrepancyFound(
    cash=-MONEY_UNIT, positions=(("BTC", LOTS),), is_booked=False, detail="venue less book: cash -1", ts_ns=T0
)
CLOSED = DiscrepancyClosed(Reason.ACKNOWLEDGED, "seen", ts_ns=T0)

ONE_OF_EACH = (
    created(order(1)),
    moved(order(1), State.IDLE, Trigger.WANT, State.SIGNAL, lasted_ns=15_500_000),
    risk(order(1)),
    precheck(order(1)),
    QuotesDecided("BTC", ((PRICE, LOTS),), ((PRICE + 5, LOTS),), 2 * PRICE + 5, ts_ns=T0),
    fill(order(1)),
    markout(3, 2 * PRICE + 15),
    FundingBooked("BTC", T0, LOTS, 12_500, PRICE, -MONEY_UNIT, ts_ns=T0),
    POSTED,
    marked(),
    ModeChanged(Mode.RECONCILING, Mode.TRADING, Reason.NONE, ts_ns=T0),
    KillSwitchEngaged(Reason.HALTED_BY_DRAWDOWN, "5.1 %", 5, 6, ts_ns=T0),
    KillSwitchReset("looked at it", ts_ns=T0),
    LimitWarned(Reason.DRAWDOWN, 2, 3, ts_ns=T0),
    FOUND,
    CLOSED,
    MarketDataSkipped("BTC", Reason.BOOK_CROSSED, "bid 2 ask 1", ts_ns=T0),
    FactNoted(order(1), Reason.DUPLICATE_FILL, "trade 5", ts_ns=T0),
)
"""Every kind of notice once."""

_SENT = (
    (State.IDLE, Trigger.WANT, State.SIGNAL),
    (State.SIGNAL, Trigger.APPROVE, State.RISK_APPROVED),
    (State.RISK_APPROVED, Trigger.VALIDATE, State.VALIDATED),
    (State.VALIDATED, Trigger.SUBMIT, State.SUBMITTED),
)


def sent(order_id: ClientOrderId, ts_ns: int = T0) -> Observation:
    """A step that sends one order; on the driver's clock it takes 100 µs, 20 of them risk, 10 the pre-check."""
    want, approve, validate, submit = (moved(order_id, *edge, ts_ns) for edge in _SENT)
    notices = (
        created(order_id, ts_ns),
        want,
        risk(order_id, ts_ns=ts_ns),
        approve,
        precheck(order_id, ts_ns=ts_ns),
        validate,
        submit,
    )
    stages = (("risk_calculation", 1_030_000, 1_050_000), ("api_validation", 1_055_000, 1_065_000))
    return Observation(top(ts_ns), notices, 1_000_000, 1_100_000, stages)


def step(event: object, *notices: object) -> Observation:
    """A step without anything measured inside."""
    return Observation(event, notices, 0, 50_000)


def accepted(order_id: ClientOrderId, ts_ns: int, after_ns: int) -> Observation:
    fact = OrderAccepted(order_id, 11, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)
    notice = moved(order_id, State.SUBMITTED, Trigger.ACCEPT, State.OPEN, ts_ns, lasted_ns=after_ns)
    return step(fact, notice)


def rejected(order_id: ClientOrderId, ts_ns: int, after_ns: int) -> Observation:
    text = "Post only order would have immediately matched, bbo was 64250@64251."
    fact = OrderRejected(order_id, Reason.VENUE_POST_ONLY, text, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)
    notice = moved(
        order_id,
        State.SUBMITTED,
        Trigger.REJECT,
        State.REJECTED,
        ts_ns,
        lasted_ns=after_ns,
        reason=Reason.VENUE_POST_ONLY,
        detail=text,
    )
    return step(fact, notice)


def filled(order_id: ClientOrderId, ts_ns: int, after_ns: int) -> Observation:
    fact = OrderFilled(
        client_order_id=order_id,
        venue_order_id=11,
        symbol="BTC",
        side=Side.BUY,
        trade_id=5,
        price=PRICE,
        lots=LOTS,
        liquidity=Liquidity.MAKER,
        fee=-MONEY_UNIT,
        start_position=0,
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
    )
    notice = moved(order_id, State.OPEN, Trigger.FILL_COMPLETE, State.FILLED, ts_ns, lasted_ns=after_ns, filled=LOTS)
    return step(fact, fill(order_id, ts_ns), notice)


def cancel_asked(order_id: ClientOrderId, ts_ns: int, after_ns: int) -> Observation:
    notice = moved(
        order_id,
        State.OPEN,
        Trigger.REQUEST_CANCEL,
        State.PENDING_CANCEL,
        ts_ns,
        lasted_ns=after_ns,
        reason=Reason.NOT_WANTED,
    )
    return step(top(ts_ns), notice)


def canceled(order_id: ClientOrderId, ts_ns: int, after_ns: int) -> Observation:
    fact = OrderCanceled(order_id, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)
    notice = moved(order_id, State.PENDING_CANCEL, Trigger.CONFIRM_CANCEL, State.CANCELED, ts_ns, lasted_ns=after_ns)
    return step(fact, notice)


def life(sequence: int, start_ns: int = T0) -> tuple[Observation, ...]:
    """One order: sent, accepted after 20 ms, filled after another 80 ms."""
    one = order(sequence)
    return (
        sent(one, start_ns),
        accepted(one, start_ns + 20 * NS_PER_MS, 20 * NS_PER_MS),
        filled(one, start_ns + 100 * NS_PER_MS, 80 * NS_PER_MS),
    )
