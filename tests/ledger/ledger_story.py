"""A made-up run that holds everything a ledger may hold, and what a ledger holds read back as plain rows.

Beside orders and fills: a late fill with its correction, a liquidation and a deleveraging without an order, markouts, a
discrepancy that is booked, partly explained by facts that come late and then acknowledged, and incidents.
"""

from sqlalchemy import create_engine, select

from domain.events import AccountReported
from domain.identifiers import client_order_id
from domain.lifecycle import State, Trigger
from domain.modes import Mode
from domain.notices import (
    DiscrepancyClosed,
    DiscrepancyFound,
    FactNoted,
    KillSwitchEngaged,
    KillSwitchReset,
    LimitWarned,
    MarkoutTaken,
    ModeChanged,
    TransactionPosted,
)
from domain.order import FillCause, Side
from domain.reasons import Reason
from domain.units import NS_PER_SECOND
from ledger import tables
from ledger.canonical import canonical_hash, chain_heads
from ledger.position import apply_fill
from ledger.store import LedgerStore
from tests.ledger.ledger_builders import (
    BTC,
    OPENING_MOVES,
    PRICE,
    RUN,
    a_fill,
    a_run,
    a_transfer,
    booked,
    created,
    marked,
    moved,
    usdc,
)

HORIZONS_NS = (NS_PER_SECOND, 10 * NS_PER_SECOND, 60 * NS_PER_SECOND)


class _Teller:
    """Adds outcomes to a run, one after the other, each a second later."""

    def __init__(self, orders, seed, run):
        self.outcomes, self.book, self.marks = a_run(orders, seed=seed, run=run)
        self.run, self.order, self.trade = run, orders, 10_000_000
        self.now_ns = self.book.latest_ns

    def tick(self):
        self.now_ns += NS_PER_SECOND
        return self.now_ns

    def tell(self, *notices):
        self.outcomes.append(notices)

    def mark(self):
        return marked(self.book, self.marks, ts_ns=self.now_ns)

    def fill(self, lots, side, *, ts_ns=0, start=None, order=0, **more):
        """A fill of ours or, with order 0, of nobody's order."""
        self.trade += 1
        fact = a_fill(
            lots, side=side, trade_id=self.trade, ts_ns=ts_ns or self.tick(), price=PRICE + self.trade % 100,
            start_position=self.book.position_lots("BTC") if start is None else start, order=order,
            evidence=f"0x{self.trade:064x}", run=self.run, **more,
        )  # fmt: skip
        return booked(self.book, fact, slippage=self.trade % 7, fill_mid_x2=2 * PRICE + 1)

    def open_order(self, lots, side):
        self.order += 1
        shape = {"lots": lots, "ts_ns": self.tick(), "run": self.run}
        moves = (moved(self.order, *move, **shape) for move in OPENING_MOVES)
        self.tell(created(self.order, side=side, **shape), *moves)
        return self.order

    def filled(self, order, lots):
        shape = {"lots": lots, "filled": lots, "ts_ns": self.now_ns, "run": self.run}
        return moved(order, State.OPEN, State.FILLED, Trigger.FILL_COMPLETE, **shape)


def _late_fill(story):
    """We bought 4 and then sold 6, but hear of the sale first; markouts follow it."""
    bought, sold = story.open_order(4, Side.BUY), story.open_order(6, Side.SELL)
    held = story.book.position_lots("BTC")
    early_ns, late_ns = story.tick(), story.tick()
    known = story.fill(6, Side.SELL, ts_ns=late_ns, start=held + 4, order=sold)
    story.tell(*known, story.filled(sold, 6))
    done = story.fill(4, Side.BUY, ts_ns=early_ns, start=held, order=bought)
    note = FactNoted(client_order_id(story.run, bought), Reason.LATE_FILL, "told after a younger", ts_ns=story.now_ns)
    story.tell(note, *done, story.filled(bought, 4), story.mark())
    for place, horizon_ns in enumerate(HORIZONS_NS):
        story.tell(
            MarkoutTaken(
                known[0].transaction.sequence,
                client_order_id(story.run, sold),
                "BTC",
                horizon_ns,
                2 * PRICE + place,
                ts_ns=late_ns + horizon_ns,
            )
        )
    story.now_ns = late_ns + HORIZONS_NS[-1]


def _taken_away(story):
    """The venue closes positions of ours without an order of ours."""
    for cause in (FillCause.LIQUIDATION, FillCause.DELEVERAGING):
        side = Side.SELL if story.book.position_lots("BTC") > 0 else Side.BUY
        story.tell(*story.fill(3, side, cause=cause, fee=50), story.mark())
    story.tell(
        ModeChanged(Mode.TRADING, Mode.HALTED, Reason.HALTED_BY_MARGIN, "liquidated", ts_ns=story.tick()),
        KillSwitchEngaged(Reason.HALTED_BY_MARGIN, "liquidated", 1, 2, ts_ns=story.now_ns),
    )
    story.tell(
        KillSwitchReset("looked at it", ts_ns=story.tick()), LimitWarned(Reason.DRAWDOWN, 5, 4, ts_ns=story.now_ns)
    )


def _unexplained(story):
    """The venue has bought 4 lots and taken 7 USDC, untold; a fill and a withdrawal told late leave 2 unexplained."""
    book = story.book
    said_ns = story.tick() + 2 * NS_PER_SECOND
    held = book.position_lots("BTC")
    value = BTC.money_per_unit * (PRICE + (story.trade + 1) % 100)
    lots, cost, _ = apply_fill(held, book.position_cost("BTC"), 4, value)
    positions = [("BTC", lots, cost), *((one, size, book.position_cost(one)) for one, size in _others(book))]
    statement = AccountReported(
        book.cash - 4 * value - usdc(7),
        tuple(one for one in positions if one[1]),
        ts_event_ns=said_ns,
        ts_recv_ns=said_ns,
    )
    difference = {"cash": statement.cash - book.cash, "positions": (("BTC", 4),)}
    story.tell(DiscrepancyFound(**difference, is_booked=False, detail="asked again", ts_ns=said_ns))
    correction = book.book_discrepancy(statement)
    story.now_ns = said_ns
    story.tell(
        TransactionPosted(correction, ts_ns=said_ns),
        DiscrepancyFound(**difference, is_booked=True, detail="confirmed by a second statement", ts_ns=said_ns),
        story.mark(),
    )
    late = book.book_transfer(a_transfer(-usdc(5), transfer_id="withdrawal-9", ts_ns=said_ns - NS_PER_SECOND))
    story.tell(*(TransactionPosted(one, ts_ns=story.tick()) for one in (late.transaction, *late.corrections)))
    story.tell(*story.fill(4, Side.BUY, ts_ns=said_ns - 1, start=held), story.mark())
    story.tell(DiscrepancyClosed(Reason.ACKNOWLEDGED, "the venue's promotion ended", ts_ns=story.tick()))


def _others(book):
    return sorted((symbol, lots) for symbol, lots in book.open_positions().items() if symbol != "BTC")


def a_story(orders=60, *, seed=1, run=RUN):
    """Return a run that holds everything as its outcomes, the book it left and the marks it ended with."""
    story = _Teller(orders, seed, run)
    _late_fill(story)
    _taken_away(story)
    _unexplained(story)
    story.tell(story.mark())
    return story.outcomes, story.book, story.marks


def every_row(url):
    """Return every row of every table, sorted, the same on every database; with the revision of the schema."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for name, table in tables.metadata.tables.items()
        }
        found["alembic_version"] = connection.exec_driver_sql("SELECT version_num FROM alembic_version").all()
    engine.dispose()
    return found


def identity(url):
    """Return what two ledgers of the same runs have in common, whatever database they are in; they must be sound."""
    store = LedgerStore(url, read_only=True)
    runs = store.run_ids()
    with store.reading() as connection:
        found = {run: (canonical_hash(connection, run), chain_heads(connection, run)) for run in runs}
    problems = store.problems()
    store.close()
    assert [] == problems
    return found
