"""One run per directory: two processes must never write one ledger, journal or log.

The lock belongs to the process and goes with it, however it dies; the file itself stays and only says who held it last.
"""

import fcntl
import os
from pathlib import Path

from domain.errors import ConfigInvalid

NAME = "bot.lock"


class StateLock:
    """The right to write into a directory."""

    def __init__(self, place: Path) -> None:
        """Take the right. Raises: ConfigInvalid when another run has it, or the directory cannot be written."""
        path = place / NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ConfigInvalid(
                "bot.state_dir", str(place), f"a directory that can be written ({error.strerror})"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f"process {holder} does" if holder else "another process does"
            raise ConfigInvalid(
                "bot.state_dir",
                str(place),
                f"a directory that no other run uses ({who}); stop that one, or choose another with --state-dir",
            ) from None
        os.truncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the right back."""
        os.close(self._file)
