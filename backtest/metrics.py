"""Statistics of an equity curve: return, Sharpe, Sortino, drawdown. Floats are at home here; nothing is decided by them.

Why it exists: a Sharpe ratio means nothing without its interval, its year and its treatment of too little data. Here
all three are stated once.

Rule 1: ratios are computed from simple returns of equity resampled at a fixed interval (last value known at each point,
the last incomplete interval left out), so that an account that trades often is not judged more often. Rule 2: a year
has 365 days, because the market never closes; the riskless rate and the target return are zero. Rule 3: what is
undefined (too few points, no movement, no loss, no capital) is None, never zero and never infinity. Rule 4: drawdown is
read from every point of the curve, not from the resampled ones, and its amount is exact.

Sources: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994); F. A. Sortino, L. N. Price,
"Performance Measurement in a Downside Risk Framework", Journal of Investing 3 (1994).
"""

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, sqrt

import msgspec

from domain.units import NS_PER_DAY, NS_PER_SECOND, Money, format_money

YEAR_NS = 365 * NS_PER_DAY

NOISE = 1e-15
"""A deviation of returns below this is the rounding of floats, not movement."""

EquityCurve = Sequence[tuple[int, Money]]
"""Shape: (ts_ns, equity), times never falling. The equity at a time is the last one written for it."""


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """The deepest falls below an earlier peak.

    Units: share of the peak (None while no peak was above zero), amount in Money, nanoseconds. The three maxima may
    belong to different falls. duration_ns_max is the longest time from a peak to the return to it,
    or to the end of the curve.
    """

    share_max: float | None
    amount_max: Money
    duration_ns_max: int


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says about an equity curve. Units: in the names; ratios are annualized; None means undefined.

    return_total and drawdown_max are shares (0.01 is 1 %); drawdown_max_usdc is exact decimal text.
    """

    interval_seconds: float
    intervals: int
    return_total: float | None
    sharpe: float | None
    sortino: float | None
    drawdown_max: float | None
    drawdown_max_usdc: str
    drawdown_seconds_max: float


def resampled(curve: EquityCurve, interval_ns: int) -> list[Money]:
    """Return equity at the first time of the curve and every interval_ns after it, up to its last time.

    Raises: ValueError when the interval is not positive.
    """
    if interval_ns <= 0:
        raise ValueError(f"interval_ns = {interval_ns}: expected above 0")
    if not curve:
        return []
    due_ns, known = curve[0][0], curve[0][1]
    sampled = []
    for ts_ns, equity in curve:
        while due_ns < ts_ns:
            sampled.append(known)
            due_ns += interval_ns
        known = equity
    if due_ns == curve[-1][0]:
        sampled.append(known)
    return sampled


def simple_returns(values: Sequence[Money]) -> list[float] | None:
    """Return the relative change of each value to its predecessor; None when equity was not above zero before one."""
    if any(before <= 0 for before in values[:-1]):
        return None
    return [(after - before) / before for before, after in pairwise(values)]


def sharpe_ratio(returns: Sequence[float], interval_ns: int) -> float | None:
    """Return mean over sample deviation of the returns, annualized; None below two returns or without movement."""
    count = len(returns)
    if count < 2:
        return None
    mean = fsum(returns) / count
    deviation = sqrt(fsum((one - mean) ** 2 for one in returns) / (count - 1))
    return mean / deviation * sqrt(YEAR_NS / interval_ns) if deviation > NOISE else None


def sortino_ratio(returns: Sequence[float], interval_ns: int) -> float | None:
    """Return mean over downside deviation (target zero, over all returns), annualized; None without a loss."""
    count = len(returns)
    if count < 2:
        return None
    downside = sqrt(fsum(min(one, 0.0) ** 2 for one in returns) / count)
    return fsum(returns) / count / downside * sqrt(YEAR_NS / interval_ns) if downside > NOISE else None


def drawdown(curve: EquityCurve) -> Drawdown:
    """Return the deepest and longest falls of equity below its running peak."""
    share_max: float | None = None
    amount_max = duration_ns_max = 0
    peak_ns, peak = curve[0] if curve else (0, 0)
    is_below = False
    for ts_ns, equity in curve:
        if is_below or equity < peak:
            duration_ns_max = max(duration_ns_max, ts_ns - peak_ns)
        is_below = equity < peak
        if not is_below:
            peak_ns, peak = ts_ns, equity
        amount_max = max(amount_max, peak - equity)
        if peak > 0:
            share_max = max(share_max or 0.0, (peak - equity) / peak)
    return Drawdown(share_max=share_max, amount_max=Money(amount_max), duration_ns_max=duration_ns_max)


def performance(curve: EquityCurve, interval_ns: int) -> Performance:
    """Return everything a report says about a curve, ratios over returns of interval_ns.

    Raises: ValueError when the interval is not positive.
    """
    values = resampled(curve, interval_ns)
    returns = simple_returns(values)
    fall = drawdown(curve)
    has_capital = bool(curve) and curve[0][1] > 0
    return Performance(
        interval_seconds=interval_ns / NS_PER_SECOND,
        intervals=max(len(values) - 1, 0),
        return_total=(curve[-1][1] - curve[0][1]) / curve[0][1] if has_capital else None,
        sharpe=sharpe_ratio(returns, interval_ns) if returns else None,
        sortino=sortino_ratio(returns, interval_ns) if returns else None,
        drawdown_max=fall.share_max,
        drawdown_max_usdc=format_money(fall.amount_max),
        drawdown_seconds_max=fall.duration_ns_max / NS_PER_SECOND,
    )
