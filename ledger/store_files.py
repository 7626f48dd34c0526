"""Files that appear whole or not at all: exports, backups, archives.

Laws: what is under its name is complete; a process killed while writing leaves a `.partial` beside it, which the next
try replaces; two processes never write one file; nobody makes a folder that was not asked for.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from domain.errors import ConfigInvalid

PARTIAL = ".partial"


def absent(key: str, path: Path, *, force: bool) -> None:
    """Refuse to write over a file. Raises: ConfigInvalid when there is one and force is not given, or it is a folder."""
    if path.is_dir():
        raise ConfigInvalid(key, str(path), "a file; this is a folder")
    if not force and path.exists():
        raise ConfigInvalid(key, str(path), "a name that is free; or say --force to replace it")


def in_a_folder(key: str, path: Path) -> None:
    """Refuse a file in a folder that is not there. Raises: ConfigInvalid."""
    if not path.parent.is_dir():
        raise ConfigInvalid(key, str(path), f"a file in a folder that exists; {path.parent} is none")


def prepare_file(key: str, path: Path, *, read_only: bool) -> None:
    """See that a ledger's file is there (to read) or can be made, with its folder (to write). Raises: ConfigInvalid."""
    if path.is_dir():
        raise ConfigInvalid(key, str(path), "a file; this is a folder")
    if read_only and not path.is_file():
        raise ConfigInvalid(key, str(path), "an existing ledger; there is none yet")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigInvalid(key, str(path), f"a folder that can be made ({error.strerror})") from None


@contextmanager
def whole_file(key: str, path: Path, *, force: bool) -> Iterator[Path]:
    """Give the place to write to; what was written there gets its name when all went well, and is removed otherwise.

    Raises: ConfigInvalid naming `key` when the name is taken and force is not given, somebody else writes a file of this
    name just now, the folder is not there or the place cannot be written.
    """
    absent(key, path, force=force)
    in_a_folder(key, path)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    handle = _our_own(key, path, partial)
    is_named = False
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
        is_named = True
        _flush(path.parent)
    finally:
        if not is_named:
            # Still in our hold; once it has its name, another process may already write the next one of this.
            partial.unlink(missing_ok=True)
        os.close(handle)


def _our_own(key: str, path: Path, partial: Path) -> int:
    """Return a hold on an empty file nobody else writes; it ends with the process. Raises: ConfigInvalid."""
    taken = ConfigInvalid(key, str(path), "a name that no other process is writing to just now")
    try:
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise ConfigInvalid(key, str(path), f"a place that can be written ({error.strerror})") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise taken from None
    # Whoever held it a moment ago may have given it its name: then what we hold is not under this one.
    if not partial.exists() or not os.path.samestat(os.fstat(handle), partial.stat()):
        os.close(handle)
        raise taken
    os.ftruncate(handle, 0)
    return handle


def _flush(path: Path) -> None:
    """Have the operating system put a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
