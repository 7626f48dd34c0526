"""The statement of a day, a week or a month: what the accounts were worth before and after, and every cause between.

Why it exists: a person who did not watch must be able to see what happened to the money, and check it.

Laws: closing = opening + transfers + unexplained + realized + change of unrealized + funding - fees + rebates + between
runs, to the last unit. What is booked in a period is in it and nowhere else, by our clock, so a closed period does not
change: a late fill shows in the period it was booked in. residual is what the bot said it was worth (its last mark)
less what the postings say it was worth then: 0, or something is wrong.

Several runs add up. Runs of one account follow each other: the later one opens with what the venue says, positions at
entry cost; by how much that differs from where the run before it ended is "between runs", and no deposit.
"""

from collections.abc import Iterable, Sequence

import msgspec

from domain.units import NS_PER_DAY, NS_PER_HOUR, RATE_UNIT
from ledger.entries import Booked, Entry, MarkPoint, RunFacts, RunPart, Tally, booked, total
from ledger.episodes import Episode, episodes_of
from ledger.periods import Period

UNEXPLAINED_ROW = ""
"""The instrument row of what the value of open positions changed that the stored marks do not tell apart."""


class PeriodBridge(msgspec.Struct, kw_only=True):
    """From opening to closing equity. Units: Money; every part is what it adds, but fees, which are taken away."""

    opening: int = 0
    transfers: int = 0
    realized: int = 0
    unrealized_change: int = 0
    funding: int = 0
    fees: int = 0
    rebates: int = 0
    unexplained: int = 0
    between_runs: int = 0
    closing: int = 0
    residual: int = 0


class StepPart(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the period (a day; an hour of a single day) in which something happened. closing is equity, in Money."""

    start_ns: int
    tally: Tally
    closing: int


class CurvePoint(msgspec.Struct, frozen=True, gc=False):
    """Equity of all accounts together, and gain: what was earned in the period so far, deposits apart. In Money."""

    ts_ns: int
    equity: int
    gain: int


class Drawdown(msgspec.Struct, frozen=True, gc=False):
    """The deepest fall of the gain from a peak. Units: Money (>= 0), rate of the equity at the peak."""

    amount: int = 0
    rate: int = 0
    peak_ns: int = 0
    trough_ns: int = 0


class Incident(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something a person should know about, in the ledger's words."""

    run_id: str
    ts_ns: int
    kind: str
    reason: str
    detail: str


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


class PeriodStatement(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one period. orders are those created in it, by the state they have now.

    positions are the ones closed in it, with their profit over their whole life. instruments are by name; the empty name
    holds what marks of several instruments together cannot tell apart.
    """

    period: Period
    runs: tuple[RunPart, ...]
    bridge: PeriodBridge
    tally: Tally
    orders_by_state: dict[str, int]
    instruments: tuple[tuple[str, Tally], ...]
    steps: tuple[StepPart, ...]
    step_ns: int
    positions: tuple[Episode, ...]
    drawdown: Drawdown
    curve: tuple[CurvePoint, ...]
    corrections: tuple[Correction, ...]
    incidents: tuple[Incident, ...]


class _Run:
    """One run, cut at the period's boundaries."""

    def __init__(self, facts: RunFacts, period: Period) -> None:
        """Read the run once."""
        self.facts = facts
        self.brought = self.brought_ns = 0
        self.before = self.at_end = 0
        self.inside: list[tuple[Entry, Booked]] = []
        for entry in facts.entries:
            if entry.ts_ns >= period.end_ns:
                break
            done = booked(entry)
            value = done.transfers + done.unexplained + total(done.by_symbol.values()).net
            if entry.is_opening:
                self.brought, self.brought_ns = self.brought + value, entry.ts_ns
            if entry.ts_ns < period.start_ns:
                self.before += value
            else:
                self.inside.append((entry, done))
            self.at_end += value
        self.marks = [mark for mark in facts.marks if period.start_ns <= mark.ts_ns < period.end_ns]
        earlier = [mark for mark in facts.marks if mark.ts_ns < period.start_ns]
        self.unrealized_before = earlier[-1].unrealized if earlier else 0
        self.unrealized_at_end = self.marks[-1].unrealized if self.marks else self.unrealized_before

    @property
    def run_id(self) -> str:
        return self.facts.run.run_id

    @property
    def opening(self) -> int:
        """Equity before the period."""
        return self.before + self.unrealized_before

    @property
    def closing(self) -> int:
        """Equity at the end of the period, or of the run."""
        return self.at_end + self.unrealized_at_end

    def residual(self) -> int:
        """What the last mark says beyond the postings; see `residual_at`."""
        return residual_at(self.facts.entries, self.marks[-1]) if self.marks else 0


def residual_at(entries: Iterable[Entry], mark: MarkPoint) -> int:
    """Return a mark's equity less what the postings before it and its unrealized profit make.

    A mark carries no transaction number: of what was booked at its very nanosecond, it saw some first part, and the one
    that fits it best is taken.
    """
    value = 0
    best: int | None = None
    for entry in entries:
        if entry.ts_ns > mark.ts_ns:
            break
        if entry.ts_ns == mark.ts_ns:
            best = _nearer(best, mark.equity - value - mark.unrealized)
        done = booked(entry)
        value += done.transfers + done.unexplained + total(done.by_symbol.values()).net
    return _nearer(best, mark.equity - value - mark.unrealized)


def _nearer(best: int | None, found: int) -> int:
    return found if best is None or abs(found) < abs(best) else best


def period_statement(
    period: Period,
    runs: Sequence[RunFacts],
    orders_by_state: dict[str, int],
    incidents: Sequence[Incident],
) -> PeriodStatement:
    """Return the statement of a period over these runs, with the run each account came from before it, if any."""
    cut = [_Run(facts, period) for facts in sorted(runs, key=lambda one: (one.run.started_ns, one.run.run_id))]
    between = _between(cut, period)
    tally = total(part for run in cut for part in _inside(run))
    step_ns = NS_PER_HOUR if period.kind == "day" else NS_PER_DAY
    curve = _curve(cut, between, period)
    return PeriodStatement(
        period=period,
        runs=tuple(run.facts.run for run in cut),
        bridge=_bridge(cut, between, tally, period),
        tally=tally,
        orders_by_state=dict(orders_by_state),
        instruments=_instruments(cut, tally),
        steps=_steps(cut, between, _opening(cut, period), step_ns),
        step_ns=step_ns,
        positions=tuple(
            episode
            for run in cut
            for episode in episodes_of(run.facts)
            if episode.closed_booked_ns is not None and period.start_ns <= episode.closed_booked_ns < period.end_ns
        ),
        drawdown=deepest_fall(curve),
        curve=curve,
        corrections=tuple(_correction(run.run_id, *one) for run in cut for one in run.inside if one[0].is_correction),
        incidents=tuple(incidents),
    )


def _inside(run: _Run) -> Iterable[Tally]:
    for _, done in run.inside:
        yield from done.by_symbol.values()
    yield Tally(unrealized=run.unrealized_at_end - run.unrealized_before)


def _followers(cut: Sequence[_Run]) -> list[tuple[_Run, _Run]]:
    """Pairs of runs of one account, one right after the other."""
    last: dict[str, _Run] = {}
    pairs = []
    for run in cut:
        before = last.get(run.facts.run.account)
        if before is not None:
            pairs.append((before, run))
        last[run.facts.run.account] = run
    return pairs


def _between(cut: Sequence[_Run], period: Period) -> dict[str, int]:
    """What changed while no run watched, by the run that found it, if it opened in the period."""
    return {
        run.run_id: run.brought - before.closing
        for before, run in _followers(cut)
        if period.start_ns <= run.brought_ns < period.end_ns
    }


def _opening(cut: Sequence[_Run], period: Period) -> int:
    """Equity of all accounts at the start: that of the last run of each that had opened by then."""
    last: dict[str, int] = {}
    for run in cut:
        if run.brought_ns < period.start_ns:
            last[run.facts.run.account] = run.opening
    return sum(last.values())


def _bridge(cut: Sequence[_Run], between: dict[str, int], tally: Tally, period: Period) -> PeriodBridge:
    done = [one for run in cut for _, one in run.inside]
    brought = sum(run.brought for run in cut if run.run_id in between)
    bridge = PeriodBridge(
        opening=_opening(cut, period),
        transfers=sum(one.transfers for one in done) - brought,
        realized=tally.realized,
        unrealized_change=tally.unrealized,
        funding=tally.funding,
        fees=tally.fees,
        rebates=tally.rebates,
        unexplained=sum(one.unexplained for one in done),
        between_runs=sum(between.values()),
        residual=sum(run.residual() for run in cut),
    )
    bridge.closing = bridge.opening + bridge.transfers + tally.net + bridge.unexplained + bridge.between_runs
    return bridge


def _instruments(cut: Sequence[_Run], tally: Tally) -> tuple[tuple[str, Tally], ...]:
    rows: dict[str, Tally] = {}
    for run in cut:
        for _, done in run.inside:
            for symbol, part in done.by_symbol.items():
                rows.setdefault(symbol, Tally()).add(part)
        is_whole = run.unrealized_before == 0 and bool(run.marks) and run.marks[-1] is run.facts.marks[-1]
        for symbol, _, _, unrealized in run.facts.positions if is_whole else ():
            rows.setdefault(symbol, Tally()).unrealized += unrealized
    rest = tally.unrealized - sum(row.unrealized for row in rows.values())
    if rest:
        rows[UNEXPLAINED_ROW] = Tally(unrealized=rest)
    return tuple((symbol, rows[symbol]) for symbol in sorted(rows))


def _steps(cut: Sequence[_Run], between: dict[str, int], opening: int, step_ns: int) -> tuple[StepPart, ...]:
    tallies: dict[int, Tally] = {}
    moved: dict[int, int] = {}
    for run in cut:
        for entry, done in run.inside:
            step = entry.ts_ns // step_ns
            tally = tallies.setdefault(step, Tally())
            for part in done.by_symbol.values():
                tally.add(part)
            moved[step] = moved.get(step, 0) + done.transfers + done.unexplained
        before = run.unrealized_before
        for mark in run.marks:
            tallies.setdefault(mark.ts_ns // step_ns, Tally()).unrealized += mark.unrealized - before
            before = mark.unrealized
        if run.run_id in between:
            step = run.brought_ns // step_ns
            moved[step] = moved.get(step, 0) + between[run.run_id] - run.brought
    closing, steps = opening, []
    for step in sorted(tallies):
        closing += tallies[step].net + moved.get(step, 0)
        steps.append(StepPart(start_ns=step * step_ns, tally=tallies[step], closing=closing))
    return tuple(steps)


def _curve(cut: Sequence[_Run], between: dict[str, int], period: Period) -> tuple[CurvePoint, ...]:
    """Equity and gain at every mark of the period, all accounts together."""
    equity: dict[str, int] = {}
    gain: dict[str, int] = {}
    steps: list[tuple[int, int, str, MarkPoint, int]] = []
    for place, run in enumerate(cut):
        account = run.facts.run.account
        if run.brought_ns < period.start_ns:
            equity[account] = run.opening
        earlier = [mark.net for mark in run.facts.marks if mark.ts_ns < period.start_ns]
        base = gain.get(account, 0) + between.get(run.run_id, 0) - (earlier[-1] if earlier else 0)
        steps += [(mark.ts_ns, place, account, mark, base) for mark in run.marks]
        gain[account] = base + (run.marks[-1].net if run.marks else (earlier[-1] if earlier else 0))
    held, earned = sum(equity.values()), 0
    gain = {}
    points: list[CurvePoint] = []
    for ts_ns, _, account, mark, base in sorted(steps, key=lambda step: step[:2]):
        held += mark.equity - equity.get(account, 0)
        earned += base + mark.net - gain.get(account, 0)
        equity[account], gain[account] = mark.equity, base + mark.net
        points.append(CurvePoint(ts_ns, held, earned))
    return tuple(points)


def deepest_fall(curve: Sequence[CurvePoint]) -> Drawdown:
    """Return the deepest fall from a peak, of what was earned; the first gain to fall from is 0, at the first point."""
    if not curve:
        return Drawdown()
    peak = CurvePoint(curve[0].ts_ns, curve[0].equity - curve[0].gain, 0)
    deepest = Drawdown()
    for point in curve:
        if point.gain > peak.gain:
            peak = point
        amount = peak.gain - point.gain
        if amount > deepest.amount:
            rate = amount * RATE_UNIT // peak.equity if peak.equity > 0 else 0
            deepest = Drawdown(amount, rate, peak.ts_ns, point.ts_ns)
    return deepest


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
