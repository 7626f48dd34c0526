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
from domain.order import FillCause, Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_HOUR
from ledger.book import Book
from ledger.rows import RunRecord

START_NS = 472_222 * NS_PER_HOUR
"""A full hour: 2023-11-14 22:00 UTC."""
ORDER_EVERY_NS = NS_PER_HOUR // 10
"""Between the orders of a made-up run: a position is held over full hours."""
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
    cause=FillCause.ORDER,
    start_position=0,
    evidence="",
    run=RUN,
):
    return OrderFilled(
        client_order_id=client_order_id(run, order) if order else NO_ORDER,
        venue_order_id=900 + order,
        symbol=symbol,
        side=side,
        trade_id=trade_id,
        price=price,
        lots=lots,
        liquidity=liquidity,
        fee=fee,
        start_position=start_position,
        cause=cause,
        evidence=evidence,
        ts_event_ns=ts_ns,
        ts_recv_ns=ts_ns,
    )


def a_funding(amount, *, hour=0, symbol="BTC", ts_ns=0, position=10):
    hour_ns = START_NS + hour * NS_PER_HOUR
    ts_ns = ts_ns or hour_ns
    return FundingPaid(symbol, hour_ns, position, 12_500, PRICE, amount, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def a_transfer(amount, *, transfer_id="deposit-1", ts_ns=START_NS):
    return TransferBooked(transfer_id, amount, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def a_statement(cash, *positions, ts_ns=START_NS):
    return AccountReported(cash, positions, ts_event_ns=ts_ns, ts_recv_ns=ts_ns)


def a_history(dice, size=14, *, since_ns=START_NS, first=0, positions=None):
    """Return made-up facts as the venue knows them: in its order, with true start positions; positions are moved on."""
    positions = dict.fromkeys(INSTRUMENTS, 0) if positions is None else positions
    facts, ts_ns = [], since_ns
    for number in range(first, first + size):
        ts_ns += dice.choice((0, 0, 1, 7))
        symbol, chance = dice.choice(tuple(INSTRUMENTS)), dice.random()
        if chance < 0.1:
            facts.append(a_transfer(dice.randrange(-(10**12), 10**12), transfer_id=f"t{number}", ts_ns=ts_ns))
        elif chance < 0.2:
            facts.append(a_funding(dice.randrange(-(10**10), 10**10), hour=number, symbol=symbol, ts_ns=ts_ns))
        else:
            side, lots = dice.choice((Side.BUY, Side.SELL)), dice.choice((1, 2, 3, dice.randrange(1, 10**6)))
            fact = a_fill(
                lots, side=side, price=dice.randrange(1, 10**7), symbol=symbol, ts_ns=ts_ns,
                trade_id=dice.randrange(1, 10**6) * 1_000 + number, fee=dice.randrange(-(10**9), 10**9),
                start_position=positions[symbol], cause=dice.choice((FillCause.ORDER, *FillCause)),
            )  # fmt: skip
            positions[symbol] += side * lots
            facts.append(fact)
    return facts


def tell(book, fact):
    """Book a fact; return every transaction it made, none for a repetition."""
    if isinstance(fact, OrderFilled):
        done = book.book_fill(fact)
    elif isinstance(fact, FundingPaid):
        done = book.book_funding(fact)
    else:
        done = book.book_transfer(fact)
    return () if done is None else (done.transaction, *done.corrections)


CASH = usdc(10_000)


def a_book(cash=CASH):
    book = Book(INSTRUMENTS)
    if cash:
        book.book_transfer(a_transfer(cash, transfer_id="start"))
    return book


def a_record(*, run_id=RUN, account="", config_hash="c0ffee", code_revision="0001", command="run", started_ns=START_NS):
    return RunRecord(
        run_id=run_id,
        account=account or f"{run_id:016x}",
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


def booked(book, fact, *, slippage=0, fill_mid_x2=0):
    """Book a fill and return the notices the engine gives about it; a late fill brings its corrections."""
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
            start_position=fact.start_position,
            decision_mid_x2=0,
            arrival_mid_x2=0,
            fill_mid_x2=fill_mid_x2,
            cause=fact.cause,
            ts_ns=fact.ts_recv_ns,
        ),
        *(TransactionPosted(correction, ts_ns=fact.ts_recv_ns) for correction in done.corrections),
    )


def funded(book, fact):
    """Book a settlement and return the notices the engine gives about it."""
    done = book.book_funding(fact)
    return (
        TransactionPosted(done.transaction, ts_ns=fact.ts_recv_ns),
        FundingBooked(
            fact.symbol, fact.hour_ns, fact.position, fact.rate, fact.oracle_price, fact.amount, ts_ns=fact.ts_recv_ns
        ),
        *(TransactionPosted(correction, ts_ns=fact.ts_recv_ns) for correction in done.corrections),
    )


def transferred(book, fact):
    """Book a transfer and return the notices the engine gives about it."""
    done = book.book_transfer(fact)
    posted = (done.transaction, *done.corrections)
    return tuple(TransactionPosted(transaction, ts_ns=fact.ts_recv_ns) for transaction in posted)


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
        transfers=book.transfers,
        unexplained=book.unexplained,
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
    outcomes = [transferred(book, a_transfer(usdc(10_000)))]
    marks = {}
    for order in range(1, orders + 1):
        symbol, side = dice.choice(("BTC", "ETH")), dice.choice((Side.BUY, Side.SELL))
        price, ts_ns = PRICE + dice.randrange(-500, 500), START_NS + order * ORDER_EVERY_NS
        marks[symbol] = price
        shape = {"price": price, "symbol": symbol, "ts_ns": ts_ns, "run": run}
        if order % 10 == 0:
            for held, lots in sorted(book.open_positions().items()):
                paid = a_funding(dice.randrange(-500, 500), hour=order // 10, symbol=held, position=lots)
                outcomes.append(funded(book, paid))
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
                fee=dice.choice((-100, 300)), order=order, start_position=book.position_lots(symbol), run=run,
            )  # fmt: skip
            outcomes.append(
                (
                    *booked(book, fact, slippage=dice.randrange(-50, 50)),
                    moved(order, state, after, trigger, filled=filled, **shape),
                    marked(book, marks, ts_ns=ts_ns),
                )
            )
            state = after
    outcomes.append((marked(book, marks, ts_ns=START_NS + orders * ORDER_EVERY_NS),))
    return outcomes, book, marks


def flat(outcomes):
    return [notice for outcome in outcomes for notice in outcome]


def write_all(store, outcomes, size=7, cursor=0):
    """Write the outcomes behind the cursor in batches of a few; return the cursor after them."""
    for start in range(0, len(outcomes), size):
        batch = flat(outcomes[start : start + size])
        cursor += len(batch)
        store.write(batch, cursor)
    return cursor
