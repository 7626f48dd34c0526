"""`hat ledger` copy, backup, archive, vacuum: each proven equal, and each says when its source is not sound."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.cli_options import ConfigOption, JsonOption, StateOption, UrlOption, configured, print_json
from domain.errors import ConfigInvalid

if TYPE_CHECKING:
    from ledger.store import LedgerStore
    from ledger.store_copy import RunProof
    from ledger.store_sizes import LedgerSize
    from ledger.store_upkeep import LeftOut, OldRun

EXIT_UNSOUND = 1
EXIT_INTERRUPTED = 130

FileOption = Annotated[Path, typer.Option("--to", metavar="FILE", help="SQLite file to write.")]
FromUrlOption = Annotated[str, typer.Option("--from", metavar="URL", help="Ledger to copy, e.g. sqlite:///ledger.db.")]
ToUrlOption = Annotated[
    str,
    typer.Option("--to", metavar="URL", help="Ledger to copy into, made when empty, e.g. postgresql://me@host/name."),
]
OneRunOption = Annotated[str, typer.Option("--run", metavar="RUN", help="Only this run; default: every run.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace a file of that name.")]
BeforeOption = Annotated[str, typer.Option("--before", metavar="DATE", help="UTC date such as 2026-01-01.")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Only say which runs would go.")]
KilledOption = Annotated[
    bool,
    typer.Option("--killed", help="Also runs that never ended and were last heard of before the date; stop the bot."),
]

QuickOption = Annotated[bool, typer.Option("--quick", help="Do not audit what is copied; it is still proven equal.")]
UnsoundOption = Annotated[bool, typer.Option("--unsound", help="Also runs whose audit finds something.")]


def register(ledger_app: typer.Typer) -> None:
    """Add these commands to `hat ledger`."""
    ledger_app.command("copy")(ledger_copy)
    ledger_app.command("backup")(ledger_backup)
    ledger_app.command("archive")(ledger_archive)
    ledger_app.command("vacuum")(ledger_vacuum)


def ledger_copy(
    source: FromUrlOption,
    target: ToUrlOption,
    run_id: OneRunOption = "",
    is_quick: QuickOption = False,
    as_json: JsonOption = False,
) -> None:
    """Copy whole runs between SQLite and PostgreSQL and prove that both ledgers hold the same.

    Rows are copied as they are, so `hat ledger verify` says the same of the copy. A run is committed when seal, chain
    heads, canonical hash and a digest over every row are equal on both sides. A run that is there already is left alone,
    an older copy of it is renewed, other rows under its name are refused; so the command may be repeated. Then the source
    is audited: exit code 1 when it is not sound.

    For example `hat ledger copy --from sqlite:///state/ledger.db --to postgresql://me@localhost/hat`
    """
    from ledger.audit import audit
    from ledger.store_copy import chosen_runs, copy_run, same_database
    from ledger.store_upkeep import target_ledger

    shown: list[dict[str, Any]] = []
    with _interruptible(), _opened(source, read_only=True) as origin, origin.reading() as connection:
        runs = chosen_runs(connection, run_id, every=True)
        with target_ledger(target) as place:
            with place.reading() as other:
                is_same = same_database(connection, other)
            if is_same:
                raise ConfigInvalid("--to", place.place, "another ledger than the one that is copied")
            for run in runs:
                copied = copy_run(connection, place, run)
                shown.append({"outcome": copied.outcome.value, **_proof_shape(copied.proof)})
                if not as_json:
                    _say_proof(copied.proof, copied.outcome.value)
        problems = None if is_quick else len(audit(connection, run_id))
    if as_json:
        print_json({"runs": shown, "problems": problems})
    _say_soundness(problems, quiet=as_json)


def ledger_backup(
    to: FileOption,
    is_forced: ForceOption = False,
    is_quick: QuickOption = False,
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole ledger into one SQLite file, also while the bot trades; proven equal before it gets its name.

    The file is a ledger like any other: `hat ledger verify --url sqlite:///FILE` reads it. It is audited too: exit code 1
    when the ledger is not sound.

    For example `hat ledger backup --to ledger-2026-01-01.db`
    """
    from ledger.audit import audit
    from ledger.store_upkeep import KEY, backup, ledger_file

    problems = None
    with _interruptible():
        with _opened(_url(url, config, state_dir), read_only=True) as store:
            proofs = backup(store, to, force=is_forced, told=None if as_json else _say_proof)
        if not is_quick:
            # The file is proven to hold what the ledger holds, and to audit it holds up nobody who writes.
            with _opened(ledger_file(KEY, to), read_only=True) as kept, kept.reading() as connection:
                problems = len(audit(connection))
    size = to.stat().st_size
    if as_json:
        runs = [_proof_shape(proof) for proof in proofs]
        print_json({"file": str(to), "bytes": size, "runs": runs, "problems": problems})
    else:
        typer.echo(f"{to}  {size:,} bytes, {counted(len(proofs))}")
    _say_soundness(problems, quiet=as_json)


def ledger_archive(
    before: BeforeOption,
    to: FileOption,
    is_dry: DryOption = False,
    with_killed: KilledOption = False,
    with_unsound: UnsoundOption = False,
    url: UrlOption = "",
    config: ConfigOption = None,
    state_dir: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move whole runs that ended before a date into an archive ledger, a SQLite file that may hold others already.

    A run leaves the ledger only after its audit found nothing and the archive is proven to hold it. A run that goes on
    never does. `hat ledger vacuum` gives the space back.

    For example `hat ledger archive --before 2026-01-01 --to archive-2025.db --dry-run`
    """
    from ledger.store_upkeep import archive, left_out, old_runs, refuse_unsound, unsound

    before_ns = _date(before)
    place = _url(url, config, state_dir)
    with _interruptible(), _nobody_trades(config, state_dir, is_asked=with_killed), _opened(place) as store:
        with store.reading() as connection:
            runs = old_runs(connection, before_ns, with_killed=with_killed)
            others = left_out(connection, before_ns, with_killed=with_killed)
        found = {run: len(some) for run, some in unsound(store, runs).items()} if with_unsound and runs else {}
        if is_dry and runs and not with_unsound:
            refuse_unsound(store, runs)
        if not is_dry and runs:
            archive(store, to, runs, told=None if as_json else _say_proof, with_unsound=with_unsound)
    if as_json:
        print_json({"file": str(to), "is_dry_run": is_dry, "runs": runs, "left_out": others, "problems": found})
    else:
        _say_archived(runs, others, found, to, before, is_dry=is_dry)


def _say_archived(
    runs: "list[OldRun]", others: "LeftOut", found: dict[str, int], to: Path, before: str, *, is_dry: bool
) -> None:
    if is_dry:
        for run in runs:
            typer.echo(f"run {run.run}  {run.command}{' (killed)' if run.was_killed else ''}")
    for name, problems in found.items():
        typer.echo(f"run {name} is NOT SOUND: {_problems(problems)}; --unsound takes it all the same")
    if others.never_ended:
        typer.echo(
            f"{counted(others.never_ended)} never ended; --killed takes {'it' if others.never_ended == 1 else 'them'} too"
        )
    if others.going_on:
        verb = "goes" if others.going_on == 1 else "go"
        typer.echo(f"{counted(others.going_on)} {verb} on, or fell silent on {before} or later")
    typer.echo(f"{counted(len(runs))} {'would move' if is_dry else 'moved'} to {to}")


def ledger_vacuum(
    url: UrlOption = "", config: ConfigOption = None, state_dir: StateOption = None, as_json: JsonOption = False
) -> None:
    """Give back the space of archived runs, and show the size before and after.

    SQLite rewrites the file and needs room for it once more; a bot that writes meanwhile waits. PostgreSQL keeps the
    space for new rows.
    """
    from ledger.store_upkeep import vacuum

    with _interruptible(), _opened(_url(url, config, state_dir)) as store:
        found, is_sqlite = vacuum(store), store.is_sqlite
    if as_json:
        print_json({"before": _size_shape(found.before), "after": _size_shape(found.after)})
        return
    for name, count in found.after.rows.items():
        typer.echo(f"{name:<13}{count:>15,} rows")
    typer.echo(f"{'size':<13}{found.before.size:>15,} bytes before, {found.after.size:,} after")
    if found.after.size > found.before.size and not is_sqlite:
        typer.echo("It grew: PostgreSQL notes the free space in maps of its own and keeps that space for new rows.")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have Ctrl-C end a command with one line, after everything it holds was given back."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("hat: interrupted; what was proven stays, the rest was taken back", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _say_soundness(problems: int | None, *, quiet: bool) -> None:
    """Say what an audit of the source found, None when there was none. Exits 1 when it found anything."""
    if problems is None and not quiet:
        typer.echo("not audited (--quick)")
    if problems:
        if not quiet:
            typer.echo(f"NOT SOUND at the source: {_problems(problems)}, `hat ledger verify` names them")
        raise typer.Exit(EXIT_UNSOUND)


def _problems(count: int) -> str:
    return f"{count:,} problem{'' if count == 1 else 's'}"


@contextmanager
def _opened(url: str, *, read_only: bool = False) -> "Iterator[LedgerStore]":
    """Open a ledger and close it."""
    from ledger.store import LedgerStore

    store = LedgerStore(url, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def _url(url: str, config: Path | None, state_dir: Path | None) -> str:
    """Return which ledger is meant. Raises: ConfigInvalid when there is none yet: upkeep makes no new one."""
    from bot.config import ledger_url

    asked = url or ledger_url(configured(config, state_dir))
    with _opened(asked, read_only=True):
        return asked


@contextmanager
def _nobody_trades(config: Path | None, state_dir: Path | None, *, is_asked: bool) -> Iterator[None]:
    """Hold the bot's lock: a run that seems killed may be one that trades on old data. Raises: ConfigInvalid."""
    from bot.state_lock import StateLock

    lock = StateLock(configured(config, state_dir).bot.state_dir) if is_asked else None
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def counted(runs: int) -> str:
    """Return a number of runs in words."""
    return f"{runs:,} run{'' if runs == 1 else 's'}"


def _date(before: str) -> int:
    from ledger.periods import parse_date

    try:
        return parse_date(before)
    except ValueError as error:
        raise ConfigInvalid("--before", before, f"a UTC date ({error})") from None


def _proof_shape(proof: "RunProof") -> dict[str, Any]:
    return {
        "run": proof.run,
        "notices": proof.notices,
        "rows": proof.rows,
        "seal": proof.seal,
        "canonical": proof.canonical,
        "content": proof.content,
        "chains": {name: {"links": links, "head": head} for name, (links, head) in proof.heads.items()},
    }


def _size_shape(size: "LedgerSize") -> dict[str, Any]:
    return {"rows": size.rows, "bytes": size.size}


def _say_proof(proof: "RunProof", outcome: str = "stored") -> None:
    typer.echo(
        f"run {proof.run} {outcome}: {sum(proof.rows.values()):,} rows, equal on both sides, "
        f"seal {proof.seal}, canonical {proof.canonical}"
    )
