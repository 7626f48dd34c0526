"""What the venue's own words prove: no execution is missing, no hour of funding is missing.

Every fill says which position the venue saw just before it. In the venue's order each fill therefore begins where the
one before it ended; where it does not, something happened that we were never told. And a position held over a full
hour is settled once, with the position the venue saw.

Laws: pure functions over integers, fed in the order of venue time; a fill may have arrived late, in any order, as long
as the chain closes. Lots that an opening statement or a correction brought stand in for the fills nobody told us.
Times are venue nanoseconds, positions and changes signed lots.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from domain.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND

SETTLED_WITHIN_NS = 5 * NS_PER_SECOND
"""The venue settles some milliseconds after the hour: whatever was held within this time may be what it saw."""
TOLD_WITHIN_NS = 60 * NS_PER_SECOND
"""A settlement younger than this may still be on its way to us."""
HELD_NS_MAX = 10 * 366 * NS_PER_DAY
"""A longer time between two moves is no time but a number somebody changed: the hours inside it are not counted."""


class Execution(NamedTuple):
    """One fill as the venue tells it: the position before it and what it added, signed."""

    ts_ns: int
    trade_id: int
    start: int
    change: int

    @property
    def end(self) -> int:
        """The position after it."""
        return self.start + self.change


class Adjustment(NamedTuple):
    """Lots that came without a fill: of the opening statement, or of a correction."""

    ts_ns: int
    lots: int
    is_opening: bool


class Gap(NamedTuple):
    """Where the chain of fills does not close. A trade id and time of 0 mean: before the first fill."""

    after_trade_id: int
    after_ns: int
    reached: int
    before_trade_id: int
    before_ns: int
    start: int

    @property
    def lots(self) -> int:
        """What is missing, signed: what unknown executions added."""
        return self.start - self.reached

    @property
    def sentence(self) -> str:
        """What is missing and between which fills."""
        if self.after_trade_id:
            after = f"trade {self.after_trade_id} at {self.after_ns} left {self.reached} lots"
        else:
            after = f"the book opened with {self.reached} lots"
        return (
            f"executions of {self.lots:+} lots are missing: {after}, "
            f"trade {self.before_trade_id} at {self.before_ns} began at {self.start}"
        )


class Held(NamedTuple):
    """A position between two moves; is_sure is False when a move inside it is missing."""

    start_ns: int
    end_ns: int
    position: int
    is_sure: bool


def in_venue_order(fills: Sequence[Execution], reached: int) -> list[Execution]:
    """Return fills of one instrument and one instant in an order that closes the chain, if there is one.

    The venue gives all fills of one block the same time. Each fill is a step from its start to its end; the order is
    the walk over all steps that begins at the position reached. Where steps are missing, as few walks as possible.
    """
    if len(fills) == 1:
        return [fills[0]]
    waiting: dict[int, list[Execution]] = defaultdict(list)
    surplus: dict[int, int] = defaultdict(int)
    for fill in sorted(fills, key=lambda one: one.trade_id, reverse=True):
        waiting[fill.start].append(fill)
        surplus[fill.start] += 1
        surplus[fill.end] -= 1
    walks: list[list[Execution]] = []
    left = len(fills)
    while left:
        at = _next_start(waiting, surplus, reached)
        walk = []
        while waiting.get(at):
            fill = waiting[at].pop()
            surplus[fill.start] -= 1
            surplus[fill.end] += 1
            walk.append(fill)
            at = fill.end
        walks.append(walk)
        left -= len(walk)
    return [fill for walk in _joined(walks) for fill in walk]


def _next_start(waiting: Mapping[int, list[Execution]], surplus: Mapping[int, int], reached: int) -> int:
    """Return where to begin a walk: a position that is left more often than reached, else any; ours if it is one."""
    heads = [fills[-1] for fills in waiting.values() if fills]
    return min(heads, key=lambda fill: (surplus[fill.start] <= 0, fill.start != reached, fill.trade_id)).start


def _joined(walks: list[list[Execution]]) -> list[list[Execution]]:
    """Put walks that end where they began into another one that passes there."""
    joined = [walks[0]]
    loops = [walk for walk in walks[1:] if walk[0].start == walk[-1].end]
    joined += [walk for walk in walks[1:] if walk[0].start != walk[-1].end]
    is_moving = True
    while loops and is_moving:
        is_moving = False
        for loop in list(loops):
            if any(_put_in(walk, loop) for walk in joined):
                loops.remove(loop)
                is_moving = True
    return joined + loops


def _put_in(walk: list[Execution], loop: list[Execution]) -> bool:
    """Insert a loop into a walk at a position both pass; say whether there is one."""
    passed = {walk[0].start: 0} | {fill.end: place for place, fill in enumerate(walk, 1)}
    for turn, fill in enumerate(loop):
        if fill.start in passed:
            place = passed[fill.start]
            walk[place:place] = loop[turn:] + loop[:turn]
            return True
    return False


_OPENING, _FILL, _CORRECTION = range(3)


def walk_positions(
    fills: Iterable[Execution], adjustments: Sequence[Adjustment], gaps: list[Gap], until_ns: int
) -> Iterator[Held]:
    """Yield what was held, move by move, and put into gaps where the chain does not close.

    Shape: fills by venue time; of one instant in any order. A correction by exactly what one gap, or all of them
    together, miss takes their place.
    """
    moves = merge(
        ((one.ts_ns, _FILL, one) for one in fills),
        sorted((one.ts_ns, _OPENING if one.is_opening else _CORRECTION, one) for one in adjustments),
        key=lambda move: move[:2],
    )
    reached = last_ns = last_trade = last_fill_ns = 0
    for (ts_ns, kind), group in groupby(moves, key=lambda move: move[:2]):
        if kind == _FILL:
            for fill in in_venue_order([one for _, _, one in group if isinstance(one, Execution)], reached):
                yield Held(last_ns, ts_ns, reached, fill.start == reached)
                if fill.start != reached:
                    gaps.append(Gap(last_trade, last_fill_ns, reached, fill.trade_id, ts_ns, fill.start))
                reached, last_trade = fill.end, fill.trade_id
                last_ns = last_fill_ns = ts_ns
        else:
            lots = sum(one.lots for _, _, one in group if isinstance(one, Adjustment))
            yield Held(last_ns, ts_ns, reached, kind == _OPENING)
            reached += 0 if _takes_place_of(gaps, lots) else lots
            last_ns = ts_ns
    if last_ns:
        yield Held(last_ns, max(last_ns, until_ns), reached, True)


def _takes_place_of(gaps: list[Gap], lots: int) -> bool:
    """Forget the gaps a correction accounts for; say whether there were any."""
    if gaps and sum(gap.lots for gap in gaps) == lots:
        gaps.clear()
        return True
    if gaps and gaps[-1].lots == lots:
        gaps.pop()
        return True
    return False


def net_adjustments(unexplained: Sequence[Adjustment], explained: Iterable[Adjustment]) -> list[Adjustment]:
    """Return what of the unexplained lots no late fact explains yet: explanations go against the statement they are of."""
    left = {one.ts_ns: 0 for one in unexplained}
    for one in unexplained:
        left[one.ts_ns] += one.lots
    for one in explained:
        statement_ns = min((ts_ns for ts_ns in left if ts_ns >= one.ts_ns), default=one.ts_ns)
        left[statement_ns] = left.get(statement_ns, 0) + one.lots
    return [Adjustment(ts_ns, lots, False) for ts_ns, lots in sorted(left.items()) if lots]


def wrong_hours(
    held: Iterable[Held], settled: Mapping[int, int], from_ns: int, until_ns: int
) -> Iterator[tuple[int, str]]:
    """Yield every hour whose settlement is missing, unfounded or of another position, with what is wrong.

    Shape: settled is position by hour. Hours before from_ns may be missing; hours after until_ns - TOLD_WITHIN_NS too.
    """
    positions: dict[int, set[int]] = {}
    doubtful: set[int] = set()
    for start_ns, end_ns, position, is_sure in held:
        # Before the first move nothing was held; only its last moment can be of interest.
        since_ns = start_ns or end_ns
        if end_ns - since_ns > HELD_NS_MAX:
            continue
        first = -((SETTLED_WITHIN_NS - since_ns) // NS_PER_HOUR) * NS_PER_HOUR
        for hour_ns in range(first, end_ns + 1, NS_PER_HOUR):
            positions.setdefault(hour_ns, set()).add(position)
            if not is_sure:
                doubtful.add(hour_ns)
    for hour_ns in sorted(positions.keys() | settled.keys()):
        if hour_ns in doubtful:
            continue
        found, seen = settled.get(hour_ns), positions.get(hour_ns, {0})
        if hour_ns % NS_PER_HOUR:
            yield hour_ns, "is no full hour"
        elif found is None:
            is_due = from_ns <= hour_ns <= until_ns - TOLD_WITHIN_NS
            if is_due and 0 not in seen:
                yield hour_ns, f"is missing although {_listed(seen)} lots were held"
        elif seen == {0}:
            yield hour_ns, f"settles {found} lots although nothing was held"
        elif found not in seen:
            yield hour_ns, f"settles {found} lots although {_listed(seen)} were held"


def _listed(positions: set[int]) -> str:
    return " or ".join(str(position) for position in sorted(positions))
