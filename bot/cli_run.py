"""`hat run`: the bot, on paper or on a venue, with what a person sees of it."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli_options import CoinOption, ConfigOption, JsonOption, StateOption, configured, print_json
from bot.stop_flag import stop_flag
from domain.errors import ConfigInvalid

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.config import HatConfig

PLAIN_LINE_SECONDS = 10
LIVE_REFRESHES_PER_SECOND = 4


ForOption = Annotated[
    str,
    typer.Option("--for", metavar="TIME", help="Market time to trade: 500ms, 60s, 5m, 1h, 2d; default: no end."),
]
SpeedOption = Annotated[
    str, typer.Option(metavar="FACTOR", help="Times real time: 1, 10, 0.5, or max for as fast as it goes.")
]
ReplayOption = Annotated[
    Path | None,
    typer.Option(metavar="DATA", help="Trade on recorded data (a file or folder) instead of the synthetic market."),
]
NetworkOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where orders go: simulated (paper, the default), local (a `hat venue`), testnet, or mainnet.",
    ),
]
AccountOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="The account that trades on local or testnet; mainnet's is typed in hat.toml."
    ),
]
ConfirmOption = Annotated[
    bool, typer.Option("--confirm-mainnet", help="Yes, real money: needed beside network mainnet.")
]
PortOption = Annotated[
    int | None,
    typer.Option(help="Port of /metrics, /health and /status; 0 takes a free one; default: 8080."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run")(run)


def run(
    config: ConfigOption = None,
    for_: ForOption = "",
    speed: SpeedOption = "1",
    replay: ReplayOption = None,
    coin: CoinOption = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the synthetic market and the simulated venue; default: 1.")
    ] = None,
    port: PortOption = None,
    network: NetworkOption = None,
    account: AccountOption = None,
    confirm_mainnet: ConfirmOption = False,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trade: on paper unless told, with the real engine, risk, router and ledger wherever it is.

    Ctrl-C, SIGTERM or closing the terminal stops quoting, cancels every order, flushes and exits 0.

    For example:

    - `hat run --for 60s` trades the synthetic market for a minute, then prints P&L by cause

    - `hat run --for 5m --speed 10 --seed 7` is another market, ten times as fast

    - `hat run --replay DATA --coin BTC --speed max` trades on recorded data

    - `HAT_AGENT_KEY=0x… hat run --network local --account 0x…` trades on a `hat venue`, over the wire
    """
    from bot.config_sections import NetworkName

    if network == NetworkName.MAINNET.value and account:
        raise ConfigInvalid("--account", account, "network.account in the configuration: mainnet's is typed there")
    settings = configured(
        config,
        state_dir,
        bot={"seed": seed},
        monitoring={"port": port},
        market={"instruments": None if replay else coin},
        network={"name": network, "account": account},
    )
    if settings.network.name is NetworkName.SIMULATED:
        _on_paper(settings, for_, speed, replay, coin, as_json=as_json)
        return
    for option, value, default in (("--replay", replay, None), ("--speed", speed, "1")):
        if value != default:
            raise ConfigInvalid(option, str(value), f"left out: on {settings.network.name} the market is the venue's")
    _on_a_venue(settings, for_, confirm_mainnet=confirm_mainnet, as_json=as_json)


def _on_paper(
    settings: "HatConfig", for_: str, speed: str, replay: Path | None, coin: str | None, *, as_json: bool
) -> None:
    from bot.clock import now_ns
    from bot.durations import parse_duration, parse_speed
    from bot.markets import recorded_market, synthetic_market
    from bot.paper import PaperBot

    duration_ns = parse_duration(for_) if for_ else None
    factor = parse_speed(speed)
    market = recorded_market(replay, coin) if replay else synthetic_market(settings, now_ns())
    bot = PaperBot(settings, market)
    stop = stop_flag()

    def trade(refresh: Callable[[], None] | None) -> dict[str, Any]:
        return bot.run(speed=factor, for_ns=duration_ns, stop=stop, refresh=refresh)

    _shown(bot, trade, market.notes, as_json=as_json)


def _on_a_venue(settings: "HatConfig", for_: str, *, confirm_mainnet: bool, as_json: bool) -> None:
    from bot.durations import parse_duration
    from bot.live_bot import LiveBot, way_of

    duration_ns = parse_duration(for_) if for_ else None
    bot = LiveBot(settings, way_of(settings, confirm_mainnet=confirm_mainnet))
    stop = stop_flag()

    def trade(refresh: Callable[[], None] | None) -> dict[str, Any]:
        return bot.run(for_ns=duration_ns, stop=stop, refresh=refresh)

    _shown(bot, trade, (), as_json=as_json)


def _shown(
    bot: "Bot",
    trade: Callable[[Callable[[], None] | None], dict[str, Any]],
    notes: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Let the bot trade in sight of a person, then print what came of it."""
    from bot.show import print_view, summary_view

    with ExitStack() as stack:
        summary = trade(_watched(bot, stack, as_json=as_json))
    summary["notes"] = [*notes, *summary.get("notes", ())]
    if as_json:
        print_json(summary)
    else:
        print_view(summary_view(summary))


def _watched(bot: "Bot", stack: ExitStack, *, as_json: bool) -> Any:
    """Show the bot while it runs: a live view on a terminal, a plain line now and then otherwise."""
    from rich.console import Console
    from rich.live import Live

    from bot.clock import monotonic_ns
    from bot.live import live_view, plain_line
    from bot.revision import code_version
    from domain.units import NS_PER_SECOND

    console = Console(stderr=True)
    if console.is_terminal and not console.is_dumb_terminal and not as_json:
        view = live_view(bot.status, f"hat, on {bot.place}")
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
