"""`hat ledger` reconcile, acknowledge: the ledger against the venue, and a person's word on what differs."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, RunOption, StateOption, UrlOption, configured, print_json

EXIT_DIFFERS = 1
ANSWER_SECONDS = 5
PAUSE_S = 0.1


def register(ledger_app: typer.Typer) -> None:
    """Add these commands to `hat ledger`."""
    ledger_app.command("reconcile")(ledger_reconcile)
    ledger_app.command("acknowledge")(ledger_acknowledge)


def ledger_reconcile(
    venue: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The venue's statement; default: venue.json, which a bot keeps in its state directory.",
        ),
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="An earlier statement: bridge the account value from there, not from nothing."
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say which facts account for each difference, and bridge the account value."),
    ] = False,
    url: UrlOption = "",
    run_id: RunOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the ledger against the venue's own statement: cash, positions, open orders, fills, funding, transfers.

    Both are taken as of the moment of the statement, so it works while the bot runs and after. Exits 0 when they agree
    and 1 when they differ.
    """
    from bot.config import ledger_url
    from bot.reconciling import reconciled, reconciliation_shape, reconciliation_view
    from bot.show import print_view
    from bot.venue_file import NAME
    from ledger.store import LedgerStore

    settings = configured(config, state_dir)
    store = LedgerStore(url or ledger_url(settings), read_only=True)
    try:
        found = reconciled(store, venue or settings.bot.state_dir / NAME, run_id, since)
    finally:
        store.close()
    shape = reconciliation_shape(found)
    if as_json:
        print_json(shape)
    else:
        print_view(reconciliation_view(shape, explain=explain))
    if not found.is_agreed:
        raise typer.Exit(EXIT_DIFFERS)


def ledger_acknowledge(
    reason: Annotated[str, typer.Argument(metavar="WHY", help="Why it is taken on: one line, kept in the ledger.")],
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the running bot that you looked at what nobody can explain and take it on: it may add risk again.

    Look first: `hat ledger reconcile --explain`. The act is journaled, and your words stand in the ledger.
    """
    from time import sleep

    from bot.asking import ask_status, running_url
    from bot.operator_acts import ACKNOWLEDGE, Act, post

    directory = configured(config, state_dir).bot.state_dir
    address = running_url(directory)
    place = post(directory, Act(act=ACKNOWLEDGE, detail=reason))
    waited = 0.0
    while place.exists() and waited < ANSWER_SECONDS:
        sleep(PAUSE_S)
        waited += PAUSE_S
    is_taken = not place.exists()
    status = ask_status(address)
    blocked = str(status.get("blocked", ""))
    if as_json:
        print_json({"taken": is_taken, "mode": status["mode"], "blocked": blocked})
    elif not is_taken:
        typer.echo(f"handed over: {place} waits until the bot looks, mode {status['mode']}")
    else:
        typer.echo(f"taken by the bot: mode {status['mode']}{f'; {blocked}' if blocked else ''}")
