"""`hat ledger` pnl and statement: who made the money, and what a day, week or month did to it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, RunOption, StateOption, UrlOption, configured, print_json
from domain.errors import ConfigInvalid

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ledger.entries import RunPart
    from ledger.period_statement import PeriodStatement
    from ledger.store import LedgerStore

LIMIT = 40


class By(StrEnum):
    """What profit may be told apart by."""

    ORDER = "order"
    POSITION = "position"
    STRATEGY = "strategy"
    INSTRUMENT = "instrument"
    DAY = "day"


class Kind(StrEnum):
    """How long a statement is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Form(StrEnum):
    """How a statement is written."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


AllOption = Annotated[bool, typer.Option("--all", help="Every run there is, added up, instead of one.")]


def register(ledger_app: typer.Typer) -> None:
    """Add these commands to `hat ledger`."""
    ledger_app.command("pnl")(ledger_pnl)
    ledger_app.command("statement")(ledger_statement)


def ledger_pnl(
    by: Annotated[By, typer.Option("--by", help="What to tell it apart by.")] = By.INSTRUMENT,
    run_id: RunOption = "",
    every: AllOption = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="Rows to print, the ones that moved most; 0 is all.")
    ] = LIMIT,
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show P&L by order, position, strategy, instrument or day; the rows add up to the whole, to the last unit.

    A position goes from flat to flat. A day is when it was booked, in UTC.

    For example `hat ledger pnl --by position`
    """
    from bot.show import print_view
    from bot.show_pnl import pnl_shape, pnl_view
    from ledger.attribution import attribute
    from ledger.store import LedgerStore
    from ledger.store_entries import read_run, read_run_parts

    store = LedgerStore(url or _configured_url(config, state_dir), read_only=True)
    try:
        with store.reading() as connection, _busy("Reading the ledger"):
            runs = _chosen(read_run_parts(connection), run_id, every=every)
            facts = [read_run(connection, run) for run in runs]
    finally:
        store.close()
    shape = pnl_shape(by.value, runs, attribute(facts, by.value))
    if as_json:
        print_json(shape)
    else:
        print_view(pnl_view(shape, limit))


def ledger_statement(
    period: Annotated[Kind, typer.Option("--period", help="How long.")] = Kind.DAY,
    date: Annotated[
        str, typer.Option("--date", metavar="DATE", help="A day in it, e.g. 2025-09-04; default: the newest stored.")
    ] = "",
    run_id: RunOption = "",
    every: AllOption = False,
    form: Annotated[Form, typer.Option("--format", help="How it is written.")] = Form.TEXT,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it here instead of standard output.")
    ] = None,
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """State a day, an ISO week or a month: equity before and after, every cause between, best and worst, drawdown.

    The HTML page is one file that needs no network. Days are UTC.

    For example `hat ledger statement --period week --format html --out week.html`
    """
    from bot.show import print_view
    from bot.show_statement import statement_shape, statement_view
    from bot.statement_page import statement_page
    from ledger.store import LedgerStore

    store = LedgerStore(url or _configured_url(config, state_dir), read_only=True)
    try:
        with _busy("Reading the ledger"):
            statement = _stated(store, period, date, run_id, every=every)
    finally:
        store.close()
    shape = statement_shape(statement)
    if form is Form.HTML:
        _written(statement_page(shape), out)
    elif form is Form.JSON or as_json:
        _written(_json_text(shape), out)
    elif out is not None:
        _written(_view_text(statement_view(shape)), out)
    else:
        print_view(statement_view(shape))


def _stated(store: "LedgerStore", kind: Kind, date: str, run_id: str, *, every: bool) -> "PeriodStatement":
    from ledger.period_statement import period_statement
    from ledger.periods import parse_date, period_at
    from ledger.store_entries import read_incidents, read_orders, read_run, read_run_parts, runs_of_period

    with store.reading() as connection:
        known = read_run_parts(connection)
        chosen = _chosen(known, run_id, every=every)
        try:
            at_ns = parse_date(date) if date else max(run.last_ns for run in chosen)
        except ValueError:
            raise ConfigInvalid("--date", date, "a day such as 2025-09-04") from None
        period = period_at(kind.value, at_ns)
        living = runs_of_period(chosen if every else _of_account(known, chosen[0]), period)
        keys = [run.run_id for run in living]
        return period_statement(
            period,
            [read_run(connection, run, period.end_ns) for run in living],
            read_orders(connection, keys, period),
            read_incidents(connection, keys, period),
        )


def _of_account(known: Sequence["RunPart"], chosen: "RunPart") -> list["RunPart"]:
    """The chosen run, and what its account did before it: there its opening equity comes from."""
    return [run for run in known if run.account == chosen.account and run.started_ns <= chosen.started_ns]


def _chosen(known: Sequence["RunPart"], run_id: str, *, every: bool) -> list["RunPart"]:
    if every and run_id:
        raise ConfigInvalid("--run", run_id, "either --run or --all")
    found = list(known) if every else [run for run in known if run.run_id == run_id] if run_id else list(known[-1:])
    if not found:
        names = ", ".join(run.run_id for run in known[-5:])
        raise ConfigInvalid("--run", run_id or "newest", f"one of {names}" if names else "a ledger that holds a run")
    return found


def _configured_url(config: Path | None, state_dir: Path | None) -> str:
    from bot.config import ledger_url

    return ledger_url(configured(config, state_dir))


def _busy(text: str) -> AbstractContextManager[object]:
    """Say on a terminal that something takes a while."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(text) if console.is_terminal else nullcontext()


def _json_text(shape: object) -> str:
    import msgspec

    return msgspec.json.encode(shape).decode() + "\n"


def _view_text(view: "RenderableType") -> str:
    from io import StringIO

    from rich.console import Console

    from bot.show import PIPE_WIDTH

    text = StringIO()
    Console(file=text, width=PIPE_WIDTH, color_system=None).print(view, soft_wrap=True)
    return text.getvalue()


def _written(text: str, out: Path | None) -> None:
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigInvalid("--out", str(out), f"a file that can be written ({error.strerror})") from None
    typer.echo(f"wrote {out}", err=True)
