"""Profit and loss by order, position, strategy, instrument or day.

Laws: the rows add up to the whole, to the last unit, for every number they hold; what belongs to no row of its own (the
unrealized profit and the funding of positions, by order) has a row that says so. A day is when we booked, in UTC, so a
correction changes the day it is booked and never a day before, and what a markout showed after midnight is the next
day's: closed days stay as they were. Runs are gone through one after the other, each once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from domain.units import NS_PER_DAY
from ledger.entries import MarkPoint, RunFacts, RunPart, Tally, booked, by_hour, total
from ledger.episodes import Episode, episodes_of
from ledger.periods import date_text

KEYS = ("order", "position", "strategy", "instrument", "day")
NO_ORDER_LABEL = "no order"


class Attributed(msgspec.Struct, frozen=True, kw_only=True):
    """One row: what it is for, and what it made. label is unique; episode tells more of a position."""

    label: str
    symbol: str
    tally: Tally
    first_ns: int
    last_ns: int
    episode: Episode | None = None


Piece = tuple[str, str, Tally, int]
"""Label, symbol, amounts, when."""


class _Row:
    """One row while it is being added up."""

    def __init__(self, symbol: str, ts_ns: int) -> None:
        self.symbol = symbol
        self.first_ns = self.last_ns = ts_ns
        self.tally = Tally()

    def add(self, symbol: str, tally: Tally, ts_ns: int) -> None:
        """Add one piece."""
        self.symbol = self.symbol if self.symbol == symbol else ""
        self.first_ns, self.last_ns = min(self.first_ns, ts_ns), max(self.last_ns, ts_ns)
        self.tally.add(tally)


def attribute(runs: Iterable[RunFacts], by: str) -> tuple[Attributed, ...]:
    """Return what each order, position, strategy, instrument or day made; oldest first, instruments by name.

    Raises: ValueError for any other key.
    """
    if by == "position":
        held = [(run.run, episodes_of(run)) for run in runs]
        return tuple(_position(run, episode, len(held) > 1) for run, episodes in held for episode in episodes)
    pieces: dict[str, Callable[[RunFacts], Iterator[Piece]]] = {
        "order": _by_order,
        "strategy": _by_strategy,
        "instrument": _by_instrument,
        "day": _by_day,
    }
    if by not in pieces:
        raise ValueError(f"{by[:40]!r} is nothing to attribute by: expected one of {', '.join(KEYS)}")
    rows: dict[str, _Row] = {}
    for run in runs:
        for label, symbol, tally, ts_ns in pieces[by](run):
            row = rows.get(label)
            if row is None:
                row = rows[label] = _Row(symbol, ts_ns)
            row.add(symbol, tally, ts_ns)
    order = sorted(rows) if by in {"instrument", "day"} else list(rows)
    return tuple(
        Attributed(
            label=label,
            symbol=rows[label].symbol,
            tally=rows[label].tally,
            first_ns=rows[label].first_ns,
            last_ns=rows[label].last_ns,
        )
        for label in order
    )


def attributed_total(rows: Iterable[Attributed]) -> Tally:
    """Return what the rows add up to."""
    return total(row.tally for row in rows)


def whole(runs: Iterable[RunFacts]) -> Tally:
    """Return what runs made in all, from their entries and last marks."""
    found = Tally()
    for run in runs:
        for _, _, tally, _ in _by_strategy(run):
            found.add(tally)
    return found


def _position(run: RunPart, episode: Episode, has_many: bool) -> Attributed:
    label = f"{episode.symbol} #{episode.number}" if episode.number else f"{episode.symbol}, no position"
    return Attributed(
        label=f"{episode.run_id} {label}" if has_many else label,
        symbol=episode.symbol,
        tally=episode.tally,
        first_ns=episode.opened_ns or run.started_ns,
        last_ns=run.last_ns if episode.closed_ns is None else episode.closed_ns,
        episode=episode,
    )


def _booked(run: RunFacts) -> Iterator[tuple[str, str, Tally, int]]:
    """Every piece of profit an entry booked, labeled with its order."""
    for entry in run.entries:
        for symbol, tally in booked(entry).by_symbol.items():
            yield entry.client_order_id, symbol, tally, entry.ts_ns


def _unrealized(run: RunFacts) -> Iterator[tuple[str, Tally]]:
    for symbol, _, _, amount in run.positions:
        yield symbol, Tally(unrealized=amount)


def _by_order(run: RunFacts) -> Iterator[Piece]:
    for order, symbol, tally, ts_ns in _booked(run):
        yield order or NO_ORDER_LABEL, symbol, tally, ts_ns
    for symbol, tally in _unrealized(run):
        yield NO_ORDER_LABEL, symbol, tally, run.run.last_ns


def _by_strategy(run: RunFacts) -> Iterator[Piece]:
    for _, _, tally, ts_ns in _booked(run):
        yield run.run.strategy, "", tally, ts_ns
    for _, tally in _unrealized(run):
        yield run.run.strategy, "", tally, run.run.last_ns


def _by_instrument(run: RunFacts) -> Iterator[Piece]:
    for _, symbol, tally, ts_ns in _booked(run):
        yield symbol, symbol, tally, ts_ns
    for symbol, tally in _unrealized(run):
        yield symbol, symbol, tally, run.run.last_ns


def _by_day(run: RunFacts) -> Iterator[Piece]:
    for entry in run.entries:
        for ts_ns, done in by_hour(entry, booked(entry)):
            for tally in done.by_symbol.values():
                yield date_text(ts_ns), "", tally, ts_ns
    for ts_ns, change in unrealized_changes(run.marks, NS_PER_DAY):
        yield date_text(ts_ns), "", Tally(unrealized=change), ts_ns


def unrealized_changes(marks: Sequence[MarkPoint], step_ns: int) -> Iterator[tuple[int, int]]:
    """Yield by how much unrealized profit changed in each step of time that has a mark, with its last mark's time."""
    before = 0
    for place, mark in enumerate(marks):
        is_last = place + 1 == len(marks) or marks[place + 1].ts_ns // step_ns != mark.ts_ns // step_ns
        if is_last:
            yield mark.ts_ns, mark.unrealized - before
            before = mark.unrealized
