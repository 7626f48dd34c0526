"""Small things of the ledger with every default visible: two perpetuals, facts, and a made-up run of notices."""

import random

from domain.events import AccountReported, FundingPaid, OrderFilled, TransferBooked
from domain.identifiers import NO_ORDER, client_order_id
from domain.instrument import perpetual
from domain.lifecycle import State, Trigger
from domain.notices import (
    AccountMarked,
    FillBooked,
    FundingBooked,
    OrderCreated,
    OrderTransitioned,
    TransactionPosted,
)
from domain.order import Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_HOUR, NS_PER_SECOND
from ledger.book import Book
from ledger.rows import RunRecord

START_NS = 1_700_000_000 * NS_PER_SECOND
BTC = perpetual("BTC", 0, 5, 40)
ETH = perpetual("ETH", 1, 4, 25)
INSTRUMENTS = {"BTC": BTC, "ETH": ETH}
RUN = 0xF00D
PRICE = 500_000
"""50,000 USDC of BTC in price units of 0.1."""
LOT = PRICE * BTC.money_per_unit
"""Value of one lot of BTC (0.00001) at PRICE: half a USDC, in Money."""


def usdc(amount):
    return amount * MONEY_UNIT


def a_fill(
    lots=10,
    *,
    side=Side.BUY,
    price=PRICE,
    symbol="BTC",
    trade_id=1,
    fee=0,
    ts_ns=START_NS,
    order=1,
    liquidity=Liquidity.MAKER,
    is_liquidation=False,
):
    return OrderFilled(
        client_order_id=client_order_id(RUN, order) if order else NO_ORDER,
        venue_order_id=900 + order,
        symbol=symbol,
        side=side,
        trade_id=trade_id,
        price=price,
        lots=lots,
        liquidity=liquidity,
        fee=fee,
        start_position=0,
        is_liquidation=is_liquidation,
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns + 1,
    )


def a_funding(amount, *, hour=0, symbol="BTC"):
    hour_ns = START_NS + hour * NS_PER_HOUR
    return FundingPaid(symbol, hour_ns, 10, 12_500, PRICE, amount, ts_event_ns=hour_ns, ts_recv_ns=hour_ns)


def a_transfer(amount, *, transfer_id="deposit-1"):
    return TransferBooked(transfer_id, amount, ts_event_ns=START_NS, ts_recv_ns=START_NS)


def a_statement(cash, *positions):
    return AccountReported(cash, positions, ts_event_ns=START_NS, ts_recv_ns=START_NS)


CASH = usdc(10_000)


def a_book(cash=CASH):
    book = Book(INSTRUMENTS)
    if cash:
        book.book_transfer(a_transfer(cash, transfer_id="start"))
    return book


def a_record(*, run_id=RUN, config_hash="c0ffee", code_revision="0001", command="run", started_ns=START_NS):
    return RunRecord(
        run_id=run_id,
        command=command,
        strategy="glft",
        seed=7,
        config_hash=config_hash,
        code_revision=code_revision,
        started_ns=started_ns,
        instruments=(BTC, ETH),
    )


def created(order=1, *, side=Side.BUY, lots=10, price=PRICE, symbol="BTC", ts_ns=START_NS, run=RUN):
    return OrderCreated(
        client_order_id(run, order), symbol, side, price, lots, TimeInForce.GTC, True, False, 2 * price + 1, ts_ns=ts_ns
    )


def moved(
    order, before, after, trigger, *, lots=10, filled=0, price=PRICE, symbol="BTC", ts_ns=START_NS, reason=Reason.NONE,
    run=RUN,
):  # fmt: skip
    return OrderTransitioned(
        client_order_id(run, order), symbol, before, after, trigger, reason, 5, price, lots, filled, 900 + order,
        ts_ns=ts_ns,
    )  # fmt: skip


def booked(book, fact, *, slippage=0):
    """Book a fill and return the notices the engine gives about it."""
    done = book.book_fill(fact)
    book.add_slippage(fact.symbol, slippage)
    return (
        TransactionPosted(done.transaction, ts_ns=fact.ts_recv_ns),
        FillBooked(
            client_order_id=fact.client_order_id,
            venue_order_id=fact.venue_order_id,
            trade_id=fact.trade_id,
            symbol=fact.symbol,
            side=fact.side,
            price=fact.price,
            lots=fact.lots,
            liquidity=fact.liquidity,
            notional=done.notional,
            fee=fact.fee,
            realized=done.realized,
            slippage=slippage,
            position_after=done.position_after,
            decision_mid_x2=0,
            arrival_mid_x2=0,
            is_liquidation=fact.is_liquidation,
            ts_ns=fact.ts_recv_ns,
        ),
    )


def funded(book, fact):
    """Book a settlement and return the notices the engine gives about it."""
    return (
        TransactionPosted(book.book_funding(fact), ts_ns=fact.ts_recv_ns),
        FundingBooked(
            fact.symbol, fact.hour_ns, fact.position, fact.rate, fact.oracle_price, fact.amount, ts_ns=fact.ts_recv_ns
        ),
    )


def marked(book, marks, *, ts_ns=START_NS):
    totals = book.totals(marks)
    lots = book.open_positions()
    return AccountMarked(
        equity=totals.equity,
        cash=book.cash,
        realized=totals.realized,
        unrealized=totals.unrealized,
        funding=totals.funding,
        fees=totals.fees,
        rebates=totals.rebates,
        slippage=totals.slippage,
        net=totals.net,
        drawdown=0,
        drawdown_max=0,
        exposure=0,
        margin_used=0,
        margin_ratio=0,
        value_at_risk=0,
        position_count=len(lots),
        open_orders=0,
        positions=tuple(
            (symbol, size, book.position_cost(symbol), book.totals_of(symbol, marks).unrealized)
            for symbol, size in sorted(lots.items())
        ),
        ts_ns=ts_ns,
    )


OPENING_MOVES = (
    (State.IDLE, State.SIGNAL, Trigger.WANT),
    (State.SIGNAL, State.RISK_APPROVED, Trigger.APPROVE),
    (State.RISK_APPROVED, State.VALIDATED, Trigger.VALIDATE),
    (State.VALIDATED, State.SUBMITTED, Trigger.SUBMIT),
    (State.SUBMITTED, State.OPEN, Trigger.ACCEPT),
)


def a_run(orders=60, *, seed=1, run=RUN):
    """Return a made-up run as its outcomes (tuples of notices) and the book it left behind."""
    dice = random.Random(seed)
    book = Book(INSTRUMENTS)
    outcomes = [(TransactionPosted(book.book_transfer(a_transfer(usdc(10_000))), ts_ns=START_NS),)]
    marks = {}
    for order in range(1, orders + 1):
        symbol, side = dice.choice(("BTC", "ETH")), dice.choice((Side.BUY, Side.SELL))
        price, ts_ns = PRICE + dice.randrange(-500, 500), START_NS + order * 7 * NS_PER_SECOND
        marks[symbol] = price
        shape = {"price": price, "symbol": symbol, "ts_ns": ts_ns, "run": run}
        outcomes.append((created(order, side=side, **shape), *(moved(order, *move, **shape) for move in OPENING_MOVES)))
        if order % 3 == 0:
            outcomes.append((moved(order, State.OPEN, State.CANCELED, Trigger.CONFIRM_CANCEL, **shape),))
            continue
        filled, state = 0, State.OPEN
        for part in (4, 6):
            filled += part
            after = State.FILLED if filled == 10 else State.PARTIALLY_FILLED
            trigger = Trigger.FILL_COMPLETE if filled == 10 else Trigger.FILL_PARTIAL
            fact = a_fill(
                part, side=side, price=price, symbol=symbol, trade_id=order * 10 + part, ts_ns=ts_ns,
                fee=dice.choice((-100, 300)), order=order,
            )  # fmt: skip
            outcomes.append(
                (
                    *booked(book, fact, slippage=dice.randrange(-50, 50)),
                    moved(order, state, after, trigger, filled=filled, **shape),
                    marked(book, marks, ts_ns=ts_ns),
                )
            )
            state = after
        if order % 10 == 0:
            outcomes.append(funded(book, a_funding(dice.randrange(-500, 500), hour=order, symbol=symbol)))
    outcomes.append((marked(book, marks, ts_ns=START_NS + NS_PER_HOUR),))
    return outcomes, book, marks


def flat(outcomes):
    return [notice for outcome in outcomes for notice in outcome]
