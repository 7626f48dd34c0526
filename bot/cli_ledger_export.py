"""`hat ledger export`: the ledger for spreadsheets, data frames and plain-text accounting."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, RunOption, StateOption, UrlOption, configured, print_json

FormatOption = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="csv, parquet (a folder of tables) or beancount (one file).")
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="PLACE", help="Folder for csv and parquet, file for beancount.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Every run, not only one.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files of that name.")]


def register(ledger_app: typer.Typer) -> None:
    """Add this command to `hat ledger`."""
    ledger_app.command("export")(ledger_export)


def ledger_export(
    out: OutOption,
    form: FormatOption = "csv",
    run_id: RunOption = "",
    is_every: AllOption = False,
    is_forced: ForceOption = False,
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write fills, funding, orders, transactions, postings, markouts and marks as other programs read them.

    Amounts are exact decimals of USDC and base units, times are nanoseconds and UTC. beancount makes one file that
    `bean-check` accepts, with a balance assertion for every account. One consistent moment, also while the bot runs.

    For example:

    - `hat ledger export --format parquet --out tables --all`

    - `hat ledger export --format beancount --out hat.beancount`
    """
    from bot.config import ledger_url
    from bot.export_files import Format, export
    from domain.errors import ConfigInvalid
    from ledger.store import LedgerStore
    from ledger.store_copy import chosen_runs

    if form not in set(Format):
        raise ConfigInvalid("--format", form, f"one of {', '.join(Format)}")
    store = LedgerStore(url or ledger_url(configured(config, state_dir)), read_only=True)
    try:
        with store.reading() as connection:
            runs = chosen_runs(connection, run_id, every=is_every)
            files = export(connection, runs, Format(form), out, force=is_forced)
    finally:
        store.close()
    if as_json:
        print_json({"runs": runs, "files": files})
        return
    for file in files:
        typer.echo(f"{file.path}  {file.rows:,} {'lines' if form == Format.BEANCOUNT else 'rows'}")
