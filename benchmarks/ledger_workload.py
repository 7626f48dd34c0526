"""Notices of a run that does nothing but be filled: what the ledger's benches write.

One order per fill, made, accepted and filled at once, with a mark after each, on three perpetuals: a transaction with its
postings, a fill, an order, six moves, and a mark per minute. Everything goes through the house's own book, so what is
written is balanced and its audit is clean. The same count gives the same notices.
"""

from collections.abc import Iterator
from itertools import islice

from domain.events import OrderFilled, TransferBooked
from domain.identifiers import RunId, TradeId, VenueOrderId, client_order_id
from domain.lifecycle import State, Trigger
from domain.notices import FillBooked, Notice, OrderCreated, OrderTransitioned, TransactionPosted
from domain.order import Liquidity, Side, TimeInForce
from domain.reasons import Reason
from domain.units import MONEY_UNIT, NS_PER_SECOND, Lots, Money, Price
from exchange.hyperliquid.universe import UNIVERSE
from ledger.book import Book
from ledger.rows import RunRecord, run_key
from tests.ledger.ledger_builders import marked

SYMBOLS = ("BTC", "ETH", "SOL")
INSTRUMENTS = {symbol: UNIVERSE[symbol] for symbol in SYMBOLS}
PRICE = 50_000
START_NS = 1_757_000_000 * NS_PER_SECOND
BATCH_NOTICES = 2_000
MOVES = (
    (State.IDLE, State.SIGNAL, Trigger.WANT),
    (State.SIGNAL, State.RISK_APPROVED, Trigger.APPROVE),
    (State.RISK_APPROVED, State.VALIDATED, Trigger.VALIDATE),
    (State.VALIDATED, State.SUBMITTED, Trigger.SUBMIT),
    (State.SUBMITTED, State.OPEN, Trigger.ACCEPT),
    (State.OPEN, State.FILLED, Trigger.FILL_COMPLETE),
)


def record(run_id: int) -> RunRecord:
    """Return what the ledger keeps about a run of this workload."""
    return RunRecord(
        run_id=RunId(run_id),
        account=run_key(RunId(run_id)),
        command="bench",
        strategy="none",
        seed=0,
        config_hash="bench",
        code_revision="bench",
        started_ns=START_NS + run_id,
        instruments=tuple(INSTRUMENTS.values()),
    )


def outcomes(run_id: int) -> Iterator[tuple[Notice, ...]]:
    """Yield the outcomes of a run without end."""
    book = Book(INSTRUMENTS)
    opening = book.book_transfer(
        TransferBooked("start", Money(100_000 * MONEY_UNIT), ts_event_ns=START_NS, ts_recv_ns=START_NS)
    )
    assert opening is not None
    yield (TransactionPosted(opening.transaction, ts_ns=START_NS),)
    marks = dict.fromkeys(SYMBOLS, PRICE)
    number = 0
    while True:
        number += 1
        symbol = SYMBOLS[number % len(SYMBOLS)]
        side = Side.BUY if number * 2_654_435_761 & 64 else Side.SELL
        marks[symbol] = PRICE + number * 7_919 % 200
        yield _filled(RunId(run_id), number, symbol, side, book, marks)


def _filled(
    run_id: RunId, number: int, symbol: str, side: Side, book: Book, marks: dict[str, int]
) -> tuple[Notice, ...]:
    """Return everything one order did."""
    order, lots, price = client_order_id(run_id, number), Lots(10 + number % 7), Price(marks[symbol])
    now_ns = START_NS + number * NS_PER_SECOND
    fact = OrderFilled(
        client_order_id=order,
        venue_order_id=VenueOrderId(number),
        symbol=symbol,
        side=side,
        trade_id=TradeId(number),
        price=price,
        lots=lots,
        liquidity=Liquidity.MAKER,
        fee=Money(-number % 1_000),
        start_position=book.position_lots(symbol),
        evidence=f"0x{number:064x}",
        ts_event_ns=now_ns - 1,
        ts_recv_ns=now_ns,
    )
    done = book.book_fill(fact)
    assert done is not None
    moves = [
        OrderTransitioned(
            order, symbol, before, after, trigger, Reason.NONE, 5, price, lots,
            lots if after is State.FILLED else Lots(0), VenueOrderId(number), ts_ns=now_ns,
        )
        for before, after, trigger in MOVES
    ]  # fmt: skip
    return (
        OrderCreated(order, symbol, side, price, lots, TimeInForce.GTC, True, False, 2 * price + 1, ts_ns=now_ns),
        *moves[:-1],
        TransactionPosted(done.transaction, ts_ns=now_ns),
        FillBooked(
            client_order_id=order,
            venue_order_id=VenueOrderId(number),
            trade_id=TradeId(number),
            symbol=symbol,
            side=side,
            price=price,
            lots=lots,
            liquidity=Liquidity.MAKER,
            notional=done.notional,
            fee=fact.fee,
            realized=done.realized,
            slippage=Money(0),
            position_after=done.position_after,
            start_position=fact.start_position,
            decision_mid_x2=2 * price + 1,
            arrival_mid_x2=2 * price + 1,
            fill_mid_x2=2 * price + 1,
            ts_ns=now_ns,
        ),
        moves[-1],
        marked(book, marks, ts_ns=now_ns),
    )


def batches(run_id: int, fills: int) -> Iterator[tuple[list[Notice], int]]:
    """Yield the batches of a run of so many fills and the cursor after each: whole outcomes, as the projection does it."""
    batch: list[Notice] = []
    cursor = 0
    for outcome in islice(outcomes(run_id), fills + 1):
        batch.extend(outcome)
        if len(batch) >= BATCH_NOTICES:
            cursor += len(batch)
            yield batch, cursor
            batch = []
    if batch:
        yield batch, cursor + len(batch)
