"""One account seen twice: a ledger side made by a real book from facts, and a venue statement made of plain sums."""

from domain.events import FundingPaid, OrderFilled
from domain.identifiers import client_order_id
from domain.order import Side
from domain.statement import OpenOrder, VenueStatement
from domain.units import NS_PER_HOUR
from ledger.accounts import kind_of
from ledger.book import Book
from ledger.equity_bridge import LedgerSide
from tests.ledger.ledger_builders import CASH, INSTRUMENTS, PRICE, RUN, START_NS, a_statement

LATER_NS = START_NS + 100 * NS_PER_HOUR
DECIMALS = {symbol: (one.price_decimals, one.size_decimals) for symbol, one in INSTRUMENTS.items()}
OPENED_NS = START_NS - 1


def book_of(facts, cash=CASH):
    """Return a book that was opened and told these facts."""
    book = Book(INSTRUMENTS)
    book.book_opening(a_statement(cash, ts_ns=OPENED_NS))
    for fact in facts:
        if isinstance(fact, OrderFilled):
            book.book_fill(fact)
        elif isinstance(fact, FundingPaid):
            book.book_funding(fact)
        else:
            book.book_transfer(fact)
    return book


def side_of(*facts, book=None, suspended_cash=0, suspended_lots=None, orders=(), possible=()):
    """Return the ledger's side after these facts; a book may be given that was told more."""
    book = book or book_of(facts)
    kinds = {}
    for account, amount in book.balances.items():
        kinds[kind_of(account)] = kinds.get(kind_of(account), 0) + amount
    return LedgerSide(
        run_id="f00d",
        account="f00d",
        is_ended=False,
        ts_ns=LATER_NS,
        opened_ns=OPENED_NS,
        balances=kinds,
        positions=book.open_positions(),
        costs={symbol: book.position_cost(symbol) for symbol in book.open_positions()},
        decimals=DECIMALS,
        suspended_cash=suspended_cash,
        suspended_lots=suspended_lots or {},
        open_orders=tuple(orders),
        orders_possible=frozenset({*possible, *(one.client_order_id for one in orders)}),
        fills=tuple(one for one in facts if isinstance(one, OrderFilled)),
        fundings=tuple(one for one in facts if isinstance(one, FundingPaid)),
        transfers=tuple(one for one in facts if not isinstance(one, OrderFilled | FundingPaid)),
    )


def venue_of(*facts, cash=CASH, more_cash=0, more_lots=None, **changes):
    """Return the venue's statement after these facts, and what it moved without one."""
    positions = dict(more_lots or {})
    cash += more_cash
    for fact in facts:
        if isinstance(fact, OrderFilled):
            value = fact.price * fact.lots * INSTRUMENTS[fact.symbol].money_per_unit
            cash -= fact.side * value + fact.fee
            positions[fact.symbol] = positions.get(fact.symbol, 0) + fact.side * fact.lots
        else:
            cash += fact.amount
    values = {
        "account": "f00d",
        "ts_ns": LATER_NS,
        "cash": cash,
        "positions": {symbol: lots for symbol, lots in positions.items() if lots},
        "decimals": DECIMALS,
        "complete_since_ns": 0,
        "marks": dict.fromkeys(INSTRUMENTS, PRICE),
        "fills": tuple(one for one in facts if isinstance(one, OrderFilled)),
        "fundings": tuple(one for one in facts if isinstance(one, FundingPaid)),
        "transfers": tuple(one for one in facts if not isinstance(one, OrderFilled | FundingPaid)),
    }
    return VenueStatement(**{**values, **changes})


def an_open_order(number=1, *, leaves=10, price=PRICE, side=Side.BUY, symbol="BTC", is_named=True):
    """Return an order that rests."""
    return OpenOrder(
        client_order_id=client_order_id(RUN, number) if is_named else "",
        venue_order_id=900 + number,
        symbol=symbol,
        side=side,
        price=price,
        leaves=leaves,
    )
