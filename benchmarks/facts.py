"""The tape as the house's own market facts: one fact per trade, one per message that changed the book.

A running book of Python tuples follows the rows. What a message becomes is chosen by what the simulated venue needs to
keep queue positions exact, and by nothing else:

- Each trade becomes TradePrinted, before the book of its message: a print must meet the queue as it was.
- A message that changed no more than the size at a best price becomes TopOfBookChanged: the level is seen, nothing
  else moved, and the depth the venue holds stays true.
- Every other message becomes BookChanged with all twenty levels a side. A best price that moved is among these: told
  as TopOfBookChanged alone it would leave the venue with an old size for the level that is best now, once it is best no
  more. The tuple of a side that did not change is handed on as it is, so a whole book costs one tuple of twenty.

So after every message the venue's `lots_at` is the tape's own size at each visible price; a test holds that. Facts are
made while the run asks for them, from one chunk of rows at a time: memory does not grow with the tape.
"""

from collections.abc import Iterator

from benchmarks.workload import LEVEL, PERPETUAL, Tape
from domain.events import BookChanged, Level, MarketEvent, TopOfBookChanged, TradePrinted
from domain.order import Side


class BookSide:
    """The visible levels of one side, best first. sign is +1 for bids, -1 for asks."""

    __slots__ = ("depth", "is_moved", "is_resized", "levels", "sign")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.levels: list[Level] = []
        self.depth: tuple[Level, ...] = ()
        self.is_moved = False
        """Whether anything but the size of the best level changed since the last word about this side."""
        self.is_resized = False
        """Whether depth is older than levels."""

    def take(self, price: int, lots: int) -> None:
        """Take one row: consecutive ticks make the place of a price its distance from the best one."""
        levels = self.levels
        self.is_resized = True
        place = (levels[0][0] - price) * self.sign if levels else 0
        if place == 0 and lots and levels:
            levels[0] = (price, lots)
            return
        self.is_moved = True
        if lots == 0:
            del levels[place]
        elif place < 0:
            levels.insert(0, (price, lots))
        elif place == len(levels):
            levels.append((price, lots))
        else:
            levels[place] = (price, lots)

    def whole(self) -> tuple[Level, ...]:
        """Return all levels; the same tuple as before when none changed."""
        if self.is_resized:
            self.depth = tuple(self.levels)
            self.is_resized = False
        self.is_moved = False
        return self.depth


def facts(tape: Tape) -> Iterator[MarketEvent]:
    """Yield the market facts of a tape in the order of their venue time."""
    symbol, buy, sell = PERPETUAL.symbol, Side.BUY, Side.SELL
    bids, asks = BookSide(1), BookSide(-1)
    trades = 0
    for chunk in tape.chunks():
        for ts_ns, recv_ns, kind, price, lots, is_last in zip(*chunk, strict=True):
            if kind == LEVEL:
                bids.take(price, lots)
            elif kind == -LEVEL:
                asks.take(price, lots)
            else:
                trades += 1
                side = buy if kind > 0 else sell
                yield TradePrinted(symbol, price, lots, side, trades, ts_event_ns=ts_ns, ts_recv_ns=recv_ns)
            if is_last:
                yield book_fact(symbol, bids, asks, ts_ns, recv_ns)


def book_fact(symbol: str, bids: BookSide, asks: BookSide, ts_ns: int, recv_ns: int) -> MarketEvent:
    """Return what the message that ends here says about the book."""
    if bids.is_moved or asks.is_moved:
        return BookChanged(symbol, bids.whole(), asks.whole(), ts_event_ns=ts_ns, ts_recv_ns=recv_ns)
    return TopOfBookChanged(symbol, *bids.levels[0], *asks.levels[0], ts_event_ns=ts_ns, ts_recv_ns=recv_ns)
