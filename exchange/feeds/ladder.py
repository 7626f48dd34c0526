"""The order book of one synthetic market: levels on the instrument's own grid, moved by flow.

Why it exists: a maker bot is only tested by a book that behaves like one. Trades take what is shown, best price first;
a price that moves away eats or pulls the levels it passes; sizes breathe.

Laws: both sides are never empty, never cross or lock, are strictly ordered, on the grid, with positive sizes.
"""

from domain.events import Level
from domain.instrument import Instrument, ceil_to_grid, floor_to_grid
from domain.units import MONEY_UNIT
from exchange.feeds.chance import Chance

LEVEL_NOTIONAL = 15_000 * MONEY_UNIT
"""Mean value shown on one level. Units: Money."""


class Ladder:
    """Bids and asks, best first."""

    __slots__ = ("_chance", "_grid", "_lots_mean", "asks", "bids", "depth")

    def __init__(self, instrument: Instrument, chance: Chance, depth: int, price: int, half_spread: int) -> None:
        """Lay a fresh book around a price. Units: price units."""
        self._chance = chance
        self._grid = (instrument.whole, instrument.significant_figures, int(instrument.tick_min))
        self._lots_mean = max(LEVEL_NOTIONAL // (price * instrument.money_per_unit), 2)
        self.depth = depth
        self.bids: list[Level] = []
        self.asks: list[Level] = []
        self.lay(price, half_spread)

    def lay(self, price: int, half_spread: int) -> None:
        """Replace the whole book by a fresh one around a price."""
        bid, ask = self.around(price, half_spread)
        self.bids = self._levels_down(bid, 0)
        self.asks = self._levels_up(ask, 0)

    def around(self, price: int, half_spread: int) -> tuple[int, int]:
        """Return the legal bid and ask nearest outside price -/+ half_spread."""
        bid = floor_to_grid(max(price - half_spread, self._grid[2]), *self._grid)
        return bid, ceil_to_grid(max(price + half_spread, bid + 1), *self._grid)

    def follow(self, price: int, half_spread: int) -> tuple[int, list[Level]]:
        """Move with the fair price when it has passed a best price; otherwise leave the book alone.

        Return the direction (+1 up, -1 down, 0 not moved) and the levels that were passed, best first.
        """
        if price >= self.asks[0][0]:
            bid, ask = self.around(price, half_spread)
            passed = [level for level in self.asks if level[0] < ask]
            del self.asks[: len(passed)]
            self.asks = (self._levels_up(ask, self.asks[0][0] if self.asks else 0) + self.asks)[: self.depth]
            self.bids = (self._levels_down(bid, self.bids[0][0]) + self.bids)[: self.depth]
            self._refill()
            return 1, passed
        if price <= self.bids[0][0]:
            bid, ask = self.around(price, half_spread)
            passed = [level for level in self.bids if level[0] > bid]
            del self.bids[: len(passed)]
            self.bids = (self._levels_down(bid, self.bids[0][0] if self.bids else 0) + self.bids)[: self.depth]
            self.asks = (self._levels_up(ask, self.asks[0][0]) + self.asks)[: self.depth]
            self._refill()
            return -1, passed
        return 0, []

    def take(self, side: int, lots: int) -> list[Level]:
        """Let an aggressor (+1 buys) take lots, best price first; return what traded. The last level never empties."""
        levels = self.asks if side > 0 else self.bids
        done: list[Level] = []
        while lots > 0:
            price, shown = levels[0]
            if lots < shown:
                levels[0] = (price, shown - lots)
                done.append((price, lots))
                break
            if len(levels) == 1:
                break
            done.append(levels.pop(0))
            lots -= shown
        self._refill()
        return done

    def resize(self, side: int, index: int) -> None:
        """Give a level a new size."""
        levels = self.bids if side > 0 else self.asks
        levels[index] = (levels[index][0], self.lots())

    def pull(self, side: int) -> None:
        """Take the best level of a side away."""
        levels = self.bids if side > 0 else self.asks
        if len(levels) > 1:
            del levels[0]
            self._refill()

    def improve(self, side: int) -> None:
        """Quote one tick better on a side when there is room inside the spread."""
        if side > 0:
            price = ceil_to_grid(self.bids[0][0] + 1, *self._grid)
            if price < self.asks[0][0]:
                self.bids.insert(0, (price, self.lots()))
                del self.bids[self.depth :]
        else:
            price = floor_to_grid(self.asks[0][0] - 1, *self._grid)
            if price > self.bids[0][0]:
                self.asks.insert(0, (price, self.lots()))
                del self.asks[self.depth :]

    def lots(self) -> int:
        """Return a random size, at least one lot."""
        return 1 + self._chance.exponential(self._lots_mean)

    def _levels_down(self, price: int, stop: int) -> list[Level]:
        """Return fresh bids from price down, above stop."""
        levels: list[Level] = []
        while price > stop and len(levels) < self.depth:
            levels.append((price, self.lots()))
            price = floor_to_grid(price - 1, *self._grid)
        return levels

    def _levels_up(self, price: int, stop: int) -> list[Level]:
        """Return fresh asks from price up, below stop (0: no stop)."""
        levels: list[Level] = []
        while (not stop or price < stop) and len(levels) < self.depth:
            levels.append((price, self.lots()))
            price = ceil_to_grid(price + 1, *self._grid)
        return levels

    def _refill(self) -> None:
        """Add levels at the far ends until the book is as deep as it should be, now and then leaving a price out."""
        bids, asks, grid, chance = self.bids, self.asks, self._grid, self._chance
        while len(bids) < self.depth:
            price = floor_to_grid(bids[-1][0] - 1, *grid)
            if chance.below(4) == 0:
                price = floor_to_grid(price - 1, *grid) or price
            if price <= 0:
                break
            bids.append((price, self.lots()))
        while len(asks) < self.depth:
            price = ceil_to_grid(asks[-1][0] + 1, *grid)
            if chance.below(4) == 0:
                price = ceil_to_grid(price + 1, *grid)
            asks.append((price, self.lots()))
