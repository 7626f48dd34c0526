"""Files that appear whole or not at all: exports, backups, archives.

Law: what is under its name is complete; a process killed while writing leaves a `.partial` beside it, which the next
try replaces.
"""

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


@contextmanager
def whole_file(key: str, path: Path, *, force: bool) -> Iterator[Path]:
    """Give the place to write to; what was written there gets its name when all went well, and is removed otherwise.

    Raises: ConfigInvalid naming `key` when the name is taken and force is not given, or the place cannot be written.
    """
    absent(key, path, force=force)
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with partial.open("xb"):
            pass
    except OSError as error:
        raise ConfigInvalid(key, str(path), f"a place that can be written ({error.strerror})") from None
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the operating system put a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
