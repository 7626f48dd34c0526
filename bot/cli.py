"""The `hat` command. Each command reads its settings, calls one function and prints; `--json` prints one object."""

import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag
from typing import Annotated, Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import msgspec
import typer
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bot.app import PaperBot
from bot.backtesting import run_backtest
from bot.clock import monotonic_ns, now_ns
from bot.config import HatConfig, ledger_url, load, redacted
from bot.durations import parse_duration, parse_speed
from bot.markets import recorded_market, synthetic_market
from bot.revision import code_revision, code_version
from bot.show import ledger_shape, ledger_view, live_view, plain_line, print_view, status_view, summary_view
from domain.errors import ConfigInvalid, HouseError, InvariantBroken
from domain.units import NS_PER_SECOND
from ledger.store import LedgerStore

EXIT_REFUSED = 2
EXIT_BROKEN = 3
PLAIN_LINE_SECONDS = 10
LIVE_REFRESHES_PER_SECOND = 4
ANSWER_SECONDS_MAX = 5

app = typer.Typer(
    name="hat",
    help="A trading bot for Hyperliquid perpetuals that can prove what it did. Simulated and on loopback unless told.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ledger_app = typer.Typer(help="Read the trade ledger.", no_args_is_help=True)
config_app = typer.Typer(help="Read the configuration.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(config_app, name="config")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="TOML file; ./hat.toml when present. HAT_SECTION__KEY overrides it."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, the last line of standard output.")]
StateOption = Annotated[Path | None, typer.Option("--state-dir", help="Where ledger, journal and logs are kept.")]
CoinOption = Annotated[str | None, typer.Option("--coin", help="Only this coin of the data, e.g. BTC.")]


def print_json(shape: object) -> None:
    """Print one object on one line."""
    sys.stdout.write(msgspec.json.encode(shape).decode() + "\n")
    sys.stdout.flush()


def configured(path: Path | None, state_dir: Path | None = None, **bot: object) -> HatConfig:
    """Return the configuration with what the command line overrides."""
    changes = {name: value for name, value in {"state_dir": state_dir, **bot}.items() if value is not None}
    overrides = {"bot": {name: str(value) for name, value in changes.items()}} if changes else None
    return load(path, overrides)


@app.command()
def run(
    config: ConfigOption = None,
    for_: Annotated[str, typer.Option("--for", help="Market time to trade, e.g. 60s, 5m, 1h; default: no end.")] = "",
    speed: Annotated[str, typer.Option(help="Times real time, e.g. 1, 10, or max.")] = "1",
    replay: Annotated[Path | None, typer.Option(help="Trade on recorded data instead of the synthetic market.")] = None,
    coin: CoinOption = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the synthetic market and the simulated venue.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of /metrics, /health, /status; 0 takes a free one.")] = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade on paper: the real engine, risk, router and ledger against the simulated venue.

    Ctrl-C or SIGTERM stops quoting, cancels every order, flushes and exits 0.
    """
    settings = configured(config, state_dir, seed=seed)
    if port is not None:
        settings = settings.model_copy(update={"monitoring": settings.monitoring.model_copy(update={"port": port})})
    duration_ns = parse_duration(for_) if for_ else None
    factor = parse_speed(speed)
    market = recorded_market(replay, coin) if replay else synthetic_market(settings, now_ns())
    bot = PaperBot(settings, market)
    stop = Flag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        refresh = _watched(bot, stack, as_json=as_json)
        summary = bot.run(speed=factor, for_ns=duration_ns, stop=stop, refresh=refresh)
    summary["notes"] = list(market.notes)
    if as_json:
        print_json(summary)
    else:
        print_view(summary_view(summary))


def _watched(bot: PaperBot, stack: ExitStack, *, as_json: bool) -> Any:
    """Show the bot while it runs: a live view on a terminal, a plain line now and then otherwise."""
    console = Console(stderr=True)
    if console.is_terminal and not as_json:
        view = live_view(bot.status)
        stack.enter_context(
            Live(get_renderable=view, console=console, refresh_per_second=LIVE_REFRESHES_PER_SECOND, transient=True)
        )
        return None
    console.print(f"hat {code_version()}: {bot.market.name}, {bot.admin.url}, ledger {bot.store.place}", soft_wrap=True)
    due_ns = [monotonic_ns() + PLAIN_LINE_SECONDS * NS_PER_SECOND]

    def say() -> None:
        if monotonic_ns() >= due_ns[0]:
            due_ns[0] += PLAIN_LINE_SECONDS * NS_PER_SECOND
            console.print(plain_line(bot.status()), soft_wrap=True)

    return say


@app.command()
def backtest(
    paths: Annotated[list[Path], typer.Argument(help="Recorded data: a file or a folder in any known layout.")],
    coin: CoinOption = None,
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the engine over recorded market data, as fast as it goes; several paths are several runs."""
    settings = configured(config, state_dir)
    summaries = [_one_backtest(settings, path, coin, quiet=as_json) for path in paths]
    if not as_json:
        for summary in summaries:
            print_view(summary_view(summary))
        return
    print_json(summaries[0] if len(summaries) == 1 else {"runs": summaries})


def _one_backtest(settings: HatConfig, path: Path, coin: str | None, *, quiet: bool) -> dict[str, Any]:
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
    url: Annotated[str, typer.Option(help="Address of the bot; default: from bot.json in the state directory.")] = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a running bot what it is doing."""
    found = ask_status(url or running_url(configured(config, state_dir)))
    if as_json:
        print_json(found)
    else:
        print_view(status_view(found))


def running_url(settings: HatConfig) -> str:
    """Return the address a running bot wrote down. Raises: ConfigInvalid when none did."""
    note = settings.bot.state_dir / "bot.json"
    try:
        return str(msgspec.json.decode(note.read_bytes())["url"])
    except (OSError, msgspec.MsgspecError, KeyError, TypeError):
        raise ConfigInvalid("bot.state_dir", str(note), "the note of a running bot; start one with `hat run`") from None


def ask_status(url: str) -> Mapping[str, Any]:
    """Return what a running bot says. Raises: ConfigInvalid when nothing answers."""
    try:
        with build_opener(ProxyHandler({})).open(f"{url.rstrip('/')}/status", timeout=ANSWER_SECONDS_MAX) as answer:
            found: Mapping[str, Any] = msgspec.json.decode(answer.read())
    except (URLError, OSError, ValueError) as error:
        raise ConfigInvalid("--url", url, f"the address of a running bot ({error})") from None
    return found


@ledger_app.command("summary")
def ledger_summary(
    url: Annotated[str, typer.Option(help="Database URL, e.g. sqlite:///state/ledger.db; default: configured.")] = "",
    run_id: Annotated[str, typer.Option("--run", help="A run's id; default: the newest.")] = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show orders, fills and P&L by cause of one run, from its postings."""
    place = url or ledger_url(configured(config, state_dir))
    store = LedgerStore(place, read_only=True)
    try:
        statement = store.statement(run_id)
        known = store.run_ids()
    finally:
        store.close()
    if statement is None:
        expected = f"one of {', '.join(known[-5:])}" if known else "a ledger that holds a run"
        raise ConfigInvalid("--run", run_id or "newest", expected)
    shape = ledger_shape(statement)
    if as_json:
        print_json(shape)
    else:
        print_view(ledger_view(shape))


@config_app.command("show")
def config_show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print the configuration in force, defaults included and secrets left out."""
    shape = redacted(load(config))
    if as_json:
        print_json(shape)
        return
    for section, values in shape.items():
        typer.echo(f"[{section}]")
        for key, value in values.items():
            typer.echo(f"{key} = {msgspec.json.encode(value).decode()}")
        typer.echo()


@app.command()
def version(as_json: JsonOption = False) -> None:
    """Print the version and the code revision."""
    if as_json:
        print_json({"version": code_version(), "revision": code_revision()})
    else:
        typer.echo(f"hat {code_revision()}")


def main() -> None:
    """Run the command; every refusal is one sentence on standard error."""
    try:
        app()
    except InvariantBroken as error:
        sys.stderr.write(f"hat: stopped, an invariant is broken: {error}\n")
        sys.exit(EXIT_BROKEN)
    except HouseError as error:
        sys.stderr.write(f"hat: {error}\n")
        sys.exit(EXIT_REFUSED)
