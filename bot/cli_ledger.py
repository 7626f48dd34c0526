"""`hat ledger`: what the trade ledger holds. Its other commands register themselves from the cli_ledger_* files."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli_options import ConfigOption, JsonOption, RunOption, StateOption, UrlOption, configured, print_json
from domain.errors import ConfigInvalid

ledger_app = typer.Typer(help="Read and prove the trade ledger: `hat ledger summary`.", no_args_is_help=True)


@ledger_app.command("summary")
def ledger_summary(
    url: UrlOption = "",
    run_id: RunOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show orders, fills and P&L by cause of one run, from its postings; also while the bot runs.

    For example:

    - `hat ledger summary` is the newest run of ./state

    - `hat ledger summary --run 5f3c5e2a9d1b7c04 --json`

    - `hat ledger summary --state-dir state/backtests/DATA` is the last backtest of DATA
    """
    from bot.opened_ledger import needs_runs, opened_ledger
    from bot.show import ledger_shape, ledger_view, print_view

    with opened_ledger(url, configured(config, state_dir)) as store:
        known = needs_runs(store)
        statement = store.statement(run_id or known[-1])
        if statement is None:
            raise ConfigInvalid("--run", run_id, f"one of {', '.join(known[-5:])}")
        shape = ledger_shape(statement)
    if as_json:
        print_json(shape)
    else:
        print_view(ledger_view(shape))


@ledger_app.command("rebuild")
def ledger_rebuild(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal, e.g. state/journal/RUN.journal.")],
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the ledger up to a journal: what a killed bot had decided but not yet stored.

    The engine runs over the journal again and must have every wish the journal holds, byte for byte. What is stored
    already is passed over; an empty database gets the whole run, with the same seal.

    For example `hat ledger rebuild state/journal/5f3c5e2a9d1b7c04.journal --url sqlite:///again.db`
    """
    from bot.config import ledger_url
    from bot.rebuilding import rebuild
    from ledger.store import LedgerStore

    store = LedgerStore(url or ledger_url(configured(config, state_dir)))
    try:
        done = rebuild(journal, store)
    finally:
        store.close()
    if as_json:
        print_json(done)
        return
    cut = f"; left out at the end: {done.cut_off}" if done.cut_off else ""
    print(
        f"run {done.run_id}: {done.events:,} events gave the {done.commands:,} wishes of the journal and "
        f"{done.notices:,} notices, {done.notices_new:,} of them new to {store.place}{cut}"
    )
