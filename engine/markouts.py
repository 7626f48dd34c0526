"""Markouts: where the mid stood some time after each fill, the measure of what our fills were worth.

Why it exists: a maker lives or dies by how the market moves after it was hit, and that can be known only later.

Laws: a markout holds the mid known at exactly its moment, for it is taken at the first event from then on and before
that event changes a market; nothing is taken while the mid is unknown, cut off or too old; the order is that of the
moments, so the same events give the same markouts.
"""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from domain.identifiers import ClientOrderId
from domain.notices import MarkoutTaken
from engine.market import Market

NEVER_NS: Final = 2**63 - 1

_Waiting = tuple[int, int, int, str, str]
"""When it is due, sequence of the fill's transaction, horizon, symbol, order."""


class Markouts:
    """The markouts still to be taken. due_ns is when the next one is, NEVER_NS without any."""

    __slots__ = ("_horizons_ns", "_waiting", "due_ns")

    def __init__(self, horizons_ns: Iterable[int]) -> None:
        """Take the mid so long after every fill."""
        self._horizons_ns = tuple(horizons_ns)
        self._waiting: list[_Waiting] = []
        self.due_ns = NEVER_NS

    def remember(self, sequence: int, order_id: ClientOrderId, symbol: str, now_ns: int) -> None:
        """Take note of a fill booked now. sequence is that of its transaction."""
        for horizon_ns in self._horizons_ns:
            heappush(self._waiting, (now_ns + horizon_ns, sequence, horizon_ns, symbol, order_id))
        if self._waiting:
            self.due_ns = self._waiting[0][0]

    def take(self, markets: Mapping[str, Market], now_ns: int, age_ns_max: int) -> list[MarkoutTaken]:
        """Return the markouts due by now, earliest first, and forget them.

        Units: age_ns_max is how old prices may be at the moment of the markout.
        """
        taken = []
        waiting = self._waiting
        while waiting and waiting[0][0] <= now_ns:
            due_ns, sequence, horizon_ns, symbol, order_id = heappop(waiting)
            market = markets[symbol]
            if market.mid_x2 and not market.is_stale(due_ns, age_ns_max):
                order = ClientOrderId(order_id)
                taken.append(MarkoutTaken(sequence, order, symbol, horizon_ns, market.mid_x2, ts_ns=now_ns))
        self.due_ns = waiting[0][0] if waiting else NEVER_NS
        return taken

    def snapshot(self) -> list[_Waiting]:
        """Return what is still to be taken, sorted."""
        return sorted(self._waiting)

    def restore(self, kept: Iterable[_Waiting]) -> None:
        """Replace everything by a snapshot."""
        self._waiting = [(due, sequence, horizon, symbol, order) for due, sequence, horizon, symbol, order in kept]
        heapify(self._waiting)
        self.due_ns = self._waiting[0][0] if self._waiting else NEVER_NS
