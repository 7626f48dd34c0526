"""`hat ledger pnl` as a person reads it and as plain data: who or what made the money.

Law: the rows shown add up to the total shown; what is folded away stands in one row of its own.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.show import COSTS, money
from domain.units import Money, format_money, format_scaled
from ledger.attribution import Attributed
from ledger.entries import EXECUTION, RunPart, Tally, total
from ledger.episodes import Episode
from ledger.periods import time_text

CAUSES = ("realized", "unrealized", "funding", "fees", "rebates", "net", "slippage", "liquidation")
COUNTS = ("fills", "maker_fills")
VOLUMES = ("volume", "maker_volume")
EXECUTION_NAMES = {
    "delay": "delay",
    "drift": "drift",
    "spread_captured": "spread captured",
    "adverse_1s": "markout 1 s",
    "adverse_10s": "markout 10 s",
    "adverse_60s": "markout 60 s",
}
EXECUTION_MEANINGS = {
    "delay": "mid at decision to mid when the venue had the order",
    "drift": "from there to the mid at the fill",
    "spread_captured": "mid at the fill to the price we got",
    "adverse_1s": "what the mid did to us in the second after the fill",
    "adverse_10s": "and from there until ten seconds after it",
    "adverse_60s": "and from there until a minute after it",
}
WIDTH_MAX = 1_000
NOTHING = format_money(Money(0))
ALWAYS = ("realized", "unrealized", "fees", "net")


def tally_shape(tally: Tally) -> dict[str, Any]:
    """Return a tally as plain data: money as decimal text, counts as numbers."""
    return {
        **{name: _amount(tally, name) for name in (*CAUSES, *VOLUMES)},
        **{name: getattr(tally, name) for name in COUNTS},
        "execution": {name: _amount(tally, name) for name in EXECUTION},
    }


def _amount(tally: Tally, name: str) -> str:
    """Most amounts of many rows are nothing: one text does for all of them."""
    amount = getattr(tally, name)
    return format_money(amount) if amount else NOTHING


def pnl_shape(by: str, runs: Sequence[RunPart], rows: Sequence[Attributed]) -> dict[str, Any]:
    """Return P&L by something as plain data; the rows add up to the total."""
    decimals = {symbol: scales for run in runs for symbol, scales in run.decimals.items()}
    return {
        "by": by,
        "runs": [run.run_id for run in runs],
        "rows": [_row_shape(row, decimals) for row in rows],
        "total": tally_shape(total(row.tally for row in rows)),
    }


def _row_shape(row: Attributed, decimals: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    shape = {
        "label": row.label,
        "symbol": row.symbol,
        "first": time_text(row.first_ns),
        "last": time_text(row.last_ns),
        **tally_shape(row.tally),
    }
    if row.episode is not None:
        shape["position"] = position_shape(row.episode, decimals)
    return shape


def position_shape(episode: Episode, decimals: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return what one position was, without its profit."""
    return {
        "run_id": episode.run_id,
        "symbol": episode.symbol,
        "number": episode.number,
        "direction": "long" if episode.lots_max > 0 else "short" if episode.lots_max < 0 else "none",
        "largest": format_scaled(episode.lots_max, decimals.get(episode.symbol, (0, 0))[1]),
        "opened": time_text(episode.opened_ns) if episode.number else None,
        "closed": None if episode.closed_ns is None else time_text(episode.closed_ns),
    }


def pnl_view(shape: Mapping[str, Any], limit: int) -> RenderableType:
    """Return P&L by something as a table; with a limit the rows that moved most, in their order, and one for the rest."""
    rows: list[Mapping[str, Any]] = list(shape["rows"])
    kept = rows
    if limit and len(rows) > limit:
        ranked = sorted(range(len(rows)), key=lambda place: (-abs(Decimal(rows[place]["net"])), place))
        chosen = set(ranked[:limit])
        kept = [row for place, row in enumerate(rows) if place in chosen]
    rest = _rest(shape["total"], kept) if len(kept) < len(rows) else None
    names = [name for name in CAUSES if name in ALWAYS or Decimal(shape["total"][name]) or _any(rows, name)]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=None)
    table.add_column(f"USDC by {shape['by']}", no_wrap=True)
    if shape["by"] == "order":
        table.add_column("")
    for name in ("fills", *names):
        table.add_column(name, justify="right", no_wrap=True)
    for row in kept:
        table.add_row(*_cells(shape["by"], row["label"], row["symbol"], row, names))
    if rest is not None:
        table.add_row(*_cells(shape["by"], f"{len(rows) - len(kept):,} others", "", rest, names), style="dim")
    table.add_section()
    table.add_row(*_cells(shape["by"], "total", "", shape["total"], names), style="bold")
    runs = shape["runs"]
    said = (
        f"run {runs[0]}"
        if len(runs) == 1
        else f"{len(runs)} runs: {', '.join(runs[:4])}{', …' if len(runs) > 4 else ''}"
    )
    return Group(
        Text(said, style="dim"), uncut(table), execution_lines(shape["total"]["execution"], shape["total"]["volume"])
    )


def uncut(table: Table) -> Table:
    """Return the table as wide as it needs to be: ids and amounts are never cut, a narrow terminal wraps the line."""
    wide = Console(width=WIDTH_MAX)
    table.width = wide.measure(table).maximum
    return table


def _any(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(Decimal(row[name]) for row in rows)


def _rest(whole: Mapping[str, Any], kept: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rest: dict[str, Any] = {
        name: str(Decimal(whole[name]) - sum((Decimal(row[name]) for row in kept), Decimal(0))) for name in CAUSES
    }
    rest["fills"] = whole["fills"] - sum(row["fills"] for row in kept)
    return rest


def _cells(by: str, label: str, symbol: str, row: Mapping[str, Any], names: Sequence[str]) -> list[Text]:
    cells = [Text(label)]
    if by == "order":
        cells.append(Text(symbol))
    cells.append(Text(f"{row['fills']:,}"))
    cells += [money(row[name], is_cost=name in COSTS) for name in names]
    return cells


def basis_points(amount: str, volume: str) -> str:
    """Return an amount as basis points of a volume; a dash without volume."""
    return f"{Decimal(amount) / Decimal(volume) * 10_000:+.2f} bps" if Decimal(volume) else "-"


def execution_lines(execution: Mapping[str, str], volume: str) -> Text:
    """Return how execution went, part by part: gains are positive, the sum is what a minute after each fill has shown."""
    shown = Text("Execution (USDC; above 0 is a gain)\n", style="bold", no_wrap=True, overflow="ignore")
    amounts = {**{EXECUTION_NAMES[name]: Decimal(execution[name]) for name in EXECUTION}}
    amounts["in all"] = sum(amounts.values(), Decimal(0))
    meanings = {EXECUTION_NAMES[name]: meaning for name, meaning in EXECUTION_MEANINGS.items()}
    texts = {name: money(str(amount)) for name, amount in amounts.items()}
    width = max(len(text.plain) for text in texts.values())
    for name, text in texts.items():
        text.pad_left(width - len(text.plain))
        shown.append(f"  {name.ljust(16)}", style="not bold dim")
        shown.append_text(text)
        shown.append(f"  {basis_points(str(amounts[name]), volume):>12}", style="not bold")
        shown.append(
            f"  {meanings.get(name, 'decision to the last mid known within a minute')}\n", style="not bold dim"
        )
    shown.right_crop(1)
    return shown
