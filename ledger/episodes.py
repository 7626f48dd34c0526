"""Positions as episodes: from flat to flat, each with its own profit by cause.

Laws: an execution that turns a position around closes one episode and opens the next; what it realized belongs to the
closed one, its fees and memos to both by lots. Funding belongs to the episode that was held at its hour, by the venue's
time. Lots that came without an execution (an opening statement, a correction) open, grow and close episodes as well. A
correction's profit belongs to the episode that is open when it is booked, or the last one; a late execution that
explains lots the position already holds belongs there too, and moves nothing. Only an open episode has unrealized
profit. The episodes of a run hold everything its entries booked: what no episode can be blamed for is in number 0 of
the instrument.
"""

from collections.abc import Iterable

import msgspec

from domain.transaction import CorrectionCause
from ledger.entries import Booked, Entry, FillEntry, RunFacts, Tally, booked

EXPLAINED = CorrectionCause.EXPLAINED.label


class Episode(msgspec.Struct, kw_only=True):
    """One position. number counts from 1 per instrument and run; 0 is no position at all.

    Units: lots_max is the largest size, signed as the position; closed_ns is None while it is open; times are the
    venue's.
    """

    run_id: str
    symbol: str
    number: int
    opened_ns: int
    tally: Tally
    lots_max: int = 0
    closed_ns: int | None = None
    closed_booked_ns: int | None = None
    """When we booked what closed it."""


class _Line:
    """The episodes of one instrument and the lots held."""

    def __init__(self, run_id: str, symbol: str) -> None:
        self.run_id, self.symbol = run_id, symbol
        self.lots = 0
        self.episodes: list[Episode] = []
        self.outside = Episode(run_id=run_id, symbol=symbol, number=0, opened_ns=0, tally=Tally())

    @property
    def current(self) -> Episode:
        """The open episode, or the last one, or none at all."""
        return self.episodes[-1] if self.episodes else self.outside

    def held_at(self, ts_ns: int) -> Episode:
        """Return the episode held just before a moment; if none was, the last one that had been opened by then."""
        for episode in reversed(self.episodes):
            if episode.opened_ns < ts_ns:
                return episode
        return self.current

    def move(self, entry: Entry, change: int, tally: Tally) -> None:
        """Take signed lots and what they brought."""
        before, after = self.lots, self.lots + change
        if change == 0:
            self.current.tally.add(tally)
        elif before == 0:
            self._open(entry, after, tally)
        elif (before > 0) != (after > 0) and after != 0:
            closed, opened = tally.split(abs(before), abs(change))
            self.current.tally.add(closed)
            self._close(entry)
            self._open(entry, after, opened)
        else:
            self.current.tally.add(tally)
            if after == 0:
                self._close(entry)
            elif abs(after) > abs(self.current.lots_max):
                self.current.lots_max = after
        self.lots = after

    def _open(self, entry: Entry, lots: int, tally: Tally) -> None:
        number = len(self.episodes) + 1
        episode = Episode(
            run_id=self.run_id, symbol=self.symbol, number=number, opened_ns=entry.ts_event_ns, tally=Tally()
        )
        episode.tally.add(tally)
        episode.lots_max = lots
        self.episodes.append(episode)

    def _close(self, entry: Entry) -> None:
        self.current.closed_ns, self.current.closed_booked_ns = entry.ts_event_ns, entry.ts_ns


def episodes_of(facts: RunFacts) -> list[Episode]:
    """Return the positions of a run by symbol, oldest first; the ones still open carry the unrealized profit.

    Number 0 is there only if something belongs to it.
    """
    return episodes_along(facts.run.run_id, ((entry, booked(entry)) for entry in facts.entries), facts.positions)


def episodes_along(
    run_id: str, told: Iterable[tuple[Entry, Booked]], positions: Iterable[tuple[str, int, int, int]]
) -> list[Episode]:
    """Return the same, going along with entries that somebody else adds up as well."""
    lines = _walk(run_id, told)
    for symbol, _, _, unrealized in positions:
        line = lines.setdefault(symbol, _Line(run_id, symbol))
        (line.current if line.lots else line.outside).tally.unrealized += unrealized
    found: list[Episode] = []
    for symbol in sorted(lines):
        line = lines[symbol]
        if line.outside.tally != Tally():
            found.append(line.outside)
        found += line.episodes
    return found


def _walk(run_id: str, told: Iterable[tuple[Entry, Booked]]) -> dict[str, _Line]:
    lines: dict[str, _Line] = {}

    def line_of(symbol: str) -> _Line:
        line = lines.get(symbol)
        if line is None:
            line = lines[symbol] = _Line(run_id, symbol)
        return line

    following = iter(told)
    current = next(following, None)
    while current is not None:
        entry, done = current
        current = next(following, None)
        tallies = dict(done.by_symbol)
        if entry.fill is not None:
            after = entry if current is None else current[0]
            is_known = after.cause == EXPLAINED and dict(after.lots).get(entry.symbol) == -signed_lots(entry.fill)
            change = 0 if is_known else signed_lots(entry.fill)
            line_of(entry.symbol).move(entry, change, tallies.pop(entry.symbol))
        for symbol, lots in entry.lots if entry.cause != EXPLAINED else ():
            line_of(symbol).move(entry, lots, tallies.pop(symbol, Tally()))
        for symbol, tally in tallies.items():
            line, hour_ns = line_of(symbol), entry.funding_hour_ns
            episode = line.current if hour_ns is None else line.held_at(hour_ns)
            episode.tally.add(tally)
    return lines


def signed_lots(fill: FillEntry) -> int:
    """Return what an execution did to the position."""
    return fill.side * fill.lots
