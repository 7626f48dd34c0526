"""The statement of a period as plain data, and as text on a terminal. The HTML page is made of the same data.

Law: money is decimal text, exact to the last digit there is; only shares and basis points are rounded, and curves are
thinned to what a picture can show.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.show import COSTS, facts, money, percent
from bot.show_pnl import CAUSES, execution_lines, position_shape, tally_shape, uncut
from domain.units import NS_PER_DAY, RATE_UNIT, Money, format_money
from ledger.cut_run import Correction
from ledger.entries import RunPart
from ledger.episodes import Episode
from ledger.period_statement import CurvePoint, PeriodStatement, StepPart
from ledger.periods import date_text, time_text

BRIDGE = (
    ("opening", "opening equity"),
    ("transfers", "deposits and withdrawals"),
    ("realized", "realized"),
    ("unrealized_change", "change of unrealized"),
    ("funding", "funding"),
    ("fees", "fees"),
    ("rebates", "rebates"),
    ("unexplained", "unexplained"),
    ("between_runs", "between runs"),
    ("closing", "closing equity"),
    ("residual", "residual"),
)
QUIET_WHEN_ZERO = frozenset({"unexplained", "between_runs", "transfers"})
POINTS_MAX = 360
INCIDENTS_MAX = 40
CORRECTIONS_MAX = 40


def statement_shape(statement: PeriodStatement) -> dict[str, Any]:
    """Return a statement as plain data."""
    bridge, tally = statement.bridge, statement.tally
    decimals = {symbol: scales for run in statement.runs for symbol, scales in run.decimals.items()}
    step = "hour" if statement.step_ns < NS_PER_DAY else "day"
    steps = [_step_shape(one, step) for one in statement.steps]
    instruments = [{"symbol": symbol, **tally_shape(one)} for symbol, one in statement.instruments]
    named = [one for one in instruments if one["symbol"]]
    return {
        "period": {
            "kind": statement.period.kind,
            "label": statement.period.label,
            "start": time_text(statement.period.start_ns),
            "end": time_text(statement.period.end_ns),
            "start_ns": statement.period.start_ns,
            "end_ns": statement.period.end_ns,
        },
        "runs": [_run_shape(run) for run in statement.runs],
        "bridge": {name: format_money_int(getattr(bridge, name)) for name, _ in BRIDGE},
        "pnl": tally_shape(tally),
        "maker_ratio": _share(tally.maker_volume, tally.volume),
        "orders": sum(statement.orders_by_state.values()),
        "orders_by_state": statement.orders_by_state,
        "instruments": instruments,
        "best_instrument": _extreme(named, 1),
        "worst_instrument": _extreme(named, -1),
        "step": step,
        "steps": steps,
        "best_step": _extreme(steps, 1),
        "worst_step": _extreme(steps, -1),
        "positions": _positions_shape(statement.positions, decimals),
        "drawdown": {
            "amount": format_money_int(statement.drawdown.amount),
            "share": statement.drawdown.rate / RATE_UNIT,
            "peak": time_text(statement.drawdown.peak_ns) if statement.drawdown.amount else None,
            "trough": time_text(statement.drawdown.trough_ns) if statement.drawdown.amount else None,
        },
        "curve": _curve_shape(statement.curve),
        "corrections": {
            "count": len(statement.corrections),
            "newest": [_correction_shape(one) for one in statement.corrections[-CORRECTIONS_MAX:]],
        },
        "incidents": {
            "count": len(statement.incidents),
            "by_kind": dict(Counter(one.kind for one in statement.incidents)),
            "newest": [
                {
                    "time": time_text(one.ts_ns),
                    "kind": one.kind,
                    "reason": one.reason,
                    "detail": one.detail,
                    "run_id": one.run_id,
                }
                for one in statement.incidents[-INCIDENTS_MAX:]
            ],
        },
    }


def format_money_int(amount: int) -> str:
    """Return an integer of Money as decimal text."""
    return format_money(Money(amount))


def _run_shape(run: RunPart) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "account": run.account,
        "command": run.command,
        "strategy": run.strategy,
        "seed": run.seed,
        "started": time_text(run.started_ns),
        "ended": None if run.ended_ns is None else time_text(run.ended_ns),
        "config_hash": run.config_hash,
        "code_revision": run.code_revision,
    }


def _step_shape(step: StepPart, name: str) -> dict[str, Any]:
    text = date_text(step.start_ns) if name == "day" else time_text(step.start_ns)[:16]
    return {
        "start": text,
        "start_ns": step.start_ns,
        "closing": format_money_int(step.closing),
        **tally_shape(step.tally),
    }


def _extreme(rows: Sequence[Mapping[str, Any]], sign: int) -> Mapping[str, Any] | None:
    """The row with the highest (1) or lowest (-1) net; nothing without rows, and no worst when there is only one."""
    if len(rows) < 2 and (sign < 0 or not rows):
        return None
    return max(rows, key=lambda row: sign * Decimal(row["net"]))


def _positions_shape(positions: Sequence[Episode], decimals: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    shapes = [{**position_shape(one, decimals), **tally_shape(one.tally)} for one in positions]
    return {
        "closed": len(shapes),
        "won": sum(one.tally.net > 0 for one in positions),
        "lost": sum(one.tally.net < 0 for one in positions),
        "best": _extreme(shapes, 1),
        "worst": _extreme(shapes, -1),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _curve_shape(curve: Sequence[CurvePoint]) -> dict[str, Any]:
    kept = thinned(curve, POINTS_MAX)
    return {
        "points": len(curve),
        "ts_ns": [point.ts_ns for point in kept],
        "equity": [format_money_int(point.equity) for point in kept],
        "gain": [format_money_int(point.gain) for point in kept],
    }


def thinned(curve: Sequence[CurvePoint], most: int) -> list[CurvePoint]:
    """Return at most this many points of a curve, with its first and last and every stretch's lowest and highest."""
    if len(curve) <= most:
        return list(curve)
    stretches = (most - 2) // 2
    kept = {0, len(curve) - 1}
    for stretch in range(stretches):
        places = range(stretch * len(curve) // stretches, (stretch + 1) * len(curve) // stretches)
        kept |= {min(places, key=lambda at: curve[at].gain), max(places, key=lambda at: curve[at].gain)}
    return [curve[place] for place in sorted(kept)]


def _correction_shape(one: Correction) -> dict[str, Any]:
    return {
        "time": time_text(one.ts_ns),
        "run_id": one.run_id,
        "sequence": one.sequence,
        "cause": one.cause,
        "symbol": one.symbol,
        "fact_id": one.fact_id,
        "evidence": one.evidence,
        "net": format_money_int(one.net),
        "unexplained": format_money_int(one.unexplained),
    }


# As text.


def statement_view(shape: Mapping[str, Any]) -> RenderableType:
    """Return a statement as a person reads it on a terminal."""
    period, pnl = shape["period"], shape["pnl"]
    states = ", ".join(f"{state} {count:,}" for state, count in shape["orders_by_state"].items())
    positions = shape["positions"]
    fall = shape["drawdown"]
    rows: list[tuple[str, object]] = [
        ("fills", f"{pnl['fills']:,}, {percent(shape['maker_ratio'])} of the volume as maker"),
        ("volume", f"{Decimal(pnl['volume']):,.0f} USDC"),
        ("orders", f"{shape['orders']:,}: {states}" if states else "none"),
        ("positions", f"{positions['closed']:,} closed: {positions['won']:,} won, {positions['lost']:,} lost"),
        ("best, worst", _best_and_worst(positions["best"], positions["worst"], "symbol")),
        (f"  {shape['step']}", _best_and_worst(shape["best_step"], shape["worst_step"], "start")),
        ("  instrument", _best_and_worst(shape["best_instrument"], shape["worst_instrument"], "symbol")),
        ("drawdown", f"{Decimal(fall['amount']):,.2f} USDC, {percent(fall['share'], 3)}, between minute marks"),
        ("corrections", f"{shape['corrections']['count']:,}"),
        ("incidents", ", ".join(f"{kind} {n:,}" for kind, n in shape["incidents"]["by_kind"].items()) or "none"),
    ]
    title = Text(f"Statement of {period['kind']} {period['label']}", style="bold")
    title.append(f", {period['start']} to {period['end']} UTC", style="not bold dim")
    parts: list[RenderableType] = [title, _runs_line(shape["runs"]), Text(), bridge_lines(shape["bridge"])]
    if shape["instruments"]:
        parts.append(_rows_table("instrument", "symbol", shape["instruments"], pnl))
    if len(shape["steps"]) > 1:
        parts.append(_rows_table(f"{shape['step']} (UTC)", "start", shape["steps"], pnl))
    return Group(*parts, facts(rows), Text(), execution_lines(pnl["execution"], pnl["volume"]))


def _runs_line(runs: Sequence[Mapping[str, Any]]) -> Text:
    if not runs:
        return Text("no run in this period", style="dim")
    names = ", ".join(f"{run['run_id']} ({run['strategy']})" for run in runs[:4])
    more = f" and {len(runs) - 4} more" if len(runs) > 4 else ""
    return Text(f"run {names}{more}" if len(runs) == 1 else f"{len(runs)} runs: {names}{more}", style="dim")


def _best_and_worst(best: Mapping[str, Any] | None, worst: Mapping[str, Any] | None, name: str) -> Text:
    shown = Text()
    for place, one in enumerate((best, worst)):
        if place:
            shown.append(", ", style="dim")
        if one is None:
            shown.append("-", style="dim")
            continue
        number = f" #{one['number']}" if "number" in one else ""
        shown.append(f"{one[name]}{number} ")
        shown.append_text(money(one["net"]))
    return shown


def bridge_lines(bridge: Mapping[str, str]) -> Text:
    """Return the way from opening to closing equity, one exact amount per line, points below each other."""
    kept = [(name, said) for name, said in BRIDGE if name not in QUIET_WHEN_ZERO or Decimal(bridge[name])]
    amounts = {name: Decimal(bridge[name]) for name, _ in kept}
    places = max(2, *(-int(amount.as_tuple().exponent) for amount in amounts.values()))
    texts = {name: f"{amount:,.{places}f}" for name, amount in amounts.items()}
    width = max(map(len, texts.values()))
    shown = Text("Equity (USDC)\n", style="bold", no_wrap=True, overflow="ignore")
    for name, said in kept:
        is_worth = name in {"opening", "closing"}
        sign = " " if is_worth or name == "residual" else "-" if name == "fees" else "+"
        shown.append(f"  {sign} {said}".ljust(30), style="bold" if is_worth else "not bold dim")
        shown.append(texts[name].rjust(width), style="bold" if is_worth else "not bold")
        if name == "residual":
            shown.append("  the bot's own last mark less the postings: 0 is right", style="not bold dim")
        shown.append("\n")
    shown.right_crop(1)
    return shown


def _rows_table(title: str, key: str, rows: Sequence[Mapping[str, Any]], whole: Mapping[str, Any]) -> Table:
    names = [name for name in CAUSES if name in {"realized", "net"} or any(Decimal(row[name]) for row in rows)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"USDC by {title}")
    for name in ("fills", *names):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        cells = [money(row[name], is_cost=name in COSTS) for name in names]
        table.add_row(row[key] or "open positions", f"{row['fills']:,}", *cells)
    table.add_section()
    table.add_row(
        "total", f"{whole['fills']:,}", *(money(whole[name], is_cost=name in COSTS) for name in names), style="bold"
    )
    return uncut(table)
