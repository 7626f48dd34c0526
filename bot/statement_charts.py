"""The geometry of a statement's pictures: an equity curve, bars over time, what made the result. Numbers in, SVG units out.

Law: every picture says its exact numbers when pointed at; the scale always holds all of what is drawn, and bars their
zero. Nothing here writes SVG: the template does.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain.units import NS_PER_DAY, NS_PER_HOUR
from ledger.periods import date_text, time_text

WIDTH, HEIGHT = 960.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 14.0, 14.0, 28.0
TICKS = 4
CAUSES = ("realized", "unrealized", "funding", "fees", "rebates", "net")
CAUSE_HEIGHT, CAUSE_LEFT, CAUSE_RIGHT = 34.0, 116.0, 96.0
GAP = 0.28
BAR_WIDTH_MAX = 46.0


def nice_ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Return round numbers that span low to high, about as many as asked, evenly apart."""
    span = high - low
    if span <= 0 or not math.isfinite(span):
        span = max(abs(high), 1.0) * 0.01
        low, high = low - span / 2, high + span / 2
    rough = span / count
    power: float = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [place * step for place in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """Return a tick's label with the decimals its step needs."""
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step < 1 else 0
    if step < 1 and round(step * 10**places, 9) != round(step * 10**places):
        places += 1
    text = f"{value:,.{places}f}"
    return text.replace("-0", "0") if float(text.replace(",", "")) == 0 else text.replace("-", "\N{MINUS SIGN}")


class Scale:
    """Money upwards, on round ticks."""

    def __init__(self, values: Sequence[float], top: float = TOP, bottom: float = HEIGHT - BOTTOM) -> None:
        """Span the values."""
        self.ticks = nice_ticks(min(values), max(values))
        self._low, self._high = self.ticks[0], self.ticks[-1]
        self._top, self._bottom = top, bottom

    def y(self, value: float) -> float:
        """Return where a value is."""
        return round(self._bottom - (value - self._low) / (self._high - self._low) * (self._bottom - self._top), 2)

    def lines(self) -> list[dict[str, Any]]:
        """Return the grid: where, and what it says."""
        step = self.ticks[1] - self.ticks[0]
        return [
            {"y": self.y(value), "text": tick_text(value, step), "is_zero": abs(value) < step / 1e6}
            for value in self.ticks
        ]


def curve_chart(curve: Mapping[str, Any], name: str, period: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the picture of equity (or gain) over time; None with fewer than two points.

    The picture spans what is known, not the whole period: a run of an hour does not drown in its month.
    """
    times: list[int] = list(curve["ts_ns"])
    texts: list[str] = list(curve[name])
    if len(times) < 2:
        return None
    values = [float(Decimal(text)) for text in texts]
    scale = Scale(values)
    first, last = times[0], times[-1]
    span = max(last - first, 1)

    def x(ts_ns: int) -> float:
        return round(LEFT + (ts_ns - first) / span * (WIDTH - LEFT - RIGHT), 2)

    points = [(x(ts_ns), scale.y(value)) for ts_ns, value in zip(times, values, strict=True)]
    line = "M" + "L".join(f"{at_x} {at_y}" for at_x, at_y in points)
    floor = min(scale.y(0.0), HEIGHT - BOTTOM) if scale.ticks[0] < 0 else HEIGHT - BOTTOM
    edges = [points[0][0], *((left[0] + right[0]) / 2 for left, right in pairwise(points)), points[-1][0]]
    return {
        "line": line,
        "area": f"{line}L{points[-1][0]} {floor}L{points[0][0]} {floor}Z",
        "grid": scale.lines(),
        "times": _time_ticks(first, last, x),
        "start_y": points[0][1],
        "last": {"x": points[-1][0], "y": points[-1][1]},
        "hits": [
            {
                "x": round(left, 2),
                "width": round(max(right - left, 0.5), 2),
                "at_x": at_x,
                "at_y": at_y,
                "time": time_text(ts_ns),
                "value": text,
            }
            for left, right, (at_x, at_y), ts_ns, text in zip(edges[:-1], edges[1:], points, times, texts, strict=True)
        ],
        "kind": period["kind"],
    }


def _time_ticks(first: int, last: int, x: Any) -> list[dict[str, Any]]:
    minute = 60 * 10**9
    steps = (
        *(minute * count for count in (1, 2, 5, 10, 15, 30)),
        *(NS_PER_HOUR * count for count in (1, 2, 3, 4, 6, 12)),
        *(NS_PER_DAY * count for count in (1, 2, 5, 7)),
    )
    step = next((one for one in steps if (last - first) / one <= 8), steps[-1])
    start = -(-first // step) * step
    ticks = []
    for ts_ns in range(start, last + 1, step):
        text = time_text(ts_ns)[11:16] if ts_ns % NS_PER_DAY else date_text(ts_ns)[5:]
        ticks.append({"x": x(ts_ns), "text": text})
    return ticks


def bars_chart(shape: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return net profit by hour of a day, or by day of a week or month, quiet ones included; None without any."""
    if not shape["steps"]:
        return None
    step_ns = NS_PER_HOUR if shape["step"] == "hour" else NS_PER_DAY
    found = {row["start_ns"]: row for row in shape["steps"]}
    slots = range(shape["period"]["start_ns"], shape["period"]["end_ns"], step_ns)
    values = [float(Decimal(row["net"])) for row in found.values()]
    scale = Scale([*values, 0.0])
    each = (WIDTH - LEFT - RIGHT) / len(slots)
    width = min(each * (1 - GAP), BAR_WIDTH_MAX)
    zero = scale.y(0.0)
    every = max(1, -(-len(slots) // 16))
    bars = []
    for place, start_ns in enumerate(slots):
        row = found.get(start_ns)
        middle = LEFT + each * (place + 0.5)
        value = float(Decimal(row["net"])) if row else 0.0
        top = scale.y(value)
        bars.append(
            {
                "x": round(middle - width / 2, 2),
                "width": round(width, 2),
                "y": min(top, zero),
                "height": round(max(abs(top - zero), 1.5 if value else 0.0), 2),
                "middle": round(middle, 2),
                "slot_x": round(middle - each / 2, 2),
                "slot_width": round(each, 2),
                "text": _slot_text(shape, start_ns) if place % every == 0 else "",
                "is_loss": value < 0,
                "row": row,
                "name": time_text(start_ns)[:16] if shape["step"] == "hour" else date_text(start_ns),
            }
        )
    return {"bars": bars, "grid": scale.lines(), "zero": zero}


def _slot_text(shape: Mapping[str, Any], start_ns: int) -> str:
    if shape["step"] == "hour":
        return time_text(start_ns)[11:13]
    return date_text(start_ns)[8:] if shape["period"]["kind"] == "month" else date_text(start_ns)[5:]


def causes_chart(pnl: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps from nothing to the net result: each cause begins where the one before ended."""
    steps = []
    reached = 0.0
    for name in CAUSES:
        value = float(Decimal(pnl[name]))
        value = -value if name == "fees" else value
        begin, end = (0.0, value) if name == "net" else (reached, reached + value)
        reached = end
        steps.append((name, begin, end, value))
    ends = [0.0, *(point for _, begin, end, _ in steps for point in (begin, end))]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    room = WIDTH - CAUSE_LEFT - CAUSE_RIGHT

    def x(value: float) -> float:
        return round(CAUSE_LEFT + (value - low) / span * room, 2)

    rows = []
    for place, (name, begin, end, value) in enumerate(steps):
        left, right = sorted((x(begin), x(end)))
        rows.append(
            {
                "name": name,
                "exact": pnl[name],
                "y": round(place * CAUSE_HEIGHT + 7.0, 2),
                "text_y": round(place * CAUSE_HEIGHT + CAUSE_HEIGHT / 2 + 4.5, 2),
                "x": left,
                "width": max(round(right - left, 2), 1.5),
                "link_x": x(end),
                "value": value,
                "is_loss": value < 0,
                "is_net": name == "net",
                "is_quiet": value == 0,
            }
        )
    return {"rows": rows, "zero": x(0.0), "height": len(rows) * CAUSE_HEIGHT + 6, "bar_height": CAUSE_HEIGHT - 14}
