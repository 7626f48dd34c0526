"""One run cut at the boundaries of a period, added up while its entries go by.

Laws: the entries are gone through once and none is kept, so a statement needs memory for what it says and not for how
long the run is. What is booked before the period is its opening, what is booked in it is told by step and by
instrument; both sum to the same tally.
"""

from collections.abc import Iterable, Iterator

import msgspec

from domain.units import NS_PER_DAY, NS_PER_HOUR
from ledger.entries import Booked, Entry, MarkPoint, RunFacts, Tally, booked, by_hour, total, value_of
from ledger.episodes import Episode, episodes_along
from ledger.periods import Period


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction that corrected others. net is what it added to profit, unexplained what it could not explain."""

    run_id: str
    sequence: int
    ts_ns: int
    cause: str
    fact_id: str
    symbol: str
    evidence: str
    net: int
    unexplained: int


class Residual:
    """A mark's equity less what the postings before it and its unrealized profit make.

    A mark carries no transaction number: of what was booked at its very nanosecond, it saw some first part, and the one
    that fits it best is taken.
    """

    def __init__(self, mark: MarkPoint) -> None:
        """Begin before the first entry."""
        self._mark = mark
        self._left = self.found = mark.equity - mark.unrealized
        self._is_there = False

    def take(self, ts_ns: int, value: int) -> None:
        """Take the next entry: what it added to what the account is worth."""
        if ts_ns > self._mark.ts_ns:
            return
        before, self._left = self._left, self._left - value
        if ts_ns < self._mark.ts_ns:
            self.found = self._left
            return
        self.found = _nearer(self.found if self._is_there else before, self._left)
        self._is_there = True


def _nearer(best: int, found: int) -> int:
    return found if abs(found) < abs(best) else best


def residual_at(entries: Iterable[Entry], mark: MarkPoint) -> int:
    """Return what a mark says beyond the postings, from all entries of its run."""
    residual = Residual(mark)
    for entry in entries:
        residual.take(entry.ts_ns, value_of(entry))
    return residual.found


def step_of(period: Period) -> int:
    """Return the length of the steps a period is told in: hours of a day, days of anything longer."""
    return NS_PER_HOUR if period.kind == "day" else NS_PER_DAY


class CutRun:
    """One run in a period. brought is its opening statement, opening and closing are equity, by its own entries alone.

    steps and by_symbol are tallies of the period without unrealized profit, moved is money by step that is no profit.
    """

    def __init__(self, facts: RunFacts, period: Period) -> None:
        """Read the run once."""
        self.run = facts.run
        self.brought = 0
        self.opened_ns: int | None = None
        self.has_booked = False
        self.transfers = self.unexplained = 0
        self.steps: dict[int, Tally] = {}
        self.moved: dict[int, int] = {}
        self.by_symbol: dict[str, Tally] = {}
        self.corrections: list[Correction] = []
        self.marks = [mark for mark in facts.marks if period.start_ns <= mark.ts_ns < period.end_ns]
        earlier = [mark for mark in facts.marks if mark.ts_ns < period.start_ns]
        self.unrealized_before = earlier[-1].unrealized if earlier else 0
        self.net_before = earlier[-1].net if earlier else 0
        self.unrealized_at_end = self.marks[-1].unrealized if self.marks else self.unrealized_before
        is_last_mark = bool(self.marks) and self.marks[-1] is facts.marks[-1]
        self.positions = facts.positions if is_last_mark else ()
        """Open positions at the end of the period, if they are known."""
        self._period, self._step_ns = period, step_of(period)
        self._before = self._at_end = 0
        self._residual = Residual(self.marks[-1]) if self.marks else None
        self.episodes = tuple(
            episode
            for episode in episodes_along(self.run.run_id, self._along(facts.entries), self.positions)
            if _is_in(episode, period)
        )
        for step, change in self._unrealized_by_step():
            self.steps.setdefault(step, Tally()).unrealized += change

    @property
    def opening(self) -> int:
        """Equity before the period."""
        return self._before + self.unrealized_before

    @property
    def closing(self) -> int:
        """Equity at the end of the period, or of the run."""
        return self._at_end + self.unrealized_at_end

    @property
    def residual(self) -> int:
        """What the last mark of the period says beyond the postings; see `Residual`."""
        return self._residual.found if self._residual is not None else 0

    def has_opened(self, ts_ns: int) -> bool:
        """Say whether its opening statement was booked by a moment; before it, the run knows of no account."""
        return self.opened_ns is not None and self.opened_ns <= ts_ns

    def tally(self) -> Tally:
        """Return what the run made in the period."""
        return total(self.steps.values())

    def _along(self, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Booked]]:
        """Add up every entry before the period's end while it goes by."""
        start_ns, end_ns = self._period.start_ns, self._period.end_ns
        for entry in entries:
            ts_ns = entry.ts_ns
            if ts_ns >= end_ns:
                break
            done, value = booked(entry), value_of(entry)
            self.has_booked = True
            if entry.is_opening:
                self.brought, self.opened_ns = self.brought + value, ts_ns
            if self._residual is not None:
                self._residual.take(ts_ns, value)
            self._at_end += value
            if ts_ns < start_ns:
                self._before += value
            elif entry.is_correction:
                self.corrections.append(_correction(self.run.run_id, entry, done))
            for at_ns, part in by_hour(entry, done):
                if start_ns <= at_ns < end_ns:
                    self._add(at_ns, part)
            yield entry, done

    def _add(self, ts_ns: int, done: Booked) -> None:
        step = ts_ns // self._step_ns
        tally = self.steps.get(step)
        if tally is None:
            tally = self.steps[step] = Tally()
        for symbol, part in done.by_symbol.items():
            tally.add(part)
            row = self.by_symbol.get(symbol)
            if row is None:
                row = self.by_symbol[symbol] = Tally()
            row.add(part)
        self.moved[step] = self.moved.get(step, 0) + done.transfers + done.unexplained
        self.transfers += done.transfers
        self.unexplained += done.unexplained

    def _unrealized_by_step(self) -> Iterator[tuple[int, int]]:
        before = self.unrealized_before
        for mark in self.marks:
            yield mark.ts_ns // self._step_ns, mark.unrealized - before
            before = mark.unrealized


def _is_in(episode: Episode, period: Period) -> bool:
    closed_ns = episode.closed_booked_ns
    return closed_ns is not None and period.start_ns <= closed_ns < period.end_ns


def _correction(run_id: str, entry: Entry, done: Booked) -> Correction:
    return Correction(
        run_id=run_id,
        sequence=entry.sequence,
        ts_ns=entry.ts_ns,
        cause=entry.cause,
        fact_id=entry.fact_id,
        symbol=entry.symbol,
        evidence=entry.evidence,
        net=total(done.by_symbol.values()).net,
        unexplained=done.unexplained,
    )
