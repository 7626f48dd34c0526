"""The visible book of one market, built from full snapshots and from changes of the best prices.

Two streams tell about one book: twenty levels now and then, the best bid and ask more often. The newer word wins: a
change of the best price trims the levels it passes, and a level it passed is unknown again until the next snapshot.

Laws: `lots_at` never invents: a price the book cannot see is UNSEEN, not empty. Building costs nothing beyond keeping
the event's own tuples; levels are searched only when somebody asks.
"""

from collections.abc import Iterator

from domain.events import BookChanged, Level, TopOfBookChanged

UNSEEN = -1
FAR = 2**63 - 1


class BookSide:
    """One side: the best price and the depth behind it. sign is +1 for bids, -1 for asks.

    price is 0 when the side is empty or was never seen.
    """

    __slots__ = ("depth", "is_seen", "lots", "price", "reach", "sign")

    def __init__(self, sign: int) -> None:
        """Start unseen."""
        self.sign = sign
        self.is_seen = False
        self.price = 0
        self.lots = 0
        self.depth: tuple[Level, ...] = ()
        self.reach = 0
        """The worst best price since the last snapshot: better levels of the snapshot are gone."""

    def set_depth(self, levels: tuple[Level, ...]) -> None:
        """Take a full snapshot, best first."""
        self.is_seen = True
        self.depth = levels
        if levels:
            self.price, self.lots = levels[0]
            self.reach = self.price
        else:
            self.price = self.lots = 0
            self.reach = 0 if self.sign > 0 else FAR

    def set_top(self, price: int, lots: int) -> None:
        """Take a new best level; a price of 0 empties the side."""
        if price == 0:
            self.set_depth(())
            return
        if not self.is_seen:
            self.is_seen = True
            self.reach = price
        self.price = price
        self.lots = lots
        if (self.reach - price) * self.sign > 0:
            self.reach = price

    def lots_at(self, price: int) -> int:
        """Return the lots shown at a price, 0 when the level is visibly empty, UNSEEN when the book cannot tell."""
        if price == self.price:
            return self.lots
        if not self.is_seen:
            return UNSEEN
        sign, depth = self.sign, self.depth
        if self.price == 0 or (price - self.price) * sign > 0:
            return 0
        if not depth or (price - self.reach) * sign > 0 or (price - depth[-1][0]) * sign < 0:
            return UNSEEN
        for level in depth:
            if level[0] == price:
                return level[1]
        return 0

    def levels(self) -> Iterator[Level]:
        """Yield the visible levels, best first."""
        if self.price == 0:
            return
        yield (self.price, self.lots)
        for level in self.depth:
            if (self.price - level[0]) * self.sign > 0 and (self.reach - level[0]) * self.sign >= 0:
                yield level


class VisibleBook:
    """Both sides of one market."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.bids = BookSide(1)
        self.asks = BookSide(-1)

    def take_book(self, event: BookChanged) -> None:
        """Replace everything by a full snapshot."""
        self.bids.set_depth(event.bids)
        self.asks.set_depth(event.asks)

    def take_top(self, event: TopOfBookChanged) -> None:
        """Take new best prices and trim the levels they pass."""
        self.bids.set_top(event.bid_price, event.bid_lots)
        self.asks.set_top(event.ask_price, event.ask_lots)

    @property
    def mid_price(self) -> int:
        """The middle of the best prices, rounded down; 0 while a side is empty or unseen."""
        bid, ask = self.bids.price, self.asks.price
        return (bid + ask) // 2 if bid and ask else 0
