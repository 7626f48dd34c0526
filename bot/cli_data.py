"""`hat data`: market data from the venue's public archive and its API, and what lies in a folder.

Register with `app.add_typer(cli_data.data_app, name="data")`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli_options import JsonOption, print_json

if TYPE_CHECKING:
    from bot.history import Question
    from bot.history_files import Kind

EXIT_STOPPED = 3

data_app = typer.Typer(
    help="Market data for backtests: `hat data download l2 --coin BTC --from 2026-01-31`, then `hat backtest data`.",
    no_args_is_help=True,
)
download_app = typer.Typer(
    help="Download market data; a download that was stopped goes on where it was.\n\n"
    "`l2`, `ctxs`, `fills` and `trades` come from Hyperliquid's archive on Amazon S3, where **the caller pays** for the "
    "transfer: it takes AWS credentials, and `--yes` once you have seen the cost. `candles` and `funding` come from the "
    "venue's API and cost nothing.\n\n"
    "For a backtest take `l2` of a coin, `fills` and `ctxs` of the same hours into one folder.",
    no_args_is_help=True,
)
data_app.add_typer(download_app, name="download")

CoinsOption = Annotated[
    list[str], typer.Option("--coin", metavar="COIN", help="A coin, e.g. BTC or kPEPE; several times, or BTC,ETH.")
]
FromOption = Annotated[
    str, typer.Option("--from", metavar="TIME", help="First day (2026-01-31) or hour (2026-01-31T09), UTC.")
]
ToOption = Annotated[
    str, typer.Option("--to", metavar="TIME", help="Last day or hour, included; default: the one of --from.")
]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to fill; default: ./data.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Pay Amazon for the transfer.")]
TestnetOption = Annotated[bool, typer.Option("--testnet", help="The archive of the test network.")]
EndpointOption = Annotated[
    str, typer.Option("--endpoint-url", metavar="URL", help="Another S3 than Amazon's, e.g. a mirror.")
]
ParallelOption = Annotated[int, typer.Option("--parallel", metavar="N", help="Files at once, 1 to 32.")]
NetworkOption = Annotated[
    str,
    typer.Option(
        "--network", metavar="PLACE", help="Who is asked: mainnet, testnet, local (`hat venue`) or a base URL."
    ),
]
OUT = Path("data")
PARALLEL = 4


@download_app.command("l2")
def download_l2(
    coin: CoinsOption,
    first: FromOption,
    last: ToOption = "",
    out: OutOption = OUT,
    yes: YesOption = False,
    testnet: TestnetOption = False,
    parallel: ParallelOption = PARALLEL,
    endpoint_url: EndpointOption = "",
    as_json: JsonOption = False,
) -> None:
    """Order books: 20 levels about twice a second, a file per coin and hour, since 2023-04-15. BTC is about 1 MB an hour.

    For example `hat data download l2 --coin BTC --from 2026-01-30 --to 2026-01-31 --yes`
    """
    from bot.data_spans import parse_coins

    _from_archive("l2", parse_coins(coin), first, last, out, yes, testnet, parallel, endpoint_url, as_json)


@download_app.command("ctxs")
def download_ctxs(
    first: FromOption,
    last: ToOption = "",
    out: OutOption = OUT,
    yes: YesOption = False,
    testnet: TestnetOption = False,
    parallel: ParallelOption = PARALLEL,
    endpoint_url: EndpointOption = "",
    as_json: JsonOption = False,
) -> None:
    """Mark and oracle prices, funding and open interest by the minute, all coins in a file per day, since 2023-05-20.

    For example `hat data download ctxs --from 2026-01-31 --yes`
    """
    _from_archive("ctxs", [], first, last, out, yes, testnet, parallel, endpoint_url, as_json)


@download_app.command("fills")
def download_fills(
    first: FromOption,
    last: ToOption = "",
    out: OutOption = OUT,
    yes: YesOption = False,
    parallel: ParallelOption = PARALLEL,
    endpoint_url: EndpointOption = "",
    as_json: JsonOption = False,
) -> None:
    """Every trade with both its sides, all coins in a file per hour, since 2025-05-25. About 1 GB a day.

    For example `hat data download fills --from 2026-01-31T09 --to 2026-01-31T12 --yes`
    """
    _from_archive("fills", [], first, last, out, yes, False, parallel, endpoint_url, as_json)


@download_app.command("trades")
def download_trades(
    first: FromOption,
    last: ToOption = "",
    out: OutOption = OUT,
    yes: YesOption = False,
    parallel: ParallelOption = PARALLEL,
    endpoint_url: EndpointOption = "",
    as_json: JsonOption = False,
) -> None:
    """Trades of the months before there were fills: 2025-03-22 to about June 2025, all coins in a file per hour.

    For example `hat data download trades --from 2025-04-01 --yes`
    """
    _from_archive("trades", [], first, last, out, yes, False, parallel, endpoint_url, as_json)


def _from_archive(
    kind: str,
    coins: list[str],
    first: str,
    last: str,
    out: Path,
    yes: bool,
    testnet: bool,
    parallel: int,
    endpoint_url: str,
    as_json: bool,
) -> None:
    from bot.data_spans import parse_hours
    from bot.downloading import Asked, download_archive
    from bot.show import print_view
    from bot.show_data import archive_view
    from bot.stop_flag import stop_flag

    asked = Asked(
        kind=kind,
        coins=coins,
        hours=parse_hours(first, last),
        out=out,
        is_testnet=testnet,
        is_paid=yes,
        endpoint_url=endpoint_url,
        parallel=parallel,
    )

    def tell(shape: dict[str, Any]) -> None:
        if not as_json:
            print_view(archive_view(shape))

    shape = download_archive(asked, stop_flag(), quiet=as_json, tell=tell)
    if as_json:
        print_json(shape)
    else:
        print_view(archive_view(shape))
    _end(is_stopped=shape["is_stopped"], as_json=as_json)


@download_app.command("candles")
def download_candles(
    coin: CoinsOption,
    interval: Annotated[
        list[str],
        typer.Option(
            "--interval",
            metavar="LENGTH",
            help="1m 3m 5m 15m 30m 1h 2h 4h 8h 12h 1d 3d 1w 1M; several times, or 1m,1h; default: 1h.",
        ),
    ] = ["1h"],  # noqa: B006 - Typer reads it, nobody writes to it
    first: FromOption = "",
    last: ToOption = "",
    out: OutOption = OUT,
    network: NetworkOption = "mainnet",
    as_json: JsonOption = False,
) -> None:
    """Candles to candles/COIN_INTERVAL.parquet. The venue keeps the last 5,000 of each interval: 1m is three days.

    Run it again to continue a file: only what is new is asked for.

    For example `hat data download candles --coin BTC,ETH --interval 1m,1h`
    """
    from bot.data_spans import parse_coins
    from bot.downloading import candle_questions

    lengths = [length for text in interval for length in text.split(",")]
    _from_venue(candle_questions(parse_coins(coin), lengths, out), network, first, last, as_json)


@download_app.command("funding")
def download_funding(
    coin: CoinsOption,
    first: FromOption = "",
    last: ToOption = "",
    out: OutOption = OUT,
    network: NetworkOption = "mainnet",
    as_json: JsonOption = False,
) -> None:
    """Settled funding rates to funding/COIN.parquet, from the first day of a coin on, hour by hour.

    Run it again to continue a file: only what is new is asked for.

    For example `hat data download funding --coin BTC --from 2025-01-01`
    """
    from bot.data_spans import parse_coins
    from bot.downloading import funding_questions

    _from_venue(funding_questions(parse_coins(coin), out), network, first, last, as_json)


def _from_venue(
    questions: Sequence[tuple["Question", "Kind", Path]], network: str, first: str, last: str, as_json: bool
) -> None:
    from bot.data_spans import parse_moment_ms
    from bot.downloading import download_history
    from bot.show import print_view
    from bot.show_data import history_view
    from bot.stop_flag import stop_flag

    start_ms = parse_moment_ms("--from", first, is_end=False) if first else None
    end_ms = parse_moment_ms("--to", last, is_end=True) if last else None
    shape = download_history(questions, network, (start_ms, end_ms), stop_flag(), quiet=as_json)
    if as_json:
        print_json(shape)
    else:
        print_view(history_view(shape["files"]))
    _end(is_stopped=shape["is_stopped"], as_json=as_json)


def _end(*, is_stopped: bool, as_json: bool) -> None:
    if is_stopped:
        if not as_json:
            typer.echo("Stopped; the same command goes on from here.", err=True)
        raise typer.Exit(EXIT_STOPPED)


@data_app.command("list")
def data_list(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of downloads.")] = OUT,
    as_json: JsonOption = False,
) -> None:
    """List what lies in a folder of downloads: kinds, coins, sizes, spans, and the hours that are missing between.

    For example `hat data list data`
    """
    from bot.data_list import held_in, shape_of
    from bot.show import print_view
    from bot.show_data import held_view

    shapes = [shape_of(held) for held in held_in(folder)]
    if as_json:
        print_json({"folder": str(folder), "held": shapes})
    else:
        print_view(held_view(str(folder), shapes))
