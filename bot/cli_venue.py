"""`hat venue`: the simulated venue behind Hyperliquid's own wire, for any client, the official SDK included."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import JsonOption, print_json

MarketOption = Annotated[
    str,
    typer.Option(
        metavar="WHERE",
        help="synthetic: a seeded market; participants: only what its clients trade with each other; or recorded "
        "data, a file or folder.",
    ),
]
CoinsOption = Annotated[
    str,
    typer.Option(
        metavar="LIST",
        help="What is listed, in the order of the asset ids; default: BTC,ETH,SOL, or all that was recorded.",
    ),
]
AccountsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="accounts.toml: who has money when the venue opens.")
]
DemoOption = Annotated[
    bool,
    typer.Option(
        "--demo",
        help="Open one funded account and print {url, account, secret_key} when ready. The key follows from the "
        "seed: everybody knows it, use it nowhere else.",
    ),
]
MisfortuneOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML with what goes wrong how often; see docs/VENUE.md. Also /control."),
]
LogOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Request log: one JSON line per request.")]
LimitsOption = Annotated[
    bool, typer.Option("--limits/--no-limits", help="Whether requests are limited as at the real venue.")
]
TrustOption = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Verify no signatures: everybody acts as this account.")
]
SpeedOption = Annotated[str, typer.Option(metavar="FACTOR", help="How fast recorded data is played: 1, 10, 0.5.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("venue")(venue)


def venue(
    port: Annotated[int, typer.Option(help="Port of HTTP, WebSocket and /metrics; 0 takes a free one.")] = 3001,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless told.")] = "127.0.0.1",
    market: MarketOption = "synthetic",
    coins: CoinsOption = "",
    speed: SpeedOption = "1",
    seed: Annotated[int, typer.Option(help="Seed of the market, of misfortune and of the demo account.")] = 1,
    accounts: AccountsOption = None,
    demo: DemoOption = False,
    misfortune: MisfortuneOption = None,
    log: LogOption = None,
    limits: LimitsOption = True,
    trust: TrustOption = "",
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="Close after 60s, 5m, 1h; default: no end.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Run a venue on this machine that speaks Hyperliquid's wire: orders, margin, funding, liquidation, refusals.

    Point any client at it: for the official SDK the base URL is http://127.0.0.1:3001. Signatures are verified as on
    the test network. POST /control/misfortune makes it lose answers, drop sockets or refuse, while you watch.

    For example:

    - `hat venue --demo` opens a funded account and prints its key: trade with the official SDK in a minute

    - `hat venue --market participants --coins BTC --accounts accounts.toml` lets accounts trade with each other

    - `hat venue --market DATA --coins BTC --speed 10` plays a recording ten times as fast
    """
    from bot.clock import now_ns
    from bot.durations import parse_duration, parse_speed
    from bot.venue_process import VenueWishes, serve

    wishes = VenueWishes(
        host=host,
        port=port,
        market=market,
        coins=tuple(part.strip() for part in coins.split(",") if part.strip()),
        speed=parse_speed(speed),
        seed=seed,
        accounts=accounts,
        demo=demo,
        misfortune=misfortune,
        log=log,
        limits=limits,
        trusted=trust,
        for_ns=parse_duration(for_) if for_ else None,
    )

    def ready(shape: dict[str, str]) -> None:
        if demo or as_json:
            print_json(shape)
        say(f"{shape['url']}, market {market}, Ctrl-C closes it")

    def say(text: str) -> None:
        typer.echo(f"hat venue: {text}", err=True)

    serve(wishes, now_ns, ready, say)
