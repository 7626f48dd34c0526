"""`hat record`: write a venue's market, and one account's streams, to files that `hat backtest` reads."""

import asyncio
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli_options import ConfigOption, JsonOption, configured, print_json
from domain.errors import ConfigInvalid

if TYPE_CHECKING:
    from bot.recording_files import RecordingFiles
    from bot.recording_live import Recorder, Wishes

PLAIN_LINE_SECONDS = 10
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("record")(record)


def record(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to; made when missing.")],
    coin: Annotated[
        list[str] | None,
        typer.Option("--coin", metavar="SYMBOL", help="A coin, may be given again; default: the configured ones."),
    ] = None,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="How long: 60s, 5m, 1h, 2d; default: until Ctrl-C.")
    ] = "",
    network: Annotated[
        str | None, typer.Option(metavar="NAME", help="local, testnet or mainnet; default: the configured one.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Base URL of network local, e.g. http://127.0.0.1:3001.")
    ] = None,
    user: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Record this account's orders, fills, funding and transfers as well.")
    ] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record books, best prices, trades and marks as they come, an hour to a file; no key is needed.

    Frames are kept raw with the time they came; connections that were lost are noted between them. Ctrl-C ends in order;
    a recording that was killed is finished by the next one in the same folder.

    For example:

    - `hat record --network mainnet --coin BTC --for 1h --out recordings/btc`

    - then `hat backtest recordings/btc --coin BTC`
    """
    from bot.durations import parse_duration
    from bot.findings import shown
    from bot.networks import network_of
    from bot.recording_files import RecordingFiles
    from bot.recording_live import Wishes, check_coins
    from exchange.hyperliquid.instruments import fetch_instruments

    if user and not ADDRESS.fullmatch(user):
        raise ConfigInvalid("--user", shown(user), "an address: 0x and 40 hex digits")
    for_ns = parse_duration(for_) if for_ else None
    settings = configured(config, network={"name": network, "url": url})
    where = network_of(settings)
    listed = [one.symbol for one in fetch_instruments(where.http_url)]
    coins = check_coins(coin or settings.market.instruments, listed)
    wishes = Wishes(network=where, coins=coins, user=user.lower(), for_ns=for_ns)
    files = RecordingFiles(out, f"hyperliquid-{where.name}")

    summary = asyncio.run(_recorded(wishes, files, quiet=as_json))
    if as_json:
        print_json(summary)
    else:
        _tell(summary)


async def _recorded(wishes: "Wishes", files: "RecordingFiles", *, quiet: bool) -> dict[str, Any]:
    """Record until the time is over or somebody says stop; return the summary."""
    from bot.clock import monotonic_ns, now_ns
    from bot.recording_live import Recorder

    recorder = Recorder(wishes, files, now_ns, monotonic_ns)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, recorder.stop)
    with ExitStack() as stack:
        return await recorder.run(None if quiet else _progress(recorder, stack))


def _progress(recorder: "Recorder", stack: ExitStack) -> Callable[[], None]:
    """Return what is called each second: one line that changes on a terminal, a line now and then otherwise."""
    from rich.console import Console
    from rich.text import Text

    from bot.clock import monotonic_ns
    from domain.units import NS_PER_SECOND

    console = Console(stderr=True)
    is_live = console.is_terminal and not console.is_dumb_terminal
    status = stack.enter_context(console.status("connecting")) if is_live else None
    every_ns = (1 if is_live else PLAIN_LINE_SECONDS) * NS_PER_SECOND
    due_ns = [monotonic_ns() + every_ns]

    def beat() -> None:
        now_ns = monotonic_ns()
        if now_ns < due_ns[0]:
            return
        due_ns[0] = now_ns + every_ns
        line = Text(progress_line(recorder))
        if status is not None:
            status.update(line)
        else:
            console.print(line, highlight=False, soft_wrap=True)

    return beat


def progress_line(recorder: "Recorder") -> str:
    """Return how far a recording is, in one line."""
    found = recorder.summary()
    state = "" if recorder.is_up else ", not connected"
    return (
        f"{found['seconds']:,.0f} s, {found['frames']:,} frames of {', '.join(found['coins'])}, "
        f"{found['gaps']} gaps{state}"
    )


def _tell(summary: dict[str, Any]) -> None:
    """Print what was recorded."""
    typer.echo(
        f"{summary['frames']:,} frames in {summary['seconds']:,.1f} s, {summary['bytes'] / MEGABYTE:,.2f} MB in "
        f"{len(summary['files'])} files, {summary['gaps']} gaps"
    )
    typer.echo(", ".join(f"{channel} {count:,}" for channel, count in summary["channels"].items()))
    coin = f" --coin {summary['coins'][0]}" if len(summary["coins"]) > 1 else ""
    typer.echo(f"read it with: hat backtest {summary['out']}{coin}")
