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
        int,
        typer.Option(
            "--limit", min=0, metavar="N", help="Rows to print, the ones that moved most; 0 is all; JSON has all."
        ),
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
    from bot.opened_ledger import needs_runs, opened_ledger
    from bot.show import print_view
    from bot.show_pnl import pnl_shape, pnl_view
    from ledger.attribution import attribute
    from ledger.store_entries import read_run_parts, stream_run

    with opened_ledger(url, configured(config, state_dir)) as store:
        needs_runs(store)
        with store.reading() as connection, _busy("Reading the ledger"):
            runs = _chosen(read_run_parts(connection), run_id, every=every)
            rows = attribute((stream_run(connection, run) for run in runs), by.value)
    shape = pnl_shape(by.value, runs, rows)
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
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name; never a ledger.")] = False,
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """State a day, an ISO week or a month: equity before and after, every cause between, best and worst, drawdown.

    The HTML page is one file that needs no network. Days are UTC.

    For example `hat ledger statement --period week --format html --out week.html`
    """
    from bot.opened_ledger import needs_runs, opened_ledger
    from bot.output_file import check_output
    from bot.show import print_view
    from bot.show_statement import statement_shape, statement_view
    from bot.statement_page import statement_page

    if as_json and form is Form.HTML:
        raise ConfigInvalid("--format", form.value, "either --format html or --json")
    with opened_ledger(url, configured(config, state_dir)) as store:
        needs_runs(store)
        if out is not None:
            check_output(out, store.file, force=force)
        with _busy("Reading the ledger"):
            statement = _stated(store, period, date, run_id, every=every)
        shape = statement_shape(statement)
    if form is Form.HTML:
        text = statement_page(shape)
    elif form is Form.JSON or as_json:
        text = _json_text(shape)
    elif out is not None:
        text = _view_text(statement_view(shape))
    else:
        print_view(statement_view(shape))
        return
    _written(text, out, store.file, force=force)


def _stated(store: "LedgerStore", kind: Kind, date: str, run_id: str, *, every: bool) -> "PeriodStatement":
    from bot.clock import now_ns
    from ledger.period_statement import period_statement
    from ledger.periods import parse_date, period_at
    from ledger.store_entries import read_incidents, read_orders, read_run_parts, runs_of_period, stream_run

    with store.reading() as connection:
        known = read_run_parts(connection)
        chosen = _chosen(known, run_id, every=every)
        try:
            at_ns = parse_date(date) if date else max(run.last_ns for run in chosen)
        except ValueError:
            raise ConfigInvalid("--date", date, "a day such as 2025-09-04") from None
        period = period_at(kind.value, at_ns)
        wanted = {run.run_id for run in (chosen if every else _of_account(known, chosen[0]))}
        parts = [run for run in read_run_parts(connection, period.end_ns) if run.run_id in wanted]
        living = runs_of_period(parts, period)
        keys = [run.run_id for run in living]
        is_going_on = now_ns() < period.end_ns
        return period_statement(
            period,
            (stream_run(connection, run, period.end_ns, is_going_on=is_going_on) for run in living),
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
        raise ConfigInvalid("--run", run_id, f"one of {', '.join(run.run_id for run in known[-5:])}")
    return found


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


def _written(text: str, out: Path | None, ledger_file: Path | None, *, force: bool) -> None:
    from bot.output_file import open_output

    if out is None:
        typer.echo(text, nl=False)
        return
    with open_output(out, ledger_file, force=force) as file:
        file.write(text)
    typer.echo(f"wrote {out}", err=True)
