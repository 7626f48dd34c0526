"""What a person sees while a bot runs: the live view, `hat status`, one line for a pipe."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.show import COSTS, P_AND_L, facts, money, percent

STYLES = {
    "healthy": "green",
    "degraded": "yellow",
    "unhealthy": "bold red",
    "trading": "green",
    "halted": "bold red",
}
BORDERS = {"healthy": "green", "degraded": "yellow", "unhealthy": "red"}


def pnl_table(pnl: Mapping[str, str]) -> Table:
    """Return P&L by cause in cents, one cause per column."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for name in P_AND_L:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(*(money(pnl[name], is_cost=name in COSTS) for name in P_AND_L))
    return table


def market_table(status: Mapping[str, Any]) -> Table:
    """Return one row per instrument."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("market")
    for name in ("bid", "ask", "position", "unrealized"):
        table.add_column(name, justify="right", no_wrap=True)
    for symbol, prices in status["prices"].items():
        held = status["positions"].get(symbol, "0")
        gain = status["unrealized"].get(symbol, "0")
        table.add_row(symbol, prices["bid"], prices["ask"], Text(held, style="dim" if held == "0" else ""), money(gain))
    return table


def clock(seconds: float) -> str:
    """Return a length of market time, e.g. 0:01:12."""
    return str(timedelta(seconds=int(seconds)))


def status_view(status: Mapping[str, Any]) -> RenderableType:
    """Return a running bot as a person reads it; trouble comes first."""
    mode, health = status["mode"], status["health"]
    state = Text.assemble((mode, STYLES.get(mode, "yellow")), ", ", (health, STYLES.get(health, "")))
    state.append(f", {clock(status.get('market_seconds', 0))} of market time")
    rows: list[tuple[str, object]] = [("state", state)]
    for name, detail in status.get("trouble", {}).items():
        rows.append((f"  {name}", Text(detail, style=STYLES.get(health, ""))))
    rows += [("market", status["market"]), ("run", f"{status['run_id']}  {status.get('url', '')}")]
    if "pnl" not in status:
        return facts(rows)
    rows += [
        (
            "equity",
            (
                f"{float(status['equity']):,.2f} USDC, drawdown {status['drawdown_percent']:.3f} %, "
                f"exposure {float(status['exposure']):,.2f}"
            ),
        ),
        (
            "orders",
            (
                f"{status['orders']:,} sent, {status['open_orders']} open, {status['canceled']:,} canceled, "
                f"{status['rejected']:,} rejected, {status['denied']:,} denied"
            ),
        ),
        (
            "fills",
            (
                f"{status['fills']:,}, maker ratio {percent(status['maker_ratio'])}, "
                f"fill rate {percent(status['fill_rate'])}, volume {float(status['volume']):,.0f}"
            ),
        ),
    ]
    return Group(facts(rows), pnl_table(status["pnl"]), market_table(status))


def live_view(status: Callable[[], Mapping[str, Any]], title: str) -> Callable[[], RenderableType]:
    """Return what rich's Live asks for at every refresh."""

    def render() -> RenderableType:
        now = status()
        return Panel(
            status_view(now),
            title=title,
            title_align="left",
            subtitle="Ctrl-C stops quoting, cancels all and exits",
            subtitle_align="left",
            border_style=BORDERS.get(now["health"], "dim"),
        )

    return render


def plain_line(status: Mapping[str, Any]) -> str:
    """Return one line for a log or a pipe."""
    since = clock(status["market_seconds"])
    if "pnl" not in status:
        return f"{since} {status['mode']}"
    positions = " ".join(f"{symbol} {size}" for symbol, size in status["positions"].items()) or "flat"
    trouble = "".join(f"; {name}: {detail}" for name, detail in status["trouble"].items())
    return (
        f"{since} {status['mode']} equity {float(status['equity']):.2f} net {float(status['pnl']['net']):+.2f} "
        f"orders {status['orders']} open {status['open_orders']} fills {status['fills']} {positions}{trouble}"
    )
