"""One process per key on a machine: two would race for nonces and trade the same account against each other.

Laws: the lock is the kernel's (flock) and goes with the process, however it dies; the file stays and only says who
held it last. It is named by the key's address, never by anything secret. Two machines are not told apart: one agent
key per machine is the rule (HYPERLIQUID 4.5).
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from domain.errors import ConfigInvalid

KEY = "the agent's key"


class Lease:
    """The right to sign with one key on this machine."""

    def __init__(self, folder: Path, address: str) -> None:
        """Take the right. Raises: ConfigInvalid when another process has it, or its file cannot be written or locked."""
        path = folder / f"{address.lower()}.lock"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigInvalid(KEY, address, f"a lock file that can be written: {path} ({error.strerror})") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            os.close(self._file)
            who = f"process {holder} does" if holder else "another process does"
            raise ConfigInvalid(
                KEY, address, f"a key that no other process here signs with ({who}); stop it or approve another agent"
            ) from None
        except OSError as error:
            os.close(self._file)
            raise ConfigInvalid(
                KEY, address, f"a folder whose files can be locked: {folder} ({error.strerror})"
            ) from None
        os.truncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        self._is_held = True

    def release(self) -> None:
        """Give the right back; a second call does nothing."""
        if self._is_held:
            self._is_held = False
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
