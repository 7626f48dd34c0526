"""`hat ledger export`: the ledger for spreadsheets, data frames and plain-text accounting."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, RunOption, StateOption, UrlOption, configured, print_json

FormatOption = Annotated[
    str, typer.Option("--format", metavar="FORMAT", help="csv, parquet (a folder of tables) or beancount (one file).")
]
OutOption = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="PLACE",
        help="Folder for csv and parquet, made when its parent is there; file for beancount. Not `-`.",
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every run, not only one.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace files of that name; never a ledger, another database or a journal.")
]


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
    `bean-check` accepts, with a balance assertion for every account. One consistent moment, also while the bot runs; files
    appear when all of them are whole.

    For example:

    - `hat ledger export --format parquet --out tables --all`

    - `hat ledger export --format beancount --out hat.beancount`
    """
    from bot.export_files import Format, export
    from bot.opened_ledger import needs_runs, opened_ledger
    from domain.errors import ConfigInvalid
    from ledger.store_copy import chosen_runs

    if form not in set(Format):
        raise ConfigInvalid("--format", form, f"one of {', '.join(Format)}")
    with opened_ledger(url, configured(config, state_dir)) as store:
        if not run_id:
            needs_runs(store)
        with store.reading() as connection:
            runs = chosen_runs(connection, run_id, every=is_every)
            files = export(connection, runs, Format(form), out, force=is_forced, ledger_file=store.file)
    if as_json:
        print_json({"runs": runs, "files": files})
        return
    for file in files:
        typer.echo(f"{file.path}  {file.rows:,} {'lines' if form == Format.BEANCOUNT else 'rows'}")
