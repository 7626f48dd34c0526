"""`hat doctor` and `hat check connectivity`: what stands between this configuration and its first order."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, StateOption, configured, print_json
from domain.errors import HouseError

if TYPE_CHECKING:
    from bot.findings import Finding

check_app = typer.Typer(
    help="Check the way to venue, database and collector: `hat check connectivity`.", no_args_is_help=True
)

NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network", metavar="NAME", help="simulated, local, testnet or mainnet; default: the configured one."
    ),
]
AccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="ADDRESS", help="The account to ask about; default: the configured one."),
]
TimeoutOption = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=60.0, help="Of each step.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("doctor")(doctor)
    app.add_typer(check_app, name="check")


def doctor(
    config: ConfigOption = None,
    network: NetworkOption = None,
    account: AccountOption = None,
    state_dir: StateOption = None,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Examine everything before the first order: one line per check, with the fix where there is one.

    Configuration, disk, database, key and agent, clock, account, balance, sizes, leverage, rate budget. Nothing is
    signed and no secret is shown. All checks run, however the earlier ones went. Exit 0 all well, 1 warnings, 2 failed.

    For example:

    - `hat doctor` examines what hat.toml would run

    - `hat doctor --network testnet --account 0x… --json` is for scripts
    """
    from bot import doctor as examination
    from bot.cli_key import asked_passphrase
    from bot.clock import now_ns
    from bot.findings import exit_code, shape

    try:
        settings = configured(config, state_dir, network={"name": network, "account": account})
    except HouseError as error:
        findings = examination.unreadable(error)
    else:
        ask = None if as_json else asked_passphrase()
        findings = examination.examine(settings, now_ns, file=config, ask=ask, timeout_seconds=timeout)
    if as_json:
        print_json(shape(findings))
    else:
        _show(findings)
    raise typer.Exit(exit_code(findings))


def _show(findings: "list[Finding]") -> None:
    """Print a table to a person, a line per check to a pipe."""
    from rich.console import Console

    from bot.findings import lines, summary, table

    console = Console()
    if console.is_terminal:
        console.print(table(findings))
    else:
        typer.echo("\n".join([*lines(findings), summary(findings)]))


@check_app.command("connectivity")
def connectivity(
    config: ConfigOption = None,
    network: NetworkOption = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Base URL of network local, e.g. http://127.0.0.1:3001.")
    ] = None,
    coin: Annotated[str | None, typer.Option("--coin", metavar="SYMBOL", help="Whose book is asked for.")] = None,
    timeout: TimeoutOption = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Try the way to the venue step by step: name, TCP, TLS, HTTP, WebSocket, first book; then database and collector.

    Needs no key and no account. Exit 0 healthy, 1 degraded, 2 unhealthy.

    For example `hat check connectivity --network testnet`
    """
    from bot.connectivity import EXIT_CODES, check_connectivity

    settings = configured(config, network={"name": network, "url": url}, market={"instruments": coin})
    report = check_connectivity(settings, timeout)
    if as_json:
        print_json(report.shape())
    else:
        typer.echo("\n".join(report.lines()))
    raise typer.Exit(EXIT_CODES[report.status])
