"""Files a command writes where its user said: whole or not at all, and never over a ledger or a journal.

Why it exists: `--out` is typed by hand, and `--force` means "replace my last export", never "replace my books".

Laws: what may be overwritten is a plain file that is neither a database nor a journal; a file gets its name when all of
it is there; a failure or Ctrl-C leaves nothing behind.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import TextIO

from domain.errors import ConfigInvalid
from engine.journal import Kind
from ledger.store_files import absent, whole_file

KEY = "--out"
TAILS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database: as much a part of it as the file itself."""

SQLITE_START = b"SQLite format 3\x00"
JOURNAL_AT = 8
JOURNAL_START = Struct("<QB").pack(1, Kind.HEADER)
"""Sequence and kind of the first record of a journal, behind its length and check sum (engine/journal.py)."""


def check_output(path: Path, ledger_file: Path | None, *, force: bool) -> None:
    """Refuse a place that must not be written. ledger_file is the ledger that is read; None when it is on a server.

    Raises: ConfigInvalid for the ledger itself under any name, what lies beside it, any SQLite database or journal, what
    is no plain file, a missing folder, and a name that is taken unless force is given.
    """
    if str(path) == "-":
        raise ConfigInvalid(
            KEY, "-", "the name of a file; `-` is not standard output here (./- is a file of that name)"
        )
    if not path.parent.is_dir():
        raise ConfigInvalid(KEY, str(path), f"a file in a folder that exists; {path.parent} is none")
    kept = _kept(path, ledger_file)
    if kept:
        raise ConfigInvalid(KEY, str(path), f"a file of its own; this is {kept}, which is never overwritten")
    absent(KEY, path, force=force)


@contextmanager
def output_place(path: Path, ledger_file: Path | None, *, force: bool) -> Iterator[Path]:
    """Give the `.partial` file to write to, for writers that open it themselves; it gets its name at the end.

    Raises: ConfigInvalid as check_output does, or when the place cannot be written.
    """
    check_output(path, ledger_file, force=force)
    with whole_file(KEY, path, force=force) as place:
        try:
            yield place
        except OSError as error:
            raise ConfigInvalid(KEY, str(path), f"a place that can be written ({error.strerror or error})") from None


@contextmanager
def open_output(path: Path, ledger_file: Path | None, *, force: bool) -> Iterator[TextIO]:
    """Give an open text file (UTF-8, line ends as written); what was written there gets its name at the end.

    Raises: ConfigInvalid as output_place does.
    """
    with output_place(path, ledger_file, force=force) as place, place.open("w", encoding="utf-8", newline="") as file:
        yield file


def _kept(path: Path, ledger_file: Path | None) -> str:
    """Return what a place is that must stay as it is; empty when it may be written."""
    target = path.resolve()
    if ledger_file is not None:
        own = ledger_file.resolve()
        if target == own or (path.exists() and own.exists() and path.samefile(own)):
            return "the ledger itself"
        if any(target == own.with_name(own.name + tail) for tail in TAILS):
            return "a part of the ledger"
    for tail in TAILS:
        if target.name.endswith(tail) and _start(target.with_name(target.name.removesuffix(tail))) == SQLITE_START:
            return "a part of a database"
    if not path.exists() or path.is_dir():
        return ""
    if not path.is_file():
        return "no plain file"
    start = _start(path, JOURNAL_AT + len(JOURNAL_START))
    if start.startswith(SQLITE_START):
        return "a database"
    return "a journal" if start[JOURNAL_AT:] == JOURNAL_START or path.suffix == ".journal" else ""


def _start(path: Path, length: int = len(SQLITE_START)) -> bytes:
    """Return the first bytes of a file; none when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(length)
    except OSError:
        return b""
