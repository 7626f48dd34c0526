"""`hat ledger` verify."""

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli_options import ConfigOption, JsonOption, StateOption, UrlOption, configured, print_json
from domain.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from ledger.audit import Problem
    from ledger.store import LedgerStore

EXIT_UNSOUND = 1
SEAL = re.compile(r"[0-9a-f]{64}")


def register(ledger_app: typer.Typer) -> None:
    """Add these commands to `hat ledger`."""
    ledger_app.command("verify")(ledger_verify)


def ledger_verify(
    run_id: Annotated[str, typer.Option("--run", metavar="RUN", help="Only this run; default: all of them.")] = "",
    url: UrlOption = "",
    seal: Annotated[
        str,
        typer.Option(metavar="HEX", help="A seal noted earlier: what this run (default: any one) must carry now."),
    ] = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove the ledger: hash chains, balances, orders, the venue's chain of fills, funding; also while the bot runs.

    Names every row that was changed, is missing or does not add up. Exits 0 when the ledger is sound and 1 when it is
    not. Whoever can write the database can forge it whole, or delete a whole run: note the seal of a run somewhere else
    and give it as --seal.

    For example `hat ledger verify --run 5f3c5e2a9d1b7c04 --seal 9c2f99…`
    """
    from bot.config import ledger_url
    from ledger.store import LedgerStore

    if seal and not SEAL.fullmatch(seal.lower()):
        raise ConfigInvalid("--seal", seal[:80], "64 hex digits, as `hat ledger verify` prints them")
    store = LedgerStore(url or ledger_url(configured(config, state_dir)), read_only=True)
    try:
        with ExitStack() as stack:
            found = proven(store, run_id, seal.lower(), _progress(stack, quiet=as_json))
    finally:
        store.close()
    if as_json:
        print_json(found)
    else:
        _print(found)
    if not found["is_sound"]:
        raise typer.Exit(EXIT_UNSOUND)


def proven(
    store: "LedgerStore", run_id: str, seal: str, progress: "Callable[[int, int], None] | None" = None
) -> dict[str, Any]:
    """Return what an audit found, as plain data: by run its links, seal and canonical hash, and every problem.

    Raises: ConfigInvalid for a run the ledger does not hold, and for a seal where there is no run.
    """
    from ledger.audit_reading import as_stored

    with store.reading() as connection:
        return as_stored(connection, lambda: _proven(connection, store.place, run_id, seal, progress))


def _proven(
    connection: "Connection", place: str, run_id: str, seal: str, progress: "Callable[[int, int], None] | None"
) -> dict[str, Any]:
    from ledger.audit import audit, run_ids
    from ledger.canonical import canonical_hash, chain_heads, stored_seal

    known = run_ids(connection)
    if (run_id and run_id not in known) or (seal and not known):
        expected = f"one of {', '.join(known[-5:])}" if known else "a ledger that holds a run"
        raise ConfigInvalid("--run", run_id or "newest", expected)
    problems = audit(connection, run_id, progress)
    problems += _unlike_seal(connection, run_id, known, seal)
    unsound = {problem.run for problem in problems}
    runs = []
    for run in [run_id] if run_id else known:
        is_sound = run not in unsound
        runs.append(
            {
                "run_id": run,
                "is_sound": is_sound,
                "links": {name: links for name, (links, _) in sorted(chain_heads(connection, run).items())},
                "seal": stored_seal(connection, run),
                # Of rows that were tampered with it says nothing.
                "canonical_hash": canonical_hash(connection, run) if is_sound else "",
            }
        )
    return {
        "is_sound": not problems,
        "ledger": place,
        "runs": runs,
        "problems": [
            {"run_id": one.run, "table": one.table, "subject": one.subject, "problem": one.problem} for one in problems
        ],
        "sentences": [problem.sentence for problem in problems],
    }


def _unlike_seal(connection: "Connection", run_id: str, known: list[str], seal: str) -> "list[Problem]":
    """Return what is wrong when the run (none named: every run) carries another seal than the one that was noted."""
    from ledger.audit import Problem
    from ledger.canonical import stored_seal

    carried = {run: stored_seal(connection, run) for run in ([run_id] if run_id else known)}
    if not seal or seal in carried.values():
        return []
    if run_id:
        return [Problem(run_id, "cursors", "", f"the seal is {carried[run_id]}, the one noted was {seal}")]
    return [Problem("", "cursors", "", f"no run carries the seal {seal}: its run was changed or deleted whole")]


def _progress(stack: ExitStack, *, quiet: bool) -> "Callable[[int, int], None] | None":
    """Show on a terminal how far the audit is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = stack.enter_context(Progress(*columns, console=console, transient=True))
    task = shown.add_task("proving rows", total=None)
    return lambda done, total: shown.update(task, completed=done, total=total)


def _print(found: dict[str, Any]) -> None:
    """Print one line a run and one a problem."""
    for run in found["runs"]:
        rows = sum(run["links"].values())
        verdict = "sound" if run["is_sound"] else "NOT SOUND"
        said = ", ".join(f"{name} {links:,}" for name, links in run["links"].items() if name != "runs")
        canonical = f", canonical {run['canonical_hash']}" if run["canonical_hash"] else ""
        print(f"run {run['run_id']}: {verdict}, {rows:,} links ({said}), seal {run['seal']}{canonical}")
    for sentence in found["sentences"]:
        print(sentence)
    if found["is_sound"]:
        print(f"{found['ledger']}: everything adds up")
    else:
        print(f"{found['ledger']}: not sound, {len(found['sentences']):,} found")
