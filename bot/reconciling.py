"""`hat ledger reconcile`: the stored ledger held against a venue statement, once or until a running bot has caught up.

Why the patience: a statement is of the venue's own moment, and what happened there a moment ago may still be on its way
to the bot or from the bot to the database. While the bot runs, a difference is looked at again for a few seconds before
it counts.
"""

from collections.abc import Mapping
from pathlib import Path
from time import sleep
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bot.clock import monotonic_ns
from bot.show import facts
from bot.venue_file import read_venue
from domain.statement import VenueStatement
from domain.units import NS_PER_SECOND, Money, format_money, format_scaled
from ledger.periods import time_text
from ledger.reconciliation import Reconciliation, reconcile
from ledger.store import LedgerStore
from ledger.store_side import read_side, run_of

PATIENCE_NS = 3 * NS_PER_SECOND
PAUSE_S = 0.25
BRIDGE = ("realized", "unrealized_change", "funding", "fees", "rebates", "transfers", "unexplained", "residual")
MARKS = {"fees": "-"}


def reconciled(store: LedgerStore, venue: Path, run: str = "", since: Path | None = None) -> Reconciliation:
    """Return how the stored ledger differs from the statement of a file; the bridge begins at an earlier one.

    Raises: DataInvalid for a file that cannot be used or a ledger that has nothing to compare with it.
    """
    before = read_venue(since) if since is not None else None
    deadline_ns = monotonic_ns() + PATIENCE_NS
    while True:
        found, is_running = _once(store, read_venue(venue), run, before)
        if found.is_agreed or not is_running or monotonic_ns() >= deadline_ns:
            return found
        sleep(PAUSE_S)


def _once(
    store: LedgerStore, statement: VenueStatement, run: str, before: VenueStatement | None
) -> tuple[Reconciliation, bool]:
    with store.reading() as connection:
        key = run_of(connection, run, statement.account)
        side = read_side(connection, key, statement)
        earlier = (read_side(connection, key, before), before) if before is not None else None
    return reconcile(side, statement, earlier), not side.is_ended


def reconciliation_shape(found: Reconciliation) -> dict[str, Any]:
    """Return a reconciliation as plain data, amounts as decimal text."""

    def sizes(lots: Mapping[str, int]) -> dict[str, str]:
        return {symbol: format_scaled(value, found.decimals.get(symbol, (0, 0))[1]) for symbol, value in lots.items()}

    bridge = found.bridge
    return {
        "agrees": found.is_agreed,
        "account": found.account,
        "run_id": found.run_id,
        "ts_ns": found.ts_ns,
        "time": time_text(found.ts_ns),
        "facts_compared": found.facts_compared,
        "orders_compared": found.orders_compared,
        "discrepancies": [
            {
                "what": one.what.value,
                "how": one.how.value,
                "subject": one.subject,
                "ledger": one.ledger,
                "venue": one.venue,
                "explanation": one.explanation,
                "explained_by": list(one.explained_by),
            }
            for one in found.discrepancies
        ],
        "unexplained_cash": format_money(found.unexplained_cash),
        "unexplained_positions": sizes(found.unexplained_lots),
        "suspended_cash": format_money(found.suspended_cash),
        "suspended_positions": sizes(found.suspended_lots),
        "bridge": {
            "opening": format_money(bridge.opening),
            **{name: format_money(Money(getattr(bridge, name))) for name in BRIDGE},
            "closing": format_money(bridge.closing),
        },
    }


def reconciliation_view(shape: Mapping[str, Any], *, explain: bool) -> RenderableType:
    """Return a reconciliation as a person reads it; with explain, why each difference is there and the bridge."""
    told = f"{shape['facts_compared']:,} fills, funding payments and transfers and {shape['orders_compared']:,} open orders"
    count = len(shape["discrepancies"])
    verdict = (
        Text(f"agrees to the last unit: cash, positions, {told}", style="green")
        if shape["agrees"]
        else Text(f"{count} {'difference' if count == 1 else 'differences'} among cash, positions, {told}", style="red")
    )
    rows: list[tuple[str, object]] = [
        ("account", shape["account"]),
        ("run", shape["run_id"]),
        ("venue time", f"{time_text(shape['ts_ns'])} ({shape['ts_ns']} ns)"),
        ("ledger, venue", verdict),
    ]
    unexplained = _amounts(shape["unexplained_cash"], shape["unexplained_positions"])
    suspended = _amounts(shape["suspended_cash"], shape["suspended_positions"])
    if unexplained:
        rows.append(("unexplained", Text(unexplained, style="bold red")))
    if suspended:
        rows.append(("in suspense", Text(f"{suspended}, booked by the ledger as unexplained", style="yellow")))
    parts: list[RenderableType] = [facts(rows)]
    if count:
        parts.append(_differences(shape["discrepancies"]))
    if explain:
        reasons = [(f"{place}.", one["explanation"]) for place, one in enumerate(shape["discrepancies"], 1)]
        if reasons:
            parts.append(facts(reasons))
        parts.append(_bridge(shape["bridge"]))
    elif count:
        parts.append(Text("--explain says which facts account for it, and bridges the account value", style="dim"))
    return Group(*parts)


def _amounts(cash: str, sizes: Mapping[str, str]) -> str:
    parts = [f"{cash} USDC"] if cash != "0" else []
    return ", ".join([*parts, *(f"{size} {symbol}" for symbol, size in sizes.items())])


def _differences(found: list[Mapping[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("what", no_wrap=True)
    for name in ("which", "ledger", "venue"):
        table.add_column(name, overflow="fold")
    for place, one in enumerate(found, 1):
        table.add_row(str(place), f"{one['what']} {one['how']}", one["subject"], one["ledger"], one["venue"])
    return table


def _bridge(bridge: Mapping[str, str]) -> Table:
    """Return why the account value changed, one part a line, exact."""
    table = Table(box=None, pad_edge=False, show_header=False, title="account value (USDC)", title_justify="left")
    table.add_column("part", style="dim")
    table.add_column("amount", justify="right", no_wrap=True)
    places = max(len(text.partition(".")[2]) for text in bridge.values())
    for name, text in bridge.items():
        whole, _, fraction = text.partition(".")
        shown = f"{whole}.{fraction.ljust(places, '0')}" if places else whole
        label = f"{MARKS.get(name, '+')} {name.replace('_', ' ')}" if name in BRIDGE else name
        style = "bold" if name not in BRIDGE else ("bold red" if name == "residual" and text != "0" else "")
        table.add_row(label, Text(shown, style=style))
    return table
