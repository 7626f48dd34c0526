"""`hat ledger` reconcile, acknowledge: the ledger against the venue, and a person's word on what differs."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, RunOption, StateOption, UrlOption, configured, print_json

EXIT_DIFFERS = 1
EXIT_NOT_TAKEN = 2


def register(ledger_app: typer.Typer) -> None:
    """Add these commands to `hat ledger`."""
    ledger_app.command("reconcile")(ledger_reconcile)
    ledger_app.command("acknowledge")(ledger_acknowledge)


def ledger_reconcile(
    venue: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The venue's statement; default: the one the bot kept in its state directory, venue/RUN.json for the "
            "run that is asked for, else venue.json, the newest.",
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
    is_every: Annotated[bool, typer.Option("--all", help="Show every difference, not only the first 20.")] = False,
    url: UrlOption = "",
    run_id: RunOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the ledger against the venue's own statement: cash, positions, open orders, fills, funding, transfers.

    Both are taken as of the moment of the statement, so it works while the bot runs and after. Exits 0 when they agree,
    1 when they differ and 2 when there is nothing to compare. A backtest has no venue statement.

    For example:

    - `hat ledger reconcile --explain` holds the newest run against what its venue said last

    - `hat ledger reconcile --run 5f3c5e2a9d1b7c04 --all` shows every difference of an older run

    - `hat ledger reconcile --venue statement.json --json`
    """
    from bot.opened_ledger import opened_ledger
    from bot.reconciling import reconciled, reconciliation_shape, reconciliation_view, statement_place
    from bot.show import print_view

    settings = configured(config, state_dir)
    with opened_ledger(url, settings) as store:
        place = venue or statement_place(store, settings.bot.state_dir, run_id)
        found = reconciled(store, place, run_id, since)
        shape = reconciliation_shape(found)
    if as_json:
        print_json(shape)
    else:
        print_view(reconciliation_view(shape, explain=explain, every=is_every))
    if not found.is_agreed:
        raise typer.Exit(EXIT_DIFFERS)


def ledger_acknowledge(
    reason: Annotated[str, typer.Argument(metavar="WHY", help="Why it is taken on: one line, kept in the ledger.")],
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell the running bot that you looked at what nobody can explain and take it on: it may add risk again.

    Look first: `hat ledger reconcile --explain`. The act is journaled, and your words stand in the ledger. Exits 0 when
    the bot took it, when there was nothing to take and when it waits for the bot to look (--json says which), and 2 when
    no bot runs, or it looked and did not take it: first the venue must confirm the difference by a second statement.

    For example `hat ledger acknowledge "ticket 12: the deposit of Monday, told by the venue's support"`
    """
    from bot.acknowledging import acknowledge

    done = acknowledge(configured(config, state_dir).bot.state_dir, reason)
    if as_json:
        print_json({"taken": done.is_taken, "mode": done.mode, "blocked": done.blocked, "said": done.said})
    else:
        typer.echo(done.said)
    if done.is_refused:
        raise typer.Exit(EXIT_NOT_TAKEN)
