"""The venue's order of one instrument's fills, and what changes when one is told late.

Why it exists: average cost depends on the order of fills, and facts arrive in any order. The order that counts is the
venue's: by its time; fills of one time chain through start_position, each beginning where the last one ended (of
several such chains the one of the least trade ids). Where no chain holds all of them, because one is missing, the next
is the one that begins where the last ended, or just any, the least trade id first. This depends on the set of fills
alone, never on arrival.

A statement that was booked although it differed from the book stands in that order as well: as lots that came without
a fill, at the statement's entry cost. A late fill from before it takes its own lots out of the difference; once nothing
is left of it, it changes nothing and the position is what it had been without the statement.

Bounds: the newest FILLS_KEPT fills of an instrument are kept (whole times, so a few more). A fill older than those
cannot be put in its place: it counts where it arrives, nothing is corrected for it, and its booking says so
(`BookedFill.is_unordered`).
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

    __slots__ = ("_before", "_forgotten_ns", "_money_per_unit", "_moves", "newest_ns")

    def __init__(self, money_per_unit: int) -> None:
        """Begin flat, with no fills."""
        self._money_per_unit: Final = money_per_unit
        self._moves: list[Move] = []
        self._before = (0, 0)
        self.newest_ns = self._forgotten_ns = -1

    @property
    def position(self) -> tuple[int, int]:
        """Lots and cost after everything, in the venue's order."""
        return (self._moves[-1][LOTS], self._moves[-1][COST]) if self._moves else self._before

    def take(self, fill: Move) -> bool:
        """Keep a fill that comes after all others, with the position it leaves; False when it does not come last."""
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

        The time of the fill must not be forgotten. `position` is the new end of it.
        """
        moves = self._moves
        place = bisect_left(moves, fill[:1])
        lots, cost = (moves[place - 1][LOTS], moves[place - 1][COST]) if place else self._before
        late: list[Move] = [fill, *moves[place:]]
        for index, move in enumerate(late):
            if move[KIND] == STATEMENT:
                late[index] = _moved(move, move[CHANGE] - fill[CHANGE], 0, 0)
                break
        was = self._profits(moves[place:], cost)
        replayed = self._replayed(late, lots, cost)
        now = self._profits(replayed, cost)
        moves[place:] = replayed
        return Reordered(now[ORDER] - was[ORDER], now[CLOSING] - was[CLOSING])

    def add_statement(self, ts_event_ns: int, change: int, entry_cost: int, lots: int, cost: int) -> None:
        """Let a statement, not older than any fill, end what came before it; lots and cost are those it leaves.

        Units: change signed lots (0 when it agrees here), entry_cost what the statement says in Money.
        """
        self.newest_ns = ts_event_ns
        self._moves.append((ts_event_ns, 0, 0, change, entry_cost, STATEMENT, lots, cost))

    def restart(self, lots: int, cost: int) -> None:
        """Begin anew from a position: what came before cannot be put in order any more."""
        self._moves.clear()
        self._before, self._forgotten_ns = (lots, cost), self.newest_ns

    def _comes_last(self, fill: Move) -> bool:
        """Say whether a fill of the newest time follows all others of that time."""
        moves, first, is_bought = self._moves, len(self._moves), fill[CHANGE] > 0
        reached, is_straight = fill[START], True
        while first and moves[first - 1][TS] == fill[TS]:
            first -= 1
            other = moves[first]
            if other[KIND] == STATEMENT:
                return False
            is_straight = is_straight and other[LOTS] == reached and (other[CHANGE] > 0) == is_bought
            reached = other[START]
        if first == len(moves):
            return False
        known = moves[first:]
        before = known[0][LOTS] - known[0][CHANGE]
        # A chain that only rises or only falls has no round in it: there is no other one.
        return (is_straight and reached == before) or _in_order([*known, fill], before) == [*known, fill]

    def _replayed(self, moves: Sequence[Move], lots: int, cost: int) -> list[Move]:
        """Return moves, sorted by time, in the venue's order, with the positions they leave from this one on."""
        done: list[Move] = []
        first = 0
        while first < len(moves):
            if moves[first][KIND] == STATEMENT:
                move = moves[first]
                lots, cost = lots + move[CHANGE], move[PRICE] if move[CHANGE] else cost
                done.append(_moved(move, move[CHANGE], lots, cost))
                first += 1
                continue
            end = first + 1
            while end < len(moves) and moves[end][TS] == moves[first][TS] and moves[end][KIND] != STATEMENT:
                end += 1
            for move in _in_order(moves[first:end], lots):
                lots, cost, _ = apply_fill(lots, cost, move[CHANGE], move[PRICE] * self._money_per_unit)
                done.append(_moved(move, move[CHANGE], lots, cost))
            first = end
        return done

    def _profits(self, moves: Iterable[Move], cost: int) -> tuple[int, int]:
        """Return what moves realized from a cost on, by kind: what cost gained beyond what was paid."""
        sums = [0, 0]
        for move in moves:
            if move[KIND] != STATEMENT:
                sums[move[KIND]] += move[COST] - cost - move[CHANGE] * move[PRICE] * self._money_per_unit
            cost = move[COST]
        return sums[ORDER], sums[CLOSING]

    def _forget(self) -> None:
        """Forget the oldest times; a time stays whole, because its fills are ordered among each other."""
        moves, cut = self._moves, FILLS_CUT
        while cut < len(moves) and moves[cut][TS] == moves[cut - 1][TS]:
            cut += 1
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


def _in_order(fills: Sequence[Move], lots: int) -> list[Move]:
    """Return fills of one time in the venue's order, from a position on."""
    if len(fills) == 1:
        return list(fills)
    chain = _chain(fills, lots)
    if chain is not None:
        return chain
    done, waiting = [], list(fills)
    while waiting:
        place = min(range(len(waiting)), key=lambda at: (waiting[at][START] != lots, waiting[at][TRADE]))
        done.append(waiting.pop(place))
        lots += done[-1][CHANGE]
    return done


def _chain(fills: Iterable[Move], lots: int) -> list[Move] | None:
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


def _moved(move: Move, change: int, lots: int, cost: int) -> Move:
    """Return a move with other signed lots and another position after it."""
    return move[TS], move[TRADE], move[START], change, move[PRICE], move[KIND], lots, cost
