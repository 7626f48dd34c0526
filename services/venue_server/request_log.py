"""One JSON line per request: when, who, what, and what it was answered; for `jq`, and to prove what was asked.

Laws: lines come in the order of handling; keys, signatures and whole bodies are left out; a log that cannot be written
is told once and never stops the venue.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from domain.errors import ConfigInvalid


class RequestLog:
    """Appends lines to a file; without one it keeps nothing."""

    def __init__(self, path: Path | None, failed: Callable[[str], None] = lambda _: None) -> None:
        """Open the file. failed is told once why nothing more is written. Raises: ConfigInvalid when it cannot be."""
        self._failed = failed
        self._path = path
        self._file: BinaryIO | None = None
        if path is not None:
            try:
                self._file = path.open("ab")
            except OSError as error:
                raise ConfigInvalid("--log", str(path), f"a file that can be written ({error.strerror})") from None

    @property
    def is_open(self) -> bool:
        """Say whether lines are kept."""
        return self._file is not None

    def record(self, line: dict[str, Any]) -> None:
        """Append one line; it reaches the disk with the next flush."""
        if self._file is not None:
            self._try(self._file.write, msgspec.json.encode(line) + b"\n")

    def flush(self) -> None:
        """Hand what was recorded to the operating system."""
        if self._file is not None:
            self._try(self._file.flush)

    def close(self) -> None:
        """Write the rest and close."""
        file, self._file = self._file, None
        if file is not None:
            self._try(file.close)

    def _try(self, act: Callable[..., object], *arguments: bytes) -> None:
        try:
            act(*arguments)
        except OSError as error:
            self._failed(f"the request log ends: {self._path}: {error.strerror}")
            file, self._file = self._file, None
            if file is not None:
                # The file tries once more to write the rest, and fails again.
                with suppress(OSError):
                    file.close()
