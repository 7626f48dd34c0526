"""The statement of a day, a week or a month: what the accounts were worth before and after, and every cause between.

Why it exists: a person who did not watch must be able to see what happened to the money, and check it.

Laws: closing = opening + transfers + unexplained + realized + change of unrealized + funding - fees + rebates + between
runs, to the last unit. What is booked in a period is in it and nowhere else, by our clock, so a closed period does not
change, whenever it is asked for: a late fill shows in the period it was booked in, orders stand as they stood at its
end, and the value of open positions is told by instrument only where nothing later can change that. residual is what the bot said it was worth (its last mark)
less what the postings say it was worth then: 0, or something is wrong.

Several runs add up. Runs of one account follow each other: the later one opens with what the venue says, positions at
entry cost; by how much that differs from where the run before it ended is "between runs", and no deposit. A run that
never opened knows of no account: what it booked, if anything, adds to what the run before it left.
"""

from collections.abc import Iterable, Sequence

import msgspec

from domain.units import RATE_UNIT
from ledger.cut_run import Correction, CutRun, step_of
from ledger.entries import MarkPoint, RunFacts, RunPart, Tally, total
from ledger.episodes import Episode
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


class PeriodStatement(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one period. orders are those created in it, by the state they had at its end.

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


def period_statement(
    period: Period,
    runs: Iterable[RunFacts],
    orders_by_state: dict[str, int],
    incidents: Sequence[Incident],
) -> PeriodStatement:
    """Return the statement of a period over these runs, with the runs each account came from before it, if any."""
    cut = sorted((CutRun(facts, period) for facts in runs), key=lambda one: (one.run.started_ns, one.run.run_id))
    between, left = _between(cut, period)
    opening = _opening(cut, period)
    tally = total(run.tally() for run in cut)
    curve = _curve(cut, between, left, opening)
    step_ns = step_of(period)
    return PeriodStatement(
        period=period,
        runs=tuple(run.run for run in cut),
        bridge=_bridge(cut, between, tally, sum(opening.values())),
        tally=tally,
        orders_by_state=dict(orders_by_state),
        instruments=_instruments(cut, tally),
        steps=_steps(cut, between, sum(opening.values()), step_ns),
        step_ns=step_ns,
        positions=tuple(episode for run in cut for episode in run.episodes),
        drawdown=deepest_fall(curve),
        curve=curve,
        corrections=tuple(one for run in cut for one in run.corrections),
        incidents=tuple(incidents),
    )


def _opening(cut: Sequence[CutRun], period: Period) -> dict[str, int]:
    """Equity at the start, by account: that of the last run that had opened by then, and what was booked after it."""
    worth: dict[str, int] = {}
    for run in cut:
        account = run.run.account
        before = 0 if run.has_opened(period.start_ns - 1) else worth.get(account, 0)
        worth[account] = before + run.opening
    return worth


def _between(cut: Sequence[CutRun], period: Period) -> tuple[dict[str, int], dict[str, int]]:
    """What changed while no run watched, by the run that found it, if it opened in the period; and what was left to it."""
    left: dict[str, int] = {}
    between: dict[str, int] = {}
    worth: dict[str, int] = {}
    for run in cut:
        run_id, account = run.run.run_id, run.run.account
        left[run_id] = worth.get(account, 0)
        if run.opened_ns is None:
            if run.has_booked:
                worth[account] = left[run_id] + run.closing
            continue
        if account in worth and period.start_ns <= run.opened_ns:
            between[run_id] = run.brought - left[run_id]
        worth[account] = run.closing
    return between, left


def _bridge(cut: Sequence[CutRun], between: dict[str, int], tally: Tally, opening: int) -> PeriodBridge:
    brought = sum(run.brought for run in cut if run.run.run_id in between)
    bridge = PeriodBridge(
        opening=opening,
        transfers=sum(run.transfers for run in cut) - brought,
        realized=tally.realized,
        unrealized_change=tally.unrealized,
        funding=tally.funding,
        fees=tally.fees,
        rebates=tally.rebates,
        unexplained=sum(run.unexplained for run in cut),
        between_runs=sum(between.values()),
        residual=sum(run.residual for run in cut),
    )
    bridge.closing = bridge.opening + bridge.transfers + tally.net + bridge.unexplained + bridge.between_runs
    return bridge


def _instruments(cut: Sequence[CutRun], tally: Tally) -> tuple[tuple[str, Tally], ...]:
    rows: dict[str, Tally] = {}
    for run in cut:
        for symbol, part in run.by_symbol.items():
            rows.setdefault(symbol, Tally()).add(part)
        for symbol, _, _, unrealized in run.positions if run.unrealized_before == 0 else ():
            rows.setdefault(symbol, Tally()).unrealized += unrealized
    rest = tally.unrealized - sum(row.unrealized for row in rows.values())
    if rest:
        rows[UNEXPLAINED_ROW] = Tally(unrealized=rest)
    return tuple((symbol, rows[symbol]) for symbol in sorted(rows))


def _steps(cut: Sequence[CutRun], between: dict[str, int], opening: int, step_ns: int) -> tuple[StepPart, ...]:
    tallies: dict[int, Tally] = {}
    moved: dict[int, int] = {}
    for run in cut:
        for step, part in run.steps.items():
            tallies.setdefault(step, Tally()).add(part)
        for step, amount in run.moved.items():
            moved[step] = moved.get(step, 0) + amount
        found = between.get(run.run.run_id)
        if found is not None and run.opened_ns is not None:
            step = run.opened_ns // step_ns
            moved[step] = moved.get(step, 0) + found - run.brought
    closing, steps = opening, []
    for step in sorted(tallies):
        closing += tallies[step].net + moved.get(step, 0)
        steps.append(StepPart(start_ns=step * step_ns, tally=tallies[step], closing=closing))
    return tuple(steps)


def _curve(
    cut: Sequence[CutRun], between: dict[str, int], left: dict[str, int], opening: dict[str, int]
) -> tuple[CurvePoint, ...]:
    """Equity and gain at every mark of the period, all accounts together.

    Until a run has opened, its marks stand on what was left to it.
    """
    gain: dict[str, int] = {}
    steps: list[tuple[int, int, str, MarkPoint, int, int]] = []
    for place, run in enumerate(cut):
        account, run_id = run.run.account, run.run.run_id
        base, found = gain.get(account, 0) - run.net_before, between.get(run_id, 0)
        for mark in run.marks:
            has_opened = run.has_opened(mark.ts_ns)
            equity = mark.equity if has_opened else left[run_id] + mark.equity
            steps.append((mark.ts_ns, place, account, mark, equity, base + (found if has_opened else 0)))
        gain[account] = base + found + (run.marks[-1].net if run.marks else run.net_before)
    equities, gain = dict(opening), {}
    held, earned = sum(equities.values()), 0
    points: list[CurvePoint] = []
    for ts_ns, _, account, mark, equity, base in sorted(steps, key=lambda step: step[:2]):
        held += equity - equities.get(account, 0)
        earned += base + mark.net - gain.get(account, 0)
        equities[account], gain[account] = equity, base + mark.net
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
