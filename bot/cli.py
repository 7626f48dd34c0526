"""The `hat` command. Each command reads its settings, calls one function and prints; `--json` prints one object.

Commands import what they need when they are called, so that `hat --help` answers at once.
"""

import signal
import sys
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from bot import cli_ledger_export, cli_ledger_proof, cli_ledger_reports, cli_ledger_upkeep, cli_ledger_venue
from bot.cli_ledger import ledger_app
from bot.cli_options import CoinOption, ConfigOption, JsonOption, StateOption, configured, print_json
from bot.stop_flag import StopFlag
from domain.errors import HouseError, InvariantBroken

if TYPE_CHECKING:
    from bot.config import HatConfig
    from bot.paper import PaperBot

EXIT_REFUSED = 2
EXIT_STOPPED = 3
PLAIN_LINE_SECONDS = 10
LIVE_REFRESHES_PER_SECOND = 4

app = typer.Typer(
    name="hat",
    help="A maker-first trading bot for Hyperliquid perpetuals that can prove what it did. Simulated and on loopback "
    "unless told otherwise.\n\nBegin with `hat run --for 60s`, then `hat ledger summary`.",
    epilog="Exit codes: 0 done, 1 a proof or comparison of the ledger found something, 2 refused (one sentence says "
    "why), 3 stopped by a broken law or a full disk. "
    'With --json a refusal is one object too: {"error": ...}.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
config_app = typer.Typer(help="Read the configuration: `hat config show`.", no_args_is_help=True)
for commands in (cli_ledger_proof, cli_ledger_venue, cli_ledger_reports, cli_ledger_export, cli_ledger_upkeep):
    commands.register(ledger_app)
app.add_typer(ledger_app, name="ledger")
app.add_typer(config_app, name="config")


@app.command()
def run(
    config: ConfigOption = None,
    for_: Annotated[
        str,
        typer.Option("--for", metavar="TIME", help="Market time to trade: 500ms, 60s, 5m, 1h, 2d; default: no end."),
    ] = "",
    speed: Annotated[
        str, typer.Option(metavar="FACTOR", help="Times real time: 1, 10, 0.5, or max for as fast as it goes.")
    ] = "1",
    replay: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Trade on recorded data (a file or folder) instead of the synthetic market."),
    ] = None,
    coin: CoinOption = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the synthetic market and the simulated venue; default: 1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port of /metrics, /health and /status; 0 takes a free one; default: 8080."),
    ] = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade on paper: the real engine, risk, router and ledger against the simulated venue.

    Ctrl-C, SIGTERM or closing the terminal stops quoting, cancels every order, flushes and exits 0.

    For example:

    - `hat run --for 60s` trades the synthetic market for a minute, then prints P&L by cause

    - `hat run --for 5m --speed 10 --seed 7` is another market, ten times as fast

    - `hat run --replay DATA --coin BTC --speed max` trades on recorded data
    """
    from bot.clock import now_ns
    from bot.durations import parse_duration, parse_speed
    from bot.markets import recorded_market, synthetic_market
    from bot.paper import PaperBot
    from bot.show import print_view, summary_view

    market_keys: dict[str, object] = {"instruments": None if replay else coin}
    settings = configured(config, state_dir, bot={"seed": seed}, monitoring={"port": port}, market=market_keys)
    duration_ns = parse_duration(for_) if for_ else None
    factor = parse_speed(speed)
    market = recorded_market(replay, coin) if replay else synthetic_market(settings, now_ns())
    bot = PaperBot(settings, market)
    stop = stop_flag()
    with ExitStack() as stack:
        refresh = _watched(bot, stack, as_json=as_json)
        summary = bot.run(speed=factor, for_ns=duration_ns, stop=stop, refresh=refresh)
    summary["notes"] = list(market.notes)
    if as_json:
        print_json(summary)
    else:
        print_view(summary_view(summary))


def stop_flag() -> StopFlag:
    """Return the flag that Ctrl-C, SIGTERM and a terminal that was closed set; under nohup the last one does not."""
    stop = StopFlag()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def _watched(bot: "PaperBot", stack: ExitStack, *, as_json: bool) -> Any:
    """Show the bot while it runs: a live view on a terminal, a plain line now and then otherwise."""
    from rich.console import Console
    from rich.live import Live

    from bot.clock import monotonic_ns
    from bot.live import live_view, plain_line
    from bot.revision import code_version
    from domain.units import NS_PER_SECOND

    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal and not as_json:
        view = live_view(bot.status)
        # On the alternate screen a resized window leaves no debris behind.
        stack.enter_context(
            Live(get_renderable=view, console=console, refresh_per_second=LIVE_REFRESHES_PER_SECOND, screen=True)
        )
        return None

    def say(text: str) -> None:
        console.print(text, soft_wrap=True, highlight=False, markup=False)

    say(f"hat {code_version()}: {bot.market.name}, {bot.admin.url}, ledger {bot.store.place}")
    due_ns = [monotonic_ns() + PLAIN_LINE_SECONDS * NS_PER_SECOND]

    def beat() -> None:
        if monotonic_ns() >= due_ns[0]:
            due_ns[0] += PLAIN_LINE_SECONDS * NS_PER_SECOND
            say(plain_line(bot.status()))

    return beat


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

    Layouts: Hyperliquid CSV or websocket frames, Binance websocket frames or depth CSV, Tardis CSV, Bybit ob500,
    StandX Parquet. With --json several runs print as {"runs": [...]}.

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
        from bot.journal_file import JournalUnwritable

        if isinstance(error, InvariantBroken):
            _refuse(f"stopped, an invariant is broken: {error}", EXIT_STOPPED)
        if isinstance(error, JournalUnwritable):
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
    """Say one sentence and exit."""
    if sentence:
        sys.stderr.write(f"hat: {sentence}\n")
        if "--json" in sys.argv[1:]:
            print_json({"error": sentence})
    sys.exit(code)
