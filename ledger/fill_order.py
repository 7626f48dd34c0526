"""The venue's order of one instrument's fills, and what changes when one is told late.

Why it exists: average cost depends on the order of fills, and facts arrive in any order. The order that counts is the
venue's: by its time; fills of one time chain through start_position, each beginning where the last one ended (of
several such chains the one of the least trade ids). Where no chain holds all of them, because one is missing, the next
is the one that begins where the last ended, or just any, the least trade id first. This depends on the set of fills
alone, never on arrival.

Finding it costs O(n log n) for n fills of one time, and nothing of that when a fill comes last and that can be proven
(`FillOrder._comes_last`).

A statement that was booked although it differed from the book stands in that order as well: as lots that came without
a fill, at the statement's entry cost. A late fill from before it takes its own lots out of the difference; once nothing
is left of it, it changes nothing and the position is what it had been without the statement.

Bounds: the newest FILLS_KEPT fills of an instrument are kept (whole times, so a few more). A fill older than those
counts before all that are kept, behind all that are forgotten: only its place among these is lost, and its booking says
so (`BookedFill.is_unordered`).
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

import msgspec

from ledger.position import apply_fill

FILLS_KEPT = 4_096
FILLS_CUT = 64
"""How many are forgotten at once: often enough that no single fill pays for many."""

ORDER, CLOSING, STATEMENT = 0, 1, 2
"""What moved the lots: an order of ours, the venue's own closing (liquidation, deleveraging), a booked difference."""

Move = tuple[int, int, int, int, int, int, int, int]
"""(ts_event_ns, trade_id, start_position, signed lots, price, kind, lots after, cost after).

A statement has its entry cost in Money where a fill has its price, and zeros for trade id and start position.
"""
TS, TRADE, START, CHANGE, PRICE, KIND, LOTS, COST = range(8)


class Reordered(NamedTuple):
    """What one late fill added to the sums of all fills, in Money: profit of our orders and of the venue's closings."""

    realized: int
    liquidation: int


class FillOrder:
    """The newest fills of one instrument in the venue's order, each with the position it left behind."""

    __slots__ = (
        *("_before", "_forgotten_ns", "_is_chain", "_is_greedy", "_known_ns", "_money_per_unit", "_moves", "_tops"),
        "newest_ns",
    )

    def __init__(self, money_per_unit: int) -> None:
        """Begin flat, with no fills."""
        self._money_per_unit: Final = money_per_unit
        self._moves: list[Move] = []
        self._before = (0, 0)
        self.newest_ns = self._forgotten_ns = -1
        self._know_nothing()

    def _know_nothing(self) -> None:
        """Forget what is known of the newest time's fills; `_know` finds it out again."""
        self._known_ns = -1
        self._is_chain = self._is_greedy = False
        self._tops: dict[int, int] = {}

    @property
    def position(self) -> tuple[int, int]:
        """Lots and cost after everything, in the venue's order."""
        return (self._moves[-1][LOTS], self._moves[-1][COST]) if self._moves else self._before

    def take(self, fill: Move) -> bool:
        """Keep a fill that comes after all others, with the position it leaves; False when that is not certain."""
        ts_ns = fill[TS]
        if ts_ns <= self.newest_ns and (ts_ns < self.newest_ns or not self._comes_last(fill)):
            return False
        self.newest_ns = ts_ns
        self._moves.append(fill)
        if len(self._moves) >= FILLS_KEPT + FILLS_CUT:
            self._forget()
        return True

    def is_forgotten(self, ts_event_ns: int) -> bool:
        """Say whether fills of this time are not kept any more, so that a late one cannot be put in its place."""
        return ts_event_ns <= self._forgotten_ns

    def insert(self, fill: Move) -> Reordered:
        """Put a late fill in its place, take it out of the next statement's difference, and replay what follows.

        One of a forgotten time stands before all that are kept. `position` is the new end of it.
        """
        moves, change, closed = self._moves, fill[CHANGE], 0
        _, cost_was = self.position
        if self.is_forgotten(fill[TS]):
            place = end = 0
            lots, cost, realized = apply_fill(*self._before, change, fill[PRICE] * self._money_per_unit)
            closed = realized if fill[KIND] == CLOSING else 0
            before_was, self._before = self._before[1], (lots, cost)
            together: list[Move] = []
        else:
            first, end = self._bounds(fill[TS])
            lots, cost = self._position_before(first)
            same, together = _with(moves[first:end], fill, lots)
            place = first + same
            lots, cost = self._position_before(place)
            before_was = cost
        done: list[Move] = []
        lots, cost = self._walked(together, lots, cost, done)
        self._replay(_less_stated(moves[end:], change), lots, cost, done)
        closings_was, stated_was = _apart(moves[place:], before_was, self._money_per_unit)
        closings, stated = _apart(done, self._position_before(place)[1], self._money_per_unit)
        moves[place:] = done
        self._know_nothing()
        if len(moves) >= FILLS_KEPT + FILLS_CUT:
            self._forget()
        closed += closings - closings_was
        # What all of them realized is what cost gained beyond what was paid and beyond what statements brought.
        gained = (moves[-1][COST] if moves else self._before[1]) - cost_was - (stated - stated_was)
        return Reordered(gained - change * fill[PRICE] * self._money_per_unit - closed, closed)

    def add_statement(self, ts_event_ns: int, change: int, entry_cost: int, lots: int, cost: int) -> None:
        """Let a statement, not older than any fill, end what came before it; lots and cost are those it leaves.

        Units: change signed lots (0 when it agrees here), entry_cost what the statement says in Money.
        """
        self.newest_ns = ts_event_ns
        self._moves.append((ts_event_ns, 0, 0, change, entry_cost, STATEMENT, lots, cost))
        self._know_nothing()

    def restart(self, lots: int, cost: int) -> None:
        """Begin anew from a position: what came before cannot be put in order any more."""
        self._moves.clear()
        self._before, self._forgotten_ns = (lots, cost), self.newest_ns
        self._know_nothing()

    def _comes_last(self, fill: Move) -> bool:
        """Say whether a fill of the newest time is known to follow all others of that time.

        That is proven when they are one chain and the fill goes on from its end, and either no fill leaves the position
        it leads to, so that no chain can go on behind it; or going on with the least trade id finds the chain without
        a way back, and from where the fill begins its trade id is the greatest: the same way then ends with it.
        """
        ts_ns, _, start, change, *_ = fill
        if self._known_ns != ts_ns:
            self._know(ts_ns)
        if not self._is_chain or start != self._moves[-1][LOTS]:
            return False
        tops, trade_id = self._tops, fill[TRADE]
        is_top = start not in tops or trade_id > tops[start]
        if not (self._is_greedy and is_top) and start + change in tops:
            return False
        self._is_greedy = self._is_greedy and is_top
        if is_top:
            tops[start] = trade_id
        return True

    def _know(self, ts_ns: int) -> None:
        """Find out whether the fills of the newest time are one chain, and the greatest trade id from each position."""
        self._know_nothing()
        self._known_ns = ts_ns
        first, end = self._bounds(ts_ns)
        if first == end or end < len(self._moves):
            return
        tops, is_greedy = self._tops, True
        for _, trade_id, start, change, _, _, lots, _ in self._moves[first:]:
            if start + change != lots:
                return
            if trade_id > tops.get(start, -1):
                tops[start] = trade_id
            else:
                is_greedy = False
        self._is_chain, self._is_greedy = True, is_greedy

    def _bounds(self, ts_ns: int) -> tuple[int, int]:
        """Return where the fills of one time begin and end; a statement of that time stands behind them."""
        moves = self._moves
        first, end = bisect_left(moves, (ts_ns,)), bisect_left(moves, (ts_ns + 1,))
        return first, end - 1 if end > first and moves[end - 1][KIND] == STATEMENT else end

    def _position_before(self, place: int) -> tuple[int, int]:
        return (self._moves[place - 1][LOTS], self._moves[place - 1][COST]) if place else self._before

    def _walked(self, fills: Iterable[Move], lots: int, cost: int, done: list[Move]) -> tuple[int, int]:
        """Add fills, in their order, to those done, each with the position it leaves; return the last one."""
        unit = self._money_per_unit
        for ts_ns, trade_id, start, change, price, kind, _, _ in fills:
            lots, cost, _ = apply_fill(lots, cost, change, price * unit)
            done.append((ts_ns, trade_id, start, change, price, kind, lots, cost))
        return lots, cost

    def _replay(self, moves: Sequence[Move], lots: int, cost: int, done: list[Move]) -> None:
        """Add moves, sorted by time, to those done, in the venue's order and with the positions they leave."""
        first = 0
        while first < len(moves):
            move = moves[first]
            end = first + 1
            if move[KIND] == STATEMENT:
                lots, cost = lots + move[CHANGE], move[PRICE] if move[CHANGE] else cost
                done.append((move[TS], 0, 0, move[CHANGE], move[PRICE], STATEMENT, lots, cost))
            else:
                while end < len(moves) and moves[end][TS] == move[TS] and moves[end][KIND] != STATEMENT:
                    end += 1
                fills = moves[first:end]
                lots, cost = self._walked(fills if end == first + 1 else _in_order(fills, lots), lots, cost, done)
            first = end

    def _forget(self) -> None:
        """Forget the oldest times; a time stays whole, because its fills are ordered among each other."""
        moves = self._moves
        cut = bisect_left(moves, (moves[FILLS_CUT - 1][TS] + 1,))
        if cut < len(moves):
            last = moves[cut - 1]
            self._before, self._forgotten_ns = (last[LOTS], last[COST]), last[TS]
            del moves[:cut]

    def snapshot(self) -> list[Any]:
        """Return everything remembered as plain data."""
        return [*self._before, self._forgotten_ns, self.newest_ns, list(self._moves)]

    def restore(self, snapshot: Sequence[Any]) -> None:
        """Remember what a snapshot kept."""
        lots, cost, self._forgotten_ns, self.newest_ns, moves = snapshot
        self._before, self._moves = (lots, cost), msgspec.convert(moves, list[Move])
        self._know_nothing()


def _in_order(fills: Sequence[Move], lots: int) -> list[Move]:
    """Return fills of one time in the venue's order, from a position on."""
    return _chain(fills, lots) or _one_by_one(fills, lots)


def _with(fills: Sequence[Move], late: Move, lots: int) -> tuple[int, list[Move]]:
    """Return how many fills of one time, in the venue's order, keep their place with another one, and what follows them.

    Where there is no chain before and after, the order is picked one by one: up to the pick that falls on the late one
    nothing changes.
    """
    together = [*fills, late]
    chain = _chain(together, lots)
    same = 0
    if chain is not None:
        while same < len(fills) and chain[same] is fills[same]:
            same += 1
        return same, chain[same:]
    if all(fill[START] + fill[CHANGE] == fill[LOTS] for fill in fills):
        return 0, _one_by_one(together, lots)
    late_id, late_start = late[TRADE], late[START]
    for fill in fills:
        is_next, is_late_next = fill[START] == lots, late_start == lots
        if is_late_next if is_next != is_late_next else late_id < fill[TRADE]:
            break
        same += 1
        lots = fill[LOTS]
    return same, _one_by_one(together[same:], lots)


def _one_by_one(fills: Iterable[Move], lots: int) -> list[Move]:
    """Return fills, the next one always the one that begins where the last ended, or any; the least trade id first."""
    waiting = sorted(fills, key=itemgetter(TRADE))
    steps: dict[int, list[Move]] = {}
    for fill in reversed(waiting):
        steps.setdefault(fill[START], []).append(fill)
    done: list[Move] = []
    oldest = iter(waiting)
    for _ in waiting:
        ahead = steps.get(lots)
        while not ahead:
            # The least of all is the least of those that begin where it does: it waits as long as it is their last.
            fill = next(oldest)
            ahead = steps[fill[START]]
            if ahead and ahead[-1] is not fill:
                ahead = None
        done.append(ahead.pop())
        lots += done[-1][CHANGE]
    return done


def _chain(fills: Sequence[Move], lots: int) -> list[Move] | None:
    """Return the chain that begins at a position and holds all fills, the least trade ids first; None without one.

    Each fill is a step between two positions; the chain is the walk that takes every step once (Hierholzer's way: go on
    until there is no step left, then go back and put in the rounds that were passed by).
    """
    steps: dict[int, list[Move]] = {}
    for fill in sorted(fills, key=itemgetter(TRADE), reverse=True):
        steps.setdefault(fill[START], []).append(fill)
    walk: list[Move] = []
    chain: list[Move] = []
    at = lots
    while True:
        ahead = steps.get(at)
        if ahead:
            walk.append(ahead.pop())
            at = walk[-1][START] + walk[-1][CHANGE]
        elif walk:
            chain.append(walk.pop())
            at = chain[-1][START]
        else:
            break
    chain.reverse()
    for fill in chain:
        if fill[START] != lots:
            return None
        lots += fill[CHANGE]
    return None if any(steps.values()) else chain


def _less_stated(moves: list[Move], change: int) -> list[Move]:
    """Return moves whose first statement brought signed lots less, because a fill from before it brought them."""
    for index, move in enumerate(moves):
        if move[KIND] == STATEMENT:
            ts_ns, _, _, brought, cost, kind, lots_after, cost_after = move
            moves[index] = (ts_ns, 0, 0, brought - change, cost, kind, lots_after, cost_after)
            break
    return moves


def _apart(moves: Sequence[Move], cost: int, money_per_unit: int) -> tuple[int, int]:
    """Return what the venue's closings realized among moves that begin at a cost, and what statements brought it."""
    closings = stated = 0
    for index in [index for index, move in enumerate(moves) if move[KIND]]:
        move = moves[index]
        gained = move[COST] - (moves[index - 1][COST] if index else cost)
        if move[KIND] == STATEMENT:
            stated += gained
        else:
            closings += gained - move[CHANGE] * move[PRICE] * money_per_unit
    return closings, stated
