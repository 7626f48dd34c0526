"""The `hat` command. Each command reads its settings, calls one function and prints; `--json` prints one object.

Commands import what they need when they are called, so that `hat --help` answers at once.
"""

import sys
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from bot import (
    cli_doctor,
    cli_ledger_export,
    cli_ledger_proof,
    cli_ledger_reports,
    cli_ledger_upkeep,
    cli_ledger_venue,
    cli_record,
    cli_run,
    cli_venue,
)
from bot.cli_data import data_app
from bot.cli_key import key_app
from bot.cli_ledger import ledger_app
from bot.cli_options import CoinOption, ConfigOption, JsonOption, StateOption, configured, print_json
from bot.hidden import hidden
from domain.errors import HouseError, InvariantBroken

if TYPE_CHECKING:
    from bot.config import HatConfig

EXIT_REFUSED = 2
EXIT_STOPPED = 3

app = typer.Typer(
    name="hat",
    help="A maker-first trading bot for Hyperliquid perpetuals that can prove what it did. Simulated and on loopback "
    "unless told otherwise.\n\nBegin with `hat run --for 60s`, then `hat ledger summary`.",
    epilog="Exit codes: 0 done, 1 a proof, a comparison or the doctor found something, 2 refused or failed (one sentence "
    "says why), 3 stopped by a broken law, a full disk, or with orders that may still rest. "
    'With --json a refusal is one object too: {"error": ...}.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
config_app = typer.Typer(help="Read the configuration: `hat config show`.", no_args_is_help=True)
for commands in (cli_ledger_proof, cli_ledger_venue, cli_ledger_reports, cli_ledger_export, cli_ledger_upkeep):
    commands.register(ledger_app)
cli_run.register(app)
app.add_typer(ledger_app, name="ledger")
app.add_typer(config_app, name="config")
app.add_typer(data_app, name="data")
app.add_typer(key_app, name="key")
cli_venue.register(app)
cli_doctor.register(app)
cli_record.register(app)


@app.command()
def backtest(
    paths: Annotated[
        list[Path], typer.Argument(metavar="DATA...", help="Recorded data: files or folders in any known layout.")
    ],
    coin: CoinOption = None,
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the engine over recorded market data, as fast as it goes; several paths are several runs.

    Layouts: Hyperliquid's public archive (`hat data download`), CSV or websocket frames, Binance websocket frames or
    depth CSV, Tardis CSV, Bybit ob500, StandX Parquet. With --json several runs print as {"runs": [...]}.

    For example `hat backtest DATA --coin BTC --json`
    """
    from bot.show import print_view, summary_view

    settings = configured(config, state_dir)
    summaries = [_one_backtest(settings, path, coin, quiet=as_json) for path in paths]
    if not as_json:
        for summary in summaries:
            print_view(summary_view(summary))
        return
    print_json(summaries[0] if len(summaries) == 1 else {"runs": summaries})


def _one_backtest(settings: "HatConfig", path: Path, coin: str | None, *, quiet: bool) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from bot.backtesting import run_backtest
    from bot.markets import recorded_market

    market = recorded_market(path, coin)
    console = Console(stderr=True)
    if quiet or not console.is_terminal or market.end_ns <= market.start_ns:
        return run_backtest(settings, market)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(market.name, total=market.end_ns - market.start_ns)
        return run_backtest(settings, market, lambda ts_ns: progress.update(task, completed=ts_ns - market.start_ns))


@app.command()
def status(
    url: Annotated[
        str, typer.Option(help="Address of the bot, e.g. http://127.0.0.1:8080; default: from its state directory.")
    ] = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a running bot what it is doing: mode, health, equity, orders, P&L by cause, positions."""
    from bot.asking import ask_status, running_url
    from bot.live import status_view
    from bot.show import print_view

    found = ask_status(url or running_url(configured(config, state_dir).bot.state_dir))
    if as_json:
        print_json(found)
    else:
        print_view(status_view(found))


@config_app.command("show")
def config_show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the configuration in force, defaults included and secrets left out.

    What it prints is a configuration file: `hat config show > hat.toml` is a good start. Every key, its unit, range
    and meaning: docs/CONFIG.md.
    """
    from bot.config import load, redacted
    from bot.config_text import toml_text

    shape = redacted(load(config))
    if as_json:
        print_json(shape)
    else:
        typer.echo(toml_text(shape), nl=False)


@app.command()
def instruments(
    place: Annotated[
        str,
        typer.Option(
            "--from", metavar="PLACE", help="Ask a venue: mainnet, testnet or a base URL; default: the built-in table."
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List what can be traded: symbols, steps, smallest order, leverage and its tiers.

    `hat instruments --from testnet` asks the venue's public `meta` through the official SDK; nothing is signed.
    """
    from bot.instruments import instruments_of, shapes
    from bot.show import instruments_view, print_view

    found = shapes(instruments_of(place))
    if as_json:
        print_json({"instruments": found})
    else:
        print_view(instruments_view(found))


@app.command()
def version(as_json: JsonOption = False) -> None:
    """Print the version and the code revision."""
    from bot.revision import code_revision, code_version

    if as_json:
        print_json({"version": code_version(), "revision": code_revision()})
    else:
        typer.echo(f"hat {code_revision()}")


def main() -> None:
    """Run the command; every refusal is one sentence on standard error, and with --json one object as well."""
    try:
        code = app(prog_name="hat", standalone_mode=False)
    except HouseError as error:
        from bot.app import StopUnclean
        from bot.journal_file import JournalUnwritable

        if isinstance(error, InvariantBroken):
            _refuse(f"stopped, an invariant is broken: {error}", EXIT_STOPPED)
        if isinstance(error, JournalUnwritable | StopUnclean):
            _refuse(f"stopped: {error}", EXIT_STOPPED)
        _refuse(str(error), EXIT_REFUSED)
    except OSError as error:
        # Most likely what we print cannot be written; it is not tried again.
        sys.stdout = StringIO()
        _refuse(f"stopped: {error.strerror or error}", EXIT_STOPPED)
    except TyperException as error:
        _refuse(usage_sentence(error), EXIT_REFUSED)
    sys.exit(code if isinstance(code, int) else 0)


def usage_sentence(error: TyperException) -> str:
    """Return in one sentence what is wrong with the command line, and where help is; empty when help was shown."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "hat"
    return f"{message[:1].lower()}{message[1:]}; see `{command} --help`" if message else ""


def _refuse(sentence: str, code: int) -> NoReturn:
    """Say one sentence and exit; what may be a key in it is not repeated."""
    sentence = hidden(sentence)
    if sentence:
        sys.stderr.write(f"hat: {sentence}\n")
        if "--json" in sys.argv[1:]:
            print_json({"error": sentence})
    sys.exit(code)
