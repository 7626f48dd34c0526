"""What a person sees on a terminal: the live view, the summary, status and ledger as tables."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from domain.units import format_money, format_scaled
from ledger.pnl import ProfitAndLoss
from ledger.statement import LedgerStatement

P_AND_L = ("realized", "unrealized", "funding", "fees", "rebates", "net", "slippage")
COSTS = frozenset({"fees", "slippage"})
PIPE_WIDTH = 120
COUNTS = ("orders", "fills", "buys", "sells", "canceled", "rejected", "denied")


def money(text: str, *, is_cost: bool = False) -> Text:
    """Return USDC text with cents, green for a gain and red for a loss or cost."""
    amount = float(text)
    style = "dim" if amount == 0 else ("red" if (amount > 0) == is_cost else "green")
    return Text(f"{amount:,.2f}", style=style)


def pnl_table(pnl: Mapping[str, str], title: str = "P&L by cause (USDC)") -> Table:
    """Return realized + unrealized + funding - fees + rebates = net, one cause per column."""
    table = Table(title=title, title_justify="left", expand=False)
    for name in P_AND_L:
        table.add_column(name, justify="right")
    table.add_row(*(money(pnl[name], is_cost=name in COSTS) for name in P_AND_L))
    return table


def percent(share: float | None) -> str:
    """Return a share as percent; a dash when undefined."""
    return "-" if share is None else f"{100 * share:.1f} %"


def number(value: float | None) -> str:
    """Return a ratio with two digits; a dash when undefined."""
    return "-" if value is None else f"{value:.2f}"


def facts(rows: Mapping[str, object]) -> Table:
    """Return a plain two-column list."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(Text(name, style="dim"), value if isinstance(value, Text) else str(value))
    return table


def summary_view(summary: Mapping[str, Any]) -> RenderableType:
    """Return a finished run as a person reads it."""
    performance = summary["performance"]
    rows: dict[str, object] = {"run": summary["run_id"]}
    if "data" in summary:
        rows["data"] = f"{summary['data']}, {summary['market_seconds']:,.0f} s of market time"
    rows |= {
        "orders": ", ".join(f"{summary[name]:,} {name}" for name in COUNTS),
        "quality": f"maker ratio {percent(summary['maker_ratio'])}, fill rate {percent(summary['fill_rate'])}, "
        f"volume {float(summary['volume']):,.0f} USDC",
        "equity": f"{float(summary['equity']):,.2f} USDC",
        "Sharpe, Sortino": f"{number(performance['sharpe'])}, {number(performance['sortino'])} "
        f"(annualized from {performance['intervals']} intervals of {performance['interval_seconds']:.0f} s)",
        "max drawdown": percent(performance["drawdown_max"]),
        "order-list hash": summary["order_list_hash"],
        "events": f"{summary['events']:,} in {summary['seconds']:.2f} s",
    }
    if "proofs" in summary:
        rows["proofs"] = f"{summary['proofs']:,} times ledger and venue compared, equal to the last unit each time"
    if summary["skipped"]:
        rows["skipped data"] = ", ".join(f"{name} {count:,}" for name, count in summary["skipped"].items())
    rows |= {"ledger": summary["ledger"], "log": summary["log"]}
    for note in summary.get("notes", ()):
        rows[f"note {len(rows)}"] = note
    return Group(pnl_table(summary["pnl"]), facts(rows))


def status_view(status: Mapping[str, Any]) -> RenderableType:
    """Return a running bot as a person reads it."""
    rows: dict[str, object] = {
        "run": status["run_id"],
        "market": status["market"],
        "mode": status["mode"],
        "health": status["health"],
    }
    if "pnl" not in status:
        return facts(rows)
    rows |= {
        "equity": f"{float(status['equity']):,.2f} USDC",
        "drawdown": f"{status['drawdown_percent']:.3f} %",
        "exposure": f"{float(status['exposure']):,.2f} USDC",
        "open orders": status["open_orders"],
    }
    for symbol, prices in status["prices"].items():
        position = status["positions"].get(symbol, "0")
        rows[symbol] = f"{prices['bid']} / {prices['ask']}, position {position}"
    return Group(facts(rows), pnl_table(status["pnl"]))


def live_view(status: Callable[[], Mapping[str, Any]]) -> Callable[[], RenderableType]:
    """Return what rich's Live asks for at every refresh."""

    def render() -> RenderableType:
        return Panel(status_view(status()), title="hat", title_align="left", subtitle="Ctrl-C stops and cancels all")

    return render


def plain_line(status: Mapping[str, Any]) -> str:
    """Return one line for a log or a pipe."""
    if "pnl" not in status:
        return f"{status['mode']}"
    positions = " ".join(f"{symbol} {size}" for symbol, size in status["positions"].items()) or "flat"
    return (
        f"{status['mode']} equity {float(status['equity']):.2f} net {float(status['pnl']['net']):+.2f} "
        f"open orders {status['open_orders']} {positions}"
    )


def ledger_shape(statement: LedgerStatement) -> dict[str, Any]:
    """Return a stored run as plain data: money as decimal text, positions in base units."""
    return {
        "run_id": statement.run_id,
        "command": statement.command,
        "strategy": statement.strategy,
        "seed": statement.seed,
        "config_hash": statement.config_hash,
        "code_revision": statement.code_revision,
        "is_ended": statement.ended_ns is not None,
        "orders": statement.orders,
        "orders_by_state": statement.orders_by_state,
        "fills": statement.fills,
        "maker_fills": statement.maker_fills,
        "volume": format_money(statement.volume),
        "cash": format_money(statement.cash),
        "transfers": format_money(statement.transfers),
        "pnl": _pnl_shape(statement.pnl),
        "instruments": {
            one.symbol: {
                "position": format_scaled(one.lots, one.size_decimals),
                "orders": one.orders,
                "fills": one.fills,
                "volume": format_money(one.volume),
                "pnl": _pnl_shape(one.pnl),
            }
            for one in statement.instruments
        },
    }


def _pnl_shape(pnl: ProfitAndLoss) -> dict[str, str]:
    return {name: format_money(getattr(pnl, name)) for name in (*P_AND_L, "equity")}


def ledger_view(shape: Mapping[str, Any]) -> RenderableType:
    """Return a stored run as a person reads it: P&L by cause, one column per instrument and one for all."""
    parts = shape["instruments"]
    table = Table(title=f"Run {shape['run_id']}: {shape['command']}, {shape['strategy']}", title_justify="left")
    table.add_column("")
    for symbol in parts:
        table.add_column(symbol, justify="right")
    table.add_column("all", justify="right", style="bold")
    columns = [*parts.values(), shape]
    table.add_row("position", *(part.get("position", "") for part in columns))
    for name in ("orders", "fills"):
        table.add_row(name, *(f"{part[name]:,}" for part in columns))
    table.add_row("volume", *(f"{float(part['volume']):,.0f}" for part in columns))
    table.add_section()
    for name in P_AND_L:
        table.add_row(name, *(money(part["pnl"][name], is_cost=name in COSTS) for part in columns))
    states = ", ".join(f"{state} {count:,}" for state, count in shape["orders_by_state"].items())
    rows = {
        "orders by state": states or "none",
        "cash": f"{float(shape['cash']):,.2f} USDC",
        "equity": f"{float(shape['pnl']['equity']):,.2f} USDC",
        "code": shape["code_revision"],
        "config": shape["config_hash"],
        "ended": "yes" if shape["is_ended"] else "no: it is running or was killed",
    }
    return Group(table, facts(rows))


def print_view(view: RenderableType) -> None:
    """Print to standard output, wide enough for hashes and paths when it is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    console.print(view)
