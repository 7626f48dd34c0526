"""What a person reads after a run: the summary and the ledger.

Law: what people copy (paths, ids, hashes) is never broken over lines by us; money is exact, to the last digit there is.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from domain.lifecycle import State
from domain.units import format_money, format_scaled
from ledger.pnl import ProfitAndLoss
from ledger.statement import LedgerStatement

P_AND_L = ("realized", "unrealized", "funding", "fees", "rebates", "net", "slippage")
MEMOS_IF_ANY = ("liquidation",)
"""Told only where there is any: most runs are never liquidated."""
COSTS = frozenset({"fees", "slippage"})
MEANINGS = {
    "net": "realized + unrealized + funding - fees + rebates",
    "slippage": "memo: cost against the mid; below 0 is a gain",
    "liquidation": "memo: what of realized the venue's own closings made",
}
PIPE_WIDTH = 120
LABEL_WIDTH = 16
COLUMNS_MAX = 4
ORDER_COUNTS = (("orders", "sent"), ("canceled", "canceled"), ("rejected", "rejected"), ("denied", "denied"))
LIFECYCLE = {state.label: int(state) for state in State}
CENTS = 2
COMPACT_FROM = 100_000


def painted(amount: Decimal, shown: str, *, is_cost: bool = False) -> Text:
    """Return an amount, green for a gain and red for a loss or cost."""
    return Text(shown, style="dim" if amount == 0 else ("red" if (amount > 0) == is_cost else "green"))


def money(text: str, *, is_cost: bool = False) -> Text:
    """Return USDC text in cents, in whole USDC when there are many."""
    amount = Decimal(text)
    return painted(amount, f"{amount:z,.{CENTS if abs(amount) < COMPACT_FROM else 0}f}", is_cost=is_cost)


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as percent; a dash when undefined."""
    return "-" if share is None else f"{100 * share:z.{digits}f} %"


def number(value: float | None) -> str:
    """Return a ratio with two digits; a dash when undefined."""
    return "-" if value is None else f"{value:z,.2f}"


def facts(rows: Sequence[tuple[str, object]]) -> Text:
    """Return a plain two-column list; what is too long for a line is not cut."""
    shown = Text(no_wrap=True, overflow="ignore")
    for name, value in rows:
        shown.append(name.ljust(LABEL_WIDTH), style="dim")
        shown.append(value if isinstance(value, Text) else str(value))
        shown.append("\n")
    shown.right_crop(1)
    return shown


def told(*pnls: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of P&L by cause that have something to say: all but the memos that are nothing in each."""
    return P_AND_L + tuple(name for name in MEMOS_IF_ANY if any(Decimal(pnl.get(name, "0")) for pnl in pnls))


def pnl_lines(pnl: Mapping[str, str]) -> Text:
    """Return P&L by cause, one exact amount per line, points below each other."""
    amounts = {name: Decimal(pnl[name]) for name in told(pnl)}
    places = max(CENTS, *(-int(amount.as_tuple().exponent) for amount in amounts.values()))
    texts = {name: f"{amount:z,.{places}f}" for name, amount in amounts.items()}
    width = max(map(len, texts.values()))
    shown = Text("P&L by cause (USDC)\n", style="bold", no_wrap=True, overflow="ignore")
    for name, text in texts.items():
        shown.append(f"  {name}".ljust(LABEL_WIDTH), style="not bold dim")
        shown.append_text(painted(amounts[name], text.rjust(width), is_cost=name in COSTS))
        shown.append(f"  {MEANINGS[name]}\n" if name in MEANINGS else "\n", style="not bold dim")
    return shown


def summary_view(summary: Mapping[str, Any]) -> RenderableType:
    """Return a finished run as a person reads it."""
    performance = summary["performance"]
    ended = f", until {summary['ended']}" if "ended" in summary else ""
    length = f"{summary['market_seconds']:,.0f} s of market time"
    interval = f"annualized from {performance['intervals']} intervals of {performance['interval_seconds']:.0f} s"
    rows: list[tuple[str, object]] = [
        ("run", summary["run_id"]),
        ("data", f"{summary['data']}, {length}{ended}"),
        ("orders", ", ".join(f"{summary[name]:,} {said}" for name, said in ORDER_COUNTS)),
        (
            "fills",
            (
                f"{summary['fills']:,}: {summary['buys']:,} buys, {summary['sells']:,} sells, "
                f"volume {float(summary['volume']):,.0f} USDC"
            ),
        ),
        ("quality", f"maker ratio {percent(summary['maker_ratio'])}, fill rate {percent(summary['fill_rate'])}"),
        ("equity", f"{float(summary['equity']):z,.2f} USDC, max drawdown {percent(performance['drawdown_max'], 3)}"),
        ("Sharpe, Sortino", f"{number(performance['sharpe'])}, {number(performance['sortino'])} ({interval})"),
        ("order-list hash", summary["order_list_hash"]),
        ("events", f"{summary['events']:,} in {summary['seconds']:.2f} s"),
        ("proofs", f"{summary['proofs']:,} times ledger and venue compared, equal to the last unit"),
    ]
    if summary["skipped"]:
        rows.append(("skipped data", ", ".join(f"{name} {count:,}" for name, count in summary["skipped"].items())))
    rows += [(name, summary[name]) for name in ("ledger", "log", "journal") if name in summary]
    if "read_with" in summary:
        rows.append(("read it with", summary["read_with"]))
    rows += [("note" if place == 0 else "", note) for place, note in enumerate(summary.get("notes", ()))]
    return Group(pnl_lines(summary["pnl"]), facts(rows))


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
        "orders_by_state": in_lifecycle_order(statement.orders_by_state),
        "fills": statement.fills,
        "maker_fills": statement.maker_fills,
        "volume": format_money(statement.volume),
        "cash": format_money(statement.cash),
        "transfers": format_money(statement.transfers),
        "unexplained": format_money(statement.unexplained),
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
    return {name: format_money(getattr(pnl, name)) for name in (*P_AND_L, *MEMOS_IF_ANY, "equity")}


def in_lifecycle_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by state in the order in which an order passes through them; names nobody knows come last."""
    return dict(sorted(counts.items(), key=lambda one: (LIFECYCLE.get(one[0], len(LIFECYCLE)), one[0])))


def ledger_view(shape: Mapping[str, Any]) -> RenderableType:
    """Return a stored run as a person reads it: P&L by cause in cents by instrument, and exact for all."""
    head = facts([("run", f"{shape['run_id']}, {shape['command']}, {shape['strategy']}, seed {shape['seed']}")])
    parts = list(shape["instruments"].items())
    tables = [_ledger_table(dict(parts[at : at + COLUMNS_MAX])) for at in range(0, len(parts), COLUMNS_MAX)]
    states = ", ".join(f"{state} {count:,}" for state, count in shape["orders_by_state"].items())
    rows: list[tuple[str, object]] = [
        ("orders", f"{shape['orders']:,}: {states}" if states else "none"),
        ("fills", f"{shape['fills']:,}, {shape['maker_fills']:,} as maker, volume {float(shape['volume']):,.0f} USDC"),
        ("cash", f"{shape['cash']} USDC"),
        *([("unexplained", f"{shape['unexplained']} USDC")] if Decimal(shape.get("unexplained", "0")) else []),
        ("equity", f"{shape['pnl']['equity']} USDC"),
        ("code", shape["code_revision"]),
        ("config", shape["config_hash"]),
        ("ended", "yes" if shape["is_ended"] else "no: it is running or was killed"),
    ]
    return Group(head, *tables, pnl_lines(shape["pnl"]), facts(rows))


def _ledger_table(parts: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("USDC", style="dim")
    for symbol in parts:
        table.add_column(symbol, justify="right")
    for name in ("position", "orders", "fills"):
        table.add_row(name, *(str(part[name]) for part in parts.values()))
    table.add_row("volume", *(f"{float(part['volume']):,.0f}" for part in parts.values()))
    for name in told(*(part["pnl"] for part in parts.values())):
        table.add_row(name, *(money(part["pnl"][name], is_cost=name in COSTS) for part in parts.values()))
    return table


def print_view(view: RenderableType) -> None:
    """Print to standard output; lines are as long as they are."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPE_WIDTH)
    console.print(view, soft_wrap=True)


def instruments_view(found: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Return instruments as a table, one row each."""
    table = Table(box=None, pad_edge=False)
    for name in ("symbol", "id", "size step", "finest price step", "smallest order", "leverage"):
        table.add_column(name, justify="left" if name == "symbol" else "right")
    for one in found:
        tiers = [f"{tier['leverage_max']}x from {tier['from_usd']:,}" for tier in one["margin_tiers"][1:]]
        table.add_row(
            one["symbol"],
            str(one["asset_id"]),
            one["size_step"],
            one["price_step_min"],
            f"{one['notional_min']} USDC",
            ", ".join([f"{one['leverage_max']}x", *tiers]),
        )
    return table
