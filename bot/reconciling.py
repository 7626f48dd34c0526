"""`hat ledger reconcile`: the stored ledger held against a venue statement, once or until a running bot has caught up.

Why the patience: a statement is of the venue's own moment, and what happened there a moment ago may still be on its way
to the bot or from the bot to the database. While the bot runs, a difference is looked at again for a few seconds before
it counts.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from sqlalchemy import text

from bot.clock import monotonic_ns
from bot.hidden import hidden
from bot.show import facts
from bot.venue_file import FILES_KEPT, NAME, read_venue, venue_place
from domain.errors import DataInvalid
from domain.statement import VenueStatement
from domain.units import NS_PER_SECOND, Money, format_money, format_scaled
from ledger.periods import time_text
from ledger.reconciliation import Reconciliation, reconcile
from ledger.store import LedgerStore
from ledger.store_side import read_side, run_of

PATIENCE_NS = 3 * NS_PER_SECOND
PAUSE_S = 0.25
SHOWN_MAX = 20
INDENT = "    "
BRIDGE = ("realized", "unrealized_change", "funding", "fees", "rebates", "transfers", "unexplained", "residual")
MARKS = {"fees": "-"}
KINDS = {"fill": "fills", "funding": "funding payments", "transfer": "transfers"}
COMMAND = text("SELECT command FROM runs WHERE run_id = :run")
BACKTEST = "backtest"


def statement_place(store: LedgerStore, state_dir: Path, run: str) -> Path:
    """Return the venue's statement that a bot kept: of the run asked for, or the newest.

    Raises: DataInvalid when there is none, saying why.
    """
    known = store.run_ids()
    if run and run not in known:
        raise DataInvalid("the ledger", f"holds no run {hidden(run)[:40]!r}")
    place = venue_place(state_dir, run) if run else state_dir / NAME
    if place.exists():
        return place
    asked = run or next(reversed(known), "")
    with store.reading() as connection:
        command = str(connection.execute(COMMAND, {"run": asked}).scalar() or "")
    if command.split(" ", 1)[0] == BACKTEST:
        problem = "is a backtest, which has no venue statement: it was held against its venue after every event"
        raise DataInvalid(f"run {asked}", problem)
    if run:
        problem = f"has no venue statement at {place} (the newest {FILES_KEPT} are kept): name one with --venue"
        raise DataInvalid(f"run {run}", problem)
    return place


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
        "compared": {name: {"compared": count, "of": total} for name, (count, total) in found.compared.items()},
        "complete_since_ns": found.complete_since_ns,
        "orders_compared": found.orders_compared,
        "facts_newer": found.facts_newer,
        "newest_fact_ns": found.newest_ns,
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


def reconciliation_view(shape: Mapping[str, Any], *, explain: bool, every: bool = False) -> RenderableType:
    """Return a reconciliation as a person reads it; with explain, why each difference is there and the bridge.

    The first SHOWN_MAX differences are shown, all of them with every.
    """
    found = shape["discrepancies"]
    told = _compared(shape)
    verdict = (
        Text(f"agrees to the last unit: {told}", style="green")
        if shape["agrees"]
        else Text(f"{len(found):,} {'difference' if len(found) == 1 else 'differences'} among {told}", style="red")
    )
    rows: list[tuple[str, object]] = [
        ("account", shape["account"]),
        ("run", shape["run_id"]),
        ("venue time", f"{time_text(shape['ts_ns'])} ({shape['ts_ns']} ns)"),
        ("ledger, venue", verdict),
    ]
    if shape["facts_newer"]:
        rows.append(("not compared", Text(_newer(shape), style="yellow")))
    unexplained = _amounts(shape["unexplained_cash"], shape["unexplained_positions"])
    suspended = _amounts(shape["suspended_cash"], shape["suspended_positions"])
    if unexplained:
        rows.append(("unexplained", Text(unexplained, style="bold red")))
    if suspended:
        rows.append(("in suspense", Text(f"{suspended}, booked by the ledger as unexplained", style="yellow")))
    parts: list[RenderableType] = [facts(rows)]
    if found:
        parts.append(_differences(found if every else found[:SHOWN_MAX], len(found), explain=explain))
    if explain:
        parts.append(_bridge(shape["bridge"]))
    elif found:
        parts.append(Text("--explain says which facts account for it, and bridges the account value", style="dim"))
    return Group(*parts)


def _compared(shape: Mapping[str, Any]) -> str:
    """Return what was compared, and of how much where the statement does not reach back to all of it."""
    told, is_cut = ["cash", "positions"], False
    for name, words in KINDS.items():
        count, total = shape["compared"][name]["compared"], shape["compared"][name]["of"]
        told.append(f"{count:,} {words}" if count == total else f"{count:,} of {total:,} {words}")
        is_cut = is_cut or count < total
    orders = shape["orders_compared"]
    last = "no orders (the statement names none)" if orders is None else f"{orders:,} open orders"
    since = f"; the statement is complete since {time_text(shape['complete_since_ns'])}" if is_cut else ""
    return f"{', '.join(told)} and {last}{since}"


def _newer(shape: Mapping[str, Any]) -> str:
    """Return how much of the ledger the statement cannot know; its age is told by the ledger's own newest fact."""
    count, age_s = shape["facts_newer"], max(0, shape["newest_fact_ns"] - shape["ts_ns"]) // NS_PER_SECOND
    minutes, seconds = divmod(age_s, 60)
    hours, minutes = divmod(minutes, 60)
    age = f"{hours:,} h {minutes} min" if hours else (f"{minutes} min {seconds} s" if minutes else f"{seconds} s")
    words = "1 fact of the ledger is" if count == 1 else f"{count:,} facts of the ledger are"
    return f"{words} newer than this statement, which is {age} older than the newest"


def _amounts(cash: str, sizes: Mapping[str, str]) -> str:
    parts = [f"{cash} USDC"] if cash != "0" else []
    return ", ".join([*parts, *(f"{size} {symbol}" for symbol, size in sizes.items())])


def _differences(found: Sequence[Mapping[str, Any]], total: int, *, explain: bool) -> Text:
    """Return one block a difference: what it is, then each side on a line of its own; nothing is cut or broken."""
    shown = Text(no_wrap=True, overflow="ignore")
    for place, one in enumerate(found, 1):
        shown.append(f"\n{place}. {one['what']} {one['how']}", style="bold")
        shown.append(f"\n{INDENT}{one['subject']}\n")
        for name in ("ledger", "venue", *(("explanation",) if explain else ())):
            shown.append(f"{INDENT}{'why' if name == 'explanation' else name:<7}", style="dim")
            shown.append(f"{one[name]}\n")
    if len(found) < total:
        shown.append(f"\n… and {total - len(found):,} more, --all shows them\n", style="bold")
    return shown


def _bridge(bridge: Mapping[str, str]) -> Table:
    """Return why the account value changed, one part a line, exact."""
    table = Table(box=None, pad_edge=False, show_header=False, title="account value (USDC)", title_justify="left")
    table.add_column("part", style="dim")
    table.add_column("amount", justify="right", no_wrap=True)
    places = max(len(amount.partition(".")[2]) for amount in bridge.values())
    for name, amount in bridge.items():
        whole, _, fraction = amount.partition(".")
        shown = f"{whole}.{fraction.ljust(places, '0')}" if places else whole
        label = f"{MARKS.get(name, '+')} {name.replace('_', ' ')}" if name in BRIDGE else name
        style = "bold" if name not in BRIDGE else ("bold red" if name == "residual" and amount != "0" else "")
        table.add_row(label, Text(shown, style=style))
    return table
